"""A system's fields change overnight: removed, renamed, shortened, restricted, demanded, closed, of another type.

Over real HTTP, with the switches of both simulators: only what is concerned stops, nothing wrong is
written, all else goes on, and what people did meanwhile is found when it is over. Not here: the comparison as a table
(`tests/unit/test_drift`), both databases (`tests/store/test_drift_state`).
"""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

import mappings
from connectors.salesforce.simulator_setup import Setup
from connectors.sap.simulator import ROOT
from connectors.sap.simulator_upgrade import Upgrade
from flows.cli.app import app
from tests.scenarios.wire import HOUR, company

ADDRESS = "A_BusinessPartnerAddress"


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


@pytest.fixture
def crm(wire):
    return Setup(wire.crm.store)


@pytest.fixture
def erp(wire):
    with Upgrade(wire.erp.store) as made:
        yield made


def only(rows):
    (one,) = rows
    return one


def refused(wire, *words):
    result = CliRunner().invoke(app, ["--config", str(wire.config), *words])
    assert result.exit_code == 1
    return str(result.exception)


def settings(wire, system, text):
    told = wire.config.read_text(encoding="utf8")
    wire.config.write_text(f"{told}\n[systems.{system}.drift]\n{text}\n", encoding="utf8")


def remap(wire, old, new):
    """Somebody corrects the mapping of Salesforce."""
    path = wire.folder / "mappings" / "salesforce" / "customer.yaml"
    path.parent.mkdir(parents=True)
    shipped = (mappings.SHIPPED / "salesforce" / "customer.yaml").read_text(encoding="utf8")
    assert old in shipped
    path.write_text(shipped.replace(old, new), encoding="utf8")
    told = wire.config.read_text(encoding="utf8")
    wire.config.write_text(told.replace("[hub]\n", '[hub]\nmappings = "mappings"\n'), encoding="utf8")


def drift(wire, code=0):
    return wire.ask("drift", "list", code=code)


def over(wire):
    """Nothing is left: no drift, nothing that waits, and the next round writes nothing."""
    wire.settle()
    assert drift(wire) == []
    assert wire.waiting() == {}


def test_a_settled_company_has_no_drift(wire):
    assert drift(wire) == []
    assert wire.sync()["drift"] == []
    assert wire.ask("status")["drift"] == {}


# -- removed ---------------------------------------------------------------------------------------------


