"""Says what is expected next of each field: what will be written where, and who or what is waited for.

It looks at the state as the next round will find it and asks the same functions. No system is called and nothing is
decided. Not here: why a field says what it says (`fsm_core.store.queries`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil

from fsm_core.ownership.book import EntityBook
from fsm_core.service.converge import missing
from fsm_core.service.handover import Wait, Why, held
from fsm_core.service.hub import Hub
from fsm_core.service.loaded import Loaded, closed_fields, frozen_fields, in_flight, live_links, view_of
from fsm_core.service.passing import awaited
from fsm_core.service.problems import TOO_OFTEN, WRITES
from fsm_core.service.removal import owed_deletion
from fsm_core.state import Conflict, Link, Problem, Proposal, Reason
from fsm_core.sync.record import DIVERGED, PROPOSED, UNDELIVERABLE, View, owed
from fsm_core.sync.types import Rule


class Await(StrEnum):
    """What a field waits for."""

    WRITE = "write"
    CREATE = "create"
    DELETE = "delete"
    LOOK = "look"
    DECIDE = "decide"
    CONFLICT = "conflict"
    PROPOSAL = "proposal"
    ANSWERED = "answered"
    PARENT = "parent"
    HANDOVER = "handover"
    PROBLEM = "problem"
    KEPT = "kept"
    STOPPED = "stopped"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Next:
    """One thing expected, in words; `id` is of the conflict, proposal or problem it waits for."""

    what: Await
    words: str
    system: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One record and everything that is open about it."""

    loaded: Loaded
    problems: Sequence[Problem] = ()
    due: Collection[tuple[str, str]] = ()
    """Reason and system for which the record will be looked at again."""
    held: Collection[tuple[str, str]] = ()
    """System, and the record that has to be there before this one is told of it."""
    writable: Callable[[str], Collection[str]] = frozenset
    """Fields that may be written in a system; asked where none is connected."""
    views: Mapping[int, View] = field(default_factory=dict)


def outlook(hub: Hub, waiting: Waiting, names: Sequence[str]) -> dict[str, list[Next]]:
    """What is expected of each of these fields; never empty."""
    one = waiting.loaded
    book = hub.book(one.record.entity)
    waiting = replace(waiting, views={link.id: _view(hub, waiting, link) for link in live_links(one.links)})
    everywhere = [*_identity(one), *_births(hub, waiting), *_deaths(hub, one)]
    if (Reason.RULES, "") in waiting.due:
        everywhere.append(Next(Await.DECIDE, "the next round decides it again: the rules changed"))
    found = {}
    passing = _handover(hub, one)
    for name in names:
        told = [*_answers(book, waiting, name), *_per_system(book, waiting, name), *passing.get(name, []), *everywhere]
        found[name] = told or [_nothing(waiting, name)]
    return found


def _view(hub: Hub, waiting: Waiting, link: Link) -> View:
    view = view_of(hub, link, waiting.loaded.attempts)
    connected = (link.system, link.entity) in hub.bindings
    return view if connected else replace(view, writable=frozenset(waiting.writable(link.system)))


# -- who is waited for ---------------------------------------------------------------------------


def _answers(book: EntityBook, waiting: Waiting, name: str) -> Iterator[Next]:
    one = waiting.loaded
    asked = [conflict for conflict in one.conflicts if conflict.type == "field" and conflict.field == name]
    yield from map(_asked, asked)
    pin = one.pins.get(name)
    if pin and not asked and not book.shape.fields[name].same(one.record.document.get(name), pin.value):
        yield Next(Await.ANSWERED, f"the next round makes what {pin.by} pinned the agreed value")
    for proposal in one.proposals:
        if proposal.field != name:
            continue
        mine = (proposal.system, proposal.id)
        if proposal.state == "open":
            rule = book.rules(one.ruled(book))[name]
            words = (
                f"proposal {_end(proposal.id)} of {proposal.system} waits for {rule.owner or 'a person'}, "
                f"or to be adopted or rejected{_until(rule, proposal)}"
            )
            yield Next(Await.PROPOSAL, words, *mine)
        else:
            answer = "adopts" if proposal.state == "adopting" else "rejects"
            words = f"the next round {answer} proposal {_end(proposal.id)}, as {proposal.decided_by} decided"
            yield Next(Await.ANSWERED, words, *mine)


