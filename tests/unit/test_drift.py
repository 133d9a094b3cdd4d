"""Two descriptions of an object and what lies between them, as a table; and what it means for a mapping and its rules.

Not here: living with it in rounds (`tests/scenarios/test_drift`), and keeping it (`tests/store/test_drift_state`).
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm_core.drift.compare import Described, advanced, changes, packed, unpacked
from fsm_core.drift.kinds import Accepted, Change, Kind, Policies, Policy
from fsm_core.drift.meaning import Mapped, drifts
from fsm_core.ports import FieldCapability as Field
from tests.world import RULES, rulebook

TEXT = Field(type="text", length=40)
PICK = Field(type="text", values=("a", "b"))

CASES = {
    "nothing": ({"A": TEXT}, {"A": TEXT}, []),
    "longer": ({"A": TEXT}, {"A": replace(TEXT, length=80)}, []),
    "any length": ({"A": TEXT}, {"A": replace(TEXT, length=None)}, []),
    "shorter": ({"A": TEXT}, {"A": replace(TEXT, length=20)}, [(Kind.SHORTENED, "A", 40, 20)]),
    "a length at all": ({"A": Field()}, {"A": Field(length=20)}, [(Kind.SHORTENED, "A", None, 20)]),
    "gone": ({"A": TEXT, "B": TEXT}, {"B": TEXT}, [(Kind.REMOVED, "A", None, None)]),
    "another label": ({"A": Field(label="x")}, {"A": Field(label="y")}, []),
    "value dropped": ({"A": PICK}, {"A": replace(PICK, values=("a",))}, [(Kind.VALUE_DROPPED, "A", ["b"], ["a"])]),
    "became a pick list": ({"A": Field()}, {"A": PICK}, [(Kind.VALUE_DROPPED, "A", [], ["a", "b"])]),
    "is no pick list": ({"A": PICK}, {"A": Field(type="text")}, []),
    "value new": (
        {"A": PICK},
        {"A": replace(PICK, values=("a", "b", "c"))},
        [(Kind.VALUE_NEW, "A", ["a", "b"], ["c"])],
    ),
    "value renamed": (
        {"A": PICK},
        {"A": replace(PICK, values=("a", "c"))},
        [(Kind.VALUE_DROPPED, "A", ["b"], ["a", "c"]), (Kind.VALUE_NEW, "A", ["a", "b"], ["c"])],
    ),
    "required": ({"A": TEXT}, {"A": replace(TEXT, required=True)}, [(Kind.REQUIRED, "A", False, True)]),
    "required and new": ({}, {"A": Field(required=True)}, [(Kind.REQUIRED, "A", False, True)]),
    "no longer required": ({"A": Field(required=True)}, {"A": Field()}, []),
    "new": ({}, {"A": Field()}, []),
    "type": ({"A": TEXT}, {"A": Field(type="number")}, [(Kind.TYPE_CHANGED, "A", "text", "number")]),
    "type never told": ({"A": Field()}, {"A": Field(type="number")}, []),
    "no edit": ({"A": TEXT}, {"A": replace(TEXT, writable=False)}, [(Kind.RIGHT_LOST, "A", ["writable"], [])]),
    "right given": ({"A": replace(TEXT, writable=False)}, {"A": TEXT}, []),
}


@pytest.mark.parametrize("case", CASES)
def test_what_lies_between_two_descriptions(case):
    before, now, expected = CASES[case]
    found = changes(Described(before), Described(now))
    assert [(one.kind, one.path, one.old, one.new) for one in found] == expected


RENAMES = {
    "same label": (Field(type="text", label="Language"), {"Zz__c": Field(type="text", label="language")}, "Zz__c"),
    "same name, spelled anew": (TEXT, {"Langu_age__c": TEXT}, "Langu_age__c"),
    "same codes": (PICK, {"Other__c": PICK}, "Other__c"),
    "alike, of another length": (TEXT, {"Languages__c": replace(TEXT, length=4)}, ""),
    "alike, of another type": (TEXT, {"Languages__c": Field(type="number")}, ""),
    "not alike": (TEXT, {"Shoe_Size__c": TEXT}, ""),
    "in another part": (TEXT, {"to_X.Language__c": TEXT}, ""),
    "the most alike": (TEXT, {"Language_No_2__c": TEXT, "Languag__c": TEXT, "Lang_ua__c": TEXT}, "Languag__c"),
}


@pytest.mark.parametrize("case", RENAMES)
@pytest.mark.parametrize("asked", [True, False])
def test_a_new_field_that_looks_like_a_lost_one_is_suggested(case, asked):
    old, fresh, like = RENAMES[case]
    now = Described(fresh) if asked else Described({}, fresh)
    (found,) = changes(Described({"Language__c": old}), now)
    assert (found.kind, found.like) == ((Kind.RENAMED, like) if like else (Kind.REMOVED, ""))


def test_a_field_that_was_there_before_is_no_new_name():
    before = Described({"Language__c": TEXT}, {"Languages__c": TEXT})
    (found,) = changes(before, Described({}, {"Languages__c": TEXT}))
    assert found.kind is Kind.REMOVED


def test_a_field_the_mapping_no_longer_asks_for_is_not_lost():
    assert changes(Described({"A": TEXT}), Described({}, {"A": TEXT})) == []


def test_what_drifts_stays_known_as_it_was_and_all_else_moves_on():
    before = Described({"A": TEXT, "B": TEXT, "C": TEXT}, {"X": Field()}, {"C": Accepted("ada", "then")})
    now = Described({"B": replace(TEXT, length=80), "C": TEXT, "D": TEXT}, {"X": Field(), "A2": TEXT})
    known = advanced(before, now, {"A"}, {"A", "B", "C", "D"})
    assert known.fields == {"A": TEXT, "B": replace(TEXT, length=80), "C": TEXT, "D": TEXT}
    assert set(known.others) == {"X"}  # "A2" stays a new name for as long as "A" is gone
    assert known.accepted == {}  # "C" is shown again
    assert changes(known, now) == changes(before, now)
    over = advanced(before, Described({"A": TEXT}, now.others), set(), {"A"})
    assert set(over.others) == {"X", "A2"}


def test_a_description_is_kept_whole():
    field = Field(creatable=False, length=3, values=("a",), unique=True, type="text", label="L")
    known = Described(
        {"A": field, "B": Field()}, {"X": Field()}, {"G": Accepted("ada", "then")}, frozenset({("k", "f")})
    )
    assert unpacked(packed(known)) == known
    assert packed(known)["fields"]["B"] == {}


# -- what it means -----------------------------------------------------------------------------------


def mapped(**facts):
    usual = {
        "system": "crm",
        "entity": "customer",
        "paths": {"legal_name": ("Name",), "segment": ("Segment",), "tax_ids": ("Tax",), "billing_status": ("Bill",)},
        "essential": frozenset({"Kind", "HubId"}),
        "key": "HubId",
        "filled": frozenset({"Name", "Segment", "Tax", "HubId"}),
        "codes": {"Bill": frozenset({"a", "b"})},
        "readable": lambda _path, code: code in "ab",
        "written": frozenset({"legal_name", "segment", "billing_status"}),
    }
    return Mapped(**{**usual, **facts})


BOOK = rulebook(RULES).book("customer")
STOP, HOLD, WARN = Policy.STOP, Policy.HOLD, Policy.WARN

JUDGED = [
    (Change(Kind.REMOVED, "Segment"), HOLD),
    (Change(Kind.REMOVED, "Tax"), STOP),  # a match key
    (Change(Kind.REMOVED, "Bill"), STOP),  # says who owns the record
    (Change(Kind.REMOVED, "Name"), STOP),  # no record is without it
    (Change(Kind.REMOVED, "Kind"), STOP),  # tells which records are ours
    (Change(Kind.REMOVED, "HubId"), STOP),
    (Change(Kind.REMOVED, "Elsewhere"), None),
    (Change(Kind.RENAMED, "Segment", like="Segments"), HOLD),
    (Change(Kind.SHORTENED, "Segment", 40, 20), WARN),
    (Change(Kind.SHORTENED, "HubId", 40, 20), WARN),
    (Change(Kind.SHORTENED, "Tax", 40, 20), None),  # never written
    (Change(Kind.VALUE_DROPPED, "Bill", ["b"], ["a"]), WARN),
    (Change(Kind.VALUE_DROPPED, "Bill", ["z"], ["a", "b"]), None),  # none of ours
    (Change(Kind.VALUE_DROPPED, "Bill", [], ["a"]), WARN),
    (Change(Kind.VALUE_DROPPED, "Segment", ["z"], ["a"]), WARN),
    (Change(Kind.VALUE_NEW, "Bill", ["a"], ["c"]), WARN),
    (Change(Kind.VALUE_NEW, "Bill", ["a"], ["b"]), None),
    (Change(Kind.REQUIRED, "Segment"), WARN),
    (Change(Kind.REQUIRED, "Elsewhere"), STOP),
    (Change(Kind.TYPE_CHANGED, "Segment", "text", "number"), HOLD),
    (Change(Kind.TYPE_CHANGED, "Name", "text", "number"), STOP),
    (Change(Kind.RIGHT_LOST, "Segment", ["writable"], []), HOLD),
    (Change(Kind.RIGHT_LOST, "Name", ["creatable", "writable"], []), HOLD),
    (Change(Kind.RIGHT_LOST, "Tax", ["writable"], []), None),
    (Change(Kind.RIGHT_LOST, "HubId", ["creatable"], []), HOLD),
    (Change(Kind.RIGHT_LOST, "HubId", ["writable"], []), None),
]


@pytest.mark.parametrize(("change", "policy"), JUDGED, ids=lambda one: str(getattr(one, "path", one)))
def test_what_is_done_about_it(change, policy):
    found = drifts([change], mapped(), BOOK, Policies())
    assert [one.policy for one in found] == ([] if policy is None else [policy])
    assert all(one.remedy and one.sentence for one in found)


def test_the_settings_decide_where_they_may():
    strict = Policies(removed=STOP, key_removed=HOLD, shortened=HOLD, required=WARN)
    told = [Change(Kind.REMOVED, "Segment"), Change(Kind.REMOVED, "Tax"), Change(Kind.REMOVED, "Name")]
    told += [Change(Kind.SHORTENED, "Name", 9, 1), Change(Kind.REQUIRED, "Elsewhere")]
    assert [one.policy for one in drifts(told, mapped(), BOOK, strict)] == [STOP, HOLD, STOP, STOP, WARN]


def test_the_rules_that_lean_on_a_field_are_named():
    (tax,) = drifts([Change(Kind.REMOVED, "Tax")], mapped(), BOOK, Policies())
    assert "tax_ids is a match key" in tax.sentence
    assert "owned by erp: crm is not told any more" in tax.sentence
    (bill,) = drifts([Change(Kind.REMOVED, "Bill")], mapped(), BOOK, Policies())
    assert "billing_status decides who owns a customer" in bill.sentence
    (name,) = drifts([Change(Kind.REMOVED, "Name")], mapped(), BOOK, Policies())
    assert "no customer is without legal_name" in name.sentence
    assert "part of a match key that a person is asked about" in name.sentence
    (own,) = drifts([Change(Kind.REMOVED, "Segment")], mapped(), BOOK, Policies())
    assert "segment is owned there: nobody is told" in own.sentence
