"""Trap 8, and what an expert tries: people merge records in their system; nothing is lost or made again."""

from __future__ import annotations

import pytest

from fsm_core.service.resolve import resolve
from fsm_core.state import IntentState
from fsm_core.store import queries
from tests.scenarios.test_references import both, only, party, read, states
from tests.world import World

each_database = pytest.mark.usefixtures("each_database")


def customers(world: World) -> list:
    return [one.record for one in world.loaded() if one.record.entity == "customer"]


def quiet(world: World) -> None:
    """Nothing more is written, asked or told."""
    world.settle()
    before = world.writes()
    world.sync_all()
    assert world.writes() == before
    assert not read(world, queries.conflicts)
    assert not read(world, queries.problems)


def two_with_contacts(**options) -> tuple[World, str, str]:
    """Two customers of the CRM alone, each with a contact and a site."""
    world = party(**options)
    kept, lost = (
        world.create("crm", legal_name=f"Firma {n}", tax_ids=[f"VAT:{n}"], status="prospect") for n in ("A", "B")
    )
    for parent in (kept, lost):
        world.add("crm", "contact", customer_id=parent, email=f"{parent}@firma.example")
        world.add("crm", "site", customer_id=parent, name=f"Haus {parent}")
    world.settle()
    return world, kept, lost


@each_database
def test_trap_8_two_accounts_with_contacts_become_one_and_nothing_is_made_again():
    world, kept, lost = two_with_contacts()
    old = read(world, queries.find_record, "customer", lost)
    before = world.writes()
    world.merge("crm", "customer", lost, kept, contact="customer_id", site="customer_id")
    world.sync_all()
    quiet(world)
    assert world.writes() == before
    new = read(world, queries.find_record, "customer", kept)
    assert [record.id for record in customers(world)] == [new]
    assert states(world, "crm", "customer") == {"live": 1, "merged": 1}
    children = [one.record.document["customer_id"] for one in world.loaded() if one.record.entity != "customer"]
    assert children == [new] * 4
    # both old names lead to the survivor, and the audit tells what the loser said
    assert read(world, queries.find_record, "customer", old) == new
    assert read(world, queries.find_record, "customer", lost) == new
    assert read(world, queries.record, old)["lifecycle"] == "merged"
    told = [d["content"] for d in read(world, queries.decisions, new) if d["kind"] == "merge"]
    assert [(one["merged"], one["document"]["legal_name"]) for one in told] == [(old, "Firma B")]


def test_children_follow_before_their_system_says_so_and_its_word_is_no_news():
    world, kept, lost = two_with_contacts()
    world.merge("crm", "customer", lost, kept)
    world.sync("customer")
    new = read(world, queries.find_record, "customer", kept)
    contacts = [one for one in world.loaded() if one.record.entity == "contact"]
    assert {one.record.document["customer_id"] for one in contacts} == {new}
    for id_ in world.shown("crm", "contact"):
        world.change("crm", "contact", id_, customer_id=kept)
    done = world.sync("contact")
    assert not done.converged[0].outcomes
    quiet(world)


@each_database
def test_many_children_that_follow_are_no_mass_change():
    world, kept, lost = two_with_contacts()
    for n in range(60):
        world.add("crm", "contact", customer_id=lost, email=f"{n}@firma.example")
    world.settle()
    before = world.writes()
    world.merge("crm", "customer", lost, kept, contact="customer_id", site="customer_id")
    quiet(world)
    assert world.writes() == before
    new = read(world, queries.find_record, "customer", kept)
    contacts = [one.record.document for one in world.loaded() if one.record.entity == "contact"]
    assert [document["customer_id"] for document in contacts] == [new] * 62


@each_database
def test_the_partner_of_the_loser_follows_to_the_survivor():
    world = party()
    kept = world.create("crm", legal_name="Firma A", tax_ids=["VAT:A"], status="prospect")
    lost, partner = both(world, "B")
    contact = world.add("crm", "contact", customer_id=lost, email="b@firma.example")
    world.settle()
    assert len(world.shown("erp", "customer")) == 1
    world.merge("crm", "customer", lost, kept, contact="customer_id")
    world.settle()
    assert list(world.shown("erp", "customer")) == [partner]
    new = read(world, queries.find_record, "customer", kept)
    assert read(world, queries.find_record, "customer", partner) == new
    shown = only(world.shown("erp", "contact"))
    assert shown["customer_id"] == partner
    assert contact in world.shown("crm", "contact")
    assert states(world, "erp", "customer") == {"live": 1}


def test_where_the_other_system_keeps_two_a_person_is_asked():
    world = party()
    kept, partner = both(world, "A")
    lost, second = both(world, "B")
    world.settle()
    world.merge("crm", "customer", lost, kept)
    world.settle()
    (conflict,) = read(world, queries.conflicts)
    assert conflict.type == "merge"
    assert f"erp still has two ({partner}, {second})" in conflict.note
    world.sync_all()
    assert len(read(world, queries.conflicts)) == 1
    assert len(world.shown("crm", "customer")) == 1
    with world.hub.running("decision"):
        resolve(world.hub, conflict, "detach", "ada")
    quiet(world)
    assert len(world.shown("erp", "customer")) == 2
    assert len(world.shown("crm", "customer")) == 1
    assert states(world, "crm", "customer") == {"live": 1, "detached": 1}


