"""Deletions over real HTTP: Salesforce's recycle bin and tombstones, SAP's archiving flag, rights that get lost.

Not here: what the engine decides in each case (`test_deletions`, `tests/cases/test_deletion_cases`).
"""

from __future__ import annotations

import pytest

import mappings
from connectors.sap.simulator import ROOT
from tests.scenarios.test_deletions import POLICY as CUSTOMERS
from tests.scenarios.wire import company

SHIPPED = (mappings.SHIPPED / "ownership.yaml").read_text(encoding="utf8")
POLICY = "by: owner, " + CUSTOMERS
CONTACTS = "by: owner, on_owner_delete: conflict, on_non_owner_delete: restore"
assert (SHIPPED.count(POLICY), SHIPPED.count(CONTACTS)) == (1, 1)


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def rule(wire, policy):
    """From now on other rules for deleted customers are in force."""
    path = wire.folder / f"rules{len(policy)}.yaml"
    path.write_text(SHIPPED.replace(POLICY, policy), encoding="utf8")
    text = wire.config.read_text(encoding="utf8")
    head, _, rest = text.partition("\n")
    wire.config.write_text(f'{head}\nownership = "{path.name}"\n{rest}', encoding="utf8")


def accounts(wire):
    return [row for row in wire.crm.rows("Account") if not row["IsDeleted"]]


def test_an_account_that_is_deleted_without_authority_is_created_again(wire):
    old = wire.row(0)
    agreed = wire.record(old["Id"])
    wire.crm.remove("Account", wire.accounts[0])
    report = wire.sync()
    assert report["endings"] == {"RESTORE": 1}
    wire.settle()
    (new,) = [row for row in accounts(wire) if row["Name"] == old["Name"]]
    assert new["Id"] != old["Id"]
    names = ("AccountNumber", "BillingCity", "FSM_Status__c", "FSM_VAT_Id__c")
    assert {name: new[name] for name in names} == {name: old[name] for name in names}
    assert wire.record(old["Id"]) == wire.record(new["Id"]) == agreed
    assert new["FSM_Hub_Id__c"]
    assert wire.waiting() == {}


def test_a_deletion_that_counts_is_sap_s_archiving_flag_and_is_taken_back(wire):
    rule(wire, "by: [crm], on_owner_delete: delete")
    wire.crm.remove("Account", wire.accounts[0])
    wire.settle()
    assert wire.bp(0)["IsMarkedForArchiving"] is True
    assert len(accounts(wire)) == 2
    assert wire.record(wire.accounts[0])["status"] == "inactive"
    story = wire.ask("explain", "customer", wire.accounts[0], "status")["fields"]["status"]
    assert (story["value"], story["said_by"]["note"]) == ("inactive", "deleted in salesforce")
    assert story["decisions"][-1]["outcome"] == "ACCEPT"
    assert not [call for call in wire.paths("sap") if call.startswith("DELETE")]
    wire.clock.advance(60)
    wire.crm.undelete("Account", wire.accounts[0])
    wire.settle()
    (proposal,) = wire.ask("proposals", "list")  # the ERP owns the status of a billed customer
    assert (proposal["field"], proposal["value"]) == ("status", "active")
    wire.run("proposals", "adopt", proposal["id"])
    wire.settle()
    assert wire.bp(0)["IsMarkedForArchiving"] is False
    assert wire.waiting() == {}


def test_a_question_names_its_answers_and_what_they_do(wire):
    rule(wire, "by: owner, on_owner_delete: conflict, on_non_owner_delete: conflict")
    wire.crm.remove("Account", wire.accounts[0])
    wire.settle()
    (conflict,) = wire.ask("conflicts", "list")
    shown = wire.ask("conflicts", "show", conflict["id"])["choices"]
    assert set(shown) == {"delete", "restore", "detach"}
    told = wire.run("conflicts", "show", conflict["id"])
    assert "created again in salesforce" in " ".join(told.split())
    assert "--take {delete|restore|detach}" in " ".join(told.split())
    wire.run("conflicts", "resolve", conflict["id"], "--take", "delete")
    wire.settle()
    assert wire.bp(0)["IsMarkedForArchiving"] is True
    assert wire.waiting() == {}


