"""One transaction on the state: set-based reads and writes over SQLAlchemy Core.

Questions to people are in `people`, the audit in `audit`. Not here: decisions, and reads for people (`queries`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    Exists,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.sql.selectable import NamedFromClause

from fsm_core.model.compare import digest
from fsm_core.state import (
    Birth,
    Doc,
    Intent,
    Known,
    Link,
    Record,
    Sighting,
    chunks,
)
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.audit import AuditWork, seal
from fsm_core.store.people import PeopleWork
from fsm_core.store.plumbing import PARAMETERS
from fsm_core.store.rows import dump


class SqlWork(PeopleWork, AuditWork):
    """Implements `fsm_core.state.Work` on one connection."""

    # -- pages ---------------------------------------------------------------------------------

    def known_links(self, system: str, obj: str, entity: str, ids: Sequence[str]) -> dict[str, Known]:
        """What is known of these external ids."""
        c = t.link.c
        found = {}
        for part in chunks(ids, PARAMETERS):
            query = select(c.external_id, c.id, c.hash, c.version, c.state, c.record, c.base_state).where(
                c.system == system, c.object == obj, c.entity == entity, c.external_id.in_(part)
            )
            for row in self._db.execute(query):
                found[row[0]] = Known(*row[1:])
        return found

    def count_links(self, system: str, obj: str, entity: str) -> int:
        """How many records are believed to be there."""
        c = t.link.c
        there = c.state.not_in(["ended", "detached"])
        query = select(func.count()).where(c.system == system, c.object == obj, c.entity == entity, there)
        return int(self._db.execute(query).scalar_one())

    def add_links(
        self, system: str, obj: str, entity: str, run: str, at: str, rows: Sequence[tuple[int, Sighting]]
    ) -> None:
        """First sightings; their base is unknown."""
        self._rows(
            insert(t.link), ("id", "external_id", *_SIGHTED), [(number, *seen[:-1]) for number, seen in rows],
            system=system, object=obj, entity=entity, run=run, seen_at=at, record=None, state="live", base=None,
            base_state=t.BASE_UNKNOWN, sent=None, holds=None, blanked=0, method="", merged_into=None,
        )  # fmt: skip

    def change_links(self, run: str, at: str, rows: Sequence[tuple[Known, Sighting, int]]) -> None:
        """New observations; the base stays what it was. The number tells how many values went blank."""
        c = t.link.c
        settled = c.base_state == t.BASE_IS_NOW
        statement = (
            update(t.link)
            .where(c.id == bindparam("row"))
            .values(
                base=case((settled, c.now), else_=c.base),
                base_state=case((settled, t.BASE_OWN), else_=c.base_state),
                blanked=c.blanked + bindparam("lost"),
                state=case((c.state == "ended", "live"), (c.state == "invalid", "live"), else_=c.state),
                **{name: bindparam(f"new_{name}") for name in (*_SIGHTED, "run", "seen_at")},
            )
        )
        values = [
            {"row": known.id, "lost": lost, "new_run": run, "new_seen_at": at, **_prefixed(_sighted(seen))}
            for known, seen, lost in rows
        ]
        self._many(statement, values)

    def touch_links(self, at: str, rows: Sequence[tuple[Known, Sighting]]) -> None:
        """The content is the same, the version is not."""
        names = ("version", "changed_at", "changed_by", "ours")
        statement = (
            update(t.link)
            .where(t.link.c.id == bindparam("row"))
            .values(seen_at=at, **{name: bindparam(f"new_{name}") for name in names})
        )
        self._many(
            statement,
            [{"row": known.id, **{f"new_{name}": getattr(seen, name) for name in names}} for known, seen in rows],
        )

    def current(self, links: Sequence[int]) -> dict[int, Doc]:
        """What these links showed last."""
        c = t.link.c
        found: dict[int, Doc] = {}
        for part in chunks(links, PARAMETERS):
            found |= {
                row[0]: orjson.loads(row[1]) for row in self._db.execute(select(c.id, c.now).where(c.id.in_(part)))
            }
        return found

    def write_journal(self, run: str, at: str, rows: Sequence[tuple[int, str, Doc]]) -> None:
        """What changed, per field [before, after]. A first sighting is kept by the link itself."""
        self._many(
            insert(t.journal).inline(),
            [{"link": n, "run": run, "at": at, "changed_by": by, "changes": dump(changes)} for n, by, changes in rows],
        )

    def end_links(self, at: str, rows: Sequence[tuple[int, str]]) -> None:
        """Deleted there; the second value is the survivor's id when it was merged away."""
        statement = (
            update(t.link)
            .where(t.link.c.id == bindparam("row"))
            .values(state="ended", merged_into=bindparam("survivor"), seen_at=at)
        )
        self._many(statement, [{"row": number, "survivor": survivor or None} for number, survivor in rows])

    def put_keys(self, entity: str, rows: Sequence[tuple[int, Sequence[tuple[str, str]]]], *, replace: bool) -> None:
        """The values by which links are matched."""
        if replace:
            for part in chunks([number for number, _ in rows], PARAMETERS):
                self._db.execute(delete(t.match_key).where(t.match_key.c.link.in_(part)))
        values = [(name, value, number) for number, keys in rows for name, value in keys]
        self._rows(insert(t.match_key), ("name", "value", "link"), values, entity=entity)

    def mark_dirty(self, entity: str, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """Rows of record, reason, system ("" for all) and due time; an earlier due time wins."""
        base = self._insert(t.dirty)
        new = base.excluded.due_at
        statement = base.on_conflict_do_update(
            index_elements=["record", "reason", "system"],
            set_={"due_at": case((t.dirty.c.due_at < new, t.dirty.c.due_at), else_=new)},
        )
        values = [
            {"record": record, "reason": reason, "system": system, "entity": entity, "due_at": due}
            for record, reason, system, due in rows
        ]
        self._many(statement, values)

    def cursor(self, system: str, obj: str, entity: str) -> str | None:
        """Where the next pass begins; None for the beginning."""
        c = t.cursor.c
        query = select(c.value).where(c.system == system, c.object == obj, c.entity == entity)
        return self._db.execute(query).scalar_one_or_none()

    def put_cursor(self, system: str, obj: str, entity: str, value: str | None, at: str, *, complete: bool) -> None:
        """Move the cursor, in the same transaction as the page it belongs to."""
        row = {"system": system, "object": obj, "entity": entity, "value": value, "moved_at": at}
        row |= {"complete_at": at} if complete else {}
        statement = self._insert(t.cursor).values(row)
        changed = {name: row[name] for name in ("value", "moved_at", "complete_at") if name in row}
        self._db.execute(statement.on_conflict_do_update(index_elements=["system", "object", "entity"], set_=changed))

    # -- identity ------------------------------------------------------------------------------

    def lonely(self, entity: str, after: int, limit: int) -> list[Link]:
        """Live links without a record, a claim or a key value in common with another link, by id: what they show."""
        c, own = t.link.c, t.match_key.alias("own")
        query = (
            select(c.id, c.system, c.object, c.external_id, c.now, c.changed_at, c.changed_by)
            .where(t.UNPLACED, c.entity == entity, c.id > after, c.hub_key == "")
            .where(~exists().where(own.c.link == c.id, _shared(own)))
            .order_by(c.id)
            .limit(limit)
        )
        return [
            Link(id_, system, obj, external_id, entity, None, "live", orjson.loads(now), changed_at=at, changed_by=by)
            for id_, system, obj, external_id, now, at, by in self._db.execute(query)
        ]

    def unplaced(self, entity: str, after: int, limit: int) -> list[Link]:
        """Live links without a record, by id."""
        c = t.link.c
        query = select(*make.LINK).where(t.UNPLACED, c.entity == entity, c.id > after).order_by(c.id).limit(limit)
        return list(map(make.link_of, self._db.execute(query)))

    def sharing(self, links: Collection[int]) -> set[int]:
        """Those of these links that have a key value in common with another link."""
        own = t.match_key.alias("own")
        found: set[int] = set()
        for part in chunks(sorted(links), PARAMETERS):
            found.update(self._db.execute(select(own.c.link).where(own.c.link.in_(part), _shared(own))).scalars())
        return found

    def key_neighbours(self, links: Collection[int]) -> list[tuple[int, str, str]]:
        """All (link, key name, value) of links that share a key value with one of these, these included."""
        own, other = t.match_key.alias("own"), t.match_key.alias("other")
        shared = and_(own.c.entity == other.c.entity, own.c.name == other.c.name, own.c.value == other.c.value)
        found: list[tuple[int, str, str]] = []
        for part in chunks(sorted(links), PARAMETERS):
            # outer: every row finds itself, so it loses nothing, and SQLite must begin with the few rows of `own`
            near = select(other.c.link, other.c.name, other.c.value).select_from(own.outerjoin(other, shared))
            found += [(row[0], row[1], row[2]) for row in self._db.execute(near.where(own.c.link.in_(part)))]
        return found

    def links(self, ids: Collection[int]) -> list[Link]:
        """Links by their own id."""
        c = t.link.c
        return [
            make.link_of(row)
            for part in chunks(sorted(ids), PARAMETERS)
            for row in self._db.execute(select(*make.LINK).where(c.id.in_(part)).order_by(c.id))
        ]

    def apart(self, links: Collection[int]) -> frozenset[tuple[int, int]]:
        """Pairs among these links that a person judged to be different things."""
        c = t.apart.c
        return frozenset(
            (row[0], row[1])
            for part in chunks(sorted(links), PARAMETERS)
            for row in self._db.execute(select(c.a, c.b).where(c.a.in_(part)))
        )

    def put_apart(self, pairs: Iterable[tuple[int, int]], by: str, at: str) -> None:
        """Remember "not the same"."""
        values = [{"a": min(pair), "b": max(pair), "by": by, "at": at} for pair in pairs]
        self._many(self._insert(t.apart).on_conflict_do_nothing(), values)

    def place(self, rows: Sequence[tuple[int, str | None, str, str]]) -> None:
        """Give links their record, state and the method that found it."""
        statement = (
            update(t.link)
            .where(t.link.c.id == bindparam("row"))
            .values(record=bindparam("to"), state=bindparam("as_state"), method=bindparam("by"))
        )
        self._many(statement, [{"row": n, "to": to, "as_state": state, "by": by} for n, to, state, by in rows])

    # -- deciding ------------------------------------------------------------------------------

    def due_records(self, entity: str, reasons: Collection[str], now: str, limit: int) -> list[str]:
        """Records to look at, oldest id first."""
        c = t.dirty.c
        query = (
            select(c.record)
            .where(c.entity == entity, c.reason.in_(sorted(reasons)), c.due_at <= now)
            .distinct()
            .order_by(c.record)
            .limit(limit)
        )
        return list(self._db.execute(query).scalars())

    def clear_dirty(self, records: Collection[str], reasons: Collection[str], system: str | None = None) -> None:
        """These records need no further look for these reasons (of one system, if named)."""
        c = t.dirty.c
        for part in chunks(sorted(records), PARAMETERS):
            statement = delete(t.dirty).where(c.record.in_(part), c.reason.in_(sorted(reasons)))
            self._db.execute(statement if system is None else statement.where(c.system == system))

    def mark_all_dirty(self, entity: str, reason: str, due: str) -> None:
        """Every record of the entity is to be looked at."""
        c = t.record.c
        every = select(c.id, literal(reason), literal(""), c.entity, literal(due)).where(c.entity == entity)
        names = ["record", "reason", "system", "entity", "due_at"]
        self._db.execute(self._insert(t.dirty).from_select(names, every).on_conflict_do_nothing())

    def records(self, ids: Collection[str]) -> dict[str, Record]:
        """Golden records by id."""
        return {
            row["id"]: make.record_of(row)
            for part in chunks(sorted(ids), PARAMETERS)
            for row in self._all(select(t.record).where(t.record.c.id.in_(part)))
        }

    def links_of(self, records: Collection[str]) -> list[Link]:
        """All links of these records, by system and id."""
        c = t.link.c
        query = select(*make.LINK).order_by(c.record, c.system, c.external_id)
        return [
            make.link_of(row)
            for part in chunks(sorted(records), PARAMETERS)
            for row in self._db.execute(query.where(c.record.in_(part)))
        ]

    def add_births(self, entity: str, run: str, at: str, rows: Sequence[Birth]) -> None:
        """Records of one link each: record, settled link, decision and what is owed."""
        self._rows(
            insert(t.record), ("id", "document", "provenance"),
            [(row.record, row.document, row.provenance) for row in rows],
            entity=entity, version=1, lifecycle="active", created_at=at, updated_at=at,
        )  # fmt: skip
        statement = update(t.link).where(t.link.c.id == bindparam("row"))
        settled = statement.values(
            record=bindparam("to"), state="live", method="created", base=null(), base_state=t.BASE_IS_NOW,
            sent=null(), holds=null(), blanked=0,
        )  # fmt: skip
        self._rows(settled, ("row", "to"), [(row.link, row.record) for row in rows])
        sealed = seal(run, entity, at, "engine", "create")
        self._rows(
            insert(t.decision), ("id", "record", "digest"),
            [(row.decision, row.record, digest(sealed(row.decision, row.record))) for row in rows],
            run=run, entity=entity, at=at, actor="engine", kind="create",
        )  # fmt: skip
        self._rows(
            insert(t.dirty), ("record", "system"), [(row.record, system) for row in rows for system in row.wanted],
            reason="deliver", entity=entity, due_at=at,
        )  # fmt: skip

    def add_records(self, rows: Sequence[Record]) -> None:
        """New golden records."""
        self._many(insert(t.record), [make.record_row(row) for row in rows])

    def change_records(self, rows: Sequence[Record]) -> None:
        """Changed golden records, whole."""
        names = ("document", "provenance", "version", "lifecycle", "updated_at")
        statement = (
            update(t.record)
            .where(t.record.c.id == bindparam("row"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        values = [make.record_row(row) for row in rows]
        self._many(statement, [{"row": v["id"], **{f"new_{n}": v[n] for n in names}} for v in values])

    def settle_links(self, rows: Sequence[Link]) -> None:
        """Keep `base`, `sent`, `holds` and the placing of links."""
        values = [
            {"row": row.id, "to": row.record, "as_state": row.state, "by": row.method, **_prefixed(make.base_of(row))}
            for row in rows
        ]
        names = ("base", "base_state", "sent", "holds", "blanked")
        statement = (
            update(t.link)
            .where(t.link.c.id == bindparam("row"))
            .values(
                record=bindparam("to"),
                state=bindparam("as_state"),
                method=bindparam("by"),
                **{name: bindparam(f"new_{name}") for name in names},
            )
        )
        self._many(statement, values)

    def show_links(self, rows: Sequence[Link], run: str, at: str) -> None:
        """Keep what a read-back showed, with its settlement."""
        names = (*_SIGHTED, "base", "base_state", "sent", "holds", "blanked")
        statement = (
            update(t.link)
            .where(t.link.c.id == bindparam("row"))
            .values(run=run, seen_at=at, **{name: bindparam(f"new_{name}") for name in names})
        )
        self._many(statement, [{"row": row.id, **_prefixed({**_shown(row), **make.base_of(row)})} for row in rows])

    def insert_links(self, rows: Sequence[Link], run: str, at: str) -> None:
        """Links born by our own creates, already settled."""
        values = [
            {
                "id": row.id, "system": row.system, "object": row.object, "entity": row.entity, "record": row.record,
                "state": row.state, "method": row.method, "merged_into": None, "run": run, "seen_at": at,
                **_shown(row), **make.base_of(row),
            }
            for row in rows
        ]  # fmt: skip
        self._many(insert(t.link), values)

    def counts_of_news(self, entity: str, share: float) -> dict[str, tuple[int, int, int]]:
        """Per system with news: linked rows, rows changed since they were settled, rows that lost a value.

        Linked rows are counted only until the others are below this share of them: a run costs what has changed.
        """
        c = t.link.c
        news = (
            select(c.system, func.count(), func.sum(case((c.blanked > 0, 1), else_=0)))
            .where(t.UNSETTLED, c.entity == entity, c.record.is_not(None), c.hash != _NO_HASH)
            .where(c.record.in_(select(t.dirty.c.record).where(t.dirty.c.reason == "observed")))
            .group_by(c.system)
        )
        found = {}
        for system, changed, blanked in self._db.execute(news).all():
            linked = select(c.id).where(c.system == system, c.entity == entity, c.record.is_not(None))
            enough = linked.limit(int(changed / share) + 1).subquery()
            rows = self._db.execute(select(func.count()).select_from(enough)).scalar_one()
            found[system] = (rows, changed, blanked or 0)
        return found

    # -- delivering ----------------------------------------------------------------------------

    def due_deliveries(self, entity: str, system: str, now: str, after: str, limit: int) -> list[str]:
        """Records after this one that may owe this system something."""
        c = t.dirty.c
        query = (
            select(c.record)
            .where(c.entity == entity, c.reason == "deliver", c.system == system, c.due_at <= now, c.record > after)
            .order_by(c.record)
            .limit(limit)
        )
        return list(self._db.execute(query).scalars())

    def add_intents(self, rows: Sequence[Intent]) -> None:
        """Write-ahead: the attempt is on disk before it is sent."""
        self._many(insert(t.intent), [make.intent_row(row) for row in rows])

    def change_intents(self, rows: Sequence[Intent]) -> None:
        """Keep what became of attempts."""
        names = ("state", "attempts", "worker", "lease_until", "due_at", "error", "external_id", "link")
        self._change(t.intent, [make.intent_row(row) for row in rows], names)

    def open_intents(self, entity: str, system: str) -> list[Intent]:
        """Attempts whose end is not known."""
        c = t.intent.c
        query = select(t.intent).where(t.OPEN, c.entity == entity, c.system == system)
        return [make.intent_of(row) for row in self._all(query.order_by(c.created_at, c.id))]

    def attempts_of(self, records: Collection[str]) -> list[Intent]:
        """Attempts at these records whose end is not known."""
        return [
            make.intent_of(row)
            for part in chunks(sorted(records), PARAMETERS)
            for row in self._all(select(t.intent).where(t.OPEN, t.intent.c.record.in_(part)).order_by(t.intent.c.id))
        ]

    # -- runs ----------------------------------------------------------------------------------

    def fingerprint(self, system: str) -> str | None:
        """The environment seen at first contact."""
        return self._db.execute(select(t.system.c.fingerprint).where(t.system.c.name == system)).scalar_one_or_none()

    def put_fingerprint(self, system: str, value: str, at: str) -> None:
        """Remember the environment, or what is in force for one entity of a system (`system/entity`)."""
        statement = self._insert(t.system).values(name=system, fingerprint=value, first_seen=at)
        self._db.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"fingerprint": value}))


def _shared(own: NamedFromClause) -> Exists:
    """Whether another link has this key value too."""
    other = t.match_key.alias("other")
    same = and_(own.c.entity == other.c.entity, own.c.name == other.c.name, own.c.value == other.c.value)
    return exists().where(same, own.c.link != other.c.link)


_SIGHTED = ("now", "hash", "version", "changed_at", "changed_by", "ours", "hub_key")
_NO_HASH = b""


def _sighted(seen: Sighting) -> dict[str, Any]:
    return {"external_id": seen.external_id, **{name: getattr(seen, name) for name in _SIGHTED}}


def _shown(link: Link) -> dict[str, Any]:
    now = dump(link.now)
    return {
        "external_id": link.external_id, "now": now, "hash": digest(now.encode()), "version": link.version,
        "changed_at": link.changed_at, "changed_by": link.changed_by, "ours": link.ours, "hub_key": link.hub_key,
    }  # fmt: skip


def _prefixed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items() if name != "external_id"}
