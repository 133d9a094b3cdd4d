"""The party family: Customer, Contact and Site.

Not here: how any system names these fields (`mappings`) or who owns them (`mappings/ownership.yaml`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from fsm_core.model.compare import Comparator
from fsm_core.model.entity import Compare, Entity, Group, Reference

Text40 = Annotated[str, StringConstraints(max_length=40)]
Text200 = Annotated[str, StringConstraints(max_length=200)]
Code = Annotated[str, StringConstraints(max_length=40)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")]
Phone = Annotated[Text40, Compare(Comparator.PHONE)]
Email = Annotated[str, StringConstraints(max_length=241), Compare(Comparator.EMAIL)]
DECIMAL_TEXT = r"^-?\d+(\.\d+)?$"


class Kind(StrEnum):
    """What a party is."""

    ORGANISATION = "organisation"
    PERSON = "person"


class Role(StrEnum):
    """What a party is to us (the party-role idea of the Cloud Information Model)."""

    PROSPECT = "prospect"
    CUSTOMER = "customer"
    BILL_TO = "bill_to"
    PAYER = "payer"
    SHIP_TO = "ship_to"
    OWNER = "owner"
    OPERATOR = "operator"
    PARTNER = "partner"


class CustomerStatus(StrEnum):
    """Where the relation stands."""

    PROSPECT = "prospect"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    INACTIVE = "inactive"


class BillingStatus(StrEnum):
    """Whether the ERP bills this customer; the switch that hands ownership over."""

    NONE = "none"
    ACTIVE = "active"
    BLOCKED = "blocked"


class InvoiceDelivery(StrEnum):
    """How invoices travel."""

    EMAIL = "email"
    PORTAL = "portal"
    EINVOICE = "einvoice"
    POST = "post"


class Address(Group):
    """A postal address, decided as one value. `country` is ISO 3166-1 alpha-2."""

    comparator: ClassVar[Comparator] = Comparator.ADDRESS

    street: Text200 | None = None
    number: Annotated[str, StringConstraints(max_length=20)] | None = None
    extra: Text200 | None = None
    postcode: Annotated[str, StringConstraints(max_length=20)] | None = None
    city: Annotated[str, StringConstraints(max_length=80)] | None = None
    region: Annotated[str, StringConstraints(max_length=80)] | None = None
    country: Country | None = None


class ContactRole(StrEnum):
    """What a contact is asked about."""

    SITE = "site"
    BILLING = "billing"
    TECHNICAL = "technical"
    DECISION = "decision"


class SiteKind(StrEnum):
    """Whose place it is and what it is for."""

    CUSTOMER_SITE = "customer_site"
    OWN_FACILITY = "own_facility"
    VEHICLE = "vehicle"
    WAREHOUSE = "warehouse"


class PersonName(Group):
    """A person's name, decided as one value."""

    first: Annotated[str, StringConstraints(max_length=40)] | None = None
    last: Annotated[str, StringConstraints(max_length=80)]


class Geo(Group):
    """A position in WGS 84: degrees as decimal text, precision in metres."""

    comparator: ClassVar[Comparator] = Comparator.NUMBERS

    lat: Annotated[str, StringConstraints(pattern=DECIMAL_TEXT)] | None = None
    lon: Annotated[str, StringConstraints(pattern=DECIMAL_TEXT)] | None = None
    precision_m: Annotated[str, StringConstraints(pattern=DECIMAL_TEXT)] | None = None


class Customer(Entity):
    """Somebody we serve or bill. Field meanings and default owners: docs/concepts.md."""

    entity_name: ClassVar[str] = "customer"
    endings: ClassVar[Mapping[str, tuple[str, str]]] = dict.fromkeys(
        ("deactivate", "end"), ("status", CustomerStatus.INACTIVE.value)
    )

    legal_name: Text200
    kind: Kind = Kind.ORGANISATION
    account_number: Text40 | None = None
    trade_name: Text200 | None = None
    parent_id: Annotated[str, Reference("customer")] | None = None
    roles: Annotated[list[Role], Compare(Comparator.SET)] = Field(default_factory=list)
    tax_ids: Annotated[list[str], Compare(Comparator.SET)] = Field(default_factory=list)
    """Each as `SCHEME:VALUE`, e.g. `VAT:DE136695976`; a VAT id carries its country prefix (EN 16931 BR-CO-09)."""
    status: CustomerStatus = CustomerStatus.ACTIVE
    billing_status: BillingStatus = BillingStatus.NONE
    industry: Code | None = None
    segment: Code | None = None
    lifecycle_stage: Code | None = None
    account_manager: Text200 | None = None
    phone: Phone | None = None
    email: Email | None = None
    website: Annotated[str, StringConstraints(max_length=255), Compare(Comparator.WEBSITE)] | None = None
    billing_address: Address | None = None
    shipping_address: Address | None = None
    currency: Currency | None = None
    payment_terms: Code | None = None
    price_list: Code | None = None
    credit_limit: Annotated[Decimal, Compare(Comparator.DECIMAL)] | None = None
    credit_block: Annotated[bool, Compare(Comparator.FLAG)] = False
    requires_po: Annotated[bool, Compare(Comparator.FLAG)] = False
    invoice_delivery: InvoiceDelivery | None = None
    do_not_contact: Annotated[bool, Compare(Comparator.FLAG)] = False
    privacy_hold: Annotated[bool, Compare(Comparator.FLAG)] = False
    service_notes: Annotated[str, StringConstraints(max_length=32000)] | None = None
    language: Language | None = None
    time_zone: Annotated[str, StringConstraints(max_length=40)] | None = None


class Contact(Entity):
    """A person at a customer."""

    entity_name: ClassVar[str] = "contact"

    customer_id: Annotated[str, Reference("customer")]
    name: PersonName
    job_title: Annotated[str, StringConstraints(max_length=128)] | None = None
    department: Annotated[str, StringConstraints(max_length=80)] | None = None
    email: Email | None = None
    phone: Phone | None = None
    mobile: Phone | None = None
    roles: Annotated[list[ContactRole], Compare(Comparator.SET)] = Field(default_factory=list)
    do_not_contact: Annotated[bool, Compare(Comparator.FLAG)] = False
    language: Language | None = None


class Site(Entity):
    """A place where work is done. Its `parent_id` is the building or estate it lies in."""

    entity_name: ClassVar[str] = "site"

    customer_id: Annotated[str, Reference("customer")]
    number: Text40 | None = None
    name: Text200
    kind: SiteKind = SiteKind.CUSTOMER_SITE
    parent_id: Annotated[str, Reference("site")] | None = None
    address: Address
    geo: Geo | None = None
    time_zone: Annotated[str, StringConstraints(max_length=64)] | None = None
    access_instructions: Annotated[str, StringConstraints(max_length=32000)] | None = None
    opening_hours: Text200 | None = None
    territory: Code | None = None
    safety_codes: Annotated[list[str], Compare(Comparator.SET)] = Field(default_factory=list)
