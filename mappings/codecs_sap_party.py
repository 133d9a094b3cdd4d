"""Codecs for SAP contact persons and addresses: function and department, direct-dial numbers, names of sites.

Not here: business partners (`codecs_sap`), and where in the document these fields lie (`sap/contact.yaml`,
`sap/site.yaml`).
"""

from __future__ import annotations

from typing import Any, Final

from fsm_core.model.compare import text
from mappings.codec import Around, Codec, Factory, Unencodable, fit, plain
from mappings.codecs import Encoded

PHONE_LENGTH: Final = 30
NAME_LENGTH: Final = 200


def sap_contact_roles(*, functions: dict[str, str], departments: dict[str, str]) -> Codec:
    """Read only: ContactPersonFunction and ContactPersonDepartment as a set of roles, each through its own table.

    Codes that stand in no table are no role; they go on as job title and department.
    """

    def decode(function: Any, department: Any) -> list[str] | None:  # noqa: ANN401 - whatever the document holds
        found = {functions.get(plain(function) or ""), departments.get(plain(department) or "")}
        return sorted(role for role in found if role) or None

    return Codec(decode, _read_only("the roles follow from function and department"), natives=2)


def sap_spoken(*, names: dict[str, str] | None = None) -> Codec:
    """Read only: a free text, else the name of a code; a code without a name stands for itself."""

    def decode(spoken: Any, code: Any) -> str | None:  # noqa: ANN401 - whatever the document holds
        stated = plain(code)
        return plain(spoken) or (stated and (names or {}).get(stated, stated))

    return Codec(decode, _read_only("SAP keeps a code of four characters here"), natives=2)


def sap_direct_phone() -> Codec:
    """PhoneNumber and PhoneNumberExtension without a country: the number is kept as it is stated."""

    def decode(number: Any, extension: Any) -> str | None:  # noqa: ANN401 - whatever there is
        return text(f"{plain(number) or ''} {plain(extension) or ''}") if plain(number) else None

    def encode(value: str | None, _: Around) -> Encoded:
        return fit(text(value), PHONE_LENGTH, "the phone number"), None

    return Codec(decode, encode, natives=2)


def sap_site_name() -> Codec:
    """Read only: FullName, else `street number, city` from StreetName, HouseNumber and CityName."""

    def decode(full: Any, street: Any, number: Any, city: Any) -> str | None:  # noqa: ANN401 - whatever there is
        line = " ".join(part for part in (plain(street), plain(number)) if part)
        place = ", ".join(part for part in (line, plain(city)) if part)
        return (plain(full) or text(place) or "")[:NAME_LENGTH] or None

    return Codec(decode, _read_only("the name of an address follows from it"), natives=4)


def _read_only(why: str) -> Any:  # noqa: ANN401 - an encoder
    def encode(_value: Any, _around: Around) -> Encoded:  # noqa: ANN401 - whatever is stated
        raise Unencodable(why, "Map it with direction in.")

    return encode


CODECS: dict[str, Factory] = {
    "sap_contact_roles": sap_contact_roles,
    "sap_spoken": sap_spoken,
    "sap_direct_phone": sap_direct_phone,
    "sap_site_name": sap_site_name,
}
