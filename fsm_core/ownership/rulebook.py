"""Binds a rule file to systems and answers: which rule is in force for this field of this record.

Precedence (`reading`): the field's true case, its own rule, the entity's first true case, its default, the file's
defaults.
Conditions look at the agreed state before the change, never at incoming values.
Not here: the decision (`fsm_core.sync.merge`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias

from fsm_core.errors import BadMapping
from fsm_core.model.entity import EntityShape
from fsm_core.ownership.conditions import Condition, condition
from fsm_core.ownership.entities import ALWAYS, NEVER, EntityRules
from fsm_core.ownership.fields import FieldRule
from fsm_core.ownership.reading import REST, Reading
from fsm_core.ownership.rules import Defaults, RuleFile
from fsm_core.sync.guard import Limits
from fsm_core.sync.keys import Reader, readers
from fsm_core.sync.types import HUB, Policy, Rule, System

Machines: TypeAlias = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Per status machine and state the states that may follow."""


@dataclass(frozen=True, slots=True)
class Replication:
    """Where a record goes when it exists elsewhere."""

    system: System
    when: Condition | None
    """None means always."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A rule of one field that holds under a condition of its own."""

    when: Condition
    priority: int
    rules: tuple[Rule, ...]
    """One for each case of the entity, and one for none of them."""


