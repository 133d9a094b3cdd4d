"""Codecs for what only an SAP business partner does: name parts, role and tax rows, blocks, phone rows.

Not here: where in the document these fields lie (`sap/customer.yaml`). Lengths and keys are those of
API_BUSINESS_PARTNER.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

import phonenumbers

from fsm_core.model.compare import Comparator, Value, comparing, text
from fsm_core.ports import Json, Row
from mappings.codec import UNTOUCHED, Around, Codec, Factory, Undecodable, Unencodable, fit, plain
from mappings.codecs import Codes, Encoded, Table, vat

NAME_PARTS: Final = 4
NAME_LENGTH: Final = 40
_TOO_LONG_NAME: Final = "Shorten the legal name where it is owned; SAP keeps four parts of 40 characters."


def sap_name() -> Codec:
    """OrganizationBPName1..4, LastName, FirstName as one name; the record's `kind` chooses which are written."""

    def decode(*values: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        parts = values[:NAME_PARTS]
        if any(plain(part) for part in parts):
            return joined_name([str(part or "").rstrip(" ") for part in parts])
        last, first = (plain(value) for value in values[NAME_PARTS:])
        return text(f"{first or ''} {last or ''}")

    def encode(value: str | None, around: Around) -> tuple[Any, ...]:
        name = " ".join((text(value) or "").split())
        if around.record.get("kind") != "person":
            parts = split_name(name)
            return (*(part or None for part in parts), UNTOUCHED, UNTOUCHED)
        first, _, last = name.rpartition(" ")
        fit(first, NAME_LENGTH, "the first name")
        fit(last, NAME_LENGTH, "the last name")
        return (*(UNTOUCHED,) * NAME_PARTS, last or None, first or None)

    return Codec(decode, encode, natives=NAME_PARTS + 2)


def split_name(name: str) -> list[str]:
    """Four parts cut at word edges; where words do not fit, plain chunks of 40. `joined_name` is the inverse."""
    for parts in (_by_words(name), _by_chunks(name)):
        if parts is not None and joined_name(parts) == (name or None):
            return [*parts, "", "", "", ""][:NAME_PARTS]
    raise Unencodable(f"{len(name)} characters do not fit into the four name parts", _TOO_LONG_NAME)


def joined_name(parts: Sequence[str]) -> str | None:
    """The parts with blanks between them, unless they can only be chunks of a text that words do not fit."""
    stated = list(parts)
    while stated and not stated[-1]:
        stated.pop()
    chunked = text("".join(part.ljust(NAME_LENGTH) for part in stated)) or ""
    leading_blank = any(part.startswith(" ") for part in stated)
    only_chunks = leading_blank or _by_words(chunked) is None
    if only_chunks and "  " not in chunked and _by_chunks(chunked) == stated:
        return chunked
    return text(" ".join(part for part in stated if part))


def _by_words(name: str) -> list[str] | None:
    parts = [""]
    for word in name.split(" "):
        longer = f"{parts[-1]} {word}" if parts[-1] else word
        if len(longer) <= NAME_LENGTH:
            parts[-1] = longer
        else:
            parts.append(word)
    fits = len(parts) <= NAME_PARTS and all(len(part) <= NAME_LENGTH for part in parts)
    return parts if fits else None


def _by_chunks(name: str) -> list[str] | None:
    if len(name) > NAME_PARTS * NAME_LENGTH:
        return None
    return [name[start : start + NAME_LENGTH].rstrip(" ") for start in range(0, len(name), NAME_LENGTH)]


def alpha() -> Codec:
    """A number in SAP's ALPHA format: leading zeros mean nothing when all characters are digits."""

    def decode(value: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        stated = plain(value)
        return (stated.lstrip("0") or None) if stated and stated.isdecimal() else stated

    return Codec(decode, lambda value, _: (decode(value),))


def sap_roles(*, values: Table, unmapped: Literal["refuse", "leave"] = "refuse") -> Codec:
    """A set as role rows. Role codes outside `values` are neither read nor deleted.

    `unmapped: leave` leaves our roles out that SAP has no row for, instead of refusing the write.
    """
    codes = Codes(values, {})

    def decode(rows: Any) -> list[str] | None:  # noqa: ANN401 - whatever the document holds
        found = (codes.canonical.get(row.get("BusinessPartnerRole")) for row in _rows(rows))
        return sorted({role for role in found if role}) or None

    def encode(value: list[str] | None, around: Around) -> Encoded:
        wanted = {role for role in value or () if unmapped == "refuse" or role in codes.native}
        gone = {role for role in around.now or () if role in codes.native} - wanted
        added = (Row({"BusinessPartnerRole": codes.encode(role)}) for role in sorted(wanted))
        removed = (Row({"BusinessPartnerRole": codes.encode(role)}, delete=True) for role in sorted(gone))
        return ((*added, *removed),)

    return Codec(decode, encode, reads={0: ("BusinessPartnerRole",)})


_VAT_COUNTRIES: Final = frozenset(re.findall("..", "ATBEBGCHCYCZDEDKEEESFIFRGBGRHRHUIEITLTLULVMTNLNOPLPTROSESISKXI"))
"""Countries whose tax type of category 0 is the VAT id."""
_VAT_PREFIX: Final = {"GR": "EL"}
_COUNTRY_OF_PREFIX: Final = {prefix: country for country, prefix in _VAT_PREFIX.items()}


def sap_tax_numbers() -> Codec:
    """VAT ids as tax rows of category 0 (`DE0`); rows of other tax types are neither read nor touched."""

    def decode(rows: Any) -> list[str] | None:  # noqa: ANN401 - whatever the document holds
        found = (_tax_id(row) for row in _rows(rows))
        return sorted({tax_id for tax_id in found if tax_id}) or None

    def encode(value: list[str] | None, around: Around) -> Encoded:
        wanted = _by_tax_type(value or ())
        gone = {_tax_type(tax_id) for tax_id in around.now or ()} - set(wanted)
        written = (Row({"BPTaxType": kind}, {"BPTaxNumber": number}) for kind, number in sorted(wanted.items()))
        return ((*written, *(Row({"BPTaxType": kind}, delete=True) for kind in sorted(gone))),)

    return Codec(decode, encode, reads={0: ("BPTaxType", "BPTaxNumber")})


def _tax_id(row: Mapping[str, Json]) -> str | None:
    country, category = str(row.get("BPTaxType") or "")[:-1], str(row.get("BPTaxType") or "")[-1:]
    tax_id = vat(plain(row.get("BPTaxNumber")) or "")
    if category != "0" or country not in _VAT_COUNTRIES or tax_id is None:
        return None
    prefix = _VAT_PREFIX.get(country, country)
    return tax_id if tax_id.startswith(f"VAT:{prefix}") else f"VAT:{prefix}{tax_id[4:]}"


def _tax_type(tax_id: str) -> str:
    prefix = tax_id[4:6]
    return f"{_COUNTRY_OF_PREFIX.get(prefix, prefix)}0"


def _by_tax_type(tax_ids: Iterable[str]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for tax_id in sorted(tax_ids):
        cleaned = vat(tax_id.removeprefix("VAT:")) if tax_id.startswith("VAT:") else None
        if cleaned is None or _tax_type(cleaned)[:-1] not in _VAT_COUNTRIES:
            raise Unencodable(f"{tax_id!r} has no tax type of category 0", "Only VAT ids of known countries go to SAP.")
        kind = _tax_type(cleaned)
        if wanted.get(kind, cleaned[4:]) != cleaned[4:]:
            raise Unencodable(f"two tax numbers of type {kind}, SAP keeps one", "Remove the wrong one at its owner.")
        wanted[kind] = fit(cleaned[4:], 20, "a tax number") or ""
    return wanted


def sap_phone() -> Codec:
    """PhoneNumber, PhoneNumberExtension, DestinationLocationCountry as one international number.

    What is not a phone number with a country is kept as text, without country.
    """

    def decode(number: Any, extension: Any, country: Any) -> str | None:  # noqa: ANN401 - whatever there is
        digits, extra, region = plain(number) or "", plain(extension) or "", plain(country)
        if not digits:
            return None
        return (region and _international(digits + extra, region)) or f"{digits} {extra}".strip()

    def encode(value: str | None, _: Around) -> Encoded:
        stated = text(value)
        if stated is None:
            return None, None, None
        national = _national(stated)
        return (national[0], None, national[1]) if national else (fit(stated, 30, "the phone number"), None, None)

    return Codec(decode, encode, natives=3)


@lru_cache(maxsize=4096)
def _international(number: str, region: str) -> str | None:
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return None
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL))


@lru_cache(maxsize=4096)
def _national(stated: str) -> tuple[str, str] | None:
    """National number and country, if SAP's reading of them is the stated number again."""
    try:
        parsed = phonenumbers.parse(stated, None)
    except phonenumbers.NumberParseException:
        return None
    region = phonenumbers.region_code_for_number(parsed)
    number = str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))
    again = _international(number, region) if region else None
    same = again is not None and len(number) <= 30 and comparing(Comparator.PHONE)(again, stated)  # noqa: PLR2004
    return (number, str(region)) if same else None


