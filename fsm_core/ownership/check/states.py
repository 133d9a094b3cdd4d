"""Every state of a record that conditions can tell apart: the finite values of its switch fields, combined.

Enumerations and flags with all their values, other fields with each constant that is mentioned, its neighbours, and one
value that is not mentioned; and nothing at all. Not here: what a state leads to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain, combinations, product
from math import prod
from typing import Any, TypeAlias

from fsm_core.model.entity import EntityShape
from fsm_core.ownership.check.kinds import kind
from fsm_core.ownership.check.terms import constants
from fsm_core.ownership.conditions import Condition

State: TypeAlias = dict[str, Any]
Shapes: TypeAlias = Mapping[str, EntityShape]
MOST = 10_000
"""States that are looked at; a rule with more is told to be beyond proof."""
OTHER = "(any other)"
SUBSETS = 4
"""Members of a set that are combined with each other."""


def resolve(shapes: Shapes, entity: str, path: str) -> tuple[str, str] | None:
    """The entity and field a condition of `entity` reads under this name; None where it does not exist."""
    head, dot, tail = path.partition(".")
    shape = shapes.get(entity)
    if shape is None:
        return None
    if not dot:
        return (entity, head) if head in shape.fields else None
    names = (head, f"{head}_id")
    target = next((shape.fields[name].reference for name in names if name in shape.fields), "")
    target = target or (head if head in shapes else "")
    if target in shapes:
        return (target, tail) if tail in shapes[target].fields else None
    members = shape.fields[head].members if head in shape.fields else ()
    return (entity, path) if tail in members else None


def domains(shapes: Shapes, entity: str, conditions: Iterable[Condition]) -> dict[str, tuple[Any, ...]]:
    """Per field that conditions read the values worth telling apart."""
    mentioned: defaultdict[str, set[Any]] = defaultdict(set)
    for one in conditions:
        for name in one.fields:
            mentioned[name] |= set()
        for name, values in constants(one.text).items():
            mentioned[name] |= values
    return {name: _domain(shapes, entity, name, mentioned[name]) for name in sorted(mentioned)}


def _domain(shapes: Shapes, entity: str, path: str, stated: set[Any]) -> tuple[Any, ...]:
    found = resolve(shapes, entity, path)
    known = kind(shapes[found[0]], found[1]) if found and "." not in found[1] else None
    texts = sorted((one for one in stated if isinstance(one, str)), key=str)
    if known and known.many:
        rest = next((code for code in known.codes if code not in stated), OTHER)
        some = [*texts[:SUBSETS], rest]
        return tuple(list(one) for size in range(len(some) + 1) for one in combinations(some, size))
    if known and known.codes:
        return (*known.codes, None)
    if (known and known.flag) or (stated and all(isinstance(one, bool) for one in stated)):
        return (True, False, None)
    numbers = {one for one in stated if isinstance(one, int) and not isinstance(one, bool)}
    around = sorted(set(chain.from_iterable((one - 1, one, one + 1) for one in numbers)))
    return (*texts, *around, OTHER, None)


def states(shapes: Shapes, entity: str, conditions: Iterable[Condition]) -> list[State] | None:
    """Every combination of them; None when there are too many to look at."""
    values = domains(shapes, entity, conditions)
    if prod(len(some) for some in values.values()) > MOST:
        return None
    return [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]


def document(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state as conditions read it: what is behind a reference lies below it, and nothing is not there."""
    made: dict[str, Any] = {}
    for path, value in state.items():
        head, dot, tail = path.partition(".")
        if dot:
            made.setdefault(head, {})[tail] = value
        elif value is not None:
            made[head] = value
    return made
