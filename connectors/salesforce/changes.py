"""One pass over the changes of an object: key-set order, an overlap for late commits, a safe cursor per page.

Rows stamped before `server time - overlap` are all visible, so the cursor may settle on them; younger
ones are remembered in the cursor and read again by the next pass. The server's clock is the `Date` of
its answers: ours is never asked. Not here: the text of the query (`soql`), rows (`records`).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import orjson

from connectors.salesforce import soql
from connectors.salesforce.auth import Identity
from connectors.salesforce.cursor import Progress
from connectors.salesforce.records import Reader, Row
from connectors.salesforce.transport import Answer, Library
from fsm_core.errors import CursorExpired, Unreachable
from fsm_core.ports import Change, Cursor, Object, Page

RESTARTS_WITHOUT_PROGRESS = 3


class Pass:
    """Reads what lies behind a cursor; every page carries the cursor to go on from after it has landed."""

    def __init__(
        self,
        library: Library,
        obj: Object,
        since: Cursor | None,
        *,
        overlap: float,
        who: Callable[[], Identity],
        reads: type[Reader] = Reader,
    ) -> None:
        self._library = library
        self._who = who
        self._obj = obj
        self._complete = since is None
        self.progress = Progress.loads(since) if since else Progress()
        self._overlap = timedelta(seconds=overlap)
        self.reader = reads(obj, lambda: who().user, library.more)
        self.floor = ""
        """All rows stamped before it are visible; empty where no clock says so."""
        self._asked_at = ""  # rows stamped from here on may have moved since the query began
        self._position = (self.progress.stamp, self.progress.id)
        self._restarted_at = ("", "-")
        self._stuck = 0
        self._newest = ""

    def pages(self) -> Iterator[Page]:
        """At least one page; the last one moves the cursor to the end of what is surely visible."""
        answer = self._ask()
        self.floor = self._settled_by(answer)
        while True:
            rows, following = self.reader.rows(answer)
            changes = tuple(self._fresh(rows))
            if not following:
                break
            del answer, rows  # a page is large: two of them need not be held while the next one is fetched
            yield Page(changes, self.progress.dumps() if self.floor else None)
            del changes
            answer = self._follow(following)
        self.progress.settle(self.floor or self._behind(self._newest), "")
        yield Page(changes, self.progress.dumps(), complete=self._complete)

    def _ask(self) -> Answer:
        answer = self._library.query(soql.changed(self._obj, *self._position))
        moment = self._moment(answer)
        self._asked_at = stamp_of(moment) if moment else ""
        return answer

    def _moment(self, answer: Answer) -> datetime | None:
        return answer.moment() if self._who().clock_agrees else None

    def _follow(self, url: str) -> Answer:
        """The next page; when its locator died, the query again from the last sure position."""
        try:
            return self._library.more(url)
        except CursorExpired as error:
            self._stuck = self._stuck + 1 if self._position == self._restarted_at else 0
            self._restarted_at = self._position
            if self._stuck > RESTARTS_WITHOUT_PROGRESS:
                raise Unreachable("query locators die before a page is read", object=self._obj.name) from error
            return self._ask()

    def _settled_by(self, answer: Answer) -> str:
        moment = self._moment(answer)
        return stamp_of(moment - self._overlap) if moment else ""

    def _behind(self, stamp: str) -> str:
        return stamp_of(datetime.fromisoformat(stamp) - self._overlap) if stamp else ""

    def _fresh(self, rows: list[Row]) -> Iterator[Change]:
        progress, floor, asked_at = self.progress, self.floor, self._asked_at
        settled = ("", "")
        known = bool(progress.seen)
        for row in rows:
            stamp, id = row["SystemModstamp"], row["Id"]  # noqa: A001 - the vendor's word
            if stamp < asked_at:
                self._position = (stamp, id)
            if stamp < floor:
                settled = (stamp, id)
                if known and print_of(row) in progress.seen:
                    continue
            else:
                self._newest = max(self._newest, stamp)
                if not progress.deliver(print_of(row), stamp):
                    continue
            yield self.reader.change(row)
        if settled[0]:
            progress.settle(*settled)


def print_of(row: Row) -> str:
    """Tells this content of this record from any other; 64 bits."""
    return b64encode(blake2b(orjson.dumps(row), digest_size=8).digest()).decode("ascii").rstrip("=")


def stamp_of(moment: datetime) -> str:
    """A moment as SystemModstamp is written, so that both compare as text."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}+0000"
