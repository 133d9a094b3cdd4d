"""Contacts and sites of customers: parked, released, told in every system's own ids, and in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from fsm_core.service.references import ORPHAN
from fsm_core.service.resolve import resolve, retry
from fsm_core.store import queries
from tests.world import RULES, World

each_database = pytest.mark.usefixtures("each_database")

PARTY = ("contact", "customer", "site")
T = TypeVar("T")


def party(**options: Any) -> World:
    """Three entities in two systems whose ids have nothing in common."""
    world = World(entities=PARTY, **options)
    world.erp._last_id = 500_000
    return world


def both(world: World, vat: str = "DE1", **fields: Any) -> tuple[str, str]:
    """One customer in both systems, by its VAT id."""
    given = {"tax_ids": [f"VAT:{vat}"], "legal_name": f"Firma {vat}", "billing_status": "active", **fields}
    return world.create("crm", **given), world.create("erp", **given)


def read(world: World, what: Callable[..., T], *arguments: Any) -> T:
    with world.store.reading() as db:
        return what(db, *arguments)


def states(world: World, system: str, entity: str) -> dict[str, int]:
    found: dict[str, int] = read(world, queries.status)["links"][system][entity]
    return found


def only(rows: dict[str, Any]) -> Any:
    (row,) = rows.values()
    return row


# -- in and out ----------------------------------------------------------------------------------


@each_database
def test_a_child_is_told_its_parent_in_the_ids_of_the_other_system():
    world = party()
    crm, erp = both(world)
    world.add("crm", "contact", customer_id=crm, email="a@firma.example", first_name="Ada")
    world.settle()
    assert only(world.shown("erp", "contact"))["customer_id"] == erp
    (contact,) = [one for one in world.loaded() if one.record.entity == "contact"]
    customer = read(world, queries.find_record, "customer", crm)
    assert contact.record.document["customer_id"] == customer
    assert all(link.now["customer_id"] == customer for link in contact.links)


def test_one_round_is_enough_for_a_new_customer_with_its_contact():
    world = party()
    crm = world.create("crm", tax_ids=["VAT:DE1"])
    world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    done = world.sync_all()
    assert (done["customer"].writes, done["contact"].writes) == (1, 1)
    assert only(world.shown("erp", "contact"))["customer_id"] in world.shown("erp", "customer")


def test_a_child_moves_to_another_parent_everywhere():
    world = party()
    crm, _ = both(world, "DE1")
    other, other_erp = both(world, "DE2")
    contact = world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.settle()
    world.change("crm", "contact", contact, customer_id=other)
    world.settle()
    assert only(world.shown("erp", "contact"))["customer_id"] == other_erp


def test_a_read_back_and_the_next_round_are_no_news():
    world = party()
    crm, _ = both(world)
    contact = world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.settle()
    world.change("crm", "contact", contact, job_title="Leitung")
    done = world.sync_all()["contact"]
    assert done.writes == 1
    again = world.sync_all()["contact"]
    assert [(pulled.changed, pulled.new) for pulled in again.pulled] == [(0, 0), (0, 0)]
    assert not again.converged[0].outcomes


def test_a_required_reference_that_is_blank_is_refused_and_not_parked():
    world = party()
    world.add("crm", "contact", email="a@firma.example")
    world.settle()
    assert states(world, "crm", "contact") == {"invalid": 1}
    (problem,) = read(world, queries.problems)
    assert (problem.cause, problem.message) == ("incomplete", "required: customer_id")


# -- parked and released -------------------------------------------------------------------------


@each_database
def test_an_orphan_is_parked_with_a_reason_and_released_when_its_parent_arrives():
    world = party()
    contact = world.add("crm", "contact", customer_id="000777", email="a@firma.example")
    world.settle()
    assert states(world, "crm", "contact") == {"parked": 1}
    assert read(world, queries.status)["waiting"] == {"contact": 1}
    (problem,) = read(world, queries.problems)
    assert (problem.external_id, problem.field, problem.cause) == (contact, "customer_id", ORPHAN)
    assert problem.message == "waits for customer 000777: it was not seen yet"
    world.crm._last_id = 776
    crm = world.create("crm", tax_ids=["VAT:DE1"])
    assert crm == "000777"
    world.settle()
    assert states(world, "crm", "contact") == {"live": 1}
    assert not read(world, queries.problems)
    assert len(world.shown("erp", "contact")) == 1


@each_database
def test_a_reason_is_told_once_and_again_when_it_is_another():
    world = party()
    world.add("crm", "contact", customer_id="000777", email="a@firma.example")
    world.sync_all()
    world.sync_all()
    (problem,) = read(world, queries.problems)
    assert problem.attempts == 1
    retry(world.hub, problem, "ada")
    assert not read(world, queries.problems)
    world.sync_all()
    assert [p.message for p in read(world, queries.problems)] == [problem.message]


@each_database
def test_a_child_whose_parent_waits_for_an_answer_waits_too():
    world = party()
    given = {"legal_name": "Müller GmbH", "billing_postcode": "10115"}
    crm = world.create("crm", **given)
    world.create("erp", **given)
    world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.settle()
    (problem,) = read(world, queries.problems)
    assert "a person has to say which record it is" in problem.message
    assert "conflicts list" in problem.remedy
    (conflict,) = read(world, queries.conflicts)
    with world.hub.running("decision"):
        resolve(world.hub, conflict, "same", "ada")
    world.settle()
    assert len(world.shown("erp", "contact")) == len(world.shown("erp", "customer")) == 1
    assert not read(world, queries.problems)


def test_a_parked_child_that_turns_to_a_known_parent_is_free():
    world = party()
    crm, _ = both(world)
    contact = world.add("crm", "contact", customer_id="000777", email="a@firma.example")
    world.settle()
    world.change("crm", "contact", contact, customer_id=crm)
    world.settle()
    assert states(world, "crm", "contact") == {"live": 1}
    assert not read(world, queries.problems)
    assert not read(world, queries.status)["waiting"]


def test_a_parked_child_that_is_deleted_waits_no_more():
    world = party()
    contact = world.add("crm", "contact", customer_id="000777", email="a@firma.example")
    world.settle()
    world.crm.remove("contact", contact)
    world.settle()
    assert states(world, "crm", "contact") == {"ended": 1}
    assert not read(world, queries.problems)
    assert not read(world, queries.status)["waiting"]
    assert not read(world, queries.conflicts)


@each_database
def test_a_linked_child_that_turns_to_an_unknown_parent_keeps_the_old_one_until_it_lands():
    world = party()
    crm, erp = both(world)
    contact = world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.settle()
    world.crm._last_id = 776
    world.change("crm", "contact", contact, customer_id="000777", job_title="Leitung")
    world.settle()
    told = only(world.shown("erp", "contact"))
    assert (told["customer_id"], told["job_title"]) == (erp, "Leitung")
    assert [p.cause for p in read(world, queries.problems)] == [ORPHAN]
    assert world.create("crm", tax_ids=["VAT:DE7"], legal_name="Neu AG") == "000777"
    world.settle()
    assert world.shown("erp", "customer")[only(world.shown("erp", "contact"))["customer_id"]]["legal_name"] == "Neu AG"
    assert not read(world, queries.problems)


@each_database
def test_a_chain_of_sites_in_one_page_is_whole_after_one_round():
    world = party()
    crm, _ = both(world)
    last = ""
    for number in range(6):
        last = world.add(
            "crm", "site", customer_id=crm, parent_id=last or None, name=f"Haus {number}", house_number=str(number)
        )
    world.sync_all()
    sites = [one.record for one in world.loaded() if one.record.entity == "site"]
    assert len(sites) == 6
    assert len({site.document.get("parent_id") for site in sites}) == 6
    assert not read(world, queries.status)["waiting"]


def test_an_optional_reference_to_the_unknown_stops_nothing():
    world = party()
    crm, _ = both(world)
    world.add("crm", "site", customer_id=crm, parent_id="000777")
    world.settle()
    assert states(world, "crm", "site") == {"live": 1}
    assert not read(world, queries.problems)
    assert read(world, queries.status)["waiting"] == {"site": 1}


@each_database
def test_one_poison_record_and_one_orphan_among_many_harm_nobody():
    world = party(page_size=100)
    for number in range(10):
        both(world, f"DE{number}", legal_name=f"Firma {number}")
    parents = sorted(world.shown("crm", "customer"))
    for number in range(100):
        world.add("crm", "contact", customer_id=parents[number % 10], email=f"p{number}@firma.example",
                  last_name=f"Person {number}")  # fmt: skip
    world.add("crm", "contact", customer_id=parents[0], last_name=None, email="poison@firma.example")
    world.add("crm", "contact", customer_id="999999", email="orphan@firma.example")
    done = world.sync_all()["contact"]
    assert done.writes == 100
    assert states(world, "crm", "contact") == {"live": 100, "invalid": 1, "parked": 1}
    world.crm._last_id = 999_998
    world.create("crm", tax_ids=["VAT:DE999"], legal_name="Spät AG")
    assert world.sync_all()["contact"].writes == 1
    assert states(world, "crm", "contact") == {"live": 101, "invalid": 1}
    before = world.writes()
    world.sync_all()
    assert world.writes() == before


# -- held back -----------------------------------------------------------------------------------


def test_a_child_is_not_created_where_its_parent_is_not_until_it_is():
    world = party()
    crm = world.create("crm", tax_ids=["VAT:DE1"], status="prospect")
    world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.settle()
    assert world.shown("erp", "contact") == {}
    told = read(world, queries.status)
    assert told["held_back"] == {"contact": 1}
    assert "deliver" not in told["due"]
    world.edit("crm", crm, status="active")
    world.settle()
    assert only(world.shown("erp", "contact"))["customer_id"] in world.shown("erp", "customer")
    assert not read(world, queries.status)["held_back"]


@each_database
def test_all_children_of_a_batch_wait_for_their_parent():
    world = party()
    binding = world.hub.binding("erp", "contact")
    world.hub.bindings["erp", "contact"] = replace(binding, capabilities=replace(binding.capabilities, batch=50))
    crm = world.create("crm", tax_ids=["VAT:DE1"], status="prospect")
    for n in range(5):
        world.add("crm", "contact", customer_id=crm, email=f"{n}@firma.example")
    world.settle()
    assert world.shown("erp", "contact") == {}
    assert read(world, queries.status)["held_back"] == {"contact": 5}
    world.edit("crm", crm, status="active")
    world.settle()
    assert len(world.shown("erp", "contact")) == 5
    assert not read(world, queries.status)["held_back"]


@each_database
def test_of_an_update_only_the_reference_is_held_back():
    world = party()
    crm, erp = both(world)
    contact = world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.settle()
    prospect = world.create("crm", legal_name="Neu AG", tax_ids=["VAT:DE5"], status="prospect")
    world.change("crm", "contact", contact, customer_id=prospect, job_title="Leitung")
    world.settle()
    told = only(world.shown("erp", "contact"))
    assert (told["customer_id"], told["job_title"]) == (erp, "Leitung")
    assert read(world, queries.status)["held_back"] == {"contact": 1}
    world.edit("crm", prospect, status="active")
    world.settle()
    moved = only(world.shown("erp", "contact"))["customer_id"]
    assert world.shown("erp", "customer")[moved]["legal_name"] == "Neu AG"


def test_a_chain_of_new_sites_is_told_in_the_ids_they_get_there():
    world = party()
    _, erp = both(world)
    names = ["Werk", "Halle", "Etage"]
    last = ""
    for number, name in enumerate(names):
        last = world.add("erp", "site", customer_id=erp, name=name, parent_id=last or None, house_number=str(number))
    world.settle()
    shown = {row["name"]: (id_, row.get("parent_id")) for id_, row in world.shown("crm", "site").items()}
    assert [shown[name][1] for name in names] == [None, shown["Werk"][0], shown["Halle"][0]]
    assert not read(world, queries.status)["held_back"]


# -- matching ------------------------------------------------------------------------------------


def test_the_same_contact_in_both_systems_is_found_by_its_customer_and_email():
    world = party()
    crm, erp = both(world)
    world.add("crm", "contact", customer_id=crm, email="Ada@Firma.example")
    world.add("erp", "contact", customer_id=erp, email="ada@firma.EXAMPLE")
    world.settle()
    assert [len(world.shown(system, "contact")) for system in ("crm", "erp")] == [1, 1]
    assert len([one for one in world.loaded() if one.record.entity == "contact"]) == 1


def test_the_same_email_at_another_customer_is_another_contact():
    world = party()
    crm, _ = both(world, "DE1")
    _, erp = both(world, "DE2")
    world.add("crm", "contact", customer_id=crm, email="info@haus.example")
    world.add("erp", "contact", customer_id=erp, email="info@haus.example")
    world.settle()
    assert [len(world.shown(system, "contact")) for system in ("crm", "erp")] == [2, 2]


@each_database
def test_the_same_site_is_found_by_its_customer_and_address():
    world = party()
    crm, erp = both(world)
    world.add("crm", "site", customer_id=crm, street="Straße des 17. Juni", house_number="135", country="DE")
    world.add("erp", "site", customer_id=erp, street="Strasse des 17.Juni 135", house_number=None, country="DE")
    world.settle()
    assert len([one for one in world.loaded() if one.record.entity == "site"]) == 1


# -- conditions ----------------------------------------------------------------------------------


def test_who_owns_a_contact_follows_the_billing_of_its_customer():
    world = party()
    crm, erp = both(world, billing_status="none")
    contact = world.add("crm", "contact", customer_id=crm, email="a@firma.example", roles=["billing"])
    world.settle()
    (there,) = world.shown("erp", "contact")
    world.change("crm", "contact", contact, job_title="Einkauf")
    world.settle()
    assert world.shown("erp", "contact")[there]["job_title"] == "Einkauf"
    world.edit("erp", erp, billing_status="active")
    world.settle()
    world.change("crm", "contact", contact, job_title="Leitung")
    world.settle()
    assert world.shown("erp", "contact")[there]["job_title"] == "Einkauf"
    (proposal,) = read(world, queries.proposals)
    assert (proposal.entity, proposal.field, proposal.value) == ("contact", "job_title", "Leitung")


@each_database
def test_where_a_contact_goes_may_depend_on_its_customer():
    rules = RULES.replace(
        "create: {allowed: [crm, erp], replicate_to: {crm: always, erp: always}}",
        "create: {allowed: [crm, erp], replicate_to: {crm: always, erp: \"customer.billing_status == 'active'\"}}",
    )
    world = party(rules=rules)
    crm, erp = both(world, billing_status="none")
    world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.settle()
    assert world.shown("erp", "contact") == {}
    assert not read(world, queries.status)["held_back"]
    world.edit("erp", erp, billing_status="active")
    world.sync_all()
    assert only(world.shown("erp", "contact"))["customer_id"] == erp
