"""How each system writes a firm down when nothing is wrong: a Salesforce Account row, an SAP partner document.

Not here: the firms (`connectors.sandbox.firm`) and the mistakes (`connectors.sandbox.mistakes`).
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.sandbox.firm import Address, Firm

NAME_PART = 40
"""Length of each of the four names of an SAP organisation."""
TERM_LENGTH = 20
SAP_INDUSTRIES = {
    "Food & Beverage": "FOOD",
    "Healthcare": "HEAL",
    "Hospitality": "HOTL",
    "Manufacturing": "MANU",
    "Retail": "RETL",
    "Shipping": "TRAN",
    "Chemicals": "CHEM",
}
GIVEN_BY_SAP = frozenset(
    {
        "BusinessPartner", "Customer", "AddressID", "CreatedByUser", "CreationDate", "CreationTime", "ETag",
        "LastChangedByUser", "LastChangeDate", "LastChangeTime",
    }
)  # fmt: skip
PEOPLE = ("Lena", "Mira", "Jonas")
"""Who works in Salesforce: two who sell, one who dispatches."""
SELLERS = PEOPLE[:2]
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FOREVER = "9999-12-31T23:59:59Z"


def account(firm: Firm) -> dict[str, Any]:
    """The Salesforce Account as a careful person enters it."""
    return {
        "Id": account_id(firm.serial),
        "Name": firm.name,
        "AccountNumber": firm.number if firm.billed else None,
        "Type": "Customer - Direct" if firm.billed else "Prospect",
        "Phone": firm.phone,
        "Website": firm.website,
        "Industry": firm.industry,
        **_account_address("Billing", firm.billing),
        **_account_address("Shipping", firm.shipping),
        "FSM_VAT_Id__c": firm.vat or None,
        "FSM_Email__c": firm.email,
        "FSM_Trade_Name__c": firm.stem,
        "FSM_Status__c": "Active" if firm.billed else "Prospect",
        "FSM_Billing_Status__c": "Active" if firm.billed else "None",
        "FSM_Currency__c": firm.country.currency if firm.billed else None,
        "FSM_Language__c": firm.country.language.lower(),
        "FSM_Payment_Terms__c": firm.terms if firm.billed else None,
        "FSM_Do_Not_Contact__c": False,
        "FSM_Service_Notes__c": firm.notes or None,
        "FSM_Roles__c": "bill_to;customer" if firm.billed else "prospect",
        "OwnerId": user_id(SELLERS[firm.serial % len(SELLERS)]),
        "CreatedDate": stamp(firm.born),
        "LastModifiedDate": stamp(firm.changed),
        "SystemModstamp": stamp(firm.changed),
    }


def partner(firm: Firm) -> dict[str, Any]:
    """The SAP business partner, with its customer part when we bill it."""
    addresses = [_partner_address(firm, firm.billing, 1, "XXDEFAULT")]
    if firm.shipping:
        addresses.append(_partner_address(firm, firm.shipping, 2, "SHIP_TO"))
    return {
        "BusinessPartner": firm.number,
        "BusinessPartnerCategory": "2",
        "BusinessPartnerGrouping": "BP02",
        "CorrespondenceLanguage": firm.country.language,
        "Industry": SAP_INDUSTRIES[firm.industry],
        "SearchTerm1": firm.stem.upper()[:TERM_LENGTH],
        "BusinessPartnerIsBlocked": False,
        "IsMarkedForArchiving": False,
        **names(firm.name),
        "CreatedByUser": "KELLERM",
        "LastChangedByUser": "KELLERM",
        "ETag": f"KELLERM{firm.changed:%Y%m%d%H%M%S}",
        "CreationDate": firm.born.date().isoformat(),
        "CreationTime": firm.born.strftime("%H:%M:%S"),
        "LastChangeDate": firm.changed.date().isoformat(),
        "LastChangeTime": firm.changed.strftime("%H:%M:%S"),
        "to_BusinessPartnerAddress": addresses,
        "to_BusinessPartnerRole": [{"BusinessPartnerRole": role} for role in _roles(firm)],
        "to_BusinessPartnerTax": tax(firm.country.code, firm.vat),
        "to_Customer": _customer(firm) if firm.billed else None,
    }


def entered_account(row: Mapping[str, Any]) -> dict[str, Any]:
    """An account as a person types it in: without what the system gives itself, and without empty fields."""
    given = {"Id", "CreatedDate", "LastModifiedDate", "SystemModstamp"}
    return {name: value for name, value in row.items() if name not in given and value is not None}


def entered_partner(document: Mapping[str, Any]) -> dict[str, Any]:
    """A partner as a person types it in: without numbers, users and stamps."""
    return {name: _entered(value) for name, value in document.items() if value is not None and name not in GIVEN_BY_SAP}


def _entered(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        return entered_partner(value)
    return [entered_partner(row) for row in value] if isinstance(value, list) else value


def names(name: str) -> dict[str, str]:
    """`OrganizationBPName1..4`: the name cut at word edges, 40 characters each."""
    parts: list[str] = [""]
    for word in name.split(" "):
        longer = f"{parts[-1]} {word}".strip()
        if len(longer) <= NAME_PART:
            parts[-1] = longer
        else:
            parts.append(word)
    return {f"OrganizationBPName{n + 1}": parts[n] if n < len(parts) else "" for n in range(4)}


def tax(country: str, vat: str) -> list[dict[str, str]]:
    """The VAT registration, under the country's own tax type."""
    return [{"BPTaxType": f"{country}0", "BPTaxNumber": vat}] if vat else []


