"""OData V2 as SAP speaks it: the schema we use, literals, filters, key predicates, JSON values both ways.

Not here: HTTP, and which fields matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from fsm_core.errors import BadMapping, Invalid
from fsm_core.ports import Json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS = re.compile(r"/Date\((-?\d+)(?:[+-]\d+)?\)/")
_PERIOD = re.compile(r"P(?:\d+D)?T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")
_TEXT_NUMBERS = frozenset({"Edm.Decimal", "Edm.Int64", "Edm.Double", "Edm.Single", "Edm.Float"})


@dataclass(frozen=True, slots=True)
class Field:
    """One property as $metadata declares it."""

    name: str
    type: str
    length: int | None = None
    upper: bool = False
    digits: bool = False
    key: bool = False
    creatable: bool = True
    updatable: bool = True
    label: str = ""


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity set with its type."""

    name: str
    fields: Mapping[str, Field]
    navs: Mapping[str, tuple[str, bool]]
    """Navigation -> (entity set it leads to, whether to many)."""
    keys: tuple[str, ...]
    deletable: bool = True

    def field(self, name: str) -> Field:
        """A property; raises `BadMapping` with the names that exist."""
        found = self.fields.get(name)
        if found is None:
            known = ", ".join([*self.navs, *self.fields])
            raise BadMapping(f"no field {name!r}; known are {known}", system="sap", object=self.name, field=name)
        return found


Model = Mapping[str, Entity]
"""Every entity set of the service by name."""


def model_of(schema: Any, joins: Mapping[str, Mapping[str, str]] | None = None) -> Model:  # noqa: ANN401 - pyodata is untyped
    """Our view of a pyodata schema; navigations to types without an entity set are left out.

    `joins` adds to-one navigations the service lacks: entity set -> navigation -> entity set.
    """
    sets = {entity_set.entity_type.name: entity_set for entity_set in reversed(list(schema.entity_sets))}
    found = {entity_set.name: _entity(entity_set, sets) for entity_set in schema.entity_sets}
    for name, navs in (joins or {}).items():
        added = {nav: (target, False) for nav, target in navs.items() if target in found}
        if name in found:
            found[name] = replace(found[name], navs={**found[name].navs, **added})
    return found


def _entity(entity_set: Any, sets: Mapping[str, Any]) -> Entity:  # noqa: ANN401 - pyodata is untyped
    kind = entity_set.entity_type
    keys = tuple(prop.name for prop in kind.key_proprties)
    navs = {
        nav.name: (sets[nav.to_role.entity_type_name].name, nav.to_role.multiplicity == "*")
        for nav in kind.nav_proprties
        if nav.to_role is not None and nav.to_role.entity_type_name in sets
    }
    fields = {prop.name: _field(prop, keys) for prop in kind.proprties() if prop.name not in navs}
    return Entity(entity_set.name, fields, navs, keys, deletable=bool(entity_set.deletable))


def _field(prop: Any, keys: tuple[str, ...]) -> Field:  # noqa: ANN401 - pyodata is untyped
    length = prop.max_length if isinstance(prop.max_length, int) and prop.max_length > 0 else None
    return Field(
        prop.name,
        prop.typ.name,
        length,
        upper=bool(prop.upper_case) and prop.typ.name == "Edm.String",
        digits=bool(prop.non_negative),
        key=prop.name in keys,
        creatable=bool(prop.creatable),
        updatable=bool(prop.updatable),
        label=prop.label or "",
    )


# -- URL side ----------------------------------------------------------------------------------


def literal(field: Field, value: Json) -> str:  # noqa: PLR0911 - one line per type
    """A value of the ports as a V2 URI literal, not yet percent-encoded."""
    match field.type:
        case _ if value is None:
            return "null"
        case "Edm.String":
            return "'" + str(value).replace("'", "''") + "'"
        case "Edm.DateTime":
            return f"datetime'{_with_time(str(value))}'"
        case "Edm.DateTimeOffset":
            return f"datetimeoffset'{value}'"
        case "Edm.Time":
            return f"time'{_period(str(value))}'"
        case "Edm.Guid":
            return f"guid'{value}'"
        case "Edm.Boolean":
            return "true" if value else "false"
        case "Edm.Decimal":
            return f"{value}M"
        case "Edm.Int64":
            return f"{value}L"
    return str(value)


def _with_time(text: str) -> str:
    return text if "T" in text else f"{text}T00:00:00"


def _period(text: str) -> str:
    hours, minutes, seconds = text.split(":")
    return f"PT{hours}H{minutes}M{seconds}S"


def compare(field: Field, operator: str, value: Json) -> str:
    """`Name eq 'x'`; text for an upper-cased field is upper-cased, as the server stores it."""
    if field.upper and isinstance(value, str):
        value = value.upper()
    return f"{field.name} {operator} {literal(field, value)}"


