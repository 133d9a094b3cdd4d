"""Commands by which people decide: conflicts, proposals, problems.

Not here: what a decision does (`fsm_core.service.resolve`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import app, plain, shown, terminal
from flows.cli.naming import labelled, names_of
from flows.cli.who import entered
from fsm_core.errors import Invalid
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flows.wiring import Opened
    from fsm_core.state import Conflict, Problem, Proposal

conflicts = typer.Typer(no_args_is_help=True, help="Questions the rules may not decide.")
proposals = typer.Typer(no_args_is_help=True, help="Values of non-owners that wait for the owner.")
problems = typer.Typer(no_args_is_help=True, help="What has to be repaired.")
app.add_typer(conflicts, name="conflicts")
app.add_typer(proposals, name="proposals")
app.add_typer(problems, name="problems")

PIN = "And keep it so: pin the value, against all who do not own the field."


def in_words(conflict: Conflict, name: str, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """A question in one sentence; `names` of what the records refer to."""
    sides = conflict.snapshot.get("sides", [])
    if conflict.type == "field":
        said = ", ".join(f"{side['system']} says {shown(labelled(side['value'], names))}" for side in sides)
        agreed = shown(labelled(conflict.snapshot.get("agreed"), names))
        return f"{conflict.field} of {shown(name)}: {said}; agreed is {agreed}"
    if _of_documents(conflict):
        return f"{_ASKED.get(conflict.type, 'Are these the same?')} {shown(of_documents(conflict))}"
    return f"{shown(name)} was {conflict.note}"


def of_documents(conflict: Conflict) -> str:
    """What stands side by side: each system's id and name; nothing of a question about something else."""
    from fsm_core.model.naming import called  # noqa: PLC0415 - commands start fast

    sides = [side for side in conflict.snapshot.get("sides", []) if "values" in side]
    return " and ".join(f"{side['system']} {side['id']} ({called(side['values'], '')})" for side in sides)


_ASKED = {"combine": "Could these be one visit?", "parallel_pm?": "Is this planned twice?"}


def _of_documents(conflict: Conflict) -> bool:
    """Whether whole documents stand side by side, as in questions about identity and double entry."""
    return all("values" in side for side in conflict.snapshot.get("sides", [{}]))


def why(conflict: Conflict, names: Mapping[str, str]) -> str:
    """The reason of a question, with names for the records a key is made of."""
    note = conflict.note
    for record, name in names.items():
        note = note.replace(record, name)
    return note


class Severity(StrEnum):
    """How urgent a question is."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


Queue = Annotated[str | None, typer.Option("--queue", help='Those of one queue; "" for those nobody is asked.')]
OfSeverity = Annotated[Severity | None, typer.Option("--severity", help="Those of one severity.")]


OfEntity = Annotated[str | None, typer.Option("--entity", help="Those of one entity.")]
OfField = Annotated[str | None, typer.Option("--field", help="Those about one field.")]
OfType = Annotated[str | None, typer.Option("--type", help="Those of one type, e.g. field or match.")]


@conflicts.command("list")
def conflicts_list(
    queue: Queue = None,
    severity: OfSeverity = None,
    entity: OfEntity = None,
    field: OfField = None,
    kind: OfType = None,
) -> None:
    """Open questions, the most urgent first, then the oldest."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        rows = queries.conflicts(db, queue=queue, severity=severity, entity=entity, field=field, type=kind)
        names = queries.names(db, [row.record for row in rows if row.record])
        others = {n: told for row in rows for n, told in _others(db, found, row).items()}
        may = _may(db, found, rows)
    if terminal.answer([plain(row) | {"may_answer": may[row.id]} for row in rows]):
        return
    told = [
        (
            f"{row.id[-8:]}  {row.type} of {row.entity}; {_where(row, may[row.id])}",
            (in_words(row, names.get(row.record or "", ""), others), f"why: {shown(why(row, others))}"),
        )
        for row in rows
    ]
    terminal.entries(how_many(rows), told)
    if rows:
        terminal.say("look at one: fsm-hub conflicts show ID; answer many: fsm-hub bulk conflicts --help")


