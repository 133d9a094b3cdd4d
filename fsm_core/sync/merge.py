"""Decides one field of one record: rule, agreed value and observations in, verdict out.

Pure and total: no I/O, no clock, no randomness, and the order of systems does not matter.
Not here: which rule applies (`fsm_core.ownership`) and what is stored (`fsm_core.service`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from fsm_core.model.compare import Same, Value, blank, canonical
from fsm_core.sync.types import (
    HUB,
    UNKNOWN,
    NonOwnerChange,
    Outcome,
    Policy,
    Rule,
    Seen,
    System,
    Verdict,
)


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


def decide(
    rule: Rule,
    agreed: Value,
    seen: Mapping[System, Seen],
    same: Same,
    agreed_at: float | None = None,
) -> Verdict:
    """The verdict on one field or field group (domain 2.5 and the truth table F)."""
    live = {s: seen[s] for s in sorted(seen) if seen[s].linked}
    news = {s: view for s, view in live.items() if _is_news(view, same)}
    field = Field(rule, agreed, live, news, same, agreed_at)
    verdict = _decide(field)
    return replace(verdict, settled=_settled(field, verdict))


def _is_news(view: Seen, same: Same) -> bool:
    if view.base is UNKNOWN:
        return True
    if view.version is not None and view.base_version is not None and view.version < view.base_version:
        return False
    if same(view.now, view.base):
        return False
    return view.sent is UNKNOWN or not same(view.now, view.sent)


def _settled(field: Field, verdict: Verdict) -> frozenset[System]:
    """Which bases move to what is shown (domain 2.5, base update rule)."""
    if verdict.outcome is Outcome.CONFLICT:
        return frozenset()
    echoes = {s for s, view in field.live.items() if s not in field.news and _is_echo(view, field.same)}
    return frozenset(field.news) | echoes


def _is_echo(view: Seen, same: Same) -> bool:
    return view.sent is not UNKNOWN and same(view.now, view.sent)


def _decide(field: Field) -> Verdict:
    rule = field.rule
    if rule.policy is Policy.LOCAL:
        return Verdict(Outcome.NOOP, field.agreed, note="local field")
    if rule.frozen:
        return _frozen(field)
    if not field.news:
        return _handed_over(field) or _outstanding(field)
    if any(view.base is UNKNOWN for view in field.live.values()):
        return _first_contact(field)
    if not field.rivals(field.agreed):
        return _converged(field)
    if rule.pin is not UNKNOWN:
        return _pinned(field)
    if rule.ambiguous:
        return _conflict(field, "ambiguous rule: two cases of the same priority are true")
    if rule.immutable and not blank(field.agreed):
        return _immutable(field)
    return _POLICIES[rule.policy](field)


def _immutable(field: Field) -> Verdict:
    if acting_owner(field.rule, field.live) in field.news:
        return _conflict(field, "owner changed an immutable field")
    return _revert(field, "immutable once set")


def _frozen(field: Field) -> Verdict:
    values = [view.now for view in field.live.values()]
    alone = len(values) == 1 and not field.same(values[0], field.agreed)
    if values and not alone and all(field.same(values[0], value) for value in values):
        return Verdict(Outcome.CONVERGED, values[0], closes=True, note="all systems came to agree")
    if field.news:
        return Verdict(Outcome.CONFLICT, field.agreed, note="attached to open conflict")
    return Verdict(Outcome.NOOP, field.agreed, note="frozen")


def _handed_over(field: Field) -> Verdict | None:
    """What a system proposed that owns the field since: it is the owner's word now."""
    owner = acting_owner(field.rule, field.live)
    view = field.live.get(owner or "")
    if owner is None or view is None or not view.proposed or field.same(view.now, field.agreed):
        return None
    if field.rule.policy is not Policy.OWNER or field.rule.pin is not UNKNOWN or field.rule.immutable:
        return None
    if blank(view.now) and field.rule.blank_by_owner == "conflict":
        return None
    return _accept(field, view.now, "owner since it proposed this", owner)


