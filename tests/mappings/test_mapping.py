"""The API of a mapping: what it reads and writes, absent and blank, faults, and errors that help.

Not here: whole round trips (`test_round_trip`) and single codecs (`test_codecs`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fsm_core.errors import BadMapping, Invalid
from fsm_core.ports import Row
from mappings import CODECS, load, load_file
from tests.mappings.documents import empty, shown_after

SALESFORCE = load("salesforce", "customer")
SAP = load("sap", "customer")


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "customer.yaml"
    path.write_text("entity: customer\nobject: Thing\n" + text, encoding="utf-8")
    return path


def broken(tmp_path: Path, text: str) -> str:
    with pytest.raises(BadMapping) as raised:
        load_file(table(tmp_path, text))
    assert str(tmp_path) in raised.value.message
    return raised.value.message


def test_the_object_lists_what_to_read() -> None:
    assert SALESFORCE.object.name == "Account"
    assert SALESFORCE.object.key == "FSM_Hub_Id__c"
    assert {"Name", "BillingStreet", "Owner.Name"} <= set(SALESFORCE.object.fields)
    assert list(SALESFORCE.object.fields) == sorted(set(SALESFORCE.object.fields))


def test_selectors_are_read_too_but_stand_in_no_path() -> None:
    fields = SAP.object.fields
    assert not [path for path in fields if "[" in path]
    assert {
        "to_BusinessPartnerAddress.StreetName",
        "to_BusinessPartnerAddress.to_AddressUsage.AddressUsage",
        "to_BusinessPartnerAddress.to_EmailAddress.IsDefaultEmailAddress",
        "to_BusinessPartnerTax.BPTaxType",
        "to_Customer.to_CustomerSalesArea.Division",
    } <= set(fields)


def test_directions() -> None:
    assert (SALESFORCE.readable("account_manager"), SALESFORCE.writable("account_manager")) == (True, False)
    assert (SAP.writable("kind"), SAP.creatable("kind"), SAP.readable("kind")) == (False, True, True)
    assert not SAP.readable("segment")
    address = "to_BusinessPartnerAddress[to_AddressUsage.AddressUsage=XXDEFAULT]"
    assert SAP.native_of("website") == (f"{address}.to_URLAddress[IsDefaultURLAddress=true].WebsiteURL",)


def test_absent_is_not_blank() -> None:
    assert SALESFORCE.decode({}).values == {}
    assert SALESFORCE.decode({"Phone": None, "Website": " "}).values == {"phone": None, "website": None}


def test_a_group_with_a_hidden_member_is_absent_as_a_whole() -> None:
    shown = {"BillingStreet": "Am Hang 1", "BillingCity": "Ulm", "BillingState": None, "BillingPostalCode": "89073"}
    assert "billing_address" not in SALESFORCE.decode(shown).values
    address = SALESFORCE.decode(shown | {"BillingCountry": "Allemagne"}).values["billing_address"]
    assert address == {
        "street": "Am Hang 1",
        "number": None,
        "extra": None,
        "postcode": "89073",
        "city": "Ulm",
        "region": None,
        "country": "DE",
    }


def test_a_blank_group_is_none() -> None:
    assert SALESFORCE.decode(empty(SALESFORCE.object.fields)).values["billing_address"] is None


def test_a_missing_row_is_blank_and_a_hidden_child_is_absent() -> None:
    document = empty(SAP.object.fields)
    assert SAP.decode(document).values["shipping_address"] is None
    del document["to_BusinessPartnerAddress"]
    decoded = SAP.decode(document).values
    assert not {"shipping_address", "billing_address", "email"} & set(decoded)
    assert decoded["legal_name"] is None


def test_undecodable_values_are_faults_and_leave_the_field_out() -> None:
    decoded = SALESFORCE.decode({"FSM_Status__c": "Sleeping", "Name": 5, "BillingCountry": "DE", "Phone": "1"})
    assert decoded.values == {"phone": "1"}
    faults = {fault.field: fault for fault in decoded.faults}
    assert faults["status"].native == "FSM_Status__c"
    assert "'Sleeping'" in faults["status"].message
    assert "On Hold" in faults["status"].message
    assert "a number" in faults["legal_name"].message


def test_a_group_with_an_unknown_country_is_a_fault() -> None:
    document = empty(SALESFORCE.object.fields) | {"BillingCountry": "Atlantis"}
    decoded = SALESFORCE.decode(document)
    assert "billing_address" not in decoded.values
    assert [fault.field for fault in decoded.faults] == ["billing_address"]


def test_groups_of_partners_are_ignored() -> None:
    assert SAP.decode({"BusinessPartnerCategory": "3"}).ignored
    assert not SAP.decode({"BusinessPartnerCategory": "2"}).ignored


def test_encode_writes_only_what_is_asked() -> None:
    assert SALESFORCE.encode({"phone": "+49 30 1", "industry": None}) == {"Phone": "+49 30 1", "Industry": None}


def test_encode_gathers_nested_rows() -> None:
    native = SAP.encode({"email": "kim@example.com", "currency": "EUR"})
    match = {"to_AddressUsage.AddressUsage": "XXDEFAULT"}
    email = (Row({"IsDefaultEmailAddress": True}, {"EmailAddress": "kim@example.com"}),)
    area = Row({"SalesOrganization": "1010", "DistributionChannel": "10", "Division": "00"}, {"Currency": "EUR"})
    assert native == {
        "to_BusinessPartnerAddress": (Row(match, {"to_EmailAddress": email}),),
        "to_Customer": (Row({}, {"to_CustomerSalesArea": (area,)}),),
    }


def test_a_cleared_row_or_its_usage_is_deleted() -> None:
    usage = (Row({"AddressUsage": "SHIP_TO"}, delete=True),)
    address = Row({"to_AddressUsage.AddressUsage": "SHIP_TO"}, {"to_AddressUsage": usage})
    assert SAP.encode({"shipping_address": None}) == {"to_BusinessPartnerAddress": (address,)}
    cleared: Any = SAP.encode({"email": None})["to_BusinessPartnerAddress"]
    assert cleared[0].fields["to_EmailAddress"] == (Row({"IsDefaultEmailAddress": True}, delete=True),)


def test_a_cleared_default_address_is_blanked_not_deleted() -> None:
    rows: Any = SAP.encode({"billing_address": None})["to_BusinessPartnerAddress"]
    assert not rows[0].delete
    assert set(rows[0].fields.values()) == {None}


def test_create_leaves_blanks_out_and_adds_defaults() -> None:
    native = SAP.encode_create({"legal_name": "Nord AG", "phone": None, "roles": [], "segment": "gold"})
    assert native == {"OrganizationBPName1": "Nord AG", "BusinessPartnerCategory": "2"}
    assert SAP.encode_create({"kind": "person"})["BusinessPartnerCategory"] == "1"


def test_a_person_has_a_first_and_a_last_name() -> None:
    native = SAP.encode_create({"legal_name": "Kim de Lee", "kind": "person"})
    assert native == {"LastName": "Lee", "FirstName": "Kim de", "BusinessPartnerCategory": "1"}
    assert SAP.decode(shown_after(SAP, native)).values["legal_name"] == "Kim de Lee"
    assert SAP.encode({"legal_name": "Kim Ho"}, {"kind": "person"}) == {"LastName": "Ho", "FirstName": "Kim"}


def test_what_cannot_be_expressed_is_refused_with_a_remedy() -> None:
    with pytest.raises(Invalid) as raised:
        SALESFORCE.encode({"status": "sleeping"})
    assert raised.value.field == "status"
    assert "values" in raised.value.remedy
    assert raised.value.object == "Account"
    with pytest.raises(Invalid, match="41 characters"):
        SALESFORCE.encode({"phone": "1" * 41})


def test_unknown_and_read_only_fields_cannot_be_written() -> None:
    with pytest.raises(BadMapping, match=r"does not map 'nonsense'; mapped: .*legal_name"):
        SALESFORCE.encode({"nonsense": 1})
    with pytest.raises(BadMapping, match="is not written to Account"):
        SALESFORCE.encode({"account_manager": "Kim"})


def test_an_unknown_field_lists_the_known_ones(tmp_path: Path) -> None:
    message = broken(tmp_path, "fields: {legal_nam: Name}")
    assert "customer.legal_nam:" in message
    assert "legal_name" in message


def test_an_unknown_member_lists_the_known_ones(tmp_path: Path) -> None:
    assert "known: street, number" in broken(tmp_path, "fields: {billing_address.strasse: Street}")


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_an_unknown_codec_lists_the_known_ones(tmp_path: Path, codec: str) -> None:
    assert codec in broken(tmp_path, "fields: {legal_name: {native: Name, codec: magic}}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fields: {legal_name: {native: Name, lenght: 3}}", "no option 'lenght'; known: length, too_long"),
        ("fields: {legal_name: {native: Name, length: long}}", "option length"),
        ("fields: {legal_name: {native: Name, direction: up}}", "'in', 'out', 'both' or 'create'"),
        ("fields: {legal_name: {native: []}}", "at least one native"),
        ("fields: {legal_name: {native: [A, B]}}", "takes 1 native fields, 2 are given"),
        ("fields: {legal_name: 'A..B'}", "not a path"),
        ("fields: {legal_name: 'A[B=1]'}", "not a path"),
        ("fields: {legal_name: 'A[B].C'}", "not a selector"),
        ("fields: {legal_name: $here.Name}", "unknown place; known: none"),
        ("fields: {id: Id}", "no field 'id'"),
        ("fields: {billing_address: Address}", "is a group; name its members: street"),
        (
            "fields: {billing_address.street: S, billing_address.street+number+extra: {native: S, codec: street_line}}",
            "twice",
        ),
        ("fields: {billing_address.street: S, billing_address.city: {native: C, direction: in}}", "one direction"),
        ("fields: {billing_address.street+city: S}", "covers 1 members, 2 are named"),
        ("fields: {status: {native: S, codec: enum, values: {active: A, inactive: A}}}", "stands for both"),
        ("fields: {status: {native: S, codec: enum, values: {active: [A, B]}}}", "'representative'"),
        ("fields: {legal_name: A, legal_name: B}", "written twice"),
        ("fields: {legal_name: A}\nconstants: {legal_name: B}", "both in 'fields' and in 'constants'"),
        ("fields: {legal_name: A}\nignore_if: {}", "ignore_when"),
        ("fields: [", "while parsing"),
    ],
)
def test_mistakes_in_a_table_are_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in broken(tmp_path, text)


def test_an_unknown_entity_lists_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("entity: custmer\nobject: X\nfields: {}\n", encoding="utf-8")
    with pytest.raises(BadMapping, match="known: customer"):
        load_file(path)


def test_an_unknown_mapping_lists_the_known_ones() -> None:
    with pytest.raises(
        BadMapping,
        match=r"known: (?:\S+, )*memory/customer\.yaml, (?:\S+, )*salesforce/customer\.yaml, .*sap/customer\.yaml",
    ):
        load("salesforc", "customer")
    with pytest.raises(BadMapping, match="cannot read"):
        load_file(Path("nowhere.yaml"))


def test_an_override_replaces_the_shipped_file(tmp_path: Path) -> None:
    folder = tmp_path / "salesforce"
    folder.mkdir()
    (folder / "customer.yaml").write_text(
        "entity: customer\nobject: Kunde__c\nfields: {legal_name: Name}\n", encoding="utf-8"
    )
    assert load("salesforce", "customer", tmp_path).object.name == "Kunde__c"
    assert load("sap", "customer", tmp_path).object.name == "A_BusinessPartner"
    (folder / "site.yaml").write_text(
        "entity: customer\nobject: Location\nfields: {legal_name: Name}\n", encoding="utf-8"
    )
    with pytest.raises(BadMapping, match="its name says site"):
        load("salesforce", "site", tmp_path)


def test_constants_key_fields_and_write_only_fields(tmp_path: Path) -> None:
    text = "constants: {kind: organisation}\nkey_field: own_id\nfields: {legal_name: {native: Name, direction: out}}"
    mapping = load_file(table(tmp_path, text))
    assert mapping.decode({"Name": "x"}).values == {"kind": "organisation"}
    assert (mapping.readable("legal_name"), mapping.readable("kind"), mapping.writable("kind")) == (False, True, False)
    assert mapping.encode_create({"legal_name": "x", "kind": "person"}, "0190") == {"Name": "x", "own_id": "0190"}
    assert mapping.object.fields == ()
    assert mapping.native_of("kind") == ()
    assert mapping.describe_rows()[-1].native == "always organisation"


def test_a_member_without_native_field_is_refused(tmp_path: Path) -> None:
    mapping = load_file(table(tmp_path, "fields: {billing_address.city: City}"))
    assert mapping.encode({"billing_address": {"city": "Ulm", "street": None}}) == {"City": "Ulm"}
    with pytest.raises(Invalid, match="street has no native field"):
        mapping.encode({"billing_address": {"city": "Ulm", "street": "Am Hang"}})