def how_many(rows: Sequence[object]) -> str:
    """How many are open, and that there may be more than are shown."""
    from fsm_core.store.queries import MOST  # noqa: PLC0415 - commands start fast

    return f"the first {MOST}; 'fsm-hub status' counts all" if len(rows) == MOST else f"{len(rows)} open"


def _where(row: Conflict | Proposal, may: Sequence[str]) -> str:
    return f"queue: {shown(row.queue or 'nobody')}; severity: {row.severity}; may answer: {', '.join(may)}"


def _may(db: Connection, found: Opened, rows: Sequence[Conflict | Proposal]) -> dict[str, tuple[str, ...]]:
    """The roles that may answer each of these questions."""
    from fsm_core.service.deciders import deciders  # noqa: PLC0415 - commands start fast
    from fsm_core.store.work import SqlWork  # noqa: PLC0415 - as above

    return deciders(found.hub, SqlWork(db), rows)


@conflicts.command("show")
def conflicts_show(id: Annotated[str, typer.Argument(help="The id, or the end of it.")]) -> None:  # noqa: A002 - the word people use
    """One question with every side, who said what, and the possible answers."""
    from fsm_core.service.resolve import choices, several_of_one  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        row = queries.conflict(db, id)
        names = queries.names(db, [row.record] if row.record else [])
        others = _others(db, found, row)
        may = _may(db, found, [row])[row.id]
    if terminal.answer({"conflict": row, "choices": choices(row), "may_answer": may}):
        return
    terminal.say(in_words(row, names.get(row.record or "", ""), others))
    terminal.say(f"why: {shown(why(row, others))}; asked {row.opened_at[:19]}; {row.state}")
    terminal.say(_where(row, may))
    evidence = row.snapshot.get("evidence")
    if isinstance(evidence, dict):
        terminal.say(f"looked at: {'; '.join(f'{name} {shown(value)}' for name, value in evidence.items())}")
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
        sides = row.snapshot["sides"]
        _show_match(sides, others)
        _show_evidence(row.snapshot, others)
        for system in several_of_one(row):
            terminal.say(f"{system} has several of these: merge them there (the hub follows), or answer 'apart'")
    elif _of_documents(row):
        _show_match(row.snapshot["sides"], others)
    if row.type not in ("field", "match"):
        terminal.table("", ("answer", "what it does"), list(choices(row).items()))
    possible = [take for take in choices(row) if take != "same" or not several_of_one(row)]
    said = possible[0] if len(possible) == 1 else f"{{{'|'.join(possible)}}}"
    terminal.say(f"answers: fsm-hub conflicts resolve {row.id[-8:]} --take {said}")


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


def _show_evidence(snapshot: Mapping[str, Any], others: Mapping[str, str]) -> None:
    """What the scores are made of, the best first."""
    named = {side["link"]: f"{side['system']} {side['id']}" for side in snapshot["sides"]}
    for pair in snapshot.get("evidence", ()):
        rows = [
            (
                one["feature"],
                labelled(one["a"], others),
                labelled(one["b"], others),
                f"{one['score']:.2f}",
                one["weight"],
            )
            for one in pair["features"]
        ]
        terminal.table(
            f"score {pair['score']:.2f}", ("feature", named[pair["a"]], named[pair["b"]], "alike", "weight"), rows
        )


@conflicts.command("resolve")
def conflicts_resolve(
    id: Annotated[str, typer.Argument(help="The id, or the end of it.")],  # noqa: A002 - the word people use
    take: Annotated[str, typer.Option("--take", help="An answer that 'conflicts show' names.")],
    value: Annotated[
        str | None, typer.Option("--value", help="With --take value: the value, as text or JSON; '' blanks it.")
    ] = None,
    pin: Annotated[bool, typer.Option("--pin", help=PIN)] = False,  # noqa: FBT002 - a switch
) -> None:
    """Answer a question; the next sync applies it."""
    from fsm_core.model.typed import typed  # noqa: PLC0415 - commands start fast
    from fsm_core.service.deciders import require_some  # noqa: PLC0415 - as above
    from fsm_core.service.resolve import VALUE, resolve  # noqa: PLC0415 - as above
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    if (take == VALUE) is (value is None):
        raise Invalid("--value goes with --take value, and --take value with --value", remedy="Say both, or neither.")
    with entered(Act.SEE) as (found, actor):
        require_some(found.hub, actor)
        with found.store.reading() as db:
            row = queries.conflict(db, id)
        said = typed(found.hub.book(row.entity).shape, row.field, value) if value is not None and row.field else None
        with found.hub.running("decision") as run:
            resolve(found.hub, row, take, actor, said, pin=pin)
    if not terminal.answer(row):
        kept = {"pinned": "; pinned", "unpinned": "; the pin is released"}
        more = "".join(words for name, words in kept.items() if row.resolution.get(name))
        terminal.say(f"{row.id[-8:]} {row.state} by {row.resolved_by}: {take}{more}; run 'fsm-hub sync' to apply it")
        _tell_way_back(run.id)


