"""The state on a real SQLite file and on PostgreSQL: migrations, views, overlay, locks, order, audit."""

from __future__ import annotations

import sys
import threading

import pytest
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError

from fsm_core.errors import Misconfigured, NotFound
from fsm_core.model import SHAPES
from fsm_core.store import SqlStore, migrations, open_engine, queries, views
from fsm_core.store import schema as t
from fsm_core.store.audit import merkle_root, seal
from tests.world import World


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request, tmp_path):
    """Opens databases with nothing in them."""
    engines = []

    def made():
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path}/{len(engines)}.db"
        else:
            url = request.getfixturevalue("postgres").schema()
        engines.append(open_engine(url))
        return engines[-1]

    yield made
    for engine in engines:
        engine.dispose()


@pytest.fixture
def store(empty):
    engine = empty()
    migrations.upgrade(engine)
    return SqlStore(engine)


@pytest.fixture
def world(empty):
    engine = empty()
    t.metadata.create_all(engine)
    return World(engine=engine)


def tables(engine):
    """Every column with its type and collation, every index and its condition, every constraint."""
    found = inspect(engine)
    return {
        name: {
            "columns": {c["name"]: (repr(c["type"]), c["nullable"]) for c in found.get_columns(name)},
            "indexes": {i["name"]: condition(i) for i in found.get_indexes(name)},
            "key": found.get_pk_constraint(name)["constrained_columns"],
            "unique": sorted(str(u["column_names"]) for u in found.get_unique_constraints(name)),
        }
        for name in found.get_table_names()
        if name != migrations.VERSION_TABLE
    }


def condition(index):
    options = {name: str(value) for name, value in index["dialect_options"].items()}
    return index["column_names"], bool(index["unique"]), options


def test_the_versions_lead_to_exactly_the_tables_of_the_code(store, empty):
    direct = empty()
    t.metadata.create_all(direct)
    assert tables(store.engine) == tables(direct)
    assert set(tables(direct)) == set(t.metadata.tables)


def test_upgrading_again_changes_nothing(store):
    with store.engine.connect() as connection:
        assert migrations.current(connection) == migrations.head()
    migrations.upgrade(store.engine)
    with store.engine.begin() as connection:
        assert views.refresh(connection, SHAPES) == []


def test_a_reader_does_not_wait_for_a_writer_and_sees_one_moment(store):
    with store.begin() as work, store.reading() as db:
        assert db.execute(select(t.cursor.c.value)).all() == []
        work.put_cursor("s", "o", "e", "1", "at", complete=False)
        work._db.commit()
        assert db.execute(select(t.cursor.c.value)).all() == []
    with store.reading() as db:
        assert db.execute(select(t.cursor.c.value)).all() == [("1",)]


def test_what_two_writers_read_and_then_write_is_not_lost(store):
    """Each adds one to what it has read: only one at a time may have read."""

    def add():
        for _ in range(10):
            with store.begin() as work:
                count = int(work.cursor("s", "o", "e") or 0)
                work.put_cursor("s", "o", "e", str(count + 1), "at", complete=False)

    together(add, 4)
    with store.begin() as work:
        assert work.cursor("s", "o", "e") == "40"


def together(act, count):
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_writer_waits_only_so_long(store, monkeypatch):
    second = engine_like(store, monkeypatch, seconds=1)
    with store.begin(), pytest.raises(DBAPIError), second.begin():
        pass
    second.dispose()


def engine_like(store, monkeypatch, seconds):
    monkeypatch.setattr("fsm_core.store.engine.BUSY_SECONDS", seconds)
    return open_engine(store.engine.url.render_as_string(hide_password=False))


def test_two_states_in_one_database_do_not_wait_for_each_other(store, empty, monkeypatch):
    other = engine_like(SqlStore(empty()), monkeypatch, seconds=1)
    with store.begin(), other.begin() as connection:
        connection.execute(select(1))
    other.dispose()


def test_text_is_ordered_by_code_points_and_may_be_long(store):
    words = ["a-b", "ab", "B", "a", "Ä", "z", "_", "x" * 1000]
    with store.begin() as work:
        for word in words:
            work.put_cursor(word, "o", "e", "1", "at", complete=False)
        assert list(work._db.execute(select(t.cursor.c.system).order_by(t.cursor.c.system)).scalars()) == sorted(words)


