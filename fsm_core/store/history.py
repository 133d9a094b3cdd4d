"""Reads what happened to records since an instant, a few hundred records at a time.

Not here: what comes of it under other rules (`fsm_core.service.replay`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import orjson
from sqlalchemy import Connection, select

from fsm_core.history import History, Moved, Ruled
from fsm_core.state import IntentState, Link
from fsm_core.store import schema as t
from fsm_core.store.work import SqlWork

PAGE = 500
"""Records that are held at a time."""


def histories(db: Connection, entity: str, since: str) -> Iterator[History]:
    """Every record of the entity of which a link moved since then, by id."""
    work, after = SqlWork(db), ""
    while ids := _moved(db, entity, since, after):
        records = work.records(ids)
        links: defaultdict[str, list[Link]] = defaultdict(list)
        for link in work.links_of(ids):
            links[link.record or ""].append(link)
        moves, rulings = _moves(db, ids, since), _rulings(db, ids, since)
        _mark_ours(moves, _written(db, ids, since))
        for number in sorted(records):
            yield History(records[number], links[number], moves[number], rulings[number])
        after = ids[-1]


def _moved(db: Connection, entity: str, since: str, after: str) -> list[str]:
    j, c = t.journal.c, t.link.c
    query = (
        select(c.record)
        .join(t.journal, j.link == c.id)
        .where(c.entity == entity, c.record.is_not(None), c.record > after, j.at >= since)
        .distinct()
        .order_by(c.record)
        .limit(PAGE)
    )
    return list(db.execute(query).scalars())


def _moves(db: Connection, records: Sequence[str], since: str) -> defaultdict[str, list[Moved]]:
    j, c = t.journal.c, t.link.c
    query = (
        select(c.record, j.link, j.run, j.at, j.changed_by, j.changes)
        .join(t.link, j.link == c.id)
        .where(c.record.in_(records), j.at >= since)
        .order_by(j.id)
    )
    found: defaultdict[str, list[Moved]] = defaultdict(list)
    for record, link, run, at, by, changes in db.execute(query):
        pairs = {name: (pair[0], pair[1]) for name, pair in orjson.loads(changes).items()}
        found[record].append(Moved(link, run, at, by, pairs))
    return found


def _written(db: Connection, records: Sequence[str], since: str) -> dict[tuple[int | None, str], list[frozenset[str]]]:
    """Per link and run the fields of each write that arrived, oldest first."""
    c = t.intent.c
    query = (
        select(c.link, c.run, c.payload)
        .where(c.record.in_(records), c.created_at >= since, c.state == str(IntentState.DELIVERED))
        .order_by(c.id)
    )
    found: defaultdict[tuple[int | None, str], list[frozenset[str]]] = defaultdict(list)
    for link, run, payload in db.execute(query):
        found[link, run].append(frozenset(orjson.loads(payload)))
    return found


def _mark_ours(moves: dict[str, list[Moved]], written: dict[tuple[int | None, str], list[frozenset[str]]]) -> None:
    """A run reads first and writes last: the last moves of a link it wrote to are what it read back."""
    for rows in moves.values():
        for at in range(len(rows) - 1, -1, -1):
            mine = written.get((rows[at].link, rows[at].run))
            if mine:
                rows[at] = rows[at]._replace(told=mine.pop())


def _rulings(db: Connection, records: Sequence[str], since: str) -> defaultdict[str, list[Ruled]]:
    d, v = t.decision.c, t.decision_value.c
    query = (
        select(d.record, d.at, v.content)
        .join(t.decision_value, v.decision == d.id)
        .where(d.record.in_(records), d.at >= since, v.content.is_not(None))
        .order_by(d.id)
    )
    found: defaultdict[str, list[Ruled]] = defaultdict(list)
    for record, at, content in db.execute(query):
        found[record].append(Ruled(at, orjson.loads(content).get("fields", {})))
    return found
