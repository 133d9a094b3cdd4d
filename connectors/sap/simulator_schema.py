"""The simulator's schema: the part of API_BUSINESS_PARTNER that a service business needs, and its $metadata.

Not here: any behaviour; the names, types, lengths and flags are facts taken from SAP's published service metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from xml.sax.saxutils import quoteattr

NAMESPACE = "API_BUSINESS_PARTNER"

_KINDS = {
    "S": "Edm.String",
    "D": "Edm.DateTime",
    "T": "Edm.Time",
    "O": "Edm.DateTimeOffset",
    "B": "Edm.Boolean",
    "G": "Edm.Guid",
    "I": "Edm.Int16",
}

_RELATIONSHIP = "RelationshipNumber,BusinessPartnerCompany,BusinessPartnerPerson,ValidityEndDate"

_TABLE = """
= A_BusinessPartner A_BusinessPartnerType BusinessPartner no-delete
BusinessPartner:S10u Customer:S10ur Supplier:S10ur AcademicTitle:S4u AuthorizationGroup:S4u
BusinessPartnerCategory:S1u BusinessPartnerFullName:S81r BusinessPartnerGrouping:S4u BusinessPartnerName:S81r
BusinessPartnerUUID:Gr CorrespondenceLanguage:S2 CreatedByUser:S12ur CreationDate:Dr CreationTime:Tr
FirstName:S40 FormOfAddress:S4u Industry:S10u InternationalLocationNumber1:S7n
InternationalLocationNumber2:S5n IsFemale:Bu IsMale:Bu IsNaturalPerson:S1u IsSexUnknown:Bu GenderCodeName:S1u
Language:S2 LastChangeDate:Dr LastChangeTime:Tr LastChangedByUser:S12ur LastName:S40 LegalForm:S2u
OrganizationBPName1:S40 OrganizationBPName2:S40 OrganizationBPName3:S40 OrganizationBPName4:S40
OrganizationFoundationDate:D OrganizationLiquidationDate:D SearchTerm1:S20u SearchTerm2:S20u
AdditionalLastName:S40 BirthDate:D BusinessPartnerBirthDateStatus:S1u BusinessPartnerBirthplaceName:S40
BusinessPartnerDeathDate:D BusinessPartnerIsBlocked:Bu BusinessPartnerType:S4u ETag:S26r
GroupBusinessPartnerName1:S40 GroupBusinessPartnerName2:S40 IndependentAddressID:S10ur
InternationalLocationNumber3:S1n MiddleName:S40 NameCountry:S3u NameFormat:S2u PersonFullName:S80
PersonNumber:S10ur IsMarkedForArchiving:Bu BusinessPartnerIDByExtSystem:S20u TradingPartner:S6u
= A_BusinessPartnerAddress A_BusinessPartnerAddressType BusinessPartner,AddressID
BusinessPartner:S10u AddressID:S10u ValidityStartDate:O ValidityEndDate:O AuthorizationGroup:S4u
AddressUUID:Gr AdditionalStreetPrefixName:S40 AdditionalStreetSuffixName:S40 AddressTimeZone:S6u
CareOfName:S40 CityCode:S12u CityName:S40 CompanyPostalCode:S10u Country:S3u County:S40
DeliveryServiceNumber:S10u DeliveryServiceTypeCode:S4u District:S40 FormOfAddress:S4ur FullName:S80r
HomeCityName:S40 HouseNumber:S10 HouseNumberSupplementText:S10 Language:S2 POBox:S10u
POBoxDeviatingCityName:S40 POBoxDeviatingCountry:S3u POBoxDeviatingRegion:S3u POBoxIsWithoutNumber:Bu
POBoxLobbyName:S40 POBoxPostalCode:S10u Person:S10ur PostalCode:S10u PrfrdCommMediumType:S3u Region:S3u
StreetName:S60 StreetPrefixName:S40 StreetSuffixName:S40 TaxJurisdiction:S15u TransportZone:S10u
AddressIDByExternalSystem:S20u CountyCode:S8u TownshipCode:S8u TownshipName:S40
= A_AddressEmailAddress A_AddressEmailAddressType AddressID,Person,OrdinalNumber
AddressID:S10u Person:S10u OrdinalNumber:S3n IsDefaultEmailAddress:Bu EmailAddress:S241
SearchEmailAddress:S20u AddressCommunicationRemarkText:S50
= A_AddressPhoneNumber A_AddressPhoneNumberType AddressID,Person,OrdinalNumber
AddressID:S10u Person:S10u OrdinalNumber:S3n DestinationLocationCountry:S3u IsDefaultPhoneNumber:Bu
PhoneNumber:S30u PhoneNumberExtension:S10u InternationalPhoneNumber:S30u PhoneNumberType:S1u
AddressCommunicationRemarkText:S50
= A_AddressHomePageURL A_AddressHomePageURLType AddressID,Person,OrdinalNumber,ValidityStartDate,IsDefaultURLAddress
AddressID:S10u Person:S10u OrdinalNumber:S3n ValidityStartDate:D IsDefaultURLAddress:Bu SearchURLAddress:S50u
AddressCommunicationRemarkText:S50 URLFieldLength:I WebsiteURL:S2048
= A_BuPaAddressUsage A_BuPaAddressUsageType BusinessPartner,ValidityEndDate,AddressUsage,AddressID
BusinessPartner:S10u ValidityEndDate:O AddressUsage:S10u AddressID:S10u ValidityStartDate:O StandardUsage:Bu
AuthorizationGroup:S4u
= A_BusinessPartnerContact A_BusinessPartnerContactType $RELATIONSHIP
RelationshipNumber:S12u BusinessPartnerCompany:S10u BusinessPartnerPerson:S10u ValidityEndDate:D
ValidityStartDate:D IsStandardRelationship:Bu RelationshipCategory:S6u
= A_BPContactToFuncAndDept A_BPContactToFuncAndDeptType $RELATIONSHIP no-create no-delete
RelationshipNumber:S12u BusinessPartnerCompany:S10u BusinessPartnerPerson:S10u ValidityEndDate:D
ContactPersonFunction:S4u ContactPersonDepartment:S4u PhoneNumber:S30u PhoneNumberExtension:S10u FaxNumber:S30u
FaxNumberExtension:S10u EmailAddress:S241 RelationshipCategory:S6u
= A_BPContactToAddress A_BPContactToAddressType $RELATIONSHIP,AddressID no-create no-update no-delete
RelationshipNumber:S12u BusinessPartnerCompany:S10u BusinessPartnerPerson:S10u ValidityEndDate:D AddressID:S10u
AddressNumber:S10u AdditionalStreetPrefixName:S40 AdditionalStreetSuffixName:S40 AddressTimeZone:S6u
CareOfName:S40 CityCode:S12u CityName:S40 CompanyPostalCode:S10u Country:S3u County:S40
DeliveryServiceNumber:S10u DeliveryServiceTypeCode:S4u District:S40 FormOfAddress:S4ur FullName:S80r
HomeCityName:S40 HouseNumber:S10 HouseNumberSupplementText:S10 Language:S2 POBox:S10u
POBoxDeviatingCityName:S40 POBoxDeviatingCountry:S3u POBoxDeviatingRegion:S3u POBoxIsWithoutNumber:Bu
POBoxLobbyName:S40 POBoxPostalCode:S10u Person:S10ur PostalCode:S10u PrfrdCommMediumType:S3u Region:S3u
StreetName:S60 StreetPrefixName:S40 StreetSuffixName:S40 TaxJurisdiction:S15u TransportZone:S10u
AddressRepresentationCode:S1u ContactRelationshipFunction:S40 ContactRelationshipDepartment:S40 Floor:S10
ContactPersonBuilding:S10 RoomNumber:S10 ContactPersonPrfrdCommMedium:S3u CorrespondenceShortName:S10 InhouseMail:S10
= A_BusinessPartnerRole A_BusinessPartnerRoleType BusinessPartner,BusinessPartnerRole no-delete
BusinessPartner:S10u BusinessPartnerRole:S6u ValidFrom:O ValidTo:O AuthorizationGroup:S4u
= A_BusinessPartnerTaxNumber A_BusinessPartnerTaxNumberType BusinessPartner,BPTaxType
BusinessPartner:S10u BPTaxType:S4u BPTaxNumber:S20u BPTaxLongNumber:S60u AuthorizationGroup:S4u
= A_BuPaIdentification A_BuPaIdentificationType BusinessPartner,BPIdentificationType,BPIdentificationNumber
BusinessPartner:S10u BPIdentificationType:S6u BPIdentificationNumber:S60u BPIdnNmbrIssuingInstitute:S40
BPIdentificationEntryDate:D Country:S3u Region:S3u ValidityStartDate:D ValidityEndDate:D
AuthorizationGroup:S4u
= A_Customer A_CustomerType Customer no-create no-delete
Customer:S10u AuthorizationGroup:S4u BillingIsBlockedForCustomer:S2u CreatedByUser:S12ur CreationDate:Dr
CustomerAccountGroup:S4u CustomerClassification:S2u CustomerFullName:S220ur CustomerName:S80r
DeliveryIsBlocked:S2u NFPartnerIsNaturalPerson:S1u OrderIsBlockedForCustomer:S2u PostingIsBlocked:Bu
Supplier:S10u CustomerCorporateGroup:S10u FiscalAddress:S10u Industry:S4ur IndustryCode1:S10u
IndustryCode2:S10u IndustryCode3:S10u IndustryCode4:S10u IndustryCode5:S10u InternationalLocationNumber1:S7n
NielsenRegion:S2u ResponsibleType:S2u TaxNumber1:S16ur TaxNumber2:S11ur TaxNumber3:S18ur TaxNumber4:S18ur
TaxNumber5:S60ur TaxNumberType:S2u VATRegistration:S20u DeletionIndicator:Bu ExpressTrainStationName:S25
TrainStationName:S25 CityCode:S4u County:S3u
= A_CustomerCompany A_CustomerCompanyType Customer,CompanyCode no-delete
Customer:S10u CompanyCode:S4u APARToleranceGroup:S4u AccountByCustomer:S12u AccountingClerk:S2u
AccountingClerkFaxNumber:S31 AccountingClerkInternetAddress:S130 AccountingClerkPhoneNumber:S30u
AlternativePayerAccount:S10u AuthorizationGroup:S4u CollectiveInvoiceVariant:S1u CustomerAccountNote:S30
CustomerHeadOffice:S10u CustomerSupplierClearingIsUsed:Bu HouseBank:S5u InterestCalculationCode:S2u
InterestCalculationDate:D IntrstCalcFrequencyInMonths:S2n IsToBeLocallyProcessed:Bu
ItemIsToBePaidSeparately:Bu LayoutSortingRule:S3u PaymentBlockingReason:S1u PaymentMethodsList:S10u
PaymentTerms:S4u PaytAdviceIsSentbyEDI:Bu PhysicalInventoryBlockInd:Bu ReconciliationAccount:S10u
RecordPaymentHistoryIndicator:Bu UserAtCustomer:S15 DeletionIndicator:Bu CashPlanningGroup:S10u
KnownOrNegotiatedLeave:S4u ValueAdjustmentKey:S2u CustomerAccountGroup:S4u
= A_CustomerSalesArea A_CustomerSalesAreaType Customer,SalesOrganization,DistributionChannel,Division no-delete
Customer:S10u SalesOrganization:S4u DistributionChannel:S2u Division:S2u AccountByCustomer:S12u
AuthorizationGroup:S4u BillingIsBlockedForCustomer:S2u CompleteDeliveryIsDefined:Bu Currency:S5c
CustomerABCClassification:S2u CustomerAccountAssignmentGroup:S2u CustomerGroup:S2u CustomerPaymentTerms:S4u
CustomerPriceGroup:S2u CustomerPricingProcedure:S2u DeliveryIsBlockedForCustomer:S2u DeliveryPriority:S2n
IncotermsClassification:S3u IncotermsLocation2:S70 IncotermsVersion:S4u IncotermsLocation1:S70
DeletionIndicator:Bu IncotermsTransferLocation:S28 InvoiceDate:S2u ItemOrderProbabilityInPercent:S3n
OrderCombinationIsAllowed:Bu OrderIsBlockedForCustomer:S2u PartialDeliveryIsAllowed:S1u PriceListType:S2u
SalesGroup:S3u SalesOffice:S4u ShippingCondition:S2u SupplyingPlant:S4u SalesDistrict:S6u
InvoiceListSchedule:S2u ExchangeRateType:S4u AdditionalCustomerGroup1:S3u AdditionalCustomerGroup2:S3u
AdditionalCustomerGroup3:S3u AdditionalCustomerGroup4:S3u AdditionalCustomerGroup5:S3u
PaymentGuaranteeProcedure:S4u CustomerAccountGroup:S4u
"""
"""`= set type keys flags`, then `Property:KindLengthFlags`.

