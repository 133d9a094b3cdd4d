"""What kind of values a field takes, read off its entity: codes, flags, numbers, texts and their limits.

Not here: which values are tried (`samples`) and which states follow (`states`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from fsm_core.model.compare import Comparator
from fsm_core.model.entity import EntityShape, Group


@dataclass(frozen=True, slots=True)
class Kind:
    """The kind of one field, or of one member of a group."""

    comparator: Comparator
    codes: tuple[str, ...] = ()
    """Every code of an enumeration."""
    flag: bool = False
    many: bool = False
    ordered: bool = False
    """Numbers and days, of which one is the largest."""
    whole: bool = False
    """A number without decimals, kept as a number."""
    day: bool = False
    length: int | None = None
    pattern: str = ""
    required: bool = False


def kind(shape: EntityShape, field: str, member: str = "") -> Kind:
    """The kind of a field or member of a known entity."""
    info = shape.model.model_fields[field]
    if member:
        group = next(part for part in _parts(info.annotation) if isinstance(part, type) and issubclass(part, Group))
        return _kind(group.model_fields[member], Comparator.EXACT)
    return _kind(info, shape.fields[field].comparator)


def _kind(info: FieldInfo, comparator: Comparator) -> Kind:
    parts = list(_parts(info.annotation))
    marks = [*info.metadata, *(mark for part in parts if hasattr(part, "__metadata__") for mark in part.__metadata__)]
    marks += [inner for mark in marks for inner in (getattr(mark, "metadata", None) or ())]
    types = [part for part in parts if isinstance(part, type)]
    return Kind(
        comparator=comparator,
        codes=tuple(_codes(parts)),
        flag=comparator is Comparator.FLAG or (bool in types and not _codes_of(parts)),
        many=comparator is Comparator.SET or any(get_origin(part) is list for part in parts),
        ordered=comparator is Comparator.DECIMAL or any(issubclass(one, date | Decimal | int) for one in types),
        whole=int in types,
        day=any(issubclass(one, date) for one in types),
        length=next((one for mark in marks if (one := getattr(mark, "max_length", None)) is not None), None),
        pattern=next((one for mark in marks if isinstance(one := getattr(mark, "pattern", None), str)), ""),
        required=info.is_required(),
    )


def _codes_of(parts: list[Any]) -> bool:
    return any(isinstance(part, type) and issubclass(part, Enum) for part in parts)


def _codes(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, type) and issubclass(part, Enum):
            yield from (str(one.value) for one in part)
        elif get_origin(part) is Literal:
            yield from (str(one) for one in get_args(part))


def _parts(annotation: Any) -> Iterator[Any]:  # noqa: ANN401 - any type expression
    yield annotation
    for inner in get_args(annotation):
        if get_origin(annotation) is not Literal:
            yield from _parts(inner)
