"""A desk on a real state, with passwords that cost next to nothing.

Not here: the costs of production, which `test_passwords` reads from the settings.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from fsm_core.persons import accounts
from fsm_core.persons.desk import Desk
from fsm_core.persons.passwords import Passwords
from fsm_core.persons.rights import Actor, Role
from tests.world import World

LOCAL = Actor("root")
WORD = "three quiet words"


@pytest.fixture
def desk(each_database):
    world = World()
    yield Desk(world.hub, Passwords(1, 8, 1), timedelta(days=30))
    del world  # whose state goes with it


@pytest.fixture
def clock(desk):
    return desk.hub.now.__self__


@pytest.fixture
def ada(desk):
    """The first admin."""
    return accounts.add(desk, LOCAL, "ada", [Role.ADMIN], WORD).actor
