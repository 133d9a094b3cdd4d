"""Many answers at once over real HTTP: a look first, then one word, and one word to take it back.

Not here: single answers.
"""

from __future__ import annotations

import pytest

from fsm_core.service.bulk import effect
from fsm_core.state import Conflict
from tests.scenarios.wire import company


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def asked(wire) -> list[str]:
    """Questions about the currency of all three customers: an edit by Salesforce, which does not own it."""
    for number in wire.accounts:
        wire.account(number, FSM_Currency__c="USD")
    wire.sync()
    return [row["id"] for row in wire.ask("conflicts", "list")]


def currencies(wire) -> list[tuple[str, str]]:
    return [
        (wire.row(n)["FSM_Currency__c"], wire.record(account)["currency"]) for n, account in enumerate(wire.accounts)
    ]


def test_a_look_does_nothing_and_tells_what_would_be_done(wire):
    ids = asked(wire)
    told = wire.ask("bulk", "conflicts", "--field", "currency", "--take", "salesforce")
    assert {one["id"] for one in told["effects"]} == set(ids)
    assert {(one["agreed"], one["becomes"], tuple(one["tells"])) for one in told["effects"]} == {
        ("EUR", "USD", ("sap",))
    }
    assert told["answered"] is None
    text = wire.run("bulk", "conflicts", "--field", "currency", "--take", "agreed")
    assert "3 of 3 can be answered so: customer.currency 3" in text
    assert "told would be salesforce 3" in text
    assert "say --yes" in text
    assert len(wire.ask("conflicts", "list")) == 3


def test_one_answer_to_all_and_the_next_round_applies_it(wire):
    asked(wire)
    done = wire.ask("bulk", "conflicts", "--field", "currency", "--take", "agreed", "--yes")["answered"]
    assert (len(done["done"]), done["failed"]) == (3, [])
    wire.settle()
    assert currencies(wire) == [("EUR", "EUR")] * 3
    assert wire.ask("conflicts", "list") == []


def test_what_does_not_fit_is_told_and_left(wire):
    asked(wire)
    told = wire.ask("bulk", "conflicts", "--take", "maximo", "--yes")
    assert all("'maximo' is no answer here" in one["why_not"] for one in told["effects"])
    assert told["answered"]["done"] == []
    assert len(wire.ask("conflicts", "list")) == 3
    assert wire.ask("bulk", "conflicts", "--entity", "site", "--take", "agreed")["effects"] == []


def test_before_a_round_one_word_opens_them_again(wire):
    ids = asked(wire)
    run = wire.ask("bulk", "conflicts", "--take", "agreed", "--yes")["answered"]["run"]
    assert sorted(wire.ask("bulk", "undo", run)["reopened"]) == sorted(ids)
    assert sorted(row["id"] for row in wire.ask("conflicts", "list")) == sorted(ids)
    wire.settle()
    assert currencies(wire) == [("USD", "EUR")] * 3


def test_after_a_round_one_word_plans_to_take_them_back(wire):
    asked(wire)
    run = wire.ask("bulk", "conflicts", "--take", "salesforce", "--yes")["answered"]["run"]
    wire.settle()
    assert currencies(wire) == [("USD", "USD")] * 3
    path = str(wire.folder / "back.json")
    told = wire.ask("bulk", "undo", run, "--out", path)
    assert {(take["now"], take["to"]) for take in told["plan"]["takes"]} == {("USD", "EUR")}
    assert wire.ask("apply", path)["fates"] == {"applied": 6}
    wire.settle()
    assert currencies(wire) == [("EUR", "EUR")] * 3
    assert wire.ask("audit", "verify")["ok"]


def test_proposals_are_adopted_or_rejected_together(wire):
    for place in (0, 1):
        wire.partner(wire.partners[place], CorrespondenceLanguage="FR")
    wire.sync()
    told = wire.ask("bulk", "proposals", "--field", "language", "--take", "adopt", "--yes")
    assert len(told["answered"]["done"]) == len(told["effects"]) == 2
    wire.settle()
    assert [wire.row(n)["FSM_Language__c"] for n in range(3)] == ["fr", "fr", "de"]
    path = str(wire.folder / "back.json")
    wire.ask("bulk", "undo", told["answered"]["run"], "--out", path)
    wire.ask("apply", path)
    assert [wire.row(n)["FSM_Language__c"] for n in range(3)] == ["de"] * 3


@pytest.mark.parametrize(("systems", "fits"), [(("crm", "erp"), True), (("crm", "erp", "erp"), False)])
def test_same_is_no_answer_where_a_system_has_several_of_the_records(systems, fits):
    sides = [{"system": system, "id": str(at), "values": {}} for at, system in enumerate(systems)]
    asked = Conflict("c", "customer", "match", None, "", "open", "", "", {"sides": sides})
    told = effect(asked, "same")
    assert (told.why_not == "") is fits
    assert fits or told.why_not == "several records of erp cannot be the same record"
    assert effect(asked, "apart").why_not == ""
