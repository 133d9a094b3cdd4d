"""What the contract suite needs to drive any connector against its simulator.

Each connector has one harness (`harness_memory.py`, `harness_salesforce.py`, ...) that fills this in.
Not here: the tests themselves (`test_contract.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from connectors.simulation import VirtualClock
from fsm_core.ports import Connector, Document, Json, Object


class Harness(ABC):
    """One connector, its simulator and one object to play with."""

    name: str
    clock: VirtualClock
    obj: Object
    """Reads `text` and `other` at least; its `key` is where the hub's id goes."""
    text: str
    """Path of a writable text field that the system stores as it is."""
    other: str
    """A second writable text field."""
    required: Mapping[str, Json] = MappingProxyType({})
    """What every new record has to say beside `text`, e.g. whose contact it is."""
    creatable: bool = True
    """False where a record is only ever made together with another one; what creates is skipped then."""

    @abstractmethod
    def connector(self, *, page_size: int = 2000) -> Connector:
        """A fresh connector (no cached token, no cursor) on the same simulator."""

    @abstractmethod
    def create(self, text: str) -> str:
        """A person there creates a record; returns its id."""

    @abstractmethod
    def edit(self, id: str, fields: dict[str, Json]) -> None:  # noqa: A002 - as in the ports
        """A person there changes fields (native paths) of a record."""

    @abstractmethod
    def remove(self, id: str) -> None:  # noqa: A002 - as in the ports
        """A person there deletes the record in the system's own way (soft delete, archiving flag)."""

    @abstractmethod
    def create_late(self, text: str, seconds: float) -> str:
        """A record stamped now that becomes visible only after the clock moved `seconds`."""

    @abstractmethod
    def stored(self, id: str) -> Document:  # noqa: A002 - as in the ports
        """What the simulator holds, with the connector's paths as keys (at least `text` and `other`)."""

    @abstractmethod
    def ids(self) -> Sequence[str]:
        """Ids of all live records, in the form the connector reports them."""

    @abstractmethod
    def writes_received(self) -> int:
        """Record writes the simulator was asked for so far."""

    @abstractmethod
    def refuse_next_write(self) -> None:
        """The next record written with text containing `BAD` is rejected by validation (others pass)."""

    @abstractmethod
    def expire_session(self) -> None:
        """The next call finds its token, session or CSRF token expired."""

    @abstractmethod
    def lose_answer(self) -> None:
        """The next write takes effect but its answer is lost."""

    @abstractmethod
    def throttle(self, seconds: int) -> None:
        """The next call is answered "too many requests" with Retry-After."""
