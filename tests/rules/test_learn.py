"""What an answer teaches, and the file with it stated.

Not here: the command (`tests/scenarios/test_lessons`).
"""

from __future__ import annotations

import pytest

from flows.wiring import SHIPPED_RULES
from fsm_core.errors import Invalid
from fsm_core.ownership import parse
from fsm_core.ownership.learn import lesson, taught

TEXT = SHIPPED_RULES.read_text(encoding="utf8")
FILE = parse(TEXT)
SMALL = """\
version: 1
bind: {crm: salesforce, erp: sap}
entities:
  customer:
    owner: {default: crm}
    delete: {on_owner_delete: conflict}
    fields:
      phone:
        policy: newest   # the latest edit
        rank: [crm]
      status: {policy: manual}
      "*": {blank_by_owner: conflict}
"""


@pytest.mark.parametrize(
    ("field", "note", "take", "states"),
    [
        ("currency", "non-owner change", "agreed", {"non_owner_change": "revert"}),
        ("currency", "non-owner change", "salesforce", {"non_owner_change": "accept"}),
        ("currency", "both changed", "sap", {"both_changed": "owner_wins"}),
        ("currency", "both changed", "salesforce", {"owner": "crm"}),
        ("currency", "owner blanked the field", "sap", {"blank_by_owner": "accept"}),
        ("phone", "tie within clock skew", "sap", {"rank": "[erp, crm, fsm]"}),
        ("tax_ids", "people in salesforce keep changing tax_ids to 'x'", "salesforce", {"non_owner_change": "accept"}),
        ("account_manager", "first contact: differ, no owner's value", "sap", {"owner": "erp"}),
    ],
)
def test_what_an_answer_teaches(field, note, take, states):
    found = lesson(FILE, "customer", field, note, take)
    assert dict(found.states) == states
    assert all(f"{key}: {value}" in found.sentence for key, value in states.items())
    old, new = FILE.entities["customer"].fields, parse(taught(TEXT, found)).entities["customer"].fields
    assert [name for name in new if new[name] != old.get(name)] == [field]


@pytest.mark.parametrize(
    ("field", "note", "take"),
    [
        ("currency", "owner blanked the field", "agreed"),
        ("account_number", "people in salesforce keep changing account_number to '1'", "salesforce"),
        ("phone", "people in salesforce keep changing phone to '1'", "salesforce"),
        ("do_not_contact", "non-owner change", "sap"),
        ("phone", "tie within clock skew", "agreed"),
        ("currency", "both changed", "maximo"),
    ],
)
def test_what_no_rule_says_is_written_by_hand(field, note, take):
    with pytest.raises(Invalid, match="Write the rule by hand"):
        lesson(FILE, "customer", field, note, take)


def test_a_rule_on_several_lines_keeps_its_comments():
    made = taught(SMALL, lesson(parse(SMALL), "customer", "phone", "tie within clock skew", "sap"))
    assert made == SMALL.replace("rank: [crm]", "rank: [erp, crm]")


def test_a_key_that_was_not_there_joins_the_others():
    made = taught(SMALL, lesson(parse(SMALL), "customer", "status", "manual policy", "sap"))
    assert "status: {policy: owner, owner: erp}" in made


def test_a_field_without_a_rule_gets_that_of_all_others_with_the_lesson():
    made = taught(SMALL, lesson(parse(SMALL), "customer", "website", "both changed", "sap"))
    assert '      website: {blank_by_owner: conflict, owner: erp}\n      "*": {blank_by_owner: conflict}\n' in made


def test_cases_are_left_to_people():
    text = SMALL.replace("{policy: manual}", "{when: [{if: credit_block, owner: erp}]}")
    with pytest.raises(Invalid, match="has cases of its own"):
        lesson(parse(text), "customer", "status", "both changed", "sap")


@pytest.mark.parametrize(
    ("rule", "states"),
    [
        ("{policy: prefer, rank: [erp, crm]}", {"rank": "[crm, erp]"}),
        ("{policy: newest, among: [erp]}", {"among": "[erp, crm]"}),
    ],
)
def test_what_ends_the_reverts_of_a_system_that_is_not_asked_first(rule, states):
    text = SMALL.replace("{policy: manual}", rule)
    found = lesson(parse(text), "customer", "status", "people in salesforce keep changing status to 'x'", "salesforce")
    assert dict(found.states) == states
    assert parse(taught(text, found))
