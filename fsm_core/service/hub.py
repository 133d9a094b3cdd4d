"""What one run of the engine works with: store, rules, bindings, clock and ids.

Not here: any step of the work (`pull`, `converge`, `push`).
"""

from __future__ import annotations

import gc
import itertools
import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from fsm_core.drift.kinds import UNCHANGED, Watched
from fsm_core.errors import BadMapping, Drift, HubError
from fsm_core.model.entity import EntityShape
from fsm_core.ownership.book import EntityBook
from fsm_core.ownership.rulebook import Rulebook
from fsm_core.ports import Capabilities, Connector, Deletes, Document, FieldCapability, Json, Object, Rows
from fsm_core.state import Run, Store, stamp


class Fault(Protocol):
    """A value that could not be translated."""

    @property
    def field(self) -> str:
        """The canonical field."""
        ...

    @property
    def message(self) -> str:
        """What is wrong with it, without the value."""
        ...


class Decoded(Protocol):
    """A native document in canonical words."""

    @property
    def values(self) -> dict[str, Any]:
        """Every field the document speaks of; absent means not sent, None means blank."""
        ...

    @property
    def faults(self) -> Iterable[Fault]:
        """What could not be said."""
        ...

    @property
    def ignored(self) -> bool:
        """The mapping says that such a record is none of our business."""
        ...


class Row(Protocol):
    """One correspondence as people read it; what only a report needs of a mapping."""

    @property
    def canonical(self) -> str:
        """Field, or field and members of a group."""
        ...

    @property
    def native(self) -> str:
        """The native paths, a comma and a blank between them."""
        ...

    @property
    def codec(self) -> str:
        """What translates."""
        ...

    @property
    def direction(self) -> str:
        """Which way it travels."""
        ...

    @property
    def length(self) -> int | None:
        """Characters the mapping lets through."""
        ...

    @property
    def values(self) -> Sequence[tuple[str, str]]:
        """Canonical and native code."""
        ...


class Translation(Protocol):
    """A mapping between one vendor object and one entity."""

    @property
    def object(self) -> Object:
        """What to read there."""
        ...

    @property
    def canonical_fields(self) -> tuple[str, ...]:
        """Mapped fields."""
        ...

    def writable(self, field: str) -> bool:
        """Whether the mapping lets us write it."""
        ...

    def creatable(self, field: str) -> bool:
        """Whether the mapping states it in a new record."""
        ...

    def native_of(self, field: str) -> tuple[str, ...]:
        """Where the field lives there."""
        ...

    def bare_of(self, field: str) -> tuple[str, ...]:
        """The same places as the account describes them, in the same order."""
        ...

    def paths_of(self, field: str) -> tuple[str, ...]:
        """Every described path the field is read from, written to or found by."""
        ...

    @property
    def essential(self) -> tuple[str, ...]:
        """Paths without which nothing may be read."""
        ...

    @property
    def given(self) -> tuple[str, ...]:
        """Paths that a new record gets whatever its fields say."""
        ...

    def without(self, fields: Collection[str]) -> Translation:
        """The same without these fields."""
        ...

    def describe_rows(self) -> Sequence[Row]:
        """The rows of the mapping for people."""
        ...

    def decode(self, document: Document) -> Decoded:
        """Native to canonical."""
        ...

    def encode(self, changes: Mapping[str, Any], now: Mapping[str, Any] | None = None) -> dict[str, Json | Rows]:
        """Canonical to native, for these fields only."""
        ...

    def encode_create(self, values: Mapping[str, Any], key: str) -> dict[str, Json | Rows]:
        """A whole new record."""
        ...


