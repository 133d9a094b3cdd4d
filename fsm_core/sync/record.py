"""Decides a whole record: one verdict per field that has news, and what every system still has to be told.

Pure. Not here: the decision on one field (`merge`), loading and saving (`fsm_core.service.converge`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fsm_core.model.compare import Value, blank
from fsm_core.model.entity import EntityShape
from fsm_core.sync.merge import decide
from fsm_core.sync.types import UNKNOWN, Outcome, Rule, Seen, System, Verdict

PROPOSED = "proposed"
DIVERGED = "diverged"
UNDELIVERABLE = "undeliverable"
APART = "apart"
"""Said while the rule let every system keep its own: when the rule ends, it is met as if for the first time."""


@dataclass(slots=True)
class View:
    """One system's record as the decision sees it. `base` is None before first contact."""

    system: System
    now: dict[str, Value]
    base: dict[str, Value] | None = None
    sent: dict[str, Value] = field(default_factory=dict)
    holds: dict[str, str] = field(default_factory=dict)
    """Fields whose difference is meant to last, and why."""
    at: float | None = None
    writable: frozenset[str] = frozenset()

    def seen(self, name: str) -> Seen | None:
        """The system's view of a field; None when it never spoke of it.

        A field that is no longer shown (a lost right) is what it was: silence is no change, and no change of owner.
        """
        base = UNKNOWN if self.base is None else self.base.get(name, UNKNOWN)
        if name not in self.now:
            return None if base is UNKNOWN else Seen(now=base, base=base, at=self.at, writable=False)
        held = self.holds.get(name)
        return Seen(
            now=self.now[name],
            base=UNKNOWN if held == APART else base,
            at=self.at,
            writable=name in self.writable and held != UNDELIVERABLE,
            proposed=held == PROPOSED,
            diverged=held == DIVERGED,
        )


@dataclass(frozen=True, slots=True)
class Held:
    """What holds a record's fields: open conflicts, pins, its status; and whose owner is silent."""

    frozen: frozenset[str] = frozenset()
    pins: Mapping[str, tuple[Value, str]] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    """Fields that may not change any more in the record's status."""
    silent: Mapping[System, float] = field(default_factory=dict)
    """Systems nothing was heard of, and for how many seconds."""


def fields_with_news(shape: EntityShape, views: Sequence[View]) -> list[str]:
    """Fields on which at least one system says something else than when it was last settled."""
    news = {name for view in views for name in _news(view)}
    return [name for name in shape.fields if name in news]


def is_news(shape: EntityShape, view: View, name: str) -> bool:
    """Whether a system says something else of a field than when it was last settled, however it is written."""
    if view.base is None or name not in view.base:
        return True
    now, base = view.now[name], view.base[name]
    return now != base and not shape.fields[name].same(now, base)


def _news(view: View) -> list[str]:
    base = view.base
    if base is None:
        return list(view.now)
    told = [name for name, value in view.now.items() if name not in base or value != base[name]]
    return told + [name for name, why in view.holds.items() if why == APART] if view.holds else told


def decide_fields(
    shape: EntityShape,
    rules: Mapping[str, Rule],
    agreed: Mapping[str, Value],
    views: Sequence[View],
    names: Collection[str],
    held: Held = Held(),
    agreed_at: Callable[[str], float | None] = lambda _name: None,
) -> dict[str, Verdict]:
    """A verdict for each named field that any system speaks of."""
    verdicts = {}
    for name in names:
        seen = {view.system: found for view in views if (found := view.seen(name)) is not None}
        if seen:
            rule = held_rule(rules[name], name, held)
            verdicts[name] = decide(rule, agreed.get(name), seen, shape.fields[name].same, agreed_at(name))
    return verdicts


