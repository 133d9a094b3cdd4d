"""Gives every new link its record: by our own key, by strong keys, by its likeness, or as a question to a person.

Not here: the pure grouping (`fsm_core.sync.match`) and what the records then say (`converge`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fsm_core.service.alike import Likes, alike, as_pairs, compared, evidence, facts_of
from fsm_core.service.hub import Hub
from fsm_core.service.keys import keys_of, numbered
from fsm_core.service.moot import end_questions
from fsm_core.service.problems import UNBORN, WRITES
from fsm_core.service.routing import routed
from fsm_core.service.several import speakers
from fsm_core.state import GONE, MERGED, Conflict, Link, LinkState, Reason, Work
from fsm_core.sync.match import SCORED, Assembly, Candidate, Group, Question, assemble

USABLE = (LinkState.LIVE, LinkState.PENDING, LinkState.INVALID, LinkState.FURTHER)
"""What a new link may belong to; a record that could not be born alone may be with another."""
UNPLACED = (LinkState.LIVE, LinkState.INVALID)
HOPS = 5
"""How far equal keys are followed from a new link; a longer chain is left to the next page."""


@dataclass(slots=True)
class Placing:
    """New links sorted by what becomes of them."""

    births: list[list[Link]] = field(default_factory=list)
    """Each becomes one new record."""
    methods: dict[int, str] = field(default_factory=dict)
    further: list[tuple[int, Link]] = field(default_factory=list)
    """Links that belong to the record of another one of their system, once that has one; with its id."""
    linked: int = 0
    questions: int = 0


def place(hub: Hub, work: Work, entity: str, fresh: list[Link]) -> Placing:
    """Attach, group or ask about these unplaced links, in the caller's transaction."""
    placing = Placing()
    at = hub.at()
    fresh = _by_own_key(work, entity, _landed(work, fresh), placing, at)
    if not fresh:
        return placing
    links, keys, likes = _component(hub, work, entity, fresh)
    alone = [link for link in fresh if link.id not in keys]
    placing.births += [[link] for link in alone]
    placing.methods |= dict.fromkeys((link.id for link in alone), "created")
    if not keys:
        return placing
    usable = {n: link for n, link in links.items() if link.state in USABLE}
    known = work.links_of({link.record for link in usable.values() if link.record})
    usable |= {link.id: link for link in known if link.state == LinkState.LIVE}
    assembly = _assembled(hub, work, entity, usable, keys, likes)
    _attach(work, entity, assembly, usable, placing, at)
    placing.questions += _ask(hub, work, entity, assembly.questions, usable, likes)
    return placing


def reconsider(hub: Hub, work: Work, entity: str, *, ruled_anew: bool = False) -> int:
    """Close match questions whose facts changed (merged, corrected, deleted there), so that they are asked anew.

    With `ruled_anew`, those about several records of one system too.
    """
    moot = []
    freed: list[int] = []
    for conflict in work.open_matches(entity):
        sides = {side["link"]: side for side in conflict.snapshot["sides"]}
        links = work.links(sides)
        anew = ruled_anew and len({link.system for link in links}) < len(links)
        if not anew and all(_as_asked(hub, link, sides[link.id]) for link in links):
            continue
        moot.append(conflict)
        freed += [link.id for link in links if link.state == LinkState.PENDING]
    end_questions(hub, work, moot)
    work.place([(number, None, LinkState.LIVE, "") for number in sorted(set(freed))])
    work.mark_dirty(entity, [(n, Reason.DECISION, "", hub.at()) for c in moot for n in records_in(c)])
    return len(moot)


def _as_asked(hub: Hub, link: Link, side: dict[str, Any]) -> bool:
    """Whether a side still stands as it did: what waits must be unchanged, what is evidence must have the same keys."""
    if side["waiting"]:
        return link.state == LinkState.PENDING and bool(link.now == side["values"])
    shown, asked = keys_of(hub, link.entity, [(link.id, link.now), (link.id, side["values"])])
    likewise = compared(hub, link.entity, link.now) == compared(hub, link.entity, side["values"])
    moved = side["record"] is not None and link.record != side["record"]
    return link.state not in GONE and shown == asked and likewise and not moved