@dataclass(frozen=True)
class Binding:
    """One entity in one system."""

    system: str
    entity: str
    connector: Connector
    translation: Translation
    capabilities: Capabilities
    writable: frozenset[str]
    creatable: frozenset[str]
    """What a new record is told; some of it never again."""
    whole: Translation
    """The mapping as it is written; `translation` is the part of it this account shows."""
    unseen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Mapped fields that are neither read nor written here, and the paths the account does not show."""
    fault: HubError | None = None
    """Why this entity cannot be synchronised with this system at all."""
    watched: Watched = UNCHANGED
    """What drifted there since it was known."""

    @property
    def object(self) -> Object:
        """What is read there."""
        return self.translation.object

    @property
    def sweeps(self) -> bool:
        """Whether what a complete listing does not show may be gone, or outside the filter."""
        return self.capabilities.deletes is Deletes.SWEEP or bool(self.object.filter)


def bind(
    system: str,
    entity: str,
    connector: Connector,
    translation: Translation,
    capabilities: Capabilities,
    *,
    required: Collection[str] = (),
) -> Binding:
    """A binding of what the account shows: a field it hides is neither read nor written, and says nothing.

    Writable are the fields that both the mapping and the account allow. `fault` tells when no record can be kept:
    a field of `required`, the place of our key, or what tells records apart is hidden.
    """
    unseen = _unseen(translation, capabilities)
    shown, writable, creatable = _shown(translation, capabilities, unseen)
    fault = _fault(translation, capabilities, {name: paths for name, paths in unseen.items() if name in required})
    return Binding(system, entity, connector, shown, capabilities, writable, creatable, translation, unseen, fault)


def without(binding: Binding, held: Mapping[str, tuple[str, ...]]) -> Binding:
    """The same binding as if the account hid these fields, too."""
    unseen = {**held, **binding.unseen}
    shown, writable, creatable = _shown(binding.whole, binding.capabilities, unseen)
    return replace(binding, translation=shown, writable=writable, creatable=creatable, unseen=unseen)


def _shown(
    translation: Translation, capabilities: Capabilities, unseen: Collection[str]
) -> tuple[Translation, frozenset[str], frozenset[str]]:
    """What is left of a mapping, and what of it may be written and given to new records."""
    shown, known = translation.without(unseen) if unseen else translation, capabilities.fields

    def allowed(mapped: Callable[[str], bool], may: Callable[[FieldCapability], bool]) -> frozenset[str]:
        return frozenset(
            name
            for name in shown.canonical_fields
            if mapped(name) and all(may(known[path]) for path in shown.bare_of(name) if path in known)
        )

    writable = allowed(shown.writable, lambda field: field.writable)
    return shown, writable, allowed(shown.creatable, lambda field: field.creatable)


def _unseen(translation: Translation, capabilities: Capabilities) -> dict[str, tuple[str, ...]]:
    """Per field the paths the account does not show; nothing where it was not asked for any."""
    known = capabilities.fields
    hidden = {
        name: tuple(path for path in translation.paths_of(name) if path not in known)
        for name in (translation.canonical_fields if known else ())
    }
    return {name: paths for name, paths in hidden.items() if paths}


def _fault(
    translation: Translation, capabilities: Capabilities, required: Mapping[str, tuple[str, ...]]
) -> HubError | None:
    known, obj = capabilities.fields, translation.object
    hidden = [path for path in translation.essential if known and path not in known]
    if known and obj.key and capabilities.key is None:
        return Drift("the hub's record id has no place: the account does not show it", object=obj.name, field=obj.key)
    if hidden:
        message = "the account does not show what tells which records are ours"
        return Drift(message, object=obj.name, field=", ".join(hidden))
    for name, paths in required.items():
        message = f"the account does not show where {name} lives, and no record is without it"
        return Drift(message, object=obj.name, field=", ".join(paths))
    return None


POOL = 4096


class _Entropy:
    """The system's randomness, fetched for many ids at once."""

    def __init__(self) -> None:
        self._pool, self._at, self._owner = b"", 0, 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bytes:
        """Bytes that nobody has seen."""
        with self._lock:
            if size > POOL:
                return os.urandom(size)
            if self._at + size > len(self._pool) or self._owner != os.getpid():  # a forked child has its own
                self._pool, self._at, self._owner = os.urandom(POOL), 0, os.getpid()
            self._at += size
            return self._pool[self._at - size : self._at]


class Ids:
    """Ids that sort by time: UUIDv7 text for what people see, 63-bit numbers for links."""

    def __init__(self, clock: Callable[[], float] = time.time, entropy: Callable[[int], bytes] | None = None) -> None:
        self._clock = clock
        self._entropy = entropy or _Entropy().take
        self._last = 0
        self._lock = threading.Lock()

    def text(self) -> str:
        """A UUIDv7 (RFC 9562)."""
        return self.texts(1)[0]

    def texts(self, count: int) -> list[str]:
        """As many UUIDv7 of this moment, in ascending order."""
        at = f"{int(self._clock() * 1000):012x}"
        pool = self._entropy(10 * count).hex()
        chosen = sorted(pool[start : start + 20] for start in range(0, 20 * count, 20))
        head = f"{at[:8]}-{at[8:]}-7"
        return [f"{head}{r[:3]}-{_VARIANT[r[4]]}{r[5:8]}-{r[8:]}" for r in chosen]

    def numbers(self, count: int) -> range:
        """Numbers above all given before by this process, and by others a millisecond ago."""
        with self._lock:
            fresh = (int(self._clock() * 1000) << 21) | (int.from_bytes(self._entropy(3), "big") & 0xFFFFF)
            first = max(self._last + 1, fresh)
            self._last = first + count - 1
        return range(first, first + count)


