"""What an administrator does to the fields of the simulated org: delete, rename, shorten, restrict, demand, hide.

The rows stay: a field that comes back shows what it held.
Not here: the fields an org begins with (`simulator_objects`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.salesforce.simulator_schema import FieldType
from connectors.salesforce.simulator_store import Store


class Setup:
    """The setup menu of one org."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gone: dict[tuple[str, str], FieldType] = {}

    def delete_field(self, name: str, field: str) -> None:
        """Into the list of deleted fields: not described, not queried, not written."""
        kind = self._store.objects[name]
        self._gone[name, field] = kind.fields.pop(field)
        kind.index()

    def restore_field(self, name: str, field: str) -> None:
        """Back again, with what its rows held."""
        kind = self._store.objects[name]
        kind.add(self._gone.pop((name, field)))
        for row in self._store.tables[name].values():
            row.setdefault(field, None)

    def rename_field(self, name: str, old: str, new: str) -> None:
        """Another API name; label, type and values stay."""
        kind = self._store.objects[name]
        found = kind.fields.pop(old)
        kind.add(replace(found, name=new, label=found.label or old))
        for row in self._store.tables[name].values():
            row[new] = row.pop(old, None)

    def change_field(self, name: str, field: str, **facts: Any) -> None:  # noqa: ANN401 - FieldType's own fields
        """Other facts of a field: length, values, type, nillable, createable, updateable."""
        kind = self._store.objects[name]
        kind.fields[field] = replace(kind.fields[field], **facts)

    def drop_value(self, name: str, field: str, value: str) -> None:
        """Deactivate a value of a pick list; records that have it keep it."""
        left = tuple(one for one in self._store.objects[name].fields[field].values if one != value)
        self.change_field(name, field, values=left)

    def add_value(self, name: str, field: str, value: str) -> None:
        """A further value of a pick list."""
        self.change_field(name, field, values=(*self._store.objects[name].fields[field].values, value))

    def demand(self, name: str, field: str, label: str = "") -> None:
        """Require a field; one that does not exist is made."""
        kind = self._store.objects[name]
        if field not in kind.fields:
            kind.add(FieldType(field, "string", 40, label=label or field))
            for row in self._store.tables[name].values():
                row[field] = "entered by hand"
        self.change_field(name, field, nillable=False)

    def hide(self, name: str, field: str) -> None:
        """Field-level security: the integration user may not see it."""
        self._store.hidden.add((name, field))

    def show(self, name: str, field: str) -> None:
        """Give the right back."""
        self._store.hidden.discard((name, field))
