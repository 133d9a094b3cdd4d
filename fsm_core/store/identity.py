"""Reads for people about identity: what a word means, how a record's links came to be, who merged and who parted.

Not here: anything the engine decides on (`work`).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import Connection, or_, select

from fsm_core.errors import Invalid, NotFound
from fsm_core.store import queries
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.work import SqlWork

Row: TypeAlias = dict[str, Any]
TOLD = ("create", "births", "merge", "unmerge", "further")
"""Decisions that say something about identity."""


def parted(db: Connection, entity: str, wanted: str, system: str = "") -> tuple[str, list[int]]:
    """A record, and those of its links that are meant: by the id in a system, or by the id they had before a merge.

    Raises `NotFound`, and `Invalid` where several systems have that id.
    """
    c = t.link.c
    named = select(c.record, c.id, c.system).where(c.entity == entity, c.external_id == wanted, c.record.is_not(None))
    found = db.execute(named.where(c.system == system) if system else named).all()
    if len({row[0] for row in found}) > 1:
        known = ", ".join(sorted(row[2] for row in found))
        raise Invalid(f"{wanted} is a {entity} in several systems: {known}", remedy="Say which one with --system.")
    if found:
        return found[0][0], [row[1] for row in found]
    return _merged(db, entity, wanted)


def _merged(db: Connection, entity: str, wanted: str) -> tuple[str, list[int]]:
    r = t.record.c
    ending = select(r.id, r.merged_into).where(r.entity == entity, r.id.endswith(wanted.lower(), autoescape=True))
    rows = db.execute(ending.where(r.merged_into.is_not(None)).limit(2)).all()
    if len(rows) != 1:
        remedy = "Give the id in a system, or the former id of a merged record: 'fsm-hub match history' tells both."
        raise NotFound(f"{entity} {wanted} {'is ambiguous' if rows else 'is not known'}", remedy=remedy)
    old, into = rows[0]
    told = [content for content in SqlWork(db).told(into, "merge") if content["merged"] == old]
    moved = [row[0] for row in told[0].get("links", ())] if told else []
    here = select(t.link.c.id).where(t.link.c.record == into, t.link.c.id.in_(moved))
    here = here.where(t.link.c.state.in_(["live", "further"]))
    return into, list(db.execute(here).scalars())


def history(db: Connection, id: str) -> Row:  # noqa: A002 - as in the table
    """How a record came to be what it is: its links, its other names, who is known to be another, and every act."""
    c, r = t.link.c, t.record.c
    mine = select(*make.LINK).where(c.record == id).order_by(c.system, c.external_id)
    links = [make.link_of(row) for row in db.execute(mine)]
    merged = db.execute(select(r.id, r.updated_at).where(r.merged_into == id).order_by(r.id)).all()
    return {
        "id": id,
        "entity": db.execute(select(r.entity).where(r.id == id)).scalar_one(),
        "links": [
            {"system": link.system, "id": link.external_id, "state": link.state, "by": link.method,
             "merged_into": link.merged_into}
            for link in links
        ],
        "merged": [{"id": row[0], "at": row[1]} for row in merged],
        "apart": _apart(db, [link.id for link in links]),
        "events": _events(db, id),
    }  # fmt: skip


def _apart(db: Connection, links: list[int]) -> list[Row]:
    """What a person said is something else than this record."""
    a, c = t.apart.c, t.link.c
    rows = db.execute(select(a.a, a.b, a.by, a.at).where(or_(a.a.in_(links), a.b.in_(links)))).all()
    others = {row[0] if row[1] in links else row[1]: (row[2], row[3]) for row in rows}
    named = db.execute(select(c.id, c.system, c.external_id).where(c.id.in_(others)).order_by(c.system, c.external_id))
    return [{"system": row[1], "id": row[2], "by": others[row[0]][0], "at": others[row[0]][1]} for row in named]


def _events(db: Connection, id: str) -> list[Row]:  # noqa: A002 - as in the table
    """Births, merges, partings and answers about identity, oldest first."""
    acts = [
        row
        for row in queries.decisions(db, id)
        if row["kind"] in TOLD or (row["kind"] == "answer" and row["content"].get("type") == "match")
    ]
    return [{name: row[name] for name in ("at", "kind", "actor", "run", "content")} for row in acts]