_VARIANT = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}


@dataclass
class Hub:
    """One run's context. `now` is the only clock the service knows."""

    store: Store
    rulebook: Rulebook
    shapes: Mapping[str, EntityShape]
    bindings: Mapping[tuple[str, str], Binding]
    stopped: Mapping[tuple[str, str], Binding] = field(default_factory=dict)
    """Entities left out in a system that is used for others; the binding's `fault` says why."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ids: Ids = field(default_factory=Ids)
    worker: str = field(default_factory=lambda: f"{socket.gethostname()[:40]}-{os.getpid()}-{os.urandom(4).hex()}")
    """Names this hub alone: in a container every process is number 1."""
    lease: timedelta = timedelta(minutes=5)
    probe_after: timedelta = timedelta(seconds=90)
    """Longer than any system works on one request: only then is "not found" believed after a lost create."""
    page: int = 2000
    run: str = ""
    told: set[tuple[str, ...]] = field(default_factory=set)
    """What this hub told people once and need not look up again."""
    frozen: bool = False
    """Whether a run is open, with all that was there before it out of the collector's sight."""

    def at(self) -> str:
        """The present instant, as the state keeps it."""
        return stamp(self.now()) or ""

    def later(self, delay: timedelta) -> str:
        """An instant to come."""
        return stamp(self.now() + delay) or ""

    def book(self, entity: str) -> EntityBook:
        """The entity's rules."""
        return self.rulebook.book(entity)

    def of_entity(self, entity: str) -> list[Binding]:
        """Its bindings, by system."""
        return [self.bindings[key] for key in sorted(self.bindings) if key[1] == entity]

    def binding(self, system: str, entity: str) -> Binding:
        """One binding; raises `BadMapping` that lists those there are."""
        try:
            return self.bindings[system, entity]
        except KeyError:
            known = ", ".join(f"{s}/{e}" for s, e in sorted(self.bindings))
            raise BadMapping(f"{system!r} has no mapping for {entity!r}; bound: {known}", system=system) from None

    def page_done(self) -> None:
        """Free what a page left in cycles, so that memory is the same after a hundred pages as after ten.

        In a run only: there all that is older is frozen, and this looks at little.
        """
        if self.frozen:
            gc.collect()

    def running(self, kind: str) -> AbstractContextManager[Run]:
        """A run: opened now, sealed at the end whatever happens."""
        return _Running(self, kind)


PATIENT_COLLECTOR = (20_000, 20, 50)
"""Pages are trees of small documents without cycles: the usual thresholds walk them for a sixth of a run's time."""


RUNS_BETWEEN_COLLECTIONS = 50
"""Counting what there is would cost as much as a page."""
_runs = itertools.count(1)


def _freeze() -> None:
    """Take what there is out of the collector's sight; now and then what earlier runs left in cycles is freed before.

    Python's own full collections never come about in a process of many runs: every thaw puts them off.
    """
    if next(_runs) % RUNS_BETWEEN_COLLECTIONS == 0:
        gc.collect()
    gc.freeze()


class _Running(AbstractContextManager[Run]):
    def __init__(self, hub: Hub, kind: str) -> None:
        self._hub = hub
        self._run = Run(hub.ids.text(), kind, hub.at(), hub.rulebook.version)

    def __enter__(self) -> Run:
        with self._hub.store.begin() as work:
            work.add_run(self._run)
        self._before = self._hub.run, self._hub.frozen
        self._hub.run = self._run.id
        self._thresholds = gc.get_threshold()
        _freeze()
        self._hub.frozen = True
        gc.set_threshold(*PATIENT_COLLECTOR)
        return self._run

    def __exit__(self, *_error: object) -> None:
        gc.set_threshold(*self._thresholds)
        gc.unfreeze()
        self._hub.run, self._hub.frozen = self._before  # what is decided after the seal would break it
        with self._hub.store.begin() as work:
            work.seal_run(self._run.id, self._hub.at(), self._run.summary)
