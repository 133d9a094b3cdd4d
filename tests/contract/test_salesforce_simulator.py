"""The simulated org by itself: what the connector never asks for, but a person checking its honesty would.

Not here: shapes that were recorded (`test_salesforce_recorded.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors.salesforce.ids import full_id, is_id
from connectors.salesforce.simulator import SalesforceSimulator
from connectors.salesforce.simulator_schema import made, reference, text

DATA = "/services/data/v62.0"
KEY = f"{DATA}/sobjects/Account/FSM_Hub_Id__c"


@pytest.fixture
def org() -> SalesforceSimulator:
    simulator = SalesforceSimulator()
    simulator.store.add_object(
        made("Contact", "003", text("LastName", 80, nillable=False), reference("AccountId", "Account"))
    )
    return simulator


@pytest.fixture
def web(org) -> Iterator[httpx.Client]:
    with httpx.Client(transport=httpx.WSGITransport(org), base_url="http://org.test") as client:
        client.headers["Authorization"] = f"Bearer {login(client).json()['access_token']}"
        yield client


def login(web: httpx.Client, **changed: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": "hub-client", "client_secret": "hub-secret", **changed}
    return web.post("/services/oauth2/token", data=form)


def query(web: httpx.Client, soql: str, resource: str = "query"):
    return web.get(f"{DATA}/{resource}/", params={"q": soql}).json()


def names(web: httpx.Client, where: str) -> list[str]:
    return [row["Name"] for row in query(web, f"SELECT Name FROM Account WHERE {where} ORDER BY Name")["records"]]  # noqa: S608 - a simulator's


# -- OAuth and limits --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "wrong"}, "invalid_client_id"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}, "invalid_grant"),
    ],
)
def test_token_requests_are_refused_with_an_object(web, changed, error):
    refused = login(web, **changed)
    assert (refused.status_code, refused.json()["error"]) == (400, error)


def test_a_token_tells_instance_and_identity(org, web):
    org.instance_url = "http://elsewhere.test"
    token = login(web).json()
    assert token["instance_url"] == "http://elsewhere.test"
    assert token["id"] == f"http://org.test/id/{org.organization}/{org.hub_user}"
    assert web.get("/services/oauth2/userinfo").json()["user_id"] == org.hub_user


def test_sessions_end(org, web):
    org.app.token_life = 60
    assert web.get(f"{DATA}/limits").status_code == 200
    org.clock.advance(61)
    refused = web.get(f"{DATA}/limits")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


def test_every_answer_tells_the_quota_and_the_org_s_clock(org, web):
    answer = web.get(f"{DATA}/limits")
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=1/100000"
    assert answer.headers["Date"] == "Mon, 05 Jan 2026 08:00:00 GMT"
    org.api_limit = 1
    refused = web.get(f"{DATA}/limits")
    assert (refused.status_code, refused.json()) == (
        403,
        [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}],
    )


def test_versions_are_listed(web):
    assert {"62.0"} <= {version["version"] for version in web.get("/services/data").json()}


# -- records -----------------------------------------------------------------------------------


def test_ids_are_of_18_characters_with_a_fitting_suffix(org):
    found = [org.edit("Account", "", {"Name": str(number)})["Id"] for number in range(100)]
    assert all(is_id(id_) and id_.startswith("001") and full_id(id_[:15]) == id_ for id_ in found)
    assert len({id_.lower() for id_ in found}) == 100


@pytest.mark.parametrize(
    ("version", "status", "tells"), [("62.0", 200, True), ("46.0", 200, True), ("45.0", 204, False)]
)
def test_an_upsert_answers_by_version(web, version, status, tells):
    url = KEY.replace("62.0", version) + "/H-1"
    first = web.patch(url, json={"Name": "A"})
    assert (first.status_code, first.json()["created"]) == (201, True)
    again = web.patch(url, json={"Name": "B"})
    assert (again.status_code, bool(again.content)) == (status, tells)
    if tells:
        assert again.json() == {"id": first.json()["id"], "success": True, "errors": [], "created": False}


def test_an_external_id_that_is_not_unique_offers_a_choice(org, web):
    org.store.objects["Account"].add(text("Loose__c", 20, external_id=True))
    ids = [org.edit("Account", "", {"Name": name, "Loose__c": "same"})["Id"] for name in "AB"]
    choice = web.patch(f"{DATA}/sobjects/Account/Loose__c/SAME", json={"Name": "C"})
    assert (choice.status_code, choice.json()) == (300, [f"{DATA}/sobjects/Account/{id_}" for id_ in ids])
    assert sorted(row["Name"] for row in org.rows("Account")) == ["A", "B"]


def test_single_records(org, web):
    id_ = web.post(f"{DATA}/sobjects/Account", json={"Name": "A", "Site": ""}).json()["id"]
    shown = web.get(f"{DATA}/sobjects/Account/{id_[:15]}", params={"fields": "Name,Site"}).json()
    assert (shown["Name"], shown["Site"]) == ("A", None)
    patched = web.patch(f"{DATA}/sobjects/Account/{id_}", json={"Site": "S"})
    assert (patched.status_code, patched.content) == (204, b"")
    assert web.delete(f"{DATA}/sobjects/Account/{id_}").status_code == 204
    assert web.get(f"{DATA}/sobjects/Account/{id_}").json()[0]["errorCode"] == "ENTITY_IS_DELETED"
    assert web.patch(f"{KEY}/H-9", json={"Name": "A"}, params={"updateOnly": "true"}).status_code == 404


def test_an_equal_value_moves_the_stamps_all_the_same(org, web):
    id_ = org.edit("Account", "", {"Name": "A"})["Id"]
    org.clock.advance(60)
    web.patch(f"{DATA}/sobjects/Account/{id_}", json={"Name": "A"})
    [row] = org.rows("Account")
    assert row["SystemModstamp"] == "2026-01-05T08:01:00.000+0000"
    assert (row["CreatedById"], row["LastModifiedById"]) == (org.person, org.hub_user)


def test_deleted_and_updated_lists(org, web):
    kept, gone = (org.edit("Account", "", {"Name": name})["Id"] for name in "AB")
    org.remove("Account", gone)
    window = {"start": "2026-01-05T07:00:00Z", "end": "2026-01-05T09:00:00Z"}
    deleted = web.get(f"{DATA}/sobjects/Account/deleted/", params=window).json()
    assert [record["id"] for record in deleted["deletedRecords"]] == [gone]
    updated = web.get(f"{DATA}/sobjects/Account/updated/", params=window).json()
    assert updated == {"ids": [kept], "latestDateCovered": "2026-01-05T08:00:00.000+0000"}
    old = web.get(f"{DATA}/sobjects/Account/deleted/", params={**window, "start": "2025-01-05T07:00:00Z"})
    assert old.json()[0]["errorCode"] == "INVALID_REPLICATION_DATE"


# -- collections and composite -----------------------------------------------------------------


def records(*given: dict[str, Any], all_or_none: bool = False) -> dict[str, Any]:
    return {"allOrNone": all_or_none, "records": [{"attributes": {"type": "Account"}, **one} for one in given]}


def test_all_or_none_rolls_back_the_good_ones(org, web):
    body = records({"Name": "Good"}, {"Name": "x" * 256}, all_or_none=True)
    good, bad = web.post(f"{DATA}/composite/sobjects", json=body).json()
    assert good["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    assert bad["errors"][0]["statusCode"] == "STRING_TOO_LONG"
    assert org.rows("Account") == []


def test_200_records_and_ten_chunks_are_the_limit(web):
    many = web.post(f"{DATA}/composite/sobjects", json=records(*({"Name": "A"} for _ in range(201))))
    assert (many.status_code, many.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    mixed = [{"attributes": {"type": kind}, "Name": "A", "LastName": "A"} for kind in ("Account", "Contact") * 6]
    chunks = web.post(f"{DATA}/composite/sobjects", json={"records": mixed})
    assert (chunks.status_code, chunks.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")


def test_one_record_twice_in_a_call_is_refused(org, web):
    id_ = org.edit("Account", "", {"Name": "A"})["Id"]
    items = web.patch(
        f"{DATA}/composite/sobjects", json=records({"Id": id_, "Site": "1"}, {"Id": id_, "Site": "2"})
    ).json()
    assert [item["errors"][0]["statusCode"] for item in items] == ["DUPLICATE_VALUE"] * 2
    twins = records({"FSM_Hub_Id__c": "H", "Name": "1"}, {"FSM_Hub_Id__c": "H", "Name": "2"})
    items = web.patch(f"{DATA}/composite/sobjects/Account/FSM_Hub_Id__c", json=twins).json()
    assert [item["success"] for item in items] == [False, False]


def test_composite_parts_refer_to_each_other(org, web):
    parts = [
        {"referenceId": "made", "method": "POST", "url": f"{DATA}/sobjects/Account", "body": {"Name": "A"}},
        {"referenceId": "read", "method": "GET", "url": f"{DATA}/sobjects/Account/@{{made.id}}"},
        {
            "referenceId": "child",
            "method": "POST",
            "url": f"{DATA}/sobjects/Contact",
            "body": {"LastName": "C", "AccountId": "@{made.id}"},
        },
    ]
    answers = web.post(f"{DATA}/composite", json={"compositeRequest": parts}).json()["compositeResponse"]
    assert [answer["httpStatusCode"] for answer in answers] == [201, 200, 201]
    assert answers[1]["body"]["Name"] == "A"
    assert org.rows("Contact")[0]["AccountId"] == answers[0]["body"]["id"]
    bad = {"referenceId": "bad", "method": "POST", "url": f"{DATA}/sobjects/Contact", "body": {}}
    halted = web.post(f"{DATA}/composite", json={"allOrNone": True, "compositeRequest": [parts[0], bad]}).json()
    assert halted["compositeResponse"][0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert len(org.rows("Account")) == 1


def test_a_parent_is_named_by_its_own_external_id(org, web):
    parent = org.edit("Account", "", {"Name": "P", "FSM_Hub_Id__c": "H-0"})["Id"]
    body = records({"Name": "C", "Parent": {"FSM_Hub_Id__c": "H-0"}}, {"Name": "D", "Parent": {"FSM_Hub_Id__c": "H-?"}})
    linked, lost = web.post(f"{DATA}/composite/sobjects", json=body).json()
    assert (linked["success"], lost["errors"][0]["statusCode"]) == (True, "INVALID_FIELD")
    assert query(web, f"SELECT Parent.Name FROM Account WHERE ParentId = '{parent[:15]}'")["totalSize"] == 1  # noqa: S608 - a simulator's


# -- SOQL --------------------------------------------------------------------------------------


def test_conditions(org, web):
    org.seed(
        "Account",
        [
            {"Name": "Alpha", "Site": None, "NumberOfEmployees": 5, "FSM_Credit_Block__c": True},
            {"Name": "beta", "Site": "O'Neil", "NumberOfEmployees": 50, "AnnualRevenue": 1250.5},
            {"Name": "Gamma_1", "Site": "x", "NumberOfEmployees": None, "FSM_Hub_Id__c": "abc"},
        ],
    )
    assert names(web, "Name = 'ALPHA'") == ["Alpha"]
    assert names(web, "Site = 'O\\'Neil' AND NumberOfEmployees >= 50") == ["beta"]
    assert names(web, "(Name LIKE 'a%' OR Name LIKE '%\\_1') AND NOT Site = 'y'") == ["Alpha", "Gamma_1"]
    assert names(web, "Site = null OR NumberOfEmployees = null") == ["Alpha", "Gamma_1"]
    assert names(web, "Site != 'x'") == ["Alpha", "beta"]
    assert names(web, "NumberOfEmployees < 10") == ["Alpha"]
    assert names(web, "Name NOT IN ('alpha', 'gamma_1')") == ["beta"]
    assert names(web, "FSM_Credit_Block__c = true") == ["Alpha"]
    assert names(web, "FSM_Hub_Id__c = 'ABC'") == []
    assert names(web, "FSM_Hub_Id__c IN ('abc')") == ["Gamma_1"]
    assert names(web, "AnnualRevenue > 1250.25") == ["beta"]
    assert names(web, "CreatedDate >= 2026-01-05T08:00:00+00:00 AND CreatedDate < 2026-01-05T08:00:01.000Z") != []
    assert query(web, "SELECT COUNT() FROM Account WHERE Owner.Name LIKE 'pat%'")["totalSize"] == 3


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account LIMIT x", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = ~", "MALFORMED_QUERY"),
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Nope.Name FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE SystemModstamp > '2026-01-05T08:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Id = 'nobody'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
    ],
)
def test_queries_that_are_refused(web, soql, code):
    assert query(web, soql)[0]["errorCode"] == code


def test_without_an_order_there_is_none_and_it_is_always_the_same(org, web):
    made_ids = org.seed("Account", [{"Name": str(number)} for number in range(50)])
    found = [row["Id"] for row in query(web, "SELECT Id FROM Account")["records"]]
    assert sorted(found) == sorted(made_ids)
    assert found != made_ids
    assert found == [row["Id"] for row in query(web, "SELECT Id FROM Account")["records"]]


def test_order_limit_and_offset(org, web):
    org.seed("Account", [{"Name": name, "Site": site} for name, site in (("A", "2"), ("B", None), ("C", "1"))])
    order = "SELECT Name FROM Account ORDER BY Site"
    listed = {
        tail: "".join(r["Name"] for r in query(web, f"{order} {tail}")["records"])
        for tail in ("", "DESC", "NULLS LAST", "DESC NULLS FIRST", "LIMIT 1", "LIMIT 2 OFFSET 1")
    }
    assert listed == {
        "": "BCA",
        "DESC": "BAC",
        "NULLS LAST": "CAB",
        "DESC NULLS FIRST": "BAC",
        "LIMIT 1": "B",
        "LIMIT 2 OFFSET 1": "CA",
    }


def test_deleted_rows_are_seen_by_query_all_only(org, web):
    id_ = org.edit("Account", "", {"Name": "A"})["Id"]
    org.remove("Account", id_)
    assert query(web, "SELECT Id FROM Account")["totalSize"] == 0
    [row] = query(web, "SELECT Id,IsDeleted FROM Account", "queryAll")["records"]
    assert (row["Id"], row["IsDeleted"]) == (id_, True)


def test_pages_are_of_at_least_200_and_at_most_2000_unless_rows_are_wide(org, web):
    org.seed("Account", [{"Name": str(number)} for number in range(450)])

    def sizes(hint: str) -> list[int]:
        page = web.get(
            f"{DATA}/query/", params={"q": "SELECT Id FROM Account"}, headers={"Sforce-Query-Options": hint}
        ).json()
        found = [len(page["records"])]
        while not page["done"]:
            page = web.get(page["nextRecordsUrl"]).json()
            found.append(len(page["records"]))
        return found

    assert sizes("batchSize=10") == [200, 200, 50]
    assert sizes("batchSize=5000") == [450]
    org.queries.page_limit = 225
    assert sizes("batchSize=2000") == [225, 225]


# -- inspection --------------------------------------------------------------------------------


def test_inspection_counts_rows_and_twins(org, web):
    web.patch(f"{KEY}/H-1", json={"Name": "A"})
    org.seed("Account", [{"Name": "B", "FSM_Hub_Id__c": "H-1"}])
    org.remove("Account", org.edit("Account", "", {"Name": "C"})["Id"])
    counted = web.get("/_sim/counts").json()
    assert counted["Account"] == {"live": 2, "deleted": 1, "duplicates": ["H-1"]}
    assert counted["writes"] == 1


def test_a_long_transaction_shows_the_old_row_until_it_commits(org):
    id_ = org.edit("Account", "", {"Name": "Old"})["Id"]
    org.clock.advance(10)
    org.late("Account", id_, {"Name": "New"}, 100)
    assert org.rows("Account")[0]["Name"] == "Old"
    org.clock.advance(100)
    [row] = org.rows("Account")
    assert (row["Name"], row["SystemModstamp"]) == ("New", "2026-01-05T08:00:10.000+0000")
