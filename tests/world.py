"""A small world for engine tests: two in-memory systems, the shipped rules, and a real state.

Not here: any vendor's protocol; those worlds are built over HTTP in `tests/scenarios`.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

import mappings
from connectors.memory import Memory, MemoryStore
from connectors.simulation import VirtualClock
from fsm_core.drift.kinds import Policies
from fsm_core.model import SHAPES
from fsm_core.model.compare import blank
from fsm_core.ownership import Rulebook, parse
from fsm_core.ports import Creates, Deletes
from fsm_core.service.converge import load
from fsm_core.service.drifting import watch
from fsm_core.service.hub import Hub, Ids, bind
from fsm_core.service.sync import Round, synchronise
from fsm_core.store import SqlStore, open_engine
from fsm_core.store.schema import link, metadata
from fsm_core.sync.order import parents_first

TABLE = "customer"
RULES = (
    (Path(mappings.__file__).parent / "ownership.yaml")
    .read_text(encoding="utf8")
    .replace("crm:  salesforce", "crm: crm")
    .replace("crm: salesforce", "crm: crm")
    .replace("erp: sap", "erp: erp")
    .replace("fsm: salesforce", "fsm: crm")
)


SHIPPED_END = "on_owner_delete: deactivate, on_non_owner_delete: restore"


def asking(rules: str = RULES) -> str:
    """The same rules, with a person asked about every deletion of a customer."""
    assert SHIPPED_END in rules
    return rules.replace(SHIPPED_END, "on_owner_delete: conflict, on_non_owner_delete: conflict")


@lru_cache
def rulebook(text: str) -> Rulebook:
    return Rulebook(parse(text), "test", SHAPES, ("crm", "erp"))


@lru_cache
def translation(entity: str = "customer") -> mappings.Mapping:
    return mappings.load("memory", entity)


def in_memory(url: str = "sqlite://") -> Engine:
    """An empty state on SQLite."""
    engine = open_engine(url)
    metadata.create_all(engine)
    return engine


STARTS: dict[str, dict[str, Any]] = {
    "customer": {"legal_name": "Acme GmbH", "kind": "organisation", "status": "active"},
    "contact": {"last_name": "Huber"},
    "site": {"name": "Werk", "kind": "customer_site", "street": "Ring", "house_number": "1", "postcode": "10115"},
}
"""What a new row says unless told otherwise."""


class World:
    """Two systems, one hub. `crm` and `erp` are the stores people edit."""

    state = staticmethod(in_memory)
    """Where a world that is told nothing else keeps its state; the fixture `each_database` changes it."""
    shapes = SHAPES
    translation = staticmethod(translation)
    rulebook = staticmethod(rulebook)

    def __init__(
        self,
        *,
        page_size: int = 2000,
        rules: str = RULES,
        engine: Engine | None = None,
        entities: Sequence[str] = ("customer",),
        **store: Any,
    ) -> None:
        self.entities = entities
        self.clock = VirtualClock()
        self.stores = {name: self._store(name, store) for name in ("crm", "erp")}
        self.store = SqlStore(engine or self.state())
        if engine is None and self.store.engine.url.database in (None, "", ":memory:"):
            weakref.finalize(self, self.store.engine.dispose)  # thousands of worlds in one process
        self.rules = self.rulebook(rules)
        self.page_size = page_size
        self.policies: dict[str, Policies] = {}
        self.hub = self.open_hub()

    def _store(self, name: str, options: dict[str, Any]) -> MemoryStore:
        given = {"creates": Creates.UPSERT_KEY, "deletes": Deletes.TOMBSTONES, **options}
        return MemoryStore(name, clock=self.clock, **given)

    def open_hub(self) -> Hub:
        """A hub as a fresh process would open it on the same state."""
        bindings = {}
        tables = {entity: self.translation(entity) for entity in self.entities}
        for name, store in self.stores.items():
            connector = Memory(store, page_size=self.page_size, overlap=timedelta(minutes=5))
            described = connector.describe([table.object for table in tables.values()]).objects
            for entity, table in tables.items():
                bindings[name, entity] = bind(name, entity, connector, table, described[table.object.name])
        clock, counter = self.clock, itertools.count(1)

        def entropy(size: int) -> bytes:
            return b"".join(next(counter).to_bytes(min(size, 10), "big") for _ in range(0, size, 10))

        ids = Ids(lambda: clock.now().timestamp(), entropy)  # no way back to the world: it goes when its test lets go
        hub = Hub(self.store, self.rules, self.shapes, {}, now=self.clock.now, ids=ids)
        bindings = watch(hub, bindings, self.policies)
        hub.bindings = {key: one for key, one in bindings.items() if one.fault is None}
        hub.stopped = {key: one for key, one in bindings.items() if one.fault is not None}
        return hub

    @property
    def crm(self) -> MemoryStore:
        return self.stores["crm"]

    @property
    def erp(self) -> MemoryStore:
        return self.stores["erp"]

    def create(self, system: str, **fields: Any) -> str:
        return self.add(system, TABLE, **fields)

    def edit(self, system: str, id: str, **fields: Any) -> None:  # noqa: A002 - as the connectors say
        self.stores[system].edit(TABLE, id, fields)

    def row(self, system: str, id: str = "") -> dict[str, Any]:  # noqa: A002 - as the connectors say
        """A live row; the only one when no id is given."""
        live = self.stores[system].live(TABLE)
        return dict(live[id] if id else next(iter(live.values())))

    def add(self, system: str, entity: str, **fields: Any) -> str:
        """A record of any entity, as a person of that system enters it."""
        return self.stores[system].edit(entity, "", {**STARTS.get(entity, {}), **fields})

    def change(self, system: str, entity: str, id: str, **fields: Any) -> None:  # noqa: A002 - as the connectors say
        self.stores[system].edit(entity, id, fields)

    def shown(self, system: str, entity: str) -> dict[str, dict[str, Any]]:
        """The live rows of an entity by id."""
        return {id_: dict(row) for id_, row in self.stores[system].live(entity).items()}

    def merge(self, system: str, entity: str, loser: str, survivor: str, **children: str) -> None:
        """What a system does: the loser goes, and what referred to it (child entity: field) refers to the survivor."""
        self.stores[system].merge(entity, loser, survivor)
        for child, name in children.items():
            for id_, row in self.shown(system, child).items():
                if row.get(name) == loser:
                    self.change(system, child, id_, **{name: survivor})

    def sync(self, entity: str = "customer", **options: Any) -> Round:
        """One round of one entity, a minute later."""
        self.clock.advance(60)
        with self.hub.running("test"):
            return synchronise(self.hub, entity, **options)

    def sync_all(self, **options: Any) -> dict[str, Round]:
        """One round of every entity, parents first."""
        return {entity: self.sync(entity, **options) for entity in parents_first(self.shapes, self.entities)}

    def settle(self, rounds: int = 5) -> None:
        """Rounds until a round writes nothing; fails when that never comes."""
        for _ in range(rounds):
            before = self.writes()
            self.sync_all()
            if self.writes() == before:
                return
        raise AssertionError(f"still writing after {rounds} rounds")

    def writes(self) -> int:
        return sum(store.writes() for store in self.stores.values())

    def records(self) -> list[dict[str, Any]]:
        """Agreed documents."""
        with self.store.begin() as work:
            ids = [row.record for row in self._links(work) if row.record]
            return [record.document for record in work.records(sorted(set(ids))).values()]

    def links(self) -> list[Any]:
        with self.store.begin() as work:
            return self._links(work)

    def _links(self, work: Any) -> list[Any]:
        ids = [row[0] for row in work._db.execute(select(link.c.id))]
        return work.links(ids)

    def loaded(self) -> list[Any]:
        with self.store.begin() as work:
            ids = sorted({row.record for row in self._links(work) if row.record})
            return load(self.hub, work, ids)


def stated(document: dict[str, Any]) -> dict[str, Any]:
    """Only what a document says."""
    return {name: value for name, value in document.items() if not blank(value)}
