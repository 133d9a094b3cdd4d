"""Settles delivered writes on what the system shows afterwards.

Not here: sending (`push`) and deciding what a surprise means (`converge`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fsm_core.model.compare import canonical, digest
from fsm_core.ports import Change, State
from fsm_core.service.converge import load
from fsm_core.service.deletions import RESTORED, replaced_in
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.keys import replace_keys
from fsm_core.service.loaded import Loaded, closed_fields, view_of
from fsm_core.service.passing import wake
from fsm_core.service.problems import WRITES, problem
from fsm_core.service.pull import difference
from fsm_core.service.references import Shown, keep, shown
from fsm_core.service.renderings import tell_renderings
from fsm_core.service.unseen import HIDES_NOTHING, Hidden, hidden_of
from fsm_core.state import DELIVERED, Doc, Known, Link, LinkState, Reason, Work, stamp
from fsm_core.sync.record import UNDELIVERABLE, View, owed, read_back


@dataclass(frozen=True, slots=True)
class Delivery:
    """A write that arrived, and the record as the system shows it now."""

    record: str
    link: int | None
    """None when the write created it."""
    values: Doc
    shown: Change
    id: str
    """The record's id there, also when it is not shown."""
    version: str = ""
    """Its version right after our write, where the system tells."""
    whole: bool = True
    """False when a create arrived in part: only what is shown counts as told."""


@dataclass(slots=True)
class Settled:
    """What settling brought to light."""

    rendered: int = 0
    """Values shown in the system's own rendering."""
    born: dict[str, Link] = field(default_factory=dict)
    """Links that creates made, by record."""


@dataclass(slots=True)
class _Settled:
    """One delivery on the state as it is now, which may have moved since the write was prepared."""

    delivery: Delivery
    one: Loaded
    link: Link
    new: bool
    before: Doc
    shown: Shown
    hidden: Hidden
    news: bool = False
    rendered: frozenset[str] = frozenset()
    """Fields of this write that come back in the system's own form."""


def settle_delivered(hub: Hub, work: Work, binding: Binding, deliveries: Sequence[Delivery]) -> Settled:
    """Move base and sent, make links for what was created, raise what is news."""
    at = hub.at()
    settled = _found(hub, work, binding, deliveries)
    for done in settled:
        done.news = _settle(hub, binding, done)
    births = [done.link for done in settled if done.new]
    updates = [done for done in settled if not done.new]
    work.insert_links(births, hub.run, at)
    keep(hub, work, binding, [(d.link.id, d.shown.said) for d in settled if d.delivery.shown.state is State.LIVE])
    work.place([(d.link.id, d.link.record, d.link.state, d.link.method) for d in updates])
    work.show_links([done.link for done in updates], hub.run, at)
    journal = [(d.link.id, d.link.changed_by, difference(d.before, d.link.now)) for d in updates]
    work.write_journal(hub.run, at, [row for row in journal if row[2]])
    before = [(done.link.id, done.before) for done in settled]
    replace_keys(hub, work, binding.entity, before, [(done.link.id, done.link.now) for done in settled])
    work.mark_dirty(binding.entity, [(d.one.record.id, Reason.ECHO, "", at) for d in settled if d.news])
    _done(hub, work, binding, settled, at)
    wake(hub, work, binding.entity, [done.one.record for done in settled])
    tell_renderings(hub, work, binding, frozenset[str]().union(*(done.rendered for done in settled)))
    born = {done.one.record.id: done.link for done in settled if done.delivery.link is None}
    return Settled(sum(len(done.link.sent) for done in settled), born)


def _found(hub: Hub, work: Work, binding: Binding, deliveries: Sequence[Delivery]) -> list[_Settled]:
    loaded = {one.record.id: one for one in load(hub, work, sorted({d.record for d in deliveries}))}
    created = [d.id for d in deliveries if d.link is None]
    known = work.known_links(binding.system, binding.object.name, binding.entity, created)
    ids = {d.link for d in deliveries if d.link is not None} | {seen.id for seen in known.values()}
    links = {link.id: link for link in work.links(ids)}
    hidden = hidden_of(hub, work, binding, {number: link.now for number, link in links.items()})
    settled = []
    read = shown(hub, work, binding, [delivery.shown for delivery in deliveries])
    for delivery, said in zip(deliveries, read, strict=True):
        link = _link_of(delivery, known, links)
        if link is not None and link.record not in (None, delivery.record):
            _claimed(hub, work, binding, delivery)
            continue
        made = link or _new_link(hub, binding, delivery)
        kept = hidden.get(made.id, HIDES_NOTHING)
        if link is None and delivery.record and binding.system in replaced_in(loaded[delivery.record].links):
            made.method = RESTORED
        settled.append(_Settled(delivery, loaded[delivery.record], made, link is None, dict(made.now), said, kept))
    return settled


