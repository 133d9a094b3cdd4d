"""The last days under other rules: real edits of a small world, decided twice, and nothing is changed by it."""

from __future__ import annotations

from collections import Counter

import pytest

from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, parse
from fsm_core.service.replay import moments, replay
from fsm_core.store.history import histories
from tests.world import RULES, World

LONG_AGO = "2000-01-01T00:00:00.000000Z"


def book(old: str = "", new: str = ""):
    assert old in RULES
    return Rulebook(parse(RULES.replace(old, new, 1)), "other", SHAPES, ("crm", "erp")).book("customer")


@pytest.fixture
def world():
    made = World()
    crm = made.create("crm", legal_name="Acme GmbH", account_number="1", payment_terms="30", trade_name="Acme",
                      billing_status="active", phone="+49 30 1234567")  # fmt: skip
    made.settle()
    made.ids = {"crm": crm, "erp": next(iter(made.erp.live("customer")))}
    return made


def past(world, since=LONG_AGO):
    with world.store.reading() as db:
        return list(histories(db, "customer", since))


def edit(world, system, **fields):
    world.clock.advance(60)
    world.edit(system, world.ids[system], **fields)


def outcomes(told):
    return {(one.field, one.old, one.new): one.count for one in told.changed}


def test_the_same_rules_come_to_the_same(world):
    edit(world, "crm", payment_terms="90", trade_name="Acme 2")
    world.settle()
    told = replay(past(world), book(), book())
    assert told.changed == []
    assert told.edits == told.same > 0


def test_it_comes_to_what_was_decided(world):
    since = world.hub.at()
    edit(world, "crm", payment_terms="90", trade_name="Acme 2", legal_name="Other GmbH")
    edit(world, "erp", currency="EUR")
    world.settle()
    rulings = past(world, since)[0].rulings
    decided = Counter(told["outcome"] for ruling in rulings for told in ruling.fields.values())
    anew = replay(past(world), book(), book()).outcomes["old"]
    assert decided == Counter({"REVERT": 1, "ACCEPT": 2, "PROPOSE": 1})
    assert {name: anew[name] for name in decided} == decided


def test_another_owner_is_told_with_the_edit_and_both_outcomes(world):
    edit(world, "crm", payment_terms="90")
    world.settle()
    new = book("payment_terms:    {owner: erp, non_owner_change: revert}", "payment_terms: {owner: crm}")
    told = replay(past(world), book(), new)
    assert ("payment_terms", "REVERT", "ACCEPT of crm") in outcomes(told)
    one = next(one for one in told.changed if one.new == "ACCEPT of crm")
    (sample,) = one.samples
    assert sample.edits == {"crm": ["30", "90"]}
    assert sample.old["agreed"] == "30"
    assert sample.new["agreed"] == "90"


def test_the_agreed_state_of_the_moment_decides_which_rule_was_in_force(world):
    edit(world, "crm", legal_name="Other GmbH")
    world.sync()
    edit(world, "erp", billing_status="none")
    world.settle()
    edit(world, "crm", legal_name="Third GmbH")
    world.settle()
    new = book("billing_status in ('active', 'blocked')", "billing_status in ('active', 'blocked', 'none')")
    told = outcomes(replay(past(world), book(), new))
    assert told == {("legal_name", "ACCEPT of crm", "PROPOSE"): 1}
    agreed = [one.agreed.get("billing_status") for one in moments(past(world)[0]) if "legal_name" in one.names]
    assert agreed == ["none", "active"]


def test_two_edits_of_one_run_are_decided_together(world):
    edit(world, "crm", currency="CHF")
    edit(world, "erp", currency="USD")
    world.sync()
    told = replay(past(world), book(), book("both_changed: conflict}", "both_changed: owner_wins}"))
    assert outcomes(told) == {("currency", "CONFLICT", "ACCEPT of erp"): 1}


def test_what_is_older_is_left_out(world):
    edit(world, "crm", payment_terms="90")
    world.settle()
    assert past(world, world.hub.at()) == []
    assert replay(past(world, world.hub.at()), book(), book()).edits == 0


def test_nothing_is_written(world):
    edit(world, "crm", payment_terms="90")
    world.settle()
    documents, writes = world.records(), world.writes()
    replay(past(world), book(), book("payment_terms:    {owner: erp,", "payment_terms: {owner: crm,"))
    assert world.records() == documents
    assert world.writes() == writes
    world.sync()
    assert world.writes() == writes


def test_the_past_is_read_on_both_databases(each_database):
    made = World()
    crm = made.create("crm", trade_name="a")
    made.settle()
    made.edit("crm", crm, trade_name="b")
    made.settle()
    (history,) = past(made)
    edits = [move.changes["trade_name"] for move in history.moves if "trade_name" in {*move.changes} - move.told]
    assert edits == [("a", "b")]


def test_a_status_that_closes_a_record_is_known_to_the_past(world):
    edit(world, "crm", trade_name="Acme 2")
    world.settle()
    handover = "    handover: {on_switch: adopt_agreed}  "
    told = replay(past(world), book(), book(handover, f"    immutable_after: active\n{handover}"))
    assert outcomes(told) == {("trade_name", "ACCEPT of crm", "CONFLICT"): 1}
