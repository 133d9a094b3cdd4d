"""What each policy makes of news: one function per policy, from a field to its verdict.

Not here: what goes before any policy (frozen, pinned, immutable, first contact: `merge`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from fsm_core.model.compare import Value, blank, canonical
from fsm_core.sync.field import (
    Field,
    accept,
    accept_if_agreed,
    acting_owner,
    conflict,
    in_words,
    one_value,
    revert,
    stood_apart,
)
from fsm_core.sync.types import HUB, UNKNOWN, NonOwnerChange, Outcome, Policy, System, Verdict


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
        return conflict(field, "owner blanked the field")
    rivals = {s: v for s, v in field.rivals(value).items() if s != owner}
    if rivals and rule.both_changed == "conflict":
        return conflict(field, "both changed")
    return accept(field, value, _owner_note(field, owner, value, rivals), owner)


def _owner_note(field: Field, owner: System, value: Value, rivals: Mapping[System, Value]) -> str:
    if owner != field.rule.owner:
        return in_words(field.rule, owner, "")
    open_proposals = [v.now for v in field.live.values() if v.proposed]
    if any(field.same(proposal, value) for proposal in open_proposals):
        return "owner adopted the proposal"
    if rivals:
        return "owner wins"
    return "owner changed, proposal superseded" if open_proposals else "owner changed"


def _others_changed(field: Field) -> Verdict:
    rule = field.rule
    candidates = field.rivals(field.agreed)
    agree = one_value(field, candidates)
    if rule.fill_blank and blank(field.agreed) and agree:
        source, value = next(iter(candidates.items()))
        return accept(field, value, "filled a blank (provisional)", source, provisional=True)
    match rule.non_owner_change:
        case NonOwnerChange.REVERT:
            return revert(field, "non-owner change")
        case NonOwnerChange.PROPOSE:
            note = "non-owner change" if agree else "non-owners disagree"
            return Verdict(Outcome.PROPOSE, field.agreed, proposals=candidates, note=note)
        case NonOwnerChange.CONFLICT:
            return conflict(field, "non-owner change")
        case NonOwnerChange.IGNORE:
            return Verdict(Outcome.DIVERGED, field.agreed, note="local divergence allowed")
        case NonOwnerChange.ACCEPT:
            return accept_if_agreed(field, candidates, "non-owner accepted")


def _ownerless(field: Field) -> Verdict:
    """The owner has no record yet: what the others say is provisional (domain 2.7, H08)."""
    return accept_if_agreed(field, field.rivals(field.agreed), "owner not linked yet", provisional=True)


def _newest(field: Field) -> Verdict:
    among = field.rule.among
    rivals = field.rivals(field.agreed)
    candidates = {s: v for s, v in rivals.items() if not among or s in among}
    if not candidates:
        return revert(field, "not among the systems that may change it")
    if one_value(field, candidates):
        source = max(candidates, key=lambda s: (field.news[s].at or 0.0, s))
        if _older_than_agreed(field, source):
            return revert(field, "older than the agreed value")
        return accept(field, candidates[source], "single change", source)
    if any(field.news[s].at is None for s in candidates):
        return conflict(field, "no source timestamp")
    return latest(field, candidates)


def _older_than_agreed(field: Field, source: System) -> bool:
    at = field.news[source].at
    return at is not None and field.agreed_at is not None and at < field.agreed_at - field.rule.skew


def latest(field: Field, candidates: Mapping[System, Value]) -> Verdict:
    """The newest of these; by rank where the clocks cannot tell."""
    times = {s: field.live[s].at or 0.0 for s in candidates}
    newest = max(times.values())
    tied = [s for s in candidates if newest - times[s] <= field.rule.skew]
    if one_value(field, {s: candidates[s] for s in tied}):
        return accept(field, candidates[tied[0]], f"newest {tied[0]}", tied[0])
    preferred = next((s for s in field.rule.rank if s in tied), None)
    if preferred is None:
        return conflict(field, "tie within clock skew")
    return accept(field, candidates[preferred], f"tie, preferred {preferred}", preferred)


def _prefer(field: Field) -> Verdict:
    stated = [s for s in field.rule.rank if s in field.live and not blank(field.live[s].now)]
    if not stated:
        unranked = [s for s in field.live if not blank(field.live[s].now)]
        if unranked:
            return revert(field, "not among the preferred systems")
        return accept(field, None, "all blank")
    best = stated[0]
    value = field.live[best].now
    if field.same(value, field.agreed):
        return revert(field, f"preferred {best}")
    return accept(field, value, f"preferred {best}", best)


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
    return Verdict(Outcome.MERGED, value, field.targets(value), stood_apart(field, value), note="append")


def _merged(field: Field, items: Mapping[bytes, Value], note: str) -> Verdict:
    value = [items[key] for key in sorted(items)]
    lost = {**stood_apart(field, value), **field.rivals(value)}
    return Verdict(Outcome.MERGED, value, field.targets(value), lost, note=note)


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
        return revert(field, note)
    source = next((s for s, view in field.news.items() if field.same(view.now, value)), None)
    return accept(field, value, note, source)


def _status(field: Field) -> Verdict:
    owner = acting_owner(field.rule, field.live)
    if owner is not None and owner in field.news:
        value = field.news[owner].now
        if not _legal(field, value):
            return conflict(field, f"illegal transition {field.agreed}->{value}")
        return accept(field, value, in_words(field.rule, owner, "legal transition by owner"), owner)
    candidates = field.rivals(field.agreed)
    illegal = next((v for v in candidates.values() if not _legal(field, v)), None)
    if illegal is not None:
        return revert(field, f"illegal transition {field.agreed}->{illegal} by non-owner")
    if field.rule.non_owner_change is NonOwnerChange.ACCEPT or _transitions_allowed(field, candidates):
        return accept_if_agreed(field, candidates, "legal transition by non-owner")
    verdict = _others_changed(field)
    return replace(verdict, note="status request by non-owner") if verdict.outcome is Outcome.PROPOSE else verdict


def _legal(field: Field, value: Value) -> bool:
    return blank(field.agreed) or value == field.agreed or value in field.rule.transitions.get(field.agreed, ())


def _transitions_allowed(field: Field, candidates: Mapping[System, Value]) -> bool:
    allowed = field.rule.accept_from
    return all((field.agreed, value) in allowed.get(system, ()) for system, value in candidates.items())


def _manual(field: Field) -> Verdict:
    candidates = field.rivals(field.agreed)
    if one_value(field, candidates):
        return Verdict(Outcome.PROPOSE, field.agreed, proposals=candidates, note="manual policy")
    return conflict(field, "manual policy")


def _hub(field: Field) -> Verdict:
    return revert(field, "computed by hub")


SET_LIKE = frozenset({Policy.UNION, Policy.APPEND, Policy.ANY_TRUE, Policy.MAX, Policy.MIN})
POLICIES: dict[Policy, Callable[[Field], Verdict]] = {
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
