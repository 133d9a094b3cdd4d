"""Merges records by a person's word, and takes apart what was put together in error.

No remote system is called: what follows for systems is what the rules say of the records in the next round.
Not here: merges made in a system (`merges`), questions about identity (`resolve`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import product

from fsm_core.errors import Invalid
from fsm_core.service.deciding import deciding, empty_record, tell
from fsm_core.service.hub import Hub
from fsm_core.service.merges import MERGE, repoint, unite
from fsm_core.service.moot import end_questions
from fsm_core.service.pins import part
from fsm_core.service.problems import WRITES
from fsm_core.state import MERGED, Doc, Link, LinkState, Reason, Record, Work
from fsm_core.sync.types import HUB

UNMERGE = "unmerge"
SPLIT = "taken apart"
"""The method of a link that a person took out of another record."""
_THERE = (LinkState.LIVE, LinkState.FURTHER)


@dataclass(frozen=True, slots=True)
class Parted:
    """What came of taking a record apart."""

    kept: str
    """The record that stays."""
    parted: str
    """The record of what was taken out."""
    links: list[list[str]]
    """System and id of what that one has now."""
    unsaid: list[str]
    """Fields that the record which stays had from there; what its own systems show holds for them now."""


# -- two become one ------------------------------------------------------------------------------


def merge(hub: Hub, entity: str, into: str, old: str, by: str) -> None:
    """Let one record take the place of another. Raises `Invalid` where a system has a record of both."""
    with deciding(hub) as work:
        unite_by_hand(hub, work, old, into, by, entity)


def unite_by_hand(hub: Hub, work: Work, old: str, into: str, by: str, entity: str = "") -> None:
    """The same within a decision."""
    records = work.records([old, into])
    for wanted in (old, into):
        one = records.get(wanted)
        if one is None or one.lifecycle == MERGED or entity not in ("", one.entity):
            raise Invalid(
                f"{wanted} is no {entity or 'record'} of the hub", remedy="Look it up: 'fsm-hub record show'."
            )
    if old == into:
        raise Invalid(f"{old} is one record already", remedy="See 'fsm-hub match history'.")
    _none_in_flight(work, [old, into])
    links = work.links_of([old, into])
    mine, theirs = ([link for link in links if link.record == one] for one in (old, into))
    _only_one_per_system(mine, theirs, hub.book(records[into].entity).several)
    pairs = list(product([link.id for link in mine], [link.id for link in theirs]))
    work.drop_apart([(min(pair), max(pair)) for pair in pairs])
    unite(hub, work, records[old], records[into], mine, {}, by)


def _none_in_flight(work: Work, records: Collection[str]) -> None:
    if attempts := work.attempts_of(records):
        message = f"a write to {attempts[0].system} is under way"
        raise Invalid(message, remedy="Run a round, so that its end is known; then do it again.")


def _only_one_per_system(mine: Sequence[Link], theirs: Sequence[Link], several: Collection[str]) -> None:
    alive = [link for link in theirs if link.state == LinkState.LIVE and link.system not in (HUB, *several)]
    there = {link.system: link.external_id for link in alive}
    twice = [link for link in mine if link.state == LinkState.LIVE and link.system in there]
    if twice:
        system, ids = twice[0].system, f"{twice[0].external_id} and {there[twice[0].system]}"
        raise Invalid(f"{system} has a record of both ({ids})", remedy=f"Merge them in {system}; the hub follows.")


# -- one becomes two -----------------------------------------------------------------------------


def unmerge(hub: Hub, entity: str, record: str, links: Collection[int], by: str) -> Parted:
    """Give the systems of these links a record of their own again: the one they had before a merge, or a new one.

    It is remembered that both are not the same, so that no key puts them together again. Raises `Invalid` where there
    is nothing to take apart, or something about the record has to be answered first.
    """
    with deciding(hub) as work:
        one = work.records([record]).get(record)
        if one is None or one.entity != entity or one.lifecycle == MERGED:
            raise Invalid(f"{record} is no {entity} of the hub", remedy="Look it up: 'fsm-hub record show'.")
        _none_in_flight(work, [record])
        _nothing_asked(work, record)
        out, stay = _sides(work, one, links)
        former, brought = _former(work, one, [link.id for link in out if link.state in _THERE])
        if former is None and _speaks(out):
            out, stay = _with_our_key(one, out, stay)
        target = _revived(hub, former, out) if former else empty_record(hub, one.entity)
        (work.change_records if former else work.add_records)([target])
        part(work, one, target, brought)
        return _part(hub, work, one, target, out, stay, by)


def _nothing_asked(work: Work, record: str) -> None:
    for conflict in work.open_conflicts([record]):
        if conflict.type in ("delete", MERGE):
            remedy = f"Answer conflict {conflict.id[-8:]} first."
            raise Invalid(f"a question about this record is open: {conflict.note}", remedy=remedy)


def _sides(work: Work, record: Record, named: Collection[int]) -> tuple[list[Link], list[Link]]:
    """What is taken out, with the other names it has in its system, and what stays."""
    links = work.links_of([record.id])
    chosen = [link for link in links if link.id in named]
    gone = [link for link in chosen if link.state not in _THERE]
    if gone:
        message = f"{gone[0].external_id} takes no part in {gone[0].system}: it is {gone[0].state}"
        raise Invalid(message, remedy=f"Separate them in {gone[0].system}; the hub follows.")
    systems = {link.system for link in chosen if link.state == LinkState.LIVE}
    out = [link for link in links if link.system in systems or link in chosen]
    stay = [link for link in links if link not in out]
    if not chosen or not any(link.state == LinkState.LIVE for link in stay):
        raise Invalid("there is nothing to take it apart from", remedy="See 'fsm-hub match history'.")
    return out, stay


def _speaks(links: Sequence[Link]) -> bool:
    """Whether one of these is more than a further record of its system."""
    return any(link.state == LinkState.LIVE for link in links)


def _former(work: Work, record: Record, out: Sequence[int]) -> tuple[Record | None, Sequence[Doc]]:
    """The record from which all of these came, if a merge brought them and its record was not taken up since.

    With the pins it had.
    """
    for content in work.told(record.id, MERGE):
        moved = {row[0] for row in content.get("links", ())}
        if moved.issuperset(out):
            old = work.records([content["merged"]]).get(content["merged"])
            return (old, content.get("pins", ())) if old is not None and old.merged_into == record.id else (None, ())
    return None, ()


def _with_our_key(record: Record, out: list[Link], stay: list[Link]) -> tuple[list[Link], list[Link]]:
    """Who carries the record's id in its system keeps the record: the next create must not meet it there."""
    taken, kept = ([link.external_id for link in side if link.hub_key == record.id] for side in (out, stay))
    if taken and kept:
        message = f"{', '.join((*taken, *kept))} were all made from this record and carry its id"
        raise Invalid(message, remedy="Take out the one they were made from.")
    return (stay, out) if taken else (out, stay)


