"""Records by id or by a unique field, one answer per reference, in as few calls as a URL allows.

Not here: changes since a cursor (`changes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from connectors.salesforce import soql
from connectors.salesforce.ids import full_id, is_id
from connectors.salesforce.records import Reader, Row
from connectors.salesforce.transport import Library
from fsm_core.ports import Change, KeyRef, Object, Ref, State


def read(library: Library, obj: Object, refs: Sequence[Ref], me: Callable[[], str]) -> list[Change]:
    """What each reference names now; deleted rows are found while they are in the recycle bin."""
    wanted: dict[str, dict[str, None]] = {}
    for field, value in map(_named, refs):
        if field != "Id" or is_id(value):
            wanted.setdefault(field, {})[value] = None
    found = {field: _Found(library, obj, field, list(values), me) for field, values in wanted.items()}
    return [
        found[field].answer(value, ref) if field in found else _missing(ref) for ref, (field, value) in _pairs(refs)
    ]


def _pairs(refs: Sequence[Ref]) -> Iterator[tuple[Ref, tuple[str, str]]]:
    return ((ref, _named(ref)) for ref in refs)


def _named(ref: Ref) -> tuple[str, str]:
    if isinstance(ref, KeyRef) and ref.field != "Id":
        return ref.field, ref.value
    return "Id", full_id(ref.value if isinstance(ref, KeyRef) else ref)


class _Found:
    """The rows of one look-up by one field. SOQL compares text without case unless the field says otherwise."""

    def __init__(self, library: Library, obj: Object, field: str, values: Sequence[str], me: Callable[[], str]) -> None:
        self._reader = Reader(obj, me, library.more, extra=(field,))
        self._asked = {path.partition(".")[0] for path in obj.fields}
        self._field = field
        self._exact: dict[str, Row] = {}
        self._folded: dict[str, Row] = {}
        for query in soql.lookups(obj, field, values):
            self._load(library, query)

    def _load(self, library: Library, query: str) -> None:
        rows, following = self._reader.rows(library.query(query))
        self._keep(rows)
        while following:
            rows, following = self._reader.rows(library.more(following))
            self._keep(rows)

    def _keep(self, rows: list[Row]) -> None:
        for row in sorted(rows, key=lambda row: row.get("IsDeleted") is not True):  # a living row wins
            value = str(row[self._field])
            self._exact[value] = row
            self._folded[value.casefold()] = row

    def answer(self, value: str, ref: Ref) -> Change:
        row = self._exact.get(value)
        if row is None and self._field != "Id":
            row = self._folded.get(value.casefold())
        if row is None:
            return _missing(ref)
        row = dict(row)
        change = self._reader.change(row, ref)
        if self._field not in self._asked:
            row.pop(self._field, None)
        return change


def _missing(ref: Ref) -> Change:
    return Change(
        "" if isinstance(ref, KeyRef) and ref.field != "Id" else _named(ref)[1], {}, state=State.MISSING, ref=ref
    )
