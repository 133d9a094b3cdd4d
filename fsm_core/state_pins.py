"""What the engine remembers of pins: the row, and the part of `Work` that keeps them.

Not here: what a pin decides (`fsm_core.sync.merge`), who sets one (`fsm_core.service.pins`), SQL (`fsm_core.store`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class PinMode(StrEnum):
    """What ends a pin."""

    HOLD = "hold"
    """A person: an owner who says something else is a conflict."""
    UNTIL_OWNER_CHANGES = "until_owner_changes"
    """The owner as well: its next change counts and releases the pin."""


@dataclass(slots=True)
class Pin:
    """A person's word on one field of one record, which outranks all who do not own the field."""

    record: str
    field: str
    entity: str
    value: Any
    mode: str
    by: str
    at: str
    note: str


class PinState(Protocol):
    """Part of `fsm_core.state.Work`. Every method is set-based."""

    def pins(self, records: Collection[str]) -> list[Pin]: ...
    def put_pins(self, rows: Sequence[Pin]) -> None: ...
    def drop_pins(self, rows: Sequence[Pin]) -> None: ...
    def repoint_pins(self, old: str, new: str) -> None: ...
