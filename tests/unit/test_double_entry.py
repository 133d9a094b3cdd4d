"""Double entry beside the cases: what the rule file may name, thresholds, and how a question reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flows.cli.people import in_words
from fsm_core.errors import BadMapping
from fsm_core.ownership import parse
from fsm_core.state import Conflict
from fsm_core.sync.double_entry import DEFAULTS, PRE_CHECKS, Entry
from fsm_core.sync.double_entry.entries import instant, number
from fsm_core.sync.double_entry.plans import days_of, parallel_pm, similar
from fsm_core.sync.double_entry.work import repeat

RULES = "version: 1\nbind: {crm: one}\nentities: {ENTITY: {owner: {default: crm}, create: {pre_check: CHECK}}}"


def rules(entity: str, check: str) -> str:
    return RULES.replace("ENTITY", entity).replace("CHECK", check)


@pytest.mark.parametrize("check", PRE_CHECKS.values(), ids=list(PRE_CHECKS))
def test_each_check_may_be_named_by_its_entity(check):
    assert parse(rules(check.of, check.name)).entities[check.of].create.pre_check == check.name


def test_an_unknown_check_is_refused_with_those_there_are():
    with pytest.raises(BadMapping) as caught:
        parse(rules("visit", "duplicat_visit"))
    assert "visit.create.pre_check: no check 'duplicat_visit'; known: duplicate_work, duplicate_visit" in str(
        caught.value
    )


def test_a_check_of_another_entity_is_refused():
    with pytest.raises(BadMapping, match=r"visit\.create\.pre_check: duplicate_work is a check of work_order"):
        parse(rules("visit", "duplicate_work"))


def plan(system: str, **says: object) -> Entry:
    given = {"asset_id": "A7", "active": True, "interval": {"n": "3", "unit": "months"}, **says}
    return Entry("maintenance_plan", given, frozenset([system]), record=system)


def test_how_alike_is_a_threshold():
    one, other = plan("a", task_code="1", task_text="check belt"), plan("b", task_code="2", task_text="check all belts")
    said = parallel_pm(one, other)
    assert said is not None
    assert said.evidence["similarity"] == DEFAULTS.similar
    assert parallel_pm(one, other, replace(DEFAULTS, similar=0.81)) is None


def test_plans_of_a_site_are_compared_too():
    one, other = (plan(name, asset_id=None, site_id="S1", task_code="OIL") for name in "ab")
    assert parallel_pm(one, other) is not None
    assert parallel_pm(one, plan("b", site_id="S1", task_code="OIL")) is None


def test_similarity_is_the_same_from_both_sides():
    texts = ("Replace the oil filter", "replace filter; oil", "Check belt")
    assert all(similar(one, other) == similar(other, one) for one in texts for other in texts)
    assert similar("", "") == 0


@pytest.mark.parametrize(
    ("interval", "days"),
    [
        ({"n": "2", "unit": "weeks"}, 14),
        ({"n": 1, "unit": "Year"}, 365.2425),
        ({"n": "500", "unit": "HUR"}, None),
        ({"n": "0", "unit": "day"}, None),
        ({"n": "x", "unit": "day"}, None),
        ({"unit": "day"}, None),
        (None, None),
    ],
)
def test_an_interval_in_days(interval, days):
    found = days_of(interval)
    assert (None if found is None else float(found)) == days


def test_the_days_of_a_repeat_are_a_threshold():
    job = {"asset_ids": ["A7"], "failure_mode": "LEAK"}
    solved = Entry("work_order", {**job, "status": "closed", "completed_at": "2026-03-01T00:00:00Z"})
    again = Entry("work_order", {**job, "status": "open", "opened_at": "2026-03-10T00:00:00Z"})
    assert repeat(again, solved) is not None
    assert repeat(again, solved, replace(DEFAULTS, repeat=timedelta(days=7))) is None
    assert (
        repeat(
            replace(again, says={**again.says, "code_list": "X"}),
            replace(solved, says={**solved.says, "code_list": "Y"}),
        )
        is None
    )


def test_of_two_orders_at_most_one_repeats_the_other():
    job = {"asset_ids": ["A7"], "failure_mode": "LEAK", "status": "closed", "completed_at": "2026-03-01T00:00:00Z"}
    one, other = (Entry("work_order", {**job, "opened_at": f"2026-03-0{day}T00:00:00Z"}) for day in (2, 3))
    said, back = repeat(one, other), repeat(other, one)
    assert said is not None
    assert back is not None
    assert (
        (said.newcomer, said.earlier)
        == (back.earlier, back.newcomer)
        == ({"fixed_first_time": False}, {"repeat_visit": True})
    )


@pytest.mark.parametrize("value", ["2026-03-01", "2026-03-01T08:00:00", "soon", None, 7])
def test_what_is_no_instant_is_none(value):
    assert instant(value) is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "", None, True, "one"])
def test_what_is_no_number_is_none(value):
    assert number(value) is None


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("duplicate_work", "Are these the same?"),
        ("combine", "Could these be one visit?"),
        ("parallel_pm?", "planned twice?"),
    ],
)
def test_a_question_reads_as_a_sentence(kind, says):
    sides = [{"system": name, "id": id_, "values": {"number": id_}} for name, id_ in (("sap", "1"), ("fsm", "2"))]
    asked = Conflict("c", "work_order", kind, None, "", "open", "", "why", {"sides": sides})
    assert says in in_words(asked, "")
    assert in_words(asked, "").endswith("sap 1 (1) and fsm 2 (2)")
