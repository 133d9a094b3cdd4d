"""Rows of a query answer as changes: plain documents, exact numbers, instants in UTC.

A page is parsed by orjson. Where a number with a fraction turns up, the page is parsed once more by
the standard library, which hands over the digits as they stand on the wire: `1250.50` stays `1250.50`
and never goes through a float. Not here: which rows are asked for, and in what order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from connectors.salesforce.ids import full_id
from connectors.salesforce.parts import TOLD, Folder, newest, parts_of, version
from connectors.salesforce.soql import system_fields
from connectors.salesforce.transport import Answer
from fsm_core.errors import Unreachable
from fsm_core.ports import Change, Object, Ref, State

Row = dict[str, Any]
MOMENTS_KEPT = 100
INSTANT_LENGTH = len("2026-01-05T08:00:00.000+0000")


class Reader:
    """Reads the pages of one object; remembers whether its numbers need the exact parser."""

    def __init__(
        self, obj: Object, me: Callable[[], str], more: Callable[[str], Answer], extra: Iterable[str] = ()
    ) -> None:
        """`more` reads the further pages of a list inside a row."""
        asked = {path.partition(".")[0] for path in (*obj.fields, *extra)}
        self._folder = Folder(obj, lambda url: more(url).document(exact=True)) if parts_of(obj) else None
        read = (*system_fields(obj.name), obj.key, *(self._folder.pointers if self._folder else ()))
        self._unasked = tuple(name for name in read if name and name not in asked)
        self._key = obj.key
        self._restamp = "SystemModstamp" in asked
        self._me = me
        self._mine: str | None = None
        self._exact = self._folder is not None  # folding is done once, and positions are fractions
        self._moments: dict[str, datetime] = {}

    def rows(self, answer: Answer) -> tuple[list[Row], str]:
        """The rows of a page, cleaned but with their system fields, and the URL of the next page."""
        page = answer.document(exact=self._exact)
        rows = _records(page)
        told = [self._folder.fold(row) for row in rows] if self._folder else ()
        if _cleaned(rows) and not self._exact:
            self._exact = True
            page = answer.document(exact=True)
            rows = _records(page)
            _cleaned(rows)
        for row, parts in zip(rows, told, strict=False):
            row[TOLD] = parts
        return rows, "" if page.get("done", True) else str(page["nextRecordsUrl"])

    def change(self, row: Row, ref: Ref | None = None, also: Iterable[tuple[str, str]] = ()) -> Change:
        """One row as a change; takes the row's fields over.

        `also`: stamp and user of further changes that belong to it, such as the deletion of a part.
        """
        token = stamp = moved = row["SystemModstamp"]
        deleted = row.get("IsDeleted") is True
        by = row.get("LastModifiedById") or ""
        if self._mine is None:
            self._mine = self._me()
        if self._folder is not None:
            parts = row.pop(TOLD)
            token = version(stamp, parts)
            moved, by = newest([(stamp, by), *also, *((at, who) for at, who, _ in parts)], self._mine)
        change = Change(
            row["Id"],
            {} if deleted else row,
            token,
            self._moment(moved),
            by,
            by != "" and by == self._mine,
            State.DELETED if deleted else State.LIVE,
            full_id(row.get("MasterRecordId") or ""),
            str(row.get(self._key) or "") if self._key else "",
            ref,
        )
        for name in self._unasked:
            row.pop(name, None)
        if self._restamp:
            row["SystemModstamp"] = _utc(stamp)
        return change

    def _moment(self, stamp: str) -> datetime:
        found = self._moments.get(stamp)
        if found is None:
            if len(self._moments) >= MOMENTS_KEPT:
                self._moments.clear()  # stamps come in order: only the last few repeat
            found = self._moments[stamp] = datetime.fromisoformat(stamp)
        return found


def _records(page: Row) -> list[Row]:
    rows = page.get("records")
    if not isinstance(rows, list):
        raise Unreachable("the answer holds no records")
    for row in rows:
        row.pop("attributes", None)
    return rows


def _cleaned(rows: list[Row]) -> bool:
    """Tidy nested rows and instants; whether a number with a fraction is among the values.

    Decided by column, not by value: a page has thousands of rows and few columns, and a field has one type.
    """
    fractions = False
    for name in rows[0] if rows else ():
        sample = next((value for row in rows if (value := row.get(name)) is not None), None)
        if isinstance(sample, dict | list):
            for row in rows:
                row[name] = value = _nested(row.get(name))
                fractions = fractions or _fraction(value)
        elif isinstance(sample, int | float):
            fractions = fractions or any(row.get(name).__class__ is float for row in rows)
        elif name != "SystemModstamp" and _is_instant(sample):
            for row in rows:
                row[name] = _utc(row.get(name))
    return fractions


def _fraction(value: Any) -> bool:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return any(map(_fraction, value.values()))
    return any(map(_fraction, value)) if isinstance(value, list) else value.__class__ is float


def _nested(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _nested(inner) for name, inner in value.items() if name != "attributes"}
    if isinstance(value, list):
        return [_nested(inner) for inner in value]
    return _utc(value)


def _is_instant(value: object) -> bool:
    return isinstance(value, str) and len(value) == INSTANT_LENGTH and value.endswith("+0000") and value[10] == "T"


def _utc(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """`2026-01-05T08:00:00.000+0000` as `2026-01-05T08:00:00Z`; milliseconds stay where there are any."""
    return value.removesuffix("+0000").removesuffix(".000") + "Z" if _is_instant(value) else value
