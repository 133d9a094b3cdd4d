"""Random worlds of one record: rules, systems with habits, people who edit; played on the pure decision alone.

A world is drawn from a seed and prints itself. Not here: the properties (`test_record_worlds`) and whole engines
with a state (`test_engine_worlds`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any

from fsm_core.model.compare import Comparator, blank, comparing
from fsm_core.model.entity import Entity, EntityShape, FieldShape
from fsm_core.ownership.book import EntityBook
from fsm_core.ownership.conditions import condition
from fsm_core.sync.guard import Limits
from fsm_core.sync.record import (
    PROPOSED,
    Held,
    View,
    decide_fields,
    fields_with_news,
    merged,
    owed,
    read_back,
    settle,
)
from fsm_core.sync.types import HUB, NonOwnerChange, Outcome, Policy, Rule, Verdict

SYSTEMS = ("cmms", "crm", "erp", "fsm")
SWITCH = "mode"
MACHINE = {"new": ("planned", "off"), "planned": ("done", "off"), "done": ("billed",)}

TEXT = (None, "", "Acme", "ACME", "acme ", "Beta", "Delta")
KINDS: dict[str, tuple[Comparator, tuple[Any, ...]]] = {
    SWITCH: (Comparator.EXACT, (None, "a", "b")),
    "name": (Comparator.CASELESS, TEXT),
    "note": (Comparator.EXACT, TEXT),
    "tags": (Comparator.SET, ([], ["a"], ["a", "b"], ["b"], ["b", "c"], ["c"], None)),
    "flag": (Comparator.FLAG, (True, False, None)),
    "size": (Comparator.DECIMAL, (None, 1, 2, 3, 10)),
    "place": (Comparator.EXACT, (None, {}, {"city": "Bonn"}, {"city": "Köln", "street": "Ring"}, {"city": None})),
    "state": (Comparator.EXACT, (None, "new", "planned", "done", "billed", "off")),
}
"""Per field how it is compared and what is said in it."""
FOR_ALL = (
    Policy.OWNER,
    Policy.OWNER,
    Policy.OWNER,
    Policy.NEWEST,
    Policy.PREFER,
    Policy.MANUAL,
    Policy.HUB,
    Policy.LOCAL,
)
ALSO = {
    "tags": (Policy.UNION, Policy.APPEND),
    "flag": (Policy.ANY_TRUE,),
    "size": (Policy.MAX, Policy.MIN),
    "state": (Policy.STATUS, Policy.STATUS, Policy.STATUS),
}
SHAPE = EntityShape(
    "thing",
    Entity,
    {
        name: FieldShape(name, by, comparing(by), required=False, is_set=by is Comparator.SET)
        for name, (by, _) in KINDS.items()
    },
)


@dataclass(slots=True)
class Peer:
    """One system: what it shows, what it lets us write, how it writes things itself."""

    name: str
    shows: frozenset[str]
    writable: frozenset[str]
    shouts: frozenset[str] = frozenset()
    """Text fields that it keeps in capitals."""
    joins: int = 0
    """The round in which it is linked."""
    row: dict[str, Any] = field(default_factory=dict)
    view: View | None = None
    at: float | None = None

    def keep(self, name: str, value: Any) -> None:
        """Store a value as this system does."""
        self.row[name] = value.upper() if name in self.shouts and isinstance(value, str) else value

    def look(self) -> View | None:
        """Its view with what it shows now, as a pull would leave it."""
        if self.view is not None:
            self.view.now, self.view.at = dict(self.row), self.at
        return self.view

    def __str__(self) -> str:
        read_only = sorted(self.shows - self.writable)
        habits = [f"read only: {', '.join(read_only)}"] if read_only else []
        habits += [f"in capitals: {', '.join(sorted(self.shouts))}"] if self.shouts else []
        habits += [f"from round {self.joins}"] if self.joins else []
        return f"{self.name} shows {', '.join(sorted(self.shows))} ({'; '.join(habits) or 'plain'})"


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person does in one system; `shown` False: a right is lost and the field is not shown any more."""

    round: int
    system: str
    name: str
    value: Any
    at: float | None
    shown: bool = True

    def __str__(self) -> str:
        what = f"{self.name} = {self.value!r}" if self.shown else f"{self.name} is hidden"
        return f"round {self.round}: {self.system}: {what} @{self.at}"


