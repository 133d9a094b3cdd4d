"""Writes as sObject collections: planned into calls, sent, and answered one outcome per write.

Not here: reading back what the org made of a write; the engine asks `read` for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from connectors.http import REPEATABLE, Edge
from connectors.salesforce import errors
from connectors.salesforce.ids import full_id
from connectors.salesforce.transport import PLACEHOLDER
from fsm_core.errors import HubError, Invalid, Misconfigured, NotFound, UnknownOutcome, Unreachable
from fsm_core.ports import Action, Json, Object, Row, Write, Written

BATCH = 200
"""Records per collections call."""
UNREADABLE = "JSON_PARSER_ERROR"
"""One value of the wrong type makes the whole body unreadable."""
LOCKED_WITH = {"Contact": "AccountId", "Address": "ParentId", "AssociatedLocation": "ParentRecordId"}
"""A save of these locks the record they point to: sorted by it, writers do not wait for each other crosswise."""
Placed = tuple[int, Write]


@dataclass(slots=True)
class Batch:
    """Writes of one kind that go out in one call; no record occurs twice."""

    action: str
    keyed: bool
    writes: list[Placed] = field(default_factory=list)
    records: set[str] = field(default_factory=set)

    def fits(self, write: Write) -> bool:
        """Whether the write is of this kind and there is room."""
        return self.action == write.action and self.keyed == _keyed(write) and len(self.writes) < BATCH

    def add(self, place: int, write: Write) -> None:
        """Take the write in."""
        self.writes.append((place, write))
        self.records |= names_of(write)


def plan(writes: Sequence[Placed]) -> list[Batch]:
    """As few calls as possible; writes to the same record stay in order, in calls of their own."""
    batches: list[Batch] = []
    for place, write in writes:
        names = names_of(write)
        first = max((n + 1 for n, batch in enumerate(batches) if batch.records & names), default=0)
        batch = next((batch for batch in batches[first:] if batch.fits(write)), None)
        if batch is None:
            batch = Batch(write.action, _keyed(write))
            batches.append(batch)
        batch.add(place, write)
    return batches


def _keyed(write: Write) -> bool:
    return write.action == Action.CREATE and write.key != ""


def names_of(write: Write) -> set[str]:
    """What the record of a write is known by."""
    return {name for name in (write.id and "id " + full_id(write.id), write.key and "key " + write.key) if name}


class Writer:
    """Sends the writes of one object."""

    def __init__(self, edge: Edge, obj: Object, version: str, headers: dict[str, str]) -> None:
        self._edge = edge
        self._obj = obj
        self._url = f"https://{PLACEHOLDER}/services/data/v{version}/composite/sobjects"
        self._headers = headers

    def write(self, writes: Sequence[Write]) -> list[Written]:
        """One outcome per write, in order. Raises `Misconfigured` only when nothing was written yet."""
        outcomes: dict[int, Written] = {}
        good: list[Placed] = []
        for place, write in enumerate(writes):
            problem = self._unsendable(write)
            if problem is None:
                good.append((place, write))
            else:
                outcomes[place] = self._failed(problem, write)
        stopped: HubError | None = None
        for batch in plan(good):
            batch.writes.sort(key=self._lock)
            if stopped is None:
                stopped = self._send(batch.writes, outcomes)
                if isinstance(stopped, Misconfigured) and not any(done.error is None for done in outcomes.values()):
                    raise stopped
            else:
                self._skip(batch.writes, outcomes, stopped)
        return [outcomes[place] for place in range(len(writes))]

    def _lock(self, placed: Placed) -> str:
        return str(placed[1].fields.get(LOCKED_WITH.get(self._obj.name, ""), ""))

    def _unsendable(self, write: Write) -> HubError | None:
        if write.action not in set(Action):
            return Invalid(f"Salesforce objects have no action {write.action!r}")
        if write.action != Action.CREATE and not write.id:
            return Invalid(f"an {write.action} needs the record's id")
        children = [name for name, value in write.fields.items() if _holds_rows(value)]
        if children:
            return Invalid("child rows are records of their own in Salesforce", field=children[0])
        return None

    def _send(self, writes: list[Placed], outcomes: dict[int, Written]) -> HubError | None:
        """Fill in the outcomes; returns the error that makes further calls pointless now."""
        try:
            answer = self._answer(self._edge.send(self._request(writes)), len(writes))
        except Invalid as error:
            return self._halved(writes, outcomes, error)
        except HubError as error:
            for place, write in writes:
                outcomes[place] = self._failed(again(error), write)
            return error
        for (place, write), item in zip(writes, answer, strict=True):
            outcomes[place] = self._written(write, item)
        return None

    def _halved(self, writes: list[Placed], outcomes: dict[int, Written], error: Invalid) -> HubError | None:
        """A body that cannot be read fails as a whole, with nothing done: find the record that spoils it."""
        if len(writes) == 1 or error.code != UNREADABLE:
            for place, write in writes:
                outcomes[place] = self._failed(again(error), write)
            return None
        middle = len(writes) // 2
        stopped = self._send(writes[:middle], outcomes)
        if stopped is not None:
            self._skip(writes[middle:], outcomes, stopped)
            return stopped
        return self._send(writes[middle:], outcomes)

    def _skip(self, writes: list[Placed], outcomes: dict[int, Written], cause: HubError) -> None:
        for place, write in writes:
            lost = isinstance(cause, UnknownOutcome)
            reason = Unreachable("not sent: the call before it failed") if lost else again(cause)
            outcomes[place] = self._failed(reason, write)

    def _request(self, writes: list[Placed]) -> httpx.Request:
        first = writes[0][1]
        if first.action == Action.DELETE:
            query = {"ids": ",".join(full_id(write.id) for _, write in writes), "allOrNone": "false"}
            return self._edge.build_request("DELETE", self._url, params=query, headers=self._headers)
        records = [self._record(write) for _, write in writes]
        url = f"{self._url}/{self._obj.name}/{self._obj.key}" if _keyed(first) else self._url
        # An upsert by our own key may be repeated. A plain update may not: a person may have written in between.
        return self._edge.build_request(
            "POST" if first.action == Action.CREATE and not _keyed(first) else "PATCH",
            url,
            content=orjson.dumps({"allOrNone": False, "records": records}),
            headers={**self._headers, "Content-Type": "application/json"},
            extensions={REPEATABLE: True} if _keyed(first) else {},
        )

    def _record(self, write: Write) -> dict[str, Any]:
        record: dict[str, Any] = {"attributes": {"type": self._obj.name}}
        for path, value in write.fields.items():
            _put(record, path.split("."), value)
        if write.action == Action.UPDATE:
            record["Id"] = full_id(write.id)
        elif write.key:
            record[self._obj.key] = write.key
        return record

    def _answer(self, response: httpx.Response, expected: int) -> list[dict[str, Any]]:
        try:
            found = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            found = None
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise UnknownOutcome(f"answered {response.status_code}")
        if errors.redirected(response.status_code):
            raise UnknownOutcome(errors.ELSEWHERE, code=str(response.status_code))
        if response.status_code >= httpx.codes.MULTIPLE_CHOICES:
            raise errors.of_call(response.status_code, found)
        if not isinstance(found, list) or len(found) != expected or not all(isinstance(item, dict) for item in found):
            raise UnknownOutcome("the answer to a write is not the list it should be")
        return found

    def _written(self, write: Write, item: dict[str, Any]) -> Written:
        if item.get("success") is not True:
            error = errors.of_item(item.get("errors") or [])
            if isinstance(error, NotFound) and write.action == Action.CREATE:  # what is gone is a record it points to
                error = Invalid(error.message, code=error.code, field=error.field)
            return self._failed(error, write)
        created = bool(item.get("created", write.action == Action.CREATE))
        return Written(full_id(str(item.get("id") or write.id)), created=created)

    def _failed(self, error: HubError, write: Write) -> Written:
        where = full_id(write.id) or write.key
        return Written(full_id(write.id), error=error.located(object=self._obj.name, id=where))


def _holds_rows(value: object) -> bool:
    return isinstance(value, tuple) and any(isinstance(row, Row) for row in value)


def _put(record: dict[str, Any], path: list[str], value: Json | tuple[Row, ...]) -> None:
    """`Parent.Key__c` names the parent by its own external id; clearing that clears the parent."""
    *parents, last = path
    for name in parents:
        if value is None:
            record[name] = None
            return
        record = record.setdefault(name, {})
    record[last] = value


def again(error: HubError) -> HubError:
    """A copy, so that each record's outcome can be located by itself."""
    copy = type(error).__new__(type(error), *error.args)
    copy.__dict__.update(error.__dict__)
    copy.__cause__ = error
    return copy
