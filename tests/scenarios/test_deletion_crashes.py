"""The hub dies at every boundary of a round that deletes in one system and creates again in another."""

from __future__ import annotations

import pytest

from tests.scenarios.test_crashes import PEERS, File, Tables, Theatre, a_round, births, crash_everywhere, find, nothing
from tests.scenarios.test_deletions import ruled
from tests.world import TABLE, World


def deletions(world: World) -> None:
    """Acme by its owner, which deletes it everywhere; Beta by another, which restores it."""
    world.crm.remove(TABLE, find(world, "crm", "Acme GmbH"))
    world.crm.remove(TABLE, find(world, "crm", "Beta AG"))


def begun(theatre: Theatre) -> Theatre:
    births(theatre.world)
    theatre.world.settle()
    return theatre


@pytest.mark.parametrize("peer", PEERS)
def test_a_crash_at_a_boundary_deletes_and_restores_once(tmp_path, peer):
    theatre = begun(Theatre(File(tmp_path), rules=ruled("delete"), **PEERS[peer]))
    crash_everywhere(theatre, [(deletions, a_round, nothing)], every=2 if peer == "neither" else 4)
    assert [len(store.live(TABLE)) for store in theatre.world.stores.values()] == [1, 1]


def test_a_crash_at_every_fifth_boundary_deletes_and_restores_once_on_postgresql(postgres):
    theatre = begun(Theatre(Tables(postgres.take()), rules=ruled("delete"), **PEERS["neither"]))
    crash_everywhere(theatre, [(deletions, a_round, nothing)], every=5)
    assert [len(store.live(TABLE)) for store in theatre.world.stores.values()] == [1, 1]
