"""Whether one of the systems that show a new record may create it.

Not here: making the record (`converge`, `birth`).
"""

from __future__ import annotations

from fsm_core.service.hub import Hub
from fsm_core.service.loaded import Decided

REMEDY = (
    "Change it there so that this holds, or change create.by_condition in the rules and then run "
    "'fsm-hub problems retry'."
)


def barred(hub: Hub, one: Decided) -> str:
    """Why nobody may create this record as it would be born; "" when somebody may."""
    record = one.loaded.record
    book = hub.book(record.entity)
    if not book.births:
        return ""
    creators = {link.system for link in one.loaded.links if link.system in book.creators}
    if not creators <= book.births.keys():
        return ""
    seen = book.joined(record.document, one.loaded.parents.agreed)
    told = []
    for system in sorted(creators):
        conditions = book.births[system]
        if any(when.holds(seen) for when in conditions):
            return ""
        told.append(f"{system} may create a {record.entity} only if {' or '.join(when.text for when in conditions)}")
    return "; ".join(told)
