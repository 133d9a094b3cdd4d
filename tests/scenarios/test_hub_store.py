"""The hub's own store as a system: what persons say here passes the same rules, and nothing else changes by it.

Where the hub plays the owner it is accepted and delivered, elsewhere proposed, put back or asked about.
"""

from __future__ import annotations

import pytest
from sqlalchemy import select

from fsm_core.errors import Invalid, NotFound
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, parse
from fsm_core.service.hub_store import edit, enter
from fsm_core.service.pins import set_pin
from fsm_core.service.plan import PlannedWrite, plan
from fsm_core.service.pull import pull
from fsm_core.service.resolve import answer_proposal, retry
from fsm_core.service.resolve import resolve as answer
from fsm_core.store import queries
from fsm_core.store.schema import dirty, intent, link, match_key
from tests.scenarios.test_references import only, party
from tests.scenarios.test_traps import linked, open_of
from tests.world import RULES, World

each_database = pytest.mark.usefixtures("each_database")
HUB_OWNS = RULES.replace("  fsm: crm", "  fsm: hub", 1)
"""The hub is the field service system: it owns `service_notes`."""
HUB_CREATES = HUB_OWNS.replace("create: {allowed: [crm, erp]", "create: {allowed: [crm, erp, fsm]", 1)


def ruled(text: str, **options) -> World:
    assert text != RULES
    world, *_ = linked(**options)
    world.hub.rulebook = Rulebook(parse(text), "hub", SHAPES, ("crm", "erp"))
    world.settle()
    return world


def alone(text: str = HUB_CREATES, **options) -> World:
    """An empty world in which the hub may create."""
    world = World(**options)
    world.hub.rulebook = Rulebook(parse(text), "hub", SHAPES, ("crm", "erp"))
    return world


def the_record(world: World) -> str:
    (record,) = {one.record.id for one in world.loaded()}
    return record


def say(world: World, record: str = "", **values):
    return edit(world.hub, "customer", record or the_record(world), values, "ada", "on the phone")


def both_say(world: World, field: str) -> list:
    return [world.row(system).get(field) for system in ("crm", "erp")]


def hub_link(world: World):
    (link,) = [link for link in world.links() if link.system == "hub"]
    return link


def shown_here(world: World, field: str):
    """What the hub's own store shows of its record."""
    record = the_record(world)
    (link,) = [one for one in open_of(world, lambda db: queries.record(db, record))["links"] if one["system"] == "hub"]
    return link["shows"].get(field)


def story(world: World, field: str) -> dict:
    record = the_record(world)
    return open_of(world, lambda db: queries.explain(db, record, field))["fields"][field]


def quiet(world: World) -> None:
    """Nothing is written or decided any more, and nothing is owed to the hub."""
    world.settle()
    before = world.writes()
    assert not world.sync().converged[0].outcomes
    assert world.writes() == before
    with world.store.reading() as db:
        assert not db.execute(select(dirty.c.record)).all()
        assert not db.execute(select(intent.c.id).where(intent.c.system == "hub")).all()


# -- edits ---------------------------------------------------------------------------------------


@each_database
def test_what_the_hub_owns_is_accepted_and_delivered():
    world = ruled(HUB_OWNS)
    assert say(world, service_notes="ring twice").changes == {"service_notes": [None, "ring twice"]}
    world.sync()
    assert both_say(world, "service_notes") == ["ring twice", "ring twice"]
    told = story(world, "service_notes")
    assert (told["said_by"]["system"], told["said_by"]["by"]) == ("hub", "ada")
    assert told["decisions"][-1]["note"] == "owner changed"
    assert [(one["system"], one["by"], one["change"]) for one in told["seen"] if one["system"] == "hub"] == [
        ("hub", "ada", [None, "ring twice"])
    ]
    assert (hub_link(world).state, hub_link(world).external_id) == ("quiet", the_record(world))
    quiet(world)
    assert shown_here(world, "service_notes") == "ring twice"


