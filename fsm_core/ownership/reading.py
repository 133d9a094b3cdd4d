"""Reads the rules of one entity in their order of precedence, in roles: which rule is in force for a field.

Order: the field's true case of lowest priority, its rule, the rule of all other fields (`*`); whoever such a rule
leaves to the entity is owned by the entity's first true case, else its default. Not here: systems (`rulebook`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fsm_core.ownership.conditions import Condition, condition
from fsm_core.ownership.entities import EntityRules
from fsm_core.ownership.fields import FieldRule
from fsm_core.ownership.lines import Place
from fsm_core.ownership.rules import RuleFile, Singleton
from fsm_core.ownership.words import Role
from fsm_core.sync.types import Policy

REST = "*"
_NOBODYS = FieldRule(policy=Policy.LOCAL)


@dataclass(frozen=True, slots=True)
class Case:
    """One condition under which a role owns the record."""

    when: Condition
    owner: Role
    priority: int
    place: Place


@dataclass(frozen=True, slots=True)
class Branch:
    """One condition under which a field has a rule of its own."""

    when: Condition
    rule: FieldRule
    priority: int
    place: Place


@dataclass(frozen=True, slots=True)
class InForce:
    """The rule of a field in one state of the record, with the role that owns it."""

    rule: FieldRule
    owner: Role
    place: Place
    rivals: tuple[Branch, ...] = ()
    """Further true cases of the same priority that say something else: nobody can say which one is meant."""


class Reading:
    """The rules of one entity."""

    def __init__(self, name: str, file: RuleFile) -> None:
        self.name = name
        self.rules: EntityRules = file.entities[name]
        self._file = file
        self.home: Place = ("entities", name)
        self._branches: dict[str, tuple[Branch, ...]] = {}

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Conditions on the owner of the record, in the order they are asked."""
        owner = self.rules.owner
        if owner.from_ is not None:
            return self._of_singleton(owner.from_, self._file.singletons[owner.from_])
        stated = [
            Case(condition(one.if_), one.owner, one.priority, (*self.home, "owner", "when", at))
            for at, one in enumerate(owner.when)
        ]
        return tuple(sorted(stated, key=lambda case: case.priority))

    def _of_singleton(self, name: str, singleton: Singleton) -> tuple[Case, ...]:
        entity, _, field = singleton.per[0].partition(".")
        path = field if entity == self.name else singleton.per[0]
        place = ("singletons", name, "map")
        return tuple(
            Case(condition(f"{path} == {value!r}"), role, 0, (*place, value)) for value, role in singleton.map.items()
        )

    @cached_property
    def default(self) -> Role:
        """Who owns a record of which no case is true; of a singleton without a default its system or first role."""
        if self.rules.owner.default is not None:
            return self.rules.owner.default
        singleton = self._file.singletons[self.rules.owner.from_ or ""]
        return next(iter((*(singleton.system or ()), *singleton.map.values())), "")

    def true_cases(self, state: Mapping[str, Any]) -> list[Case]:
        """All true cases, the one in force first."""
        return [case for case in self.cases if case.when.holds(state)]

    def owner(self, state: Mapping[str, Any]) -> Role:
        """Who owns a record in this agreed state."""
        return next((case.owner for case in self.true_cases(state)), self.default)

    def plain(self, field: str) -> tuple[FieldRule, Place] | None:
        """The rule of a field when none of its cases is true; None for a field without a rule."""
        for name in (field, REST):
            if name in self.rules.fields:
                return self.rules.fields[name], (*self.home, "fields", name)
        return (_NOBODYS, ("defaults", "unowned")) if self._file.defaults.unowned == "local" else None

    def branches(self, field: str) -> tuple[Branch, ...]:
        """The cases of a field, in the order they are asked."""
        if field not in self._branches:
            self._branches[field] = self._compiled(field)
        return self._branches[field]

    def _compiled(self, field: str) -> tuple[Branch, ...]:
        found = self.plain(field)
        if found is None:
            return ()
        rule, place = found
        stated = [
            Branch(condition(case.if_), rule.body(case), case.priority, (*place, "when", at))
            for at, case in enumerate(rule.when)
        ]
        return tuple(sorted(stated, key=lambda branch: branch.priority))

    def in_force(self, field: str, state: Mapping[str, Any]) -> InForce | None:
        """What holds for a field in this agreed state; None for a field without a rule."""
        found = self.plain(field)
        if found is None:
            return None
        rule, place = found
        true = [branch for branch in self.branches(field) if branch.when.holds(state)]
        first = true[0] if true else None
        chosen = first.rule if first else rule
        rivals = tuple(
            branch for branch in true[1:] if first and branch.priority == first.priority and branch.rule != first.rule
        )
        return InForce(chosen, chosen.owner or self.owner(state), first.place if first else place, rivals)

    def conditions(self) -> list[tuple[Condition, Place]]:
        """Every condition that decides about ownership, with its place."""
        own = [(case.when, case.place) for case in self.cases]
        return own + [(branch.when, branch.place) for name in self.rules.fields for branch in self.branches(name)]