def test_a_partner_that_its_owner_archives_is_a_status_and_no_deletion(wire):
    wire.partner(wire.partners[0], IsMarkedForArchiving=True)
    report = wire.sync()
    assert report["endings"] == {}
    wire.settle()
    assert wire.row(0)["FSM_Status__c"] == "Inactive"
    assert wire.waiting() == {}


def test_deleted_here_and_edited_there_is_a_question(wire):
    rule(wire, "by: [crm], on_owner_delete: deactivate")
    wire.crm.remove("Account", wire.accounts[0])
    wire.news_for("salesforce", 0)
    wire.settle()
    (conflict,) = wire.ask("conflicts", "list")
    assert "edited elsewhere: sap" in conflict["note"]
    assert wire.bp(0)["IsMarkedForArchiving"] is False


def test_a_record_that_is_deleted_at_the_moment_of_the_write_is_treated_like_any_deletion(wire):
    wire.news_for("salesforce", 0)
    wire.at("salesforce", "composite/sobjects", lambda: wire.crm.remove("Account", wire.accounts[0]), method="PATCH")
    wire.sync()
    wire.settle()
    (again,) = [row for row in accounts(wire) if row["Name"] == "Neu 0 GmbH"]
    assert again["Id"] != wire.accounts[0]
    assert wire.waiting() == {}


def test_an_emptied_recycle_bin_leaves_no_trace_and_nothing_is_concluded(wire):
    wire.crm.remove("Account", wire.accounts[0])
    assert wire.crm.purge("Account") == 1
    wire.sync("--full")
    (problem,) = wire.problems()
    assert problem["message"] == "1 of 3 known records are not shown any more; nothing was deleted"
    assert (wire.bp(0)["IsMarkedForArchiving"], len(accounts(wire))) == (False, 2)


def test_a_permission_lost_on_500_accounts_deletes_nothing_and_is_told_once(tmp_path):
    with company(tmp_path, linked=0, settled=False) as wire:
        wire.crm.queries.page_limit = 2000
        rule(wire, "by: [crm], on_owner_delete: delete")
        rows = [{"Name": f"Interessent {n}", "FSM_Status__c": "Prospect"} for n in range(520)]
        wire.crm.seed("Account", rows)
        wire.sync()
        table = wire.crm.store.tables["Account"]
        hidden = {id_: table.pop(id_) for id_ in list(table)[:500]}
        before = wire.writes()
        for _ in range(2):
            wire.sync("--full")
        assert wire.writes() == before
        (problem,) = wire.problems()
        assert problem["message"] == "500 of 520 known records are not shown any more; nothing was deleted"
        assert wire.ask("status")["records"]["customer"] == {"active": 520}
        table.update(hidden)
        wire.sync("--full")
        assert wire.waiting() == {}


def test_what_sap_shows_no_more_is_deleted_in_salesforce_where_its_owner_says_so(wire):
    text = SHIPPED.replace(CONTACTS, "by: [erp], on_owner_delete: delete")
    (wire.folder / "contacts.yaml").write_text(text, encoding="utf8")
    both = '["customer", "contact"]\nownership = "contacts.yaml"'
    wire.config.write_text(wire.config.read_text(encoding="utf8").replace('["customer"]', both), encoding="utf8")
    for n in range(2):
        fields = {"LastName": f"Huber {n}", "Email": f"h{n}@x.example", "AccountId": wire.accounts[0]}
        wire.crm.edit("Contact", "", fields)
    for _ in range(3):
        wire.sync()
    persons = {str(row["LastName"]): str(row["BusinessPartner"]) for row in wire.erp.rows(ROOT)}
    relations = wire.erp.store.tables["A_BusinessPartnerContact"]
    assert len(relations) == 2
    del relations[next(k for k, row in relations.items() if row["BusinessPartnerPerson"] == persons["Huber 0"])]
    for _ in range(2):
        wire.sync("--full")
    assert [row["LastName"] for row in wire.crm.rows("Contact") if row["IsDeleted"]] == ["Huber 0"]
    sent = [one for one in wire.paths("salesforce", "composite/sobjects") if one.startswith("DELETE")]
    assert [one.split()[1] for one in sent] == ["200"]
