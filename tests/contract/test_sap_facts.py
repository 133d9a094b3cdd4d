"""Connector and simulator held to published facts about API_BUSINESS_PARTNER and to sample rows of a real system.

Not here: behaviour.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest
from pyodata.v2.model import Config, MetadataBuilder

from connectors.sap.aggregates import Partners
from connectors.sap.document import document, version_of
from connectors.sap.odata import decode, model_of
from connectors.sap.simulator import ROOT, SapSimulator
from connectors.sap.simulator_rules import wire
from connectors.sap.simulator_schema import metadata, schema
from connectors.simulation import serving
from fsm_core.ports import Object
from tests.contract.harness_sap import SapHarness
from tests.contract.sap_words import FULL

HERE = Path(__file__).parent / "sap_fixtures"
FACTS = json.loads((HERE / "facts.json").read_text())
SAMPLES = json.loads((HERE / "samples.json").read_text())


@pytest.fixture(scope="module")
def model():
    return model_of(MetadataBuilder(metadata().encode(), config=Config(retain_null=True)).build())


@pytest.mark.parametrize("name", FACTS)
def test_the_simulators_schema_is_the_published_one(name):
    fact, entity = FACTS[name], schema()[name]
    assert list(entity.keys) == fact["keys"]
    assert [entity.creatable, entity.updatable, entity.deletable] == [
        fact["creatable"],
        fact["updatable"],
        fact["deletable"],
    ]
    assert set(entity.navs) <= set(fact["navs"])
    shown = {
        prop.name: [prop.type.removeprefix("Edm."), prop.length, not prop.read_only, not prop.read_only]
        for prop in entity.props.values()
    }
    assert shown == {prop: values[:4] for prop, values in fact["props"].items()}
    assert {prop.name for prop in entity.props.values() if prop.upper} == {
        prop for prop, values in fact["props"].items() if values[4] == "UpperCase"
    }


@pytest.mark.parametrize("name", FACTS)
def test_the_connector_reads_the_same_from_metadata(model, name):
    fact, entity = FACTS[name], model[name]
    assert list(entity.keys) == fact["keys"]
    assert entity.deletable is fact["deletable"]
    shown = {
        field.name: [field.type.removeprefix("Edm."), field.length, field.creatable, field.updatable]
        for field in entity.fields.values()
    }
    assert shown == {prop: values[:4] for prop, values in fact["props"].items()}


def test_the_metadata_parse_without_a_word(caplog):
    caplog.set_level(logging.WARNING)
    MetadataBuilder(metadata().encode(), config=Config(retain_null=True)).build()
    assert not caplog.records
    assert ET.fromstring(metadata()).tag.endswith("Edmx")  # noqa: S314 - our own text


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_rows_have_only_published_properties(name):
    for row in SAMPLES[name]:
        assert set(row) <= set(FACTS[name]["props"])


def test_sample_partner_1000021_becomes_a_document(model):
    row = next(row for row in SAMPLES[ROOT] if row["BusinessPartner"] == "1000021")
    shape = Partners().view(model, Object(ROOT, key="FSMHUB")).record
    made = document(shape, row, "2026-01-05")
    assert made["OrganizationBPName1"] == made["BusinessPartnerFullName"] == "Bikes Pro Inc."
    assert made["Customer"] == "1000021"
    assert made["BusinessPartnerIsBlocked"] is False
    assert made["InternationalLocationNumber1"] == "0"
    assert made["Supplier"] == ""
    assert version_of(made) == version_of(json.loads(json.dumps(made)))


@pytest.fixture(scope="module")
def simulated() -> Iterator[tuple[SapSimulator, httpx.Client]]:
    simulator = SapSimulator()
    partner, address = SAMPLES[ROOT][0], SAMPLES["A_BusinessPartnerAddress"][0]
    customer, area = SAMPLES["A_Customer"][0], SAMPLES["A_CustomerSalesArea"][0]
    nested = {
        **partner,
        "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU01"}],
        "to_BusinessPartnerAddress": [address],
        "to_Customer": {**customer, "to_CustomerSalesArea": [area]},
    }
    simulator.seed([nested])
    with (
        serving(simulator) as url,
        httpx.Client(
            base_url=f"{url}/sap/opu/odata/sap/API_BUSINESS_PARTNER/",
            auth=(simulator.user, "simulated"),
            headers={"Accept": "application/json"},
        ) as client,
    ):
        yield simulator, client


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (ROOT, "A_BusinessPartner('1000021')"),
        ("A_BusinessPartnerAddress", "A_BusinessPartnerAddress(BusinessPartner='1000021',AddressID='24134')"),
        ("A_Customer", "A_BusinessPartner('0001000021')/to_Customer"),
        (
            "A_CustomerSalesArea",
            "A_CustomerSalesArea(Customer='1000021',SalesOrganization='1710',DistributionChannel='10',Division='00')",
        ),
    ],
)
def test_the_simulator_renders_a_sample_as_it_was(simulated, name, path):
    _, client = simulated
    shown = client.get(path).json()["d"]
    sample = SAMPLES[name][0]
    assert {key: shown[key] for key in sample} == sample
    assert set(shown) == {"__metadata", *FACTS[name]["props"], *schema()[name].navs}
    assert shown["__metadata"]["type"] == f"API_BUSINESS_PARTNER.{name}Type"
    assert all("__deferred" in shown[nav] for nav in schema()[name].navs)


def test_dates_and_times_have_their_v2_forms(simulated):
    _, client = simulated
    shown = client.get("A_BusinessPartner('1000021')").json()["d"]
    assert re.fullmatch(r"/Date\(\d+\)/", shown["CreationDate"])
    assert re.fullmatch(r"PT\d\dH\d\dM\d\dS", shown["CreationTime"])
    address = client.get("A_BusinessPartner('1000021')/to_BusinessPartnerAddress").json()["d"]["results"][0]
    assert address["ValidityEndDate"] == "/Date(253402300799000+0000)/"


def test_every_type_survives_the_way_through_wire_and_back(model):
    values = {
        "Edm.DateTime": "2016-10-25",
        "Edm.DateTimeOffset": "2016-10-25T06:31:17Z",
        "Edm.Time": "06:31:17",
        "Edm.Boolean": True,
        "Edm.String": "7",
        "Edm.Int16": 7,
        "Edm.Guid": "00163e19-8846-1ed6-a6cf-7b541e621558",
    }
    for name, entity in schema().items():
        for prop in entity.props.values():
            assert decode(model[name].fields[prop.name], wire(prop, values[prop.type])) == values[prop.type]


@pytest.mark.parametrize(
    ("filter_", "count"),
    [
        ("BusinessPartner eq '0001000021'", 1),
        ("(startswith(OrganizationBPName1,'Bikes') eq true) and not (Customer eq '')", 1),
        ("substringof('Pro',OrganizationBPName1) or BusinessPartner eq '1'", 1),
        ("LastChangeDate eq null and CreationDate ge datetime'2020-01-01T00:00:00'", 1),
        ("CreationTime lt time'PT00H00M01S'", 0),
        ("BusinessPartnerUUID eq guid'00163e19-8846-1ed6-a6cf-7b541e621558'", 1),
        ("IsMarkedForArchiving eq false", 1),
        ("OrganizationBPName1 eq 'O''Neil'", 0),
    ],
)
def test_filters(simulated, filter_, count):
    _, client = simulated
    found = client.get("A_BusinessPartner", params={"$filter": filter_}).json()["d"]["results"]
    assert len(found) == count


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("A_BusinessPartner?$filter=BusinessPartner eq 1000021", 400),
        ("A_BusinessPartner?$filter=Nonsense eq 'x'", 400),
        ("A_BusinessPartner?$filter=LastChangeDate ge '2020-01-01'", 400),
        ("A_BusinessPartner?$filter=BusinessPartner eq 'x' nonsense", 400),
        ("A_BusinessPartner?$select=Nonsense", 400),
        ("A_BusinessPartner?$expand=to_Nowhere", 400),
        ("A_BusinessPartner?$apply=x", 400),
        ("A_BusinessPartner('404')", 404),
        ("A_Nowhere", 404),
        ("A_BusinessPartner('1000021')/to_Nowhere", 404),
        ("A_BuPaIdentification(BusinessPartner='1000021')", 400),
    ],
)
def test_what_a_gateway_refuses(simulated, path, status):
    _, client = simulated
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]["value"]


def test_errors_are_xml_when_json_was_not_asked_for(simulated):
    _, client = simulated
    answer = client.get("A_BusinessPartner('404')", headers={"Accept": "application/xml"})
    assert ET.fromstring(answer.text).tag.endswith("error")  # noqa: S314 - our own simulator


def test_changing_calls_need_the_token_and_its_cookies(simulated):
    _, client = simulated
    refused = client.patch("A_BusinessPartner('1000021')", json={})
    assert (refused.status_code, refused.headers["x-csrf-token"]) == (403, "Required")
    token = client.head("", headers={"X-CSRF-Token": "Fetch"}).headers["x-csrf-token"]
    assert {name.split("_")[0] for name in client.cookies} >= {"SAP", "sap-XSRF"}
    client.cookies.clear()
    assert client.patch("A_BusinessPartner('1000021')", json={}, headers={"X-CSRF-Token": token}).status_code == 403


def test_nobody_deletes_a_partner(simulated):
    _, client = simulated
    token = client.head("", headers={"X-CSRF-Token": "Fetch"}).headers["x-csrf-token"]
    assert client.delete("A_BusinessPartner('1000021')", headers={"X-CSRF-Token": token}).status_code == 405
    created = client.post("A_Customer", json={"Customer": "5"}, headers={"X-CSRF-Token": token})
    assert created.status_code == 405


def test_what_we_select_exists_in_the_published_metadata():
    harness = SapHarness()
    harness.create("One")
    sap = harness.connector()
    list(sap.changes(FULL, None))
    shape = Partners().view(sap.session.model, FULL).record
    sets = {"": ROOT}
    for path in shape.expand():
        above, _, nav = path.rpartition("/")
        assert nav in FACTS[sets[above]]["navs"]
        sets[path] = sap.session.model[sets[above]].navs[nav][0]
    for path in shape.select():
        above, _, prop = path.rpartition("/")
        assert prop in FACTS[sets[above]]["props"]
    harness.close()
