"""Cases of a field and the hub as an owner, through whole rounds: it converges, and what is unclear is asked."""

from __future__ import annotations

import pytest

from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, parse
from tests.world import RULES, World

NOTES = "service_notes:    {owner: fsm}"
NAME = "trade_name:       {owner: crm}"
TWO = """{owner: crm, when: [{if: credit_block, owner: erp}, {if: "status == 'on_hold'", owner: crm}]}"""


def made(old: str, new: str, **bind: str) -> World:
    assert old in RULES
    text = RULES.replace(old, new, 1)
    for role, system in bind.items():
        text = text.replace(f"  {role}: crm", f"  {role}: {system}")
    world = World()
    world.hub.rulebook = Rulebook(parse(text), "cases", SHAPES, ("crm", "erp"))
    world.one = world.create("crm", account_number="1", trade_name="a", service_notes="first", billing_status="active")
    world.settle()
    (world.other,) = world.erp.live("customer")
    return world


def agreed(world: World, name: str):
    document, *more = world.records()[:1]
    assert not more
    return document.get(name)


@pytest.mark.usefixtures("each_database")
def test_what_the_hub_owns_is_put_back_where_it_was_edited():
    world = made(NOTES, "service_notes: {owner: fsm, non_owner_change: revert}", fsm="hub")
    assert agreed(world, "service_notes") == "first"
    world.edit("crm", world.one, service_notes="mine")
    world.settle()
    assert agreed(world, "service_notes") == "first"
    assert world.row("crm")["service_notes"] == world.row("erp")["service_notes"] == "first"


def test_a_newcomer_is_told_what_the_hub_owns():
    world = made(NOTES, "service_notes: {owner: fsm, non_owner_change: revert}", fsm="hub")
    twin = world.create("crm", account_number="9", service_notes="kept", status="prospect")
    world.sync()
    world.create("erp", account_number="9", service_notes="other")
    world.settle()
    assert world.row("crm", twin)["service_notes"] == "kept"
    notes = {row["account_number"]: row["service_notes"] for row in world.erp.live("customer").values()}
    assert notes["9"] == "kept"


def test_a_case_of_a_field_passes_it_to_another_owner_and_back():
    world = made(NAME, "trade_name: {owner: crm, non_owner_change: revert, when: [{if: credit_block, owner: erp}]}")
    world.edit("erp", world.other, trade_name="b")
    world.settle()
    assert agreed(world, "trade_name") == "a"
    world.edit("erp", world.other, credit_block=True)
    world.settle()
    world.edit("erp", world.other, trade_name="c")
    world.settle()
    assert agreed(world, "trade_name") == world.row("crm")["trade_name"] == "c"
    world.edit("crm", world.one, trade_name="d")
    world.settle()
    assert agreed(world, "trade_name") == "c"


def test_a_field_with_two_rules_at_once_becomes_a_question_and_nothing_is_written():
    world = made(NAME, f"trade_name: {TWO}")
    world.edit("erp", world.other, credit_block=True, status="on_hold")
    world.settle()
    world.edit("crm", world.one, trade_name="b")
    world.settle()
    (conflict,) = [one for loaded in world.loaded() for one in loaded.conflicts]
    assert (conflict.field, conflict.note) == ("trade_name", "ambiguous rule: two cases of the same priority are true")
    assert agreed(world, "trade_name") == world.row("erp")["trade_name"] == "a"
