"""The hub dies at every I/O boundary of a trace in turn; another worker takes over and ends where no crash ended.

A boundary is a commit or a remote call; two boundaries with nothing durable between them are one. Every step of
the trace starts from a copy of state and systems. Not here: what systems do wrong (`test_hard_edges`).
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from fsm_core.ports import Creates
from fsm_core.service.resolve import answer_proposal, resolve
from fsm_core.store import SqlStore, queries
from fsm_core.store import schema as t
from tests.world import TABLE, World, in_memory, stated

PEERS: dict[str, dict[str, Any]] = {
    "upsert key": {"creates": Creates.UPSERT_KEY},
    "client token": {"creates": Creates.CLIENT_TOKEN},
    "neither": {"creates": Creates.PROBE, "compare_and_set": False, "versions": False},
}
Step = Callable[[World], None]


class Killed(BaseException):
    """The process is gone."""


class Death:
    """Counts boundaries at which something durable happened, and kills at one of them."""

    def __init__(self, at: int = 0) -> None:
        self.at, self.passed, self._fresh = at, 0, True

    def durable(self) -> None:
        self._fresh = True

    def boundary(self) -> None:
        if self._fresh:
            self._fresh = False
            self.passed += 1
            if self.passed == self.at:
                raise Killed

    def tap(self, moment: str, request: Any) -> None:
        if moment == "after" and request.method == "POST":
            self.durable()
        self.boundary()


class MortalStore(SqlStore):
    """A store whose process may die before and after each commit."""

    def __init__(self, engine: Any, death: Death) -> None:
        super().__init__(engine)
        self.death = death

    @contextmanager
    def begin(self) -> Iterator[Any]:
        with super().begin() as work:
            before = changes(work._db)
            yield work
            wrote = changes(work._db) != before
            self.death.boundary()
        if wrote:
            self.death.durable()
        self.death.boundary()


def changes(db: Connection) -> Any:
    """Differs once the transaction has written something."""
    if db.dialect.name == "postgresql":
        return db.exec_driver_sql("SELECT pg_current_xact_id_if_assigned()").scalar()
    return db.connection.driver_connection.total_changes


class File:
    """A state on SQLite, kept as a copy of its file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "state.db"
        self.engine = in_memory(f"sqlite:///{self.file}")

    def keep(self) -> None:
        self.engine.dispose()
        shutil.copyfile(self.file, self.file.with_suffix(".kept"))

    def put_back(self) -> None:
        self.engine.dispose()
        shutil.copyfile(self.file.with_suffix(".kept"), self.file)


