"""Takes people's decisions: stores them, tells the audit and wakes the record; the next round applies them.

No remote system is called here. Not here: how a decision changes a record (`decide`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from fsm_core.errors import Invalid
from fsm_core.model.compare import blank
from fsm_core.persons.rights import Actor
from fsm_core.service import hub_store, questions
from fsm_core.service.deciders import require_decider
from fsm_core.service.deciding import deciding, empty_record, tell
from fsm_core.service.double_answers import APART, SAME, answers_to, close_others, keep_two, one_record
from fsm_core.service.hub import Hub
from fsm_core.service.identity import unite_by_hand
from fsm_core.service.passing import INCOMPLETE
from fsm_core.service.pins import Answered, keep_so
from fsm_core.service.place import records_in
from fsm_core.service.problems import WRITES
from fsm_core.service.questions import DETACH
from fsm_core.service.values import referred
from fsm_core.state import Conflict, Doc, Link, LinkState, Problem, Proposal, Reason, Work
from fsm_core.sync.double_entry import HOLDING, SUGGESTING
from fsm_core.sync.record import UNDELIVERABLE
from fsm_core.sync.types import HUB

KEEP = "agreed"
VALUE = "value"
DOUBLE_ENTRY = HOLDING | SUGGESTING


def choices(conflict: Conflict) -> dict[str, str]:
    """What may be answered to a question, and what each answer does."""
    if conflict.type in DOUBLE_ENTRY:
        return answers_to(conflict)
    match conflict.type:
        case "match":
            return {SAME: "they are one record", APART: "they are two records, and this is remembered"}
        case "delete" | "merge":
            return questions.choices(conflict)
        case _:
            sides = sorted(side["system"] for side in conflict.snapshot.get("sides", []))
            said = {system: f"what {system} says becomes the agreed value" for system in sides}
            return {KEEP: "the agreed value stays", **said, VALUE: "a value you give becomes the agreed one"}


def several_of_one(conflict: Conflict) -> list[str]:
    """Systems with more than one of the records a question shows: those are one only once they are merged there."""
    systems = Counter(side["system"] for side in conflict.snapshot.get("sides", []))
    return sorted(system for system, count in systems.items() if count > 1 and system != HUB)


def resolve(
    hub: Hub,
    conflict: Conflict,
    take: str,
    by: str | Actor,
    value: Any = None,  # noqa: ANN401 - a canonical value
    *,
    pin: bool = False,
) -> None:
    """Answer a question as it was read; with `pin`, the answer is kept against later edits.

    Raises `Invalid` naming the possible answers, or that the sides moved since; `Denied` where the person may not
    answer it; a name alone is the local user of a hub without an admin.
    """
    if take not in choices(conflict):
        raise Invalid(f"{take!r} is no answer here", remedy=f"Choose one of: {', '.join(choices(conflict))}.")
    if pin and conflict.type != "field":
        raise Invalid("only the value of a field can be pinned", remedy="Leave out --pin.")
    with deciding(hub) as work:
        by = _allowed(hub, work, by, conflict)
        conflict.resolved_by, conflict.resolved_at = by, hub.at()
        conflict.resolution = {"take": take}
        _as_read(work.conflict(conflict.id), conflict)
        match conflict.type:
            case "match":
                _resolve_match(hub, work, conflict, take, by)
            case kind if kind in DOUBLE_ENTRY:
                _resolve_double_entry(hub, work, conflict, take, by)
            case "delete" | "merge" if take == DETACH:
                _detach(hub, work, conflict)
            case "delete":
                conflict.state = "decided"
                work.mark_dirty(conflict.entity, [(conflict.record or "", Reason.DECISION, "", hub.at())])
            case _:
                _resolve_field(hub, work, conflict, take, value, pin=pin)
        work.change_conflicts([conflict])
        told = {"conflict": conflict.id, "type": conflict.type, "field": conflict.field, **conflict.resolution}
        tell(hub, work, by, "answer", conflict.entity, conflict.record, told)


def _allowed(hub: Hub, work: Work, by: str | Actor, row: Conflict | Proposal) -> str:
    actor = by if isinstance(by, Actor) else Actor(by)
    require_decider(hub, work, actor, row)
    return actor.name


def _as_read(now: Conflict | None, read: Conflict) -> None:
    state = now.state if now is not None else "gone"
    if now is None or state != "open":
        raise Invalid(f"conflict {read.id} is {state}", remedy="'fsm-hub conflicts list' shows the open ones.")
    if _said(now) != _said(read):
        raise Invalid(f"the sides of conflict {read.id} moved since it was read", remedy="Look at it again.")


def _said(conflict: Conflict) -> list[Any]:
    return [side.get("value", side.get("values")) for side in conflict.snapshot.get("sides", [])]


def _resolve_field(hub: Hub, work: Work, conflict: Conflict, take: str, value: Any, *, pin: bool) -> None:  # noqa: ANN401 - a canonical value
    chosen = _chosen(conflict, take, value)
    shape = hub.book(conflict.entity).shape
    stated = {} if blank(chosen) else {conflict.field: chosen}
    faults = [message for name, message in shape.faults(stated) if name == conflict.field]
    if faults:
        raise Invalid(faults[0], field=conflict.field, remedy="Give a value the field can hold.")
    conflict.resolution["value"] = referred(work, shape.fields[conflict.field], chosen)
    conflict.state = "decided"
    value, at = conflict.resolution["value"], conflict.resolved_at or hub.at()
    about = (conflict.entity, conflict.record or "", conflict.field)
    answered = Answered(*about, value, conflict.resolved_by, at, f"answer to conflict {conflict.id}")
    done = keep_so(hub, work, answered, pin=pin)
    conflict.resolution |= {done: True} if done else {}
    work.mark_dirty(conflict.entity, [(conflict.record or "", Reason.DECISION, "", hub.at())])


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
    several = {link.id: link for link in (*siblings, *links)}
    folded = hub_store.fold(hub, work, list(several.values()))
    may_hold = hub.book(conflict.entity).several
    once = [link.system for number, link in several.items() if number not in folded and link.system not in may_hold]
    _only_one_per_system(once)
    if len(records) > 1:
        _nobody_said_apart(work, links)
    for other in records[1:]:
        unite_by_hand(hub, work, other, records[0], by)
    waiting = [link for link in waiting if link.id not in folded]
    for link in waiting:
        link.state, link.method = LinkState.LIVE, f"person {by}"
    if records:
        work.place([(link.id, records[0], LinkState.LIVE, link.method) for link in waiting])
        work.mark_dirty(conflict.entity, [(records[0], Reason.OBSERVED, "", hub.at())])
        conflict.record = records[0]
    else:
        made = empty_record(hub, conflict.entity)
        work.add_records([made])
        conflict.record = made.id
        work.place([(link.id, conflict.record, LinkState.LIVE, link.method) for link in waiting])
        work.mark_dirty(conflict.entity, [(conflict.record, Reason.OBSERVED, "", hub.at())])
    work.place([(number, conflict.record, LinkState.MERGED, "merged") for number in folded])


def _resolve_double_entry(hub: Hub, work: Work, conflict: Conflict, take: str, by: str) -> None:
    if take != SAME or not one_record(conflict):
        keep_two(hub, work, conflict, take, by)
        return
    _resolve_match(hub, work, conflict, SAME, by)
    close_others(hub, work, conflict)


def _nobody_said_apart(work: Work, links: Sequence[Link]) -> None:
    """One word about all of them does not take back what was said of two of them."""
    of = {link.id: link for link in links}
    said = sorted(pair for pair in work.apart(set(of)) if set(pair) <= of.keys())
    if said:
        one, other = (f"{of[n].system} {of[n].external_id}" for n in said[0])
        remedy = "Answer 'apart', then say which belong together: 'fsm-hub match merge'."
        raise Invalid(f"{one} and {other} were said not to be the same", remedy=remedy)


def _only_one_per_system(systems: list[str]) -> None:
    twice = [system for system, count in Counter(systems).items() if count > 1]
    if twice:
        remedy = f"Merge them in {twice[0]} (the hub follows the survivor), or answer 'apart'."
        raise Invalid(not_one(twice[0]), remedy=remedy)


def not_one(system: str) -> str:
    """Why records of one system are not linked with each other."""
    return f"several records of {system} cannot be the same record"


def _detach(hub: Hub, work: Work, conflict: Conflict) -> None:
    link = work.links([conflict.snapshot["link"]])[0]
    work.place([(link.id, link.record, LinkState.DETACHED, link.method)])
    work.solve_problems(link.system, [link.external_id], WRITES, hub.at())
    work.mark_dirty(conflict.entity, [(conflict.record or "", Reason.DECISION, "", hub.at())])
    conflict.state = "resolved"


def answer_proposal(hub: Hub, proposal: Proposal, by: str | Actor, *, adopt: bool, pin: bool = False) -> None:
    """The owner takes a proposed value over, or writes the agreed one back; with `pin`, it is kept so.

    Raises as `resolve` does.
    """
    with deciding(hub) as work:
        by = _allowed(hub, work, by, proposal)
        now = work.proposal(proposal.id)
        if now is None or now.state != "open":
            raise Invalid(f"proposal {proposal.id} is {now.state if now else 'gone'}", remedy="List the open ones.")
        if now.value != proposal.value:
            raise Invalid(f"proposal {proposal.id} moved since it was read", remedy="Look at it again.")
        proposal.state = "adopting" if adopt else "rejecting"
        proposal.decided_by, proposal.decided_at = by, hub.at()
        work.change_proposals([proposal])
        work.mark_dirty(proposal.entity, [(proposal.record, Reason.DECISION, "", hub.at())])
        agreed = work.records([proposal.record])[proposal.record].document.get(proposal.field)
        about = (proposal.entity, proposal.record, proposal.field)
        kept, why = proposal.value if adopt else agreed, f"answer to proposal {proposal.id}"
        done = keep_so(hub, work, Answered(*about, kept, by, proposal.decided_at, why), pin=pin)
        told: Doc = {"proposal": proposal.id, "field": proposal.field, "take": "adopt" if adopt else "reject"}
        told |= {done: True} if done else {}
        tell(hub, work, by, "answer", proposal.entity, proposal.record, told)


def retry(hub: Hub, problem: Problem, by: str) -> None:
    """The cause is repaired, a person says: try again in the next round."""
    with deciding(hub) as work:
        known, causes = [problem.external_id], [problem.cause]
        work.solve_problems(problem.system, known, causes, hub.at(), field=problem.field)
        if problem.cause == INCOMPLETE:
            work.mark_dirty(problem.entity, [(problem.record or "", Reason.DUE, "", hub.at())])
        elif problem.record:
            _deliver_again(hub, work, problem)
        else:
            _place_again(work, problem)
        told = {"problem": problem.id, "system": problem.system, "id": problem.external_id, "field": problem.field}
        tell(hub, work, by, "retry", problem.entity, problem.record, told)


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
