"""Looks at newcomers before their birth: what may be a double entry is held, and a person is asked.

What is known to be the same is linked; what only could be one is told once it is born, and so is what the hub computes.
Not here: the checks (`fsm_core.sync.double_entry`), what they are shown (`entries`), answers (`double_answers`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fsm_core.service.computed import Computed, compute
from fsm_core.service.entries import Side, judged
from fsm_core.service.hub import Hub
from fsm_core.service.moot import end_questions
from fsm_core.service.place import Placing
from fsm_core.service.problems import UNBORN, WRITES
from fsm_core.service.routing import routed
from fsm_core.state import GONE, Conflict, Doc, Link, LinkState, Reason, Work
from fsm_core.sync.double_entry import HOLDING, SUGGESTING, Judgement, Ruling

Found = list[tuple[Side, Judgement]]
_DECIDES = (Ruling.HOLD, Ruling.LINK, Ruling.MIRROR)
"""What is said of the second of two: it waits until the first has its record."""


@dataclass(slots=True)
class Looked:
    """What is left to do once the others are born."""

    deferred: int = 0
    """Newcomers that wait until one that began earlier is placed."""
    notes: list[tuple[Side, Side, Judgement]] = field(default_factory=list)
    """Newcomers beside earlier entries of which something is to be told."""


@dataclass(slots=True)
class _Stopped:
    """Newcomers of a page that are no births."""

    links: list[tuple[Side, str, str]] = field(default_factory=list)
    """With the record each belongs to, and why."""
    held: list[Side] = field(default_factory=list)
    questions: list[Conflict] = field(default_factory=list)
    taken: set[tuple[str, str]] = field(default_factory=set)
    """Record and system of those that found their record on this page."""


def look(hub: Hub, work: Work, entity: str, placing: Placing) -> Looked:
    """Take out of the births what is held, linked or has to wait; entities without a check pay nothing."""
    looked, check = Looked(), hub.book(entity).pre_check
    if check is None or not placing.births:
        return looked
    births: list[list[Link]] = []
    stopped = _Stopped()
    for side, found in judged(work, entity, check, placing.births):
        stops = [(known, said) for known, said in found if said.ruling in (Ruling.HOLD, Ruling.LINK)]
        if any(not known.entry.record and said.ruling in _DECIDES for known, said in found):
            looked.deferred += 1
        elif stops:
            _stop(hub, entity, side, stops, stopped)
        else:
            births.append(side.links)
            looked.notes += [(side, known, said) for known, said in found]
    placing.linked += sum(map(len, births)) - len(births) - sum(map(len, placing.births)) + len(placing.births)
    placing.linked += sum(len(side.links) for side, _, _ in stopped.links)
    placing.questions += len(stopped.questions)
    placing.births = births
    _link(hub, work, entity, stopped.links)
    work.place([(link.id, None, LinkState.PENDING, "") for side in stopped.held for link in side.links])
    work.add_conflicts(routed(hub, stopped.questions))
    return looked


def _stop(hub: Hub, entity: str, side: Side, stops: Found, stopped: _Stopped) -> None:
    """Link it where that is clear, else ask about each record it may be a double entry of."""
    same = {known.entry.record: (known, said) for known, said in stops if said.ruling is Ruling.LINK}
    clear = [record for record, (known, _) in same.items() if not _clash(side, known, stopped.taken)]
    if len(same) == 1 and clear:
        record, said = clear[0], same[clear[0]][1]
        stopped.links.append((side, record, said.reason))
        stopped.taken |= {(record, link.system) for link in side.links}
        return
    stopped.held.append(side)
    for known, said in stops:
        told = replace(said, reason=_reason(side, known, said, stopped.taken))
        stopped.questions.append(_question(hub, entity, side, known, told))


_NONE: frozenset[tuple[str, str]] = frozenset()


def _clash(side: Side, known: Side, taken: Collection[tuple[str, str]] = _NONE) -> list[str]:
    """Systems that would have two records of one thing."""
    there = {link.system for link in known.links} | {system for record, system in taken if record == known.entry.record}
    return sorted({link.system for link in side.links} & there)


def _reason(side: Side, known: Side, said: Judgement, taken: Collection[tuple[str, str]] = _NONE) -> str:
    twice = ", ".join(_clash(side, known, taken)) if said.ruling is Ruling.LINK else ""
    return f"{said.reason}, but {twice} holds it already: merge them there" if twice else said.reason


def _link(hub: Hub, work: Work, entity: str, found: Sequence[tuple[Side, str, str]]) -> None:
    """These are the records' own; whatever kept them from one is over."""
    rows = [(link, record, reason) for side, record, reason in found for link in side.links]
    work.place([(link.id, record, LinkState.LIVE, reason) for link, record, reason in rows])
    for system in sorted({link.system for link, _, _ in rows}):
        ids = [link.external_id for link, _, _ in rows if link.system == system]
        work.solve_problems(system, ids, (*WRITES, *UNBORN), hub.at())
    work.mark_dirty(entity, [(record, Reason.OBSERVED, "", hub.at()) for _, record, _ in rows])


