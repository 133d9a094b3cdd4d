"""What this account lets us do with an object, from its describe answer.

Not here: the call itself (`transport`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connectors.salesforce.parts import Part, head_of, parts_of
from connectors.salesforce.soql import NEVER_DELETED
from connectors.salesforce.writes import BATCH
from fsm_core.ports import Capabilities, Creates, Deletes, FieldCapability, Object

Described = Mapping[str, Any]
IN_FLIGHT = 4
"""Collections side by side; an org runs 25 requests that take long at a time, for all its users."""
TYPES = {
    **dict.fromkeys(("string", "textarea", "phone", "url", "email", "picklist", "combobox", "encryptedstring"), "text"),
    **dict.fromkeys(("double", "currency", "percent", "int", "long"), "number"),
    "multipicklist": "choices",
    "boolean": "flag",
    "datetime": "instant",
    "id": "reference",
}
"""Types that say the same to a mapping; any other is its own word."""
LOCK_THEIR_PARENT = frozenset({"Contact", "Location", "Asset", "Case", "WorkOrder", "ServiceAppointment"})
"""Two collections with children of one parent would meet in its lock (record locking cheat sheet)."""


def capabilities(
    obj: Object, described: Described, overlap: float, parts: Mapping[str, Described | None] | None = None
) -> Capabilities:
    """What `obj` asks for and what the org demands besides; a field the account does not show us is absent.

    `parts` has the describe answers of the objects of its parts, None for what we may not see.
    """
    fields = {item["name"]: item for item in described.get("fields", ())}
    relations = {item["relationshipName"]: item for item in fields.values() if item.get("relationshipName")}
    asked = (*obj.fields, *((obj.key,) if obj.key else ()))
    shown = {path: _capability(path, fields, relations) for path in asked}
    for part in parts_of(obj):
        shown |= _of_part(part, [path for path in asked if head_of(path) == part.path], (parts or {}).get(part.object))
    demanded = {name: one for name, item in fields.items() if name not in shown and (one := _of_field(item)).required}
    key = fields.get(obj.key, {})
    creates = _creates(described, key)
    known = {path: found for path, found in shown.items() if found is not None} | demanded
    return Capabilities(
        fields=known,
        creates=creates,
        deletes=Deletes.NEVER if obj.name in NEVER_DELETED else Deletes.TOMBSTONES,
        deletable=bool(described.get("deletable")),
        batch=BATCH,
        in_flight=1 if obj.name in LOCK_THEIR_PARENT else IN_FLIGHT,
        overlap=timedelta(seconds=overlap),
        key=_of_field(key) if key else None,
        advice=tuple(_advice(obj, key, creates)) if key else (),
        others={name: _of_field(item) for name, item in fields.items() if name not in known},
    )


def _of_part(part: Part, paths: list[str], described: Described | None) -> dict[str, FieldCapability | None]:
    """A part is written by itself; what no save may change there is replaced by a new record."""
    found = capabilities(Object(part.object, tuple(path.partition(".")[2] for path in paths)), described or {}, 0)
    shown = {path: found.fields.get(path.partition(".")[2]) for path in paths}
    fixed = f"{part.path}.{part.fixed}"
    if (one := shown.get(fixed)) is not None:
        shown[fixed] = replace(one, writable=one.creatable)
    return shown


def _creates(described: Described, key: Described) -> Creates:
    if not described.get("createable"):
        return Creates.NEVER
    return Creates.UPSERT_KEY if key.get("externalId") else Creates.PROBE


def _advice(obj: Object, key: Described, creates: Creates) -> Iterator[tuple[str, str]]:
    if creates is Creates.NEVER:
        yield f"the user may not create records of {obj.name}", "Give it the right to create them, if the hub shall."
    if not key.get("externalId"):
        message = f"{obj.key} is no External Id: a create without an answer is looked up instead of upserted"
        yield message, "Mark the field as External Id."
    if not key.get("unique"):
        yield f"{obj.key} is not unique: two records may carry one id of the hub", "Mark the field as unique."


def _capability(
    path: str, fields: Mapping[str, Described], relations: Mapping[str, Described]
) -> FieldCapability | None:
    head, dot, _ = path.partition(".")
    if dot:
        return FieldCapability(creatable=False, writable=False) if head in relations else None
    item = fields.get(path)
    return _of_field(item) if item is not None else None


def _of_field(item: Described) -> FieldCapability:
    creatable = bool(item.get("createable"))
    picks = item.get("picklistValues") or () if item.get("restrictedPicklist") else ()
    return FieldCapability(
        creatable=creatable,
        writable=bool(item.get("updateable")),
        required=creatable and not item.get("nillable") and not item.get("defaultedOnCreate"),
        length=item.get("length") or None,
        values=tuple(pick["value"] for pick in picks if pick.get("active")),
        unique=bool(item.get("unique")),
        external_id=bool(item.get("externalId")),
        type=TYPES.get(str(item.get("type")), item.get("type") or ""),
        label=item.get("label") or "",
    )
