"""Takes people's decisions: stores them, tells the audit and wakes the record; the next round applies them.

No remote system is called here. Not here: how a decision changes a record (`decide`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import combinations
from typing import Any

from fsm_core.errors import Invalid
from fsm_core.model.compare import blank
from fsm_core.model.entity import FieldShape
from fsm_core.service.hub import Hub
from fsm_core.service.place import records_in
from fsm_core.service.problems import WRITES
from fsm_core.state import Conflict, Decision, Doc, LinkState, Problem, Proposal, Reason, Record, Work
from fsm_core.sync.record import UNDELIVERABLE

KEEP = "agreed"
VALUE = "value"
SAME, APART, DETACH = "same", "apart", "detach"


def choices(conflict: Conflict) -> list[str]:
    """What may be answered to a question."""
    match conflict.type:
        case "match":
            return [SAME, APART]
        case "delete" | "merge":
            return [DETACH]
        case _:
            return [KEEP, *sorted(side["system"] for side in conflict.snapshot.get("sides", [])), VALUE]


def resolve(hub: Hub, conflict: Conflict, take: str, by: str, value: Any = None) -> None:  # noqa: ANN401 - a canonical value
    """Answer a question as it was read. Raises `Invalid` naming the possible answers, or that the sides moved since."""
    if take not in choices(conflict):
        raise Invalid(f"{take!r} is no answer here", remedy=f"Choose one of: {', '.join(choices(conflict))}.")
    conflict.resolved_by, conflict.resolved_at = by, hub.at()
    conflict.resolution = {"take": take}
    with _deciding(hub) as work:
        _as_read(work.conflict(conflict.id), conflict)
        match conflict.type:
            case "match":
                _resolve_match(hub, work, conflict, take, by)
            case "delete" | "merge":
                _detach(hub, work, conflict)
            case _:
                _resolve_field(hub, work, conflict, take, value)
        work.change_conflicts([conflict])
        told = {"conflict": conflict.id, "type": conflict.type, "field": conflict.field, **conflict.resolution}
        _tell(hub, work, by, "answer", conflict.entity, conflict.record, told)


@contextmanager
def _deciding(hub: Hub) -> Iterator[Work]:
    """A transaction in the open run, or in a run of its own: the audit has a place for every decision."""
    with nullcontext() if hub.run else hub.running("decision"), hub.store.begin() as work:
        yield work


def _tell(hub: Hub, work: Work, by: str, kind: str, entity: str, record: str | None, content: Doc) -> None:
    work.write_decisions(hub.run, hub.at(), [Decision(hub.ids.text(), record or "", entity, by, kind, content)])


def _as_read(now: Conflict | None, read: Conflict) -> None:
    state = now.state if now is not None else "gone"
    if now is None or state != "open":
        raise Invalid(f"conflict {read.id} is {state}", remedy="List the open ones.")
    if _said(now) != _said(read):
        raise Invalid(f"the sides of conflict {read.id} moved since it was read", remedy="Look at it again.")


def _said(conflict: Conflict) -> list[Any]:
    return [side.get("value", side.get("values")) for side in conflict.snapshot.get("sides", [])]


def _resolve_field(hub: Hub, work: Work, conflict: Conflict, take: str, value: Any) -> None:  # noqa: ANN401 - a canonical value
    chosen = _chosen(conflict, take, value)
    shape = hub.book(conflict.entity).shape
    stated = {} if blank(chosen) else {conflict.field: chosen}
    faults = [message for name, message in shape.faults(stated) if name == conflict.field]
    if faults:
        raise Invalid(faults[0], field=conflict.field, remedy="Give a value the field can hold.")
    conflict.resolution["value"] = _referred(work, shape.fields[conflict.field], chosen)
    conflict.state = "decided"
    work.mark_dirty(conflict.entity, [(conflict.record or "", Reason.DECISION, "", hub.at())])


def _referred(work: Work, field: FieldShape, chosen: Any) -> Any:  # noqa: ANN401 - a canonical value
    """The value; of a reference the record that it means now."""
    if not field.reference or blank(chosen):
        return chosen
    meant = work.survivors([chosen]).get(chosen, chosen)
    record = work.records([meant]).get(meant)
    if record is None or record.entity != field.reference:
        remedy = f"Give the hub's id: 'fsm-hub record show {field.reference} ...' tells it."
        raise Invalid(f"{chosen!r} is no {field.reference} of the hub", field=field.name, remedy=remedy)
    return meant


def _chosen(conflict: Conflict, take: str, value: Any) -> Any:  # noqa: ANN401 - a canonical value
    if take == VALUE:
        return value
    if take == KEEP:
        return conflict.snapshot.get("agreed")
    return next(side["value"] for side in conflict.snapshot["sides"] if side["system"] == take)


def _resolve_match(hub: Hub, work: Work, conflict: Conflict, take: str, by: str) -> None:
    sides = conflict.snapshot["sides"]
    links = work.links([side["link"] for side in sides])
    waiting = [link for link in links if link.state == LinkState.PENDING]
    conflict.state = "resolved"
    if take == APART:
        pairs = combinations(sorted(links, key=lambda link: link.id), 2)
        work.put_apart([(a.id, b.id) for a, b in pairs if a.record is None or a.record != b.record], by, hub.at())
        work.place([(link.id, None, LinkState.LIVE, "") for link in waiting])
        work.mark_dirty(conflict.entity, [(n, Reason.DECISION, "", hub.at()) for n in records_in(conflict)])
        return
    if not waiting:
        raise Invalid("nothing waits for this answer any more", remedy="Run a round; what is left is asked anew.")
    records = sorted({link.record for link in links if link.record})
    siblings = [link for link in work.links_of(records) if link.state == LinkState.LIVE]
    _only_one_per_system([link.system for link in {link.id: link for link in (*links, *siblings)}.values()])
    if len(records) > 1:
        raise Invalid("these belong to several records already", remedy="Merge them in their system first.")
    for link in waiting:
        link.state, link.method = LinkState.LIVE, f"person {by}"
    if records:
        work.place([(link.id, records[0], LinkState.LIVE, link.method) for link in waiting])
        work.mark_dirty(conflict.entity, [(records[0], Reason.OBSERVED, "", hub.at())])
        conflict.record = records[0]
    else:
        conflict.record = _empty_record(hub, work, conflict.entity)
        work.place([(link.id, conflict.record, LinkState.LIVE, link.method) for link in waiting])
        work.mark_dirty(conflict.entity, [(conflict.record, Reason.OBSERVED, "", hub.at())])


def _empty_record(hub: Hub, work: Work, entity: str) -> str:
    """A record that says nothing yet: the next round decides it, when the systems are at hand."""
    at = hub.at()
    record = Record(hub.ids.text(), entity, {}, {}, created_at=at, updated_at=at)
    work.add_records([record])
    return record.id


def _only_one_per_system(systems: list[str]) -> None:
    twice = [system for system, count in Counter(systems).items() if count > 1]
    if twice:
        remedy = f"Merge them in {twice[0]} (the hub follows the survivor), or answer 'apart'."
        raise Invalid(f"several records of {twice[0]} cannot be the same record", remedy=remedy)


def _detach(hub: Hub, work: Work, conflict: Conflict) -> None:
    link = work.links([conflict.snapshot["link"]])[0]
    work.place([(link.id, link.record, LinkState.DETACHED, link.method)])
    work.solve_problems(link.system, [link.external_id], WRITES, hub.at())
    work.mark_dirty(conflict.entity, [(conflict.record or "", Reason.DECISION, "", hub.at())])
    conflict.state = "resolved"


def answer_proposal(hub: Hub, proposal: Proposal, by: str, *, adopt: bool) -> None:
    """The owner takes a proposed value over, or writes the agreed one back."""
    with _deciding(hub) as work:
        now = work.proposal(proposal.id)
        if now is None or now.state != "open":
            raise Invalid(f"proposal {proposal.id} is {now.state if now else 'gone'}", remedy="List the open ones.")
        if now.value != proposal.value:
            raise Invalid(f"proposal {proposal.id} moved since it was read", remedy="Look at it again.")
        proposal.state = "adopting" if adopt else "rejecting"
        proposal.decided_by, proposal.decided_at = by, hub.at()
        work.change_proposals([proposal])
        work.mark_dirty(proposal.entity, [(proposal.record, Reason.DECISION, "", hub.at())])
        told = {"proposal": proposal.id, "field": proposal.field, "take": "adopt" if adopt else "reject"}
        _tell(hub, work, by, "answer", proposal.entity, proposal.record, told)


def retry(hub: Hub, problem: Problem, by: str) -> None:
    """The cause is repaired, a person says: try again in the next round."""
    with _deciding(hub) as work:
        known, causes = [problem.external_id], [problem.cause]
        work.solve_problems(problem.system, known, causes, hub.at(), field=problem.field)
        if problem.record:
            _deliver_again(hub, work, problem)
        else:
            _place_again(work, problem)
        told = {"problem": problem.id, "system": problem.system, "id": problem.external_id, "field": problem.field}
        _tell(hub, work, by, "retry", problem.entity, problem.record, told)


def _deliver_again(hub: Hub, work: Work, problem: Problem) -> None:
    record = problem.record or ""
    links = [link for link in work.links_of([record]) if link.system == problem.system]
    for link in links:
        if link.holds.get(problem.field) == UNDELIVERABLE:
            del link.holds[problem.field]
    work.settle_links(links)
    work.mark_dirty(problem.entity, [(record, Reason.DELIVER, problem.system, hub.at())])


def _place_again(work: Work, problem: Problem) -> None:
    known = work.known_links(problem.system, problem.object, problem.entity, [problem.external_id])
    work.place([(k.id, None, LinkState.LIVE, "") for k in known.values() if k.state == LinkState.INVALID])
