"""The engine's promises as properties over random worlds: P1, P2, P4, P5.

Not here: crashes (a world in which the hub dies at every step is its own suite).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_core.service.loaded import frozen_fields, live_links
from fsm_core.store import queries
from tests.world import TABLE, World, stated

NAMES = st.sampled_from(["Acme GmbH", "Beta AG", "Gamma KG"])
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "legal_name": NAMES,
    "trade_name": st.sampled_from([None, "Acme", "ACME"]),
    "phone": st.sampled_from([None, "030 1234567", "+49 30 1234567", "+49 30 7654321"]),
    "email": st.sampled_from([None, "a@acme.example", "A@acme.example", "b@acme.example"]),
    "payment_terms": st.sampled_from([None, "NT30", "NT60"]),
    "currency": st.sampled_from(["EUR", "USD"]),
    "do_not_contact": st.booleans(),
    "roles": st.sampled_from([[], ["bill_to"], ["bill_to", "payer"], ["customer"]]),
    "billing_status": st.sampled_from(["none", "active"]),
    "status": st.sampled_from(["prospect", "active"]),
    "service_notes": st.sampled_from([None, "Hund", "Schlüssel beim Pförtner"]),
}


@st.composite
def edits(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=3, unique=True))
    return {name: draw(FIELDS[name]) for name in names}


@st.composite
def births(draw: st.DrawFn) -> dict[str, Any]:
    return draw(edits()) | {"tax_ids": [f"VAT:{draw(st.sampled_from(['A', 'B']))}"], "legal_name": draw(NAMES)}


POISON = ["VAT:POISON"]
SYSTEMS = st.sampled_from(["crm", "erp"])
STEPS = st.lists(st.tuples(SYSTEMS, st.integers(0, 3), edits()), max_size=4)
ROUNDS = st.lists(STEPS, min_size=1, max_size=3)
START = st.lists(st.tuples(SYSTEMS, births()), min_size=1, max_size=4)


def begin(start: list[tuple[str, dict[str, Any]]], **options: Any) -> World:
    world = World(**options)
    for system, fields in start:
        world.create(system, **fields)
    return world


def play(world: World, steps: list[tuple[str, int, dict[str, Any]]]) -> list[tuple[str, str, dict[str, Any]]]:
    """Edit what there is; returns what was edited."""
    done = []
    for system, index, fields in steps:
        live = world.stores[system].live(TABLE)
        ids = sorted(
            (i for i in live if live[i].get("tax_ids") != POISON), key=lambda i: repr((live[i].get("tax_ids"), i))
        )
        if ids:
            world.clock.advance(5)
            world.edit(system, ids[index % len(ids)], **fields)
            done.append((system, ids[index % len(ids)], fields))
    return done


@settings(max_examples=40)
@given(START, ROUNDS)
def test_p1_it_converges_and_then_writes_nothing(start, rounds):
    world = begin(start)
    for steps in rounds:
        play(world, steps)
        world.sync(confirmed=True)
    world.settle(rounds=3)
    before = world.writes()
    world.sync()
    assert world.writes() == before
    for loaded in world.loaded():
        held = frozen_fields(loaded.conflicts)
        for link in live_links(loaded.links):
            for name, shown in link.now.items():
                if name in held or name in link.holds:
                    continue
                same = world.hub.book("customer").shape.fields[name].same
                assert same(shown, loaded.record.document.get(name)), (link.system, name)


@settings(max_examples=40)
@given(START, ROUNDS)
def test_p2_no_edit_is_lost_in_silence(start, rounds):
    world = begin(start)
    world.settle()
    for steps in rounds:
        ledger = last_words(world, play(world, steps))
        world.sync(confirmed=True)
        for (system, id_, name), (before, value) in ledger.items():
            assert accounted_for(world, system, id_, name, before, value), (system, name, before, value)
    world.settle()


def last_words(
    world: World, done: list[tuple[str, str, dict[str, Any]]]
) -> dict[tuple[str, str, str], tuple[Any, Any]]:
    """Per edited field: what the hub saw last, and what the system shows now."""
    seen = {(link.system, link.external_id): link.now for link in world.links()}
    return {
        (system, id_, name): (seen.get((system, id_), {}).get(name), world.row(system, id_).get(name))
        for system, id_, fields in done
        for name in fields
    }


def accounted_for(world: World, system: str, id_: str, name: str, before: Any, value: Any) -> bool:
    shape = world.hub.book("customer").shape.fields[name]
    if shape.same(before, value):
        return True
    link = next(x for x in world.links() if (x.system, x.external_id) == (system, id_))
    if link.record is None:
        return True
    with world.store.reading() as db:
        told = queries.explain(db, link.record, name)["fields"][name]
        proposals = [
            p.value for p in queries.proposals(db) if (p.record, p.field, p.system) == (link.record, name, system)
        ]
        sides = [
            side["value"]
            for conflict in queries.conflicts(db)
            if (conflict.record, conflict.field) == (link.record, name)
            for side in conflict.snapshot["sides"]
            if side["system"] == system
        ]
    spoken = [told["value"], *proposals, *sides]
    for decision in told["decisions"]:
        spoken += [decision["to"], *decision.get("overruled", {}).values(), *decision.get("proposed", {}).values()]
    if any(shape.same(said, value) for said in spoken):
        return True
    # a set that was merged holds every item, whoever brought it
    merged = told["value"] or []
    return bool(shape.is_set and all(item in merged for item in value or []))


@settings(max_examples=25)
@given(START, ROUNDS, st.sampled_from([1, 2, 2000]))
def test_p4_pages_and_the_order_of_systems_do_not_matter(start, rounds, page_size):
    one, other = begin(start), begin(start, page_size=page_size)
    other.hub.bindings = dict(reversed(other.hub.bindings.items()))
    other.hub.of_entity = lambda entity: [b for b in other.hub.bindings.values() if b.entity == entity]
    for steps in rounds:
        for world in (one, other):
            play(world, steps)
            world.sync(confirmed=True)
    for world in (one, other):
        world.settle()
    assert agreed(one) == agreed(other)


def agreed(world: World) -> list[Any]:
    told = []
    for loaded in world.loaded():
        fields = sorted(frozen_fields(loaded.conflicts))
        links = sorted((link.system, link.external_id) for link in loaded.links if link.method != "delivered")
        told.append((links, stated(loaded.record.document), fields))
    return sorted(told, key=repr)


@settings(max_examples=20)
@given(START, STEPS)
def test_p5_a_bad_record_harms_only_itself(start, steps):
    poisoned, clean = begin(start), begin(start)
    for world in (poisoned, clean):
        world.create("crm", legal_name="Poison", tax_ids=POISON, status="active", service_notes="no")
    poisoned.erp.rule(TABLE, "legal_name").refuse = lambda value: value == "Poison"
    for world in (poisoned, clean):
        world.settle()
        play(world, steps)
        world.settle()
    others = [told for told in agreed(clean) if told[1]["legal_name"] != "Poison"]
    assert [told for told in agreed(poisoned) if told[1]["legal_name"] != "Poison"] == others
    with poisoned.store.reading() as db:
        problems = queries.problems(db)
    assert [(p.system, p.field) for p in problems] == [("erp", "legal_name")]


PROMISES = {
    test_p1_it_converges_and_then_writes_nothing: (START, ROUNDS),
    test_p2_no_edit_is_lost_in_silence: (START, ROUNDS),
    test_p4_pages_and_the_order_of_systems_do_not_matter: (START, ROUNDS, st.sampled_from([1, 2, 2000])),
    test_p5_a_bad_record_harms_only_itself: (START, STEPS),
}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__.split("_")[1])
def test_the_promises_hold_on_postgresql(promise, postgres, monkeypatch):
    monkeypatch.setattr(World, "state", postgres.take)
    holds = promise.hypothesis.inner_test

    @settings(max_examples=6)
    @given(st.tuples(*PROMISES[promise]))
    def example(drawn):
        postgres.give_back()
        holds(*drawn)

    example()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__.split("_")[1])
def test_the_promises_hold_in_many_more_worlds(promise):
    holds = promise.hypothesis.inner_test

    @settings(max_examples=500, derandomize=False)
    @given(st.tuples(*PROMISES[promise]))
    def example(drawn):
        holds(*drawn)

    example()
