"""The rules against accounts that were asked: what a missing right makes of them."""

from __future__ import annotations

import pytest

from tests.scenarios.wire import company


@pytest.fixture(scope="module")
def wire(tmp_path_factory):
    with company(tmp_path_factory.mktemp("rules"), settled=False) as made:
        yield made


def test_the_shipped_rules_fit_the_accounts_of_the_sandbox(wire):
    told = wire.ask("rules", "check", "--live", "--json")
    assert told["findings"] == []
    assert told["ok"]


def test_a_field_the_account_hides_is_a_finding_against_its_owner(wire):
    wire.crm.store.hidden.add(("Account", "FSM_Trade_Name__c"))
    told = wire.ask("rules", "check", "--live", "--json", code=1)
    assert [(one["check"], one["system"], one["field"]) for one in told["findings"]] == [
        ("S04", "salesforce", "trade_name")
    ]
    assert wire.ask("rules", "check", "--json")["findings"] == []


def test_an_account_that_cannot_be_asked_is_told(wire):
    wire.crm.store.hidden.clear()
    (wire.folder / "secret").write_text("another one", encoding="utf8")
    told = wire.ask("rules", "check", "--live", "--json")
    assert any(note.startswith("salesforce was not asked:") for note in told["notes"])
