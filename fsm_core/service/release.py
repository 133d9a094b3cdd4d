"""Gives references their record once it has landed, and tells people what still waits and why.

Not here: how a reference comes to wait (`references`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fsm_core.service.hub import Hub
from fsm_core.service.keys import replace_keys
from fsm_core.service.problems import problem
from fsm_core.service.references import ORPHAN, mapped
from fsm_core.state import Doc, Link, LinkState, Reason, Work
from fsm_core.state_references import Orphan, Reference


def refers(hub: Hub, entity: str) -> frozenset[str]:
    """The entities that this one refers to in any system."""
    return frozenset(parent for binding in hub.of_entity(entity) for parent in mapped(hub, binding).values())


def release(hub: Hub, entity: str) -> int:
    """Give every reference its record that has one by now; returns how many there were."""
    count = 0
    _aim(hub, entity)
    while True:
        with hub.store.begin() as work:
            rows = work.releasable(entity, hub.page)
            if not rows:
                return count
            _release(hub, work, entity, rows)
        count += len(rows)
        hub.page_done()


def _aim(hub: Hub, entity: str) -> None:
    """An entity that is read since yesterday may be what others wait for since last week."""
    wanted = {(b.system, parent) for b in hub.of_entity(entity) for parent in mapped(hub, b).values()}
    with hub.store.begin() as work:
        for place in sorted(wanted & hub.bindings.keys()):
            work.aim(entity, *place, hub.bindings[place].object.name)


def _release(hub: Hub, work: Work, entity: str, rows: Sequence[Reference]) -> None:
    at, required = hub.at(), hub.book(entity).shape.required
    links = {link.id: link for link in work.links({row.link for row in rows})}
    before = [(link.id, dict(link.now)) for link in links.values()]
    journal: dict[int, Doc] = defaultdict(dict)
    for record, number, name, _ in rows:
        link = links[number]
        link.now[name] = record
        if link.record is not None:
            journal[number][name] = [(link.base or {}).get(name), record]
    work.release([(row.link, row.field) for row in rows])
    still = work.waiting_fields(links)
    whole = [link for link in links.values() if still.get(link.id, {}).keys().isdisjoint(required)]
    for link in whole:
        if link.state == LinkState.PARKED:
            link.state = LinkState.LIVE
    work.rewrite_links(list(links.values()))
    work.put_references(rows)
    replace_keys(hub, work, entity, before, [(link.id, link.now) for link in links.values()])
    work.write_journal(hub.run, at, [(n, links[n].changed_by, changes) for n, changes in journal.items()])
    work.mark_dirty(entity, [(x.record, Reason.RELEASED, "", at) for x in links.values() if x.record is not None])
    _solved(work, whole, at)


def _solved(work: Work, links: Sequence[Link], at: str) -> None:
    for system in sorted({link.system for link in links}):
        work.solve_problems(system, [link.external_id for link in links if link.system == system], (ORPHAN,), at)


# -- what still waits ----------------------------------------------------------------------------


def tell_orphans(hub: Hub, entity: str) -> None:
    """A problem for each reference that a record may not be without and that still waits; told once per reason."""
    required = hub.book(entity).shape.required
    after = (0, "")
    while True:
        with hub.store.begin() as work:
            rows = work.orphans(entity, required, ORPHAN, after, hub.page)
            if not rows:
                return
            told = [(row, *_why(hub, row)) for row in rows if (row.system, entity) in hub.bindings]
            work.raise_problems(
                [
                    problem(hub, hub.binding(row.system, entity), row.external_id, ORPHAN, message, field=row.field,
                            remedy=remedy)
                    for row, message, remedy in told
                    if message != row.told
                ]
            )  # fmt: skip
        after = (rows[-1].link, rows[-1].field)


def _why(hub: Hub, orphan: Orphan) -> tuple[str, str]:
    """In words: what is waited for, why it is not there, and what to do."""
    parent = f"{orphan.entity} {orphan.wanted}"
    if (orphan.system, orphan.entity) not in hub.bindings:
        reason = f"{orphan.entity} is not read from {orphan.system}"
        return f"waits for {parent}: {reason}", f"Add {orphan.entity} to the entities in hub.toml, with a mapping."
    reason, remedy = _REASONS.get(orphan.state or "", _REASONS[LinkState.LIVE])
    return f"waits for {parent}: {reason}", remedy.format(parent=parent, system=orphan.system)


_NEW_OR_HIDDEN = (
    "Nothing to do if it is new: this is released when it comes. Else let the hub's user see {parent} in {system}, "
    "or correct the reference there."
)
_REASONS = {
    "": (
        "it was not seen yet",
        _NEW_OR_HIDDEN,
    ),
    LinkState.LIVE: ("it is not a record of the hub yet", "Nothing to do: this is released with it."),
    LinkState.PENDING: (
        "a person has to say which record it is",
        "Answer the question about {parent}: 'fsm-hub conflicts list'.",
    ),
    LinkState.INVALID: ("it cannot become a record as it is", "Repair {parent}: 'fsm-hub problems list' says how."),
    LinkState.PARKED: ("it waits for its own parent", "See the problem of {parent}; this is released with it."),
    LinkState.ENDED: ("it was deleted there", "Correct the reference in {system}, or delete the record there too."),
}
