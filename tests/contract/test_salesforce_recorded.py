"""The connector and the simulator held against recorded traffic of a real org.

Not here: what the recordings do not show (`test_salesforce_wire.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest
import respx

from connectors.http import Patience
from connectors.salesforce import Salesforce, SalesforceSettings
from connectors.salesforce.changes import stamp_of
from connectors.salesforce.ids import full_id
from connectors.salesforce.simulator import SalesforceSimulator
from fsm_core.ports import Action, Object, Write, Written

FIXTURES = Path(__file__).parent / "salesforce_fixtures"
SHAPES: dict[str, Any] = json.loads((FIXTURES / "recorded_shapes.json").read_text())
FACTS: dict[str, Any] = json.loads((FIXTURES / "account_facts.json").read_text())
CONTACT: dict[str, Any] = json.loads((FIXTURES / "contact_facts.json").read_text())
RECORDED = [(name, field) for name, facts in (("Account", FACTS), ("Contact", CONTACT)) for field in facts["fields"]]
ORG = "https://orgname.my.salesforce.com"
DATA = f"{ORG}/services/data/v62.0"
FLAGS = {
    "nillable": "nillable",
    "createable": "createable",
    "updateable": "updateable",
    "defaultedOnCreate": "defaulted",
    "restrictedPicklist": "restricted",
    "filterable": "filterable",
    "idLookup": "idLookup",
}


@pytest.fixture
def connector() -> Iterator[Salesforce]:
    settings = SalesforceSettings(login_url=ORG, auth="client_credentials", client_id="c", client_secret="s")
    made_one = Salesforce(settings, patience=Patience(attempts=1))
    yield made_one
    made_one.close()


@pytest.fixture
def org() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        token = {"access_token": "T", "instance_url": ORG, "id": f"{ORG}/id/00D/005"}
        router.post(f"{ORG}/services/oauth2/token").respond(json=token)
        yield router


@pytest.fixture
def simulated() -> Iterator[httpx.Client]:
    simulator = SalesforceSimulator()
    with httpx.Client(transport=httpx.WSGITransport(simulator), base_url="http://org.test") as client:
        form = {"grant_type": "client_credentials", "client_id": "hub-client", "client_secret": "hub-secret"}
        token = client.post("/services/oauth2/token", data=form).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.simulator = simulator  # type: ignore[attr-defined]
        yield client


def shape(value):
    """Keys and types, without the values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


# -- the connector against the recordings ------------------------------------------------------


def test_query_strings_are_encoded_as_recorded(connector, org):
    route = org.get(url__startswith=f"{DATA}/queryAll/").respond(json=SHAPES["empty_page"])
    list(connector.changes(Object("Custom__c"), None))
    sent = route.calls.last.request.url.query.decode()
    assert sent.startswith("q=SELECT+Id%2C")
    for query in (sent, SHAPES["query_string"]):
        assert query == urlencode(parse_qsl(query))


def test_a_recorded_page_becomes_changes(connector, org):
    page = json.loads(json.dumps(SHAPES["query_page"]))
    for row in page["records"]:
        row |= {"SystemModstamp": SHAPES["stamp"], "LastModifiedById": "0057e00000RmwSWAAZ", "IsDeleted": False}
        row |= {"MasterRecordId": None}
    org.get(url__startswith=f"{DATA}/queryAll/").respond(json=page)
    [only] = connector.changes(Object("Account", ("Name",)), None)
    assert [(change.id, change.document) for change in only.changes] == [
        ("0012300000bVTq1AAG", {"Name": "Account 4"}),
        ("0012300000bVTphAAG", {"Name": "Account 0"}),
    ]
    assert {change.version for change in only.changes} == {SHAPES["stamp"]}


@pytest.mark.parametrize(
    ("case", "obj", "write"),
    [
        ("collection_update", Object("Account"), Write(Action.UPDATE, fields={"NumberOfEmployees": "10000"})),
        (
            "collection_upsert",
            Object("Contact", key="Email"),
            Write(Action.CREATE, key="lindsay@example.com", fields={"LastName": "Sitwell"}),
        ),
        ("collection_create", Object("Account"), Write(Action.CREATE, fields={"Name": "Sitwell-Bluth"})),
    ],
)
def test_collections_are_sent_and_read_as_recorded(connector, org, case, obj, write):
    recorded = SHAPES[case]
    route = org.route(method=recorded["method"], url=ORG + recorded["path"]).respond(json=recorded["answer"])
    ids = [record.get("Id", "") for record in recorded["body"]["records"]]
    writes = [Write(write.action, id_, write.key, write.fields) for id_ in ids]
    outcomes = connector.write(obj, writes)
    assert json.loads(route.calls.last.request.content) == recorded["body"]
    assert outcomes == [
        Written(item["id"], created=item.get("created", write.action == Action.CREATE)) for item in recorded["answer"]
    ]


@pytest.mark.parametrize("recorded", SHAPES["ids"])
def test_ids_carry_the_recorded_checksum(recorded):
    assert full_id(recorded[:15]) == recorded
    assert full_id(recorded) == recorded


# -- the simulator against the recordings ------------------------------------------------------


