"""Checks the audit from its first run to its last: nothing in it was changed, added or taken away since.

It reads in the order of the chain and keeps one page at a time, however long the chain is.
Not here: how the hashes are made (`audit`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, select

from fsm_core.store import schema as t
from fsm_core.store.audit import digest_of, digest_of_values, merkle_root, seal

Row = Mapping[str, Any]
RUNS = 500
"""Runs held at once."""
DECISIONS = 50
"""Decisions held at once: one that tells of many births holds the ids of two thousand."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where the audit does not hold."""

    run: str
    decision: str
    what: str


@dataclass(slots=True)
class Verified:
    """What was checked, and where it breaks."""

    runs: int = 0
    """Sealed runs."""
    decisions: int = 0
    erased: int = 0
    """Decisions whose values are gone; what else they say was checked."""
    open: list[str] = field(default_factory=list)
    """Runs that were not sealed: at work just now, or interrupted."""
    head: str = ""
    """The root of the last run. Noted elsewhere, it proves later that the chain up to here was not made anew."""
    broken: Broken | None = None


class _BrokenError(Exception):
    def __init__(self, what: str, *, run: str = "", decision: str = "") -> None:
        super().__init__(what)
        self.place = Broken(run, decision, what)


def verify(db: Connection, noted: str = "") -> Verified:
    """Check everything, up to the first fault. `noted` is a root written down before, which has to be there still."""
    found = Verified()
    try:
        known = _chain(db, found, noted)
        _unsealed(db, found)
        _strays(db)
    except _BrokenError as error:
        found.broken = error.place
        return found
    if noted and not known:
        found.broken = Broken("", "", f"no run has the noted root {noted}: the chain was cut or made anew")
    return found


def _chain(db: Connection, found: Verified, noted: str) -> bool:
    """Every sealed run; whether one of them has the noted root."""
    known = False
    for row, decided in _sealed(db):
        run = row["id"]
        if row["number"] != found.runs + 1:
            raise _BrokenError(f"run number {found.runs + 1} is missing before it", run=run)
        if row["previous"] != found.head:
            raise _BrokenError("it does not follow from the run before it", run=run)
        tree = merkle_root(_digests(db, row, found) if decided else ())
        if seal(row, tree) != row["root"]:
            raise _BrokenError("its root does not cover what it says: a column, or the set of its decisions", run=run)
        found.runs, found.head = row["number"], row["root"]
        known = known or found.head == noted
    return known


def _sealed(db: Connection) -> Iterator[tuple[Row, bool]]:
    """Runs by their place in the chain, and whether they decided anything: most polls do not."""
    c, after = t.run.c, None
    while True:
        query = select(t.run).where(c.number.is_not(None) if after is None else c.number > after)
        page = db.execute(query.order_by(c.number).limit(RUNS)).mappings().all()
        mine = select(t.decision.c.run).where(t.decision.c.run.in_([row["id"] for row in page])).distinct()
        deciding = set(db.execute(mine).scalars())
        yield from ((dict(row), row["id"] in deciding) for row in page)
        if len(page) < RUNS:
            return
        after = page[-1]["number"]


def _unsealed(db: Connection, found: Verified) -> None:
    """Runs without a place in the chain: open ones, and no others."""
    c = t.run.c
    for row in map(dict, db.execute(select(t.run).where(c.number.is_(None)).order_by(c.id)).mappings().all()):
        if row["ended_at"] is not None or row["root"] or row["previous"]:
            raise _BrokenError("it was sealed and has lost its place in the chain", run=row["id"])
        for _ in _digests(db, row, found):
            pass
        found.open.append(row["id"])


def _digests(db: Connection, run: Row, found: Verified) -> Iterator[bytes]:
    """The digests of a run's decisions in the order of the seal, each checked."""
    d, v = t.decision, t.decision_value.c
    query = select(d, v.salt, v.content).outerjoin(t.decision_value, v.decision == d.c.id).where(d.c.run == run["id"])
    for row in _streamed(db, query.order_by(d.c.id)):
        _check(row)
        found.decisions += 1
        found.erased += bool(row["values_digest"]) and row["content"] is None
        yield row["digest"]


def _streamed(db: Connection, query: Select[Any]) -> Iterator[Row]:
    with db.execute(query, execution_options={"yield_per": DECISIONS}) as rows:
        yield from map(dict, rows.mappings())


def _check(row: Row) -> None:
    if digest_of(row) != row["digest"]:
        raise _BrokenError("its digest does not cover what it says", run=row["run"], decision=row["id"])
    if row["content"] is not None and digest_of_values(row["salt"], row["content"]) != row["values_digest"]:
        raise _BrokenError("its values are not those that were decided", run=row["run"], decision=row["id"])


def _strays(db: Connection) -> None:
    """Decisions of no run and values of no decision: nothing seals them."""
    d, v = t.decision.c, t.decision_value.c
    lost = select(d.run, d.id).outerjoin(t.run, t.run.c.id == d.run).where(t.run.c.id.is_(None)).order_by(d.id).limit(1)
    for run, decision in db.execute(lost):
        raise _BrokenError("its run is not there", run=run, decision=decision)
    values = select(v.decision).outerjoin(t.decision, d.id == v.decision).where(d.id.is_(None)).order_by(v.decision)
    for (decision,) in db.execute(values.limit(1)):
        raise _BrokenError("there are values of it, and no such decision", decision=decision)
