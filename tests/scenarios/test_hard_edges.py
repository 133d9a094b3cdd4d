"""Corners in which a sync engine loses an edit, doubles a record, writes for ever or waits for ever.

Not here: people's decisions that come late (`test_late_decisions`), crashes (`test_crashes`).
"""

from __future__ import annotations

from functools import partial

import pytest

from fsm_core.errors import Locked
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, parse
from fsm_core.ports import Creates, Written
from fsm_core.service.keys import replace_keys
from fsm_core.service.resolve import retry
from fsm_core.store import queries
from tests.scenarios.test_traps import ACTIVE, linked, open_of, resolve
from tests.world import RULES, TABLE, World

pytestmark = pytest.mark.usefixtures("each_database")


def at_write(world: World, system: str, edit, *, moment: str = "before", times: int = 1) -> None:
    """Do `edit` just before (or after) the next writes to this system."""
    left = [times]

    def tap(when, request):
        if when == moment and request.method == "POST" and left[0]:
            left[0] -= 1
            edit()

    world.hub.bindings[system, "customer"].connector._tap = tap


def without(world: World, system: str) -> None:
    """A hub that could not connect to this system."""
    world.hub.bindings = {key: binding for key, binding in world.hub.bindings.items() if key[0] != system}


def row(world: World, system: str):
    return world.row(system)


def problems(world: World, state: str = "open"):
    return open_of(world, partial(queries.problems, state=state))


def erp_only_creates() -> str:
    return RULES.replace("create: {allowed: [crm, erp]", "create: {allowed: [erp]")


# -- a system that takes no part in a round ------------------------------------------------------


def test_what_a_system_that_could_not_be_connected_is_owed_is_delivered_when_it_is_back():
    world, crm, _ = linked()
    without(world, "erp")
    world.edit("crm", crm, trade_name="Acme am Hafen")
    world.sync()
    world.hub = world.open_hub()
    world.settle()
    assert row(world, "erp")["trade_name"] == "Acme am Hafen"


def test_a_record_born_while_a_system_could_not_be_connected_is_created_there_later():
    world, *_ = linked()
    without(world, "erp")
    world.create("crm", legal_name="Beta AG", tax_ids=["VAT:DE2"])
    world.sync()
    world.hub = world.open_hub()
    world.settle()
    assert len(world.erp.live(TABLE)) == 2


def test_a_record_that_becomes_wanted_later_is_created_then():
    world = World()
    crm = world.create("crm", status="prospect")
    world.settle()
    assert not world.erp.live(TABLE)
    world.edit("crm", crm, status="active")
    world.settle()
    assert row(world, "erp")["legal_name"] == "Acme GmbH"


# -- capabilities and mappings that change -------------------------------------------------------


def test_a_field_that_becomes_writable_is_delivered_although_nobody_edits():
    world, crm, _ = linked()
    world.erp.rule(TABLE, "trade_name").writable = False
    world.hub = world.open_hub()
    world.edit("crm", crm, trade_name="Acme am Hafen")
    world.settle()
    assert row(world, "erp").get("trade_name") is None
    world.erp.rule(TABLE, "trade_name").writable = True
    world.hub = world.open_hub()
    world.settle()
    assert row(world, "erp")["trade_name"] == "Acme am Hafen"


def test_a_field_the_owner_no_longer_shows_does_not_change_hands():
    world, crm, erp = linked()
    world.erp.rule(TABLE, "payment_terms").hidden = True
    world.hub = world.open_hub()
    world.edit("erp", erp, service_notes="seen without the field")
    world.settle()
    world.edit("crm", crm, payment_terms="NT90")
    world.settle()
    world.erp.rule(TABLE, "payment_terms").hidden = False
    world.hub = world.open_hub()
    world.edit("erp", erp, service_notes="seen with it")
    world.settle()
    assert world.row("erp")["payment_terms"] == "NT30"
    assert world.row("crm")["payment_terms"] == "NT30"


def test_a_local_field_is_left_alone():
    rules = RULES.replace("service_notes:    {owner: fsm}", "service_notes:    {policy: local}")
    world = World(rules=rules)
    world.create("crm", tax_ids=["VAT:DE1"], service_notes="Hund")
    world.create("erp", service_notes="Tor", **ACTIVE)
    world.settle()
    assert (row(world, "crm")["service_notes"], row(world, "erp")["service_notes"]) == ("Hund", "Tor")


