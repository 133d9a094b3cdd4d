"""Opens the state database: SQLite embedded, PostgreSQL by URL. On both, one transaction writes at a time.

Not here: SQL statements (`work`, `queries`) and tables (`schema`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url

from fsm_core.errors import Misconfigured
from fsm_core.store.work import SqlWork

BUSY_SECONDS = 30
CACHE_KIB = 1_024
PAGE_BYTES = 8_192
"""Of a new database: seven rows of a kilobyte to a page, where SQLite's own 4,096 would hold three."""
WRITER = 0x66736D
"""The first half of the advisory lock that every writing transaction holds on PostgreSQL."""
WAL_PAGES = 4_000
"""32 MB of log before it is copied into the database."""


def open_engine(url: str) -> Engine:
    """An engine with the settings the hub relies on. `sqlite:///path` or `postgresql+psycopg://…`."""
    postgresql = make_url(url).get_backend_name() == "postgresql"
    try:
        # rows reach both drivers as tuples; an error text must not carry what records say
        engine = create_engine(
            url,
            hide_parameters=True,
            paramstyle="format" if postgresql else "qmark",
            connect_args={} if postgresql else {"cached_statements": 8},
        )
    except ModuleNotFoundError as error:
        remedy = "pip install 'fsm-hub[postgres]', and an address that begins with postgresql+psycopg://"
        raise Misconfigured(f"the driver of the database is missing: {error.name}", remedy=remedy) from error
    (_prepare_postgresql if postgresql else _prepare_sqlite)(engine)
    return engine


def _prepare_sqlite(engine: Engine) -> None:
    path = engine.url.database
    if path and path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own
        connection.isolation_level = None
        for pragma in (
            f"page_size={PAGE_BYTES}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "temp_store=MEMORY",
            f"cache_size=-{CACHE_KIB}",
            f"wal_autocheckpoint={WAL_PAGES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # a deferred transaction that later writes fails at once when another process wrote meanwhile
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:  # noqa: ANN401 - the driver's own
        connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        connection.commit()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # Whoever waited must see what the others committed: with READ COMMITTED every statement after this one does.
        # The lock belongs to the state, that is to the schema: two states in one database do not wait for each other.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql(
            "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
            if reading
            else f"SELECT pg_advisory_xact_lock({WRITER}, hashtext(current_schema()))"
        )


class SqlStore:
    """Implements `fsm_core.state.Store`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._turn = RLock()
        """Threads of one process take turns here: SQLite would have them sleep and try again."""

    @contextmanager
    def begin(self) -> Iterator[SqlWork]:
        """A write transaction."""
        with self._turn, self.engine.begin() as connection:
            yield SqlWork(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent view for people's questions; takes no write lock."""
        with self.engine.connect().execution_options(reading=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def overlay(self) -> Iterator[OverlayStore]:
        """The same state; all that is written on it is rolled back at the end."""
        with self.engine.connect() as connection:
            outer = connection.begin()
            try:
                yield OverlayStore(connection)
            finally:
                outer.rollback()


class OverlayStore:
    """A store whose transactions are savepoints of one that never commits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def begin(self) -> Iterator[SqlWork]:
        """A savepoint."""
        with self._connection.begin_nested():
            yield SqlWork(self._connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """What the overlay shows."""
        yield self._connection

    @contextmanager
    def overlay(self) -> Iterator[OverlayStore]:
        """An overlay on the overlay."""
        savepoint = self._connection.begin_nested()
        try:
            yield self
        finally:
            savepoint.rollback()