@each_database
def test_what_another_owns_is_proposed_and_the_hub_keeps_its_value_until_it_is_answered():
    world, *_ = linked()
    say(world, legal_name="Acme SE")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    assert (proposal.system, proposal.by, proposal.value) == ("hub", "ada", "Acme SE")
    assert both_say(world, "legal_name") == ["Acme GmbH", "Acme GmbH"]
    assert shown_here(world, "legal_name") == "Acme SE"
    quiet(world)
    answer_proposal(world.hub, proposal, "bob", adopt=True)
    world.settle()
    assert both_say(world, "legal_name") == ["Acme SE", "Acme SE"]
    assert hub_link(world).state == "quiet"
    quiet(world)


def test_a_rejected_proposal_comes_back_without_a_write():
    world, *_ = linked()
    say(world, legal_name="Acme SE")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    before = world.writes()
    answer_proposal(world.hub, proposal, "bob", adopt=False)
    world.settle()
    assert world.writes() == before
    assert shown_here(world, "legal_name") == "Acme GmbH"
    assert hub_link(world).state == "quiet"
    quiet(world)


def test_what_the_rules_put_back_is_put_back_here_too_and_kept_in_the_story():
    world, *_ = linked()
    before = world.writes()
    say(world, payment_terms="NT90")
    world.settle()
    assert world.writes() == before
    assert shown_here(world, "payment_terms") == "NT30"
    assert [(one["system"], one["value"]) for one in story(world, "payment_terms")["lost"]] == [("hub", "NT90")]
    quiet(world)


def test_a_question_has_the_hub_for_a_side():
    world, _, erp = linked()
    world.edit("erp", erp, currency="USD")
    say(world, currency="CHF")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    assert {side["system"]: side["value"] for side in conflict.snapshot["sides"]} == {
        "crm": "EUR",
        "erp": "USD",
        "hub": "CHF",
    }
    quiet(world)
    answer(world.hub, conflict, "hub", "bob")
    world.settle()
    assert both_say(world, "currency") == ["CHF", "CHF"]
    assert shown_here(world, "currency") == "CHF"
    quiet(world)


def test_a_second_edit_says_nothing_new_and_one_back_withdraws():
    world, *_ = linked()
    say(world, legal_name="Acme SE")
    assert not say(world, legal_name="Acme SE").changes
    world.settle()
    assert not say(world, legal_name="Acme SE").changes
    assert say(world, legal_name="Acme GmbH").changes == {"legal_name": ["Acme SE", "Acme GmbH"]}
    world.settle()
    assert not open_of(world, queries.proposals)
    assert [one.state for one in open_of(world, lambda db: queries.proposals(db, "withdrawn"))] == ["withdrawn"]
    assert hub_link(world).state == "quiet"
    quiet(world)


def test_what_says_nothing_new_writes_nothing_at_all():
    world, *_ = linked()
    tables = ("link", "journal", "decision", "dirty")

    def counted() -> list[int]:
        with world.store.reading() as db:
            return [db.exec_driver_sql(f"select count(*) from {table}").scalar_one() for table in tables]  # noqa: S608 - constants

    before = counted()
    assert not say(world, legal_name="Acme GmbH", do_not_contact=False).changes
    assert counted() == before


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"fone": "1"}, "customer has no field 'fone' - Choose from: legal_name"),
        ({"status": "asleep"}, "Input should be 'prospect'"),
        ({"legal_name": None}, "no record may be without it"),
        ({"parent_id": "nobody"}, "'nobody' is no customer of the hub"),
        ({"billing_address": {"town": "Berlin"}}, "some of: street, number"),
    ],
)
def test_what_cannot_be_said_is_refused_and_nothing_of_it_kept(values, why):
    world, *_ = linked()
    with pytest.raises(Invalid, match=why):
        say(world, **{"phone": "030 1", **values})
    assert not [link for link in world.links() if link.system == "hub"]


def test_a_field_that_each_system_keeps_for_itself_is_not_edited_here():
    world = ruled(RULES.replace("trade_name:       {owner: crm}", "trade_name: {policy: local}"))
    with pytest.raises(Invalid, match="each system keeps this field for itself"):
        say(world, trade_name="Acme")
    with pytest.raises(NotFound, match="nobody is no customer of the hub"):
        say(world, "nobody", phone="1")


def test_the_newest_edit_may_be_the_hubs():
    world = ruled(HUB_OWNS)
    world.edit("crm", next(iter(world.crm.live("customer"))), phone="030 111")
    world.clock.advance(60)
    say(world, phone="030 222")
    world.settle()
    assert both_say(world, "phone") == ["030 222", "030 222"]
    quiet(world)


