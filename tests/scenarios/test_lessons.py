"""A rule made of answers, tried on the past, in shadow first, over real HTTP.

Not here: what each answer teaches (`tests/rules/test_learn`).
"""

from __future__ import annotations

import pytest

from flows.wiring import SHIPPED_RULES
from fsm_core.ownership import parse
from tests.scenarios.test_bulk import asked
from tests.scenarios.wire import company


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def test_answers_become_a_rule_in_shadow_that_would_have_given_them(wire):
    asked(wire)
    run = wire.ask("bulk", "conflicts", "--take", "agreed", "--yes")["answered"]["run"]
    out = wire.folder / "rules.yaml"
    told = wire.ask("rules", "learn", run, "--out", str(out), "--shadow")
    why = "so that the agreed value stays where the question was: non-owner change"
    assert told["lessons"] == [f"customer.currency: non_owner_change: revert, {why}"]
    assert told["changes"] == ["customer.currency: non_owner_change conflict -> revert"]
    (difference,) = told["replay"]["differences"]
    assert (difference["field"], difference["count"]) == ("currency", 3)
    assert (difference["old"][:8], difference["new"][:6]) == ("CONFLICT", "REVERT")
    assert parse(out.read_text(encoding="utf8")).entities["customer"].fields["currency"].non_owner_change == "revert"
    (shadow,) = [one for one in wire.ask("rules", "list")["versions"] if one["state"] == "shadow"]
    assert shadow["version"] == told["version"]
    wire.settle()
    wire.run("rules", "activate", told["version"])
    for number in wire.accounts:
        wire.account(number, FSM_Currency__c="GBP")
    wire.settle()
    assert (wire.ask("conflicts", "list"), wire.row(0)["FSM_Currency__c"]) == ([], "EUR")


def test_without_an_answer_there_is_nothing_to_learn(wire):
    ids = asked(wire)
    with pytest.raises(AssertionError, match="holds no answer about a field"):
        wire.run("rules", "learn", ids[0])


def test_told_in_words_and_nothing_is_kept(wire):
    ids = asked(wire)
    wire.run("conflicts", "resolve", ids[0], "--take", "salesforce")
    text = wire.run("rules", "learn", ids[0])
    assert "customer.currency: non_owner_change: accept" in text
    assert "nothing is in force" in text
    assert wire.ask("rules", "list")["versions"] == []


def test_people_who_keep_working_against_a_rule_make_a_suggestion(wire):
    rules = SHIPPED_RULES.read_text(encoding="utf8").replace("min_rows: 50}", "min_rows: 50, max_reverts_per_field: 2}")
    (wire.folder / "own.yaml").write_text(rules, encoding="utf8")
    wire.config.write_text(wire.config.read_text(encoding="utf8").replace("[hub]", '[hub]\nownership = "own.yaml"', 1))
    for place in range(3):
        assert wire.ask("rules", "suggest") == {"suggestions": []}
        wire.account(wire.accounts[place], FSM_Payment_Terms__c="NT90")
        wire.sync()
    (told,) = wire.ask("rules", "suggest")["suggestions"]
    assert told["sentence"] == (
        "people in salesforce keep changing customer.payment_terms: 3 edits of 3 records were taken back in 7 days"
    )
    assert told["lesson"].startswith("customer.payment_terms: non_owner_change: accept, so that what salesforce says")
    assert told["command"] == "fsm-hub rules learn customer.payment_terms@salesforce --shadow"
    assert wire.ask("status")["suggestions"] == wire.ask("doctor")["suggestions"] == [told]
    for words in (("status",), ("doctor",), ("rules", "suggest")):
        assert told["sentence"] in " ".join(wire.run(*words).split())
    learnt = wire.ask(*told["command"].split()[1:])
    assert learnt["changes"] == ["customer.payment_terms: non_owner_change revert -> accept"]
    assert learnt["replay"]["differences"][0]["count"] == 3
    wire.clock.advance(8 * 24 * 3600)
    assert wire.ask("rules", "suggest") == {"suggestions": []}
