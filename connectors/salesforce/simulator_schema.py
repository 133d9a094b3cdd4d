"""What an object and a field of the simulated org are made of, and how `describe` tells them.

Not here: the objects themselves (`simulator_objects`), rows (`simulator_store`) and the wire (`simulator`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

TEXTUAL = frozenset({"string", "textarea", "phone", "url", "picklist", "multipicklist", "email"})
NUMERIC = frozenset({"double", "currency", "percent"})
LONG_TEXT = 255
"""A text area above this length cannot be filtered or sorted."""
_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "address": "urn:address",
    "location": "urn:location",
    **dict.fromkeys(NUMERIC, "xsd:double"),
}


@dataclass(frozen=True, slots=True)
class FieldType:
    """One field as describe tells it; the defaults are those of most fields."""

    name: str
    type: str = "string"
    length: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted: bool = False
    values: tuple[str, ...] = ()
    restricted: bool = False
    target: str = ""
    """Object a reference points to."""
    relationship: str = ""
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    id_lookup: bool = False
    precision: int = 0
    scale: int = 0
    digits: int = 0
    label: str = ""
    default: Any = None
    """What a new record gets where the call says nothing."""
    children: str = ""
    """Name of the relationship seen from the record it points to, for subqueries."""
    autonumber: str = ""
    """The letters before the number that Salesforce counts up."""
    cascade: bool = False
    """Describe's `cascadeDelete`: the record goes to the bin with the one it points to."""
    cleared: bool = False
    """Emptied when the record it points to is deleted."""
    locks: bool = False
    """A save of this record locks the one it points to."""

    @property
    def filterable(self) -> bool:
        """Long text areas are not."""
        return not (self.type == "textarea" and self.length > LONG_TEXT)

    def described(self) -> dict[str, Any]:
        """The field as `describe` renders it."""
        custom = self.name.endswith("__c")
        return {
            "aggregatable": self.filterable,
            "aiPredictionField": False,
            "autoNumber": self.autonumber != "",
            "byteLength": self.length * (1 if self.type in {"id", "reference"} else 3),
            "calculated": False,
            "caseSensitive": self.case_sensitive,
            "createable": self.createable,
            "custom": custom,
            "defaultValue": None,
            "defaultedOnCreate": self.defaulted,
            "deprecatedAndHidden": False,
            "digits": self.digits,
            "externalId": self.external_id,
            "filterable": self.filterable,
            "groupable": self.filterable,
            "idLookup": self.id_lookup,
            "label": self.label or self.name,
            "length": self.length,
            "name": self.name,
            "nameField": self.name == "Name",
            "nillable": self.nillable,
            "permissionable": self.nillable,
            "picklistValues": [
                {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}
                for value in self.values
            ],
            "precision": self.precision,
            "referenceTo": [self.target] if self.target else [],
            "relationshipName": self.relationship or None,
            "restrictedPicklist": self.restricted,
            "scale": self.scale,
            "soapType": _SOAP.get(self.type, "xsd:string"),
            "sortable": self.filterable,
            "type": self.type,
            "unique": self.unique,
            "updateable": self.updateable,
        }


@dataclass(slots=True)
class ObjectType:
    """One object: its id prefix and its fields by name."""

    name: str
    prefix: str
    fields: dict[str, FieldType]
    mergeable: bool = False
    createable: bool = True
    computed: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    """Fields that are worked out from the row at each save: full names, compound addresses."""
    by_lower: dict[str, str] = field(default_factory=dict)
    relations: dict[str, FieldType] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """SOQL and relationship paths know names without case."""
        self.index()

    def index(self) -> None:
        """To be called after `fields` changed."""
        self.by_lower = {name.lower(): name for name in self.fields}
        self.relations = {item.relationship.lower(): item for item in self.fields.values() if item.relationship}

    def add(self, *fields: FieldType) -> None:
        """New fields, as an administrator adds them."""
        self.fields.update({item.name: item for item in fields})
        self.index()

    def described(self, hidden: frozenset[str]) -> dict[str, Any]:
        """The object as `describe` renders it; a field without read permission is absent, not null."""
        return {
            "createable": self.createable,
            "custom": self.name.endswith("__c"),
            "deletable": self.createable,
            "fields": [item.described() for item in self.fields.values() if item.name not in hidden],
            "keyPrefix": self.prefix,
            "label": self.name,
            "labelPlural": f"{self.name}s",
            "mergeable": self.mergeable,
            "name": self.name,
            "queryable": True,
            "replicateable": True,
            "retrieveable": True,
            "searchable": True,
            "undeletable": self.createable,
            "updateable": self.createable,
        }