def test_what_was_local_is_not_wiped_when_the_rule_gives_it_an_owner():
    """Nothing was ever agreed on it: before, "nothing" was written over what both systems had."""
    world = World(rules=RULES.replace("service_notes:    {owner: fsm}", "service_notes:    {policy: local}"))
    world.create("crm", tax_ids=["VAT:DE1"], service_notes="Hund")
    world.create("erp", service_notes="Tor", **ACTIVE)
    world.settle()
    world.rules = Rulebook(parse(RULES), "owned", SHAPES, ("crm", "erp"))
    world.hub = world.open_hub()
    world.settle()
    assert (row(world, "crm")["service_notes"], row(world, "erp")["service_notes"]) == ("Hund", "Hund")
    (one,) = world.loaded()
    told = open_of(world, lambda db: queries.explain(db, one.record.id, "service_notes"))["fields"]["service_notes"]
    assert told["decisions"][-1]["overruled"] == {"erp": "Tor"}


# -- echoes, renderings and what happens between write and read-back ------------------------------


def test_an_edit_of_another_field_before_the_read_back_makes_a_rendering_no_edit():
    world, crm, erp = linked()
    world.erp.rule(TABLE, "trade_name").render = lambda value: value.upper() if value else value
    world.edit("crm", crm, trade_name="Acme am Hafen")
    at_write(world, "erp", lambda: world.edit("erp", erp, service_notes="Hund"), moment="after")
    world.settle()
    assert not open_of(world, queries.proposals)
    assert row(world, "crm")["trade_name"] == "Acme am Hafen"
    assert row(world, "crm")["service_notes"] == "Hund"


def test_an_edit_of_the_same_field_before_the_read_back_is_heard():
    world, crm, erp = linked()
    world.edit("crm", crm, trade_name="Acme am Hafen")
    at_write(world, "erp", lambda: world.edit("erp", erp, trade_name="Acme am Kai"), moment="after")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    assert (proposal.system, proposal.value) == ("erp", "Acme am Kai")


def test_a_person_who_types_what_we_once_sent_is_heard():
    world, crm, erp = linked()
    world.erp.rule(TABLE, "trade_name").render = lambda value: value.upper() if value else value
    world.edit("crm", crm, trade_name="Acme am Hafen")
    world.settle()
    world.erp.rule(TABLE, "trade_name").render = None
    world.edit("crm", crm, trade_name="Acme am Kai")
    world.edit("erp", erp, trade_name="Acme am Hafen")
    world.settle()
    assert row(world, "erp")["trade_name"] == "Acme am Kai"
    (one,) = world.loaded()
    told = open_of(world, lambda db: queries.explain(db, one.record.id, "trade_name"))["fields"]["trade_name"]
    assert told["decisions"][-1]["overruled"] == {"erp": "Acme am Hafen"}


def test_an_edit_between_reading_and_writing_is_settled_in_the_same_round():
    world, crm, erp = linked()
    world.edit("crm", crm, trade_name="Acme am Hafen")
    at_write(world, "erp", lambda: world.edit("erp", erp, payment_terms="NT45"))
    before = world.writes()
    world.sync()
    assert row(world, "erp")["trade_name"] == "Acme am Hafen"
    assert row(world, "crm")["payment_terms"] == "NT45"
    assert world.writes() == before + 3  # one of them refused as stale


def test_without_versions_an_edit_just_before_the_write_is_seen():
    world, crm, erp = linked(compare_and_set=False, versions=False)
    world.edit("crm", crm, legal_name="Acme Neu GmbH", phone="030 999")
    connector = world.hub.bindings["erp", "customer"].connector
    connector.read = partial(_edit_and_read, world, erp, [1], connector.read)
    world.settle()
    assert row(world, "erp")["phone"] == row(world, "crm")["phone"] == "030 777"


def _edit_and_read(world, erp, left, read, obj, refs):
    if left[0]:
        left[0] = 0
        world.clock.advance(5)
        world.edit("erp", erp, phone="030 777")
    return read(obj, refs)


