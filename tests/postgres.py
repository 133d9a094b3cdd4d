"""States on a PostgreSQL for tests: schemas with the hub's tables.

Not here: the server (`benchmarks.postgres`) and which tests run on it.
"""

from __future__ import annotations

import os
from functools import cached_property

from sqlalchemy import Engine, create_engine, delete, make_url, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from benchmarks.postgres import GIVEN
from fsm_core.store import open_engine
from fsm_core.store.schema import metadata


class States:
    """Schemas with the hub's tables, emptied and handed out again: what was compiled and connected stays."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._free: list[Engine] = []
        self._taken: list[Engine] = []
        self._schemas: list[str] = []

    def take(self) -> Engine:
        """An empty state."""
        if self._free:
            engine = self._free.pop()
            with engine.begin() as connection:
                connection.exec_driver_sql(self._empty)
        else:
            engine = open_engine(self.schema())
            with engine.begin() as connection:
                connection.exec_driver_sql(_TABLES)
        self._taken.append(engine)
        return engine

    def give_back(self) -> None:
        """Nobody uses any of them any more."""
        self._free += self._taken
        self._taken = []

    def schema(self) -> str:
        """The address of a schema with nothing in it."""
        name = f"fsm_hub_test_{os.getpid()}_{len(self._schemas)}"
        self._run(f"CREATE SCHEMA {name}")
        self._schemas.append(name)
        return (
            make_url(self.url)
            .update_query_dict({"options": f"-csearch_path={name}"})
            .render_as_string(hide_password=False)
        )

    def close(self) -> None:
        """Leave nothing behind; a server of our own goes as a whole."""
        for engine in (*self._free, *self._taken):
            engine.dispose()
        if GIVEN in os.environ:
            self._run(*(f"DROP SCHEMA {name} CASCADE" for name in self._schemas))

    @cached_property
    def _empty(self) -> str:
        return ";".join(str(delete(table)) for table in metadata.tables.values())

    def _run(self, *statements: str) -> None:
        engine = create_engine(self.url)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


def _script() -> str:
    dialect = postgresql.dialect()
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    made += [
        str(CreateIndex(index).compile(dialect=dialect))
        for table in metadata.sorted_tables
        for index in sorted(table.indexes, key=lambda one: str(one.name))
    ]
    return ";".join(made)


_TABLES = _script()
