"""Decides one field of one record: rule, agreed value and observations in, verdict out.

Pure and total: no I/O, no clock, no randomness, and the order of systems does not matter.
Not here: which rule applies (`fsm_core.ownership`) and what is stored (`fsm_core.service`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fsm_core.model.compare import Same, Value, blank
from fsm_core.sync.field import (
    Field,
    accept,
    acting_owner,
    conflict,
    in_words,
    losers,
    one_value,
    revert,
    unchangeable,
)
from fsm_core.sync.policies import POLICIES, SET_LIKE, latest
from fsm_core.sync.types import CHOOSING, HUB, OWNED, UNKNOWN, Outcome, Policy, Rule, Seen, System, Verdict


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
    if rule.owner_stale and (rule.owner in news or any(view.base is UNKNOWN for view in live.values())):
        rule = replace(rule, owner_stale=False)  # it speaks; and an old difference is no word of the fallback
    field = Field(rule, agreed, live, news, same, agreed_at)
    verdict = _decide(field)
    if verdict.outcome is Outcome.CONFLICT and not rule.frozen and _settles_itself(field):
        value = next(iter(live.values())).now
        verdict = Verdict(Outcome.ACCEPT, value, note="all systems say so")
    return replace(verdict, settled=_settled(field, verdict), fallback=_is_fallback(field, verdict))


def _is_fallback(field: Field, verdict: Verdict) -> bool:
    rule, owner = field.rule, acting_owner(field.rule, field.live)
    acted = verdict.outcome is Outcome.ACCEPT and verdict.source is not None and verdict.source == owner != rule.owner
    return acted and rule.policy in (Policy.OWNER, Policy.STATUS)


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
        return Verdict(Outcome.NOOP, field.agreed, note="local field", apart=True)
    if rule.frozen:
        return _frozen(field)
    if not field.news:
        return _handed_over(field) or _outstanding(field)
    if any(view.base is UNKNOWN for view in field.live.values()):
        return _first_contact(field)
    if not field.rivals(field.agreed):
        return _converged(field)
    if rule.fixed or (rule.append_only and not blank(field.agreed)):
        return _closed(field)
    if rule.pin is not UNKNOWN:
        return _pinned(field)
    return _ruled(field)


def _ruled(field: Field) -> Verdict:
    """Nothing but the rule has a say."""
    rule = field.rule
    if rule.ambiguous:
        return conflict(field, "ambiguous rule: two cases of the same priority are true")
    verdict = _immutable(field) if unchangeable(field) else POLICIES[rule.policy](field)
    if verdict.outcome is Outcome.REVERT and rule.policy in CHOOSING:
        return replace(verdict, insisted=True)
    return verdict


def _immutable(field: Field) -> Verdict:
    if acting_owner(field.rule, field.live) in field.news:
        return conflict(field, "owner changed an immutable field")
    return revert(field, "immutable once set")


def _closed(field: Field) -> Verdict:
    """No rule changes this record any more (domain, promise P7)."""
    if field.rule.append_only:
        return conflict(field, "append-only: a correction is a reversal and a new record")
    if acting_owner(field.rule, field.live) in field.news:
        return conflict(field, "owner changed a record that may not change any more")
    return revert(field, "the record may not change any more")


def _closed_contact(field: Field, stated: Mapping[System, Value]) -> Verdict | None:
    """What a record that may not change says to a system that it meets for the first time; None: as any other."""
    known = {} if blank(field.agreed) else {HUB: field.agreed}
    if field.rule.append_only and not _equal_if_any({**stated, **known}, field):
        return conflict(field, "first contact: append-only, and they differ")
    if not field.rule.fixed:
        return None
    owner = acting_owner(field.rule, field.live)
    if owner is not None and owner in field.news and not field.same(field.live[owner].now, field.agreed):
        return conflict(field, "first contact: owner differs, and the record may not change any more")
    return _adopt(field, field.agreed, "first contact: the record may not change any more", None)


def _equal_if_any(values: Mapping[System, Value], field: Field) -> bool:
    return not values or one_value(field, values)


def _frozen(field: Field) -> Verdict:
    if _settles_itself(field):
        value = next(iter(field.live.values())).now
        return Verdict(Outcome.CONVERGED, value, closes=True, note="all systems came to agree")
    if field.news:
        return Verdict(Outcome.CONFLICT, field.agreed, note="attached to open conflict")
    return Verdict(Outcome.NOOP, field.agreed, note="frozen")


def _settles_itself(field: Field) -> bool:
    """Whether there is nothing left to ask: all systems say the same, and no person's word stands against it."""
    values = [view.now for view in field.live.values()]
    if not values or not all(field.same(values[0], value) for value in values):
        return False
    if field.same(values[0], field.agreed):
        return True
    pinned = field.rule.pin is not UNKNOWN and not field.same(values[0], field.rule.pin)
    return len(values) > 1 and not pinned and not unchangeable(field)


def _handed_over(field: Field) -> Verdict | None:
    """What a system proposed that owns the field since: it is the owner's word now."""
    owner = acting_owner(field.rule, field.live)
    view = field.live.get(owner or "")
    if owner is None or view is None or not view.proposed or field.same(view.now, field.agreed):
        return None
    rule = field.rule
    closed = rule.immutable or rule.append_only or rule.fixed
    if rule.policy is not Policy.OWNER or rule.pin is not UNKNOWN or closed:
        return None
    if blank(view.now) and field.rule.blank_by_owner == "conflict":
        return None
    return accept(field, view.now, in_words(rule, owner, "owner since it proposed this"), owner)


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