def test_consequences_of_our_own_writes_are_no_mass_change():
    world = World()
    world.erp.automate(TABLE, lambda shown: {} if shown.get("price_list") else {"price_list": "P1"}, user="robot")
    for number in range(60):
        world.create("crm", legal_name=f"Firm {number}", tax_ids=[f"VAT:DE{number}"])
    world.settle()
    assert {shown["price_list"] for shown in world.crm.live(TABLE).values()} == {"P1"}


# -- records that are gone, locked or refused ----------------------------------------------------


@pytest.mark.parametrize("compare_and_set", [True, False])
def test_a_record_that_is_not_there_any_more_is_a_problem_and_not_written_for_ever(compare_and_set):
    world, crm, erp = linked(compare_and_set=compare_and_set)
    del world.erp._tables[TABLE].records[erp]
    world.edit("crm", crm, trade_name="Acme am Hafen")
    world.sync()
    before = world.writes()
    world.sync()
    assert world.writes() == before
    assert [(p.system, p.cause) for p in problems(world)] == [("erp", "write notfound")]


def test_a_locked_record_does_not_stop_the_others():
    world = World()
    for number in range(3):
        world.create("crm", legal_name=f"Firm {number}", tax_ids=[f"VAT:DE{number}"])
    connector = world.hub.bindings["erp", "customer"].connector
    real, locked = connector._written, []

    def written(obj, write):
        locked.append(write.key)
        return Written(error=Locked("somebody edits it")) if write.key == locked[0] else real(obj, write)

    connector._written = written
    world.sync()
    assert len(world.erp.live(TABLE)) == 2
    connector._written = real
    world.settle()
    assert len(world.erp.live(TABLE)) == 3


def test_a_right_lost_for_one_field_sets_that_field_aside_only():
    world, crm, _ = linked()
    rule = world.erp.rule(TABLE, "trade_name")
    at_write(world, "erp", lambda: setattr(rule, "hidden", True))
    world.edit("crm", crm, trade_name="Acme am Hafen", service_notes="Hund")
    world.settle()
    assert row(world, "erp")["service_notes"] == "Hund"
    assert [(p.system, p.field) for p in problems(world)] == [("erp", "trade_name")]


def test_a_refused_field_stays_a_problem_while_the_rest_is_delivered():
    world, crm, _ = linked()
    world.erp.rule(TABLE, "trade_name").length = 5
    world.edit("crm", crm, trade_name="Acme am Hafen", service_notes="Hund")
    world.settle()
    assert row(world, "erp")["service_notes"] == "Hund"
    (problem,) = problems(world)
    world.erp.rule(TABLE, "trade_name").length = None
    retry(world.hub, problem, "ada")
    world.settle()
    assert row(world, "erp")["trade_name"] == "Acme am Hafen"
    assert not problems(world)


def test_retrying_one_refused_field_leaves_the_other_a_problem():
    world, crm, _ = linked()
    world.erp.rule(TABLE, "trade_name").length = 5
    world.erp.rule(TABLE, "segment").length = 1
    world.edit("crm", crm, trade_name="Acme am Hafen", segment="Large")
    world.settle()
    first, second = problems(world)
    world.erp.rule(TABLE, first.field).length = None
    retry(world.hub, first, "ada")
    world.settle()
    assert [p.field for p in problems(world)] == [second.field]


@pytest.mark.parametrize(("system", "value"), [("crm", "Kai"), ("erp", "Acme am Hafen")])
def test_a_refused_field_repaired_here_or_there_is_no_problem_any_more(system, value):
    world, crm, erp = linked()
    world.erp.rule(TABLE, "trade_name").length = 5
    world.edit("crm", crm, trade_name="Acme am Hafen")
    world.settle()
    assert len(problems(world)) == 1
    world.erp.rule(TABLE, "trade_name").length = None
    world.edit(system, {"crm": crm, "erp": erp}[system], trade_name=value)
    world.settle()
    assert not problems(world)
    assert row(world, "erp")["trade_name"] == row(world, "crm")["trade_name"]


def test_a_refused_create_is_over_when_somebody_enters_the_record_there():
    world = World()
    world.erp.rule(TABLE, "legal_name").refuse = lambda value: value == "Acme GmbH"
    world.create("crm", tax_ids=["VAT:DE1"])
    world.settle()
    assert len(problems(world)) == 1
    world.create("erp", legal_name="Acme", tax_ids=["VAT:DE1"])
    world.settle()
    assert len(world.erp.live(TABLE)) == len(world.loaded()) == 1
    assert not [p for p in problems(world) if p.external_id == world.loaded()[0].record.id]