def _until(rule: Rule, proposal: Proposal) -> str:
    if proposal.due_at is None:
        return ""
    then = "each side keeps what it says" if rule.proposal_end == "keep" else "the agreed value is written back"
    return f"; after {proposal.due_at[:16].replace('T', ' ')} UTC {then}"


def _asked(conflict: Conflict) -> Next:
    if conflict.state == "decided":
        words = f"the next round applies what {conflict.resolved_by} answered to conflict {_end(conflict.id)}"
        return Next(Await.ANSWERED, words, id=conflict.id)
    words = f"waits for an answer to conflict {_end(conflict.id)} ({conflict.note}); nothing of it is written meanwhile"
    return Next(Await.CONFLICT, words, id=conflict.id)


def _identity(one: Loaded) -> Iterator[Next]:
    for conflict in one.conflicts:
        if conflict.type != "field" and conflict.state == "open":
            words = f"the record waits for an answer to conflict {_end(conflict.id)} ({conflict.note})"
            yield Next(Await.CONFLICT, words, id=conflict.id)


# -- who will own it -----------------------------------------------------------------------------


def _handover(hub: Hub, one: Loaded) -> dict[str, list[Next]]:
    """Per field that is about to pass to another owner: when, or what that waits for."""
    owners, found = awaited(hub, one)
    return {
        name: [
            Next(Await.HANDOVER, f"passes from {a} to {b} {words}", b)
            for words in [_when(hub, one, wait) for wait in found if wait.system in ("", b)] or ["in the next round"]
        ]
        for name, (a, b) in owners.items()
    }


def _when(hub: Hub, one: Loaded, wait: Wait) -> str:
    match wait.why:
        case Why.DWELL:
            left = datetime.fromisoformat(wait.until) - hub.now()
            switch = " and ".join(sorted(held(one.record)))
            return f"in {duration(left)}, unless {switch} goes back before"
        case Why.FACTS:
            return f"once {' and '.join(wait.fields)} {'is' if len(wait.fields) == 1 else 'are'} stated"
        case Why.LINK:
            return f"once {wait.system} has the record"
        case Why.DELIVERY:
            return f"once {wait.system} was told what changed before"


def duration(left: timedelta) -> str:
    """A time to come in words, by its largest unit, rounded up."""
    minutes = max(1, ceil(left.total_seconds() / 60))
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes > size:
            return f"{ceil(minutes / size)} {unit}s"
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


# -- what will be done where ---------------------------------------------------------------------


def _per_system(book: EntityBook, waiting: Waiting, name: str) -> Iterator[Next]:
    one = waiting.loaded
    closed = closed_fields(book, one, one.conflicts)
    speaking = [] if name in frozen_fields(one.conflicts) else live_links(one.links)
    for link in speaking:
        view = waiting.views[link.id]
        if name not in link.now:
            continue
        if in_flight(link, [attempt for attempt in one.attempts if name in attempt.payload]):
            words = f"a write to {link.system} got no answer; the next round looks what became of it"
            yield Next(Await.LOOK, words, link.system)
        elif _is_news(link, name):
            yield Next(Await.DECIDE, f"the next round decides on what {link.system} says now", link.system)
        elif name in view.holds:
            yield from _held(waiting, link, name, view.holds[name])
        elif name in owed(book.shape, one.record.document, view, closed):
            yield _delivery(waiting, link, name)
        elif name not in closed:
            yield from _differs(book, waiting, link, name)


def _is_news(link: Link, name: str) -> bool:
    return link.base is None or name not in link.base or link.base[name] != link.now[name]