def _pinned(field: Field) -> Verdict:
    owner = _rival_owner(field)
    if owner is not None:
        if field.rule.pin_mode == "hold":
            return conflict(field, "owner changed a pinned field")
        return replace(accept(field, field.news[owner].now, "pin released", owner), unpins=True)
    if not field.same(field.agreed, field.rule.pin):
        return accept(field, field.rule.pin, "pinned by steward")
    return revert(field, "pinned by steward")


def _rival_owner(field: Field) -> System | None:
    """The owner, where it says something else than the pin and said something else before."""
    owner = acting_owner(field.rule, field.live)
    if owner is None or owner not in field.news or field.rule.policy not in OWNED:
        return None
    view = field.news[owner]
    return None if view.base is UNKNOWN or field.same(view.now, field.rule.pin) else owner


def _first_contact(field: Field) -> Verdict:
    """No base on at least one side: nothing tells an edit from an old difference."""
    waiting = {s for s, view in field.live.items() if view.proposed and s not in field.news}
    field = replace(field, live={s: view for s, view in field.live.items() if s not in waiting})
    stated = {s: view.now for s, view in field.live.items() if not blank(view.now)}
    rule = field.rule
    if (rule.append_only or rule.fixed) and (verdict := _closed_contact(field, stated)) is not None:
        return verdict
    if rule.pin is not UNKNOWN:
        return _pinned(field) if _rival_owner(field) else _adopt(field, rule.pin, "pinned by steward", None)
    if rule.policy in SET_LIKE:
        return POLICIES[rule.policy](field)
    if rule.policy is Policy.HUB:
        return _adopt(field, field.agreed, "computed by hub", None)
    if (blanked := _blanked_by_owner(field)) is not None:
        return blanked
    if not stated:
        return _adopt(field, field.agreed, "all blank", None)
    if one_value(field, stated) and (blank(field.agreed) or field.same(next(iter(stated.values())), field.agreed)):
        return _equal(field, stated)
    return _choose(field, stated)


def _blanked_by_owner(field: Field) -> Verdict | None:
    """The owner is known and took its value away: an edit like any other, while somebody else is met first."""
    owner = acting_owner(field.rule, field.live)
    view = field.news.get(owner or "")
    if view is None or view.base is UNKNOWN or field.rule.policy is not Policy.OWNER:
        return None
    if not blank(view.now) or blank(field.agreed):
        return None
    if field.rule.blank_by_owner == "conflict":
        return conflict(field, "owner blanked the field")
    return _adopt(field, view.now, "owner blanked the field", owner)


def _equal(field: Field, stated: Mapping[System, Value]) -> Verdict:
    source = _speaker(field, stated)
    seeded = blank(field.agreed) and field.rule.owner is not None and source != field.rule.owner
    return _adopt(field, stated[source], "first contact: equal", source, provisional=seeded)


def _choose(field: Field, stated: Mapping[System, Value]) -> Verdict:
    rule = field.rule
    if rule.ambiguous:
        return conflict(field, "first contact: ambiguous rule")
    if rule.policy is Policy.PREFER:
        best = next((s for s in rule.rank if s in stated), None)
        return (
            _adopt(field, stated[best], f"preferred {best}", best) if best else conflict(field, "first contact: differ")
        )
    if rule.policy is Policy.NEWEST:
        return _choose_newest(field, stated)
    owner = acting_owner(rule, field.live)
    if owner is not None and owner in stated and rule.policy is not Policy.MANUAL:
        return _adopt(field, stated[owner], "first contact: owner's value", owner)
    known = owner is not None and field.live[owner].base is not UNKNOWN
    if not blank(field.agreed) and (known or (owner is None and rule.owner == HUB)):
        return _adopt(field, field.agreed, "first contact: agreed value", None)
    if one_value(field, stated):
        source = _speaker(field, stated)
        return _adopt(field, stated[source], "first contact: seeded (provisional)", source, provisional=True)
    return conflict(field, "first contact: differ, no owner's value")


def _choose_newest(field: Field, stated: Mapping[System, Value]) -> Verdict:
    among = field.rule.among
    candidates = {s: v for s, v in stated.items() if not among or s in among} or stated
    if all(field.live[s].at is not None for s in candidates):
        verdict = latest(field, candidates)
        if verdict.outcome is not Outcome.CONFLICT:
            return replace(verdict, note=f"first contact: {verdict.note}", overruled=losers(field, verdict.value))
    preferred = next((s for s in field.rule.rank if s in candidates), None)
    if preferred is None:
        return conflict(field, "first contact: differ, no source timestamp")
    return _adopt(field, candidates[preferred], f"first contact: preferred {preferred}", preferred)


def _speaker(field: Field, stated: Mapping[System, Value]) -> System:
    owner = acting_owner(field.rule, field.live)
    return owner if owner is not None and owner in stated else min(stated)


def _adopt(field: Field, value: Value, note: str, source: System | None, *, provisional: bool = False) -> Verdict:
    writes = field.targets(value)
    changed = not field.same(value, field.agreed)
    outcome = Outcome.ACCEPT if changed or writes or losers(field, value) else Outcome.CONVERGED
    return Verdict(outcome, value, writes, losers(field, value), source=source, note=note, provisional=provisional)
