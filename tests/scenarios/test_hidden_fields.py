"""An account that shows less than the mapping names: the rest goes on, and a person is told what to give back.

Each scenario looks at the systems, at the state, at the doctor and at what waits for repair. Not here: rights that are
lost in the middle of a round (`test_hostile_*`).
"""

from __future__ import annotations

import re

import pytest

from connectors.sap import simulator_service
from connectors.sap.simulator import ROOT
from connectors.sap.simulator_schema import metadata, schema
from tests.scenarios.wire import HOUR, company

PATHS = {"salesforce": "FSM_Language__c", "sap": "CorrespondenceLanguage"}


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def only(rows):
    (one,) = rows
    return one


def hide(wire, patching, system, path):
    """The right to a field of the customer is lost; returns what gives it back."""
    if system == "salesforce":
        wire.crm.store.hidden.add(("Account", path))
        return wire.crm.store.hidden.clear
    patching.delitem(schema()[ROOT].props, path)
    left = re.sub(rf'<Property Name="{path}"[^>]*/>', "", metadata(), count=1)
    patching.setattr(simulator_service, "metadata", lambda: left)
    return patching.undo


def entity(wire, system, code=0):
    return wire.ask("doctor", code=code)["systems"][system]["entities"]["customer"]


# -- one field is hidden -----------------------------------------------------------------------------


@pytest.mark.parametrize("system", PATHS)
def test_a_hidden_field_is_left_alone_and_all_others_go_on(wire, monkeypatch, system):
    before = wire.record(wire.accounts[0])
    give_back = hide(wire, monkeypatch, system, PATHS[system])
    wire.partner(wire.partners[0], OrganizationBPName1="Neu 0 GmbH")
    wire.account(wire.accounts[1], Website="https://neu.example")
    report = wire.sync()
    assert report["absent"] == {}
    assert wire.has_news("salesforce", 0)  # written there, whichever system hides the language
    after = wire.record(wire.accounts[0])
    assert after == before | {"legal_name": "Neu 0 GmbH"}
    assert wire.record(wire.accounts[1])["website"] == "https://neu.example"
    assert wire.row(0)["FSM_Language__c"] == "de"
    assert wire.bp(0)["CorrespondenceLanguage"] == "DE"
    problem = only(wire.problems())
    assert (problem["system"], problem["field"], problem["cause"]) == (system, "language", "drift removed")
    assert PATHS[system] in problem["message"]
    assert "right to see" in problem["remedy"]
    assert sum(wire.ask("status")["problems"].values()) == 1
    give_back()
    wire.settle()
    assert wire.waiting() == {}
    assert wire.record(wire.accounts[0])["language"] == before["language"]


@pytest.mark.parametrize("system", PATHS)
def test_the_doctor_names_a_hidden_field_as_a_warning_with_its_remedy(wire, monkeypatch, system):
    monkeypatch.setenv("COLUMNS", "300")
    hide(wire, monkeypatch, system, PATHS[system])
    finding = only(wire.findings(system, ok=True))
    assert finding.startswith("warning")
    assert PATHS[system] in finding
    assert "right to see" in finding
    row = next(one for one in entity(wire, system)["fields"] if one["field"] == "language")
    assert (row["read"], row["created"], row["updated"]) == (False, False, False)
    assert not any(native["shown"] for native in row["native"])
    assert f"{PATHS[system]} (not shown)" in wire.run("doctor")


def test_an_edit_made_while_the_field_was_hidden_arrives_when_it_is_shown_again(wire, monkeypatch):
    give_back = hide(wire, monkeypatch, "salesforce", "FSM_Language__c")
    give_back()  # this org knows one user's rights only: the person sees the field
    wire.account(wire.accounts[0], FSM_Language__c="en")
    hide(wire, monkeypatch, "salesforce", "FSM_Language__c")
    wire.sync(later=HOUR)
    wire.sync(later=HOUR)  # the edit lies behind the cursor now
    assert wire.bp(0)["CorrespondenceLanguage"] == "DE"
    give_back()
    wire.sync(later=HOUR)
    assert wire.bp(0)["CorrespondenceLanguage"] == "EN"
    assert wire.problems() == []
    assert wire.sync(later=HOUR)["read"]["salesforce"]["seen"] == 0


def test_what_the_other_side_says_meanwhile_is_delivered_when_the_field_is_shown_again(wire, monkeypatch):
    give_back = hide(wire, monkeypatch, "sap", "CorrespondenceLanguage")
    wire.account(wire.accounts[0], FSM_Language__c="en")
    wire.settle()
    assert wire.record(wire.accounts[0])["language"] == "en"
    assert wire.bp(0)["CorrespondenceLanguage"] == "DE"
    give_back()
    wire.settle()
    assert wire.bp(0)["CorrespondenceLanguage"] == "EN"
    assert wire.row(0)["FSM_Language__c"] == "en"
    assert wire.waiting() == {}


