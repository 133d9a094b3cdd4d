"""Who acts: opens the hub for a command that a person gives, if the person may give it.

Not here: the table of rights (`fsm_core.persons.rights`), the commands about persons (`persons`).
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flows.cli import session
from flows.cli.app import terminal
from fsm_core.errors import Denied
from fsm_core.persons.rights import Act, Actor, require

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.store import SqlStore


@contextmanager
def entered(act: Act | None, *, remote: bool = False) -> Iterator[tuple[Opened, Actor]]:
    """The hub and who acts on it; no system is called before the person is known. None: everybody known may."""
    from flows.wiring import connect, opened  # noqa: PLC0415 - commands start fast

    with opened(terminal.config, remote=False) as found:
        actor = acting(found.store, found.hub.at(), act)
        if remote:
            connect(found)
        yield found, actor


def acting(store: SqlStore, at: str, act: Act | None) -> Actor:
    """Who acts, if that one may. Raises `Denied`, and `LoginNeeded` where people log in."""
    actor = _known(store, at)
    if act is not None:
        require(actor, act)
    return actor


def _known(store: SqlStore, at: str) -> Actor:
    """Whoever is logged in; on a hub without an admin the local user, or whoever that user says it is."""
    from fsm_core.persons.logins import actor_of  # noqa: PLC0415 - commands start fast
    from fsm_core.store.work import SqlWork  # noqa: PLC0415 - as above

    with store.reading() as db:
        known = actor_of(SqlWork(db), session.secret(terminal.config), at)
    if known is None:
        return Actor(terminal.actor or login_name())
    if terminal.actor not in ("", known.name):
        remedy = "Leave out --as and FSM_HUB_USER, or log in as that person."
        raise Denied(f"{known.name} is logged in and cannot act as {terminal.actor}", remedy=remedy)
    return known


def login_name() -> str:
    """The user of the operating system."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return os.environ.get("USER", "unknown")
