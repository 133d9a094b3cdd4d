"""The simulator's checks of single values: JSON types, lengths, upper case, countries, postal codes, tax numbers.

Message texts are our own paraphrases; of the message numbers only the class is meant seriously.

Not here: rules that need more than one record (`simulator_partner`).
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from babel import Locale
from stdnum.at import uid as at_vat
from stdnum.de import vat as de_vat

from connectors.sap.simulator_query import Refusal, Row
from connectors.sap.simulator_schema import ALPHA, Entity, Prop

END_OF_TIME = "9999-12-31T23:59:59Z"
_TICKS = re.compile(r"/Date\((-?\d+)([+-]\d+)?\)/")
_PERIOD = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")
_POSTAL = {
    "DE": r"\d{5}",
    "FR": r"\d{5}",
    "IT": r"\d{5}",
    "ES": r"\d{5}",
    "AT": r"\d{4}",
    "CH": r"\d{4}",
    "BE": r"\d{4}",
    "NL": r"\d{4} [A-Z]{2}",
    "US": r"\d{5}(-\d{4})?",
}
"""Customizing decides the format per country; these are the usual settings."""
_DIAL = {"DE": "49", "AT": "43", "CH": "41", "FR": "33", "IT": "39", "ES": "34", "NL": "31", "US": "1", "GB": "44"}
_TAX_CHECKS = {"DE0": de_vat.is_valid, "AT0": at_vat.is_valid}


def invalid(entity: Entity, prop: str, text: str, code: str = "SY/530") -> Refusal:
    """A business refusal: always 400, the property named in the details."""
    return Refusal(400, code, text, f"{entity.set}/{prop}")


def stored(entity: Entity, prop: Prop, value: Any) -> Any:  # noqa: ANN401 - by the property's type
    """The JSON value as the database keeps it; raises `Refusal` as the Gateway's parser does."""
    if value is None:
        return prop.initial
    match prop.type:
        case "Edm.String":
            return _text(entity, prop, value)
        case "Edm.Boolean" if isinstance(value, bool):
            return value
        case "Edm.Int16" if isinstance(value, int):
            return value
        case "Edm.Guid" if isinstance(value, str):
            return value.lower()
        case "Edm.DateTime" | "Edm.DateTimeOffset" | "Edm.Time" if isinstance(value, str):
            return _moment(entity, prop, value)
    raise _unreadable(entity, prop, value)


def _unreadable(entity: Entity, prop: Prop, value: Any) -> Refusal:  # noqa: ANN401 - whatever was sent
    text = f"Property '{prop.name}' at offset '1' has invalid value '{value}'"
    return invalid(entity, prop.name, text, "CX_SXML_PARSE_ERROR")


def _text(entity: Entity, prop: Prop, value: Any) -> str:  # noqa: ANN401 - whatever was sent
    if not isinstance(value, str) or (prop.length is not None and len(value) > prop.length):
        raise _unreadable(entity, prop, value)
    text = value.rstrip(" ")
    if prop.upper:
        text = text.upper()
    if prop.digits:
        return "".join(char for char in text if char.isdigit()).lstrip("0") or "0"
    return unpadded(text) if prop.name in ALPHA else text


def unpadded(text: str) -> str:
    """ALPHA output conversion: zeros go only when the whole number is digits."""
    return (text.lstrip("0") or "0") if text.isdigit() else text