def text(name: str, length: int, kind: str = "string", **more: Any) -> FieldType:  # noqa: ANN401 - FieldType's fields
    """A text field."""
    return FieldType(name, kind, length, **more)


def picks(name: str, *values: str, restricted: bool = False, many: bool = False, **more: Any) -> FieldType:  # noqa: ANN401 - FieldType's fields
    """A pick list; several values of a multi-select are one text, joined by `;`."""
    kind, length = ("multipicklist", 4099) if many else ("picklist", 40)
    if name.endswith("__c") and not many:
        length = 255
    return FieldType(name, kind, length, values=values, restricted=restricted, **more)


def reference(name: str, target: str, **more: Any) -> FieldType:  # noqa: ANN401 - FieldType's fields
    """A lookup; its relationship is the name without `Id`, or with `__r`."""
    relation = name.removesuffix("Id") if not name.endswith("__c") else name[:-1] + "r"
    return FieldType(name, "reference", 18, target=target, relationship=more.pop("relationship", relation), **more)


def flag(name: str) -> FieldType:
    """A checkbox: never null, false on create."""
    return FieldType(name, "boolean", nillable=False, defaulted=True)


def fixed(name: str, kind: str, length: int = 0, **more: Any) -> FieldType:  # noqa: ANN401 - FieldType's fields
    """A field the org fills in itself."""
    return FieldType(name, kind, length, nillable=False, createable=False, updateable=False, defaulted=True, **more)


def address(prefix: str = "") -> tuple[FieldType, ...]:
    """The parts of an address."""
    return (
        text(f"{prefix}Street", 255, "textarea"),
        text(f"{prefix}City", 40),
        text(f"{prefix}State", 80),
        text(f"{prefix}PostalCode", 20),
        text(f"{prefix}Country", 80),
        FieldType(f"{prefix}Latitude", "double", precision=18, scale=15),
        FieldType(f"{prefix}Longitude", "double", precision=18, scale=15),
    )


def system_fields(*, mergeable: str = "", owned: bool = True) -> tuple[FieldType, ...]:
    """What every business object has."""
    master = FieldType(
        "MasterRecordId",
        "reference",
        18,
        createable=False,
        updateable=False,
        target=mergeable,
        relationship="MasterRecord",
    )
    owner = reference("OwnerId", "User", nillable=False, defaulted=True)
    return (
        fixed("Id", "id", 18, id_lookup=True),
        fixed("IsDeleted", "boolean"),
        *((master,) if mergeable else ()),
        *((owner,) if owned else ()),
        fixed("CreatedDate", "datetime"),
        fixed("CreatedById", "reference", 18, target="User", relationship="CreatedBy"),
        fixed("LastModifiedDate", "datetime"),
        fixed("LastModifiedById", "reference", 18, target="User", relationship="LastModifiedBy"),
        fixed("SystemModstamp", "datetime"),
    )


def hub_id() -> FieldType:
    """Where the hub writes its record id: unique and case-sensitive, so that an upsert never guesses."""
    return text("FSM_Hub_Id__c", 36, external_id=True, unique=True, case_sensitive=True, id_lookup=True)


def made(name: str, prefix: str, *fields: FieldType, mergeable: bool = False, owned: bool = True) -> ObjectType:
    """An object with the system fields and these."""
    system = system_fields(mergeable=name if mergeable else "", owned=owned)
    return ObjectType(name, prefix, {item.name: item for item in (*system, *fields)}, mergeable)
