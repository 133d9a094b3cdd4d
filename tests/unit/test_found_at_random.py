"""What random worlds found wrong with the pure decision, each as a case of its own so that it never comes back.

Not here: the worlds (`tests/properties`).
"""

from __future__ import annotations

import pytest

from fsm_core.model.compare import Comparator, comparing
from fsm_core.model.entity import Entity, EntityShape, FieldShape
from fsm_core.sync.merge import decide
from fsm_core.sync.record import APART, Held, View, decide_fields, fields_with_news, owed, settle
from fsm_core.sync.types import Outcome, Policy, Rule, Seen

same = comparing(Comparator.EXACT)
SHAPE = EntityShape("thing", Entity, {"note": FieldShape("note", Comparator.EXACT, same, required=False, is_set=False)})


@pytest.mark.parametrize("newcomer", ["Acme", None], ids=["who shows it", "who shows nothing"])
def test_a_value_blanked_while_another_system_is_met_first_is_kept_as_overruled(newcomer):
    seen = {"crm": Seen(None, base="Acme"), "erp": Seen("Acme", base="Acme"), "fsm": Seen(newcomer)}
    verdict = decide(Rule(owner="erp"), "Acme", seen, same)
    assert verdict.value == "Acme"
    assert verdict.overruled == {"crm": None}
    assert verdict.writes.keys() == ({"crm"} if newcomer else {"crm", "fsm"})


def test_a_blank_of_who_is_met_first_is_no_lost_value():
    verdict = decide(Rule(owner="erp"), "Acme", {"erp": Seen("Acme", base="Acme"), "fsm": Seen(None)}, same)
    assert (verdict.value, verdict.overruled) == ("Acme", {})


def test_an_owner_that_blanks_while_another_system_is_met_first_is_heard():
    seen = {"erp": Seen(None, base="Acme"), "crm": Seen("Acme", base="Acme"), "fsm": Seen("Acme")}
    taken = decide(Rule(owner="erp", blank_by_owner="accept"), "Acme", seen, same)
    assert (taken.outcome, taken.value, taken.source) == (Outcome.ACCEPT, None, "erp")
    asked = decide(Rule(owner="erp", blank_by_owner="conflict"), "Acme", seen, same)
    assert (asked.outcome, asked.writes) == (Outcome.CONFLICT, {})


def test_what_all_systems_say_is_no_question_that_closes_itself_in_the_next_round():
    rule = Rule(policy=Policy.STATUS, owner="erp", transitions={"done": ("billed",)})
    seen = {"erp": Seen("new", base="done"), "crm": Seen("new", base="done")}
    verdict = decide(rule, "done", seen, same)
    assert (verdict.outcome, verdict.value, verdict.settled) == (Outcome.ACCEPT, "new", {"erp", "crm"})


@pytest.mark.parametrize(
    "rule", [Rule(owner="erp", pin="Acme"), Rule(owner="erp", immutable=True)], ids=["pin", "fixed"]
)
def test_a_person_is_asked_about_a_pinned_or_fixed_value_even_where_all_systems_agree(rule):
    seen = {"erp": Seen("Beta", base="Acme"), "crm": Seen("Beta", base="Acme")}
    assert decide(rule, "Acme", seen, same).outcome is Outcome.CONFLICT


def test_an_open_question_does_not_make_the_pin_forgotten():
    views = [View(system, {"note": "Beta"}, {"note": "Acme"}) for system in ("crm", "erp")]
    held = Held(frozen=frozenset({"note"}), pins={"note": ("Acme", "hold")})
    verdict = decide_fields(SHAPE, {"note": Rule(owner="erp")}, {"note": "Acme"}, views, ["note"], held)["note"]
    assert (verdict.outcome, verdict.closes) == (Outcome.CONFLICT, False)


def test_values_kept_apart_are_met_as_for_the_first_time_when_the_rule_ends_and_nothing_is_wiped():
    crm = View("crm", {"note": "Hund"}, {}, writable=frozenset({"note"}))
    erp = View("erp", {"note": "Tor"}, {}, writable=frozenset({"note"}))
    apart = decide_fields(SHAPE, {"note": Rule(policy=Policy.LOCAL)}, {}, [crm, erp], ["note"])["note"]
    for view in (crm, erp):
        settle(view, "note", apart)
        assert view.holds == {"note": APART}
        assert owed(SHAPE, {}, view) == {}
    assert fields_with_news(SHAPE, [crm, erp]) == ["note"]
    verdict = decide_fields(SHAPE, {"note": Rule(owner="erp")}, {}, [crm, erp], ["note"])["note"]
    assert (verdict.value, verdict.overruled, verdict.writes) == ("Tor", {"crm": "Hund"}, {"crm": "Tor"})
    settle(crm, "note", verdict)
    assert crm.holds == {}
