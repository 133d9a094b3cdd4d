"""Commands that move data: sync, plan, sandbox.

Not here: what a round does (`fsm_core.service.sync`).
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import app, shown, terminal

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.service.hub import Hub
    from fsm_core.service.plan import Plan, PlannedWrite
    from fsm_core.service.sync import Round

SAMPLES = 5
"""Fields of a planned write that are shown."""
PER_KIND = 2
"""Planned writes of a system and action that are shown."""


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
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast

    check_entity(entity)
    with opened(terminal.config) as found:
        warn_of_failures(found)
        rounds = [_round(found.hub, name, direction, full=full, confirmed=confirm) for name in _entities(found, entity)]
    if not terminal.answer({"rounds": [one.summary() for one in rounds], "failures": found.failures}):
        for one in rounds:
            show_round(one)
    if found.failures or any(one.absent for one in rounds):
        raise typer.Exit(1)


def check_entity(entity: str) -> None:
    """Refuse an unknown entity before anybody is called."""
    from flows.wiring import open_rules  # noqa: PLC0415 - commands start fast
    from fsm_core import settings  # noqa: PLC0415 - as above

    if entity:
        open_rules(settings.load(terminal.config)).book(entity)


def _entities(found: Opened, entity: str) -> list[str]:
    from fsm_core.sync.order import parents_first  # noqa: PLC0415 - commands start fast

    names = [entity] if entity else found.settings.hub.entities
    for name in names:
        found.hub.book(name)
    return parents_first(found.hub.shapes, names)


def _round(hub: Hub, entity: str, direction: Direction, *, full: bool, confirmed: bool) -> Round:
    from fsm_core.service.sync import synchronise  # noqa: PLC0415 - commands start fast

    with hub.running("sync") as run, terminal.errors.status(f"{entity}…") as status:
        done = synchronise(
            hub,
            entity,
            full=full,
            read=direction is not Direction.OUT,
            deliver=direction is not Direction.IN,
            confirmed=confirmed,
            told=lambda step: status.update(f"{entity}: {step}…"),
        )
        run.summary = done.summary()
    return done


def warn_of_failures(found: Opened) -> None:
    """Systems that are left out, each with its reason."""
    for error in found.failures.values():
        terminal.errors.print(f"[yellow]left out:[/] {error}")


def show_round(done: Round) -> None:
    """A round in words."""
    told = done.summary()
    for system, read in told["read"].items():
        terminal.say(f"{system:<12} {', '.join(f'{count} {word}' for word, count in read.items())}")
    terminal.say(f"decided      {told['born']} new records, {told['linked']} linked, {told['questions']} questions")
    if told["outcomes"]:
        terminal.say("             " + ", ".join(f"{n} {name.lower()}" for name, n in told["outcomes"].items()))
    for system, count in told["written"].items():
        terminal.say(f"{system:<12} {count} written")
    if told["refused"]:
        terminal.say(f"[yellow]refused      {told['refused']}; see 'fsm-hub problems list'[/]")
    for system, reason in done.absent.items():
        terminal.say(f"[yellow]{system:<12} left out:[/] {shown(reason)}")


@app.command()
def plan(
    entity: Annotated[str, typer.Argument(help="Entity.")] = "customer",
    no_read: Annotated[bool, typer.Option("--no-read", help="Plan on what was read last.")] = False,  # noqa: FBT002 - a switch
) -> None:
    """Show what the next sync would write, and write nothing."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.service.plan import plan as make_plan  # noqa: PLC0415 - commands start fast

    check_entity(entity)
    with opened(terminal.config) as found:
        warn_of_failures(found)
        if not no_read:
            _observe(found.hub, entity)
        made = make_plan(found.hub, entity)
    if not terminal.answer({"entity": entity, "counts": made.counts(), "overrides": dict(made.converged.overridden),
                            "questions": made.converged.questions, "writes": made.writes}):  # fmt: skip
        show_plan(made)
    if found.failures:
        raise typer.Exit(1)


def _observe(hub: Hub, entity: str) -> None:
    from fsm_core.service.pull import pull  # noqa: PLC0415 - commands start fast

    with hub.running("observe"):
        for binding in hub.of_entity(entity):
            pull(hub, binding)


def show_plan(made: Plan) -> None:
    """A plan in words, with samples."""
    done = made.converged
    terminal.say(f"{done.born} records would be born, {done.linked} links made, {done.questions} questions asked")
    for system, actions in made.counts().items():
        terminal.say(f"{system:<12} " + ", ".join(f"{count} {action}s" for action, count in actions.items()))
    if done.overridden:
        told = ", ".join(f"{name} {count}" for name, count in done.overridden.most_common())
        terminal.say(f"overrides    values that lose to their owner, kept in the journal: {told}")
    rows = [
        (write.system, write.action, shown(write.name), name, shown(old), shown(new), write.rules[name])
        for write in _samples(made.writes)
        for name, (old, new) in list(write.fields.items())[:SAMPLES]
    ]
    if rows:
        terminal.table("samples", ("system", "action", "record", "field", "shows", "will be told", "why"), rows)


def _samples(writes: list[PlannedWrite]) -> list[PlannedWrite]:
    """The first two of each system and action."""
    taken: Counter[tuple[str, str]] = Counter()
    samples = []
    for write in writes:
        taken[write.system, write.action] += 1
        if taken[write.system, write.action] <= PER_KIND:
            samples.append(write)
    return samples


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
