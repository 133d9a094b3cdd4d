"""Reads a system's changes page by page and lands them as observations.

A page, its observations and its cursor commit in one transaction; no remote call runs inside one.
Not here: what an observation means (`converge`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from fsm_core.errors import CursorExpired, Retry
from fsm_core.model.compare import blank, canonical, digest
from fsm_core.ports import Change, Page, State
from fsm_core.service.birth import plain
from fsm_core.service.hub import Binding, Fault, Hub
from fsm_core.service.keys import numberer, replace_keys
from fsm_core.service.problems import problem
from fsm_core.service.references import mapped, meant, park
from fsm_core.service.unseen import keep_hidden
from fsm_core.state import GONE, LEFT, Arrival, Doc, Known, LinkState, Problem, Reason, Sighting, Work, stamp

UNREADABLE = "unreadable value"


@dataclass(slots=True)
class Pulled:
    """What a pass brought."""

    system: str
    pages: int = 0
    seen: int = 0
    new: int = 0
    changed: int = 0
    gone: int = 0
    listed: int = 0
    """Living records among `seen`."""
    ids: set[str] | None = None
    """Of those records, where it matters which are not among them."""
    complete: bool = False


@dataclass(slots=True)
class Landing:
    """A page in the hub's own words, ready to be stored."""

    sightings: list[Sighting]
    gone: list[Change]
    faults: list[Problem]
    cursor: str | None
    complete: bool
    left: list[str] = field(default_factory=list)
    """Ids of what the mapping leaves out: if it was known, it is not synchronised any more."""
    arrivals: list[Arrival] | None = None
    """The sightings as first ones, where nothing of their object was known when the pass began."""


@dataclass(slots=True)
class _Sorted:
    """Sightings, sorted by what is known."""

    added: list[tuple[int, Sighting]] = field(default_factory=list)
    changed: list[tuple[Known, Sighting]] = field(default_factory=list)
    touched: list[tuple[Known, Sighting]] = field(default_factory=list)


def pull(hub: Hub, binding: Binding, *, full: bool = False) -> Pulled:
    """Land everything since the stored cursor, or everything there is. Raises `Retry` and `Misconfigured`."""
    report = Pulled(binding.system, ids=set() if binding.sweeps else None)
    for landing in landings(hub, binding, full=full):
        land(hub, binding, landing, report)
    return report


def landings(hub: Hub, binding: Binding, *, full: bool = False) -> Iterator[Landing]:
    """The pages of a pass, the next one fetched while this one is stored. An expired cursor starts over."""
    where = (binding.system, binding.object.name, binding.entity)
    with hub.store.begin() as work:
        since = None if full else work.cursor(*where)
        first = since is None and not mapped(hub, binding) and not work.count_links(*where)
    try:
        yield from _ahead(hub, binding, since, first=first)
    except CursorExpired:
        if since is None:
            raise
        yield from _ahead(hub, binding, None, first=False)


def _ahead(hub: Hub, binding: Binding, since: str | None, *, first: bool) -> Iterator[Landing]:
    pages = binding.connector.changes(binding.object, since)
    source = map(partial(prepared, hub, binding, first=first), pages)  # holds no page while the next one is fetched
    with ThreadPoolExecutor(1, thread_name_prefix="page") as pool:
        coming = pool.submit(next, source, None)
        while (landing := coming.result()) is not None:
            coming = pool.submit(next, source, None)
            yield landing


def prepared(hub: Hub, binding: Binding, page: Page, *, first: bool = False) -> Landing:
    """Translate a page. Needs no state, so that it can be done while another page is stored."""
    latest = {change.id: change for change in page.changes}
    landing = Landing([], [], [], page.cursor, page.complete, arrivals=[] if first else None)
    decode, arrive = binding.translation.decode, _arriving(hub, binding, len(latest))
    numbers = iter(hub.ids.numbers(len(latest) if first else 0))
    for change in latest.values():
        if change.state is not State.LIVE:
            landing.gone.append(change)
            continue
        decoded = decode(change.document)
        if decoded.ignored:
            landing.left.append(change.id)
            continue
        seen = sighting(change, decoded.values)
        landing.sightings.append(seen)
        if landing.arrivals is not None:
            landing.arrivals.append(arrive(next(numbers), seen, decoded.values))
        if decoded.faults:
            landing.faults += _unreadable(hub, binding, change.id, decoded.faults)
    return landing


