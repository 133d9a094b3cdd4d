"""What the checks look at: the rule file, the entities, and the systems that take part, as facts.

Not here: where facts come from (`flows.cli.facts` reads mappings and asks accounts), and any check.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Protocol

from fsm_core.model.entity import HEADER, EntityShape
from fsm_core.ownership.check.catalogue import CHECKS, Finding, Level
from fsm_core.ownership.check.states import State, document, states
from fsm_core.ownership.lines import Lines, Place, written
from fsm_core.ownership.reading import InForce, Reading
from fsm_core.ownership.rules import RuleFile
from fsm_core.ownership.words import Role
from fsm_core.ports import Capabilities, Document, Json, Object, Rows
from fsm_core.sync.types import HUB, System


class RowFacts(Protocol):
    """One correspondence of a mapping."""

    @property
    def canonical(self) -> str:
        """Field, or field and members of a group."""
        ...

    @property
    def length(self) -> int | None:
        """Characters the mapping lets through."""
        ...

    @property
    def values(self) -> Sequence[tuple[str, str]]:
        """Canonical and native code."""
        ...


class DecodedFacts(Protocol):
    """A native document in canonical words."""

    @property
    def values(self) -> dict[str, Any]:
        """Every field the document speaks of."""
        ...


class MappingFacts(Protocol):
    """The public facts of a mapping between one vendor object and one entity."""

    @property
    def object(self) -> Object:
        """What is read there."""
        ...

    @property
    def canonical_fields(self) -> tuple[str, ...]:
        """Mapped fields."""
        ...

    @property
    def times(self) -> str:
        """What the object tells of its last change: `instant`, `date` or `none`."""
        ...

    @property
    def given(self) -> tuple[str, ...]:
        """Paths a new record gets whatever its fields say."""
        ...

    def readable(self, field: str) -> bool:
        """Whether the system tells us this field."""
        ...

    def writable(self, field: str) -> bool:
        """Whether the field of an existing record may be written there."""
        ...

    def creatable(self, field: str) -> bool:
        """Whether the field is written when the record is created."""
        ...

    def native_of(self, field: str) -> tuple[str, ...]:
        """Where the field lives there."""
        ...

    def bare_of(self, field: str) -> tuple[str, ...]:
        """The same places as an account describes them."""
        ...

    def paths_of(self, field: str) -> tuple[str, ...]:
        """Every described path the field is read from, written to or found by."""
        ...

    def describe_rows(self) -> Sequence[RowFacts]:
        """The rows of the mapping."""
        ...

    def decode(self, document: Document) -> DecodedFacts:
        """Native to canonical."""
        ...

    def encode(self, changes: Mapping[str, Any], now: Mapping[str, Any] | None = None) -> Mapping[str, Json | Rows]:
        """Canonical to native, for these fields only."""
        ...

    def encode_create(self, values: Mapping[str, Any], key: str = "") -> Mapping[str, Json | Rows]:
        """A whole new record."""
        ...


@dataclass(frozen=True)
class Party:
    """One system's side of one entity."""

    system: System
    mapping: MappingFacts
    able: Capabilities | None = None
    """What the account said; None when it was not asked."""

    def speaks_of(self, field: str) -> bool:
        """Whether the system has a place for it."""
        return field in self.mapping.canonical_fields

    def reads(self, field: str) -> bool:
        """Whether we are told it, by the mapping and by the account."""
        return self.speaks_of(field) and self.mapping.readable(field) and self._may(field, "readable")

    def takes(self, field: str) -> bool:
        """Whether it can be told to an existing record."""
        return self.speaks_of(field) and self.mapping.writable(field) and self._may(field, "writable")

    def takes_new(self, field: str) -> bool:
        """Whether a new record can be told it."""
        return self.speaks_of(field) and self.mapping.creatable(field) and self._may(field, "creatable")

    def _may(self, field: str, what: str) -> bool:
        if self.able is None:
            return True
        known = self.able.fields
        if known and any(path not in known for path in self.mapping.paths_of(field)):
            return False  # a field the account hides is neither read nor written
        return all(bool(getattr(known[path], what)) for path in self.mapping.bare_of(field) if path in known)


