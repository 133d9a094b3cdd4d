"""Decides what becomes of one field at the moment another system begins to own it (domain 2.7, rows H01-H03).

Pure. Not here: when that moment is, and whether it may come (`fsm_core.service.handover`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fsm_core.model.compare import Same, Value, blank
from fsm_core.sync.field import Field, acting_owner, conflict, unchangeable
from fsm_core.sync.policies import POLICIES
from fsm_core.sync.types import UNKNOWN, OnSwitch, Outcome, Policy, Rule, Seen, System, Verdict

DIFFERS = "handover_differs"
OWNED = (Policy.OWNER, Policy.STATUS)
"""Policies by which the owner alone says what is agreed."""


def taken_over(on_switch: OnSwitch, rule: Rule, agreed: Value, seen: Mapping[System, Seen], same: Same) -> Verdict:
    """The verdict under the rule that is in force from now on; NOOP where the new owner shows what was agreed.

    What it proposed counts as its word, unless a person is to be asked. A blank it merely shows never wipes a value.
    """
    live = {system: seen[system] for system in sorted(seen)}
    owner = acting_owner(rule, live)
    view = live.get(owner or "")
    if owner is None or view is None or same(view.now, agreed):
        return Verdict(Outcome.NOOP, agreed)
    if rule.policy not in OWNED or rule.frozen or rule.pin is not UNKNOWN or rule.ambiguous:
        return Verdict(Outcome.NOOP, agreed)
    field = Field(rule, agreed, live, {owner: view}, same)
    mine = not blank(view.now) or view.proposed
    if on_switch == "conflict" and mine:
        return conflict(field, f"{DIFFERS}: {owner} owns it from now on and says something else")
    if mine and (view.proposed or on_switch == "adopt_new_owner"):
        return _adopted(field, owner)
    return _told(field, owner)


def _adopted(field: Field, owner: System) -> Verdict:
    """As if the owner said now what it shows."""
    if unchangeable(field):
        return conflict(field, f"{DIFFERS}: {owner} owns it from now on, and it is not to change")
    verdict = POLICIES[field.rule.policy](field)
    if verdict.outcome is not Outcome.ACCEPT:
        return verdict
    why = "the new owner proposed this" if field.live[owner].proposed else "the new owner's value"
    return replace(verdict, note=why, settled=frozenset({owner}))


def _told(field: Field, owner: System) -> Verdict:
    """The agreed value stays, and the new owner is told where it may be."""
    view = field.live[owner]
    if not view.writable:
        return Verdict(Outcome.NOOP, field.agreed, note=f"{owner} cannot be told the agreed value")
    lost = {} if blank(view.now) else {owner: view.now}
    note = "the agreed value stays, the new owner is told"
    return Verdict(Outcome.REDELIVER, field.agreed, {owner: field.agreed}, lost, note=note)
