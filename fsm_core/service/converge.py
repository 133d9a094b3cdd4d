"""Decides everything that is due, page by page: places new links, settles records, marks what is owed.

Every page is one transaction and no remote call happens here, so the same code runs on an overlay for a plan.
Not here: the decision on a record (`decide`) and the writes (`push`).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fsm_core.errors import HubError
from fsm_core.model.compare import blank
from fsm_core.service import double_entry
from fsm_core.service.birth import bear
from fsm_core.service.creators import REMEDY, barred
from fsm_core.service.decide import conclude, decide, weigh
from fsm_core.service.deletions import judge, replaced_in, with_endings
from fsm_core.service.handover import Parents
from fsm_core.service.hub import Hub
from fsm_core.service.hub_store import born_as, come_back, rest, unborn
from fsm_core.service.insistence import ask_instead
from fsm_core.service.keys import renew_keys
from fsm_core.service.loaded import Decided, Loaded, closed_fields, in_flight, live_links, view_of
from fsm_core.service.merges import MERGE, follow_merges
from fsm_core.service.parents import join_parents, parents_of
from fsm_core.service.passing import follow_passages, hold_children
from fsm_core.service.pins import drop_released, join_pins
from fsm_core.service.place import join_further, place, reconsider
from fsm_core.service.problems import PARENT_ENDED, UNBORN, WRITES, problem
from fsm_core.service.questions import DELETE
from fsm_core.service.release import refers, release, tell_orphans
from fsm_core.service.removal import owed_deletion
from fsm_core.service.routing import reroute, routed
from fsm_core.service.several import seat
from fsm_core.service.silence import listen, losing, wake_proposed
from fsm_core.state import ACTIVE, Conflict, Intent, Link, LinkState, Problem, Reason, Record, Work
from fsm_core.sync.double_entry import HOLDING
from fsm_core.sync.guard import halts, halts_deletions
from fsm_core.sync.record import APART, View, owed
from fsm_core.sync.types import HUB, Outcome

LOOK = (Reason.OBSERVED, Reason.DECISION, Reason.RULES, Reason.ECHO, Reason.RELEASED, Reason.DUE)


class Halted(HubError):  # noqa: N818 - reads as what happened, like the other errors
    """A guard stopped an entity before the first write."""

    remedy_default = "Look at the change; if it is meant, run 'fsm-hub sync --confirm-mass-change'."


@dataclass(slots=True)
class Converged:
    """What was decided."""

    born: int = 0
    linked: int = 0
    questions: int = 0
    records: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    overridden: Counter[str] = field(default_factory=Counter)
    """Values overruled, per field."""
    endings: Counter[str] = field(default_factory=Counter)
    """What became of records that were gone or back somewhere."""


def converge(hub: Hub, entity: str, *, confirmed: bool = False) -> Converged:
    """Decide all that is due. Raises `Halted` when too much changed at once and nobody confirmed it."""
    report = Converged()
    if not confirmed:
        _guard(hub, entity)
    _activate(hub, entity)
    follow_merges(hub, entity)
    _place_released(hub, entity, report)
    while _decide_page(hub, entity, report):
        pass
    return report


def _guard(hub: Hub, entity: str) -> None:
    limits = hub.book(entity).guard
    with hub.store.begin() as work:
        counts = work.counts_of_news(entity, limits.smallest)
        ended = work.counts_of_endings(entity)
    for system, (rows, changed, blanked) in sorted(counts.items()):
        reason = halts(limits, rows, changed, blanked)
        if reason:
            raise Halted(reason, system=system, object=entity)
    for system, (rows, deleted) in sorted(ended.items()):
        reason = halts_deletions(limits, rows, deleted)
        if reason:
            raise Halted(reason, system=system, object=entity)


def _activate(hub: Hub, entity: str) -> None:
    """Look at every record again when the rules, the mapping or the rights of a system are not what they were."""
    book = hub.book(entity)
    keys = ["+".join(names) for names in (*book.keys, *book.ask)] + [f"?{check.name}" for check in book.finders]
    keys += [f"~{one.name}" for one in book.alike.features]
    with hub.store.begin() as work:
        if _moved(hub, work, f"keys/{entity}", keys):
            renew_keys(hub, work, entity)
        if _moved(hub, work, f"routes/{entity}", [hub.rulebook.routes]):
            reroute(hub, work, entity)
        if _moved(hub, work, f"several/{entity}", sorted(book.several)):
            reconsider(hub, work, entity, ruled_anew=True)
        if book.patience and _moved(hub, work, f"silent/{entity}", losing(hub, work, entity)):
            wake_proposed(hub, work, entity)
        moved = False
        for binding in hub.of_entity(entity):
            words = [hub.rulebook.version, *sorted(binding.writable), *binding.translation.canonical_fields]
            moved = _moved(hub, work, f"{binding.system}/{entity}", words) or moved
        if moved:
            work.mark_all_dirty(entity, Reason.RULES, hub.at())


def _moved(hub: Hub, work: Work, name: str, words: Sequence[str]) -> bool:
    """Whether something else was in force before; what is new here has nothing behind it."""
    now = hashlib.sha256("\n".join(words).encode()).hexdigest()
    before = work.fingerprint(name)
    if before != now:
        work.put_fingerprint(name, now, hub.at())
    return before not in (None, now)


# -- new links -----------------------------------------------------------------------------------


def _place_released(hub: Hub, entity: str, report: Converged) -> None:
    """Place what is new, and what was waiting for it, until nothing more is released."""
    parents = refers(hub, entity)
    if parents:
        release(hub, entity)
    _place_all(hub, entity, report)
    while entity in parents and release(hub, entity):
        _place_all(hub, entity, report)
    if parents:
        tell_orphans(hub, entity)


def _place_all(hub: Hub, entity: str, report: Converged) -> None:
    with hub.store.begin() as work:
        reconsider(hub, work, entity)
        double_entry.reconsider(hub, work, entity)
    _bear_all(hub, entity, report)
    before, deferred = 0, _place_pages(hub, entity, report)
    while 0 < deferred != before:
        before, deferred = deferred, _place_pages(hub, entity, report)


def _place_pages(hub: Hub, entity: str, report: Converged) -> int:
    """Place all that has no place; how many newcomers wait for what began earlier, and has a place now."""
    after = deferred = 0
    while True:
        with hub.store.begin() as work:
            fresh = work.unplaced(entity, after, hub.page)
            if not fresh:
                return deferred
            placing = place(hub, work, entity, fresh)
            looked = double_entry.look(hub, work, entity, placing)
            for links in placing.births:
                for link in links:
                    link.method = placing.methods[link.id]
            give_birth(hub, work, entity, placing.births, report)
            double_entry.tell(hub, work, entity, placing, looked)
            report.linked += placing.linked
            report.questions += placing.questions
            deferred += looked.deferred + join_further(work, placing, hub.at())
        after = fresh[-1].id
        hub.page_done()


def _bear_all(hub: Hub, entity: str, report: Converged) -> None:
    """New links that are like no other become records; those landed under other rules are placed like any other."""
    while True:
        with hub.store.begin() as work:
            born = bear(hub, work, entity)
            if not born:
                work.unfresh_all(entity)
                return
        report.records += len(born)
        report.born += len(born)
        hub.page_done()


def give_birth(hub: Hub, work: Work, entity: str, births: Sequence[list[Link]], report: Converged) -> None:
    """Make a record of each group of links, or say why it cannot become one."""
    creators, at = hub.book(entity).creators, hub.at()
    decided: list[Decided] = []
    refused: list[tuple[list[Link], str, str]] = []
    parents = parents_of(hub, work, entity, [link for links in births for link in links])
    for links in births:
        if not any(link.system in creators for link in links):
            refused.append((links, "this system may not create records of this kind", UNBORN[0]))
            continue
        fault = _unborn(hub, entity, links)
        if fault:
            refused.append((links, fault, UNBORN[1]))
            continue
        one = _born(hub, entity, links, parents, at)
        if told := barred(hub, one):
            refused.append((links, told, UNBORN[0]))
        else:
            decided.append(one)
    for link in (link for one in decided for link in one.loaded.links if link.state == LinkState.INVALID):
        link.state = LinkState.LIVE
    _save(hub, work, entity, decided, report)
    _solve_unborn(hub, work, decided)
    _refuse(hub, work, entity, refused)


def _solve_unborn(hub: Hub, work: Work, decided: Sequence[Decided]) -> None:
    """What was missing is there."""
    born: defaultdict[str, list[str]] = defaultdict(list)
    for link in (link for one in decided for link in one.loaded.links):
        born[link.system].append(link.external_id)
    for system, ids in born.items():
        work.solve_problems(system, ids, UNBORN, hub.at())


def _unborn(hub: Hub, entity: str, links: Sequence[Link]) -> str:
    required = hub.book(entity).shape.required
    missing = [name for name in required if all(blank(link.now.get(name)) for link in links)]
    return f"required: {', '.join(missing)}" if missing else ""


def _born(hub: Hub, entity: str, links: list[Link], parents: Parents, at: str) -> Decided:
    record = Record(born_as(links) or hub.ids.text(), entity, {}, {}, created_at=at, updated_at=at)
    for link in links:
        link.record = record.id
    return decide(hub, Loaded(record, links, born=True, parents=parents))


def _refuse(hub: Hub, work: Work, entity: str, refused: Sequence[tuple[list[Link], str, str]]) -> None:
    problems: list[Problem] = []
    for links, message, cause in refused:
        for link in links:
            if link.system == HUB:
                problems.append(unborn(hub, link, cause, message))
                continue
            binding = hub.binding(link.system, entity)
            conditional = cause == UNBORN[0] and link.system in hub.book(entity).births
            remedy = REMEDY if conditional else "Complete it there, or allow the system to create in the rules."
            problems.append(problem(hub, binding, link.external_id, cause, message, remedy=remedy))
    work.raise_problems(problems)
    work.place([(link.id, None, LinkState.INVALID, "") for links, _, _ in refused for link in links])


# -- records that are due ------------------------------------------------------------------------


def _decide_page(hub: Hub, entity: str, report: Converged) -> bool:
    with hub.store.begin() as work:
        ids = work.due_records(entity, LOOK, hub.at(), hub.page)
        if not ids:
            return False
        work.clear_dirty(entity, ids, LOOK)
        loaded = load(hub, work, ids)
        seat(hub, work, loaded)
        judged = judge(hub, work, loaded)
        seat(hub, work, [one.one for one in judged])
        weighed = [weigh(hub, one, everything=bool(one.conflicts or one.proposals)) for one in loaded]
        ask_instead(hub, work, entity, weighed)
        decided = [conclude(hub, one) for one in weighed]
        with_endings(decided, judged)
        _save(hub, work, entity, decided, report)
        report.endings.update(one.ending.fate for one in judged)
        _look_again(hub, work, entity, decided)
    hub.page_done()
    return True


def _look_again(hub: Hub, work: Work, entity: str, decided: Sequence[Decided]) -> None:
    """At once where a side moved; later where a write in flight hides what is shown, or when a hand-over may be."""
    hidden = [
        one.loaded.record.id
        for one in decided
        if one.loaded.attempts
        and any(in_flight(link, one.loaded.attempts) and link.now != link.base for link in one.loaded.links)
    ]
    later = hub.later(hub.probe_after)
    work.mark_dirty(entity, [(record, Reason.OBSERVED, "", later) for record in hidden])
    moved = [one.loaded.record.id for one in decided if one.unsettled]
    work.mark_dirty(entity, [(record, Reason.DECISION, "", hub.at()) for record in moved])
    follow_passages(hub, work, entity, decided)
    passed = [one.loaded.record.id for one in decided if _has_an_owner_now(hub, one)]
    work.mark_dirty(entity, [(record, Reason.RULES, "", hub.at()) for record in passed])


def _has_an_owner_now(hub: Hub, one: Decided) -> bool:
    """Whether a value changed that may give an owner to what every system kept for itself."""
    switches = hub.book(one.loaded.record.entity).switches()
    apart = any(APART in link.holds.values() for link in one.loaded.links)
    return one.changed and apart and not switches.isdisjoint(one.verdicts)


def load(hub: Hub, work: Work, ids: Sequence[str]) -> list[Loaded]:
    """Everything known of these records."""
    records = work.records(ids)
    links: defaultdict[str, list[Link]] = defaultdict(list)
    for link in work.links_of(records):
        links[link.record or ""].append(link)
    conflicts: defaultdict[str, list[Conflict]] = defaultdict(list)
    for conflict in work.open_conflicts(records):
        conflicts[conflict.record or ""].append(conflict)
    loaded = {i: Loaded(records[i], links[i], conflicts[i]) for i in sorted(records)}
    for proposal in work.open_proposals(records):
        loaded[proposal.record].proposals.append(proposal)
    for attempt in work.attempts_of(records):
        loaded[attempt.record].attempts.append(attempt)
    join_pins(work, loaded)
    rest(loaded)
    return listen(hub, work, join_parents(hub, work, list(loaded.values())))


# -- saving --------------------------------------------------------------------------------------


def _save(hub: Hub, work: Work, entity: str, decided: Sequence[Decided], report: Converged) -> None:
    births = [one.loaded.record for one in decided if one.loaded.born]
    come_back(hub, work, decided)
    work.add_records(births)
    work.change_records(
        [one.loaded.record for one in decided if (one.verdicts or one.passage_moved) and not one.loaded.born]
    )
    work.settle_links([link for one in decided for link in one.settled])
    work.write_decisions(hub.run, hub.at(), [one.decision for one in decided if one.decision])
    work.add_conflicts(routed(hub, [c for one in decided for c in one.new_conflicts]))
    work.change_conflicts([c for one in decided for c in one.conflicts])
    work.add_proposals(routed(hub, [p for one in decided for p in one.new_proposals]))
    work.change_proposals([p for one in decided for p in one.proposals])
    drop_released(work, decided)
    for link, name in [freed for one in decided for freed in one.freed]:
        work.solve_problems(link.system, [link.external_id], WRITES, hub.at(), field=name)
    work.mark_dirty(entity, [(one.loaded.record.id, Reason.DUE, "", one.due) for one in decided if one.due])
    _referring_elsewhere(hub, work, entity, decided)
    work.mark_dirty(entity, _deliveries(hub, decided))
    _wake_children(hub, work, entity, decided)
    _count(report, decided)


def _referring_elsewhere(hub: Hub, work: Work, entity: str, decided: Sequence[Decided]) -> None:
    """Who refers to another record now has no trouble with one that was deleted."""
    names = {name for name, field_ in hub.book(entity).shape.fields.items() if field_.reference}
    for one in decided if names else ():
        for name in names.intersection(one.verdicts) if one.changed and not one.loaded.born else ():
            for link in one.loaded.links:
                work.solve_problems(link.system, [link.external_id], (PARENT_ENDED,), hub.at(), field=name)


def _wake_children(hub: Hub, work: Work, entity: str, decided: Sequence[Decided]) -> None:
    """Who owns what refers to a record, and where that goes, may depend on what the record says now."""
    for child, fields in hub.rulebook.watchers(entity).items():
        changed = [d for d in decided if d.changed and not d.loaded.born and not fields.isdisjoint(d.verdicts)]
        work.mark_children(child, [d.loaded.record.id for d in changed], Reason.RULES, hub.at())
    hold_children(hub, work, entity, decided)


def _deliveries(hub: Hub, decided: Sequence[Decided]) -> list[tuple[str, str, str, str]]:
    at = hub.at()
    return [
        (one.loaded.record.id, Reason.DELIVER, system, at)
        for one in decided
        for system in owing(hub, one.loaded, one.new_conflicts)
    ]


def owing(hub: Hub, loaded: Loaded, more: Sequence[Conflict] = ()) -> list[str]:
    """Systems that this record still has to tell something, or that should hold it and do not."""
    record = loaded.record
    book = hub.book(record.entity)
    open_conflicts = [c for c in (*loaded.conflicts, *more) if c.state == "open"]
    closed = closed_fields(book, loaded, open_conflicts)
    systems = {
        link.system
        for link in live_links(loaded.links)
        if owed_deletion(hub, loaded, link)
        or owed(book.shape, record.document, _assumed(hub, link, loaded.attempts), closed)
    }
    return sorted(systems | set(missing(hub, loaded, open_conflicts)))


def _assumed(hub: Hub, link: Link, attempts: Sequence[Intent]) -> View:
    """A system that is not connected may take everything it shows; what it is owed must not be forgotten."""
    view = view_of(hub, link, attempts)
    known = (link.system, link.entity) in hub.bindings
    return view if known else replace(view, writable=frozenset(link.now))


def missing(hub: Hub, loaded: Loaded, conflicts: Sequence[Conflict]) -> list[str]:
    """Systems that should hold this record and do not; none while a question about identity is open."""
    record = loaded.record
    if record.lifecycle != ACTIVE or any(c.type in _IDENTITY and c.state == "open" for c in conflicts):
        return []
    replaced = replaced_in(loaded.links)
    present = {link.system for link in loaded.links} - replaced
    book = hub.book(record.entity)
    wanted = [s for s in book.wanted_in(book.joined(record.document, loaded.parents.agreed)) if s not in present]
    return wanted + sorted(replaced.difference(wanted))


_IDENTITY = ("match", DELETE, MERGE, *HOLDING)


def _count(report: Converged, decided: Sequence[Decided]) -> None:
    report.records += len(decided)
    report.born += sum(one.loaded.born for one in decided)
    for one in decided:
        for name, verdict in one.verdicts.items():
            if verdict.outcome is not Outcome.NOOP:
                report.outcomes[verdict.outcome] += 1
            if verdict.overruled:
                report.overridden[name] += len(verdict.overruled)
