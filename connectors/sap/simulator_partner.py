"""The simulator's business partner: number ranges, deep insert, roles and customers, stamps, deletions.

Not here: HTTP, OData syntax, and checks of single values.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.sap import simulator_contact as contact
from connectors.sap.simulator_query import Refusal, Row
from connectors.sap.simulator_rules import END_OF_TIME, check, international, invalid, local, stored
from connectors.sap.simulator_schema import Entity, Nav, schema
from connectors.sap.simulator_store import Store, key_of

CUSTOMER_ROLES = frozenset({"FLCU00", "FLCU01"})


@dataclass(frozen=True, slots=True)
class Range:
    """A number range behind a grouping; external numbers are given by the caller and must lie inside."""

    start: str
    end: str
    external: bool = False


@dataclass(slots=True)
class Veto:
    """An enhancement that refuses a write whose property contains a text, `times` times."""

    prop: str
    contains: str
    text: str = "Value rejected by validation"
    times: int = 1


@dataclass(slots=True)
class Partners:
    """Everything the application server does to business partners, in one place."""

    store: Store
    now: Callable[[], datetime]
    zone: str = "UTC"
    groupings: dict[str, Range] = field(
        default_factory=lambda: {
            "BP01": Range("5000000", "5999999", external=True),
            "BP02": Range("1000000", "1999999"),
            "BP03": Range("A", "ZZZZZZZZZZ", external=True),
        }
    )
    moves_root: set[str] = field(default_factory=set)
    """Sets whose changes also stamp the partner (of a relationship the person); by default a change below does not."""
    own_customer_numbers: bool = False
    """Customer numbers from a range of their own instead of the partner's number."""
    locks: dict[str, str] = field(default_factory=dict)
    vetoes: list[Veto] = field(default_factory=list)

    # -- create --------------------------------------------------------------------------------

    def create(self, entity: Entity, payload: Mapping[str, Any], user: str, *, trusted: bool = False) -> Row:
        """Insert a row with its nested children; `trusted` skips the checks (preload)."""
        if not trusted and not entity.creatable:
            raise Refusal(405, "/IWBEP/CM_MGW_RT/035", f"Create is not supported for entity set {entity.set}")
        plain, nested = self._split(entity, payload, trusted=trusted)
        row = {name: prop.initial for name, prop in entity.props.items()} | plain
        self._complete(entity, row, plain, user, trusted=trusted)
        if key_of(entity, row) in self.store.tables[entity.set]:
            name = "/".join(map(str, key_of(entity, row)))
            raise invalid(entity, entity.keys[-1], f"{entity.set} {name} already exists")
        if not trusted:
            self._check(entity, row, plain)
        self.store.put(entity, row)
        self._after_create(entity, row, user)
        for nav, rows in nested:
            self._nest(entity, row, nav, rows, user, trusted=trusted)
        return row

    def _split(
        self, entity: Entity, payload: Mapping[str, Any], *, trusted: bool
    ) -> tuple[Row, list[tuple[Nav, list[Mapping[str, Any]]]]]:
        plain: Row = {}
        nested: list[tuple[Nav, list[Mapping[str, Any]]]] = []
        for name, value in payload.items():
            if name in entity.navs:
                nested.append((entity.navs[name], _listed(value)))
            elif name in entity.props:
                plain[name] = self._value(entity, name, value, trusted=trusted)
            elif name != "__metadata":
                raise invalid(entity, name, f"Property '{name}' is invalid", "/IWCOR/CX_OD_EP_PROPERTY_ERROR")
        nested.sort(key=lambda pair: pair[0].name == "to_Customer")
        return plain, nested

    def _value(self, entity: Entity, name: str, value: Any, *, trusted: bool) -> Any:  # noqa: ANN401 - JSON
        prop = entity.props[name]
        if trusted:
            return value
        if prop.read_only:
            raise invalid(entity, name, f"Property '{name}' is read-only", "/IWBEP/CM_MGW_RT/176")
        return stored(entity, prop, value)

    def _nest(
        self, entity: Entity, row: Row, nav: Nav, rows: list[Mapping[str, Any]], user: str, *, trusted: bool
    ) -> None:
        parent = self.store.tables[entity.set][key_of(entity, row)]
        for child in rows:
            if nav.name == "to_Customer":
                self._nest_customer(parent, child, user, trusted=trusted)
                continue
            self.create_below(parent, nav, child, user, trusted=trusted)

    def create_below(
        self,
        parent: Row,
        nav: Nav,
        payload: Mapping[str, Any],
        user: str,
        *,
        trusted: bool = False,
    ) -> Row:
        """Insert a child through a navigation: the shared keys come from the parent."""
        inherited: dict[str, Any] = {there: parent[here] for here, there in nav.join}
        if nav.name == "to_MobilePhoneNumber":
            inherited["PhoneNumberType"] = "3"
        if nav.name == "to_AddressUsage" and self._has_usage(parent, payload):
            return parent
        if nav.target == contact.FUNCTION:
            return self.change(
                schema()[nav.target], contact.function_of(self.store, parent), payload, user, trusted=trusted
            )
        return self.create(schema()[nav.target], inherited | dict(payload), user, trusted=trusted)

    def _has_usage(self, address: Row, payload: Mapping[str, Any]) -> bool:
        usages = self.store.children(address, schema()["A_BusinessPartnerAddress"].navs["to_AddressUsage"])
        return any(usage["AddressUsage"] == payload.get("AddressUsage") for usage in usages)

    def _nest_customer(self, partner: Row, payload: Mapping[str, Any], user: str, *, trusted: bool) -> None:
        customer_entity = schema()["A_Customer"]
        customer = self.store.tables["A_Customer"].get((partner["Customer"],))
        if customer is None:
            raise invalid(customer_entity, "Customer", "Business partner has no customer role", "R1/880")
        fields = {name: value for name, value in payload.items() if name not in {"Customer", *customer_entity.navs}}
        if fields:
            customer = self.change(customer_entity, customer, fields, user, trusted=trusted)
        for name, nav in customer_entity.navs.items():
            for child in _listed(payload.get(name) or []):
                self.create_below(customer, nav, child, user, trusted=trusted)

    # -- what the server fills in --------------------------------------------------------------

    def _complete(self, entity: Entity, row: Row, given: Row, user: str, *, trusted: bool) -> None:
        match entity.set:
            case "A_BusinessPartner":
                self._complete_partner(entity, row, given, user, trusted=trusted)
            case "A_BusinessPartnerAddress":
                row["AddressID"] = row["AddressID"] or str(self.store.number("address", 24000))
                row["AddressUUID"] = row["AddressUUID"] or _guid("address", row["AddressID"])
                row["ValidityStartDate"] = row["ValidityStartDate"] or f"{self.now():%Y-%m-%dT%H:%M:%S}Z"
                row["ValidityEndDate"] = row["ValidityEndDate"] or END_OF_TIME
            case "A_BuPaAddressUsage":
                row["ValidityStartDate"] = row["ValidityStartDate"] or f"{self.now():%Y-%m-%dT%H:%M:%S}Z"
                row["ValidityEndDate"] = row["ValidityEndDate"] or END_OF_TIME
            case "A_BusinessPartnerRole":
                row["ValidFrom"] = row["ValidFrom"] or f"{self.now():%Y-%m-%d}T00:00:00Z"
                row["ValidTo"] = row["ValidTo"] or END_OF_TIME
            case "A_AddressEmailAddress" | "A_AddressPhoneNumber" | "A_AddressHomePageURL":
                self._complete_communication(entity, row, given)
            case contact.CONTACT:
                contact.complete(self.store, row, local(self.now(), self.zone)[0])
            case contact.WORKPLACE:
                contact.complete_workplace(self.store, row)

    def _complete_partner(self, entity: Entity, row: Row, given: Row, user: str, *, trusted: bool) -> None:
        if not trusted or not row["BusinessPartner"]:
            row["BusinessPartner"] = self._number(entity, row)
        stamp = self.now()
        row["BusinessPartnerUUID"] = row["BusinessPartnerUUID"] or _guid("partner", row["BusinessPartner"])
        row["CreatedByUser"] = row["CreatedByUser"] or user
        if not given.get("CreationDate"):
            row["CreationDate"], row["CreationTime"] = local(stamp, self.zone)
        row["ETag"] = row["ETag"] or f"{row['CreatedByUser']}{stamp:%Y%m%d%H%M%S}"
        row["IsNaturalPerson"] = "X" if row["BusinessPartnerCategory"] == "1" else ""
        _name(row)

    def _number(self, entity: Entity, row: Row) -> str:
        grouping, given = row["BusinessPartnerGrouping"], str(row["BusinessPartner"])
        found = self.groupings.get(grouping)
        if found is None:
            raise invalid(entity, "BusinessPartnerGrouping", f"Grouping {grouping} is not defined", "R1/013")
        if not found.external:
            if given:
                raise invalid(entity, "BusinessPartner", f"Grouping {grouping} assigns its numbers itself", "R1/027")
            return str(self.store.number(grouping, int(found.start)))
        if not given:
            raise invalid(entity, "BusinessPartner", f"Grouping {grouping} needs an external number", "R1/028")
        inside = given.isdigit() == found.start.isdigit() and _pad(found.start) <= _pad(given) <= _pad(found.end)
        if not inside:
            raise invalid(entity, "BusinessPartner", f"Number {given} is outside the interval of {grouping}", "R1/029")
        return given

    def _complete_communication(self, entity: Entity, row: Row, given: Row) -> None:
        siblings = self.store.by(entity.set, "AddressID", row["AddressID"])
        if row["OrdinalNumber"] == "0":
            row["OrdinalNumber"] = str(1 + max((int(other["OrdinalNumber"]) for other in siblings), default=0))
        flag = next(name for name in entity.props if name.startswith("IsDefault"))
        if flag not in given:
            row[flag] = not any(_same_kind(other, row) for other in siblings)
        match entity.set:
            case "A_AddressPhoneNumber":
                self._complete_phone(row)
            case "A_AddressEmailAddress":
                row["SearchEmailAddress"] = row["EmailAddress"].upper()[:20]
            case "A_AddressHomePageURL":
                row["ValidityStartDate"] = row["ValidityStartDate"] or "0001-01-01"
                row["URLFieldLength"] = len(row["WebsiteURL"])

    def _complete_phone(self, row: Row) -> None:
        addresses = self.store.by("A_BusinessPartnerAddress", "AddressID", row["AddressID"])
        country = addresses[0]["Country"] if addresses else ""
        row["PhoneNumberType"] = row["PhoneNumberType"] or "1"
        row["DestinationLocationCountry"] = row["DestinationLocationCountry"] or country
        row["InternationalPhoneNumber"] = international(row["PhoneNumber"], row["DestinationLocationCountry"])

    def _after_create(self, entity: Entity, row: Row, user: str) -> None:
        if entity.set == "A_BusinessPartnerAddress":
            self._usage_of_first(row, user)
        if entity.set == contact.CONTACT:
            contact.add_function(self.store, row)
        if entity.set == "A_BusinessPartnerRole" and row["BusinessPartnerRole"] in CUSTOMER_ROLES:
            self._become_customer(row["BusinessPartner"], user)
        if entity.set != "A_BusinessPartner":
            self._stamp_root(entity, row, user)

    def _usage_of_first(self, address: Row, user: str) -> None:
        """The first address becomes the standard address (usage XXDEFAULT)."""
        partner = self.store.tables["A_BusinessPartner"].get((address["BusinessPartner"],))
        if partner is None:
            return
        addresses = self.store.children(partner, schema()["A_BusinessPartner"].navs["to_BusinessPartnerAddress"])
        if len(addresses) == 1:
            usage = {"BusinessPartner": address["BusinessPartner"], "AddressID": address["AddressID"]}
            self.create(schema()["A_BuPaAddressUsage"], usage | {"AddressUsage": "XXDEFAULT"}, user)

    def _become_customer(self, partner_id: str, user: str) -> None:
        """Only a customer role makes a customer: A_Customer is not creatable (sap:creatable=false)."""
        partner = self.store.tables["A_BusinessPartner"][(partner_id,)]
        if (partner["Customer"],) in self.store.tables["A_Customer"]:
            return
        number = str(self.store.number("customer", 7000000)) if self.own_customer_numbers else partner_id
        number = partner["Customer"] or number
        self._replace("A_BusinessPartner", {**partner, "Customer": number})
        entity = schema()["A_Customer"]
        date, _ = local(self.now(), self.zone)
        row = {name: prop.initial for name, prop in entity.props.items()}
        row |= {"Customer": number, "CustomerName": partner["BusinessPartnerName"][:80], "CustomerAccountGroup": "CUST"}
        row |= {"CustomerFullName": partner["BusinessPartnerFullName"], "CreatedByUser": user, "CreationDate": date}
        self.store.put(entity, row)

    # -- change and delete ---------------------------------------------------------------------

    def change(self, entity: Entity, row: Row, payload: Mapping[str, Any], user: str, *, trusted: bool = False) -> Row:
        """Merge properties into a row (PATCH and MERGE alike)."""
        if not entity.updatable:
            raise Refusal(405, "/IWBEP/CM_MGW_RT/036", f"Entity set {entity.set} cannot be changed")
        plain, nested = self._split(entity, payload, trusted=trusted)
        if nested:
            raise Refusal(400, "/IWBEP/CM_MGW_RT/021", "Inline entries are not allowed in an update")
        moved = [name for name in entity.keys if name in plain and plain[name] != row[name]]
        if moved:
            raise invalid(entity, moved[0], f"Key property '{moved[0]}' cannot be changed", "/IWBEP/CM_MGW_RT/177")
        changed = {**row, **plain}
        if not trusted:
            self._check(entity, changed, plain)
        self._recompute(entity, changed, user)
        return self.store.put(entity, changed)

    def _recompute(self, entity: Entity, row: Row, user: str) -> None:
        match entity.set:
            case "A_BusinessPartner":
                _name(row)
                self._stamp(row, user)
            case "A_AddressPhoneNumber":
                row["InternationalPhoneNumber"] = international(row["PhoneNumber"], row["DestinationLocationCountry"])
            case "A_AddressHomePageURL":
                row["URLFieldLength"] = len(row["WebsiteURL"])
        if entity.set != "A_BusinessPartner":
            self._stamp_root(entity, row, user)

    def delete(self, entity: Entity, row: Row, user: str) -> None:
        """Delete a child; an address valid today only gets an end date (KBA 3602817)."""
        if not entity.deletable:
            raise Refusal(405, "/IWBEP/CM_MGW_RT/037", f"Delete is not supported for entity set {entity.set}")
        self._guard(entity, row, {})
        if entity.set == "A_BusinessPartnerAddress":
            if self._has_usage(row, {"AddressUsage": "XXDEFAULT"}):
                raise invalid(entity, "AddressID", "The standard address cannot be deleted", "R1/228")
            self.store.put(entity, {**row, "ValidityEndDate": f"{self.now():%Y-%m-%dT%H:%M:%S}Z"})
        elif entity.set == contact.CONTACT:
            contact.remove(self.store, entity, row)
        else:
            self.store.remove(entity, row)
        self._stamp_root(entity, row, user)

    def _stamp_root(self, entity: Entity, row: Row, user: str) -> None:
        if entity.set not in self.moves_root:
            return
        partner = self.owner(row)
        if partner is not None:
            root = dict(partner)
            self._stamp(root, user)
            self._replace("A_BusinessPartner", root)

    def _stamp(self, row: Row, user: str) -> None:
        """Date and time in the system's zone; the ETag property is user and time stamp, in whole seconds."""
        row["LastChangeDate"], row["LastChangeTime"] = local(self.now(), self.zone)
        row["LastChangedByUser"] = user
        row["ETag"] = f"{user}{self.now():%Y%m%d%H%M%S}"

    def _replace(self, name: str, row: Row) -> None:
        self.store.put(schema()[name], row)

    # -- guards --------------------------------------------------------------------------------

    def owner(self, row: Row) -> Row | None:
        """The partner a row belongs to: a relationship to its person."""
        partners = self.store.tables["A_BusinessPartner"]
        for name in ("BusinessPartner", "BusinessPartnerPerson"):
            if name in row:
                return partners.get((row[name],))
        if "Customer" in row:
            return next(iter(self.store.by("A_BusinessPartner", "Customer", row["Customer"])), None)
        addresses = self.store.by("A_BusinessPartnerAddress", "AddressID", row["AddressID"])
        return partners.get((addresses[0]["BusinessPartner"],)) if addresses else None

    def _check(self, entity: Entity, row: Row, given: Row) -> None:
        check(entity, row)
        if entity.set == contact.CONTACT:
            contact.check(self.store, entity, row)
        self._guard(entity, row, given)

    def _guard(self, entity: Entity, row: Row, given: Row) -> None:
        self._guard_lock(row)
        if entity.set in {"A_CustomerSalesArea", "A_CustomerCompany"}:
            self._guard_role(entity, row)
        for veto in self.vetoes:
            if veto.times > 0 and veto.contains in str(given.get(veto.prop) or ""):
                veto.times -= 1
                raise invalid(entity, veto.prop, veto.text, "ZFSM/001")

    def _guard_lock(self, row: Row) -> None:
        """A lock is a 400 like any other refusal; only the text tells (KBA 3645227)."""
        partner = self.owner(row) if self.locks else None
        if partner is not None and partner["BusinessPartner"] in self.locks:
            user = self.locks[partner["BusinessPartner"]]
            text = f"Business partner {partner['BusinessPartner']} is currently being processed by user {user}"
            raise Refusal(400, "R1/110", text)

    def _guard_role(self, entity: Entity, row: Row) -> None:
        needed = "FLCU01" if entity.set == "A_CustomerSalesArea" else "FLCU00"
        partner = self.owner(row)
        key = (partner["BusinessPartner"] if partner else "", needed)
        if key not in self.store.tables["A_BusinessPartnerRole"]:
            raise invalid(entity, "Customer", f"Role {needed} is missing for this view of the customer", "R1/881")


def _listed(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        return list(value["results"]) if "results" in value else [value]
    return list(value or [])


def _pad(number: str) -> str:
    return number.zfill(10) if number.isdigit() else number


def _guid(*parts: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(parts)))


def _same_kind(other: Row, row: Row) -> bool:
    return bool(other.get("PhoneNumberType", "") == (row.get("PhoneNumberType", "") or "1"))


def _name(row: Row) -> None:
    """Computed and read-only: the full name has 81 characters at most."""
    match row["BusinessPartnerCategory"]:
        case "1":
            parts = [row["FirstName"], row["LastName"]]
        case "3":
            parts = [row["GroupBusinessPartnerName1"], row["GroupBusinessPartnerName2"]]
        case _:
            parts = [row["OrganizationBPName1"], row["OrganizationBPName2"]]
    row["BusinessPartnerFullName"] = row["BusinessPartnerName"] = " ".join(filter(None, parts))[:81]
