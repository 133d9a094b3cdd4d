"""Many answers at once: which questions are meant, what an answer would do, and taking all of it back.

All answers of one go are one run, so that the audit names them together and one word undoes them.
Not here: a single answer (`resolve`), and what follows from it in the next round (`decide`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fsm_core.errors import HubError
from fsm_core.model.compare import canonical
from fsm_core.persons.rights import Actor
from fsm_core.service.double_answers import SAME
from fsm_core.service.hub import Hub
from fsm_core.service.pins import RELEASED, SET
from fsm_core.service.planfile import Kept, Take
from fsm_core.service.resolve import KEEP, VALUE, answer_proposal, choices, not_one, resolve, several_of_one
from fsm_core.service.revert import Reverted, Ruling
from fsm_core.state import Conflict, Decision, Proposal, Work
from fsm_core.state_pins import Pin

ADOPT, REJECT = "adopt", "reject"
Row = TypeVar("Row", Conflict, Proposal)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which questions or proposals; empty means any."""

    entity: str = ""
    field: str = ""
    type: str = ""
    system: str = ""
    """Of a proposal who proposes; of a question who takes part."""

    def conflict(self, one: Conflict) -> bool:
        """Whether this question is meant."""
        systems = {side["system"] for side in one.snapshot.get("sides", ())}
        named = self.entity in ("", one.entity) and self.field in ("", one.field) and self.type in ("", one.type)
        return named and (not self.system or self.system in systems)

    def proposal(self, one: Proposal) -> bool:
        """Whether this proposal is meant."""
        named = self.entity in ("", one.entity) and self.field in ("", one.field)
        return named and self.system in ("", one.system)


@dataclass(frozen=True, slots=True)
class Effect:
    """What one answer would do."""

    id: str
    entity: str
    record: str
    field: str
    agreed: Any
    becomes: Any
    tells: tuple[str, ...]
    """Systems that show something else and would be told."""
    why_not: str = ""
    """Why it cannot be answered so; then nothing happens to it."""


