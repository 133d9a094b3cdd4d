"""Hands fields over to another owner: when that may happen, what it waits for, and what then becomes of them.

While a record waits, its old owner acts: conditions on rules go by the values that are held (`Record.handover`).
Not here: one field at that moment (`fsm_core.sync.handover`), who is told what (`fsm_core.service.passing`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from fsm_core.model.compare import blank
from fsm_core.ownership.book import NOTHING, EntityBook, Facts
from fsm_core.state import Doc, Link, Passage, Record, stamp
from fsm_core.sync.handover import taken_over
from fsm_core.sync.record import Held, View, held_rule, owed, shows
from fsm_core.sync.types import HUB, Outcome, Rule, System, Verdict

Owners = Mapping[str, tuple[System, System]]
"""Per field that passes: who owned it, and who will."""
NO_OWNERS: Owners = MappingProxyType({})


class Parents(NamedTuple):
    """Documents of the records that others refer to, by record: agreed, and as conditions on rules see them."""

    agreed: Mapping[str, Doc] = NOTHING
    in_force: Mapping[str, Doc] = NOTHING


NO_PARENTS = Parents()


def held(record: Record) -> Facts:
    """The facts that still count for this record although others are agreed."""
    return record.handover.held if record.handover else NOTHING


def counting(record: Record) -> Doc:
    """The agreed document, with the facts that still count for conditions on rules."""
    return {**record.document, **record.handover.held} if record.handover else record.document


def passes(book: EntityBook, document: Doc, parents: Parents, kept: Facts) -> Owners:
    """The fields that another system would own if nothing were held."""
    if not kept:
        return {}
    before = book.owners(book.in_force(document, parents.in_force, kept))
    after = book.owners(book.in_force(document, parents.in_force, NOTHING))
    return {name: (before[name], after[name]) for name in before.keys() & after.keys() if before[name] != after[name]}


def following(
    book: EntityBook, record: Record, after: Doc, parents: Parents, met: Collection[System], at: str
) -> Passage | None:
    """What is held once a record says `after`: as little as keeps every field with the owner it has now.

    A receiver that is `met` for the first time is no hand-over: first contact decides under the rules that follow.
    """
    before, passage = record.document, record.handover
    old = book.facts(book.in_force(before, parents.in_force, held(record)))
    new = book.facts(book.in_force(after, parents.in_force, NOTHING))
    kept = _needed(book, after, parents, {name: old[name] for name in sorted(old) if old[name] != new[name]})
    if not kept or any(receiver in met for _, receiver in passes(book, after, parents, kept).values()):
        return None
    stays = passage is not None and _targets(book, before, parents) == _targets(book, after, parents)
    return Passage((passage.since if passage is not None and stays else "") or at, dict(kept))


def _targets(book: EntityBook, document: Doc, parents: Parents) -> dict[str, System]:
    return book.owners(book.in_force(document, parents.in_force, NOTHING))


def _needed(book: EntityBook, document: Doc, parents: Parents, kept: Facts) -> Facts:
    """Of these facts those without which a field would have another owner already."""
    passing = passes(book, document, parents, kept)
    for name in sorted(kept) if passing else ():
        fewer = {other: value for other, value in kept.items() if other != name}
        if passes(book, document, parents, fewer) == passing:
            kept = fewer
    return kept if passing else {}


# -- what it waits for ---------------------------------------------------------------------------


class Why(StrEnum):
    """What a hand-over waits for."""

    DWELL = "dwell"
    FACTS = "facts"
    LINK = "link"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing a hand-over waits for."""

    why: Why
    system: System = ""
    fields: tuple[str, ...] = ()
    until: str = ""


@dataclass(frozen=True, slots=True)
class Sides:
    """The live links of a record, how the decision sees each, and on which of them a write has no known end."""

    links: Sequence[Link]
    views: Mapping[int, View]
    in_flight: Collection[int]
    closed: Collection[str]
    """Fields of which nothing is written now."""


