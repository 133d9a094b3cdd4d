"""Values that stand for all values of a field: every code, both flags, and a few of everything else.

The same ones every time. Not here: what becomes of them in a mapping (`probe`).
"""

from __future__ import annotations

import re
from typing import Any, Final

from fsm_core.model.compare import Comparator
from fsm_core.model.entity import EntityShape
from fsm_core.ownership.check.kinds import Kind, kind

_BY_COMPARATOR: Final[dict[Comparator, tuple[Any, ...]]] = {
    Comparator.PHONE: ("+49 30 1234567", "+1 212-555-2368"),
    Comparator.EMAIL: ("kim@example.com",),
    Comparator.WEBSITE: ("https://example.com",),
    Comparator.DECIMAL: ("0", "12.5", "1000000"),
}
_TEXTS: Final = ("Ab 1", "Zürich & Söhne")
_IN_SETS: Final = ("VAT:DE136695976", "VAT:ATU12345678")
_PATTERNED: Final = (
    "DE",
    "US",
    "EUR",
    "USD",
    "de",
    "en",
    "12.5",
    "-7",
    "2026-01-31",
    "2026-01-31T08:00:00Z",
    "08:30",
    "A1",
    "a",
    "1",
)
_MEMBERS: Final = {
    "street": "Main Street",
    "number": "12a",
    "extra": "Floor 3",
    "postcode": "10115",
    "city": "Berlin",
    "region": "BE",
    "country": "DE",
    "first": "Kim",
    "last": "Lee",
    "lat": "52.5",
    "lon": "13.4",
    "precision_m": "10",
}
PRECISE: Final = "0.123456789"
"""A number with more decimals than money has."""


def samples(shape: EntityShape, field: str) -> tuple[Any, ...]:
    """Values of a field that is no enumeration."""
    facts = shape.fields[field]
    if facts.members:
        group = _group(shape, field, facts.members)
        return ([group],) if kind(shape, field).many else (group,)
    if facts.reference:
        return ("0190-4a3b",)
    return _plain(kind(shape, field))


def codes(shape: EntityShape, field: str) -> tuple[Any, ...]:
    """Every value of an enumeration, one at a time; of a set of them the sets of one."""
    known = kind(shape, field)
    return tuple([code] for code in known.codes) if known.many else known.codes


def member_sample(shape: EntityShape, field: str, member: str) -> str:
    """One value of a member of a group."""
    known = kind(shape, field, member)
    stated = _MEMBERS.get(member)
    return str(stated if stated and (not known.pattern or re.match(known.pattern, stated)) else _plain(known)[0])


def with_member(shape: EntityShape, field: str, member: str, value: str) -> dict[str, Any]:
    """A group whose other members are as usual."""
    return {**_group(shape, field, shape.fields[field].members), member: value}


def _group(shape: EntityShape, field: str, members: tuple[str, ...]) -> dict[str, Any]:
    return {one: member_sample(shape, field, one) for one in members}


def _plain(known: Kind) -> tuple[Any, ...]:
    if known.flag:
        return (True, False)
    if known.pattern:
        return tuple(one for one in _PATTERNED if re.match(known.pattern, one))[:2] or ("",)
    if known.many:
        return ([_IN_SETS[0]], sorted(_IN_SETS))
    if known.comparator in _BY_COMPARATOR:
        return _BY_COMPARATOR[known.comparator]
    if known.day:
        return ("2026-01-31", "2024-02-29")
    if known.whole:
        return (1, 20)
    if known.ordered:
        return ("1", "20.5")
    return tuple(text[: known.length] for text in _TEXTS)
