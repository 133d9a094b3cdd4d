"""Comparators: when two values of a field mean the same, and canonical JSON with its hash.

A difference that the comparator hides is not a change. Not here: who wins a real difference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeAlias

import orjson
import phonenumbers

Value: TypeAlias = Any
"""A canonical value: text, bool, int, None, a sorted list (a set) or a mapping (a field group)."""
Same: TypeAlias = Callable[[Value, Value], bool]


class Comparator(StrEnum):
    """How a field's values are compared."""

    EXACT = "exact"
    CASELESS = "caseless"
    PHONE = "phone"
    EMAIL = "email"
    WEBSITE = "website"
    ADDRESS = "address"
    SET = "set"
    DECIMAL = "decimal"
    FLAG = "flag"
    NUMBERS = "numbers"
    """A group of decimal texts."""


def blank(value: Value) -> bool:
    """Whether a value says nothing: None, empty text, an empty set, a group of blanks. False is a statement."""
    kind = value.__class__
    if kind is str:
        return not value
    if value is None or kind is bool:
        return value is None
    return value in ("", [], {}) or (isinstance(value, Mapping) and all(map(blank, value.values())))


def stated(values: Mapping[str, Value]) -> dict[str, Value]:
    """The values that say something; a flag that is off says no more than one that was never stated."""
    return {
        name: value
        for name, value in values.items()
        # most are text or None: a call for each would cost more than all the rest
        if value is not None and value is not False and ((value and value.__class__ is not dict) or not blank(value))
    }


def text(value: str | None) -> str | None:
    """Text as the hub keeps it: NFC, trimmed, LF line ends, no NUL (PostgreSQL holds none); empty text is None."""
    if not value:
        return None
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in value:
        value = value.replace("\0", "")
    return value.strip() or None


def _exact(a: Value, b: Value) -> bool:
    return bool(a == b)


def _caseless(a: Value, b: Value) -> bool:
    return folded(str(a)) == folded(str(b))


@lru_cache(maxsize=4096)
def folded(value: str) -> str:
    """Text as a person would call it equal: no case, no odd forms of letters, single blanks."""
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())


_INTERNATIONAL = re.compile(r"\+[0-9 ()/-]{10,}")
_TAIL = 4


@lru_cache(maxsize=4096)
def _phone(a: str, b: str) -> bool:
    if _INTERNATIONAL.fullmatch(a) and _INTERNATIONAL.fullmatch(b):
        one, other = _digits(a), _digits(b)
        if one == other:
            return True
        # prefixes are written in several ways, the end of a number in one
        if min(len(one), len(other)) >= 2 * _TAIL and one[-_TAIL:] != other[-_TAIL:]:
            return False
    match = phonenumbers.is_number_match(_number(a) or a, _number(b) or b)
    if match == phonenumbers.MatchType.NOT_A_NUMBER:
        return _digits(a) == _digits(b)
    return bool(match in (phonenumbers.MatchType.EXACT_MATCH, phonenumbers.MatchType.NSN_MATCH))


@lru_cache(maxsize=4096)
def _number(value: str) -> phonenumbers.PhoneNumber | None:
    """Parsing is what costs: the same number is compared several times in one decision."""
    try:
        return phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        return None


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value) or value


def _website(a: Value, b: Value) -> bool:
    return _host(str(a)) == _host(str(b))


def _host(value: str) -> str:
    return re.sub(r"^(https?://)?(www\.)?", "", value.casefold().strip()).rstrip("/")


def _address(a: Value, b: Value) -> bool:
    return _address_key(a) == _address_key(b)


def _address_key(value: Mapping[str, Value]) -> tuple[str, ...]:
    line = f"{value.get('street') or ''} {value.get('number') or ''}"
    rest = (value.get(name) or "" for name in ("extra", "postcode", "city", "country"))
    region = str(value.get("region") or "")
    return (folded(line).replace(" ", ""), *(folded(str(part)) for part in rest), folded(region))


def _set(a: Value, b: Value) -> bool:
    return sorted(map(canonical, a)) == sorted(map(canonical, b))


def _decimal(a: Value, b: Value) -> bool:
    try:
        return Decimal(str(a)) == Decimal(str(b))
    except InvalidOperation:
        return bool(a == b)


def _numbers(a: Value, b: Value) -> bool:
    return all(_decimal(a.get(name) or 0, b.get(name) or 0) for name in {*a, *b})


def _flag(a: Value, b: Value) -> bool:
    return bool(a) == bool(b)


_BY_COMPARATOR: dict[Comparator, Same] = {
    Comparator.EXACT: _exact,
    Comparator.CASELESS: _caseless,
    Comparator.EMAIL: _caseless,
    Comparator.PHONE: _phone,
    Comparator.WEBSITE: _website,
    Comparator.ADDRESS: _address,
    Comparator.SET: _set,
    Comparator.DECIMAL: _decimal,
    Comparator.FLAG: _flag,
    Comparator.NUMBERS: _numbers,
}


def comparing(comparator: Comparator) -> Same:
    """The comparison of two values, blanks included: two blanks are the same, a blank and a value never."""
    same = _BY_COMPARATOR[comparator]
    if comparator is Comparator.FLAG:
        return same

    def compare(a: Value, b: Value) -> bool:
        if a is b or a == b:
            return True
        if blank(a) or blank(b):
            return blank(a) and blank(b)
        return same(a, b)

    return compare


def canonical(value: Value) -> bytes:
    """Canonical JSON: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(encoded: bytes) -> bytes:
    """The 16-byte content hash of canonical JSON."""
    return blake2b(encoded, digest_size=16).digest()
