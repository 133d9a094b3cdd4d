"""Commands on drift: what systems changed of their own fields, and a person's word that it is meant.

Not here: what a change means and what is done about it (`fsm_core.drift`, `fsm_core.service.drifting`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import app, shown, terminal
from flows.cli.run import warn_of_failures
from flows.cli.who import entered
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from fsm_core.drift.kinds import Drift
    from fsm_core.service.hub import Hub

drift = typer.Typer(no_args_is_help=True, help="What systems changed of their own fields since it was known.")
app.add_typer(drift, name="drift")


@drift.command("list")
def drift_list() -> None:
    """Ask every system what changed, and tell what it means and what is done about it."""
    with entered(Act.SEE, remote=True) as (found, _):
        warn_of_failures(found)
        rows = _rows(found.hub)
        partial = bool(found.failures)
    if not terminal.answer(rows):
        told = [
            (
                f"{r['system']} {r['entity']} {shown(r['path'])}  {r['kind']}: {r['policy']}",
                (*map(shown, r["means"]), shown(r["remedy"])),
            )
            for r in rows
        ]
        terminal.entries(f"{len(rows)} changed", told)
    if partial:
        raise typer.Exit(1)


def _rows(hub: Hub) -> list[dict[str, Any]]:
    made = {**hub.bindings, **hub.stopped}
    return [_row(*key, one) for key in sorted(made) for one in made[key].watched.drifts]


def _row(system: str, entity: str, one: Drift) -> dict[str, Any]:
    return {
        "system": system,
        "entity": entity,
        "path": one.path,
        "fields": list(one.fields),
        "kind": str(one.kind),
        "policy": str(one.policy),
        "old": one.old,
        "new": one.new,
        "like": one.like,
        "means": [one.message, *one.means],
        "remedy": one.remedy,
    }


@drift.command("accept")
def drift_accept(
    system: Annotated[str, typer.Argument(help="The system's name in hub.toml.")],
    entity: Annotated[str, typer.Argument(help="Entity, e.g. customer.")],
    path: Annotated[str, typer.Argument(help="The native field, as 'drift list' shows it.")] = "",
    every: Annotated[bool, typer.Option("--all", help="All that changed of this entity there.")] = False,  # noqa: FBT002 - a switch
) -> None:
    """It is meant: take the field as it is now for known, and go on."""
    from fsm_core.errors import Invalid  # noqa: PLC0415 - commands start fast
    from fsm_core.service.drifting import accept  # noqa: PLC0415 - as above

    with entered(Act.ACCEPT, remote=True) as (found, actor):
        if bool(path) is every:
            raise Invalid("name one field, or --all", remedy="See 'fsm-hub drift list'.")
        if system in found.failures:
            raise found.failures[system]
        taken = accept(found.hub, system, entity, path, actor.name)
    rows = [_row(system, entity, one) for one in taken]
    if not terminal.answer(rows):
        for one in rows:
            terminal.say(f"{one['path']} ({one['kind']}) accepted; the next 'fsm-hub sync' goes on with it")
