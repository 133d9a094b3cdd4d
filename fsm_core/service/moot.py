"""Ends questions that nobody has to answer any more.

Not here: why they are none (`place`, `merges`, `identity`, `double_entry`), and what is asked anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from fsm_core.service.hub import Hub
from fsm_core.state import Conflict, Work


def end_questions(hub: Hub, work: Work, conflicts: Sequence[Conflict]) -> None:
    """Closed by the engine, without an answer."""
    for conflict in conflicts:
        conflict.state, conflict.resolved_by, conflict.resolved_at = "closed", "engine", hub.at()
    work.change_conflicts(conflicts)
