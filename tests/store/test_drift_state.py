"""Descriptions in the state of both databases, and rounds of the engine over them.

Not here: the vendors' wire (`tests/scenarios/test_drift`), the comparison (`tests/unit/test_drift`).
"""

from __future__ import annotations

import pytest
from sqlalchemy import select

from fsm_core.drift.kinds import Policies, Policy
from fsm_core.errors import Invalid, NotFound
from fsm_core.service.drifting import accept
from fsm_core.store import schema as t
from fsm_core.store.verify import verify
from tests.world import TABLE, World

GIVEN = {"segment": "A", "billing_status": "active", "tax_ids": ["VAT:1"]}


def made(**options):
    world = World(**options)
    world.create("crm", legal_name="Acme GmbH", **GIVEN)
    world.settle()
    return world


def again(world):
    """A new process, which asks both systems."""
    world.hub = world.open_hub()


def problems(world):
    with world.store.reading() as db:
        rows = db.execute(
            select(t.problem.c.cause, t.problem.c.field, t.problem.c.system).where(t.problem.c.state == "open")
        )
        return sorted(tuple(row) for row in rows)


def test_what_is_known_survives_and_is_compared_by_the_next_process(each_database):
    world = made()
    world.crm.rule(TABLE, "segment").hidden = True
    again(world)
    (drift,) = world.hub.bindings["crm", "customer"].watched.drifts
    assert (drift.path, drift.policy) == ("segment", Policy.HOLD)
    for _ in range(3):  # told once, however often it is seen
        world.sync()
        again(world)
    assert problems(world) == [("drift removed", "segment", "crm")]
    world.crm.rule(TABLE, "segment").hidden = False
    again(world)
    before = world.writes()
    world.sync()
    world.sync()
    assert problems(world) == []
    assert world.writes() == before
    assert [record["segment"] for record in world.records()] == ["A"]


def test_an_ordinary_round_writes_no_description(each_database):
    world = made()
    with world.store.reading() as db:
        before = db.execute(select(t.description.c.system, t.description.c.changed_at)).all()
    assert [row[0] for row in sorted(before)] == ["crm", "erp"]
    again(world)
    world.sync()
    with world.store.reading() as db:
        assert db.execute(select(t.description.c.system, t.description.c.changed_at)).all() == before


@pytest.mark.parametrize("page_size", [1, 2000])
def test_values_that_did_not_fit_are_told_again_to_all_when_they_do(each_database, page_size):
    world = World(page_size=page_size)
    ids = [world.create("crm", legal_name=f"Acme {n} GmbH", **{**GIVEN, "tax_ids": [f"VAT:{n}"]}) for n in range(3)]
    world.settle()
    world.hub.page = page_size
    world.erp.rule(TABLE, "segment").length = 3
    again(world)
    world.hub.page = page_size
    for one in ids:
        world.edit("crm", one, segment="Gold and silver", service_notes="Hund")
    world.sync()
    assert {row["segment"] for row in world.shown("erp", TABLE).values()} == {"A"}
    assert {row["service_notes"] for row in world.shown("erp", TABLE).values()} == {"Hund"}
    assert sorted(problems(world)) == sorted(
        [("drift shortened", "segment", "erp"), *[("write invalid", "segment", "erp")] * 3]
    )
    world.erp.rule(TABLE, "segment").length = None
    again(world)
    world.hub.page = page_size
    world.sync()
    assert {row["segment"] for row in world.shown("erp", TABLE).values()} == {"Gold and silver"}
    assert problems(world) == []
    before = world.writes()
    world.sync()
    assert world.writes() == before


def test_a_new_record_goes_out_without_what_does_not_fit(each_database):
    world = made()
    world.erp.rule(TABLE, "segment").length = 3
    again(world)
    world.create("crm", legal_name="Neu GmbH", **{**GIVEN, "segment": "Gold and silver", "tax_ids": ["VAT:9"]})
    world.sync()
    rows = [row for row in world.shown("erp", TABLE).values() if row["legal_name"] == "Neu GmbH"]
    assert [row.get("segment") for row in rows] == [None]
    assert problems(world) == [("drift shortened", "segment", "erp"), ("write invalid", "segment", "erp")]
    assert [record["segment"] for record in world.records() if record["legal_name"] == "Neu GmbH"] == [
        "Gold and silver"
    ]
    world.erp.rule(TABLE, "segment").length = None
    again(world)
    world.settle()
    assert {row["segment"] for row in world.shown("erp", TABLE).values()} == {"A", "Gold and silver"}
    assert problems(world) == []


