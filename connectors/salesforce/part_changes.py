"""The changes of a whole: those of its own row, then those of parts whose stamp moved while its own did not.

A pass without news costs one call for the whole and one for each kind of part. Not here: the pass over one object
(`changes`), and what is a part of what (`parts`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import orjson

from connectors.salesforce import soql
from connectors.salesforce.auth import Identity
from connectors.salesforce.changes import Pass, print_of
from connectors.salesforce.cursor import Progress
from connectors.salesforce.parts import Part, fields_of, parts_of
from connectors.salesforce.records import Reader, Row
from connectors.salesforce.transport import Library
from fsm_core.errors import CursorExpired
from fsm_core.ports import Change, Cursor, Object, Page, Ref, State

Touched = dict[str, dict[str, list[tuple[str, str]]]]
"""Field of the whole -> value there -> stamp and user of each change of a part."""


class PartReader(Reader):
    """Reads parts; a deleted one still says which whole it was of."""

    def change(self, row: Row, ref: Ref | None = None, also: Iterable[tuple[str, str]] = ()) -> Change:
        """As in the base, with the document of a deleted row too."""
        return super().change(dict(row), ref, also)._replace(document=row)


class WholePass:
    """Reads what lies behind a cursor; the cursor holds one place for the whole and one for each kind of part."""

    def __init__(
        self, library: Library, obj: Object, since: Cursor | None, *, overlap: float, who: Callable[[], Identity]
    ) -> None:
        self._library = library
        self._obj = obj
        self._parts = parts_of(obj)
        self._begins = since is None
        self._places = {} if since is None else loads(since, self._parts)
        self._own = Pass(library, obj, self._places.get(obj.name), overlap=overlap, who=who)
        self._overlap, self._who = overlap, who

    def pages(self) -> Iterator[Page]:
        """At least one page. A pass from the start has seen all parts together with their wholes."""
        for page in self._own.pages():
            if self._begins:
                start = Progress(self._own.floor).dumps()
                self._places |= {part.object: start for part in self._parts}
            yield replace(page, cursor=self._cursor(self._obj.name, page.cursor))
        if not self._begins:
            for part in self._parts:
                yield from self._of(part)
            yield Page((), dumps(self._places))

    def _of(self, part: Part) -> Iterator[Page]:
        obj = Object(part.object, (part.parent, *fields_of(self._obj, part)))
        place = self._places[part.object]
        feed = Pass(self._library, obj, place, overlap=self._overlap, who=self._who, reads=PartReader)
        for page in feed.pages():
            changes = tuple(self._wholes(part, page.changes))
            self._places[self._obj.name] = self._own.progress.dumps()
            cursor = self._cursor(part.object, page.cursor)
            if changes:
                yield Page(changes, cursor)

    def _cursor(self, name: str, place: Cursor | None) -> Cursor | None:
        if place is None:
            return None
        self._places[name] = place
        return dumps(self._places)

    def _wholes(self, part: Part, changes: Iterable[Change]) -> Iterator[Change]:
        """The wholes these parts are of, as they are now, unless just so they were delivered by their own stamp."""
        for field, touched in _touched(part, changes).items():
            for query in soql.lookups(self._obj, field, list(touched), filtered=True):
                for row in self._rows(query):
                    stamp = row["SystemModstamp"]
                    known = stamp >= self._own.progress.stamp and not self._own.progress.deliver(print_of(row), stamp)
                    if not known and row.get("IsDeleted") is not True:
                        yield self._own.reader.change(row, also=touched[row[field]])

    def _rows(self, query: str) -> Iterator[Row]:
        rows, following = self._own.reader.rows(self._library.query(query))
        yield from rows
        while following:
            rows, following = self._own.reader.rows(self._library.more(following))
            yield from rows


def _touched(part: Part, changes: Iterable[Change]) -> Touched:
    """Where to look. The one part of a whole may be pointed to by others; a deleted one by nobody any more."""
    touched: Touched = {}
    for change in changes:
        pointed = part.pointer != "" and change.state is State.LIVE
        field, value = (part.pointer, change.id) if pointed else ("Id", str(change.document[part.parent]))
        touched.setdefault(field, {}).setdefault(value, []).append((change.version, change.changed_by))
    return touched


def dumps(places: dict[str, str]) -> Cursor:
    """The text to store."""
    return orjson.dumps({"whole": places}).decode()


def loads(text: Cursor, parts: Iterable[Part]) -> dict[str, str]:
    """From stored text; a kind of part it does not know is read from the start. Raises `CursorExpired`."""
    try:
        places = {str(name): str(place) for name, place in orjson.loads(text)["whole"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CursorExpired("this is no cursor of a record with parts") from error
    return {part.object: Progress().dumps() for part in parts} | places
