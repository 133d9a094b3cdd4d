"""Rows R of the truth table that the engine decides today, from data: births and links (R01, R02, R05-R13).

Rows that state a score are staged by scores alone, whatever keys could say too. Not here: R03, R04 and R28
(`test_arrival_cases`), R14-R27 (`test_deletion_cases`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fsm_core.model import SHAPES
from fsm_core.service.resolve import resolve
from fsm_core.state import LinkState
from fsm_core.store import queries
from fsm_core.sync.similar import features, likeness
from tests.world import RULES, TABLE, World, rulebook

ROWS = {
    row["id"]: row
    for row in json.loads(Path(__file__).with_name("ownership_cases.json").read_text(encoding="utf8"))["record"]
}
HERE = ("R01", "R02", "R05", "R10", "R11", "R12", "R13")
SCORED = tuple(id_ for id_, row in ROWS.items() if "score" in row["input"])
NAME = "Müller GmbH"
ASKED = "ask: [[legal_name, billing_address.postcode]]"
FUZZY = "fuzzy: [legal_name, billing_address.postcode, website]"
AUTO, REVIEW = 0.97, 0.8
AUTO_LINE = f"auto: {AUTO}\n      "
SCORES = f"{AUTO_LINE}review: {REVIEW}\n      {FUZZY}"
FIRM = {"legal_name": "Müller Kältetechnik GmbH", "billing_postcode": "10115", "website": "https://mueller.example"}
ALIKE = {0.99: {"legal_name": "Mueller Kaeltetechnik"}, 0.98: {"legal_name": "Mueller Kaeltetechnick"},
         0.9: {"legal_name": "Müller Kälte"}, 0.5: {"legal_name": "Meier Kühlung", "website": None}}  # fmt: skip
"""What another system says of the same firm, by the score of a row: above auto, in the grey zone, below review."""


def staged(row: dict[str, Any]) -> tuple[World, str]:
    """A world in which one CRM record arrives as the row says; its id."""
    given = row["input"]
    allowed = "[crm, erp]" if given.get("may_create", True) else "[erp]"
    world = World(rules=RULES.replace("allowed: [crm, erp]", f"allowed: {allowed}"))
    if given.get("candidate_linked_same_system"):
        world.create("crm", legal_name="Müller (old)", tax_ids=["VAT:DE1"])
    several = given.get("candidates", 0)
    for number in range(several):
        shown = {"account_number": f"{number}"} if several > 1 else {}
        world.create("erp", **{"tax_ids": ["VAT:DE1"], **shown, **known_by(given)}, billing_status="active")
    if given.get("candidate_linked_same_system"):
        world.settle()
    new = {"tax_ids": ["VAT:DE1"], **known_by(given)}
    if given.get("contradiction"):
        new["account_number"] = "7777"
    return world, world.create("crm", **new)


def known_by(given: dict[str, Any]) -> dict[str, Any]:
    """What makes the pair worth a question: a name and a postcode instead of a key."""
    if given.get("negative_pair"):
        return {"legal_name": NAME, "billing_postcode": "10115", "tax_ids": []}
    return {"account_number": "1000"} if given.get("contradiction") else {}


def outcome(world: World, id_: str) -> str:
    """The engine's answer in the words of the table."""
    link = next(link for link in world.links() if (link.system, link.external_id) == ("crm", id_))
    with world.store.reading() as db:
        asked = [c for c in queries.conflicts(db) if c.type == "match"]
    if link.state == LinkState.PENDING:
        assert any(side["link"] == link.id for conflict in asked for side in conflict.snapshot["sides"])
        return "CONFLICT_MATCH"
    if link.state == LinkState.INVALID:
        return "QUARANTINE"
    others = [x for x in world.links() if x.record == link.record and x.id != link.id and x.method != "delivered"]
    return "LINK" if others else "CREATE"


@pytest.mark.parametrize("row", [ROWS[id_] for id_ in HERE], ids=HERE)
def test_record_case(row):
    world, id_ = staged(row)
    world.sync()
    if row["input"].get("negative_pair"):  # "judged not the same before"
        assert outcome(world, id_) == "CONFLICT_MATCH"
        with world.store.reading() as db:
            (conflict,) = queries.conflicts(db)
        resolve(world.hub, conflict, "apart", "ada")
    world.settle()
    assert outcome(world, id_) == row["expected"]


def test_a_question_creates_nothing_anywhere_until_it_is_answered():
    for id_ in ("R10", "R11", "R12"):
        world, new = staged(ROWS[id_])
        before = {name: len(store.live(TABLE)) for name, store in world.stores.items()}
        world.settle()
        assert {name: len(store.live(TABLE)) for name, store in world.stores.items()} == before, id_
        assert outcome(world, new) == "CONFLICT_MATCH"


