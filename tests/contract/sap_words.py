"""Words the SAP tests share: bindings, paths, and a mocked service.

Not here: any test.
"""

from __future__ import annotations

from typing import Any

import httpx

from connectors.http import Patience
from connectors.sap import Sap, SapSettings
from connectors.sap.simulator_schema import metadata
from fsm_core.ports import Object, Row

HOST = "https://s4.example"
ROOT = f"{HOST}/sap/opu/odata/sap/API_BUSINESS_PARTNER/"
DEFAULT = "to_BusinessPartnerAddress[to_AddressUsage.AddressUsage=XXDEFAULT]"
SHIP_TO = "to_BusinessPartnerAddress[to_AddressUsage.AddressUsage=SHIP_TO]"
AREA = "to_Customer.to_CustomerSalesArea[SalesOrganization=1710,DistributionChannel=10,Division=00]"
NAME = Object("A_BusinessPartner", ("OrganizationBPName1",), key="FSMHUB")
FULL = Object(
    "A_BusinessPartner",
    (
        "OrganizationBPName1",
        "SearchTerm2",
        f"{DEFAULT}.StreetName",
        f"{DEFAULT}.PostalCode",
        f"{DEFAULT}.CityName",
        f"{DEFAULT}.Country",
        f"{DEFAULT}.to_EmailAddress[IsDefaultEmailAddress=true].EmailAddress",
        f"{DEFAULT}.to_PhoneNumber[IsDefaultPhoneNumber=true].PhoneNumber",
        f"{DEFAULT}.to_MobilePhoneNumber[IsDefaultPhoneNumber=true].PhoneNumber",
        f"{DEFAULT}.to_URLAddress[IsDefaultURLAddress=true].WebsiteURL",
        "to_BusinessPartnerTax[BPTaxType=DE0].BPTaxNumber",
        "to_BusinessPartnerRole.BusinessPartnerRole",
        "to_Customer.OrderIsBlockedForCustomer",
        f"{AREA}.Currency",
        f"{AREA}.CustomerPaymentTerms",
    ),
    key="FSMHUB",
)

CONTACT = Object(
    "A_BusinessPartnerContact",
    (
        "BusinessPartnerCompany",
        "to_Person.FirstName",
        "to_Person.LastName",
        "to_ContactRelationship.EmailAddress",
        "to_ContactRelationship.PhoneNumber",
    ),
    key="FSMHUB",
)
SITE = Object(
    "A_BusinessPartnerAddress",
    ("BusinessPartner", "StreetName", "PostalCode", "CityName", "Country", "to_AddressUsage.AddressUsage"),
    filter="Customer ne ''",
)


def connector(**settings) -> Sap:
    """A connector for respx: no waiting, three attempts."""
    known: dict[str, Any] = {"base_url": HOST, "user": "HUB", "password": "secret", "sap_client": "100"}
    return Sap(SapSettings(**(known | settings)), patience=Patience(attempts=2, sleep=lambda _: None))


def listing(*rows: dict[str, Any], **extra) -> httpx.Response:
    """A collection."""
    return httpx.Response(200, json={"d": {"results": list(rows), **extra}}, headers={"Date": DATE})


DATE = "Mon, 05 Jan 2026 08:00:00 GMT"


def partner(number: str = "1000021", name: str = "Bikes Pro Inc.", etag: str = "") -> dict[str, Any]:
    """A root as the service sends it."""
    about = {"uri": f"{ROOT}A_BusinessPartner('{number}')", "type": "API_BUSINESS_PARTNER.A_BusinessPartnerType"}
    return {
        "__metadata": about | ({"etag": etag} if etag else {}),
        "BusinessPartner": number,
        "OrganizationBPName1": name,
        "LastChangeDate": "/Date(1477353600000)/",
        "LastChangeTime": "PT06H31M17S",
        "LastChangedByUser": "CB9980000173",
        "CreationDate": "/Date(1477267200000)/",
        "CreationTime": "PT00H00M01S",
        "CreatedByUser": "CB9980000173",
        "ETag": "CB998000017320161025063117",
        "to_BuPaIdentification": {"results": []},
    }


def contact_fields(company: str, **job: str) -> dict[str, Any]:
    """Fields of a new contact person."""
    return {
        "BusinessPartnerCompany": company,
        "to_Person": (Row({}, {"FirstName": "Kim", "LastName": "Lee"}),),
        "to_ContactRelationship": (Row({}, {"EmailAddress": "kim@lee.example", **job}),),
    }


def relationship(number: str, company: str, person: str, **fields: Any) -> dict[str, Any]:
    """A relationship as the service sends it."""
    key = {"RelationshipNumber": number, "BusinessPartnerCompany": company, "BusinessPartnerPerson": person}
    row = {**key, "ValidityEndDate": "/Date(253402214400000)/"}
    job = {**row, "EmailAddress": "kim@lee.example", "PhoneNumber": "", **fields}
    return {"__metadata": {"uri": f"{ROOT}A_BusinessPartnerContact(...)"}, **row, "to_ContactRelationship": job}


def service(router):
    """$metadata and CSRF on a respx router; returns the route of the token."""
    router.get(f"{ROOT}$metadata").respond(text=metadata(), headers={"content-type": "application/xml"})
    answer = httpx.Response(
        200,
        headers=[("x-csrf-token", "T1=="), ("Set-Cookie", "SAP_SESSIONID_S4H_100=abc; path=/"), ("Date", DATE)],
    )
    return router.head(ROOT).mock(return_value=answer)


def new_partner(**fields) -> dict[str, Any]:
    """Fields of a complete new partner."""
    address = Row(
        {"to_AddressUsage.AddressUsage": "XXDEFAULT"},
        {
            "StreetName": "Dietmar-Hopp-Allee",
            "PostalCode": "69190",
            "CityName": "Walldorf",
            "Country": "DE",
            "to_EmailAddress": (Row({"IsDefaultEmailAddress": True}, {"EmailAddress": "info@neu.example"}),),
            "to_PhoneNumber": (Row({"IsDefaultPhoneNumber": True}, {"PhoneNumber": "06227 7"}),),
            "to_MobilePhoneNumber": (Row({"IsDefaultPhoneNumber": True}, {"PhoneNumber": "0171 5"}),),
            "to_URLAddress": (Row({"IsDefaultURLAddress": True}, {"WebsiteURL": "https://neu.example"}),),
        },
    )
    return {"OrganizationBPName1": "Neu", "to_BusinessPartnerAddress": (address,), **fields}
