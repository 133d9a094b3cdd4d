"""Sends questions where the rules say: at birth, and all open ones again when the routes change.

Not here: the routes (`fsm_core.ownership.routing`), what is asked (`decide`, `place`, `converge`, `merges`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from fsm_core.service.hub import Hub
from fsm_core.state import Asked, Conflict, Proposal, Work

PROPOSAL = "field"
"""What a proposal is to a route: a question about a field."""

Question = TypeVar("Question", bound=Conflict | Proposal)


def routed(hub: Hub, rows: Sequence[Question]) -> Sequence[Question]:
    """The same new questions, each with its queue and severity."""
    for row in rows:
        kind = row.type if isinstance(row, Conflict) else PROPOSAL
        row.queue, row.severity = hub.rulebook.routed(row.entity, row.field, kind)
    return rows


def reroute(hub: Hub, work: Work, entity: str) -> int:
    """Send every open question of an entity where the present routes say; returns how many went elsewhere."""
    moved = [now for row in work.asked(entity) if (now := _again(hub, entity, row)) != row]
    work.reroute(moved)
    return len(moved)


def _again(hub: Hub, entity: str, row: Asked) -> Asked:
    queue, severity = hub.rulebook.routed(entity, row.field, row.type)
    return row._replace(queue=queue, severity=severity)
