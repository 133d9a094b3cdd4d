"""The hub at work: the real connector, the shipped mapping and rules, pull, converge and push.

Salesforce plays sales and field service; SAP is bound to a system that is empty and takes nothing, so that
rules hand fields over and every active customer is owed to it. Not here: Prefect, and the measuring (`job`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.schema import CreateSchema, DropSchema

import mappings
from benchmarks.bare import Begin
from connectors.salesforce import connect
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, load
from fsm_core.ports import Capabilities, Change, Check, Connector, Description, Object, Page, Ref, State, Write, Written
from fsm_core.service.hub import Binding, Hub, bind
from fsm_core.service.push import push
from fsm_core.service.sync import synchronise
from fsm_core.state import Reason
from fsm_core.store import SqlStore, open_engine
from fsm_core.store.schema import metadata

ENTITY = "customer"
RULES = Path(mappings.__file__).parent / "ownership.yaml"
SCHEMA = "benchmark_hub"
"""Name it as search_path in the address of a PostgreSQL database."""
OWED_FIELD, OWED_NATIVE, OWED = "payment_terms", "FSM_Payment_Terms__c", "NET99"


class Empty:
    """A system that shows nothing and is never written to."""

    name = "sap"

    def check(self) -> Check:
        """Always there."""
        return Check(ok=True)

    def describe(self, objects: Sequence[Object]) -> Description:
        """Everything may be written."""
        return Description("empty", {obj.name: Capabilities() for obj in objects})

    def changes(self, _obj: Object, since: str | None) -> Iterator[Page]:
        """One empty page."""
        yield Page((), "end", complete=since is None)

    def read(self, _obj: Object, refs: Sequence[Ref]) -> list[Change]:
        """Nothing is found."""
        return [Change("", {}, state=State.MISSING, ref=ref) for ref in refs]

    def write(self, _obj: Object, writes: Sequence[Write]) -> list[Written]:
        """Never called."""
        return [Written(write.id) for write in writes]

    def close(self) -> None:
        """Nothing to give back."""


def create(database: str) -> None:
    """An empty state: tables as they are now; on PostgreSQL in a schema of our own, dropped before."""
    engine = open_engine(database)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(DropSchema(SCHEMA, cascade=True, if_exists=True))
            connection.execute(CreateSchema(SCHEMA))
    metadata.create_all(engine)
    engine.dispose()


@contextmanager
def opened(url: str, database: str, begin: Begin) -> Iterator[Hub]:
    """A hub on this state, bound as `flows.wiring` would; log-in and describe are on the clock."""
    store = SqlStore(open_engine(database))
    file, version = load(RULES)
    app = {"auth": "client_credentials", "client_id": "benchmark", "client_secret": "none"}
    connectors: dict[str, Connector] = {"salesforce": connect({"login_url": url, **app}), "sap": Empty()}
    tables = {name: mappings.load(name, ENTITY) for name in connectors}
    begin()
    bindings = {(name, ENTITY): _bound(name, connectors[name], tables[name]) for name in connectors}
    yield Hub(store, Rulebook(file, version, SHAPES, connectors), SHAPES, bindings)
    for connector in connectors.values():
        connector.close()
    store.engine.dispose()


def _bound(name: str, connector: Connector, table: mappings.Mapping) -> Binding:
    described = connector.describe([table.object])
    return bind(name, ENTITY, connector, table, described.objects[table.object.name])


def full(url: str, database: str, begin: Begin) -> int:
    """The first load, into an empty state."""
    create(database)
    return incremental(url, database, begin)


def incremental(url: str, database: str, begin: Begin) -> int:
    """One round without deliveries; returns the records seen."""
    return _round(url, database, begin, everything=False)


def sweep(url: str, database: str, begin: Begin) -> int:
    """The same, reading everything again."""
    return _round(url, database, begin, everything=True)


def _round(url: str, database: str, begin: Begin, *, everything: bool) -> int:
    with opened(url, database, begin) as hub:
        with hub.running("benchmark"):
            done = synchronise(hub, ENTITY, full=everything, deliver=False)
        if done.absent:
            raise RuntimeError(f"not read: {done.absent}")
    return sum(pulled.seen for pulled in done.pulled)


def owe(url: str, database: str, begin: Begin) -> int:
    """Make every record owe Salesforce one field, as a decision would; returns the records."""
    with opened(url, database, begin) as hub, hub.store.begin() as work:
        ids = work.due_deliveries(ENTITY, "sap", hub.at(), "", 1_000_000)
        records = list(work.records(ids).values())
        for record in records:
            record.document[OWED_FIELD] = OWED
        work.change_records(records)
        work.mark_dirty(ENTITY, [(record.id, Reason.DELIVER, "salesforce", hub.at()) for record in records])
    return len(records)


def write(url: str, database: str, begin: Begin) -> int:
    """Deliver what is owed: look before, write ahead, send, read back, settle; returns the records written."""
    with opened(url, database, begin) as hub:
        with hub.running("benchmark"):
            done = push(hub, hub.binding("salesforce", ENTITY))
        if done.stopped or done.refused:
            raise RuntimeError(f"not written: {done}")
    return done.delivered
