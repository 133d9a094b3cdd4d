"""SAP contact persons against the simulator: pages, what is seen when, two-part creates at every point of failure.

Not here: what every connector promises (`test_contract`), and wire shapes (`test_sap_contact_wire`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.sap.aggregates import numbers_in, pair
from fsm_core.errors import Invalid, NotFound, Stale, UnknownOutcome
from fsm_core.ports import Action, Change, Creates, Deletes, KeyRef, Row, State, Write, Written
from tests.contract.harness_sap import ContactHarness
from tests.contract.sap_words import CONTACT, contact_fields

PARTNER, RELATIONSHIP, JOB = "A_BusinessPartner", "A_BusinessPartnerContact", "A_BPContactToFuncAndDept"
KEY = KeyRef("FSMHUB", "H-1")


@pytest.fixture
def harness() -> Iterator[ContactHarness]:
    made = ContactHarness()
    yield made
    made.close()


def everything(harness, cursor=None, **settings) -> tuple[list[Change], str]:
    pages = list(harness.connector(**settings).changes(CONTACT, cursor))
    return [change for page in pages for change in page.changes], str(pages[-1].cursor)


def create(harness, key="H-1", **job) -> Written:
    write = Write(Action.CREATE, key=key, fields=contact_fields(harness.company, **job), idempotency_key=f"try-{key}")
    [outcome] = harness.connector().write(CONTACT, [write])
    return outcome


def read(harness, ref) -> Change:
    [change] = harness.connector().read(CONTACT, [ref])
    return change


def update(harness, contact, fields) -> Written:
    change = read(harness, contact)
    [outcome] = harness.connector().write(CONTACT, [Write(Action.UPDATE, contact, "", fields, change.version)])
    return outcome


def held(harness) -> tuple[int, int, list[str]]:
    """Persons, relationships, and numbers carried twice."""
    persons = [row for row in harness.simulator.rows(PARTNER) if row["BusinessPartnerCategory"] == "1"]
    counts = harness.simulator.counts()
    return len(persons), counts["rows"][RELATIONSHIP], counts["duplicates"]


def stamp(harness, number) -> tuple[str, str]:
    row = harness.simulator.store.tables[PARTNER][number,]
    return row["LastChangeDate"], row["ETag"]


# -- reading -----------------------------------------------------------------------------------


def test_a_created_contact_arrives_whole(harness):
    made = create(harness, PhoneNumber="+49 30 1")
    assert (made.error, made.created) == (None, True)
    change = read(harness, made.id)
    assert made.id == f"{harness.company}/{change.document['to_Person']['BusinessPartner']}"
    assert change.document["to_Person"]["FirstName"] == "Kim"
    assert change.document["to_ContactRelationship"]["EmailAddress"] == "kim@lee.example"
    assert (change.key, change.ours, change.version) == ("H-1", True, made.version)
    [person] = [row for row in harness.simulator.rows(PARTNER) if row["BusinessPartnerCategory"] == "1"]
    roles = [row["BusinessPartnerRole"] for row in harness.simulator.rows("A_BusinessPartnerRole")]
    assert (person["BusinessPartnerGrouping"], "BUP001" in roles) == ("BP02", True)


@pytest.mark.parametrize(("people", "size"), [(7, 3), (130, 60)])
def test_a_page_costs_one_call_for_persons_and_one_for_relationships(harness, people, size):
    for number in range(people):
        harness.create(f"Person {number}")
    sap = harness.connector(page_size=size)
    sap.check()
    sap.describe([CONTACT])
    harness.simulator.reset_calls()
    pages = list(sap.changes(CONTACT, None))
    assert sum(len(page.changes) for page in pages) == people
    assert pages[-1].complete
    assert len(harness.simulator.calls) == 2 * len(pages)


def test_pages_that_the_server_cuts_short_are_followed(harness):
    made = {harness.create(f"Person {number}") for number in range(60)}
    harness.simulator.service.page_cap = 7
    changes, _ = everything(harness)
    assert {change.id for change in changes} == made


def test_persons_who_are_no_contacts_and_companies_are_passed_over(harness):
    harness.simulator.edit(PARTNER, "", {"BusinessPartnerCategory": "1", "LastName": "Nobody's"})
    contact = harness.create("Contact")
    changes, _ = everything(harness)
    assert [change.id for change in changes] == [contact]


def test_a_new_name_is_news_and_a_new_address_waits_for_the_full_pass(harness):
    contact, other = harness.create("Before"), harness.create("Other")
    _, cursor = everything(harness)
    for _ in range(2):
        harness.clock.advance(3 * 86400)
        _, cursor = everything(harness, cursor)
    harness.edit(contact, {"to_ContactRelationship.EmailAddress": "new@mail.example"})
    news, cursor = everything(harness, cursor)
    assert news == []
    full, _ = everything(harness)
    assert {change.document["to_ContactRelationship"]["EmailAddress"] for change in full} == {"new@mail.example", ""}
    harness.edit(other, {"to_Person.LastName": "After"})
    news, _ = everything(harness, cursor)
    assert [(change.id, change.document["to_Person"]["LastName"]) for change in news] == [(other, "After")]


def test_changes_of_a_relationship_move_no_stamp(harness):
    contact = harness.create("Person")
    company, person = numbers_in(contact)
    before = stamp(harness, company), stamp(harness, person)
    harness.clock.advance(60)
    harness.edit(contact, {"to_ContactRelationship.PhoneNumber": "1", "IsStandardRelationship": True})
    assert (stamp(harness, company), stamp(harness, person)) == before
    harness.edit(contact, {"to_Person.LastName": "New"})
    assert stamp(harness, company) == before[0]
    assert stamp(harness, person) != before[1]


def test_where_a_system_stamps_the_person_the_change_is_news(harness):
    contact = harness.create("Person")
    _, cursor = everything(harness)
    harness.simulator.partners.moves_root |= {JOB}
    harness.clock.advance(60)
    harness.edit(contact, {"to_ContactRelationship.EmailAddress": "new@mail.example"})
    news, _ = everything(harness, cursor)
    assert [change.id for change in news] == [contact]


def test_what_ended_is_shown_no_more_and_may_begin_again(harness):
    contact = harness.create("Person")
    company, person = numbers_in(contact)
    harness.remove(contact)
    assert read(harness, contact).state is State.MISSING
    assert everything(harness)[0] == []
    assert isinstance(update_blind(harness, contact).error, NotFound)
    harness.simulator.edit(RELATIONSHIP, "", {"BusinessPartnerCompany": company, "BusinessPartnerPerson": person})
    assert read(harness, contact).state is State.LIVE
    assert [change.id for change in everything(harness)[0]] == [contact]


def update_blind(harness, contact) -> Written:
    write = Write(Action.UPDATE, contact, fields={"to_Person.LastName": "Nobody"})
    [outcome] = harness.connector().write(CONTACT, [write])
    return outcome


def test_a_person_behind_the_end_of_purpose_block_is_missing(harness):
    contact = harness.create("Person")
    harness.simulator.hide(numbers_in(contact)[1])
    assert read(harness, contact).state is State.MISSING


def test_our_key_names_the_oldest_of_a_persons_contacts(harness):
    made = create(harness)
    person = numbers_in(made.id)[1]
    other = harness.simulator.edit(PARTNER, "", {"OrganizationBPName1": "Other"})["BusinessPartner"]
    harness.simulator.edit(RELATIONSHIP, "", {"BusinessPartnerCompany": other, "BusinessPartnerPerson": person})
    assert {change.id: change.key for change in everything(harness)[0]} == {made.id: "H-1", pair(other, person): ""}
    assert read(harness, KEY).id == made.id


@pytest.mark.parametrize("ref", ["", "1000000", "1/2/3", "1000000/", "12345678901/1", "1000000/nobody"])
def test_what_is_no_id_is_missing(harness, ref):
    harness.create("Person")
    answer = read(harness, ref)
    assert (answer.state, answer.ref) == (State.MISSING, ref)


def test_ids_are_normal_whatever_zeros_they_are_asked_with(harness):
    company, person = numbers_in(harness.create("Person"))
    assert read(harness, f"{company.zfill(10)}/{person.zfill(10)}").id == f"{company}/{person}"


@pytest.mark.parametrize("numbers", [("A/1", "B%2"), ("1", "2"), ("Ä 1", "'")])
def test_two_numbers_make_one_id_and_come_apart_again(numbers):
    assert numbers_in(pair(*numbers)) == list(numbers)
    assert pair(*numbers).count("/") == 1


def test_what_the_account_can_do(harness):
    able = harness.connector().describe([CONTACT]).objects[RELATIONSHIP]
    assert (able.creates, able.deletes, able.compare_and_set) == (Creates.PROBE, Deletes.SWEEP, True)
    assert not able.can_delete
    assert {path for path, field in able.fields.items() if field.required} == {
        "BusinessPartnerCompany",
        "to_Person.LastName",
    }
    company = able.fields["BusinessPartnerCompany"]
    assert (company.creatable, company.writable, company.length) == (True, False, 10)


# -- creates at every point of failure ---------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("part", [rf"{PARTNER}$|{PARTNER}\?$", RELATIONSHIP])
def test_a_create_lost_at_either_part_is_completed_once(harness, part, when):
    harness.connector().check()
    harness.simulator.fail(method="POST", path=part, drop=when)
    first = create(harness)
    assert first.error is None or isinstance(first.error, UnknownOutcome)
    probed = read(harness, KEY)
    again = create(harness)
    assert (again.error, again.created) == (None, True)
    assert probed.state is State.MISSING or probed.id == again.id
    assert read(harness, KEY).id == again.id
    assert held(harness) == (1, 1, [])


def test_a_person_whose_answer_was_lost_is_found_in_the_same_call(harness):
    harness.connector().check()
    harness.simulator.fail(method="POST", path=rf"{PARTNER}\??$", drop="after")
    outcome = create(harness)
    assert (outcome.error, outcome.created) == (None, True)
    assert held(harness) == (1, 1, [])


def test_a_batch_whose_answer_was_lost_is_completed_once(harness):
    harness.connector().check()
    writes = [Write(Action.CREATE, key=f"H-{n}", fields=contact_fields(harness.company)) for n in range(3)]
    for skip in (0, 1):
        harness.simulator.fail(method="POST", path=r"\$batch", drop="after", skip=skip)
    harness.connector().write(CONTACT, writes)
    outcomes = harness.connector().write(CONTACT, writes)
    assert [(outcome.error, outcome.created) for outcome in outcomes] == [(None, True)] * 3
    assert held(harness) == (3, 3, [])


def test_a_crash_between_the_parts_is_completed_with_what_is_asked_now(harness):
    harness.simulator.veto("EmailAddress", "@")
    refused = create(harness)
    assert isinstance(refused.error, Invalid)
    assert refused.error.field == "to_ContactRelationship.EmailAddress"
    assert not refused.created
    assert held(harness) == (1, 0, [])
    fields = {**contact_fields(harness.company), "to_Person": (Row({}, {"FirstName": "Kim", "LastName": "Leigh"}),)}
    [outcome] = harness.connector().write(CONTACT, [Write(Action.CREATE, key="H-1", fields=fields)])
    assert (outcome.error, outcome.created) == (None, True)
    assert held(harness) == (1, 1, [])


def test_a_repeated_create_makes_the_contact_what_is_asked_now(harness):
    made = create(harness)
    fields = {**contact_fields(harness.company), "to_Person": (Row({}, {"FirstName": "Kim", "LastName": "Leigh"}),)}
    [again] = harness.connector().write(CONTACT, [Write(Action.CREATE, key="H-1", fields=fields)])
    assert (again.id, again.error) == (made.id, None)
    assert read(harness, made.id).document["to_Person"]["LastName"] == "Leigh"
    assert held(harness) == (1, 1, [])


def test_a_throttle_between_the_parts_is_told_and_completed(harness):
    harness.connector().check()
    headers = {"Retry-After": "3600"}
    harness.simulator.fail(method="POST", path=RELATIONSHIP, status=429, headers=headers)
    assert create(harness).error is not None
    assert (create(harness).error, held(harness)) == (None, (1, 1, []))


def test_repeatable_requests_tell_the_two_parts_apart():
    harness = ContactHarness(repeatability=True)
    harness.create("Somebody else")
    made = create(harness)
    assert (made.error, read(harness, made.id).state) == (None, State.LIVE)
    harness.close()


def test_a_contact_without_company_or_of_an_unknown_one_is_refused(harness):
    fields = contact_fields(harness.company)
    alone = {name: value for name, value in fields.items() if name != "BusinessPartnerCompany"}
    writes = [
        Write(Action.CREATE, key="H-1", fields=alone),
        Write(Action.CREATE, key="H-2", fields={**fields, "BusinessPartnerCompany": "1999999"}),
    ]
    first, second = harness.connector().write(CONTACT, writes)
    assert isinstance(first.error, Invalid)
    assert isinstance(second.error, Invalid)
    assert {first.error.field, second.error.field} == {"BusinessPartnerCompany"}
    assert held(harness)[1] == 0


# -- updates -----------------------------------------------------------------------------------


def test_names_go_to_the_person_and_the_rest_to_the_relationship_in_one_changeset(harness):
    contact = create(harness).id
    harness.simulator.reset_calls()
    fields = {
        "to_Person": (Row({}, {"LastName": "Leigh"}),),
        "to_ContactRelationship.EmailAddress": "kim@leigh.example",
    }
    assert update(harness, contact, fields).error is None
    document = read(harness, contact).document
    assert document["to_Person"]["LastName"] == "Leigh"
    assert document["to_ContactRelationship"]["EmailAddress"] == "kim@leigh.example"
    assert harness.simulator.writes() == 1


def test_what_stands_already_is_not_sent(harness):
    contact = create(harness).id
    harness.simulator.reset_calls()
    assert update(harness, contact, {"to_Person.LastName": "Lee"}).error is None
    assert harness.simulator.writes() == 0


@pytest.mark.parametrize("path", ["to_Person.FirstName", "to_ContactRelationship.PhoneNumber"])
def test_an_edit_between_look_and_write_is_stale(harness, path):
    contact = create(harness).id
    seen = read(harness, contact)
    harness.clock.advance(1)
    harness.edit(contact, {path: "1"})
    write = Write(Action.UPDATE, contact, fields={"to_Person.LastName": "Late"}, expected_version=seen.version)
    [outcome] = harness.connector().write(CONTACT, [write])
    assert isinstance(outcome.error, Stale)


def test_etags_of_both_parts_are_sent_where_they_are_required():
    harness = ContactHarness(etags={PARTNER: "required", RELATIONSHIP: "required", JOB: "required"})
    contact = create(harness).id
    fields = {"to_Person.LastName": "Leigh", "to_ContactRelationship.EmailAddress": None}
    assert update(harness, contact, fields).error is None
    assert read(harness, contact).document["to_ContactRelationship"]["EmailAddress"] == ""
    harness.close()


def test_a_locked_person_and_a_deletion_are_told(harness):
    contact = create(harness).id
    harness.simulator.lock_partner(numbers_in(contact)[1])
    outcome = update(harness, contact, {"to_ContactRelationship.PhoneNumber": "1"})
    assert type(outcome.error).__name__ == "Locked"
    [outcome] = harness.connector().write(CONTACT, [Write(Action.DELETE, contact)])
    assert isinstance(outcome.error, Invalid)
    assert "End the relationship in SAP" in str(outcome.error)
    assert read(harness, contact).state is State.LIVE
