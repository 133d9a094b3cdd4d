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
    Expect.ACCEPT: 19,
    Expect.REVERT: 6,
    Expect.PROPOSE: 5,
    Expect.CONFLICT: 4,
    Expect.CONVERGE: 4,
    Expect.NOTHING: 3,
    Expect.CREATE: 2,
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
    accounts = {row["Id"]: row for row in sandbox.salesforce.rows("Account")}
    partners = {row["BusinessPartner"]: row for row in sandbox.sap.rows("A_BusinessPartner")}
    for edit in edits:
        if edit.system == "salesforce":
            assert accounts[edit.id]["LastModifiedById"] not in {"", sandbox.salesforce.hub_user}
        else:
            assert partners[edit.id]["LastChangedByUser"] == edit.person != sandbox.sap.user
    assert sandbox.salesforce.writes() == sandbox.sap.writes() == 0


def test_the_merge_leaves_a_pointer_to_the_survivor(played: Played) -> None:
    sandbox, edits = played
    merge = next(edit for edit in edits if "MasterRecordId" in edit.fields)
    loser = next(row for row in sandbox.salesforce.rows("Account") if row["Id"] == merge.id)
    assert loser["IsDeleted"]
    assert (loser["MasterRecordId"], loser["Id"]) in sandbox.company.defects["duplicate_in_salesforce_by_vat"]


def test_newcomers_get_numbers_and_one_is_the_same_firm_on_both_sides(played: Played) -> None:
    sandbox, edits = played
    new = [edit for edit in edits if edit.expect in {Expect.CREATE, Expect.CONVERGE} and not edit.counterpart]
    assert len(new) == 4
    account, partner = (next(e for e in new if e.expect is Expect.CONVERGE and e.system == s) for s in sandbox.urls)
    assert account.fields["FSM_VAT_Id__c"] == partner.fields["to_BusinessPartnerTax"][0]["BPTaxNumber"]


def test_two_edits_of_one_record_concern_both_systems() -> None:
    edits = [edit for edit in story(build()) if edit.counterpart]
    touched = Counter((edit.id, edit.counterpart)[edit.system == "sap"] for edit in edits)
    twice = {account for account, times in touched.items() if times > 1}
    assert len(twice) == 7
    for account in twice:
        assert {edit.system for edit in edits if account in (edit.id, edit.counterpart)} == {"salesforce", "sap"}


def test_a_refused_edit_is_told(tmp_path: Path) -> None:
    with Sandbox(tmp_path) as sandbox, pytest.raises((httpx.HTTPStatusError, ValueError)):
        play({name: f"{url}/nowhere" for name, url in sandbox.urls.items()}, sandbox.company)