def test_a_flag_said_here_does_not_stick_when_all_others_drop_it():
    world, crm, erp = linked()
    say(world, do_not_contact=True)
    world.settle()
    assert both_say(world, "do_not_contact") == [True, True]
    world.edit("crm", crm, do_not_contact=False)
    world.edit("erp", erp, do_not_contact=False)
    world.settle()
    assert not any(both_say(world, "do_not_contact"))
    quiet(world)


def test_the_owner_in_a_system_and_the_hub_at_once_whatever_the_order():
    says = []
    for hub_first in (True, False):
        world, crm, erp = linked(page_size=1)
        if hub_first:
            say(world, legal_name="by hub", phone="030 999")
        world.edit("erp", erp, legal_name="by erp")
        world.edit("crm", crm, legal_name="by crm")
        if not hub_first:
            say(world, legal_name="by hub", phone="030 999")
        world.settle()
        lost = {(one["system"], one["value"]) for one in story(world, "legal_name")["lost"]}
        says.append((both_say(world, "legal_name"), both_say(world, "phone"), lost, shown_here(world, "legal_name")))
        quiet(world)
    assert says[0] == says[1]
    assert says[0][0] == ["by erp", "by erp"]
    assert says[0][2] == {("crm", "by crm"), ("hub", "by hub")}


def test_a_pin_holds_against_the_hub_and_is_asked_about_where_the_hub_owns():
    world = ruled(HUB_OWNS)
    for field, value in (("service_notes", "kept"), ("legal_name", "Acme GmbH")):
        set_pin(world.hub, "customer", the_record(world), field, "bob", note="", value=value)
    world.settle()
    say(world, service_notes="mine", legal_name="mine")
    world.settle()
    assert both_say(world, "legal_name") == ["Acme GmbH", "Acme GmbH"]
    (conflict,) = open_of(world, queries.conflicts)
    assert (conflict.field, conflict.note) == ("service_notes", "owner changed a pinned field")
    answer(world.hub, conflict, "hub", "bob", pin=True)
    world.settle()
    assert both_say(world, "service_notes") == ["mine", "mine"]
    quiet(world)


def test_a_plan_shows_what_comes_of_an_edit_and_changes_nothing():
    world = ruled(HUB_OWNS)
    say(world, service_notes="ring twice")
    writes: list[PlannedWrite] = []
    plan(world.hub, ["customer"], writes.append)
    assert {(one.system, one.fields["service_notes"].to) for one in writes} == {
        ("crm", "ring twice"),
        ("erp", "ring twice"),
    }
    assert hub_link(world).state == "live"


def test_edits_here_are_no_mass_change_of_a_system():
    world, crm, _ = linked()
    world.edit("crm", crm, phone="030 777")
    say(world, legal_name="Acme SE")
    with world.hub.running("test"):
        pull(world.hub, world.hub.binding("crm", "customer"))
    with world.store.begin() as work:
        assert work.counts_of_news("customer", 0.02) == {"crm": (1, 1, 0)}


# -- new records ---------------------------------------------------------------------------------


@each_database
def test_a_record_entered_here_is_born_under_its_id_and_passed_on():
    world = alone()
    said = {"legal_name": "Neu AG", "tax_ids": ["VAT:N"], "status": "active", "do_not_contact": True}
    record = enter(world.hub, "customer", said, "ada", "at the fair").record
    assert not world.records()
    world.settle()
    assert the_record(world) == record
    assert [world.row(s)["legal_name"] for s in ("crm", "erp")] == ["Neu AG", "Neu AG"]
    assert shown_here(world, "legal_name") == "Neu AG"
    kinds = [(one["kind"], one["actor"]) for one in open_of(world, lambda db: queries.decisions(db, record))]
    assert kinds[:2] == [("enter", "ada"), ("create", "engine")]
    quiet(world)
    for system in ("crm", "erp"):
        world.edit(system, next(iter(world.stores[system].live("customer"))), do_not_contact=False)
    world.settle()
    assert not any(both_say(world, "do_not_contact"))
    assert hub_link(world).state == "quiet"
    with world.store.reading() as db:
        assert not db.execute(select(match_key.c.key).where(match_key.c.link == hub_link_id(db))).all()
    quiet(world)


