"""Writing to SAP against the simulator: deep inserts, child rows, changesets, customers, compare-and-set.

Not here: wire shapes, the table of errors.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fsm_core.errors import BadMapping, Invalid, NotFound, Stale, UnknownOutcome
from fsm_core.ports import Action, KeyRef, Row, State, Write, Written, find_row
from tests.contract.harness_sap import SapHarness
from tests.contract.sap_words import AREA, DEFAULT, FULL, NAME, SHIP_TO, new_partner

ROOT = "A_BusinessPartner"


@pytest.fixture
def harness() -> Iterator[SapHarness]:
    made = SapHarness()
    yield made
    made.close()


def born(harness, key="H-1", **fields) -> Written:
    [made] = harness.connector().write(FULL, [Write(Action.CREATE, key=key, fields=new_partner(**fields))])
    assert made.error is None, str(made.error)
    return made


def shown(harness, partner):
    [change] = harness.connector().read(FULL, [partner])
    return change


def changed(harness, partner, **options):
    fields = options.pop("fields")
    [outcome] = harness.connector(**options).write(FULL, [Write(Action.UPDATE, partner, fields=fields)])
    return outcome


def default_address(document):
    return find_row(document["to_BusinessPartnerAddress"], {"to_AddressUsage.AddressUsage": "XXDEFAULT"})


def test_a_deep_insert_arrives_whole(harness):
    made = born(harness, **{"to_BusinessPartnerTax[BPTaxType=DE0].BPTaxNumber": "DE136695976"})
    change = shown(harness, made.id)
    assert change.version == made.version
    assert change.ours
    assert change.key == "H-1"
    address = default_address(change.document)
    assert (address["CityName"], address["Country"]) == ("Walldorf", "DE")
    assert [row["EmailAddress"] for row in address["to_EmailAddress"]] == ["info@neu.example"]
    assert [row["PhoneNumber"] for row in address["to_PhoneNumber"]] == ["06227 7"]
    assert [row["PhoneNumber"] for row in address["to_MobilePhoneNumber"]] == ["0171 5"]
    assert [row["WebsiteURL"] for row in address["to_URLAddress"]] == ["https://neu.example"]
    assert [row["BPTaxNumber"] for row in change.document["to_BusinessPartnerTax"]] == ["DE136695976"]
    assert {row["BusinessPartnerRole"] for row in change.document["to_BusinessPartnerRole"]} == {"FLCU00", "FLCU01"}
    assert change.document["to_Customer"]["Customer"] == made.id


def test_customer_views_come_after_the_role(harness):
    made = born(harness, **{f"{AREA}.Currency": "EUR", "to_Customer.OrderIsBlockedForCustomer": "01"})
    customer = shown(harness, made.id).document["to_Customer"]
    assert customer["OrderIsBlockedForCustomer"] == "01"
    [area] = customer["to_CustomerSalesArea"]
    assert (area["SalesOrganization"], area["Division"], area["Currency"]) == ("1710", "00", "EUR")


def test_a_customer_view_that_fails_is_told_with_the_new_number(harness):
    harness.simulator.veto("Currency", "XTS")
    write = Write(Action.CREATE, key="H-1", fields=new_partner(**{f"{AREA}.Currency": "XTS"}))
    [outcome] = harness.connector().write(FULL, [write])
    assert outcome.created
    assert isinstance(outcome.error, Invalid)
    assert outcome.error.field == f"{AREA}.Currency"
    [found] = harness.connector().read(FULL, [KeyRef("FSMHUB", "H-1")])
    assert found.id == outcome.id


def test_a_prospect_becomes_a_customer_when_a_view_is_asked_for(harness):
    partner = harness.create("Prospect")
    assert shown(harness, partner).document["to_Customer"] is None
    outcome = changed(harness, partner, fields={f"{AREA}.CustomerPaymentTerms": "0004"})
    assert outcome.error is None, str(outcome.error)
    [area] = shown(harness, partner).document["to_Customer"]["to_CustomerSalesArea"]
    assert area["CustomerPaymentTerms"] == "0004"


def test_blank_views_and_rows_are_not_created(harness):
    partner = harness.create("Prospect")
    fields = {f"{AREA}.Currency": None, f"{SHIP_TO}.StreetName": None, "OrganizationBPName1": "Renamed"}
    assert changed(harness, partner, fields=fields).error is None
    document = shown(harness, partner).document
    assert document["OrganizationBPName1"] == "Renamed"
    assert (document["to_Customer"], document["to_BusinessPartnerAddress"]) == (None, [])


def test_sales_area_keys_come_from_the_settings(harness):
    made = born(harness)
    defaults = {"sales_organization": "1710", "distribution_channel": "10", "division": "00"}
    area = Row({}, {"Currency": "CHF"})
    fields = {"to_Customer": (Row({}, {"to_CustomerSalesArea": (area,)}),)}
    outcome = changed(harness, made.id, fields=fields, **defaults)
    assert outcome.error is None, str(outcome.error)
    assert [area["Currency"] for area in harness.simulator.rows("A_CustomerSalesArea")] == ["CHF"]


def test_own_customer_numbers_are_not_partner_numbers(harness):
    harness.simulator.partners.own_customer_numbers = True
    made = born(harness, **{f"{AREA}.Currency": "EUR"})
    customer = shown(harness, made.id).document["to_Customer"]
    assert customer["Customer"] == "7000000"
    assert customer["to_CustomerSalesArea"][0]["Currency"] == "EUR"


def test_child_rows_are_changed_added_and_removed_together(harness):
    made = born(harness)
    harness.simulator.reset_calls()
    fields = {
        "OrganizationBPName1": "Renamed",
        f"{DEFAULT}.CityName": "Heidelberg",
        f"{DEFAULT}.to_EmailAddress[IsDefaultEmailAddress=true].EmailAddress": "new@neu.example",
        f"{SHIP_TO}.StreetName": "Hof 1",
        f"{SHIP_TO}.Country": "AT",
        "to_BusinessPartnerTax": (Row({"BPTaxType": "DE0"}, {"BPTaxNumber": "DE136695976"}),),
        "to_BusinessPartnerAddress": (
            Row(
                {"to_AddressUsage.AddressUsage": "XXDEFAULT"},
                {"to_PhoneNumber": (Row({"IsDefaultPhoneNumber": True}, delete=True),)},
            ),
        ),
    }
    outcome = changed(harness, made.id, fields=fields)
    assert outcome.error is None, str(outcome.error)
    assert [call.writes for call in harness.simulator.calls if call.method == "POST"] == [1]
    change = shown(harness, made.id)
    assert change.version == outcome.version
    address = default_address(change.document)
    assert address["CityName"] == "Heidelberg"
    assert address["to_EmailAddress"][0]["EmailAddress"] == "new@neu.example"
    assert address["to_PhoneNumber"] == []
    ship_to = find_row(change.document["to_BusinessPartnerAddress"], {"to_AddressUsage.AddressUsage": "SHIP_TO"})
    assert (ship_to["StreetName"], ship_to["Country"]) == ("Hof 1", "AT")


def test_a_removed_address_only_ends_and_counts_as_gone(harness):
    made = born(harness, **{f"{SHIP_TO}.StreetName": "Hof 1", f"{SHIP_TO}.Country": "AT"})
    rows = (Row({"to_AddressUsage.AddressUsage": "SHIP_TO"}, delete=True),)
    assert changed(harness, made.id, fields={"to_BusinessPartnerAddress": rows}).error is None
    assert len(harness.simulator.rows("A_BusinessPartnerAddress")) == 2
    assert len(shown(harness, made.id).document["to_BusinessPartnerAddress"]) == 1
    again = changed(harness, made.id, fields={f"{SHIP_TO}.StreetName": "Hof 2", f"{SHIP_TO}.Country": "AT"})
    assert again.error is None, str(again.error)
    assert len(shown(harness, made.id).document["to_BusinessPartnerAddress"]) == 2


def test_a_role_ends_and_begins_again(harness):
    made = born(harness)
    role = {"BusinessPartnerRole": "FLCU01"}
    assert changed(harness, made.id, fields={"to_BusinessPartnerRole": (Row(role, delete=True),)}).error is None
    assert find_row(shown(harness, made.id).document["to_BusinessPartnerRole"], role) is None
    assert changed(harness, made.id, fields={"to_BusinessPartnerRole": (Row(role),)}).error is None
    assert find_row(shown(harness, made.id).document["to_BusinessPartnerRole"], role) is not None


def test_what_stands_already_is_not_sent(harness):
    made = born(harness, SearchTerm2="upper")
    harness.simulator.reset_calls()
    fields = {"OrganizationBPName1": "Neu", "SearchTerm2": "Upper ", f"{DEFAULT}.CityName": "Walldorf"}
    outcome = changed(harness, made.id, fields=fields)
    assert (outcome.error, outcome.version) == (None, made.version)
    assert harness.writes_received() == 0


def test_one_refused_operation_leaves_the_whole_record_alone(harness):
    made = born(harness)
    fields = {"OrganizationBPName1": "Half", f"{DEFAULT}.PostalCode": "ABC"}
    outcome = changed(harness, made.id, fields=fields)
    assert isinstance(outcome.error, Invalid)
    assert outcome.error.field == f"{DEFAULT}.PostalCode"
    assert shown(harness, made.id).document["OrganizationBPName1"] == "Neu"


def test_records_of_one_batch_stand_or_fall_alone(harness):
    made = [harness.create(f"Site {number}") for number in range(4)]
    harness.simulator.reset_calls()
    writes = [Write(Action.UPDATE, partner, fields={"OrganizationBPName1": "New"}) for partner in made]
    writes[1] = Write(Action.UPDATE, made[1], fields={"OrganizationBPName1": "x" * 41})
    writes[2] = Write(Action.UPDATE, made[2], fields={"BusinessPartnerCategory": "9"})
    outcomes = harness.connector().write(NAME, [*writes, Write(Action.UPDATE, "404", fields={"SearchTerm2": "x"})])
    kinds = [type(outcome.error) for outcome in outcomes]
    assert kinds == [type(None), Invalid, Invalid, type(None), NotFound]
    assert [outcomes[1].error.field, outcomes[2].error.field] == ["OrganizationBPName1", "BusinessPartnerCategory"]
    assert [outcome.id for outcome in outcomes] == [*made, "404"]
    assert sum(call.method == "POST" for call in harness.simulator.calls) == 1


def test_more_than_a_batch_goes_in_several(harness):
    made = [harness.create(f"Site {number}") for number in range(7)]
    harness.simulator.reset_calls()
    writes = [Write(Action.UPDATE, partner, fields={"OrganizationBPName1": "New"}) for partner in made]
    outcomes = harness.connector(batch=3).write(NAME, writes)
    assert all(outcome.error is None for outcome in outcomes)
    assert [call.writes for call in harness.simulator.calls if call.writes] == [3, 3, 1]


def test_two_writes_of_one_record_follow_each_other(harness):
    partner = harness.create("One")
    writes = [Write(Action.UPDATE, partner, fields={"OrganizationBPName1": name}) for name in ("Two", "Three")]
    assert [outcome.error for outcome in harness.connector().write(NAME, writes)] == [None, None]
    assert harness.stored(partner)["OrganizationBPName1"] == "Three"


def test_a_deletion_marks_for_archiving(harness):
    partner = harness.create("Old")
    [outcome] = harness.connector().write(NAME, [Write(Action.DELETE, partner)])
    assert outcome.error is None
    assert harness.stored(partner)["IsMarkedForArchiving"] is True
    assert harness.connector().read(NAME, [partner])[0].state is State.LIVE


def test_a_change_below_the_root_makes_an_expected_version_stale(harness):
    made = born(harness)
    harness.edit(made.id, {f"{DEFAULT}.CityName": "Elsewhere"})
    write = Write(Action.UPDATE, made.id, fields={"OrganizationBPName1": "X"}, expected_version=made.version)
    [outcome] = harness.connector().write(FULL, [write])
    assert isinstance(outcome.error, Stale)
    assert shown(harness, made.id).document["OrganizationBPName1"] == "Neu"


def test_somebody_between_our_look_and_our_write_is_stale(harness):
    partner = harness.create("One")
    sap = harness.connector()

    def interfere(moment, request):
        if (moment, request.method) == ("before", "PATCH"):
            harness.clock.advance(1)
            harness.edit(partner, {"OrganizationBPName2": "First"})

    [seen] = sap.read(NAME, [partner])
    sap.session.edge._tap = interfere
    write = Write(Action.UPDATE, partner, fields={"OrganizationBPName1": "X"}, expected_version=seen.version)
    [outcome] = sap.write(NAME, [write])
    assert isinstance(outcome.error, Stale)
    assert harness.stored(partner)["OrganizationBPName1"] == "One"


@pytest.mark.parametrize("mode", ["optional", "required"])
def test_etags_are_sent_wherever_the_server_has_them(mode):
    harness = SapHarness(etags={ROOT: mode, "A_BusinessPartnerAddress": mode, "A_AddressEmailAddress": mode})
    made = born(harness)
    email = f"{DEFAULT}.to_EmailAddress[IsDefaultEmailAddress=true].EmailAddress"
    outcome = changed(harness, made.id, fields={"OrganizationBPName1": "X", f"{DEFAULT}.CityName": "Y", email: "a@b.c"})
    assert outcome.error is None, str(outcome.error)
    harness.close()


def test_an_etag_the_list_does_not_show_is_asked_for(monkeypatch):
    harness = SapHarness(etags={ROOT: "required"})
    partner = harness.create("One")
    renderer = type(harness.simulator.service.renderer)
    whole = renderer.entity

    def without(self, entity, row, select, expand):
        made = whole(self, entity, row, select, expand)
        if select:
            made["__metadata"].pop("etag", None)
        return made

    monkeypatch.setattr(renderer, "entity", without)
    assert changed(harness, partner, fields={"OrganizationBPName1": "Two"}).error is None
    assert harness.stored(partner)["OrganizationBPName1"] == "Two"
    harness.close()


def test_a_lost_batch_is_unknown_for_every_record_in_it(harness):
    made = [harness.create(f"Site {number}") for number in range(2)]
    harness.lose_answer()
    writes = [Write(Action.UPDATE, partner, fields={"OrganizationBPName1": "New"}) for partner in made]
    outcomes = harness.connector().write(NAME, writes)
    assert all(isinstance(outcome.error, UnknownOutcome) for outcome in outcomes)
    assert outcomes[0].error is not outcomes[1].error


def test_a_cut_answer_to_a_create_is_unknown(harness):
    harness.simulator.fail(method="POST", path="A_BusinessPartner", truncate=40)
    [outcome] = harness.connector().write(NAME, [Write(Action.CREATE, key="H-1", fields=new_partner())])
    assert isinstance(outcome.error, UnknownOutcome)
    assert harness.connector().read(NAME, [KeyRef("FSMHUB", "H-1")])[0].state is State.LIVE


def test_where_requests_are_repeatable_a_lost_create_is_repeated_by_itself():
    harness = SapHarness(repeatability=True)
    sap = harness.connector()
    create = [Write(Action.CREATE, key=f"H-{n}", fields={"OrganizationBPName1": f"N{n}"}) for n in range(2)]
    assert sap.write(NAME, create[:1])[0].error is None
    harness.lose_answer()
    [outcome] = sap.write(NAME, create[1:])
    assert outcome.created
    assert harness.simulator.counts()["rows"][ROOT] == 2
    harness.close()


def test_warnings_of_an_accepted_write_are_passed_on(harness):
    partner = harness.create("One")
    harness.simulator.service.warnings.append("Check the address")
    outcome = changed(harness, partner, fields={"OrganizationBPName1": "Two"})
    assert (outcome.error, outcome.warnings) == (None, ("Check the address",))


def test_an_external_number_range_needs_a_number_inside(harness):
    external = {**new_partner(), "BusinessPartnerGrouping": "BP01"}
    writes = [Write(Action.CREATE, fields={**external, "BusinessPartner": number}) for number in ("5000007", "7")]
    outcomes = harness.connector().write(FULL, writes)
    assert (outcomes[0].id, outcomes[0].error) == ("5000007", None)
    assert (type(outcomes[1].error), outcomes[1].error.field) == (Invalid, "BusinessPartner")


def test_wrong_paths_and_actions_spoil_only_their_record(harness):
    partner, other = harness.create("One"), harness.create("Two")
    writes = [
        Write("install", partner),
        Write(Action.UPDATE, other, fields={"OrganizationBPName1": "Three"}),
        Write(Action.CREATE, fields={"OrganisationName": "x"}),
        Write(Action.CREATE, fields={"BusinessPartnerFullName": "x"}),
    ]
    outcomes = harness.connector().write(NAME, writes)
    assert [type(outcome.error) for outcome in outcomes] == [Invalid, type(None), BadMapping, Invalid]