Kind S text, D date, T time, O instant, B boolean, G guid, I integer;
flag u upper-cased, n digits only, r read-only, c currency.
"""

_NAVIGATION = """
A_BusinessPartner to_BusinessPartnerAddress A_BusinessPartnerAddress * BusinessPartner
A_BusinessPartner to_BusinessPartnerRole A_BusinessPartnerRole * BusinessPartner
A_BusinessPartner to_BusinessPartnerTax A_BusinessPartnerTaxNumber * BusinessPartner
A_BusinessPartner to_BuPaIdentification A_BuPaIdentification * BusinessPartner
A_BusinessPartner to_BusinessPartnerContact A_BusinessPartnerContact * BusinessPartner=BusinessPartnerCompany
A_BusinessPartner to_Customer A_Customer 0..1 Customer
A_BusinessPartnerAddress to_AddressUsage A_BuPaAddressUsage * BusinessPartner,AddressID
A_BusinessPartnerAddress to_EmailAddress A_AddressEmailAddress * Person,AddressID
A_BusinessPartnerAddress to_PhoneNumber A_AddressPhoneNumber * Person,AddressID
A_BusinessPartnerAddress to_MobilePhoneNumber A_AddressPhoneNumber * Person,AddressID
A_BusinessPartnerAddress to_URLAddress A_AddressHomePageURL * Person,AddressID
A_BusinessPartnerContact to_ContactAddress A_BPContactToAddress * $RELATIONSHIP
A_BusinessPartnerContact to_ContactRelationship A_BPContactToFuncAndDept 0..1 $RELATIONSHIP
A_BPContactToAddress to_EmailAddress A_AddressEmailAddress * Person,AddressID
A_BPContactToAddress to_PhoneNumber A_AddressPhoneNumber * Person,AddressID
A_BPContactToAddress to_MobilePhoneNumber A_AddressPhoneNumber * Person,AddressID
A_BPContactToAddress to_URLAddress A_AddressHomePageURL * Person,AddressID
A_Customer to_CustomerCompany A_CustomerCompany * Customer
A_Customer to_CustomerSalesArea A_CustomerSalesArea * Customer
"""

PHONE_TYPES = {"to_PhoneNumber": ("", "1"), "to_MobilePhoneNumber": ("2", "3")}
"""Both lists read one entity set; the call-number type (1 and blank fixed, 2 and 3 mobile) tells them apart."""

ALPHA = frozenset(
    {
        "BusinessPartner",
        "BusinessPartnerCompany",
        "BusinessPartnerPerson",
        "RelationshipNumber",
        "Customer",
        "Supplier",
        "AddressID",
        "Person",
    }
)
"""Numbers with the ALPHA conversion: stored with leading zeros, shown without."""


@dataclass(frozen=True, slots=True)
class Prop:
    """One property: its EDM type, length and the sap: flags that change behaviour."""

    name: str
    type: str
    length: int | None = None
    upper: bool = False
    digits: bool = False
    read_only: bool = False
    currency: bool = False

    @property
    def initial(self) -> str | bool | int | None:
        """The ABAP initial value as the service shows it: text is never null, a date is."""
        match self.type:
            case "Edm.String":
                return "0" if self.digits else ""
            case "Edm.Boolean":
                return False
            case "Edm.Int16":
                return 0
        return None


@dataclass(frozen=True, slots=True)
class Nav:
    """A navigation: where it leads and the properties that are equal on both sides."""

    name: str
    target: str
    many: bool
    join: tuple[tuple[str, str], ...]
    """Pairs of a property here and one there; the last indexed one finds the rows."""


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity set with its type."""

    set: str
    type: str
    keys: tuple[str, ...]
    creatable: bool
    updatable: bool
    deletable: bool
    props: dict[str, Prop] = field(default_factory=dict)
    navs: dict[str, Nav] = field(default_factory=dict)


