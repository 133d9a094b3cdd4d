"""A small world of work: stand-ins for the entities of work, named as they will be, and rules that check double entry.

Not here: any vendor's mapping; the systems say every field under its own name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic import Field

from fsm_core.model.compare import Comparator
from fsm_core.model.entity import Compare, Entity, EntityShape, Group, Reference, shape_of
from fsm_core.ownership import Rulebook, parse
from fsm_core.state import Conflict
from fsm_core.store import queries
from mappings import Mapping
from mappings.table import Table
from tests.world import World

Flag = Annotated[bool, Compare(Comparator.FLAG)]
Set = Annotated[list[str], Compare(Comparator.SET)]


class Interval(Group):
    n: str | None = None
    unit: str | None = None


class Site(Entity):
    entity_name: ClassVar[str] = "site"

    name: str
    time_zone: str | None = None


class Asset(Entity):
    entity_name: ClassVar[str] = "asset"

    asset_number: str


class MaintenancePlan(Entity):
    entity_name: ClassVar[str] = "maintenance_plan"

    number: str
    asset_id: Annotated[str, Reference("asset")] | None = None
    site_id: Annotated[str, Reference("site")] | None = None
    task_code: str | None = None
    task_text: str | None = None
    interval: Interval | None = None
    active: Flag = False


class WorkOrder(Entity):
    entity_name: ClassVar[str] = "work_order"

    number: str
    external_number: str | None = None
    kind: str | None = None
    status: str | None = None
    asset_ids: Set = Field(default_factory=list)
    site_id: Annotated[str, Reference("site")] | None = None
    plan_id: Annotated[str, Reference("maintenance_plan")] | None = None
    parent_id: Annotated[str, Reference("work_order")] | None = None
    contract_id: str | None = None
    failure_mode: str | None = None
    description: str | None = None
    opened_at: str | None = None
    completed_at: str | None = None
    due_at: str | None = None
    repeat_visit: Flag = False


class Visit(Entity):
    entity_name: ClassVar[str] = "visit"

    number: str
    work_order_id: Annotated[str, Reference("work_order")]
    technicians: Set = Field(default_factory=list)
    status: str | None = None
    scheduled_start: str | None = None
    started_at: str | None = None
    fixed_first_time: Flag = False
    linked_visit_id: Annotated[str, Reference("visit")] | None = None


class PartConsumption(Entity):
    entity_name: ClassVar[str] = "part_consumption"

    work_order_id: Annotated[str, Reference("work_order")]
    part_id: str
    quantity: str
    unit: str | None = None
    serials: Set = Field(default_factory=list)
    used_at: str | None = None
    mirror: Flag = False


SHAPES: dict[str, EntityShape] = {
    model.entity_name: shape_of(model) for model in (Site, Asset, MaintenancePlan, WorkOrder, Visit, PartConsumption)
}

RULES = """\
version: 1
bind: {fsm: crm, cmms: erp}
defaults: {non_owner_change: propose}
entities:
  site: {match: {keys: [[name]]}, create: {allowed: [fsm, cmms], replicate_to: {fsm: always, cmms: always}},
         owner: {default: fsm}, fields: {"*": {}}}
  asset: {match: {keys: [[asset_number]]}, create: {allowed: [fsm, cmms], replicate_to: {fsm: always, cmms: always}},
          owner: {default: cmms}, fields: {"*": {}}}
  maintenance_plan:
    {create: {allowed: [fsm, cmms], replicate_to: {fsm: always, cmms: always}, pre_check: parallel_pm},
     owner: {default: cmms}, fields: {"*": {}}}
  work_order:
    {create: {allowed: [fsm, cmms], replicate_to: {fsm: always, cmms: always}, pre_check: duplicate_work},
     owner: {default: fsm}, fields: {repeat_visit: {policy: hub}, "*": {}}}
  visit:
    {create: {allowed: [fsm, cmms], replicate_to: {fsm: always}, pre_check: duplicate_visit},
     owner: {default: fsm}, fields: {fixed_first_time: {policy: hub}, "*": {}}}
  part_consumption:
    {create: {allowed: [fsm, cmms], pre_check: serial_used_twice},
     owner: {default: fsm}, fields: {mirror: {policy: hub}, "*": {}}}
"""
UNCHECKED = re.sub(r", pre_check: \w+", "", RULES)
"""The same without any check."""


@lru_cache
def rulebook(text: str) -> Rulebook:
    return Rulebook(parse(text), "test", SHAPES, ("crm", "erp"))


@lru_cache
def translation(entity: str) -> Mapping:
    shape = SHAPES[entity]
    fields = {path: row for name in shape.fields for path, row in _rows(shape, name)}
    table = Table.model_validate({"entity": entity, "object": entity, "key": "hub_id", "fields": fields})
    return Mapping(table, shape, entity)


def _rows(shape: EntityShape, name: str) -> list[tuple[str, Any]]:
    field = shape.fields[name]
    codec = {Comparator.SET: "text_set", Comparator.FLAG: "flag"}.get(field.comparator, "")
    codec = "reference" if field.reference else codec
    if field.members:
        return [(f"{name}.{member}", f"{name}_{member}") for member in field.members]
    return [(name, {"native": name, "codec": codec} if codec else name)]


SYSTEMS = {"fsm": "crm", "cmms": "erp"}


class WorkWorld(World):
    """A field service system and a maintenance system; people put the same work into both."""

    shapes = SHAPES
    translation = staticmethod(translation)
    rulebook = staticmethod(rulebook)

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"entities": tuple(SHAPES), "rules": RULES, **options})
        self.stores["erp"]._last_id = 500_000
        self._count = 0

    def put(self, role: str, entity: str, **says: Any) -> str:
        """Somebody enters this; a number is given where the entity has one."""
        self._count += 1
        numbered = {"number": f"{role}-{self._count}"} if "number" in SHAPES[entity].fields else {}
        interval = says.pop("interval", None) or {}
        native = {f"interval_{name}": value for name, value in interval.items()}
        return self.stores[SYSTEMS[role]].edit(entity, "", {**numbered, **says, **native})

    def update(self, role: str, entity: str, id: str, **says: Any) -> None:  # noqa: A002 - as the connectors say
        self.stores[SYSTEMS[role]].edit(entity, id, says)

    def seen(self, role: str, entity: str) -> dict[str, dict[str, Any]]:
        return self.shown(SYSTEMS[role], entity)

    def questions(self) -> list[Conflict]:
        with self.store.reading() as db:
            return queries.conflicts(db)

    def documents(self, entity: str) -> list[dict[str, Any]]:
        return [one.record.document for one in self.loaded() if one.record.entity == entity]
