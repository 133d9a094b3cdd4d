"""Judges the last days anew: what other rules would have decided about each edit the journal remembers.

Every group of edits that one run saw of a record is decided twice, on the agreed state of that moment, each time as if
nothing else had been open. Read only. Not here: reading the past (`fsm_core.store.history`).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from fsm_core.history import History, Moved
from fsm_core.model.compare import blank
from fsm_core.ownership.book import EntityBook
from fsm_core.state import Doc, Link, LinkState, seconds
from fsm_core.sync.record import Held, View, decide_fields
from fsm_core.sync.types import Verdict

SAMPLES = 3
"""Edits that are shown of each kind of difference."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One edit that would have come to something else."""

    record: str
    at: str
    edits: Mapping[str, Any]
    """Per system what it said before and after."""
    old: Mapping[str, Any]
    new: Mapping[str, Any]


@dataclass(slots=True)
class Difference:
    """A field whose edits would have come to something else in one way."""

    entity: str
    field: str
    old: str
    """Outcome, and whose value was agreed."""
    new: str
    count: int = 0
    samples: list[Sample] = dataclasses.field(default_factory=list)


@dataclass(slots=True)
class Replayed:
    """What the past would have come to."""

    records: int = 0
    edits: int = 0
    """Fields that were decided anew."""
    same: int = 0
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: {"old": Counter(), "new": Counter()})
    differences: dict[tuple[str, str, str, str], Difference] = field(default_factory=dict)

    @property
    def changed(self) -> list[Difference]:
        """Differences, the most frequent first."""
        return sorted(self.differences.values(), key=lambda one: (-one.count, one.entity, one.field, one.old, one.new))


def replay(histories: Iterable[History], old: EntityBook, new: EntityBook, report: Replayed | None = None) -> Replayed:
    """Decide every remembered edit under both rules; adds to `report` if one is given."""
    told = report or Replayed()
    for history in histories:
        told.records += 1
        for moment in moments(history):
            _compare(history, moment, old, new, told)
    return told


@dataclass(frozen=True, slots=True)
class Moment:
    """What one run saw of a record: the agreed state before it, and each link before and after."""

    at: str
    agreed: Doc
    before: Mapping[int, Doc]
    after: Mapping[int, Doc]
    names: Sequence[str]


def moments(history: History) -> Iterator[Moment]:
    """The past of a record, newest first: what is known now, with every later change taken back."""
    shown = {link.id: dict(link.now) for link in _live(history)}
    for _, run in groupby(reversed(history.moves), key=lambda move: move.run):
        moves = [move for move in run if move.link in shown]
        for move in moves:
            _take_back(shown, move, ours=True)
        after = {number: dict(doc) for number, doc in shown.items()}
        for move in moves:
            _take_back(shown, move, ours=False)
        before = {number: dict(doc) for number, doc in shown.items()}
        names = sorted({name for move in moves for name in move.changes if name not in move.told})
        if names:
            first = min(move.at for move in moves)
            yield Moment(first, agreed_before(history, first), before, after, names)


def _take_back(shown: dict[int, Doc], move: Moved, *, ours: bool) -> None:
    """Show what the link said before, of the fields we wrote ourselves or of all others."""
    meant = {name: before for name, (before, _) in move.changes.items() if (name in move.told) is ours}
    shown[move.link] |= meant


def agreed_before(history: History, at: str) -> Doc:
    """The agreed values before this instant."""
    document = dict(history.record.document)
    for ruling in reversed(history.rulings):
        if ruling.at < at:
            break
        for name, told in ruling.fields.items():
            document[name] = told.get("from")
    return {name: value for name, value in document.items() if not blank(value)}


def _live(history: History) -> list[Link]:
    return [link for link in history.links if link.state == LinkState.LIVE]


def _compare(history: History, moment: Moment, old: EntityBook, new: EntityBook, report: Replayed) -> None:
    was, would = (_decided(history, moment, book) for book in (old, new))
    for name in sorted(was.keys() | would.keys()):
        a, b = was.get(name), would.get(name)
        report.edits += 1
        report.outcomes["old"][_outcome(a)] += 1
        report.outcomes["new"][_outcome(b)] += 1
        if _words(a) == _words(b) and _same(old, name, a, b):
            report.same += 1
            continue
        key = (history.record.entity, name, _words(a), _words(b))
        difference = report.differences.setdefault(key, Difference(*key))
        difference.count += 1
        if len(difference.samples) < SAMPLES:
            difference.samples.append(_sample(history, moment, name, a, b))


def _decided(history: History, moment: Moment, book: EntityBook) -> dict[str, Verdict]:
    views = [
        View(
            system=link.system,
            now=dict(moment.after[link.id]),
            base=dict(moment.before[link.id]),
            at=seconds(link.changed_at),
            writable=frozenset(moment.after[link.id]),
        )
        for link in _live(history)
    ]
    names = [name for name in moment.names if name in book.shape.fields]
    held = Held(fixed=book.fixed(moment.agreed))
    return decide_fields(book.shape, book.rules(moment.agreed), moment.agreed, views, names, held)


def _outcome(verdict: Verdict | None) -> str:
    return str(verdict.outcome) if verdict else "NOOP"


def _words(verdict: Verdict | None) -> str:
    source = f" of {verdict.source}" if verdict and verdict.source else ""
    return _outcome(verdict) + source


def _same(book: EntityBook, name: str, a: Verdict | None, b: Verdict | None) -> bool:
    return a is None or b is None or book.shape.fields[name].same(a.value, b.value)


def _sample(history: History, moment: Moment, name: str, a: Verdict | None, b: Verdict | None) -> Sample:
    edits = {
        link.system: [moment.before[link.id].get(name), moment.after[link.id].get(name)]
        for link in _live(history)
        if moment.before[link.id].get(name) != moment.after[link.id].get(name)
    }
    return Sample(history.record.id, moment.at, edits, _told(a), _told(b))


def _told(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {"outcome": "NOOP"}
    return {
        "outcome": str(verdict.outcome),
        "agreed": verdict.value,
        "note": verdict.note,
        "writes": sorted(verdict.writes),
    }
