"""References between records, in the transaction of `work`: what is meant, who waits, who is told later.

`referring` says which links refer to a record, `waiting` which refer to what is not known yet, `held_back` which
records are not told to a system before their parent is there.
Not here: what a reference means (`fsm_core.service.references`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, bindparam, case, delete, exists, func, literal, null, or_, select, update

from fsm_core.state import Doc, Link, Problem
from fsm_core.state_references import Orphan, Reference, Target, Wait
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.fresh import FreshWork
from fsm_core.store.plumbing import OPEN
from fsm_core.store.rows import dump


class ReferenceWork(FreshWork):
    """Part of `fsm_core.state.Work`."""

    # -- landing -------------------------------------------------------------------------------

    def targets(self, system: str, obj: str, entity: str, ids: Collection[str]) -> dict[str, Target]:
        """What is known of these external ids."""
        c = t.link.c
        query = select(c.external_id, case((is_fresh(), None), else_=c.record), c.state, c.merged_into)
        mine = (c.system == system, c.object == obj, c.entity == entity, self._among(c.external_id, ids))
        return {row[0]: Target(*row[1:]) for row in self._db.execute(query.where(*mine))}

    def put_references(self, rows: Sequence[Reference]) -> None:
        """What links refer to; what they referred to is dropped before."""
        self._add(t.referring, Reference._fields, rows)

    def name_references(self, parent: str, system: str, via: str) -> None:
        """What a system says of the link that speaks for this record, it says of this id from now on."""
        r, c = t.referring.c, t.link.c
        theirs = select(c.id).where(c.id == r.link, c.system == system).exists()
        self._db.execute(update(t.referring).where(r.parent == parent, r.via.is_(None), theirs).values(via=via))

    def repoint_references(self, links: Collection[int], field: str, old: str, new: str, via: Collection[str]) -> None:
        """These fields refer to another record, with the same words; with `via`, to the link that speaks for it."""
        r = t.referring.c
        mine = (r.parent == old, r.field == field, self._among(r.link, links))
        moved = {"parent": new, "via": null()} if via else {"parent": new}
        self._db.execute(update(t.referring).where(*mine).values(moved))

    def put_waiting(self, child: str, rows: Sequence[Wait]) -> None:
        """References to what is not known yet; those of a link are dropped before."""
        self._add(t.waiting, Wait._fields, rows, child=child)

    def drop_references(self, links: Collection[int], fields: Collection[str] | None = None) -> None:
        """These links say something else now in these fields (None: in all), or nothing."""
        for table in (t.referring, t.waiting) if links else ():
            meant = () if fields is None else (table.c.field.in_(sorted(fields)),)
            self._db.execute(delete(table).where(self._among(table.c.link, links), *meant))

    # -- releasing -----------------------------------------------------------------------------

    def aim(self, child: str, system: str, entity: str, obj: str) -> None:
        """What waits for records that nothing held when it came waits for those of this object."""
        w = t.waiting.c
        blind = update(t.waiting).where(w.child == child, w.object == "", w.system == system, w.entity == entity)
        self._db.execute(blind.values(object=obj))

    def releasable(self, child: str, limit: int) -> list[Reference]:
        """References whose parent has landed meanwhile, by link."""
        w, p = t.waiting.c, t.link.c
        query = (
            select(p.record, w.link, w.field, case((p.state == "further", w.external_id)))
            .join(t.link, _wanted())
            .where(w.child == child, p.record.is_not(None), ~is_fresh())
            .where(or_(p.state != "ended", p.merged_into.is_(None)))
            .order_by(w.link, w.field)
            .limit(limit)
        )
        return [Reference(*row) for row in self._db.execute(query)]

    def release(self, rows: Sequence[tuple[int, str]]) -> None:
        """These fields wait no longer."""
        w = t.waiting.c
        statement = delete(t.waiting).where(w.link == bindparam("row"), w.field == bindparam("name"))
        self._many(statement, [{"row": link, "name": field} for link, field in rows])

    def waiting_fields(self, links: Collection[int]) -> dict[int, dict[str, str]]:
        """The fields of these links that still wait, each with the id it waits for."""
        w = t.waiting.c
        found: defaultdict[int, dict[str, str]] = defaultdict(dict)
        query = select(w.link, w.field, w.external_id).where(self._among(w.link, links))
        for link, field, wanted in self._db.execute(query):
            found[link][field] = wanted
        return dict(found)

    def orphans(
        self, child: str, fields: Collection[str], cause: str, after: tuple[int, str], limit: int
    ) -> list[Orphan]:
        """References of these fields that wait, behind (link, field), with what people were told of them."""
        w, mine, parent, p = t.waiting.c, t.link.alias("mine"), t.link, t.problem
        about = and_(
            p.c.system == mine.c.system, p.c.object == mine.c.object, p.c.external_id == mine.c.external_id,
            p.c.field == w.field, p.c.cause == cause, p.c.state == OPEN,
        )  # fmt: skip
        query = (
            select(
                w.link, w.field, w.system, mine.c.object, mine.c.external_id, w.entity, w.external_id.label("wanted"),
                parent.c.state, p.c.message,
            )
            .join(mine, mine.c.id == w.link)
            .outerjoin(parent, _wanted())
            .outerjoin(p, about)
            .where(w.child == child, w.field.in_(sorted(fields)))
            .where(or_(w.link > after[0], and_(w.link == after[0], w.field > after[1])))
            .order_by(w.link, w.field)
            .limit(limit)
        )  # fmt: skip
        return [Orphan(*row) for row in self._db.execute(query)]

    def rewrite_links(self, rows: Sequence[Link]) -> None:
        """Keep `now`, `base`, `sent`, state and record where only our own ids changed: the hash stays what it was."""
        self._before_change([row.id for row in rows])
        values = [
            {"row": row.id, "to": row.record, "as_state": row.state, "shown": dump(row.now), **_settled(row)}
            for row in rows
        ]
        statement = update(t.link).where(t.link.c.id == bindparam("row"))
        self._many(
            statement.values(
                record=bindparam("to"),
                state=bindparam("as_state"),
                now=bindparam("shown"),
                **{name: bindparam(f"new_{name}") for name in _SETTLED},
            ),
            values,
        )

    # -- telling -------------------------------------------------------------------------------

    def known_as(self, system: str, entity: str, records: Collection[str]) -> dict[str, str]:
        """The external id of each of these records in a system, where it is alive there."""
        c = t.link.c
        query = select(c.record, c.external_id).where(c.system == system, c.entity == entity, c.state == "live")
        mine = query.where(self._among(c.record, records)).order_by(c.external_id.desc())
        return {row[0]: row[1] for row in self._db.execute(mine)}

    def survivors(self, records: Collection[str]) -> dict[str, str]:
        """Of those of these records that were merged: what took their place."""
        c = t.record.c
        query = select(c.id, c.merged_into).where(c.merged_into.is_not(None))
        return {row[0]: row[1] for row in self._db.execute(query.where(self._among(c.id, records)))}

    def hold_back(self, entity: str, system: str, looked: Collection[str], rows: Sequence[tuple[str, str]]) -> None:
        """Of the records that were looked at, those (record, parent) that wait until the parent is in the system."""
        c = t.held_back.c
        self._db.execute(delete(t.held_back).where(self._among(c.record, looked), c.system == system))
        self._add(t.held_back, ("record", "parent"), sorted(set(rows)), entity=entity, system=system)

    def wake_held(self, entity: str, system: str, at: str) -> None:
        """What waits for a parent that is in the system now is due."""
        h, p = t.held_back.c, t.link.c
        there = exists().where(p.record == h.parent, p.system == h.system, p.state == "live")
        mine = and_(h.entity == entity, h.system == system)
        due = select(h.record, literal("deliver"), h.system, h.entity, literal(at)).where(mine, there).distinct()
        names = ["record", "reason", "system", "entity", "due_at"]
        self._db.execute(self._insert(t.dirty).from_select(names, due).on_conflict_do_nothing())
        self._db.execute(delete(t.held_back).where(mine, there))

    # -- the other way round -------------------------------------------------------------------

    def children(self, parents: Collection[str], via: Collection[str] = ()) -> list[tuple[int, str, str]]:
        """Rows of link, field and parent: what refers to these records; with `via`, by these further ids only."""
        c = t.referring.c
        query = select(c.link, c.field, c.parent).order_by(c.link, c.field)
        query = query.where(c.via.in_(sorted(via))) if via else query
        return [(row[0], row[1], row[2]) for row in self._db.execute(query.where(self._among(c.parent, parents)))]

    def mark_children(self, entity: str, parents: Collection[str], reason: str, at: str) -> None:
        """The records of an entity that refer to these are to be looked at."""
        r, c = t.referring.c, t.link.c
        names = ["record", "reason", "system", "entity", "due_at"]
        if not parents:
            return
        every = (
            select(c.record, literal(reason), literal(""), c.entity, literal(at))
            .join(t.referring, r.link == c.id)
            .where(self._among(r.parent, parents), c.entity == entity, c.record.is_not(None), ~is_fresh())
            .distinct()
        )
        self._db.execute(self._insert(t.dirty).from_select(names, every).on_conflict_do_nothing())

    def merged_away(self, entity: str, after: int, limit: int) -> list[Link]:
        """Links whose system merged them into another one, and that nothing followed from yet, by id."""
        c = t.link.c
        query = (
            select(*make.LINK)
            .where(t.ENDED, t.MERGED_AWAY, c.entity == entity, c.id > after)
            .order_by(c.id)
            .limit(limit)
        )
        return list(map(make.link_of, self._db.execute(query)))

    def revive(self, links: Collection[int]) -> None:
        """These are no other name of a record any more: each is a record of its own again, and looks for its place."""
        if links:
            self._before_change(links)
            alone = update(t.link).where(self._among(t.link.c.id, links))
            clean = {"merged_into": None, "base": null(), "base_state": t.BASE_UNKNOWN, "sent": null()}
            self._db.execute(alone.values(record=None, state="live", **clean))

    # -- writing too often ---------------------------------------------------------------------

    def often_written(self, links: Collection[int], since: str, limit: int) -> dict[int, list[tuple[str, Doc]]]:
        """When and what was written, of those of these links that were written at least so often since then."""
        c = t.intent.c
        found: defaultdict[int, list[tuple[str, Doc]]] = defaultdict(list)
        mine = select(c.link).where(t.DELIVERED, self._among(c.link, links), c.created_at > since)
        often = list(self._db.execute(mine.group_by(c.link).having(func.count() >= limit)).scalars())
        if often:
            query = select(c.link, c.created_at, c.payload).where(t.DELIVERED, c.created_at > since)
            query = query.where(self._among(c.link, often)).order_by(c.created_at, c.id)
            for link, at, payload in self._db.execute(query):
                found[link].append((at, orjson.loads(payload)))
        return dict(found)

    def problems_about(self, system: str, obj: str, cause: str, ids: Collection[str]) -> dict[str, Problem]:
        """The problems of this cause of these external ids, open or solved."""
        c = t.problem.c
        query = select(t.problem).where(c.system == system, c.object == obj, c.cause == cause)
        found = map(make.problem_of, self._all(query.where(self._among(c.external_id, ids))))
        return {problem.external_id: problem for problem in found}

    def fields_with(self, system: str, obj: str, cause: str) -> set[str]:
        """The fields that ever had a problem of this cause."""
        c = t.problem.c
        query = select(c.field).where(c.system == system, c.object == obj, c.cause == cause).distinct()
        return set(self._db.execute(query).scalars())


def is_fresh() -> ColumnElement[bool]:
    """Whether the record of a link is still to be founded."""
    return exists().where(t.fresh.c.link == t.link.c.id)


def _wanted() -> ColumnElement[bool]:
    """Whether a link is what a waiting reference means."""
    w, p = t.waiting.c, t.link.c
    return and_(p.system == w.system, p.object == w.object, p.external_id == w.external_id, p.entity == w.entity)


_SETTLED = ("base", "base_state", "sent")


def _settled(link: Link) -> dict[str, Any]:
    kept = make.base_of(link)
    return {f"new_{name}": kept[name] for name in _SETTLED}
