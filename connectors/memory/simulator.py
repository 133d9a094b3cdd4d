"""`MemoryStore`: a made-up business system in one process, with the habits and faults of real ones as switches.

Not here: the five verbs (`connectors.memory`), and HTTP (the vendors' simulators in their own packages).
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connectors.memory.documents import Fields, written
from connectors.simulation import VirtualClock
from fsm_core.ports import Creates, Deletes, Document, Json

Automation = Callable[[Document], Mapping[str, Json]]
"""Sees the document as just written and returns the fields it changes (possibly none)."""


class StoreError(Exception):
    """The store's own refusal: a code, as vendors give one, and what goes with it."""

    def __init__(self, code: str, message: str, *, field: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Record:
    """One row as the store keeps it. A change makes a new `Record`, so documents may be handed out as they are."""

    id: str
    document: Document
    stamp: datetime
    user: str
    version: int = 1
    deleted: bool = False
    merged_into: str = ""


@dataclass(slots=True)
class FieldRule:
    """What the store does with one field; see `MemoryStore.rule`."""

    hidden: bool = False
    """No permission: not described, not read, a write to it is refused."""
    creatable: bool = True
    writable: bool = True
    """False: read only, as a formula; a write to it is refused."""
    required: bool = False
    length: int | None = None
    values: tuple[str, ...] = ()
    type: str = ""
    label: str = ""
    render: Callable[[Json], Json] | None = None
    """The store's own formatting, e.g. upper case; applied to every value stored."""
    refuse: Callable[[Json], bool] | None = None
    """A validation: True means this value is rejected."""


@dataclass(frozen=True, slots=True)
class _Fault:
    code: str
    message: str
    retry_after: float | None = None


@dataclass(slots=True)
class _Table:
    records: dict[str, Record] = field(default_factory=dict)
    open: dict[str, tuple[datetime, Record]] = field(default_factory=dict)
    """Changes stamped but not yet committed, by record: when they become visible, and what then."""
    rules: dict[str, FieldRule] = field(default_factory=dict)
    actions: dict[str, Automation] = field(default_factory=dict)
    automations: list[tuple[Automation, str]] = field(default_factory=list)


class MemoryStore:
    """Tables of documents on a virtual clock. All switches are plain attributes and may be turned at any time.

    `edit`, `remove`, `merge` are what a person does on the screen; `insert`, `update`, `delete`, `act`
    are what the interface is asked to do, and raise `StoreError`.
    """

    hub_user = "hub"
    person = "ann"
    flag = "archived"
    """The field that `Deletes.FLAGS` sets instead of deleting."""

    def __init__(
        self,
        name: str = "memory",
        *,
        clock: VirtualClock | None = None,
        creates: Creates = Creates.UPSERT_KEY,
        deletes: Deletes = Deletes.TOMBSTONES,
        compare_and_set: bool = True,
        versions: bool = True,
        commit_delay: float = 0.0,
    ) -> None:
        self.name = name
        self.clock = clock or VirtualClock()
        self.creates = creates
        self.deletes = deletes
        self.compare_and_set = compare_and_set
        self.versions = versions
        self.commit_delay = commit_delay
        """Seconds a person's change stays invisible after its stamp."""
        self.history_since: datetime | None = None
        """Cursors from before this moment have expired."""
        self.session = 1
        self._tables: dict[str, _Table] = {}
        self._tokens: dict[str, str] = {}
        self._faults: list[_Fault] = []
        self._lost_answers = 0
        self._lost_writes = 0
        self._blocked: dict[tuple[str, str], _Fault] = {}
        self._writes = 0
        self._last_id = 0
        self._lock = threading.RLock()

    # -- switches ------------------------------------------------------------------------------

    def rule(self, table: str, name: str) -> FieldRule:
        """The rule of a field, to be changed in place: `store.rule("Site", "Name").writable = False`."""
        return self._table(table).rules.setdefault(name, FieldRule())

    def automate(self, table: str, hook: Automation, *, user: str = "") -> None:
        """Run `hook` after every write: as part of it, or as a change of its own when a `user` is named."""
        self._table(table).automations.append((hook, user))

    def action(self, table: str, name: str, hook: Automation) -> None:
        """Offer a named action, e.g. "cancel"."""
        self._table(table).actions[name] = hook

    def throttle(self, seconds: float | None = None, *, times: int = 1, daily: bool = False) -> None:
        """Answer the next calls "too many requests"."""
        code = "QUOTA" if daily else "THROTTLED"
        self._faults.extend([_Fault(code, "too many requests", seconds)] * times)

    def go_down(self, *, times: int = 1) -> None:
        """Refuse the next calls before they have any effect."""
        self._faults.extend([_Fault("DOWN", "out of service")] * times)

    def lose_answers(self, times: int = 1) -> None:
        """Let the next writes take effect and lose their answers."""
        self._lost_answers += times

    def lose_writes(self, times: int = 1) -> None:
        """Lose the next writes on their way: no effect, and no answer either."""
        self._lost_writes += times

    def block(self, table: str, id: str, message: str, *, code: str = "LOCKED") -> None:  # noqa: A002 - as the vendors say
        """Refuse every write to a record: somebody edits it, its period is closed, or it is blocked (`INVALID`)."""
        self._blocked[table, id] = _Fault(code, message)

    def unblock(self, table: str, id: str) -> None:  # noqa: A002 - as the vendors say
        """Take writes to it again."""
        self._blocked.pop((table, id), None)

    def expire_session(self) -> None:
        """Forget every session given out."""
        self.session += 1

    # -- what a person does --------------------------------------------------------------------

    def edit(self, table: str, id: str, fields: Fields, user: str = "", *, late: float | None = None) -> str:  # noqa: A002 - as the vendors say
        """Change a record, or create one when `id` is empty; visible after `late` seconds. Returns the id."""
        with self._lock:
            rows = self._settled(table)
            if id in rows.open:
                self._commit(rows, id)
            document = rows.records[id].document if id else {}
            changed = self._changed(table, id or self._next_id(), written(document, fields), user or self.person)
            self._keep(rows, changed, self.commit_delay if late is None else late)
            return changed.id

    def remove(self, table: str, id: str, user: str = "") -> None:  # noqa: A002 - as the vendors say
        """Delete a record the way this system deletes: softly, or by flag."""
        with self._lock:
            self._remove(table, self._live(table, id), user or self.person)

    def merge(self, table: str, loser: str, survivor: str, user: str = "") -> None:
        """Merge one record into another, which keeps its id and is stamped too."""
        with self._lock:
            kept = self._live(table, survivor)
            rows = self._settled(table)
            gone = replace(self._live(table, loser), deleted=True, merged_into=survivor)
            self._keep(rows, self._stamped(gone, user or self.person))
            self._keep(rows, self._stamped(kept, user or self.person))

    # -- inspection ----------------------------------------------------------------------------

    def rows(self, table: str) -> list[Record]:
        """Every visible row, deleted ones too, by id."""
        with self._lock:
            return sorted(self._settled(table).records.values(), key=lambda row: row.id)

    def live(self, table: str) -> dict[str, Document]:
        """Documents of all live rows by id."""
        return {row.id: row.document for row in self.rows(table) if not row.deleted}

    def counts(self) -> dict[str, dict[str, int]]:
        """Live and deleted rows per table."""
        return {name: {"live": len(self.live(name)), "rows": len(self.rows(name))} for name in self._tables}

    def writes(self) -> int:
        """Record writes asked for since the start or the last `reset_calls`, accepted or not."""
        return self._writes

    def reset_calls(self) -> None:
        """Count from zero again."""
        self._writes = 0

    # -- the interface: what the connector calls -----------------------------------------------

    def enter(self, session: int) -> None:
        """Every call passes here first. Raises the fault that waits, or `SESSION`."""
        with self._lock:
            if self._faults:
                fault = self._faults.pop(0)
                raise StoreError(fault.code, fault.message, retry_after=fault.retry_after)
            if session != self.session:
                raise StoreError("SESSION", "session expired")

    def rules(self, table: str) -> Mapping[str, FieldRule]:
        """The rules of a table's fields; a field without one may be read and written freely."""
        return self._table(table).rules

    def actions(self, table: str) -> tuple[str, ...]:
        """Names of the actions a table offers."""
        return tuple(self._table(table).actions)

    def page(self, table: str, after: tuple[datetime, str], limit: int, where: str = "") -> list[Record]:
        """Up to `limit` rows with (stamp, id) greater than `after`, in that order; `where` is `field=value`."""
        name, _, value = where.partition("=")
        with self._lock:
            rows = self._settled(table).records.values()
            wanted = (
                row
                for row in rows
                if (row.stamp, row.id) > after
                and not (row.deleted and self.deletes is not Deletes.TOMBSTONES)
                and (not where or row.deleted or row.document.get(name) == value)
            )
            return heapq.nsmallest(limit, wanted, key=lambda row: (row.stamp, row.id))

    def get(self, table: str, id: str) -> Record | None:  # noqa: A002 - as the vendors say
        """A row by id; a deleted one only where deletions leave tombstones."""
        with self._lock:
            row = self._settled(table).records.get(id)
            return None if row and row.deleted and self.deletes is not Deletes.TOMBSTONES else row

    def find(self, table: str, name: str, value: str) -> Record | None:
        """The live row whose field has that value; the oldest when there are several."""
        with self._lock:
            rows = self._settled(table).records.values()
            found = (row for row in rows if not row.deleted and row.document.get(name) == value)
            return min(found, key=lambda row: row.id, default=None)

    def insert(self, table: str, fields: Fields, *, key: str = "", token: str = "") -> tuple[Record, bool]:
        """Create a row, or update the one that `key` (a field name) or `token` names; tells whether it is new."""
        with self._lock:
            self._asked()
            twin = self._twin(table, fields, key, token)
            self._admit(table, fields, new=twin is None)
            id_ = twin.id if twin else self._next_id()
            if twin is None or self.creates is Creates.UPSERT_KEY:
                self._store(table, id_, written(twin.document if twin else {}, fields))
            if token and self.creates is Creates.CLIENT_TOKEN:
                self._tokens[token] = id_
            return self._answer(table, id_), twin is None

    def update(self, table: str, id: str, fields: Fields, expected: str = "") -> Record:  # noqa: A002 - as the vendors say
        """Change fields of a live row."""
        with self._lock:
            self._asked()
            row = self._expected(table, id, expected)
            self._admit(table, fields, new=False)
            self._store(table, id, written(row.document, fields))
            return self._answer(table, id)

    def delete(self, table: str, id: str, expected: str = "") -> Record:  # noqa: A002 - as the vendors say
        """Delete a live row."""
        with self._lock:
            self._asked()
            if self.deletes is Deletes.NEVER:
                raise StoreError("NOT_ALLOWED", "records of this kind are never deleted")
            self._remove(table, self._expected(table, id, expected), self.hub_user)
            return self._answer(table, id)

    def act(self, table: str, name: str, id: str, expected: str = "") -> Record:  # noqa: A002 - as the vendors say
        """Run a named action on a live row."""
        with self._lock:
            self._asked()
            row = self._expected(table, id, expected)
            if name not in self._table(table).actions:
                raise StoreError("INVALID", f"no such action: {name}")
            hook = self._table(table).actions[name]
            self._store(table, id, written(row.document, hook(row.document)))
            return self._answer(table, id)

    # -- inside --------------------------------------------------------------------------------

    def _asked(self) -> None:
        self._writes += 1
        if self._lost_writes:
            self._lost_writes -= 1
            raise StoreError("NO_ANSWER", "the connection was lost before the request arrived")

    def _table(self, name: str) -> _Table:
        return self._tables.setdefault(name, _Table())

    def _settled(self, table: str) -> _Table:
        rows = self._table(table)
        for id_ in [id_ for id_, (due, _) in rows.open.items() if due <= self.clock.now()]:
            self._commit(rows, id_)
        return rows

    def _commit(self, rows: _Table, id_: str) -> None:
        _, rows.records[id_] = rows.open.pop(id_)

    def _keep(self, rows: _Table, record: Record, delay: float = 0.0) -> None:
        if delay > 0:
            rows.open[record.id] = (record.stamp + timedelta(seconds=delay), record)
        else:
            rows.open.pop(record.id, None)
            rows.records[record.id] = record

    def _next_id(self) -> str:
        self._last_id += 1
        return f"{self._last_id:06d}"

    def _stamped(self, record: Record, user: str) -> Record:
        return replace(record, stamp=self.clock.now(), user=user, version=record.version + 1)

    def _changed(self, table: str, id_: str, document: Document, user: str) -> Record:
        rules = self._table(table).rules
        shown = {name: _rendered(rules.get(name), value) for name, value in document.items()}
        old = self._table(table).records.get(id_)
        if old is None:
            return Record(id_, shown, self.clock.now(), user)
        return self._stamped(replace(old, document=shown), user)

    def _store(self, table: str, id_: str, document: Document) -> None:
        """Keep what the interface wrote, and let the automations follow."""
        rows = self._settled(table)
        own = [hook for hook, user in rows.automations if not user]
        for hook in own:
            document = written(document, hook(document))
        self._keep(rows, self._changed(table, id_, document, self.hub_user))
        for hook, user in rows.automations:
            changes = hook(rows.records[id_].document) if user else {}
            if changes:
                self._keep(rows, self._changed(table, id_, written(rows.records[id_].document, changes), user))

    def _remove(self, table: str, row: Record, user: str) -> None:
        if self.deletes is Deletes.FLAGS:
            gone = replace(row, document={**row.document, self.flag: True})
        else:
            gone = replace(row, deleted=True)
        self._keep(self._settled(table), self._stamped(gone, user))

    def _live(self, table: str, id_: str) -> Record:
        rows = self._settled(table)
        if id_ in rows.open:
            self._commit(rows, id_)
        row = rows.records.get(id_)
        if row is None or row.deleted:
            raise StoreError("NOT_FOUND", "no such record")
        return row

    def _expected(self, table: str, id_: str, expected: str) -> Record:
        row = self._live(table, id_)
        if fault := self._blocked.get((table, id_)):
            raise StoreError(fault.code, fault.message)
        if self.compare_and_set and expected and expected != str(row.version):
            raise StoreError("CHANGED", f"the record is at version {row.version}, not {expected}")
        return row

    def _twin(self, table: str, fields: Fields, key: str, token: str) -> Record | None:
        if self.creates is Creates.UPSERT_KEY and key:
            found = self.find(table, key, str(fields[key]))
            return self._live(table, found.id) if found else None
        if self.creates is Creates.CLIENT_TOKEN and token in self._tokens:
            return self._live(table, self._tokens[token])
        return None

    def _admit(self, table: str, fields: Fields, *, new: bool) -> None:
        """Refuse the write when a rule forbids one of its fields."""
        for name, rule in self._table(table).rules.items():
            if name in fields:
                _judge(name, rule, fields[name], new=new)
            elif rule.required and new:
                raise StoreError("INVALID", "a value is required", field=name)

    def _answer(self, table: str, id_: str) -> Record:
        if self._lost_answers:
            self._lost_answers -= 1
            raise StoreError("NO_ANSWER", "the connection was lost before the answer came")
        return self._table(table).records[id_]


def _judge(name: str, rule: FieldRule, value: object, *, new: bool) -> None:
    if rule.hidden:
        raise StoreError("NO_FIELD", "no such field", field=name)
    if not (rule.creatable if new else rule.writable):
        raise StoreError("INVALID", "the field is read only", field=name)
    if rule.required and (value is None or value == ""):
        raise StoreError("INVALID", "a value is required", field=name)
    if rule.length is not None and len(str(value or "")) > rule.length:
        raise StoreError("INVALID", f"longer than {rule.length} characters", field=name)
    if rule.values and value is not None and value not in rule.values:
        raise StoreError("INVALID", "not in the list of values", field=name)
    if rule.refuse is not None and not isinstance(value, tuple) and rule.refuse(value):  # type: ignore[arg-type]
        raise StoreError("INVALID", "rejected by a validation", field=name)


def _rendered(rule: FieldRule | None, value: Json) -> Json:
    return rule.render(value) if rule is not None and rule.render is not None else value
