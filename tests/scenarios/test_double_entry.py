"""Double entry through the engine: what is held, what people answer, what the hub computes, in any order."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from fsm_core.errors import Invalid
from fsm_core.service.resolve import choices, resolve
from fsm_core.state import Conflict
from fsm_core.store import queries
from tests.work import RULES, UNCHECKED, WorkWorld

each_database = pytest.mark.usefixtures("each_database")

JOB = {"kind": "corrective", "status": "open", "asset_ids": ["A7"]}
FIRST, SECOND = {"opened_at": "2026-03-01T08:00:00Z"}, {"opened_at": "2026-03-02T08:00:00Z"}


def world_of(*others: str, **options: Any) -> WorkWorld:
    return WorkWorld(entities=("work_order", *others), **options)


def twice(world: WorkWorld) -> tuple[str, str]:
    """The same job put in by the CMMS, and a day later by the FSM, before the hub saw either."""
    return world.put("cmms", "work_order", **JOB, **FIRST), world.put("fsm", "work_order", **JOB, **SECOND)


def only(world: WorkWorld) -> Conflict:
    (conflict,) = world.questions()
    return conflict


def answer(world: WorkWorld, take: str, conflict: Conflict | None = None) -> None:
    resolve(world.hub, conflict or only(world), take, "ann")
    world.settle()


def orders(world: WorkWorld) -> tuple[int, int]:
    """How many orders the FSM and the CMMS have."""
    return len(world.seen("fsm", "work_order")), len(world.seen("cmms", "work_order"))


def quiet(world: WorkWorld) -> None:
    """One more round of everything writes nothing and asks nothing new."""
    before, asked = world.writes(), [one.id for one in world.questions()]
    world.sync_all()
    assert world.writes() == before
    assert [one.id for one in world.questions()] == asked


# -- held ----------------------------------------------------------------------------------------


@each_database
def test_while_the_question_is_open_nothing_is_created_anywhere():
    world = world_of()
    first, second = twice(world)
    world.settle()
    asked = only(world)
    assert (asked.type, asked.state) == ("duplicate_work", "open")
    assert [(side["id"], side["waiting"]) for side in asked.snapshot["sides"]] == [(second, True), (first, False)]
    assert asked.snapshot["evidence"]["assets"] == ["A7"]
    assert orders(world) == (1, 1)
    assert len(world.documents("work_order")) == 1
    quiet(world)


@pytest.mark.parametrize("page_size", [1, 2000])
@pytest.mark.parametrize("first_in", ["cmms", "fsm"])
def test_the_later_entry_is_the_one_held_whatever_the_order_of_systems_and_pages(page_size, first_in):
    world = world_of(page_size=page_size)
    world.hub.page = page_size
    second_in = "fsm" if first_in == "cmms" else "cmms"
    first = world.put(first_in, "work_order", **JOB, **FIRST)
    second = world.put(second_in, "work_order", **JOB, **SECOND)
    world.settle()
    sides = {side["id"]: side["waiting"] for side in only(world).snapshot["sides"]}
    assert sides == {first: False, second: True}
    assert orders(world) == (1, 1)


def test_a_copy_that_is_there_already_is_said_so():
    world = world_of()
    world.put("cmms", "work_order", **JOB, **FIRST, number="4711")
    world.settle()
    world.put("fsm", "work_order", **JOB, **SECOND, external_number="4711")
    world.settle()
    assert only(world).note == "same number 4711, but crm holds it already: merge them there"
    quiet(world)
    with pytest.raises(Invalid, match="several records of crm cannot be the same record"):
        resolve(world.hub, only(world), "same", "ann")


def test_what_is_merged_there_is_asked_no_more():
    world = world_of()
    world.put("cmms", "work_order", **JOB, **FIRST)
    world.settle()
    (copy,) = world.seen("fsm", "work_order")
    newcomer = world.put("fsm", "work_order", **JOB, **SECOND)
    world.settle()
    assert only(world).type == "duplicate_work"
    world.merge("crm", "work_order", newcomer, copy)
    world.settle()
    assert not world.questions()
    assert orders(world) == (1, 1)


def test_two_newcomers_that_name_one_order_are_not_both_linked():
    world = world_of()
    world.put("cmms", "work_order", **JOB, **FIRST, number="4711")
    for _ in range(2):
        world.put("fsm", "work_order", **JOB, **SECOND, external_number="4711")
    world.settle()
    assert len(world.documents("work_order")) == 1
    assert only(world).note.startswith("same number 4711")
    quiet(world)


# -- answers -------------------------------------------------------------------------------------


@each_database
def test_same_makes_one_record_of_both():
    world = world_of()
    twice(world)
    world.settle()
    assert list(choices(only(world))) == ["same", "child", "apart"]
    answer(world, "same")
    assert orders(world) == (1, 1)
    (one,) = [one for one in world.loaded() if one.record.entity == "work_order"]
    assert sorted(link.system for link in one.links) == ["crm", "erp"]
    assert not world.questions()
    quiet(world)


@each_database
def test_a_child_is_born_and_told_whose_it_is_in_each_systems_own_ids():
    world = world_of()
    first, second = twice(world)
    world.settle()
    answer(world, "child")
    assert orders(world) == (2, 2)
    assert not world.questions()
    fsm, cmms = world.seen("fsm", "work_order"), world.seen("cmms", "work_order")
    (copy,) = set(fsm) - {second}
    assert fsm[second]["parent_id"] == copy
    (child,) = set(cmms) - {first}
    assert cmms[child]["parent_id"] == first
    quiet(world)


@each_database
def test_apart_is_remembered_and_both_live_everywhere():
    world = world_of()
    first, _ = twice(world)
    world.settle()
    answer(world, "apart")
    assert orders(world) == (2, 2)
    world.update("cmms", "work_order", first, description="more")
    world.settle()
    assert not world.questions()
    quiet(world)


def test_an_answer_that_is_none_is_refused_with_the_possible_ones():
    world = world_of()
    twice(world)
    world.settle()
    with pytest.raises(Invalid, match="'agreed' is no answer here"):
        resolve(world.hub, only(world), "agreed", "ann")


def two_before(world: WorkWorld) -> list[Conflict]:
    """Two orders of the CMMS that people keep apart, and one of the FSM that is like both."""
    for hour in ("08", "09"):
        world.put("cmms", "work_order", **JOB, opened_at=f"2026-03-01T{hour}:00:00Z")
    world.put("fsm", "work_order", **JOB, **SECOND)
    world.settle()
    return world.questions()


def test_what_is_like_two_orders_is_asked_about_each():
    world = world_of()
    asked = two_before(world)
    assert [one.type for one in asked] == ["duplicate_work"] * 2
    assert len({one.record for one in asked}) == 2
    assert orders(world) == (1, 2)
    with pytest.raises(Invalid, match=r"Answer first: "):
        resolve(world.hub, asked[0], "child", "ann")
    answer(world, "apart", asked[0])
    assert [one.id for one in world.questions()] == [asked[1].id]
    assert orders(world) == (2, 2)
    answer(world, "apart")
    assert orders(world) == (3, 3)
    quiet(world)


def test_the_same_as_one_of_two_ends_both_questions():
    world = world_of()
    asked = two_before(world)
    answer(world, "same", asked[0])
    assert not world.questions()
    assert orders(world) == (2, 2)
    quiet(world)


# -- facts that change ---------------------------------------------------------------------------


def test_when_the_earlier_order_is_done_the_newcomer_is_born():
    world = world_of()
    first, _ = twice(world)
    world.settle()
    asked = only(world)
    world.update("cmms", "work_order", first, status="completed")
    world.settle()
    assert not world.questions()
    with world.store.begin() as work:
        closed = work.conflict(asked.id)
    assert (closed.state, closed.resolved_by) == ("closed", "engine")
    assert orders(world) == (2, 2)


@pytest.mark.parametrize("role", ["cmms", "fsm"])
def test_an_edit_that_changes_nothing_about_it_is_shown_in_the_same_question(role):
    world = world_of()
    first, second = twice(world)
    world.settle()
    asked = only(world)
    world.update(role, "work_order", first if role == "cmms" else second, description="leaks")
    world.settle()
    again = only(world)
    assert again.id == asked.id
    assert "leaks" in [side["values"].get("description") for side in again.snapshot["sides"]]
    with pytest.raises(Invalid, match="moved since it was read"):
        resolve(world.hub, asked, "same", "ann")
    answer(world, "same")
    assert orders(world) == (1, 1)


def test_a_number_stated_later_links_without_an_answer():
    world = world_of()
    _, second = twice(world)
    world.settle()
    world.update("fsm", "work_order", second, external_number="cmms-1")
    world.settle()
    assert not world.questions()
    assert orders(world) == (1, 1)
    assert len(world.documents("work_order")) == 1


def test_a_newcomer_that_is_deleted_is_asked_about_no_more():
    world = world_of()
    _, second = twice(world)
    world.settle()
    world.crm.remove("work_order", second)
    world.settle()
    assert not world.questions()
    assert orders(world) == (1, 1)


def reopen(world: WorkWorld, rules: str) -> None:
    world.rules = world.rulebook(rules)
    world.hub = world.open_hub()


def test_without_the_check_who_waited_is_born_and_with_it_again_the_next_one_is_held():
    world = world_of()
    twice(world)
    world.settle()
    reopen(world, UNCHECKED)
    world.settle()
    assert not world.questions()
    assert orders(world) == (2, 2)
    other = {**JOB, "asset_ids": ["A8"]}
    world.put("cmms", "work_order", **other, **FIRST)
    world.settle()
    reopen(world, RULES)
    world.settle()
    assert not world.questions()
    world.put("fsm", "work_order", **other, **SECOND)
    world.settle()
    assert only(world).snapshot["evidence"]["assets"] == ["A8"]


# -- what holds nothing --------------------------------------------------------------------------


def plans(world: WorkWorld) -> None:
    given = {"task_text": "Change the oil filter", "interval": {"n": "12", "unit": "month"}, "active": True}
    assets = {role: world.put(role, "asset", asset_number="A7") for role in ("cmms", "fsm")}
    world.put("cmms", "maintenance_plan", asset_id=assets["cmms"], task_code="M-100", **given)
    world.put("fsm", "maintenance_plan", asset_id=assets["fsm"], task_code="S7", **given)
    world.settle()


@pytest.mark.parametrize("take", ["combine", "apart"])
def test_a_suggestion_holds_nothing_and_is_made_once(take):
    world = world_of("asset", "maintenance_plan")
    plans(world)
    assert len(world.seen("fsm", "maintenance_plan")) == len(world.seen("cmms", "maintenance_plan")) == 2
    asked = only(world)
    assert (asked.type, list(choices(asked))) == ("parallel_pm?", ["combine", "apart"])
    quiet(world)
    answer(world, take)
    with world.store.begin() as work:
        kept = work.conflict(asked.id)
    assert (kept.state, kept.resolution) == ("resolved", {"take": take})
    assert not world.questions()
    quiet(world)


def test_a_suggestion_ends_with_its_cause():
    world = world_of("asset", "maintenance_plan")
    plans(world)
    (plan,) = [id_ for id_, row in world.seen("fsm", "maintenance_plan").items() if row["task_code"] == "S7"]
    world.update("fsm", "maintenance_plan", plan, active=False)
    world.settle()
    world.update("cmms", "maintenance_plan", _copy(world, "S7"), active=False)
    world.settle()
    assert not world.questions()


def _copy(world: WorkWorld, code: str) -> str:
    return next(id_ for id_, row in world.seen("cmms", "maintenance_plan").items() if row["task_code"] == code)


# -- what the hub computes -----------------------------------------------------------------------

LEAK = {"kind": "corrective", "asset_ids": ["A7"], "failure_mode": "LEAK"}


@pytest.mark.parametrize("page_size", [1, 2000])
@pytest.mark.parametrize("later_first", [False, True])
def test_a_problem_that_comes_back_is_a_repeat(page_size, later_first):
    world = world_of(page_size=page_size)
    world.hub.page = page_size
    done = {**LEAK, "status": "completed", "opened_at": "2026-03-01T08:00:00Z", "completed_at": "2026-03-02T08:00:00Z"}
    again = {**LEAK, "status": "open", "opened_at": "2026-03-20T08:00:00Z"}
    for says in (again, done) if later_first else (done, again):
        world.put("fsm", "work_order", **says)
    world.settle()
    assert not world.questions()
    for role in ("fsm", "cmms"):
        shown = world.seen(role, "work_order").values()
        assert [row["opened_at"] for row in shown if row.get("repeat_visit")] == [again["opened_at"]]
    (one,) = [one for one in world.loaded() if one.record.document.get("repeat_visit")]
    assert one.record.provenance["repeat_visit"]["note"] == "computed by hub: the problem came back"
    quiet(world)


@each_database
def test_the_visit_of_the_earlier_order_did_not_fix_it():
    world = world_of("visit")
    done = {**LEAK, "status": "completed", "opened_at": "2026-03-01T08:00:00Z", "completed_at": "2026-03-02T08:00:00Z"}
    order = world.put("fsm", "work_order", **done)
    world.put("fsm", "visit", work_order_id=order, status="completed", started_at="2026-03-02T07:00:00Z")
    world.settle()
    (visit,) = [one.record for one in world.loaded() if one.record.entity == "visit"]
    with world.store.begin() as work:  # as the run of key figures will say
        visit.document["fixed_first_time"] = True
        work.change_records([visit])
    world.put("fsm", "work_order", **LEAK, status="open", opened_at="2026-03-20T08:00:00Z")
    world.settle()
    (visit,) = [one.record for one in world.loaded() if one.record.entity == "visit"]
    assert not visit.document.get("fixed_first_time")
    with world.store.reading() as db:
        told = [row["content"]["fields"] for row in queries.decisions(db, visit.id) if row["kind"] == "compute"]
    assert told[0]["fixed_first_time"]["to"] is False


PUMP = {"part_id": "PUMP", "quantity": "1", "serials": ["S-9"]}


def consuming(world: WorkWorld, role: str, order: str, at: str, **says: Any) -> str:
    return world.put(role, "part_consumption", **{**PUMP, "work_order_id": order, "used_at": at, **says})


def test_a_serial_used_twice_is_held_until_its_return_is_known():
    world = world_of("part_consumption")
    order = world.put("fsm", "work_order", kind="corrective", status="open")
    consuming(world, "fsm", order, "2026-03-01T08:00:00Z")
    consuming(world, "fsm", order, "2026-03-09T08:00:00Z")
    world.settle()
    assert (only(world).type, len(world.documents("part_consumption"))) == ("serial_used_twice", 1)
    consuming(world, "fsm", order, "2026-03-05T08:00:00Z", quantity="-1")
    world.settle()
    assert not world.questions()
    assert len(world.documents("part_consumption")) == 3


def test_two_consumptions_of_a_held_serial_are_kept_as_people_say():
    world = world_of("part_consumption")
    order = world.put("fsm", "work_order", kind="corrective", status="open")
    consuming(world, "fsm", order, "2026-03-01T08:00:00Z")
    consuming(world, "fsm", order, "2026-03-09T08:00:00Z")
    world.settle()
    assert list(choices(only(world))) == ["same", "apart"]
    answer(world, "apart")
    assert not world.questions()
    assert len(world.documents("part_consumption")) == 2


@pytest.mark.parametrize("page_size", [1, 2000])
@pytest.mark.parametrize("first_in", ["cmms", "fsm"])
def test_of_one_consumption_told_twice_the_later_row_is_the_mirror(page_size, first_in):
    world = world_of("site", "part_consumption", page_size=page_size)
    world.hub.page = page_size
    sites = {role: world.put(role, "site", name="Werk", time_zone="Europe/Berlin") for role in ("cmms", "fsm")}
    world.put("cmms", "work_order", number="1", kind="corrective", status="completed", site_id=sites["cmms"])
    world.settle()
    ids = {role: next(iter(world.seen(role, "work_order"))) for role in ("cmms", "fsm")}
    second_in = "fsm" if first_in == "cmms" else "cmms"
    consuming(world, second_in, ids[second_in], "2026-03-01T09:00:00Z")
    consuming(world, first_in, ids[first_in], "2026-03-01T08:00:00Z")
    world.settle()
    assert not world.questions()
    rows = world.documents("part_consumption")
    assert {row["used_at"]: row.get("mirror", False) for row in rows} == {
        "2026-03-01T08:00:00Z": False,
        "2026-03-01T09:00:00Z": True,
    }
    quiet(world)


# -- cost ----------------------------------------------------------------------------------------


def statements(jobs: int) -> int:
    """How many statements a page of newcomers costs that are all double entries."""
    world = world_of("visit")
    for number in range(jobs):
        world.put("cmms", "work_order", **{**JOB, "asset_ids": [f"A{number}"]}, **FIRST)
    world.settle()
    for number in range(jobs):
        world.put("fsm", "work_order", **{**JOB, "asset_ids": [f"A{number}"]}, **SECOND)
    count = []
    event.listen(world.store.engine, "before_cursor_execute", lambda *_: count.append(1))
    world.sync("work_order", confirmed=True)
    assert len(world.questions()) == jobs
    return len(count)


def test_a_page_costs_the_same_number_of_statements_whatever_it_holds():
    assert statements(2) == statements(12)
