"""Commands by which people decide: conflicts, proposals, problems.

Not here: what a decision does (`fsm_core.service.resolve`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from flows.cli.app import app, shown, terminal
from flows.cli.naming import labelled, names_of
from flows.cli.who import entered
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flows.wiring import Opened
    from fsm_core.state import Conflict

conflicts = typer.Typer(no_args_is_help=True, help="Questions the rules may not decide.")
proposals = typer.Typer(no_args_is_help=True, help="Values of non-owners that wait for the owner.")
problems = typer.Typer(no_args_is_help=True, help="What has to be repaired.")
app.add_typer(conflicts, name="conflicts")
app.add_typer(proposals, name="proposals")
app.add_typer(problems, name="problems")


def in_words(conflict: Conflict, name: str, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """A question in one sentence; `names` of what the records refer to."""
    sides = conflict.snapshot.get("sides", [])
    if conflict.type == "field":
        said = ", ".join(f"{side['system']} says {shown(labelled(side['value'], names))}" for side in sides)
        agreed = shown(labelled(conflict.snapshot.get("agreed"), names))
        return f"{conflict.field} of {shown(name)}: {said}; agreed is {agreed}"
    if conflict.type == "match":
        from fsm_core.model.naming import called  # noqa: PLC0415 - commands start fast

        said = " and ".join(f"{side['system']} {side['id']} ({shown(called(side['values'], ''))})" for side in sides)
        return f"Are these the same? {said}"
    return f"{shown(name)} was {conflict.note}"


def why(conflict: Conflict, names: Mapping[str, str]) -> str:
    """The reason of a question, with names for the records a key is made of."""
    note = conflict.note
    for record, name in names.items():
        note = note.replace(record, name)
    return note


@conflicts.command("list")
def conflicts_list() -> None:
    """Open questions, oldest first."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        rows = queries.conflicts(db)
        names = queries.names(db, [row.record for row in rows if row.record])
        others = {n: told for row in rows for n, told in _others(db, found, row).items()}
    if not terminal.answer(rows):
        told = [
            (row.id[-8:], row.type, in_words(row, names.get(row.record or "", ""), others), why(row, others))
            for row in rows
        ]
        terminal.table(f"{len(rows)} open", ("id", "type", "question", "why"), told)


@conflicts.command("show")
def conflicts_show(id: Annotated[str, typer.Argument(help="The id, or the end of it.")]) -> None:  # noqa: A002 - the word people use
    """One question with every side, who said what, and the possible answers."""
    from fsm_core.service.resolve import choices  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        row = queries.conflict(db, id)
        names = queries.names(db, [row.record] if row.record else [])
        others = _others(db, found, row)
    if terminal.answer({"conflict": row, "choices": choices(row)}):
        return
    terminal.say(in_words(row, names.get(row.record or "", ""), others))
    terminal.say(f"why: {why(row, others)}; asked {row.opened_at[:19]}; {row.state}")
    if row.type == "field":
        agreed = row.snapshot.get("agreed_from", {})
        value = shown(labelled(row.snapshot.get("agreed"), others))
        terminal.say(f"agreed: {value} (from {agreed.get('system', 'nobody')})")
        sides = [
            (s["system"], s["id"], labelled(s["value"], others), labelled(s["base"], others), s["by"], s["at"])
            for s in row.snapshot["sides"]
        ]
        terminal.table("", ("system", "id", "says", "said when last agreed", "by", "at"), sides)
    elif row.type == "match":
        _show_match(row.snapshot["sides"], others)
    terminal.say(f"answers: fsm-hub conflicts resolve {row.id[-8:]} --take {{{'|'.join(choices(row))}}}")


def _others(db: Connection, found: Opened, row: Conflict) -> dict[str, str]:
    """The names of the records that the sides of a question refer to."""
    sides = row.snapshot.get("sides", [])
    said = [row.snapshot.get("agreed"), *(side[n] for side in sides for n in ("value", "base") if n in side)]
    documents = [side["values"] for side in sides if "values" in side] + [{row.field: value} for value in said]
    return names_of(db, found.hub.book(row.entity), documents)