def due_at(book: EntityBook, passage: Passage, at: str) -> str:
    """When the switch has stayed for as long as the rules want; one that nobody looked at yet begins now."""
    since = passage.since or at
    if not book.handover.dwell:
        return since
    return stamp(datetime.fromisoformat(since) + book.handover.dwell) or ""


def waits(book: EntityBook, record: Record, owners: Owners, sides: Sides, at: str) -> list[Wait]:
    """What the hand-over of a record still waits for; nothing when it may happen now."""
    if record.handover is None:
        return []
    found = []
    until = due_at(book, record.handover, at)
    if until > at:
        found.append(Wait(Why.DWELL, until=until))
    lacking = missing_facts(book, record)
    for system in sorted({b for _, b in owners.values()}):
        if lacking:
            found.append(Wait(Why.FACTS, system, lacking))
        if system != HUB:
            found += _of_receiver(book, record, owners, sides, system)
    return found


def missing_facts(book: EntityBook, record: Record) -> tuple[str, ...]:
    """The required fields about which a record says nothing yet."""
    return tuple(name for name in book.handover.require if blank(record.document.get(name)))


def _of_receiver(book: EntityBook, record: Record, owners: Owners, sides: Sides, system: System) -> list[Wait]:
    """Its record there and settled, told everything that passes to it, and nobody's last word hidden by a write."""
    link = next((link for link in sides.links if link.system == system), None)
    if link is None or link.base is None:
        return [Wait(Why.LINK, system)]
    givers = {a for a, b in owners.values() if b == system}
    if any(one.id in sides.in_flight for one in sides.links if one.system in givers | {system}):
        return [Wait(Why.DELIVERY, system)]
    mine = {name for name, (_, b) in owners.items() if b == system}
    late = mine & owed(book.shape, record.document, sides.views[link.id], sides.closed).keys()
    return [Wait(Why.DELIVERY, system, tuple(sorted(late)))] if late else []


# -- the moment ----------------------------------------------------------------------------------


def handed_over(
    book: EntityBook,
    record: Record,
    owners: Owners,
    rules: Mapping[str, Rule],
    views: Sequence[View],
    on: Held,
) -> dict[str, Verdict]:
    """A verdict for each field that passes, under the rules that are in force from now on."""
    verdicts = {}
    for name in sorted(owners):
        agreed = record.document.get(name)
        seen = {view.system: found for view in views if (found := view.seen(name)) is not None}
        if any(name in v.now and v.system == owners[name][1] and shows(book.shape, v, name, agreed) for v in views):
            verdicts[name] = Verdict(Outcome.NOOP, agreed)
        else:
            rule, same = held_rule(rules[name], name, on), book.shape.fields[name].same
            verdicts[name] = taken_over(book.handover.on_switch, rule, agreed, seen, same)
        if verdicts[name].outcome is not Outcome.CONFLICT:
            verdicts[name] = replace(verdicts[name], note=_noted(owners[name], verdicts[name].note))
    return verdicts


def _noted(owners: tuple[System, System], why: str) -> str:
    told = f": {why}" if why else ""
    return f"handed over from {owners[0]} to {owners[1]}{told}"


def freed(view: View, owners: Owners, verdicts: Mapping[str, Verdict]) -> None:
    """What the new owner held is held no longer, where it is told the agreed value or a person is asked."""
    for name, (_, receiver) in owners.items():
        if receiver == view.system and verdicts[name].outcome in (Outcome.REDELIVER, Outcome.CONFLICT):
            view.holds.pop(name, None)


def event(before: Passage | None, after: Passage | None, owners: Owners, *, passed: bool) -> Doc:
    """What the audit keeps of a hand-over: that it begins, is withdrawn before its time, or has happened."""
    if passed and before is not None:
        return {"event": "passed", "since": before.since, "held": before.held, "owners": _listed(owners)}
    if after is not None and (before is None or before.since != after.since):
        return {"event": "begins", "since": after.since, "held": after.held, "owners": _listed(owners)}
    if before is not None and after is None and before.since:
        return {"event": "withdrawn", "since": before.since, "held": before.held}
    return {}


def _listed(owners: Owners) -> dict[str, list[System]]:
    return {name: list(pair) for name, pair in sorted(owners.items())}
