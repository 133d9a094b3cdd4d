"""The memory connector and its store, as the contract suite drives them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from connectors.http import Patience
from connectors.memory import Memory, MemoryStore
from connectors.simulation import VirtualClock
from fsm_core.ports import Document, Json, Object
from tests.contract.harness import Harness


class MemoryHarness(Harness):
    """Overlap of five minutes; whoever waits moves the virtual clock."""

    name = "memory"
    obj = Object("Site", fields=("Name", "Note", "HubId"), key="HubId")
    text = "Name"
    other = "Note"

    def __init__(self, **switches: Any) -> None:
        self.clock = VirtualClock()
        self.slept: list[float] = []
        self.store = MemoryStore(clock=self.clock, **switches)

    def connector(self, *, page_size: int = 2000) -> Memory:
        patience = Patience(sleep=self.slept.append)
        return Memory(self.store, page_size=page_size, overlap=timedelta(minutes=5), patience=patience)

    def create(self, text: str) -> str:
        return self.store.edit("Site", "", {"Name": text, "Note": "as found", "HubId": None})

    def edit(self, id: str, fields: dict[str, Json]) -> None:  # noqa: A002 - as in the ports
        self.store.edit("Site", id, fields)

    def remove(self, id: str) -> None:  # noqa: A002 - as in the ports
        self.store.remove("Site", id)

    def create_late(self, text: str, seconds: float) -> str:
        return self.store.edit("Site", "", {"Name": text, "Note": None, "HubId": None}, late=seconds)

    def stored(self, id: str) -> Document:  # noqa: A002 - as in the ports
        return self.store.live("Site")[id]

    def ids(self) -> Sequence[str]:
        return list(self.store.live("Site"))

    def writes_received(self) -> int:
        return self.store.writes()

    def refuse_next_write(self) -> None:
        self.store.rule("Site", "Name").refuse = lambda value: "BAD" in str(value)

    def expire_session(self) -> None:
        self.store.expire_session()

    def lose_answer(self) -> None:
        self.store.lose_answers()

    def throttle(self, seconds: int) -> None:
        self.store.throttle(seconds)

    def close(self) -> None:
        """Nothing to give back."""