def tell(hub: Hub, work: Work, entity: str, placing: Placing, looked: Looked) -> None:
    """Ask what holds nothing, and set what the hub computes, of newcomers that were born."""
    check = hub.book(entity).pre_check
    if check is None or not looked.notes:
        return
    born = {link.id: links for links in placing.births for link in links if link.record}
    questions: list[Conflict] = []
    facts: list[Computed] = []
    for side, known, said in looked.notes:
        mine, other = _born(side, born), _born(known, born)
        if not mine.entry.record or not other.entry.record:
            continue  # of two that are born one after the other the second one sees the first
        if said.ruling is Ruling.SUGGEST:
            questions.append(_question(hub, entity, mine, other, said, mine.entry.record))
        facts.append(Computed(mine.entry.record, said.newcomer, said.reason))
        facts.append(Computed(other.entry.record, said.earlier, said.reason))
    work.add_conflicts(routed(hub, questions))
    placing.questions += len(questions)
    compute(hub, work, facts)


def _born(side: Side, born: Mapping[int, list[Link]]) -> Side:
    """The same with the record it has got since."""
    links = born.get(side.links[0].id)
    return side if links is None else Side(replace(side.entry, record=links[0].record or ""), links)


# -- questions -----------------------------------------------------------------------------------


def _question(hub: Hub, entity: str, side: Side, known: Side, said: Judgement, record: str | None = None) -> Conflict:
    """Both entries side by side; of a held newcomer it is a question about the earlier record."""
    return Conflict(
        id=hub.ids.text(),
        entity=entity,
        type=said.type,
        record=record or known.entry.record,
        field="",
        state="open",
        opened_at=hub.at(),
        note=said.reason,
        snapshot=_snapshot(hub, entity, side, known, said),
    )


def _snapshot(hub: Hub, entity: str, side: Side, known: Side, said: Judgement) -> Doc:
    holds = said.ruling is not Ruling.SUGGEST
    sides = [_shown(link, new=True, waiting=holds) for link in side.links]
    sides += [_shown(link, new=False, waiting=False) for link in known.links]
    told: Doc = {"sides": sides, "evidence": dict(said.evidence), "other": known.entry.record}
    fields, check = hub.book(entity).shape.fields, hub.book(entity).pre_check
    ways = check.parent if check is not None and holds and known.entry.entity == entity else ()
    parent = next((name for name in ways if name in fields and fields[name].reference == entity), "")
    if parent:
        told["parent"] = parent
    return told


def _shown(link: Link, *, new: bool, waiting: bool) -> dict[str, Any]:
    return {
        "link": link.id,
        "entity": link.entity,
        "system": link.system,
        "id": link.external_id,
        "record": link.record,
        "new": new,
        "waiting": waiting,
        "values": link.now,
        "at": link.changed_at,
        "by": link.changed_by,
    }