@pytest.mark.parametrize("hidden", ["crm", "erp"])
def test_a_stopped_mapping_costs_the_other_system_nothing(each_database, hidden):
    other = {"crm": "erp", "erp": "crm"}[hidden]
    world = made()
    world.stores[hidden].rule(TABLE, "tax_ids").hidden = True
    again(world)
    assert list(world.hub.bindings) == [(other, "customer")]
    assert "tax_ids is a match key" in str(world.hub.stopped[hidden, "customer"].fault)
    before = world.stores[hidden].writes()
    world.edit(other, next(iter(world.shown(other, TABLE))), service_notes="Hund", email="neu@example.com")
    report = world.sync()
    assert [one.policy for _, one in report.drift] == [Policy.STOP]
    assert world.stores[hidden].writes() == before
    assert problems(world) == [("drift removed", "tax_ids", hidden)]
    world.stores[hidden].rule(TABLE, "tax_ids").hidden = False
    again(world)
    report = world.sync()
    assert {one.system: one.complete for one in report.pulled} == {hidden: True, other: False}  # all is read once
    world.settle()
    assert problems(world) == []
    assert world.row(hidden)["email"] == world.row(other)["email"] == "neu@example.com"


def test_a_mapping_without_a_required_path_makes_nothing_new_until_it_may(each_database):
    world = made()
    world.erp.rule(TABLE, "cost_centre").required = True
    again(world)  # this store demands only what is asked for: nothing drifted
    assert world.hub.bindings["erp", "customer"].watched.drifts == ()
    world.erp.rule(TABLE, "segment").required = True
    again(world)
    (drift,) = world.hub.bindings["erp", "customer"].watched.drifts
    assert (drift.path, drift.policy) == ("segment", Policy.WARN)  # mapped: only records without it are refused


def test_a_policy_is_changed_and_changed_back(each_database):
    world = made()
    world.crm.rule(TABLE, "segment").length = 3
    again(world)
    world.sync()
    assert "segment" not in world.hub.bindings["crm", "customer"].unseen
    world.policies = {"crm": Policies(shortened=Policy.HOLD)}
    again(world)
    assert "segment" in world.hub.bindings["crm", "customer"].unseen
    world.edit("crm", next(iter(world.shown("crm", TABLE))), segment="B")
    world.sync()
    assert [record["segment"] for record in world.records()] == ["A"]
    world.policies = {}
    again(world)
    world.sync()
    assert [record["segment"] for record in world.records()] == ["B"]
    world.crm.rule(TABLE, "segment").length = None
    again(world)
    world.settle()
    assert problems(world) == []


def test_what_a_person_accepts_is_in_the_audit_and_no_drift_any_more(each_database):
    world = made()
    world.crm.rule(TABLE, "tax_ids").hidden = True
    world.crm.rule(TABLE, "segment").length = 3
    again(world)
    world.sync()
    (taken,) = accept(world.hub, "crm", "customer", "tax_ids", "ada")
    assert taken.policy is Policy.STOP
    assert problems(world) == [("drift shortened", "segment", "crm")]
    with pytest.raises(NotFound, match="nothing drifted"):
        accept(world.open_hub(), "crm", "customer", "tax_ids", "ada")
    again(world)
    world.sync()
    assert list(world.hub.bindings) == [("crm", "customer"), ("erp", "customer")]
    assert problems(world) == [("drift shortened", "segment", "crm")]
    with world.store.reading() as db:
        found = db.execute(select(t.decision.c.actor, t.decision.c.record).where(t.decision.c.kind == "drift accepted"))
        assert [tuple(row) for row in found] == [("ada", "crm/customer")]
        assert verify(db).broken is None
    world.crm.rule(TABLE, "legal_name").hidden = True
    again(world)
    with pytest.raises(Invalid, match="cannot be done without"):
        accept(world.hub, "crm", "customer", "legal_name", "ada")
