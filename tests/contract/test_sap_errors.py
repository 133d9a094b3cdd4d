"""SAP's refusals and breakdowns, each sorted by its remedy.

Not here: transport failures common to all systems.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from connectors.sap.errors import csrf_required, field_of, refusal, warnings_of
from fsm_core.errors import (
    BadMapping,
    Duplicate,
    HubError,
    Invalid,
    Locked,
    MissingPermission,
    NotFound,
    Stale,
    Unauthorised,
    UnknownOutcome,
    Unreachable,
)
from fsm_core.ports import Action, Write
from tests.contract.harness_sap import SapHarness
from tests.contract.sap_words import AREA, DEFAULT, NAME, SHIP_TO


def envelope(status: int, code: str = "SY/530", text: str = "No", detail: str = "") -> httpx.Response:
    details = [{"code": detail, "message": text, "severity": "error"}] if detail else []
    message = {"lang": "en", "value": text}
    body = {"error": {"code": code, "message": message, "innererror": {"errordetails": details}}}
    return httpx.Response(status, json=body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Unauthorised),
        (403, MissingPermission),
        (404, NotFound),
        (405, Invalid),
        (409, Duplicate),
        (412, Stale),
        (415, BadMapping),
        (423, Locked),
        (500, UnknownOutcome),
    ],
)
def test_statuses_of_a_write(status, kind):
    error = refusal(envelope(status), writing=True)
    assert type(error) is kind
    assert (error.message.split(" ")[0], error.code) == ("No", "SY/530")


def test_a_dump_on_a_read_may_be_tried_again():
    assert type(refusal(envelope(500), writing=False)) is Unreachable


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("R1/110", "Business partner 1000021 is currently being processed by user MILLER"),
        ("X/000", "Transaction is being processed by user SAP_WFRT"),
        ("X/000", "Customer 1000021 is locked by MILLER"),
        ("MC/601", "Objekt ist gesperrt"),
    ],
)
def test_a_lock_is_a_400_to_be_waited_for(code, text):
    assert type(refusal(envelope(400, code, text), writing=True)) is Locked


def test_a_lock_among_the_details_counts():
    assert type(refusal(envelope(400, "X/1", "Failed", "MC/601"), writing=True)) is Locked


def test_atom_errors_are_read_too():
    body = (
        '<error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
        '<code>005056</code><message xml:lang="en">Invalid value</message></error>'
    )
    error = refusal(httpx.Response(400, text=body, headers={"content-type": "application/xml"}), writing=True)
    assert (type(error), error.code, error.message) == (Invalid, "005056", "Invalid value")


@pytest.mark.parametrize("writing", [True, False])
@pytest.mark.parametrize(
    "page",
    [
        httpx.Response(200, html="<html><title>Logon</title></html>"),
        httpx.Response(302, headers={"location": "https://idp.example/saml"}),
    ],
)
def test_a_log_on_page_is_no_answer(page, writing):
    assert type(refusal(page, writing=writing)) is (UnknownOutcome if writing else Unauthorised)


def test_only_the_header_makes_a_403_a_matter_of_csrf():
    assert csrf_required(httpx.Response(403, headers={"X-CSRF-Token": "required"}))
    assert not csrf_required(httpx.Response(403))
    assert not csrf_required(httpx.Response(400, headers={"X-CSRF-Token": "Required"}))


@pytest.mark.parametrize(
    ("prop", "field"),
    [
        ("A_BusinessPartnerAddress/PostalCode", f"{DEFAULT}.PostalCode"),
        ("PostalCode", f"{DEFAULT}.PostalCode"),
        ("A_CustomerSalesArea/BillingIsBlockedForCustomer", f"{AREA}.BillingIsBlockedForCustomer"),
        ("A_Customer/BillingIsBlockedForCustomer", "to_Customer.BillingIsBlockedForCustomer"),
        ("A_BusinessPartner/LegalForm", "A_BusinessPartner.LegalForm"),
        ("", ""),
    ],
)
def test_the_field_is_named_by_the_path_we_sent(prop, field):
    written = [
        f"{DEFAULT}.PostalCode",
        f"{SHIP_TO}.PostalCode",
        f"{AREA}.BillingIsBlockedForCustomer",
        "to_Customer.BillingIsBlockedForCustomer",
    ]
    assert field_of(prop, written) == field


def test_warnings_of_the_header():
    details = [{"message": "second", "severity": "warning"}, {"message": "fyi", "severity": "info"}]
    header = json.dumps({"code": "R1/300", "message": "first", "severity": "warning", "details": details})
    assert warnings_of(httpx.Response(201, headers={"sap-message": header})) == ("first", "second")
    assert warnings_of(httpx.Response(201, headers={"sap-message": "plain"})) == ("plain",)
    assert warnings_of(httpx.Response(201)) == ()


# -- against the simulator ---------------------------------------------------------------------


@pytest.fixture
def harness() -> Iterator[SapHarness]:
    made = SapHarness()
    yield made
    made.close()


def renamed(harness, partner, **settings) -> HubError | None:
    writes = [Write(Action.UPDATE, partner, fields={"OrganizationBPName1": "New"})]
    return harness.connector(**settings).write(NAME, writes)[0].error


def test_a_locked_partner(harness):
    partner = harness.create("One")
    harness.simulator.lock_partner(partner)
    assert isinstance(renamed(harness, partner), Locked)
    harness.simulator.unlock_partner(partner)
    assert renamed(harness, partner) is None


def test_wrong_password(harness):
    sap = harness.connector(password="wrong")
    for call in (sap.check, lambda: list(sap.changes(NAME, None)), lambda: sap.read(NAME, ["1"])):
        with pytest.raises(Unauthorised):
            call()


def test_wrong_client(harness):
    with pytest.raises(Unauthorised):
        harness.connector(sap_client="200").check()


def test_oauth_log_on(harness):
    oauth = {"token_url": f"{harness.url}/sap/bc/sec/oauth2/token", "client_id": "fsm-hub", "user": "", "password": ""}
    sap = harness.connector(**oauth, client_secret="simulated", technical_user=harness.simulator.user)
    assert sap.check().user == harness.simulator.user
    harness.simulator.door.tokens.clear()
    assert sap.read(NAME, [harness.create("One")])[0].document["OrganizationBPName1"] == "One"
    with pytest.raises(Unauthorised):
        harness.connector(**oauth, client_secret="wrong").check()


def test_a_wrong_service_path(harness):
    with pytest.raises(BadMapping):
        harness.connector(business_partner="/sap/opu/odata/sap/API_BUSINESSPARTNER").check()


def test_a_missing_authorisation(harness):
    partner = harness.create("One")
    harness.simulator.service.forbidden.add("A_BusinessPartner")
    with pytest.raises(MissingPermission):
        harness.connector().read(NAME, [partner])


def test_a_log_on_page_while_reading_and_while_writing(harness):
    partner = harness.create("One")
    sap = harness.connector()
    sap.check()
    page = {"status": 200, "body": "<html>Logon</html>", "content_type": "text/html"}
    harness.simulator.fail(method="GET", **page)
    with pytest.raises(Unauthorised):
        sap.read(NAME, [partner])
    harness.simulator.fail(method="PATCH", **page)
    [outcome] = sap.write(NAME, [Write(Action.UPDATE, partner, fields={"OrganizationBPName1": "x"})])
    assert isinstance(outcome.error, UnknownOutcome)


def test_a_dump_in_a_batch_is_unknown_for_all(harness):
    made = [harness.create("One"), harness.create("Two")]
    harness.simulator.fail(method="POST", path="batch", status=500, body="{}")
    writes = [Write(Action.UPDATE, partner, fields={"OrganizationBPName1": "New"}) for partner in made]
    assert [type(w.error) for w in harness.connector().write(NAME, writes)] == [UnknownOutcome] * 2


def test_a_cut_read_is_tried_again_by_the_caller(harness):
    partner = harness.create("One")
    sap = harness.connector()
    sap.check()
    harness.simulator.fail(method="GET", truncate=30)
    with pytest.raises(Unreachable):
        sap.read(NAME, [partner])


def test_a_session_idle_for_an_hour(harness):
    partner = harness.create("One")
    sap = harness.connector()
    sap.check()
    harness.clock.advance(3600)
    writes = [Write(Action.UPDATE, partner, fields={"OrganizationBPName1": "New"})]
    assert sap.write(NAME, writes)[0].error is None


def test_a_misconfiguration_before_anything_was_sent_is_raised(harness):
    with pytest.raises(Unauthorised):
        harness.connector(password="wrong").write(NAME, [Write(Action.CREATE, fields={"OrganizationBPName1": "x"})])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({f"{DEFAULT}.PostalCode": "1234", f"{DEFAULT}.Country": "DE"}, f"{DEFAULT}.PostalCode"),
        ({f"{DEFAULT}.Country": "XQ"}, f"{DEFAULT}.Country"),
        ({f"{DEFAULT}.StreetName": "x"}, f"{DEFAULT}.Country"),
        ({"to_BusinessPartnerTax[BPTaxType=DE0].BPTaxNumber": "DE136695975"}, "BPTaxNumber"),
        ({"BusinessPartnerGrouping": "ZZZZ"}, "BusinessPartnerGrouping"),
    ],
)
def test_values_the_application_refuses(harness, fields, field):
    write = Write(Action.CREATE, key="H-1", fields={"OrganizationBPName1": "x", **fields})
    [outcome] = harness.connector().write(NAME, [write])
    assert isinstance(outcome.error, Invalid)
    assert outcome.error.field.endswith(field.rpartition(".")[2])
    assert harness.simulator.counts()["rows"]["A_BusinessPartner"] == 0
