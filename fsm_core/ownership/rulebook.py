"""Binds a rule file to systems: the rules of each entity become a book.

Precedence (`reading`): the field's true case, its own rule, the entity's first true case, its default, the file's
defaults.
Not here: which rule is in force for a record (`book`), and the decision (`fsm_core.sync.merge`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias

from fsm_core.errors import BadMapping
from fsm_core.model.entity import EntityShape
from fsm_core.ownership.book import AS_AGREED, Alike, Branch, EntityBook, Replication, fact_of
from fsm_core.ownership.closing import closing
from fsm_core.ownership.conditions import Condition, condition
from fsm_core.ownership.dependants import CHECKS
from fsm_core.ownership.entities import ALWAYS, NEVER, Delete, EntityRules, Match
from fsm_core.ownership.fields import FieldRule
from fsm_core.ownership.reading import REST, Reading
from fsm_core.ownership.routing import Routed, routed
from fsm_core.ownership.rules import Defaults, RuleFile
from fsm_core.ownership.words import OWNER
from fsm_core.sync.blocks import block_readers
from fsm_core.sync.double_entry import PRE_CHECKS, PreCheck
from fsm_core.sync.guard import Limits
from fsm_core.sync.similar import features
from fsm_core.sync.types import HUB, Policy, Rule, System

Machines: TypeAlias = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Per status machine and state the states that may follow."""


def _alike(shape: EntityShape, match: Match) -> Alike:
    scored, against = features(shape, match.fuzzy), features(shape, match.contradiction)
    blocks = tuple(block_readers(shape, scored))
    if scored and not blocks:
        raise BadMapping(
            f"{shape.name}.match.fuzzy: name a field that pairs can be found by, such as a name or a phone"
        )
    return Alike(scored, against, match.review, match.auto, blocks)


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
        self.guard = Limits(**file.defaults.guard.model_dump())
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

    def routed(self, entity: str, field: str, kind: str) -> Routed:
        """Who is asked a question of this kind, and how urgent it is."""
        return routed(self._file.routing, entity, field, kind)

    @cached_property
    def persons(self) -> tuple[str, ...]:
        """Every role of persons that some rule lets decide a field."""
        return tuple(
            sorted({role for book in self._books.values() for some in book.deciders.values() for role in some})
        )

    @property
    def routes(self) -> str:
        """All routes, as words that are the same as long as they are."""
        return repr(self._file.routing)

    def bears(self, check: str, entity: str, field: str, system: System) -> bool:
        """Whether the file accepts such a finding, with its reason."""
        return any(one.covers(check, entity, field, system) for one in self._file.accept)

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
            births=self._births(entity, rules),
            closing=closing(entity, reading, self._machines),
            replications=self._replications(entity, rules),
            guard=self.guard,
            cases=tuple(zip((case.when for case in reading.cases), tables, strict=False)),
            otherwise=tables[-1],
            branches=self._branches(entity, reading, defaults, owners),
            handover=rules.handover or AS_AGREED,
            pre_check=PRE_CHECKS.get(rules.create.pre_check),
            finders=self._finders(name),
            alike=_alike(entity, rules.match),
            several=self._several(name, rules.match),
            case_owners=tuple(self._system(owner, f"{name}.owner") for owner in owners),
            delete=rules.delete,
            deleters=self._deleters(entity, rules.delete) if rules.delete else frozenset(),
        )

    def _finders(self, entity: str) -> tuple[PreCheck, ...]:
        named = {rules.create.pre_check for rules in self._file.entities.values()}
        return tuple(check for name, check in PRE_CHECKS.items() if name in named and entity in check.keys)

    def _several(self, entity: str, match: Match) -> frozenset[System]:
        found = frozenset(self._system(role, f"{entity}.match.several") for role in match.several)
        if HUB in found:
            raise BadMapping(f"{entity}.match.several: the hub's own store holds one record of a thing")
        return found

    def _deleters(self, entity: EntityShape, delete: Delete) -> frozenset[System]:
        for name in delete.block_if:
            child = self._shapes.get(CHECKS[name].entity)
            if child and all(one.reference != entity.name for one in child.fields.values()):
                raise BadMapping(f"{entity.name}.delete.block_if: {child.name} records never refer to {entity.name}")
        return frozenset(self._system(role, f"{entity.name}.delete.by") for role in delete.by if role != OWNER)

    def _check_fields(self, entity: EntityShape, when: Condition) -> None:
        for name in when.fields:
            own, beyond = fact_of(entity, name)
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

    def _births(self, entity: EntityShape, rules: EntityRules) -> dict[System, tuple[Condition, ...]]:
        """Systems that may create under conditions only: one that also plays a free role is not among them."""
        found: defaultdict[System, list[Condition]] = defaultdict(list)
        free = set()
        for role in rules.create.allowed:
            system = self._system(role, f"{entity.name}.create.by_condition")
            text = rules.create.by_condition.get(role, ALWAYS)
            if text == ALWAYS:
                free.add(system)
            else:
                when = condition(text)
                self._check_fields(entity, when)
                found[system].append(when)
        return {system: tuple(conditions) for system, conditions in found.items() if system not in free}

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
        beside = own.immutable_after == "never"
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
            stale_after=_seconds(own, defaults, "stale_after"),
            proposal_ttl=_seconds(own, defaults, "proposal_ttl"),
            proposal_end=own.proposal_end or defaults.proposal_end,
            skew=own.skew.total_seconds(),
            removals=own.removals,
            transitions=self._transitions(own, where),
            accept_from={self._system(role, where): pairs for role, pairs in own.accept_from.items()},
            immutable=own.immutable_after == "set",
            append_only=self._file.entities[where.partition(".")[0]].append_only and not beside,
            roles=own.roles if own.policy is Policy.MANUAL else (),
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


def _seconds(own: FieldRule, defaults: Defaults, name: str) -> float | None:
    """A duration of the rule, else of the defaults."""
    own_time: timedelta | None = getattr(own, name)
    found: timedelta | None = own_time if own_time is not None or name in own.never else getattr(defaults, name)
    return None if found is None else found.total_seconds()
