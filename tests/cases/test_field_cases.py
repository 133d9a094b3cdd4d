"""The truth table of field decisions, row by row, from data; rows F69-F76 are written here as cases of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fsm_core.model.compare import Comparator, comparing
from fsm_core.sync.merge import decide
from fsm_core.sync.types import UNKNOWN, NonOwnerChange, Outcome, Policy, Rule, Seen, Verdict

ROWS = json.loads(Path(__file__).with_name("ownership_cases.json").read_text(encoding="utf8"))["field"]


def rule_of(row: dict[str, Any]) -> Rule:
    given = dict(row)
    given["policy"] = Policy(given["policy"])
    given["rank"] = tuple(given["rank"])
    given["non_owner_change"] = NonOwnerChange(given["non_owner_change"])
    given["transitions"] = {k: tuple(v) for k, v in given["transitions"].items()}
    given.setdefault("pin", UNKNOWN)
    return Rule(**given)


def seen_of(row: dict[str, Any]) -> Seen:
    return Seen(
        now=row["now"],
        base=row["base"],
        sent=row.get("last_written", UNKNOWN),
        at=row["ts"],
        version=row["version"],
        base_version=row["base_version"],
        writable=row["writable"],
        linked=row["linked"],
        due=row["due"],
        proposed=row["proposed"],
    )


def judge(row: dict[str, Any]) -> Verdict:
    seen = {system: seen_of(view) for system, view in row["observations"].items()}
    values = [row["canonical"], *(view["now"] for view in row["observations"].values())]
    comparator = Comparator.SET if any(isinstance(v, list) for v in values) else Comparator.EXACT
    return decide(rule_of(row["rule"]), row["canonical"], seen, comparing(comparator))


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_field_case(row):
    verdict = judge(row)
    expected = row["expected"]
    assert verdict.outcome == expected["outcome"], verdict
    assert verdict.value == expected["canonical"]
    assert verdict.writes == expected["writes"]


def test_every_row_is_there():
    assert {row["id"] for row in ROWS} == {f"F{n:02}" for n in range(1, 69)}


same = comparing(Comparator.EXACT)
OWNER = Rule(owner="erp", non_owner_change=NonOwnerChange.REVERT, fill_blank=True)


def test_f69_first_match_owner_value_wins_and_the_other_is_kept():
    verdict = decide(OWNER, None, {"erp": Seen("Acme"), "crm": Seen("Beta")}, same)
    assert (verdict.outcome, verdict.value) == (Outcome.ACCEPT, "Acme")
    assert verdict.writes == {"crm": "Acme"}
    assert verdict.overruled == {"crm": "Beta"}
    assert verdict.settled == {"crm", "erp"}


@pytest.mark.parametrize("answer", list(NonOwnerChange))
def test_f70_first_match_owner_blank_is_seeded_never_blanked(answer):
    rule = Rule(owner="erp", non_owner_change=answer)
    verdict = decide(rule, None, {"erp": Seen(None), "crm": Seen("Beta")}, same)
    assert (verdict.outcome, verdict.value, verdict.provisional) == (Outcome.ACCEPT, "Beta", True)
    assert verdict.writes == {"erp": "Beta"}


def test_f71_first_match_without_an_owner_and_with_a_difference_is_a_conflict():
    verdict = decide(OWNER, None, {"crm": Seen("Acme"), "fsm": Seen("Beta")}, same)
    assert verdict.outcome is Outcome.CONFLICT
    assert not verdict.writes
    assert not verdict.settled


def test_f72_first_match_equal_under_the_comparator_stamps_bases_and_writes_nothing():
    phones = comparing(Comparator.PHONE)
    seen = {"crm": Seen("+49 30 1234567"), "erp": Seen("030/1234567")}
    verdict = decide(OWNER, "030/1234567", seen, phones)
    assert verdict.outcome is Outcome.CONVERGED
    assert not verdict.writes
    assert verdict.settled == {"crm", "erp"}


def test_f73_a_value_restored_before_the_read_back_is_news():
    restored = Seen("Acme", base="Beta")  # delivered: the base moved to what we wrote
    verdict = decide(Rule(owner="erp"), "Beta", {"erp": Seen("Beta", base="Beta"), "crm": restored}, same)
    assert verdict.outcome is Outcome.PROPOSE
    assert verdict.proposals == {"crm": "Acme"}


def test_f74_newest_an_edit_older_than_the_agreed_value_is_overruled():
    rule = Rule(policy=Policy.NEWEST)
    seen = {"crm": Seen("Old", base="Acme", at=5.0), "erp": Seen("Acme", base="Acme", at=90.0)}
    verdict = decide(rule, "Acme", seen, same, agreed_at=80.0)
    assert verdict.value == "Acme"
    assert verdict.overruled == {"crm": "Old"}


def test_f75_a_frozen_field_is_not_written_even_when_a_delivery_is_due():
    frozen = Rule(owner="erp", frozen=True)
    seen = {"erp": Seen("Beta", base="Beta"), "crm": Seen("Acme", base="Acme", due=True)}
    verdict = decide(frozen, "Beta", seen, same)
    assert verdict.outcome is Outcome.NOOP
    assert not verdict.writes


def test_f76_a_frozen_field_on_which_all_agree_closes_itself_and_stamps_bases():
    frozen = Rule(owner="erp", frozen=True)
    seen = {"erp": Seen("Beta", base="Acme"), "crm": Seen("Beta", base="Acme")}
    verdict = decide(frozen, "Acme", seen, same)
    assert verdict.outcome is Outcome.CONVERGED
    assert verdict.closes
    assert verdict.value == "Beta"
    assert verdict.settled == {"crm", "erp"}


def test_f77_who_owns_a_field_since_it_proposed_has_the_word():
    seen = {"erp": Seen("Beta", base="Beta", proposed=True), "crm": Seen("Acme", base="Acme")}
    verdict = decide(Rule(owner="erp"), "Acme", seen, same)
    assert (verdict.outcome, verdict.value, verdict.source) == (Outcome.ACCEPT, "Beta", "erp")
    assert verdict.writes == {"crm": "Beta"}
    assert decide(Rule(owner="crm"), "Acme", seen, same).outcome is Outcome.NOOP
    assert decide(Rule(owner="erp", pin="Acme"), "Acme", seen, same).outcome is Outcome.NOOP


def test_f78_a_new_owner_that_proposed_a_blank_wipes_nothing():
    seen = {"erp": Seen(None, base=None, proposed=True), "crm": Seen("Acme", base="Acme")}
    assert decide(Rule(owner="erp", blank_by_owner="conflict"), "Acme", seen, same).outcome is Outcome.NOOP
    assert decide(Rule(owner="erp", blank_by_owner="accept"), "Acme", seen, same).value is None
