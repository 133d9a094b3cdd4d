"""Who is asked a question, and how urgent it is.

Pure. Not here: when the answer is asked for (`fsm_core.service.routing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fsm_core.ownership.rules import Route

NORMAL = "normal"
"""The severity where no route names one."""


class Routed(NamedTuple):
    """A queue, "" for nobody's, and a severity."""

    queue: str = ""
    severity: str = NORMAL


def routed(routes: Sequence[Route], entity: str, field: str, kind: str) -> Routed:
    """What the first route that names somebody says, and the first that names a severity."""
    mine = [route for route in routes if _about(route, entity, field, kind)]
    queue = next((route.to for route in mine if route.to), "")
    severity = next((route.severity for route in mine if route.severity), None)
    return Routed(queue, severity or NORMAL)


def _about(route: Route, entity: str, field: str, kind: str) -> bool:
    match = route.match
    about = ((match.entity, entity), (match.field, field), (match.type, kind))
    return all(not wanted or given in wanted for wanted, given in about)
