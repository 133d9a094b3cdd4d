"""The rows of the simulated org and the rules under which they are saved.

Not here: HTTP and SOQL; the field tables are in `simulator_schema`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connectors.salesforce.ids import full_id, is_id
from connectors.salesforce.simulator_relations import Relations
from connectors.salesforce.simulator_schema import NUMERIC, TEXTUAL, FieldType, ObjectType
from connectors.simulation import VirtualClock

Row = dict[str, Any]
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
Rule = Callable[[str, Row], "Refusal | None"]
Automation = Callable[[str, Row], Mapping[str, Any]]


@dataclass(slots=True)
class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the simulator
    """One error as Salesforce words it; `whole` refuses the call and not just the record."""

    code: str
    message: str
    fields: tuple[str, ...] = ()
    status: int = 400
    whole: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def item(self) -> dict[str, Any]:
        """Inside a collection answer: `statusCode`."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields), **self.extra}

    def top(self) -> list[dict[str, Any]]:
        """As the body of a refused call: an array with `errorCode`; `fields` only where there are any."""
        named = {"fields": list(self.fields)} if self.fields else {}
        return [{**self.extra, "message": self.message, "errorCode": self.code, **named}]


def stamp(moment: datetime) -> str:
    """`+0000` without a colon; the milliseconds are practically always zero."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


class Store:
    """Tables by object and id, an index per external id, and what becomes visible later."""

    def __init__(self, objects: dict[str, ObjectType], clock: VirtualClock) -> None:
        self.objects = objects
        self.clock = clock
        self.tables: dict[str, dict[str, Row]] = {name: {} for name in objects}
        self.index: dict[tuple[str, str], dict[str, list[str]]] = {}
        self.hidden: set[tuple[str, str]] = set()
        self.locked: set[str] = set()
        self.validation_rules: list[Rule] = []
        self.duplicate_rules: list[Rule] = []
        self.automation: list[Automation] = []
        self._pending: list[tuple[datetime, Callable[[], None]]] = []
        self._count = 0
        self.relations = Relations(self)

    # -- schema ----------------------------------------------------------------------------------

    def add_object(self, added: ObjectType) -> None:
        """A further object, as an administrator or a package adds it."""
        self.objects[added.name] = added
        self.tables.setdefault(added.name, {})

    def object(self, name: str) -> ObjectType:
        """Raises `Refusal` (404) for an unknown object."""
        found = self.objects.get(name)
        if found is None:
            raise Refusal("NOT_FOUND", "The requested resource does not exist", status=404, whole=True)
        return found

    def visible(self, name: str, field_name: str) -> FieldType | None:
        """The field (named in any case) if the integration user may read it."""
        kind = self.objects[name]
        found = kind.by_lower.get(field_name.lower(), "")
        return kind.fields[found] if found and (name, found) not in self.hidden else None

    # -- ids ---------------------------------------------------------------------------------------

    def new_id(self, prefix: str) -> str:
        """The next id: 15 characters of base 62 and the checksum."""
        self._count += 1
        number, digits = self._count, ""
        while number:
            number, rest = divmod(number, len(ALPHABET))
            digits = ALPHABET[rest] + digits
        return full_id(f"{prefix}5g00000" + digits.rjust(5, "0"))

    # -- reading -----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let late commits become visible."""
        now = self.clock.now()
        due = [commit for when, commit in self._pending if when <= now]
        self._pending = [(when, commit) for when, commit in self._pending if when > now]
        for commit in due:
            commit()

    def get(self, name: str, id: str) -> Row:  # noqa: A002 - the vendor's word
        """A live row. Raises `Refusal` in the words of an update."""
        row = self.tables[name].get(full_id(id))
        if row is None and not is_id(id):
            raise Refusal("MALFORMED_ID", f"{name} ID: id value of incorrect type: {id}", ("Id",))
        if row is None:
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row.get("IsDeleted"):
            raise Refusal("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    def by_value(self, name: str, field_name: str, value: Any) -> list[Row]:  # noqa: ANN401 - any JSON
        """Live rows with this value in an external id."""
        return [row for row in self.with_value(name, field_name, value) if not row.get("IsDeleted")]

    def with_value(self, name: str, field_name: str, value: Any) -> list[Row]:  # noqa: ANN401 - any JSON
        """Rows with this value in an external id, those in the recycle bin too."""
        wanted = self._folded(name, field_name, str(value))
        rows = map(self.tables[name].get, self._index(name, field_name).get(wanted, ()))
        return [row for row in rows if row and self._folded(name, field_name, str(row[field_name])) == wanted]

    def _index(self, name: str, field_name: str) -> dict[str, list[str]]:
        found = self.index.get((name, field_name))
        if found is None:
            found = self.index[name, field_name] = {}
            for row in self.tables[name].values():
                self._indexed(found, name, field_name, row)
        return found

    def _indexed(self, index: dict[str, list[str]], name: str, field_name: str, row: Row) -> None:
        if row.get(field_name) is not None:
            ids = index.setdefault(self._folded(name, field_name, str(row[field_name])), [])
            if row["Id"] not in ids:
                ids.append(row["Id"])

    def _folded(self, name: str, field_name: str, value: str) -> str:
        return value if self.objects[name].fields[field_name].case_sensitive else value.casefold()

    # -- saving ------------------------------------------------------------------------------------

    def parse(self, name: str, given: Mapping[str, Any]) -> Row:
        """The fields of a request body as stored values. A body that cannot be read refuses the whole call."""
        parsed: Row = {}
        for key, value in given.items():
            if key in {"attributes", "Id", "id"}:
                continue
            relation = self.objects[name].relations.get(key.lower())
            if isinstance(value, Mapping) and relation is not None:
                parsed[relation.name] = self._parent(relation, value)
                continue
            kind = self.visible(name, relation.name if relation is not None and value is None else key)
            if kind is None:
                raise Refusal("INVALID_FIELD", f"No such column '{key}' on sobject of type {name}", whole=True)
            parsed[kind.name] = coerced(kind, value)
        return parsed

    def _parent(self, relation: FieldType, named: Mapping[str, Any]) -> str:
        keys = [(key, value) for key, value in named.items() if key != "attributes"]
        found = self.by_value(relation.target, keys[0][0], keys[0][1]) if len(keys) == 1 else []
        if len(found) != 1:
            wanted = f"{keys[0][0]} = {keys[0][1]}" if keys else relation.relationship
            raise Refusal("INVALID_FIELD", f"Foreign key external ID: {wanted} not found for field in entity")
        return str(found[0]["Id"])

    def blank(self, kind: ObjectType) -> Row:
        """A row nobody said anything about."""
        return {item.name: False if item.type == "boolean" else item.default for item in kind.fields.values()}

    def create(self, name: str, values: Row, user: str, *, bypass: bool = False) -> Row:
        """A new row. Raises `Refusal`."""
        kind = self.objects[name]
        now = stamp(self.clock.now())
        row = self.blank(kind)
        row |= {"Id": self.new_id(kind.prefix), "CreatedDate": now, "CreatedById": user}
        row |= {item.name: f"{item.autonumber}{self._count:04d}" for item in kind.fields.values() if item.autonumber}
        if "OwnerId" in kind.fields:
            row["OwnerId"] = user
        return self._save(kind, row, values, user, creating=True, bypass=bypass)

    def update(self, name: str, id: str, values: Row, user: str) -> Row:  # noqa: A002 - the vendor's word
        """Change a live row; a write of equal values moves the stamps all the same. Raises `Refusal`."""
        return self._save(self.objects[name], self.get(name, id), values, user, creating=False)

    def _save(self, kind: ObjectType, row: Row, values: Row, user: str, *, creating: bool, bypass: bool = False) -> Row:
        values = {key: None if value == "" else value for key, value in values.items()}  # empty text is stored as null
        new = {**row, **values}
        held = row["Id"] if row["Id"] in self.locked else self.relations.locked(kind, new)
        if held:
            raise Refusal(
                "UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record or 1 records: {held}"
            )
        self._check_fields(kind, values, new, creating=creating)
        self._check_unique(kind, values, row["Id"])
        for rule in (*self.validation_rules, *(() if bypass else self.duplicate_rules)):
            refusal = rule(kind.name, new)
            if refusal is not None:
                raise refusal
        now = stamp(self.clock.now())
        new |= {"LastModifiedDate": now, "SystemModstamp": now, "LastModifiedById": user}
        for automation in self.automation:
            new |= automation(kind.name, dict(new))
        return self.put(kind.name, new)

    def put(self, name: str, row: Row) -> Row:
        """Keep a row as it is, with what is worked out from it."""
        row |= {field: work_out(row) for field, work_out in self.objects[name].computed.items()}
        self.tables[name][row["Id"]] = row
        for (owner, field_name), index in self.index.items():
            if owner == name:
                self._indexed(index, name, field_name, row)
        return row

    def _check_fields(self, kind: ObjectType, values: Row, new: Row, *, creating: bool) -> None:
        closed = [key for key in values if not _open(kind.fields[key], creating=creating)]
        if closed:
            raise Refusal(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {', '.join(closed)}. Please check the security settings of this "
                "field and verify that it is read/write for your profile or permission set.",
                tuple(closed),
            )
        required = [item.name for item in kind.fields.values() if _required(item) and new[item.name] is None]
        if required:
            raise Refusal(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(required)}]", tuple(required)
            )
        for key, value in values.items():
            self._check_value(kind, kind.fields[key], value)

    def _check_value(self, kind: ObjectType, item: FieldType, value: Any) -> None:  # noqa: ANN401 - any JSON
        if value is None:
            return
        if item.type in TEXTUAL and item.length and len(value) > item.length:
            text = f"{kind.name} {item.label or item.name}: data value too large: {value} (max length={item.length})"
            raise Refusal("STRING_TOO_LONG", text, (item.name,))
        chosen = value.split(";") if item.type == "multipicklist" else [value]
        bad = [one for one in chosen if item.restricted and one not in item.values]
        if bad:
            text = f"{item.label or item.name}: bad value for restricted picklist field: {bad[0]}"
            raise Refusal("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, (item.name,))
        if item.type == "email" and not EMAIL.fullmatch(value):
            text = f"{item.label or item.name}: invalid email address: {value}"
            raise Refusal("INVALID_EMAIL_ADDRESS", text, (item.name,))
        if item.type == "reference" and not is_id(value):
            raise Refusal("MALFORMED_ID", f"{item.name}: id value of incorrect type: {value}", (item.name,))
        if item.type == "reference" and item.target in self.tables and not self._there(item.target, full_id(value)):
            raise Refusal("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (item.name,))

    def _there(self, name: str, id: str) -> bool:  # noqa: A002 - the vendor's word
        row = self.tables[name].get(id)
        return row is not None and not row.get("IsDeleted")

    def _check_unique(self, kind: ObjectType, values: Row, id: str) -> None:  # noqa: A002 - the vendor's word
        for key, value in values.items():
            if value is None or not kind.fields[key].unique:
                continue
            others = [
                row["Id"] for row in self.by_value(kind.name, key, value) if row["Id"] != id and row[key] == value
            ]
            if others:
                text = f"duplicate value found: {key} duplicates value on record with id: {others[0]}"
                raise Refusal("DUPLICATE_VALUE", text, (key,))

    # -- what people and jobs do -----------------------------------------------------------------

    def delete(self, name: str, id: str, user: str, *, into: str | None = None) -> None:  # noqa: A002 - as above
        """Into the recycle bin; a merged-away row names its survivor."""
        row = self.get(name, id)
        if row["Id"] in self.locked:
            raise Refusal("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        self.touch(name, row, user, IsDeleted=True, **({"MasterRecordId": into} if into else {}))
        self.relations.take_along(name, row["Id"], user)

    def hide(self, name: str, row: Row, user: str, *, stamped: bool) -> None:
        """Into the bin together with another record."""
        if stamped:
            self.touch(name, row, user, IsDeleted=True)
        else:
            self.put(name, {**row, "IsDeleted": True})

    def undelete(self, name: str, id: str, user: str) -> None:  # noqa: A002 - as above
        """Out of the recycle bin, stamped anew, with what was deleted together with it."""
        row = self.tables[name][full_id(id)]
        self.touch(name, row, user, IsDeleted=False)
        self.relations.bring_back(row["Id"], user)

    def purge(self, name: str) -> int:
        """Empty the recycle bin: no trace stays, and ids are never used again."""
        gone = [id_ for id_, row in self.tables[name].items() if row.get("IsDeleted")]
        for id_ in gone:
            del self.tables[name][id_]
        return len(gone)

    def merge(self, name: str, winner: str, losers: Iterable[str], user: str) -> None:
        """Losers go to the bin and name the winner; children follow; nothing is written about it on the winner."""
        master = full_id(winner)
        for loser in map(full_id, losers):
            self.relations.reparent(name, loser, master, user)
            self.delete(name, loser, user, into=master)

    def later(self, seconds: float, save: Callable[[], Row]) -> Row:
        """Save now, under today's stamp, but let nobody see it before `seconds` have passed: a long transaction."""
        before = {name: dict(table) for name, table in self.tables.items()}
        row = save()
        name = next(name for name, table in self.tables.items() if row["Id"] in table)
        old = before[name].get(row["Id"])
        if old is None:
            del self.tables[name][row["Id"]]
        else:
            self.tables[name][row["Id"]] = old
        self._pending.append((self.clock.now() + timedelta(seconds=seconds), lambda: void(self.put(name, row))))
        return row

    def touch(self, name: str, row: Row, user: str, **values: Any) -> None:  # noqa: ANN401 - stored values
        """Change a row past all rules, and stamp it."""
        now = stamp(self.clock.now())
        self.put(name, {**row, **values, "LastModifiedDate": now, "SystemModstamp": now, "LastModifiedById": user})


def void(_value: object) -> None:
    """Drop a result."""


def coerced(item: FieldType, value: Any) -> Any:  # noqa: ANN401 - any JSON in, a stored value out
    """A JSON value as the field stores it: numbers may come as text. Raises `Refusal` for the whole call."""
    if value is None:
        return None
    try:
        return _cast(item, value)
    except (ValueError, TypeError, KeyError):
        kind = {"boolean": "boolean", "datetime": "datetime", "date": "date", "int": "int"}.get(item.type, "double")
        told = "VALUE_STRING" if isinstance(value, str) else "START_OBJECT"
        text = f"Cannot deserialize instance of {kind} from {told} value {value}"
        where = "or request may be missing a required field at [line:1, column:1]"
        raise Refusal("JSON_PARSER_ERROR", f"{text} {where}", whole=True) from None


def _cast(item: FieldType, value: Any) -> Any:  # noqa: ANN401 - one line per type
    if item.type == "boolean":
        return value if isinstance(value, bool) else {"true": True, "false": False}[value]
    if item.type == "int":
        return int(value)
    if item.type in NUMERIC:
        return float(value)
    if item.type == "datetime":
        return stamp(datetime.fromisoformat(value))
    if item.type == "date":
        return date.fromisoformat(value[:10]).isoformat()
    if item.type in {"id", "reference"}:
        return full_id(str(value))
    if isinstance(value, (dict, list)):
        raise TypeError
    return value if isinstance(value, str) else str(value)


def _open(item: FieldType, *, creating: bool) -> bool:
    return item.createable if creating else item.updateable


def _required(item: FieldType) -> bool:
    return not item.nillable and item.createable and not item.defaulted
