"""Follows what people merged in a system: the survivor's link stays, the loser's id becomes another name for it.

Nothing is created again and nothing is deleted elsewhere. Where another system still keeps both, a person is asked.
Not here: merges that people make in the hub (`identity`), which end in the same two functions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from fsm_core.service import hub_store
from fsm_core.service.hub import Hub
from fsm_core.service.keys import replace_keys
from fsm_core.service.moot import end_questions
from fsm_core.service.passing import end_passage
from fsm_core.service.pins import follow
from fsm_core.service.problems import UNBORN, WRITES
from fsm_core.service.references import HOPS, ORPHAN
from fsm_core.service.routing import routed
from fsm_core.state import MERGED, Conflict, Decision, Doc, Link, LinkState, Reason, Record, Work
from fsm_core.sync.double_entry import HOLDING, SUGGESTING
from fsm_core.sync.types import HUB

MERGE = "merge"
"""The type of the question whether two records of another system are to stay two."""
PLACING = {"match", *HOLDING, *SUGGESTING}
"""Types of questions that close themselves when the records they speak of are not what they were."""


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
    further = _was_further(work, loser)
    if survivor.record is None:
        _take_place(hub, work, entity, loser, survivor, LinkState.FURTHER if further else LinkState.LIVE)
        return True
    if further:
        repoint(hub, work, loser.record, survivor.record, {loser.system}, [loser.external_id])
        _alias(hub, work, [loser], survivor.record)
        return True
    records = work.records([loser.record, survivor.record])
    return _join(hub, work, loser, records[loser.record], records[survivor.record])


def _was_further(work: Work, loser: Link) -> bool:
    """Whether another link speaks for the record in that system: what became of this one is nothing to the record."""
    links = work.links_of([loser.record or ""])
    return any(link.system == loser.system and link.state == LinkState.LIVE for link in links)


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
    end_questions(hub, work, moot)


def _take_place(hub: Hub, work: Work, entity: str, loser: Link, survivor: Link, state: LinkState) -> None:
    """The survivor was no record yet: it is the loser's from now on, and has its part."""
    record, at = loser.record or "", hub.at()
    work.place([(survivor.id, record, state, "merged")])
    _alias(hub, work, [loser], record)
    work.solve_problems(survivor.system, [survivor.external_id], UNBORN, at)
    work.mark_dirty(entity, [(record, Reason.OBSERVED, "", at)])


# -- two records become one ----------------------------------------------------------------------


def _join(hub: Hub, work: Work, loser: Link, old: Record, new: Record) -> bool:
    """Put everything of the loser's record to the survivor's, unless another system still keeps two."""
    links = [link for link in work.links_of([old.id, new.id]) if link.system != HUB]
    mine = [link for link in links if link.record == old.id and link.id != loser.id]
    theirs = {link.system for link in links if link.record == new.id and link.state == LinkState.LIVE}
    theirs -= hub.book(old.entity).several
    twice = [link for link in mine if link.state == LinkState.LIVE and link.system in theirs]
    if twice:
        _ask(hub, work, loser, old, new, [link for link in links if link.system in {x.system for x in twice}])
        return False
    _alias(hub, work, [loser], new.id)
    said: Doc = {"system": loser.system, "loser": loser.external_id, "survivor": loser.merged_into}
    unite(hub, work, old, new, mine, said)
    return True


def unite(hub: Hub, work: Work, old: Record, new: Record, links: Sequence[Link], said: Doc, by: str = "engine") -> None:
    """Let the new record take the old one's place, with these links of it; the audit tells what else is `said`."""
    everything = work.links_of([old.id, new.id])
    present = {link.system for link in everything if link.record == new.id and link.state == LinkState.LIVE}
    links = [link for link in links if link.system != HUB]
    moved = [[link.id, link.system, link.external_id, link.method] for link in links]
    _move(work, links, present, old.id, new.id)
    hub_store.follow(hub, work, everything, old, new)
    said = {**said, "links": moved} | ({"pins": pins} if (pins := follow(work, old, new)) else {})
    _end(hub, work, old, new, said, by)
    repoint(hub, work, old.id, new.id)
    work.repoint_pins(old.id, new.id)
    work.mark_dirty(new.entity, [(new.id, Reason.OBSERVED, "", hub.at())])