def all_of(*tests: str) -> str:
    """Conjunction, every part in parentheses; empty parts are left out."""
    parts = [f"({test})" for test in tests if test]
    return " and ".join(parts)


def any_of(tests: Iterable[str]) -> str:
    """Disjunction, every part in parentheses."""
    return " or ".join(f"({test})" for test in tests)


def predicate(entity: Entity, row: Mapping[str, Json]) -> str:
    """`Set('x')` or `Set(A='x',B='y')`, percent-encoded for a URL path."""
    parts = [(name, quote(literal(entity.fields[name], row[name]), safe="'")) for name in entity.keys]
    inner = parts[0][1] if len(parts) == 1 else ",".join(f"{name}={text}" for name, text in parts)
    return f"{entity.name}({inner})"


def query(options: Mapping[str, str]) -> str:
    """System options as a query string; commas, slashes and `$` stay readable, quotes become %27."""
    return "&".join(f"{name}={quote(value, safe=',/$:()')}" for name, value in options.items() if value)


# -- JSON side ---------------------------------------------------------------------------------


def decode(field: Field, raw: Any) -> Json:  # noqa: ANN401 - whatever the wire holds
    """A value from the wire in the form of the ports; text stays as it is, so '' is not None."""
    if raw is None:
        return None
    match field.type:
        case "Edm.DateTime" | "Edm.DateTimeOffset":
            return _moment(field, str(raw))
        case "Edm.Time":
            found = _PERIOD.fullmatch(str(raw))
            return ":".join(f"{int(part or 0):02d}" for part in found.groups()) if found else str(raw)
        case kind if kind in _TEXT_NUMBERS:
            return str(raw)
        case "Edm.Boolean":
            return bool(raw)
    return raw if isinstance(raw, str | int) else str(raw)


def _moment(field: Field, raw: str) -> str:
    """Ticks are UTC for an offset type whatever offset is shown; a plain DateTime has no zone at all."""
    ticks = _TICKS.fullmatch(raw)
    if ticks is None:
        return raw
    when = _EPOCH + timedelta(milliseconds=int(ticks[1]))
    fraction = f".{when.microsecond:06d}" if when.microsecond else ""
    if field.type == "Edm.DateTimeOffset":
        return f"{when.isoformat()[:19]}{fraction}Z"
    midnight = (when.hour, when.minute, when.second, when.microsecond) == (0, 0, 0, 0)
    return when.isoformat()[:10] if midnight else f"{when.isoformat()[:19]}{fraction}"


def encode(field: Field, value: Json) -> Any:  # noqa: ANN401 - what JSON holds
    """A value of the ports for a request body; raises `Invalid` for what cannot be said in this type.

    None clears: text becomes '' because the ABAP initial value of text is not null, all else null.
    """
    if value is None:
        return "" if field.type == "Edm.String" else None
    try:
        return _encoded(field, value)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{value!r} is no {field.type}", field=field.name) from error


def _encoded(field: Field, value: Json) -> Any:  # noqa: ANN401 - what JSON holds
    match field.type:
        case "Edm.String":
            return _text(field, value)
        case "Edm.DateTime":
            return f"/Date({_ticks(str(value))})/"
        case "Edm.DateTimeOffset":
            return f"/Date({_ticks(str(value))}+0000)/"
        case "Edm.Time":
            return _period(str(value))
        case "Edm.Boolean":
            if not isinstance(value, bool):
                raise ValueError(value)  # noqa: TRY004 - the caller turns both into `Invalid`
            return value
        case kind if kind in _TEXT_NUMBERS:
            return str(value)
        case "Edm.Byte" | "Edm.SByte" | "Edm.Int16" | "Edm.Int32":
            return int(str(value))
    return value


def _text(field: Field, value: Json) -> str:
    text = str(value)
    if field.length is not None and len(text) > field.length:
        raise Invalid(f"{len(text)} characters where {field.length} fit", field=field.name, code="length")
    return text


def _ticks(text: str) -> int:
    when = datetime.fromisoformat(text)
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return (when - _EPOCH) // timedelta(milliseconds=1)


def same(field: Field, held: Json, asked: Json) -> bool:
    """Whether sending `asked` would change nothing, knowing the server's own renderings."""
    if field.type != "Edm.String":
        return held == asked
    return _rendered(field, held) == _rendered(field, asked)


def _rendered(field: Field, value: Json) -> str:
    text = str(value or "").rstrip(" ")
    text = text.upper() if field.upper else text
    return text.lstrip("0") if field.digits else text


def normal_id(text: str) -> str:
    """A partner number as the API echoes it: zeros go only when all is digits (ALPHA conversion)."""
    text = text.strip()
    return (text.lstrip("0") or "0") if text.isdigit() else text.upper()
