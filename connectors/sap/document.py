"""Documents with keyed children: which paths to ask for, how rows become documents, and their versions and stamps.

Not here: HTTP, change detection, writing, and what hangs on a partner (`aggregates`).
"""

from __future__ import annotations

import hashlib
import json
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.sap.odata import Entity, Model, decode, normal_id
from connectors.sap.paths import Step, steps
from connectors.sap.settings import ROOT
from fsm_core.errors import BadMapping
from fsm_core.ports import Json

STAMPS = (
    "LastChangeDate",
    "LastChangeTime",
    "LastChangedByUser",
    "CreationDate",
    "CreationTime",
    "CreatedByUser",
    "ETag",
)
IDENTIFICATION = "to_BuPaIdentification"
ENDS = ("ValidityEndDate", "ValidTo")
"""Addresses, roles and relationships are not deleted but end: what ends today or earlier is gone (KBA 3602817)."""
ENDED = "__ended"
ETAG = "__etag"
"""Where a fresh document keeps the HTTP ETag of each entity; it never leaves the connector."""


PERSON = "to_Person"
JOINS = {"A_BusinessPartnerContact": {PERSON: ROOT}}
"""Navigations the service lacks and the connector follows itself: no path leads from a contact to its person."""


@dataclass(slots=True)
class Shape:
    """What is asked of one entity set: properties, and shapes of its children."""

    entity: Entity
    fields: dict[str, None] = field(default_factory=dict)
    children: dict[str, Shape] = field(default_factory=dict)

    def add(self, model: Model, way: Sequence[Step]) -> None:
        """Take one path in; a path that ends in a child asks for all of the child's properties."""
        step, rest = way[0], way[1:]
        if step.name not in self.entity.navs:
            self.entity.field(step.name)
            if rest or step.match:
                raise BadMapping(f"{step.name} has no children", object=self.entity.name, field=step.name)
            self.fields[step.name] = None
            return
        child = self.child(model, step.name)
        for name, _ in step.match:
            child.add(model, steps(name))
        if rest:
            child.add(model, rest)
        else:
            child.fields |= dict.fromkeys(child.entity.fields)

    def without(self, *navs: str) -> Shape:
        """The same shape but for some children."""
        return Shape(self.entity, self.fields, {nav: child for nav, child in self.children.items() if nav not in navs})

    def child(self, model: Model, nav: str) -> Shape:
        """The shape below a navigation, keys included."""
        if nav not in self.children:
            entity = model[self.entity.navs[nav][0]]
            ends = (name for name in ENDS if name in entity.fields and entity.fields[name].type == "Edm.DateTimeOffset")
            self.children[nav] = Shape(entity, dict.fromkeys((*entity.keys, *ends)))
        return self.children[nav]

    def select(self, prefix: str = "") -> Iterator[str]:
        """Every property for $select."""
        yield from (prefix + name for name in self.fields)
        for nav, child in self.children.items():
            yield from child.select(f"{prefix}{nav}/")

    def expand(self, prefix: str = "") -> Iterator[str]:
        """Every navigation for $expand."""
        for nav, child in self.children.items():
            yield prefix + nav
            yield from child.expand(f"{prefix}{nav}/")

    def options(self) -> dict[str, str]:
        """The system options that ask for exactly this."""
        return {"$select": ",".join(self.select()), "$expand": ",".join(self.expand())}


def add_key(model: Model, shape: Shape, key: str) -> None:
    """Ask for the place of our own key: a property of the partner, or identification rows of that type."""
    if key in shape.entity.fields:
        shape.fields[key] = None
    elif key:
        child = shape.child(model, IDENTIFICATION)
        child.fields |= dict.fromkeys(("BPIdentificationType", "BPIdentificationNumber"))


def document(shape: Shape, raw: Mapping[str, Any], today: str, *, fresh: bool = False) -> dict[str, Any]:
    """A raw entity as a document; what is not asked for and rows that ended by `today` are left out.

    `fresh`, for planning a write, keeps ended rows under a mark and adds the HTTP ETags.
    """
    made: dict[str, Any] = {name: decode(shape.entity.fields[name], raw.get(name)) for name in shape.fields}
    for nav, child in shape.children.items():
        many = shape.entity.navs[nav][1]
        rows = [document(child, row, today, fresh=fresh) for row in _rows(raw.get(nav))]
        rows = rows if fresh else [row for row in rows if not ended(row, today)]
        made[nav] = rows if many else (rows[0] if rows else None)
    if shape.entity.name == ROOT:
        made["BusinessPartner"] = normal_id(str(made["BusinessPartner"]))
    if fresh:
        made[ENDED] = ended(made, today)
        made[ETAG] = (raw.get("__metadata") or {}).get("etag") or ""
    return made


def ended(row: Mapping[str, Any], today: str) -> bool:
    """Whether a row is over; a day without a zone is as exact as it gets."""
    return any(str(row[name])[:10] <= today for name in ENDS if row.get(name))


def _rows(raw: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - whatever the wire holds
    if isinstance(raw, Mapping):
        if "results" in raw:
            return list(raw["results"])
        return [] if "__deferred" in raw else [raw]
    return list(raw or [])


def project(shape: Shape, doc: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a wider document that a shape asks for."""
    made = {name: doc.get(name) for name in shape.fields}
    for nav, child in shape.children.items():
        below = doc.get(nav)
        if isinstance(below, Mapping):
            made[nav] = project(child, below)
        else:
            rows = [row for row in below or () if not row.get(ENDED)]
            made[nav] = [project(child, row) for row in rows] if below is not None else None
    return made


def version_of(doc: Mapping[str, Any]) -> str:
    """A digest of the whole document: the root's stamps alone do not move when a child changes.

    Rows of a child count in any order, since the server promises none.
    """
    return hashlib.sha256(_canonical(doc).encode()).hexdigest()[:24]


def _canonical(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(name)}:{_canonical(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted(map(_canonical, value))) + "]"
    return json.dumps(value)


def changed_at(doc: Mapping[str, Json], zone: str) -> datetime | None:
    """Date and time of the last change (or else of creation) in UTC; None where the system gives no date."""
    date, time = doc.get("LastChangeDate"), doc.get("LastChangeTime")
    if not date:
        date, time = doc.get("CreationDate"), doc.get("CreationTime")
    if not date:
        return None
    local = datetime.fromisoformat(f"{str(date)[:10]}T{time or '00:00:00'}")
    return local.replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC)


def stamp_date(doc: Mapping[str, Json]) -> str:
    """The day of the last change as the system writes it, for date-only filters."""
    return str(doc.get("LastChangeDate") or doc.get("CreationDate") or "")[:10]


def key_in(doc: Mapping[str, Any], key: str) -> str:
    """Our record id as the document carries it: a property of the root, or the number of that identification type."""
    if key in doc:
        return str(doc[key] or "")
    rows = doc.get(IDENTIFICATION) or []
    found = (row["BPIdentificationNumber"] for row in rows if row.get("BPIdentificationType") == key.upper())
    return str(next(found, ""))


def widen(model: Model, shape: Shape, paths: Iterable[str]) -> None:
    """Ask for more paths, e.g. those a write finds its rows by."""
    for path in paths:
        shape.add(model, steps(path))
