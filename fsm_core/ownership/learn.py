"""Turns a person's answer into a rule that would have given it: what to state, and the file with it stated.

Pure. Comments and order of the file stay. Not here: trying the rule on the past (`fsm_core.service.replay`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from fsm_core.errors import Invalid
from fsm_core.ownership.fields import FieldRule
from fsm_core.ownership.reading import REST, Reading
from fsm_core.ownership.rules import RuleFile, parse
from fsm_core.sync.types import Policy

AGREED = "agreed"
INSISTED = "people in"
"""How a question begins that is asked because somebody says the same again and again."""


def insisted(system: str, field: str) -> str:
    """Why such a question is asked."""
    return f"{INSISTED} {system} keep changing {field}"


BY_HAND = "Write the rule by hand, see docs/ownership-rules.md."


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a rule of a field is to state so that a question is not asked again."""

    entity: str
    field: str
    states: Mapping[str, str]
    """Keys of the field's rule, as YAML."""
    sentence: str


def lesson(file: RuleFile, entity: str, field: str, note: str, take: str) -> Lesson:
    """What an answer teaches. `note` says why it was asked, `take` is a system or `agreed`.

    Raises `Invalid` where no rule can say it.
    """
    rules = file.entities[entity]
    if rules.fields.get(field, FieldRule()).when:
        raise Invalid(f"the rule of {entity}.{field} has cases of its own", field=field, remedy=BY_HAND)
    found = Reading(entity, file).plain(field)
    rule = found[0] if found else FieldRule()
    states = _kept(rule, note) if take == AGREED else _taken(file, entity, rule, note, take)
    told = ", ".join(f"{key}: {value}" for key, value in states.items())
    sentence = f"{entity}.{field}: {told}, so that {_so_that(note, take)}"
    return Lesson(entity, field, states, sentence)


def _so_that(note: str, take: str) -> str:
    what = "the agreed value stays" if take == AGREED else f"what {take} says is taken"
    return f"{what} where the question was: {note}"


def _kept(rule: FieldRule, note: str) -> dict[str, str]:
    if rule.policy is Policy.OWNER and note.startswith("non-owner"):
        return {"non_owner_change": "revert"}
    raise Invalid(f"no rule says that the agreed value stays where {note!r}", remedy=BY_HAND)


def _taken(file: RuleFile, entity: str, rule: FieldRule, note: str, system: str) -> dict[str, str]:
    role = _role(file, entity, system)
    if note.startswith(INSISTED):
        return _given_in(file, entity, rule, role)
    if rule.policy is Policy.NEWEST:
        others = [one for one in rule.rank if one != role]
        return {"rank": _list([role, *others])}
    if rule.policy is Policy.MANUAL:
        return {"policy": "owner", "owner": role}
    if rule.policy is not Policy.OWNER:
        raise Invalid(f"no rule of policy {rule.policy} says that {system} is right", remedy=BY_HAND)
    if note == "owner blanked the field":
        return {"blank_by_owner": "accept"}
    if note == "both changed" and _owns(file, entity, rule, system):
        return {"both_changed": "owner_wins"}
    if note.startswith("non-owner") and not _owns(file, entity, rule, system):
        return {"non_owner_change": "accept"}
    return {"owner": role}


def _given_in(file: RuleFile, entity: str, rule: FieldRule, role: str) -> dict[str, str]:
    """What ends the reverts of a system's edits."""
    if rule.immutable_after is None and rule.policy is Policy.OWNER and not file.entities[entity].append_only:
        return {"non_owner_change": "accept"}
    if rule.policy is Policy.PREFER:
        return {"rank": _list([role, *(one for one in rule.rank if one != role)])}
    if rule.policy is Policy.NEWEST and rule.among and role not in rule.among:
        return {"among": _list([*rule.among, role])}
    raise Invalid(f"no single key of policy {rule.policy} lets {role} change it", remedy=BY_HAND)


def _list(roles: list[str]) -> str:
    return f"[{', '.join(roles)}]"


def _role(file: RuleFile, entity: str, system: str) -> str:
    roles = {**file.bind, **file.entities[entity].bind}
    found = next((role for role, bound in roles.items() if bound == system), None)
    if found is None:
        known = ", ".join(f"{role} ({bound})" for role, bound in roles.items())
        raise Invalid(f"{system} plays no role in the rules; known: {known}", remedy=BY_HAND)
    return found


def _owns(file: RuleFile, entity: str, rule: FieldRule, system: str) -> bool:
    return rule.owner is not None and file.bound(rule.owner, entity) == system


# -- the file ------------------------------------------------------------------------------------


def taught(text: str, learnt: Lesson) -> str:
    """The file with the lesson stated; nothing else moves. Raises `Invalid` where it is not written plainly enough."""
    fields = _child(_root(text), "entities", learnt.entity, "fields")
    if not isinstance(fields, yaml.MappingNode):
        raise Invalid(f"the file has no fields of {learnt.entity}", remedy=BY_HAND)
    own = next((value for key, value in fields.value if key.value == learnt.field), None)
    made = _stated(text, own, learnt) if own is not None else _added(text, fields, learnt)
    parse(made)
    return made


def _root(text: str) -> yaml.Node:
    root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        raise Invalid("the rule file is empty", remedy=BY_HAND)
    return root


def _child(node: yaml.Node | None, *way: str) -> yaml.Node | None:
    for name in way:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for key, value in pairs if key.value == name), None)
    return node


def _stated(text: str, rule: yaml.Node | None, learnt: Lesson) -> str:
    if not isinstance(rule, yaml.MappingNode):
        raise Invalid(f"the rule of {learnt.field} is no mapping", remedy=BY_HAND)
    known = {key.value: value for key, value in rule.value}
    edits = [(known[k].start_mark.index, known[k].end_mark.index, v) for k, v in learnt.states.items() if k in known]
    fresh = [f"{key}: {value}" for key, value in learnt.states.items() if key not in known]
    if fresh:
        edits.append(_insertion(rule, fresh))
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def _insertion(rule: yaml.MappingNode, fresh: list[str]) -> tuple[int, int, str]:
    if rule.flow_style:
        at = rule.value[-1][1].end_mark.index if rule.value else rule.start_mark.index + 1
        return at, at, (", " if rule.value else "") + ", ".join(fresh)
    first = rule.value[0][0].start_mark
    indent = " " * first.column
    return first.index, first.index, "".join(f"{line}\n{indent}" for line in fresh)


def _added(text: str, fields: yaml.MappingNode, learnt: Lesson) -> str:
    """A line before the one that is for all the rest, else before the first."""
    if fields.flow_style or not fields.value:
        raise Invalid(f"the fields of {learnt.entity} are written on one line", remedy=BY_HAND)
    rest = next(((key, value) for key, value in fields.value if key.value == REST), None)
    before = (rest[0] if rest else fields.value[0][0]).start_mark
    same = text[rest[1].start_mark.index : rest[1].end_mark.index] if rest else "{}"
    if "\n" in same:
        raise Invalid(f"the rule of {REST!r} of {learnt.entity} takes several lines", remedy=BY_HAND)
    line = f"{learnt.field}: {same}\n{' ' * before.column}"
    made = text[: before.index] + line + text[before.index :]
    return _stated(made, _child(_root(made), "entities", learnt.entity, "fields", learnt.field), learnt)