def _outstanding(field: Field) -> Verdict:
    due = {
        s: field.agreed
        for s, view in field.live.items()
        if view.due and view.writable and not view.proposed and not field.same(view.now, field.agreed)
    }
    if due:
        return Verdict(Outcome.REDELIVER, field.agreed, due, note="delivery outstanding")
    return Verdict(Outcome.NOOP, field.agreed, note="no change")


def _converged(field: Field) -> Verdict:
    withdrawn = any(view.proposed for view in field.news.values())
    note = "proposal withdrawn" if withdrawn else "already equal to canonical"
    return Verdict(Outcome.CONVERGED, field.agreed, note=note)


# -- verdicts that several policies share ---------------------------------------------------------


def _accept(
    field: Field, value: Value, note: str, source: System | None = None, *, provisional: bool = False
) -> Verdict:
    lost = {**_lost_proposals(field, value), **field.rivals(value)}
    lost.pop(source or "", None)
    missed = field.undeliverable(value)
    if missed:
        note += f"; undeliverable:{','.join(missed)}"
    return Verdict(Outcome.ACCEPT, value, field.targets(value), lost, source=source, note=note, provisional=provisional)


def _lost_proposals(field: Field, value: Value) -> dict[System, Value]:
    return {s: v.now for s, v in field.live.items() if v.proposed and not field.same(v.now, value)}


def _revert(field: Field, note: str, value: Value | None = None) -> Verdict:
    """Write the agreed value back to whoever changed it."""
    kept = field.agreed if value is None else value
    lost = field.rivals(kept)
    writes = {s: kept for s in lost if field.live[s].writable}
    missed = [s for s in lost if s not in writes]
    if missed:
        note += f"; undeliverable:{','.join(missed)}"
    return Verdict(Outcome.REVERT, kept, writes, lost, note=note)


def _conflict(field: Field, note: str) -> Verdict:
    return Verdict(Outcome.CONFLICT, field.agreed, note=note)


def _one_value(field: Field, candidates: Mapping[System, Value]) -> bool:
    values = list(candidates.values())
    return all(field.same(values[0], value) for value in values)


# -- pins ----------------------------------------------------------------------------------------


def _pinned(field: Field) -> Verdict:
    owner = acting_owner(field.rule, field.live)
    if owner is not None and owner in field.news and field.rule.policy is Policy.OWNER:
        if field.rule.pin_mode == "hold":
            return _conflict(field, "owner changed a pinned field")
        return _accept(field, field.news[owner].now, "pin released", owner)
    return _revert(field, "pinned by steward", field.rule.pin)


# -- owner ---------------------------------------------------------------------------------------


def acting_owner(rule: Rule, live: Mapping[System, Seen]) -> System | None:
    """The owner, or its fallback when the owner is not linked or silent for too long; None without either."""
    fallback = rule.fallback_owner if rule.fallback_owner in live else None
    if rule.owner is None or rule.owner not in live:
        return fallback
    return fallback if rule.owner_stale and fallback else rule.owner


def _owner(field: Field) -> Verdict:
    owner = acting_owner(field.rule, field.live)
    if owner is None:
        return _others_changed(field) if field.rule.owner == HUB else _ownerless(field)
    if owner in field.news:
        return _owner_changed(field, owner)
    return _others_changed(field)


def _owner_changed(field: Field, owner: System) -> Verdict:
    rule = field.rule
    value = field.news[owner].now
    if blank(value) and not blank(field.agreed) and rule.blank_by_owner == "conflict":
        return _conflict(field, "owner blanked the field")
    rivals = {s: v for s, v in field.rivals(value).items() if s != owner}
    if rivals and rule.both_changed == "conflict":
        return _conflict(field, "both changed")
    return _accept(field, value, _owner_note(field, owner, value, rivals), owner)


def _owner_note(field: Field, owner: System, value: Value, rivals: Mapping[System, Value]) -> str:
    if owner != field.rule.owner:
        return f"fallback owner {owner}"
    open_proposals = [v.now for v in field.live.values() if v.proposed]
    if any(field.same(proposal, value) for proposal in open_proposals):
        return "owner adopted the proposal"
    if rivals:
        return "owner wins"
    return "owner changed, proposal superseded" if open_proposals else "owner changed"


