"""Codecs of addresses and languages: countries, street lines, house numbers, language and currency codes.

Not here: how members of an address become one value (`compile`), or postcode and region tables.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Final, Literal

from babel import Locale, localedata
from babel.core import get_global

from fsm_core.model.compare import text
from mappings.codec import Around, Codec, Factory, Undecodable, Unencodable, fit, plain
from mappings.codecs import Encoded

_NOT_COUNTRIES: Final = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})
_SPOKEN: Final = {
    "united states of america": "US",
    "great britain": "GB",
    "holland": "NL",
    "ivory coast": "CI",
    "elfenbeinküste": "CI",
    "czech republic": "CZ",
    "turkey": "TR",
    "hong kong": "HK",
    "macau": "MO",
}
"""Everyday names that CLDR writes differently."""


def _folded(name: str) -> str:
    return " ".join(name.replace(".", "").replace("\u2019", "'").casefold().split()).removeprefix("the ")


def _territories(language: str) -> dict[str, str]:
    names = Locale.parse(language).territories
    return {code: str(name) for code, name in names.items() if re.fullmatch("[A-Z]{2}", code)}


@cache
def _english() -> dict[str, str]:
    return {code: name for code, name in _territories("en").items() if code not in _NOT_COUNTRIES}


@cache
def _codes() -> dict[str, str]:
    """Folded codes (two and three letters, `UK`) and English names."""
    aliases = {code: targets[0] for code, targets in get_global("territory_aliases").items() if len(targets) == 1}
    known = {_folded(alias): code for alias, code in aliases.items() if alias.isalpha() and code in _english()}
    names = {_folded(name): code for code, name in _english().items()}
    return {**known, **names, **_SPOKEN, **{code.casefold(): code for code in _english()}}


@cache
def _names_anywhere() -> dict[str, str]:
    """Folded names in every language of CLDR, without the ambiguous ones; takes most of a second, once."""
    found: dict[str, set[str]] = {}
    for language in localedata.locale_identifiers():
        if "_" not in language:
            for code, name in _territories(language).items():
                found.setdefault(_folded(name), set()).add(code)
    return {name: next(iter(codes)) for name, codes in found.items() if len(codes) == 1 and codes <= set(_english())}


@lru_cache(maxsize=4096)
def _country_of(stated: str) -> str | None:
    folded = _folded(stated)
    return _codes().get(folded) or _names_anywhere().get(folded)


def country(*, style: Literal["code", "name"] = "code", length: int | None = None) -> Codec:
    """ISO 3166-1 alpha-2 from a code or a name in any language; written as code or English name."""

    def decode(value: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        stated = plain(value)
        if stated is None:
            return None
        code = _country_of(stated)
        if code is None:
            raise Undecodable(f"{stated!r} is not the code or the name of one country")
        return code

    def encode(value: str | None, _: Around) -> Encoded:
        if value is None:
            return (None,)
        name = _english().get(value)
        if name is None:
            raise Unencodable(f"{value!r} is not a country code", "Use an ISO 3166-1 alpha-2 code.")
        return (fit(name if style == "name" else value, length),)

    return Codec(decode, encode)


_LETTERS: Final = {
    "1": "zh", "2": "th", "3": "ko", "4": "ro", "5": "sl", "6": "hr", "8": "uk", "9": "et",
    "A": "ar", "B": "he", "C": "cs", "D": "de", "E": "en", "F": "fr", "G": "el", "H": "hu", "I": "it", "J": "ja",
    "K": "da", "L": "pl", "N": "nl", "O": "no", "P": "pt", "Q": "sk", "R": "ru", "S": "es", "T": "tr", "U": "fi",
    "V": "sv", "W": "bg", "X": "lt", "Y": "lv", "a": "af", "b": "is", "c": "ca",
}  # fmt: skip
"""SAP's one-letter language keys (table T002)."""
_LETTER_OF: Final = {code: letter for letter, code in _LETTERS.items()}


@lru_cache(maxsize=256)
def _language_of(stated: str) -> str:
    code = _LETTERS.get(stated) or re.split("[-_]", stated)[0].lower()
    if not re.fullmatch("[a-z]{2}", code):
        raise Undecodable(f"{stated!r} is not a language code")
    return code


