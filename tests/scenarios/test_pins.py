"""Pins through whole rounds: delivered at once, kept against those who do not own, asked about or released by who does.

Rows F30-F32 of the truth table, with questions, proposals, first contact and merges beside them.
"""

from __future__ import annotations

import pytest

from fsm_core.errors import Invalid, NotFound
from fsm_core.service.pins import release_pin, set_pin
from fsm_core.service.plan import PlannedWrite, plan
from fsm_core.service.resolve import answer_proposal
from fsm_core.service.resolve import resolve as answer
from fsm_core.state_pins import PinMode
from fsm_core.store import queries
from tests.scenarios.test_references import only, party
from tests.scenarios.test_traps import linked, open_of
from tests.world import RULES, World, asking

each_database = pytest.mark.usefixtures("each_database")
UNTIL = PinMode.UNTIL_OWNER_CHANGES


def the_record(world: World) -> str:
    (one,) = world.loaded()
    return one.record.id


def pin(world: World, field: str, record: str = "", **said):
    return set_pin(world.hub, "customer", record or the_record(world), field, "ada", note="agreed by phone", **said)


def pins(world: World) -> dict[str, object]:
    records = [loaded.record.id for loaded in world.loaded()]
    with world.store.begin() as work:
        return {one.field: one.value for one in work.pins(records)}


def both_say(world: World, field: str) -> list:
    return [world.row(system).get(field) for system in ("crm", "erp")]


def quiet(world: World) -> None:
    world.settle()
    before = world.writes()
    assert not world.sync().converged[0].outcomes
    assert world.writes() == before


def story(world: World, field: str, record: str = "") -> dict:
    record = record or the_record(world)
    return open_of(world, lambda db: queries.explain(db, record, field))["fields"][field]


def decisions(world: World) -> list[dict]:
    record = the_record(world)
    return open_of(world, lambda db: queries.decisions(db, record))


# -- setting -------------------------------------------------------------------------------------


@each_database
def test_a_pin_is_delivered_everywhere_though_nobody_edited_anything():
    world, *_ = linked()
    pin(world, "legal_name", value="Acme SE")
    world.sync()
    assert both_say(world, "legal_name") == ["Acme SE", "Acme SE"]
    told = story(world, "legal_name")
    assert (told["value"], told["said_by"]["by"], told["said_by"]["person"]) == ("Acme SE", "ada", True)
    assert (told["pin"]["by"], told["pin"]["mode"], told["pin"]["note"]) == ("ada", "hold", "agreed by phone")
    assert told["decisions"][-1]["actor"] == "ada"
    quiet(world)


def test_a_pin_without_a_value_keeps_what_is_agreed_and_writes_nothing():
    world, *_ = linked()
    before = world.writes()
    assert pin(world, "legal_name").value == "Acme GmbH"
    quiet(world)
    assert world.writes() == before
    assert story(world, "legal_name")["pin"]["value"] == "Acme GmbH"


def test_what_nobody_pinned_is_not_asked_for(monkeypatch):
    world, crm, _ = linked()
    asked = []
    monkeypatch.setattr("fsm_core.store.work.SqlWork.pins", lambda _work, records: asked.append(records) or [])
    world.edit("crm", crm, legal_name="Beta")
    world.settle()
    assert not asked


@pytest.mark.parametrize(
    ("field", "said", "why"),
    [
        ("fone", {"value": "1"}, "customer has no field 'fone' - Choose from: legal_name"),
        ("status", {"value": "asleep"}, "status: Input should be 'prospect'"),
        ("legal_name", {"value": ""}, "no record may be without it"),
        ("parent_id", {"value": "nobody"}, "'nobody' is no customer of the hub"),
        ("phone", {"mode": UNTIL}, "nobody owns this field: its policy is newest"),
    ],
)
def test_what_cannot_be_pinned_is_refused_with_the_remedy(field, said, why):
    world, *_ = linked()
    with pytest.raises(Invalid, match=why):
        pin(world, field, **said)
    assert not pins(world)
    assert not any(one.record.pinned for one in world.loaded())


def test_a_field_in_question_is_pinned_with_the_answer_only():
    world, crm, erp = linked()
    world.edit("crm", crm, currency="CHF")
    world.edit("erp", erp, currency="USD")
    world.settle()
    with pytest.raises(Invalid, match=r"conflicts resolve .* --pin"):
        pin(world, "currency", value="USD")


