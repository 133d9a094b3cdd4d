"""Stand-ins for the analyser: an entity of every kind of field, and a mapping that says and shows everything.

Not here: any vendor's mapping; those are tested as they ship.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar

from pydantic import Field, StringConstraints

from fsm_core.errors import Invalid
from fsm_core.model.compare import Comparator
from fsm_core.model.entity import Compare, Entity, EntityShape, Group, Reference, shape_of
from fsm_core.ownership import parse
from fsm_core.ownership.check import Finding, Party, Report, Subject, check
from fsm_core.ownership.lines import Lines
from fsm_core.ports import Capabilities, Object


class Stage(StrEnum):
    NEW = "new"
    LIVE = "live"
    GONE = "gone"


class Spot(Group):
    town: Annotated[str, StringConstraints(max_length=20)] | None = None
    lane: Annotated[str, StringConstraints(max_length=20)] | None = None


class Thing(Entity):
    entity_name: ClassVar[str] = "thing"
    endings: ClassVar[Mapping[str, tuple[str, str]]] = {"deactivate": ("stage", "gone")}

    code: Annotated[str, StringConstraints(max_length=10)] | None = None
    title: Annotated[str, StringConstraints(max_length=30)]
    stage: Stage = Stage.NEW
    phase: Stage = Stage.NEW
    price: Annotated[str, Compare(Comparator.DECIMAL)] | None = None
    seen_on: date | None = None
    marks: Annotated[list[str], Compare(Comparator.SET)] = Field(default_factory=list)
    stopped: Annotated[bool, Compare(Comparator.FLAG)] = False
    spot: Spot | None = None


class Part(Entity):
    entity_name: ClassVar[str] = "part"

    thing_id: Annotated[str, Reference("thing")]
    title: Annotated[str, StringConstraints(max_length=30)]


SHAPES: dict[str, EntityShape] = {model.entity_name: shape_of(model) for model in (Thing, Part)}


@dataclass(frozen=True)
class Row:
    canonical: str
    length: int | None = None
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Plain:
    """Says every field under its own name, and shows it as it was told."""

    shape: EntityShape
    without: frozenset[str] = frozenset()
    only_read: frozenset[str] = frozenset()
    only_written: frozenset[str] = frozenset()
    only_created: frozenset[str] = frozenset()
    lengths: Mapping[str, int] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per field its codes there; what is not in it is refused."""
    shown: Mapping[str, Any] = field(default_factory=dict)
    """Per field what it shows whatever it is told."""
    reads_from: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    times: str = "instant"
    given: tuple[str, ...] = ()

    @property
    def canonical_fields(self) -> tuple[str, ...]:
        return tuple(name for name in self.shape.fields if name not in self.without)

    @property
    def object(self) -> Object:
        return Object(self.shape.name, tuple(sorted({*self.places.values(), *self.canonical_fields})))

    def readable(self, name: str) -> bool:
        return name in self.canonical_fields and name not in self.only_written

    def writable(self, name: str) -> bool:
        return name in self.canonical_fields and name not in self.only_read | self.only_created

    def creatable(self, name: str) -> bool:
        return name in self.canonical_fields and name not in self.only_read

    def native_of(self, name: str) -> tuple[str, ...]:
        return self.reads_from.get(name, (self.places.get(name, name),))

    bare_of = paths_of = native_of

    def describe_rows(self) -> list[Row]:
        return [row for name in self.canonical_fields for row in self._rows(name)]

    def _rows(self, name: str) -> list[Row]:
        values = tuple(self.words.get(name, {}).items())
        members = self.members.get(name, self.shape.fields[name].members)
        return [Row(f"{name}.{one}", self.lengths.get(name)) for one in members] or [
            Row(name, self.lengths.get(name), values)
        ]

    def decode(self, document: Mapping[str, Any]) -> Any:
        told = {name: document[self.places.get(name, name)] for name in self.canonical_fields
                if self.places.get(name, name) in document}  # fmt: skip
        back = {name: {native: code for code, native in table.items()} for name, table in self.words.items()}
        values = {name: back[name].get(value) if name in back else value for name, value in told.items()}
        known = {name: value for name, value in values.items() if name not in back or value or told[name] is None}
        return SimpleNamespace(values={**known, **{n: v for n, v in self.shown.items() if n in known}})

    def encode(self, changes: Mapping[str, Any], now: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {self.places.get(name, name): self._said(name, value) for name, value in changes.items()}

    def encode_create(self, values: Mapping[str, Any], key: str = "") -> dict[str, Any]:
        return self.encode(values)

    def _said(self, name: str, value: Any) -> Any:
        limit = self.lengths.get(name)
        texts = value.values() if isinstance(value, dict) else [value]
        if limit and any(isinstance(text, str) and len(text) > limit for text in texts):
            raise Invalid(f"more than {limit} characters")
        if name in self.words:
            if value not in self.words[name]:
                raise Invalid(f"code {value!r} is not in the table")
            return self.words[name][value]
        return value


THING = Plain(SHAPES["thing"])
PART = Plain(SHAPES["part"])

GOOD = """\
version: 1
bind: {crm: one, erp: two}
clearance: {crm: [personal], erp: [finance, personal]}
entities:
  thing:
    match: {keys: [[code]], ask: [[title]]}
    create: {allowed: [crm, erp], replicate_to: {crm: always, erp: always}}
    delete: {by: owner, on_owner_delete: deactivate, on_non_owner_delete: restore}
    owner: {default: crm, when: [{if: "stage == 'live'", owner: erp}]}
    handover: {on_switch: adopt_agreed}
    fields:
      code: {owner: erp, immutable_after: set}
      stage: {owner: erp}
      "*": {}
routing: [{match: {}, to: office}]
"""
"""Rules in which nothing is found."""


def subject(text: str = GOOD, one: Plain = THING, two: Plain = THING, **more: Any) -> Subject:
    """The rules with two systems that map things."""
    parties = {("one", "thing"): Party("one", one), ("two", "thing"): Party("two", two)}
    given = {"shapes": SHAPES, "parties": parties, **more}
    return Subject(parse(text), Lines(text), **given)


def able(party: Party, **fields: Any) -> Party:
    """The same, of an account that was asked."""
    return replace(party, able=Capabilities(fields=fields))


def found(looked_at: Subject, which: str) -> list[Finding]:
    """Findings of one check."""
    return [one for one in check(looked_at).findings if one.check == which]


def report(text: str = GOOD, **more: Any) -> Report:
    return check(subject(text, **more))
