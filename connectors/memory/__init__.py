"""The reference connector: the five verbs over a `MemoryStore`. Copy it to write your own.

Not here: the store itself (`simulator`), nested documents (`documents`), the cursor (`cursor`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import httpx

from connectors.http import Patience, Tap
from connectors.memory.cursor import BEGINNING, Place
from connectors.memory.documents import Fields, project
from connectors.memory.simulator import FieldRule, MemoryStore, Record, StoreError
from fsm_core.errors import (
    CursorExpired,
    Drift,
    HubError,
    Invalid,
    Locked,
    MissingPermission,
    NotFound,
    RateLimited,
    Stale,
    Unauthorised,
    UnknownOutcome,
    Unreachable,
)
from fsm_core.ports import (
    Action,
    Capabilities,
    Change,
    Check,
    Creates,
    Cursor,
    Description,
    FieldCapability,
    KeyRef,
    Object,
    Page,
    Ref,
    State,
    Write,
    Written,
)

__all__ = ["Memory", "MemoryStore", "connect"]

T = TypeVar("T")

ERRORS: Mapping[str, type[HubError]] = {
    "CHANGED": Stale,
    "DOWN": Unreachable,
    "INVALID": Invalid,
    "LOCKED": Locked,
    "NOT_ALLOWED": MissingPermission,
    "NOT_FOUND": NotFound,
    "NO_ANSWER": UnknownOutcome,
    "NO_FIELD": Drift,
    "QUOTA": RateLimited,
    "SESSION": Unauthorised,
    "THROTTLED": RateLimited,
}
"""The one table from the store's code to the remedy."""


