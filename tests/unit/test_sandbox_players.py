"""The story is played as people would: over HTTP, under their own names, each edit visible afterwards."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from connectors.sandbox import Sandbox, build
from connectors.sandbox.players import Edit, Expect, play
from connectors.sandbox.story import DELIVERY, STANDARD, story

EXPECTED = {
    Expect.ACCEPT: 26,
    Expect.REVERT: 7,
    Expect.PROPOSE: 5,
    Expect.CONFLICT: 4,
    Expect.CONVERGE: 4,
    Expect.NOTHING: 5,
    Expect.CREATE: 4,
    Expect.WAIT: 1,
}
Played = tuple[Sandbox, list[Edit]]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    with Sandbox(tmp_path_factory.mktemp("played")) as sandbox:
        yield sandbox, play(sandbox.urls, sandbox.company)


def test_the_story_holds_every_kind_of_outcome() -> None:
    assert Counter(edit.expect for edit in story(build())) == EXPECTED


def test_the_same_company_has_the_same_story() -> None:
    assert story(build(3)) == story(build(3))


@pytest.mark.parametrize("seed", range(5))
def test_any_company_has_a_story(tmp_path: Path, seed: int) -> None:
    with Sandbox(tmp_path, seed=seed) as sandbox:
        assert len(play(sandbox.urls, sandbox.company)) == sum(EXPECTED.values())


def test_each_edit_can_be_seen_afterwards(played: Played) -> None:
    _, edits = played
    for edit in edits:
        seen = {name: edit.answer[name] for name in edit.fields if name in edit.answer}
        assert seen == {name: edit.fields[name] for name in seen}
        assert edit.id
        assert "{" not in edit.sentence


def test_edits_below_the_partner_can_be_seen_afterwards(played: Played) -> None:
    sandbox, edits = played
    streets = {row["StreetName"] for row in sandbox.sap.rows("A_BusinessPartnerAddress")}
    wanted = [edit.fields.get(f"{where}.StreetName") for edit in edits for where in (STANDARD, DELIVERY)]
    assert streets >= set(filter(None, wanted))
    assert {row["Currency"] for row in sandbox.sap.rows("A_CustomerSalesArea")} >= {"USD"}


def test_people_edit_and_never_the_hub(played: Played) -> None:
    sandbox, edits = played
    partners = {row["BusinessPartner"]: row for row in sandbox.sap.rows("A_BusinessPartner")}
    for edit in edits:
        if edit.system == "salesforce":
            row = next(row for row in sandbox.salesforce.rows(edit.object) if row["Id"] == edit.id)
            assert row["LastModifiedById"] not in {"", sandbox.salesforce.hub_user}
        else:
            stamped = edit.known_as.rpartition("/")[2] if edit.entity == "contact" else edit.id.partition("/")[0]
            assert partners[stamped]["LastChangedByUser"] == edit.person != sandbox.sap.user
    assert sandbox.salesforce.writes() == sandbox.sap.writes() == 0


def test_a_merge_leaves_a_pointer_to_the_survivor_and_takes_people_and_places_along(played: Played) -> None:
    sandbox, edits = played
    merges = [edit for edit in edits if "MasterRecordId" in edit.fields]
    lost = {row["Id"]: row for row in sandbox.salesforce.rows("Account") if row["IsDeleted"]}
    assert {edit.id: edit.fields["MasterRecordId"] for edit in merges} == {
        id_: row["MasterRecordId"] for id_, row in lost.items()
    }
    double, prospect = merges
    assert (double.fields["MasterRecordId"], double.id) in sandbox.company.defects["duplicate_in_salesforce_by_vat"]
    for merge in merges:
        came = [row["Id"] for row in sandbox.company.people.contacts if row["AccountId"] == merge.id]
        assert came
        moved = {row["Id"]: row["AccountId"] for row in sandbox.salesforce.rows("Contact")}
        assert {moved[id_] for id_ in came} == {merge.fields["MasterRecordId"]}
    links = {row["Id"]: row["ParentRecordId"] for row in sandbox.salesforce.rows("AssociatedLocation")}
    places = [row["Id"] for row in sandbox.company.places.links if row["ParentRecordId"] == prospect.id]
    assert {links[id_] for id_ in places} == {prospect.fields["MasterRecordId"]}


def test_a_prospect_becomes_a_customer_that_is_billed(played: Played) -> None:
    sandbox, _ = played
    number = sandbox.company.pairs[sandbox.company.handed_over()[0]]
    areas = {row["Customer"]: row for row in sandbox.sap.rows("A_CustomerSalesArea")}
    assert (areas[number]["Currency"], areas[number]["CustomerPaymentTerms"]) == ("EUR", "NT30")


def test_new_contacts_belong_to_a_new_customer_and_to_one_in_question(played: Played) -> None:
    sandbox, edits = played
    contacts = [edit for edit in edits if edit.object == "A_BusinessPartnerContact" and not edit.counterpart]
    entered = [edit.id for edit in edits if edit.expect is Expect.CREATE and edit.entity == "customer"]
    asked = [partner for _, partner in sandbox.company.defects["weak_match_only"]]
    companies = [contact.known_as.split("/")[0] for contact in contacts]
    assert companies[0] == entered[-1]
    assert companies[1] in asked
    assert [edit.expect for edit in contacts] == [Expect.CREATE, Expect.WAIT]


def test_newcomers_get_numbers_and_one_is_the_same_firm_on_both_sides(played: Played) -> None:
    sandbox, edits = played
    new = [edit for edit in edits if edit.expect in {Expect.CREATE, Expect.CONVERGE} and not edit.counterpart]
    new = [edit for edit in new if edit.entity == "customer"]
    assert len(new) == 5
    account, partner = (next(e for e in new if e.expect is Expect.CONVERGE and e.system == s) for s in sandbox.urls)
    assert account.fields["FSM_VAT_Id__c"] == partner.fields["to_BusinessPartnerTax"][0]["BPTaxNumber"]


@pytest.mark.parametrize(("entity", "times"), [("customer", 7), ("contact", 1)])
def test_two_edits_of_one_record_concern_both_systems(entity: str, times: int) -> None:
    edits = [edit for edit in story(build()) if edit.counterpart and edit.entity == entity]
    touched = Counter((edit.id, edit.counterpart)[edit.system == "sap"] for edit in edits)
    twice = {record for record, edited in touched.items() if edited > 1}
    assert len(twice) == times
    for record in twice:
        assert {e.system for e in edits if record in (e.id, e.counterpart)} == {"salesforce", "sap"}


def test_a_refused_edit_is_told(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox, pytest.raises((httpx.HTTPStatusError, ValueError)):
        play({name: f"{url}/nowhere" for name, url in sandbox.urls.items()}, sandbox.company)
