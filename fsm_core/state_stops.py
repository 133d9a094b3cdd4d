"""What people switched off, as the state keeps it, and what a change of a system's environment looks at.

Not here: what follows from it (`fsm_core.service.stops`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fsm_core.state import Link


class Way(StrEnum):
    """Reading from a system, writing to it, or both."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Stop:
    """One thing that is off until somebody resumes it."""

    system: str
    """Empty for all systems."""
    entity: str
    """Empty for all entities."""
    way: Way
    by: str
    at: str
    note: str


class StopState(Protocol):
    """The part of a transaction that keeps stops."""

    def stops(self) -> list[Stop]: ...
    def put_stop(self, row: Stop) -> None: ...
    def drop_stop(self, system: str, entity: str, way: Way) -> bool: ...
    def some_links(self, system: str, obj: str, entity: str, limit: int) -> list[Link]: ...
    def forget_cursors(self, system: str) -> None: ...
