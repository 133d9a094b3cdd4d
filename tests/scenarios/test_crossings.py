"""Where features meet: pins, hand-overs, deletions, the hub's own store, merges, reverts, and times that run out.

What was found by the random worlds of `tests/properties/test_crossing_worlds`, and beside them. Not here: each alone.
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from fsm_core.errors import HubError
from fsm_core.persons.rights import Actor
from fsm_core.service.bulk import answer_all, answer_proposals, undo
from fsm_core.service.hub_store import edit
from fsm_core.service.identity import merge, unmerge
from fsm_core.service.pins import set_pin
from fsm_core.service.plan import plan
from fsm_core.service.planfile import Header, PlanFile, PlanWriter, foot_of
from fsm_core.service.pull import pull
from fsm_core.service.resolve import resolve
from fsm_core.service.revert import Reverted, reverted, take_back
from fsm_core.store import queries
from fsm_core.store import runs as history
from fsm_core.store.schema import dirty
from tests.scenarios.test_deletions import known_to_both, questions, ruled
from tests.scenarios.test_handovers import HOUR, PLAIN, bill, owner
from tests.scenarios.test_identity import found, halves, take_apart
from tests.scenarios.test_references import read
from tests.world import RULES, TABLE, World

each_database = pytest.mark.usefixtures("each_database")
ADA = Actor("ada")


def quiet(world: World) -> None:
    """A further round, also a full one, writes nothing, and nothing is left to look at."""
    world.settle()
    before = world.writes()
    world.sync()
    world.sync(full=True)
    assert world.writes() == before
    assert not left(world)


def left(world: World) -> list[tuple[str, str]]:
    """What is due, by reason and system."""
    with world.store.reading() as db:
        c = dirty.c
        return [tuple(row) for row in db.execute(select(c.reason, c.system).where(c.due_at <= world.hub.at()))]


def the_record(world: World) -> str:
    (record,) = {one.record.id for one in world.loaded()}
    return record


def agreed(world: World, name: str) -> Any:
    (one,) = world.loaded()
    return one.record.document.get(name)


def pins(world: World) -> list[tuple[str, Any, str]]:
    return [(pin.field, pin.value, pin.by) for pin in read(world, queries.pins)]


# -- what a revert meets -------------------------------------------------------------------------


def last_run(world: World) -> str:
    return next(one["id"] for one in read(world, history.runs, 10) if one["kind"] == "test")


def to_take_back(world: World, run: str) -> Reverted:
    rulings = read(world, lambda db: list(history.rulings(db, run)))
    return reverted(world.hub, rulings, read(world, history.creations, run))


def renamed() -> tuple[World, str]:
    """A customer whose trade name was changed in the last run."""
    world = World()
    crm, _ = known_to_both(world)
    world.edit("crm", crm, trade_name="before")
    world.settle()
    world.edit("crm", crm, trade_name="after")
    world.sync()
    return world, last_run(world)


def test_a_revert_leaves_what_is_pinned_and_says_who_pinned_it():
    world, run = renamed()
    set_pin(world.hub, TABLE, the_record(world), "trade_name", "bob", note="")
    back = to_take_back(world, run)
    (kept,) = back.kept
    assert (kept.field, kept.why) == ("trade_name", "bob pinned it; release the pin first: 'fsm-hub pin release'")
    assert back.takes == []


def test_a_pin_that_was_set_after_the_revert_was_planned_stands():
    world, run = renamed()
    back = to_take_back(world, run)
    set_pin(world.hub, TABLE, the_record(world), "trade_name", "bob", note="")
    with world.hub.running("apply"):
        assert take_back(world.hub, back.takes, run, "ada") == 0
    quiet(world)
    assert (agreed(world, "trade_name"), world.row("erp")["trade_name"]) == ("after", "after")


@each_database
def test_answers_that_are_taken_back_bring_back_the_pins_they_released():
    world = World()
    crm, _ = known_to_both(world)
    set_pin(world.hub, TABLE, the_record(world), "segment", "bob", note="as in the contract", value="A")
    world.settle()
    world.edit("crm", crm, segment="B")
    world.settle()
    asked = read(world, queries.conflicts)
    done = answer_all(world.hub, asked, "crm", ADA)
    assert pins(world) == []
    undone = undo(world.hub, read(world, lambda db: list(history.rulings(db, done.run))), "ada")
    assert undone.reopened == [asked[0].id]
    assert pins(world) == [("segment", "A", "bob")]
    quiet(world)
    assert (agreed(world, "segment"), world.row("crm")["segment"]) == ("A", "B")
    resolve(world.hub, read(world, queries.conflicts)[0], "agreed", "ada")
    quiet(world)
    assert world.row("crm")["segment"] == "A"


def test_a_pin_that_came_with_an_answer_goes_when_the_answer_is_taken_back():
    world = World()
    crm, _ = known_to_both(world)
    set_pin(world.hub, TABLE, the_record(world), "segment", "bob", note="", value="A")
    world.settle()
    world.edit("crm", crm, segment="B")
    world.settle()
    with world.hub.running("decision") as run:
        resolve(world.hub, read(world, queries.conflicts)[0], "crm", "ada", pin=True)
    assert pins(world) == [("segment", "B", "ada")]
    undo(world.hub, read(world, lambda db: list(history.rulings(db, run.id))), "ada")
    assert pins(world) == []


# -- what a hand-over meets ----------------------------------------------------------------------


@each_database
def test_a_proposal_ends_in_time_although_a_hand_over_took_away_the_notice():
    world = World(rules=HOUR.replace("defaults:", "defaults:\n  proposal_ttl: 3h", 1))
    world.create("crm", account_number="1", language="de")
    world.settle()
    (world.other,) = world.erp.live(TABLE)
    world.edit("erp", world.other, language="en")
    world.sync()
    assert len(read(world, queries.proposals)) == 1
    bill(world)
    world.sync()
    world.clock.advance(3_700)
    world.sync()
    assert owner(world) == "erp"
    world.clock.advance(3 * 3_600)
    world.settle()
    assert read(world, queries.proposals) == []
    assert world.row("erp")["language"] == "de"


@pytest.mark.parametrize("closed", ["append_only: true", "immutable_after: active"])
def test_a_new_owner_changes_nothing_of_a_record_that_may_not_change(closed):
    world = World(rules=RULES.replace(PLAIN, f"{closed}\n    handover: {{on_switch: adopt_new_owner, dwell: 1h}} ", 1))
    world.erp.rule(TABLE, "legal_name").writable = False  # it goes on showing what was not agreed
    world.hub = world.open_hub()
    world.create("crm", account_number="1", legal_name="A", tax_ids=["VAT:1"])
    world.other = world.create("erp", account_number="1", legal_name="B", tax_ids=["VAT:1"])
    world.settle()
    answered(world, "crm")
    bill(world)
    world.settle()
    answered(world, "erp")
    world.clock.advance(4_000)
    world.settle()
    assert (owner(world), agreed(world, "legal_name")) == ("erp", "A")
    (asked,) = read(world, queries.conflicts)
    assert (asked.field, asked.note) == (
        "legal_name",
        "handover_differs: erp owns it from now on, and it is not to change",
    )


def answered(world: World, take: str) -> None:
    for conflict in read(world, queries.conflicts):
        resolve(world.hub, conflict, take, "ada")
    world.settle()


# -- what a deletion meets -----------------------------------------------------------------------


@each_database
def test_a_deletion_is_not_owed_to_the_hub_itself():
    world = World(rules=ruled("delete"))
    crm, _ = known_to_both(world)
    world.edit("crm", crm, language="de")
    world.settle()
    edit(world.hub, TABLE, the_record(world), {"language": "en"}, "ada")
    world.settle()
    assert [one.system for one in read(world, queries.proposals)] == ["hub"]
    world.crm.remove(TABLE, crm)
    world.settle()
    (asked,) = questions(world)
    resolve(world.hub, asked, "delete", "ada")
    quiet(world)
    assert world.shown("erp", TABLE) == {}


def test_who_edits_here_what_was_deleted_everywhere_is_asked():
    world = World(rules=ruled("delete"))
    crm, _ = known_to_both(world)
    world.crm.remove(TABLE, crm)
    quiet(world)
    edit(world.hub, TABLE, the_record(world), {"trade_name": "still alive"}, "ada")
    world.settle()
    (asked,) = questions(world)
    assert asked.note == "deleted in crm (deleted by owner, edited elsewhere: hub)"
    resolve(world.hub, asked, "restore", "ada")
    quiet(world)
    assert world.row("crm")["trade_name"] == "still alive"


def test_a_plan_that_deletes_can_be_kept(tmp_path):
    world = World(rules=ruled("delete"))
    crm, _ = known_to_both(world)
    world.crm.remove(TABLE, crm)
    with world.hub.running("observe"):
        pull(world.hub, world.hub.bindings["crm", TABLE])
    path = tmp_path / "plan.json"
    with PlanWriter(path, Header("1", world.hub.at(), "ada", (TABLE,), "test", {})) as writer:
        writer.seal(foot_of(plan(world.hub, [TABLE], writer.keep)))
    kept = PlanFile(path)
    assert kept.foot.endings == {"DELETE": 1}
    assert [one.action for one in kept.writes()] == ["delete"]


# -- what a merge meets --------------------------------------------------------------------------


@each_database
def test_who_is_taken_out_again_takes_the_pins_it_brought():
    world, crm, erp = halves()
    old, into = found(world, erp), found(world, crm)
    set_pin(world.hub, TABLE, old, "segment", "bob", note="", value="Z")
    set_pin(world.hub, TABLE, old, "industry", "bob", note="", value="Y")
    set_pin(world.hub, TABLE, into, "industry", "bob", note="", value="X")
    world.settle()
    merge(world.hub, TABLE, into, old, "ada")
    world.settle()
    take_apart(world, old)
    world.settle()
    told = {(pin.record, pin.field, pin.value) for pin in read(world, queries.pins)}
    assert told == {(old, "segment", "Z"), (old, "industry", "Y"), (into, "industry", "X")}
    assert world.row("erp")["industry"] == "Y"
    assert world.row("crm")["industry"] == "X"


def test_a_pin_that_was_changed_since_the_merge_stays_where_it_was_changed():
    world, crm, erp = halves()
    old, into = found(world, erp), found(world, crm)
    set_pin(world.hub, TABLE, old, "segment", "bob", note="", value="Z")
    world.settle()
    merge(world.hub, TABLE, into, old, "ada")
    world.settle()
    set_pin(world.hub, TABLE, into, "segment", "ada", note="", value="Q")
    take_apart(world, old)
    assert [(pin.record, pin.value) for pin in read(world, queries.pins)] == [(into, "Q")]


@each_database
def test_what_was_said_here_may_go_to_another_record_and_both_can_be_edited():
    world = World(rules=RULES.replace("  fsm: crm", "  fsm: hub", 1))
    known_to_both(world)
    record = the_record(world)
    edit(world.hub, TABLE, record, {"language": "en"}, "ada")
    (mine,) = [link for link in world.links() if link.system == "hub"]
    parted = unmerge(world.hub, TABLE, record, [mine.id], "ada")
    world.settle()
    for one in (parted.kept, parted.parted):
        try:
            edit(world.hub, TABLE, one, {"service_notes": "dog"}, "ada")
        except HubError as error:
            pytest.fail(str(error))
    world.settle()
    assert len({link.external_id for link in world.links() if link.system == "hub"}) == 2


def test_a_proposal_that_is_answered_and_reopened_is_open():
    world = World()
    crm, erp = known_to_both(world)
    world.edit("crm", crm, language="de")
    world.settle()
    world.edit("erp", erp, language="en")
    world.settle()
    done = answer_proposals(world.hub, read(world, queries.proposals), "adopt", ADA)
    undo(world.hub, read(world, lambda db: list(history.rulings(db, done.run))), "ada")
    quiet(world)
    assert [one.value for one in read(world, queries.proposals)] == ["en"]
    assert agreed(world, "language") == "de"
