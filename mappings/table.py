"""The YAML of one mapping as checked models: rows of canonical path, native path, codec and direction.

Not here: turning the table into functions (`compile`), or whether the account has these native fields (the connector).
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from fsm_core.errors import BadMapping
from fsm_core.ports import Json


class Direction(StrEnum):
    """Which way a field travels, seen from the hub."""

    IN = "in"
    OUT = "out"
    BOTH = "both"
    CREATE = "create"
    """Read always, written only when the record is created."""

    @property
    def readable(self) -> bool:
        """Whether the hub reads the field."""
        return self is not Direction.OUT

    @property
    def writable(self) -> bool:
        """Whether the hub may change the field of an existing record."""
        return self in (Direction.OUT, Direction.BOTH)

    @property
    def creatable(self) -> bool:
        """Whether the hub states the field when it creates a record."""
        return self is not Direction.IN


class FieldRow(BaseModel):
    """One correspondence. Every key that is not named here is an option of the codec."""

    model_config = ConfigDict(extra="allow", frozen=True)

    native: tuple[str, ...]
    codec: str = "text"
    direction: Direction = Direction.BOTH

    @field_validator("native", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("native")
    @classmethod
    def _some(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one native path")
        return value

    @property
    def options(self) -> dict[str, Any]:
        """The options of the codec."""
        return dict(self.model_extra or {})


class Place(BaseModel):
    """A named beginning of native paths, written `$name.Field` in the rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    when_blank: str = Field("keep", pattern="^(keep|delete)$")
    """`delete`: a field whose native values all become blank takes its child row away."""
    delete: str = ""
    """The row that is deleted instead of the place itself, e.g. only what an address is used for."""


class Table(BaseModel):
    """One mapping file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    entity: str
    object: str
    key: str = ""
    """Native field, or identification type, that holds the hub's record id; written by the connector."""
    key_field: str = ""
    """Native path the mapping itself writes the hub's record id to when it creates a record."""
    filter: str = ""
    """In the vendor's own language."""
    times: Literal["instant", "date", "none"] = "instant"
    """What the object tells of its last change."""
    places: dict[str, Place] = Field(default_factory=dict)
    fields: dict[str, FieldRow]
    not_mapped: dict[str, str] = Field(default_factory=dict)
    """Canonical field: why this object has no place for it. Every field of the entity is mapped or stands here."""
    notes: dict[str, str] = Field(default_factory=dict)
    """Canonical field, or `object` for the whole: what a person should know about it; for the pages only."""
    constants: dict[str, Any] = Field(default_factory=dict)
    """Canonical field: the value all records of this object have; read only."""
    defaults: dict[str, Any] = Field(default_factory=dict)
    """Native path: what a new record gets where no field of the table says otherwise."""
    ignore_when: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Native path: values that tell that a record is none of our business."""

    @field_validator("fields", "places", mode="before")
    @classmethod
    def _short_form(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - whatever YAML holds
        name = "native" if info.field_name == "fields" else "path"
        if not isinstance(value, dict):
            return value
        return {key: {name: row} if isinstance(row, str) else row for key, row in value.items()}

    def native(self, path: str) -> str:
        """A path with its place written out; raises `BadMapping` that lists the known places."""
        if not path.startswith("$"):
            return path
        name, dot, rest = path[1:].partition(".")
        if name not in self.places:
            raise BadMapping(f"{path!r} begins at an unknown place; known: {', '.join(self.places) or 'none'}")
        return self.native(self.places[name].path) + dot + rest

    def defaults_json(self) -> dict[str, Json]:
        """The defaults with their places written out."""
        return {self.native(path): value for path, value in self.defaults.items()}


class _Loader(yaml.SafeLoader):
    """Refuses a key that is written twice, which YAML itself would answer with the last one."""


def _unique(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise yaml.constructor.ConstructorError(None, None, f"{twice!r} is written twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique)


def read_table(path: Path) -> Table:
    """Read and check one file; raises `BadMapping` that names the file and the row."""
    try:
        stated = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
        return Table.model_validate(stated)
    except OSError as error:
        raise BadMapping(f"cannot read {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise BadMapping(f"{path}: {error}") from None
    except ValidationError as error:
        raise BadMapping(f"{path}: {'; '.join(_sentence(dict(fault)) for fault in error.errors())}") from None


def _sentence(fault: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    known = f"; known: {', '.join(Table.model_fields)}" if fault["type"] == "extra_forbidden" else ""
    return f"{where}: {fault['msg']}{known}"
