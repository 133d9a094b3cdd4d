"""Pins in the pure decision, beyond rows F30-F32: every policy, first contact, an open question, values that agree."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_core.errors import Invalid
from fsm_core.model import SHAPES
from fsm_core.model.compare import Comparator, comparing
from fsm_core.model.typed import checked, typed
from fsm_core.sync.merge import decide
from fsm_core.sync.types import HUB, UNKNOWN, NonOwnerChange, Outcome, Policy, Rule, Seen

same = comparing(Comparator.EXACT)
LISTS = comparing(Comparator.SET)
HOLD = Rule(owner="erp", pin="Acme")
UNTIL = Rule(owner="erp", pin="Acme", pin_mode="until_owner_changes")


@pytest.mark.parametrize("answer", list(NonOwnerChange))
@pytest.mark.parametrize("rule", [HOLD, UNTIL])
def test_a_non_owner_is_put_back_whatever_the_rule_says_of_it(rule, answer):
    seen = {"erp": Seen("Acme", "Acme"), "crm": Seen("Beta", "Acme")}
    verdict = decide(
        Rule(owner="erp", pin=rule.pin, pin_mode=rule.pin_mode, non_owner_change=answer), "Acme", seen, same
    )
    assert (verdict.outcome, verdict.writes, verdict.overruled) == (Outcome.REVERT, {"crm": "Acme"}, {"crm": "Beta"})
    assert not verdict.unpins


def test_only_an_owner_who_says_something_else_releases_or_asks():
    seen = {"erp": Seen("Beta", "Acme"), "crm": Seen("Acme", "Acme")}
    assert decide(HOLD, "Acme", seen, same).outcome is Outcome.CONFLICT
    verdict = decide(UNTIL, "Acme", seen, same)
    assert (verdict.outcome, verdict.value, verdict.unpins) == (Outcome.ACCEPT, "Beta", True)
    back = {"erp": Seen("Acme", "Beta"), "crm": Seen("Gamma", "Acme")}
    for rule in (HOLD, UNTIL):
        assert decide(rule, "Acme", back, same).outcome is Outcome.REVERT
        assert decide(rule, "Acme", {"erp": Seen("Acme", "Beta")}, same).outcome is Outcome.CONVERGED


def test_a_status_has_an_owner_too():
    rule = Rule(Policy.STATUS, owner="fsm", pin="open", transitions={"open": ("done",)})
    assert decide(rule, "open", {"fsm": Seen("done", "open")}, same).outcome is Outcome.CONFLICT


@pytest.mark.parametrize("policy", [Policy.NEWEST, Policy.PREFER, Policy.MANUAL, Policy.MAX, Policy.HUB])
def test_where_nobody_owns_everybody_is_put_back(policy):
    rule = Rule(policy, owner="erp", rank=("crm", "erp"), pin=5)
    seen = {"erp": Seen(5, 5, at=1.0), "crm": Seen(9, 5, at=2.0)}
    verdict = decide(rule, 5, seen, same)
    assert (verdict.outcome, verdict.writes) == (Outcome.REVERT, {"crm": 5})


def test_a_set_that_is_pinned_takes_nothing_in_not_even_at_first_contact():
    rule = Rule(Policy.UNION, owner="erp", pin=["a"])
    met = decide(rule, ["a"], {"crm": Seen(["a"], ["a"]), "erp": Seen(["b"])}, LISTS)
    assert (met.value, met.writes, met.overruled) == (["a"], {"erp": ["a"]}, {"erp": ["b"]})
    grown = decide(rule, ["a"], {"crm": Seen(["a", "b"], ["a"]), "erp": Seen(["a"], ["a"])}, LISTS)
    assert (grown.outcome, grown.value) == (Outcome.REVERT, ["a"])


def test_at_first_contact_an_owner_that_moved_is_still_asked_about():
    seen = {"erp": Seen("Beta", "Acme"), "crm": Seen("Gamma")}
    assert decide(HOLD, "Acme", seen, same).outcome is Outcome.CONFLICT
    assert decide(UNTIL, "Acme", seen, same).value == "Beta"
    newcomer = {"erp": Seen("Beta"), "crm": Seen("Acme", "Acme")}
    verdict = decide(HOLD, "Acme", newcomer, same)
    assert (verdict.outcome, verdict.value, verdict.writes) == (Outcome.ACCEPT, "Acme", {"erp": "Acme"})


def test_an_open_question_ends_by_itself_only_on_what_is_pinned():
    frozen = Rule(owner="erp", pin="Acme", frozen=True)
    other = {"erp": Seen("Beta", "Acme"), "crm": Seen("Beta", "Acme")}
    assert decide(frozen, "Acme", other, same).outcome is Outcome.CONFLICT
    pinned = {"erp": Seen("Acme", "Beta"), "crm": Seen("Acme", "Acme")}
    assert decide(frozen, "Acme", pinned, same).closes


def test_a_pin_on_nothing_keeps_a_field_blank():
    rule = Rule(owner="erp", pin=None, fill_blank=True)
    verdict = decide(rule, None, {"erp": Seen(None, None), "crm": Seen("Beta", None)}, same)
    assert (verdict.outcome, verdict.value, verdict.writes) == (Outcome.REVERT, None, {"crm": None})


def test_what_is_agreed_gives_way_to_what_is_pinned():
    seen = {"erp": Seen("Old", "Old"), "crm": Seen("Beta", "Old")}
    verdict = decide(HOLD, "Old", seen, same)
    assert (verdict.outcome, verdict.value, verdict.writes) == (Outcome.ACCEPT, "Acme", {"erp": "Acme", "crm": "Acme"})


def test_the_order_of_systems_does_not_matter():
    views = {"crm": Seen("Beta", "Acme"), "erp": Seen("Delta", "Acme"), "fsm": Seen("Acme", "Acme")}
    for rule in (HOLD, UNTIL):
        verdicts = [decide(rule, "Acme", {name: views[name] for name in order}, same) for order in permutations(views)]
        assert all(verdict == verdicts[0] for verdict in verdicts)


def test_the_hub_owns_by_itself_and_needs_no_fallback():
    rule = Rule(owner=HUB, fallback_owner="crm", non_owner_change=NonOwnerChange.REVERT)
    seen = {"crm": Seen("Beta", "Acme"), "erp": Seen("Acme", "Acme")}
    assert decide(rule, "Acme", seen, same).outcome is Outcome.REVERT
    assert decide(rule, "Acme", seen | {HUB: Seen("Gamma", "Acme")}, same).value == "Gamma"


VALUES = st.sampled_from(["Acme", "Beta", "Gamma", None])
VIEWS = st.dictionaries(st.sampled_from(["crm", "erp", "fsm"]), st.tuples(VALUES, st.booleans()), min_size=1)


@given(
    VIEWS,
    VALUES,
    st.sampled_from(["hold", "until_owner_changes"]),
    st.sampled_from([Policy.OWNER, Policy.NEWEST, Policy.PREFER, Policy.MANUAL]),
    st.sampled_from(list(NonOwnerChange)),
)
def test_after_its_writes_a_pin_leaves_nothing_to_decide(views, pin, mode, policy, answer):
    rule = Rule(policy, owner="erp", rank=("crm", "erp"), pin=pin, pin_mode=mode, non_owner_change=answer)
    seen = {name: Seen(now, UNKNOWN if new else pin, at=1.0) for name, (now, new) in views.items()}
    verdict = decide(rule, pin, seen, same)
    if verdict.outcome is Outcome.CONFLICT:
        assert mode == "hold"
        assert views["erp"][0] != pin
        return
    assert same(verdict.value, pin) or (verdict.unpins and same(verdict.value, views["erp"][0]))
    said = {name: now for name, (now, new) in views.items() if now is not None and (new or not same(now, pin))}
    lost = {name for name, now in said.items() if not same(now, verdict.value)}
    assert lost <= set(verdict.overruled)
    after = {name: verdict.writes.get(name, now) for name, (now, _) in views.items()}
    again = decide(
        replace(rule, pin=UNKNOWN if verdict.unpins else pin),
        verdict.value,
        {name: Seen(now, now, at=1.0) for name, now in after.items()},
        same,
    )
    assert (again.outcome, again.value) == (Outcome.NOOP, verdict.value)
    assert all(same(now, verdict.value) for now in after.values())


# -- values of persons ---------------------------------------------------------------------------

CUSTOMER = SHAPES["customer"]


@pytest.mark.parametrize(
    ("field", "said", "value"),
    [
        ("legal_name", "  Acme\r\n", "Acme"),
        ("account_number", "0012", "0012"),
        ("trade_name", "", None),
        ("credit_limit", "1200.50", "1200.50"),
        ("do_not_contact", "yes", True),
        ("credit_block", "false", False),
        ("roles", "payer, bill_to, payer", ["bill_to", "payer"]),
        ("roles", "", None),
        ("tax_ids", '["VAT:DE2", "VAT:DE1"]', ["VAT:DE1", "VAT:DE2"]),
        ("billing_address", '{"city": " Berlin ", "street": ""}', {"city": "Berlin"}),
        ("billing_address", '{"city": ""}', None),
    ],
)
def test_text_becomes_the_canonical_value(field, said, value):
    assert typed(CUSTOMER, field, said) == value
    assert checked(CUSTOMER, field, value) == value


@pytest.mark.parametrize(
    ("field", "said", "why"),
    [
        ("status", "asleep", "Input should be 'prospect'"),
        ("currency", "chf", "pattern"),
        ("billing_address", '{"country": "Germany"}', "country: String should match"),
        ("billing_address", '["Berlin"]', "valid dictionary"),
        ("roles", '{"a": 1}', "no JSON|Input should be"),
        ("legal_name", " ", "no record may be without it"),
        ("account_number", "1" * 41, "at most 40"),
    ],
)
def test_what_a_field_cannot_hold_is_told_with_the_field(field, said, why):
    with pytest.raises(Invalid, match=why) as told:
        typed(CUSTOMER, field, said)
    assert told.value.field == field
    assert told.value.remedy
