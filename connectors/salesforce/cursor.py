"""How far a pass has come, as the opaque text the hub stores.

Not here: deciding when it moves (`changes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from connectors.salesforce.ids import is_id
from fsm_core.errors import CursorExpired

SEEN_LIMIT = 2000
"""Rows remembered as delivered; more rows than that inside one overlap are delivered again, never lost."""


@dataclass(slots=True)
class Progress:
    """All rows up to (`stamp`, `id`) are delivered for good; `seen` holds what was delivered behind that."""

    stamp: str = ""
    """A SystemModstamp as on the wire; such stamps compare as text."""
    id: str = ""
    """Empty: the rows of that very stamp are to be read again."""
    seen: dict[str, str] = field(default_factory=dict)
    """Print of a row's content to its stamp. Two edits may share one stamp, so ids would not do."""

    def deliver(self, mark: str, stamp: str) -> bool:
        """Remember the row; False when exactly this content was delivered before."""
        if mark in self.seen:
            return False
        if len(self.seen) < SEEN_LIMIT:  # when full, keep: forgetting the oldest would forget all in turn
            self.seen[mark] = stamp
        return True

    def settle(self, stamp: str, id: str) -> None:  # noqa: A002 - the vendor's word
        """Move forward (never back) and forget what lies behind."""
        if (stamp, id) <= (self.stamp, self.id):
            return
        self.stamp, self.id = stamp, id
        if self.seen:
            self.seen = {mark: at for mark, at in self.seen.items() if at >= stamp}

    def dumps(self) -> str:
        """The text to store."""
        by_stamp: dict[str, list[str]] = {}
        for mark, stamp in self.seen.items():
            by_stamp.setdefault(stamp, []).append(mark)
        return orjson.dumps({"t": self.stamp, "i": self.id, "seen": by_stamp}).decode()

    @classmethod
    def loads(cls, text: str) -> Progress:
        """From stored text. Raises `CursorExpired` for anything `dumps` did not write."""
        try:
            found = orjson.loads(text)
            seen = {str(mark): str(stamp) for stamp, marks in found["seen"].items() for mark in marks}
            progress = cls(str(found["t"]), str(found["i"]), seen)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CursorExpired("this is no cursor of the Salesforce connector") from error
        if progress.id and not is_id(progress.id):
            raise CursorExpired("this cursor names no record")
        return progress
