"""The audit: whatever is changed in it, added or taken away is found; what may go does not break it."""

from __future__ import annotations

import tracemalloc
from contextlib import contextmanager

import pytest
from sqlalchemy import LargeBinary, delete, func, insert, null, select, update

from fsm_core.service.hub import Hub
from fsm_core.state import Decision, Run
from fsm_core.store import schema as t
from fsm_core.store.audit import digest_of
from fsm_core.store.verify import verify
from tests.world import World, in_memory

COLUMNS = [column for table in (t.run, t.decision, t.decision_value) for column in table.c]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request, tmp_path_factory):
    """Three sealed runs: births, decisions of the rules, and one without any decision."""
    states = request.getfixturevalue("postgres_states") if request.param == "postgresql" else None
    file = f"sqlite:///{tmp_path_factory.mktemp('audit')}/hub.db"
    made = World(engine=states.take() if states else in_memory(file))
    for number in range(3):
        made.create("crm", tax_ids=[f"VAT:A{number}"])
        made.create("erp", tax_ids=[f"VAT:A{number}"], billing_status="active", phone=f"030 {number}")
    made.create("crm", tax_ids=["VAT:B"])
    made.sync()
    made.edit("crm", next(iter(made.crm.live("customer"))), trade_name="Acme")
    made.sync()
    made.sync()
    yield made
    if states:
        states.give_back()


@contextmanager
def tampered(world, *statements):
    """The state after these statements, for a moment."""
    with world.store.engine.connect() as db:
        transaction = db.begin()
        for statement in statements:
            assert db.execute(statement).rowcount != 0
        yield db
        transaction.rollback()


def first(world, what, *where):
    with world.store.reading() as db:
        return db.execute(select(what).where(*where).order_by(what).limit(1)).scalar_one()


def run_number(world, number):
    return first(world, t.run.c.id, t.run.c.number == number)


def test_what_nobody_touched_holds(world):
    with world.store.reading() as db:
        found = verify(db)
        assert (found.broken, found.open, found.runs, found.erased) == (None, [], 3, 0)
        assert found.decisions == db.execute(select(func.count()).select_from(t.decision)).scalar_one() >= 5
        assert found.head == first(world, t.run.c.root, t.run.c.number == 3)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: f"{column.table.name}.{column.name}")
def test_a_change_of_any_column_is_found(world, column):
    key = next(iter(column.table.primary_key))
    row = run_number(world, 2) if column.table is t.run else None
    if row is None:
        mine = select(t.decision.c.id).where(
            t.decision.c.run == run_number(world, 2), t.decision.c.values_digest != b""
        )
        row = first(world, key, key.in_(mine))
    kind = column.type
    new = b"another" if isinstance(kind, LargeBinary) else 99 if column is t.run.c.number else column.concat("x")
    with tampered(world, update(column.table).where(key == row).values({column: new})) as db:
        broken = verify(db).broken
    assert broken is not None
    if column.table is t.decision and column.name not in ("id", "run"):
        assert (broken.run, broken.decision) == (run_number(world, 2), row)


def test_a_decision_that_is_gone_or_was_added_or_moved_is_found(world):
    second, third = run_number(world, 2), run_number(world, 3)
    mine = first(world, t.decision.c.id, t.decision.c.run == second)
    row = {"id": "0", "run": third, "record": "r", "entity": "customer", "at": "now", "actor": "eve", "kind": "decide"}
    row["values_digest"] = b""
    for statement, place in [
        (delete(t.decision).where(t.decision.c.id == mine), second),
        (insert(t.decision).values(**row, digest=digest_of(row)), third),
        (insert(t.decision).values(**{**row, "run": "none"}, digest=digest_of({**row, "run": "none"})), "none"),
        (update(t.decision).where(t.decision.c.id == mine).values(run=third), second),
    ]:
        with tampered(world, statement) as db:
            assert verify(db).broken.run == place


def test_a_run_that_is_gone_or_opened_again_is_found(world):
    second, third = run_number(world, 2), run_number(world, 3)
    with tampered(world, delete(t.run).where(t.run.c.id == second)) as db:
        assert verify(db).broken.run == third
    opened = {"number": null(), "ended_at": null(), "root": "", "previous": ""}
    with tampered(world, update(t.run).where(t.run.c.id == second).values(opened)) as db:
        assert verify(db).broken.run == third
    with tampered(world, update(t.run).where(t.run.c.id == third).values(number=null())) as db:
        assert verify(db).broken.run == third


def test_only_a_noted_root_tells_that_the_end_was_cut_off(world):
    third = run_number(world, 3)
    noted = first(world, t.run.c.root, t.run.c.id == third)
    with world.store.reading() as db:
        assert verify(db, noted).broken is None
    with tampered(world, delete(t.run).where(t.run.c.id == third)) as db:
        assert verify(db).broken is None
        assert noted in verify(db, noted).broken.what


@pytest.mark.parametrize("how", ["row", "content"])
def test_erased_values_break_nothing_and_what_else_is_told_stays_proven(world, how):
    row = first(world, t.decision_value.c.decision)
    mine = t.decision_value.c.decision == row
    erased = delete(t.decision_value).where(mine)
    if how == "content":
        erased = update(t.decision_value).where(mine).values(content=null(), salt=b"")
    with tampered(world, erased) as db:
        found = verify(db)
        assert (found.broken, found.erased) == (None, 1)
    with tampered(world, erased, update(t.decision).where(t.decision.c.id == row).values(actor="eve")) as db:
        assert verify(db).broken.decision == row


def test_an_interrupted_run_is_open_and_what_it_decided_is_checked(world):
    hub, ids = world.hub, world.hub.ids
    run = Run(ids.text(), "sync", hub.at(), "test")
    decision = Decision(ids.text(), "r", "customer", "engine", "decide", {"fields": {}})
    with world.store.begin() as work:
        work.add_run(run)
        work.write_decisions(run.id, hub.at(), [decision])
        found = verify(work._db)
        assert (found.broken, found.open) == (None, [run.id])
        work._db.execute(update(t.decision).where(t.decision.c.id == decision.id).values(actor="eve"))
        broken = verify(work._db).broken
        assert (broken.run, broken.decision) == (run.id, decision.id)
        work._db.rollback()


def test_runs_that_overlap_are_one_chain(each_database):
    world = World()
    other = world.open_hub()
    other.ids = Hub(world.store, world.rules, {}, {}).ids
    with world.hub.running("a"), other.running("b"):
        pass
    world.sync()
    with world.store.reading() as db:
        found = verify(db)
        kinds = db.execute(select(t.run.c.kind).order_by(t.run.c.number)).scalars().all()
    assert (found.broken, found.runs, kinds) == (None, 3, ["b", "a", "test"])


def test_the_memory_does_not_grow_with_the_audit():
    world = World()
    told = {"text": "x" * 20_000}
    peaks = []
    for decisions in (200, 1000):
        with world.hub.running("test"), world.store.begin() as work:
            rows = [Decision(i, "r", "c", "engine", "k", told) for i in world.hub.ids.texts(decisions)]
            work.write_decisions(world.hub.run, world.hub.at(), rows)
        tracemalloc.start()
        with world.store.reading() as db:
            assert verify(db).broken is None
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
