"""Records that Salesforce keeps apart and shows together: a Location, its visitor Address, its AssociatedLocations.

A *whole* is read and written as one document; each of its *parts* is a child of that document under the name of
the relationship. A change of a part does not move the stamp of its whole. Not here: the queries (`soql`), the
changes of parts (`part_changes`), and writing them (`part_writes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from fsm_core.ports import Object

Row = dict[str, Any]
SYSTEM = ("Id", "SystemModstamp", "LastModifiedById")
"""What tells who changed a part, and when."""
TOLD = "#parts"
"""Where a row keeps that until it becomes a change; no field has such a name."""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of part of a whole."""

    path: str
    """The relationship of the whole: to one record where there is a `pointer`, else to many."""
    object: str
    parent: str
    """Field of the part that names the whole."""
    siblings: str
    """Relationship of the whole to all records of the object, also where only one of them is the part."""
    pointer: str = ""
    """Field of the whole that names its one part."""
    order: str = ""
    """The part to be found first comes first."""
    fixed: str = ""
    """Field no save may change: another value needs a new record, and the old one ends."""
    ends: str = ""
    """Field that ends a part without deleting it."""
    inherits: tuple[str, ...] = ()
    """Fields a new part takes over from its whole where the write does not state them."""

    @property
    def many(self) -> bool:
        """Whether the document shows a list."""
        return not self.pointer


PARTS: dict[str, tuple[Part, ...]] = {
    "Location": (
        Part(
            "VisitorAddress",
            "Address",
            "ParentId",
            "Addresses",
            pointer="VisitorAddressId",
            order="CreatedDate DESC,Id DESC",
            inherits=("LocationType",),
        ),
        Part(
            "AssociatedLocations",
            "AssociatedLocation",
            "LocationId",
            "AssociatedLocations",
            order="ActiveTo DESC NULLS FIRST,CreatedDate,Id",  # open ones first, the oldest of them leads
            fixed="ParentRecordId",
            ends="ActiveTo",
        ),
    )
}


def head_of(path: str) -> str:
    """The first name of a path."""
    return path.partition(".")[0]


def parts_of(obj: Object) -> tuple[Part, ...]:
    """The parts an object is read with; most objects have none."""
    known = PARTS.get(obj.name)
    if known is None:
        return ()
    asked = {head_of(path) for path in obj.fields if "." in path}
    return tuple(part for part in known if part.path in asked)


def fields_of(obj: Object, part: Part) -> tuple[str, ...]:
    """The asked fields of a part, by their names there."""
    start = part.path + "."
    return tuple(dict.fromkeys(path.removeprefix(start) for path in obj.fields if path.startswith(start)))


def selection(obj: Object, part: Part) -> tuple[str, ...]:
    """What a query of the whole selects for the part."""
    names = dict.fromkeys((*SYSTEM, *fields_of(obj, part)))
    if not part.many:
        return (part.pointer, *(f"{part.path}.{name}" for name in dict.fromkeys((*names, "IsDeleted"))))
    return (children(part, names),)


def children(part: Part, names: Iterable[str], where: str = "") -> str:
    """The subquery over all living records of the part's object below the whole."""
    condition = f"IsDeleted = false{where}"
    return f"(SELECT {','.join(names)} FROM {part.siblings} WHERE {condition} ORDER BY {part.order})"  # noqa: S608 - names of ours and of the binding


class Folder:
    """Turns rows with nested query answers into documents with children, and notes who changed what."""

    def __init__(self, obj: Object, more: Callable[[str], Row]) -> None:
        """`more` reads a further page of a list of children."""
        self._asked = {part: frozenset(map(head_of, fields_of(obj, part))) for part in parts_of(obj)}
        self._more = more
        self.pointers = tuple(part.pointer for part in self._asked if part.pointer and part.pointer not in obj.fields)

    def fold(self, row: Row) -> list[tuple[str, str, str]]:
        """Put the children in place; returns stamp, user and id of each."""
        told: list[tuple[str, str, str]] = []
        for part, asked in self._asked.items():
            found = self._records(row.get(part.path)) if part.many else _living(row.get(part.path))
            for child in found:
                told.append((child["SystemModstamp"], child.get("LastModifiedById") or "", child["Id"]))
                for name in (*SYSTEM, "IsDeleted", "attributes"):
                    if name not in asked:
                        child.pop(name, None)
            row[part.path] = found if part.many else next(iter(found), None)
        return told

    def _records(self, page: Row | None) -> list[Row]:
        found: list[Row] = []
        while page is not None:
            found += page["records"]
            page = None if page.get("done", True) else self._more(str(page["nextRecordsUrl"]))
        return found


def _living(child: Row | None) -> list[Row]:
    return [] if child is None or child.get("IsDeleted") is True else [child]


def newest(told: Sequence[tuple[str, str]], me: str) -> tuple[str, str]:
    """The last of several changes as (stamp, user); within one second somebody else's counts, not ours."""
    return max(told, key=lambda one: (one[0], one[1] != me))


def version(stamp: str, told: Sequence[tuple[str, str, str]]) -> str:
    """A token that moves with the whole and with each of its parts."""
    state = ",".join(sorted(f"{id_} {moved}" for moved, _, id_ in told))
    return f"{stamp} {blake2b(state.encode(), digest_size=8).hexdigest()}"
