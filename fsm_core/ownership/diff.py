"""What another rule file would change: which field, in which phase, gets another owner, policy or answer.

Compared is what is in force, not what is written: the same rules in other words are no difference.
Not here: what that would have meant for the last days (`fsm_core.service.replay`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from fsm_core.model.entity import EntityShape
from fsm_core.ownership.check.states import State, document, domains, states
from fsm_core.ownership.matrix import BY_OWNER
from fsm_core.ownership.phases import fields_of, in_words, reading_of
from fsm_core.ownership.reading import Reading
from fsm_core.ownership.rules import RuleFile, as_document

Facts: TypeAlias = tuple[tuple[str, str], ...]
OF_FIELDS = ("fields", "owner")
"""Parts of an entity that are compared by what they lead to."""
NONE = "none"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `field` is empty where it is about an entity, `entity` too where it is about the file."""

    entity: str
    field: str
    what: str
    before: str
    after: str
    when: str
    """The phase in words."""

    @property
    def sentence(self) -> str:
        """The change for a person."""
        about = ".".join(part for part in (self.entity, self.field) if part)
        place = f"{about}: " if about else ""
        when = "" if self.when in ("", "always") else f", when {self.when}"
        return f"{place}{self.what} {self.before} -> {self.after}{when}"


def diff(a: RuleFile, b: RuleFile, shapes: Mapping[str, EntityShape]) -> list[Change]:
    """Everything that would be in force otherwise, fields first."""
    names = dict.fromkeys((*a.entities, *b.entities))
    changes = [change for name in names for change in _of_entity(a, b, shapes, name)]
    return changes + list(_of_file(a, b))


def _of_entity(a: RuleFile, b: RuleFile, shapes: Mapping[str, EntityShape], entity: str) -> Iterator[Change]:
    old, new = reading_of(a, entity), reading_of(b, entity)
    if old is None or new is None:
        said = ("no rules", "rules") if old is None else ("rules", "no rules")
        yield Change(entity, "", "the file has", *said, "")
        return
    conditions = [when for reading in (old, new) for when, _ in reading.conditions()]
    known = domains(shapes, entity, conditions)
    every = states(shapes, entity, conditions) or [{}]
    for field in fields_of(shapes, [a, b], entity):
        found: dict[tuple[str, str, str], list[State]] = {}
        for state in every:
            for change in _changed(_facts(a, old, field, state), _facts(b, new, field, state)):
                found.setdefault(change, []).append(state)
        for (what, before, after), some in found.items():
            yield Change(entity, field, what, before, after, in_words(some, known))
    yield from _plain(entity, "", _beside(a, entity), _beside(b, entity))


def _facts(file: RuleFile, reading: Reading, field: str, state: State) -> dict[str, str]:
    """What is in force for a field, with what the defaults add."""
    force = reading.in_force(field, document(state))
    if force is None:
        return {"rule": NONE}
    rule, defaults = force.rule, file.defaults.model_dump(mode="json")
    stated = rule.model_dump(mode="json", exclude={"when", "owner", "group", "policy"})
    open_ = {name for name, value in stated.items() if value is None} - rule.never
    filled = {name: defaults.get(name) if name in open_ else value for name, value in stated.items()}
    told = {"policy": str(rule.policy), **{name: _said(value) for name, value in filled.items()}}
    if rule.policy in BY_OWNER or rule.removals == "owner_only":
        told = {"owner": f"{force.owner} ({file.bound(force.owner, reading.name) or 'not bound'})", **told}
    if force.rivals:
        told["rule"] = "ambiguous"
    return told


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys((*before, *after)):
        follows = name == "owner" and before.get("policy") != after.get("policy") and not {name} <= {*before} & {*after}
        if before.get(name, NONE) != after.get(name, NONE) and not follows:
            yield name, before.get(name, NONE), after.get(name, NONE)


def _beside(file: RuleFile, entity: str) -> dict[str, Any]:
    whole: dict[str, Any] = as_document(file)["entities"][entity]
    return {name: value for name, value in whole.items() if name not in OF_FIELDS}


def _of_file(a: RuleFile, b: RuleFile) -> Iterator[Change]:
    old, new = as_document(a), as_document(b)
    for part in old:
        if part != "entities":
            yield from _plain("", "", {part: old[part]}, {part: new[part]})


def _plain(entity: str, path: str, before: Any, after: Any) -> Iterator[Change]:  # noqa: ANN401 - any value of the file
    """Parts that are what they say: compared value by value."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            inner = f"{path}.{name}" if path else str(name)
            yield from _plain(entity, inner, before.get(name), after.get(name))
    elif before != after:
        yield Change(entity, "", path, _said(before), _said(after), "")


def _said(value: Any) -> str:  # noqa: ANN401 - any value of the file
    if value in (None, "", [], {}, ()):
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_said(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_said(one)}" for name, one in value.items()) + "}"
    return str(value)
