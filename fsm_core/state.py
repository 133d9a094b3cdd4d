"""What the engine remembers: the rows of its state, and the Store protocol that keeps them.

Not here: SQL (`fsm_core.store`) and what is done with the state (`fsm_core.service`).

Per link: `now` (last observation), `base` (what it said when last settled), `sent` (what we last wrote).
Owed work is never stored; it is recomputed from these. Instants are ISO 8601 UTC text with
microseconds and `Z`, so that they sort as they stand on every database.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, TypeAlias

import orjson

from fsm_core.persons.state import PersonWork
from fsm_core.state_pins import PinState
from fsm_core.state_references import ReferenceState
from fsm_core.state_reverts import RevertState
from fsm_core.state_stops import StopState

Doc: TypeAlias = dict[str, Any]


def stamp(when: datetime | None) -> str | None:
    """An instant as the state keeps it."""
    if when is None:
        return None
    utc = when if when.tzinfo is UTC else when.astimezone(UTC)
    text = utc.isoformat()
    return f"{text[:26]}Z" if utc.microsecond else f"{text[:19]}.000000Z"


def seconds(at: str | None) -> float | None:
    """Seconds since the epoch of a kept instant."""
    return None if at is None else datetime.fromisoformat(at).timestamp()


class LinkState(StrEnum):
    """Where a link stands."""

    LIVE = "live"
    PENDING = "pending"
    """Waits for a person to say what it belongs to."""
    INVALID = "invalid"
    """Cannot become a record yet; see its problem."""
    PARKED = "parked"
    """Refers to a record that is not known yet, and may not be without it."""
    ENDED = "ended"
    """Deleted or merged away in its system, or not synchronised with it any more; what follows is to be decided."""
    UNLINKED = "unlinked"
    """The same, and decided: it comes back when the system shows it again."""
    MERGED = "merged"
    """Another name of its record: the system merged it into one that belongs there."""
    FURTHER = "further"
    """One more record of its system for the same thing: what refers to it refers to the record, and that is all."""
    DETACHED = "detached"
    """A person took it out of the synchronisation."""
    QUIET = "quiet"
    """The hub's own store, with nothing to say that is not agreed: it takes no part."""


DELIVERED = "delivered"
"""`Link.method` of what the hub created there."""


ACTIVE, MERGED, DELETED, OVER = "active", "merged", "deleted", "ended"
"""`Record.lifecycle`: as usual; another took its place; deleted everywhere by rule; no system has it any more."""


LEFT = "left the filter"
"""`Link.method` of what exists there and is not synchronised any more."""
GONE = (LinkState.ENDED, LinkState.UNLINKED, LinkState.MERGED)
"""Not there any more, or only as another name of a record."""


class Reason(StrEnum):
    """Why a record is looked at again."""

    OBSERVED = "observed"
    DECISION = "decision"
    RULES = "rules"
    ECHO = "echo"
    """Our own write had a consequence there: news, but no mass change of somebody else's."""
    RELEASED = "released"
    """What it refers to has landed, or goes by another id now, or it says the same in other words: no edit."""
    DUE = "due"
    """A time has run out, or what it waited for is there."""
    DELIVER = "deliver"
    """Something may be owed; the field says to which system."""


class IntentState(StrEnum):
    """The life of one attempt at a write."""

    PLANNED = "planned"
    SENT = "sent"
    DELIVERED = "delivered"
    REFUSED = "refused"
    STALE = "stale"
    UNKNOWN = "unknown"


OPEN_INTENTS = (IntentState.PLANNED, IntentState.SENT, IntentState.UNKNOWN)


class Known(NamedTuple):
    """The little that landing a page needs to know of a link."""

    id: int
    hash: bytes
    version: str
    state: str
    record: str | None
    base_state: int


@dataclass(slots=True)
class Link:
    """One system's record of one entity."""

    id: int
    system: str
    object: str
    external_id: str
    entity: str
    record: str | None
    state: str
    now: Doc
    base: Doc | None = None
    sent: Doc = field(default_factory=dict)
    holds: dict[str, str] = field(default_factory=dict)
    version: str = ""
    changed_at: str | None = None
    changed_by: str = ""
    ours: bool = False
    hub_key: str = ""
    method: str = ""
    hash: bytes = b""
    """Of what the system said in its own ids; empty to have it worked out from `now`."""
    merged_into: str | None = None
    """Id of the survivor, where the system merged this one away."""


class Sighting(NamedTuple):
    """What one page says of one record, ready to be stored."""

    external_id: str
    now: str
    """Canonical JSON."""
    hash: bytes
    version: str
    changed_at: str | None
    changed_by: str
    ours: bool
    hub_key: str

    @property
    def values(self) -> Doc:
        """What it shows; not kept, because a page of them is large."""
        shown: Doc = orjson.loads(self.now)
        return shown


class Arrival(NamedTuple):
    """A first sighting with the id of its link and its match keys."""

    link: int
    seen: Sighting
    keys: Sequence[int]
    record: str | None = None
    """The record it will found if it stays alone; None when it cannot be one by itself."""
    wanted: str = ""
    """The other systems that should then hold it, with commas between."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Ownership that is about to pass: what conditions on it still go by, until the hand-over."""

    since: str
    """When the agreed values became others; empty before the record was looked at since."""
    held: Doc
    """The values in force, by name as conditions use it: `billing_status`, `customer.billing_status`."""


