"""The simulator's relationships and addresses as sets of their own, spoken to without the connector."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from connectors.sap.simulator import SapSimulator
from connectors.simulation import serving

COMPANY, PERSON = "1000000", "1000001"
END = "datetime'9999-12-31T00:00:00'"
PAIR = f"BusinessPartnerCompany='{COMPANY}',BusinessPartnerPerson='{PERSON}'"
KEY = f"RelationshipNumber='101',{PAIR},ValidityEndDate={END}"
JOB = f"A_BPContactToFuncAndDept({KEY})"
CONTACT = f"A_BusinessPartnerContact({KEY})"


@pytest.fixture
def simulator() -> SapSimulator:
    made = SapSimulator(etags={"A_BusinessPartnerContact": "optional", "A_BPContactToFuncAndDept": "required"})
    address = {"CityName": "Kiel", "Country": "DE", "to_EmailAddress": [{"EmailAddress": "info@firm.example"}]}
    made.edit("A_BusinessPartner", "", {"OrganizationBPName1": "Firm", "to_BusinessPartnerAddress": [address]})
    made.edit("A_BusinessPartner", "", {"BusinessPartnerCategory": "1", "LastName": "Lee"})
    return made


@pytest.fixture
def client(simulator) -> Iterator[httpx.Client]:
    with (
        serving(simulator) as url,
        httpx.Client(
            base_url=f"{url}/sap/opu/odata/sap/API_BUSINESS_PARTNER/",
            auth=(simulator.user, "simulated"),
            headers={"Accept": "application/json"},
        ) as made,
    ):
        made.headers["X-CSRF-Token"] = made.head("", headers={"X-CSRF-Token": "Fetch"}).headers["x-csrf-token"]
        yield made


def post(client, path="A_BusinessPartnerContact", **fields) -> httpx.Response:
    asked = {"BusinessPartnerCompany": COMPANY, "BusinessPartnerPerson": PERSON} | fields
    return client.post(path, json={name: value for name, value in asked.items() if value is not None})


def test_a_deep_insert_fills_the_row_of_function_and_department(client):
    made = post(client, to_ContactRelationship={"ContactPersonFunction": "0001", "EmailAddress": "kim@lee.example"})
    assert made.status_code == 201
    row = made.json()["d"]
    assert (row["RelationshipNumber"], row["RelationshipCategory"]) == ("101", "BUR001")
    assert (row["ValidityStartDate"], row["ValidityEndDate"]) == ("/Date(1767571200000)/", "/Date(253402214400000)/")
    assert row["to_ContactRelationship"]["EmailAddress"] == "kim@lee.example"
    assert client.get(f"{CONTACT}/to_ContactRelationship").json()["d"]["ContactPersonFunction"] == "0001"


def test_a_contact_is_also_made_below_its_company(client):
    path = f"A_BusinessPartner('{COMPANY}')/to_BusinessPartnerContact"
    assert post(client, path, BusinessPartnerCompany=None).status_code == 201
    [row] = client.get(path).json()["d"]["results"]
    assert (row["BusinessPartnerCompany"], row["BusinessPartnerPerson"]) == (COMPANY, PERSON)
    assert client.get(f"A_BusinessPartner('{PERSON}')/to_BusinessPartnerContact").json()["d"]["results"] == []


def test_the_sets_are_read_with_all_options(client, simulator):
    for number in range(5):
        person = simulator.edit("A_BusinessPartner", "", {"BusinessPartnerCategory": "1", "LastName": f"P{number}"})
        post(client, BusinessPartnerPerson=person["BusinessPartner"])
    options = {
        "$filter": f"BusinessPartnerCompany eq '{COMPANY}' and ValidityEndDate ge datetime'2026-01-05T00:00:00'",
        "$orderby": "RelationshipNumber",
        "$expand": "to_ContactRelationship,to_ContactAddress",
        "$select": "RelationshipNumber,to_ContactRelationship/EmailAddress,to_ContactAddress/CityName",
        "$skip": "1",
        "$top": "2",
        "$inlinecount": "allpages",
    }
    shown = client.get("A_BusinessPartnerContact", params=options).json()["d"]
    assert (shown["__count"], [row["RelationshipNumber"] for row in shown["results"]]) == ("5", ["102", "103"])
    assert shown["results"][0]["to_ContactRelationship"]["EmailAddress"] == ""
    addresses = client.get("A_BusinessPartnerAddress", params={"$expand": "to_EmailAddress"}).json()["d"]["results"]
    assert [row["to_EmailAddress"]["results"][0]["EmailAddress"] for row in addresses] == ["info@firm.example"]
    assert client.get(f"A_BusinessPartnerAddress(BusinessPartner='{COMPANY}',AddressID='24000')").status_code == 200


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"BusinessPartnerPerson": COMPANY}, "not a person"),
        ({"BusinessPartnerPerson": "404"}, "does not exist"),
        ({"BusinessPartnerCompany": "404"}, "does not exist"),
        ({"RelationshipCategory": "BUR010"}, "BUR001"),
        ({"ValidityEndDate": "/Date(0)/"}, "before its beginning"),
        ({"to_ContactAddress": [{"AddressID": "24000"}]}, "not supported"),
    ],
)
def test_what_is_refused_leaves_no_trace(client, simulator, fields, text):
    answer = post(client, **fields)
    assert answer.status_code in {400, 405}
    assert text in answer.json()["error"]["message"]["value"]
    assert simulator.counts()["rows"]["A_BusinessPartnerContact"] == 0


def test_a_pair_has_one_relationship_at_a_time(client):
    assert post(client, ValidityEndDate="/Date(1798675200000)/").status_code == 201
    assert post(client).status_code == 400
    assert post(client, ValidityStartDate="/Date(1798761600000)/").status_code == 201


def test_changes_need_the_etag_and_do_not_reach_the_key(client):
    post(client)
    etag = client.get(JOB).headers["etag"]
    assert client.patch(JOB, json={"PhoneNumber": "1"}).status_code == 428
    assert client.patch(JOB, json={"PhoneNumber": "1"}, headers={"If-Match": etag}).status_code == 204
    assert client.patch(JOB, json={"PhoneNumber": "2"}, headers={"If-Match": etag}).status_code == 412
    assert client.patch(CONTACT, json={"IsStandardRelationship": True}).status_code == 204
    assert client.patch(CONTACT, json={"ValidityEndDate": "/Date(1798675200000)/"}).status_code == 400


def test_the_row_of_function_and_department_comes_and_goes_with_the_relationship(client, simulator):
    post(client)
    assert client.post("A_BPContactToFuncAndDept", json={}).status_code == 405
    assert client.delete(JOB).status_code == 405
    assert client.delete(CONTACT).status_code == 204
    rows = simulator.counts()["rows"]
    assert (rows["A_BusinessPartnerContact"], rows["A_BPContactToFuncAndDept"]) == (0, 0)


def test_a_workplace_has_numbers_of_its_own_at_the_companys_address(client, simulator):
    place = {"AddressID": "24000", "to_MobilePhoneNumber": [{"PhoneNumber": "0171 5"}]}
    pair = {"BusinessPartnerCompany": COMPANY, "BusinessPartnerPerson": PERSON, "to_ContactAddress": [place]}
    simulator.seed([pair], name="A_BusinessPartnerContact")
    options = {"$expand": "to_ContactAddress/to_MobilePhoneNumber"}
    [row] = client.get("A_BusinessPartnerContact", params=options).json()["d"]["results"]
    [shown] = row["to_ContactAddress"]["results"]
    assert shown["CityName"] == "Kiel"
    assert [number["PhoneNumber"] for number in shown["to_MobilePhoneNumber"]["results"]] == ["0171 5"]
    address = f"A_BusinessPartnerAddress(BusinessPartner='{COMPANY}',AddressID='24000')/to_MobilePhoneNumber"
    assert client.get(address).json()["d"]["results"] == []


def test_the_end_of_purpose_block_hides_the_relationship_too(client, simulator):
    post(client)
    simulator.hide(PERSON)
    assert client.get("A_BusinessPartnerContact").json()["d"]["results"] == []
    assert client.get(CONTACT).status_code == 404