def test_an_unreadable_value_that_was_corrected_is_no_problem_any_more():
    world, crm, _ = linked()
    world.edit("crm", crm, status="whatever")
    world.settle()
    assert len(problems(world)) == 1
    world.edit("crm", crm, status="on_hold")
    world.settle()
    assert not problems(world)


# -- identity ------------------------------------------------------------------------------------


def test_a_record_that_could_not_be_born_is_born_once_it_is_complete():
    world = World()
    crm = world.create("crm", legal_name=None)
    world.settle()
    assert not world.loaded()
    world.edit("crm", crm, legal_name="Acme GmbH")
    world.settle()
    assert len(world.loaded()) == 1
    assert not problems(world)


def test_a_record_that_may_not_be_created_is_linked_when_the_creator_has_it():
    world = World(rules=erp_only_creates())
    world.create("crm", tax_ids=["VAT:DE1"])
    world.settle()
    assert not world.loaded()
    world.create("erp", **ACTIVE)
    world.settle()
    assert [len(store.live(TABLE)) for store in world.stores.values()] == [1, 1]
    assert len(world.loaded()) == 1
    assert not problems(world)


def test_a_second_record_of_one_system_is_a_question_even_when_the_first_lacks_the_key():
    world, *_ = linked()
    mine = [(link.id, link.now) for link in world.links() if link.system == "erp"]
    with world.store.begin() as work:  # as if the first one's key could not be read
        replace_keys(world.hub, work, "customer", mine, ())
    world.create("erp", legal_name="Acme Zwei", tax_ids=["VAT:DE1"])
    world.sync()
    (one,) = world.loaded()
    assert sorted(link.system for link in one.links) == ["crm", "erp"]
    assert [c.type for c in open_of(world, queries.conflicts)] == ["match"]


def test_a_copied_hub_key_makes_no_second_link():
    world = World()
    world.create("crm", legal_name="Acme GmbH")
    world.settle()
    (one,) = world.loaded()
    for _ in range(2):
        world.create("erp", legal_name="Copy", hub_id=one.record.id)
    world.settle()
    (kept,) = [found for found in world.loaded() if found.record.id == one.record.id]
    assert sorted(link.system for link in kept.links) == ["crm", "erp"]


@pytest.mark.parametrize("take", ["apart", "corrected"])
def test_a_record_is_created_elsewhere_once_the_question_about_it_is_answered(take):
    world = World()
    crm = world.create("crm", legal_name="Müller GmbH", billing_postcode="10115", status="prospect")
    world.settle()
    world.edit("crm", crm, status="active")
    erp = world.create("erp", legal_name="Mueller GmbH", billing_postcode="10115", billing_status="active")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    if take == "apart":
        resolve(world, conflict, "apart")
    else:
        world.edit("erp", erp, legal_name="Schmidt KG")
    world.settle()
    assert [len(store.live(TABLE)) for store in world.stores.values()] == [2, 2]


def test_an_undeleted_record_closes_the_question_about_its_deletion():
    world, crm, _ = linked(rules=RULES.replace("on_non_owner_delete: restore", "on_non_owner_delete: conflict"))
    world.crm.remove(TABLE, crm)
    world.settle()
    world.clock.advance(5)
    records = world.crm._tables[TABLE].records
    records[crm] = world.crm._stamped(records[crm], "ann")
    object.__setattr__(records[crm], "deleted", False)
    world.settle()
    assert not open_of(world, queries.conflicts)


def test_a_worker_that_restarts_under_another_name_waits_for_the_lease_and_then_goes_on():
    world = World(creates=Creates.PROBE)
    world.create("crm", tax_ids=["VAT:DE1"])
    at_write(world, "erp", _die)
    with pytest.raises(KeyboardInterrupt):
        world.sync()
    world.hub = world.open_hub()
    world.hub.worker = "another"
    world.sync()
    assert not world.erp.live(TABLE)
    world.clock.advance(600)
    world.settle()
    assert len(world.erp.live(TABLE)) == 1


def _die() -> None:
    raise KeyboardInterrupt
