"""The phases of a record's life as the rules see them: states in which the same rules are in force, in words.

Not here: who owns what in a phase (`matrix`) and what another file would change (`diff`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from fsm_core.model.entity import HEADER, EntityShape
from fsm_core.ownership.check.states import OTHER, State, document, domains, states
from fsm_core.ownership.conditions import Condition
from fsm_core.ownership.reading import Reading
from fsm_core.ownership.rules import RuleFile

ALWAYS, OTHERWISE = "always", "otherwise"
NOTHING = "nothing"
"""A field that says nothing, in words."""


@dataclass(frozen=True, slots=True)
class Phase:
    """States that the rules do not tell apart."""

    when: str
    """The conditions that are true."""
    values: str
    """The values of the switch fields, in words."""
    state: State
    """One of them."""


def reading_of(file: RuleFile, entity: str) -> Reading | None:
    """The rules of an entity; None where the file has none."""
    return Reading(entity, file) if entity in file.entities else None


def fields_of(shapes: Mapping[str, EntityShape], files: Sequence[RuleFile], entity: str) -> list[str]:
    """The fields of an entity; of an unknown one those the files name."""
    if entity in shapes:
        return [name for name in shapes[entity].fields if name not in HEADER]
    named = [name for file in files if entity in file.entities for name in file.entities[entity].fields]
    return list(dict.fromkeys(named))


def phases(file: RuleFile, shapes: Mapping[str, EntityShape], entity: str) -> list[Phase]:
    """The phases of an entity, in the order of their conditions."""
    reading = Reading(entity, file)
    conditions = [when for when, _ in reading.conditions()]
    known = domains(shapes, entity, conditions)
    grouped: dict[tuple[str, ...], list[State]] = {}
    for state in states(shapes, entity, conditions) or [{}]:
        grouped.setdefault(_true(reading, state), []).append(state)
    order = sorted(grouped, key=lambda texts: (not texts, [c.text for c in conditions if c.text in texts][:1]))
    return [Phase(_named(texts, conditions), in_words(grouped[texts], known), grouped[texts][0]) for texts in order]


def _true(reading: Reading, state: State) -> tuple[str, ...]:
    """The texts of the conditions in force."""
    read = document(state)
    texts = [case.when.text for case in reading.true_cases(read)[:1]]
    for name in reading.rules.fields:
        force = reading.in_force(name, read)
        texts += [one.when.text for one in reading.branches(name) if force and one.place == force.place]
    return tuple(dict.fromkeys(texts))


def _named(texts: tuple[str, ...], conditions: Sequence[Condition]) -> str:
    if not conditions:
        return ALWAYS
    return " and ".join(texts) if texts else OTHERWISE


def in_words(some: Sequence[State], known: Mapping[str, Sequence[Any]]) -> str:
    """States as values of fields: what holds for every value of a field leaves it out."""
    if not known:
        return ALWAYS
    shown = {
        path: [one for one in values if any(state[path] == one for state in some)] for path, values in known.items()
    }
    told = [
        f"{path} is {' or '.join(spoken(one) for one in values)}"
        for path, values in shown.items()
        if len(values) < len(known[path])
    ]
    whole = prod(len(values) for values in shown.values()) == len(some)
    if not told:
        return ALWAYS if whole else f"{len(some)} combinations, e.g. {_one(some[0])}"
    return " and ".join(told) + ("" if whole else f" ({len(some)} combinations, e.g. {_one(some[0])})")


def _one(state: State) -> str:
    return ", ".join(f"{path} {spoken(value)}" for path, value in state.items())


def spoken(value: Any) -> str:  # noqa: ANN401 - any canonical value
    """A value in words."""
    if value is None or value == []:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " + ".join(spoken(one) for one in value)
    return "any other" if value == OTHER else str(value)
