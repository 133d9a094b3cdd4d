"""Applies people's decisions: a question is settled as it was asked.

What a side says since then is left as news for the rules, so that no decision overwrites an edit nobody saw.
Not here: taking a decision (`resolve`) and what follows from one (`decide`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from fsm_core.model.compare import Same, Value
from fsm_core.model.entity import EntityShape
from fsm_core.state import Conflict, Proposal, Record
from fsm_core.state_pins import Pin
from fsm_core.sync.record import DIVERGED, PROPOSED, View
from fsm_core.sync.types import Outcome, System, Verdict

DECIDED_BY = "decided by "


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's verdict, and what those sides said when asked that say something else now."""

    verdict: Verdict
    moved: Mapping[System, Value] = field(default_factory=dict)


def answers(
    shape: EntityShape,
    record: Record,
    views: Sequence[View],
    conflicts: Sequence[Conflict],
    proposals: Sequence[Proposal],
    pins: Mapping[str, Pin] = MappingProxyType({}),
) -> dict[str, Answer]:
    """Per field what a person decided and nobody applied yet; of two decisions the later one."""
    asked_of = {one.field for one in conflicts if one.type == "field" and one.state == "open"}
    proposed = {one.field for one in proposals if one.state == "open"}
    found: list[tuple[str, str, Answer]] = [
        (pin.at, name, _kept_so(shape.fields[name].same, views, pin))
        for name, pin in pins.items()
        if name in shape.fields and name not in asked_of and (name in proposed or _differs(shape, record, views, pin))
    ]
    for conflict in conflicts:
        if conflict.type == "field" and conflict.state == "decided":
            name, value = conflict.field, conflict.resolution.get("value")
            asked = {side["system"]: side["value"] for side in conflict.snapshot.get("sides", ())}
            said = _answer(shape.fields[name].same, views, name, value, asked, conflict.resolved_by)
            found.append((conflict.resolved_at or "", name, said))
    for one in proposals:
        if one.state not in ("adopting", "rejecting"):
            continue
        asked = {v.system: v.base[one.field] for v in views if v.base is not None and one.field in v.base}
        adopted = one.state == "adopting"
        value, outcome = (one.value, Outcome.ACCEPT) if adopted else (record.document.get(one.field), Outcome.REVERT)
        same = shape.fields[one.field].same
        said = _answer(same, views, one.field, value, asked | {one.system: one.value}, one.decided_by, outcome)
        found.append((one.decided_at or "", one.field, said))
    return {name: answer for _, name, answer in sorted(found, key=lambda row: row[0])}


def _differs(shape: EntityShape, record: Record, views: Sequence[View], pin: Pin) -> bool:
    """Whether something else is agreed than what is pinned, or a system was let keep a value of its own."""
    if not shape.fields[pin.field].same(record.document.get(pin.field), pin.value):
        return True
    return any(view.holds.get(pin.field) in (PROPOSED, DIVERGED) for view in views)


def _kept_so(same: Same, views: Sequence[View], pin: Pin) -> Answer:
    """A pin that was set: what was not settled before counts as said when it was, first contact included."""
    known = {v.system: v.now if v.base is None else v.base for v in views}
    asked = {system: said.get(pin.field, _shown(views, system, pin.field)) for system, said in known.items()}
    return _answer(same, views, pin.field, pin.value, asked, pin.by)


def _shown(views: Sequence[View], system: System, name: str) -> Value:
    return next((view.now.get(name) for view in views if view.system == system), None)


def _answer(
    same: Same,
    views: Sequence[View],
    name: str,
    value: Value,
    asked: Mapping[System, Value],
    by: str,
    outcome: Outcome = Outcome.ACCEPT,
) -> Answer:
    shown = {v.system: v.now[name] for v in views if name in v.now}
    moved = {
        system: asked[system]
        for system, now in shown.items()
        if system in asked and not same(now, asked[system]) and not same(now, value)
    }
    lost = {system: said for system in shown if not same(said := asked.get(system, shown[system]), value)}
    settled = frozenset(system for system in shown if system in asked and system not in moved)
    verdict = Verdict(outcome, value, overruled=lost, note=f"{DECIDED_BY}{by}", closes=True, settled=settled)
    return Answer(verdict, moved)


def keep_news(view: View, given: Mapping[str, Answer]) -> bool:
    """Settle a side that moved on what it said when asked; whether it has to be decided on once more."""
    said = {name: answer.moved[view.system] for name, answer in given.items() if view.system in answer.moved}
    if said:
        view.base = {**(view.base or {}), **said}
    return bool(said)