def _others_changed(field: Field) -> Verdict:
    rule = field.rule
    candidates = field.rivals(field.agreed)
    agree = _one_value(field, candidates)
    if rule.fill_blank and blank(field.agreed) and agree:
        source, value = next(iter(candidates.items()))
        return _accept(field, value, "filled a blank (provisional)", source, provisional=True)
    match rule.non_owner_change:
        case NonOwnerChange.REVERT:
            return _revert(field, "non-owner change")
        case NonOwnerChange.PROPOSE:
            note = "non-owner change" if agree else "non-owners disagree"
            return Verdict(Outcome.PROPOSE, field.agreed, proposals=candidates, note=note)
        case NonOwnerChange.CONFLICT:
            return _conflict(field, "non-owner change")
        case NonOwnerChange.IGNORE:
            return Verdict(Outcome.DIVERGED, field.agreed, note="local divergence allowed")
        case NonOwnerChange.ACCEPT:
            return _accept_if_agreed(field, candidates, "non-owner accepted")


def _ownerless(field: Field) -> Verdict:
    """The owner has no record yet: what the others say is provisional (domain 2.7, H08)."""
    return _accept_if_agreed(field, field.rivals(field.agreed), "owner not linked yet", provisional=True)


def _accept_if_agreed(
    field: Field, candidates: Mapping[System, Value], note: str, *, provisional: bool = False
) -> Verdict:
    if not _one_value(field, candidates):
        return _conflict(field, "non-owners disagree")
    source, value = next(iter(candidates.items()))
    return _accept(field, value, note, source, provisional=provisional)


# -- newest, prefer ------------------------------------------------------------------------------


def _newest(field: Field) -> Verdict:
    among = field.rule.among
    rivals = field.rivals(field.agreed)
    candidates = {s: v for s, v in rivals.items() if not among or s in among}
    if not candidates:
        return _revert(field, "not among the systems that may change it")
    if _one_value(field, candidates):
        source = max(candidates, key=lambda s: (field.news[s].at or 0.0, s))
        if _older_than_agreed(field, source):
            return _revert(field, "older than the agreed value")
        return _accept(field, candidates[source], "single change", source)
    if any(field.news[s].at is None for s in candidates):
        return _conflict(field, "no source timestamp")
    return _latest(field, candidates)


def _older_than_agreed(field: Field, source: System) -> bool:
    at = field.news[source].at
    return at is not None and field.agreed_at is not None and at < field.agreed_at - field.rule.skew


def _latest(field: Field, candidates: Mapping[System, Value]) -> Verdict:
    times = {s: field.live[s].at or 0.0 for s in candidates}
    newest = max(times.values())
    tied = [s for s in candidates if newest - times[s] <= field.rule.skew]
    if _one_value(field, {s: candidates[s] for s in tied}):
        return _accept(field, candidates[tied[0]], f"newest {tied[0]}", tied[0])
    preferred = next((s for s in field.rule.rank if s in tied), None)
    if preferred is None:
        return _conflict(field, "tie within clock skew")
    return _accept(field, candidates[preferred], f"tie, preferred {preferred}", preferred)


def _prefer(field: Field) -> Verdict:
    stated = [s for s in field.rule.rank if s in field.live and not blank(field.live[s].now)]
    if not stated:
        unranked = [s for s in field.live if not blank(field.live[s].now)]
        if unranked:
            return _revert(field, "not among the preferred systems")
        return _accept(field, None, "all blank")
    best = stated[0]
    value = field.live[best].now
    if field.same(value, field.agreed):
        return _revert(field, f"preferred {best}")
    return _accept(field, value, f"preferred {best}", best)


# -- sets, flags, extremes -----------------------------------------------------------------------


def _items(value: Value) -> dict[bytes, Value]:
    return {canonical(item): item for item in (value or [])}


