"""What is remembered of persons: their rows, and the part of a transaction that keeps them.

Not here: SQL (`fsm_core.store.persons`), and what is done with the rows (`accounts`, `logins`, `approvals`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from fsm_core.persons.rights import Actor, Role

ACTIVE, DISABLED = "active", "disabled"
OPEN, APPROVED, REJECTED = "open", "approved", "rejected"


@dataclass(slots=True)
class Person:
    """Somebody who decides. A name is never given to another person: it stands in the audit."""

    id: str
    name: str
    roles: frozenset[Role]
    password: str = field(repr=False)
    """Its argon2 hash."""
    state: str
    created_at: str
    changed_at: str
    failures: int = 0
    """Failed log-ins since the last good one."""
    failed_at: str | None = None

    @property
    def actor(self) -> Actor:
        """The person as one who acts."""
        return Actor(self.name, self.roles, self.id)


@dataclass(slots=True)
class Token:
    """What a person shows instead of a password; only its hash is kept."""

    id: str
    person: str
    hash: str = field(repr=False)
    label: str
    created_at: str
    expires_at: str
    revoked_at: str | None = None


@dataclass(slots=True)
class Approval:
    """A second person's word on something that one asked for."""

    id: str
    what: str
    """A hash of exactly what is asked for: another thing, or the same thing changed, has another one."""
    kind: str
    note: str
    """What it is, for whoever decides."""
    asked_by: str
    asked_at: str
    state: str = OPEN
    approved_by: str = ""
    """Who decided, also who rejected."""
    approved_at: str | None = None


class PersonWork(Protocol):
    """The part of a transaction that keeps persons."""

    def persons(self) -> list[Person]: ...
    def person(self, name: str) -> Person | None: ...
    def add_person(self, row: Person) -> None: ...
    def change_person(self, row: Person) -> None: ...
    def token(self, hash: str) -> tuple[Token, Person] | None: ...  # noqa: A002 - as in the table
    def tokens(self, person: str) -> list[Token]: ...
    def add_token(self, row: Token) -> None: ...
    def revoke_tokens(self, ids: Collection[str], at: str) -> None: ...
    def approval(self, id: str) -> Approval | None: ...  # noqa: A002 - as in the table
    def approvals(self, what: str, kind: str) -> list[Approval]: ...
    def add_approval(self, row: Approval) -> None: ...
    def change_approval(self, row: Approval) -> None: ...
