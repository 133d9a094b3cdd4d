"""The bound rules of one entity, and which of them are in force for a record in some state.

Conditions look at the agreed state before the change, never at incoming values.
Not here: how a rule file becomes this (`rulebook`), and the decision (`fsm_core.sync.merge`).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeAlias

from fsm_core.model.entity import EntityShape
from fsm_core.ownership.closing import Closing
from fsm_core.ownership.conditions import Condition
from fsm_core.ownership.entities import Delete, Handover
from fsm_core.ownership.words import OWNER
from fsm_core.sync.deletion import DeleteRule
from fsm_core.sync.double_entry import PreCheck
from fsm_core.sync.guard import Limits
from fsm_core.sync.keys import Reader, readers
from fsm_core.sync.similar import Feature
from fsm_core.sync.types import Policy, Rule, System

Facts: TypeAlias = Mapping[str, Any]
"""What conditions go by, by name: an own field, or `customer.billing_status`."""
NOTHING: Facts = MappingProxyType({})
AS_AGREED = Handover(on_switch="adopt_agreed")
"""What a hand-over is where the file says nothing of it."""


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


@dataclass(frozen=True, slots=True)
class Alike:
    """What is scored, what speaks against a match, and what a score leads to."""

    features: tuple[Feature, ...] = ()
    against: tuple[Feature, ...] = ()
    review: float = 1.0
    auto: float | None = None
    """None: a score never links."""
    blocks: tuple[tuple[str, Reader], ...] = ()
    """What likely pairs have in common, each with what it reads of a document."""


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
    case_owners: tuple[System, ...] = ()
    """Of a record: one for each case, and one for none of them."""
    delete: Delete | None = None
    deleters: frozenset[System] = frozenset()
    """Systems whose deletion counts whoever owns the record."""
    branches: Mapping[str, tuple[Branch, ...]] = field(default_factory=dict)
    """Fields whose rule has conditions, lowest priority first."""
    births: Mapping[System, tuple[Condition, ...]] = field(default_factory=dict)
    """Creators of which one of these must hold of what they create."""
    closing: Closing | None = None
    """From which status on a record may not change."""
    handover: Handover = AS_AGREED
    pre_check: PreCheck | None = None
    """What a newcomer meets before its birth."""
    finders: tuple[PreCheck, ...] = ()
    """The checks, of this entity or another, that look for its records."""
    alike: Alike = Alike()
    several: frozenset[System] = frozenset()
    """Systems that may hold several records of one thing."""

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

    def owner(self, agreed: Mapping[str, Any]) -> System:
        """Who owns a record in this agreed state."""
        case = next((at for at, (when, _) in enumerate(self.cases) if when.holds(agreed)), len(self.cases))
        return self.case_owners[case]

    def deletion(self, agreed: Mapping[str, Any]) -> DeleteRule:
        """Whose deletion of a record in this agreed state counts, and what follows; a person is asked by default."""
        if self.delete is None:
            return DeleteRule()
        owning = {self.owner(agreed)} if OWNER in self.delete.by else frozenset[System]()
        return DeleteRule(self.deleters | owning, self.delete.on_owner_delete, self.delete.on_non_owner_delete)

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
    def patience(self) -> frozenset[float]:
        """Seconds of silence after which some owner loses to its fallback; empty where silence means nothing."""
        rules = (rule for _, rule in self._every_rule if rule.fallback_owner is not None)
        return frozenset(rule.stale_after for rule in rules if rule.stale_after is not None)

    @cached_property
    def deciders(self) -> dict[str, frozenset[str]]:
        """Fields that under some rule only persons of these roles may decide."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for name, rule in self._every_rule:
            found[name] |= set(rule.roles)
        return {name: frozenset(roles) for name, roles in found.items() if roles}

    def fixed(self, agreed: Mapping[str, Any]) -> frozenset[str]:
        """Fields that may not change any more, for a record in this agreed state."""
        return self.closing.fixed(agreed) if self.closing else frozenset()

    @cached_property
    def readers(self) -> list[tuple[str, Reader]]:
        """The keys by which records are matched, each with what it reads of a document."""
        return readers(self.shape, self.keys, self.ask)

    def found_by(self, document: Mapping[str, Any]) -> set[tuple[str, str]]:
        """Name and value of each key under which checks for double entry find a document."""
        return {key for check in self.finders for key in check.keys[self.shape.name](document)}

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
        return frozenset(fact_of(self.shape, name)[0] for name in self._conditional)

    @cached_property
    def joins(self) -> dict[str, str]:
        """The words by which conditions look into another record, with the field that refers to it."""
        births = {name for several in self.births.values() for when in several for name in when.fields}
        read = {name.partition(".")[0]: fact_of(self.shape, name) for name in self._conditional | births}
        return {word: name for word, (name, beyond) in read.items() if beyond}

    @cached_property
    def watched(self) -> dict[str, frozenset[str]]:
        """Per entity that conditions look into, its fields that they read."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for name in self._conditional:
            own, beyond = fact_of(self.shape, name)
            if beyond:
                found[self.shape.fields[own].reference].add(beyond)
        return {entity: frozenset(names) for entity, names in found.items()}

    def joined(self, document: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        """A document as conditions see it: with the agreed documents it refers to, by record id in `parents`."""
        if not self.joins:
            return document
        return {**document, **{word: parents.get(document.get(name) or "") for word, name in self.joins.items()}}

    def in_force(self, document: Mapping[str, Any], parents: Mapping[str, Mapping[str, Any]], held: Facts) -> Facts:
        """A document as conditions on rules see it: `held` are facts that still count while ownership passes."""
        if not held:
            return self.joined(document, parents)
        own = {name: value for name, value in held.items() if name in self.shape.fields}
        seen = dict(self.joined({**document, **own}, parents))
        for name in held.keys() - own.keys():
            word, _, beyond = name.partition(".")
            seen[word] = {**(seen.get(word) or {}), beyond: held[name]}
        return seen

    def facts(self, seen: Facts) -> Facts:
        """Of a document as conditions see it what those on rules go by."""
        return {name: _fact(seen, name) for name in self.rule_facts}

    @cached_property
    def rule_facts(self) -> frozenset[str]:
        """The names of all facts that decide which rules are in force."""
        reads = {name: fact_of(self.shape, name) for name in self._of_rules}
        return frozenset(name if beyond else own for name, (own, beyond) in reads.items())

    @cached_property
    def rule_switches(self) -> frozenset[str]:
        """Own fields whose agreed value can change which rules are in force."""
        return frozenset(fact_of(self.shape, name)[0] for name in self._of_rules)

    def owners(self, seen: Facts) -> dict[str, System]:
        """Who owns which field, where an owner has a say; for a record that conditions see so."""
        return {name: rule.owner for name, rule in self.rules(seen).items() if rule.owner and _owned(rule)}

    @cached_property
    def goes_by_parents(self) -> bool:
        """Whether another record has a say in where a record goes."""
        return any(self.beyond(one.when) for one in self.replications if one.when)

    def beyond(self, when: Condition) -> bool:
        """Whether a condition looks into another record."""
        return any(fact_of(self.shape, name)[1] for name in when.fields)

    @cached_property
    def _conditional(self) -> frozenset[str]:
        return self._of_rules | {name for one in self.replications if one.when for name in one.when.fields}

    @cached_property
    def _of_rules(self) -> frozenset[str]:
        conditions = [when for when, _ in self.cases]
        conditions += [branch.when for branches in self.branches.values() for branch in branches]
        return frozenset(name for when in conditions for name in when.fields)


def fact_of(shape: EntityShape, name: str) -> tuple[str, str]:
    """The own field that a name in a condition reads, and the field of the record it refers to, if it looks there."""
    head, _, beyond = name.partition(".")
    return (head, "") if head in shape.fields or not beyond else (f"{head}_id", beyond)


def _fact(seen: Facts, name: str) -> Any:  # noqa: ANN401 - a canonical value
    if name in seen:
        return seen[name]
    word, _, beyond = name.partition(".")
    return (seen.get(word) or {}).get(beyond) if beyond else None


def _owned(rule: Rule) -> bool:
    return rule.policy in (Policy.OWNER, Policy.STATUS) or rule.removals == "owner_only"