class Tables:
    """A state on PostgreSQL, kept as copies of its rows."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def keep(self) -> None:
        self._each("DROP TABLE IF EXISTS kept_{0}; CREATE TABLE kept_{0} AS TABLE {0}")

    def put_back(self) -> None:
        self._each("DELETE FROM {0}; INSERT INTO {0} TABLE kept_{0}")

    def _each(self, statements: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(";".join(statements.format(name) for name in t.metadata.tables))


class Theatre:
    """A world that can be put back to where a step began."""

    def __init__(self, state: File | Tables, **peer: Any) -> None:
        self.state = state
        self.world = World(engine=state.engine, **peer)
        self.world.erp.rule(TABLE, "trade_name").render = lambda value: value.upper() if value else value
        self.workers = 0

    def keep(self) -> None:
        self.state.keep()
        self._then = self.world.clock.now()
        self._kept = {name: _copied(store) for name, store in self.world.stores.items()}

    def put_back(self) -> None:
        self.state.put_back()
        self.world.clock.set(self._then)
        for name, store in self.world.stores.items():
            store.__dict__.update(_copied_again(self._kept[name]))

    def open(self, death: Death) -> None:
        """A fresh process, known by another name."""
        engine = self.world.store.engine
        engine.dispose()  # what it has compiled stays, which is what makes this fast
        self.world.store = store = MortalStore(engine, Death())
        self.world.hub = self.world.open_hub()
        store.death = death
        self.workers += 1
        self.world.hub.worker = f"worker {self.workers}"
        for binding in self.world.hub.bindings.values():
            binding.connector._tap = death.tap

    def play(self, step: Step, after: Step, at: int = 0) -> int:
        """The step, killed at a boundary if one is named, then what happens in the world, then rest."""
        death = Death(at)
        self.open(death)
        try:
            step(self.world)
        except Killed:
            self.open(Death())
            if at % 2:
                self.world.sync()  # the other worker comes while the dead one's lease still runs
            self.world.clock.advance(600)
        death.at = 0
        after(self.world)
        self.world.settle()
        if _asks(self.world):
            step(self.world)
            self.world.settle()
        return death.passed


def _copied(store: Any) -> dict[str, Any]:
    tables = {name: _table(table) for name, table in store._tables.items()}
    return {"_tables": tables, "_tokens": dict(store._tokens), "_last_id": store._last_id, "_writes": store._writes}


def _copied_again(kept: dict[str, Any]) -> dict[str, Any]:
    return {**kept, "_tables": {n: _table(x) for n, x in kept["_tables"].items()}, "_tokens": dict(kept["_tokens"])}


def _table(table: Any) -> Any:
    made = copy.copy(table)
    made.records, made.open = dict(table.records), dict(table.open)
    return made


def _asks(world: World) -> bool:
    with world.store.reading() as db:
        return bool(queries.conflicts(db) or queries.proposals(db))


def ending(world: World) -> dict[str, Any]:
    """Everything that has to be as without the crash."""
    shown = {
        name: sorted(_plain({k: v for k, v in row.items() if k != "hub_id"}) for row in store.live(TABLE).values())
        for name, store in world.stores.items()
    }
    with world.store.reading() as db:
        lost = {
            (name, system, _plain(value))
            for row in db.execute(select(t.decision_value.c.content))
            for name, told in json.loads(row[0]).get("fields", {}).items()
            for system, value in told.get("overruled", {}).items()
        }
        asked = [(c.type, c.field) for c in queries.conflicts(db)]
        offered = [(p.field, p.system, _plain(p.value)) for p in queries.proposals(db)]
        broken = [(p.system, p.field, p.cause) for p in queries.problems(db)]
        unfinished = db.execute(select(t.intent.c.id).where(t.intent.c.state.in_(("sent", "unknown")))).all()
    agreed = sorted(_plain(stated(document)) for document in world.records())
    return {
        "agreed": agreed, "shown": shown, "lost": lost, "asked": asked, "offered": offered, "broken": broken,
        "unfinished": unfinished,
    }  # fmt: skip


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


# -- the trace -----------------------------------------------------------------------------------


def find(world: World, system: str, name: str) -> str:
    return next(id_ for id_, row in world.stores[system].live(TABLE).items() if row["legal_name"] == name)


def births(world: World) -> None:
    world.create("crm", tax_ids=["VAT:DE1"], trade_name="Acme am Hafen", payment_terms="NT30", currency="EUR")
    world.create("erp", legal_name="Beta AG", tax_ids=["VAT:DE2"], billing_status="active", currency="EUR")


def updates(world: World) -> None:
    world.edit("crm", find(world, "crm", "Acme GmbH"), trade_name="Acme am Kai", service_notes="Hund")
    world.edit("erp", find(world, "erp", "Beta AG"), payment_terms="NT45", legal_name="Beta SE")


def later_edits(world: World) -> None:
    """The fields that were being written change again while the hub is down."""
    world.edit("crm", find(world, "crm", "Acme GmbH"), trade_name="Acme am Markt")
    world.edit("erp", find(world, "erp", "Beta SE"), payment_terms="NT60")


def dispute(world: World) -> None:
    world.edit("crm", find(world, "crm", "Beta SE"), currency="CHF", tax_ids=["VAT:DE999"])
    world.edit("erp", find(world, "erp", "Beta SE"), currency="USD")


def proposal(world: World) -> None:
    world.edit("crm", find(world, "crm", "Beta SE"), legal_name="Beta Neu SE")


def nothing(_world: World) -> None:
    pass


def a_round(world: World) -> None:
    world.sync()


def an_answer(world: World) -> None:
    """A person answers whatever is open, as they do again after a crash."""
    with world.store.reading() as db:
        conflicts, proposals = queries.conflicts(db), queries.proposals(db)
    for conflict in conflicts:
        resolve(world.hub, conflict, "erp", "ada")
    for one in proposals:
        answer_proposal(world.hub, one, "ada", adopt=True)
    world.sync()


TRACE: list[tuple[Step, Step, Step]] = [
    (births, a_round, nothing),
    (updates, a_round, later_edits),
    (dispute, a_round, nothing),
    (nothing, an_answer, nothing),
    (proposal, a_round, nothing),
    (nothing, an_answer, nothing),
]
"""Per step: what people do, what the hub does and may die of, what people do meanwhile."""


PEERS_PLAY = {"upsert key": 2, "client token": 1, "neither": 6}
"""How much of it each peer plays: creates differ by peer, answers do not."""


@pytest.mark.parametrize("peer", PEERS)
def test_a_crash_at_any_boundary_changes_nothing(tmp_path, peer):
    crash_everywhere(Theatre(File(tmp_path), **PEERS[peer]), TRACE[: PEERS_PLAY[peer]])


def test_a_crash_at_every_third_boundary_changes_nothing_on_postgresql(postgres):
    crash_everywhere(Theatre(Tables(postgres.take()), **PEERS["upsert key"]), TRACE[:2], every=3)


def crash_everywhere(theatre: Theatre, trace: list[tuple[Step, Step, Step]], every: int = 1) -> None:
    for people, step, meanwhile in trace:
        people(theatre.world)
        theatre.keep()
        boundaries = theatre.play(step, meanwhile)
        expected = ending(theatre.world)
        assert boundaries > 3
        for at in range(1, boundaries + 1, every):
            theatre.put_back()
            theatre.play(step, meanwhile, at)
            assert ending(theatre.world) == expected, (people.__name__, step.__name__, at, boundaries)
