"""Commands that switch reading or writing off and on again: stop, resume, stops.

Not here: what a stop does (`fsm_core.service.stops`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import app, shown, terminal
from flows.cli.who import entered
from fsm_core.errors import BadMapping
from fsm_core.persons.rights import Act
from fsm_core.state_stops import Way

if TYPE_CHECKING:
    from flows.wiring import Opened

System = Annotated[str, typer.Argument(help="As in hub.toml, or 'all'.")]
Entity = Annotated[str, typer.Option("--entity", help="Only this one; default: all.")]
Direction = Annotated[Way, typer.Option("--direction", help="in: reading; out: writing.")]


@app.command()
def stop(
    system: System,
    entity: Entity = "",
    direction: Direction = Way.BOTH,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
) -> None:
    """Switch a system off, from the next page or batch on, until somebody resumes it."""
    from fsm_core.service.stops import in_words  # noqa: PLC0415 - commands start fast
    from fsm_core.service.stops import stop as switch_off  # noqa: PLC0415 - as above

    with entered(Act.STOP) as (found, actor):
        made = switch_off(found.hub, _system(found, system), _entity(found, entity), direction, actor.name, note)
    if not terminal.answer(made):
        terminal.say(shown(in_words(made)))


@app.command()
def resume(system: System, entity: Entity = "", direction: Direction = Way.BOTH) -> None:
    """Switch on again what was switched off with the same words; what is due is done in the next round."""
    from fsm_core.service.stops import resume as switch_on  # noqa: PLC0415 - commands start fast

    with entered(Act.RESUME) as (found, actor):
        ended = switch_on(found.hub, _system(found, system), _entity(found, entity), direction, actor.name)
    if not terminal.answer(ended):
        terminal.say(f"on again; it was off since {ended.at[:16]}, by {shown(ended.by)}")


@app.command("stops")
def list_stops() -> None:
    """What is switched off."""
    with entered(Act.SEE) as (found, _), found.hub.store.begin() as work:
        rows = work.stops()
    if not terminal.answer(rows):
        told = [(s.system or "all", s.entity or "all", s.way, s.by, s.at[:16], s.note) for s in rows]
        terminal.table(f"{len(rows)} off", ("system", "entity", "direction", "by", "since", "note"), told)


def _system(found: Opened, named: str) -> str:
    if named == "all":
        return ""
    if named not in found.settings.systems:
        known = ", ".join(["all", *found.settings.systems])
        raise BadMapping(f"no system {named!r}; known: {known}", remedy="Name one of them.")
    return named


def _entity(found: Opened, named: str) -> str:
    if named:
        found.hub.book(named)
    return named
