"""What a codec is: a named pair of total functions between native values and one canonical value.

Not here: the codecs themselves (`codecs`, `codecs_address`, `codecs_sap`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from fsm_core.model.compare import Value, text
from mappings.paths import Native


class Undecodable(ValueError):  # noqa: N818 - named like the errors of the hub
    """The native value has no canonical meaning; becomes a fault, never a guess."""


class Unencodable(ValueError):  # noqa: N818 - as above
    """The canonical value cannot be expressed natively; `remedy` tells a person what to do."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class Untouched:
    """The type of `UNTOUCHED`."""

    def __repr__(self) -> str:
        return "UNTOUCHED"


UNTOUCHED: Final = Untouched()
"""In an encoded tuple: leave this native field as it is."""


@dataclass(frozen=True, slots=True)
class Around:
    """What an encoder may look at beside the value: canonical values as the system will show them."""

    now: Value = None
    """The field's own value at present; None when blank or unknown."""
    record: Mapping[str, Value] = field(default_factory=dict)
    """The other fields: at present, overlaid with what is being written."""


Decoder: TypeAlias = Callable[..., Value]
"""Takes one argument per native field, None for a blank; returns the value, or one item per member."""
Encoder: TypeAlias = Callable[[Any, Around], "tuple[Native | Untouched, ...]"]
"""Takes the value (a tuple when there are several members); returns one item per native field."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A decoder and its inverse, with their arities."""

    decode: Decoder
    encode: Encoder
    natives: int | None = 1
    """Native fields it reads; None for any number, where missing ones are written as None."""
    members: int = 1
    """Canonical group members it covers."""
    skips_none: bool = True
    """A single native None is a blank value, the decoder need not be asked."""
    reads: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Where a native field (by position) is a child list: the fields of its rows."""


Factory: TypeAlias = Callable[..., Codec]
"""Builds a codec from its options, all of them keywords."""


def plain(value: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
    """Native text as the hub keeps it; anything but text is a fault."""
    if value.__class__ is str:
        if value.isascii() and "\r" not in value and "\0" not in value:
            return value.strip() or None
        return text(value)
    if value is None:
        return None
    raise Undecodable(f"text expected, found {kind_of(value)}")


def kind_of(value: Any) -> str:  # noqa: ANN401 - whatever the document holds
    """A word for the JSON kind of a value, for messages."""
    if isinstance(value, Mapping):
        return "a nested document"
    kinds = {bool: "a boolean", int: "a number", float: "a float", str: "text", list: "a list", tuple: "a list"}
    return kinds.get(type(value), type(value).__name__)


def fit(value: str | None, length: int | None, what: str = "the field") -> str | None:
    """The text itself; raises `Unencodable` when it is longer than `length`."""
    if value is not None and length is not None and len(value) > length:
        raise Unencodable(
            f"{len(value)} characters, {what} there holds {length}",
            f"Shorten the value to {length} characters where it is owned, or map it to a longer field.",
        )
    return value
