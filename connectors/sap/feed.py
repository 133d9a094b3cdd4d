"""The change feed: date-only stamps, key-set paging, and a cursor that forgets nothing.

A pass reads every partner whose last change (or, never changed, whose creation) lies on or after the cursor's
day, one day of slack included, with what hangs on it, and leaves out what the cursor remembers as delivered in
this very version. Not here: what a document is.
"""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from connectors.sap.document import Shape, stamp_date
from connectors.sap.odata import all_of, compare
from connectors.sap.reading import Reader
from connectors.sap.settings import ROOT
from fsm_core.errors import CursorExpired, Drift
from fsm_core.ports import Change, Cursor, Page

SLACK = timedelta(days=1)
"""A date without a zone may be a day off, and a commit may come after midnight."""
TOKEN = 8


def token(change: Change) -> str:
    """Eight characters (48 bits) for one record in one version: small enough to remember a busy day."""
    return urlsafe_b64encode(hashlib.sha256(f"{change.id}|{change.version}".encode()).digest()[:6]).decode()


@dataclass(frozen=True, slots=True)
class Mark:
    """What a cursor holds."""

    low: str = ""
    """First day to read; empty reads everything."""
    after: str = ""
    """Last key landed of an unfinished pass."""
    started: str = ""
    """The system's time when the pass began (its Date header, never our clock)."""
    top: str = ""
    """Latest day of change seen in the data, the guide where there is no Date header."""
    seen: frozenset[str] = frozenset()
    """Tokens of what earlier passes delivered."""
    fresh: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Day of change -> tokens of what this pass met."""

    def cursor(self) -> Cursor:
        """Text for the store."""
        fresh = {day: "".join(tokens) for day, tokens in self.fresh.items()}
        held = {"low": self.low, "after": self.after, "started": self.started, "top": self.top}
        return json.dumps({"v": 1, **held, "seen": "".join(sorted(self.seen)), "fresh": fresh}, separators=(",", ":"))

    @staticmethod
    def parse(text: Cursor) -> Mark:
        """Raises `CursorExpired` for text that is not of this version."""
        try:
            held = json.loads(text)
            if held.pop("v") != 1:
                raise ValueError(text)  # noqa: TRY301 - one way out for every kind of foreign text
            held["seen"] = frozenset(_tokens(held["seen"]))
            held["fresh"] = {day: _tokens(tokens) for day, tokens in held["fresh"].items()}
            return Mark(**held)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CursorExpired("the cursor is not one of this connector", system="sap") from error

    def met(self, changes: Sequence[tuple[str, Change]], key: str, limit: int, overlap: int) -> Mark:
        """After a page of changes, each with its day, has landed up to the partner `key`.

        What the next pass will not read again is not remembered.
        """
        fresh = {day: list(tokens) for day, tokens in self.fresh.items()}
        for day, change in changes:
            fresh.setdefault(day, []).append(token(change))
        top = max([self.top, *fresh])
        low = replace(self, top=top).next_low(overlap)
        return replace(self, after=key, top=top, fresh=_newest(fresh, low, limit))

    def next_low(self, overlap: int) -> str:
        """First day the next pass has to read."""
        if self.started:
            return f"{datetime.fromisoformat(self.started) - timedelta(seconds=overlap) - SLACK:%Y-%m-%d}"
        return f"{date.fromisoformat(self.top) - SLACK}" if self.top else ""

    def finished(self, overlap: int) -> Mark:
        """The mark from which the next pass starts."""
        seen = frozenset(one for tokens in self.fresh.values() for one in tokens)
        return Mark(low=self.next_low(overlap), top=self.top, seen=seen)


def _tokens(text: str) -> tuple[str, ...]:
    return tuple(text[start : start + TOKEN] for start in range(0, len(text), TOKEN))


def _newest(fresh: Mapping[str, Sequence[str]], low: str, limit: int) -> dict[str, tuple[str, ...]]:
    kept: dict[str, tuple[str, ...]] = {}
    for day in sorted(fresh, reverse=True):
        room = limit - sum(map(len, kept.values()))
        if day < low or room <= 0:
            break
        kept[day] = tuple(fresh[day][:room])
    return kept


@dataclass(slots=True)
class Feed:
    """One pass over one object."""

    reader: Reader
    filter: str = ""
    """A test on partners, in OData, taken from the binding as it is."""

    def pages(self, since: Cursor | None) -> Iterator[Page]:
        """Changes since a cursor, ascending by key; see `Mark` for what is promised."""
        mark = Mark() if since is None else Mark.parse(since)
        settings, session = self.reader.settings, self.reader.session
        listed, total = 0, None
        for raw, count, last in self._raw_pages(mark):
            if not mark.started and session.server_time is not None:
                mark = replace(mark, started=session.server_time.isoformat())
            total = count if total is None else total
            found = self.reader.records(raw)
            changes = [(stamp_date(one.partner), self.reader.change(one)) for one in found]
            listed += len(raw)
            news = tuple(change for _, change in changes if token(change) not in mark.seen)
            if raw:
                mark = mark.met(changes, str(raw[-1]["BusinessPartner"]), settings.seen_limit, settings.overlap)
            if last:
                mark = mark.finished(settings.overlap)
            complete = last and since is None and (total is None or listed >= total)
            yield Page(news, mark.cursor(), complete=complete)

    def _raw_pages(self, mark: Mark) -> Iterator[tuple[list[dict[str, Any]], int | None, bool]]:
        """Raw partners, the count of the first answer, and whether this page is the last.

        A page shorter than asked for ends the pass only if the server's own count agrees: a server may cap
        its answers without a word.
        """
        after, left = mark.after, None
        counting = True
        while True:
            for raw, count, more in self.reader.session.pages(ROOT, self._options(mark, after, counting=counting)):
                if raw and str(raw[0]["BusinessPartner"]) == after:
                    raise Drift("the service ignores the filter on its key; paging would never end", system="sap")
                left = count if counting else left
                counting = False
                left = left - len(raw) if left is not None else None
                after = str(raw[-1]["BusinessPartner"]) if raw else after
                short = len(raw) < self.reader.settings.page_size
                last = not more and (not raw or (short and (left is None or left <= 0)))
                yield raw, count, last
                if last:
                    return

    def _options(self, mark: Mark, after: str, *, counting: bool) -> dict[str, str]:
        partners = self.reader.view.partners
        beyond = compare(partners.entity.field("BusinessPartner"), "gt", after) if after else ""
        tests = all_of(self.filter, self.reader.aggregate.only, self._window(partners, mark.low), beyond)
        return {
            "$filter": tests,
            "$orderby": "BusinessPartner",
            "$top": str(self.reader.settings.page_size),
            "$inlinecount": "allpages" if counting else "",
            **partners.options(),
        }

    @staticmethod
    def _window(partners: Shape, low: str) -> str:
        """A partner never changed has no change date at all, only one of creation."""
        if not low:
            return ""
        changed, created = partners.entity.field("LastChangeDate"), partners.entity.field("CreationDate")
        never = all_of(compare(changed, "eq", None), compare(created, "ge", low))
        return f"({compare(changed, 'ge', low)}) or ({never})"
