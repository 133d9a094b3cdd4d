"""The pure table of deletions: every row of the truth table, what outranks what, and that it is total.

Not here: the same rows on the engine (`test_deletion_cases`).
"""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from fsm_core.sync.deletion import (
    MAX_RESTORES,
    DeleteRule,
    Fate,
    Gone,
    OnNonOwnerDelete,
    OnOwnerDelete,
    decide_deletion,
)
from tests.cases.test_record_cases import ROWS

OWNER = frozenset({"crm"})
ROW_IDS = [id_ for id_, row in ROWS.items() if row["kind"] in ("delete", "out_of_scope", "reappear")]
ELSEWHERE = {"R24": "HALT", "R25": "RELINK"}
"""Rows that others decide: the guard, and the following of merges."""


def rule_of(given):
    return DeleteRule(OWNER, given.get("on_owner_delete", "deactivate"), given.get("on_non_owner_delete", "restore"))


def gone_of(row):
    given = row["input"]
    who = {"owner": {"crm"}, "non_owner": {"erp"}, "both": {"crm", "erp"}}.get(given.get("authority", ""), set())
    return Gone(
        deleted_in=frozenset(who),
        alone=given.get("authority") == "both",
        left=row["kind"] == "out_of_scope",
        back=row["kind"] == "reappear",
        edited=frozenset({"erp"} if given.get("non_owner_edited") else {"crm"} if given.get("owner_edited") else ()),
        dependants={"open_work_orders": given.get("dependants", 0)},
    )


@pytest.mark.parametrize("id_", [id_ for id_ in ROW_IDS if id_ not in ELSEWHERE])
def test_row(id_):
    row = ROWS[id_]
    assert decide_deletion(rule_of(row["input"]), gone_of(row)).fate == row["expected"]


def test_no_row_is_left_out():
    assert {id_: ROWS[id_]["expected"] for id_ in ELSEWHERE} == ELSEWHERE
    assert set(ROW_IDS) == {f"R{n}" for n in range(14, 28)}


@pytest.mark.parametrize("word", ["deactivate", "end", "cancel"])
def test_an_end_in_words_needs_a_status_for_it(word):
    rule = DeleteRule(OWNER, word)
    assert decide_deletion(rule, Gone(OWNER)).fate is Fate.DEACTIVATE
    ending = decide_deletion(rule, Gone(OWNER, sayable=False))
    assert (ending.fate, ending.note) == (Fate.CONFLICT_DELETE, f"the entity has no status for '{word}'")


def test_what_would_be_lost_is_asked_about_before_it_is_deleted():
    for word in ("deactivate", "delete", "end", "cancel"):
        rule = DeleteRule(OWNER, word)
        assert decide_deletion(rule, Gone(OWNER, edited=frozenset({"erp"}))).fate is Fate.CONFLICT_DELETE
        blocked = decide_deletion(rule, Gone(OWNER, dependants={"contacts": 2, "sites": 0}))
        assert (blocked.fate, blocked.note) == (Fate.CONFLICT_DELETE, "open dependants: 2 contacts")
    assert decide_deletion(DeleteRule(OWNER, "unlink"), Gone(OWNER, edited=frozenset({"erp"}))).fate is Fate.UNLINK


def test_a_record_is_not_created_again_for_ever_nor_where_that_is_impossible():
    rule, there = DeleteRule(OWNER, "deactivate", "restore"), frozenset({"erp"})
    assert decide_deletion(rule, Gone(there, restored=MAX_RESTORES - 1)).fate is Fate.RESTORE
    again = decide_deletion(rule, Gone(there, restored=MAX_RESTORES))
    assert (again.fate, again.note) == (
        Fate.CONFLICT_DELETE,
        f"deleted again by a non-owner after {MAX_RESTORES} restorations",
    )
    assert decide_deletion(rule, Gone(there, creatable=False)).fate is Fate.CONFLICT_DELETE


def test_what_was_merged_into_something_unknown_is_never_taken_for_a_deletion():
    for word in get_args(OnOwnerDelete):
        assert decide_deletion(DeleteRule(OWNER, word), Gone(OWNER, merged=True)).fate is Fate.CONFLICT_DELETE


def test_of_several_deletions_the_owners_counts():
    rule = DeleteRule(OWNER, "deactivate", "restore")
    assert decide_deletion(rule, Gone(frozenset({"crm", "erp"}))).fate is Fate.DEACTIVATE
    assert decide_deletion(DeleteRule(), Gone(OWNER)).fate is Fate.CONFLICT_DELETE


def test_every_situation_has_one_answer_and_only_a_rule_of_that_word_deletes():
    rules = [DeleteRule(OWNER, a, b) for a, b in product(get_args(OnOwnerDelete), get_args(OnNonOwnerDelete))]
    flags = list(product([False, True], repeat=6))
    for rule, (alone, over, merged, edited, blocked, mine) in product(rules, flags):
        gone = Gone(
            deleted_in=OWNER if mine else frozenset({"erp"}),
            alone=alone,
            over=over,
            merged=merged,
            edited=frozenset({"fsm"} if edited else ()),
            dependants={"contacts": int(blocked)},
        )
        ending = decide_deletion(rule, gone)
        assert ending == decide_deletion(rule, gone)
        assert ending.note
        if ending.fate is Fate.DELETE:
            assert rule.on_owner_delete == "delete"
            assert mine
            assert not any((alone, over, merged, edited, blocked))