class Memory:
    """A connector to one `MemoryStore`. Its settings: page size, overlap, patience, and a fault tap."""

    def __init__(
        self,
        store: MemoryStore,
        *,
        page_size: int = 2000,
        overlap: timedelta = timedelta(minutes=1),
        patience: Patience | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.name = store.name
        self._store = store
        self._page_size = page_size
        self._overlap = overlap
        self._patience = patience or Patience()
        self._tap = tap
        self._session = 0

    # -- the five verbs ------------------------------------------------------------------------

    def check(self) -> Check:
        """Log in, tell who and where we are."""
        self._call("GET", "", self._store.counts)
        return Check(ok=True, fingerprint=self._fingerprint, user=self._store.hub_user)

    def describe(self, objects: Sequence[Object]) -> Description:
        """What this account may do, field by field; a hidden field is left out."""
        found = {obj.name: self._call("GET", obj.name, partial(self._capabilities, obj)) for obj in objects}
        return Description(self._fingerprint, found)

    def changes(self, obj: Object, since: Cursor | None) -> Iterator[Page]:
        """Yield pages in the order of (stamp, id). Each page's cursor is good to resume from."""
        began = self._call("GET", obj.name, self._store.clock.now)
        place = Place.parse(since) if since is not None else Place()
        self._still_known(obj, place)
        after = (place.start(self._overlap), "")
        while True:
            rows = self._page(obj, after)
            found = [self._change(obj, row) for row in rows if since or not (row.deleted and row.stamp < began)]
            fresh = [change for change in found if place.news(change)]
            last = len(rows) < self._page_size
            if rows:
                after = (rows[-1].stamp, rows[-1].id)
            # Never beyond the moment the pass began: what commits late behind it must be read again.
            place = place.after(fresh, began if last else min(began, after[0]), self._overlap)
            if fresh or last:
                yield Page(tuple(fresh), place.cursor(), complete=last and since is None)
            if last:
                return

    def read(self, obj: Object, refs: Sequence[Ref]) -> list[Change]:
        """One answer per reference, in order."""
        return [self._call("GET", obj.name, partial(self._read, obj, ref)) for ref in refs]

    def write(self, obj: Object, writes: Sequence[Write]) -> list[Written]:
        """One outcome per write, in order; an error concerns its own record only."""
        return [self._written(obj, write) for write in writes]

    def close(self) -> None:
        """Give connections back: there are none."""

    # -- one record ----------------------------------------------------------------------------

    def _page(self, obj: Object, after: tuple[datetime, str]) -> list[Record]:
        return self._call("GET", obj.name, lambda: self._store.page(obj.name, after, self._page_size, obj.filter))

    def _read(self, obj: Object, ref: Ref) -> Change:
        if isinstance(ref, KeyRef):
            row = self._store.find(obj.name, ref.field, ref.value)
        else:
            row = self._store.get(obj.name, ref)
        if row is None:
            return Change(id="" if isinstance(ref, KeyRef) else ref, document={}, state=State.MISSING, ref=ref)
        return self._change(obj, row, ref)

    def _change(self, obj: Object, row: Record, ref: Ref | None = None) -> Change:
        hidden = [name for name, rule in self._store.rules(obj.name).items() if rule.hidden]
        return Change(
            id=row.id,
            document={} if row.deleted else project(row.document, obj.fields, hidden),
            version=self._version(row),
            changed_at=row.stamp,
            changed_by=row.user,
            ours=row.user == self._store.hub_user,
            state=State.DELETED if row.deleted else State.LIVE,
            merged_into=row.merged_into,
            key=str(row.document.get(obj.key) or "") if obj.key else "",
            ref=ref,
        )

    def _written(self, obj: Object, write: Write) -> Written:
        try:
            row, created = self._call(write.action, obj.name, lambda: self._send(obj, write), self._repeatable(write))
        except HubError as error:
            return Written(id=write.id, error=error.located(object=obj.name, id=write.id or write.key))
        return Written(id=row.id, version=self._version(row), created=created)

    def _send(self, obj: Object, write: Write) -> tuple[Record, bool]:
        match write.action:
            case Action.CREATE:
                fields: Fields = {**write.fields, obj.key: write.key} if obj.key and write.key else write.fields
                key = obj.key if write.key else ""
                return self._store.insert(obj.name, fields, key=key, token=write.idempotency_key)
            case Action.UPDATE:
                return self._store.update(obj.name, write.id, write.fields, write.expected_version), False
            case Action.DELETE:
                return self._store.delete(obj.name, write.id, write.expected_version), False
        return self._store.act(obj.name, write.action, write.id, write.expected_version), False

    def _repeatable(self, write: Write) -> bool:
        """Whether a write whose answer was lost may simply be sent again."""
        return write.action == Action.CREATE and (
            (self._store.creates is Creates.UPSERT_KEY and bool(write.key))
            or (self._store.creates is Creates.CLIENT_TOKEN and bool(write.idempotency_key))
        )

    # -- the account ---------------------------------------------------------------------------

    @property
    def _fingerprint(self) -> str:
        return f"memory:{self._store.name}"

    def _version(self, row: Record) -> str:
        return str(row.version) if self._store.versions else ""

    def _capabilities(self, obj: Object) -> Capabilities:
        rules = self._store.rules(obj.name)
        key = replace(_capability(rules.get(obj.key)), external_id=self._store.creates is Creates.UPSERT_KEY)
        return Capabilities(
            fields={path: _capability(rules.get(path)) for path in obj.fields if not _hidden(rules.get(path))},
            key=key if obj.key and not _hidden(rules.get(obj.key)) else None,
            creates=self._store.creates,
            deletes=self._store.deletes,
            compare_and_set=self._store.compare_and_set,
            actions=self._store.actions(obj.name),
            overlap=self._overlap,
            others={n: _capability(rule) for n, rule in rules.items() if n not in obj.fields and not rule.hidden},
        )

    def _still_known(self, obj: Object, place: Place) -> None:
        oldest = self._store.history_since
        if oldest is not None and BEGINNING < place.at < oldest:
            raise CursorExpired("the system no longer knows what changed then", system=self.name, object=obj.name)

    # -- one call: what `connectors.http.Edge` does for a connector that speaks HTTP -----------

    def _call(self, action: str, table: str, call: Callable[[], T], repeatable: bool = False) -> T:  # noqa: FBT001, FBT002 - private
        """Log in again once, wait out a short throttle, repeat a lost call that is repeatable."""
        refused: HubError | None = None
        for _ in range(self._patience.attempts):
            if refused is not None:
                self._patience.sleep(_wait(refused) or self._patience.first_wait)
            try:
                return self._once(action, table, call)
            except StoreError as error:
                refused = self._refused(error)
                again = isinstance(refused, RateLimited | Unreachable) or (
                    repeatable and isinstance(refused, UnknownOutcome)
                )
                if not again or (_wait(refused) or 0.0) > self._patience.longest_wait:
                    raise refused from error
        raise refused or Unreachable("not tried", system=self.name)

    def _once(self, action: str, table: str, call: Callable[[], T]) -> T:
        self._touch("before", action, table)
        try:
            self._store.enter(self._session)
        except StoreError as error:
            if error.code != "SESSION":
                raise
            self._session = self._store.session
            self._store.enter(self._session)
        answer = call()
        self._touch("after", action, table)
        return answer

    def _touch(self, moment: str, action: str, table: str) -> None:
        if self._tap is not None:
            method = "GET" if action == "GET" else "POST"
            self._tap(moment, httpx.Request(method, f"https://{self.name}.invalid/{table}/{action}"))

    def _refused(self, error: StoreError) -> HubError:
        if error.code in {"THROTTLED", "QUOTA"}:
            daily = error.code == "QUOTA"
            return RateLimited(str(error), retry_after=error.retry_after, daily=daily, system=self.name)
        kind = ERRORS.get(error.code, Invalid)
        return kind(str(error), system=self.name, field=error.field, code=error.code)


def _wait(error: HubError) -> float | None:
    return error.retry_after if isinstance(error, RateLimited) else None


def _hidden(rule: FieldRule | None) -> bool:
    return rule is not None and rule.hidden


def _capability(rule: FieldRule | None) -> FieldCapability:
    if rule is None:
        return FieldCapability()
    return FieldCapability(
        creatable=rule.creatable,
        writable=rule.writable,
        required=rule.required,
        length=rule.length,
        values=rule.values,
        type=rule.type,
        label=rule.label,
    )


def connect(settings: Mapping[str, Any], **edge_options: Any) -> Memory:  # noqa: ANN401 - patience and tap, as for every connector
    """Make the connector from settings: `store`, and optionally `page_size` and `overlap` in seconds."""
    store = settings.get("store") or MemoryStore(settings.get("name", "memory"))
    overlap = timedelta(seconds=float(settings.get("overlap", 60)))
    return Memory(store, page_size=int(settings.get("page_size", 2000)), overlap=overlap, **edge_options)