def hub_link_id(db) -> int:
    return db.execute(select(link.c.id).where(link.c.system == "hub")).scalar_one()


def test_a_record_that_goes_nowhere_lives_here_and_can_be_edited():
    world = alone(HUB_CREATES.replace("crm: always, erp: \"status == 'active'\"", "crm: never, erp: never"))
    record = enter(world.hub, "customer", {"legal_name": "Neu AG", "tax_ids": ["VAT:N"]}, "ada").record
    world.settle()
    say(world, record, service_notes="ours", legal_name="Neu SE")
    world.settle()
    (document,) = world.records()
    assert (document["legal_name"], document["service_notes"]) == ("Neu SE", "ours")
    assert world.writes() == 0
    world.create("erp", tax_ids=["VAT:N"], legal_name="Neu Alt", service_notes="theirs")
    world.settle()
    assert the_record(world) == record
    assert world.row("erp")["service_notes"] == "ours"
    (conflict,) = open_of(world, queries.conflicts)
    assert {side["system"]: side["value"] for side in conflict.snapshot["sides"]} == {"hub": "Neu SE", "erp": "Neu Alt"}
    answer(world.hub, conflict, "hub", "ada")
    world.settle()
    assert world.row("erp")["legal_name"] == "Neu SE"
    assert hub_link(world).state == "quiet"
    quiet(world)


@each_database
def test_what_is_entered_here_and_there_at_once_is_one_record():
    world = alone()
    record = enter(world.hub, "customer", {"legal_name": "Neu AG", "tax_ids": ["VAT:N"]}, "ada").record
    world.create("erp", tax_ids=["VAT:N"], legal_name="Neu AG", billing_status="active")
    world.settle()
    assert the_record(world) == record
    assert len(world.crm.live("customer")) == len(world.erp.live("customer")) == 1
    quiet(world)


def test_only_a_system_that_may_create_creates():
    world = alone(HUB_OWNS)
    with pytest.raises(Invalid, match=r"let crm, erp create a customer, not the hub - .*bind a role to 'hub'"):
        enter(world.hub, "customer", {"legal_name": "Neu AG"}, "ada")
    assert not world.links()


def test_a_record_is_entered_whole_and_once():
    world = alone()
    with pytest.raises(Invalid, match="A customer needs: legal_name"):
        enter(world.hub, "customer", {"phone": "1"}, "ada")
    enter(world.hub, "customer", {"legal_name": "Neu AG", "tax_ids": ["VAT:N"]}, "ada")
    with pytest.raises(Invalid, match="has vat:n already"):
        enter(world.hub, "customer", {"legal_name": "Neu AG", "tax_ids": ["VAT:N"]}, "ada")
    world.settle()
    with pytest.raises(Invalid, match="record set customer"):
        enter(world.hub, "customer", {"legal_name": "Neu AG", "tax_ids": ["VAT:N"]}, "ada")
    assert len(world.records()) == 1
    assert len(world.crm.live("customer")) == 1


def test_rules_that_let_the_hub_create_no_more_make_a_problem_and_stop_nothing():
    world = alone()
    enter(world.hub, "customer", {"legal_name": "Neu AG"}, "ada")
    world.hub.rulebook = Rulebook(parse(HUB_OWNS), "without", SHAPES, ("crm", "erp"))
    world.create("crm", tax_ids=["VAT:DE1"])
    world.settle()
    (problem,) = open_of(world, queries.problems)
    assert (problem.system, problem.cause) == ("hub", "creation not allowed")
    assert len(world.erp.live("customer")) == 1
    world.hub.rulebook = Rulebook(parse(HUB_CREATES), "with", SHAPES, ("crm", "erp"))
    retry(world.hub, problem, "ada")
    world.settle()
    assert not open_of(world, queries.problems)
    assert len(world.crm.live("customer")) == 2


def test_a_weak_key_is_asked_about_as_for_any_system():
    world = alone()
    where = {"billing_postcode": "10115", "billing_city": "Berlin"}
    world.create("crm", tax_ids=["VAT:DE1"], legal_name="Neu AG", **where)
    world.settle()
    address = {"postcode": "10115", "city": "Berlin"}
    enter(world.hub, "customer", {"legal_name": "Neu AG", "billing_address": address}, "ada")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    assert conflict.type == "match"
    answer(world.hub, conflict, "same", "ada")
    world.settle()
    the_record(world)
    assert len(world.crm.live("customer")) == 1
    quiet(world)


