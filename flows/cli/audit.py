"""The command that checks the audit.

Not here: the check itself (`fsm_core.store.verify`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import app, plain, terminal
from flows.cli.who import entered
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from fsm_core.store.verify import Verified

audit = typer.Typer(no_args_is_help=True, help="Every decision, sealed run by run.")
app.add_typer(audit, name="audit")


@audit.command("verify")
def audit_verify(
    noted: Annotated[str, typer.Option(help="A root written down before; it has to be in the chain still.")] = "",
) -> None:
    """Check every run and every decision; name the first one that does not hold."""
    from fsm_core.store.verify import verify  # noqa: PLC0415 - commands start fast

    with entered(Act.VERIFY) as (found, _), found.store.reading() as db:
        told = verify(db, noted)
    if not terminal.answer({"ok": told.broken is None, **plain(told)}):
        _show(told)
    if told.broken is not None:
        raise typer.Exit(1)


def _show(told: Verified) -> None:
    terminal.say(f"{told.runs} sealed runs, {told.decisions} decisions, of {told.erased} the values are erased")
    for run in told.open:
        terminal.say(f"open    run {run}: at work just now, or interrupted; not sealed")
    if told.broken is None:
        terminal.say(f"all holds; root of the last run: {told.head or 'none yet'}")
        return
    names = (("run", told.broken.run), ("decision", told.broken.decision))
    place = ", ".join(f"{word} {name}" for word, name in names if name)
    terminal.say(f"[red]broken[/]  {place + ': ' if place else ''}{told.broken.what}")
