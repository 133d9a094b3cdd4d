"""The simulator's tables: rows by key, children by parent, and an undo journal for changesets.

Not here: the rules a business partner obeys (`simulator_partner`) and the wire.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from connectors.sap.simulator_query import Row
from connectors.sap.simulator_schema import PHONE_TYPES, Entity, Nav, schema

Key: TypeAlias = tuple[Any, ...]


@dataclass(slots=True)
class Store:
    """Tables in memory; every change can be undone until `settle`."""

    tables: dict[str, dict[Key, Row]] = field(default_factory=lambda: {name: {} for name in schema()})
    hidden: set[str] = field(default_factory=set)
    """Business partners behind the end-of-purpose block: gone from every read."""
    sequences: dict[str, int] = field(default_factory=dict)
    _joined: dict[tuple[str, str, str], dict[Key, None]] = field(default_factory=lambda: defaultdict(dict))
    _journal: list[tuple[str, Key, Row | None]] = field(default_factory=list)

    def put(self, entity: Entity, row: Row) -> Row:
        """Insert or replace."""
        key = key_of(entity, row)
        table = self.tables[entity.set]
        old = table.get(key)
        self._journal.append((entity.set, key, old))
        if old is not None:
            self._forget(entity, key, old)
        table[key] = row
        self._index(entity, key, row)
        return row

    def remove(self, entity: Entity, row: Row) -> None:
        """Take a row out."""
        key = key_of(entity, row)
        self._journal.append((entity.set, key, row))
        self._forget(entity, key, self.tables[entity.set].pop(key))

    def settle(self) -> None:
        """Commit: what happened so far can no longer be undone."""
        self._journal.clear()

    def undo(self) -> None:
        """Roll back to the last `settle`."""
        while self._journal:
            name, key, old = self._journal.pop()
            entity = schema()[name]
            now = self.tables[name].pop(key, None)
            if now is not None:
                self._forget(entity, key, now)
            if old is not None:
                self.tables[name][key] = old
                self._index(entity, key, old)

    def touched(self) -> list[tuple[Entity, Row]]:
        """The rows put since the last `settle`, as they are now."""
        names = dict.fromkeys((name, key) for name, key, _ in self._journal)
        return [(schema()[name], self.tables[name][key]) for name, key in names if key in self.tables[name]]

    def number(self, name: str, start: int) -> int:
        """The next number of a sequence; numbers are lost on rollback, as number ranges do."""
        self.sequences[name] = self.sequences.get(name, start - 1) + 1
        return self.sequences[name]

    def visible(self, row: Row) -> bool:
        """False behind the end-of-purpose block."""
        return not self.hidden or all(row.get(name) not in self.hidden for name in _PARTNERS)

    def children(self, row: Row, nav: Nav) -> list[Row]:
        """The rows a navigation leads to."""
        values = [(there, row[here]) for here, there in nav.join]
        name, value = next(pair for pair in reversed(values) if pair[0] in _JOINS)
        found = self.by(nav.target, name, value) if value else []
        kinds = PHONE_TYPES.get(nav.name)
        return [
            child
            for child in found
            if all(child[name] == value for name, value in values)
            and (kinds is None or child["PhoneNumberType"] in kinds)
        ]

    def by(self, name: str, prop: str, value: str) -> list[Row]:
        """Rows of a set by one of the indexed properties."""
        table = self.tables[name]
        return [table[key] for key in self._joined[name, prop, value]]

    def scan(self, entity: Entity) -> Iterator[Row]:
        """Every visible row of a set."""
        return (row for row in self.tables[entity.set].values() if self.visible(row))

    def _index(self, entity: Entity, key: Key, row: Row) -> None:
        for name in _JOINS:
            if name in entity.props:
                self._joined[entity.set, name, row[name]][key] = None

    def _forget(self, entity: Entity, key: Key, row: Row) -> None:
        for name in _JOINS:
            if name in entity.props:
                self._joined[entity.set, name, row[name]].pop(key, None)


_JOINS = (
    "BusinessPartner",
    "AddressID",
    "Customer",
    "RelationshipNumber",
    "BusinessPartnerCompany",
    "BusinessPartnerPerson",
)
_PARTNERS = ("BusinessPartner", "Customer", "BusinessPartnerCompany", "BusinessPartnerPerson")


def key_of(entity: Entity, row: Row) -> Key:
    """The key values in the order of the type."""
    return tuple(row[name] for name in entity.keys)
