"""What rules took back lately, as the state keeps it.

Not here: what follows from it (`fsm_core.service.insistence`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol


class Insisted(NamedTuple):
    """A value that a system says of a field, and that a rule takes back."""

    record: str
    field: str
    system: str
    value: bytes
    """A hash: the value itself is nobody's business here."""


class RevertCount(NamedTuple):
    """Edits of one field in one system that rules took back."""

    entity: str
    field: str
    system: str
    edits: int
    records: int


class RevertState(Protocol):
    """The part of a transaction that counts reverts."""

    def reverts(self, records: Collection[str], since: str) -> list[Insisted]: ...
    def add_reverts(self, entity: str, at: str, rows: Sequence[Insisted]) -> None: ...
    def drop_reverts(self, before: str) -> None: ...
    def ask_reverts(self, rows: Sequence[Insisted]) -> None: ...
