"""Reads what runs did: the list of them, and the decisions and creations of one.

Not here: what follows from a run (`fsm_core.service.revert`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

from fsm_core.errors import NotFound
from fsm_core.state import Doc, IntentState
from fsm_core.store import schema as t

Row = dict[str, Any]


class Ruled(NamedTuple):
    """One decision of a run."""

    record: str
    entity: str
    kind: str
    content: Doc | None
    """None where it was erased."""


class Created(NamedTuple):
    """A record that a run made in a system."""

    record: str
    entity: str
    system: str
    external_id: str


def runs(db: Connection, limit: int) -> list[Row]:
    """The newest runs with the writes that arrived in each."""
    c, i = t.run.c, t.intent.c
    written = select(func.count()).where(i.run == c.id, i.state == str(IntentState.DELIVERED)).scalar_subquery()
    query = select(c.id, c.kind, c.started_at, c.ended_at, c.rules, c.summary, written.label("writes"))
    rows = db.execute(query.order_by(c.id.desc()).limit(limit)).mappings()
    return [{**row, "summary": orjson.loads(row["summary"])} for row in rows]


def run_id(db: Connection, wanted: str) -> str:
    """A run by its id or an unambiguous end of it. Raises `NotFound`."""
    c = t.run.c
    found = list(db.execute(select(c.id).where(c.id.endswith(wanted.lower(), autoescape=True)).limit(2)).scalars())
    if len(found) != 1:
        reason = "is ambiguous" if found else "does not exist"
        raise NotFound(f"run {wanted} {reason}", remedy="Take an id from 'fsm-hub runs'.")
    return str(found[0])


def rulings(db: Connection, run: str) -> Iterator[Ruled]:
    """Every decision of a run, oldest first; one that tells of many births as one of each."""
    d, v = t.decision.c, t.decision_value.c
    query = select(d.record, d.entity, d.kind, v.content).outerjoin(t.decision_value, v.decision == d.id)
    for record, entity, kind, content in db.execute(query.where(d.run == run).order_by(d.id)):
        told = None if content is None else orjson.loads(content)
        if told is not None and "records" in told:
            yield from (Ruled(one, entity, kind, {}) for one, _, _ in told["records"])
        elif record:
            yield Ruled(record, entity, kind, told)


def creations(db: Connection, run: str) -> list[Created]:
    """What a run made in systems, oldest first."""
    c = t.intent.c
    query = select(c.record, c.entity, c.system, c.external_id)
    made = (c.run == run, c.action == "create", c.state == str(IntentState.DELIVERED))
    return [Created(*row) for row in db.execute(query.where(*made).order_by(c.id))]
