"""The named checks of `block_if`: which records depend on one that is deleted, and when such a record is done with.

Not here: counting them (`fsm_core.service.dependants`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dependants:
    """Records of one entity that refer to the record; `done` are words of their `status` that hold nothing back."""

    entity: str
    done: frozenset[str] = frozenset()


_WORK = frozenset({"closed", "cancelled", "billed"})
CHECKS: dict[str, Dependants] = {
    "assets": Dependants("asset", frozenset({"retired", "scrapped", "inactive"})),
    "contacts": Dependants("contact"),
    "customers": Dependants("customer", frozenset({"inactive"})),
    "open_contracts": Dependants("contract", frozenset({"ended", "expired", "cancelled"})),
    "open_invoices": Dependants("invoice", frozenset({"paid", "cancelled", "reversed"})),
    "open_visits": Dependants("visit", _WORK),
    "open_work_orders": Dependants("work_order", _WORK),
    "sites": Dependants("site"),
}
"""By name. Entities the hub does not keep yet have no records, so nothing depends."""


def unknown(names: Iterable[str]) -> str:
    """What is wrong with these names, with the known ones; "" when nothing is."""
    strange = [name for name in names if name not in CHECKS]
    return f"unknown check {strange[0]!r}; known: {', '.join(CHECKS)}" if strange else ""