def _union(field: Field) -> Verdict:
    agreed = _items(field.agreed)
    added: dict[bytes, Value] = {}
    removed: set[bytes] = set()
    for system, view in field.news.items():
        now, base = _items(view.now), {} if view.base is UNKNOWN else _items(view.base)
        added |= {key: item for key, item in now.items() if key not in base}
        if field.rule.removals == "any" or system == field.rule.owner:
            removed |= set(base) - set(now)
    kept = {key: item for key, item in agreed.items() if key not in removed}
    return _merged(field, kept | added, "union")


def _append(field: Field) -> Verdict:
    merged = dict(_items(field.agreed))
    for system in sorted(field.news, key=lambda s: (field.news[s].at or 0.0, s)):
        merged |= {key: item for key, item in _items(field.news[system].now).items() if key not in merged}
    value = list(merged.values())
    return Verdict(Outcome.MERGED, value, field.targets(value), note="append")


def _merged(field: Field, items: Mapping[bytes, Value], note: str) -> Verdict:
    value = [items[key] for key in sorted(items)]
    return Verdict(Outcome.MERGED, value, field.targets(value), field.rivals(value), note=note)


def _any_true(field: Field) -> Verdict:
    value = any(bool(view.now) for view in field.live.values())
    return _reduced(field, value, "any true")


def _extreme(pick: Callable[..., Value], note: str) -> Callable[[Field], Verdict]:
    def reduce(field: Field) -> Verdict:
        stated = [v for v in [field.agreed, *(view.now for view in field.live.values())] if not blank(v)]
        return _reduced(field, pick(stated) if stated else None, note)

    return reduce


def _reduced(field: Field, value: Value, note: str) -> Verdict:
    if field.same(value, field.agreed):
        return _revert(field, note)
    source = next((s for s, view in field.news.items() if field.same(view.now, value)), None)
    return _accept(field, value, note, source)


# -- status, manual, hub -------------------------------------------------------------------------


def _status(field: Field) -> Verdict:
    owner = acting_owner(field.rule, field.live)
    if owner is not None and owner in field.news:
        value = field.news[owner].now
        if not _legal(field, value):
            return _conflict(field, f"illegal transition {field.agreed}->{value}")
        return _accept(field, value, "legal transition by owner", owner)
    candidates = field.rivals(field.agreed)
    illegal = next((v for v in candidates.values() if not _legal(field, v)), None)
    if illegal is not None:
        return _revert(field, f"illegal transition {field.agreed}->{illegal} by non-owner")
    if field.rule.non_owner_change is NonOwnerChange.ACCEPT or _transitions_allowed(field, candidates):
        return _accept_if_agreed(field, candidates, "legal transition by non-owner")
    verdict = _others_changed(field)
    return replace(verdict, note="status request by non-owner") if verdict.outcome is Outcome.PROPOSE else verdict


def _legal(field: Field, value: Value) -> bool:
    return blank(field.agreed) or value == field.agreed or value in field.rule.transitions.get(field.agreed, ())


def _transitions_allowed(field: Field, candidates: Mapping[System, Value]) -> bool:
    allowed = field.rule.accept_from
    return all((field.agreed, value) in allowed.get(system, ()) for system, value in candidates.items())


def _manual(field: Field) -> Verdict:
    candidates = field.rivals(field.agreed)
    if _one_value(field, candidates):
        return Verdict(Outcome.PROPOSE, field.agreed, proposals=candidates, note="manual policy")
    return _conflict(field, "manual policy")


def _hub(field: Field) -> Verdict:
    return _revert(field, "computed by hub")


# -- first contact (rows F69-F72) ----------------------------------------------------------------


def _first_contact(field: Field) -> Verdict:
    """No base on at least one side: nothing tells an edit from an old difference."""
    waiting = {s for s, view in field.live.items() if view.proposed and s not in field.news}
    field = replace(field, live={s: view for s, view in field.live.items() if s not in waiting})
    stated = {s: view.now for s, view in field.live.items() if not blank(view.now)}
    rule = field.rule
    if rule.policy in _SET_LIKE:
        return _POLICIES[rule.policy](field)
    if rule.pin is not UNKNOWN:
        return _adopt(field, rule.pin, "pinned by steward", None)
    if rule.policy is Policy.HUB:
        return _adopt(field, field.agreed, "computed by hub", None)
    if not stated:
        return _adopt(field, field.agreed, "all blank", None)
    if _one_value(field, stated) and (blank(field.agreed) or field.same(next(iter(stated.values())), field.agreed)):
        return _equal(field, stated)
    return _choose(field, stated)


