"""Parts booked twice (D09), and serialised parts that are used where they cannot be (D10).

Not here: what is charged.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

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
    number,
    put_in_twice,
    several,
    utc_day,
)

_TYPE = "serial_used_twice"
_USED = ("used_at", "entered_at")


def mirrored(newcomer: Entry, earlier: Entry, _lines: Thresholds = DEFAULTS) -> Judgement | None:
    """D09: the same consumption from two systems for linked orders; the second row is kept and not charged."""
    part, day = newcomer.said("part_id"), _day(newcomer, earlier)
    if not part or part != earlier.said("part_id") or not put_in_twice(newcomer, earlier):
        return None
    if day is None or day != _day(earlier, newcomer) or not linked_orders(newcomer.order, earlier.order):
        return None
    if _mirror(earlier) or not _same_amount(newcomer, earlier):
        return None
    evidence = {
        "part": part,
        "day": str(day),
        "quantity": newcomer.said("quantity"),
        "serials": sorted(_serials(newcomer)),
    }
    return Judgement(Ruling.MIRROR, "mirror", "the same consumption from another system", evidence, {"mirror": True})


def _same_amount(one: Entry, other: Entry) -> bool:
    """By serial where both state some; else by quantity, in the same direction and unit."""
    mine, theirs = _serials(one), _serials(other)
    counts = [number(entry.says.get("quantity")) for entry in (one, other)]
    if mine and theirs:
        signs = {count > 0 for count in counts if count is not None}
        return mine == theirs and len(signs) < 2  # noqa: PLR2004 - both directions
    units = {entry.said("unit") for entry in (one, other)} - {""}
    return counts[0] is not None and counts[0] == counts[1] and len(units) < 2  # noqa: PLR2004 - two units


def serial_used_twice(
    newcomer: Entry, earlier: Sequence[Entry], _lines: Thresholds = DEFAULTS
) -> list[tuple[Entry, Judgement]]:
    """D10: a serialised part is consumed while all known rows say that it is in use already."""
    part, count = newcomer.said("part_id"), number(newcomer.says.get("quantity"))
    if not part or count is None or count <= 0 or _mirror(newcomer):
        return []
    found = []
    for serial in sorted(_serials(newcomer)):
        rows = [one for one in earlier if one.said("part_id") == part and serial in _serials(one) and not _mirror(one)]
        used = [(one, amount) for one in rows if (amount := number(one.says.get("quantity")))]
        if sum(1 if amount > 0 else -1 for _, amount in used) > 0:
            last = max((one for one, amount in used if amount > 0), key=_time)
            evidence = {"part": part, "serial": serial, "rows": len(used)}
            reason = f"serial {serial} is in use already and was not returned"
            found.append((last, Judgement(Ruling.HOLD, _TYPE, reason, evidence)))
    return found[:1]


def judge(newcomer: Entry, earlier: Sequence[Entry], lines: Thresholds = DEFAULTS) -> list[tuple[Entry, Judgement]]:
    """What is a mirror of another row uses nothing up; everything else is looked at by its serials."""
    for one in earlier:
        if (said := mirrored(newcomer, one, lines)) is not None:
            return [(one, said)]
    return serial_used_twice(newcomer, earlier, lines)


def _serials(row: Entry) -> frozenset[str]:
    return frozenset(serial.casefold() for serial in several(row.says, "serials"))


def _mirror(row: Entry) -> bool:
    return row.says.get("mirror") is True


def _time(row: Entry) -> tuple[str, str]:
    return row.said("used_at"), row.record


def _day(row: Entry, other: Entry) -> object:
    return row.day(row.at(*_USED), other)


def _keys(row: Document) -> Keys:
    """Where a row is found: by its serials, and by part and day."""
    entry, day = Entry("", row), utc_day(row.get("used_at") or row.get("entered_at"))
    part = entry.said("part_id")
    if not part:
        return []
    found = [("serial", f"{part}|{serial}") for serial in sorted(_serials(entry))]
    return found + ([("used", f"{part}|{day.isoformat()}")] if day else [])


def _probes(newcomer: Entry) -> Keys:
    """A local day is part of two days in UTC."""
    part, day = newcomer.said("part_id"), utc_day(newcomer.says.get("used_at") or newcomer.says.get("entered_at"))
    own = _keys(newcomer.says)
    if not part or day is None:
        return own
    return own + [("used", f"{part}|{(day + timedelta(days=step)).isoformat()}") for step in (-1, 1)]


SERIAL_USED_TWICE = PreCheck(
    name=_TYPE,
    of="part_consumption",
    judge=judge,
    keys={"part_consumption": _keys},
    probes=_probes,
    among="part_consumption",
    begins=_USED,
)