def test_a_quarantined_record_is_a_problem_that_names_its_cause():
    world, id_ = staged(ROWS["R02"])
    world.settle()
    with world.store.reading() as db:
        assert [(p.external_id, p.cause) for p in queries.problems(db)] == [(id_, "creation not allowed")]


# -- by scores -----------------------------------------------------------------------------------


def staged_by_score(row: dict[str, Any]) -> tuple[World, str]:
    """The same world, where nothing but the score can tell."""
    given = row["input"]
    allowed = "[crm, erp]" if given.get("may_create", True) else "[erp]"
    rules = RULES.replace(ASKED, SCORES)
    world = World(rules=rules.replace("allowed: [crm, erp]", f"allowed: {allowed}"))
    key = {"tax_ids": ["VAT:DE1"]} if given.get("candidate_linked_same_system") else {}
    for number in range(given["candidates"]):
        world.create("erp", **FIRM, **key, account_number=str(number), billing_status="active")
    if key:
        world.create("crm", legal_name="Müller (old)", **key)
        world.settle()
    return world, world.create("crm", **{**FIRM, **ALIKE[given["score"]]})


def band(score: float) -> str:
    return "link" if score >= AUTO else "ask" if score >= REVIEW else "create"


@pytest.mark.parametrize("score", ALIKE)
def test_the_staged_pairs_score_in_the_band_of_their_row(score):
    firm, other = ({"legal_name": d["legal_name"], "website": d["website"], "billing_address": {"postcode": "10115"}}
                   for d in (FIRM, {**FIRM, **ALIKE[score]}))  # fmt: skip
    compared = features(SHAPES["customer"], ["legal_name", "billing_address.postcode", "website"])
    assert band(likeness(compared, firm, other).score) == band(score)


@pytest.mark.parametrize("row", [ROWS[id_] for id_ in SCORED], ids=SCORED)
@pytest.mark.parametrize("page_size", [1, 2000])
def test_scored_record_case(row, page_size):
    world, id_ = staged_by_score(row)
    world.hub.page = page_size
    world.sync()
    if row["input"].get("negative_pair"):
        with world.store.reading() as db:
            (conflict,) = queries.conflicts(db)
        (pair,) = conflict.snapshot["evidence"]
        assert band(pair["score"]) == "ask"
        assert {one["feature"] for one in pair["features"]} == {"legal_name", "billing_address.postcode", "website"}
        resolve(world.hub, conflict, "apart", "ada")
    world.settle()
    assert outcome(world, id_) == row["expected"]


def test_without_auto_in_the_rules_no_score_links():
    world, id_ = staged_by_score(ROWS["R06"])
    assert outcome_under(world, AUTO_LINE, "", id_) == "CONFLICT_MATCH"


def test_one_feature_alone_is_asked_about_however_high_it_scores():
    world, id_ = staged_by_score(ROWS["R06"])
    world.edit("crm", id_, billing_postcode=None, website=None, legal_name=FIRM["legal_name"])
    world.settle()
    assert outcome(world, id_) == "CONFLICT_MATCH"


@pytest.mark.parametrize(("field", "mine"), [("kind", "person"), ("tax_ids", ["VAT:DE2"])])
def test_what_contradicts_is_asked_about(field, mine):
    """`kind` speaks against it by the rules, another VAT id as a key that differs."""
    world, id_ = staged_by_score(ROWS["R06"])
    (erp,) = world.erp.live(TABLE)
    world.edit("erp", erp, tax_ids=["VAT:DE1"])
    world.edit("crm", id_, **{field: mine})
    assert outcome_under(world, AUTO_LINE, f"{AUTO_LINE}contradiction: [kind]\n      ", id_) == "CONFLICT_MATCH"
    with world.store.reading() as db:
        (conflict,) = queries.conflicts(db)
    assert f"{field} differs" in conflict.note
    assert conflict.snapshot["doubt"] == "contradicting"


def test_a_contradiction_turns_a_key_into_a_question():
    world = World(rules=RULES.replace(ASKED, "contradiction: [kind]"))
    world.create("erp", tax_ids=["VAT:DE1"], billing_status="active")
    id_ = world.create("crm", tax_ids=["VAT:DE1"], kind="person")
    world.settle()
    assert outcome(world, id_) == "CONFLICT_MATCH"


def outcome_under(world: World, old: str, new: str, id_: str) -> str:
    """The outcome in the same world under other rules."""
    rules = RULES.replace(ASKED, SCORES).replace(old, new)
    world.rules = rulebook(rules)
    world.hub = world.open_hub()
    world.settle()
    return outcome(world, id_)
