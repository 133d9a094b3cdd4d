"""What one person may apply with one plan, and what takes the word of a second one.

Pure. Not here: approvals (`fsm_core.persons.approvals`) and the guards of the rules (`fsm_core.sync.guard`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from fsm_core.service.planfile import Foot

CHANGE, MONEY = "change", "money"
"""Kinds of approval, as `fsm_core.persons.approvals` knows them."""


class Limits(Protocol):
    """Numbers of one plan."""

    @property
    def creates(self) -> int:
        """New records in all systems."""
        ...

    @property
    def updates(self) -> int:
        """Changed records."""
        ...

    @property
    def deletes(self) -> int:
        """Deleted records."""
        ...

    @property
    def money(self) -> Decimal:
        """Amounts changed in one currency, regardless of the sign."""
        ...


def exceeded(foot: Foot, limits: Limits) -> dict[str, list[str]]:
    """Per kind of approval the limits that a plan is above, in words; empty when one person may apply it."""
    found: dict[str, list[str]] = {}
    for action, limit in (("create", limits.creates), ("update", limits.updates), ("delete", limits.deletes)):
        if (count := foot.count(action)) > limit:
            found.setdefault(CHANGE, []).append(f"{count} {action}s, one person may {limit}")
    if foot.moved > limits.money:
        found.setdefault(MONEY, []).append(f"amounts of {foot.moved} change, one person may {limits.money}")
    if foot.halted:
        found.setdefault(CHANGE, []).extend(f"{entity}: {why}" for entity, why in sorted(foot.halted.items()))
    return found