@dataclass(frozen=True)
class EntityBook:
    """The bound rules of one entity."""

    shape: EntityShape
    keys: tuple[tuple[str, ...], ...]
    ask: tuple[tuple[str, ...], ...]
    creators: frozenset[System]
    replications: tuple[Replication, ...]
    guard: Limits
    cases: tuple[tuple[Condition, dict[str, Rule]], ...]
    otherwise: dict[str, Rule] = field(default_factory=dict)
    branches: Mapping[str, tuple[Branch, ...]] = field(default_factory=dict)
    """Fields whose rule has conditions, lowest priority first."""

    def rules(self, agreed: Mapping[str, Any]) -> dict[str, Rule]:
        """The rule of every field, for a record in this agreed state."""
        if self.branches:
            return self._branched(agreed)
        return next((rules for when, rules in self.cases if when.holds(agreed)), self.otherwise)

    def _branched(self, agreed: Mapping[str, Any]) -> dict[str, Rule]:
        case = next((at for at, (when, _) in enumerate(self.cases) if when.holds(agreed)), len(self.cases))
        rules = dict(self._tables[case])
        for name, branches in self.branches.items():
            true = [branch for branch in branches if branch.when.holds(agreed)]
            if true:
                chosen = true[0].rules[case]
                rivals = (one.rules[case] for one in true[1:] if one.priority == true[0].priority)
                rules[name] = replace(chosen, ambiguous=any(rival != chosen for rival in rivals))
        return rules

    @cached_property
    def _tables(self) -> list[dict[str, Rule]]:
        return [*(rules for _, rules in self.cases), self.otherwise]

    @cached_property
    def _every_rule(self) -> list[tuple[str, Rule]]:
        plain = [(name, rule) for rules in self._tables for name, rule in rules.items()]
        return plain + [(name, rule) for name, some in self.branches.items() for one in some for rule in one.rules]

    @cached_property
    def set_apart(self) -> frozenset[str]:
        """Fields that under some rule are not for all systems to say: kept apart, or computed by the hub."""
        return frozenset(name for name, rule in self._every_rule if rule.policy in (Policy.LOCAL, Policy.HUB))

    @cached_property
    def readers(self) -> list[tuple[str, Reader]]:
        """The keys by which records are matched, each with what it reads of a document."""
        return readers(self.shape, self.keys, self.ask)

    def local(self, agreed: Mapping[str, Any]) -> frozenset[str]:
        """Fields that every system keeps for itself, for a record in this agreed state."""
        if not self._local_somewhere:
            return frozenset()
        rules = self.rules(agreed)
        return frozenset(name for name in self._local_somewhere if rules[name].policy is Policy.LOCAL)

    @cached_property
    def _local_somewhere(self) -> frozenset[str]:
        return frozenset(name for name, rule in self._every_rule if rule.policy is Policy.LOCAL)

    def wanted_in(self, agreed: Mapping[str, Any]) -> list[System]:
        """Systems that should hold this record."""
        return [r.system for r in self.replications if r.when is None or r.when.holds(agreed)]

    def switches(self) -> frozenset[str]:
        """Fields whose agreed value can change who owns the record or where it goes."""
        return frozenset(_read(self.shape, name)[0] for name in self._conditional)

    @cached_property
    def joins(self) -> dict[str, str]:
        """The words by which conditions look into another record, with the field that refers to it."""
        read = {name.partition(".")[0]: _read(self.shape, name) for name in self._conditional}
        return {word: name for word, (name, beyond) in read.items() if beyond}

    @cached_property
    def watched(self) -> dict[str, frozenset[str]]:
        """Per entity that conditions look into, its fields that they read."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for name in self._conditional:
            own, beyond = _read(self.shape, name)
            if beyond:
                found[self.shape.fields[own].reference].add(beyond)
        return {entity: frozenset(names) for entity, names in found.items()}

    def joined(self, document: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        """A document as conditions see it: with the agreed documents it refers to, by record id in `parents`."""
        if not self.joins:
            return document
        return {**document, **{word: parents.get(document.get(name) or "") for word, name in self.joins.items()}}

    @cached_property
    def goes_by_parents(self) -> bool:
        """Whether another record has a say in where a record goes."""
        names = (name for one in self.replications if one.when for name in one.when.fields)
        return any(_read(self.shape, name)[1] for name in names)

    @cached_property
    def _conditional(self) -> frozenset[str]:
        conditions = [when for when, _ in self.cases] + [r.when for r in self.replications if r.when]
        conditions += [branch.when for branches in self.branches.values() for branch in branches]
        return frozenset(name for when in conditions for name in when.fields)


def _read(shape: EntityShape, name: str) -> tuple[str, str]:
    """The own field that a name in a condition reads, and the field of the record it refers to, if it looks there."""
    head, _, beyond = name.partition(".")
    return (head, "") if head in shape.fields or not beyond else (f"{head}_id", beyond)


class Rulebook:
    """All bound rules, with the hash of the file they came from."""

    def __init__(
        self,
        file: RuleFile,
        version: str,
        shapes: Mapping[str, EntityShape],
        systems: Iterable[System],
        machines: Machines = MappingProxyType({}),
    ) -> None:
        """`systems` are those configured; a role bound to another one raises `BadMapping`."""
        self.version = version
        self.bind = dict(file.bind)
        self._file, self._machines = file, machines
        known = sorted({*systems, HUB})
        bound = [self.bind, *(rules.bind for rules in file.entities.values())]
        for role, system in (pair for table in bound for pair in table.items()):
            if system not in known:
                shown = ", ".join(name for name in known if name != HUB)
                raise BadMapping(f"role {role!r} is bound to unknown system {system!r}; known: {shown}")
        self._shapes = shapes
        self._books = {name: self._book(name, rules, file.defaults, shapes) for name, rules in file.entities.items()}

    def book(self, entity: str) -> EntityBook:
        """Rules of an entity; raises `BadMapping` that lists those with rules."""
        try:
            return self._books[entity]
        except KeyError:
            raise BadMapping(f"no rules for {entity!r}; the rule file has: {', '.join(self._books)}") from None

    def watchers(self, entity: str) -> dict[str, frozenset[str]]:
        """The entities whose conditions look into this one, with the fields they read."""
        return {name: book.watched[entity] for name, book in self._books.items() if entity in book.watched}

    def _system(self, role: str, where: str) -> System:
        system = self._file.bound(role, where.partition(".")[0])
        if system is None:
            raise BadMapping(f"{where}: role {role!r} is not bound; known: {', '.join(self.bind)}")
        return system

    def _book(self, name: str, rules: EntityRules, defaults: Defaults, shapes: Mapping[str, EntityShape]) -> EntityBook:
        if name not in shapes:
            raise BadMapping(f"rules for unknown entity {name!r}; known: {', '.join(shapes)}")
        entity, reading = shapes[name], Reading(name, self._file)
        for field_name in rules.fields:
            if field_name != REST:
                entity.field(field_name)
        for when, _ in reading.conditions():
            self._check_fields(entity, when)
        owners = [*(case.owner for case in reading.cases), reading.default]
        tables = [self._rules(entity, reading, defaults, owner) for owner in owners]
        return EntityBook(
            shape=entity,
            keys=rules.match.keys,
            ask=rules.match.ask,
            creators=frozenset(self._system(role, f"{name}.create") for role in rules.create.allowed),
            replications=self._replications(entity, rules),
            guard=Limits(**defaults.guard.model_dump(exclude={"max_delete_ratio"})),
            cases=tuple(zip((case.when for case in reading.cases), tables, strict=False)),
            otherwise=tables[-1],
            branches=self._branches(entity, reading, defaults, owners),
        )

    def _check_fields(self, entity: EntityShape, when: Condition) -> None:
        for name in when.fields:
            own, beyond = _read(entity, name)
            field = entity.field(own)
            if beyond and not field.reference:
                raise BadMapping(f"condition {when.text!r}: {entity.name}.{own} refers to no other record", field=own)
            if beyond:
                self._shapes[field.reference].field(beyond)

    def _replications(self, entity: EntityShape, rules: EntityRules) -> tuple[Replication, ...]:
        found: dict[System, Replication] = {}
        for role, text in rules.create.replicate_to.items():
            system = self._system(role, f"{entity.name}.create.replicate_to")
            if text == NEVER or system == HUB:
                continue
            when = None if text == ALWAYS else condition(text)
            if when is not None:
                self._check_fields(entity, when)
            if system not in found or when is None:
                found[system] = Replication(system, when)
        return tuple(found.values())

    def _rules(self, entity: EntityShape, reading: Reading, defaults: Defaults, owner: str) -> dict[str, Rule]:
        table = {}
        for name in entity.fields:
            found = reading.plain(name)
            if found is None:
                raise BadMapping(f"{entity.name}.{name} has no rule; add one, or '\"*\": {{}}' for the entity owner")
            table[name] = self._rule(f"{entity.name}.{name}", found[0], defaults, owner)
        return table

    def _branches(
        self, entity: EntityShape, reading: Reading, defaults: Defaults, owners: list[str]
    ) -> dict[str, tuple[Branch, ...]]:
        found = {}
        for name in entity.fields:
            where = f"{entity.name}.{name}"
            made = tuple(
                Branch(one.when, one.priority, tuple(self._rule(where, one.rule, defaults, owner) for owner in owners))
                for one in reading.branches(name)
            )
            if made:
                found[name] = made
        return found

    def _rule(self, where: str, own: FieldRule, defaults: Defaults, entity_owner: str) -> Rule:
        return Rule(
            policy=own.policy,
            owner=self._system(own.owner or entity_owner, where),
            rank=self._systems(own.rank, where),
            among=self._systems(own.among, where),
            non_owner_change=own.non_owner_change or defaults.non_owner_change,
            both_changed=own.both_changed or defaults.both_changed,
            blank_by_owner=own.blank_by_owner or defaults.blank_by_owner,
            fill_blank=defaults.fill_blank if own.fill_blank is None else own.fill_blank,
            fallback_owner=self._system(own.fallback_owner, where) if own.fallback_owner else None,
            skew=own.skew.total_seconds(),
            removals=own.removals,
            transitions=self._transitions(own, where),
            accept_from={self._system(role, where): pairs for role, pairs in own.accept_from.items()},
            immutable=own.immutable_after == "set",
            name=where,
        )

    def _transitions(self, own: FieldRule, where: str) -> Mapping[str, tuple[str, ...]]:
        if own.policy is not Policy.STATUS:
            return {}
        try:
            return self._machines[own.machine]
        except KeyError:
            known = ", ".join(self._machines) or "none"
            raise BadMapping(f"{where}: unknown status machine {own.machine!r}; known: {known}") from None

    def _systems(self, roles: tuple[str, ...], where: str) -> tuple[System, ...]:
        return tuple(dict.fromkeys(self._system(role, where) for role in roles))
