"""By which values likely pairs are found, so that nobody has to compare all with all.

A block holds the links that have one such value in common; whoever is in no block of another is never compared with it.
Pure. Not here: the comparison (`similar`), and blocks that are too large to say anything (`fsm_core.service.alike`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor
from typing import Any

from fsm_core.model.entity import EntityShape
from fsm_core.sync.keys import Reader, digits
from fsm_core.sync.match import LONGEST
from fsm_core.sync.names import loosened
from fsm_core.sync.similar import FREE_MAIL, Doc, Feature, Kind, host, person, plain, position

WORDS, BEGIN, HEAD, REGION = 3, 4, 8, 3
"""Words of a name that are looked at, their first letters; of the whole name; of a postcode."""
CELL = 1000
"""Cells per degree: two positions in neighbouring ones have a corner in common."""
Within = Callable[[Doc], str]
"""Where a name is looked for: in one region, or among the children of one record."""
_Values = Callable[[Any, str], list[str]]


def block_readers(shape: EntityShape, compared: Sequence[Feature]) -> list[tuple[str, Reader]]:
    """Each feature that pairs can be found by, with what it reads of a document."""
    within = _within(shape, compared)
    return [(f"~{one.name}", _reader(one, _VALUES[one.kind], within)) for one in compared if one.kind in _VALUES]


def _within(shape: EntityShape, compared: Sequence[Feature]) -> Within:
    """A name alone is common: what narrows it down is a reference, else a postcode."""
    parents = [one for one in compared if shape.fields[one.path[0]].reference]
    regions = [one for one in compared if one.kind is Kind.POSTCODE]
    if parents:
        return lambda document: str(parents[0].of(document) or "")
    if regions:
        return lambda document: plain(str(regions[0].of(document) or ""))[:REGION]
    return lambda _document: ""


def _reader(feature: Feature, values: _Values, within: Within) -> Reader:
    def read(document: Doc) -> list[str]:
        value = feature.of(document)
        return [] if value is None else sorted({one[:LONGEST] for one in values(value, within(document))})

    return read


def _of_name(value: str, where: str) -> list[str]:
    words = loosened(str(value)).split()
    found = ["".join(sorted(words))[:HEAD]]
    return found + [f"{word[:BEGIN]}|{where}" for word in words[:WORDS] if where]


def _of_person(value: Doc, where: str) -> list[str]:
    last, first = person(value)
    return [f"{last}|{first}"] + [f"{last[:BEGIN]}|{where}"] * bool(where)


def _of_domain(value: str, _where: str) -> list[str]:
    return [] if host(value) in FREE_MAIL else [host(value)]


def _of_mail(value: str, where: str) -> list[str]:
    return [value.casefold().strip(), *_of_domain(value, where)]


def _of_phone(value: str, _where: str) -> list[str]:
    return [digits(value)]


def _of_address(value: Doc, _where: str) -> list[str]:
    return [f"{plain(value.get('street') or '')[:BEGIN]}|{plain(value.get('postcode') or '')}"]


def _of_position(value: Doc, _where: str) -> list[str]:
    """The corners of its cell."""
    row, column = (floor(degrees * CELL) for degrees in position(value))
    return [f"{row + down}|{column + right}" for down in (0, 1) for right in (0, 1)]


_VALUES: dict[Kind, _Values] = {
    Kind.NAME: _of_name,
    Kind.PERSON: _of_person,
    Kind.DOMAIN: _of_domain,
    Kind.EMAIL: _of_mail,
    Kind.PHONE: _of_phone,
    Kind.ADDRESS: _of_address,
    Kind.GEO: _of_position,
}
"""What cannot be found by is not among them: a postcode alone is a whole town."""