def records_in(conflict: Conflict) -> list[str]:
    """The records a question about identity speaks of; nothing was created for them while it was open."""
    return sorted({side["record"] for side in conflict.snapshot["sides"] if side.get("record")})


def _landed(work: Work, fresh: list[Link]) -> list[Link]:
    """Without what a create of ours made whose end is not known: the probe will settle it."""
    open_creates = {(a.record, a.system) for a in work.attempts_of({link.hub_key for link in fresh if link.hub_key})}
    return [link for link in fresh if (link.hub_key, link.system) not in open_creates]


def _by_own_key(work: Work, entity: str, fresh: list[Link], placing: Placing, at: str) -> list[Link]:
    """Links that carry our record's id: a create whose answer was lost, or a link that was forgotten."""
    claims = {link.hub_key for link in fresh if link.hub_key}
    if not claims:
        return fresh
    records = {n: r for n, r in work.records(claims).items() if r.entity == entity and r.lifecycle != MERGED}
    taken = {(link.record, link.system) for link in work.links_of(records) if link.state not in GONE}
    first = {(link.hub_key, link.system): link for link in reversed(fresh) if link.hub_key in records}
    own = [link for claim, link in sorted(first.items()) if claim not in taken]
    work.place([(link.id, link.hub_key, LinkState.LIVE, "key") for link in own])
    work.mark_dirty(entity, [(link.hub_key, Reason.OBSERVED, "", at) for link in own])
    _solved(work, [(link, link.hub_key) for link in own], at)
    placing.linked += len(own)
    mine = {link.id for link in own}
    return [link for link in fresh if link.id not in mine]


def _component(
    hub: Hub, work: Work, entity: str, start: Sequence[Link]
) -> tuple[dict[int, Link], dict[int, dict[str, set[str]]], Likes]:
    """Links that have a key in common with another or are like it, as far as can be reached from these.

    With their keys by name, and how much they are alike.
    """
    links: dict[int, Link] = {}
    keys: dict[int, dict[str, set[str]]] = {}
    likes: Likes = {}
    seen: set[tuple[int, int]] = set()
    frontier: Sequence[Link] = start
    for hop in range(HOPS):
        told = dict(keys_of(hub, entity, ((link.id, link.now) for link in frontier)))
        like: defaultdict[int, set[int]] = defaultdict(set)
        for key, near in work.sharing({n for pairs in told.values() for n in numbered(entity, pairs)}):
            like[key].add(near)
        likes |= alike(hub, work, entity, frontier, seen)
        paired = {number for pair in likes for number in pair}
        for link in frontier:
            if hop or link.id in paired or any(len(like[n]) > 1 for n in numbered(entity, told[link.id])):
                links[link.id], keys[link.id] = link, _by_name(told[link.id])
        beyond = {number for several in like.values() if len(several) > 1 for number in several} | paired
        beyond -= set(links)
        if not beyond:
            break
        frontier = work.links(beyond)
    return links, keys, likes