@dataclass(frozen=True)
class Seat:
    """One field in one state: the rule in force, and the system of its owner."""

    field: str
    state: State
    force: InForce
    owner: System | None
    """None where the role is not bound."""


@dataclass
class Subject:
    """Everything the checks need."""

    file: RuleFile
    lines: Lines
    shapes: Mapping[str, EntityShape]
    parties: Mapping[tuple[System, str], Party] = field(default_factory=dict)
    """By system and entity; a system without a mapping for an entity takes no part in it."""
    wanted: Collection[str] = ()
    """Entities that are synchronised even if fewer than two systems take part."""
    poll: timedelta = timedelta(minutes=5)
    configured: Collection[System] = ()
    """Systems there are; empty where nobody knows."""
    machines: Collection[str] = ()
    """Names of the status machines there are."""

    @cached_property
    def _seats(self) -> dict[tuple[str, str], list[Seat]]:
        return {}

    @cached_property
    def entities(self) -> tuple[str, ...]:
        """Entities with rules and a known shape."""
        return tuple(name for name in self.file.entities if name in self.shapes)

    @cached_property
    def readings(self) -> dict[str, Reading]:
        """The rules of each, in order of precedence."""
        return {name: Reading(name, self.file) for name in self.entities}

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """Entities that are synchronised: two systems take part in them."""
        return tuple(name for name in self.entities if name in self.wanted or len(self.of_entity(name)) > 1)

    def of_entity(self, entity: str) -> dict[System, Party]:
        """The bound systems that take part in an entity."""
        roles = {*self.file.bind, *self.file.entities[entity].bind}
        bound = sorted({system for role in roles if (system := self.file.bound(role, entity))})
        return {system: self.parties[system, entity] for system in bound if (system, entity) in self.parties}

    def fields(self, entity: str) -> tuple[str, ...]:
        """The entity's fields but those of the hub itself."""
        return tuple(name for name in self.shapes[entity].fields if name not in HEADER)

    def states(self, entity: str) -> list[State]:
        """States that its conditions on ownership tell apart; one empty state when they are too many."""
        return self._states[entity] if self._states[entity] is not None else [{}]  # type: ignore[return-value]

    def beyond_proof(self, entity: str) -> bool:
        """Whether there are too many states to look at all of them."""
        return self._states[entity] is None

    @cached_property
    def _states(self) -> dict[str, list[State] | None]:
        return {
            name: states(self.shapes, name, [when for when, _ in reading.conditions()])
            for name, reading in self.readings.items()
        }

    def seats(self, entity: str, field: str) -> list[Seat]:
        """The field in every state, one for each rule and owner in force."""
        if (entity, field) not in self._seats:
            self._seats[entity, field] = list(self._seated(entity, field))
        return self._seats[entity, field]

    def _seated(self, entity: str, field: str) -> Iterator[Seat]:
        seen = set()
        for state in self.states(entity):
            force = self.readings[entity].in_force(field, document(state))
            if force is None:
                return
            key = (force.place, force.owner)
            if key not in seen:
                seen.add(key)
                yield Seat(field, state, force, self.file.bound(force.owner, entity))

    def systems(self, entity: str, roles: Sequence[Role]) -> list[System]:
        """Systems that play these roles for an entity, each once."""
        found = (self.file.bound(role, entity) for role in roles)
        return list(dict.fromkeys(system for system in found if system and system != HUB))

    def found(  # noqa: PLR0913 - what a finding is made of
        self,
        check: str,
        place: Place,
        sentence: str,
        example: Mapping[str, Any],
        remedy: str,
        *,
        level: Level | None = None,
        entity: str = "",
        field: str = "",
        system: str = "",
    ) -> Finding:
        """A finding at a place of the file."""
        return Finding(
            check=check,
            level=level or CHECKS[check].level,
            place=written(place),
            line=self.lines.of(place),
            sentence=sentence,
            counter_example=example,
            remedy=remedy,
            entity=entity,
            field=field,
            system=system,
        )