def land(hub: Hub, binding: Binding, landing: Landing, report: Pulled) -> None:
    """Store one page. Landing the same page again changes nothing."""
    at = hub.at()
    with hub.store.begin() as work:
        if landing.arrivals is not None and not landing.gone and _add(hub, work, binding, landing.arrivals, at):
            new, changed, ended = len(landing.arrivals), 0, 0
        else:
            new, changed, ended = _compared(hub, work, binding, landing, at)
        work.raise_problems(landing.faults)
        if landing.cursor is not None:
            where = (binding.system, binding.object.name, binding.entity)
            work.put_cursor(*where, landing.cursor, at, complete=landing.complete)
    report.pages += 1
    report.seen += len(landing.sightings) + len(landing.gone)
    report.listed += len(landing.sightings)
    if report.ids is not None and landing.arrivals is None:
        report.ids.update(seen.external_id for seen in landing.sightings)
    report.new += new
    report.changed += changed
    report.gone += ended
    report.complete = report.complete or landing.complete
    hub.page_done()


def _compared(hub: Hub, work: Work, binding: Binding, landing: Landing, at: str) -> tuple[int, int, int]:
    """Store what is new, changed and gone; how many of each there were."""
    ids = [*(seen.external_id for seen in landing.sightings), *(change.id for change in landing.gone), *landing.left]
    known = work.known_links(binding.system, binding.object.name, binding.entity, ids)
    found = _sort(hub, keep_hidden(hub, work, binding, landing.sightings, known), known)
    told = meant(hub, work, binding, found.added, found.changed)
    if not _add(hub, work, binding, _arrivals(hub, binding, found.added, told.waiting if told else ()), at):
        raise Retry("another process numbered its links alike at the same moment", system=binding.system)
    work.touch_links(at, found.touched)
    _change(hub, work, binding, found.changed, at)
    work.solve_problems(binding.system, [seen.external_id for _, seen in found.changed], (UNREADABLE,), at)
    ended = _end(work, binding, landing.gone, known, at)
    ended += let_go(work, binding, [known[id_] for id_ in landing.left if id_ in known], at)
    if told is not None:
        left = {change.id: known[change.id] for change in landing.gone if change.id in known}
        park(work, binding, told, found.added, found.changed, left, at)
    return len(found.added), len(found.changed), ended


def _unreadable(hub: Hub, binding: Binding, external_id: str, faults: Iterable[Fault]) -> list[Problem]:
    remedy = "Correct it there, or add the code to the mapping."
    return [
        problem(hub, binding, external_id, UNREADABLE, fault.message, field=fault.field, remedy=remedy)
        for fault in faults
    ]


def sighting(change: Change, values: dict[str, Any]) -> Sighting:
    """One observation, hashed."""
    encoded = canonical(values)
    key = change.key.casefold().replace("\0", "") if change.key else ""  # some systems keep text in capitals
    at, by = stamp(change.changed_at), change.changed_by
    return Sighting(change.id, encoded.decode(), digest(encoded), change.version, at, by, change.ours, key)


def _arriving(hub: Hub, binding: Binding, count: int) -> Callable[[int, Sighting, Doc], Arrival]:
    """A function for at most so many new links and what they show: their keys, and the record they may found."""
    entity = binding.entity
    keys, wanted_by = numberer(hub, entity), plain(hub, entity, binding.system)
    records = iter(hub.ids.texts(count))

    def arrive(number: int, seen: Sighting, shown: Doc) -> Arrival:
        wanted = None if seen.hub_key else wanted_by(shown)
        if wanted is None:
            return Arrival(number, seen, keys(shown))
        return Arrival(number, seen, keys(shown), next(records), wanted)

    return arrive


