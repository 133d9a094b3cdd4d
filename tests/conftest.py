"""Shared by all tests: no call leaves this machine, and a person's own Prefect is left alone.

Not here: fixtures of one room, which live beside its tests.
"""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import settings

from benchmarks.postgres import UnavailableError, server
from tests.postgres import States
from tests.world import World

# A slow example on a busy machine is no failure; whole tests have their time-out.
settings.register_profile("hub", deadline=None, print_blob=True)
# What decides about a change tries the same examples every time; people's own runs look for new ones.
settings.register_profile("ci", settings.get_profile("hub"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "hub")

# Before anything imports prefect: it reads these once.
_HOME = tempfile.TemporaryDirectory(prefix="fsm-hub-tests-", ignore_cleanup_errors=True)
os.environ["PREFECT_HOME"] = _HOME.name
os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
os.environ["DO_NOT_TRACK"] = "1"
os.environ.pop("COLUMNS", None)  # workers are given one, and a console that is made with it keeps it for good


@pytest.fixture(autouse=True, scope="session")
def _no_call_leaves_this_machine():
    """Refuse every connection but those to this machine."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
            raise OSError(f"a test tried to reach {address[0]}")
        real(self, address)

    socket.socket.connect = connect
    yield
    socket.socket.connect = real
    _HOME.cleanup()


@pytest.fixture(scope="session")
def postgres_states(_no_call_leaves_this_machine):
    """States on PostgreSQL; a machine without one skips, continuous integration fails."""
    with ExitStack() as stack:
        try:
            url = stack.enter_context(server())
        except UnavailableError as error:
            if os.environ.get("CI", "").lower() == "true":
                pytest.fail(str(error))
            pytest.skip(str(error))
        states = States(url)
        stack.callback(states.close)
        yield states


@pytest.fixture
def postgres(postgres_states):
    """The same, all handed back at the end of the test."""
    yield postgres_states
    postgres_states.give_back()


@pytest.fixture(params=["sqlite", "postgresql"])
def each_database(request, monkeypatch):
    """Every world of the test keeps its state there."""
    if request.param == "postgresql":
        monkeypatch.setattr(World, "state", request.getfixturevalue("postgres").take)
    return request.param


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Flow tests last: Prefect leaves threads behind that draw random numbers, which Hypothesis takes for its own."""
    items.sort(key=lambda item: "tests/flows/" in item.nodeid)
