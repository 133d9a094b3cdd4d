"""Visits put in twice (D03, D04), and visits that maintenance could be combined with (D08).

Not here: orders put in twice (`work`).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

from fsm_core.sync.double_entry.entries import (
    DEFAULTS,
    Document,
    Entry,
    Judgement,
    Keys,
    PreCheck,
    Ruling,
    Thresholds,
    linked_orders,
    pairwise,
    put_in_twice,
)
from fsm_core.sync.double_entry.plans import days_of

ASSET = "asset"
"""The name of the key by which orders of an asset, and with them their visits, are found."""
OPEN = frozenset({"draft", "open", "on_hold", "in_progress"})
DONE = frozenset({"completed", "closed"})
COMBINE = "combine"
_PLANNED = frozenset({"unscheduled", "scheduled", "dispatched"})
_OFF = frozenset({"", "cancelled", "no_access"})
_WORKED = ("started_at", "arrived_at", "finished_at", "scheduled_start", "arrival_window_from")
_TYPE = "duplicate_visit"


def duplicate_visit(newcomer: Entry, earlier: Entry, _lines: Thresholds = DEFAULTS) -> Judgement | None:
    """D03, D04: one asset on one local day in two systems, one of them done, and nobody says that others went there.

    The earlier entry is a visit, or a completed order of a system that keeps no visits.
    """
    if newcomer.entity != _VISIT or _known_to_be_two(newcomer, earlier) or not put_in_twice(newcomer, earlier):
        return None
    states, shared = {newcomer.said("status"), earlier.said("status")}, newcomer.assets & earlier.assets
    done = bool(states & DONE) if earlier.entity == _VISIT else earlier.said("status") in DONE
    if not shared or not done or states & _OFF:
        return None
    day = _day(newcomer, earlier)
    if day is None or day != _day(earlier, newcomer):
        return None
    one, other = newcomer.technicians, earlier.technicians
    if one and other and one.isdisjoint(other):
        return None
    evidence = {"assets": sorted(shared), "day": day.isoformat(), "technicians": [sorted(one), sorted(other)]}
    return Judgement(Ruling.HOLD, _TYPE, f"same asset on {day.isoformat()} in another system", evidence)


_VISIT = "visit"


def _known_to_be_two(newcomer: Entry, earlier: Entry) -> bool:
    if earlier.entity != _VISIT:
        return linked_orders(newcomer.order, earlier)
    names = ("linked_visit_id", "duplicate_of_id")
    return bool(
        (earlier.record and earlier.record in {newcomer.said(name) for name in names})
        or (newcomer.record and newcomer.record in {earlier.said(name) for name in names})
    )


def _day(entry: Entry, other: Entry) -> date | None:
    names = _WORKED if entry.entity == _VISIT else ("completed_at",)
    return entry.day(entry.at(*names), other)


def combine(newcomer: Entry, earlier: Entry, lines: Thresholds = DEFAULTS) -> Judgement | None:
    """D08: maintenance of one system and a visit under contract of another are due within days of each other."""
    order, visit = (earlier, newcomer) if newcomer.entity == _VISIT else (newcomer, earlier)
    if order.entity == _VISIT or visit.entity != _VISIT or not put_in_twice(newcomer, earlier):
        return None
    contract = visit.said("contract_id") or (visit.order.said("contract_id") if visit.order else "")
    shared = order.assets & visit.assets
    if order.said("kind") != "preventive" or order.said("status") not in OPEN or linked_orders(order, visit.order):
        return None
    if not contract or not shared or visit.said("status") not in _PLANNED:
        return None
    due, planned = order.at("due_at", "requested_from"), visit.at("scheduled_start", "arrival_window_from")
    window = _window(order, lines)
    if due is None or planned is None or abs(due - planned) > window:
        return None
    evidence = {"assets": sorted(shared), "due": _text(due), "planned": _text(planned), "window_days": _days(window)}
    return Judgement(Ruling.SUGGEST, COMBINE, "maintenance and a visit under contract could be one visit", evidence)


def _window(order: Entry, lines: Thresholds) -> timedelta:
    interval = days_of(order.plan.get("interval"))
    return (
        lines.combine if interval is None else max(lines.combine, timedelta(days=float(interval * lines.combine_share)))
    )


def _text(when: datetime) -> str:
    return when.isoformat()


def _days(window: timedelta) -> str:
    return str(round(Decimal(window.total_seconds()) / 86400, 1))


def _probes(newcomer: Entry) -> Keys:
    return [(ASSET, asset) for asset in sorted(newcomer.assets)]


def _keys(order: Document) -> Keys:
    return [(ASSET, asset) for asset in sorted(Entry("", order).assets)]


DUPLICATE_VISIT = PreCheck(
    name=_TYPE,
    of=_VISIT,
    judge=pairwise(duplicate_visit, combine),
    keys={"work_order": _keys},
    probes=_probes,
    among="work_order",
    through=ASSET,
    suggests=(COMBINE,),
    parent=("linked_visit_id",),
    begins=_WORKED,
)