@dataclass(slots=True)
class Answered:
    """What became of the answers."""

    run: str = ""
    done: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Ids and reasons: answered by somebody else meanwhile, or moved."""


def effect(conflict: Conflict, take: str) -> Effect:
    """What taking this answer would do to a question."""
    known, sides = [one for one in choices(conflict) if one != VALUE], conflict.snapshot.get("sides", [])
    about = (conflict.id, conflict.entity, conflict.record or "", conflict.field)
    if take not in known:
        return Effect(*about, None, None, (), f"{take!r} is no answer here; possible: {', '.join(known)}")
    if take == SAME and (twice := several_of_one(conflict)):
        return Effect(*about, None, None, (), not_one(twice[0]))
    if conflict.type != "field":
        return Effect(*about, None, take, ())
    agreed = conflict.snapshot.get("agreed")
    becomes = agreed if take == KEEP else next(side["value"] for side in sides if side["system"] == take)
    tells = tuple(sorted(s["system"] for s in sides if canonical(s["value"]) != canonical(becomes)))
    return Effect(*about, agreed, becomes, tells)


def effect_of(proposal: Proposal, take: str) -> Effect:
    """What adopting or rejecting a proposal would do."""
    becomes = proposal.value if take == ADOPT else proposal.agreed
    tells = () if take == ADOPT else (proposal.system,)
    return Effect(proposal.id, proposal.entity, proposal.record, proposal.field, proposal.agreed, becomes, tells)


def answer_all(hub: Hub, conflicts: Sequence[Conflict], take: str, by: Actor) -> Answered:
    """Answer each as it was read, in one run; what cannot be answered so stops nothing."""
    return _each(hub, conflicts, lambda one: resolve(hub, one, take, by), take, by)


def answer_proposals(hub: Hub, proposals: Sequence[Proposal], take: str, by: Actor) -> Answered:
    """Adopt or reject each as it was read, in one run."""
    return _each(hub, proposals, lambda one: answer_proposal(hub, one, by, adopt=take == ADOPT), take, by)


def _each(hub: Hub, rows: Sequence[Row], answer: Callable[[Row], None], take: str, by: Actor) -> Answered:
    done = Answered()
    with hub.running("bulk") as run:
        done.run = run.id
        for one in rows:
            try:
                answer(one)
                done.done.append(one.id)
            except HubError as error:
                done.failed.append((one.id, str(error)))
        run.summary = {"answered": len(done.done), "failed": len(done.failed), "take": take, "by": by.name}
    return done


# -- taking it back ------------------------------------------------------------------------------


@dataclass(slots=True)
class Undone:
    """What taking many answers back comes to."""

    reopened: list[str] = field(default_factory=list)
    """Answers that no round had applied yet: the questions are open again."""
    back: Reverted = field(default_factory=Reverted)
    """What was applied: to be planned and applied like a revert."""
    open_again: dict[str, set[str]] = field(default_factory=dict)
    """Per record the fields that are in question again."""

    def reopen(self, one: Conflict | Proposal) -> None:
        """Put a question to people again."""
        self.reopened.append(one.id)
        self.open_again.setdefault(one.record or "", set()).add(one.field)


def undo(hub: Hub, rulings: Iterable[Ruling], by: str) -> Undone:
    """Reopen what waits for the next round, and say what it takes to take the rest back."""
    found, rulings = Undone(), list(rulings)
    told = [one.content for one in rulings if one.kind == "answer" and one.content]
    with hub.running("undo"), hub.store.begin() as work:
        for content in told:
            if "conflict" in content:
                _undo_conflict(work, work.conflict(content["conflict"]), found)
            elif "proposal" in content:
                _undo_proposal(work, work.proposal(content["proposal"]), found)
        if found.reopened:
            _pins_of_before(
                hub, work, [(one, fields) for one in rulings if (fields := found.open_again.get(one.record))]
            )
            content = {"reopened": found.reopened}
            work.write_decisions(hub.run, hub.at(), [Decision(hub.ids.text(), "", "", by, "undo", content)])
    return found


def _pins_of_before(hub: Hub, work: Work, rulings: Sequence[tuple[Ruling, Collection[str]]]) -> None:
    """The pins that came with answers on these fields go, and those that they released are set again."""
    now = {(pin.record, pin.field): pin for pin in work.pins({ruling.record for ruling, _ in rulings})}
    for ruling, fields in rulings:
        told = ruling.content or {}
        if ruling.kind not in (SET, RELEASED) or told.get("field") not in fields:
            continue
        name, same = told["field"], hub.book(ruling.entity).shape.fields[told["field"]].same
        pin = now.get((ruling.record, name))
        if ruling.kind == SET and pin is not None and same(pin.value, told["value"]):
            work.drop_pins([pin])
        elif ruling.kind == RELEASED and pin is None:
            said = (told["value"], told["mode"], told["set_by"], told["set_at"], told["note"])
            work.put_pins([Pin(ruling.record, name, ruling.entity, *said)])


def _undo_conflict(work: Work, one: Conflict | None, found: Undone) -> None:
    if one is None or one.state == "open":
        return
    if one.state == "decided":
        one.state, one.resolution, one.resolved_by, one.resolved_at = "open", {}, "", None
        work.change_conflicts([one])
        found.reopen(one)
    elif one.type != "field":
        found.back.kept.append(Kept(one.entity, one.record or "", "", "", _by_hand(one)))
    else:
        take = Take(one.entity, one.record or "", "", one.field, one.resolution.get("value"), one.snapshot["agreed"])
        found.back.takes.append(take)


def _by_hand(one: Conflict) -> str:
    return f"a question about {one.type} was answered {one.resolution.get('take', '')!r}; take that back by hand"


def _undo_proposal(work: Work, one: Proposal | None, found: Undone) -> None:
    if one is None or one.state == "open":
        return
    if one.state in ("adopting", "rejecting"):
        one.state, one.decided_by, one.decided_at = "open", "", None
        work.change_proposals([one])
        found.reopen(one)
    elif one.state == "adopted":
        found.back.takes.append(Take(one.entity, one.record, "", one.field, one.value, one.agreed))
    else:
        why = f"a proposal of {one.system} was {one.state}; enter it there again"
        found.back.kept.append(Kept(one.entity, one.record, "", one.field, why))
