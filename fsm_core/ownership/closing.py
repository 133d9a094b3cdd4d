"""From which status on a record may not change any more, and which of its fields that holds for.

Not here: what becomes of an edit then (`fsm_core.sync.merge`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsm_core.errors import BadMapping
from fsm_core.model.entity import EntityShape
from fsm_core.ownership.fields import FieldRule
from fsm_core.ownership.reading import Reading
from fsm_core.sync.types import Policy

STATUS = "status"
Machine = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Closing:
    """In these states of this field these other fields may not change."""

    field: str
    states: frozenset[str]
    names: frozenset[str]

    def fixed(self, agreed: Mapping[str, Any]) -> frozenset[str]:
        """The fields that may not change, for a record in this agreed state."""
        return self.names if agreed.get(self.field) in self.states else frozenset()


def closing(shape: EntityShape, reading: Reading, machines: Mapping[str, Machine]) -> Closing | None:
    """What `immutable_after` of an entity means; raises `BadMapping` for a status that there is not."""
    status = reading.rules.immutable_after
    if status is None:
        return None
    where = f"{shape.name}.immutable_after"
    name, rule = _status_field(shape, reading, where)
    machine = machines.get(rule.machine, {}) if rule.policy is Policy.STATUS else {}
    _known(shape, name, status, machine, where)
    beside = {one for one in shape.fields if (found := reading.plain(one)) and found[0].immutable_after == "never"}
    moving = {name} if machine else set()
    return Closing(name, states_after(status, machine), frozenset(shape.fields) - beside - moving)


def states_after(status: str, machine: Machine) -> frozenset[str]:
    """The status, and all that a record can come to from it without a way back."""
    after = _reached(status, machine)
    return frozenset({status, *(one for one in after if status not in _reached(one, machine))})


def _reached(status: str, machine: Machine) -> set[str]:
    found: set[str] = set()
    ahead = [status]
    while ahead:
        fresh = set(machine.get(ahead.pop(), ())) - found
        found |= fresh
        ahead += fresh
    return found


def _status_field(shape: EntityShape, reading: Reading, where: str) -> tuple[str, FieldRule]:
    plain = {name: found[0] for name in shape.fields if (found := reading.plain(name))}
    moving = [name for name, rule in plain.items() if rule.policy is Policy.STATUS]
    name = STATUS if STATUS in plain or len(moving) != 1 else moving[0]
    if name not in plain:
        raise BadMapping(f"{where}: {shape.name} has no field {STATUS!r}, nor one field of policy 'status'")
    return name, plain[name]


def _known(shape: EntityShape, name: str, status: str, machine: Machine, where: str) -> None:
    states = {*machine, *(one for following in machine.values() for one in following)}
    if states and status not in states:
        raise BadMapping(f"{where}: no status {status!r}; known: {', '.join(sorted(states))}", field=name)
    faults = [message for field, message in shape.faults({name: status}) if field == name]
    if faults:
        raise BadMapping(f"{where}: {status!r} is no {name}: {faults[0]}", field=name)