def _move(work: Work, links: Sequence[Link], present: set[str], old: str, record: str) -> None:
    """The links follow; what they say meets the survivor's record for the first time.

    Where a link speaks for that in its system already, another one is further there.
    """
    for link in links:
        if link.state == LinkState.ENDED and link.system in present:
            link.state = LinkState.MERGED
        if link.state == LinkState.LIVE and link.system in present:
            link.state = LinkState.FURTHER
            work.name_references(old, link.system, link.external_id)
        link.record, link.method, link.base, link.sent, link.holds = record, MERGED, None, {}, {}
    work.settle_links(links)


def _end(hub: Hub, work: Work, old: Record, new: Record, said: Doc, by: str) -> None:
    at = hub.at()
    last = dict(old.document)
    old.lifecycle, old.merged_into, old.updated_at = MERGED, new.id, at
    old.version += 1
    end_passage(hub, work, old)
    work.change_records([old])
    work.clear_dirty(old.entity, [old.id], list(Reason), None)
    for binding in hub.of_entity(old.entity):
        work.solve_problems(binding.system, [old.id], WRITES, at)
    # questions about identity close themselves, and free who waits for them
    end_questions(hub, work, [conflict for conflict in work.open_conflicts([old.id]) if conflict.type not in PLACING])
    proposals = work.open_proposals([old.id])
    for proposal in proposals:
        proposal.state, proposal.decided_by, proposal.decided_at = "superseded", "engine", at
    work.change_proposals(proposals)
    work.write_decisions(
        hub.run,
        at,
        [
            Decision(hub.ids.text(), new.id, new.entity, by, MERGE, {"merged": old.id, "document": last, **said}),
            Decision(hub.ids.text(), old.id, old.entity, by, MERGE, {"into": new.id, **said}),
        ],
    )


def repoint(
    hub: Hub, work: Work, old: str, new: str, systems: Collection[str] | None = None, via: Collection[str] = ()
) -> None:
    """What referred to the old record refers to the new one: nobody's edit, so base and record move along.

    With `systems` only what these say: a record of which another system still says the old one is left for the rules.
    With `via` only what they say of these further ids.
    """
    rows = _referring(work, old, via)
    links = [link for link in work.links(rows) if systems is None or link.system in systems] if rows else []
    if not links:
        return
    torn = set() if systems is None else _torn(work, links, systems, _referring(work, old) if via else rows)
    before = {link.id: dict(link.now) for link in links}
    for link in links:
        for document in (link.now,) if link.record in torn else (link.now, link.base or {}, link.sent):
            _replace(document, rows[link.id], old, new)
    work.rewrite_links(links)
    for name in sorted({name for link in links for name in rows[link.id]}):
        mine = [link.id for link in links if name in rows[link.id]]
        work.repoint_references(mine, name, old, new, via)
    for entity in sorted({link.entity for link in links}):
        mine_too = [link for link in links if link.entity == entity]
        replace_keys(hub, work, entity, [(x.id, before[x.id]) for x in mine_too], [(x.id, x.now) for x in mine_too])
        speaking = [x for x in mine_too if x.record not in torn and x.state != LinkState.FURTHER]
        _repoint_records(hub, work, entity, speaking, old, new)
        undecided = {link.record for link in mine_too if link.record in torn}
        work.mark_dirty(entity, [(str(record), Reason.DECISION, "", hub.at()) for record in undecided])


def _referring(work: Work, parent: str, via: Collection[str] = ()) -> dict[int, set[str]]:
    """The links that refer to a record, each with the fields that do."""
    rows: defaultdict[int, set[str]] = defaultdict(set)
    for number, name, _ in work.children([parent], via):
        rows[number].add(name)
    return dict(rows)


def _torn(work: Work, links: Sequence[Link], systems: Collection[str], rows: Mapping[int, set[str]]) -> set[str | None]:
    """Records of which another system goes on saying what it said."""
    siblings = work.links_of({link.record for link in links if link.record})
    return {link.record for link in siblings if link.id in rows and link.system not in systems}


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
    question = Conflict(
        id=hub.ids.text(), entity=old.entity, type=MERGE, record=old.id, field="", state="open",
        opened_at=hub.at(), note=note, snapshot=snapshot,
    )  # fmt: skip
    work.add_conflicts(routed(hub, [question]))