# -- facts that change ---------------------------------------------------------------------------


def reconsider(hub: Hub, work: Work, entity: str) -> None:
    """Close questions whose facts changed and free who waits, to be asked anew; show of the others what is so now."""
    asked = work.open_matches(entity, HOLDING | SUGGESTING)
    if not asked:
        return
    together: defaultdict[tuple[int, ...], list[Conflict]] = defaultdict(list)
    for conflict in asked:
        together[newcomers_in(conflict)].append(conflict)
    links = {link.id: link for link in work.links({n for some in together for n in some})}
    standing = [some for some in together if _stands([links[n] for n in some if n in links], len(some), together[some])]
    check = hub.book(entity).pre_check
    groups = [[links[n] for n in some] for some in standing]
    kept: set[str] = set()
    changed: list[Conflict] = []
    looked = judged(work, entity, check, groups) if check is not None else []
    for some, (side, found) in zip(standing, looked, strict=False):
        for conflict, known, said in _kept(together[some], side, found):
            kept.add(conflict.id)
            shown = _snapshot(hub, entity, side, known, said)
            reason = _reason(side, known, said)
            if (shown, reason) != (conflict.snapshot, conflict.note):
                conflict.snapshot, conflict.note = shown, reason
                changed.append(conflict)
    work.change_conflicts(changed)
    moot = [conflict for conflict in asked if conflict.id not in kept]
    over(hub, work, moot)
    free(work, moot)


def _stands(links: Sequence[Link], count: int, asked: Sequence[Conflict]) -> bool:
    """Whether the newcomers wait as they did, or were born and are still there where nothing waits."""
    if any(conflict.type in HOLDING for conflict in asked):
        return len(links) == count and all(link.state == LinkState.PENDING for link in links)
    return len(links) == count and all(link.record and link.state not in GONE for link in links)


def _kept(asked: Sequence[Conflict], side: Side, found: Found) -> list[tuple[Conflict, Side, Judgement]]:
    """Those of the questions about one newcomer that would be asked again; none where others would be, too."""
    now = {(said.type, known.entry.record): (known, said) for known, said in found if known.entry.record}
    stops = {key for key, (_, said) in now.items() if said.ruling in (Ruling.HOLD, Ruling.LINK)}
    linked = any(said.ruling is Ruling.LINK and not _clash(side, known) for known, said in now.values())
    before = {(conflict.type, conflict.snapshot["other"]): conflict for conflict in asked}
    if any(kind in HOLDING for kind, _ in before) and (linked or stops != before.keys()):
        return []
    return [(conflict, *now[key]) for key, conflict in before.items() if key in now]


def newcomers_in(conflict: Conflict) -> tuple[int, ...]:
    """The links of the newcomer a question is about."""
    return tuple(sorted(side["link"] for side in conflict.snapshot["sides"] if side["new"]))


def over(hub: Hub, work: Work, conflicts: Sequence[Conflict]) -> None:
    """These are no questions any more, and nothing of the earlier entries is held for them."""
    end_questions(hub, work, conflicts)
    wake(hub, work, conflicts)


def wake(hub: Hub, work: Work, conflicts: Iterable[Conflict]) -> None:
    """The records these questions held are looked at again."""
    sides = [side for conflict in conflicts for side in conflict.snapshot["sides"] if side["record"]]
    for entity in sorted({side["entity"] for side in sides}):
        records = sorted({side["record"] for side in sides if side["entity"] == entity})
        work.mark_dirty(entity, [(record, Reason.DECISION, "", hub.at()) for record in records])


def free(work: Work, conflicts: Iterable[Conflict]) -> None:
    """Newcomers that waited for these are placed anew."""
    numbers = {n for conflict in conflicts if conflict.type in HOLDING for n in newcomers_in(conflict)}
    waiting = [link.id for link in work.links(numbers) if link.state == LinkState.PENDING] if numbers else []
    work.place([(number, None, LinkState.LIVE, "") for number in sorted(waiting)])