@dataclass(slots=True)
class Record:
    """The golden record. `provenance` maps a field to who said it; "*" holds for all not named."""

    id: str
    entity: str
    document: Doc
    provenance: Doc
    version: int = 1
    lifecycle: str = "active"
    created_at: str = ""
    updated_at: str = ""
    merged_into: str | None = None
    """The record that took its place."""
    pinned: bool = False
    """A person pinned one of its fields."""
    handover: Passage | None = None
    """Set while another system is about to own some of its fields."""


BORN_HERE = "born here"
"""What provenance notes of a record that one link alone speaks of."""


class Newborn(NamedTuple):
    """A record that was made of one link alone, settled on exactly what the link shows."""

    link: int
    record: str
    system: str
    external_id: str


@dataclass(slots=True)
class Intent:
    """One attempt at one write; the payload is frozen before it is sent."""

    id: str
    record: str
    entity: str
    system: str
    object: str
    action: str
    payload: Doc
    state: str
    link: int | None = None
    external_id: str = ""
    expected_version: str = ""
    attempts: int = 1
    worker: str = ""
    lease_until: str = ""
    due_at: str = ""
    created_at: str = ""
    error: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One change set of one record, for the audit. `content` may be erased without breaking the chain."""

    id: str
    record: str
    entity: str
    actor: str
    kind: str
    content: Doc


@dataclass(slots=True)
class Conflict:
    """A question for a person: about a field, a match or a deletion."""

    id: str
    entity: str
    type: str
    record: str | None
    field: str
    state: str
    opened_at: str
    note: str
    snapshot: Doc
    resolution: Doc = dataclasses.field(default_factory=dict)
    resolved_by: str = ""
    resolved_at: str | None = None
    queue: str = ""
    """Who is asked, as the rules route it; "" where they name nobody."""
    severity: str = "normal"


@dataclass(slots=True)
class Proposal:
    """A non-owner's value that waits for the owner."""

    id: str
    entity: str
    record: str
    field: str
    system: str
    value: Any
    agreed: Any
    by: str
    opened_at: str
    state: str = "open"
    decided_by: str = ""
    decided_at: str | None = None
    said_at: str = ""
    """When its value was proposed: a new one waits anew."""
    due_at: str | None = None
    """When it ends by itself; None where it waits for ever."""
    queue: str = ""
    """As of a conflict."""
    severity: str = "normal"


SEVERITIES = ("high", "normal", "low")
"""Of questions, the most urgent first."""


class Asked(NamedTuple):
    """As much of an open question as says where it goes."""

    proposal: bool
    id: str
    type: str
    field: str
    queue: str
    severity: str


@dataclass(slots=True)
class Problem:
    """Something a person has to repair; it belongs to one record or one field and stops nothing else."""

    id: str
    entity: str
    system: str
    object: str
    external_id: str
    record: str | None
    field: str
    cause: str
    message: str
    remedy: str
    state: str
    first_at: str
    last_at: str
    attempts: int = 1


@dataclass(slots=True)
class Run:
    """One run of the engine, sealed with the Merkle root over its decisions."""

    id: str
    kind: str
    started_at: str
    rules: str
    ended_at: str | None = None
    root: str = ""
    previous: str = ""
    summary: Doc = field(default_factory=dict)