def language(*, style: Literal["lower", "upper", "letter"] = "lower") -> Codec:
    """ISO 639-1, read from `de`, `DE`, `de_DE` or SAP's `D`; written lower, upper or as SAP's letter."""

    def decode(value: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        stated = plain(value)
        return None if stated is None else _language_of(stated)

    def encode(value: str | None, _: Around) -> Encoded:
        if value is None or style == "lower":
            return (value,)
        if style == "upper":
            return (value.upper(),)
        if value not in _LETTER_OF:
            raise Unencodable(f"language {value!r} has no one-letter key", "Use the two-letter style in the mapping.")
        return (_LETTER_OF[value],)

    return Codec(decode, encode)


def currency() -> Codec:
    """ISO 4217 code, three capital letters."""

    def decode(value: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        stated = plain(value)
        if stated is not None and not (len(stated) == 3 and stated.isascii() and stated.isalpha() and stated.isupper()):  # noqa: PLR2004
            raise Undecodable(f"{stated!r} is not an ISO 4217 currency code")
        return stated

    return Codec(decode, lambda value, _: (value,))


Lines = tuple[str | None, str | None, str | None]


def street_line(*, length: int | None = None) -> Codec:
    """Members street, number, extra in one text: line 1 is the street with its number, further lines are extra.

    Reading does not split the number off; the address comparator sees street and number as one.
    """

    def decode(value: Any) -> Lines:  # noqa: ANN401 - whatever the document holds
        if value.__class__ is str and "\n" not in value and "\r" not in value:
            return plain(value), None, None
        if value is None:
            return None, None, None
        if not isinstance(value, str):
            raise Undecodable("text expected")
        first, _, rest = value.replace("\r\n", "\n").replace("\r", "\n").partition("\n")
        return text(first), None, text(rest)

    def encode(value: Lines, _: Around) -> Encoded:
        street, number, extra = (text(part) for part in value)
        first = " ".join(" ".join(part.split()) for part in (street, number) if part)
        whole = f"{first}\n{extra}" if extra else first
        return (fit(whole or None, length),)

    return Codec(decode, encode, members=3, skips_none=False)


_HOUSE_NUMBER: Final = re.compile(
    r"(?P<street>[\d\W]*[^\W\d].*?)(?<![,\s])\s(?P<number>\d+ ?[a-zA-Z]?( ?[-/+] ?\d+ ?[a-zA-Z]?)*)",
)


def split_street(line: str, number_length: int = 10) -> tuple[str, str | None]:
    """Split a trailing house number off: `Hauptstraße 12a`, but not `12 Main Street` or `C/ Mayor, 5`."""
    found = _HOUSE_NUMBER.fullmatch(line)
    if found is None or len(found["number"]) > number_length:
        return line, None
    return found["street"], found["number"]


def street_and_number(*, street_length: int = 60, number_length: int = 10) -> Codec:
    """Members street, number in two fields; a trailing house number is split off when no number is stated."""

    def decode(street: Any, number: Any) -> tuple[str | None, str | None]:  # noqa: ANN401 - whatever there is
        return plain(street), plain(number)

    def encode(value: tuple[str | None, str | None], _: Around) -> Encoded:
        street, number = (" ".join(part.split()) if part else None for part in value)
        if street and not number:
            street, number = split_street(street, number_length)
        if number and len(number) > number_length:
            street, number = " ".join(part for part in (street, number) if part), None
        return fit(street or None, street_length, "the street"), number or None

    return Codec(decode, encode, natives=2, members=2)


def lines(*, length: int | None = None) -> Codec:
    """One text over several fields, a line in each."""

    def decode(*values: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        return "\n".join(part for value in values if (part := plain(value))) or None

    def encode(value: str | None, _: Around) -> Encoded:
        stated = [line for part in (value or "").splitlines() if (line := text(part))]
        return tuple(fit(line, length, "a line") for line in stated)

    return Codec(decode, encode, natives=None)


CODECS: dict[str, Factory] = {
    "country": country,
    "language": language,
    "currency": currency,
    "street_line": street_line,
    "street_and_number": street_and_number,
    "lines": lines,
}
