"""Maintenance planned twice (D06, D07).

Not here: the orders that plans lead to (`work`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fsm_core.sync.double_entry.entries import (
    DEFAULTS,
    Document,
    Entry,
    Judgement,
    Keys,
    PreCheck,
    Ruling,
    Thresholds,
    number,
    pairwise,
    put_in_twice,
)
from fsm_core.sync.names import loosened

_TYPE, MAYBE = "parallel_pm", "parallel_pm?"
_TEXTS = ("task_text", "name", "summary")
_UNITS: Mapping[str, tuple[str, int]] = {
    "day": ("day", 1),
    "week": ("day", 7),
    "month": ("month", 1),
    "quarter": ("month", 3),
    "year": ("month", 12),
}
_DAYS = {"day": Decimal(1), "month": Decimal("30.436875")}
"""A month of the Gregorian calendar on average."""


def parallel_pm(newcomer: Entry, earlier: Entry, lines: Thresholds = DEFAULTS) -> Judgement | None:
    """D06, D07: two active plans for one thing, by the same task code, or alike in interval and words."""
    target = _target(newcomer)
    if not target or target != _target(earlier) or not put_in_twice(newcomer, earlier):
        return None
    if newcomer.says.get("active") is not True or earlier.says.get("active") is not True:
        return None
    codes = [newcomer.said("task_code"), earlier.said("task_code")]
    evidence = {"target": target, "task_codes": codes}
    if codes[0] and codes[0] == codes[1]:
        return Judgement(Ruling.HOLD, _TYPE, f"task {codes[0]} is planned in another system too", evidence)
    every = _interval(newcomer.says.get("interval"))
    alike = similar(_text(newcomer), _text(earlier))
    if every is None or every != _interval(earlier.says.get("interval")) or alike < lines.similar:
        return None
    reason = f"planned in another system too? equal interval, tasks {alike:.0%} alike"
    return Judgement(Ruling.SUGGEST, MAYBE, reason, {**evidence, "similarity": round(alike, 3)})


def _target(plan: Entry) -> str:
    """What is maintained: an asset, or a whole site."""
    asset = plan.said("asset_id")
    return f"asset {asset}" if asset else (f"site {site}" if (site := plan.said("site_id")) else "")


def _text(plan: Entry) -> str:
    return next((text for name in _TEXTS if (text := plan.said(name))), "")


def similar(one: str, other: str) -> float:
    """How alike two texts are, from 0 to 1, whatever the order of their words; nothing is like no text."""
    first, second = loosened(one), loosened(other)
    from rapidfuzz import fuzz  # noqa: PLC0415 - three megabytes, for plans only

    return fuzz.token_sort_ratio(first, second) / 100 if first and second else 0.0


def _interval(told: Any) -> tuple[str, Decimal] | None:  # noqa: ANN401 - any canonical value
    """An interval in the smallest unit of its kind; of meters in their own unit."""
    count = number(told.get("n")) if isinstance(told, Mapping) else None
    unit = str(told.get("unit") or "").casefold() if isinstance(told, Mapping) else ""
    if count is None or count <= 0 or not unit:
        return None
    kind, times = _UNITS.get(unit.removesuffix("s"), (unit, 1))
    return kind, count * times


def days_of(told: Any) -> Decimal | None:  # noqa: ANN401 - any canonical value
    """The days of an interval of time; None for meters and where nothing is stated."""
    found = _interval(told)
    return None if found is None or found[0] not in _DAYS else found[1] * _DAYS[found[0]]


def _keys(plan: Document) -> Keys:
    target = _target(Entry("", plan))
    return [("target", target)] if target and plan.get("active") is True else []


def _probes(newcomer: Entry) -> Keys:
    return _keys(newcomer.says)


PARALLEL_PM = PreCheck(
    name=_TYPE,
    of="maintenance_plan",
    judge=pairwise(parallel_pm),
    keys={"maintenance_plan": _keys},
    probes=_probes,
    among="maintenance_plan",
    suggests=(MAYBE,),
    begins=("created_at",),
)
