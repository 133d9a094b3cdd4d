"""What a save, a deletion or a merge in the simulated org does to the records around it.

Not here: the rules of a single row (`simulator_store`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from connectors.salesforce.simulator_schema import FieldType, ObjectType

if TYPE_CHECKING:
    from connectors.salesforce.simulator_store import Store

Row = dict[str, Any]


class Relations:
    """Follows references backwards. `stamps_cascades`: whether a record deleted with its parent is stamped anew.

    No source says what Salesforce does there, so the default is the harder case: the stamp stays, and a reader of
    changes does not notice.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._taken: dict[str, list[tuple[str, str]]] = {}
        self.stamps_cascades = False

    def child(self, name: str, relationship: str) -> tuple[str, FieldType] | None:
        """The object and the reference behind the name of a child relationship."""
        wanted = relationship.lower()
        return next(
            (found for found in self._pointing(name) if found[1].children and found[1].children.lower() == wanted), None
        )

    def locked(self, kind: ObjectType, row: Row) -> str:
        """A locked record that a save of this row would have to lock as well."""
        parents = (row[item.name] for item in kind.fields.values() if item.locks)
        return next((parent for parent in parents if parent in self._store.locked), "")

    def take_along(self, name: str, id: str, user: str) -> None:  # noqa: A002 - the vendor's word
        """Delete what cannot be without the record, and empty the other references to it, which stamps nothing."""
        taken = self._taken.setdefault(id, [])
        for child, item, row in list(self._rows_pointing(name, id)):
            if item.cascade:
                taken.append((child, row["Id"]))
                self._store.hide(child, row, user, stamped=self.stamps_cascades)
                self.take_along(child, row["Id"], user)
            elif item.cleared:
                self._store.put(child, {**row, item.name: None})

    def bring_back(self, id: str, user: str) -> None:  # noqa: A002 - as above
        """Undelete what was deleted with the record."""
        for child, taken in self._taken.pop(id, []):
            if taken in self._store.tables[child]:
                self._store.undelete(child, taken, user)

    def reparent(self, name: str, loser: str, winner: str, user: str) -> None:
        """A merge moves the children, also through references that no save may change."""
        for child, item, row in list(self._rows_pointing(name, loser)):
            if item.createable:
                self._store.touch(child, row, user, **{item.name: winner})

    def _pointing(self, name: str) -> Iterator[tuple[str, FieldType]]:
        for kind in self._store.objects.values():
            for item in kind.fields.values():
                if item.target == name:
                    yield kind.name, item

    def _rows_pointing(self, name: str, id: str) -> Iterator[tuple[str, FieldType, Row]]:  # noqa: A002 - as above
        for child, item in self._pointing(name):
            for row in self._store.tables[child].values():
                if row.get(item.name) == id and not row.get("IsDeleted"):
                    yield child, item, row
