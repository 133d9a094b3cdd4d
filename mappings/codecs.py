"""Codecs of general use: text, flags, code tables, sets, numbers, dates, tax ids in one text field.

Not here: addresses (`codecs_address`) and what only SAP does (`codecs_sap`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, Literal

from fsm_core.errors import BadMapping
from fsm_core.model.compare import Value, text
from fsm_core.ports import Json
from mappings.codec import UNTOUCHED, Around, Codec, Factory, Undecodable, Unencodable, fit, plain
from mappings.paths import Native

Table = dict[str, str | bool | int | list[str | bool | int]]
Encoded = tuple[Native, ...]


class Codes:
    """A one-to-one table between canonical codes and native ones, with extra native spellings if declared."""

    def __init__(self, values: Table, representative: Mapping[str, Json]) -> None:
        self.native: dict[str, Any] = {}
        self.canonical: dict[Any, str] = {}
        for code, native in values.items():
            spellings = native if isinstance(native, list) else [native]
            self.native[code] = self._representative(code, spellings, representative)
            for spelling in spellings:
                if spelling in self.canonical:
                    raise BadMapping(f"values: {spelling!r} stands for both {self.canonical[spelling]!r} and {code!r}")
                self.canonical[spelling] = code
        self._known_native = ", ".join(map(str, self.canonical))
        self._known = ", ".join(self.native)

    @staticmethod
    def _representative(code: str, spellings: list[Any], representative: Mapping[str, Json]) -> Any:  # noqa: ANN401
        if len(spellings) == 1:
            return spellings[0]
        if representative.get(code) not in spellings:
            raise BadMapping(f"values: {code!r} has several native codes; name one of them under 'representative'")
        return representative[code]

    def decode(self, value: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        """The canonical code; an unknown native one is a fault."""
        found = self.canonical.get(value)
        if found is not None:
            return found
        trimmed = plain(value)
        if trimmed is None:
            return None
        if trimmed not in self.canonical:
            raise Undecodable(f"code {trimmed!r} is not in the table; known: {self._known_native}")
        return self.canonical[trimmed]

    def encode(self, value: str) -> Json:
        """The native code; an unknown canonical one is refused."""
        if value not in self.native:
            raise Unencodable(
                f"code {value!r} is not in the table; known: {self._known}",
                f"Add {value!r} to the 'values' of this field in the mapping.",
            )
        native: Json = self.native[value]
        return native


def text_codec(*, length: int | None = None, too_long: Literal["refuse", "leave"] = "refuse") -> Codec:
    """Text, trimmed and NFC. `too_long: leave` keeps the system's own value where ours does not fit."""

    def encode(value: str | None, _: Around) -> tuple[Any, ...]:
        cleaned = text(value)
        if too_long == "leave" and cleaned and length is not None and len(cleaned) > length:
            return (UNTOUCHED,)
        return (fit(cleaned, length),)

    return Codec(plain, encode)


def reference() -> Codec:
    """The id of another record in the same system; the core exchanges it for ours."""
    return Codec(plain, lambda value, _: (value or None,))


def flag(*, mark: str = "") -> Codec:
    """A boolean; with `mark` a text field that holds the mark (`X`) or nothing, and is read as set when not blank."""

    def decode(value: Any) -> bool:  # noqa: ANN401 - whatever the document holds
        if isinstance(value, bool):
            return value
        if mark and isinstance(value, str):
            return bool(value.strip())
        raise Undecodable(f"{value!r} is not a flag")

    def encode(value: Value, _: Around) -> Encoded:
        return ((mark if value else "") if mark else bool(value),)

    return Codec(decode, encode)


def enum(*, values: Table, representative: dict[str, str | bool | int] | None = None) -> Codec:
    """A code through the `values` table."""
    codes = Codes(values, representative or {})

    def encode(value: str | None, _: Around) -> Encoded:
        return (None if value is None else codes.encode(value),)

    return Codec(codes.decode, encode)


def multi_picklist(*, values: Table | None = None, separator: str = ";") -> Codec:
    """A set in one text (`a;b`), through the `values` table if there is one."""
    codes = Codes(values, {}) if values else None

    @lru_cache(maxsize=1024)
    def decoded(value: str) -> tuple[str, ...]:
        parts = [part for item in value.split(separator) if (part := text(item))]
        return tuple(sorted({codes.decode(part) or "" for part in parts} if codes else set(parts)))

    def decode(value: Any) -> list[str] | None:  # noqa: ANN401 - whatever the document holds
        return list(decoded(plain(value) or "")) or None

    def encode(value: list[str] | None, _: Around) -> Encoded:
        parts = {str(codes.encode(item)) if codes else item for item in value or ()}
        if broken := next((part for part in parts if separator in part), None):
            raise Unencodable(f"{broken!r} contains the separator {separator!r}")
        return (separator.join(sorted(parts)) or None,)

    return Codec(decode, encode)