@pytest.mark.parametrize("first_is_decided", [True, False])
def test_the_same_customer_entered_here_twice_is_one_after_the_answer(first_is_decided):
    world = alone(HUB_CREATES.replace("crm: always, erp: \"status == 'active'\"", "crm: never, erp: never"))
    address = {"postcode": "10115", "city": "Berlin"}
    first = enter(world.hub, "customer", {"legal_name": "Neu AG", "billing_address": address}, "ada").record
    if first_is_decided:
        world.settle()
    said = {"legal_name": "Neu GmbH", "billing_address": address, "service_notes": "ring twice"}
    enter(world.hub, "customer", said, "bob")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    assert conflict.type == "match"
    answer(world.hub, conflict, "same", "ada")
    world.settle()
    (document,) = world.records()
    assert document["service_notes"] == "ring twice"
    assert [link.state for link in world.links()] == ["live", "merged"]
    if first_is_decided:
        assert the_record(world) == first
    assert not open_of(world, queries.conflicts)
    quiet(world)


# -- references and merges -----------------------------------------------------------------------


def test_a_reference_said_here_is_told_in_each_systems_own_ids():
    world = party()
    world.hub.rulebook = Rulebook(parse(HUB_OWNS), "hub", SHAPES, ("crm", "erp"))
    one, other = (world.create("crm", legal_name=f"Firma {n}", tax_ids=[f"VAT:{n}"]) for n in "AB")
    contact = world.add("crm", "contact", customer_id=one, email="a@firma.example")
    world.settle()
    record = open_of(world, lambda db: queries.find_record(db, "contact", contact))
    meant = open_of(world, lambda db: queries.find_record(db, "customer", other))
    edit(world.hub, "contact", record, {"customer_id": meant}, "ada")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    sides = {side["system"]: side["value"] for side in conflict.snapshot["sides"]}
    assert (conflict.field, sides["hub"]) == ("customer_id", meant)
    answer(world.hub, conflict, "hub", "bob")
    world.settle()
    assert only(world.shown("crm", "contact"))["customer_id"] == other
    before = world.writes()
    world.sync_all()
    assert world.writes() == before


@each_database
def test_what_is_said_of_a_record_that_is_merged_away_meets_the_survivor():
    world = World(rules=RULES.replace("erp: \"status == 'active'\"", "erp: never"))
    kept = world.create("crm", tax_ids=["VAT:DE1"], legal_name="Kept")
    lost = world.create("crm", tax_ids=["VAT:DE2"], legal_name="Lost")
    world.settle()
    new, old = (open_of(world, lambda db, i=i: queries.find_record(db, "customer", i)) for i in (kept, lost))
    say(world, new, service_notes="at the survivor")
    say(world, old, service_notes="at the loser", phone="030 1")
    world.merge("crm", "customer", lost, kept)
    world.settle()
    assert the_record(world) == new
    assert not [one for one in open_of(world, queries.conflicts) if one.type == "merge"]
    seen = open_of(world, lambda db: queries.explain(db, new, "service_notes"))["fields"]["service_notes"]["seen"]
    assert {one["change"][1] for one in seen if one["system"] == "hub"} == {"at the survivor", "at the loser"}
    assert world.row("crm")["phone"] == "030 1"
    quiet(world)


def test_a_record_edited_here_long_ago_is_merged_like_any_other():
    world = alone(HUB_OWNS.replace("erp: \"status == 'active'\"", "erp: never"))
    kept = world.create("crm", tax_ids=["VAT:DE1"], legal_name="Kept")
    lost = world.create("crm", tax_ids=["VAT:DE2"], legal_name="Lost")
    world.settle()
    new, old = (open_of(world, lambda db, i=i: queries.find_record(db, "customer", i)) for i in (kept, lost))
    for record in (new, old):
        say(world, record, email=f"{record[-4:]}@firma.example")
    world.settle()
    world.merge("crm", "customer", lost, kept)
    world.settle()
    assert world.row("crm")["email"] == f"{new[-4:]}@firma.example"
    assert not open_of(world, queries.conflicts)
    quiet(world)
