"""What one person may apply with one plan, and what a plan comes to in money.

Not here: approvals (`tests/scenarios/test_plan_approval`), plans over HTTP (`test_plans`).
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from fsm_core.model import SHAPES
from fsm_core.service.apply import _like
from fsm_core.service.limits import exceeded
from fsm_core.service.plan import Plan, PlannedField, PlannedWrite, money_in
from fsm_core.service.planfile import foot_of
from fsm_core.settings import LimitsSection

LIMITS = LimitsSection(creates=2, updates=2, deletes=1, money=Decimal(100))
EMPTY = foot_of(Plan(("customer",)))


def write(shows, to, currency="EUR", **more) -> PlannedWrite:
    told = PlannedField(shows, shows, to, "customer.credit_limit", "sap", "owner changed")
    made = PlannedWrite(
        "customer", "crm", "update", "r", "Acme", "1", ("crm:1",), "1", {"credit_limit": told}, currency
    )
    return replace(made, **more)


@pytest.mark.parametrize(
    ("writes", "kinds"),
    [
        ({"crm": {"create": 2, "update": 2}}, []),
        ({"crm": {"create": 2}, "erp": {"create": 1}}, ["change"]),
        ({"crm": {"update": 3}}, ["change"]),
        ({"erp": {"delete": 2}}, ["change"]),
        ({"erp": {"delete": 1}}, []),
    ],
)
def test_counts_of_all_systems_together_are_limited(writes, kinds):
    assert list(exceeded(replace(EMPTY, writes=writes), LIMITS)) == kinds


def test_what_a_guard_would_stop_takes_a_second_person():
    found = exceeded(replace(EMPTY, halted={"customer": "60 of 100 records lost a value at once"}), LIMITS)
    assert found == {"change": ["customer: 60 of 100 records lost a value at once"]}


@pytest.mark.parametrize(
    ("writes", "told", "kinds"),
    [
        ([write("10", "70.50")], [("EUR", 1, "60.50", "60.50")], []),
        ([write("10", "110"), write("100", "0")], [("EUR", 2, "0", "200")], ["money"]),
        ([write(None, "60"), write("0", "60", "USD")], [("EUR", 1, "60", "60"), ("USD", 1, "60", "60")], []),
        ([write(None, "100.01")], [("EUR", 1, "100.01", "100.01")], ["money"]),
        ([write("120", None)], [("EUR", 1, "-120", "120")], ["money"]),
    ],
)
def test_amounts_count_per_currency_and_regardless_of_the_sign(writes, told, kinds):
    made = Plan(("customer",))
    for one in writes:
        made.totals.add(one, money_in(SHAPES["customer"]))
    foot = foot_of(made)
    assert [row[2:] for row in foot.money] == told
    assert list(exceeded(foot, LIMITS)) == kinds


def test_money_is_what_has_an_amount_and_a_currency():
    assert money_in(SHAPES["customer"]) == {"credit_limit"}
    assert money_in(SHAPES["site"]) == frozenset()


@pytest.mark.parametrize(
    ("entity", "field", "planned", "agreed", "like"),
    [
        ("customer", "trade_name", "Acme: Bonn", "Acme: Kiel", False),
        ("customer", "trade_name", "Acme: Bonn", "Acme: Bonn", True),
        ("customer", "trade_name", None, "", True),
        ("customer", "trade_name", "Acme", None, False),
        ("contact", "customer_id", "crm:1", "019b8d2c", True),
        ("contact", "customer_id", "crm:1", None, False),
    ],
)
def test_only_a_reference_is_planned_by_where_it_lives(entity, field, planned, agreed, like):
    assert _like(SHAPES[entity].fields[field], planned, agreed) is like