def _moment(entity: Entity, prop: Prop, value: str) -> str:
    ticks = _TICKS.fullmatch(value)
    if prop.type == "Edm.Time":
        period = _PERIOD.fullmatch(value)
        if period is None:
            raise _unreadable(entity, prop, value)
        return ":".join(f"{int(part or 0):02d}" for part in period.groups())
    try:
        when = _EPOCH + timedelta(milliseconds=int(ticks[1])) if ticks else datetime.fromisoformat(value)
    except ValueError:
        raise _unreadable(entity, prop, value) from None
    return f"{when:%Y-%m-%d}" if prop.type == "Edm.DateTime" else f"{when:%Y-%m-%dT%H:%M:%S}Z"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wire(prop: Prop, value: Any) -> Any:  # noqa: ANN401 - by the property's type
    """The stored value as OData V2 JSON writes it."""
    if value is None:
        return None
    match prop.type:
        case "Edm.DateTime":
            return f"/Date({ticks_of(value)})/"
        case "Edm.DateTimeOffset":
            return f"/Date({ticks_of(value[:-1])}+0000)/"
        case "Edm.Time":
            hours, minutes, seconds = value.split(":")
            return f"PT{hours}H{minutes}M{seconds}S"
    return value


def ticks_of(iso: str) -> int:
    """Milliseconds since 1970 of a zone-less ISO date or time."""
    return int((datetime.fromisoformat(iso).replace(tzinfo=UTC) - _EPOCH) / timedelta(milliseconds=1))


def check(entity: Entity, row: Row) -> None:
    """The application's own checks on a row about to be stored."""
    match entity.set:
        case "A_BusinessPartnerAddress":
            _check_address(entity, row)
        case "A_BusinessPartnerTaxNumber":
            _check_tax(entity, row)
        case "A_AddressEmailAddress":
            _check_email(entity, row)
        case "A_BusinessPartner":
            _check_partner(entity, row)


def _check_partner(entity: Entity, row: Row) -> None:
    if row["BusinessPartnerCategory"] not in {"1", "2", "3"}:
        raise invalid(entity, "BusinessPartnerCategory", "Business partner category is not defined", "R1/101")
    required = {"1": "LastName", "2": "OrganizationBPName1", "3": "GroupBusinessPartnerName1"}
    name = required[row["BusinessPartnerCategory"]]
    if not row[name]:
        raise invalid(entity, name, "Enter a name for the business partner", "R1/102")


def _check_address(entity: Entity, row: Row) -> None:
    country, code = row["Country"], row["PostalCode"]
    if not country:
        raise invalid(entity, "Country", "Enter a country/region", "AM/010")
    if country not in countries():
        raise invalid(entity, "Country", f"Country/region {country} is not defined", "AM/229")
    shape = _POSTAL.get(country)
    if code and shape and not re.fullmatch(shape, code):
        raise invalid(entity, "PostalCode", f"Postal code {code} has not the format of {country}", "AM/216")


@cache
def countries() -> frozenset[str]:
    """ISO 3166 codes, as table T005 holds them."""
    return frozenset(code for code in map(str, Locale("en").territories) if len(code) == len("DE") and code.isalpha())


def _check_tax(entity: Entity, row: Row) -> None:
    kind, number = row["BPTaxType"], row["BPTaxNumber"]
    check_digits = _TAX_CHECKS.get(kind)
    if check_digits is not None and number and not check_digits(number):
        raise invalid(entity, "BPTaxNumber", f"Tax number {number} is not valid for tax type {kind}", "BPTAX/012")


def _check_email(entity: Entity, row: Row) -> None:
    if row["EmailAddress"] and not re.fullmatch(r"[^@\s]+@[^@\s]+", row["EmailAddress"]):
        raise invalid(entity, "EmailAddress", "Enter a valid e-mail address", "AM/451")


def international(number: str, country: str) -> str:
    """The formatted number: country prefix and digits, the trunk zero dropped."""
    digits = re.sub(r"[^\d]", "", number)
    if number.startswith("+") or not digits or country not in _DIAL:
        return number
    return f"+{_DIAL[country]}{digits.removeprefix('0')}"[:30]


def local(now: datetime, zone: str) -> tuple[str, str]:
    """Date and time in the system's zone: date-and-time pairs carry no zone of their own."""
    there = now.astimezone(zoneinfo.ZoneInfo(zone))
    return f"{there:%Y-%m-%d}", f"{there:%H:%M:%S}"
