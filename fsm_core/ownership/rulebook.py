"""Binds a rule file to systems and answers: which rule is in force for this field of this record.

Precedence: the field's own rule, then the entity's first true case, its default, and the file's defaults.
Conditions look at the agreed state before the change, never at incoming values.
Not here: the decision (`fsm_core.sync.merge`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fsm_core.errors import BadMapping
from fsm_core.model.entity import EntityShape
from fsm_core.ownership.conditions import Condition, condition
from fsm_core.ownership.rules import Defaults, EntityRules, FieldRule, RuleFile
from fsm_core.sync.guard import Limits
from fsm_core.sync.types import Policy, Rule, System

REST = "*"


@dataclass(frozen=True, slots=True)
class Replication:
    """Where a record goes when it exists elsewhere."""

    system: System
    when: Condition | None
    """None means always."""


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

    def rules(self, agreed: Mapping[str, Any]) -> dict[str, Rule]:
        """The rule of every field, for a record in this agreed state."""
        return next((rules for when, rules in self.cases if when.holds(agreed)), self.otherwise)

    @cached_property
    def set_apart(self) -> frozenset[str]:
        """Fields that under some rule are not for all systems to say: kept apart, or computed by the hub."""
        tables = [rules for _, rules in self.cases] + [self.otherwise]
        special = (Policy.LOCAL, Policy.HUB)
        return frozenset(name for rules in tables for name, rule in rules.items() if rule.policy in special)

    def local(self, agreed: Mapping[str, Any]) -> frozenset[str]:
        """Fields that every system keeps for itself, for a record in this agreed state."""
        if not self._local_somewhere:
            return frozenset()
        rules = self.rules(agreed)
        return frozenset(name for name in self._local_somewhere if rules[name].policy is Policy.LOCAL)

    @cached_property
    def _local_somewhere(self) -> frozenset[str]:
        tables = [rules for _, rules in self.cases] + [self.otherwise]
        return frozenset(name for rules in tables for name, rule in rules.items() if rule.policy is Policy.LOCAL)

    def wanted_in(self, agreed: Mapping[str, Any]) -> list[System]:
        """Systems that should hold this record."""
        return [r.system for r in self.replications if r.when is None or r.when.holds(agreed)]

    def switches(self) -> frozenset[str]:
        """Fields whose agreed value can change who owns the record or where it goes."""
        conditions = [when for when, _ in self.cases] + [r.when for r in self.replications if r.when]
        return frozenset(name for when in conditions for name in when.fields)


class Rulebook:
    """All bound rules, with the hash of the file they came from."""

    def __init__(
        self, file: RuleFile, version: str, shapes: Mapping[str, EntityShape], systems: Iterable[System]
    ) -> None:
        """`systems` are those configured; a role bound to another one raises `BadMapping`."""
        self.version = version
        self.bind = dict(file.bind)
        known = sorted(systems)
        for role, system in self.bind.items():
            if system not in known:
                raise BadMapping(f"role {role!r} is bound to unknown system {system!r}; known: {', '.join(known)}")
        self._books = {name: self._book(name, rules, file.defaults, shapes) for name, rules in file.entities.items()}

    def book(self, entity: str) -> EntityBook:
        """Rules of an entity; raises `BadMapping` that lists those with rules."""
        try:
            return self._books[entity]
        except KeyError:
            raise BadMapping(f"no rules for {entity!r}; the rule file has: {', '.join(self._books)}") from None

    def _system(self, role: str, where: str) -> System:
        try:
            return self.bind[role]
        except KeyError:
            raise BadMapping(f"{where}: role {role!r} is not bound; known: {', '.join(self.bind)}") from None

    def _book(self, name: str, rules: EntityRules, defaults: Defaults, shapes: Mapping[str, EntityShape]) -> EntityBook:
        if name not in shapes:
            raise BadMapping(f"rules for unknown entity {name!r}; known: {', '.join(shapes)}")
        entity = shapes[name]
        for field_name in rules.fields:
            if field_name != REST:
                entity.field(field_name)
        table = [(condition(case.if_), case.owner) for case in rules.owner.when]
        for when, _ in table:
            self._check_fields(entity, when)
        return EntityBook(
            shape=entity,
            keys=rules.match.keys,
            ask=rules.match.ask,
            creators=frozenset(self._system(role, f"{name}.create") for role in rules.create.allowed),
            replications=self._replications(entity, rules),
            guard=Limits(**defaults.guard.model_dump()),
            cases=tuple((when, self._rules(entity, rules, defaults, owner)) for when, owner in table),
            otherwise=self._rules(entity, rules, defaults, rules.owner.default),
        )

    def _check_fields(self, entity: EntityShape, when: Condition) -> None:
        for name in when.fields:
            entity.field(name.partition(".")[0])

    def _replications(self, entity: EntityShape, rules: EntityRules) -> tuple[Replication, ...]:
        found: dict[System, Replication] = {}
        for role, text in rules.create.replicate_to.items():
            if text == "never":
                continue
            when = None if text == "always" else condition(text)
            if when is not None:
                self._check_fields(entity, when)
            system = self._system(role, f"{entity.name}.create.replicate_to")
            if system not in found or when is None:
                found[system] = Replication(system, when)
        return tuple(found.values())

    def _rules(self, entity: EntityShape, rules: EntityRules, defaults: Defaults, owner: str) -> dict[str, Rule]:
        rest = rules.fields.get(REST)
        table = {}
        for name in entity.fields:
            own = rules.fields.get(name, rest)
            if own is None:
                raise BadMapping(f"{entity.name}.{name} has no rule; add one, or '\"*\": {{}}' for the entity owner")
            table[name] = self._rule(f"{entity.name}.{name}", own, defaults, owner)
        return table

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
            immutable=own.immutable_after == "set",
            name=where,
        )

    def _systems(self, roles: tuple[str, ...], where: str) -> tuple[System, ...]:
        return tuple(dict.fromkeys(self._system(role, where) for role in roles))
