"""Records that are never changed, or not after a status; and creators that may create some records only."""

from __future__ import annotations

import pytest

from fsm_core.service.resolve import resolve, retry
from fsm_core.state import LinkState
from fsm_core.store import queries
from tests.scenarios.test_clocks import change_rules, quiet
from tests.scenarios.test_references import both, party
from tests.scenarios.test_traps import linked, open_of
from tests.world import RULES, World

each_database = pytest.mark.usefixtures("each_database")

HANDOVER = (
    "    handover: {on_switch: adopt_agreed}                       # the new owner is told what was agreed before\n"
)
assert HANDOVER in RULES


def with_key(text: str, rules: str = RULES) -> str:
    """The shipped rules, with one more key of the customer."""
    return rules.replace(HANDOVER, f"{HANDOVER}    {text}\n", 1)


ADDED = with_key("append_only: true")
CLOSED = with_key("immutable_after: inactive")


# -- append-only ---------------------------------------------------------------------------------


@each_database
def test_an_edit_of_an_append_only_record_is_a_question_whoever_makes_it():
    world, crm, erp = linked(rules=ADDED)
    quiet(world)
    world.edit("erp", erp, payment_terms="NT90")  # the owner
    world.edit("crm", crm, currency="CHF")
    before = world.writes()
    world.sync()
    assert world.writes() == before
    questions = {c.field: c.note for c in open_of(world, queries.conflicts)}
    assert set(questions) == {"payment_terms", "currency"}
    assert set(questions.values()) == {"append-only: a correction is a reversal and a new record"}
    assert world.records()[0]["payment_terms"] == "NT30"
    quiet(world)
    for conflict in open_of(world, queries.conflicts):
        resolve(world.hub, conflict, "agreed", "ada")
    world.settle()
    assert (world.row("erp")["payment_terms"], world.row("crm")["currency"]) == ("NT30", "EUR")
    quiet(world)


def test_an_append_only_record_may_be_completed():
    world, crm, _ = linked(rules=ADDED)
    world.edit("crm", crm, service_notes="Hund")
    world.settle()
    assert world.row("erp")["service_notes"] == "Hund"
    world.edit("crm", crm, service_notes="Katze")
    world.sync()
    assert [c.field for c in open_of(world, queries.conflicts)] == ["service_notes"]
    assert world.row("erp")["service_notes"] == "Hund"


def test_append_only_records_are_added_and_go_everywhere():
    world = World(rules=ADDED)
    world.create("crm", tax_ids=["VAT:DE7"])
    world.settle()
    assert world.row("erp")["tax_ids"] == ["VAT:DE7"]
    assert not open_of(world, queries.conflicts)


def test_what_a_rule_lets_run_beside_an_append_only_record_may_change():
    rules = ADDED.replace("service_notes:    {owner: fsm}", "service_notes: {owner: fsm, immutable_after: never}")
    world, crm, _ = linked(rules=rules)
    for note in ("Hund", "Katze"):
        world.edit("crm", crm, service_notes=note)
        world.settle()
    assert world.row("erp")["service_notes"] == "Katze"
    assert not open_of(world, queries.conflicts)


# -- immutable after a status --------------------------------------------------------------------


def test_from_its_status_on_nothing_of_a_record_changes():
    world, crm, erp = linked(rules=CLOSED)
    world.edit("erp", erp, status="inactive", payment_terms="NT60")  # closes with the same edit: still as before
    world.settle()
    assert world.row("crm")["payment_terms"] == "NT60"
    world.edit("erp", erp, payment_terms="NT90")
    world.edit("crm", crm, phone="030 7654321", trade_name="Neu")  # any may say a phone, the CRM owns its name
    done = world.sync()
    assert done.converged[0].outcomes == {"CONFLICT": 2, "REVERT": 1}
    questions = {c.field for c in open_of(world, queries.conflicts)}
    assert questions == {"payment_terms", "trade_name"}
    assert world.row("crm")["phone"] == "030 1234567"
    assert world.row("crm")["payment_terms"] == "NT60"
    quiet(world)


def test_the_status_itself_opens_no_record_again_without_a_person():
    world, _, erp = linked(rules=CLOSED)
    world.edit("erp", erp, status="inactive")
    world.settle()
    world.edit("erp", erp, status="active", payment_terms="NT90")
    world.sync()
    questions = {c.field: c for c in open_of(world, queries.conflicts)}
    assert set(questions) == {"status", "payment_terms"}
    resolve(world.hub, questions["status"], "erp", "ada")
    world.settle()
    assert world.records()[0]["status"] == "active"
    resolve(world.hub, questions["payment_terms"], "agreed", "ada")
    world.settle()
    world.edit("erp", erp, payment_terms="NT45")
    world.settle()
    assert world.row("crm")["payment_terms"] == "NT45"


