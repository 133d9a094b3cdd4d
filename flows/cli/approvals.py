"""Commands by which a second person approves: list, approve, reject.

Not here: what takes two persons (`fsm_core.persons.approvals`).
"""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.app import app, shown, terminal
from flows.cli.who import entered
from fsm_core.persons.rights import Act

approvals = typer.Typer(no_args_is_help=True, help="What one person asked for and another one approves.")
app.add_typer(approvals, name="approvals")

Id = Annotated[str, typer.Argument(help="The id, or the end of it.")]


@approvals.command("list")
def approvals_list() -> None:
    """Open ones, oldest first."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        rows = queries.approvals(db)
    if not terminal.answer(rows):
        told = [
            (
                f"{one.id[-8:]}  {one.kind}, asked by {shown(one.asked_by)} at {one.asked_at[:16]}",
                (shown(one.note), f"hash {one.what[:12]}"),
            )
            for one in rows
        ]
        terminal.entries(f"{len(rows)} open", told)


@approvals.command("approve")
def approvals_approve(id: Id) -> None:  # noqa: A002 - the word people use
    """Approve what somebody else asked for."""
    _answer(id, approve=True)


@approvals.command("reject")
def approvals_reject(id: Id) -> None:  # noqa: A002 - the word people use
    """Reject it; whoever asked may take it back this way."""
    _answer(id, approve=False)


def _answer(id: str, *, approve: bool) -> None:  # noqa: A002 - the word people use
    from fsm_core.persons.approvals import answer  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with entered(None) as (found, actor):
        with found.store.reading() as db:
            row = queries.approval(db, id)
        done = answer(found.desk, actor, row, approve=approve)
    if not terminal.answer(done):
        terminal.say(f"{done.id[-8:]} {done.state} by {done.approved_by}: {done.note}")