def _by_name(pairs: Sequence[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, value in pairs:
        found[name].add(value)
    return found


def _assembled(
    hub: Hub, work: Work, entity: str, links: dict[int, Link], keys: dict[int, dict[str, set[str]]], likes: Likes
) -> Assembly:
    book = hub.book(entity)
    candidates = [
        Candidate(
            n, link.system, link.record, {k: frozenset(v) for k, v in keys.get(n, {}).items()},
            facts_of(hub, entity, link.now),
        )
        for n, link in links.items()
    ]  # fmt: skip
    strong = ["+".join(names) for names in book.keys]
    ask = ["+".join(names) for names in book.ask]
    return assemble(candidates, strong, ask, work.apart(set(links)), as_pairs(likes), book.alike.auto, book.several)


def _attach(work: Work, entity: str, assembly: Assembly, links: dict[int, Link], placing: Placing, at: str) -> None:
    rows: list[tuple[int, str | None, str, str]] = []
    more: list[tuple[int, str | None, str, str]] = []
    for group in assembly.groups:
        new = [links[n] for n in group.links if links[n].record is None and links[n].state in UNPLACED]
        if all(link.state == LinkState.INVALID for link in new):
            continue
        waiting = any(links[n].state == LinkState.PENDING for n in group.links)
        if waiting and group.record is None:
            continue
        if group.record:
            _solved(work, [(link, group.record) for link in new], at)
            there = {links[n].system for n in group.links if links[n].record and links[n].state == LinkState.LIVE}
            speaking, further = speakers(new, group.record, there)
            rows += [(link.id, group.record, LinkState.LIVE, _method(group)) for link in speaking]
            more += [(link.id, group.record, LinkState.FURTHER, _method(group)) for link in further]
            placing.linked += len(new)
        else:
            speaking, further = speakers(new)
            for link in speaking:
                link.state = LinkState.LIVE
            placing.births.append(speaking)
            placing.further += [(first.id, link) for link in further for first in speaking[:1]]
            placing.methods |= {link.id: _method(group) for link in new}
            placing.linked += len(speaking) - 1
    work.place(rows + more)
    work.mark_dirty(entity, [(row[1] or "", Reason.OBSERVED, "", at) for row in rows])


def join_further(work: Work, placing: Placing, at: str) -> int:
    """Give what is further the record of the one that speaks; how many of these have none, and stay unplaced."""
    born = {link.id: link for link in work.links({first for first, _ in placing.further})} if placing.further else {}
    rows = [(link, born[first].record) for first, link in placing.further]
    known = [(link, record) for link, record in rows if record]
    _solved(work, known, at)
    work.place([(link.id, record, LinkState.FURTHER, placing.methods[link.id]) for link, record in known])
    placing.linked += len(known)
    return len(rows) - len(known)


def _solved(work: Work, rows: list[tuple[Link, str]], at: str) -> None:
    """These links have a record: whatever kept them from one, or it from them, is over."""
    for system in sorted({link.system for link, _ in rows}):
        ids = {n for link, record in rows if link.system == system for n in (link.external_id, record)}
        work.solve_problems(system, ids, (*WRITES, *UNBORN), at)


METHOD = 32
"""Characters of a method that are kept."""


def _method(group: Group) -> str:
    """How a group came about: a key by its name, or a score."""
    told = group.by if group.by.startswith(SCORED) else f"key {group.by}"
    return told[:METHOD] if len(group.links) > 1 else "created"


def _ask(hub: Hub, work: Work, entity: str, questions: list[Question], links: dict[int, Link], likes: Likes) -> int:
    asked = [q for q in questions if any(links[n].state == LinkState.LIVE for n in q.waiting)]
    waiting = {n for q in asked for n in q.waiting}
    work.place([(n, None, LinkState.PENDING, "") for n in sorted(waiting)])
    work.add_conflicts(routed(hub, [_conflict(hub, entity, q, links, likes) for q in asked]))
    return len(asked)


def _conflict(hub: Hub, entity: str, question: Question, links: dict[int, Link], likes: Likes) -> Conflict:
    members = [links[n] for n in question.links if n in links]
    records = sorted({link.record for link in members if link.record})
    snapshot: dict[str, Any] = {
        "sides": [_side(link, waiting=link.id in question.waiting) for link in members],
        "doubt": question.doubt,
    }
    if told := evidence(likes, question.links):
        snapshot["evidence"] = told
    return Conflict(
        id=hub.ids.text(),
        entity=entity,
        type="match",
        record=records[0] if len(records) == 1 else None,
        field="",
        state="open",
        opened_at=hub.at(),
        note=question.reason,
        snapshot=snapshot,
    )


def _side(link: Link, *, waiting: bool) -> dict[str, Any]:
    return {
        "link": link.id,
        "system": link.system,
        "id": link.external_id,
        "record": link.record,
        "waiting": waiting,
        "values": link.now,
        "at": link.changed_at,
        "by": link.changed_by,
    }
