"""Values that persons give: what they refer to is a record of the hub.

Not here: the form of a value (`fsm_core.model.typed`).
"""

from __future__ import annotations

from fsm_core.errors import Invalid
from fsm_core.model.compare import Value, blank
from fsm_core.model.entity import FieldShape
from fsm_core.state import Work


def referred(work: Work, field: FieldShape, chosen: Value) -> Value:
    """The value; of a reference the record that it means now. Raises `Invalid` where there is none."""
    if not field.reference or not isinstance(chosen, str) or blank(chosen):
        return chosen
    meant = work.survivors([chosen]).get(chosen, chosen)
    record = work.records([meant]).get(meant)
    if record is None or record.entity != field.reference:
        remedy = f"Give the hub's id: 'fsm-hub record show {field.reference} ...' tells it."
        raise Invalid(f"{chosen!r} is no {field.reference} of the hub", field=field.name, remedy=remedy)
    return meant