_CUSTOMER_ROLES: Final = frozenset({"FLCU00", "FLCU01"})
_PROSPECT_ROLE: Final = "BUP002"


def sap_status() -> Codec:
    """BusinessPartnerIsBlocked, IsMarkedForArchiving and the role rows as one status.

    Archived is inactive, blocked is on hold; a partner with the prospect role and no customer role is a prospect.
    Roles are written by their own field, so a status they contradict is refused.
    """

    def decode(blocked: Any, archived: Any, rows: Any) -> str:  # noqa: ANN401 - whatever the document holds
        if archived is True:
            return "inactive"
        if blocked is True:
            return "on_hold"
        roles = {row.get("BusinessPartnerRole") for row in _rows(rows)}
        return "prospect" if _PROSPECT_ROLE in roles and not roles & _CUSTOMER_ROLES else "active"

    def encode(value: str | None, around: Around) -> tuple[Any, ...]:
        if value in ("active", "prospect"):
            _agree(value, set(around.record.get("roles") or ()))
        elif value not in ("on_hold", "inactive", None):
            raise Unencodable(f"{value!r} is not a status; known: prospect, active, on_hold, inactive")
        return value == "on_hold", value == "inactive", UNTOUCHED

    return Codec(decode, encode, natives=3, reads={2: ("BusinessPartnerRole",)})


