"""Rows of the decision for records that may not change, and for owners that are silent: rule, sides, what comes of it.

Rows C go on where the table of the domain ends. Not here: which status closes a record (`tests/unit/test_closing.py`).
"""

from __future__ import annotations

import pytest

from fsm_core.model.compare import Comparator, comparing
from fsm_core.sync.merge import decide
from fsm_core.sync.types import UNKNOWN, NonOwnerChange, Outcome, Policy, Rule, Seen

same = comparing(Comparator.EXACT)
ADDED, FIXED = {"append_only": True}, {"fixed": True}
ACCEPT = {"non_owner_change": NonOwnerChange.ACCEPT}
IGNORE = {"non_owner_change": NonOwnerChange.IGNORE}

ROWS = [
    # id, rule, agreed, per system [base, now], outcome, agreed after, writes
    ("C01 append-only, owner edits", ADDED, "Acme", {"erp": ("Acme", "Beta"), "crm": ("Acme", "Acme")},
     "CONFLICT", "Acme", {}),
    ("C02 append-only, non-owner edits", ADDED | ACCEPT, "Acme", {"erp": ("Acme", "Acme"), "crm": ("Acme", "Beta")},
     "CONFLICT", "Acme", {}),
    ("C02 append-only, edit that a rule would let stand", ADDED | IGNORE, "Acme",
     {"erp": ("Acme", "Acme"), "crm": ("Acme", "Beta")}, "CONFLICT", "Acme", {}),
    ("C03 append-only, somebody blanks", ADDED, "Acme", {"erp": ("Acme", None), "crm": ("Acme", "Acme")},
     "CONFLICT", "Acme", {}),
    ("C04 append-only, what said nothing is filled", ADDED, None, {"erp": (None, "4711"), "crm": (None, None)},
     "ACCEPT", "4711", {"crm": "4711"}),
    ("C05 append-only, back to what was agreed", ADDED, "Acme", {"erp": ("Acme", "Acme"), "crm": ("Beta", "Acme")},
     "CONVERGED", "Acme", {}),
    ("C06 append-only, first contact, they differ", ADDED, None, {"erp": (UNKNOWN, "Acme"), "crm": (UNKNOWN, "Beta")},
     "CONFLICT", None, {}),
    ("C06 append-only, first contact, one says nothing", ADDED, None,
     {"erp": (UNKNOWN, "Acme"), "crm": (UNKNOWN, None)}, "ACCEPT", "Acme", {"crm": "Acme"}),
    ("C06 append-only, a system joins and differs", ADDED, "Acme", {"erp": ("Acme", "Acme"), "crm": (UNKNOWN, "Beta")},
     "CONFLICT", "Acme", {}),
    ("C07 immutable after, owner edits", FIXED, "Acme", {"erp": ("Acme", "Beta"), "crm": ("Acme", "Acme")},
     "CONFLICT", "Acme", {}),
    ("C08 immutable after, non-owner edits", FIXED | ACCEPT, "Acme", {"erp": ("Acme", "Acme"), "crm": ("Acme", "Beta")},
     "REVERT", "Acme", {"crm": "Acme"}),
    ("C08 immutable after, non-owner fills a blank", FIXED | {"fill_blank": True}, None,
     {"erp": (None, None), "crm": (None, "Beta")}, "REVERT", None, {"crm": None}),
    ("C09 immutable after, a system joins and differs", FIXED, "Acme",
     {"erp": ("Acme", "Acme"), "crm": (UNKNOWN, "Beta")}, "ACCEPT", "Acme", {"crm": "Acme"}),
    ("C09 immutable after, the owner joins and differs", FIXED, "Acme",
     {"erp": (UNKNOWN, "Beta"), "crm": ("Acme", "Acme")}, "CONFLICT", "Acme", {}),
    ("C10 a set is no exception", ADDED | {"policy": Policy.UNION}, ["a"], {"erp": (["a"], ["a", "b"])},
     "CONFLICT", ["a"], {}),
    ("C10 a set is no exception at first contact", FIXED | {"policy": Policy.UNION}, ["a"],
     {"erp": (["a"], ["a"]), "crm": (UNKNOWN, ["b"])}, "ACCEPT", ["a"], {"crm": ["a"]}),
    ("C10 what each keeps for itself is", ADDED | {"policy": Policy.LOCAL}, "Acme", {"crm": ("Acme", "Beta")},
     "NOOP", "Acme", {}),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_record_that_may_not_change(row):
    _, rule, agreed, sides, outcome, after, writes = row
    seen = {system: Seen(now, base=base) for system, (base, now) in sides.items()}
    by = comparing(Comparator.SET) if isinstance(agreed, list) else same
    verdict = decide(Rule(owner="erp", **rule), agreed, seen, by)
    assert (verdict.outcome, verdict.value, dict(verdict.writes)) == (outcome, after, writes), verdict
    if outcome == "REVERT":
        assert set(verdict.overruled) == set(writes)


@pytest.mark.parametrize("closed", [ADDED, FIXED])
def test_c11_a_new_owner_takes_nothing_over_on_a_closed_record(closed):
    seen = {"erp": Seen("Beta", base="Beta", proposed=True), "crm": Seen("Acme", base="Acme")}
    assert decide(Rule(owner="erp", **closed), "Acme", seen, same).outcome is Outcome.NOOP


def test_a_pin_opens_no_closed_record():
    rule = Rule(owner="erp", fixed=True, pin="Acme", pin_mode="until_owner_changes")
    assert decide(rule, "Acme", {"erp": Seen("Beta", base="Acme")}, same).outcome is Outcome.CONFLICT


STALE = Rule(owner="erp", fallback_owner="crm", owner_stale=True)


def test_f34_the_word_of_a_fallback_is_marked():
    seen = {"erp": Seen("Acme", base="Acme"), "crm": Seen("Beta", base="Acme")}
    verdict = decide(STALE, "Acme", seen, same)
    assert (verdict.outcome, verdict.fallback, verdict.note) == (Outcome.ACCEPT, True, "fallback owner crm")


def test_c12_an_owner_that_speaks_is_not_silent():
    seen = {"erp": Seen("Gamma", base="Acme"), "crm": Seen("Beta", base="Acme")}
    verdict = decide(STALE, "Acme", seen, same)
    assert (verdict.value, verdict.source, verdict.fallback) == ("Gamma", "erp", False)
    assert verdict.overruled == {"crm": "Beta"}


def test_an_old_difference_is_no_word_of_a_fallback():
    seen = {"erp": Seen("Acme", base="Acme"), "crm": Seen("Beta")}
    verdict = decide(STALE, "Acme", seen, same)
    assert (verdict.value, verdict.writes, verdict.fallback) == ("Acme", {"crm": "Acme"}, False)


def test_what_a_fallback_proposed_is_its_word_once_the_owner_is_silent():
    seen = {"erp": Seen("Acme", base="Acme"), "crm": Seen("Beta", base="Beta", proposed=True)}
    verdict = decide(STALE, "Acme", seen, same)
    assert (verdict.value, verdict.source, verdict.fallback) == ("Beta", "crm", True)
    assert verdict.note == "fallback owner crm"


@pytest.mark.parametrize(("now", "fallback"), [("open", True), ("closed", False)])
def test_a_fallback_moves_a_status_along_its_machine_only(now, fallback):
    rule = Rule(policy=Policy.STATUS, owner="erp", fallback_owner="crm", owner_stale=True,
                transitions={"draft": ("open",)})  # fmt: skip
    verdict = decide(rule, "draft", {"erp": Seen("draft", base="draft"), "crm": Seen(now, base="draft")}, same)
    assert (verdict.outcome is Outcome.ACCEPT, verdict.fallback) == (fallback, fallback)
