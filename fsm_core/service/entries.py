"""Finds what a newcomer may be a double entry of, and reads both sides as the checks see them.

Everything for a whole page at once, by keys; no pair is compared that shares none.
Not here: the checks (`fsm_core.sync.double_entry`) and what follows from them (`double_entry`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from fsm_core.model.compare import blank
from fsm_core.service.keys import found_by
from fsm_core.state import DELIVERED, MERGED, Doc, Link, LinkState, Record, Work
from fsm_core.sync.double_entry import DEFAULTS, Entry, Judgement, PreCheck

ORDER, VISIT = "work_order_id", "visit"
_THERE = (LinkState.LIVE, LinkState.PENDING)
_BY_THE_HUB = (DELIVERED, "key")
"""Methods of links to what the hub created, also where its answer was lost: nobody put it in there."""
_LAST = "~"
"""Sorts behind every instant."""


@dataclass(frozen=True, slots=True)
class Side:
    """One entry with its links."""

    entry: Entry
    links: list[Link]

    def since(self, check: PreCheck) -> tuple[str, str, str]:
        """Sorts entries by when they begin; those that do not tell come last."""
        begins = self.entry.at(*check.begins)
        first = min(self.links, key=lambda link: (link.system, link.external_id))
        return (begins.isoformat() if begins else _LAST, first.system, first.external_id)


def judged(
    work: Work, entity: str, check: PreCheck, newcomers: Sequence[list[Link]]
) -> list[tuple[Side, list[tuple[Side, Judgement]]]]:
    """Each newcomer (the links of one thing) and what the check says of it beside what was there before.

    What has no record and begins later will look for itself; what waits for an answer is looked for when it has one.
    """
    sides = _unborn(work, entity, newcomers)
    near = _near(work, check, sides)
    links = {link.id for some in (sides, *near) for side in some for link in side.links}
    apart = work.apart(links) if any(near) else frozenset()
    found = []
    for side, some in zip(sides, near, strict=True):
        earlier = [one for one in some if _comes_first(check, one, side) and not _told_apart(apart, one, side)]
        by_entry = {id(one.entry): one for one in earlier}
        said = check.judge(side.entry, [one.entry for one in earlier], DEFAULTS) if earlier else []
        found.append((side, [(by_entry[id(entry)], judgement) for entry, judgement in said]))
    return found


def _comes_first(check: PreCheck, one: Side, newcomer: Side) -> bool:
    if one.entry.record:
        return True
    return one.entry.entity == newcomer.entry.entity and one.since(check) < newcomer.since(check)


def _told_apart(apart: Collection[tuple[int, int]], one: Side, other: Side) -> bool:
    pairs = ((a.id, b.id) for a in one.links for b in other.links)
    return bool(apart) and any((min(pair), max(pair)) in apart for pair in pairs)


# -- newcomers -----------------------------------------------------------------------------------


def _unborn(work: Work, entity: str, newcomers: Sequence[list[Link]]) -> list[Side]:
    """Newcomers say what their links show; one that was born since, what was agreed."""
    born = _records(work, (links[0].record for links in newcomers))
    told = []
    for links in newcomers:
        record = born.get(links[0].record or "")
        told.append((record.document if record else _together(links), links, record.id if record else ""))
    return _sides(work, [(entity, says, links, record) for says, links, record in told])


def _together(links: Sequence[Link]) -> Doc:
    """What the links of one thing show: of each field the first value that is stated."""
    says: Doc = {}
    for link in links:
        says |= {name: value for name, value in link.now.items() if blank(says.get(name))}
    return says


# -- what was there ------------------------------------------------------------------------------


def _near(work: Work, check: PreCheck, newcomers: Sequence[Side]) -> list[list[Side]]:
    """Per newcomer the entries that share a key with it, and the visits of orders that do."""
    probes = [check.probes(side.entry) for side in newcomers]
    numbers = [found_by(check.among, keys) for keys in probes]
    followed = {n for keys in probes for n in found_by(check.among, [key for key in keys if key[0] == check.through])}
    holders: defaultdict[int, set[int]] = defaultdict(set)
    for key, link in work.sharing({n for some in numbers for n in some}):
        holders[key].add(link)
    own = [{link.id for link in side.links} for side in newcomers]
    reached = [{n for key in keys for n in holders[key]} - mine for keys, mine in zip(numbers, own, strict=True)]
    if not any(reached):
        return [[] for _ in newcomers]
    links = {link.id: link for link in work.links({n for some in reached for n in some})}
    visits = _visits(work, [links[n] for key in followed for n in holders[key] if n in links])
    places = _bundled(work, [*links.values(), *(visit for some in visits.values() for visit in some)])
    near = []
    for side, some, mine in zip(newcomers, reached, own, strict=True):
        wider = some | {visit.id for n in some & links.keys() for visit in visits.get(links[n].record or "", ())} - mine
        chosen = {id(place): place for n in sorted(wider) if (place := places.get(n)) is not None}
        near.append([one for one in chosen.values() if not one.entry.record or one.entry.record != side.entry.record])
    return near


def _visits(work: Work, orders: Iterable[Link]) -> dict[str, list[Link]]:
    """The visits of these orders, by record of the order."""
    records = {link.record for link in orders if link.record}
    rows = [(number, parent) for number, name, parent in work.children(records) if name == ORDER] if records else []
    links = {link.id: link for link in work.links({number for number, _ in rows})} if rows else {}
    found: defaultdict[str, list[Link]] = defaultdict(list)
    for number, parent in rows:
        if number in links and links[number].entity == VISIT:
            found[parent].append(links[number])
    return found


def _bundled(work: Work, found: Sequence[Link]) -> dict[int, Side]:
    """These links as entries: all of one record together, what is unplaced by itself."""
    records = {r.id: r for r in _records(work, (link.record for link in found)).values() if r.lifecycle != MERGED}
    together: defaultdict[str, list[Link]] = defaultdict(list)
    for link in work.links_of(records) if records else ():
        if link.state in _THERE:
            together[link.record or ""].append(link)
    rows = [(records[record].entity, records[record].document, links, record) for record, links in together.items()]
    rows += [(link.entity, link.now, [link], "") for link in found if not link.record and link.state == LinkState.LIVE]
    return {link.id: side for side in _sides(work, rows) for link in side.links}


# -- reading -------------------------------------------------------------------------------------


def _sides(work: Work, rows: Sequence[tuple[str, Doc, list[Link], str]]) -> list[Side]:
    """Entries with their order, plan and site, from rows of entity, document, links and record."""
    orders = _records(work, (says.get(ORDER) for _, says, _, _ in rows))
    told = [says for _, says, _, _ in rows] + [order.document for order in orders.values()]
    others = _records(work, (says.get(name) for says in told for name in ("plan_id", "site_id")))

    def document(says: Doc, name: str) -> Doc:
        found = others.get(says.get(name) or "")
        return found.document if found else {}

    def entry(entity: str, says: Doc, links: Sequence[Link], record: str) -> Entry:
        order = orders.get(says.get(ORDER) or "")
        return Entry(
            entity=entity,
            says=says,
            origins=frozenset(link.system for link in links if link.method not in _BY_THE_HUB),
            record=record,
            ids=frozenset(name for link in links for name in (link.external_id, link.now.get("number")) if name),
            order=entry(order.entity, order.document, (), order.id) if order else None,
            plan=document(says, "plan_id"),
            site=document(says, "site_id"),
        )

    return [Side(entry(entity, says, links, record), links) for entity, says, links, record in rows]


def _records(work: Work, ids: Iterable[str | None]) -> dict[str, Record]:
    wanted = {one for one in ids if one}
    return work.records(wanted) if wanted else {}
