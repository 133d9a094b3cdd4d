"""One transaction on the state: set-based reads and writes over SQLAlchemy Core.

Questions to people are in `people`, their accounts in `persons`, the audit in `audit`.
Not here: decisions, and reads for people (`queries`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import bindparam, case, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from fsm_core.errors import Locked
from fsm_core.model.compare import digest
from fsm_core.state import Arrival, Doc, Intent, Known, Link, Passage, Record, Sighting
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.audit import AuditWork
from fsm_core.store.descriptions import DescriptionWork
from fsm_core.store.keys import KeyWork
from fsm_core.store.people import PeopleWork
from fsm_core.store.persons import PersonRows
from fsm_core.store.pins import PinWork
from fsm_core.store.references import ReferenceWork, is_fresh
from fsm_core.store.reverts import RevertRows
from fsm_core.store.rows import dump
from fsm_core.store.stops import StopRows
from fsm_core.sync.types import HUB


@contextmanager
def _alone() -> Iterator[None]:
    """At most one attempt at a record is open in a system; the transaction of a second one is lost."""
    try:
        yield
    except IntegrityError:
        raise Locked("another process writes the same record at this moment") from None


class SqlWork(
    KeyWork, ReferenceWork, PeopleWork, PinWork, PersonRows, DescriptionWork, RevertRows, AuditWork, StopRows
):
    """Implements `fsm_core.state.Work` on one connection."""

    # -- pages ---------------------------------------------------------------------------------

    def known_links(self, system: str, obj: str, entity: str, ids: Sequence[str]) -> dict[str, Known]:
        """What is known of these external ids."""
        c = t.link.c
        where = (c.system == system, c.object == obj, c.entity == entity, self._among(c.external_id, ids))
        query = select(c.external_id, c.id, c.hash, c.version, c.state, c.record, c.base_state).where(*where)
        found = {row[0]: Known(*row[1:]) for row in self._db.execute(query)}
        if fresh := self._fresh([known.id for known in found.values()]):
            found |= {
                n: known._replace(record=None, base_state=t.BASE_UNKNOWN)
                for n, known in found.items()
                if known.id in fresh
            }
        return found

    def count_links(self, system: str, obj: str, entity: str) -> int:
        """How many records are believed to be there."""
        c = t.link.c
        there = c.state.not_in(["ended", "unlinked", "merged", "detached"])
        query = select(func.count()).where(c.system == system, c.object == obj, c.entity == entity, there)
        return int(self._db.execute(query).scalar_one())

    def add_links(self, where: tuple[str, str, str], run: str, rules: str, at: str, rows: Sequence[Arrival]) -> bool:
        """First sightings in one system, object and entity; False, and nothing done, when one is known already.

        What can be a record by itself under these rules is fresh; of the others the base is unknown.
        """
        system, obj, entity = where
        values = [(row.link, row.record, *(_FOUNDING if row.record else _WAITING), *row.seen) for row in rows]
        try:
            with self._db.begin_nested():
                self._add(
                    t.link, ("id", "record", "base_state", "method", "external_id", *_SIGHTED), values,
                    system=system, object=obj, entity=entity, run=run, seen_at=at, state="live", base=None,
                    sent=None, holds=None, blanked=0, merged_into=None,
                )  # fmt: skip
        except IntegrityError:
            return False
        self._add_fresh(entity, rules, [(row.link, row.wanted) for row in rows if row.record])
        self.add_keys((key, row.link) for row in rows for key in row.keys)
        return True

    def change_links(self, run: str, at: str, rows: Sequence[tuple[Known, Sighting, int]]) -> None:
        """New observations; the base stays what it was. The number tells how many values went blank."""
        self._before_change([known.id for known, _, _ in rows])
        c = t.link.c
        settled = c.base_state == t.BASE_IS_NOW
        statement = (
            update(t.link)
            .where(c.id == bindparam("row"))
            .values(
                base=case((settled, c.now), else_=c.base),
                base_state=case((settled, t.BASE_OWN), else_=c.base_state),
                blanked=c.blanked + bindparam("lost"),
                state=case(*((c.state == was, "live") for was in _ASLEEP), else_=c.state),
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
        self._keep_documents([known.id for known, _ in rows])
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
        found = self._db.execute(select(c.id, c.now).where(self._among(c.id, links)))
        return {row[0]: orjson.loads(row[1]) for row in found}

    def write_journal(self, run: str, at: str, rows: Sequence[tuple[int, str, Doc]]) -> None:
        """What changed, per field [before, after]. A first sighting is kept by the link itself."""
        self._many(
            insert(t.journal).inline(),
            [{"link": n, "run": run, "at": at, "changed_by": by, "changes": dump(changes)} for n, by, changes in rows],
        )

    def end_links(self, at: str, rows: Sequence[tuple[int, str]]) -> None:
        """Deleted there; the second value is the survivor's id when it was merged away."""
        self.unfresh([number for number, _ in rows])
        statement = (
            update(t.link)
            .where(t.link.c.id == bindparam("row"))
            .values(state="ended", merged_into=bindparam("survivor"), seen_at=at)
        )
        self._many(statement, [{"row": number, "survivor": survivor or None} for number, survivor in rows])

    def mark_dirty(self, entity: str, rows: Iterable[tuple[str, str, str, str]]) -> None:
        """Rows of record, reason, system ("" for all) and due time; an earlier due time wins."""
        base = self._insert(t.dirty)
        new = base.excluded.due_at
        statement = base.on_conflict_do_update(
            index_elements=["entity", "reason", "system", "record"],
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

    def unplaced(self, entity: str, after: int, limit: int) -> list[Link]:
        """Live links without a record, by id."""
        c = t.link.c
        query = select(*make.LINK).where(t.UNPLACED, c.entity == entity, c.id > after).order_by(c.id).limit(limit)
        return list(map(make.link_of, self._db.execute(query)))

    def every_link(self, entity: str, after: int, limit: int) -> list[Link]:
        """All links of an entity, by id."""
        c = t.link.c
        query = select(*make.LINK).where(c.entity == entity, c.id > after).order_by(c.id).limit(limit)
        return list(map(make.link_of, self._db.execute(query)))

    def links(self, ids: Collection[int]) -> list[Link]:
        """Links by their own id."""
        query = select(*make.LINK).where(self._among(t.link.c.id, ids)).order_by(t.link.c.id)
        found = list(map(make.link_of, self._db.execute(query)))
        fresh = self._fresh(ids)
        for link in found:
            if link.id in fresh:
                link.record, link.base, link.method = None, None, ""
        return found

    def apart(self, links: Collection[int]) -> frozenset[tuple[int, int]]:
        """Pairs among these links that a person judged to be different things."""
        c = t.apart.c
        return frozenset((row[0], row[1]) for row in self._db.execute(select(c.a, c.b).where(self._among(c.a, links))))

    def put_apart(self, pairs: Iterable[tuple[int, int]], by: str, at: str) -> None:
        """Remember "not the same"."""
        values = [{"a": min(pair), "b": max(pair), "by": by, "at": at} for pair in pairs]
        self._many(self._insert(t.apart).on_conflict_do_nothing(), values)

    def drop_apart(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Forget "not the same" of these pairs, the smaller id first."""
        c = t.apart.c
        statement = delete(t.apart).where(c.a == bindparam("one"), c.b == bindparam("other"))
        self._many(statement, [{"one": one, "other": other} for one, other in pairs])

    def newcomers(self, entity: str) -> list[int]:
        """All links of an entity that nobody has placed yet."""
        c, f = t.link.c, t.fresh.c
        unplaced = select(c.id).where(t.UNPLACED, c.entity == entity)
        fresh = select(f.link).where(f.entity == entity)
        return sorted({*self._db.execute(unplaced).scalars(), *self._db.execute(fresh).scalars()})

    def place(self, rows: Sequence[tuple[int, str | None, str, str]]) -> None:
        """Give links their record, state and the method that found it."""
        self._before_change([row[0] for row in rows])
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

    def clear_dirty(
        self, entity: str, records: Collection[str], reasons: Collection[str], system: str | None = ""
    ) -> None:
        """These records need no further look for these reasons; "" is no system in particular, None is any."""
        c = t.dirty.c
        meant = [c.entity == entity, c.reason.in_(sorted(reasons)), self._among(c.record, records)]
        self._db.execute(delete(t.dirty).where(*meant, *([] if system is None else [c.system == system])))

    def mark_all_dirty(self, entity: str, reason: str, due: str) -> None:
        """Every record of the entity is to be looked at."""
        c = t.record.c
        every = select(c.id, literal(reason), literal(""), c.entity, literal(due))
        every = every.where(c.entity == entity, c.lifecycle != "merged")
        names = ["record", "reason", "system", "entity", "due_at"]
        self._db.execute(self._insert(t.dirty).from_select(names, every).on_conflict_do_nothing())

    def records(self, ids: Collection[str]) -> dict[str, Record]:
        """Golden records by id."""
        rows = self._all(select(t.record).where(self._among(t.record.c.id, ids)))
        told = make.TOLD_BY_LINK.where(self._among(t.record.c.id, [r["id"] for r in rows if r["document"] is None]))
        says = {row[0]: make.told_by_link(*row[1:]) for row in self._db.execute(told)}
        return {row["id"]: make.record_of(row, says.get(row["id"])) for row in rows}

    def links_of(self, records: Collection[str]) -> list[Link]:
        """All links of these records, by system and id."""
        c = t.link.c
        mine = select(*make.LINK).where(self._among(c.record, records)).order_by(c.record, c.system, c.external_id)
        return list(map(make.link_of, self._db.execute(mine)))

    def add_records(self, rows: Sequence[Record]) -> None:
        """New golden records."""
        self._many(insert(t.record), [make.record_row(row) for row in rows])

    def change_records(self, rows: Sequence[Record]) -> None:
        """Changed golden records, whole."""
        names = ("document", "provenance", "version", "lifecycle", "updated_at", "merged_into", "handover")
        statement = (
            update(t.record)
            .where(t.record.c.id == bindparam("row"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        values = [make.record_row(row) for row in rows]
        self._many(statement, [{"row": v["id"], **{f"new_{n}": v[n] for n in names}} for v in values])

    def put_handovers(self, rows: Sequence[tuple[str, Passage | None]]) -> None:
        """Keep of records nothing but the hand-over that is about to be, or that there is none."""
        statement = update(t.record).where(t.record.c.id == bindparam("row")).values(handover=bindparam("passage"))
        self._many(statement, [{"row": row, "passage": make.passage_text(passage)} for row, passage in rows])

    def settle_links(self, rows: Sequence[Link]) -> None:
        """Keep `base`, `sent`, `holds` and the placing of links."""
        self._before_change([row.id for row in rows])
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
        self._before_change([row.id for row in rows])
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

    def heard(self, entity: str) -> dict[str, str]:
        """Per system when a page of this entity came from it last, also one with nothing new."""
        c = t.cursor.c
        query = select(c.system, func.max(c.moved_at)).where(c.entity == entity).group_by(c.system)
        return {row[0]: row[1] for row in self._db.execute(query)}

    def counts_of_news(self, entity: str, share: float) -> dict[str, tuple[int, int, int]]:
        """Per system with news: linked rows, rows changed since they were settled, rows that lost a value.

        What persons say in the hub itself is no mass change of a system.
        Linked rows are counted only until the others are below this share of them: a run costs what has changed.
        """
        c = t.link.c
        due = select(t.dirty.c.record).where(t.dirty.c.entity == entity, t.dirty.c.reason == "observed")
        news = (
            select(c.system, func.count(), func.sum(case((c.blanked > 0, 1), else_=0)))
            .where(t.UNSETTLED, c.entity == entity, c.record.is_not(None), c.hash != _NO_HASH, c.system != HUB)
            .where(c.record.in_(due))
            .group_by(c.system)
        )
        found = {}
        for system, changed, blanked in self._db.execute(news).all():
            linked = select(c.id).where(c.system == system, c.entity == entity, c.record.is_not(None), ~is_fresh())
            enough = linked.limit(int(changed / share) + 1).subquery()
            rows = self._db.execute(select(func.count()).select_from(enough)).scalar_one()
            found[system] = (rows, changed, blanked or 0)
        return found

    def counts_of_endings(self, entity: str) -> dict[str, tuple[int, int]]:
        """Per system in which records ended that nobody decided on yet: linked rows, and those; merged ones aside."""
        c = t.link.c
        due = select(t.dirty.c.record).where(t.dirty.c.entity == entity, t.dirty.c.reason == "observed")
        mine = (c.entity == entity, c.record.is_not(None))
        ended = select(c.system, func.count()).where(t.ENDED, *mine, c.merged_into.is_(None), c.record.in_(due))
        found = {}
        for system, count in self._db.execute(ended.group_by(c.system)).all():
            there = c.state.not_in(["unlinked", "merged", "detached"])
            rows = select(func.count()).where(*mine, c.system == system, there)
            found[system] = (self._db.execute(rows).scalar_one(), count)
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
        """Write-ahead: the attempt is on disk before it is sent. Raises `Locked` when another one is open."""
        with _alone():
            self._many(insert(t.intent), [make.intent_row(row) for row in rows])

    def held_in(self, system: str, obj: str, records: Collection[str]) -> set[str]:
        """Those of these records that live there."""
        c = t.link.c
        here = (c.system == system, c.object == obj, c.state == "live")
        return set(self._db.execute(select(c.record).where(self._among(c.record, records), *here)).scalars())

    def change_intents(self, rows: Sequence[Intent]) -> None:
        """Keep what became of attempts. Raises `Locked` when one is to begin again and another one is open."""
        names = ("state", "attempts", "worker", "lease_until", "due_at", "error", "external_id", "link")
        with _alone():
            self._change(t.intent, [make.intent_row(row) for row in rows], names)

    def open_intents(self, entity: str, system: str) -> list[Intent]:
        """Attempts whose end is not known."""
        c = t.intent.c
        query = select(t.intent).where(t.OPEN, c.entity == entity, c.system == system)
        return [make.intent_of(row) for row in self._all(query.order_by(c.created_at, c.id))]

    def attempts_of(self, records: Collection[str]) -> list[Intent]:
        """Attempts at these records whose end is not known."""
        mine = select(t.intent).where(t.OPEN, self._among(t.intent.c.record, records)).order_by(t.intent.c.id)
        return list(map(make.intent_of, self._all(mine)))

    # -- runs ----------------------------------------------------------------------------------

    def fingerprint(self, system: str) -> str | None:
        """The environment seen at first contact."""
        return self._db.execute(select(t.system.c.fingerprint).where(t.system.c.name == system)).scalar_one_or_none()

    def put_fingerprint(self, system: str, value: str, at: str) -> None:
        """Remember the environment, or what is in force for one entity of a system (`system/entity`)."""
        statement = self._insert(t.system).values(name=system, fingerprint=value, first_seen=at)
        self._db.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"fingerprint": value}))


_SIGHTED = ("now", "hash", "version", "changed_at", "changed_by", "ours", "hub_key")
_NO_HASH = b""
_ASLEEP = ("ended", "unlinked", "invalid")
"""States that end when the system shows the record again."""
_FOUNDING, _WAITING = (t.BASE_IS_NOW, "created"), (t.BASE_UNKNOWN, "")
"""`base_state` and `method` of a new link."""


def _sighted(seen: Sighting) -> dict[str, Any]:
    return {"external_id": seen.external_id, **{name: getattr(seen, name) for name in _SIGHTED}}


def _shown(link: Link) -> dict[str, Any]:
    now = dump(link.now)
    return {
        "external_id": link.external_id, "now": now, "hash": link.hash or digest(now.encode()), "version": link.version,
        "changed_at": link.changed_at, "changed_by": link.changed_by, "ours": link.ours, "hub_key": link.hub_key,
    }  # fmt: skip


def _prefixed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items() if name != "external_id"}