class Work(PersonWork, ReferenceState, PinState, StopState, RevertState, Protocol):
    """One transaction. Every method but those on persons is set-based: batches in, batches out."""

    # pages
    def known_links(self, system: str, obj: str, entity: str, ids: Sequence[str]) -> dict[str, Known]: ...
    def count_links(self, system: str, obj: str, entity: str) -> int: ...
    def add_links(
        self, where: tuple[str, str, str], run: str, rules: str, at: str, rows: Sequence[Arrival]
    ) -> bool: ...
    def unfresh(self, links: Collection[int]) -> None: ...
    def change_links(self, run: str, at: str, rows: Sequence[tuple[Known, Sighting, int]]) -> None: ...
    def touch_links(self, at: str, rows: Sequence[tuple[Known, Sighting]]) -> None: ...
    def current(self, links: Sequence[int]) -> dict[int, Doc]: ...
    def write_journal(self, run: str, at: str, rows: Sequence[tuple[int, str, Doc]]) -> None: ...
    def end_links(self, at: str, rows: Sequence[tuple[int, str]]) -> None: ...
    def add_keys(self, rows: Iterable[tuple[int, int]]) -> None: ...
    def drop_keys(self, rows: Iterable[tuple[int, int]]) -> None: ...
    def mark_dirty(self, entity: str, rows: Iterable[tuple[str, str, str, str]]) -> None: ...
    def cursor(self, system: str, obj: str, entity: str) -> str | None: ...
    def put_cursor(self, system: str, obj: str, entity: str, value: str | None, at: str, *, complete: bool) -> None: ...

    # identity
    def bear(self, entity: str, rules: str, births: str, at: str, limit: int) -> list[Newborn]: ...
    def unfresh_all(self, entity: str) -> None: ...
    def unplaced(self, entity: str, after: int, limit: int) -> list[Link]: ...
    def every_link(self, entity: str, after: int, limit: int) -> list[Link]: ...
    def sharing(self, keys: Collection[int]) -> list[tuple[int, int]]: ...
    def blocks(self, keys: Collection[int], most: int, *, but: str) -> list[tuple[int, int]]: ...
    def links(self, ids: Collection[int]) -> list[Link]: ...
    def apart(self, links: Collection[int]) -> frozenset[tuple[int, int]]: ...
    def put_apart(self, pairs: Iterable[tuple[int, int]], by: str, at: str) -> None: ...
    def drop_apart(self, pairs: Iterable[tuple[int, int]]) -> None: ...
    def newcomers(self, entity: str) -> list[int]: ...
    def place(self, rows: Sequence[tuple[int, str | None, str, str]]) -> None: ...

    # deciding
    def due_records(self, entity: str, reasons: Collection[str], now: str, limit: int) -> list[str]: ...
    def clear_dirty(
        self, entity: str, records: Collection[str], reasons: Collection[str], system: str | None = ""
    ) -> None: ...
    def mark_all_dirty(self, entity: str, reason: str, due: str) -> None: ...
    def records(self, ids: Collection[str]) -> dict[str, Record]: ...
    def links_of(self, records: Collection[str]) -> list[Link]: ...
    def add_records(self, rows: Sequence[Record]) -> None: ...
    def change_records(self, rows: Sequence[Record]) -> None: ...
    def put_handovers(self, rows: Sequence[tuple[str, Passage | None]]) -> None: ...
    def settle_links(self, rows: Sequence[Link]) -> None: ...
    def show_links(self, rows: Sequence[Link], run: str, at: str) -> None: ...
    def insert_links(self, rows: Sequence[Link], run: str, at: str) -> None: ...
    def told(self, record: str, kind: str) -> list[Doc]: ...
    def write_decisions(self, run: str, at: str, rows: Sequence[Decision]) -> None: ...
    def heard(self, entity: str) -> dict[str, str]: ...
    def counts_of_news(self, entity: str, share: float) -> dict[str, tuple[int, int, int]]: ...
    def counts_of_endings(self, entity: str) -> dict[str, tuple[int, int]]: ...

    # people
    def open_conflicts(self, records: Collection[str]) -> list[Conflict]: ...
    def conflict(self, id: str) -> Conflict | None: ...  # noqa: A002 - as in the table
    def proposal(self, id: str) -> Proposal | None: ...  # noqa: A002 - as in the table
    def open_matches(self, entity: str, types: Collection[str] = ...) -> list[Conflict]: ...
    def add_conflicts(self, rows: Sequence[Conflict]) -> None: ...
    def change_conflicts(self, rows: Sequence[Conflict]) -> None: ...
    def open_proposals(self, records: Collection[str]) -> list[Proposal]: ...
    def add_proposals(self, rows: Sequence[Proposal]) -> None: ...
    def mark_proposed(self, entity: str, reason: str, due: str) -> None: ...
    def asked(self, entity: str) -> list[Asked]: ...
    def reroute(self, rows: Sequence[Asked]) -> None: ...
    def change_proposals(self, rows: Sequence[Proposal]) -> None: ...
    def raise_problems(self, rows: Sequence[Problem]) -> None: ...
    def solve_problems(
        self,
        system: str,
        external_ids: Collection[str],
        causes: Collection[str],
        at: str,
        *,
        field: str | None = None,
        but: Collection[str] = (),
    ) -> None: ...

    # delivering
    def due_deliveries(self, entity: str, system: str, now: str, after: str, limit: int) -> list[str]: ...
    def add_intents(self, rows: Sequence[Intent]) -> None: ...
    def held_in(self, system: str, obj: str, records: Collection[str]) -> set[str]: ...
    def change_intents(self, rows: Sequence[Intent]) -> None: ...
    def open_intents(self, entity: str, system: str) -> list[Intent]: ...
    def attempts_of(self, records: Collection[str]) -> list[Intent]: ...

    # runs
    def add_run(self, run: Run) -> None: ...
    def seal_run(self, run: str, at: str, summary: Mapping[str, Any]) -> None: ...
    def fingerprint(self, system: str) -> str | None: ...
    def put_fingerprint(self, system: str, value: str, at: str) -> None: ...

    # drift
    def descriptions(self) -> dict[tuple[str, str], Doc]: ...
    def put_descriptions(self, rows: Mapping[tuple[str, str], Doc], at: str) -> None: ...
    def refused_links(
        self, system: str, entity: str, fields: Collection[str], after: int, limit: int
    ) -> list[Link]: ...


class Store(Protocol):
    """Where the state lives."""

    def begin(self) -> AbstractContextManager[Work]:
        """A write transaction: commits on success, rolls back on any error."""
        ...

    def overlay(self) -> AbstractContextManager[Store]:
        """The same state, on which everything written is forgotten at the end."""
        ...
