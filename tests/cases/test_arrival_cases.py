"""Rows R of the truth table on records that arrive and are not decided on as they are: R03, R04 and R28."""

from __future__ import annotations

from dataclasses import replace

import pytest

import mappings
from fsm_core.store import queries
from tests.world import TABLE, World, translation

pytestmark = pytest.mark.usefixtures("each_database")


def narrowed(world: World, system: str, **table) -> None:
    """The same mapping with a filter: only some records of that system are our business."""
    made, shape, origin = translation()._made_of
    mapping = mappings.Mapping(made.model_copy(update=table), shape, origin)
    binding = world.hub.bindings[system, TABLE]
    world.hub.bindings[system, TABLE] = replace(binding, translation=mapping, whole=mapping)


def problems(world: World) -> list[tuple[str, str, str]]:
    with world.store.reading() as db:
        return [(problem.system, problem.cause, problem.field) for problem in queries.problems(db)]


FILTERS = {
    "asked of the system": {"filter": "segment=ours"},
    "read by the mapping": {"ignore_when": {"segment": ("x",)}},
}


@pytest.mark.parametrize("how", FILTERS.values(), ids=[f"R03 created outside the filter, {how}" for how in FILTERS])
def test_a_record_outside_the_filter_is_ignored(how):
    world = World()
    narrowed(world, "crm", **how)
    world.create("crm", legal_name="Not ours", segment="x")
    ours = world.create("crm", legal_name="Ours", segment="ours")
    world.settle()
    assert [(link.system, link.external_id) for link in world.links() if link.system == "crm"] == [("crm", ours)]
    assert [row["legal_name"] for row in world.erp.live(TABLE).values()] == ["Ours"]
    assert problems(world) == []


@pytest.mark.parametrize(
    "page_size", [1, 2000], ids=["R04 child before its parent, page of 1", "R04 child before its parent"]
)
def test_a_child_before_its_parent_is_deferred(page_size):
    world = World(entities=("customer", "contact"), page_size=page_size)
    world.hub.page = page_size
    parent = world.stores["crm"].edit("customer", "", {"legal_name": "Late GmbH", "status": "active"}, late=90)
    world.add("crm", "contact", customer_id=parent, email="a@late.example")
    world.sync("contact")
    (link,) = world.links()
    assert (link.state, link.record) == ("parked", None)
    assert not world.erp.live("contact")
    world.clock.advance(120)
    world.settle()
    (contact,) = world.erp.live("contact").values()
    (customer,) = world.erp.live("customer")
    assert contact["customer_id"] == customer
    assert problems(world) == []


@pytest.mark.parametrize(
    "known", [False, True], ids=["R28 unmapped value, new record", "R28 unmapped value, known record"]
)
def test_a_value_that_cannot_be_mapped_is_set_apart_and_travels_nowhere(known):
    world = World()
    given = {"tax_ids": ["VAT:DE1"], "status": "active"}
    crm = world.create("crm", **given) if known else ""
    if known:
        world.settle()
        world.edit("crm", crm, billing_status="rotten", phone="030 1234567")
    else:
        crm = world.create("crm", **given, billing_status="rotten", phone="030 1234567")
    world.settle()
    assert problems(world) == [("crm", "unreadable value", "billing_status")]
    (there,) = world.erp.live(TABLE).values()
    assert there["phone"] == "030 1234567"
    assert not there.get("billing_status")
    assert "billing_status" not in world.records()[0]
    assert world.row("crm", crm)["billing_status"] == "rotten"
    world.edit("crm", crm, billing_status="none")
    world.settle()
    assert problems(world) == []


@pytest.mark.parametrize("name", ["", None], ids=["R28 required value empty", "R28 required value missing"])
def test_a_record_without_a_required_value_waits_in_quarantine(name):
    world = World()
    world.create("crm", legal_name=name, tax_ids=["VAT:DE1"])
    world.settle()
    (link,) = world.links()
    assert (link.state, link.record) == ("invalid", None)
    assert problems(world) == [("crm", "incomplete", "")]
    assert not world.erp.live(TABLE)
