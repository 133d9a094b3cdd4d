"""Entries as the checks for double entry see them: a document, where it was put in, and what it refers to.

Also what a check says of two of them. Not here: any check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from fsm_core.model.compare import blank

Document: TypeAlias = Mapping[str, Any]
Keys: TypeAlias = list[tuple[str, str]]
"""Name and value of each key under which entries are looked for."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where the checks draw the line."""

    repeat: timedelta = timedelta(days=30)
    """After completion: the same problem within it is a repeat."""
    combine: timedelta = timedelta(days=3)
    """Between maintenance and a visit that could be one, at least."""
    combine_share: Decimal = Decimal("0.10")
    """The same, as a share of the interval of maintenance."""
    similar: float = 0.8
    """Of two texts of a task, from 0 to 1."""


DEFAULTS = Thresholds()


@dataclass(frozen=True, slots=True)
class Entry:
    """One order, visit, plan or consumption, with all that a check needs of what it refers to."""

    entity: str
    says: Document
    origins: frozenset[str] = frozenset()
    """Systems in which somebody put it in; where the hub created it does not count."""
    record: str = ""
    """Its record; empty before birth."""
    ids: frozenset[str] = frozenset()
    """Its ids and numbers in its systems."""
    order: Entry | None = None
    """The work order it belongs to."""
    plan: Document = field(default_factory=dict)
    site: Document = field(default_factory=dict)

    def said(self, name: str) -> str:
        """A text it states, or the code of one; "" when it states none."""
        value = self.says.get(name)
        return "" if blank(value) else str(value)

    def at(self, *names: str) -> datetime | None:
        """The first instant it states of these; None without one."""
        return next((found for name in names if (found := instant(self.says.get(name))) is not None), None)

    def day(self, when: datetime | None, other: Entry) -> date | None:
        """The local day of an instant at the site; `other` stands there too and may know the zone."""
        zone = _zone(self) or _zone(other)
        return None if when is None or zone is None else when.astimezone(zone).date()

    @property
    def assets(self) -> frozenset[str]:
        """Assets it is about; of a visit those of its order."""
        own = several(self.says, "asset_ids") | several(self.says, "asset_id")
        return own or (self.order.assets if self.order else frozenset())

    @property
    def technicians(self) -> frozenset[str]:
        """Who was sent; of pairs of person and role the persons."""
        return frozenset(filter(None, map(_person, self.says.get("technicians") or ())))


class Ruling(StrEnum):
    """What a check says of a newcomer beside an earlier entry."""

    LINK = "link"
    """The same thing, without asking."""
    HOLD = "hold"
    """It may be the same: a person is asked before it is born."""
    SUGGEST = "suggest"
    """Two things that could be one: a person is told, nothing waits."""
    MIRROR = "mirror"
    """The same thing, kept as a row of its own that the hub marks."""
    COMPUTE = "compute"
    """Two things, of which the hub notes something."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a check found, and what it looked at."""

    ruling: Ruling
    type: str
    """Of the question, or the name of what is computed."""
    reason: str
    evidence: Document
    newcomer: Document = field(default_factory=dict)
    """Fields the hub sets on the newcomer."""
    earlier: Document = field(default_factory=dict)
    """Fields the hub sets on the earlier entry."""


Judge: TypeAlias = Callable[[Entry, Sequence[Entry], Thresholds], list[tuple[Entry, Judgement]]]
"""From a newcomer and the entries that were there before to what is found, each beside its entry."""


@dataclass(frozen=True, slots=True)
class PreCheck:
    """A check that the rule file may name."""

    name: str
    of: str
    """The entity whose newcomers it looks at."""
    judge: Judge
    keys: Mapping[str, Callable[[Document], Keys]]
    """Per entity the keys under which its entries are kept to be found."""
    probes: Callable[[Entry], Keys]
    """The keys under which a newcomer looks for others."""
    among: str
    """The entity whose keys these are."""
    through: str = ""
    """The key by which orders are found whose visits are looked at too."""
    suggests: tuple[str, ...] = ()
    """Types of its questions that hold nothing."""
    parent: tuple[str, ...] = ()
    """Fields that tie a newcomer to the earlier entry as its child."""
    begins: tuple[str, ...] = ()
    """Instants that tell which of two entries was first."""


def pairwise(
    *looks: Callable[[Entry, Entry, Thresholds], Judgement | None],
) -> Judge:
    """Ask these of the newcomer beside each earlier entry; the first that says something counts."""

    def judge(newcomer: Entry, earlier: Sequence[Entry], lines: Thresholds) -> list[tuple[Entry, Judgement]]:
        found = []
        for one in earlier:
            said = next((told for look in looks if (told := look(newcomer, one, lines)) is not None), None)
            if said is not None:
                found.append((one, said))
        return found

    return judge


def put_in_twice(one: Entry, other: Entry) -> bool:
    """Whether people entered them in different systems; what one system holds twice is its own affair."""
    return bool(one.origins and other.origins) and one.origins.isdisjoint(other.origins)


def several(document: Document, name: str) -> frozenset[str]:
    """The members of a set, or the one value as a set."""
    value = document.get(name)
    if blank(value):
        return frozenset()
    return frozenset(map(str, value)) if isinstance(value, list | tuple | set | frozenset) else frozenset([str(value)])


def instant(value: Any) -> datetime | None:  # noqa: ANN401 - any canonical value
    """An instant of a document; None for anything else, also for a time without a zone."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return found if isinstance(found, datetime) and found.tzinfo is not None else None


def number(value: Any) -> Decimal | None:  # noqa: ANN401 - any canonical value
    """A finite number of a document; None for anything else."""
    try:
        found = None if blank(value) or isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def utc_day(value: Any) -> date | None:  # noqa: ANN401 - any canonical value
    """The day of an instant in UTC, by which entries of about one time are found."""
    when = instant(value)
    return None if when is None else when.astimezone(UTC).date()


def linked_orders(one: Entry | None, other: Entry | None) -> bool:
    """Whether two orders are one, or parent and child."""
    if one is None or other is None:
        return False
    if one.record and one.record == other.record:
        return True
    return (bool(other.record) and one.said("parent_id") == other.record) or (
        bool(one.record) and other.said("parent_id") == one.record
    )


def _person(told: Any) -> str:  # noqa: ANN401 - any canonical value
    if isinstance(told, Mapping):
        return str(told.get("id") or "")
    return str(told[0]) if isinstance(told, list | tuple) and told else str(told or "")


def _zone(entry: Entry) -> ZoneInfo | None:
    name = entry.site.get("time_zone") or (entry.order.site.get("time_zone") if entry.order else None)
    try:
        return ZoneInfo(name) if name else None
    except (KeyError, ValueError, OSError):  # no such zone, or no name of one
        return None
