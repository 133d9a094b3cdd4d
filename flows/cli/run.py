"""Commands that move data: sync, sandbox.

Not here: what a round does (`fsm_core.service.sync`), and plans (`plans`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import app, shown, terminal
from flows.cli.who import entered
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.service.sync import Round


class Direction(StrEnum):
    """Which half of a round runs."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


@app.command()
def sync(
    entity: Annotated[str, typer.Argument(help="Entity; default: all of hub.toml, parents first.")] = "",
    direction: Annotated[
        Direction, typer.Option(help="in: read and decide; out: deliver what is due.")
    ] = Direction.BOTH,
    full: Annotated[bool, typer.Option("--full", help="Read everything again.")] = False,  # noqa: FBT002 - a switch
    confirm: Annotated[bool, typer.Option("--confirm-mass-change", help="The mass change is meant.")] = False,  # noqa: FBT002 - a switch
) -> None:
    """Read all systems, decide, deliver."""
    check_entity(entity)
    with _for_a_round(confirm=confirm) as (found, by):
        warn_of_failures(found)
        rounds = [_round(found, name, direction, full=full, confirmed_by=by) for name in entities_of(found, entity)]
    if not terminal.answer({"rounds": [one.summary() for one in rounds], "failures": found.failures}):
        show_rounds(rounds)
    if found.failures or any(one.absent for one in rounds):
        raise typer.Exit(1)


@contextmanager
def _for_a_round(*, confirm: bool) -> Iterator[tuple[Opened, str]]:
    """A round follows from the rules and takes no person, as under the schedule; to confirm a mass change does."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast

    if confirm:
        with entered(Act.CONFIRM, remote=True) as (found, actor):
            yield found, actor.name
    else:
        with opened(terminal.config) as found:
            yield found, ""


def check_entity(entity: str) -> None:
    """Refuse an unknown entity before anybody is called."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast

    if entity:
        with opened(terminal.config, remote=False) as found:
            found.hub.book(entity)


def entities_of(found: Opened, entity: str) -> list[str]:
    """The one that is named, or all of the settings, parents first. Raises `BadMapping` for one without rules."""
    from fsm_core.sync.order import parents_first  # noqa: PLC0415 - commands start fast

    names = [entity] if entity else found.settings.hub.entities
    for name in names:
        found.hub.book(name)
    return parents_first(found.hub.shapes, names)


def _round(found: Opened, entity: str, direction: Direction, *, full: bool, confirmed_by: str) -> Round:
    from fsm_core.service.sync import synchronise  # noqa: PLC0415 - commands start fast

    with found.hub.running("sync") as run, terminal.errors.status(f"{entity}…") as status:
        done = synchronise(
            found.hub,
            entity,
            full=full,
            read=direction is not Direction.OUT,
            deliver=direction is not Direction.IN,
            confirmed=bool(confirmed_by),
            first_load=found.settings.limits.updates,
            told=lambda step: status.update(f"{entity}: {step}…"),
        )
        done.absent |= found.left_out(entity)
        done.off |= found.off
        run.summary = done.summary() | ({"confirmed_by": confirmed_by} if confirmed_by else {})
    return done


def warn_of_failures(found: Opened, entity: str = "") -> None:
    """Systems that are left out, altogether or of one entity, each with its reason."""
    for error in (*found.failures.values(), *found.left_out(entity).values()):
        terminal.errors.print(f"[yellow]left out:[/] {shown(str(error))}")
    for why in found.off.values():
        terminal.errors.print(f"[yellow]off:[/] {shown(why)}")


def show_rounds(rounds: Sequence[Round]) -> None:
    """The rounds of several entities, each under its name."""
    for one in rounds:
        if len(rounds) > 1:
            terminal.say(f"[bold]{one.entity}[/]")
        show_round(one)


def show_round(done: Round) -> None:
    """A round in words."""
    told = done.summary()
    for system, read in told["read"].items():
        terminal.say(f"{system:<12} {', '.join(f'{count} {word}' for word, count in read.items())}")
    terminal.say(f"decided      {told['born']} new records, {told['linked']} linked, {told['questions']} questions")
    if told["outcomes"]:
        terminal.say("             " + ", ".join(f"{n} {name.lower()}" for name, n in told["outcomes"].items()))
    show_endings(told["endings"])
    for system, count in told["written"].items():
        terminal.say(f"{system:<12} {count} written")
    if told["refused"]:
        terminal.say(f"[yellow]refused      {told['refused']}; see 'fsm-hub problems list'[/]")
    for system, drift in done.drift:
        terminal.say(f"[yellow]{system:<12} drift {drift.policy}:[/] {shown(drift.sentence)}; see 'fsm-hub drift list'")
    for system, reason in done.absent.items():
        terminal.say(f"[yellow]{system:<12} left out:[/] {shown(reason)}")
    for system, reason in done.off.items():
        terminal.say(f"[yellow]{system:<12} off:[/] {shown(reason)}")


def show_endings(endings: Mapping[str, int]) -> None:
    """What became of records that were gone or back in a system; nothing when there were none."""
    if endings:
        told = ", ".join(f"{count} {fate.lower().replace('_', ' ')}" for fate, count in endings.items())
        terminal.say(f"gone or back {told}")


sandbox = typer.Typer(no_args_is_help=True, help="Both systems as simulators on this machine, with one seeded company.")
app.add_typer(sandbox, name="sandbox")


@sandbox.command("up")
def sandbox_up(
    folder: Annotated[Path, typer.Argument(help="Where secrets and systems.toml, the settings, go.")] = Path(
        "var/sandbox"
    ),
    salesforce_port: Annotated[int, typer.Option(help="0 picks a free one.")] = 8701,
    sap_port: Annotated[int, typer.Option(help="0 picks a free one.")] = 8702,
) -> None:
    """Serve the sandbox until interrupted; work on it with `fsm-hub --config FOLDER/systems.toml ...`."""
    from connectors.sandbox import serve  # noqa: PLC0415 - commands start fast

    serve(folder, {"salesforce": salesforce_port, "sap": sap_port})
