"""Turns loaded state into decided state for one record: verdicts, document, provenance, questions.

No database here and no remote system; loading and saving is `converge`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fsm_core.model.compare import Value, blank
from fsm_core.ownership.rulebook import EntityBook
from fsm_core.service.answers import DECIDED_BY, Answer, answers, keep_news
from fsm_core.service.hub import Hub
from fsm_core.state import Conflict, Decision, Doc, Intent, Link, LinkState, Proposal, Record, seconds
from fsm_core.sync.record import UNDELIVERABLE, Held, View, decide_fields, fields_with_news, merged, settle
from fsm_core.sync.types import Outcome, Verdict

ENGINE = "engine"
_DECIDED = frozenset({Outcome.ACCEPT, Outcome.MERGED, Outcome.REVERT, Outcome.CONVERGED})


@dataclass(slots=True)
class Loaded:
    """Everything known of one record."""

    record: Record
    links: list[Link]
    conflicts: list[Conflict] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    attempts: list[Intent] = field(default_factory=list)
    """Writes whose end is not known."""
    born: bool = False
    parents: dict[str, Doc] = field(default_factory=dict)
    """Agreed documents it refers to, by record, where conditions look into them."""


@dataclass(slots=True)
class Decided:
    """Everything to be saved of one record."""

    loaded: Loaded
    changed: bool = False
    """The agreed document is new."""
    settled: list[Link] = field(default_factory=list)
    decision: Decision | None = None
    conflicts: list[Conflict] = field(default_factory=list)
    new_conflicts: list[Conflict] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    new_proposals: list[Proposal] = field(default_factory=list)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    unsettled: bool = False
    """A side moved after a person's decision: to be decided on once more, at once."""
    freed: list[tuple[Link, str]] = field(default_factory=list)
    """Fields a system refused, which changed here or there since."""


def live_links(links: Sequence[Link]) -> list[Link]:
    """Links that take part."""
    return [link for link in links if link.state == LinkState.LIVE]


def in_flight(link: Link, attempts: Sequence[Intent]) -> bool:
    """Whether a write to this link has no known end."""
    return any(attempt.link == link.id for attempt in attempts)


def view_of(hub: Hub, link: Link, attempts: Sequence[Intent] = ()) -> View:
    """A link as the decision sees it; it shares the link's dictionaries.

    A link with a write in flight shows what it was settled on: what it shows now may be our own doing.
    """
    binding = hub.bindings.get((link.system, link.entity))
    waiting = link.base is not None and in_flight(link, attempts)
    return View(
        system=link.system,
        now=dict(link.base or {}) if waiting else link.now,
        base=link.base,
        sent=link.sent,
        holds=link.holds,
        at=seconds(link.changed_at),
        writable=binding.writable if binding else frozenset(),
    )


def frozen_fields(conflicts: Sequence[Conflict]) -> frozenset[str]:
    """Fields held by an open question."""
    return frozenset(conflict.field for conflict in conflicts if conflict.type == "field")


def closed_fields(book: EntityBook, loaded: Loaded, conflicts: Sequence[Conflict]) -> frozenset[str]:
    """Fields of which nothing is written now: in question, or kept by each system for itself."""
    return frozen_fields(conflicts) | book.local(book.joined(loaded.record.document, loaded.parents))


def decide(hub: Hub, loaded: Loaded, *, everything: bool = False) -> Decided:
    """Decide all fields with news (or all fields), apply people's decisions, and say what to save."""
    book = hub.book(loaded.record.entity)
    views = {link.id: view_of(hub, link, loaded.attempts) for link in live_links(loaded.links)}
    seen = list(views.values())
    given = answers(book.shape, loaded.record, seen, loaded.conflicts, loaded.proposals)
    names = list(book.shape.fields) if everything else fields_with_news(book.shape, seen)
    verdicts = _verdicts(hub, loaded, seen, [name for name in names if name not in given], given)
    verdicts |= {name: answer.verdict for name, answer in given.items()}
    return _applied(hub, loaded, views, _checked(hub, loaded, verdicts), given)