def test_the_feature_switched_off_lets_go():
    world, _, erp = linked(rules=CLOSED)
    world.edit("erp", erp, status="inactive")
    world.settle()
    change_rules(world, RULES)
    world.edit("erp", erp, payment_terms="NT90")
    world.settle()
    assert world.row("crm")["payment_terms"] == "NT90"


# -- conditional creators ------------------------------------------------------------------------

CREATE = "create: {allowed: [crm, erp], replicate_to: {crm: always, erp: \"status == 'active'\"}}"
assert CREATE in RULES


def creating(condition: str, entity_rules: str = RULES) -> str:
    return entity_rules.replace(CREATE, CREATE[:-1] + f', by_condition: {{erp: "{condition}"}}}}', 1)


@each_database
def test_a_record_that_does_not_fulfil_the_condition_is_quarantined_until_it_does():
    world = World(rules=creating("billing_status == 'active'"))
    erp = world.create("erp", tax_ids=["VAT:DE1"], account_number="1")
    other = world.create("erp", tax_ids=["VAT:DE2"], account_number="2", billing_status="active")
    world.settle()
    assert [record["account_number"] for record in world.records()] == ["2"]
    assert len(world.shown("crm", "customer")) == 1
    (problem,) = open_of(world, queries.problems)
    assert (problem.external_id, problem.cause) == (erp, "creation not allowed")
    assert problem.message == "erp may create a customer only if billing_status == 'active'"
    assert "create.by_condition" in problem.remedy
    states = {link.external_id: link.state for link in world.links() if link.system == "erp"}
    assert states == {erp: LinkState.INVALID, other: LinkState.LIVE}
    quiet(world)
    world.edit("erp", erp, billing_status="active")
    world.settle()
    assert len(world.records()) == len(world.shown("crm", "customer")) == 2
    assert not open_of(world, queries.problems)
    quiet(world)


def test_another_creator_may_bring_it_into_the_world():
    world = World(rules=creating("billing_status == 'active'"))
    world.create("erp", tax_ids=["VAT:DE1"], account_number="1")
    world.settle()
    world.create("crm", tax_ids=["VAT:DE1"])
    world.settle()
    assert [record["account_number"] for record in world.records()] == ["1"]
    assert not open_of(world, queries.problems)


def test_it_is_looked_at_as_it_would_be_born_together():
    world = World(rules=creating("trade_name == 'Nord'").replace("allowed: [crm, erp]", "allowed: [erp]", 1))
    world.create("erp", tax_ids=["VAT:DE1"])
    world.create("crm", tax_ids=["VAT:DE1"], trade_name="Nord")
    world.settle()
    assert len(world.records()) == 1  # the CRM says what it takes, the ERP may create


def test_rules_that_allow_it_let_a_person_try_again():
    world = World(rules=creating("billing_status == 'active'"))
    world.create("erp", tax_ids=["VAT:DE1"])
    world.settle()
    change_rules(world, RULES)
    (problem,) = open_of(world, queries.problems)
    retry(world.hub, problem, "ada")
    world.settle()
    assert len(world.records()) == 1
    assert not open_of(world, queries.problems)


def test_a_condition_may_look_at_what_the_record_refers_to():
    create = "create: {allowed: [crm, erp], replicate_to: {crm: always, erp: always}}"
    assert create in RULES
    rules = RULES.replace(create, create[:-1] + ", by_condition: {crm: \"customer.billing_status == 'active'\"}}", 1)
    world = party(rules=rules)
    crm, _ = both(world)
    world.create("crm", legal_name="Interessent", status="prospect", tax_ids=["VAT:DE99"])
    (lead,) = [id_ for id_, row in world.shown("crm", "customer").items() if row["legal_name"] == "Interessent"]
    world.settle()
    good = world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    bad = world.add("crm", "contact", customer_id=lead, email="b@firma.example")
    world.settle()
    links = {x.external_id: x.state for x in world.links() if (x.system, x.entity) == ("crm", "contact")}
    assert links == {good: LinkState.LIVE, bad: LinkState.INVALID}
    (problem,) = open_of(world, queries.problems)
    assert problem.message == "crm may create a contact only if customer.billing_status == 'active'"