def _arrivals(
    hub: Hub, binding: Binding, added: Sequence[tuple[int, Sighting]], waiting: Collection[int]
) -> list[Arrival]:
    """New links; one that waits for something it refers to founds nothing by itself."""
    arrive = _arriving(hub, binding, len(added))
    arrivals = [arrive(number, seen, seen.values) for number, seen in added]
    return [one._replace(record=None, wanted="") if one.link in waiting else one for one in arrivals]


def _sort(hub: Hub, sightings: list[Sighting], known: dict[str, Known]) -> _Sorted:
    found, new = _Sorted(), []
    for seen in sightings:
        old = known.get(seen.external_id)
        if old is None:
            new.append(seen)
        elif old.hash != seen.hash or old.state in GONE:
            found.changed.append((old, seen))
        elif old.version != seen.version:
            found.touched.append((old, seen))
    found.added = list(zip(hub.ids.numbers(len(new)), new, strict=True))
    return found


def _add(hub: Hub, work: Work, binding: Binding, arrivals: list[Arrival], at: str) -> bool:
    where = (binding.system, binding.object.name, binding.entity)
    return work.add_links(where, hub.run, hub.rulebook.version, at, arrivals)


def _change(hub: Hub, work: Work, binding: Binding, changed: list[tuple[Known, Sighting]], at: str) -> None:
    if not changed:
        return
    before = work.current([old.id for old, _ in changed])
    diffs = {old.id: difference(before[old.id], seen.values) for old, seen in changed}
    lost = {number: sum(blank(new) for _, new in changes.values()) for number, changes in diffs.items()}
    work.change_links(hub.run, at, [(old, seen, lost[old.id]) for old, seen in changed])
    work.write_journal(hub.run, at, [(old.id, seen.changed_by, diffs[old.id]) for old, seen in changed])
    after = [(old.id, seen.values) for old, seen in changed]
    replace_keys(hub, work, binding.entity, before.items(), after)
    work.revive([old.id for old, _ in changed if old.state == LinkState.MERGED])
    work.mark_dirty(binding.entity, [(*row, "", at) for row in sorted(_reasons(changed, diffs))])


def _reasons(changed: list[tuple[Known, Sighting]], diffs: Mapping[int, Doc]) -> set[tuple[str, Reason]]:
    """Records to be looked at, and why.

    What says the same in other words (another id of the same parent, a blank field that is shown for the first time)
    is no edit, and no news for the guard. What a further record of a system says is nothing to its record.
    """
    return {
        (old.record, Reason.OBSERVED if diffs[old.id] or old.state in GONE else Reason.RELEASED)
        for old, _ in changed
        if old.record and old.state != LinkState.FURTHER
    }


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """Per changed field [before, after]; a field that is no longer sent is no change."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}


def _end(work: Work, binding: Binding, gone: list[Change], known: dict[str, Known], at: str) -> int:
    ended = [
        (known[change.id], change.merged_into)
        for change in gone
        if change.id in known and known[change.id].state not in GONE
    ]
    work.end_links(at, [(old.id, survivor) for old, survivor in ended])
    work.mark_dirty(binding.entity, [(old.record, Reason.OBSERVED, "", at) for old, _ in ended if old.record])
    return len(ended)


def let_go(work: Work, binding: Binding, known: Sequence[Known], at: str) -> int:
    """These exist there and are none of our business any more; returns how many were until now."""
    left = [one for one in known if one.state not in (*GONE, LinkState.DETACHED)]
    if not left:
        return 0
    work.end_links(at, [(one.id, "") for one in left])
    work.place([(one.id, one.record, LinkState.ENDED if one.record else LinkState.UNLINKED, LEFT) for one in left])
    work.drop_references([one.id for one in left])
    work.mark_dirty(binding.entity, [(one.record, Reason.OBSERVED, "", at) for one in left if one.record])
    return len(left)
