"""Every check on a stand-in: it fires where it should, with a place, an example and a remedy, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field, StringConstraints

from fsm_core.model.entity import Entity, EntityShape, Group, shape_of
from fsm_core.ownership.check import CHECKS, Level, Party, check
from fsm_core.ownership.check.samples import codes, samples
from fsm_core.ports import Capabilities, Deletes, FieldCapability
from tests.rules.standin import GOOD, SHAPES, THING, Plain, able, found, report, subject


def swapped(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def with_field(line: str) -> str:
    return swapped('      "*": {}\n', f'      {line}\n      "*": {{}}\n')


def test_nothing_is_found_in_good_rules():
    told = report()
    assert told.findings == []
    assert told.accepted == []


WHEN = """owner: {default: crm, when: [{if: "stage == 'live'", owner: erp}]}"""
FIELD_CASES = "title: {when: [{if: \"stage == 'live'\", owner: crm}, {if: \"stage != 'gone'\", owner: erp}]}"
RULES = {
    "S00 field": ("S00", with_field("titel: {}")),
    "S00 key": ("S00", swapped("[[code]]", "[[cod]]")),
    "S00 condition": ("S00", swapped("stage == 'live'", "stge == 'live'")),
    "S00 machine": ("S00", with_field("phase: {policy: status, machine: things}")),
    "S00 entity": ("S00", swapped("  thing:", "  thong:")),
    "S01": ("S01", swapped('      "*": {}\n', "")),
    "S02 entity": ("S02", swapped(WHEN, WHEN[:-2] + ", {if: \"stage != 'new'\", owner: crm}]}")),
    "S02 field": ("S02", with_field(FIELD_CASES)),
    "S03 itself": ("S03", swapped("      stage: {owner: erp}\n", "")),
    "S03 case": ("S03", swapped("stage: {owner: erp}", "stage: {owner: erp, when: [{if: stopped, owner: crm}]}")),
    "S04 role": ("S04", with_field("title: {owner: cmms}")),
    "S04 rank": ("S04", with_field("title: {policy: newest, rank: [crm, cmms]}")),
    "S11 nobody": ("S11", swapped("allowed: [crm, erp], ", "")),
    "S11 no key": ("S11", swapped("keys: [[code]], ", "")),
    "S12 missing": (
        "S12",
        swapped("    delete: {by: owner, on_owner_delete: deactivate, on_non_owner_delete: restore}\n", ""),
    ),
    "S12 words": ("S12", swapped("on_owner_delete: deactivate", "on_owner_delete: cancel")),
    "S12 books": ("S12", swapped("on_owner_delete: deactivate", "on_owner_delete: delete, block_if: [open_invoices]")),
    "S14 union": ("S14", with_field("title: {policy: union}")),
    "S14 max": ("S14", with_field("title: {policy: max}")),
    "S14 any true": ("S14", with_field("title: {policy: any_true}")),
    "S15 owner": ("S15", with_field('"spot.town": {owner: erp}')),
    "S16 key": ("S16", swapped(", immutable_after: set", "")),
    "S16 nullable": ("S16", swapped(", ask: [[title]]", "")),
    "S17 twice": ("S17", swapped("entities:", "singletons: {ledger: {per: company, system: [crm, erp]}}\nentities:")),
    "S17 programme": ("S17", swapped("entities:", "singletons: {pm: {per: [a, b], max_active: 2}}\nentities:")),
    "S19": ("S19", with_field("title: {fallback_owner: erp, stale_after: 9m}")),
    "S19 default": ("S19", swapped("entities:", "defaults: {stale_after: 1m}\nentities:")),
    "S20 missing": ("S20", swapped("    handover: {on_switch: adopt_agreed}\n", "")),
    "S20 no say": ("S20", swapped("stage: {owner: erp}", "stage: {owner: crm}")),
    "S21 nobody": ("S21", swapped("routing: [{match: {}, to: office}]", "routing: [{match: {}, severity: high}]")),
    "S21 type": ("S21", swapped("match: {}, to: office", "match: {type: [field, match]}, to: office")),
    "S22": ("S22", with_field("title: {classification: finance}")),
    "S24 never": ("S24", swapped(WHEN, WHEN[:-2] + ", {if: \"stage == 'lost'\", owner: crm}]}")),
    "S24 behind": ("S24", swapped("to: office}]", "to: office}, {match: {entity: thing}, to: shop}]")),
    "S24 accepts nothing": ("S24", GOOD + "accept: [{check: S07, entity: thing, reason: it was so once}]\n"),
}


@pytest.mark.parametrize("case", RULES)
def test_a_check_of_rules_fires_with_place_example_and_remedy(case):
    which, text = RULES[case]
    made = found(subject(text), which)
    assert made, [one.check for one in report(text).findings]
    for one in made:
        assert one.sentence
        assert one.counter_example
        assert one.remedy.endswith((".", "]", "}"))
        assert text.splitlines()[one.line - 1].strip()
        assert one.level is CHECKS[which].level


MAPPINGS = {
    "S04 silent": ("S04", with_field("title: {owner: erp}"), THING, replace(THING, without=frozenset({"title"}))),
    "S05": ("S05", with_field("title: {owner: erp}"), replace(THING, only_read=frozenset({"title"})), THING),
    "S06 only written": (
        "S06", with_field("title: {owner: erp}"), THING, replace(THING, only_written=frozenset({"title"})),
    ),
    "S06 never read": (
        "S06", with_field("price: {owner: erp, non_owner_change: revert}"),
        replace(THING, only_written=frozenset({"price"})), THING,
    ),
    "S07 text": ("S07", GOOD, replace(THING, shown={"title": "ABC"}), THING),
    "S07 number": ("S07", GOOD, replace(THING, shown={"price": "1"}), THING),
    "S07 code": ("S07", GOOD, THING, replace(THING, shown={"stage": "new"})),
    "S08": ("S08", GOOD, THING, replace(THING, reads_from={"phase": ("phase", "title")})),
    "S09": ("S09", GOOD, THING, replace(THING, words={"stage": {"new": "N", "live": "L"}})),
    "S10 creator": ("S10", GOOD, replace(THING, only_written=frozenset({"title"})), THING),
    "S10 target": ("S10", with_field("title: {owner: erp}"), replace(THING, only_read=frozenset({"title"})), THING),
    "S13 date": ("S13", with_field("title: {policy: newest}"), THING, replace(THING, times="date")),
    "S13 none": ("S13", with_field("title: {policy: newest, among: [erp]}"), THING, replace(THING, times="none")),
    "S15 targets": ("S15", GOOD, THING, replace(THING, members={"spot": ("town",)})),
    "S23 text": ("S23", with_field("title: {owner: crm}"), THING, replace(THING, lengths={"title": 12})),
    "S24 one place": ("S24", GOOD, THING, replace(THING, places={"phase": "x", "stage": "x"})),
}  # fmt: skip


@pytest.mark.parametrize("case", MAPPINGS)
def test_a_check_of_mappings_fires_with_the_system_it_is_about(case):
    which, text, one, two = MAPPINGS[case]
    made = found(subject(text, one, two), which)
    assert made, [finding.check for finding in check(subject(text, one, two)).findings]
    assert {finding.system for finding in made} <= {"one", "two"}
    assert all(finding.counter_example and finding.remedy and finding.entity == "thing" for finding in made)


def test_two_owners_are_shown_with_the_values_under_which_both_are_in_force():
    (one,) = found(subject(RULES["S02 entity"][1]), "S02")
    assert one.counter_example["stage"] == "live"
    assert one.counter_example["owners"] == ["erp", "crm"]
    assert one.counter_example["also"] == "entities.thing.owner.when[0]"
    (field,) = found(subject(RULES["S02 field"][1]), "S02")
    assert (field.field, field.counter_example["stage"]) == ("title", "live")
    assert field.counter_example["owner"] == ["crm", "erp"]


def test_a_priority_says_which_one_is_meant():
    assert found(subject(RULES["S02 entity"][1].replace("owner: crm}]}", "owner: crm, priority: 1}]}")), "S02") == []


def test_cases_that_say_the_same_do_not_contradict_each_other():
    assert found(subject(RULES["S02 field"][1].replace("owner: crm}, {if", "owner: erp}, {if")), "S02") == []


def test_too_many_states_are_a_warning_and_no_silence():
    many = ", ".join(repr(f"v{number}") for number in range(60))
    many = ", ".join(repr(f"v{number}") for number in range(60))
    fields = " and ".join(f"{name} in ({many})" for name in ("code", "title", "price"))
    (one,) = found(subject(swapped("stage == 'live'", fields)), "S02")
    assert one.level is Level.WARN


def test_a_loop_is_shown_with_two_states_of_different_owners():
    (one,) = found(subject(RULES["S03 itself"][1]), "S03")
    assert "in a circle: thing.stage -> thing.stage" in one.sentence
    assert one.counter_example == {
        "owner of stage is crm when": {"stage": "new"},
        "owner of stage is erp when": {"stage": "live"},
    }


def test_a_revert_that_cannot_be_delivered_is_an_error():
    text = with_field("title: {owner: erp, non_owner_change: revert}")
    (one,) = found(subject(text, replace(THING, only_read=frozenset({"title"}))), "S05")
    assert one.level is Level.ERROR


def test_a_fallback_owner_that_tells_the_field_is_enough():
    text = with_field("title: {owner: erp, fallback_owner: crm}")
    assert found(subject(text, THING, replace(THING, without=frozenset({"title"}))), "S04") == []


def test_a_difference_that_is_allowed_is_no_finding():
    text = with_field("title: {owner: erp, non_owner_change: ignore}")
    assert found(subject(text, replace(THING, only_read=frozenset({"title"}))), "S05") == []


def test_the_hub_may_own_what_no_system_tells():
    text = swapped("erp: two}", "erp: two, fsm: hub}").replace('"*": {}', 'title: {owner: fsm}\n      "*": {}')
    assert found(subject(text), "S04") == []


def test_a_role_bound_to_no_system_there_is():
    made = found(subject(configured=["one"]), "S04")
    assert [(one.place, one.counter_example["system"]) for one in made] == [("bind.erp", "two")]


def test_a_text_too_long_is_shown_by_its_length_and_its_source():
    (one,) = found(subject(*MAPPINGS["S23 text"][1:]), "S23")
    assert one.counter_example == {"title": "30 characters", "said by": ["one"]}
    assert "more than 12 characters" in one.sentence


def test_a_code_without_a_word_is_named():
    (one,) = found(subject(*MAPPINGS["S09"][1:]), "S09")
    assert one.counter_example["stage"] == "gone"


def test_a_round_trip_shows_both_values():
    made = found(subject(*MAPPINGS["S07 code"][1:]), "S07")
    assert [one.counter_example for one in made] == [{"told": "live", "shows": "new"}]


ALL = {name: FieldCapability() for name in THING.canonical_fields}
WORDS = replace(THING, words={"stage": {"new": "N", "live": "L", "gone": "G"}})


def test_an_account_is_heard_when_it_was_asked():
    words = {"stage": FieldCapability(values=("N", "Q")), "extra": FieldCapability(required=True)}
    asked = {
        ("one", "thing"): able(Party("one", THING), **{**ALL, "title": FieldCapability(writable=False)}),
        ("two", "thing"): able(Party("two", WORDS), **{**ALL, **words}),
    }
    text = with_field("title: {owner: erp, non_owner_change: revert}")
    told = check(subject(text, parties=asked)).findings
    assert [(one.check, one.system, one.field) for one in told] == [
        ("S10", "two", "extra"),
        ("S09", "two", "stage"),
        ("S05", "one", "title"),
    ]
    assert "'Q'" in told[1].sentence


def test_a_field_the_account_hides_is_not_told_by_it():
    shown = {name: one for name, one in ALL.items() if name != "title"}
    asked = {("one", "thing"): Party("one", THING), ("two", "thing"): able(Party("two", THING), **shown)}
    told = check(subject(with_field("title: {owner: erp}"), parties=asked)).findings
    assert {(one.check, one.system, one.field) for one in told} == {("S04", "two", "title"), ("S10", "two", "title")}


SINGLE = "singletons: {thing_master: {per: thing.stage, map: {new: crm, live: %s, gone: crm}}}\nentities:"


def test_a_singleton_that_the_owner_contradicts_is_shown_with_the_value():
    assert found(subject(swapped("entities:", SINGLE % "erp")), "S17") == []
    (one,) = found(subject(swapped("entities:", SINGLE % "crm")), "S17")
    assert one.counter_example == {"stage": "live", "singleton": "crm", "owner": "erp"}


def test_a_singleton_names_somebody_for_every_code():
    (one,) = found(subject(swapped("entities:", (SINGLE % "erp").replace(", gone: crm", ""))), "S17")
    assert one.counter_example["stage"] == "gone"


def test_entities_that_wait_for_each_other_are_found():
    thing = SHAPES["thing"]
    fields = {**thing.fields, "title": replace(thing.fields["title"], reference="part")}
    shapes = {**SHAPES, "thing": EntityShape("thing", thing.model, fields)}
    text = GOOD.replace("routing:", "  part:\n    owner: {default: crm}\n    fields: {'*': {}}\nrouting:")
    (one,) = found(subject(text, shapes=shapes), "S18")
    assert set(one.counter_example["circle"]) == {"thing", "part"}


def test_a_longer_interval_is_taken_into_account():
    text = RULES["S19"][1]
    assert found(subject(text, poll=timedelta(minutes=2)), "S19") == []


def test_what_the_file_accepts_is_listed_with_its_reason_and_is_no_finding():
    text = RULES["S16 key"][1] + "accept: [{check: S16, entity: thing, field: code, reason: numbers are reused here}]\n"
    told = report(text)
    assert told.findings == []
    assert [(one.finding.field, one.reason) for one in told.accepted] == [("code", "numbers are reused here")]


def test_an_entity_of_one_system_is_told_as_not_looked_at():
    told = check(subject(parties={("one", "thing"): Party("one", THING)}))
    assert told.notes == ["thing: mapped by one only, so who can tell whom was not looked at"]
    assert told.findings == []


class Line(Group):
    text: Annotated[str, StringConstraints(max_length=9)] | None = None


class Odd(Entity):
    """Kinds of fields that no shipped entity has yet."""

    entity_name: ClassVar[str] = "odd"

    title: str
    count: int | None = None
    day: date | None = None
    lines: list[Line] = Field(default_factory=list)
    choice: Literal["a", "b"] | None = None


@pytest.mark.parametrize(
    ("field", "samples_of"),
    [
        ("count", (1, 20)),
        ("day", ("2026-01-31", "2024-02-29")),
        ("lines", ([{"text": "Ab 1"}],)),
        ("title", ("Ab 1", "Zürich & Söhne")),
    ],
)
def test_samples_are_values_of_the_field(field, samples_of):
    assert samples(shape_of(Odd), field) == samples_of


def test_codes_are_those_of_the_field():
    assert codes(shape_of(Odd), "choice") == ("a", "b")
    assert codes(SHAPES["thing"], "stage") == ("new", "live", "gone")


@dataclass(frozen=True)
class Broken(Plain):
    def encode(self, changes, now=None):
        raise TypeError("not my kind")


def test_a_codec_that_breaks_is_a_finding_and_no_crash():
    (one, *_) = found(subject(GOOD, Broken(SHAPES["thing"])), "S09")
    assert "TypeError: not my kind" in one.sentence


def test_every_check_has_a_fixture():
    assert {which for which, *_ in (*RULES.values(), *MAPPINGS.values())} == set(CHECKS) - {"S18", "S25"}


def test_what_a_system_cannot_delete_is_told_and_no_error():
    text = GOOD.replace("on_owner_delete: deactivate", "on_owner_delete: delete").replace("finance, ", "")
    fixed = replace(Party("two", THING), able=Capabilities(deletes=Deletes.FLAGS))
    (told,) = found(subject(text, parties={("one", "thing"): Party("one", THING), ("two", "thing"): fixed}), "S12")
    assert (told.level, told.system) == (Level.WARN, "two")
    assert told.sentence == (
        "thing records are deleted everywhere, and in two the hub cannot: it sets stage to gone there"
    )