def stamp(when: datetime) -> str:
    """An instant as Salesforce writes it."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def account_id(serial: int) -> str:
    """An 18-character Salesforce id; neighbours differ in case only, as real ones do."""
    return record_id("0015r00000S", serial)


def record_id(start: str, serial: int) -> str:
    """The 18-character id of a record; `start` is all but the last four of the first fifteen characters."""
    counter = "".join(_DIGITS[serial // 62**place % 62] for place in (3, 2, 1, 0))
    return long_id(start + counter)


def user_id(person: str) -> str:
    """The Salesforce id of one of `PEOPLE`."""
    return long_id(f"0055r00000P000{PEOPLE.index(person) + 1}")


def users() -> list[dict[str, Any]]:
    """The Salesforce User rows of `PEOPLE`."""
    return [
        {"Id": user_id(person), "Username": f"{person.lower()}@brenndal.example", "Name": person, "IsActive": True}
        for person in PEOPLE
    ]


def long_id(short: str) -> str:
    """Fifteen case-sensitive characters and the three that say which of them are capitals."""
    suffix = ""
    for chunk in (short[0:5], short[5:10], short[10:15]):
        bits = sum(1 << place for place, char in enumerate(chunk) if char in string.ascii_uppercase)
        suffix += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits]
    return short + suffix


def _account_address(kind: str, address: Address | None) -> dict[str, str | None]:
    if address is None:
        return dict.fromkeys(f"{kind}{part}" for part in ("Street", "City", "State", "PostalCode", "Country"))
    return {
        f"{kind}Street": address.line,
        f"{kind}City": address.place.city,
        f"{kind}State": address.place.region or None,
        f"{kind}PostalCode": address.place.postcode,
        f"{kind}Country": address.country,
    }


def _partner_address(firm: Firm, address: Address, place: int, usage: str) -> dict[str, Any]:
    first = usage == "XXDEFAULT"
    return {
        "AddressID": str(20_000 + 2 * firm.serial + place),
        "StreetName": address.line if address.number_first else address.street,
        "HouseNumber": "" if address.number_first else address.number,
        "CityName": address.place.city,
        "PostalCode": address.place.postcode,
        "Region": address.place.region,
        "Country": address.country,
        "Language": firm.country.language,
        "to_AddressUsage": [{"AddressUsage": usage, "ValidityEndDate": _FOREVER, "StandardUsage": first}],
        "to_PhoneNumber": [_phone(firm)] if first else [],
        "to_EmailAddress": [_ordinal(EmailAddress=firm.email, IsDefaultEmailAddress=True)] if first else [],
        "to_URLAddress": [_ordinal(WebsiteURL=firm.website, IsDefaultURLAddress=True)] if first else [],
    }


def _phone(firm: Firm) -> dict[str, Any]:
    trunk = "" if firm.country.code == "US" else "0"
    return _ordinal(
        PhoneNumber=trunk + firm.phone.partition(" ")[2],
        DestinationLocationCountry=firm.country.code,
        InternationalPhoneNumber=firm.phone.replace(" ", ""),
        PhoneNumberType="1",
        IsDefaultPhoneNumber=True,
    )


def _ordinal(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a communication row
    return {"Person": "", "OrdinalNumber": "1", **fields}


def _roles(firm: Firm) -> tuple[str, ...]:
    return ("FLCU01", "FLCU00") if firm.billed else ("BUP002",)


def _customer(firm: Firm) -> dict[str, Any]:
    return {
        "Customer": firm.number,
        "CustomerAccountGroup": "CUST",
        "OrderIsBlockedForCustomer": "",
        "BillingIsBlockedForCustomer": "",
        "to_CustomerSalesArea": [
            {
                "SalesOrganization": "1010",
                "DistributionChannel": "10",
                "Division": "00",
                "Currency": firm.country.currency,
                "CustomerPaymentTerms": firm.terms,
                "CustomerPriceGroup": "C1",
            }
        ],
    }
