"""People who keep changing a value back that the rule takes back: a question in place of the fourth revert.

Not here: writes that something there undoes at once (`test_breaker`).
"""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from fsm_core.service.resolve import resolve
from fsm_core.store import queries
from fsm_core.store.reverts import counts
from fsm_core.store.schema import reverted
from tests.scenarios.test_traps import linked, open_of
from tests.world import RULES, World

each_database = pytest.mark.usefixtures("each_database")

DAY = 24 * 3600.0
TOLD = "people in crm keep changing payment_terms to '{}': reverted {} times in 7 days"


def insist(world: World, crm: str, times: int, value: str = "NT90", apart: float = DAY) -> None:
    """A person of the CRM enters what the ERP owns; the rules take it back each time."""
    for _ in range(times):
        world.clock.advance(apart)
        world.edit("crm", crm, payment_terms=value)
        world.settle()


def asked(world: World) -> list:
    return open_of(world, queries.conflicts)


def kept(world: World) -> int:
    with world.store.reading() as db:
        return db.execute(select(func.count()).select_from(reverted)).scalar_one()


@each_database
def test_the_fourth_time_in_a_week_is_a_question_and_not_a_revert():
    world, crm, _ = linked()
    insist(world, crm, 3)
    assert (world.row("crm")["payment_terms"], asked(world)) == ("NT30", [])
    insist(world, crm, 1)
    (conflict,) = asked(world)
    assert (conflict.type, conflict.field, conflict.note) == ("field", "payment_terms", TOLD.format("NT90", 3))
    assert {side["system"]: side["value"] for side in conflict.snapshot["sides"]} == {"crm": "NT90", "erp": "NT30"}
    before = world.writes()
    insist(world, crm, 2, "NT45")  # nobody fights while it is asked
    assert (world.row("crm")["payment_terms"], world.row("erp")["payment_terms"]) == ("NT45", "NT30")
    assert (world.writes(), len(asked(world)), world.records()[0]["payment_terms"]) == (before, 1, "NT30")


@each_database
@pytest.mark.parametrize(("take", "agreed"), [("crm", "NT90"), ("agreed", "NT30")])
def test_the_answer_holds_and_counting_begins_anew(take, agreed):
    world, crm, _ = linked()
    insist(world, crm, 4)
    (conflict,) = asked(world)
    resolve(world.hub, conflict, take, "ada")
    world.settle()
    assert {world.row(name)["payment_terms"] for name in ("crm", "erp")} == {agreed}
    other = {"NT90": "NT60", "NT30": "NT90"}[agreed]
    insist(world, crm, 3, other)
    assert (world.row("crm")["payment_terms"], asked(world)) == (agreed, [])
    insist(world, crm, 1, other)
    assert [one.note for one in asked(world)] == [TOLD.format(other, 3)]


def test_other_values_other_weeks_and_other_systems_are_counted_apart():
    world, crm, _ = linked()
    for value in ("NT90", "NT60", "NT45"):
        insist(world, crm, 2, value, apart=1800)
    insist(world, crm, 1, "nt90 ", apart=1800)  # the same to a person
    assert asked(world) == []
    world.clock.advance(7 * DAY)
    insist(world, crm, 3, apart=1800)
    assert (asked(world), kept(world)) == ([], 3)  # what is older than a week is forgotten
    insist(world, crm, 1, apart=1800)
    assert len(asked(world)) == 1


def test_the_limit_is_a_key_of_the_guard_and_a_record_that_was_not_reverted_costs_nothing():
    world, crm, erp = linked(rules=RULES.replace("min_rows: 50}", "min_rows: 50, max_reverts: 1}"))
    world.edit("erp", erp, payment_terms="NT60")
    world.settle()
    assert kept(world) == 0
    insist(world, crm, 1)
    assert asked(world) == []
    insist(world, crm, 1)
    assert [one.note for one in asked(world)] == [TOLD.format("NT90", 1)]


@pytest.mark.parametrize("first", ["crm", "erp"])
def test_the_order_of_systems_means_nothing(first):
    rules = RULES.replace("bind:\n", "bind:\n  own: hub\n", 1)
    rules = rules.replace("trade_name:       {owner: crm}", "trade_name: {owner: own, non_owner_change: revert}")
    world, crm, erp = linked(rules=rules)
    ids = {"crm": crm, "erp": erp}
    order = [first, *({"crm", "erp"} - {first})]
    for _ in range(4):
        world.clock.advance(DAY)
        for system in order:
            world.edit(system, ids[system], trade_name=f"Acme {system}")
        world.settle()
    (conflict,) = asked(world)
    assert conflict.note == "; ".join(
        f"people in {one} keep changing trade_name to 'Acme {one}': reverted 3 times in 7 days"
        for one in ("crm", "erp")
    )


def test_a_preferred_system_is_a_rule_like_an_owner():
    rules = RULES.replace("language:         {owner: crm}", "language: {policy: prefer, rank: [erp, crm]}")
    world, crm, erp = linked(rules=rules)
    world.edit("erp", erp, language="de")
    world.settle()
    for number in range(4):
        world.clock.advance(DAY)
        world.edit("crm", crm, language="fr")
        world.settle()
        assert len(asked(world)) == (number == 3)
    assert (world.row("crm")["language"], world.row("erp")["language"]) == ("fr", "de")


def test_what_a_pin_takes_back_or_a_system_that_is_not_written_is_no_quarrel():
    world, crm, _ = linked()
    world.crm.rule("customer", "payment_terms").writable = False
    world.hub = world.open_hub()
    for number in range(5):
        world.edit("crm", crm, payment_terms=f"NT9{number % 2}")
        world.sync()
    assert (asked(world), kept(world)) == ([], 0)


@each_database
def test_reverts_of_a_field_are_counted_over_records():
    world = World()
    made = [world.create("erp", tax_ids=[f"VAT:{n}"], billing_status="active") for n in range(4)]
    world.settle()
    shown = world.shown("crm", "customer")
    assert len(shown) == len(made)
    for id_ in shown:
        world.change("crm", "customer", id_, tax_ids=["VAT:X"])
    world.settle()
    with world.store.reading() as db:
        assert counts(db, "") == [("customer", "tax_ids", "crm", 4, 4)]
        assert counts(db, world.hub.at()) == []
