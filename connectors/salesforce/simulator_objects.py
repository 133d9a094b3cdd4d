"""The objects of the simulated org: Account and Contact, Location with its Address and AssociatedLocation, setup.

Types, lengths and flags of Account and Contact are those of the recorded describes. Location, Address and
AssociatedLocation follow the object reference (properties) and the field list of API v67 (names); lengths that
neither states are the usual ones: 255, and for addresses those of Account. Not here: what a field is
(`simulator_schema`), rows and what becomes of related rows (`simulator_store`, `simulator_relations`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.salesforce.simulator_schema import (
    FieldType,
    ObjectType,
    address,
    fixed,
    flag,
    hub_id,
    made,
    picks,
    reference,
    text,
)

Computed = Callable[[dict[str, Any]], Any]
TIME_ZONES = (
    "America/Los_Angeles", "America/New_York", "Asia/Kolkata", "Asia/Shanghai", "Asia/Singapore", "Asia/Tokyo",
    "Australia/Sydney", "Europe/Berlin", "Europe/London", "Europe/Paris", "GMT", "Pacific/Auckland",
)  # fmt: skip
"""Some of the names the time zone picklists hold."""
LOCATION_TYPES = ("Warehouse", "Site", "Van", "Plant")


def account() -> ObjectType:
    """Lengths, types and flags of the standard fields as in the recorded describe of Account."""
    return made(
        "Account",
        "001",
        text("Name", 255, nillable=False, label="Account Name"),
        picks(
            "Type",
            "Prospect",
            "Customer - Direct",
            "Customer - Channel",
            "Channel Partner / Reseller",
            "Installation Partner",
            "Technology Partner",
            "Other",
        ),
        reference("ParentId", "Account"),
        *address("Billing"),
        *address("Shipping"),
        text("Phone", 40, "phone"),
        text("Fax", 40, "phone"),
        text("AccountNumber", 40),
        text("Website", 255, "url"),
        text("Sic", 20),
        picks("Industry", "Agriculture", "Construction", "Energy", "Manufacturing", "Utilities", "Other"),
        FieldType("AnnualRevenue", "currency", precision=18),
        FieldType("NumberOfEmployees", "int", digits=8),
        picks("Rating", "Hot", "Warm", "Cold"),
        text("Description", 32000, "textarea"),
        text("Site", 80),
        FieldType("LastActivityDate", "date", createable=False, updateable=False),
        FieldType("IsPartner", "boolean", nillable=False, createable=False, defaulted=True),
        hub_id(),
        text("FSM_VAT_Id__c", 20),
        text("FSM_Trade_Name__c", 255),
        picks("FSM_Billing_Status__c", "None", "Active", "Blocked", restricted=True),
        text("FSM_Payment_Terms__c", 40),
        flag("FSM_Credit_Block__c"),
        flag("FSM_Do_Not_Contact__c"),
        text("FSM_Service_Notes__c", 32000, "textarea"),
        picks("FSM_Roles__c", "Sold-to", "Ship-to", "Bill-to", "Payer", "Site", many=True, restricted=True),
        mergeable=True,
    )


def user() -> ObjectType:
    """Setup object: no IsDeleted."""
    found = made("User", "005", text("Username", 80), text("Name", 121), flag("IsActive"), owned=False)
    del found.fields["IsDeleted"]
    found.index()
    return found


def organization() -> ObjectType:
    """Setup object of one row."""
    found = made("Organization", "00D", text("Name", 80), flag("IsSandbox"), text("InstanceName", 5), owned=False)
    del found.fields["IsDeleted"]
    found.index()
    return found


def contact() -> ObjectType:
    """As recorded, and the privacy flags that the recorded org hid from its user."""
    found = made(
        "Contact",
        "003",
        reference("AccountId", "Account", children="Contacts", cascade=True, locks=True),
        text("LastName", 80, nillable=False),
        text("FirstName", 40),
        picks("Salutation", "Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx."),
        text("Name", 121, nillable=False, createable=False, updateable=False),
        *address("Other"),
        _compound("OtherAddress"),
        *address("Mailing"),
        _compound("MailingAddress"),
        *(text(name, 40, "phone") for name in ("Phone", "Fax", "MobilePhone", "HomePhone", "OtherPhone")),
        reference("ReportsToId", "Contact"),
        text("Email", 80, "email", id_lookup=True),
        text("Title", 128),
        text("Department", 80),
        FieldType("Birthdate", "date"),
        text("Description", 32000, "textarea"),
        *(flag(name) for name in ("DoNotCall", "HasOptedOutOfEmail", "HasOptedOutOfFax")),
        hub_id(),
        picks("FSM_Roles__c", "site", "billing", "technical", "decision", many=True, restricted=True),
        flag("FSM_Do_Not_Contact__c"),
        text("FSM_Language__c", 5),
        mergeable=True,
    )
    found.computed = {
        "Name": lambda row: " ".join(part for part in (row["FirstName"], row["LastName"]) if part),
        "OtherAddress": _address_of("Other"),
        "MailingAddress": _address_of("Mailing"),
    }
    return found


def location() -> ObjectType:
    """`LocationType` has no default: an administrator has to fill the list before the first record is saved."""
    found = made(
        "Location",
        "131",
        text("Name", 255, nillable=False, id_lookup=True),
        picks("LocationType", *LOCATION_TYPES, nillable=False),
        text("Description", 255),
        text("DrivingDirections", 1000),
        text("ExternalReference", 255),
        flag("IsInventoryLocation"),
        flag("IsMobile"),
        reference("ParentLocationId", "Location", children="ChildLocations", cleared=True),
        reference("RootLocationId", "Location", createable=False, updateable=False),
        FieldType("LocationLevel", "int", digits=8, createable=False, updateable=False),
        picks("TimeZone", *TIME_ZONES, restricted=True),
        reference("VisitorAddressId", "Address", cleared=True),
        *_position(),
        _compound("Location", "location"),
        FieldType("OpenDate", "date"),
        FieldType("CloseDate", "date"),
        hub_id(),
        FieldType("FSM_Geo_Precision__c", "double", precision=18, scale=2),
        text("FSM_Access_Instructions__c", 32000, "textarea"),
        text("FSM_Opening_Hours__c", 200),
        text("FSM_Territory__c", 40),
        text("FSM_Safety_Codes__c", 255),
    )
    found.computed = {"Location": _position_of}
    return found


def address_object() -> ObjectType:
    """A child of one location for good: `ParentId` is given at birth and never changes."""
    found = made(
        "Address",
        "130",
        fixed("Name", "string", 255, autonumber="AD-", id_lookup=True),
        reference(
            "ParentId", "Location", nillable=False, updateable=False, children="Addresses", cascade=True, locks=True
        ),
        picks("AddressType", "Mailing", "Shipping", "Billing", "Home", defaulted=True, default="Mailing"),
        picks("LocationType", *LOCATION_TYPES, nillable=False, defaulted=True, default="Warehouse"),
        *address(),
        _compound("Address"),
        text("Description", 255),
        text("DrivingDirections", 1000),
        picks("TimeZone", *TIME_ZONES, restricted=True),
        owned=False,
    )
    found.computed = {"Address": _address_of("")}
    return found


def associated_location() -> ObjectType:
    """Links an account to a location; only the location can be changed, the account never by a save."""
    return made(
        "AssociatedLocation",
        "1AR",
        fixed("AssociatedLocationNumber", "string", 255, autonumber="AL-", id_lookup=True),
        reference("LocationId", "Location", nillable=False, children="AssociatedLocations", cascade=True, locks=True),
        reference(
            "ParentRecordId",
            "Account",
            nillable=False,
            updateable=False,
            relationship="ParentRecord",
            children="AssociatedLocations",
            cascade=True,
            locks=True,
        ),
        picks("Type", "Bill To", "Ship To"),
        FieldType("ActiveFrom", "datetime"),
        FieldType("ActiveTo", "datetime"),
        owned=False,
    )


def _compound(name: str, kind: str = "address") -> FieldType:
    return FieldType(name, kind, createable=False, updateable=False)


def _position() -> tuple[FieldType, ...]:
    return tuple(FieldType(name, "double", precision=18, scale=15) for name in ("Latitude", "Longitude"))


def _address_of(prefix: str) -> Computed:
    parts = {
        "city": "City", "country": "Country", "latitude": "Latitude", "longitude": "Longitude",
        "postalCode": "PostalCode", "state": "State", "street": "Street",
    }  # fmt: skip

    def compound(row: dict[str, Any]) -> dict[str, Any] | None:
        stated = {name: row[prefix + part] for name, part in parts.items()}
        return {**stated, "geocodeAccuracy": None} if any(value is not None for value in stated.values()) else None

    return compound


def _position_of(row: dict[str, Any]) -> dict[str, Any] | None:
    if row["Latitude"] is None or row["Longitude"] is None:
        return None
    return {"latitude": row["Latitude"], "longitude": row["Longitude"]}


def standard_objects() -> dict[str, ObjectType]:
    """The objects every simulated org begins with."""
    business = (account(), contact(), location(), address_object(), associated_location())
    return {item.name: item for item in (*business, user(), organization())}
