"""Parents and children may come in any order and in pages of any size: the end is the same, and then it is quiet."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_core.store import queries
from tests.scenarios.test_references import party
from tests.world import World, stated

CUSTOMERS, CHILDREN = 3, 4
LATE = st.sampled_from([0.0, 0.0, 70.0, 130.0, 190.0])
"""Seconds until a record is visible: a round comes every minute."""
HOMES = st.lists(st.sampled_from(["crm", "erp"]), min_size=CUSTOMERS, max_size=CUSTOMERS)
LATES = st.lists(LATE, min_size=CUSTOMERS + 2 * CHILDREN, max_size=CUSTOMERS + 2 * CHILDREN)
PARENTS = st.lists(st.integers(0, CUSTOMERS - 1), min_size=CHILDREN, max_size=CHILDREN)
ORDER = st.permutations(["customer", "contact", "site"])
DRAWN = (HOMES, PARENTS, LATES, ORDER, st.sampled_from([1, 2, 2000]))


def enter(world: World, homes: list[str], parents: list[int], lates: list[float]) -> None:
    """The same people enter the same records, some of which are seen late."""
    late = iter(lates)

    def add(system: str, entity: str, **fields: Any) -> str:
        return world.stores[system].edit(entity, "", fields, late=next(late))

    kept = [
        (home, add(home, "customer", legal_name=f"Firma {n}", kind="organisation", status="active"))
        for n, home in enumerate(homes)
    ]
    above: dict[int, str] = {}
    for n, parent in enumerate(parents):
        system, customer = kept[parent]
        add(system, "contact", customer_id=customer, last_name=f"Person {n}", email=f"p{n}@firma.example")
        above[parent] = add(
            system, "site", customer_id=customer, name=f"Haus {n}", kind="customer_site", street="Ring",
            house_number=str(n), postcode="10115", parent_id=above.get(parent),
        )  # fmt: skip


def told(world: World) -> list[Any]:
    """Every record with the names of what it refers to, and where it is."""
    loaded = world.loaded()
    with world.store.reading() as db:
        names = queries.names(db, [one.record.id for one in loaded])
    return sorted(
        (
            [
                one.record.entity,
                {n: names.get(v, v) if isinstance(v, str) else v for n, v in one.record.document.items()},
                sorted(link.system for link in one.links),
            ]
            for one in loaded
        ),
        key=repr,
    )


def rows(world: World) -> dict[str, Any]:
    return {name: store.counts() for name, store in world.stores.items()}


@settings(max_examples=5)
@given(*DRAWN)
def test_any_order_and_any_pages_end_the_same(homes, parents, lates, order, page_size):
    plain, mixed = party(), party(page_size=page_size)
    enter(plain, homes, parents, [0.0] * len(lates))
    enter(mixed, homes, parents, lates)
    mixed.hub.page = page_size
    for _ in range(4):
        for entity in order:
            mixed.sync(entity)
    for world in (plain, mixed):
        world.settle(rounds=4)
    assert told(mixed) == told(plain)
    assert rows(mixed) == rows(plain)
    with mixed.store.reading() as db:
        assert not queries.problems(db)
        assert not queries.status(db)["waiting"]
        assert not queries.status(db)["held_back"]
    for one in mixed.loaded():
        for link in one.links:
            agreed = {name: one.record.document.get(name) for name in link.now}
            assert stated(link.now) == stated(agreed), (link.system, link.entity)
    before = mixed.writes()
    done = mixed.sync_all()
    assert mixed.writes() == before
    assert not any(one.converged[0].records for one in done.values())


def test_they_do_on_postgresql_too(postgres, monkeypatch):
    monkeypatch.setattr(World, "state", postgres.take)
    holds = test_any_order_and_any_pages_end_the_same.hypothesis.inner_test

    @settings(max_examples=1)
    @given(st.tuples(*DRAWN))
    def example(drawn):
        postgres.give_back()
        holds(*drawn)

    example()


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_they_do_in_many_more_worlds():
    holds = test_any_order_and_any_pages_end_the_same.hypothesis.inner_test

    @settings(max_examples=300, derandomize=False)
    @given(st.tuples(*DRAWN))
    def example(drawn):
        holds(*drawn)

    example()