def _equal(field: Field, stated: Mapping[System, Value]) -> Verdict:
    source = _speaker(field, stated)
    seeded = blank(field.agreed) and field.rule.owner is not None and source != field.rule.owner
    return _adopt(field, stated[source], "first contact: equal", source, provisional=seeded)


def _choose(field: Field, stated: Mapping[System, Value]) -> Verdict:
    rule = field.rule
    if rule.ambiguous:
        return _conflict(field, "first contact: ambiguous rule")
    if rule.policy is Policy.PREFER:
        best = next((s for s in rule.rank if s in stated), None)
        return (
            _adopt(field, stated[best], f"preferred {best}", best)
            if best
            else _conflict(field, "first contact: differ")
        )
    if rule.policy is Policy.NEWEST:
        return _choose_newest(field, stated)
    owner = acting_owner(rule, field.live)
    if owner is not None and owner in stated and rule.policy is not Policy.MANUAL:
        return _adopt(field, stated[owner], "first contact: owner's value", owner)
    known = owner is not None and field.live[owner].base is not UNKNOWN
    if not blank(field.agreed) and (known or (owner is None and rule.owner == HUB)):
        return _adopt(field, field.agreed, "first contact: agreed value", None)
    if _one_value(field, stated):
        source = _speaker(field, stated)
        return _adopt(field, stated[source], "first contact: seeded (provisional)", source, provisional=True)
    return _conflict(field, "first contact: differ, no owner's value")


def _choose_newest(field: Field, stated: Mapping[System, Value]) -> Verdict:
    among = field.rule.among
    candidates = {s: v for s, v in stated.items() if not among or s in among} or stated
    if all(field.live[s].at is not None for s in candidates):
        verdict = _latest(field, candidates)
        if verdict.outcome is not Outcome.CONFLICT:
            return replace(verdict, note=f"first contact: {verdict.note}", overruled=_losers(field, verdict.value))
    preferred = next((s for s in field.rule.rank if s in candidates), None)
    if preferred is None:
        return _conflict(field, "first contact: differ, no source timestamp")
    return _adopt(field, candidates[preferred], f"first contact: preferred {preferred}", preferred)


def _speaker(field: Field, stated: Mapping[System, Value]) -> System:
    owner = acting_owner(field.rule, field.live)
    return owner if owner is not None and owner in stated else min(stated)


def _losers(field: Field, value: Value) -> dict[System, Value]:
    return {s: v.now for s, v in field.live.items() if not blank(v.now) and not field.same(v.now, value)}


def _adopt(field: Field, value: Value, note: str, source: System | None, *, provisional: bool = False) -> Verdict:
    writes = field.targets(value)
    changed = not field.same(value, field.agreed)
    outcome = Outcome.ACCEPT if changed or writes or _losers(field, value) else Outcome.CONVERGED
    return Verdict(outcome, value, writes, _losers(field, value), source=source, note=note, provisional=provisional)


_SET_LIKE = frozenset({Policy.UNION, Policy.APPEND, Policy.ANY_TRUE, Policy.MAX, Policy.MIN})
_POLICIES: dict[Policy, Callable[[Field], Verdict]] = {
    Policy.OWNER: _owner,
    Policy.NEWEST: _newest,
    Policy.PREFER: _prefer,
    Policy.UNION: _union,
    Policy.APPEND: _append,
    Policy.ANY_TRUE: _any_true,
    Policy.MAX: _extreme(max, "max"),
    Policy.MIN: _extreme(min, "min"),
    Policy.STATUS: _status,
    Policy.MANUAL: _manual,
    Policy.HUB: _hub,
}
