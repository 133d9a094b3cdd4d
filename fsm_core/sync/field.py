"""One field of one record as a decision sees it, and the verdicts that policies have in common.

Not here: which verdict is given when (`merge`, `policies`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fsm_core.model.compare import Same, Value, blank
from fsm_core.sync.types import HUB, UNKNOWN, Outcome, Rule, Seen, System, Verdict


@dataclass(frozen=True, slots=True)
class Field:
    """Everything the decision looks at. `live` are the linked systems, `news` those that changed."""

    rule: Rule
    agreed: Value
    live: Mapping[System, Seen]
    news: Mapping[System, Seen]
    same: Same
    agreed_at: float | None = None

    def rivals(self, value: Value) -> dict[System, Value]:
        """Changed values that differ from `value`."""
        return {s: seen.now for s, seen in self.news.items() if not self.same(seen.now, value)}

    def targets(self, value: Value) -> dict[System, Value]:
        """Writable systems that show something else than `value`."""
        return {s: value for s, seen in self.live.items() if seen.writable and not self.same(seen.now, value)}

    def undeliverable(self, value: Value) -> list[System]:
        """Read-only systems that show something else."""
        return [s for s, seen in self.live.items() if not seen.writable and not self.same(seen.now, value)]


def accept(
    field: Field, value: Value, note: str, source: System | None = None, *, provisional: bool = False
) -> Verdict:
    """The value becomes the agreed one; whoever shows something else is told."""
    lost = {**stood_apart(field, value), **field.rivals(value)}
    lost.pop(source or "", None)
    missed = field.undeliverable(value)
    if missed:
        note += f"; undeliverable:{','.join(missed)}"
    return Verdict(Outcome.ACCEPT, value, field.targets(value), lost, source=source, note=note, provisional=provisional)


def stood_apart(field: Field, value: Value) -> dict[System, Value]:
    """Values that differed with leave, as a proposal or by rule, and do so no longer."""
    return {s: v.now for s, v in field.live.items() if (v.proposed or v.diverged) and not field.same(v.now, value)}


def revert(field: Field, note: str, value: Value | None = None) -> Verdict:
    """Write the agreed value back to whoever changed it."""
    kept = field.agreed if value is None else value
    lost = field.rivals(kept)
    writes = {s: kept for s in lost if field.live[s].writable}
    missed = [s for s in lost if s not in writes]
    if missed:
        note += f"; undeliverable:{','.join(missed)}"
    return Verdict(Outcome.REVERT, kept, writes, {**stood_apart(field, kept), **lost}, note=note)


def conflict(field: Field, note: str) -> Verdict:
    """A person has to decide."""
    return Verdict(Outcome.CONFLICT, field.agreed, note=note)


def one_value(field: Field, candidates: Mapping[System, Value]) -> bool:
    """Whether all of them say the same."""
    values = list(candidates.values())
    return all(field.same(values[0], value) for value in values)


def acting_owner(rule: Rule, live: Mapping[System, Seen]) -> System | None:
    """The owner, or its fallback when the owner is not linked or silent for too long; None without either.

    The hub has every record, also where nobody edited it there: it needs no fallback.
    """
    fallback = rule.fallback_owner if rule.fallback_owner in live else None
    if rule.owner is None or rule.owner not in live:
        return None if rule.owner == HUB else fallback
    return fallback if rule.owner_stale and fallback else rule.owner


def unchangeable(field: Field) -> bool:
    """Whether no system may change the agreed value, and be it all of them."""
    rule = field.rule
    return rule.fixed or ((rule.immutable or rule.append_only) and not blank(field.agreed))


def in_words(rule: Rule, owner: System, note: str) -> str:
    """The note of what the acting owner decided: it is marked where that is the fallback."""
    return note if owner == rule.owner else f"fallback owner {owner}"


def accept_if_agreed(
    field: Field, candidates: Mapping[System, Value], note: str, *, provisional: bool = False
) -> Verdict:
    """The one value that all of them say; else a person has to decide."""
    if not one_value(field, candidates):
        return conflict(field, "non-owners disagree")
    source, value = next(iter(candidates.items()))
    return accept(field, value, note, source, provisional=provisional)


def losers(field: Field, value: Value) -> dict[System, Value]:
    """What all systems say that say something else; who was met first and says nothing loses nothing."""
    met = {s for s, v in field.live.items() if v.base is UNKNOWN or s not in field.news}
    return {s: v.now for s, v in field.live.items() if not field.same(v.now, value) and not (s in met and blank(v.now))}
