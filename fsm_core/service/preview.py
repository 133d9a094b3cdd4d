"""Says how the new records of an entity would be matched, and writes nothing: the real engine on an overlay.

Needs a pull before it to be up to date. Not here: what would be written then (`plan`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from fsm_core.service.hub import Hub
from fsm_core.service.keys import keys_of
from fsm_core.service.plan import imagined
from fsm_core.state import Conflict, Doc, Link, LinkState
from fsm_core.sync.bucket import Bucket
from fsm_core.sync.match import SCORED, Doubt

T = TypeVar("T")
AT_ONCE = 5000
"""Links held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Records that are, or may be, one thing; and why."""

    bucket: Bucket
    sides: list[tuple[str, str]]
    """System and id of each."""
    why: str
    evidence: list[Doc] = field(default_factory=list)


@dataclass(slots=True)
class Preview:
    """New records by what would become of them."""

    entity: str
    counts: dict[Bucket, int] = field(default_factory=dict)
    methods: dict[str, int] = field(default_factory=dict)
    """Links that each key or a score would make."""
    questions: int = 0
    samples: list[Sample] = field(default_factory=list)


def preview(hub: Hub, entity: str, *, wanted: Collection[Bucket] = tuple(Bucket), limit: int = 5) -> Preview:
    """Match on an overlay, count, and tell the first samples of each wanted bucket."""
    found = Preview(entity)
    with hub.store.begin() as work:
        new = work.newcomers(entity)
    newcomers = set(new)
    with imagined(hub, [entity]) as (there, _):
        for start in range(0, len(new), AT_ONCE):
            with there.store.begin() as work:
                links = work.links(new[start : start + AT_ONCE])
                records = {link.record for link in links if link.record and link.method != "created"}
                partners = _by_record(work.links_of(records))
            _count_links(there, found, links, partners, newcomers, wanted, limit)
        with there.store.begin() as work:
            asked = work.open_matches(entity)
        _count_questions(found, asked, newcomers, wanted, limit)
    return found


def _by_record(links: Sequence[Link]) -> dict[str, list[Link]]:
    found: defaultdict[str, list[Link]] = defaultdict(list)
    for link in links:
        found[link.record or ""].append(link)
    return dict(found)


def _newly_linked(
    links: Sequence[Link], partners: dict[str, list[Link]], newcomers: Collection[int]
) -> dict[int, tuple[list[Link], bool]]:
    """With whom each is linked, and whether that is a link made; several that found a record are one less."""
    found = {}
    for link in links:
        several = [one for one in partners.get(link.record or "", ()) if one.state == LinkState.LIVE]
        if len(several) > 1:
            founder = min((one.id for one in several), key=lambda n: (n in newcomers, n))
            found[link.id] = (several, link.id != founder)
    return found


def _count_links(
    hub: Hub,
    found: Preview,
    links: Sequence[Link],
    partners: dict[str, list[Link]],
    newcomers: Collection[int],
    wanted: Collection[Bucket],
    limit: int,
) -> None:
    """All but those in question."""
    linked = _newly_linked(links, partners, newcomers)
    for link in links:
        if link.state == LinkState.PENDING:
            continue
        if link.state == LinkState.FURTHER:
            _more(found.counts, Bucket.FURTHER, 1)
            _show(found, _further(link, partners.get(link.record or "", ())), wanted, limit)
        elif link.state != LinkState.LIVE or not link.record:
            _more(found.counts, Bucket.LEFT, 1)
            _show(found, Sample(Bucket.LEFT, _named([link]), str(link.state)), wanted, limit)
        elif link.id in linked:
            several, made = linked[link.id]
            _more(found.counts, Bucket.UNIQUE, 1)
            if made:
                _more(found.methods, _method(link), 1)
                _show(found, _linked(hub, several, _method(link)), wanted, limit)
        else:
            _more(found.counts, Bucket.NONE, 1)
            _show(found, Sample(Bucket.NONE, _named([link]), "nothing is like it"), wanted, limit)


def _more(counts: dict[T, int], what: T, number: int) -> None:
    counts[what] = counts.get(what, 0) + number


def _method(link: Link) -> str:
    return SCORED.strip() if link.method.startswith(SCORED) else link.method


def _linked(hub: Hub, links: Sequence[Link], method: str) -> Sample:
    name = method.removeprefix("key ")
    told = keys_of(hub, links[0].entity, [(link.id, link.now) for link in links])
    values = [{value for key, value in keys if key == name} for _, keys in told]
    common = sorted(set.intersection(*values)) if values else []
    why = f"{method}: {', '.join(common)}" if common else links[-1].method
    return Sample(Bucket.UNIQUE, _named(links), why)


def _count_questions(
    found: Preview, asked: Sequence[Conflict], new: set[int], wanted: Collection[Bucket], limit: int
) -> None:
    for conflict in asked:
        sides = conflict.snapshot["sides"]
        waiting = [side for side in sides if side["waiting"] and side["link"] in new]
        if not waiting:
            continue
        contradicts = conflict.snapshot.get("doubt") == Doubt.CONTRADICTING
        bucket = Bucket.CONTRADICTING if contradicts else Bucket.AMBIGUOUS
        found.questions += 1
        _more(found.counts, bucket, len(waiting))
        named = [(side["system"], side["id"]) for side in sides]
        sample = Sample(bucket, named, conflict.note, conflict.snapshot.get("evidence", []))
        _show(found, sample, wanted, limit)


def _further(link: Link, partners: Sequence[Link]) -> Sample:
    """One more record of a system, with what speaks for its record there."""
    speaking = [one for one in partners if one.system == link.system and one.state == LinkState.LIVE]
    return Sample(Bucket.FURTHER, _named([link, *speaking]), link.method)


def _named(links: Sequence[Link]) -> list[tuple[str, str]]:
    return [(link.system, link.external_id) for link in links]


def _show(found: Preview, sample: Sample, wanted: Collection[Bucket], limit: int) -> None:
    shown = sum(one.bucket is sample.bucket for one in found.samples)
    if sample.bucket in wanted and shown < limit:
        found.samples.append(sample)
