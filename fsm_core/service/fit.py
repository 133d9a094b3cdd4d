"""Sets aside, before anything is sent, the values that a field does not take any more since it was narrowed.

Only fields of which a description tells so are looked at. Not here: what becomes of a refused field (`refusals`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fsm_core.errors import Invalid
from fsm_core.ports import FieldCapability, Row
from fsm_core.service.hub import Binding
from fsm_core.service.refusals import Task

CHOICES = "choices"
"""Several codes in one text: only the system itself can take them apart."""


def fit(binding: Binding, task: Task) -> None:
    """Raises `Invalid` for a value that does not fit; a new record goes out without it, where it can be without."""
    for name in sorted(binding.watched.tight & task.spoken.keys()):
        reason = _misfit(binding, name, task)
        if not reason:
            continue
        if task.link is not None or not _spared(binding, name):
            remedy = "Shorten or change the value, or widen the field there."
            raise Invalid(reason, system=binding.system, field=name, remedy=remedy)
        # what the new record is not told is owed to it afterwards, and set aside by itself
        task.values = {n: value for n, value in task.values.items() if n != name}
        task.spoken = {n: value for n, value in task.spoken.items() if n != name}


def _spared(binding: Binding, name: str) -> bool:
    """Whether the system makes a record without this field."""
    known = binding.capabilities.fields
    return not any(path in known and known[path].required for path in binding.translation.bare_of(name))


def _misfit(binding: Binding, name: str, task: Task) -> str:
    now = task.link.now if task.link is not None else None
    native = binding.translation.encode({name: task.spoken[name]}, now)
    found = (
        told
        for path, value in _flat("", native)
        if (told := _against(binding.capabilities.fields.get(path), path, value))
    )
    return next(found, "")


def _flat(prefix: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values by described path, those of child rows too."""
    for name, value in fields.items():
        if isinstance(value, tuple):
            for row in value:
                if isinstance(row, Row) and not row.delete:
                    yield from _flat(f"{prefix}{name}.", row.fields)
        else:
            yield f"{prefix}{name}", value


def _against(able: FieldCapability | None, path: str, value: object) -> str:
    if able is None or not isinstance(value, str) or not value:
        return ""
    if able.values:
        fits = able.type == CHOICES or value in able.values
        return "" if fits else f"{path} does not offer {value} any more"
    if able.length and len(value) > able.length:
        return f"{path} holds {able.length} characters, this value has {len(value)}"
    return ""
