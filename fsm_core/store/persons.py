"""Persons, their tokens and their approvals, in the transaction of `work`.

Not here: who may do what (`fsm_core.persons`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import insert, select, update

from fsm_core.persons.rights import Role
from fsm_core.persons.state import Approval, Person, Token
from fsm_core.store import schema as t
from fsm_core.store.plumbing import Plumbing
from fsm_core.store.rows import plain_row


class PersonRows(Plumbing):
    """Implements `fsm_core.persons.state.PersonWork`."""

    def persons(self) -> list[Person]:
        """Everybody, by name."""
        return [_person_of(row) for row in self._all(select(t.person).order_by(t.person.c.name))]

    def person(self, name: str) -> Person | None:
        """The person of exactly this name."""
        found = self._all(select(t.person).where(t.person.c.name == name))
        return _person_of(found[0]) if found else None

    def add_person(self, row: Person) -> None:
        """A new person."""
        self._db.execute(insert(t.person).values(_person_row(row)))

    def change_person(self, row: Person) -> None:
        """Keep all of a person but its name."""
        names = ("roles", "password", "state", "failures", "failed_at", "changed_at")
        self._change(t.person, [_person_row(row)], names)

    def token(self, hash: str) -> tuple[Token, Person] | None:  # noqa: A002 - as in the table
        """The token with this hash, and whose it is."""
        found = self._all(select(t.token).where(t.token.c.hash == hash))
        owner = self._all(select(t.person).where(t.person.c.id == found[0]["person"])) if found else []
        return (Token(**found[0]), _person_of(owner[0])) if owner else None

    def tokens(self, person: str) -> list[Token]:
        """A person's tokens, oldest first."""
        return [Token(**row) for row in self._all(select(t.token).where(t.token.c.person == person).order_by("id"))]

    def add_token(self, row: Token) -> None:
        """A new token."""
        self._db.execute(insert(t.token).values(plain_row(row)))

    def revoke_tokens(self, ids: Collection[str], at: str) -> None:
        """They are good for nothing any more."""
        self._db.execute(update(t.token).where(self._among(t.token.c.id, ids)).values(revoked_at=at))

    def approval(self, id: str) -> Approval | None:  # noqa: A002 - as in the table
        """An approval as it stands now."""
        found = self._all(select(t.approval).where(t.approval.c.id == id))
        return Approval(**found[0]) if found else None

    def approvals(self, what: str, kind: str) -> list[Approval]:
        """All that was asked and answered about one thing, oldest first."""
        c = t.approval.c
        return [
            Approval(**row)
            for row in self._all(select(t.approval).where(c.what == what, c.kind == kind).order_by(c.id))
        ]

    def add_approval(self, row: Approval) -> None:
        """Somebody asks."""
        self._db.execute(insert(t.approval).values(plain_row(row)))

    def change_approval(self, row: Approval) -> None:
        """Somebody else answered."""
        self._change(t.approval, [plain_row(row)], ("state", "approved_by", "approved_at"))


def _person_of(row: Mapping[str, Any]) -> Person:
    return Person(**{**row, "roles": frozenset(Role(word) for word in row["roles"].split())})


def _person_row(person: Person) -> dict[str, Any]:
    return {**plain_row(person), "roles": " ".join(sorted(person.roles))}
