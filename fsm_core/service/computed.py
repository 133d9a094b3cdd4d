"""Sets what the hub computes on records: fields of policy `hub`, which no system may say.

Not here: what is computed (`fsm_core.sync.double_entry`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsm_core.service.entries import ORDER, VISIT
from fsm_core.service.hub import Hub
from fsm_core.state import Decision, Doc, Reason, Record, Work
from fsm_core.sync.types import Outcome, Policy

COMPUTED = "computed by hub"


@dataclass(frozen=True, slots=True)
class Computed:
    """Flags of one record, and why."""

    record: str
    says: Mapping[str, Any]
    reason: str


def compute(hub: Hub, work: Work, facts: Sequence[Computed]) -> None:
    """Set these flags where the rules leave the field to the hub; what goes off goes off on the visits of an order too.

    Systems that show the field are told like of any other change.
    """
    stated = [one for one in facts if one.says]
    if not stated:
        return
    off = {one.record: one for one in stated if any(value is False for value in one.says.values())}
    visits = _visits(work, set(off))
    records = work.records({one.record for one in stated} | set(visits))
    rows = [(records[one.record], one) for one in stated if one.record in records]
    rows += [(records[visit], off[order]) for visit, order in visits.items() if visit in records]
    told = [decision for record, one in rows if (decision := _set(hub, record, one)) is not None]
    changed = {decision.record for decision in told}
    work.change_records([records[n] for n in sorted(changed)])
    work.write_decisions(hub.run, hub.at(), told)
    for record in sorted(changed):
        work.mark_dirty(records[record].entity, [(record, Reason.RULES, "", hub.at())])


def _visits(work: Work, orders: set[str]) -> dict[str, str]:
    """The visits of these orders, each with its order."""
    rows = {number: parent for number, name, parent in work.children(orders) if name == ORDER} if orders else {}
    links = work.links(rows) if rows else []
    return {link.record: rows[link.id] for link in links if link.record and link.entity == VISIT}


def _set(hub: Hub, record: Record, fact: Computed) -> Decision | None:
    """Set what the hub may say and the record does not say yet; None where that is nothing."""
    book = hub.book(record.entity)
    known = {name: value for name, value in fact.says.items() if name in book.shape.fields}
    rules = book.rules(record.document) if known else {}
    changes = {
        name: value
        for name, value in known.items()
        if rules[name].policy is Policy.HUB and bool(record.document.get(name)) is not value
    }
    if not changes:
        return None
    told: Doc = {}
    for name, value in changes.items():
        note = f"{COMPUTED}: {fact.reason}"
        told[name] = {"outcome": Outcome.ACCEPT.value, "from": record.document.get(name), "to": value, "note": note}
        record.provenance[name] = {"run": hub.run, "rules": hub.rulebook.version, "at": hub.at(), "note": note}
        if value is False:
            record.document.pop(name, None)  # a flag that is off is left out, as everywhere
        else:
            record.document[name] = value
    record.version, record.updated_at = record.version + 1, hub.at()
    content: Doc = {"rules": hub.rulebook.version, "version": record.version, "fields": told}
    return Decision(hub.ids.text(), record.id, record.entity, "engine", "compute", content)
