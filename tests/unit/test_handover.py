"""The pure half of a hand-over: what becomes of one field, and what a record holds while it waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, parse
from fsm_core.service.handover import NO_PARENTS, Parents, Sides, Wait, Why, following, passes, waits
from fsm_core.service.outlook import duration
from fsm_core.state import Passage, Record
from fsm_core.sync.handover import taken_over
from fsm_core.sync.types import NonOwnerChange, Outcome, Policy, Rule, Seen

RULE = Rule(owner="erp", blank_by_owner="conflict", non_owner_change=NonOwnerChange.PROPOSE)
MODES = ("adopt_agreed", "adopt_new_owner", "conflict")


def same(a, b):
    return a == b


def outcomes(erp: Seen | None, rule: Rule = RULE, agreed="a") -> list[tuple[str, object]]:
    """Per mode what becomes of a field that the CRM handed to the ERP, and what is agreed then."""
    seen = {"crm": Seen(now="a", base="a")} | ({"erp": erp} if erp else {})
    verdicts = [taken_over(mode, rule, agreed, seen, same) for mode in MODES]
    return [(str(verdict.outcome), verdict.value) for verdict in verdicts]


def test_what_the_new_owner_shows_or_proposes_counts_as_the_mode_says():
    assert outcomes(Seen(now="a", base="a")) == [("NOOP", "a")] * 3
    assert outcomes(Seen(now="b", base="b")) == [("REDELIVER", "a"), ("ACCEPT", "b"), ("CONFLICT", "a")]
    assert outcomes(Seen(now="b", base="b", proposed=True)) == [("ACCEPT", "b"), ("ACCEPT", "b"), ("CONFLICT", "a")]
    assert outcomes(None) == [("NOOP", "a")] * 3


def test_a_blank_wipes_nothing_unless_it_was_proposed_and_the_rule_takes_blanks():
    assert outcomes(Seen(now=None, base=None)) == [("REDELIVER", "a")] * 3
    proposed = Seen(now=None, base=None, proposed=True)
    assert outcomes(proposed) == [("CONFLICT", "a")] * 3
    taking = replace(RULE, blank_by_owner="accept")
    assert outcomes(proposed, taking) == [("ACCEPT", None), ("ACCEPT", None), ("CONFLICT", "a")]


def test_what_cannot_be_written_there_is_not_owed():
    assert outcomes(Seen(now="b", base="b", writable=False))[0] == ("NOOP", "a")


@pytest.mark.parametrize(
    "rule",
    [
        replace(RULE, frozen=True),
        replace(RULE, pin="a"),
        replace(RULE, policy=Policy.NEWEST),
        replace(RULE, ambiguous=True),
    ],
)
def test_who_settles_the_field_otherwise_goes_on_to_do_so(rule):
    assert outcomes(Seen(now="b", base="b", proposed=True), rule) == [("NOOP", "a")] * 3


def test_a_value_that_is_not_to_change_becomes_a_question_instead():
    rule = replace(RULE, immutable=True)
    assert outcomes(Seen(now="b", base="b")) != outcomes(Seen(now="b", base="b"), rule)
    assert outcomes(Seen(now="b", base="b"), rule)[1] == ("CONFLICT", "a")


def test_an_illegal_status_of_the_new_owner_becomes_a_question():
    rule = replace(RULE, policy=Policy.STATUS, transitions={"a": ("c",)})
    assert outcomes(Seen(now="b", base="b"), rule)[1] == ("CONFLICT", "a")
    assert outcomes(Seen(now="c", base="c"), rule)[1] == ("ACCEPT", "c")


def test_the_value_that_lost_is_kept():
    seen = {"crm": Seen(now="a", base="a"), "erp": Seen(now="b", base="b")}
    told = taken_over("adopt_agreed", RULE, "a", seen, same)
    assert (told.outcome, told.overruled, told.writes) == (Outcome.REDELIVER, {"erp": "b"}, {"erp": "a"})


# -- what is held --------------------------------------------------------------------------------

RULES = """
version: 1
bind: {crm: crm, erp: erp}
entities:
  customer:
    owner: {default: crm, when: [{if: "segment == 'billed'", owner: erp}]}
    handover: {on_switch: adopt_agreed, require: [tax_ids], dwell: 1h}
    fields:
      segment: {owner: crm}
      trade_name: {owner: crm, when: [{if: credit_block, owner: erp}]}
      phone: {owner: crm, when: [{if: "status == 'inactive'", policy: local}]}
      "*": {}
  contact:
    owner: {default: crm, when: [{if: "'billing' in roles and customer.segment == 'billed'", owner: erp}]}
    fields: {"*": {}}
