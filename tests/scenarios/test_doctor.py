"""What `doctor` reports of three systems: complete, of one shape, and every finding with its remedy.

The shape is the one docs/doctor.md lists. Not here: fields an account hides (`test_hidden_fields`).
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import mappings
from connectors.salesforce.simulator_schema import text
from connectors.sap import simulator_service
from connectors.sap.simulator import ROOT
from connectors.sap.simulator_schema import metadata, schema
from tests.scenarios.wire import company

PAGE = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
MEMORY = '\n[systems.memory]\nconnector = "memory"\n'


@pytest.fixture(scope="module")
def wire(tmp_path_factory):
    """Nothing is synchronised here, so all tests may look at one company."""
    with company(tmp_path_factory.mktemp("doctor"), settled=False) as made:
        made.config.write_text(made.config.read_text(encoding="utf8") + MEMORY, encoding="utf8")
        yield made


@pytest.fixture(scope="module")
def told(wire):
    return wire.ask("doctor", "--json")


def documented(heading: str) -> set[str]:
    """The names in the first column of the table below a heading of the page."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {
        name
        for row in section.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`(\w+)`", row.split(" | ")[0])
    }


def only(rows):
    (one,) = rows
    return one


# -- the shape -------------------------------------------------------------------------------------------


def test_the_option_stands_before_or_after_the_command(wire, told):
    before = wire.ask("doctor")
    assert before.keys() == told.keys()
    assert before["systems"].keys() == told["systems"].keys() == {"salesforce", "sap", "memory"}


def test_everything_is_well_and_says_so(told):
    assert told["ok"]
    assert [one["findings"] for one in told["systems"].values()] == [[], [], []]


@pytest.mark.parametrize("system", ["salesforce", "sap", "memory"])
def test_the_report_has_exactly_the_documented_names(told, system):
    one = told["systems"][system]
    entity = one["entities"]["customer"]
    assert set(told) == documented("The whole")
    assert set(one) == documented("A system")
    assert set(entity) == documented("An entity")
    assert set(entity["residual_window"]) == documented("The residual window")
    for row in entity["fields"]:
        assert set(row) == documented("A field")
        for native in row["native"]:
            assert set(native) == documented("A native field")
    assert set(entity["key"]) == documented("A native field")


@pytest.mark.parametrize("system", ["salesforce", "sap", "memory"])
def test_every_row_of_the_mapping_is_reported_with_every_path(told, system):
    entity = told["systems"][system]["entities"]["customer"]
    table = mappings.load(system, "customer")
    assert [row["field"] for row in entity["fields"]] == [row.canonical for row in table.describe_rows()]
    for row in entity["fields"]:
        assert row["native"]
        assert all(native["shown"] and native["readable"] for native in row["native"]), row["field"]
        assert row["read"]
    assert sum(row["updated"] for row in entity["fields"]) > 20


def test_the_facts_of_each_account(told):
    crm, erp, own = (told["systems"][name]["entities"]["customer"] for name in ("salesforce", "sap", "memory"))
    assert [one["creates"] for one in (crm, erp, own)] == ["upsert_key", "probe_before_retry", "upsert_key"]
    assert [one["deletes"] for one in (crm, erp, own)] == ["tombstones", "flags", "tombstones"]
    assert [one["compare_and_set"] for one in (crm, erp, own)] == [False, True, True]
    assert [one["batch"] for one in (crm, erp, own)] == [200, 50, 1]
    assert [one["key"]["external_id"] for one in (crm, erp, own)] == [True, False, True]
    assert [one["key"]["path"] for one in (crm, erp, own)] == ["FSM_Hub_Id__c", "FSMHUB", "hub_id"]
    assert told["systems"]["salesforce"]["quota"]["used"] > 0
    assert told["systems"]["sap"]["quota"] is None
    name = crm["fields"][0]["native"][0]
    assert (name["path"], name["required"], name["length"]) == ("Name", True, 255)
    status = next(row for row in crm["fields"] if row["field"] == "status")["native"][0]
    assert status["values"] == ["Prospect", "Active", "On Hold", "Inactive"]
    region = next(row for row in erp["fields"] if row["field"] == "billing_address.region")["native"][0]
    assert region["length"] == 3


def test_the_residual_window_is_told_as_data_and_in_words(told):
    crm, erp, own = (
        told["systems"][name]["entities"]["customer"]["residual_window"] for name in ("salesforce", "sap", "memory")
    )
    assert [one["open"] for one in (crm, erp, own)] == [True, True, False]
    assert "up to 200" in crm["read_before"]
    assert "read back" in crm["read_after"]
    assert crm["lost"] in crm["words"]
    assert erp["covers"] == "rows for which the service gives no ETag"
    assert erp["covers"] in erp["words"]
    assert (own["covers"], own["lost"]) == ("", "nothing")


