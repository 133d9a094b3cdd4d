"""Double entry at random: the order of systems, entries and pages decides nothing, and questions come to an end."""

from __future__ import annotations

import random
from typing import Any

import pytest

from fsm_core.errors import Invalid
from fsm_core.service.resolve import choices, resolve
from tests.work import WorkWorld


def jobs(chance: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """Orders of two assets that are often alike."""
    return [
        (
            chance.choice(["fsm", "cmms"]),
            {
                "number": f"N{n}",
                "kind": chance.choice(["corrective", "preventive"]),
                "status": chance.choice(["open", "open", "completed"]),
                "asset_ids": chance.sample(["A1", "A2"], chance.randint(1, 2)),
                "failure_mode": chance.choice([None, "LEAK"]),
                "external_number": chance.choice([None, None, None, "N0", "N1"]),
                "opened_at": f"2026-03-{chance.randint(1, 9):02}T0{n}:00:00Z",
                "completed_at": "2026-03-05T00:00:00Z",
            },
        )
        for n in range(chance.randint(2, 7))
    ]


def played(seed: int, page: int, order: int) -> WorkWorld:
    world = WorkWorld(entities=("work_order",), page_size=page)
    world.hub.page = page
    entered = jobs(random.Random(seed))  # noqa: S311 - a test
    random.Random(order).shuffle(entered)  # noqa: S311 - a test
    for role, says in entered:
        world.put(role, "work_order", **says)
    world.settle(8)
    return world


def outcome(world: WorkWorld) -> list[Any]:
    sides = [
        (one.type, one.note, sorted((side["values"]["number"], side["new"]) for side in one.snapshot["sides"]))
        for one in world.questions()
    ]
    documents = [(one["number"], one.get("repeat_visit", False)) for one in world.documents("work_order")]
    links = [sorted((link.system, link.now.get("number")) for link in one.links) for one in world.loaded()]
    return [sorted(sides), sorted(documents), sorted(links)]


@pytest.mark.parametrize("seed", range(3))
def test_neither_order_nor_page_decides(seed):
    assert outcome(played(seed, 2000, 1)) == outcome(played(seed, 1, 2))


@pytest.mark.parametrize("seed", range(3, 6))
def test_whatever_is_answered_the_questions_end_and_nothing_is_written_any_more(seed):
    world, chance = played(seed, 2000, 1), random.Random(seed)  # noqa: S311 - a test
    for _ in range(40):
        asked = world.questions()
        if not asked:
            break
        one = chance.choice(asked)
        try:
            resolve(world.hub, one, chance.choice(list(choices(one))), "ann")
        except Invalid:  # "same" of two in one system, or a child that is in question elsewhere
            resolve(world.hub, one, "apart", "ann")
        world.settle(8)
    assert not world.questions()
    assert all(link.state == "live" for link in world.links())
    before = world.writes()
    world.sync_all()
    assert world.writes() == before