def held_rule(rule: Rule, name: str, held: Held) -> Rule:
    """The rule of a field, with what holds the field on this record."""
    if name in held.fixed:
        rule = replace(rule, fixed=True)
    if rule.stale_after is not None and held.silent.get(rule.owner or "", -1.0) >= rule.stale_after:
        rule = replace(rule, owner_stale=True)
    if name in held.pins:
        value, mode = held.pins[name]
        rule = replace(rule, pin=value, pin_mode="hold" if mode == "hold" else "until_owner_changes")
    return replace(rule, frozen=True) if name in held.frozen else rule


def merged(shape: EntityShape, agreed: Mapping[str, Value], verdicts: Mapping[str, Verdict]) -> dict[str, Value]:
    """The agreed document after the verdicts; blanks and flags that are off are left out."""
    document = dict(agreed)
    for name, verdict in verdicts.items():
        if shape.fields[name].same(document.get(name), verdict.value):
            continue
        if blank(verdict.value) or verdict.value is False:
            document.pop(name, None)
        else:
            document[name] = verdict.value
    return document


def settle(view: View, name: str, verdict: Verdict) -> None:
    """Move this system's base as the verdict says, and note what is meant to stay different."""
    if view.system in verdict.settled and name in view.now:
        base = view.base if view.base is not None else {}
        base[name] = view.now[name]
        view.base = base
        view.sent.pop(name, None)
    match verdict.outcome:
        case Outcome.NOOP if verdict.apart and view.system in verdict.settled:
            view.holds[name] = APART
        case Outcome.PROPOSE if view.system in verdict.proposals:
            view.holds[name] = PROPOSED
        case Outcome.DIVERGED if view.system in verdict.settled:
            view.holds[name] = DIVERGED
        case Outcome.ACCEPT | Outcome.MERGED | Outcome.REVERT:
            view.holds.pop(name, None)
        case Outcome.CONVERGED if view.system in verdict.settled:
            view.holds.pop(name, None)


def owed(
    shape: EntityShape, agreed: Mapping[str, Value], view: View, frozen: Collection[str] = frozenset()
) -> dict[str, Any]:
    """The fields this system still has to be told, with their agreed values.

    Nothing is owed on a frozen or held field, on one the system does not show (no permission), nor where
    the system shows its own rendering of exactly what it was sent.
    """
    fields = {}
    for name in view.writable:
        if name not in view.now or name in frozen or name in view.holds:
            continue
        value = agreed.get(name)
        if not shows(shape, view, name, value):
            fields[name] = value
    return fields


def shows(shape: EntityShape, view: View, name: str, value: Value) -> bool:
    """Whether a system that shows the field shows this value, or its own rendering of it."""
    now, same = view.now[name], shape.fields[name].same
    return now == value or same(now, value) or _rendered(view, name, value, same)


def _rendered(view: View, name: str, value: Value, same: Callable[[Value, Value], bool]) -> bool:
    if name not in view.sent or view.base is None or name not in view.base:
        return False
    return same(view.sent[name], value) and bool(view.now[name] == view.base[name])


def _looks_rendered(value: Value, shown: Value) -> bool:
    """Equal letters and digits: whoever changed another field meanwhile did not write this in capitals."""
    return isinstance(value, str) and isinstance(shown, str) and _letters(value) == _letters(shown) != ""


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def read_back(
    shape: EntityShape, view: View, written: Mapping[str, Value], shown: dict[str, Value], *, ours: bool
) -> list[str]:
    """Settle a delivered write on what the system shows afterwards; returns the fields that are news.

    A field we wrote that comes back different is the system's *rendering* when the last change there is
    ours, or when it differs only as systems render; else it is a person's edit. A field we did not write
    that moved is always news.
    """
    base = dict(view.base or {})
    news = []
    for name, value in written.items():
        if name not in shown:
            continue
        base[name] = value
        view.sent.pop(name, None)
        if shape.fields[name].same(shown[name], value):
            base[name] = shown[name]
        elif ours or _looks_rendered(value, shown[name]):
            base[name] = shown[name]
            view.sent[name] = value
        else:
            news.append(name)
    view.now = shown
    view.base = base
    news += [n for n in shown if n not in written and (n not in base or shown[n] != base[n])]
    return news
