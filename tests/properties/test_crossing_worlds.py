"""The promises of the engine where everything meets at random: it ends, it is quiet, nothing is lost, nothing is twice.

Not here: how a world is drawn and what people do in it (`crossing_worlds`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_tb
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from fsm_core.model.compare import canonical
from fsm_core.service.loaded import Loaded, closed_fields, live_links
from fsm_core.service.passing import awaited
from fsm_core.service.plan import PlannedWrite, plan
from fsm_core.service.sync import synchronise
from fsm_core.state import ACTIVE, LinkState, Reason
from fsm_core.store import schema as t
from fsm_core.store.verify import verify
from fsm_core.sync.types import Outcome
from tests.properties.crossing_worlds import Crossing
from tests.properties.test_promises import accounted_for
from tests.world import TABLE, World

STEPS = 5
DAY = 86_400.0
PATIENCE = 100.0
"""Seconds after which an attempt without an answer is looked at again."""


def play(story: Crossing) -> None:
    """Some rounds with everything in between; then the clocks run out, people answer all, and it is quiet."""
    settle(story)
    for _ in range(STEPS):
        story.ledger.clear()
        for _ in range(story.rng.choice((1, 2, 3, 4))):
            story.act()
        how = story.rng.random()
        if how < 0.3:
            as_planned(story)
        elif how < 0.5:
            nothing_unplanned(story)
        else:
            story.round()
        nothing_lost(story)
        nothing_twice(story)
    story.say("-- the end")
    for _ in range(8):
        story.world.clock.advance(DAY)
        settle(story)
        if not story.answer_all():
            break
    else:
        raise AssertionError("questions without end")
    all_agree(story)
    quiet(story)
    with story.world.store.reading() as db:
        found = verify(db)
    assert found.broken is None, found.broken


def settle(story: Crossing) -> None:
    """Rounds until two in a row neither write nor decide anything."""
    still = 0
    for _ in range(14):
        story.world.clock.advance(PATIENCE)
        before = story.world.writes()
        done = story.world.sync(confirmed=True)
        active = story.world.writes() != before or any(sum(one.endings.values()) for one in done.converged)
        still = 0 if active or done.absent else still + 1
        if still == 2:
            return
    raise AssertionError("it does not come to rest")


def nothing_lost(story: Crossing) -> None:
    world = story.world
    links = {(x.system, x.external_id): x for x in world.links()}
    for (system, id_, name), (before, value) in story.ledger.items():
        link = links.get((system, id_))
        if link is None or link.record is None or link.state != LinkState.LIVE or link.base is None:
            continue
        if link.now.get(name) != value:
            continue  # not observed yet, or told something else since
        held = link.holds.get(name) in ("apart", "diverged", "proposed")
        attempts = [a for one in world.loaded() if one.record.id == link.record for a in one.attempts]
        assert held or attempts or accounted_for(world, system, id_, name, before, value), (
            f"{system}.{name}: {before!r} -> {value!r} is lost"
        )


def nothing_twice(story: Crossing) -> None:
    for one in story.world.loaded():
        systems = Counter(link.system for link in live_links(one.links))
        assert not [system for system, count in systems.items() if count > 1], f"twice in {systems}"
    made = Counter(
        (system, row.document["hub_id"])
        for system, store in story.world.stores.items()
        for row in store.rows(TABLE)
        if row.document.get("hub_id") and not row.deleted and (system, row.id) not in story.undeleted
    )
    assert not [where for where, count in made.items() if count > 1], f"made twice: {made}"


def as_planned(story: Crossing) -> None:
    """The round after a plan writes what the plan said, and nothing where it said nothing."""
    hub = story.world.hub
    story.world.clock.advance(60)
    story.say("-- plan and round")
    story.read_all()
    found: list[PlannedWrite] = []
    sure = story.hears_all()
    plan(hub, [TABLE], found.append)
    before = story.world.writes()
    with hub.running("test") as run:
        synchronise(hub, TABLE, read=False, confirmed=True)
    if sure:
        done = written(story, run.id)
        missed = {write_of(one) for one in found} - done
        assert not missed, f"planned, and not done: {missed}; done: {done}"
        assert found or story.world.writes() == before, f"nothing planned, and done: {done}"


def write_of(one: PlannedWrite) -> tuple[str, ...]:
    told = canonical({name: field.to for name, field in one.fields.items()}).decode()
    return one.system, str(one.action), one.external_id, told


def written(story: Crossing, run: str) -> set[tuple[str, ...]]:
    """What was attempted in a run, in the same words."""
    with story.world.store.reading() as db:
        rows = db.execute(select(t.intent).where(t.intent.c.run == run)).all()
    return {
        (one.system, one.action, "" if one.action == "create" else one.external_id, told(one.payload)) for one in rows
    }


def told(payload: str) -> str:
    return canonical(orjson.loads(payload)).decode()


def nothing_unplanned(story: Crossing) -> None:
    """A plan that is carried out writes what it says at most, and says of each of its writes what became of it."""
    with TemporaryDirectory() as folder:
        before, sure, done = story.apply(Path(folder))
    planned = sum(done.fates.values())
    assert not sure or story.world.writes() - before <= planned, (done.fates, done.left)
    assert planned - done.fates["applied"] - done.fates["done already"] == len(done.left)


def all_agree(story: Crossing) -> None:
    """What a living record says is what its systems show, what is pinned, and whose it is; all else has a word."""
    living = [one for one in story.world.loaded() if one.record.lifecycle == ACTIVE]
    found = [
        told for one in living for told in (*not_shown(story, one), *not_pinned(story, one), *not_passed(story, one))
    ]
    assert found == [], f"they do not agree: {found}"


def not_shown(story: Crossing, one: Loaded) -> Iterator[tuple[Any, ...]]:
    """Without what is in question, kept by leave, refused, or shown in the system's own rendering."""
    book = story.world.hub.book(TABLE)
    closed = closed_fields(book, one, one.conflicts)
    for link in live_links(one.links):
        binding = story.world.hub.bindings.get((link.system, TABLE))
        writable = binding.writable if binding else frozenset(link.now)
        for name in writable & link.now.keys() - closed - link.holds.keys() - link.sent.keys():
            if not book.shape.fields[name].same(link.now[name], one.record.document.get(name)):
                yield one.record.id, link.system, name, link.now[name], one.record.document.get(name)


