"""Reads a system's changes page by page and lands them as observations.

A page, its observations and its cursor commit in one transaction; no remote call runs inside one.
Not here: what an observation means (`converge`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from fsm_core.errors import CursorExpired
from fsm_core.model.compare import blank, canonical, digest
from fsm_core.ports import Change, Page, State
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.problems import problem
from fsm_core.state import Doc, Known, LinkState, Problem, Reason, Sighting, Work, stamp
from fsm_core.sync.match import key_reader

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
    complete: bool = False


@dataclass(slots=True)
class _Sorted:
    """A page, sorted by what is known."""

    added: list[tuple[int, Sighting]] = field(default_factory=list)
    changed: list[tuple[Known, Sighting]] = field(default_factory=list)
    touched: list[tuple[Known, Sighting]] = field(default_factory=list)


def pull(hub: Hub, binding: Binding, *, full: bool = False) -> Pulled:
    """Land everything since the stored cursor, or everything there is. Raises `Retry` and `Misconfigured`."""
    report = Pulled(binding.system)
    for page in pages(hub, binding, full=full):
        land(hub, binding, page, report)
    return report


def pages(hub: Hub, binding: Binding, *, full: bool = False) -> Iterator[Page]:
    """The pages of a pass, the next one fetched while this one is worked on. An expired cursor starts over."""
    with hub.store.begin() as work:
        since = None if full else work.cursor(binding.system, binding.object.name, binding.entity)
    try:
        yield from _ahead(binding.connector.changes(binding.object, since))
    except CursorExpired:
        if since is None:
            raise
        yield from _ahead(binding.connector.changes(binding.object, None))


def _ahead(source: Iterator[Page]) -> Iterator[Page]:
    with ThreadPoolExecutor(1, thread_name_prefix="page") as pool:
        coming = pool.submit(next, source, None)
        while (page := coming.result()) is not None:
            coming = pool.submit(next, source, None)
            yield page


def land(hub: Hub, binding: Binding, page: Page, report: Pulled) -> None:
    """Store one page. Landing the same page again changes nothing."""
    latest = {change.id: change for change in page.changes}
    sightings, faults = _sightings(hub, binding, [c for c in latest.values() if c.state is State.LIVE])
    gone = [c for c in latest.values() if c.state is not State.LIVE]
    at = hub.at()
    with hub.store.begin() as work:
        known = work.known_links(binding.system, binding.object.name, binding.entity, list(latest))
        found = _sort(hub, sightings, known)
        _store(hub, work, binding, found, at)
        ended = _end(work, binding, gone, known, at)
        work.solve_problems(binding.system, [seen.external_id for _, seen in found.changed], (UNREADABLE,), at)
        work.raise_problems(faults)
        if page.cursor is not None:
            work.put_cursor(
                binding.system, binding.object.name, binding.entity, page.cursor, at, complete=page.complete
            )
    report.pages += 1
    report.seen += len(latest)
    report.listed += len(sightings)
    report.new += len(found.added)
    report.changed += len(found.changed)
    report.gone += ended
    report.complete = report.complete or page.complete
    hub.page_done()


def _sightings(hub: Hub, binding: Binding, changes: list[Change]) -> tuple[list[Sighting], list[Problem]]:
    decode = binding.translation.decode
    sightings, problems = [], []
    for change in changes:
        decoded = decode(change.document)
        sightings.append(sighting(change, decoded.values))
        problems += [
            problem(
                hub,
                binding,
                change.id,
                UNREADABLE,
                fault.message,
                field=fault.field,
                remedy="Correct it there, or add the code to the mapping.",
            )
            for fault in decoded.faults
        ]
    return sightings, problems


def sighting(change: Change, values: dict[str, Any]) -> Sighting:
    """One observation, hashed."""
    encoded = canonical(values)
    return Sighting(
        external_id=change.id,
        now=encoded.decode(),
        hash=digest(encoded),
        version=change.version,
        changed_at=stamp(change.changed_at),
        changed_by=change.changed_by,
        ours=change.ours,
        hub_key=change.key.casefold().replace("\0", ""),  # some systems keep text in capitals
        values=values,
    )


def keys_of(hub: Hub, entity: str, links: Iterable[tuple[int, Doc]]) -> list[tuple[int, list[tuple[str, str]]]]:
    """The values by which these links are matched, from what they show."""
    book = hub.book(entity)
    keys = [("+".join(names), key_reader(names)) for names in (*book.keys, *book.ask)]
    return [(number, [(name, value) for name, read in keys for value in read(shown)]) for number, shown in links]


def _sort(hub: Hub, sightings: list[Sighting], known: dict[str, Known]) -> _Sorted:
    found, new = _Sorted(), []
    for seen in sightings:
        old = known.get(seen.external_id)
        if old is None:
            new.append(seen)
        elif old.hash != seen.hash or old.state == LinkState.ENDED:
            found.changed.append((old, seen))
        elif old.version != seen.version:
            found.touched.append((old, seen))
    found.added = list(zip(hub.ids.numbers(len(new)), new, strict=True))
    return found


def _store(hub: Hub, work: Work, binding: Binding, found: _Sorted, at: str) -> None:
    work.add_links(binding.system, binding.object.name, binding.entity, hub.run, at, found.added)
    fresh = keys_of(hub, binding.entity, ((number, seen.values) for number, seen in found.added))
    work.put_keys(binding.entity, fresh, replace=False)
    work.touch_links(at, found.touched)
    if not found.changed:
        return
    before = work.current([old.id for old, _ in found.changed])
    diffs = {old.id: difference(before[old.id], seen.values) for old, seen in found.changed}
    lost = {number: sum(blank(new) for _, new in changes.values()) for number, changes in diffs.items()}
    work.change_links(hub.run, at, [(old, seen, lost[old.id]) for old, seen in found.changed])
    work.write_journal(hub.run, at, [(old.id, seen.changed_by, diffs[old.id]) for old, seen in found.changed])
    moved = keys_of(hub, binding.entity, ((old.id, seen.values) for old, seen in found.changed))
    work.put_keys(binding.entity, moved, replace=True)
    records = sorted({old.record for old, _ in found.changed if old.record})
    work.mark_dirty(binding.entity, [(record, Reason.OBSERVED, "", at) for record in records])


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """Per changed field [before, after]; a field that is no longer sent is no change."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}


def _end(work: Work, binding: Binding, gone: list[Change], known: dict[str, Known], at: str) -> int:
    ended = [
        (known[change.id], change.merged_into)
        for change in gone
        if change.id in known and known[change.id].state != LinkState.ENDED
    ]
    work.end_links(at, [(old.id, survivor) for old, survivor in ended])
    work.mark_dirty(binding.entity, [(old.record, Reason.OBSERVED, "", at) for old, _ in ended if old.record])
    return len(ended)
