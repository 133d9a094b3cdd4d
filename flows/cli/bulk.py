"""Commands that answer many questions at once, after a look at what that does; and the one that takes it back.

Not here: single answers (`people`), and what an answer does (`fsm_core.service.resolve`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import app, shown, terminal
from flows.cli.people import of_documents
from flows.cli.plans import Out, take_back_plan
from flows.cli.who import entered
from fsm_core.errors import Invalid
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fsm_core.service.bulk import Answered, Effect

SAMPLES = 20
"""Effects that are shown."""
MOST = 5000
"""Questions of one go."""

bulk = typer.Typer(no_args_is_help=True, help="Many answers at once: look first, then --yes.")
app.add_typer(bulk, name="bulk")

Take = Annotated[str, typer.Option("--take", help="The answer: a system, agreed, or what the question offers.")]
Entity = Annotated[str, typer.Option("--entity", help="Only of this entity.")]
FieldName = Annotated[str, typer.Option("--field", help="Only about this field.")]
System = Annotated[str, typer.Option("--system", help="Only where this system takes part.")]
Yes = Annotated[bool, typer.Option("--yes", help="Carry it out; without it nothing happens.")]


@bulk.command("conflicts")
def bulk_conflicts(
    take: Take,
    entity: Entity = "",
    field: FieldName = "",
    kind: Annotated[str, typer.Option("--type", help="Only of this type.")] = "field",
    system: System = "",
    yes: Yes = False,  # noqa: FBT002 - a switch
) -> None:
    """Give open questions one answer."""
    from fsm_core.service.bulk import Wanted, answer_all, effect  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    wanted = Wanted(entity, field, kind, system)
    with entered(Act.ANSWER if yes else Act.SEE) as (found, actor):
        with found.store.reading() as db:
            rows = [one for one in queries.conflicts(db, limit=MOST) if wanted.conflict(one)]
            effects = [effect(one, take) for one in rows]
            names = _names(db, effects) | {one.id: of_documents(one) for one in rows if not one.field}
        can = {one.id for one in effects if not one.why_not}
        done = answer_all(found.hub, [row for row in rows if row.id in can], take, actor) if yes else None
    _tell(effects, names, done)


@bulk.command("proposals")
def bulk_proposals(
    take: Annotated[str, typer.Option("--take", help="adopt or reject.")],
    entity: Entity = "",
    field: FieldName = "",
    system: System = "",
    yes: Yes = False,  # noqa: FBT002 - a switch
) -> None:
    """Adopt or reject open proposals."""
    from fsm_core.service.bulk import ADOPT, REJECT, Wanted, answer_proposals, effect_of  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    if take not in (ADOPT, REJECT):
        raise Invalid(f"{take!r} is no answer to a proposal", remedy=f"Say {ADOPT} or {REJECT}.")
    wanted = Wanted(entity, field, system=system)
    with entered(Act.ANSWER if yes else Act.SEE) as (found, actor):
        with found.store.reading() as db:
            rows = [one for one in queries.proposals(db, limit=MOST) if wanted.proposal(one)]
            effects = [effect_of(one, take) for one in rows]
            names = _names(db, effects)
        done = answer_proposals(found.hub, rows, take, actor) if yes else None
    _tell(effects, names, done)


@bulk.command("undo")
def bulk_undo(
    run: Annotated[str, typer.Argument(help="The run of the answers, or the end of its id.")], out: Out = None
) -> None:
    """Take answers back: what no round applied yet is open again at once, the rest is planned like a revert."""
    from flows.wiring import connect  # noqa: PLC0415 - commands start fast
    from fsm_core.service.bulk import undo  # noqa: PLC0415 - commands start fast
    from fsm_core.store import runs as history  # noqa: PLC0415 - as above

    with entered(Act.ANSWER) as (found, actor):
        with found.store.reading() as db:
            id_ = history.run_id(db, run)
            rulings = list(history.rulings(db, id_))
        undone = undo(found.hub, rulings, actor.name)
        if not undone.back.takes and not undone.back.kept:
            if not terminal.answer({"reopened": undone.reopened}):
                none = f"run {id_[-8:]} holds no answer that can be taken back"
                terminal.say(f"{len(undone.reopened)} are open again" if undone.reopened else none)
            return
        connect(found)
        terminal.say(f"{len(undone.reopened)} are open again; the others were applied:")
        take_back_plan(found, actor, id_, lambda: undone.back, out)


def _names(db: Connection, effects: Sequence[Effect]) -> dict[str, str]:
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    return queries.names(db, sorted({one.record for one in effects if one.record}))


def _tell(effects: Sequence[Effect], names: dict[str, str], done: Answered | None) -> None:
    if terminal.answer({"effects": effects, "answered": done}):
        return
    can = [one for one in effects if not one.why_not]
    tells = Counter(system for one in can for system in one.tells)
    fields = Counter(f"{one.entity}.{one.field}" if one.field else one.entity for one in can)
    terminal.say(f"{len(can)} of {len(effects)} can be answered so: " + _counts(fields))
    if tells:
        terminal.say("told would be " + _counts(tells))
    if done is None:
        shown_first = sorted(effects, key=lambda one: bool(one.why_not))[:SAMPLES]
        terminal.entries("", [_entry(one, names) for one in shown_first])
        if len(effects) > SAMPLES:
            terminal.say(f"and {len(effects) - SAMPLES} more; --json lists all")
        if can:
            terminal.say("nothing was done; say --yes to carry it out")
        return
    if len(effects) > len(can):
        terminal.say(f"{len(effects) - len(can)} stay open; the same without --yes says why")
    for id_, why in done.failed:
        terminal.say(f"[yellow]{id_[-8:]}[/] {shown(why)}")
    if not done.done:
        terminal.say("nothing was answered")
        return
    terminal.say(f"{len(done.done)} answered in run {done.run[-8:]}; 'fsm-hub sync' applies it")
    terminal.say(f"to take it back: fsm-hub bulk undo {done.run[-8:]}")


def _entry(one: Effect, names: dict[str, str]) -> tuple[str, tuple[str, ...]]:
    name = shown(names.get(one.record or one.id, one.record))
    head = f"{one.id[-8:]}  " + (f"{one.field} of {one.entity} {name}" if one.field else f"{one.entity} {name}")
    if one.why_not:
        return head, (f"stays open: {shown(one.why_not)}",)
    if not one.field:
        return head, (f"answered: {shown(one.becomes)}",)
    told = f"; told: {', '.join(one.tells)}" if one.tells else ""
    return head, (f"{shown(one.agreed)} → {shown(one.becomes)}{told}",)


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.most_common()) or "none"
