"""Turns database rows into the state's dataclasses and back.

Not here: SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import select

from fsm_core.model.compare import canonical, stated
from fsm_core.state import BORN_HERE, Conflict, Doc, Intent, Link, Passage, Problem, Proposal, Record
from fsm_core.state_pins import Pin
from fsm_core.store import schema as t
from fsm_core.store.schema import BASE_IS_NOW, BASE_OWN, BASE_UNKNOWN

Row = Mapping[str, Any]


def dump(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Canonical JSON text."""
    return canonical(value).decode()


LINK = tuple(
    t.link.c[name]
    for name in (
        "id", "system", "object", "external_id", "entity", "record", "state", "now", "base_state", "base", "sent",
        "holds", "version", "changed_at", "changed_by", "ours", "hub_key", "method", "hash", "merged_into",
    )
)  # fmt: skip
"""What `link_of` takes, in this order."""


def link_of(row: Sequence[Any]) -> Link:
    """A link; a base that equals what is shown is not stored twice."""
    id_, system, obj, external_id, entity, record, state, shown, base_state, own_base, sent, holds, *rest = row
    now = orjson.loads(shown)
    base: dict[str, Any] | None = None
    if base_state == BASE_IS_NOW:
        base = dict(now)
    elif base_state == BASE_OWN:
        base = orjson.loads(own_base)
    sent, holds = orjson.loads(sent) if sent else {}, orjson.loads(holds) if holds else {}
    return Link(id_, system, obj, external_id, entity, record, state, now, base, sent, holds, *rest)


def base_of(link: Link) -> dict[str, Any]:
    """The columns that keep `base`, `sent` and `holds`."""
    if link.base is None:
        state, base = BASE_UNKNOWN, None
    elif link.base == link.now:
        state, base = BASE_IS_NOW, None
    else:
        state, base = BASE_OWN, dump(link.base)
    return {
        "base_state": state,
        "base": base,
        "sent": dump(link.sent) if link.sent else None,
        "holds": dump(link.holds) if link.holds else None,
        "blanked": 0,
    }


def record_of(row: Row, says: tuple[Doc, Doc] | None = None) -> Record:
    """A golden record; `says` is its document and provenance where it keeps none of its own."""
    document, provenance = says or (orjson.loads(row["document"]), orjson.loads(row["provenance"]))
    return Record(
        id=row["id"],
        entity=row["entity"],
        document=document,
        provenance=provenance,
        version=row["version"],
        lifecycle=row["lifecycle"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        merged_into=row["merged_into"],
        pinned=bool(row["pinned"]),
        handover=_passage_of(row["handover"]),
    )


_SEEN = (t.link.c.now, t.link.c.system, t.link.c.changed_at, t.link.c.changed_by)
TOLD_BY_LINK = (
    select(t.record.c.id, *_SEEN, t.run.c.id, t.run.c.rules)
    .join(t.link, t.link.c.id == t.record.c.link)
    .join(t.decision, t.decision.c.id == t.record.c.births)
    .join(t.run, t.run.c.id == t.decision.c.run)
)  # fmt: skip
"""A record's id, then what `told_by_link` takes."""


def told_by_link(now: str, system: str, at: str | None, by: str, run: str, rules: str) -> tuple[Doc, Doc]:
    """Document and provenance of a record that says what its link shows."""
    said = {"run": run, "rules": rules, "note": BORN_HERE, "system": system, "at": at, "by": by}
    return stated(orjson.loads(now)), {"*": said}


def record_row(record: Record) -> dict[str, Any]:
    """The columns of a record."""
    return {
        "id": record.id,
        "entity": record.entity,
        "document": dump(record.document),
        "provenance": dump(record.provenance),
        "version": record.version,
        "lifecycle": record.lifecycle,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "merged_into": record.merged_into,
        "pinned": record.pinned,
        "handover": passage_text(record.handover),
    }


def passage_text(passage: Passage | None) -> str | None:
    """The column of a hand-over that is about to be."""
    return None if passage is None else dump({"since": passage.since, "held": passage.held})


def _passage_of(text: str | None) -> Passage | None:
    return None if text is None else Passage(**orjson.loads(text))


def pin_of(row: Row) -> Pin:
    """A value a person pinned."""
    return Pin(**{**row, "value": orjson.loads(row["value"])})


def pin_row(pin: Pin) -> dict[str, Any]:
    """The columns of a pin."""
    return {**plain_row(pin), "value": dump(pin.value)}


def intent_of(row: Row) -> Intent:
    """One attempt at a write."""
    return Intent(**{**row, "payload": orjson.loads(row["payload"])})


def intent_row(intent: Intent) -> dict[str, Any]:
    """The columns of an intent."""
    return {**plain_row(intent), "payload": dump(intent.payload)}


def conflict_of(row: Row) -> Conflict:
    """A question for a person."""
    return Conflict(**{**row, "snapshot": orjson.loads(row["snapshot"]), "resolution": orjson.loads(row["resolution"])})


def conflict_row(conflict: Conflict) -> dict[str, Any]:
    """The columns of a conflict."""
    return {**plain_row(conflict), "snapshot": dump(conflict.snapshot), "resolution": dump(conflict.resolution)}


def proposal_of(row: Row) -> Proposal:
    """A value that waits for the owner."""
    return Proposal(**{**row, "value": orjson.loads(row["value"]), "agreed": orjson.loads(row["agreed"])})


def proposal_row(proposal: Proposal) -> dict[str, Any]:
    """The columns of a proposal."""
    return {**plain_row(proposal), "value": dump(proposal.value), "agreed": dump(proposal.agreed)}


def problem_of(row: Row) -> Problem:
    """Something to repair."""
    return Problem(**row)


def problem_row(problem: Problem) -> dict[str, Any]:
    """The columns of a problem."""
    return plain_row(problem)


def plain_row(row: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the state's slotted dataclasses
    """The columns of a row that needs no conversion."""
    return {name: getattr(row, name) for name in type(row).__slots__}