def test_a_question_is_found_by_the_end_of_its_id_however_it_is_written(world):
    world.create("crm", tax_ids=["VAT:DE1"])
    world.sync()
    (one,) = world.loaded()
    with world.store.reading() as db:
        for wanted in (one.record.id, one.record.id[-8:], one.record.id[-8:].upper()):
            assert queries.find_record(db, "customer", wanted) == one.record.id
        with pytest.raises(NotFound):
            queries.find_record(db, "customer", "%")


def test_two_writers_wait_for_each_other_instead_of_failing(store):
    failures = []

    def write(number):
        try:
            for step in range(20):
                with store.begin() as work:
                    work.put_cursor(f"s{number}", "o", "e", str(step), "at", complete=False)
        except DBAPIError as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with store.begin() as work:
        assert [work.cursor(f"s{n}", "o", "e") for n in range(4)] == ["19"] * 4


def test_what_is_written_on_an_overlay_is_forgotten(store):
    with store.overlay() as imagined:
        with imagined.begin() as work:
            work.put_cursor("s", "o", "e", "1", "at", complete=False)
        with imagined.begin() as work:
            assert work.cursor("s", "o", "e") == "1"
    with store.begin() as work:
        assert work.cursor("s", "o", "e") is None


def test_several_records_are_held_back_in_one_statement(store):
    held = [("child 1", "parent"), ("child 2", "parent"), ("child 3", "other")]
    with store.begin() as work:
        work.hold_back("contact", "erp", {child for child, _ in held}, held)
    with store.reading() as db:
        query = select(t.held_back.c.record, t.held_back.c.parent, t.held_back.c.entity, t.held_back.c.system)
        assert sorted(map(tuple, db.execute(query))) == [(*row, "contact", "erp") for row in held]


def test_a_transaction_that_fails_leaves_nothing(store):
    def fail():
        with store.begin() as work:
            work.put_cursor("s", "o", "e", "1", "at", complete=False)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.begin() as work:
        assert work.cursor("s", "o", "e") is None


def test_the_typed_view_shows_ordinary_columns(world):
    world.create("crm", billing_city="Bonn", billing_country="DE", phone="030 1", do_not_contact=True)
    world.sync()
    with world.store.engine.begin() as connection:
        views.refresh(connection, SHAPES)
        row = connection.execute(text("SELECT legal_name, billing_address_city, do_not_contact FROM customer")).one()
    assert tuple(row) == ("Acme GmbH", "Bonn", 1)


@pytest.mark.parametrize("field", ["legal_name", "tax_ids", "phone", "hub_id"])
def test_a_nul_in_one_record_harms_no_other_and_no_view(world, field):
    world.create("crm", legal_name="Beta AG", tax_ids=["VAT:DE1"])
    poison = "VAT:D\0E2"
    world.create("crm", **{"tax_ids": ["VAT:DE3"], field: [poison] if field == "tax_ids" else poison})
    world.settle()
    assert len(world.loaded()) == 2
    with world.store.engine.begin() as connection:
        views.refresh(connection, SHAPES)
        assert len(connection.execute(text("SELECT legal_name, phone FROM customer")).all()) == 2


def test_a_run_is_sealed_over_all_its_decisions_and_chained_to_the_run_before(world):
    world.create("crm", tax_ids=["VAT:A"])
    world.create("erp", tax_ids=["VAT:A"], billing_status="active")
    world.sync()
    world.edit("crm", next(iter(world.crm.live("customer"))), trade_name="Acme")
    world.sync()
    with world.store.reading() as db:
        runs = db.execute(select(t.run).order_by(t.run.c.id)).mappings().all()
        assert [run["number"] for run in runs] == [1, 2]
        assert runs[1]["previous"] == runs[0]["root"] != ""
        for run in runs:
            rows = db.execute(select(t.decision).where(t.decision.c.run == run["id"]).order_by(t.decision.c.id))
            digests = [row.digest for row in rows]
            assert digests
            assert seal(run, merkle_root(digests)) == run["root"]


def test_a_missing_driver_is_told_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    with pytest.raises(Misconfigured, match="psycopg2") as raised:
        open_engine("postgresql://somewhere/hub")
    assert "fsm-hub[postgres]" in raised.value.remedy


def test_the_root_changes_with_any_leaf_and_with_the_order():
    leaves = [b"a", b"b", b"c"]
    roots = {merkle_root(x) for x in (leaves, leaves[::-1], leaves[:2], [b"a", b"b", b"d"])}
    assert len(roots) == 4
    assert merkle_root([]) == ""
