"""What is known of a record while it is decided, and what a decision leaves to be saved.

Not here: deciding (`decide`), loading and saving (`converge`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fsm_core.ownership.book import EntityBook
from fsm_core.service.answers import Answer
from fsm_core.service.handover import NO_PARENTS, Owners, Parents, Sides, held
from fsm_core.service.hub import Hub
from fsm_core.state import Conflict, Decision, Doc, Intent, Link, LinkState, Proposal, Record, seconds
from fsm_core.state_pins import Pin
from fsm_core.sync.record import View
from fsm_core.sync.types import HUB, Verdict

ENGINE = "engine"


@dataclass(slots=True)
class Loaded:
    """Everything known of one record."""

    record: Record
    links: list[Link]
    conflicts: list[Conflict] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    attempts: list[Intent] = field(default_factory=list)
    """Writes whose end is not known."""
    born: bool = False
    parents: Parents = NO_PARENTS
    """What it refers to, where conditions look into that."""
    silent: Mapping[str, float] = field(default_factory=dict)
    """Systems nothing was heard of for longer than some rule bears, and for how many seconds."""
    pins: dict[str, Pin] = field(default_factory=dict)
    """By field, what persons pinned."""

    def ruled(self, book: EntityBook) -> Mapping[str, Any]:
        """The record as conditions on rules see it."""
        return book.in_force(self.record.document, self.parents.in_force, held(self.record))


@dataclass(slots=True)
class Decided:
    """Everything to be saved of one record."""

    loaded: Loaded
    changed: bool = False
    """The agreed document is new."""
    settled: list[Link] = field(default_factory=list)
    decision: Decision | None = None
    conflicts: list[Conflict] = field(default_factory=list)
    new_conflicts: list[Conflict] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    new_proposals: list[Proposal] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    unsettled: bool = False
    """A side moved after a person's decision: to be decided on once more, at once."""
    freed: list[tuple[Link, str]] = field(default_factory=list)
    """Fields a system refused, which changed here or there since."""
    due: str = ""
    """When to look at the record because a time has run out."""
    unpinned: list[Pin] = field(default_factory=list)
    """Pins that the owner's change released."""
    counted: Doc = field(default_factory=dict)
    """What conditions elsewhere saw of the record before."""
    passage_moved: bool = False
    """A hand-over begins, ends, or waits in another way."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What is to become of one record, before anything of it is moved."""

    loaded: Loaded
    views: Mapping[int, View]
    verdicts: dict[str, Verdict]
    given: Mapping[str, Answer]
    owners: Owners
    """The fields that are handed over now."""


def live_links(links: Sequence[Link]) -> list[Link]:
    """Links that take part."""
    return [link for link in links if link.state == LinkState.LIVE]


def in_flight(link: Link, attempts: Sequence[Intent]) -> bool:
    """Whether a write to this link has no known end."""
    return any(attempt.link == link.id for attempt in attempts)


def view_of(hub: Hub, link: Link, attempts: Sequence[Intent] = ()) -> View:
    """A link as the decision sees it; it shares the link's dictionaries.

    A link with a write in flight shows what it was settled on: what it shows now may be our own doing.
    """
    binding = hub.bindings.get((link.system, link.entity))
    waiting = link.base is not None and in_flight(link, attempts)
    return View(
        system=link.system,
        now=dict(link.base or {}) if waiting else link.now,
        base=link.base,
        sent=link.sent,
        holds=link.holds,
        at=seconds(link.changed_at),
        writable=binding.writable if binding else frozenset(link.now) if link.system == HUB else frozenset(),
    )


def frozen_fields(conflicts: Sequence[Conflict]) -> frozenset[str]:
    """Fields held by an open question."""
    return frozenset(conflict.field for conflict in conflicts if conflict.type == "field")


def closed_fields(book: EntityBook, loaded: Loaded, conflicts: Sequence[Conflict]) -> frozenset[str]:
    """Fields of which nothing is written now: in question, or kept by each system for itself."""
    return frozen_fields(conflicts) | book.local(loaded.ruled(book))


def sides(hub: Hub, loaded: Loaded, conflicts: Sequence[Conflict]) -> Sides:
    """The live links of a record as a hand-over looks at them."""
    links = live_links(loaded.links)
    return Sides(
        links,
        {link.id: view_of(hub, link, loaded.attempts) for link in links},
        {link.id for link in links if in_flight(link, loaded.attempts)},
        closed_fields(hub.book(loaded.record.entity), loaded, conflicts),
    )