@cache
def schema() -> dict[str, Entity]:
    """Every entity set by name."""
    found: dict[str, Entity] = {}
    current: Entity | None = None
    for line in _TABLE.strip().splitlines():
        if line.startswith("="):
            _, name, kind, keys, *flags = line.split()
            current = Entity(
                name,
                kind,
                _spelled(keys),
                creatable="no-create" not in flags,
                updatable="no-update" not in flags,
                deletable="no-delete" not in flags,
            )
            found[name] = current
        elif current is not None:
            current.props.update({prop.name: prop for prop in map(_prop, line.split())})
    for line in _NAVIGATION.strip().splitlines():
        source, name, target, many, join = line.split()
        found[source].navs[name] = Nav(name, target, many == "*", tuple(map(_pair, _spelled(join))))
    return found


def _spelled(text: str) -> tuple[str, ...]:
    return tuple(text.replace("$RELATIONSHIP", _RELATIONSHIP).split(","))


def _pair(text: str) -> tuple[str, str]:
    here, _, there = text.partition("=")
    return here, there or here


def _prop(text: str) -> Prop:
    name, _, code = text.partition(":")
    length = "".join(char for char in code if char.isdigit())
    flags = code[1 + len(length) :]
    size = int(length) if length else None
    return Prop(name, _KINDS[code[0]], size, "u" in flags, "n" in flags, "r" in flags, "c" in flags)