"""
BOOK = Rulebook(parse(RULES), "v", SHAPES, ("crm", "erp")).book("customer")
CONTACT = Rulebook(parse(RULES), "v", SHAPES, ("crm", "erp")).book("contact")
T0, T1, T2 = (f"2026-01-01T{hour:02}:00:00.000000Z" for hour in (8, 9, 10))


def record(document, passage: Passage | None = None) -> Record:
    return Record("r", "customer", document, {}, handover=passage)


def after(one: Record, document, at: str = T1, met=()) -> Passage | None:
    return following(BOOK, one, document, NO_PARENTS, met, at)


def test_only_what_keeps_a_field_with_its_owner_is_held():
    assert after(record({}), {"segment": "billed", "status": "inactive"}) == Passage(T1, {"segment": None})
    assert after(record({}), {"status": "inactive"}) is None
    both = after(record({}), {"segment": "billed", "credit_block": True})
    assert both == Passage(T1, {"segment": None, "credit_block": None})


def test_the_time_begins_anew_with_another_target_only():
    waiting = record({"segment": "billed"}, Passage(T0, {"segment": "lead"}))
    assert after(waiting, {"segment": "billed", "legal_name": "x"}) == waiting.handover
    more = after(waiting, {"segment": "billed", "credit_block": True})
    assert more == Passage(T1, {"segment": "lead", "credit_block": None})
    assert after(waiting, {"segment": "lead"}) is None


def test_a_receiver_that_is_met_for_the_first_time_is_no_hand_over():
    assert after(record({}), {"segment": "billed"}, met={"erp"}) is None
    assert after(record({}), {"segment": "billed"}, met={"fsm"}) is not None


def test_a_fact_of_another_record_is_held_like_an_own_one():
    parents = Parents({"p": {"segment": "billed"}}, {"p": {"segment": "billed"}})
    document = {"customer_id": "p", "roles": ["billing"]}
    child = Record("c", "contact", document, {}, handover=Passage("", {"customer.segment": "lead"}))
    kept = following(CONTACT, child, document, parents, (), T1)
    assert kept == Passage(T1, {"customer.segment": "lead"})
    assert passes(CONTACT, document, parents, kept.held)["job_title"] == ("crm", "erp")
    technical = {**document, "roles": ["technical"]}
    assert following(CONTACT, replace(child, document=technical), technical, parents, (), T1) is None


def test_each_thing_that_is_waited_for_is_named():
    one = record({"segment": "billed"}, Passage(T1, {"segment": None}))
    owners = passes(BOOK, one.document, NO_PARENTS, one.handover.held)
    assert owners["legal_name"] == ("crm", "erp")
    assert not {"segment", "trade_name", "phone"} & owners.keys()
    nobody = Sides([], {}, (), ())
    assert waits(BOOK, one, owners, nobody, T1) == [
        Wait(Why.DWELL, until=T2), Wait(Why.FACTS, "erp", ("tax_ids",)), Wait(Why.LINK, "erp"),
    ]  # fmt: skip
    one.document["tax_ids"] = ["VAT:DE1"]
    assert waits(BOOK, one, owners, nobody, T2) == [Wait(Why.LINK, "erp")]


@pytest.mark.parametrize(
    ("left", "words"),
    [(5, "1 minute"), (61, "2 minutes"), (3600, "60 minutes"), (3601, "2 hours"), (90000, "2 days"), (-5, "1 minute")],
)
def test_a_time_to_come_is_told_by_its_largest_unit(left, words):
    assert duration(timedelta(seconds=left)) == words