def _show_match(sides: list[dict[str, Any]], others: Mapping[str, str]) -> None:
    fields = sorted({name for side in sides for name, value in side["values"].items() if value not in (None, [], {})})
    rows = [(name, *(labelled(side["values"].get(name), others) for side in sides)) for name in fields]
    terminal.table("", ("field", *(f"{side['system']} {side['id']}" for side in sides)), rows)


@conflicts.command("resolve")
def conflicts_resolve(
    id: Annotated[str, typer.Argument(help="The id, or the end of it.")],  # noqa: A002 - the word people use
    take: Annotated[str, typer.Option("--take", help="A system, agreed, value, same, apart or detach.")],
    value: Annotated[str, typer.Option("--value", help="With --take value: the value, as text or JSON.")] = "",
) -> None:
    """Answer a question; the next sync applies it."""
    from fsm_core.service.resolve import resolve  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with entered(Act.ANSWER) as (found, actor):
        with found.store.reading() as db:
            row = queries.conflict(db, id)
        resolve(found.hub, row, take, actor.name, _value(value))
    if not terminal.answer(row):
        terminal.say(f"{row.id[-8:]} {row.state} by {row.resolved_by}: {take}; run 'fsm-hub sync' to apply it")


def _value(text: str) -> Any:  # noqa: ANN401 - a canonical value
    if not text:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


@proposals.command("list")
def proposals_list() -> None:
    """Open proposals, oldest first."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        rows = queries.proposals(db)
        names = queries.names(db, [row.record for row in rows])
        for row in rows:
            names |= names_of(db, found.hub.book(row.entity), [{row.field: row.value}, {row.field: row.agreed}])
    if not terminal.answer(rows):
        told = [
            (
                p.id[-8:],
                names.get(p.record, p.record),
                p.field,
                labelled(p.agreed, names),
                p.system,
                p.by,
                labelled(p.value, names),
                p.opened_at[:19],
            )
            for p in rows
        ]
        columns = ("id", "record", "field", "agreed", "proposed in", "by", "proposed", "at")
        terminal.table(f"{len(rows)} open", columns, told)


@proposals.command("adopt")
def proposals_adopt(id: Annotated[str, typer.Argument(help="The id, or the end of it.")]) -> None:  # noqa: A002 - the word people use
    """The proposed value becomes the agreed one everywhere."""
    _answer_proposal(id, adopt=True)


@proposals.command("reject")
def proposals_reject(id: Annotated[str, typer.Argument(help="The id, or the end of it.")]) -> None:  # noqa: A002 - the word people use
    """The agreed value is written back over the proposal."""
    _answer_proposal(id, adopt=False)


def _answer_proposal(id: str, *, adopt: bool) -> None:  # noqa: A002 - the word people use
    from fsm_core.service.resolve import answer_proposal  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with entered(Act.ANSWER) as (found, actor):
        with found.store.reading() as db:
            row = queries.proposal(db, id)
        answer_proposal(found.hub, row, actor.name, adopt=adopt)
    if not terminal.answer(row):
        terminal.say(f"{row.id[-8:]} {row.state} by {row.decided_by}; run 'fsm-hub sync' to apply it")


@problems.command("list")
def problems_list() -> None:
    """Open problems, oldest first."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        rows = queries.problems(db)
    if not terminal.answer(rows):
        told = [(p.id[-8:], p.system, p.object, p.external_id, p.field, p.message, p.remedy, p.attempts) for p in rows]
        terminal.table(
            f"{len(rows)} open", ("id", "system", "object", "record", "field", "what", "remedy", "times"), told
        )


@problems.command("retry")
def problems_retry(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids, or the ends of them; default: all open ones.")] = None,
) -> None:
    """Try again in the next sync."""
    from fsm_core.service.resolve import retry  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with entered(Act.RETRY) as (found, actor):
        with found.store.reading() as db:
            rows = [queries.problem(db, id_) for id_ in ids] if ids else queries.problems(db, limit=sys.maxsize)
        with found.hub.running("decision"):
            for row in rows:
                retry(found.hub, row, actor.name)
    if not terminal.answer([row.id for row in rows]):
        terminal.say(f"{len(rows)} will be tried again; run 'fsm-hub sync'")