def _revived(hub: Hub, old: Record, out: Sequence[Link]) -> Record:
    """The record as it was, but for what its systems say themselves: that is decided anew."""
    shown = {name for link in out if link.state in _THERE for name in link.now}
    old.document = {name: value for name, value in old.document.items() if name not in shown}
    old.provenance = {name: said for name, said in old.provenance.items() if name not in shown}
    old.lifecycle, old.merged_into, old.version, old.updated_at = "active", None, old.version + 1, hub.at()
    return old


def _part(hub: Hub, work: Work, one: Record, target: Record, out: list[Link], stay: list[Link], by: str) -> Parted:
    at, systems = hub.at(), {link.system for link in out if link.state == LinkState.LIVE}
    further = [link for link in out if link.system not in systems]
    was = [[link.id, link.system, link.external_id, link.method] for link in out]
    for link in out:
        link.state = LinkState.LIVE if link in further else link.state
        link.record, link.method = target.id, SPLIT
        link.base, link.sent, link.holds = None, {}, {}
    unsaid = _unsay(one, stay, systems)
    one.version, one.updated_at = one.version + 1, at
    work.change_records([one])
    work.settle_links([*out, *stay])
    work.put_apart(product([link.id for link in out], [link.id for link in stay]), by, at)
    if systems:
        repoint(hub, work, one.id, target.id, systems)
    if further:
        repoint(hub, work, one.id, target.id, {x.system for x in further}, [x.external_id for x in further])
    _drop_questions(hub, work, one, systems)
    for link in out:
        work.solve_problems(link.system, [link.external_id], WRITES, at)
    work.mark_dirty(one.entity, [(record.id, Reason.DECISION, "", at) for record in (one, target)])
    told: Doc = {"kept": one.id, "parted": target.id, "links": was, "unsaid": unsaid}
    for record in (one, target):
        tell(hub, work, by, UNMERGE, one.entity, record.id, told)
    return Parted(one.id, target.id, [[link.system, link.external_id] for link in out], sorted(unsaid))


def _unsay(one: Record, stay: Sequence[Link], systems: Collection[str]) -> Doc:
    """Take out what these systems said; those that stay say it anew, if they show it. Returns what it was."""
    rest: Doc = one.provenance.get("*") or {}
    unsaid = {
        name: value
        for name, value in one.document.items()
        if (one.provenance.get(name) or rest).get("system") in systems
    }
    for name in unsaid:
        del one.document[name]
        one.provenance.pop(name, None)
        for link in stay:
            for told in (link.base or {}, link.sent, link.holds):
                told.pop(name, None)
    if rest.get("system") in systems:
        one.provenance.pop("*")
    return unsaid


def _drop_questions(hub: Hub, work: Work, one: Record, systems: Collection[str]) -> None:
    """Questions in which those that left have a say are over; what is left of them is asked anew."""
    moot = [
        conflict
        for conflict in work.open_conflicts([one.id])
        if conflict.type == "field" and {side["system"] for side in conflict.snapshot.get("sides", ())} & set(systems)
    ]
    end_questions(hub, work, moot)
    proposals = [proposal for proposal in work.open_proposals([one.id]) if proposal.system in systems]
    for proposal in proposals:
        proposal.state, proposal.decided_by, proposal.decided_at = "superseded", "engine", hub.at()
    work.change_proposals(proposals)