@cache
def metadata() -> str:
    """The $metadata document (EDMX 1.0, OData 2.0)."""
    entities = schema().values()
    types = "".join(_type_xml(entity) for entity in entities)
    links = [(entity, nav) for entity in entities for nav in entity.navs.values()]
    associations = "".join(_association_xml(entity, nav) for entity, nav in links)
    sets = "".join(_set_xml(entity) for entity in entities)
    association_sets = "".join(_association_set_xml(entity, nav) for entity, nav in links)
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx"'
        ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
        ' xmlns:sap="http://www.sap.com/Protocols/SAPData">'
        '<edmx:DataServices m:DataServiceVersion="2.0">'
        f'<Schema Namespace="{NAMESPACE}" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">'
        f"{types}{associations}"
        f'<EntityContainer Name="{NAMESPACE}_Entities" m:IsDefaultEntityContainer="true">{sets}{association_sets}'
        "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def _type_xml(entity: Entity) -> str:
    keys = "".join(f'<PropertyRef Name="{key}"/>' for key in entity.keys)
    props = "".join(f"<Property {' '.join(_attributes(entity, prop))}/>" for prop in entity.props.values())
    navs = "".join(
        f'<NavigationProperty Name="{nav.name}" Relationship="{NAMESPACE}.{_link(entity, nav)}"'
        f' FromRole="From_{_link(entity, nav)}" ToRole="To_{_link(entity, nav)}"/>'
        for nav in entity.navs.values()
    )
    return f'<EntityType Name="{entity.type}"><Key>{keys}</Key>{props}{navs}</EntityType>'


