"""The words of the decision: observations, rules, outcomes. All frozen, all pure.

Not here: the decision itself (`merge`), storage, or how a rule is found (`fsm_core.ownership`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any, Final, Literal, TypeAlias

from fsm_core.model.compare import Value

System: TypeAlias = str
HUB: Final = "hub"
"""The hub's own store, where a role is bound to it: it owns without a link."""


class _Unset(Enum):
    """A value that is not there, as opposed to None, which says "blank"."""

    UNKNOWN = "unknown"


UNKNOWN: Final = _Unset.UNKNOWN
"""No base yet (first contact), no pin, nothing sent."""
Unknown: TypeAlias = Literal[_Unset.UNKNOWN]


class Outcome(StrEnum):
    """What became of a field in one round (domain glossary)."""

    NOOP = "NOOP"
    ACCEPT = "ACCEPT"
    REVERT = "REVERT"
    PROPOSE = "PROPOSE"
    CONFLICT = "CONFLICT"
    MERGED = "MERGED"
    CONVERGED = "CONVERGED"
    DIVERGED = "DIVERGED"
    REDELIVER = "REDELIVER"


class Policy(StrEnum):
    """How rival values of a field are settled."""

    OWNER = "owner"
    NEWEST = "newest"
    PREFER = "prefer"
    UNION = "union"
    ANY_TRUE = "any_true"
    MAX = "max"
    MIN = "min"
    APPEND = "append"
    STATUS = "status"
    MANUAL = "manual"
    HUB = "hub"
    LOCAL = "local"


OWNED: Final = frozenset({Policy.OWNER, Policy.STATUS})
"""Policies by which one system's word is a fact."""


CHOOSING: Final = OWNED | {Policy.PREFER, Policy.NEWEST}
"""Policies by which what one system says is taken and what another says is refused."""


class NonOwnerChange(StrEnum):
    """The five answers to a non-owner's change."""

    REVERT = "revert"
    PROPOSE = "propose"
    CONFLICT = "conflict"
    ACCEPT = "accept"
    IGNORE = "ignore"


OnSwitch: TypeAlias = Literal["adopt_agreed", "adopt_new_owner", "conflict"]
"""Whose value counts where a new owner of a field says something else than what was agreed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule in force for one field of one record; roles are already bound to systems."""

    policy: Policy = Policy.OWNER
    owner: System | None = None
    rank: tuple[System, ...] = ()
    among: tuple[System, ...] = ()
    """Systems whose changes count; empty means all."""
    non_owner_change: NonOwnerChange = NonOwnerChange.PROPOSE
    both_changed: Literal["owner_wins", "conflict"] = "owner_wins"
    blank_by_owner: Literal["accept", "conflict"] = "accept"
    fill_blank: bool = False
    fallback_owner: System | None = None
    stale_after: float | None = None
    """Seconds of silence of the owner's system after which the fallback acts."""
    owner_stale: bool = False
    """The owner has been silent for so long."""
    proposal_ttl: float | None = None
    """Seconds a proposal waits; None is for ever."""
    proposal_end: Literal["revert", "keep"] = "revert"
    """What then becomes of it."""
    pin: Value | Unknown = UNKNOWN
    pin_mode: Literal["hold", "until_owner_changes"] = "hold"
    skew: float = 2.0
    """Seconds within which two source times count as equal."""
    removals: Literal["any", "owner_only"] = "any"
    transitions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    accept_from: Mapping[System, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Transitions of a status that a non-owner may make."""
    ambiguous: bool = False
    """Several rules hold and none of them outranks the others: a person decides."""
    immutable: bool = False
    """Once set, only a person may change it."""
    append_only: bool = False
    """Once set, whoever changes it asks a person: a correction is a reversal and a new record."""
    fixed: bool = False
    """The record is in a status after which nothing of it may change."""
    roles: tuple[str, ...] = ()
    """Persons who may decide it; empty means whoever may decide at all."""
    frozen: bool = False
    """An open conflict holds the field."""
    name: str = ""
    """Where the rule stands in the rule file, e.g. `customer.phone`."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One system's view of one field."""

    now: Value
    base: Value | Unknown = UNKNOWN
    """What it showed when last settled; `UNKNOWN` before first contact."""
    sent: Value | Unknown = UNKNOWN
    """What we last wrote there and have not seen come back."""
    at: float | None = None
    """Source time of the record's last change, seconds since the epoch."""
    version: int | None = None
    base_version: int | None = None
    writable: bool = True
    linked: bool = True
    due: bool = False
    """A delivery of the agreed value is outstanding."""
    proposed: bool = False
    """Its value is an open proposal."""
    diverged: bool = False
    """Its value differs because the rule let it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one field."""

    outcome: Outcome
    value: Value
    """The agreed value from now on."""
    writes: Mapping[System, Value] = field(default_factory=dict)
    overruled: Mapping[System, Value] = field(default_factory=dict)
    """Values that lost: kept in the journal, restorable."""
    proposals: Mapping[System, Value] = field(default_factory=dict)
    source: System | None = None
    """Whose value won, where one system's did."""
    note: str = ""
    provisional: bool = False
    fallback: bool = False
    """The fallback owner's word, in place of an owner that is not linked or silent."""
    apart: bool = False
    """Every system keeps its own: what they show was never weighed."""
    closes: bool = False
    """An open conflict on this field ends by itself."""
    settled: frozenset[System] = frozenset()
    """Systems whose base becomes what they show now."""
    unpins: bool = False
    """A pin on this field ends with it."""
    insisted: bool = False
    """A rule that takes one system's word refused another's: whoever said it may say it again and again."""


Document: TypeAlias = dict[str, Any]
