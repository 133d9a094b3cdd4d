"""What happened to one record lately, as the state remembers it: links, what moved, and what was decided.

Not here: reading it (`fsm_core.store.history`) and judging it anew (`fsm_core.service.replay`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fsm_core.state import Doc, Link, Record


class Moved(NamedTuple):
    """One row of the journal: per field what a link said before and after."""

    link: int
    run: str
    at: str
    by: str
    changes: dict[str, tuple[Any, Any]]
    told: frozenset[str] = frozenset()
    """Of these fields it is our own write that was read back."""


class Ruled(NamedTuple):
    """One decision: per field outcome and values."""

    at: str
    fields: dict[str, Doc]


@dataclass(frozen=True, slots=True)
class History:
    """A record as it is now, and the way it came here."""

    record: Record
    links: Sequence[Link]
    moves: Sequence[Moved]
    """Oldest first."""
    rulings: Sequence[Ruled]
    """Oldest first."""