def _link_of(delivery: Delivery, known: dict[str, Known], links: dict[int, Link]) -> Link | None:
    """Its link; of what we created the one a pull may have made meanwhile."""
    if delivery.link is not None:
        return links[delivery.link]
    return links[known[delivery.id].id] if delivery.id in known else None


def _claimed(hub: Hub, work: Work, binding: Binding, delivery: Delivery) -> None:
    """What we created there was taken for another record before its answer came."""
    message = f"the hub created {delivery.id} for this record and found it as another one"
    remedy = "Merge the two records in their system, then retry."
    doubt = problem(hub, binding, delivery.record, "write duplicate", message, record=delivery.record, remedy=remedy)
    work.raise_problems([doubt])
    work.clear_dirty(binding.entity, [delivery.record], [Reason.DELIVER], binding.system)


def _new_link(hub: Hub, binding: Binding, delivery: Delivery) -> Link:
    return Link(
        id=hub.ids.numbers(1)[0],
        system=binding.system,
        object=binding.object.name,
        external_id=delivery.id,
        entity=binding.entity,
        record=delivery.record,
        state=LinkState.LIVE,
        now={},
        base={},
        hub_key=delivery.record,
        method=DELIVERED,
    )


def _settle(hub: Hub, binding: Binding, done: _Settled) -> bool:
    """Settle one link; whether anything there is news."""
    link, delivery = done.link, done.delivery
    if link.record is None:
        link.record, link.method = delivery.record, DELIVERED
    if delivery.shown.state is not State.LIVE:
        return _unseen(link, delivery)
    link.state = LinkState.LIVE
    shape = hub.book(binding.entity).shape
    shown = done.shown.values
    view = View(link.system, link.now, link.base, link.sent, link.holds)
    if delivery.link is None:
        agreed = done.one.record.document
        view.base = {n: v for n, v in shown.items() if shape.fields[n].same(v, agreed.get(n))}
        if link.method == RESTORED:
            # what the system fills in by itself in a record made anew is nobody's edit of the old one
            view.base |= {n: v for n, v in shown.items() if n not in binding.creatable}
    ours = delivery.shown.ours or delivery.shown.version == delivery.version != ""
    told = delivery.values
    if not delivery.whole:
        told = {n: v for n, v in told.items() if n in shown and shape.fields[n].same(shown[n], v)}
    news = read_back(shape, view, told, shown, ours=ours)
    done.rendered = frozenset(view.sent.keys() & told.keys())
    link.now, link.base, link.sent = done.hidden.values | view.now, view.base, view.sent
    link.hash = digest(canonical(done.hidden.spoken | done.shown.spoken))
    link.version = delivery.shown.version
    link.changed_at = stamp(delivery.shown.changed_at)
    link.changed_by, link.ours = delivery.shown.changed_by, delivery.shown.ours
    return bool(news)


def _unseen(link: Link, delivery: Delivery) -> bool:
    """The write was accepted and its record is not shown: take the system's word, or its tombstone."""
    if delivery.shown.state is State.DELETED:
        link.state = LinkState.ENDED
        return True
    link.hash = b""
    if delivery.link is not None:
        link.now = {**link.now, **delivery.values}
        link.base = {**(link.base or {}), **delivery.values}
    return False


def _done(hub: Hub, work: Work, binding: Binding, settled: Sequence[_Settled], at: str) -> None:
    """Where nothing more is owed the debt is paid; what a system took is no problem any more."""
    book = hub.book(binding.entity)
    paid, plain = [], []
    for done in settled:
        record, link = done.one.record, done.link
        closed = closed_fields(book, done.one, done.one.conflicts)
        if not owed(book.shape, record.document, view_of(hub, link), closed):
            paid.append(record.id)
        refused = [name for name, why in link.holds.items() if why == UNDELIVERABLE]
        if refused:
            work.solve_problems(binding.system, [link.external_id], WRITES, at, but=refused)
        else:
            plain += [link.external_id, record.id]
    work.clear_dirty(binding.entity, paid, [Reason.DELIVER], binding.system)
    work.solve_problems(binding.system, plain, WRITES, at)
