"""Compares a complete listing with what is known: records that are shown no more are told of, and never deleted.

Not here: records that a system itself calls deleted (`pull`).
"""

from __future__ import annotations

from fsm_core.service.hub import Binding, Hub
from fsm_core.service.problems import problem
from fsm_core.service.pull import Pulled

UNLISTED = "not listed"
REMEDY = (
    "If the hub's user lost the right to see them, give it back and run 'fsm-hub sync --full'. "
    "What was removed for good there stays as it is here."
)


def tell_unlisted(hub: Hub, binding: Binding, pulled: Pulled) -> None:
    """One finding per system when a complete pass showed fewer records than are known; it ends with one that does not.

    An empty or short listing is as likely a lost right as a deletion: nothing is concluded from it.
    """
    if not pulled.complete:
        return
    with hub.store.begin() as work:
        known = work.count_links(binding.system, binding.object.name, binding.entity)
        if pulled.listed < known:
            message = f"{known - pulled.listed} of {known} known records are not shown any more; nothing was deleted"
            work.raise_problems([problem(hub, binding, "", UNLISTED, message, remedy=REMEDY)])
        else:
            work.solve_problems(binding.system, [""], [UNLISTED], hub.at())
