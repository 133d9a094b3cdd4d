"""What a Salesforce org does to the hub: sessions that end, limits, refusals of its administrators, lost answers.

Each scenario looks at the org, at the state and at what a person is told. Not here: what both systems do alike.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from connectors.salesforce.simulator_schema import text
from connectors.salesforce.simulator_store import Refusal
from tests.scenarios.wire import HOUR, company

COLLECTIONS = "/composite/sobjects"


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def calm(wire, *places):
    wire.settle()
    assert wire.has_news("salesforce", *places)
    assert wire.waiting() == {}


def only(problems):
    (one,) = problems
    return one


# -- sessions and limits ---------------------------------------------------------------------------


def test_a_session_that_ends_between_two_pages_costs_one_log_in_and_no_row(wire):
    for place in range(3):
        wire.account(wire.accounts[place], Website=f"https://neu{place}.example")
    wire.at("salesforce", "/query/0r8", wire.crm.tokens.revoke)
    before = wire.crm.tokens.count
    assert wire.sync()["read"]["salesforce"]["changed"] == 3
    assert wire.crm.tokens.count == before + 2
    assert any(path.startswith("GET 401") for path in wire.paths("salesforce", "/query/0r8"))
    assert wire.waiting() == {}


def test_a_session_that_ends_just_before_a_write_writes_once(wire):
    wire.news_for("salesforce", 0)
    wire.at("salesforce", COLLECTIONS, wire.crm.tokens.revoke)
    assert wire.sync()["written"]["salesforce"] == 1
    assert wire.writes() == 1
    calm(wire, 0)


@pytest.mark.parametrize(
    ("limit", "words"),
    [("daily", "allowance of calls"), ("concurrent", "ConcurrentRequests")],
)
def test_a_limit_hit_at_the_write_leaves_the_org_alone_and_the_next_round_goes_on(wire, limit, words):
    wire.news_for("salesforce", 0)
    wire.news_for("sap", 1)

    def exhaust():
        if limit == "daily":
            wire.crm.api_limit = wire.crm.api_used
        else:
            wire.crm.concurrency_exceeded = True

    wire.at("salesforce", COLLECTIONS, exhaust)
    report = wire.sync(code=1)
    assert words in report["absent"]["salesforce"]
    assert "REQUEST_LIMIT_EXCEEDED" in report["absent"]["salesforce"]
    assert wire.has_news("sap", 1)
    assert wire.problems() == []
    assert words in wire.findings("salesforce")[0]
    wire.crm.api_limit, wire.crm.concurrency_exceeded = 100_000, False
    calm(wire, 0)


# -- refusals of single records --------------------------------------------------------------------


def refuse(wire, place, code, message, fields=(), **extra):
    """The org refuses to save one account, whatever is in it."""

    def rule(name, row):
        return Refusal(code, message, fields, extra=extra) if row["Id"] == wire.accounts[place] else None

    wire.crm.store.validation_rules.append(rule)


def test_one_bad_record_in_a_batch_is_one_problem_and_the_others_land(wire):
    for place in range(3):
        wire.news_for("salesforce", place)
    refuse(wire, 1, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "Name must hold a city")
    report = wire.sync()
    assert (report["written"]["salesforce"], report["refused"]) == (2, 1)
    assert wire.has_news("salesforce", 0, 2)
    problem = only(wire.problems())
    assert (problem["system"], problem["external_id"]) == ("salesforce", wire.accounts[1])
    assert "Name must hold a city" in problem["message"]
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in problem["message"]
    before = wire.writes()
    wire.sync()
    assert wire.writes() == before
    wire.crm.store.validation_rules.clear()
    wire.ask("problems", "retry")
    calm(wire, 1)


def test_a_locked_row_is_tried_again_and_nobody_is_asked(wire):
    wire.news_for("salesforce", 0)
    wire.news_for("salesforce", 1)
    wire.crm.store.locked.add(wire.accounts[0])
    report = wire.sync()
    assert report["written"]["salesforce"] == 1
    assert wire.problems() == []
    assert list(wire.waiting()) == ["due"]
    wire.sync(later=25 * HOUR)
    problem = only(wire.problems())
    assert "unable to obtain exclusive access" in problem["message"]
    assert "more than a day" in problem["remedy"]
    wire.crm.store.locked.clear()
    calm(wire, 0, 1)


def test_an_account_saved_by_a_person_just_before_our_write_keeps_both_edits(wire):
    wire.news_for("salesforce", 0)

    def person():
        wire.clock.advance(2)
        wire.account(wire.accounts[0], FSM_Language__c="en")

    wire.at("salesforce", "WHERE[+]Id[+]IN|WHERE%20Id%20IN", person)
    wire.sync()
    calm(wire, 0)
    assert wire.row(0)["FSM_Language__c"] == "en"
    assert wire.has_news("sap", 0)


def test_a_duplicate_rule_is_a_question_and_the_record_is_not_saved(wire):
    other = wire.accounts[0]
    match = {"matchResults": [{"matchRecords": [{"record": {"Id": other}}]}]}
    wire.crm.store.duplicate_rules.append(
        lambda name, row: (
            Refusal("DUPLICATES_DETECTED", "Use one of these records?", extra={"duplicateResult": match})
            if row["Name"].startswith("Werft")
            else None
        )
    )
    wire.newcomer("salesforce")
    wire.sync()
    assert wire.has("salesforce") == 0
    problem = only(wire.problems())
    assert problem["cause"] == "write duplicate"
    assert other in problem["message"]
    assert "the hub links them" in problem["remedy"]
    before = wire.writes()
    wire.sync()
    assert wire.writes() == before
    wire.crm.store.duplicate_rules.clear()
    wire.ask("problems", "retry")
    calm(wire)
    assert wire.has("salesforce") == 1


def test_a_name_that_became_too_long_overnight_is_held_back_and_the_rest_goes_out(wire):
    fields = wire.crm.store.objects["Account"].fields
    fields["Name"] = text("Name", 12)
    wire.partner(wire.partners[0], OrganizationBPName1="Ein viel zu langer Name", CorrespondenceLanguage="DE")
    wire.news_for("salesforce", 1, "N")
    wire.sync()
    wire.settle()
    assert wire.has_news("salesforce", 1, text="N")
    problem, drift = sorted(wire.problems(), key=lambda one: str(one["cause"]), reverse=True)
    assert (problem["field"], problem["cause"], drift["cause"]) == ("legal_name", "write invalid", "drift shortened")
    assert "12" in problem["message"]
    assert wire.row(0)["Name"] == wire.firms[0].name
    fields["Name"] = text("Name", 255)
    wire.settle()
    assert wire.row(0)["Name"] == "Ein viel zu langer Name"
    assert wire.waiting() == {}


def test_a_value_gone_from_a_restricted_pick_list_is_a_problem_of_that_field_only(wire):
    fields = wire.crm.store.objects["Account"].fields
    kept = fields["FSM_Status__c"]
    fields["FSM_Status__c"] = replace(kept, values=("Prospect", "Active", "Inactive"))
    wire.partner(wire.partners[0], BusinessPartnerIsBlocked=True, OrganizationBPName1="Neu 0 GmbH")
    wire.sync()
    wire.settle()
    assert wire.has_news("salesforce", 0)
    problem, drift = sorted(wire.problems(), key=lambda one: str(one["cause"]), reverse=True)
    assert (problem["field"], problem["cause"], drift["cause"]) == ("status", "write invalid", "drift value_dropped")
    assert "does not offer On Hold" in problem["message"]
    fields["FSM_Status__c"] = kept
    wire.settle()
    assert wire.row(0)["FSM_Status__c"] == "On Hold"
    assert wire.waiting() == {}


def test_a_field_made_required_overnight_is_named_by_the_problem_and_by_the_doctor(wire):
    fields = wire.crm.store.objects["Account"]
    fields.add(replace(text("Region__c", 40), nillable=False))
    wire.newcomer("salesforce")
    wire.sync()
    assert wire.has("salesforce") == 0
    problem = only(wire.problems())
    assert (problem["field"], problem["cause"]) == ("Region__c", "drift required")
    assert "no new customer is made" in problem["message"]
    assert wire.crm.writes() == 0
    assert any("Region__c" in finding for finding in wire.findings("salesforce"))
    fields.add(text("Region__c", 40))
    calm(wire)
    assert wire.has("salesforce") == 1


def test_a_field_closed_during_the_round_is_held_back_and_the_rest_goes_out(wire):
    fields = wire.crm.store.objects["Account"].fields
    open_ = fields["FSM_Language__c"]
    wire.crm.store.objects["Account"].fields["FSM_Trade_Name__c"] = fields["FSM_Trade_Name__c"]

    def close():
        fields["Name"] = replace(fields["Name"], updateable=False)

    wire.partner(wire.partners[0], OrganizationBPName1="Neu 0 GmbH", BusinessPartnerIsBlocked=True)
    wire.at("salesforce", COLLECTIONS, close)
    wire.sync()
    assert open_.updateable
    wire.settle()
    assert wire.row(0)["FSM_Status__c"] == "On Hold"
    assert wire.row(0)["Name"] == wire.firms[0].name
    problem, drift = sorted(wire.problems(), key=lambda one: str(one["cause"]), reverse=True)
    assert (problem["field"], "security settings" in problem["message"]) == ("legal_name", True)
    assert (drift["field"], drift["cause"]) == ("legal_name", "drift right_lost")
    fields["Name"] = replace(fields["Name"], updateable=True)
    calm(wire)
    assert wire.row(0)["Name"] == "Neu 0 GmbH"


# -- rights ----------------------------------------------------------------------------------------


def test_accounts_that_are_not_shown_any_more_are_not_deleted_anywhere(wire):
    partners = wire.erp.counts()["rows"]
    rows = dict(wire.crm.store.tables["Account"])
    wire.crm.store.tables["Account"].clear()
    wire.sync("--full")
    assert wire.erp.counts()["rows"] == partners
    assert wire.writes() == 0
    finding = only(wire.problems())
    assert finding["message"] == "3 of 3 known records are not shown any more; nothing was deleted"
    assert "right to see them" in finding["remedy"]
    wire.news_for("salesforce", 0)
    wire.sync()
    problem = only([one for one in wire.problems() if one["id"] != finding["id"]])
    assert (problem["external_id"], problem["message"]) == (wire.accounts[0], "the record is not visible any more")
    wire.crm.store.tables["Account"].update(rows)
    wire.sync("--full")
    wire.ask("problems", "retry", problem["id"])
    calm(wire, 0)


def test_a_right_lost_for_the_whole_object_stops_the_org_and_says_which(wire):
    wire.news_for("salesforce", 0)
    body = json.dumps([{"errorCode": "INSUFFICIENT_ACCESS", "message": "no access to Account"}])
    wire.crm.fail(method="PATCH|POST", path=COLLECTIONS, status=403, body=body)
    report = wire.sync(code=1)
    assert "no access to Account" in report["absent"]["salesforce"]
    assert "doctor" in report["absent"]["salesforce"]
    assert wire.problems() == []
    calm(wire, 0)


# -- identity and lost answers ---------------------------------------------------------------------

STRANGE = "O'Neil & Söhne / 50% #1 + 漢字 GmbH"


def test_a_name_of_special_characters_goes_both_ways_unharmed(wire):
    wire.newcomer("salesforce", STRANGE, SearchTerm1="A/B'#&%+")
    wire.newcomer("sap", f"{STRANGE} 2")
    wire.sync()
    calm(wire)
    assert wire.has("salesforce", STRANGE) == wire.has("sap", STRANGE) == 1
    assert wire.has("sap", f"{STRANGE} 2") == wire.has("salesforce", f"{STRANGE} 2") == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_create_repeated_by_its_upsert_key_makes_one_account(wire, moment):
    wire.newcomer("salesforce")
    wire.crm.fail(path=f"{COLLECTIONS}/Account/FSM_Hub_Id__c", drop=moment, times=2)
    report = wire.sync()
    assert report["written"]["salesforce"] == 1
    assert wire.has("salesforce") == 1
    assert wire.crm.counts()["Account"]["duplicates"] == []
    calm(wire)


def test_of_two_records_the_one_that_failed_on_the_server_is_told_again(wire):
    wire.news_for("salesforce", 0)
    wire.news_for("salesforce", 1)
    refuse(wire, 1, "UNKNOWN_EXCEPTION", "An unexpected error occurred")
    report = wire.sync(code=1)
    assert "An unexpected error occurred" in report["absent"]["salesforce"]
    assert wire.has_news("salesforce", 0)
    assert wire.problems() == []
    wire.crm.store.validation_rules.clear()
    calm(wire, 0, 1)


def test_automation_that_rewrites_what_we_wrote_is_settled_and_not_fought_for_ever(wire):
    wire.crm.store.automation.append(lambda name, row: {"Name": row["Name"].upper()})
    wire.news_for("salesforce", 0)
    wire.sync()
    wire.settle()
    before = wire.writes()
    wire.sync(later=HOUR)
    assert wire.writes() == before
    assert wire.row(0)["Name"] == "NEU 0 GMBH"
