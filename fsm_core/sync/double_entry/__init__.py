"""Double entry: the same work put in by hand in two systems. The named checks that a newcomer meets before its birth.

Pure, and missing data never makes a duplicate. Not here: finding the candidates and what becomes of a newcomer
(`fsm_core.service.double_entry`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from fsm_core.sync.double_entry.entries import (
    DEFAULTS,
    Entry,
    Judge,
    Judgement,
    PreCheck,
    Ruling,
    Thresholds,
)
from fsm_core.sync.double_entry.parts import SERIAL_USED_TWICE
from fsm_core.sync.double_entry.plans import PARALLEL_PM
from fsm_core.sync.double_entry.visits import DUPLICATE_VISIT
from fsm_core.sync.double_entry.work import DUPLICATE_WORK

__all__ = [
    "DEFAULTS",
    "HOLDING",
    "PRE_CHECKS",
    "SUGGESTING",
    "Entry",
    "Judge",
    "Judgement",
    "PreCheck",
    "Ruling",
    "Thresholds",
]

PRE_CHECKS: Mapping[str, PreCheck] = MappingProxyType(
    {check.name: check for check in (DUPLICATE_WORK, DUPLICATE_VISIT, PARALLEL_PM, SERIAL_USED_TWICE)}
)
"""What the rule file may name as `create.pre_check`."""
HOLDING = frozenset(PRE_CHECKS)
"""Types of questions while which a newcomer is no record, and nothing of the earlier entry is created elsewhere."""
SUGGESTING = frozenset(kind for check in PRE_CHECKS.values() for kind in check.suggests)
"""Types of questions that hold nothing."""