def _held(waiting: Waiting, link: Link, name: str, why: str) -> Iterator[Next]:
    if why == UNDELIVERABLE:
        yield _refused(waiting, link, name) or Next(
            Await.PROBLEM, f"{link.system} refused it; it is written again when it changes", link.system
        )
    elif why == DIVERGED:
        yield Next(Await.KEPT, f"{link.system} keeps a value of its own: the rule lets it stand", link.system)
    elif why == PROPOSED and not any(p.system == link.system and p.field == name for p in waiting.loaded.proposals):
        yield Next(Await.KEPT, f"{link.system} keeps what it proposed", link.system)


def _delivery(waiting: Waiting, link: Link, name: str) -> Next:
    refused = _refused(waiting, link, name)
    if refused and (refused.what is Await.STOPPED or (Reason.DELIVER, link.system) not in waiting.due):
        return refused
    parent = waiting.loaded.record.document.get(name)
    if (link.system, parent) in waiting.held:
        words = f"will be written to {link.system} once the record it refers to is there"
        return Next(Await.PARENT, words, link.system, str(parent))
    return Next(Await.WRITE, f"will be written to {link.system} in the next round", link.system)


def _refused(waiting: Waiting, link: Link, name: str) -> Next | None:
    """The open problem for which this field is not written: its own, or one of the whole record."""
    mine = [p for p in waiting.problems if p.system == link.system and p.cause in (*WRITES, TOO_OFTEN)]
    mine = [p for p in mine if p.external_id == link.external_id and p.field in (name, "")]
    problem = max(mine, key=lambda p: (p.cause == TOO_OFTEN, p.field == name), default=None)
    return _problem(problem) if problem else None


def _problem(problem: Problem) -> Next:
    if problem.cause == TOO_OFTEN:
        words = (
            f"nothing is written to {problem.system} before problem {_end(problem.id)} ({problem.message}) is repaired"
        )
        return Next(Await.STOPPED, words, problem.system, problem.id)
    words = f"{problem.system} will refuse it: problem {_end(problem.id)} ({problem.message}) has to be repaired first"
    return Next(Await.PROBLEM, words, problem.system, problem.id)


def _differs(book: EntityBook, waiting: Waiting, link: Link, name: str) -> Iterator[Next]:
    """Nothing is owed although it shows something else: it may not be written, or it is a rendering."""
    same, agreed = book.shape.fields[name].same, waiting.loaded.record.document.get(name)
    if not same(link.now[name], agreed) and name not in link.sent:
        yield Next(Await.KEPT, f"{link.system} keeps what it shows: it may not be written there", link.system)


def _births(hub: Hub, waiting: Waiting) -> Iterator[Next]:
    one = waiting.loaded
    for system in missing(hub, one, one.conflicts):
        known = [p for p in waiting.problems if p.system == system and p.external_id == one.record.id]
        waits = any(attempt.system == system for attempt in one.attempts)
        if known and (Reason.DELIVER, system) not in waiting.due:
            yield _problem(known[0])
        elif waits:
            words = f"the creation in {system} got no answer; the next round looks what became of it"
            yield Next(Await.LOOK, words, system)
        elif parents := sorted(parent for held, parent in waiting.held if held == system):
            words = f"the record will be created in {system} once the record it refers to is there"
            yield Next(Await.PARENT, words, system, parents[0])
        else:
            yield Next(Await.CREATE, f"the record will be created in {system} in the next round", system)


def _deaths(hub: Hub, one: Loaded) -> Iterator[Next]:
    for link in live_links(one.links):
        if owed_deletion(hub, one, link):
            yield Next(Await.DELETE, f"the record will be deleted in {link.system} in the next round", link.system)


def _nothing(waiting: Waiting, name: str) -> Next:
    one = waiting.loaded
    speaking = sorted({link.system for link in live_links(one.links) if name in link.now})
    told = f"all systems that have it show it: {', '.join(speaking)}" if speaking else "no system has a place for it"
    return Next(Await.NOTHING, f"nothing: {told}")


def _end(id: str) -> str:  # noqa: A002 - as in the table
    return id[-8:]
