"""Says what a round would write, without writing: the real engine on an overlay of the state.

Observations are committed before (they are facts); the overlay is thrown away after.
Not here: keeping a plan (`planfile`), carrying one out (`apply`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import ceil
from typing import Any

from fsm_core.model.compare import Comparator, blank
from fsm_core.model.entity import EntityShape
from fsm_core.model.naming import called
from fsm_core.service.converge import Converged, Halted, converge, load, missing
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.loaded import Loaded, closed_fields, live_links, view_of
from fsm_core.service.push import told_at_birth
from fsm_core.service.removal import owed_deletion
from fsm_core.service.telling import provenance
from fsm_core.state import Doc, Link, Work
from fsm_core.sync.record import owed
from fsm_core.sync.types import Rule


@dataclass(frozen=True, slots=True)
class PlannedField:
    """One value that a system would be told."""

    shows: Any
    """What it shows; None in a new record."""
    base: Any
    """What it showed when last settled."""
    to: Any
    """A reference is told by where the record lives: `system:id`."""
    rule: str
    """Where the rule stands, e.g. `customer.phone`."""
    owner: str
    """Who is in charge under that rule: a system, or the policy where no system is."""
    why: str
    """How the agreed value came about."""


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One record in one system."""

    entity: str
    system: str
    action: str
    record: str
    name: str
    external_id: str
    """Its id there; empty for a create."""
    homes: tuple[str, ...]
    """Where the record lives now, as `system:id`: it has no other name yet that will last."""
    version: str
    """The version of the record there that the write assumes; empty where there is none."""
    fields: dict[str, PlannedField]
    currency: str = ""
    """Of the amounts among the fields."""


@dataclass(slots=True)
class Totals:
    """What a plan comes to."""

    writes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Records per system, entity and action."""
    fields: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Values per system, rule and who is in charge under it."""
    money: dict[tuple[str, str, str], tuple[int, Decimal, Decimal]] = field(default_factory=dict)
    """Per system, field and currency: how many amounts, what they change by in sum, and regardless of the sign."""

    def add(self, write: PlannedWrite, amounts: frozenset[str]) -> None:
        """Count one write; `amounts` are the fields of its entity that hold money."""
        self.writes[write.system, write.entity, write.action] += 1
        for name, one in write.fields.items():
            self.fields[write.system, one.rule, one.owner] += 1
            if name in amounts:
                self._pay((write.system, f"{write.entity}.{name}", write.currency), one)

    def _pay(self, key: tuple[str, str, str], one: PlannedField) -> None:
        change = Decimal(one.to or 0) - Decimal(one.shows or 0)
        count, total, moved = self.money.get(key, (0, Decimal(0), Decimal(0)))
        self.money[key] = count + 1, total + change, moved + abs(change)

    def actions(self) -> dict[str, dict[str, int]]:
        """Records per system and action."""
        found: dict[str, Counter[str]] = {}
        for (system, _, action), count in self.writes.items():
            found.setdefault(system, Counter())[action] += count
        return {system: dict(actions) for system, actions in sorted(found.items())}


@dataclass(slots=True)
class Plan:
    """Everything a round would do."""

    entities: tuple[str, ...]
    converged: dict[str, Converged] = field(default_factory=dict)
    halted: dict[str, str] = field(default_factory=dict)
    """Entities that a guard would stop, and why; what it would stop is planned all the same."""
    totals: Totals = field(default_factory=Totals)
    calls: dict[str, int] = field(default_factory=dict)
    """Requests per system, as batches with the reads around them."""


def plan(
    hub: Hub,
    entities: Sequence[str],
    keep: Callable[[PlannedWrite], None],
    before: Callable[[Hub], object] = lambda _hub: None,
) -> Plan:
    """Decide on an overlay and hand out what would be delivered. Needs a pull before it to be up to date.

    Entities are planned together, parents first. `before` decides something on the overlay first.
    """
    with imagined(hub, entities, before) as (there, found):
        for binding in (one for entity in entities for one in there.of_entity(entity)):
            amounts = money_in(there.book(binding.entity).shape)
            writes: Counter[str] = Counter()
            for write in _writes(there, binding):
                found.totals.add(write, amounts)
                writes[write.action] += 1
                keep(write)
            found.calls[binding.system] = found.calls.get(binding.system, 0) + _calls(binding, writes)
    return found


@contextmanager
def imagined(
    hub: Hub, entities: Sequence[str], before: Callable[[Hub], object] = lambda _hub: None
) -> Iterator[tuple[Hub, Plan]]:
    """The hub as it would be once everything is decided; all of it is forgotten at the end."""
    found = Plan(tuple(entities))
    with hub.store.overlay() as store:
        there = replace(hub, store=store)
        with there.running("plan"):
            before(there)
            for entity in entities:
                found.converged[entity] = _converged(there, entity, found)
        yield there, found


