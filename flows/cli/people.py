"""Commands by which people decide: conflicts, proposals, problems.

Not here: what a decision does (`fsm_core.service.resolve`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from flows.cli.app import app, shown, terminal

if TYPE_CHECKING:
    from fsm_core.state import Conflict

conflicts = typer.Typer(no_args_is_help=True, help="Questions the rules may not decide.")
proposals = typer.Typer(no_args_is_help=True, help="Values of non-owners that wait for the owner.")
problems = typer.Typer(no_args_is_help=True, help="What has to be repaired.")
app.add_typer(conflicts, name="conflicts")
app.add_typer(proposals, name="proposals")
app.add_typer(problems, name="problems")


def in_words(conflict: Conflict, name: str) -> str:
    """A question in one sentence."""
    sides = conflict.snapshot.get("sides", [])
    if conflict.type == "field":
        said = ", ".join(f"{side['system']} says {shown(side['value'])}" for side in sides)
        return f"{conflict.field} of {shown(name)}: {said}; agreed is {shown(conflict.snapshot.get('agreed'))}"
    if conflict.type == "match":
        said = " and ".join(
            f"{side['system']} {side['id']} ({shown(side['values'].get('legal_name'))})" for side in sides
        )
        return f"Are these the same? {said}"
    return f"{shown(name)} was {conflict.note}"


@conflicts.command("list")
def conflicts_list() -> None:
    """Open questions, oldest first."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found, found.store.reading() as db:
        rows = queries.conflicts(db)
        names = queries.names(db, [row.record for row in rows if row.record])
    if not terminal.answer(rows):
        told = [(row.id[-8:], row.type, in_words(row, names.get(row.record or "", "")), row.note) for row in rows]
        terminal.table(f"{len(rows)} open", ("id", "type", "question", "why"), told)


@conflicts.command("show")
def conflicts_show(id: Annotated[str, typer.Argument(help="The id, or the end of it.")]) -> None:  # noqa: A002 - the word people use
    """One question with every side, who said what, and the possible answers."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.service.resolve import choices  # noqa: PLC0415 - as above
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found, found.store.reading() as db:
        row = queries.conflict(db, id)
        names = queries.names(db, [row.record] if row.record else [])
    if terminal.answer({"conflict": row, "choices": choices(row)}):
        return
    terminal.say(in_words(row, names.get(row.record or "", "")))
    terminal.say(f"why: {row.note}; asked {row.opened_at[:19]}; {row.state}")
    if row.type == "field":
        agreed = row.snapshot.get("agreed_from", {})
        terminal.say(f"agreed: {shown(row.snapshot.get('agreed'))} (from {agreed.get('system', 'nobody')})")
        sides = [(s["system"], s["id"], s["value"], s["base"], s["by"], s["at"]) for s in row.snapshot["sides"]]
        terminal.table("", ("system", "id", "says", "said when last agreed", "by", "at"), sides)
    elif row.type == "match":
        _show_match(row.snapshot["sides"])
    terminal.say(f"answers: fsm-hub conflicts resolve {row.id[-8:]} --take {{{'|'.join(choices(row))}}}")


def _show_match(sides: list[dict[str, Any]]) -> None:
    fields = sorted({name for side in sides for name, value in side["values"].items() if value not in (None, [], {})})
    rows = [(name, *(side["values"].get(name) for side in sides)) for name in fields]
    terminal.table("", ("field", *(f"{side['system']} {side['id']}" for side in sides)), rows)


@conflicts.command("resolve")
def conflicts_resolve(
    id: Annotated[str, typer.Argument(help="The id, or the end of it.")],  # noqa: A002 - the word people use
    take: Annotated[str, typer.Option("--take", help="A system, agreed, value, same, apart or detach.")],
    value: Annotated[str, typer.Option("--value", help="With --take value: the value, as text or JSON.")] = "",
) -> None:
    """Answer a question; the next sync applies it."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.service.resolve import resolve  # noqa: PLC0415 - as above
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found:
        with found.store.reading() as db:
            row = queries.conflict(db, id)
        with found.hub.running("decision"):
            resolve(found.hub, row, take, terminal.actor, _value(value))
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
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found, found.store.reading() as db:
        rows = queries.proposals(db)
        names = queries.names(db, [row.record for row in rows])
    if not terminal.answer(rows):
        told = [
            (p.id[-8:], names.get(p.record, p.record), p.field, p.agreed, p.system, p.by, p.value, p.opened_at[:19])
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
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.service.resolve import answer_proposal  # noqa: PLC0415 - as above
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found:
        with found.store.reading() as db:
            row = queries.proposal(db, id)
        answer_proposal(found.hub, row, terminal.actor, adopt=adopt)
    if not terminal.answer(row):
        terminal.say(f"{row.id[-8:]} {row.state} by {row.decided_by}; run 'fsm-hub sync' to apply it")


@problems.command("list")
def problems_list() -> None:
    """Open problems, oldest first."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found, found.store.reading() as db:
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
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.service.resolve import retry  # noqa: PLC0415 - as above
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found:
        with found.store.reading() as db:
            rows = [queries.problem(db, id_) for id_ in ids] if ids else queries.problems(db, limit=sys.maxsize)
        for row in rows:
            retry(found.hub, row)
    if not terminal.answer([row.id for row in rows]):
        terminal.say(f"{len(rows)} will be tried again; run 'fsm-hub sync'")