def _attributes(entity: Entity, prop: Prop) -> Iterator[str]:
    yield f'Name="{prop.name}" Type="{prop.type}"'
    if prop.name in entity.keys:
        yield 'Nullable="false"'
    if prop.length is not None:
        yield f'MaxLength="{prop.length}"'
    if prop.type in {"Edm.DateTime", "Edm.DateTimeOffset", "Edm.Time"}:
        yield 'Precision="0"'
    display = "UpperCase" if prop.upper else "NonNegative" if prop.digits else ""
    display = "Date" if prop.type == "Edm.DateTime" else display
    if display:
        yield f"sap:display-format={quoteattr(display)}"
    if prop.read_only:
        yield 'sap:creatable="false" sap:updatable="false"'
    if prop.currency:
        yield 'sap:semantics="currency-code"'


def _link(entity: Entity, nav: Nav) -> str:
    return f"assoc_{entity.set}_{nav.name}"


def _association_xml(entity: Entity, nav: Nav) -> str:
    link = _link(entity, nav)
    many = "*" if nav.many else "0..1"
    return (
        f'<Association Name="{link}">'
        f'<End Type="{NAMESPACE}.{entity.type}" Multiplicity="1" Role="From_{link}"/>'
        f'<End Type="{NAMESPACE}.{schema()[nav.target].type}" Multiplicity="{many}" Role="To_{link}"/></Association>'
    )


def _association_set_xml(entity: Entity, nav: Nav) -> str:
    link = _link(entity, nav)
    return (
        f'<AssociationSet Name="{link}" Association="{NAMESPACE}.{link}">'
        f'<End EntitySet="{entity.set}" Role="From_{link}"/><End EntitySet="{nav.target}" Role="To_{link}"/>'
        "</AssociationSet>"
    )


def _set_xml(entity: Entity) -> str:
    allowances = (entity.creatable, entity.updatable, entity.deletable)
    flags = zip(("creatable", "updatable", "deletable"), allowances, strict=True)
    refused = "".join(f' sap:{flag}="false"' for flag, allowed in flags if not allowed)
    return f'<EntitySet Name="{entity.set}" EntityType="{NAMESPACE}.{entity.type}"{refused}/>'
