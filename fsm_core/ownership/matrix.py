"""Who owns what, when: entities, fields and phases as a table.

Not here: how it is shown (`flows.cli.rules`, `flows.rulepage`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fsm_core.model.entity import EntityShape
from fsm_core.ownership.check.states import document
from fsm_core.ownership.phases import Phase, fields_of, phases
from fsm_core.ownership.reading import Reading
from fsm_core.ownership.rules import RuleFile
from fsm_core.sync.types import Policy

BY_OWNER = (Policy.OWNER, Policy.STATUS)


@dataclass(frozen=True, slots=True)
class Cell:
    """A field in a phase."""

    owner: str
    """The role that owns it; "" where a policy settles it without an owner."""
    system: str
    policy: str
    answer: str
    """What becomes of another system's edit."""
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """A field in all phases."""

    field: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An entity: its phases across, its fields down."""

    entity: str
    phases: tuple[Phase, ...]
    rows: tuple[Row, ...]


def matrix(file: RuleFile, shapes: Mapping[str, EntityShape], entity: str = "") -> list[Sheet]:
    """A sheet per entity, or of one."""
    return [_sheet(file, shapes, name) for name in file.entities if entity in ("", name)]


def _sheet(file: RuleFile, shapes: Mapping[str, EntityShape], entity: str) -> Sheet:
    reading, across = Reading(entity, file), tuple(phases(file, shapes, entity))
    rows = (
        Row(field, tuple(_cell(file, reading, field, phase) for phase in across))
        for field in fields_of(shapes, [file], entity)
    )
    return Sheet(entity, across, tuple(rows))


def _cell(file: RuleFile, reading: Reading, field: str, phase: Phase) -> Cell:
    force = reading.in_force(field, document(phase.state))
    if force is None:
        return Cell("", "", "", "", "no rule")
    rule = force.rule
    if rule.policy not in BY_OWNER:
        among = ", ".join(rule.among or rule.rank)
        return Cell("", "", str(rule.policy), "", f"{rule.policy} ({among})" if among else str(rule.policy))
    answer = str(rule.non_owner_change or file.defaults.non_owner_change)
    system = file.bound(force.owner, reading.name) or ""
    return Cell(force.owner, system, str(rule.policy), answer, force.owner)
