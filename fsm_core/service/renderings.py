"""Tells once of every field that a system keeps in a form of its own.

Not here: telling a rendering from an edit (`fsm_core.sync.record.read_back`).
"""

from __future__ import annotations

from collections.abc import Collection

from fsm_core.service.hub import Binding, Hub
from fsm_core.service.problems import NORMALISED, problem
from fsm_core.state import Work

REMEDY = (
    "The hub takes it for the same value and does not write again. Let the mapping write what the system keeps (check "
    "S07 of 'fsm-hub rules check' looks at that), or change the rule there; 'fsm-hub problems retry' ends this note."
)


def tell_renderings(hub: Hub, work: Work, binding: Binding, fields: Collection[str]) -> None:
    """One note per field; not of what a person took off the list, nor of what the rule file accepts (S07)."""
    about = (binding.system, binding.object.name, NORMALISED)
    entity, borne = binding.entity, hub.rulebook.bears
    new = {name for name in fields if (*about, name) not in hub.told}
    new -= {name for name in new if borne("S07", entity, name, binding.system)}
    if not new:
        return
    hub.told |= {(*about, name) for name in new}
    known = work.fields_with(*about)
    message = "was written and comes back as something else: in a form of its own, or set by a rule there"
    work.raise_problems(
        [
            problem(hub, binding, binding.object.name, NORMALISED, message, field=name, remedy=REMEDY)
            for name in sorted(new - known)
        ]
    )