def _agree(value: str, roles: set[Value]) -> None:
    shown = "prospect" if "prospect" in roles and not roles & {"customer", "bill_to"} else "active"
    if shown != value:
        raise Unencodable(
            f"status {value} contradicts the roles, SAP would show {shown}",
            "Give the record the role prospect only, or a customer role, together with this status.",
        )


def billing_status() -> Codec:
    """Read only: Customer and its block fields; no customer part is `none`, any block `blocked`, else `active`."""

    def decode(customer: Any, *blocks: Any) -> str:  # noqa: ANN401 - whatever the document holds
        if plain(customer) is None:
            return "none"
        return "blocked" if any(block is True or (block and plain(block)) for block in blocks) else "active"

    def encode(_value: str | None, _around: Around) -> Encoded:
        raise Unencodable(
            "the billing status follows from the customer part and its blocks", "Map it with direction in."
        )

    return Codec(decode, encode, natives=None)


def _rows(rows: Any) -> Sequence[Mapping[str, Json]]:  # noqa: ANN401 - whatever the document holds
    if rows is None:
        return ()
    if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
        raise Undecodable("a list of rows expected")
    return rows


CODECS: dict[str, Factory] = {
    "sap_name": sap_name,
    "alpha": alpha,
    "sap_roles": sap_roles,
    "sap_tax_numbers": sap_tax_numbers,
    "sap_phone": sap_phone,
    "sap_status": sap_status,
    "billing_status": billing_status,
}
