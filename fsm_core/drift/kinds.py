"""The kinds of drift, what may be done about each, and one drift with all that is to be said about it.

Not here: finding it (`compare`), judging it (`meaning`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What happened to a field of a system."""

    REMOVED = "removed"
    """It is not shown any more: gone, or the right to see it is."""
    RENAMED = "renamed"
    """The same, and a new field looks like it."""
    SHORTENED = "shortened"
    VALUE_DROPPED = "value_dropped"
    """A pick list lost values, or became one."""
    VALUE_NEW = "value_new"
    """A pick list has values that the mapping cannot read."""
    REQUIRED = "required"
    TYPE_CHANGED = "type_changed"
    RIGHT_LOST = "right_lost"


class Policy(StrEnum):
    """What is done about a drift until it is gone or accepted."""

    STOP = "stop"
    """The entity stops in that system; of a field that became required: no new records there."""
    HOLD = "hold"
    """The field is neither read nor written there; its values stay as they were."""
    WARN = "warn"
    """All goes on; a value that the field does not take is set aside, record by record."""


@dataclass(frozen=True, slots=True)
class Policies:
    """What is done about each kind in one system; a renamed field is a removed one."""

    removed: Policy = Policy.HOLD
    key_removed: Policy = Policy.STOP
    """The field identifies records, or says who owns them or where they go; also for what would be held of such."""
    shortened: Policy = Policy.WARN
    value_dropped: Policy = Policy.WARN
    value_new: Policy = Policy.WARN
    required: Policy = Policy.STOP
    type_changed: Policy = Policy.HOLD
    right_lost: Policy = Policy.HOLD

    def of(self, kind: Kind) -> Policy:
        """The policy for a kind."""
        name = Kind.REMOVED if kind is Kind.RENAMED else kind
        chosen: Policy = getattr(self, name.value)
        return chosen


NO_FIELD = (Kind.REMOVED, Kind.RENAMED)
"""Kinds after which there is nothing left to read."""
TIGHTER = (Kind.SHORTENED, Kind.VALUE_DROPPED)
"""Kinds after which some values do not fit any more."""


MISREAD = (*NO_FIELD, Kind.TYPE_CHANGED, Kind.VALUE_NEW)
"""Kinds while which records are not read, or not as they are."""


def cause(kind: Kind) -> str:
    """The cause of the problem that tells of it."""
    return f"drift {kind}"


CAUSES = tuple(cause(kind) for kind in Kind)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two descriptions."""

    kind: Kind
    path: str
    old: Any = None
    new: Any = None
    like: str = ""
    """A new field that this one may be called now: a suggestion."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference that concerns the mapping, with what is done about it."""

    kind: Kind
    policy: Policy
    path: str
    fields: tuple[str, ...]
    """Canonical fields that live there."""
    message: str
    remedy: str
    means: tuple[str, ...] = ()
    """Rows and rules it touches, a sentence each."""
    old: Any = None
    new: Any = None
    like: str = ""

    @property
    def subject(self) -> str:
        """What the problem that tells of it is about: the first field that lives there, else the path."""
        return self.fields[0] if self.fields else self.path

    @property
    def sentence(self) -> str:
        """All of it in words."""
        return "; ".join((self.message, *self.means))


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a person took as it is."""

    by: str
    at: str


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of drift in one binding."""

    drifts: tuple[Drift, ...] = ()
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    """Paths that are gone and that a person said to go on without."""

    @property
    def told(self) -> frozenset[str]:
        """Fields that are left alone and of which a person is told, or told the hub: nothing is to be added."""
        left = (one.fields for one in self.drifts if one.kind in NO_FIELD or one.policy is not Policy.WARN)
        return frozenset(name for names in left for name in names)

    @property
    def tight(self) -> frozenset[str]:
        """Fields of which some values do not fit any more, and are set aside."""
        found = (one.fields for one in self.drifts if one.kind in TIGHTER and one.policy is Policy.WARN)
        return frozenset(name for names in found for name in names)

    @property
    def closed(self) -> bool:
        """No new record is made there."""
        return any(one.kind is Kind.REQUIRED and one.policy is Policy.STOP for one in self.drifts)


UNCHANGED = Watched()
"""Nothing drifted, as far as is known."""