# -- F30 to F32 ----------------------------------------------------------------------------------


def test_f30_a_non_owner_is_put_back_and_its_value_kept():
    world, crm, _ = linked()
    pin(world, "legal_name")
    world.edit("crm", crm, legal_name="Beta")
    world.settle()
    assert both_say(world, "legal_name") == ["Acme GmbH", "Acme GmbH"]
    assert [(one["system"], one["value"]) for one in story(world, "legal_name")["lost"]] == [("crm", "Beta")]
    assert not open_of(world, queries.proposals)
    quiet(world)


@each_database
def test_f31_an_owner_who_says_something_else_is_asked_about():
    world, _, erp = linked()
    pin(world, "legal_name")
    world.edit("erp", erp, legal_name="Beta")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    assert (conflict.field, conflict.note) == ("legal_name", "owner changed a pinned field")
    assert both_say(world, "legal_name") == ["Acme GmbH", "Beta"]
    answer(world.hub, conflict, "agreed", "bob")
    world.settle()
    assert both_say(world, "legal_name") == ["Acme GmbH", "Acme GmbH"]
    assert pins(world) == {"legal_name": "Acme GmbH"}
    quiet(world)


@each_database
def test_f32_the_owners_change_releases_a_pin_that_waits_for_it():
    world, _, erp = linked()
    pin(world, "legal_name", value="Acme SE", mode=UNTIL)
    world.settle()
    world.edit("erp", erp, legal_name="Beta")
    world.settle()
    assert both_say(world, "legal_name") == ["Beta", "Beta"]
    assert not pins(world)
    told = story(world, "legal_name")
    assert told["pin"] is None
    assert told["decisions"][-1]["note"] == "pin released"
    decided = decisions(world)[-1]["content"]
    assert [(one["value"], one["by"]) for one in decided["unpinned"]] == [("Acme SE", "ada")]
    assert not any(one.record.pinned for one in world.loaded())
    quiet(world)


def test_a_pin_that_waits_for_the_owner_holds_against_all_others():
    world, crm, _ = linked()
    pin(world, "legal_name", mode=UNTIL)
    world.edit("crm", crm, legal_name="Beta")
    world.settle()
    assert both_say(world, "legal_name") == ["Acme GmbH", "Acme GmbH"]
    assert pins(world) == {"legal_name": "Acme GmbH"}


def test_the_same_edits_come_to_the_same_whatever_the_order_of_systems():
    says = []
    for first, second in (("crm", "erp"), ("erp", "crm")):
        world, crm, erp = linked(page_size=1)
        ids = {"crm": crm, "erp": erp}
        pin(world, "legal_name", value="Acme SE")
        pin(world, "payment_terms", value="NT30", mode=UNTIL)
        for system in (first, second):
            world.edit(system, ids[system], legal_name=f"by {system}", payment_terms="NT90")
        world.settle()
        (conflict,) = open_of(world, queries.conflicts)
        says.append((conflict.note, conflict.snapshot["agreed"], both_say(world, "payment_terms"), pins(world)))
    assert says[0] == says[1]
    assert says[0] == ("owner changed a pinned field", "Acme SE", ["NT90", "NT90"], {"legal_name": "Acme SE"})


# -- what comes together with a pin --------------------------------------------------------------


def test_an_edit_that_nobody_decided_yet_is_news_for_the_pin():
    world, crm, _ = linked()
    world.edit("crm", crm, legal_name="Beta")
    world.sync(deliver=False)
    world.edit("crm", crm, legal_name="Gamma")
    pin(world, "legal_name", value="Acme SE")
    world.settle()
    assert both_say(world, "legal_name") == ["Acme SE", "Acme SE"]
    assert {one["value"] for one in story(world, "legal_name")["lost"]} >= {"Gamma"}
    assert [one.state for one in open_of(world, lambda db: queries.proposals(db, "superseded"))] == ["superseded"]
    quiet(world)


def test_a_pin_on_what_is_agreed_ends_an_open_proposal():
    world, crm, _ = linked()
    world.edit("crm", crm, legal_name="Beta")
    world.settle()
    assert open_of(world, queries.proposals)
    pin(world, "legal_name")
    world.settle()
    assert both_say(world, "legal_name") == ["Acme GmbH", "Acme GmbH"]
    assert not open_of(world, queries.proposals)
    quiet(world)