def test_people_are_told_the_same_in_a_table(wire, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    shown = wire.run("doctor")
    assert "Account → customer: our id in FSM_Hub_Id__c (unique, External Id)" in shown
    assert "No compare and set" in shown
    assert re.search(r"status +FSM_Status__c +yes +yes +yes .*Prospect, Active, On Hold, Inactive", shown)
    assert "all well" in shown


# -- findings --------------------------------------------------------------------------------------------


def test_a_finding_has_exactly_the_documented_names(wire, monkeypatch):
    monkeypatch.setitem(wire.crm.store.objects["Account"].fields, "Website", text("Website", 100))
    finding = only(wire.ask("doctor")["systems"]["salesforce"]["findings"])
    assert set(finding) == documented("A finding")
    assert (finding["severity"], finding["entity"], finding["object"]) == ("warning", "customer", "Account")
    assert (finding["field"], finding["paths"]) == ("website", ["Website"])
    assert "holds 100 characters" in finding["message"]
    assert "255" in finding["message"]
    assert "Lengthen" in finding["remedy"]


CHANGED = {
    "FSM_Status__c": ({"values": ("Prospect", "Active", "Inactive")}, "does not offer On Hold"),
    "FSM_Email__c": ({"updateable": False}, "email may not be changed there (FSM_Email__c)"),
    "FSM_Trade_Name__c": ({"createable": False}, "may not be given to a new record"),
    "FSM_Hub_Id__c": ({"unique": False}, "is not unique"),
}


@pytest.mark.parametrize("path", CHANGED)
def test_what_the_mapping_wants_and_the_org_does_not_allow_is_a_warning(wire, monkeypatch, path):
    fields = wire.crm.store.objects["Account"].fields
    changed, words = CHANGED[path]
    monkeypatch.setitem(fields, path, replace(fields[path], **changed))
    finding = only(wire.findings("salesforce", ok=True))
    assert finding.startswith("warning Account")
    assert words in finding
    assert path in finding


def test_a_key_that_is_no_external_id_is_named_and_creates_are_looked_up(wire, monkeypatch):
    fields = wire.crm.store.objects["Account"].fields
    plain = replace(fields["FSM_Hub_Id__c"], external_id=False)
    monkeypatch.setitem(fields, "FSM_Hub_Id__c", plain)
    system = wire.ask("doctor")["systems"]["salesforce"]
    assert "no External Id" in only(system["findings"])["message"]
    assert system["entities"]["customer"]["creates"] == "probe_before_retry"
    assert system["entities"]["customer"]["key"]["external_id"] is False


def test_a_field_the_rules_must_revert_there_and_may_not_is_an_error(wire, monkeypatch):
    fields = wire.crm.store.objects["Account"].fields
    monkeypatch.setitem(fields, "FSM_VAT_Id__c", replace(fields["FSM_VAT_Id__c"], updateable=False))
    finding = only(wire.findings("salesforce"))
    assert finding.startswith("error")
    assert "tax_ids" in finding


def test_a_property_of_sap_that_is_read_only_is_not_written_and_named(wire, monkeypatch):
    props = schema()["A_BusinessPartnerAddress"].props
    monkeypatch.setitem(props, "CityName", replace(props["CityName"], read_only=True))
    monkeypatch.setattr(simulator_service, "metadata", metadata.__wrapped__)
    finding = only([one for one in wire.findings("sap", ok=True) if "billing_address" in one])
    assert "CityName" in finding
    entity = wire.ask("doctor")["systems"]["sap"]["entities"]["customer"]
    rows = [row for row in entity["fields"] if row["field"].startswith("billing_address")]
    assert [row["updated"] for row in rows] == [False] * len(rows)
    assert entity["object"] == ROOT


def test_what_is_wrong_with_the_rules_in_force_is_told(wire, told):
    assert told["rule_findings"] == []
    settings = wire.config.read_text(encoding="utf8")
    shipped = (mappings.SHIPPED / "ownership.yaml").read_text(encoding="utf8")
    (wire.folder / "rules.yaml").write_text(shipped.replace("to: resolver, ", ""), encoding="utf8")
    wire.config.write_text(settings.replace("[hub]\n", '[hub]\nownership = "rules.yaml"\n'), encoding="utf8")
    finding = wire.ask("doctor")["rule_findings"][0]
    shown = wire.run("doctor")
    wire.config.write_text(settings, encoding="utf8")
    assert (finding["check"], finding["level"]) == ("S21", "error")
    assert f"S21 error {finding['sentence'][:20]}" in shown
