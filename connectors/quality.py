"""The quality scale of connectors: the rules, what a connector says of each, and the level that follows.

Levels build on each other: a connector has a level when every rule of it, and of the levels below, is done or exempt.
Not here: the checks themselves (`tests/contract/test_quality.py`), and the page for people (`docs/connectors.md`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fsm_core.errors import BadMapping
from fsm_core.ports import Creates, Deletes

HOME = Path(__file__).parent
CONTRACT = "tests/contract/test_contract.py"


class Level(StrEnum):
    """Each includes the ones before."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"


MEANING = {
    Level.BRONZE: "It works, and says honestly what it can and cannot do.",
    Level.SILVER: "It loses nothing and doubles nothing when things go wrong.",
    Level.GOLD: "It is complete: rights, drift, cost and surprises are handled and told.",
    Level.PLATINUM: "It leaves no gap open, and a live system has proven it.",
}


class Check(StrEnum):
    """How a rule is checked when a connector says `done`."""

    CONTRACT = "the contract suite, run with its simulator"
    DESCRIBE = "`describe` on its simulator"
    FACTS = "its declared facts are what `describe` says"
    README = "its README has the sections"
    EVIDENCE = "the tests it names"


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing a connector does. `proof` names tests of the contract suite."""

    id: str
    level: Level
    sentence: str
    check: Check = Check.EVIDENCE
    proof: tuple[str, ...] = ()


def _suite(id: str, level: Level, sentence: str, *proof: str) -> Rule:  # noqa: A002 - as the field
    return Rule(id, level, sentence, Check.CONTRACT, proof)


B, S, G, P = Level
RULES: tuple[Rule, ...] = (
    _suite("contract-suite", B, "It passes the contract suite against its own simulator."),
    _suite("environment", B, "It tells who it is and in which environment.", "test_check_tells_where_we_are"),
    _suite(
        "outcome-per-record",
        B,
        "One bad record spoils no other, and every record has an outcome.",
        "test_one_bad_record_does_not_spoil_the_batch",
        "test_outcomes_come_in_order",
    ),
    Rule("describe", B, "It tells from the account itself what may be done, field by field.", Check.DESCRIBE),
    Rule("readme", B, "Its README lists what the account needs, limits and known gaps.", Check.README),
    Rule("simulator", B, "Its simulator keeps state, speaks the vendor's protocol and goes wrong on demand."),
    Rule("settings-named", B, "A wrong, unknown or missing setting is named."),
    Rule("time-outs", B, "No call waits for ever."),
    Rule("errors-sorted", B, "Every error is sorted by its remedy."),
    Rule("nothing-logged", B, "Neither secrets nor values of records reach the log."),
    _suite("session-renewed", S, "A session that ended is renewed.", "test_an_expired_session_is_renewed"),
    Rule("single-flight", S, "Many threads renew a session once."),
    Rule("whole-replay", S, "A call that is repeated with a new session is repeated whole."),
    _suite(
        "retry-after",
        S,
        "It waits as long as the system asks, or passes the wait up when it is long.",
        "test_a_short_throttle_is_waited_out",
        "test_a_long_throttle_is_passed_up",
        "test_a_throttled_write_happens_once_or_not_at_all",
    ),
    _suite(
        "ties",
        S,
        "Records of one stamp are all delivered, and so are two edits within one stamp.",
        "test_equal_stamps_across_pages",
        "test_two_edits_within_one_stamp",
    ),
    _suite(
        "late-commits",
        S,
        "What commits late behind the cursor is delivered.",
        "test_a_late_commit_is_delivered",
        "test_a_long_pass_loses_no_late_commit",
    ),
    _suite(
        "resumable",
        S,
        "A pass goes on from any page, and loses no edit made during it.",
        "test_a_pass_resumes_from_any_page",
        "test_an_edit_during_a_pass_is_not_lost",
    ),
    Rule("server-clock", S, "Changes are timed by the system's clock, never by ours."),
    Rule("cursor-expiry", S, "A cursor that is good no more is told, and everything is read once."),
    _suite("removals", S, "A removal becomes visible in the system's own way.", "test_a_removal_becomes_visible"),
    _suite(
        "safe-create",
        S,
        "A create whose answer was lost makes one record.",
        "test_a_repeated_create_makes_one_record",
        "test_a_create_with_a_lost_answer_makes_one_record",
    ),
    Rule("unknown-outcome", S, "A write without a trustworthy answer is unknown, and not repeated blindly."),
    Rule("exact-values", S, "Decimals, dates and instants arrive and leave exactly."),
    _suite("knows-its-own", S, "It knows its own changes as its own.", "test_our_own_change_is_known_as_ours"),
    _suite(
        "partial-updates",
        S,
        "An update leaves other fields alone, and None clears.",
        "test_an_update_leaves_the_other_fields",
        "test_none_clears",
    ),
    Rule("facts", G, "What it declares about itself is what it does.", Check.FACTS),
    Rule(
        "key-described",
        G,
        "It tells whether the place of our record id is unique and usable for upserts.",
        Check.DESCRIBE,
    ),
    Rule("hidden-fields", G, "A field the account hides is absent; all others go on."),
    Rule("schema-drift", G, "A field that went away is named, and nothing is blanked for it."),
    Rule("batch-writes", G, "Many records go out in one call."),
    Rule("quiet-is-cheap", G, "A pass without news costs one call."),
    Rule("bounded", G, "The cursor and what is kept in memory are bounded."),
    Rule("quota", G, "The calls used and allowed are read from the answers."),
    Rule("said-aside", G, "Warnings and suspected duplicates reach a person."),
    Rule("hostile", G, "Rounds against a hostile simulator end well: sessions, limits, refusals, lost answers."),
    Rule("held-to-facts", G, "The simulator is held against recorded traffic or published metadata."),
    Rule("set-up-page", G, "A page tells how to connect an account, step by step."),
    _suite(
        "compare-and-set",
        P,
        "The system refuses a write to a record that changed.",
        "test_a_stale_write_changes_nothing",
    ),
    Rule("parts-move-the-whole", P, "A change in a part of a record is found without a full pass."),
    Rule("events", P, "The system's change events shorten the wait for the next pass."),
    Rule("live", P, "It has been run against a live system."),
)
BY_ID = {rule.id: rule for rule in RULES}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Entry(_Strict):
    """What a connector says of one rule."""

    status: Literal["done", "exempt", "todo"]
    reason: str = ""
    """Why it is exempt, or what is missing."""
    evidence: tuple[str, ...] = ()
    """Node ids of tests, or files, beside what the rule itself names."""


class Facts(_Strict):
    """What a connector says of itself; the numbers are those of its default settings."""

    title: str
    auth: str
    changes: str
    """How changes are found."""
    deletes: Deletes
    creates: Creates
    compare_and_set: bool
    unguarded: str = ""
    batch: int
    overlap_seconds: int
    quota: str


class Quality(_Strict):
    """One `quality.yaml`."""

    level: Level
    facts: Facts
    rules: dict[str, Entry] = Field(default_factory=dict)


def kinds() -> list[str]:
    """Connectors that have a folder here."""
    return sorted(path.parent.name for path in HOME.glob("*/quality.yaml"))


def load(kind: str) -> Quality:
    """What a connector says of itself; raises `BadMapping` that names the file and what is wrong."""
    path = HOME / kind / "quality.yaml"
    try:
        return Quality.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise BadMapping(f"{path}: {error}") from None
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise BadMapping(f"{path}: {told}") from None


def earned(quality: Quality) -> Level | None:
    """The highest level whose rules, with those below, are all done or exempt; None below bronze."""
    reached = None
    for level in Level:
        entries = [quality.rules.get(rule.id) for rule in RULES if rule.level is level]
        if any(entry is None or entry.status == "todo" for entry in entries):
            break
        reached = level
    return reached


def evidence(kind: str, rule: Rule, entry: Entry) -> tuple[str, ...]:
    """Everything that has to exist for a rule that is done: what the rule names, then what the connector names."""
    return (*(f"{CONTRACT}::{name}[{kind}]" for name in rule.proof), *entry.evidence)


def faults(kind: str, quality: Quality) -> list[str]:
    """What is wrong with what a connector says, as far as its file alone tells."""
    told = [f"{name}: no such rule; see connectors/quality.py" for name in quality.rules if name not in BY_ID]
    for rule in RULES:
        entry = quality.rules.get(rule.id)
        if entry is None:
            told.append(f"{rule.id}: nothing is said of it")
        elif entry.status != "done" and not entry.reason:
            told.append(f"{rule.id}: {entry.status} without a reason")
        elif entry.status == "done" and rule.check is Check.EVIDENCE and not evidence(kind, rule, entry):
            told.append(f"{rule.id}: done without evidence")
    if quality.level is not earned(quality):
        told.append(f"level: {quality.level} is claimed, {earned(quality) or 'none'} follows from the rules")
    return told
