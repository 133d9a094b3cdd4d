"""Turns database rows into the state's dataclasses and back.

Not here: SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from fsm_core.model.compare import canonical
from fsm_core.state import Conflict, Intent, Link, Problem, Proposal, Record
from fsm_core.store.schema import BASE_IS_NOW, BASE_OWN, BASE_UNKNOWN
from fsm_core.store.schema import link as link_table

Row = Mapping[str, Any]


def dump(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Canonical JSON text."""
    return canonical(value).decode()


LINK = tuple(
    link_table.c[name]
    for name in (
        "id", "system", "object", "external_id", "entity", "record", "state", "now", "base_state", "base", "sent",
        "holds", "version", "changed_at", "changed_by", "ours", "hub_key", "method", "hash",
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


def record_of(row: Row) -> Record:
    """A golden record."""
    return Record(
        id=row["id"],
        entity=row["entity"],
        document=orjson.loads(row["document"]),
        provenance=orjson.loads(row["provenance"]),
        version=row["version"],
        lifecycle=row["lifecycle"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


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
    }


def intent_of(row: Row) -> Intent:
    """One attempt at a write."""
    return Intent(**{**row, "payload": orjson.loads(row["payload"])})


def intent_row(intent: Intent) -> dict[str, Any]:
    """The columns of an intent."""
    return {**_plain(intent), "payload": dump(intent.payload)}


def conflict_of(row: Row) -> Conflict:
    """A question for a person."""
    return Conflict(**{**row, "snapshot": orjson.loads(row["snapshot"]), "resolution": orjson.loads(row["resolution"])})


def conflict_row(conflict: Conflict) -> dict[str, Any]:
    """The columns of a conflict."""
    return {**_plain(conflict), "snapshot": dump(conflict.snapshot), "resolution": dump(conflict.resolution)}


def proposal_of(row: Row) -> Proposal:
    """A value that waits for the owner."""
    return Proposal(**{**row, "value": orjson.loads(row["value"]), "agreed": orjson.loads(row["agreed"])})


def proposal_row(proposal: Proposal) -> dict[str, Any]:
    """The columns of a proposal."""
    return {**_plain(proposal), "value": dump(proposal.value), "agreed": dump(proposal.agreed)}


def problem_of(row: Row) -> Problem:
    """Something to repair."""
    return Problem(**row)


def problem_row(problem: Problem) -> dict[str, Any]:
    """The columns of a problem."""
    return _plain(problem)


def _plain(row: Any) -> dict[str, Any]:  # noqa: ANN401 - any of the state's slotted dataclasses
    return {name: getattr(row, name) for name in type(row).__slots__}