@dataclass(slots=True)
class World:
    """Everything that is drawn, and the agreed state that comes of it."""

    seed: int
    peers: dict[str, Peer]
    tables: tuple[dict[str, Rule], dict[str, Rule]]
    """The rules where mode is "a", and elsewhere."""
    edits: list[Edit]
    pins: dict[str, tuple[Any, str]]
    agreed: dict[str, Any] = field(default_factory=dict)
    said_at: dict[str, float | None] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    heard: dict[str, list[Any]] = field(default_factory=dict)
    """Per field every value that a decision spoke of: agreed, overruled, proposed."""
    overwritten: list[Any] = field(default_factory=list)
    """What the hub wrote over that no decision ever spoke of."""

    @property
    def names(self) -> list[str]:
        return list(self.tables[0])

    @property
    def book(self) -> EntityBook:
        every = {name: Rule(policy=Policy.LOCAL) for name in SHAPE.fields}
        first, rest = ({**every, **table} for table in self.tables)
        limits = Limits(1.0, 1.0, 50)
        return EntityBook(SHAPE, (), (), frozenset(), (), limits, ((condition(f"{SWITCH} == 'a'"), first),), rest)

    def views(self) -> list[View]:
        return [view for peer in self.peers.values() if (view := peer.look()) is not None]

    def rows(self) -> dict[str, dict[str, Any]]:
        return {name: dict(peer.row) for name, peer in self.peers.items() if peer.view is not None}

    # -- one step of the engine ----------------------------------------------------------------

    def verdicts(self, views: list[View], names: list[str] | None = None) -> dict[str, Verdict]:
        """What the engine decides now; of all fields unless some are named (as `service.decide` does)."""
        which = self.names if names is None else names
        held, book = Held(frozenset(self.frozen), self.pins), self.book

        def decided(on: Mapping[str, Any], some: list[str]) -> dict[str, Verdict]:
            return decide_fields(SHAPE, book.rules(on), self.agreed, views, some, held, self.said_at.get)

        if all(view.base is not None for view in views):
            return decided(self.agreed, which)
        first = decided(self.agreed, [name for name in which if name == SWITCH])
        rest = [name for name in which if name not in first]
        return first | decided(merged(SHAPE, self.agreed, first), rest)

    def news(self, views: list[View]) -> list[str]:
        return fields_with_news(SHAPE, views)

    def apply(self, verdicts: Mapping[str, Verdict], views: list[View]) -> None:
        """Settle and remember, as the engine saves it."""
        self.agreed = merged(SHAPE, self.agreed, verdicts)
        for name, verdict in verdicts.items():
            spoken = [verdict.value, *verdict.overruled.values(), *verdict.proposals.values()]
            self.heard.setdefault(name, []).extend(spoken)
            for view in views:
                settle(view, name, verdict)
            if verdict.outcome is Outcome.CONFLICT:
                self.frozen.add(name)
            if verdict.closes:
                self.frozen.discard(name)
            if verdict.outcome in (Outcome.ACCEPT, Outcome.MERGED):
                self.said_at[name] = next((v.at for v in views if v.system == verdict.source), None)
            if verdict.note == "pin released":
                del self.pins[name]

    def closed(self) -> frozenset[str]:
        return frozenset(self.frozen) | self.book.local(self.agreed)

    def owed(self) -> dict[str, dict[str, Any]]:
        """Per system what it still has to be told."""
        told = {view.system: owed(SHAPE, self.agreed, view, self.closed()) for view in self.views()}
        return {system: values for system, values in told.items() if values}

    def deliver(self) -> int:
        """Write all that is owed, as each system takes it; how many records were written."""
        due = self.owed()
        for system, values in due.items():
            peer = self.peers[system]
            assert peer.view is not None
            for name, value in values.items():
                old = peer.row[name]
                if name not in peer.view.sent and not self._was_heard(name, old):
                    self.overwritten.append((system, name, old, value))
                peer.keep(name, value)
            read_back(SHAPE, peer.view, values, dict(peer.row), ours=True)
        return len(due)

    def _was_heard(self, name: str, value: Any) -> bool:
        said, same = self.heard.get(name, []), SHAPE.fields[name].same
        if SHAPE.fields[name].is_set and value:
            return all(any(item in (one or []) for one in said) for item in value)
        return blank(value) or value is False or any(same(value, one) for one in said)

    # -- people --------------------------------------------------------------------------------

    def happen(self, number: int) -> None:
        """What people do before this round."""
        for peer in self.peers.values():
            if peer.joins == number:
                peer.view = View(peer.name, dict(peer.row), at=peer.at, writable=peer.writable)
        for edit in self.edits:
            if edit.round == number:
                peer = self.peers[edit.system]
                peer.at = edit.at
                if edit.shown:
                    peer.keep(edit.name, edit.value)
                else:
                    peer.row.pop(edit.name, None)

    def answer(self, name: str, rng: Random) -> None:
        """A person settles a question or the proposals of a field: one of the sides is right, or what was agreed."""
        views = [view for view in self.views() if name in view.now]
        value = rng.choice([self.agreed.get(name), *(view.now[name] for view in views)])
        lost = {view.system: view.now[name] for view in views if not SHAPE.fields[name].same(view.now[name], value)}
        shown = frozenset(view.system for view in views)
        verdict = Verdict(Outcome.ACCEPT, value, overruled=lost, note="decided by ada", closes=True, settled=shown)
        self.apply({name: verdict}, views)

    def asked(self) -> list[str]:
        """Fields in which a person has something to decide."""
        proposed = {name for view in self.views() for name, why in view.holds.items() if why == PROPOSED}
        return sorted(self.frozen | proposed)

    def __str__(self) -> str:
        lines = [f"seed {self.seed}", *map(str, self.peers.values())]
        for table, when in zip(self.tables, ("mode a", "else"), strict=True):
            lines += [f"{when}: {name}: {_words(rule)}" for name, rule in table.items()]
        lines += [f"pinned: {name} = {value!r} ({mode})" for name, (value, mode) in self.pins.items()]
        return "\n".join([*lines, *map(str, self.edits)])


