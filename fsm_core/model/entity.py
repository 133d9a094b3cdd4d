"""What every entity shares: the header, and the field facts (comparator, group, set) read off its class.

Not here: any particular entity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, ClassVar, NotRequired, Required, TypeAlias, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from fsm_core.errors import BadMapping
from fsm_core.model.compare import Comparator, Same, comparing

HEADER = frozenset(
    {"id", "version", "lifecycle", "ended_at", "merged_into_id", "created_at", "updated_at", "ext", "tags"}
)


@dataclass(frozen=True, slots=True)
class Compare:
    """Annotation: how this field is compared."""

    by: Comparator


@dataclass(frozen=True, slots=True)
class Reference:
    """Annotation: this field holds the hub id of another record."""

    entity: str


class Group(BaseModel):
    """Fields that only make sense together; decided as one value."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    comparator: ClassVar[Comparator] = Comparator.EXACT


class Entity(BaseModel):
    """Base of all entities. Field facts come from annotations; the engine asks `shape_of`."""

    model_config = ConfigDict(extra="forbid")
    entity_name: ClassVar[str] = ""
    endings: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Per word of a delete rule (deactivate, end, cancel) the field and the code that say it."""


@dataclass(frozen=True, slots=True)
class FieldShape:
    """What the engine knows of one field."""

    name: str
    comparator: Comparator
    same: Same
    required: bool
    is_set: bool
    members: tuple[str, ...] = ()
    """Member names of a group."""
    reference: str = ""
    coded: bool = False
    """One of few codes, not words."""


@dataclass(frozen=True)
class EntityShape:
    """All fields of an entity, in declaration order."""

    name: str
    model: type[Entity]
    fields: dict[str, FieldShape]

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Fields no record may be without."""
        return tuple(name for name, shape in self.fields.items() if shape.required)

    @cached_property
    def _valid(self) -> Callable[[dict[str, Any]], object]:
        return TypeAdapter(_shown(self.model)).validator.validate_python

    def ending(self, word: str) -> tuple[str, str] | None:
        """The field and the code that say this end of a record; None where the entity has no word for it."""
        return self.model.endings.get(word)

    def surely_valid(self, values: dict[str, Any]) -> bool:
        """Whether nothing speaks against these values, of which some may be None; if not, `faults` knows for sure."""
        try:
            self._valid(values)
        except ValidationError:
            return False
        return True

    def field(self, name: str) -> FieldShape:
        """Raises `BadMapping` that lists the known fields."""
        try:
            return self.fields[name]
        except KeyError:
            known = ", ".join(self.fields)
            raise BadMapping(f"{self.name} has no field {name!r}; known: {known}", field=name) from None

    def faults(self, document: dict[str, Any]) -> list[tuple[str, str]]:
        """Pairs of field and message for what the entity forbids in a document of stated values."""
        try:
            self.model.model_validate(document, strict=False)
        except ValidationError as error:
            return [(str(fault["loc"][0]) if fault["loc"] else "", fault["msg"]) for fault in error.errors()]
        return []


TextSet: TypeAlias = Annotated[list[str], Compare(Comparator.SET)]


def shape_of(model: type[Entity]) -> EntityShape:
    """Read the field facts off an entity class."""
    fields = {
        name: _field_shape(name, info.annotation, info.metadata, required=info.is_required())
        for name, info in model.model_fields.items()
    }
    return EntityShape(model.entity_name, model, fields)


def _field_shape(name: str, annotation: Any, metadata: list[Any], *, required: bool) -> FieldShape:  # noqa: ANN401 - pydantic's own
    marks = [*metadata, *_marks(annotation)]
    group = next((part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, Group)), None)
    compare = next((mark.by for mark in marks if isinstance(mark, Compare)), None)
    reference = next((mark.entity for mark in marks if isinstance(mark, Reference)), "")
    comparator = compare or (group.comparator if group else Comparator.EXACT)
    return FieldShape(
        name=name,
        comparator=comparator,
        same=comparing(comparator),
        required=required,
        is_set=comparator is Comparator.SET,
        members=tuple(group.model_fields) if group else (),
        reference=reference,
        coded=any(isinstance(part, type) and issubclass(part, Enum) for part in _parts(annotation)),
    )


def _shown(model: type[BaseModel]) -> Any:  # noqa: ANN401 - a class made here
    """The model as a plain dictionary, where what need not be stated may be None: checked without making an object."""
    fields = {
        name: _optional(info.annotation, info.metadata, required=info.is_required())
        for name, info in model.model_fields.items()
    }
    kind: Any = TypedDict  # mypy knows written ones only
    shown = kind(f"{model.__name__}Shown", fields)
    shown.__pydantic_config__ = ConfigDict(extra="forbid")
    return shown


def _optional(annotation: Any, metadata: list[Any], *, required: bool) -> Any:  # noqa: ANN401 - pydantic's own
    group = next((part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, Group)), None)
    kind = _shown(group) if group else Annotated[annotation, *metadata] if metadata else annotation
    return Required[kind] if required else NotRequired[kind | None]


def _parts(annotation: Any) -> list[Any]:  # noqa: ANN401 - any type expression
    inner = [part for arg in get_args(annotation) for part in _parts(arg)]
    return [annotation, *inner]


def _marks(annotation: Any) -> list[Any]:  # noqa: ANN401 - any type expression
    own = list(get_args(annotation)[1:]) if get_origin(annotation) is Annotated else []
    return own + [mark for arg in get_args(annotation) for mark in _marks(arg)]
