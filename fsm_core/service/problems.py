"""Makes problems: what a person has to repair, in words.

Not here: conflicts, which a person has to decide.
"""

from __future__ import annotations

from collections.abc import Sequence

from fsm_core.errors import Duplicate, HubError
from fsm_core.service.hub import Binding, Hub
from fsm_core.state import Problem

_REFUSALS = (
    "invalid",
    "refused",
    "duplicate",
    "forbidden",
    "notfound",
    "drift",
    "missingpermission",
    "warning",
    "locked",
    "stale",
)
WRITES = tuple(f"write {refusal}" for refusal in _REFUSALS)
"""Causes of a write that was not taken, or taken with a warning."""
TOO_OFTEN = "written too often"
"""The cause of a link that is not written to until a person says so."""
NORMALISED = "normalised by target"
"""The note on a field that a system keeps in a form of its own; told once."""
NOT_DELETED = "not deleted"
"""The cause of a record that was to be deleted in a system that does not delete."""
PARENT_ENDED = "parent deleted"
"""The cause of a record that refers to one that is over."""
UNBORN = ("creation not allowed", "incomplete")
"""Causes of a record that could not be made."""


def problem(  # noqa: PLR0913 - each says one thing of the problem
    hub: Hub,
    binding: Binding,
    external_id: str,
    cause: str,
    message: str,
    *,
    field: str = "",
    record: str | None = None,
    remedy: str = "",
) -> Problem:
    """A problem of one record of one system; the same one again only counts up."""
    at = hub.at()
    return Problem(
        id=hub.ids.text(),
        entity=binding.entity,
        system=binding.system,
        object=binding.object.name,
        external_id=external_id,
        record=record,
        field=field,
        cause=cause,
        message=message,
        remedy=remedy,
        state="open",
        first_at=at,
        last_at=at,
    )


def from_error(hub: Hub, binding: Binding, error: HubError, record: str, external_id: str) -> Problem:
    """A refused write as a problem; `external_id` is the record's own id there, or ours before it has one."""
    known = f" (there: {', '.join(error.others)})" if isinstance(error, Duplicate) and error.others else ""
    return problem(
        hub,
        binding,
        external_id,
        f"write {type(error).__name__.lower()}",
        error.message + known + (f" [{error.code}]" if error.code else ""),
        field=error.field,
        record=record,
        remedy=error.remedy,
    )


def warned(hub: Hub, binding: Binding, warnings: Sequence[str], record: str, external_id: str) -> Problem:
    """What a system had to say about a write it took; the next write it takes in silence ends it."""
    remedy = "It is saved. Look at it there; 'fsm-hub problems retry' takes this off the list."
    message = "; ".join(warnings)
    return problem(hub, binding, external_id, "write warning", message, record=record, remedy=remedy)
