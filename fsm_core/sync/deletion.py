"""Decides what follows when a system does not show a record any more: rows R14-R23, R26 and R27 of the truth table.

Pure. Not here: merges in a system (R25), the guard against mass deletions (`guard`), and carrying it out
(`fsm_core.service.deletions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from fsm_core.sync.types import System

MAX_RESTORES = 3
"""So often a record is created again where it was deleted; then a person is asked who keeps deleting it."""


class Fate(StrEnum):
    """What becomes of a record that a system does not show any more."""

    DEACTIVATE = "DEACTIVATE"
    """It lives on; its status says that it is over, everywhere."""
    DELETE = "DELETE"
    END = "END"
    """No system has it any more."""
    UNLINK = "UNLINK"
    RESTORE = "RESTORE"
    CONFLICT_DELETE = "CONFLICT_DELETE"
    RESTORE_LINK = "RESTORE_LINK"
    """It is back in the system that had deleted it."""


OnOwnerDelete = Literal["deactivate", "delete", "end", "cancel", "unlink", "conflict"]
OnNonOwnerDelete = Literal["restore", "unlink", "conflict"]
ENDINGS = ("deactivate", "end", "cancel")
"""Rules that say the end of a record by a word of its status."""


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """The rule in force for one record; roles are already bound to systems."""

    by: frozenset[System] = frozenset()
    """Systems whose deletion counts."""
    on_owner_delete: OnOwnerDelete = "conflict"
    on_non_owner_delete: OnNonOwnerDelete = "conflict"


@dataclass(frozen=True, slots=True)
class Gone:
    """What is known of a record when it is gone somewhere."""

    deleted_in: frozenset[System] = frozenset()
    left: bool = False
    """It left what is synchronised with that system, and exists there still."""
    back: bool = False
    """It is shown again where it was gone."""
    alone: bool = False
    """No system has it any more."""
    over: bool = False
    """The record was deleted or ended before."""
    merged: bool = False
    """The system says it was merged into something the hub does not know."""
    edited: frozenset[System] = frozenset()
    """Other systems with edits that nobody settled before the deletion, or with an open proposal."""
    dependants: Mapping[str, int] = field(default_factory=dict)
    """Per named check how many records still depend on it."""
    sayable: bool = True
    """The entity has a status that can say the end."""
    creatable: bool = True
    """The hub may create it again there."""
    restored: int = 0
    """How often it was created again there before."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The decision, with its reason."""

    fate: Fate
    note: str


def decide_deletion(rule: DeleteRule, gone: Gone) -> Ending:
    """What becomes of the record. Total: every situation has an answer, and the doubtful ones are questions."""
    if gone.back:
        return Ending(Fate.RESTORE_LINK, "undeleted in source: relink same canonical")
    if gone.left:
        return Ending(Fate.UNLINK, "left the filter; keep data, stop syncing")
    if gone.over:
        return Ending(Fate.UNLINK, "the record has ended")
    if gone.merged:
        return Ending(Fate.CONFLICT_DELETE, "merged into a record that is not known")
    if gone.alone:
        return Ending(Fate.END, "both deleted")
    return _by_owner(rule, gone) if gone.deleted_in & rule.by else _by_another(rule, gone)


def _by_owner(rule: DeleteRule, gone: Gone) -> Ending:
    policy = rule.on_owner_delete
    if policy == "unlink":
        return Ending(Fate.UNLINK, "owner only")
    if policy == "conflict":
        return Ending(Fate.CONFLICT_DELETE, "deletion by the owner")
    if gone.edited:
        return Ending(Fate.CONFLICT_DELETE, f"deleted by owner, edited elsewhere: {', '.join(sorted(gone.edited))}")
    if any(gone.dependants.values()):
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in gone.dependants.items() if count)
        return Ending(Fate.CONFLICT_DELETE, f"open dependants: {told}")
    if policy == "delete":
        return Ending(Fate.DELETE, "everywhere")
    if not gone.sayable:
        return Ending(Fate.CONFLICT_DELETE, f"the entity has no status for '{policy}'")
    return Ending(Fate.DEACTIVATE, "everywhere")


def _by_another(rule: DeleteRule, gone: Gone) -> Ending:
    match rule.on_non_owner_delete:
        case "unlink":
            return Ending(Fate.UNLINK, "stop syncing that system")
        case "restore" if not gone.creatable:
            return Ending(Fate.CONFLICT_DELETE, "non-owner deletion, and the hub may not create it again there")
        case "restore" if gone.restored >= MAX_RESTORES:
            return Ending(Fate.CONFLICT_DELETE, f"deleted again by a non-owner after {gone.restored} restorations")
        case "restore":
            return Ending(Fate.RESTORE, "with canonical values")
        case _:
            return Ending(Fate.CONFLICT_DELETE, "non-owner deletion")
