"""Follows what people merged in a system: the survivor's link stays, the loser's id becomes another name for it.

Nothing is created again and nothing is deleted elsewhere. Where another system still keeps both, a person is asked.
Not here: merges that the hub would propose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fsm_core.service.hub import Hub
from fsm_core.service.keys import replace_keys
from fsm_core.service.problems import UNBORN, WRITES
from fsm_core.service.references import HOPS, ORPHAN
from fsm_core.state import MERGED, Conflict, Decision, Link, LinkState, Reason, Record, Work

MERGE = "merge"
"""The type of the question whether two records of another system are to stay two."""


def follow_merges(hub: Hub, entity: str) -> int:
    """Let links follow their survivors; returns how many were followed. What has no known survivor is left alone."""
    followed, after = 0, 0
    while True:
        with hub.store.begin() as work:
            losers = work.merged_away(entity, after, hub.page)
            if not losers:
                return followed
            for loser in losers:
                followed += _follow(hub, work, entity, loser.id)
        after = losers[-1].id


def _survivor(work: Work, loser: Link) -> Link | None:
    """The end of the chain; None where it is not known, or gone itself."""
    wanted = loser.merged_into or ""
    for _hop in range(HOPS):
        known = work.known_links(loser.system, loser.object, loser.entity, [wanted]).get(wanted)
        if known is None:
            return None
        link = work.links([known.id])[0]
        if link.state not in (LinkState.ENDED, LinkState.MERGED):
            return link
        if not link.merged_into:
            return None
        wanted = link.merged_into
    return None


def is_followed(work: Work, link: Link) -> bool:
    """Whether what ended was merged into something the hub knows: then it is no deletion."""
    return bool(link.merged_into) and _survivor(work, link) is not None


def _follow(hub: Hub, work: Work, entity: str, number: int) -> bool:
    """Whether the loser is another name of the survivor's record now. An earlier merge may have moved it."""
    loser = work.links([number])[0]
    survivor = _survivor(work, loser)
    if survivor is None or loser.state != LinkState.ENDED:
        return False
    if loser.record is None and survivor.record is None:
        return False  # placed later, followed then
    if loser.record is None or loser.record == survivor.record:
        _alias(hub, work, [loser], survivor.record or "")
        return True
    if work.attempts_of({loser.record, survivor.record or loser.record}):
        return False  # a write to one of them is under way: followed when its end is known
    if survivor.record is None:
        _take_place(hub, work, entity, loser, survivor)
        return True
    records = work.records([loser.record, survivor.record])
    return _join(hub, work, loser, records[loser.record], records[survivor.record])


def _alias(hub: Hub, work: Work, losers: Sequence[Link], record: str) -> None:
    """These are other names of a record; what was asked or told of them is over."""
    at = hub.at()
    work.place([(link.id, record, LinkState.MERGED, "merged") for link in losers])
    work.drop_references([link.id for link in losers])
    for link in losers:
        work.solve_problems(link.system, [link.external_id], (*WRITES, *UNBORN, ORPHAN), at)
    _close(hub, work, [record], {link.id for link in losers})


def _close(hub: Hub, work: Work, records: Sequence[str], links: set[int]) -> None:
    """Questions about the end of these links are answered by the merge."""
    moot = [c for c in work.open_conflicts(records) if c.type in ("delete", MERGE) and c.snapshot.get("link") in links]
    _over(hub, work, moot)


def _over(hub: Hub, work: Work, conflicts: Sequence[Conflict]) -> None:
    for conflict in conflicts:
        conflict.state, conflict.resolved_by, conflict.resolved_at = "closed", "engine", hub.at()
    work.change_conflicts(conflicts)


def _take_place(hub: Hub, work: Work, entity: str, loser: Link, survivor: Link) -> None:
    """The survivor was no record yet: it is the loser's from now on."""
    record, at = loser.record or "", hub.at()
    work.place([(survivor.id, record, LinkState.LIVE, "merged")])
    _alias(hub, work, [loser], record)
    work.solve_problems(survivor.system, [survivor.external_id], UNBORN, at)
    work.mark_dirty(entity, [(record, Reason.OBSERVED, "", at)])


# -- two records become one ----------------------------------------------------------------------


def _join(hub: Hub, work: Work, loser: Link, old: Record, new: Record) -> bool:
    """Put everything of the loser's record to the survivor's, unless another system still keeps two."""
    links = work.links_of([old.id, new.id])
    mine = [link for link in links if link.record == old.id and link.id != loser.id]
    theirs = {link.system for link in links if link.record == new.id and link.state == LinkState.LIVE}
    twice = [link for link in mine if link.state == LinkState.LIVE and link.system in theirs]
    if twice:
        _ask(hub, work, loser, old, new, [link for link in links if link.system in {x.system for x in twice}])
        return False
    _move(work, mine, theirs, new.id)
    _alias(hub, work, [loser], new.id)
    _end(hub, work, old, new, loser)
    repoint(hub, work, old.id, new.id)
    work.mark_dirty(new.entity, [(new.id, Reason.OBSERVED, "", hub.at())])
    return True