def test_a_customer_created_while_a_field_is_hidden_gets_it_later(wire):
    wire.crm.store.hidden.add(("Account", "FSM_Currency__c"))
    wire.newcomer("salesforce", CorrespondenceLanguage="EN")
    wire.settle()
    assert wire.has("salesforce") == 1
    assert only(wire.problems())["field"] == "currency"
    wire.crm.store.hidden.clear()
    wire.settle()
    assert wire.has("salesforce") == 1
    assert wire.waiting() == {}


def test_a_member_of_an_address_that_is_hidden_leaves_the_whole_address_alone(wire):
    address = wire.record(wire.accounts[0])["billing_address"]
    wire.crm.store.hidden.add(("Account", "BillingCity"))
    wire.account(wire.accounts[0], BillingPostalCode="99999", Website="https://neu.example")
    wire.sync()
    assert wire.record(wire.accounts[0])["billing_address"] == address
    assert wire.record(wire.accounts[0])["website"] == "https://neu.example"
    assert only(wire.problems())["field"] == "billing_address"


# -- what an entity cannot do without -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "path", "words"),
    [
        ("salesforce", "Name", "no record is without it"),
        ("salesforce", "FSM_Hub_Id__c", "record id has no place"),
        ("sap", "OrganizationBPName1", "no record is without it"),
        ("sap", "BusinessPartnerCategory", "which records are ours"),
    ],
)
def test_without_a_required_field_or_the_key_the_entity_stops_there_and_nowhere_else(
    wire, monkeypatch, system, path, words
):
    other = {"salesforce": "sap", "sap": "salesforce"}[system]
    before = wire.record(wire.accounts[0])
    give_back = hide(wire, monkeypatch, system, path)
    wire.account(wire.accounts[0], **({"Website": "https://neu.example"} if system == "sap" else {}))
    report = wire.sync(code=1)
    assert words in report["absent"][system]
    assert path in report["absent"][system]
    assert report["failures"] == {}
    assert list(report["read"]) == [other]
    assert wire.record(wire.accounts[0]) == before | ({"website": "https://neu.example"} if system == "sap" else {})
    assert wire.simulators[system].writes() == 0
    finding = only(wire.findings(system))
    assert finding.startswith("error")
    assert path in finding
    told = wire.ask("doctor", code=1)["systems"][system]
    assert (told["reachable"], told["usable"], told["entities"]["customer"]["usable"]) == (True, False, False)
    give_back()
    wire.settle()
    assert wire.waiting() == {}


def test_an_object_that_is_hidden_stops_its_entity_with_a_sentence(wire):
    kept = wire.crm.store.objects.pop("Account")
    report = wire.sync(code=1)
    assert "does not show this object" in report["absent"]["salesforce"]
    assert "Account" in only(wire.findings("salesforce"))
    wire.crm.store.objects["Account"] = kept
    wire.settle()
    assert wire.waiting() == {}


SITES = {
    "salesforce": "entity: site\nobject: Account\nkey: {key}\nfields: {{name: Fax}}\ndefaults: {{Name: Site}}\n",
    "sap": "entity: site\nobject: A_BusinessPartner\nkey: FSMHUB\nfields: {{name: SearchTerm1}}\n",
}


@pytest.mark.parametrize("key", ["FSM_Hub_Id__c", "Site"])
def test_two_entities_of_one_object_stand_or_fall_alone(wire, key):
    for system, table in SITES.items():
        path = wire.folder / "mappings" / system / "site.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(table.format(key=key), encoding="utf8")
    hub = 'mappings = "mappings"\nentities = ["customer", "site"]\n'
    written = wire.config.read_text(encoding="utf8")
    wire.config.write_text(written.replace('entities = ["customer"]\n', hub), encoding="utf8")
    both = wire.ask("doctor")["systems"]
    assert {one["usable"] for system in both.values() for one in system["entities"].values()} == {True}
    assert {one["entities"]["site"]["key"]["path"] for one in both.values()} == {key, "FSMHUB"}
    wire.crm.store.hidden.add(("Account", "Fax"))
    told = wire.ask("doctor", code=1)["systems"]
    assert told["sap"]["usable"]
    assert {name: one["usable"] for name, one in told["salesforce"]["entities"].items()} == {
        "customer": True,
        "site": False,
    }
    finding = only([one for one in told["salesforce"]["findings"] if one["severity"] == "error"])
    assert (finding["entity"], finding["paths"]) == ("site", ["Fax"])
    wire.account(wire.accounts[0], FSM_Language__c="en")
    report = wire.sync("customer")
    assert report["absent"] == {}
    assert wire.bp(0)["CorrespondenceLanguage"] == "EN"
    assert wire.waiting() == {}
