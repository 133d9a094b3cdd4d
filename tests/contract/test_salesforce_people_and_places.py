"""The simulated org's Contact, Location, Address and AssociatedLocation by themselves.

Not here: what the connector makes of them (`test_salesforce_parts.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.salesforce.simulator import SalesforceSimulator
from connectors.salesforce.simulator_store import Refusal

DATA = "/services/data/v62.0"
FACTS: dict[str, Any] = json.loads((Path(__file__).parent / "salesforce_fixtures" / "location_facts.json").read_text())
PROPERTIES = [(name, field) for name, fields in FACTS["properties"].items() for field in fields]
GONE = "0015g00000zzzzzAAA"
STAMPED = "2026-01-01T08:00:00.000+0000"


@pytest.fixture
def org() -> SalesforceSimulator:
    return SalesforceSimulator()


@pytest.fixture
def web(org) -> Iterator[httpx.Client]:
    with httpx.Client(transport=httpx.WSGITransport(org), base_url="http://org.test") as client:
        form = {"grant_type": "client_credentials", "client_id": "hub-client", "client_secret": "hub-secret"}
        token = client.post("/services/oauth2/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


@pytest.fixture
def account(org) -> str:
    return org.edit("Account", "", {"Name": "Customer"})["Id"]


@pytest.fixture
def site(org, account) -> dict[str, str]:
    """Ids of a location, its address and its association, all stamped long ago."""
    location = org.edit("Location", "", {"Name": "Hall", "LocationType": "Site"})["Id"]
    address = org.edit("Address", "", {"ParentId": location, "City": "Bonn"})["Id"]
    org.edit("Location", location, {"VisitorAddressId": address})
    link = org.edit("AssociatedLocation", "", {"LocationId": location, "ParentRecordId": account})["Id"]
    for name in ("Location", "Address", "AssociatedLocation"):
        for row in org.store.tables[name].values():
            row["SystemModstamp"] = STAMPED
    return {"Location": location, "Address": address, "AssociatedLocation": link}


def create(web: httpx.Client, name: str, **fields: Any) -> httpx.Response:
    return web.post(f"{DATA}/sobjects/{name}", json=fields)


def code(answer: httpx.Response) -> tuple[int, str, list[str]]:
    [error] = answer.json()
    return answer.status_code, error["errorCode"], error.get("fields", [])


def query(web: httpx.Client, soql: str, resource: str = "queryAll") -> list[dict[str, Any]]:
    return web.get(f"{DATA}/{resource}/", params={"q": soql}).json()["records"]


def stamps(org: SalesforceSimulator, site: dict[str, str]) -> set[str]:
    """The objects of the site that were stamped anew."""
    return {name for name, id_ in site.items() if org.store.tables[name][id_]["SystemModstamp"] != STAMPED}


# -- fields ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FACTS["names"])
def test_only_fields_salesforce_has_and_ours(org, name):
    ours = {field for field in org.store.objects[name].fields if field.endswith("__c")}
    assert set(org.store.objects[name].fields) - ours <= set(FACTS["names"][name])
    assert all(field.startswith("FSM_") for field in ours)


@pytest.mark.parametrize(("name", "field"), PROPERTIES)
def test_properties_are_those_of_the_object_reference(web, name, field):
    described = web.get(f"{DATA}/sobjects/{name}/describe").json()
    [found] = [one for one in described["fields"] if one["name"] == field]
    words = {
        "nillable": found["nillable"],
        "create": found["createable"],
        "defaulted": found["defaultedOnCreate"],
        "idLookup": found["idLookup"],
        "restricted": found["restrictedPicklist"],
        "update": found["updateable"],
    }
    assert {word for word, said in words.items() if said} == set(FACTS["properties"][name][field].split())


@pytest.mark.parametrize(
    ("name", "fields", "refused"),
    [
        ("Contact", {"FirstName": "Kim"}, (400, "REQUIRED_FIELD_MISSING", ["LastName"])),
        ("Contact", {"LastName": "Lee", "AccountId": GONE}, (400, "INVALID_CROSS_REFERENCE_KEY", ["AccountId"])),
        ("Contact", {"LastName": "Lee", "Name": "Kim Lee"}, (400, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"])),
        ("Contact", {"LastName": "Lee", "Email": "kim"}, (400, "INVALID_EMAIL_ADDRESS", ["Email"])),
        ("Contact", {"LastName": "L" * 81}, (400, "STRING_TOO_LONG", ["LastName"])),
        (
            "Contact",
            {"LastName": "L", "OtherAddress": None},
            (400, "INVALID_FIELD_FOR_INSERT_UPDATE", ["OtherAddress"]),
        ),
        ("Location", {"Name": "Hall"}, (400, "REQUIRED_FIELD_MISSING", ["LocationType"])),
        (
            "Location",
            {"Name": "Hall", "LocationType": "Site", "TimeZone": "Europe/Bonn"},
            (400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["TimeZone"]),
        ),
        ("Address", {"City": "Bonn"}, (400, "REQUIRED_FIELD_MISSING", ["ParentId"])),
        ("AssociatedLocation", {}, (400, "REQUIRED_FIELD_MISSING", ["LocationId", "ParentRecordId"])),
    ],
)
def test_what_is_not_taken(web, name, fields, refused):
    assert code(create(web, name, **fields)) == refused


def test_compound_fields_are_worked_out(org, web, account, site):
    person = {"FirstName": "Kim", "LastName": "Lee", "AccountId": account, "MailingCity": "Bonn"}
    contact = create(web, "Contact", **person).json()["id"]
    [person] = query(web, f"SELECT Name,MailingAddress,OtherAddress,Account.Name FROM Contact WHERE Id = '{contact}'")  # noqa: S608 - a simulator's
    assert (person["Name"], person["OtherAddress"]) == ("Kim Lee", None)
    assert person["MailingAddress"]["city"] == "Bonn"
    assert person["Account"]["Name"] == "Customer"
    org.edit("Location", site["Location"], {"Latitude": 50.5, "Longitude": "7.1"})
    [place] = query(web, "SELECT Location FROM Location")
    assert place["Location"] == {"latitude": 50.5, "longitude": 7.1}


def test_an_address_gets_number_and_defaults_and_stays_with_its_location(org, web, site):
    other = org.edit("Location", "", {"Name": "Yard", "LocationType": "Site"})["Id"]
    row = org.store.tables["Address"][site["Address"]]
    assert (row["AddressType"], row["LocationType"], row["Name"][:3]) == ("Mailing", "Warehouse", "AD-")
    moved = web.patch(f"{DATA}/sobjects/Address/{site['Address']}", json={"ParentId": other})
    assert code(moved) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE", ["ParentId"])
    moved = web.patch(f"{DATA}/sobjects/AssociatedLocation/{site['AssociatedLocation']}", json={"LocationId": other})
    assert moved.status_code == 204


# -- stamps, locks, deletions ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fields"),
    [("Address", {"City": "Köln"}), ("AssociatedLocation", {"Type": "Bill To"}), ("Location", {"Name": "Hall 2"})],
)
def test_each_record_has_a_stamp_of_its_own(org, site, name, fields):
    org.edit(name, site[name], fields)
    assert stamps(org, site) == {name}


def test_a_child_cannot_be_saved_while_its_parent_is_locked(org, web, account, site):
    contact = org.edit("Contact", "", {"LastName": "Lee", "AccountId": account})["Id"]
    org.store.locked.add(account)
    assert code(web.patch(f"{DATA}/sobjects/Contact/{contact}", json={"Title": "Dr."}))[1] == "UNABLE_TO_LOCK_ROW"
    link = f"{DATA}/sobjects/AssociatedLocation/{site['AssociatedLocation']}"
    assert code(web.patch(link, json={"Type": "Ship To"}))[1] == "UNABLE_TO_LOCK_ROW"
    assert web.patch(f"{DATA}/sobjects/Address/{site['Address']}", json={"City": "Köln"}).status_code == 204


def test_a_deleted_location_takes_its_records_along_and_brings_them_back(org, site):
    org.remove("Location", site["Location"])
    assert all(org.store.tables[name][id_]["IsDeleted"] for name, id_ in site.items())
    assert stamps(org, site) == {"Location"}, "the harder case: a cascade stamps nothing"
    org.undelete("Location", site["Location"])
    assert not any(org.store.tables[name][id_]["IsDeleted"] for name, id_ in site.items())


def test_an_org_whose_cascades_leave_stamps(org, account):
    org.store.relations.stamps_cascades = True
    contact = org.edit("Contact", "", {"LastName": "Lee", "AccountId": account})["Id"]
    org.clock.advance(60)
    org.remove("Account", account)
    row = org.store.tables["Contact"][contact]
    assert row["IsDeleted"]
    assert row["SystemModstamp"] == org.store.tables["Account"][account]["SystemModstamp"]


def test_a_deleted_address_leaves_no_pointer_and_no_stamp(org, site):
    org.remove("Address", site["Address"])
    assert org.store.tables["Location"][site["Location"]]["VisitorAddressId"] is None
    assert stamps(org, site) == {"Address"}


def test_nothing_new_is_saved_below_what_is_deleted(org, account):
    org.remove("Account", account)
    with pytest.raises(Refusal) as refused:
        org.edit("Contact", "", {"LastName": "Lee", "AccountId": account})
    assert refused.value.code == "INVALID_CROSS_REFERENCE_KEY"


def test_a_merge_of_accounts_moves_contacts_and_associations_and_stamps_them(org, account, site):
    contact = org.edit("Contact", "", {"LastName": "Lee", "AccountId": account})["Id"]
    winner = org.edit("Account", "", {"Name": "Winner"})["Id"]
    org.clock.advance(60)
    org.merge("Account", winner, [account])
    person, link = (
        org.store.tables["Contact"][contact],
        org.store.tables["AssociatedLocation"][site["AssociatedLocation"]],
    )
    assert (person["AccountId"], link["ParentRecordId"]) == (winner, winner)
    assert not person["IsDeleted"]
    assert not link["IsDeleted"]
    assert person["SystemModstamp"] == link["SystemModstamp"] > STAMPED
    assert stamps(org, site) == {"AssociatedLocation"}


# -- subqueries --------------------------------------------------------------------------------

LINKED = "SELECT Id,(SELECT Id,Type FROM AssociatedLocations WHERE Type = 'Ship To' ORDER BY Id) FROM Location"


def test_children_are_a_query_answer_of_their_own_or_null(org, web, account, site):
    [bare] = query(web, LINKED)
    assert bare["AssociatedLocations"] is None
    org.edit("AssociatedLocation", site["AssociatedLocation"], {"Type": "Ship To"})
    [linked] = query(web, LINKED)
    page = linked["AssociatedLocations"]
    assert (page["totalSize"], page["done"]) == (1, True)
    assert page["records"][0]["attributes"]["type"] == "AssociatedLocation"
    assert page["records"][0]["Type"] == "Ship To"


def test_a_long_list_of_children_has_pages(org, web, account, site):
    for _ in range(4):
        org.edit("AssociatedLocation", "", {"LocationId": site["Location"], "ParentRecordId": account})
    org.queries.child_limit = 2
    [row] = query(web, "SELECT Id,(SELECT Id FROM AssociatedLocations) FROM Location")
    page, found = row["AssociatedLocations"], 0
    while True:
        found += len(page["records"])
        if page["done"]:
            break
        page = web.get(page["nextRecordsUrl"]).json()
    assert (page["totalSize"], found) == (5, 5)


def test_deleted_children_are_listed_by_query_all_only(org, web, site):
    org.remove("AssociatedLocation", site["AssociatedLocation"])
    soql = "SELECT Id,(SELECT Id FROM AssociatedLocations) FROM Location"
    assert [row["AssociatedLocations"] for row in query(web, soql, "query")] == [None]
    assert len(query(web, soql)[0]["AssociatedLocations"]["records"]) == 1


def test_open_ends_first_then_the_last_to_end(org, web, account, site):
    def link(ends: str | None) -> str:
        values = {"LocationId": site["Location"], "ParentRecordId": account, "ActiveTo": ends}
        return org.edit("AssociatedLocation", "", values)["Id"]

    early, late = link("2026-01-01T00:00:00Z"), link("2026-02-01T00:00:00Z")
    [row] = query(
        web, "SELECT Id,(SELECT Id FROM AssociatedLocations ORDER BY ActiveTo DESC NULLS FIRST) FROM Location"
    )
    found = [child["Id"] for child in row["AssociatedLocations"]["records"]]
    assert found == [site["AssociatedLocation"], late, early]


@pytest.mark.parametrize(
    ("soql", "refused"),
    [
        ("SELECT Id,(SELECT Id FROM Address) FROM Location", "INVALID_TYPE"),
        ("SELECT Id,(SELECT Nix FROM Addresses) FROM Location", "INVALID_FIELD"),
        ("SELECT Id,(SELECT Id,(SELECT Id FROM Addresses) FROM ChildLocations) FROM Location", "MALFORMED_QUERY"),
        ("SELECT Id,(SELECT Id FROM Addresses FROM Location", "MALFORMED_QUERY"),
        ("SELECT Id FROM Location,(SELECT Id FROM Addresses)", "MALFORMED_QUERY"),
    ],
)
def test_subqueries_that_are_refused(web, site, soql, refused):
    assert code(web.get(f"{DATA}/query/", params={"q": soql}))[:2] == (400, refused)
