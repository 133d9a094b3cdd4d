"""What this account lets us do with an object, from its describe answer.

Not here: the call itself (`transport`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connectors.salesforce.soql import NEVER_DELETED
from connectors.salesforce.writes import BATCH
from fsm_core.ports import Capabilities, Creates, Deletes, FieldCapability, Object

Described = Mapping[str, Any]


def capabilities(obj: Object, described: Described, overlap: float) -> Capabilities:
    """What `obj` asks for and what the org demands besides; a field the account does not show us is absent."""
    fields = {item["name"]: item for item in described.get("fields", ())}
    relations = {item["relationshipName"]: item for item in fields.values() if item.get("relationshipName")}
    asked = (*obj.fields, *((obj.key,) if obj.key else ()))
    shown = {path: _capability(path, fields, relations) for path in asked}
    demanded = {name: one for name, item in fields.items() if name not in shown and (one := _of_field(item)).required}
    key = fields.get(obj.key, {})
    return Capabilities(
        fields={path: found for path, found in shown.items() if found is not None} | demanded,
        creates=_creates(described, key),
        deletes=Deletes.NEVER if obj.name in NEVER_DELETED else Deletes.TOMBSTONES,
        batch=BATCH,
        overlap=timedelta(seconds=overlap),
    )


def _creates(described: Described, key: Described) -> Creates:
    if not described.get("createable"):
        return Creates.NEVER
    return Creates.UPSERT_KEY if key.get("externalId") else Creates.PROBE


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
    )