def _converged(hub: Hub, entity: str, found: Plan) -> Converged:
    try:
        return converge(hub, entity)
    except Halted as stop:
        found.halted[entity] = stop.message
        return converge(hub, entity, confirmed=True)


def money_in(shape: EntityShape) -> frozenset[str]:
    """Fields that hold an amount of money in the currency of their record."""
    return frozenset(
        name
        for name, one in shape.fields.items()
        if one.comparator is Comparator.DECIMAL and "currency" in shape.fields
    )


def _calls(binding: Binding, writes: Mapping[str, int]) -> int:
    """Batches with their read-back, and with the look before a write where the system cannot compare."""
    count = sum(writes.values())
    batches = ceil(count / max(1, binding.capabilities.batch))
    looks = 0 if binding.capabilities.compare_and_set else ceil(writes.get("update", 0) / max(1, count) * batches)
    return 2 * batches + looks


def _writes(hub: Hub, binding: Binding) -> Iterator[PlannedWrite]:
    after = ""
    while True:
        with hub.store.begin() as work:
            due = work.due_deliveries(binding.entity, binding.system, hub.at(), after, hub.page)
            owing = [(one, *found) for one in load(hub, work, due) if (found := _owed(hub, binding, one)) is not None]
            told = homes_of(hub, work, binding.entity, [values for *_, values in owing])
        if not due:
            return
        yield from (_planned(hub, binding, *found, told) for found in owing)
        after = due[-1]


def _owed(hub: Hub, binding: Binding, one: Loaded) -> tuple[Link | None, Doc] | None:
    link = next((x for x in live_links(one.links) if x.system == binding.system), None)
    if link is None and binding.system not in missing(hub, one, one.conflicts):
        return None
    book = hub.book(binding.entity)
    closed = closed_fields(book, one, one.conflicts)
    removes = link is not None and owed_deletion(hub, one, link)
    if removes:
        values = {}
    elif link is None:
        values = told_at_birth(binding, one, closed)
    else:
        values = owed(book.shape, one.record.document, view_of(hub, link), closed)
    return (link, values) if values or removes else None


def _planned(
    hub: Hub, binding: Binding, one: Loaded, link: Link | None, values: Doc, told: Mapping[str, str]
) -> PlannedWrite:
    document, book = one.record.document, hub.book(binding.entity)
    rules = book.rules(one.ruled(book))
    shows, base = (link.now, link.base or {}) if link else ({}, {})
    spoken = spoken_of(book.shape, values, told)
    removes = link is not None and owed_deletion(hub, one, link)
    return PlannedWrite(
        entity=binding.entity,
        system=binding.system,
        action="delete" if removes else "update" if link else "create",
        record=one.record.id,
        name=called(document, one.record.id),
        external_id=link.external_id if link else "",
        homes=homes(one),
        version=link.version if link else "",
        fields={
            name: PlannedField(
                shows=shows.get(name),
                base=base.get(name),
                to=spoken[name],
                rule=rules[name].name,
                owner=_in_charge(rules[name]),
                why=str(provenance(one.record, name).get("note", "")),
            )
            for name in sorted(values)
        },
        currency=str(document.get("currency") or ""),
    )


def _in_charge(rule: Rule) -> str:
    return rule.owner if rule.policy == "owner" and rule.owner else str(rule.policy)


def homes(one: Loaded) -> tuple[str, ...]:
    """Where a record lives, the oldest link first."""
    return tuple(f"{x.system}:{x.external_id}" for x in sorted(live_links(one.links), key=lambda link: link.id))


def homes_of(hub: Hub, work: Work, entity: str, documents: Sequence[Doc]) -> dict[str, str]:
    """Per record that these documents refer to, its oldest home."""
    names = [name for name, one in hub.book(entity).shape.fields.items() if one.reference]
    wanted = {values[name] for values in documents for name in names if not blank(values.get(name))}
    links = sorted(work.links_of(wanted), key=lambda link: link.id, reverse=True) if wanted else []
    return {link.record or "": f"{link.system}:{link.external_id}" for link in links}


def spoken_of(shape: EntityShape, values: Doc, told: Mapping[str, str]) -> Doc:
    """Values as a plan tells them: a record that a field refers to by its home, as its id may be of the overlay."""
    return {n: told.get(v, v) if shape.fields[n].reference and isinstance(v, str) else v for n, v in values.items()}
