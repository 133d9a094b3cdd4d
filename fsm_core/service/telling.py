"""What is kept and told of a decided record: who said a value, questions, proposals, the audit's row.

Not here: the decision itself (`decide`).
"""

from __future__ import annotations

from collections.abc import Mapping

from fsm_core.model.compare import Value
from fsm_core.service.answers import DECIDED_BY
from fsm_core.service.expiry import EXPIRED
from fsm_core.service.handover import Owners
from fsm_core.service.hub import Hub
from fsm_core.service.loaded import ENGINE, Decided, Loaded, live_links
from fsm_core.state import Conflict, Decision, Doc, Proposal, Record
from fsm_core.sync.types import Outcome, Verdict

DECIDED = frozenset({Outcome.ACCEPT, Outcome.MERGED, Outcome.REVERT, Outcome.CONVERGED})
"""Outcomes after which nobody waits for anything on the field."""


# -- provenance ----------------------------------------------------------------------------------


def provenance(record: Record, name: str) -> Doc:
    """Who said the value of this field, when, in which run, under which rules."""
    found = record.provenance.get(name) or record.provenance.get("*") or {}
    return dict(found)


def tell_provenance(hub: Hub, loaded: Loaded, name: str, verdict: Verdict, before: Doc) -> None:
    """Note who said a value that is agreed now."""
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
    if verdict.fallback:
        entry["fallback"] = True
    loaded.record.provenance[name] = entry


# -- questions -----------------------------------------------------------------------------------


def tell_questions(hub: Hub, decided: Decided, name: str, verdict: Verdict) -> None:
    """Open, refresh or close the question about a field."""
    existing = next((c for c in decided.loaded.conflicts if c.type == "field" and c.field == name), None)
    if verdict.outcome is Outcome.CONFLICT:
        if existing is None:
            decided.new_conflicts.append(_conflict(hub, decided.loaded, name, verdict))
        else:
            existing.snapshot = snapshot(decided.loaded, name)
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
        snapshot=snapshot(loaded, name),
    )


def snapshot(loaded: Loaded, name: str) -> Doc:
    """What everybody says of a field, as a question shows it."""
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


def tell_proposals(hub: Hub, decided: Decided, name: str, verdict: Verdict) -> None:
    """Open and end the proposals about a field."""
    mine = [p for p in decided.loaded.proposals if p.field == name and p.state != EXPIRED]
    for system, value in verdict.proposals.items():
        old = next((p for p in mine if p.system == system), None)
        if old is not None:
            old.value, old.said_at = value, hub.at()
            decided.proposals.append(old)
        else:
            decided.new_proposals.append(_proposal(hub, decided.loaded, name, system, value))
    if verdict.outcome not in DECIDED:
        return
    same = hub.book(decided.loaded.record.entity).shape.fields[name].same
    for proposal in mine:
        if verdict.outcome is Outcome.CONVERGED and not verdict.closes and proposal.system not in verdict.settled:
            continue
        proposal.state = _ended(proposal, verdict, same(proposal.value, verdict.value))
        proposal.decided_at = hub.at()
        proposal.decided_by = proposal.decided_by or ENGINE
        decided.proposals.append(proposal)


def become_candidates(hub: Hub, decided: Decided, passed: Owners) -> None:
    """What a new owner had proposed is one side of the conflict that its hand-over raised."""
    for proposal in decided.loaded.proposals:
        verdict = decided.verdicts.get(proposal.field)
        receiver = passed.get(proposal.field, ("", ""))[1]
        if proposal.system == receiver and verdict is not None and verdict.outcome is Outcome.CONFLICT:
            proposal.state, proposal.decided_by, proposal.decided_at = "superseded", ENGINE, hub.at()
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
        said_at=hub.at(),
    )


# -- audit ---------------------------------------------------------------------------------------


def decision_of(
    hub: Hub, loaded: Loaded, verdicts: Mapping[str, Verdict], before: Doc, passage: Doc
) -> Decision | None:
    """The audit's row of this change set; None where there is nothing to tell."""
    passed = passage.get("event") == "passed"
    told = {
        name: _told(verdict, before.get(name))
        for name, verdict in verdicts.items()
        if passed or _worth_telling(verdict, before.get(name), loaded.record.document.get(name))
    }
    if not told and not loaded.born and not passage:
        return None
    people = {v.note.removeprefix(DECIDED_BY) for v in verdicts.values() if v.note.startswith(DECIDED_BY)}
    content: Doc = {"rules": hub.rulebook.version, "version": loaded.record.version, "fields": told}
    if passage:
        content["handover"] = passage
    if loaded.born:
        content["links"] = [[link.system, link.external_id, link.method] for link in loaded.links]
    return Decision(
        id=hub.ids.text(),
        record=loaded.record.id,
        entity=loaded.record.entity,
        actor=", ".join(sorted(people)) or ENGINE,
        kind="create" if loaded.born else "handover" if passed else "decide",
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