def not_pinned(story: Crossing, one: Loaded) -> Iterator[tuple[Any, ...]]:
    fields = story.world.hub.book(TABLE).shape.fields
    for name, pin in one.pins.items():
        if not fields[name].same(one.record.document.get(name), pin.value):
            yield one.record.id, "pin", name, pin.value, one.record.document.get(name)


def not_passed(story: Crossing, one: Loaded) -> Iterator[tuple[Any, ...]]:
    """A hand-over that waits for nothing has happened; one may lack facts or its receiver for ever."""
    if one.record.handover is not None and not awaited(story.world.hub, one)[1]:
        yield one.record.id, "still to be handed over", one.record.handover


def quiet(story: Crossing) -> None:
    """Two further rounds, the second a full one, write and decide nothing, and nothing is left to look at."""
    story.say("-- quiet")
    world = story.world
    for full in (False, True):
        before = world.writes()
        done = world.sync(confirmed=True, full=full)
        assert world.writes() == before, "it still writes"
        outcomes = Counter(x for one in done.converged for x in one.outcomes.elements())
        assert not outcomes.keys() - {Outcome.CONFLICT}, f"still decides {outcomes}"
    c = t.dirty.c
    refused = (c.reason == str(Reason.DELIVER)) & c.system.in_(sorted(world.stores))
    with world.store.reading() as db:
        late = db.execute(select(c.record, c.reason, c.system).where(c.due_at <= world.hub.at(), ~refused)).all()
    assert not late, f"left to look at: {late}"


# -- many worlds ---------------------------------------------------------------------------------


def broken(seed: int) -> str:
    """Why the world of this seed breaks a promise, or ""."""
    story = Crossing(seed)
    try:
        play(story)
    except Exception as error:  # noqa: BLE001 - a crash is told like a broken promise
        where = [] if isinstance(error, AssertionError) else format_tb(error.__traceback__)[-4:]
        return "\n".join([f"seed {seed}", *story.ruled(), *story.told, *where, f"{type(error).__name__}: {error}"])
    return ""


def worlds(first: int, amount: int) -> None:
    failed = [words for seed in range(first, first + amount) if (words := broken(seed))]
    assert not failed, f"{len(failed)} of {amount} worlds; the shortest:\n{min(failed, key=len)}"


def test_the_promises_hold_where_everything_meets():
    worlds(0, 15)


def test_the_same_on_postgresql(postgres, monkeypatch):
    monkeypatch.setattr(World, "state", postgres.take)
    for seed in range(3_000, 3_003):
        postgres.give_back()
        worlds(seed, 1)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_the_promises_hold_in_many_more_such_worlds():
    worlds(1_000, 2_000)
