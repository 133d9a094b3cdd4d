"""Turns loaded state into decided state for one record: verdicts, document, provenance, questions.

No database here and no remote system; loading and saving is `converge`.
Not here: what is told of a decision (`telling`), and what is known before it (`loaded`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fsm_core.model.compare import blank
from fsm_core.service.answers import Answer, answers, keep_news
from fsm_core.service.expiry import end_proposals, set_ends
from fsm_core.service.handover import (
    NO_OWNERS,
    Owners,
    counting,
    event,
    following,
    freed,
    handed_over,
    held,
    passes,
    waits,
)
from fsm_core.service.hub import Hub
from fsm_core.service.loaded import Decided, Loaded, Weighed, frozen_fields, live_links, sides, view_of
from fsm_core.service.telling import (
    DECIDED,
    become_candidates,
    decision_of,
    provenance,
    tell_proposals,
    tell_provenance,
    tell_questions,
)
from fsm_core.state import Conflict, Doc, Passage, seconds
from fsm_core.sync.record import UNDELIVERABLE, Held, View, decide_fields, fields_with_news, is_news, merged, settle
from fsm_core.sync.types import Outcome, Verdict


def decide(hub: Hub, loaded: Loaded) -> Decided:
    """Decide all fields with news, and say what to save."""
    return conclude(hub, weigh(hub, loaded))


def weigh(hub: Hub, loaded: Loaded, *, everything: bool = False) -> Weighed:
    """What rules and people say of all fields with news (or of all fields). Nothing is moved by it."""
    book = hub.book(loaded.record.entity)
    views = {link.id: view_of(hub, link, loaded.attempts) for link in live_links(loaded.links)}
    seen = list(views.values())
    given = answers(book.shape, loaded.record, seen, loaded.conflicts, loaded.proposals, loaded.pins)
    if owners := {} if given else _passing(hub, loaded, seen):
        return Weighed(loaded, views, _checked(hub, loaded, _passed(hub, loaded, views, owners)), {}, owners)
    names = list(book.shape.fields) if everything else fields_with_news(book.shape, seen)
    verdicts = _verdicts(hub, loaded, seen, [name for name in names if name not in given], given)
    verdicts |= {name: answer.verdict for name, answer in given.items()}
    return Weighed(loaded, views, _checked(hub, loaded, verdicts), given, NO_OWNERS)


def conclude(hub: Hub, weighed: Weighed) -> Decided:
    """Make of the verdicts what is to be saved."""
    loaded, given = weighed.loaded, weighed.given
    if weighed.owners:
        passed = _applied(hub, weighed)
        _note_ends(hub, passed)
        return passed
    busy = {*given, *frozen_fields(loaded.conflicts)} if loaded.proposals else ()
    ended = end_proposals(hub, loaded, weighed.verdicts, busy)
    decided = _applied(hub, weighed)
    decided.proposals += ended
    _note_ends(hub, decided)
    return decided


def _note_ends(hub: Hub, decided: Decided) -> None:
    """Look at the record again when what is proposed on it ends: this look took away the notice of it."""
    loaded = decided.loaded
    if loaded.proposals or decided.new_proposals:
        asked = [c for c in (*loaded.conflicts, *decided.new_conflicts) if c.state == "open"]
        set_ends(hub, decided, frozen_fields(asked))


def _passing(hub: Hub, loaded: Loaded, views: Sequence[View]) -> Owners:
    """The fields that are handed over now; none while there is anything else to decide first."""
    book, record = hub.book(loaded.record.entity), loaded.record
    if record.handover is None or not record.handover.since:
        return {}
    frozen = frozen_fields(loaded.conflicts)
    if any(is_news(book.shape, v, name) for v in views for name in v.now if name not in frozen):
        return {}
    owners = passes(book, record.document, loaded.parents, record.handover.held)
    return {} if waits(book, record, owners, sides(hub, loaded, loaded.conflicts), hub.at()) else owners


def _passed(hub: Hub, loaded: Loaded, views: Mapping[int, View], owners: Owners) -> dict[str, Verdict]:
    """What becomes of the fields of a record at its hand-over."""
    book, record = hub.book(loaded.record.entity), loaded.record
    rules = book.rules(book.in_force(record.document, loaded.parents.in_force, {}))
    on = _held(hub, loaded, loaded.conflicts)
    return handed_over(book, record, owners, rules, list(views.values()), on)


def _held(hub: Hub, loaded: Loaded, conflicts: Sequence[Conflict]) -> Held:
    """What holds the fields of a record while these questions are open."""
    return Held(
        frozen=frozen_fields(conflicts),
        pins={name: (pin.value, pin.mode) for name, pin in loaded.pins.items()},
        fixed=hub.book(loaded.record.entity).fixed(loaded.record.document),
        silent=loaded.silent,
    )


def _verdicts(
    hub: Hub, loaded: Loaded, views: list[View], names: list[str], given: Mapping[str, Answer]
) -> dict[str, Verdict]:
    """Rules look at the agreed state before the change; at first contact the switch fields are agreed first."""
    book = hub.book(loaded.record.entity)
    waiting = [c for c in loaded.conflicts if c.state == "open" or c.field not in given]
    on = _held(hub, loaded, waiting)
    agreed = loaded.record.document

    def decided(seen: Mapping[str, Any], which: list[str]) -> dict[str, Verdict]:
        return decide_fields(
            book.shape, book.rules(seen), agreed, views, which, on,
            lambda name: seconds(provenance(loaded.record, name).get("at")),
        )  # fmt: skip

    if all(view.base is not None for view in views):
        return decided(loaded.ruled(book), names)
    switches = [name for name in names if name in book.switches()]
    first = decided(loaded.ruled(book), switches)
    rest = [name for name in names if name not in first]
    document = merged(book.shape, agreed, first)
    passage = _following(hub, loaded, document, views)
    seen = book.in_force(document, loaded.parents.in_force, passage.held if passage else {})
    return first | decided(seen, rest)


def _following(hub: Hub, loaded: Loaded, document: Doc, views: Sequence[View]) -> Passage | None:
    """The hand-over that is about to be once the record says this; of one that said nothing yet none."""
    if loaded.born or not loaded.record.document:
        return None
    met = {view.system for view in views if view.base is None}
    book = hub.book(loaded.record.entity)
    return following(book, loaded.record, document, loaded.parents, met, hub.at())


def _checked(hub: Hub, loaded: Loaded, verdicts: dict[str, Verdict]) -> dict[str, Verdict]:
    """Record-level checks: what would make the record invalid becomes a question instead."""
    shape = hub.book(loaded.record.entity).shape
    document = merged(shape, loaded.record.document, verdicts)
    for name, message in shape.faults(document):
        verdict = verdicts.get(name)
        if verdict is not None and verdict.outcome in DECIDED and not blank(loaded.record.document):
            note = f"would make the record invalid: {message}"
            verdicts[name] = Verdict(Outcome.CONFLICT, loaded.record.document.get(name), note=note)
    return verdicts


def _applied(hub: Hub, weighed: Weighed) -> Decided:
    loaded, views, verdicts = weighed.loaded, weighed.views, weighed.verdicts
    given, passed = weighed.given, weighed.owners
    shape = hub.book(loaded.record.entity).shape
    decided = Decided(loaded, verdicts=verdicts, counted=counting(loaded.record))
    before = loaded.record.document
    document = merged(shape, before, verdicts)
    told = _follow(hub, decided, document, list(views.values()), passed)
    for link in live_links(loaded.links):
        view = views[link.id]
        refused = {name for name, why in view.holds.items() if why == UNDELIVERABLE}
        for name, verdict in verdicts.items():
            settle(view, name, verdict)
        freed(view, passed, verdicts)
        decided.unsettled |= keep_news(view, {n: a for n, a in given.items() if verdicts[n] is a.verdict})
        decided.freed += [(link, name) for name in sorted(refused - set(view.holds))]
        link.base, link.sent, link.holds = view.base, view.sent, view.holds
        decided.settled.append(link)
    decided.unpinned = [loaded.pins[n] for n, verdict in verdicts.items() if verdict.unpins and n in loaded.pins]
    decided.changed = document != before or loaded.born
    if decided.changed and not loaded.born:
        loaded.record.version += 1
    loaded.record.document = document
    loaded.record.updated_at = hub.at()
    for name, verdict in verdicts.items():
        tell_provenance(hub, loaded, name, verdict, before)
        tell_questions(hub, decided, name, verdict)
        tell_proposals(hub, decided, name, verdict)
    become_candidates(hub, decided, passed)
    decided.decision = decision_of(hub, loaded, verdicts, before, told)
    if decided.decision is not None and decided.unpinned:
        decided.decision.content["unpinned"] = [asdict(pin) for pin in decided.unpinned]
    return decided


def _follow(hub: Hub, decided: Decided, document: Doc, views: Sequence[View], passed: Owners) -> Doc:
    """Keep what is held from now on; returns what the audit is told of it."""
    record = decided.loaded.record
    before, book = record.handover, hub.book(record.entity)
    if before is None and (decided.loaded.born or book.rule_switches.isdisjoint(decided.verdicts)):
        return {}
    if passed:
        record.handover = None
    record.handover = _following(hub, decided.loaded, document, views)
    decided.passage_moved = record.handover != before
    if passed:
        return event(before, None, passed, passed=True)
    owners = passes(book, document, decided.loaded.parents, held(record))
    return event(before, record.handover, owners, passed=False)
