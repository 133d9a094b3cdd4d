"""Versions of the rules: what was in force when, who put it there, and what may become of a version.

Pure. Not here: where versions are kept (`fsm_core.store.rule_versions`), what a version says (`rules`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from fsm_core.errors import NotFound, Refused


class Stand(StrEnum):
    """The life of a version."""

    DRAFT = "draft"
    SHADOW = "shadow"
    """To be compared with the active one by `rules test`; it decides nothing."""
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One text of the rules. `version` is its hash."""

    version: str
    text: str
    state: str
    author: str
    created_at: str
    note: str = ""
    changed_by: str = ""
    changed_at: str = ""
    approved_by: str = ""
    activated_at: str | None = None


Approval: TypeAlias = Callable[[RuleVersion, str], str]
"""Takes a version and who wants it active; returns who approved it, or raises `Refused`."""


def on_ones_own(_version: RuleVersion, _actor: str) -> str:
    """No second person is asked."""
    return ""


def active(known: Iterable[RuleVersion]) -> RuleVersion | None:
    """The version in force; None before the first activation."""
    return next((one for one in known if one.state == Stand.ACTIVE), None)


def named(known: Sequence[RuleVersion], wanted: str) -> RuleVersion:
    """A version by the beginning of its hash; raises `NotFound`."""
    found = [one for one in known if wanted and one.version.startswith(wanted)]
    if len(found) != 1:
        listed = ", ".join(one.version for one in known) or "none"
        raise NotFound(f"rule version {wanted!r} does not exist; known: {listed}", remedy="See 'fsm-hub rules list'.")
    return found[0]


def stored(known: Sequence[RuleVersion], new: RuleVersion, state: Stand) -> list[RuleVersion]:
    """A text as draft or shadow: the version it already is, or a new one. Raises `Refused` for the active one.

    There is one shadow; the one before is a draft again.
    """
    old = next((one for one in known if one.version == new.version), None)
    if old is not None and old.state == Stand.ACTIVE:
        raise Refused(f"version {old.version} is active already", remedy="Nothing to do.")
    kept = replace(new, state=state, changed_by=new.author, changed_at=new.created_at)
    if old is not None:
        kept = replace(old, state=state, note=new.note or old.note, changed_by=new.author, changed_at=new.created_at)
    others = [one for one in known if one.state == Stand.SHADOW and one.version != new.version]
    return [kept, *(replace(one, state=Stand.DRAFT) for one in others if state is Stand.SHADOW)]


def activated(
    known: Sequence[RuleVersion], wanted: RuleVersion, actor: str, at: str, approval: Approval = on_ones_own
) -> list[RuleVersion]:
    """What changes when a version comes into force: itself, and the one before. Raises `Refused` without approval."""
    before = active(known)
    if before is not None and before.version == wanted.version:
        return []
    approved = approval(wanted, actor)
    chosen = replace(wanted, state=Stand.ACTIVE, changed_by=actor, changed_at=at, activated_at=at, approved_by=approved)
    retired = [replace(before, state=Stand.RETIRED, changed_by=actor, changed_at=at)] if before else []
    return [*retired, chosen]


def previous(known: Sequence[RuleVersion]) -> RuleVersion:
    """The version that was in force before the active one; raises `NotFound`."""
    past = [one for one in known if one.state == Stand.RETIRED and one.activated_at]
    if not past:
        raise NotFound("no version was in force before this one", remedy="See 'fsm-hub rules list'.")
    return max(past, key=lambda one: one.changed_at)
