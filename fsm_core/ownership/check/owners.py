"""Checks of who owns: two owners at once (S02), loops of conditions (S03), hand-over (S20).

They look at every state the conditions can tell apart. Not here: rules that never apply (`dead`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from fsm_core.ownership.check.catalogue import Finding, Level
from fsm_core.ownership.check.states import State, document, resolve
from fsm_core.ownership.check.subject import Subject
from fsm_core.ownership.fields import FieldRule
from fsm_core.ownership.lines import Place, written
from fsm_core.ownership.reading import Branch, Case
from fsm_core.ownership.words import Role
from fsm_core.sync.types import Policy

Node = tuple[str, str]
"""Entity and field."""


def two_owners(subject: Subject) -> Iterator[Finding]:
    """S02: cases of one priority that are true together and say different things."""
    for entity, reading in subject.readings.items():
        if subject.beyond_proof(entity):
            yield subject.found(
                "S02",
                reading.home,
                f"the conditions of {entity} have too many states to prove that no two overlap",
                {"conditions": len(reading.conditions())},
                "Use fewer switch fields, or enumerations.",
                level=Level.WARN,
                entity=entity,
            )
        told: set[tuple[Place, Place]] = set()
        for state in subject.states(entity):
            yield from _overlaps(subject, entity, state, told)


def _overlaps(subject: Subject, entity: str, state: State, told: set[tuple[Place, Place]]) -> Iterator[Finding]:
    reading = subject.readings[entity]
    read = document(state)
    for a, b in combinations(reading.true_cases(read), 2):
        if a.priority == b.priority and a.owner != b.owner and (a.place, b.place) not in told:
            told.add((a.place, b.place))
            yield _overlap(subject, entity, "", state, (a, b), {"owners": [a.owner, b.owner]})
    for name in reading.rules.fields:
        force = reading.in_force(name, read)
        if force is not None and force.rivals:
            first = next(one for one in reading.branches(name) if one.place == force.place)
            for other in force.rivals:
                if (first.place, other.place) not in told:
                    told.add((first.place, other.place))
                    yield _overlap(subject, entity, name, state, (first, other), _said(first, other))


def _said(a: Branch, b: Branch) -> dict[str, list[object]]:
    """What two rules say differently."""
    names = [name for name in FieldRule.model_fields if getattr(a.rule, name) != getattr(b.rule, name)]
    return {name: [getattr(a.rule, name), getattr(b.rule, name)] for name in names}


def _overlap(
    subject: Subject,
    entity: str,
    field: str,
    state: State,
    pair: tuple[Case, Case] | tuple[Branch, Branch],
    differ: Mapping[str, object],
) -> Finding:
    a, b = pair
    what = f"{entity}.{field}" if field else entity
    return subject.found(
        "S02",
        b.place,
        f"{what}: {a.when.text!r} and {b.when.text!r} are true together, of equal priority",
        {**state, **differ, "also": written(a.place)},
        "Make the conditions exclude each other, or give one of them a higher 'priority' than the other.",
        entity=entity,
        field=field,
    )


# -- loops -----------------------------------------------------------------------------------------------


def loops(subject: Subject) -> Iterator[Finding]:
    """S03: switch fields that are themselves owned under a condition."""
    for entity, reading in subject.readings.items():
        told: set[Node] = set()
        for when, place in reading.conditions():
            for path in sorted(when.fields):
                node = resolve(subject.shapes, entity, path)
                if node is None or node in told or not (needs := depends(subject, *node)):
                    continue
                told.add(node)
                yield _loop(subject, entity, place, node, needs)


def depends(subject: Subject, entity: str, field: str) -> set[Node]:
    """Fields that the owner of this field depends on."""
    reading = subject.readings.get(entity)
    found = reading.plain(field) if reading else None
    if reading is None or found is None:
        return set()
    rule = found[0]
    needed = [name for one in reading.branches(field) for name in one.when.fields]
    if any(_follows_owner(one) for one in (rule, *(branch.rule for branch in reading.branches(field)))):
        needed += [name for case in reading.cases for name in case.when.fields]
    nodes = (resolve(subject.shapes, entity, name) for name in needed)
    return {node for node in nodes if node is not None}


def _follows_owner(rule: FieldRule) -> bool:
    """Whether who owns the record decides about the field."""
    by_owner = rule.policy in (Policy.OWNER, Policy.STATUS) or rule.removals == "owner_only"
    return by_owner and rule.owner is None


def _loop(subject: Subject, entity: str, place: Place, node: Node, needs: set[Node]) -> Finding:
    name = ".".join(node)
    circle = _circle(subject, node)
    shown = " -> ".join(".".join(one) for one in circle)
    why = f"in a circle: {shown}" if circle else f"by {', '.join(sorted('.'.join(one) for one in needs))}"
    return subject.found(
        "S03",
        place,
        f"{name} decides who owns {entity}, and its own owner is decided {why}",
        _two_owners_of(subject, node),
        f"Give {node[1]} an owner without a condition, or a policy such as manual.",
        entity=entity,
        field=node[1],
    )


def _circle(subject: Subject, start: Node) -> list[Node]:
    """The way from a field back to itself; empty when there is none."""
    ways = [[start]]
    seen: set[Node] = set()
    while ways:
        way = ways.pop(0)
        for node in sorted(depends(subject, *way[-1])):
            if node == start:
                return [*way, start]
            if node not in seen:
                seen.add(node)
                ways.append([*way, node])
    return []


def _two_owners_of(subject: Subject, node: Node) -> dict[str, object]:
    """Two states in which the switch field has different owners."""
    entity, field = node
    owners: dict[Role, State] = {}
    for seat in subject.seats(entity, field):
        owners.setdefault(seat.force.owner, seat.state)
    return {f"owner of {field} is {role} when": state for role, state in list(owners.items())[:2]}


# -- hand-over ---------------------------------------------------------------------------------------------


def handover(subject: Subject) -> Iterator[Finding]:
    """S20: ownership that can switch without a word on how, or without a word of the receiver."""
    for entity, reading in subject.readings.items():
        owners: dict[Role, State] = {}
        for state in subject.states(entity):
            owners.setdefault(reading.owner(document(state)), state)
        if len(owners) > 1 and reading.rules.handover is None:
            yield subject.found(
                "S20",
                (*reading.home, "owner"),
                f"{entity} can pass from {' to '.join(owners)}, and no 'handover' is stated",
                {f"{role} owns when": state for role, state in owners.items()},
                "State handover: {on_switch: adopt_agreed | adopt_new_owner | conflict}.",
                entity=entity,
            )
        for case in reading.cases:
            if case.owner != reading.default and not _has_a_say(subject, entity, case):
                yield subject.found(
                    "S20",
                    case.place,
                    f"{case.owner} takes over when {case.when.text}, and cannot say so itself",
                    {"receiver": case.owner, **_speakers(subject, entity, case)},
                    f"Let {case.owner} own one of {', '.join(sorted(case.when.fields))}, or decide it by hand.",
                    entity=entity,
                )


def _speakers(subject: Subject, entity: str, case: Case) -> dict[str, str]:
    return {
        f"owner of {path}": seat.force.owner
        for path in sorted(case.when.fields)
        if (node := resolve(subject.shapes, entity, path)) and node[0] in subject.readings
        for seat in subject.seats(*node)[:1]
    }


def _has_a_say(subject: Subject, entity: str, case: Case) -> bool:
    nodes = [node for path in case.when.fields if (node := resolve(subject.shapes, entity, path))]
    known = [node for node in nodes if node[0] in subject.readings]
    return len(known) < len(nodes) or any(_may_set(subject, case.owner, *node) for node in known)


def _may_set(subject: Subject, role: Role, entity: str, field: str) -> bool:
    """Whether the role's word on the field counts in some state."""
    system = subject.file.bound(role, entity)
    for seat in subject.seats(entity, field):
        rule = seat.force.rule
        allowed: tuple[str | None, ...]
        match rule.policy:
            case Policy.OWNER | Policy.STATUS:
                allowed = (seat.owner,)
            case Policy.NEWEST if rule.among:
                allowed = tuple(subject.file.bound(one, entity) for one in rule.among)
            case Policy.PREFER:
                allowed = tuple(subject.file.bound(one, entity) for one in rule.rank)
            case Policy.LOCAL:
                allowed = ()
            case _:
                return True
        if system in allowed:
            return True
    return False
