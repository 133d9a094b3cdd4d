"""What the functions about persons work with: the hub, how passwords are hashed, how long a log-in lasts.

Every change of a person, token or approval goes into the audit here, in the transaction that makes it.
Not here: the changes themselves (`accounts`, `logins`, `approvals`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from fsm_core.errors import NotFound
from fsm_core.persons.passwords import Passwords
from fsm_core.persons.state import Person
from fsm_core.service.hub import Hub
from fsm_core.state import Decision, Doc, Work

ENTITY = "person"
"""What the audit calls the subject of such a decision."""


@dataclass(frozen=True)
class Desk:
    """Where persons are looked after."""

    hub: Hub
    passwords: Passwords
    session: timedelta
    """How long a log-in is good for."""

    @contextmanager
    def changing(self) -> Iterator[Work]:
        """A transaction in a run of its own."""
        with self.hub.running("persons"), self.hub.store.begin() as work:
            yield work

    def tell(self, work: Work, by: str, kind: str, subject: str, content: Doc) -> None:
        """Into the audit: who did what to whom."""
        hub = self.hub
        work.write_decisions(hub.run, hub.at(), [Decision(hub.ids.text(), subject, ENTITY, by, kind, content)])


def found(work: Work, name: str) -> Person:
    """The person of this name. Raises `NotFound`."""
    person = work.person(name.strip().casefold())
    if person is None:
        raise NotFound(f"there is no person {name!r}", remedy="Take a name from 'fsm-hub person list'.")
    return person