def text_set() -> Codec:
    """A set kept natively as a list of texts."""

    def decode(value: Any) -> list[str] | None:  # noqa: ANN401 - whatever the document holds
        if value is None:
            return None
        if not isinstance(value, list | tuple):
            raise Undecodable("a list expected")
        return sorted({part for item in value if (part := plain(item))}) or None

    def encode(value: list[str] | None, _: Around) -> Encoded:
        return (sorted(set(value)) if value else None,)

    return Codec(decode, encode)


def decimal(*, places: int | None = None) -> Codec:
    """A decimal as text without trailing zeros; written with `places` decimals if given."""

    def decode(value: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        if isinstance(value, bool | float):
            raise Undecodable(f"{value!r} is not an exact decimal")
        return None if value is None or value == "" else _plain_decimal(_number(value, Undecodable))

    def encode(value: str | int | None, _: Around) -> Encoded:
        if value is None:
            return (None,)
        number = _number(value, Unencodable)
        if places is None:
            return (_plain_decimal(number),)
        rounded = format(number, f".{places}f")
        if Decimal(rounded) != number:
            raise Unencodable(f"{value} has more than {places} decimals", "Round it where it is owned.")
        return (rounded,)

    return Codec(decode, encode)


def _number(value: Any, error: type[ValueError]) -> Decimal:  # noqa: ANN401 - whatever the document holds
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise error(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise error(f"{value!r} is not a number")
    return number


def _plain_decimal(number: Decimal) -> str:
    plain_text = format(number, "f")
    trimmed = plain_text.rstrip("0").rstrip(".") if "." in plain_text else plain_text
    return "0" if trimmed in ("-0", "") else trimmed


def date_codec() -> Codec:
    """A date, `YYYY-MM-DD` on both sides."""
    return _moment(lambda value: date.fromisoformat(value).isoformat())


def instant() -> Codec:
    """An instant: ISO 8601 with an offset, kept in UTC ending in `Z`."""
    return _moment(_utc)


def _utc(value: str) -> str:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(value)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _moment(canonical: Any) -> Codec:  # noqa: ANN401 - a function from text to text
    def decode(value: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        stated = plain(value)
        try:
            return canonical(stated) if stated else None
        except (ValueError, OverflowError):
            raise Undecodable(f"{stated!r} is not a date or an instant with an offset") from None

    def encode(value: str | None, _: Around) -> Encoded:
        try:
            return (canonical(value) if value else None,)
        except (ValueError, OverflowError):
            raise Unencodable(f"{value!r} is not a date or an instant with an offset") from None

    return Codec(decode, encode)


_VAT_NOISE: Final = re.compile(r"[\s.-]+")
_SCHEME: Final = re.compile(r"[A-Z]{2,10}:.")


def vat(value: str) -> str | None:
    """A VAT id as the hub keeps it: `VAT:DE136695976`, upper case, no blanks, dots, dashes; validity is not judged."""
    bare = _VAT_NOISE.sub("", value).upper()
    return f"VAT:{bare}" if bare else None


def vat_set(*, length: int | None = None) -> Codec:
    """Tax ids in one text, `;` between them: VAT ids bare, ids of other schemes as `SCHEME:VALUE`."""

    def decode(value: Any) -> list[str] | None:  # noqa: ANN401 - whatever the document holds
        if value.__class__ is str and value.isalnum() and value.isupper():
            return [f"VAT:{value}"]
        parts = [part for item in (plain(value) or "").split(";") if (part := text(item))]
        found = (_tax_id(part) for part in parts)
        return sorted({part for part in found if part}) or None

    def encode(value: list[str] | None, _: Around) -> Encoded:
        parts = sorted(_bare_tax_id(item) for item in value or ())
        if broken := next((part for part in parts if ";" in part), None):
            raise Unencodable(f"tax id {broken!r} contains a semicolon", "Correct the tax id where it is owned.")
        return (fit("; ".join(parts) or None, length),)

    return Codec(decode, encode)


def _tax_id(part: str) -> str | None:
    if part.startswith("VAT:"):
        return vat(part[4:])
    return part if _SCHEME.match(part) else vat(part)


def _bare_tax_id(item: Value) -> str:
    scheme, _, value = str(item).partition(":")
    return value if scheme == "VAT" and value and not _SCHEME.match(value) else str(item)


CODECS: dict[str, Factory] = {
    "text": text_codec,
    "reference": reference,
    "flag": flag,
    "enum": enum,
    "multi_picklist": multi_picklist,
    "text_set": text_set,
    "decimal": decimal,
    "date": date_codec,
    "instant": instant,
    "vat_set": vat_set,
}