@pytest.mark.parametrize(("adopt", "kept"), [(True, "Beta"), (False, "Acme GmbH")])
def test_an_answer_to_a_proposal_can_be_kept_so(adopt, kept):
    world, crm, erp = linked()
    world.edit("crm", crm, legal_name="Beta")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    answer_proposal(world.hub, proposal, "bob", adopt=adopt, pin=True)
    world.settle()
    assert both_say(world, "legal_name") == [kept, kept]
    assert pins(world) == {"legal_name": kept}
    world.edit("erp", erp, legal_name="Delta")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    assert conflict.note == "owner changed a pinned field"


def test_an_answer_to_a_conflict_can_be_kept_so():
    world, crm, erp = linked()
    world.edit("crm", crm, currency="CHF")
    world.edit("erp", erp, currency="USD")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    answer(world.hub, conflict, "crm", "bob", pin=True)
    world.settle()
    assert both_say(world, "currency") == ["CHF", "CHF"]
    assert pins(world) == {"currency": "CHF"}
    world.edit("crm", crm, currency="EUR")
    world.settle()
    assert both_say(world, "currency") == ["CHF", "CHF"]
    quiet(world)


@pytest.mark.parametrize(("kept", "after"), [(False, {}), (True, {"legal_name": "Beta"})])
def test_an_answer_that_says_something_else_ends_the_pin_or_takes_it_over(kept, after):
    world, _, erp = linked()
    pin(world, "legal_name")
    world.edit("erp", erp, legal_name="Beta")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    answer(world.hub, conflict, "erp", "bob", pin=kept)
    world.settle()
    assert both_say(world, "legal_name") == ["Beta", "Beta"]
    assert pins(world) == after
    quiet(world)


def test_only_the_value_of_a_field_can_be_kept_so():
    world, crm, _ = linked(rules=asking())
    world.crm.delete("customer", crm)
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    with pytest.raises(Invalid, match="Leave out --pin"):
        answer(world.hub, conflict, "detach", "bob", pin=True)


def test_all_systems_together_do_not_outvote_a_pin():
    world, crm, erp = linked()
    pin(world, "legal_name")
    world.edit("erp", erp, legal_name="Beta")
    world.settle()
    world.edit("crm", crm, legal_name="Beta")
    world.settle()
    assert [one.field for one in open_of(world, queries.conflicts)] == ["legal_name"]
    world.edit("crm", crm, legal_name="Acme GmbH")
    world.edit("erp", erp, legal_name="Acme GmbH")
    world.settle()
    assert not open_of(world, queries.conflicts)
    assert pins(world) == {"legal_name": "Acme GmbH"}
    quiet(world)


@each_database
def test_a_released_pin_is_gone_and_told_and_the_rules_decide_again():
    world, crm, _ = linked()
    pin(world, "legal_name")
    pin(world, "phone")
    release_pin(world.hub, "customer", the_record(world), "legal_name", "bob", "no longer needed")
    assert set(pins(world)) == {"phone"}
    assert world.loaded()[0].record.pinned
    world.edit("crm", crm, legal_name="Beta")
    world.settle()
    assert [one.value for one in open_of(world, queries.proposals)] == ["Beta"]
    kinds = [(one["kind"], one["actor"]) for one in decisions(world)]
    assert ("unpin", "bob") in kinds
    assert ("pin", "ada") in kinds
    release_pin(world.hub, "customer", the_record(world), "phone", "bob")
    assert not world.loaded()[0].record.pinned
    with pytest.raises(NotFound, match=r"phone of customer .* is not pinned"):
        release_pin(world.hub, "customer", the_record(world), "phone", "bob")


# -- other policies ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "kept", "edits"),
    [
        ("phone", "030 555", {"phone": "030 777"}),
        ("roles", ["payer"], {"roles": ["owner"]}),
        ("do_not_contact", False, {"do_not_contact": True}),
        ("account_number", "77", {"account_number": "78"}),
    ],
)
def test_a_pin_outranks_every_policy(field, kept, edits):
    world, crm, _ = linked()
    pin(world, field, value=kept)
    world.settle()
    world.edit("crm", crm, **edits)
    world.settle()
    assert all((said or False) == kept for said in both_say(world, field))
    quiet(world)


def test_a_pinned_switch_field_hands_the_record_over():
    world, crm, _ = linked()
    pin(world, "billing_status", value="none")
    world.settle()
    world.edit("crm", crm, legal_name="Beta")
    world.settle()
    assert both_say(world, "legal_name") == ["Beta", "Beta"]


