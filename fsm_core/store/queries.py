"""Reads for people: status, lists, one record, the story of a value.

Not here: anything the engine decides on (`work`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import orjson
from sqlalchemy import Connection, case, func, select

from fsm_core.drift.kinds import CAUSES
from fsm_core.errors import NotFound
from fsm_core.model.naming import called
from fsm_core.persons.state import Approval
from fsm_core.state import SEVERITIES, Conflict, LinkState, Problem, Proposal, Reason
from fsm_core.state_pins import Pin
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.work import SqlWork
from fsm_core.sync.types import HUB

Row: TypeAlias = dict[str, Any]
MOST = 1000
"""Rows of one list."""


def _all(db: Connection, statement: Any) -> list[Row]:  # noqa: ANN401 - any select
    return [dict(row) for row in db.execute(statement).mappings()]


def status(db: Connection) -> Row:
    """Counts of everything, per entity and system, and the last run."""
    return {
        "records": _grouped(db, t.record, "entity", "lifecycle"),
        "links": _links(db),
        "conflicts": _counted(db, t.conflict, "type", t.conflict.c.state == "open"),
        "proposals": _counted(db, t.proposal, "system", t.proposal.c.state == "open"),
        "problems": _counted(db, t.problem, "system", t.problem.c.state == "open"),
        "queues": _queues(db),
        "drift": _counted(db, t.problem, "system", (t.problem.c.state == "open") & t.problem.c.cause.in_(CAUSES)),
        "due": _counted(db, t.dirty, "reason", t.dirty.c.reason != Reason.DUE),
        "timed": _counted(db, t.dirty, "entity", t.dirty.c.reason == Reason.DUE),
        "waiting": _counted(db, t.waiting, "child"),
        "held_back": _counted(db, t.held_back, "entity"),
        "open_intents": _counted(db, t.intent, "state", t.intent.c.state.in_(("planned", "sent", "unknown"))),
        "cursors": _all(db, select(t.cursor.c.system, t.cursor.c.object, t.cursor.c.moved_at, t.cursor.c.complete_at)),
        "stops": _all(db, select(t.stop).order_by(t.stop.c.system, t.stop.c.entity)),
        "last_run": last_run(db),
    }


def _grouped(db: Connection, table: Any, outer: str, inner: str) -> Row:  # noqa: ANN401 - a Table
    found: defaultdict[str, Row] = defaultdict(dict)
    query = select(table.c[outer], table.c[inner], func.count()).group_by(table.c[outer], table.c[inner])
    for a, b, count in db.execute(query):
        found[a][b] = count
    return dict(found)


def _counted(db: Connection, table: Any, by: str, where: Any = None) -> Row:  # noqa: ANN401 - a Table and a clause
    query = select(table.c[by], func.count()).group_by(table.c[by])
    return {row[0]: row[1] for row in db.execute(query if where is None else query.where(where))}


def _queues(db: Connection) -> Row:
    """Open questions and proposals per queue."""
    found: Counter[str] = Counter()
    for table in (t.conflict, t.proposal):
        found.update(_counted(db, table, "queue", table.c.state == "open"))
    return dict(sorted(found.items()))


def _links(db: Connection) -> Row:
    c = t.link.c
    found: defaultdict[str, defaultdict[str, Row]] = defaultdict(lambda: defaultdict(dict))
    query = select(c.system, c.entity, c.state, func.count())
    query = query.where(c.state != LinkState.QUIET).group_by(c.system, c.entity, c.state)
    for system, entity, state, count in db.execute(query):
        found[system][entity][state] = count
    return {system: dict(entities) for system, entities in found.items()}


def last_run(db: Connection) -> Row | None:
    """The newest run."""
    row = db.execute(select(t.run).order_by(t.run.c.id.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else {**row, "summary": orjson.loads(row["summary"])}


def _listed(db: Connection, table: Any, since: str, state: str, limit: int) -> list[Row]:  # noqa: ANN401 - a Table
    query = select(table).where(table.c.state == state).order_by(table.c[since], table.c.id).limit(limit)
    return _all(db, query)


def _asked(db: Connection, table: Any, state: str, limit: int, **only: str | None) -> list[Row]:  # noqa: ANN401 - a Table
    """Questions, the most urgent first, then the oldest; `only` those whose column says so ("" is nobody's queue)."""
    c = table.c
    rank = case({word: at for at, word in enumerate(SEVERITIES)}, value=c.severity, else_=len(SEVERITIES))
    query = select(table).where(c.state == state, *(c[name] == word for name, word in only.items() if word is not None))
    return _all(db, query.order_by(rank, c.opened_at, c.id).limit(limit))


def conflicts(db: Connection, state: str = "open", limit: int = MOST, **only: str | None) -> list[Conflict]:
    """Questions, the most urgent first, then the oldest; `only`: see `_asked`."""
    return [make.conflict_of(row) for row in _asked(db, t.conflict, state, limit, **only)]


def proposals(db: Connection, state: str = "open", limit: int = MOST, **only: str | None) -> list[Proposal]:
    """Values that wait for the owner, the most urgent first, then the oldest; `only`: see `_asked`."""
    return [make.proposal_of(row) for row in _asked(db, t.proposal, state, limit, **only)]


def problems(db: Connection, state: str = "open", limit: int = MOST) -> list[Problem]:
    """What has to be repaired, oldest first."""
    return [make.problem_of(row) for row in _listed(db, t.problem, "first_at", state, limit)]


def approvals(db: Connection, state: str = "open", limit: int = MOST) -> list[Approval]:
    """What waits for a second person, oldest first."""
    return [Approval(**row) for row in _listed(db, t.approval, "asked_at", state, limit)]


def approval(db: Connection, wanted: str) -> Approval:
    """What was asked for, by its id or an unambiguous end of it. Raises `NotFound`."""
    return Approval(**_one(db, t.approval, wanted))


def conflict(db: Connection, wanted: str) -> Conflict:
    """A question by its id or an unambiguous end of it. Raises `NotFound`."""
    return make.conflict_of(_one(db, t.conflict, wanted))


def proposal(db: Connection, wanted: str) -> Proposal:
    """A proposal by its id or an unambiguous end of it. Raises `NotFound`."""
    return make.proposal_of(_one(db, t.proposal, wanted))


def problem(db: Connection, wanted: str) -> Problem:
    """A problem by its id or an unambiguous end of it. Raises `NotFound`."""
    return make.problem_of(_one(db, t.problem, wanted))


def _one(db: Connection, table: Any, wanted: str) -> Row:  # noqa: ANN401 - a Table
    query = select(table).where(table.c.id.endswith(wanted.lower(), autoescape=True)).limit(2)
    found = _all(db, query)
    if len(found) == 1:
        return found[0]
    reason = "is ambiguous" if found else "does not exist"
    raise NotFound(f"{table.name} {wanted} {reason}", remedy=f"Take an id from 'fsm-hub {table.name}s list'.")


def names(db: Connection, records: list[str]) -> dict[str, str]:
    """What people call these records."""
    return {record.id: called(record.document, record.id) for record in SqlWork(db).records(records).values()}


def find_record(db: Connection, entity: str, wanted: str, keys: Sequence[int] = ()) -> str:
    """A record's id from its id (or the end of it), an external id, or numbered keys. Raises `NotFound`."""
    c, x = t.record.c, t.link.c
    placed = select(c.id).join(t.link, x.record == c.id).where(c.entity == entity)
    keyed = placed.join(t.match_key, t.match_key.c.link == x.id).where(t.match_key.c.key.in_(keys))
    found = {*db.execute(placed.where(x.external_id == wanted)).scalars(), *db.execute(keyed).scalars()}
    if not found:  # few digits are the end of many ids: whoever types them means a number in a system
        ending = select(c.id).where(c.entity == entity, c.id.endswith(wanted.lower(), autoescape=True))
        found = set(db.execute(ending.limit(2)).scalars())
    found = {_now(db, str(one)) for one in found}
    if len(found) == 1:
        return str(found.pop())
    if found:
        raise NotFound(f"{entity} {wanted} is ambiguous", remedy=f"Give the hub's id: {' or '.join(sorted(found))}.")
    remedy = "Give the hub's id, the id in a system, or a key such as the account number."
    raise NotFound(f"{entity} {wanted} is not known", remedy=remedy)


def _now(db: Connection, id: str) -> str:  # noqa: A002 - as in the table
    """The record that has its place now: a merged one is found under its old id."""
    c = t.record.c
    seen = {id}
    while (later := db.execute(select(c.merged_into).where(c.id == id)).scalar_one_or_none()) not in (None, *seen):
        id = str(later)  # noqa: A001 - as above
        seen.add(id)
    return id


def record(db: Connection, id: str) -> Row:  # noqa: A002 - as in the table
    """One record with everything known of it."""
    golden = SqlWork(db).records([id])[id]
    mine = select(*make.LINK).where(t.link.c.record == id).order_by(t.link.c.system, t.link.c.external_id)
    links = [make.link_of(row) for row in db.execute(mine)]
    return {
        "id": golden.id,
        "entity": golden.entity,
        "version": golden.version,
        "lifecycle": golden.lifecycle,
        "merged_into": golden.merged_into,
        "document": golden.document,
        "provenance": golden.provenance,
        "links": [
            {
                "system": link.system, "object": link.object, "id": link.external_id, "state": link.state,
                "matched_by": link.method, "changed_at": link.changed_at, "changed_by": link.changed_by,
                "shows": {**golden.document, **link.now} if link.system == HUB else link.now,
                "holds": link.holds, "sent": link.sent,
            }
            for link in links
        ],
        "conflicts": [c.id for c in conflicts(db) if c.record == id],
        "proposals": [p.id for p in proposals(db) if p.record == id],
        "pins": [_pin(pin) for pin in SqlWork(db).pins([id])],
    }  # fmt: skip


def _pin(pin: Pin) -> Row:
    return {name: getattr(pin, name) for name in ("field", "value", "mode", "by", "at", "note")}


def pins(db: Connection, entity: str = "", limit: int = MOST) -> list[Pin]:
    """What persons pinned, newest first."""
    c = t.pin.c
    query = select(t.pin).where(c.entity == entity) if entity else select(t.pin)
    return [make.pin_of(row) for row in _all(db, query.order_by(c.at.desc(), c.record, c.field).limit(limit))]


def decisions(db: Connection, id: str) -> list[Row]:  # noqa: A002 - as in the table
    """Every decision on a record, oldest first; erased content is None."""
    d, v = t.decision, t.decision_value
    born = select(t.record.c.births).where(t.record.c.id == id).scalar_subquery()
    query = select(d, v.c.content).outerjoin(v, v.c.decision == d.c.id).where((d.c.record == id) | (d.c.id == born))
    return [
        {
            "id": row["id"], "run": row["run"], "at": row["at"], "actor": row["actor"], "kind": row["kind"],
            "content": _of_record(orjson.loads(row["content"]), id) if row["content"] else {},
        }
        for row in _all(db, query.order_by(d.c.id))
    ]  # fmt: skip


def _of_record(content: Row, id: str) -> Row:  # noqa: A002 - as in the table
    """A decision's content; of one that tells of many births this record's alone."""
    if "records" not in content:
        return content
    links = [[system, external_id, "created"] for record, system, external_id in content["records"] if record == id]
    return {"rules": content["rules"], "version": 1, "fields": {}, "links": links}


def sightings(db: Connection, id: str) -> list[Row]:  # noqa: A002 - as in the table
    """What systems showed of a record over time, oldest first."""
    j, x = t.journal, t.link
    query = (
        select(x.c.system, x.c.external_id, j.c.at, j.c.changed_by, j.c.run, j.c.changes)
        .join(x, x.c.id == j.c.link)
        .where(x.c.record == id)
        .order_by(j.c.id)
    )
    return [{**row, "changes": orjson.loads(row["changes"])} for row in _all(db, query)]


def explain(db: Connection, id: str, field: str = "") -> Row:  # noqa: A002 - as in the table
    """Why a record says what it says: per field its value, source and what was decided, seen and overruled."""
    shown = record(db, id)
    told = decisions(db, id)
    seen = sightings(db, id)
    pinned = {one["field"]: one for one in shown["pins"]}
    wanted = [field] if field else sorted({*shown["document"], *pinned})
    return {
        "id": id,
        "entity": shown["entity"],
        "fields": {name: {**_story(shown, told, seen, name), "pin": pinned.get(name)} for name in wanted},
    }


def due(db: Connection, id: str) -> set[tuple[str, str]]:  # noqa: A002 - as in the table
    """Why, and for which system, a record will be looked at again."""
    c = t.dirty.c
    return {(row[0], row[1]) for row in db.execute(select(c.reason, c.system).where(c.record == id))}


def held_back(db: Connection, id: str) -> set[tuple[str, str]]:  # noqa: A002 - as in the table
    """Systems that are not told of a record yet, each with the record that has to be there first."""
    c = t.held_back.c
    return {(row[0], row[1]) for row in db.execute(select(c.system, c.parent).where(c.record == id))}


def problems_of(db: Connection, id: str) -> list[Problem]:  # noqa: A002 - as in the table
    """What has to be repaired of one record, oldest first."""
    c = t.problem.c
    query = select(t.problem).where(c.record == id, c.state == "open").order_by(c.first_at, c.id)
    return [make.problem_of(row) for row in _all(db, query)]


def _story(shown: Row, told: list[Row], seen: list[Row], name: str) -> Row:
    provenance: Mapping[str, Any] = shown["provenance"].get(name) or shown["provenance"].get("*") or {}
    decided = [
        {"at": d["at"], "run": d["run"], "actor": d["actor"], **d["content"]["fields"][name]}
        for d in told
        if name in d["content"].get("fields", {})
    ]
    links = sorted(
        shown["links"], key=lambda link: bool(link["state"] == "live")
    )  # of several in a system the live one
    return {
        "value": shown["document"].get(name),
        "said_by": dict(provenance),
        "systems": {
            link["system"]: link["shows"].get(name)
            for link in links
            if name in link["shows"] and link["state"] not in (LinkState.QUIET, LinkState.FURTHER)
        },
        "held": {link["system"]: link["holds"][name] for link in shown["links"] if name in link["holds"]},
        "decisions": decided,
        "lost": [
            {"system": system, "value": value, "at": d["at"], "run": d["run"]}
            for d in decided
            for system, value in d.get("overruled", {}).items()
        ],
        "seen": [
            {"system": s["system"], "at": s["at"], "by": s["changed_by"], "change": s["changes"][name]}
            for s in seen
            if name in s["changes"]
        ],
    }
