"""Rows R of the truth table that the engine decides today, from data: births and links (R01, R02, R05, R10-R13).

Not yet: R03 and R26 (a system's own filter), R04 (children), R06-R09 (similarity scores), R14-R25 and R27
(deletions and merges beyond the question they raise now) and R28, whose field half `tests/mappings` holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fsm_core.service.resolve import resolve
from fsm_core.state import LinkState
from fsm_core.store import queries
from tests.world import RULES, TABLE, World

ROWS = {
    row["id"]: row
    for row in json.loads(Path(__file__).with_name("ownership_cases.json").read_text(encoding="utf8"))["record"]
}
HERE = ("R01", "R02", "R05", "R10", "R11", "R12", "R13")
NAME = "Müller GmbH"


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
