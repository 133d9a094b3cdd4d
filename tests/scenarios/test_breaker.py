"""Trap 5, the end of it: something there changes back what the hub writes, and the hub does not join in."""

from __future__ import annotations

import pytest

from fsm_core.service.problems import TOO_OFTEN
from fsm_core.service.resolve import retry
from fsm_core.store import queries
from tests.scenarios.test_traps import linked, open_of
from tests.world import RULES, World

each_database = pytest.mark.usefixtures("each_database")


ALONE = RULES.replace("min_rows: 50}", "min_rows: 50, max_reverts: 1000}")
"""People are not asked about what a rule takes back again and again, so that nothing but the breaker ends it."""


def quarrel(rounds: int = 8) -> tuple[World, str, str]:
    """A nightly job of the ERP gone wild: it sets an industry, which is not its to set, again and again."""
    world, crm, erp = linked(rules=ALONE)
    world.edit("crm", crm, industry="bau")
    world.settle()
    world.clock.advance(2 * 3600)
    for _ in range(rounds):
        world.edit("erp", erp, industry="JOB")
        world.sync()
    return world, crm, erp


def told_of_erp(world: World) -> list:
    return [problem for problem in open_of(world, queries.problems) if problem.system == "erp"]


@each_database
def test_trap_5_what_is_changed_back_again_and_again_is_left_alone_and_told_of():
    world, crm, _ = quarrel()
    (problem,) = told_of_erp(world)
    assert problem.cause == TOO_OFTEN
    assert problem.message == ("the same was written 5 times within an hour; something there changes it back: industry")
    before = world.writes()
    # the hour passes, and it is still a person's turn
    world.clock.advance(2 * 3600)
    world.edit("crm", crm, service_notes="Katze")
    world.sync()
    assert world.writes() == before
    assert world.row("erp")["industry"] == "JOB"
    retry(world.hub, problem, "ada")
    world.settle()
    assert (world.row("erp")["service_notes"], world.row("erp")["industry"]) == ("Katze", "bau")
    assert not told_of_erp(world)


def test_what_a_person_lets_pass_within_the_hour_is_counted_anew():
    world, _, erp = quarrel()
    retry(world.hub, *told_of_erp(world), "ada")
    world.sync()
    assert world.row("erp")["industry"] == "bau"
    for _ in range(6):
        world.edit("erp", erp, industry="JOB")
        world.sync()
    assert world.row("erp")["industry"] == "JOB"
    assert [problem.cause for problem in told_of_erp(world)] == [TOO_OFTEN]


def test_a_person_who_corrects_a_record_all_the_time_is_no_quarrel_until_it_is_absurd():
    world, crm, _ = linked(rules=RULES.replace("min_rows: 50}", "min_rows: 50, max_writes_per_hour: 2}"))
    for number in range(7):
        world.edit("crm", crm, service_notes=f"Hund {number}")
        world.sync()
    assert world.row("erp")["service_notes"] == "Hund 6"
    assert not open_of(world, queries.problems)
    for number in range(7, 10):
        world.edit("crm", crm, service_notes=f"Hund {number}")
        world.sync()
    assert world.row("erp")["service_notes"] == "Hund 7"
    (problem,) = open_of(world, queries.problems)
    assert problem.message == "written 8 times within an hour: service_notes"