PLAIN = Rule()


def _words(rule: Rule) -> str:
    """What a rule says beyond the defaults."""
    said = {f.name: getattr(rule, f.name) for f in fields(rule) if f.name != "name"}
    return ", ".join(f"{name}={value}" for name, value in said.items() if value != getattr(PLAIN, name))


# -- drawing -------------------------------------------------------------------------------------


def draw(seed: int) -> World:
    """The world of this seed."""
    rng = Random(seed)  # noqa: S311 - a world of its own for every seed
    systems = sorted(rng.sample(SYSTEMS, rng.choice((3, 3, 4))))
    names = [SWITCH, *rng.sample([name for name in KINDS if name != SWITCH], rng.choice((2, 3)))]
    plain = {name: _rule(rng, name, systems) for name in names}
    changed = {
        name: rule if name == SWITCH or rng.random() < 0.5 else _rule(rng, name, systems)
        for name, rule in plain.items()
    }
    peers = {system: _peer(rng, system, names) for system in systems}
    pins = {}
    if rng.random() < 0.1:
        name = rng.choice(names[1:])
        pins[name] = (rng.choice(KINDS[name][1]), rng.choice(("hold", "until_owner_changes")))
    return World(seed, peers, (plain, changed), list(_edits(rng, peers, names)), pins)


def _rule(rng: Random, name: str, systems: list[str]) -> Rule:
    def chance(share: float) -> bool:
        return rng.random() < share

    owner = rng.choice([*systems, HUB]) if chance(0.95) else None
    return Rule(
        policy=rng.choice((*FOR_ALL, *ALSO.get(name, ()) * 3)) if name != SWITCH else Policy.OWNER,
        owner=owner,
        rank=tuple(rng.sample(systems, rng.randint(0, len(systems)))),
        among=tuple(rng.sample(systems, 2)) if chance(0.3) else (),
        non_owner_change=rng.choice(list(NonOwnerChange)),
        both_changed=rng.choice(("owner_wins", "conflict")),
        blank_by_owner=rng.choice(("accept", "conflict")),
        fill_blank=chance(0.5),
        fallback_owner=rng.choice(systems) if chance(0.3) else None,
        owner_stale=chance(0.1),
        removals=rng.choice(("any", "owner_only")),
        transitions=MACHINE if name == "state" else {},
        accept_from={rng.choice(systems): (("done", "billed"), ("new", "off"))} if name == "state" else {},
        ambiguous=chance(0.03),
        immutable=chance(0.1),
    )


def _peer(rng: Random, system: str, names: list[str]) -> Peer:
    shows = frozenset(name for name in names if rng.random() < 0.9)
    read_only = rng.random() < 0.1
    writable = frozenset(name for name in sorted(shows) if not read_only and rng.random() < 0.9)
    shouts = frozenset(name for name in ("name", "note") if name in shows and rng.random() < 0.15)
    peer = Peer(system, shows, writable, shouts, joins=rng.choice((0, 0, 0, 0, 1)), at=_time(rng, 0))
    alike = rng.random() < 0.5
    for name in sorted(shows):
        peer.keep(name, KINDS[name][1][-1] if alike else rng.choice(KINDS[name][1]))
    return peer


def _edits(rng: Random, peers: Mapping[str, Peer], names: list[str]) -> Iterator[Edit]:
    for number in range(1, rng.choice((2, 3))):
        for _ in range(rng.randint(1, 4)):
            system, name = rng.choice(sorted(peers)), rng.choice(names)
            if name in peers[system].shows:
                value = rng.choice(KINDS[name][1])
                yield Edit(number, system, name, value, _time(rng, number), shown=rng.random() > 0.03)


def _time(rng: Random, number: int) -> float | None:
    """Clocks that differ, tie, or are not there."""
    return None if rng.random() < 0.1 else 100.0 * number + rng.choice((0, 0, 1, 30))
