"""What of a document a key compares: exact parts where a key links, loose ones where it only asks.

A key of several parts has a value when all of them have one; a part that is a set gives one value per member.
Not here: keys of one field and names (`match`), and what equal keys lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, TypeAlias

from fsm_core.model.compare import Comparator, blank, canonical, folded
from fsm_core.model.entity import EntityShape
from fsm_core.sync.match import LONGEST, key_reader, value_of
from fsm_core.sync.names import loosened, unaccented

Reader: TypeAlias = Callable[[Mapping[str, Any]], list[str]]
"""From a document to the values of one key."""
_Part: TypeAlias = Callable[[Any], str]
TAIL = 7
"""Digits at the end of a phone number that are compared: prefixes are written in several ways."""


def reader(shape: EntityShape, names: tuple[str, ...], *, strong: bool) -> Reader:
    """Reads one key; `strong` keys link without asking, so their parts are compared exactly."""
    parts = [_part(shape, name, strong=strong) for name in names]
    if len(names) == 1 or all(part is loosened for part in parts):
        return key_reader(names)
    paths = [tuple(name.split(".")) for name in names]

    def read(document: Mapping[str, Any]) -> list[str]:
        found: list[list[str]] = []
        for path, part in zip(paths, parts, strict=True):
            value = value_of(document, path)
            said = [] if blank(value) else [part(one) for one in (value if isinstance(value, list) else [value])]
            if not any(said):
                return []
            found.append([one for one in said if one])
        return sorted({"|".join(parts)[:LONGEST] for parts in product(*found)})

    return read


def _part(shape: EntityShape, name: str, *, strong: bool) -> _Part:
    head, _, member = name.partition(".")
    field = shape.field(head)
    if not member and field.comparator is Comparator.ADDRESS:
        return address
    if not member and field.comparator in (Comparator.EMAIL, Comparator.CASELESS):
        return folded
    if field.reference or strong:
        return _exact
    return digits if field.comparator is Comparator.PHONE else loosened


def _exact(value: Any) -> str:  # noqa: ANN401 - any canonical value
    return canonical(value).decode() if isinstance(value, Mapping) else str(value).casefold()


def digits(value: str) -> str:
    """The end of a phone number."""
    return "".join(filter(str.isdigit, value))[-TAIL:]


def address(value: Mapping[str, Any]) -> str:
    """Street and number in letters and digits alone, postcode and country; "" for an address without one of the first.

    Two addresses that the comparator calls the same have the same key, as they differ in less than it looks at.
    """
    line = _letters(f"{value.get('street') or ''} {value.get('number') or ''}")
    postcode, country = (_letters(value.get(name) or "") for name in ("postcode", "country"))
    return f"{line}/{postcode}/{country}" if line and postcode else ""


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, unaccented(folded(text).replace(" ", ""))))


def readers(
    shape: EntityShape, keys: Sequence[tuple[str, ...]], ask: Sequence[tuple[str, ...]]
) -> list[tuple[str, Reader]]:
    """Every key of an entity by its name."""
    strong = [("+".join(names), reader(shape, names, strong=True)) for names in keys]
    return strong + [("+".join(names), reader(shape, names, strong=False)) for names in ask]
