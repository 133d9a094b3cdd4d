"""Rules that change while the hub is in use: tried on the past, activated, in force for old records too."""

from __future__ import annotations

import pytest

import mappings
from tests.scenarios.wire import company

SHIPPED = (mappings.SHIPPED / "ownership.yaml").read_text(encoding="utf8")


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def rules(wire, old, new):
    assert old in SHIPPED
    path = wire.folder / "other.yaml"
    path.write_text(SHIPPED.replace(old, new, 1), encoding="utf8")
    return str(path)


def test_the_past_is_tried_under_other_rules_before_they_decide(wire):
    wire.account(wire.accounts[0], FSM_Payment_Terms__c="0003")
    wire.sync()
    other = rules(wire, "payment_terms:    {owner: erp, non_owner_change: revert}", "payment_terms: {owner: crm}")
    writes = wire.writes()
    told = wire.ask("rules", "test", other, "--days", "2")
    (difference,) = told["differences"]
    assert difference["field"] == "payment_terms"
    assert (difference["old"], difference["new"]) == ("REVERT", "ACCEPT of salesforce")
    assert difference["count"] == 1
    assert difference["samples"][0]["new"]["agreed"] == "0003"
    assert told["edits"] == told["same"] + 1
    assert wire.writes() == writes
    text = wire.run("rules", "test", other, "--days", "2")
    assert "payment_terms" in text
    assert "was REVERT" in text


def test_the_shadow_is_what_is_tried_when_nothing_is_named(wire):
    other = rules(wire, "trade_name:       {owner: crm}", "trade_name: {owner: crm, non_owner_change: revert}")
    kept = wire.ask("rules", "shadow", other, "--note", "stricter")
    assert wire.ask("rules", "test")["new"] == kept["version"]


def test_an_activated_version_is_in_force_for_records_that_did_not_change(wire):
    prospect = {"FSM_Status__c": "Prospect", "FSM_Roles__c": "prospect"}
    wire.account(Name="Interessent Nord GmbH", BillingCity="Kiel", BillingCountry="Germany", **prospect)
    wire.settle()
    assert not wire.has("sap", "Interessent Nord GmbH")
    other = rules(wire, """erp: "status == 'active'"}""", "erp: always}")
    version = wire.ask("rules", "activate", other, "--note", "prospects too")["version"]
    wire.settle()
    assert wire.has("sap", "Interessent Nord GmbH") == 1
    story = wire.ask("explain", "customer", wire.accounts[0], "language")
    assert story["fields"]["language"]["rule"]["version"] == version
    assert wire.ask("rules", "list")["versions"][0]["author"] == "ada"