@pytest.mark.parametrize(("name", "recorded"), RECORDED, ids=lambda one: one if isinstance(one, str) else one["name"])
def test_fields_are_described_as_recorded(simulated, name, recorded):
    described = simulated.get(f"/services/data/v62.0/sobjects/{name}/describe").json()
    [found] = [field for field in described["fields"] if field["name"] == recorded["name"]]
    assert {
        "name": found["name"],
        "type": found["type"],
        "length": found["length"],
        "bytes": found["byteLength"],
        "numbers": [found["precision"], found["scale"], found["digits"]],
        "soap": found["soapType"],
        "to": found["referenceTo"],
        "by": found["relationshipName"],
        "flags": " ".join(word for key, word in FLAGS.items() if found[key]),
    } == recorded


def test_contact_is_described_as_recorded(simulated):
    described = simulated.get("/services/data/v62.0/sobjects/Contact/describe").json()
    assert (described["keyPrefix"], described["mergeable"]) == (CONTACT["keyPrefix"], CONTACT["mergeable"])


def test_account_is_described_as_recorded(simulated):
    described = simulated.get("/services/data/v62.0/sobjects/Account/describe").json()
    assert (described["keyPrefix"], described["mergeable"]) == (FACTS["keyPrefix"], FACTS["mergeable"])
    [kind] = [field for field in described["fields"] if field["name"] == "Type"]
    assert [pick["value"] for pick in kind["picklistValues"]] == FACTS["Type"]


def test_query_answers_have_the_recorded_shape(simulated):
    for name in ("Account 4", "Account 0"):
        simulated.simulator.edit("Account", "", {"Name": name})
    found = simulated.get("/services/data/v62.0/query/?" + SHAPES["query_string"])
    assert found.headers["content-type"] == "application/json;charset=UTF-8"
    assert shape(found.json()) == shape(SHAPES["query_page"])
    assert list(found.json()["records"][0]) == list(SHAPES["query_page"]["records"][0])
    empty = simulated.get("/services/data/v62.0/query/?q=select+Id+from+Contact")
    assert empty.json() == SHAPES["empty_page"]


def test_counts_come_without_records(simulated):
    simulated.simulator.seed("Account", [{"Name": str(number)} for number in range(17)])
    found = simulated.get("/services/data/v62.0/query/?q=select count() from Account")
    assert found.json() == SHAPES["counted"]


def test_an_unknown_object_is_refused_in_the_recorded_words(simulated):
    found = simulated.get("/services/data/v62.0/query/?q=select count() from XYZZY")
    assert (found.status_code, found.json()) == (400, SHAPES["invalid_type"])


def test_an_unknown_resource_is_refused_in_the_recorded_words(simulated):
    found = simulated.get("/services/data/v62.0/sobjects/Foo/describe")
    assert (found.status_code, found.json()) == (404, SHAPES["not_found"])


@pytest.mark.parametrize("case", ["collection_update", "collection_upsert", "collection_create"])
def test_collections_answer_in_the_recorded_shape(simulated, case):
    recorded = json.loads(json.dumps(SHAPES[case]))
    for record in recorded["body"]["records"]:
        if "Id" in record:
            record["Id"] = simulated.simulator.edit("Account", "", {"Name": "There"})["Id"]
    found = simulated.request(recorded["method"], recorded["path"], json=recorded["body"])
    assert found.status_code == 200
    assert shape(found.json()) == shape(recorded["answer"])
    assert [list(item) for item in found.json()] == [list(item) for item in recorded["answer"]]


def test_a_single_create_answers_as_recorded(simulated):
    found = simulated.post("/services/data/v62.0/sobjects/Account/", json={"Name": "xyzzy", "AccountNumber": "420"})
    assert found.status_code == SHAPES["created"]["status"]
    assert shape(found.json()) == shape(SHAPES["created"]["body"])


def test_composite_reports_each_part_as_recorded(simulated):
    parts = [
        {
            "referenceId": "refAccount",
            "method": "GET",
            "url": "/services/data/v62.0/query/?q=select count() from Account",
        },
        {"referenceId": "refXYZZY", "method": "GET", "url": "/services/data/v62.0/query/?q=select count() from XYZZY"},
        {"referenceId": "refFoo", "method": "GET", "url": "/services/data/v62.0/sobjects/Foo/x"},
    ]
    found = simulated.post("/services/data/v62.0/composite", json={"compositeRequest": parts})
    assert found.status_code == 200
    counted, refused, absent = found.json()["compositeResponse"]
    assert counted == {
        "body": {"totalSize": 0, "done": True, "records": []},
        "httpHeaders": {},
        "httpStatusCode": 200,
        "referenceId": "refAccount",
    }
    assert (refused["httpStatusCode"], refused["body"]) == (400, SHAPES["invalid_type"])
    assert (absent["httpStatusCode"], absent["body"]) == (404, SHAPES["not_found"])


def test_stamps_are_written_as_recorded(simulated):
    row = simulated.simulator.edit("Account", "", {"Name": "Stamped"})
    assert shape(row["SystemModstamp"]) == shape(SHAPES["stamp"])
    assert len(row["SystemModstamp"]) == len(SHAPES["stamp"])
    assert stamp_of(simulated.simulator.clock.now()) == row["SystemModstamp"]
