"""What goes over the wire for a Location and its parts, and for Contacts, byte for byte where it matters.

Not here: what all objects have in common (`test_salesforce_wire.py`).
"""

from __future__ import annotations

import json
import re

import httpx

from fsm_core.ports import Action, Object, Row, Write
from tests.contract.test_salesforce_wire import DATA, EMPTY, ID_A, ID_B, org, sf, slept, soql

__all__ = ["org", "sf", "slept"]

LOCATION = Object(
    "Location",
    ("Name", "VisitorAddress.City", "AssociatedLocations.ParentRecordId"),
    "FSM_Hub_Id__c",
    "IsMobile = false",
)
L_A, A_A, S_A = "1315g0000000001AAA", "1305g0000000001AAA", "1AR5g0000000001AAA"


def test_the_query_of_a_location_asks_for_its_parts(sf, org):
    list(sf.changes(LOCATION, None))
    assert soql(org["query"]) == (
        "SELECT Id,SystemModstamp,LastModifiedById,IsDeleted,Name,FSM_Hub_Id__c,VisitorAddressId,VisitorAddress.Id,"
        "VisitorAddress.SystemModstamp,VisitorAddress.LastModifiedById,VisitorAddress.City,VisitorAddress.IsDeleted,"
        "(SELECT Id,SystemModstamp,LastModifiedById,ParentRecordId FROM AssociatedLocations WHERE IsDeleted = false "
        "ORDER BY ActiveTo DESC NULLS FIRST,CreatedDate,Id) FROM Location WHERE (IsMobile = false) "
        "ORDER BY SystemModstamp,Id"
    )


def test_a_poll_asks_for_changed_parts_and_then_for_their_locations(sf, org):
    headers = {"Date": "Mon, 05 Jan 2026 08:00:00 GMT"}
    org["query"].respond(json=EMPTY, headers=headers)
    cursor = list(sf.changes(LOCATION, None))[-1].cursor
    moved = {"SystemModstamp": "2026-01-05T07:59:00.000+0000", "LastModifiedById": ID_A, "IsDeleted": False}
    parts = [{"Id": A_A, "ParentId": L_A, "City": "Bonn", **moved}]
    parts.append({**parts[0], "Id": A_A.replace("1AAA", "2AAA"), "IsDeleted": True})
    org["query"].mock(
        side_effect=[
            httpx.Response(200, json=answer, headers=headers)
            for answer in (EMPTY, {**EMPTY, "records": parts}, EMPTY, EMPTY, EMPTY)
        ]
    )
    list(sf.changes(LOCATION, cursor))
    asked = [soql(org["query"], place) for place in range(1, 6)]
    selected = [query.partition(" FROM ")[0] for query in (asked[1], asked[4])]
    system = "SELECT Id,SystemModstamp,LastModifiedById,IsDeleted"
    assert selected == [f"{system},ParentId,City", f"{system},LocationId,ParentRecordId"]
    since = r"WHERE SystemModstamp >= 2026-01-05T07:(49|50):\d\d.000Z ORDER BY SystemModstamp,Id"
    assert re.search(f"FROM Address {since}$", asked[1])
    assert re.search(f"FROM AssociatedLocation {since}$", asked[4])
    assert asked[2].endswith(f"WHERE VisitorAddressId IN ('{A_A}') AND (IsMobile = false)")
    assert asked[3].endswith(f"WHERE Id IN ('{L_A}') AND (IsMobile = false)")


def test_a_location_with_parts_is_written_object_by_object(sf, org):
    def saved(id_: str, **more: bool) -> httpx.Response:
        return httpx.Response(200, json=[{"id": id_, "success": True, "errors": [], **more}])

    upsert = org.patch(f"{DATA}/composite/sobjects/Location/FSM_Hub_Id__c").mock(return_value=saved(L_A, created=True))
    create = org.post(f"{DATA}/composite/sobjects").mock(side_effect=[saved(A_A), saved(S_A)])
    update = org.patch(f"{DATA}/composite/sobjects").mock(return_value=saved(L_A))
    fields = {
        "Name": "Hall",
        "LocationType": "Site",
        "VisitorAddress": (Row({}, {"City": "Bonn", "State": None}),),
        "AssociatedLocations": (Row({}, {"ParentRecordId": ID_A}),),
    }
    [outcome] = sf.write(LOCATION, [Write(Action.CREATE, key="H-1", fields=fields)])
    assert (outcome.id, outcome.created, outcome.error) == (L_A, True, None)
    bodies = [json.loads(call.request.content) for route in (upsert, create, update) for call in route.calls]
    assert [body["records"] for body in bodies] == [
        [{"attributes": {"type": "Location"}, "Name": "Hall", "LocationType": "Site", "FSM_Hub_Id__c": "H-1"}],
        [{"attributes": {"type": "Address"}, "LocationType": "Site", "City": "Bonn", "ParentId": L_A}],
        [{"attributes": {"type": "AssociatedLocation"}, "ParentRecordId": ID_A, "LocationId": L_A}],
        [{"attributes": {"type": "Location"}, "VisitorAddressId": A_A, "Id": L_A}],
    ]
    assert {body["allOrNone"] for body in bodies} == {False}


def test_what_is_there_is_looked_up_before_a_part_is_added(sf, org):
    org.patch(f"{DATA}/composite/sobjects").respond(json=[{"id": A_A, "success": True, "errors": []}])
    row = {"Id": L_A, "IsDeleted": False, "LocationType": "Site", "VisitorAddressId": A_A}
    org["query"].respond(
        json={**EMPTY, "records": [{**row, "VisitorAddress": {"IsDeleted": False, "ParentId": L_A}, "Addresses": None}]}
    )
    [outcome] = sf.write(LOCATION, [Write(Action.UPDATE, L_A, fields={"VisitorAddress": (Row({}, {"City": "Bonn"}),)})])
    assert outcome.error is None
    me = "0055g0000000002AAA"
    mine = f"IsDeleted = false AND CreatedById = '{me}' AND LastModifiedById = '{me}'"
    addresses = f"(SELECT Id FROM Addresses WHERE {mine} ORDER BY CreatedDate DESC,Id DESC)"  # noqa: S608 - compared
    asked = f"Id,IsDeleted,LocationType,VisitorAddressId,VisitorAddress.IsDeleted,VisitorAddress.ParentId,{addresses}"
    assert soql(org["query"]) == f"SELECT {asked} FROM Location WHERE Id IN ('{L_A}')"  # noqa: S608 - compared
    assert json.loads(org.calls.last.request.content)["records"] == [
        {"attributes": {"type": "Address"}, "City": "Bonn", "Id": A_A}
    ]


def test_contacts_of_one_account_stand_together(sf, org):
    route = org.patch(f"{DATA}/composite/sobjects").mock(
        side_effect=lambda request: httpx.Response(
            200,
            json=[{"id": one["Id"], "success": True, "errors": []} for one in json.loads(request.content)["records"]],
        )
    )
    contacts = [(f"0035500001Qd{number:03d}", ID_A if number % 2 else ID_B) for number in range(4)]
    writes = [Write(Action.UPDATE, id_, fields={"AccountId": account}) for id_, account in contacts]
    outcomes = sf.write(Object("Contact"), writes)
    assert [outcome.id[:15] for outcome in outcomes] == [id_ for id_, _ in contacts]
    sent = [one["AccountId"] for one in json.loads(route.calls.last.request.content)["records"]]
    assert sent == [ID_B, ID_B, ID_A, ID_A]
