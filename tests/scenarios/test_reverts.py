"""Taking a run back over real HTTP: every field gets the value it had, and what is left is told with its reason.

Not here: plans of what is due (`test_plans`).
"""

from __future__ import annotations

import pytest

from tests.scenarios.wire import company


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def last_run(wire, kind: str = "sync", entity: str = "customer") -> str:
    rows = wire.ask("runs")
    return next(row["id"] for row in rows if row["kind"] == kind and row["summary"].get("entity") == entity)


def taken_back(wire, run: str, code: int = 0):
    """The plan that takes a run back, and what applying it came to."""
    path = str(wire.folder / "back.json")
    wire.clock.advance(60)
    plan = wire.ask("revert", run, "--out", path)
    return plan, wire.ask("apply", path, code=code)


def test_both_systems_show_what_they_showed_before_and_the_next_round_is_quiet(wire):
    before = {place: (wire.row(place)["Name"], wire.bp(place)["CorrespondenceLanguage"]) for place in (0, 1)}
    wire.news_for("sap", 0)
    wire.news_for("salesforce", 1)
    wire.sync()
    assert (wire.has_news("sap", 0), wire.has_news("salesforce", 1)) == (True, True)
    plan, done = taken_back(wire, last_run(wire))
    assert {(take["field"], take["now"], take["to"]) for take in plan["plan"]["takes"]} >= {("language", "en", "de")}
    assert set(done["fates"]) == {"applied"}
    assert {p: (wire.row(p)["Name"], wire.bp(p)["CorrespondenceLanguage"]) for p in (0, 1)} == before
    assert wire.row(0)["FSM_Language__c"] == "de"
    assert wire.bp(1)["OrganizationBPName1"] == wire.row(1)["Name"]
    count = wire.writes()
    wire.settle()
    assert wire.writes() == count
    told = wire.ask("explain", "customer", wire.accounts[0], "language")["fields"]["language"]
    assert (told["said_by"]["by"], told["decisions"][-1]["note"]) == ("ada", "decided by ada")


def test_what_was_changed_again_since_is_left_and_told(wire):
    wire.news_for("sap", 0)
    wire.news_for("sap", 1)
    wire.sync()
    run = last_run(wire)
    wire.account(wire.accounts[0], FSM_Language__c="fr")
    wire.sync()
    plan, done = taken_back(wire, run)
    (left,) = plan["plan"]["kept"]
    assert (left["field"], left["why"]) == ("language", "it was changed again since")
    assert (wire.bp(0)["CorrespondenceLanguage"], wire.bp(1)["CorrespondenceLanguage"]) == ("FR", "DE")
    assert done["fates"]["applied"] == 2  # Salesforce, where it was entered, and SAP, which was told


def test_what_was_created_is_left_and_told(wire):
    wire.newcomer("sap")
    wire.sync()
    path = str(wire.folder / "back.json")
    plan = wire.ask("revert", last_run(wire), "--out", path)
    (left,) = plan["plan"]["kept"]
    assert left["why"] == "it came to the hub in this run; a revert takes nothing away"
    assert (plan["plan"]["takes"], wire.has("sap")) == ([], 1)


def test_an_edit_that_the_rules_undid_is_told_and_not_brought_back(wire):
    wire.account(wire.accounts[0], FSM_Payment_Terms__c="NET99")
    wire.sync()
    plan, done = taken_back(wire, last_run(wire))
    (left,) = plan["plan"]["kept"]
    assert left["field"] == "payment_terms"
    assert "was undone by the rule" in left["why"]
    assert done["fates"] == {}


def test_an_edit_made_between_plan_and_application_stays(wire):
    wire.news_for("sap", 0)
    wire.sync()
    path = str(wire.folder / "back.json")
    wire.ask("revert", last_run(wire), "--out", path)
    wire.account(wire.accounts[0], FSM_Language__c="fr")
    wire.clock.advance(60)
    wire.ask("apply", path, code=1)
    wire.settle()
    assert (wire.row(0)["FSM_Language__c"], wire.bp(0)["CorrespondenceLanguage"]) == ("fr", "FR")


def test_taken_back_twice_it_is_done_once(wire):
    wire.news_for("sap", 0)
    wire.sync()
    taken_back(wire, last_run(wire))
    before = wire.writes()
    again = wire.ask("apply", str(wire.folder / "back.json"))
    assert (again["fates"], wire.writes()) == ({"done already": 2}, before)


def test_a_revert_can_be_taken_back_itself(wire):
    wire.news_for("sap", 0)
    wire.sync()
    taken_back(wire, last_run(wire))
    taken_back(wire, next(row["id"] for row in wire.ask("runs") if row["kind"] == "apply"))
    assert (wire.row(0)["FSM_Language__c"], wire.bp(0)["CorrespondenceLanguage"]) == ("en", "EN")
    assert wire.ask("audit", "verify")["ok"]
