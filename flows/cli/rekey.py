"""The command that accepts a system under another fingerprint: rekey.

Not here: what speaks against it (`fsm_core.service.rekey`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import app, terminal
from flows.cli.who import entered
from fsm_core.errors import Denied, Invalid
from fsm_core.persons.rights import Act, Actor

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.service.rekey import Examined


@app.command()
def rekey(
    system: Annotated[str, typer.Argument(help="As in hub.toml.")],
    accept: Annotated[str, typer.Option("--accept", help="The new fingerprint, as this command shows it.")] = "",
) -> None:
    """Look at a system that says it is another environment; with --accept, take it for the same company."""
    from flows.wiring import met  # noqa: PLC0415 - commands start fast
    from fsm_core.service.rekey import accept as take  # noqa: PLC0415 - as above
    from fsm_core.service.rekey import examine  # noqa: PLC0415 - as above

    with entered(Act.REKEY) as (found, actor):
        check, bindings = met(found, system)
        examined = examine(found.hub, system, check.fingerprint, bindings)
        changed = examined.known != examined.shown
        if accept and changed:
            _meant(found, actor, examined, accept)
            take(found.hub, examined, actor.name)
    told = {"known": examined.known, "shown": examined.shown, "found": examined.found, "accepted": bool(accept)}
    if not terminal.answer({**told, "objection": examined.objection}):
        _tell(examined, accepted=bool(accept), changed=changed)


def _meant(found: Opened, actor: Actor, examined: Examined, accept: str) -> None:
    """Raises `Invalid` when another one is meant, `Denied` until a second person agrees."""
    from fsm_core.persons.approvals import ask, granted  # noqa: PLC0415 - commands start fast

    if accept != examined.shown:
        raise Invalid(f"{examined.system} shows {examined.shown}, not {accept}", remedy="Look at it again.")
    if not actor.person or examined.objection:
        return
    with found.hub.store.begin() as work:
        approval = granted(work, examined.what, "change")
    if approval is None:
        note = f"{examined.system} is accepted as {examined.shown} instead of {examined.known}"
        asked = ask(found.desk, actor, examined.what, "change", note)
        remedy = f"Another person says 'fsm-hub approvals approve {asked.id[-8:]}', then say it again."
        raise Denied("another environment takes two persons", remedy=remedy)


def _tell(examined: Examined, *, accepted: bool, changed: bool) -> None:
    if not changed:
        terminal.say(f"{examined.system} is the environment the hub knows: {examined.known}")
        return
    terminal.say(f"{examined.system} shows {examined.shown}, the hub knows {examined.known or 'none'}")
    for one in examined.found:
        told = f"{one.there} of {one.known} known records are there"
        terminal.say(f"{one.entity:<12} {told}, {one.keyed} of {one.expected} carry the hub's id")
    if accepted:
        terminal.say("accepted; the next round reads everything again")
    elif examined.objection:
        terminal.say(f"[red]cannot be the same company:[/] {examined.objection}")
    else:
        terminal.say(f"if it is the same company: fsm-hub rekey {examined.system} --accept {examined.shown}")