@each_database
@pytest.mark.parametrize("same_way", [True, False])
def test_merged_in_the_other_system_too_the_question_is_answered(same_way):
    world = party()
    kept, partner = both(world, "A")
    lost, second = both(world, "B")
    for parent, name in ((kept, "eins"), (lost, "zwei")):
        world.add("crm", "contact", customer_id=parent, email=f"{name}@firma.example")
    world.settle()
    world.merge("crm", "customer", lost, kept, contact="customer_id")
    world.settle()
    gone, stays = (second, partner) if same_way else (partner, second)
    world.merge("erp", "customer", gone, stays, contact="customer_id")
    quiet(world)
    (record,) = customers(world)
    assert states(world, "crm", "customer") == states(world, "erp", "customer") == {"live": 1, "merged": 1}
    assert {row["customer_id"] for row in world.shown("erp", "contact").values()} == {stays}
    for name in (kept, lost, partner, second):
        assert read(world, queries.find_record, "customer", name) == record.id


@each_database
def test_a_survivor_that_is_no_record_yet_takes_the_losers_place():
    world = party()
    lost, partner = both(world, "A")
    world.settle()
    kept = world.create("crm", legal_name="Firma Neu", tax_ids=["VAT:N"])
    world.merge("crm", "customer", lost, kept)
    world.settle()
    (record,) = customers(world)
    assert {read(world, queries.find_record, "customer", name) for name in (kept, lost, partner)} == {record.id}
    assert list(world.shown("erp", "customer")) == [partner]
    assert not [c for c in read(world, queries.conflicts) if c.type in ("delete", "merge")]


def test_a_chain_of_merges_in_one_page_ends_at_the_last():
    world, kept, lost = two_with_contacts()
    last = world.create("crm", legal_name="Firma C", tax_ids=["VAT:C"], status="prospect")
    world.settle()
    world.merge("crm", "customer", lost, kept, contact="customer_id", site="customer_id")
    world.merge("crm", "customer", kept, last, contact="customer_id", site="customer_id")
    quiet(world)
    (record,) = customers(world)
    assert {read(world, queries.find_record, "customer", name) for name in (lost, kept, last)} == {record.id}
    assert len([one for one in world.loaded() if one.record.document.get("customer_id") == record.id]) == 4


def test_a_new_child_of_a_loser_belongs_to_the_survivor():
    world, kept, lost = two_with_contacts()
    world.merge("crm", "customer", lost, kept, contact="customer_id", site="customer_id")
    world.settle()
    late = world.add("crm", "contact", customer_id=lost, email="late@firma.example")
    quiet(world)
    id_ = read(world, queries.find_record, "contact", late)
    assert read(world, queries.record, id_)["document"]["customer_id"] == read(
        world, queries.find_record, "customer", kept
    )


def test_a_merge_waits_for_a_write_to_the_loser_that_has_no_known_end():
    world = party()
    kept = world.create("crm", legal_name="Firma A", tax_ids=["VAT:A"], status="prospect")
    lost, partner = both(world, "B")
    world.settle()
    world.edit("crm", lost, trade_name="Bee")
    world.erp.lose_answers()
    world.sync("customer")
    with world.store.begin() as work:
        assert [i.state for i in work.open_intents("customer", "erp")] == [IntentState.UNKNOWN]
    world.merge("crm", "customer", lost, kept)
    world.clock.advance(120)
    quiet(world)
    assert list(world.shown("erp", "customer")) == [partner]
    assert len(customers(world)) == 1


@each_database
def test_a_loser_that_comes_back_is_a_record_of_its_own_again():
    world, kept, lost = two_with_contacts()
    world.merge("crm", "customer", lost, kept, contact="customer_id", site="customer_id")
    world.settle()
    rows = world.crm._table("customer").records
    rows[lost] = world.crm._stamped(
        type(rows[lost])(lost, {**rows[lost].document, "hub_id": None}, world.clock.now(), "person"), "person"
    )
    world.settle()
    assert len(customers(world)) == 2
    assert states(world, "crm", "customer") == {"live": 2}
    assert read(world, queries.find_record, "customer", lost) != read(world, queries.find_record, "customer", kept)


def test_two_sites_with_rooms_become_one():
    world = party()
    crm, _ = both(world)
    kept, lost = (world.add("crm", "site", customer_id=crm, name=f"Haus {n}", house_number=str(n)) for n in (1, 2))
    for parent in (kept, lost):
        world.add("crm", "site", customer_id=crm, name=f"Raum {parent}", house_number=parent, parent_id=parent)
    world.settle()
    world.merge("crm", "site", lost, kept, site="parent_id")
    quiet(world)
    record = read(world, queries.find_record, "site", lost)
    assert record == read(world, queries.find_record, "site", kept)
    above = [one.record.document.get("parent_id") for one in world.loaded() if one.record.entity == "site"]
    assert sorted(above, key=str) == sorted([record, record, None], key=str)


def test_a_contact_that_is_merged_leaves_no_trace_at_its_customer():
    world, kept, lost = two_with_contacts()
    first, second = (
        next(id_ for id_, row in world.shown("crm", "contact").items() if row["customer_id"] == parent)
        for parent in (kept, lost)
    )
    world.merge("crm", "contact", second, first)
    quiet(world)
    world.merge("crm", "customer", lost, kept, contact="customer_id", site="customer_id")
    quiet(world)
    assert states(world, "crm", "contact") == {"live": 1, "merged": 1}
    contacts = {read(world, queries.find_record, "contact", name) for name in (first, second)}
    assert len(contacts) == 1


def test_a_loser_without_a_known_survivor_is_asked_about_as_a_deletion():
    world, _, lost = two_with_contacts()
    hidden = world.create("crm", legal_name="Versteckt", status="prospect")
    world.crm.merge("customer", lost, hidden)
    del world.crm._tables["customer"].records[hidden]
    world.settle()
    (conflict,) = read(world, queries.conflicts)
    assert (conflict.type, conflict.note) == ("delete", "deleted or merged away in crm")
