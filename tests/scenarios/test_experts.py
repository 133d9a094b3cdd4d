"""What an expert tries first, over real HTTP: kills, lost answers, edits that meet, merges, and clocks.

Named by the list of the engine's promises. Not here: what hostile servers do (`test_hostile_*`), and of that list
3 (`test_traps`, `test_breaker`), 13, the dirty first load (`test_dirty_plan`), and 14 (`test_drift`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from flows import wiring
from fsm_core.service import push
from fsm_core.service.hub import Hub
from tests.scenarios.wire import HOUR, WRITES, company

CREATES = {"salesforce": r"/composite/sobjects/Account/FSM_Hub_Id__c", "sap": r"\$batch"}


class KilledError(BaseException):
    """The process is gone: nothing in it may catch this."""


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def calm(wire):
    wire.settle()
    before = wire.writes()
    wire.sync(later=HOUR)
    assert wire.writes() == before
    assert wire.waiting() == {}


@pytest.mark.parametrize("system", ["salesforce", "sap"])
def test_expert_1_killed_between_the_remote_create_and_the_saved_link_there_is_one_record(wire, system, monkeypatch):
    wire.newcomer(system)
    with monkeypatch.context() as killing:
        killing.setattr(push, "_settle", lambda *_args: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            wire.sync()
    assert wire.has(system) == 1  # it was made, and nobody here remembers an answer
    assert wire.ask("status")["open_intents"] == {"sent": 1}
    calm(wire)
    assert wire.has(system) == 1
    (partner,) = wire.named("Werft Neuhafen GmbH")
    assert wire.row("Werft Neuhafen GmbH")["Id"]
    assert wire.record(partner)["legal_name"] == "Werft Neuhafen GmbH"


@pytest.mark.parametrize("system", ["salesforce", "sap"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_expert_2_the_answer_of_a_create_is_dropped_and_there_is_one_record(wire, system, moment):
    wire.newcomer(system)
    wire.simulators[system].fail(path=CREATES[system], method=WRITES, drop=moment)
    wire.sync()
    calm(wire)
    assert wire.has(system) == 1
    assert wire.problems() == []


def test_expert_4_disjoint_edits_on_both_sides_both_land_and_nobody_is_asked(wire):
    wire.news_for("sap", 0)
    wire.news_for("salesforce", 0)
    wire.sync()
    assert wire.has_news("sap", 0)
    assert wire.has_news("salesforce", 0)
    calm(wire)


def test_expert_5_the_same_field_on_both_sides_is_a_question_and_the_loser_is_kept(wire):
    wire.account(wire.accounts[0], FSM_Currency__c="CHF")
    area = wire.erp.store.by("A_CustomerSalesArea", "Customer", wire.bp(0)["Customer"])[0]
    key = "/".join(area[name] for name in ("Customer", "SalesOrganization", "DistributionChannel", "Division"))
    wire.erp.edit("A_CustomerSalesArea", key, {"Currency": "USD"})
    wire.sync()
    (asked,) = wire.ask("conflicts", "list")
    assert asked["field"] == "currency"
    assert wire.row(0)["FSM_Currency__c"] == "CHF"  # frozen on both sides while it is asked
    wire.run("conflicts", "resolve", asked["id"], "--take", "sap")
    wire.sync()
    assert wire.row(0)["FSM_Currency__c"] == "USD"
    story = wire.ask("explain", "customer", wire.accounts[0], "currency")["fields"]["currency"]
    assert any(decision.get("overruled", {}).get("salesforce") == "CHF" for decision in story["decisions"])
    calm(wire)


def test_expert_6_an_edit_by_who_does_not_own_the_field_meets_the_rules_reaction_in_the_open(wire):
    before = wire.row(0)["FSM_Payment_Terms__c"]
    wire.account(wire.accounts[0], FSM_Payment_Terms__c="NT90")  # the ERP owns it: reverted
    wire.account(wire.accounts[1], Name="Umbenannt GmbH")  # the ERP owns it while it bills: proposed
    agreed = wire.record(wire.accounts[1])["legal_name"]
    wire.sync()
    story = wire.ask("explain", "customer", wire.accounts[0], "payment_terms")["fields"]["payment_terms"]
    assert [decision["outcome"] for decision in story["decisions"]][-1] == "REVERT"
    assert story["decisions"][-1]["overruled"] == {"salesforce": "NT90"}
    assert wire.row(0)["FSM_Payment_Terms__c"] == before
    (proposal,) = wire.ask("proposals", "list")
    assert (proposal["field"], proposal["value"]) == ("legal_name", "Umbenannt GmbH")
    assert wire.record(wire.accounts[1])["legal_name"] == agreed


def test_expert_7_deleted_here_and_edited_there_asks_and_a_lost_right_on_500_deletes_nothing(tmp_path):
    with company(tmp_path, linked=1, settled=False) as wire:
        wire.crm.queries.page_limit = 2000
        wire.crm.seed("Account", [{"Name": f"Interessent {n}", "FSM_Status__c": "Prospect"} for n in range(500)])
        wire.settle()
        wire.crm.remove("Account", wire.accounts[0])
        wire.news_for("salesforce", 0)
        wire.sync()
        kept = {"active": 501}
        assert wire.ask("status")["records"]["customer"] == kept
        (again,) = [row for row in wire.crm.rows("Account") if row["Name"] == "Neu 0 GmbH" and not row["IsDeleted"]]
        assert again["Id"] != wire.accounts[0]  # deleted without authority: restored, with the edit
        wire.settle()
        table = wire.crm.store.tables["Account"]
        hidden = {id_: table.pop(id_) for id_ in list(table) if table[id_]["Name"].startswith("Interessent")}
        before = wire.writes()
        assert wire.sync()["read"]["salesforce"]["gone"] == 0  # what is not shown since then has not changed
        assert wire.waiting() == {}
        for _ in range(2):
            wire.sync("--full")
        (problem,) = wire.problems()
        assert problem["message"] == "500 of 501 known records are not shown any more; nothing was deleted"
        assert (wire.writes(), wire.ask("status")["records"]["customer"]) == (before, kept)
        assert len(hidden) == 500


def test_expert_8_two_accounts_are_merged_and_nothing_is_created_again(wire):
    wire.newcomer("sap", "Doppelt GmbH")
    calm(wire)
    loser = wire.row("Doppelt GmbH")["Id"]
    accounts = len([row for row in wire.crm.rows("Account") if not row["IsDeleted"]])
    wire.crm.merge("Account", wire.accounts[0], [loser])
    wire.sync()
    wire.sync(later=HOUR)
    assert len([row for row in wire.crm.rows("Account") if not row["IsDeleted"]]) == accounts - 1
    # the ERP still keeps two: a person is asked, and neither is deleted or written over
    (asked,) = wire.ask("conflicts", "list")
    assert asked["type"] == "merge"
    assert wire.has("sap", "Doppelt GmbH") == 1


def test_expert_9_equal_stamps_a_late_commit_and_a_clock_that_is_off_lose_no_edit(wire, monkeypatch):
    monkeypatch.setattr(wiring, "Hub", partial(Hub, now=lambda: wire.clock.now() + timedelta(seconds=90)))
    wire.crm.late("Account", wire.accounts[2], {"Website": "https://spaet.example"}, 120)
    for place in (0, 1):  # the same instant, across a page border of two
        wire.account(wire.accounts[place], Website=f"https://gleich{place}.example")
    wire.sync(later=1)
    wire.clock.advance(200)
    calm(wire)
    for place, site in enumerate(("gleich0", "gleich1", "spaet")):
        assert wire.record(wire.accounts[place])["website"] == f"https://{site}.example"


def test_expert_9_the_hour_that_comes_twice_loses_no_edit_of_the_erp(wire):
    for minute, place in ((30, 0), (90, 1)):  # 02:30 and 02:30 again, on the wall clock of Berlin
        wire.clock.set(datetime(2026, 10, 25, 0, tzinfo=UTC) + timedelta(minutes=minute))
        wire.partner(wire.partners[place], OrganizationBPName1=f"Winterzeit {place} GmbH")
        wire.sync(later=10)
    calm(wire)
    assert [wire.row(place)["Name"] for place in (0, 1)] == ["Winterzeit 0 GmbH", "Winterzeit 1 GmbH"]