def test_a_removed_field_is_held_and_told_everywhere(wire, crm, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")
    before = wire.record(wire.accounts[0])
    crm.delete_field("Account", "FSM_Language__c")
    assert only(drift(wire))["kind"] == "removed"  # before a run
    wire.partner(wire.partners[0], OrganizationBPName1="Neu 0 GmbH")
    report = wire.sync()
    assert report["absent"] == {}
    assert wire.has_news("salesforce", 0)
    assert wire.record(wire.accounts[0]) == before | {"legal_name": "Neu 0 GmbH"}
    assert wire.bp(0)["CorrespondenceLanguage"] == "DE"
    told = only(report["drift"])
    assert (told["path"], told["kind"], told["policy"]) == ("FSM_Language__c", "removed", "hold")
    assert "language is owned there: nobody is told" in told["message"]
    problem = only(wire.problems())
    assert (problem["cause"], problem["field"]) == ("drift removed", "language")
    assert "drift accept" in problem["remedy"]
    assert wire.ask("status")["drift"] == {"salesforce": 1}
    assert "drift hold: the account does not show FSM_Language__c any more" in wire.run("sync")
    finding = only(wire.findings("salesforce", ok=True))
    assert "new: the account does not show FSM_Language__c any more" in finding
    crm.restore_field("Account", "FSM_Language__c")
    over(wire)


def test_what_was_edited_while_a_field_was_gone_is_found_when_it_is_back(wire, crm):
    crm.delete_field("Account", "FSM_Language__c")
    wire.sync(later=HOUR)
    crm.restore_field("Account", "FSM_Language__c")
    wire.account(wire.accounts[0], FSM_Language__c="en")
    crm.delete_field("Account", "FSM_Language__c")
    wire.sync(later=HOUR)
    wire.sync(later=HOUR)
    assert wire.bp(0)["CorrespondenceLanguage"] == "DE"
    crm.restore_field("Account", "FSM_Language__c")
    over(wire)
    assert wire.bp(0)["CorrespondenceLanguage"] == "EN"


def test_a_field_that_is_removed_in_the_middle_of_a_round_costs_that_round_only(wire, crm):
    wire.account(wire.accounts[1], Website="https://neu.example")
    wire.at("salesforce", "query.*FSM_Language__c", lambda: crm.delete_field("Account", "FSM_Language__c"))
    report = wire.sync(code=1)
    assert "FSM_Language__c" in report["absent"]["salesforce"]
    assert wire.crm.writes() == 0
    report = wire.sync()
    assert report["absent"] == {}
    assert only(report["drift"])["policy"] == "hold"
    assert wire.record(wire.accounts[1])["website"] == "https://neu.example"


@pytest.mark.parametrize("field", ["AccountNumber", "FSM_Billing_Status__c"])
def test_a_field_that_identifies_or_decides_ownership_stops_its_mapping_and_nothing_else(wire, crm, field):
    before = wire.record(wire.accounts[0])
    crm.delete_field("Account", field)
    wire.account(wire.accounts[1], Website="https://neu.example")
    wire.partner(wire.partners[0], SearchTerm1="X", OrganizationBPName1="Neu 0 GmbH")
    report = wire.sync(code=1)
    assert field in report["absent"]["salesforce"]
    assert list(report["read"]) == ["sap"]
    assert wire.crm.writes() == 0
    assert only(report["drift"])["policy"] == "stop"
    assert only(wire.problems())["cause"] == "drift removed"
    assert wire.record(wire.accounts[0]) == before | {"legal_name": "Neu 0 GmbH"}
    crm.restore_field("Account", field)
    over(wire)
    assert wire.has_news("salesforce", 0)
    assert wire.record(wire.accounts[1])["website"] == "https://neu.example"


def test_the_settings_say_what_is_done(wire, crm):
    settings(wire, "salesforce", 'removed = "stop"\nkey_removed = "hold"')
    crm.delete_field("Account", "AccountNumber")
    assert wire.sync()["drift"][0]["policy"] == "hold"
    crm.delete_field("Account", "FSM_Language__c")
    report = wire.sync(code=1)
    assert "FSM_Language__c" in report["absent"]["salesforce"]
    wire.config.write_text(wire.config.read_text(encoding="utf8").replace('"stop"', '"explode"'), encoding="utf8")
    assert "systems.salesforce.drift.removed: Input should be 'stop' or 'hold'" in refused(wire, "status")


# -- renamed ---------------------------------------------------------------------------------------------


def test_a_renamed_field_is_suggested_and_found_again_through_the_mapping(wire, crm):
    crm.rename_field("Account", "FSM_Language__c", "FSM_Lang__c")
    told = only(drift(wire))
    assert (told["kind"], told["like"], told["policy"]) == ("renamed", "FSM_Lang__c", "hold")
    wire.sync(later=HOUR)
    assert only(drift(wire))["like"] == "FSM_Lang__c"  # still, when the new name is no news any more
    assert "write FSM_Lang__c in the mapping" in only(wire.problems())["remedy"]
    wire.account(wire.accounts[0], FSM_Lang__c="en")
    remap(wire, "FSM_Language__c", "FSM_Lang__c")
    over(wire)
    assert wire.bp(0)["CorrespondenceLanguage"] == "EN"


def test_a_renamed_property_of_sap_is_suggested(wire, erp):
    erp.rename(ROOT, "CorrespondenceLanguage", "CorrespondenceLang")
    told = only(drift(wire))
    assert (told["kind"], told["like"]) == ("renamed", "CorrespondenceLang")
    report = wire.sync()
    assert report["absent"] == {}
    assert wire.writes() == 0
    erp.undo()
    over(wire)


# -- shortened -------------------------------------------------------------------------------------------


def test_what_does_not_fit_a_shortened_field_is_set_aside_and_the_rest_goes_out(wire, crm):
    crm.change_field("Account", "Name", length=12)
    wire.partner(wire.partners[0], OrganizationBPName1="Ein viel zu langer Name GmbH", CorrespondenceLanguage="DE")
    wire.partner(wire.partners[1], OrganizationBPName1="Kurz GmbH")
    report = wire.sync()
    assert only(report["drift"])["policy"] == "warn"
    assert wire.row(1)["Name"] == "Kurz GmbH"
    refused = [one for one in wire.problems() if one["cause"] == "write invalid"]
    assert only(refused)["field"] == "legal_name"
    assert "holds 12 characters, this value has 28" in only(refused)["message"]
    assert all("STRING_TOO_LONG" not in str(one) for one in wire.problems())
    assert wire.sync()["writes"] == 0
    crm.change_field("Account", "Name", length=255)
    over(wire)
    assert wire.row(0)["Name"] == "Ein viel zu langer Name GmbH"


def test_a_new_record_goes_out_without_the_value_that_does_not_fit(wire, erp):
    erp.change(ADDRESS, "CityName", length=4)
    wire.newcomer("sap", "Werft Neuhafen GmbH")  # Kiel fits
    wire.newcomer("sap", "Hof Altmark GmbH")
    long = only([row["Id"] for row in wire.crm.rows("Account") if row["Name"] == "Hof Altmark GmbH"])
    wire.account(long, BillingCity="Stendal")
    wire.settle()
    assert wire.has("sap", "Werft Neuhafen GmbH") == 1
    told = [one for one in wire.problems() if one["cause"] != "drift shortened"]
    assert all(one["field"] == "billing_address" for one in told), told
    assert all("Stendal" not in str(one) for one in told)
    before = wire.writes()
    wire.sync()
    assert wire.writes() == before
    erp.undo()
    wire.settle()
    assert wire.has("sap", "Hof Altmark GmbH") == 1
    assert wire.waiting() == {}


# -- pick lists ------------------------------------------------------------------------------------------


def test_a_dropped_value_is_needed_by_few_records_and_only_they_wait(wire, crm):
    crm.drop_value("Account", "FSM_Billing_Status__c", "Blocked")
    assert only(drift(wire))["kind"] == "value_dropped"
    report = wire.sync()
    assert only(report["drift"])["policy"] == "warn"
    assert report["absent"] == {}
    assert wire.writes() == 0
    crm.add_value("Account", "FSM_Billing_Status__c", "Blocked")
    over(wire)


def test_a_record_that_needs_a_dropped_value_is_a_problem_and_the_others_go_on(wire, crm):
    field = wire.crm.store.objects["Account"].fields["FSM_Status__c"]
    assert field.restricted
    crm.drop_value("Account", "FSM_Status__c", "Inactive")
    for place in (0, 1):
        wire.partner(wire.partners[place], OrganizationBPName1=f"Neu {place} GmbH")
    wire.partner(wire.partners[0], BusinessPartnerIsBlocked=True)
    wire.sync()
    wire.sync()
    assert wire.has_news("salesforce", 0, 1)
    told = [one for one in wire.problems() if one["cause"] == "write invalid"]
    assert [one["message"] for one in told if "does not offer" not in one["message"]] == []
    crm.add_value("Account", "FSM_Status__c", "Inactive")
    wire.settle()
    assert [one for one in wire.problems() if one["cause"] == "write invalid"] == []


def test_a_new_value_that_the_mapping_cannot_read_is_told_before_anybody_chooses_it(wire, crm):
    crm.add_value("Account", "FSM_Status__c", "Dormant")
    told = only(drift(wire))
    assert (told["kind"], told["policy"], told["fields"]) == ("value_new", "warn", ["status"])
    before = wire.record(wire.accounts[0])
    wire.account(wire.accounts[0], FSM_Status__c="Dormant")
    wire.sync()
    assert wire.record(wire.accounts[0]) == before
    assert {one["cause"] for one in wire.problems()} == {"drift value_new", "unreadable value"}
    remap(wire, "inactive: Inactive}", "inactive: [Inactive, Dormant]}\n    representative: {inactive: Inactive}")
    wire.sync(later=HOUR)  # the edit lies behind the cursor: all is read once
    shows = [link["shows"]["status"] for link in wire.ask("record", "show", "customer", wire.accounts[0])["links"]]
    assert sorted(shows) == ["active", "inactive"]  # what was edited there is known now, and decided by the rules
    assert drift(wire) == []
    assert [one["cause"] for one in wire.problems()] == []


# -- required --------------------------------------------------------------------------------------------


def test_a_field_that_became_required_and_is_not_mapped_stops_new_records_only(wire, crm):
    crm.demand("Account", "Cost_Center__c")
    wire.newcomer("salesforce")
    wire.partner(wire.partners[0], OrganizationBPName1="Neu 0 GmbH")
    report = wire.sync()
    assert report["absent"] == {}
    assert (only(report["drift"])["kind"], only(report["drift"])["policy"]) == ("required", "stop")
    assert wire.has_news("salesforce", 0)
    assert wire.has("salesforce") == 0
    assert all("REQUIRED_FIELD_MISSING" not in str(one) for one in wire.problems())
    before = wire.crm.writes()
    wire.sync()
    assert wire.crm.writes() == before
    crm.change_field("Account", "Cost_Center__c", nillable=True)
    over(wire)
    assert wire.has("salesforce") == 1


# -- type and rights -------------------------------------------------------------------------------------


def test_a_field_of_another_type_is_held_until_it_is_accepted(wire, crm):
    crm.change_field("Account", "FSM_Segment__c", type="double")
    report = wire.sync()
    told = only(report["drift"])
    assert (told["kind"], told["policy"]) == ("type_changed", "hold")
    assert "holds number now, text before" in told["message"]
    entity = wire.ask("doctor")["systems"]["salesforce"]["entities"]["customer"]
    row = only([one for one in entity["fields"] if one["field"] == "segment"])
    assert (row["read"], row["updated"]) == (False, False)
    crm.change_field("Account", "FSM_Segment__c", type="string")
    over(wire)


@pytest.mark.parametrize("system", ["salesforce", "sap"])
def test_a_right_to_write_that_is_lost_is_no_write_and_no_loss(wire, crm, erp, system):
    if system == "salesforce":
        crm.change_field("Account", "FSM_Email__c", updateable=False, createable=False)
    else:
        erp.change(ROOT, "CorrespondenceLanguage", read_only=True)
        wire.account(wire.accounts[0], FSM_Language__c="en")
    report = wire.sync()
    assert report["absent"] == {}
    told = only(report["drift"])
    assert (told["kind"], told["policy"]) == ("right_lost", "hold")
    assert wire.simulators[system].writes() == 0
    assert only(wire.problems())["cause"] == "drift right_lost"
    crm.change_field("Account", "FSM_Email__c", updateable=True, createable=True)
    erp.undo()
    over(wire)
    assert wire.bp(0)["CorrespondenceLanguage"] == ("EN" if system == "sap" else "DE")


# -- a person --------------------------------------------------------------------------------------------


def test_what_is_accepted_is_known_and_told_no_more(wire, crm):
    crm.delete_field("Account", "AccountNumber")
    wire.sync(code=1)
    taken = only(wire.ask("drift", "accept", "salesforce", "customer", "AccountNumber"))
    assert (taken["path"], taken["policy"]) == ("AccountNumber", "stop")
    assert drift(wire) == []
    wire.partner(wire.partners[0], OrganizationBPName1="Neu 0 GmbH")
    assert wire.sync()["absent"] == {}
    assert wire.has_news("salesforce", 0)
    assert wire.problems() == []
    assert "holds" in wire.run("audit", "verify")
    crm.restore_field("Account", "AccountNumber")
    over(wire)


def test_what_nothing_goes_without_cannot_be_accepted(wire, crm):
    crm.delete_field("Account", "Name")
    wire.sync(code=1)
    assert "cannot be done without" in refused(wire, "drift", "accept", "salesforce", "customer", "Name")
    assert "nothing drifted" in refused(wire, "drift", "accept", "sap", "customer", "--all")
    assert "name one field, or --all" in refused(wire, "drift", "accept", "sap", "customer")
    crm.restore_field("Account", "Name")
    over(wire)