def _move(work: Work, links: Sequence[Link], present: set[str], record: str) -> None:
    """The other systems' links follow; what they say meets the survivor's record for the first time."""
    for link in links:
        if link.state == LinkState.ENDED and link.system in present:
            link.state = LinkState.MERGED
        link.record, link.method, link.base, link.sent = record, MERGED, None, {}
    work.settle_links(links)


def _end(hub: Hub, work: Work, old: Record, new: Record, loser: Link) -> None:
    at = hub.at()
    last = dict(old.document)
    old.lifecycle, old.merged_into, old.updated_at = MERGED, new.id, at
    old.version += 1
    work.change_records([old])
    work.clear_dirty(old.entity, [old.id], list(Reason), None)
    work.solve_problems(loser.system, [old.id], WRITES, at)
    # questions about identity close themselves, and free who waits for them
    _over(hub, work, [conflict for conflict in work.open_conflicts([old.id]) if conflict.type != "match"])
    proposals = work.open_proposals([old.id])
    for proposal in proposals:
        proposal.state, proposal.decided_by, proposal.decided_at = "superseded", "engine", at
    work.change_proposals(proposals)
    said = {"system": loser.system, "loser": loser.external_id, "survivor": loser.merged_into}
    work.write_decisions(
        hub.run,
        at,
        [
            Decision(hub.ids.text(), new.id, new.entity, "engine", MERGE, {"merged": old.id, "document": last, **said}),
            Decision(hub.ids.text(), old.id, old.entity, "engine", MERGE, {"into": new.id, **said}),
        ],
    )


def repoint(hub: Hub, work: Work, old: str, new: str) -> None:
    """What referred to the old record refers to the new one: nobody's edit, so base and record move along."""
    rows: defaultdict[int, set[str]] = defaultdict(set)
    for number, name, _ in work.children([old]):
        rows[number].add(name)
    if not rows:
        return
    links = work.links(rows)
    before = {link.id: dict(link.now) for link in links}
    for link in links:
        for document in (link.now, link.base or {}, link.sent):
            _replace(document, rows[link.id], old, new)
    work.rewrite_links(links)
    work.repoint(old, new)
    for entity in sorted({link.entity for link in links}):
        mine = [link for link in links if link.entity == entity]
        replace_keys(hub, work, entity, [(x.id, before[x.id]) for x in mine], [(x.id, x.now) for x in mine])
        _repoint_records(hub, work, entity, mine, old, new)


def _replace(document: dict[str, object], names: set[str], old: str, new: str) -> None:
    for name in names:
        if document.get(name) == old:
            document[name] = new


def _repoint_records(hub: Hub, work: Work, entity: str, links: Sequence[Link], old: str, new: str) -> None:
    names = {name for name, shape in hub.book(entity).shape.fields.items() if shape.reference}
    records = work.records({link.record for link in links if link.record})
    moved = [record for record in records.values() if old in {record.document.get(name) for name in names}]
    for record in moved:
        _replace(record.document, names, old, new)
        record.version, record.updated_at = record.version + 1, hub.at()
    work.change_records(moved)
    work.mark_dirty(entity, [(record, Reason.RELEASED, "", hub.at()) for record in records])


# -- another system keeps two --------------------------------------------------------------------


def _ask(hub: Hub, work: Work, loser: Link, old: Record, new: Record, both: Sequence[Link]) -> None:
    """A person merges them there too, or keeps the loser's record apart from the system that merged."""
    if any(c.type in ("delete", MERGE) and c.snapshot.get("link") == loser.id for c in work.open_conflicts([old.id])):
        return
    two = sorted(link.external_id for link in both if link.state == LinkState.LIVE)
    systems = ", ".join(sorted({link.system for link in both}))
    note = (
        f"merged in {loser.system} into {loser.merged_into}; {systems} still has two ({', '.join(two)}): "
        f"merge them there, or answer 'detach' to keep them"
    )
    sides = [
        {"system": link.system, "id": link.external_id, "by": link.changed_by, "at": link.changed_at}
        for link in (loser, *both)
    ]
    snapshot = {"link": loser.id, "into": new.id, "sides": sides}
    work.add_conflicts(
        [
            Conflict(
                id=hub.ids.text(), entity=old.entity, type=MERGE, record=old.id, field="", state="open",
                opened_at=hub.at(), note=note, snapshot=snapshot,
            )
        ]
    )  # fmt: skip
