"""The hub dies anywhere while it parks, releases, tells and merges: it ends where no crash ended.

Not here: the theatre itself, and crashes of records that refer to nothing (`test_crashes`).
"""

from __future__ import annotations

from typing import Any

import pytest

from fsm_core.store import queries
from tests.scenarios.test_crashes import PEERS, Death, File, Tables, Theatre
from tests.world import World

PARTY = ("contact", "customer", "site")


def find(world: World, entity: str, **fields: Any) -> str:
    rows = world.shown("crm", entity).items()
    return next(id_ for id_, row in rows if all(row.get(name) == value for name, value in fields.items()))


def arrivals(world: World) -> None:
    """Two customers with children, one child of each kind before its parent."""
    for name in ("Acme", "Beta"):
        customer = world.create("crm", legal_name=name, tax_ids=[f"VAT:{name}"], status="prospect")
        world.add("crm", "contact", customer_id=customer, last_name=name, email=f"{name}@firma.example")
        house = world.add("crm", "site", customer_id=customer, name=f"Haus {name}")
        world.add("crm", "site", customer_id=customer, name=f"Etage {name}", house_number="2", parent_id=house)
    world.add(
        "crm", "contact", customer_id=f"{world.crm._last_id + 2:06d}", last_name="Orphan", email="o@firma.example"
    )


def its_parent(world: World) -> None:
    customer = world.create("crm", legal_name="Gamma", tax_ids=["VAT:G"])
    assert world.shown("crm", "contact")[find(world, "contact", last_name="Orphan")]["customer_id"] == customer
    world.edit("crm", find(world, "customer", legal_name="Acme"), status="active")


def merge(world: World) -> None:
    gone, kept = (find(world, "customer", legal_name=name) for name in ("Acme", "Beta"))
    world.merge("crm", "customer", gone, kept, contact="customer_id", site="customer_id")


def nothing(_world: World) -> None:
    pass


def a_round(world: World) -> None:
    world.sync_all()


TRACE = [arrivals, its_parent, merge]


def ending(world: World) -> list[Any]:
    """What every system shows and the hub agrees, in names instead of ids, and what waits for people."""
    with world.store.reading() as db:
        loaded = world.loaded()
        names = queries.names(db, [one.record.id for one in loaded])
        asked = [(c.type, c.entity) for c in queries.conflicts(db)]
        broken = [(p.system, p.cause, p.message) for p in queries.problems(db)]
        told = queries.status(db)
    agreed = sorted(
        repr({n: names.get(v, v) if isinstance(v, str) else v for n, v in sorted(one.record.document.items())})
        for one in loaded
    )
    shown = {name: store.counts() for name, store in world.stores.items()}
    return [agreed, shown, asked, broken, told["links"], told["waiting"], told["held_back"], told["open_intents"]]


def crash_everywhere(theatre: Theatre, every: int) -> None:
    for people in TRACE:
        people(theatre.world)
        theatre.keep()
        boundaries = theatre.play(a_round, nothing)
        rest(theatre.world)
        expected = ending(theatre.world)
        assert boundaries > 3
        for at in range(1, boundaries + 1, every):
            theatre.put_back()
            theatre.play(a_round, nothing, at)
            rest(theatre.world)
            assert ending(theatre.world) == expected, (people.__name__, at, boundaries)
    theatre.open(Death())


def rest(world: World) -> None:
    before = world.writes()
    world.sync_all()
    assert world.writes() == before


def test_a_crash_at_some_boundaries_changes_nothing(tmp_path):
    crash_everywhere(Theatre(File(tmp_path), entities=PARTY, **PEERS["neither"]), every=13)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("peer", PEERS)
def test_a_crash_at_any_boundary_changes_nothing(tmp_path, peer):
    crash_everywhere(Theatre(File(tmp_path), entities=PARTY, **PEERS[peer]), every=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_crash_at_any_boundary_changes_nothing_on_postgresql(postgres):
    crash_everywhere(Theatre(Tables(postgres.take()), entities=PARTY, **PEERS["upsert key"]), every=2)