def _verdicts(
    hub: Hub, loaded: Loaded, views: list[View], names: list[str], given: Mapping[str, Answer]
) -> dict[str, Verdict]:
    """Rules look at the agreed state before the change; at first contact the switch fields are agreed first."""
    book = hub.book(loaded.record.entity)
    waiting = [c for c in loaded.conflicts if c.state == "open" or c.field not in given]
    held = Held(frozen=frozen_fields(waiting))
    agreed = loaded.record.document

    def decided(on: Doc, which: list[str]) -> dict[str, Verdict]:
        return decide_fields(
            book.shape, book.rules(book.joined(on, loaded.parents)), agreed, views, which, held,
            lambda name: seconds(provenance(loaded.record, name).get("at")),
        )  # fmt: skip

    if all(view.base is not None for view in views):
        return decided(agreed, names)
    switches = [name for name in names if name in book.switches()]
    first = decided(agreed, switches)
    rest = [name for name in names if name not in first]
    return first | decided(merged(book.shape, agreed, first), rest)


def _checked(hub: Hub, loaded: Loaded, verdicts: dict[str, Verdict]) -> dict[str, Verdict]:
    """Record-level checks: what would make the record invalid becomes a question instead."""
    shape = hub.book(loaded.record.entity).shape
    document = merged(shape, loaded.record.document, verdicts)
    for name, message in shape.faults(document):
        verdict = verdicts.get(name)
        if verdict is not None and verdict.outcome in _DECIDED and not blank(loaded.record.document):
            note = f"would make the record invalid: {message}"
            verdicts[name] = Verdict(Outcome.CONFLICT, loaded.record.document.get(name), note=note)
    return verdicts


def _applied(
    hub: Hub, loaded: Loaded, views: Mapping[int, View], verdicts: dict[str, Verdict], given: Mapping[str, Answer]
) -> Decided:
    shape = hub.book(loaded.record.entity).shape
    decided = Decided(loaded, verdicts=verdicts)
    before = loaded.record.document
    document = merged(shape, before, verdicts)
    for link in live_links(loaded.links):
        view = views[link.id]
        refused = {name for name, why in view.holds.items() if why == UNDELIVERABLE}
        for name, verdict in verdicts.items():
            settle(view, name, verdict)
        decided.unsettled |= keep_news(view, {n: a for n, a in given.items() if verdicts[n] is a.verdict})
        decided.freed += [(link, name) for name in sorted(refused - set(view.holds))]
        link.base, link.sent, link.holds = view.base, view.sent, view.holds
        decided.settled.append(link)
    decided.changed = document != before or loaded.born
    if decided.changed and not loaded.born:
        loaded.record.version += 1
    loaded.record.document = document
    loaded.record.updated_at = hub.at()
    for name, verdict in verdicts.items():
        _tell_provenance(hub, loaded, name, verdict, before)
        _questions(hub, decided, name, verdict)
        _proposals(hub, decided, name, verdict)
    decided.decision = _decision(hub, loaded, verdicts, before)
    return decided


# -- provenance ----------------------------------------------------------------------------------


def provenance(record: Record, name: str) -> Doc:
    """Who said the value of this field, when, in which run, under which rules."""
    found = record.provenance.get(name) or record.provenance.get("*") or {}
    return dict(found)


def _tell_provenance(hub: Hub, loaded: Loaded, name: str, verdict: Verdict, before: Doc) -> None:
    if verdict.outcome not in (Outcome.ACCEPT, Outcome.MERGED, Outcome.CONVERGED):
        return
    if before.get(name) == loaded.record.document.get(name) and verdict.outcome is Outcome.CONVERGED:
        return
    said = next((link for link in loaded.links if link.system == verdict.source), None)
    entry: Doc = {"run": hub.run, "rules": hub.rulebook.version, "note": verdict.note}
    if said is not None:
        entry |= {"system": said.system, "at": said.changed_at, "by": said.changed_by}
    elif verdict.note.startswith(DECIDED_BY):
        entry |= {"at": hub.at(), "by": verdict.note.removeprefix(DECIDED_BY), "person": True}
    if verdict.provisional:
        entry["provisional"] = True
    loaded.record.provenance[name] = entry


# -- questions -----------------------------------------------------------------------------------


def _questions(hub: Hub, decided: Decided, name: str, verdict: Verdict) -> None:
    existing = next((c for c in decided.loaded.conflicts if c.type == "field" and c.field == name), None)
    if verdict.outcome is Outcome.CONFLICT:
        if existing is None:
            decided.new_conflicts.append(_conflict(hub, decided.loaded, name, verdict))
        else:
            existing.snapshot = _snapshot(decided.loaded, name)
            decided.conflicts.append(existing)
        return
    if existing is None or not verdict.closes:
        return
    existing.state = "resolved" if existing.state == "decided" else "closed"
    existing.resolved_by = existing.resolved_by or ENGINE
    existing.resolved_at = existing.resolved_at or hub.at()
    decided.conflicts.append(existing)