def _tell_way_back(run: str) -> None:
    terminal.say(f"to take it back: fsm-hub bulk undo {run[-8:]}")


@proposals.command("list")
def proposals_list(
    queue: Queue = None, severity: OfSeverity = None, entity: OfEntity = None, field: OfField = None
) -> None:
    """Open proposals, the most urgent first, then the oldest."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        rows = queries.proposals(db, queue=queue, severity=severity, entity=entity, field=field)
        names = queries.names(db, [row.record for row in rows])
        for row in rows:
            names |= names_of(db, found.hub.book(row.entity), [{row.field: row.value}, {row.field: row.agreed}])
        may = _may(db, found, rows)
    if not terminal.answer([plain(row) | {"may_answer": may[row.id]} for row in rows]):
        terminal.entries(how_many(rows), [_proposal(p, names, may[p.id]) for p in rows])


def _proposal(p: Proposal, names: Mapping[str, str], may: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    agreed, said = shown(labelled(p.agreed, names)), shown(labelled(p.value, names))
    name = shown(names.get(p.record, p.record))
    return (
        f"{p.id[-8:]}  {p.field} of {p.entity} {name}",
        (
            f"{p.system} ({shown(p.by)}) proposes {said}; agreed is {agreed}",
            f"since {p.opened_at[:16]}, ends {(p.due_at or 'never')[:16]}; {_where(p, may)}",
        ),
    )


@proposals.command("adopt")
def proposals_adopt(
    id: Annotated[str, typer.Argument(help="The id, or the end of it.")],  # noqa: A002 - the word people use
    pin: Annotated[bool, typer.Option("--pin", help=PIN)] = False,  # noqa: FBT002 - a switch
) -> None:
    """The proposed value becomes the agreed one everywhere."""
    _answer_proposal(id, adopt=True, pin=pin)


@proposals.command("reject")
def proposals_reject(
    id: Annotated[str, typer.Argument(help="The id, or the end of it.")],  # noqa: A002 - the word people use
    pin: Annotated[bool, typer.Option("--pin", help=PIN)] = False,  # noqa: FBT002 - a switch
) -> None:
    """The agreed value is written back over the proposal."""
    _answer_proposal(id, adopt=False, pin=pin)


def _answer_proposal(id: str, *, adopt: bool, pin: bool) -> None:  # noqa: A002 - the word people use
    from fsm_core.service.deciders import require_some  # noqa: PLC0415 - commands start fast
    from fsm_core.service.resolve import answer_proposal  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with entered(Act.SEE) as (found, actor):
        require_some(found.hub, actor)
        with found.store.reading() as db:
            row = queries.proposal(db, id)
        with found.hub.running("decision") as run:
            answer_proposal(found.hub, row, actor, adopt=adopt, pin=pin)
    if not terminal.answer(row):
        terminal.say(f"{row.id[-8:]} {row.state} by {row.decided_by}; run 'fsm-hub sync' to apply it")
        _tell_way_back(run.id)


@problems.command("list")
def problems_list() -> None:
    """Open problems, oldest first."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        rows = queries.problems(db)
    if not terminal.answer(rows):
        terminal.entries(how_many(rows), [_problem(p) for p in rows])


def _problem(p: Problem) -> tuple[str, tuple[str, ...]]:
    place = " ".join(shown(part) for part in (p.system, p.object, p.external_id, p.field) if part)
    times = f", {p.attempts} times" if p.attempts > 1 else ""
    return f"{p.id[-8:]}  {place}{times}", (shown(p.message), shown(p.remedy) if p.remedy else "")


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
