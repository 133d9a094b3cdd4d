"""The cursor of the memory connector: a stamp, an overlap behind it, and what was delivered in that overlap.

A bare "changed after the last stamp" loses records: those that share the last stamp with the end of a
page, and those stamped before it but committed after it was read. So every call begins `overlap` behind
the cursor and leaves out what it has delivered already. Not here: where the rows come from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from fsm_core.errors import CursorExpired
from fsm_core.ports import Change, Cursor

SEEN_LIMIT = 1000
"""Deliveries a cursor remembers; beyond it a record is delivered again, which is harmless."""
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Everything stamped before `at - overlap` has been delivered; after that, what `seen` holds has."""

    at: datetime = BEGINNING
    seen: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """By record id: its stamp and the digest of what was delivered."""

    def start(self, overlap: timedelta) -> datetime:
        """Where to begin reading."""
        return max(self.at - overlap, BEGINNING) if self.at > BEGINNING + overlap else BEGINNING

    def news(self, change: Change) -> bool:
        """Whether this state of the record has not been delivered yet."""
        return self.seen.get(change.id, ("", ""))[1] != digest(change)

    def after(self, delivered: list[Change], reached: datetime, overlap: timedelta) -> Place:
        """The place once these changes have landed and the pass has read up to `reached`."""
        at = max(self.at, reached)
        seen = {**self.seen, **{change.id: (_stamp(change), digest(change)) for change in delivered}}
        floor = _text(Place(at).start(overlap))
        kept = sorted((entry for entry in seen.items() if entry[1][0] >= floor), key=lambda entry: entry[1][0])
        return Place(at, dict(kept[-SEEN_LIMIT:]))

    def cursor(self) -> Cursor:
        """As text; only this module reads it again."""
        return json.dumps([_text(self.at), self.seen], separators=(",", ":"))

    @classmethod
    def parse(cls, cursor: Cursor) -> Place:
        """The opposite of `cursor`. Raises `CursorExpired` when the text is not one of ours."""
        try:
            at, seen = json.loads(cursor)
            return cls(datetime.fromisoformat(at), {id_: (stamp, mark) for id_, (stamp, mark) in seen.items()})
        except (ValueError, TypeError, AttributeError) as error:
            raise CursorExpired("the cursor cannot be read") from error


def digest(change: Change) -> str:
    """A short name for the content: it tells two edits within one stamp apart even where there are no versions."""
    content = json.dumps([change.document, change.state, change.version], sort_keys=True)
    return hashlib.blake2b(content.encode(), digest_size=6).hexdigest()


def _stamp(change: Change) -> str:
    return _text(change.changed_at or BEGINNING)


def _text(when: datetime) -> str:
    return when.isoformat(timespec="microseconds")