# -- first contact and merges --------------------------------------------------------------------


@each_database
@pytest.mark.parametrize("field", ["legal_name", "roles"])
def test_a_newcomer_is_told_what_is_pinned(field):
    kept, other = {"legal_name": ("Acme SE", "Acme Alt"), "roles": (["payer"], ["owner"])}[field]
    world = World(rules=RULES.replace("erp: \"status == 'active'\"", "erp: never"))
    world.create("crm", tax_ids=["VAT:DE1"])
    world.settle()
    pin(world, field, value=kept)
    world.sync(only=["crm"])
    world.create("erp", **{"tax_ids": ["VAT:DE1"], field: other})
    world.settle()
    assert both_say(world, field) == [kept, kept]
    quiet(world)


def test_a_pin_set_before_a_newcomer_was_decided_on_settles_it_too():
    world = World(rules=RULES.replace("erp: \"status == 'active'\"", "erp: never"))
    world.create("crm", tax_ids=["VAT:DE1"])
    world.settle()
    world.create("erp", tax_ids=["VAT:DE1"], legal_name="Acme Alt")
    pin(world, "legal_name", value="Acme SE")
    world.settle()
    assert both_say(world, "legal_name") == ["Acme SE", "Acme SE"]
    assert [one["value"] for one in story(world, "legal_name")["lost"]].count("Acme Alt") == 1
    quiet(world)


@each_database
def test_a_pin_follows_its_record_to_the_survivor_unless_that_has_its_own():
    world = World(rules=RULES.replace("erp: \"status == 'active'\"", "erp: never"))
    kept = world.create("crm", tax_ids=["VAT:DE1"], legal_name="Kept")
    lost = world.create("crm", tax_ids=["VAT:DE2"], legal_name="Lost")
    world.settle()
    new, old = (open_of(world, lambda db, i=i: queries.find_record(db, "customer", i)) for i in (kept, lost))
    pin(world, "trade_name", old, value="The Lost")
    pin(world, "legal_name", old, value="Lost")
    pin(world, "legal_name", new, value="Kept")
    world.settle()
    world.merge("crm", "customer", lost, kept)
    world.settle()
    with world.store.begin() as work:
        assert {one.field: one.value for one in work.pins([new])} == {"trade_name": "The Lost", "legal_name": "Kept"}
        assert not work.pins([old])
        assert not work.records([old])[old].pinned
    assert world.row("crm", kept)["trade_name"] == "The Lost"
    assert world.row("crm", kept)["legal_name"] == "Kept"
    told = open_of(world, lambda db: queries.decisions(db, new))
    (merge,) = [one["content"] for one in told if one["kind"] == "merge"]
    assert {one["field"]: one["moved"] for one in merge["pins"]} == {"trade_name": True, "legal_name": False}
    quiet(world)


def test_a_pinned_reference_follows_the_merge_of_what_it_refers_to():
    world = party()
    kept, lost = (world.create("crm", legal_name=f"Firma {n}", tax_ids=[f"VAT:{n}"], status="prospect") for n in "AB")
    contact = world.add("crm", "contact", customer_id=lost, email="a@firma.example")
    world.settle()
    record = open_of(world, lambda db: queries.find_record(db, "contact", contact))
    set_pin(world.hub, "contact", record, "customer_id", "ada", note="")
    world.settle()
    world.merge("crm", "customer", lost, kept, contact="customer_id")
    world.settle()
    survivor = open_of(world, lambda db: queries.find_record(db, "customer", kept))
    with world.store.begin() as work:
        (one,) = work.pins([record])
    assert one.value == survivor
    assert not open_of(world, queries.conflicts)
    assert only(world.shown("crm", "contact"))["customer_id"] == kept


def test_a_plan_shows_what_a_pin_will_write_and_keeps_it():
    world, *_ = linked()
    pin(world, "legal_name", value="Acme SE")
    writes: list[PlannedWrite] = []
    plan(world.hub, ["customer"], writes.append)
    assert {(one.system, one.fields["legal_name"].to) for one in writes} == {
        ("crm", "Acme SE"),
        ("erp", "Acme SE"),
    }
    assert pins(world) == {"legal_name": "Acme SE"}
    assert world.records()[0]["legal_name"] == "Acme GmbH"