def _conflict(hub: Hub, loaded: Loaded, name: str, verdict: Verdict) -> Conflict:
    return Conflict(
        id=hub.ids.text(),
        entity=loaded.record.entity,
        type="field",
        record=loaded.record.id,
        field=name,
        state="open",
        opened_at=hub.at(),
        note=verdict.note,
        snapshot=_snapshot(loaded, name),
    )


def _snapshot(loaded: Loaded, name: str) -> Doc:
    return {
        "agreed": loaded.record.document.get(name),
        "agreed_from": provenance(loaded.record, name),
        "sides": [
            {
                "system": link.system,
                "id": link.external_id,
                "value": link.now[name],
                "base": (link.base or {}).get(name),
                "at": link.changed_at,
                "by": link.changed_by,
            }
            for link in live_links(loaded.links)
            if name in link.now
        ],
    }


# -- proposals -----------------------------------------------------------------------------------


def _proposals(hub: Hub, decided: Decided, name: str, verdict: Verdict) -> None:
    mine = [p for p in decided.loaded.proposals if p.field == name]
    for system, value in verdict.proposals.items():
        old = next((p for p in mine if p.system == system), None)
        if old is not None:
            old.value = value
            decided.proposals.append(old)
        else:
            decided.new_proposals.append(_proposal(hub, decided.loaded, name, system, value))
    if verdict.outcome not in _DECIDED:
        return
    same = hub.book(decided.loaded.record.entity).shape.fields[name].same
    for proposal in mine:
        if verdict.outcome is Outcome.CONVERGED and proposal.system not in verdict.settled:
            continue
        proposal.state = _ended(proposal, verdict, same(proposal.value, verdict.value))
        proposal.decided_at = hub.at()
        proposal.decided_by = proposal.decided_by or ENGINE
        decided.proposals.append(proposal)


def _ended(proposal: Proposal, verdict: Verdict, equal: bool) -> str:  # noqa: FBT001 - a plain fact
    if proposal.state == "rejecting":
        return "rejected"
    if verdict.outcome is Outcome.CONVERGED:
        return "withdrawn"
    return "adopted" if equal else "superseded"


def _proposal(hub: Hub, loaded: Loaded, name: str, system: str, value: Value) -> Proposal:
    link = next(link for link in loaded.links if link.system == system)
    return Proposal(
        id=hub.ids.text(),
        entity=loaded.record.entity,
        record=loaded.record.id,
        field=name,
        system=system,
        value=value,
        agreed=loaded.record.document.get(name),
        by=link.changed_by,
        opened_at=hub.at(),
    )


# -- audit ---------------------------------------------------------------------------------------


def _decision(hub: Hub, loaded: Loaded, verdicts: Mapping[str, Verdict], before: Doc) -> Decision | None:
    told = {
        name: _told(verdict, before.get(name))
        for name, verdict in verdicts.items()
        if _worth_telling(verdict, before.get(name), loaded.record.document.get(name))
    }
    if not told and not loaded.born:
        return None
    people = {v.note.removeprefix(DECIDED_BY) for v in verdicts.values() if v.note.startswith(DECIDED_BY)}
    content: Doc = {"rules": hub.rulebook.version, "version": loaded.record.version, "fields": told}
    if loaded.born:
        content["links"] = [[link.system, link.external_id, link.method] for link in loaded.links]
    return Decision(
        id=hub.ids.text(),
        record=loaded.record.id,
        entity=loaded.record.entity,
        actor=", ".join(sorted(people)) or ENGINE,
        kind="create" if loaded.born else "decide",
        content=content,
    )


def _worth_telling(verdict: Verdict, old: Value, new: Value) -> bool:
    if verdict.outcome is Outcome.NOOP or verdict.note == "attached to open conflict":
        return False
    return verdict.outcome is not Outcome.CONVERGED or old != new or verdict.closes or bool(verdict.overruled)


def _told(verdict: Verdict, old: Value) -> Doc:
    told: Doc = {"outcome": verdict.outcome.value, "from": old, "to": verdict.value, "note": verdict.note}
    if verdict.overruled:
        told["overruled"] = dict(verdict.overruled)
    if verdict.proposals:
        told["proposed"] = dict(verdict.proposals)
    if verdict.source:
        told["source"] = verdict.source
    return told
