"""SAP contacts and sites: there and back through the shipped mappings, their codecs, and what is read only.

Not here: customers (`test_round_trip`).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.sap.simulator_schema import schema
from fsm_core.errors import BadMapping, Invalid
from fsm_core.model import shape
from fsm_core.model.compare import blank
from fsm_core.ports import Row
from mappings import CODECS, Mapping, load
from mappings.codec import Around, Unencodable
from tests.mappings.customers import PHONES, name, words
from tests.mappings.documents import shown_after

CONTACT, SITE = load("sap", "contact"), load("sap", "site")
SOME = settings(max_examples=60, deadline=None)
CONTACTS = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(["1000021", "EXT-7", "A/1"]),
        "name": st.fixed_dictionaries({"first": st.none() | name(40), "last": name(40)}),
        "email": st.none() | st.just("kim@example.com") | words(60),
        "phone": st.none() | PHONES | words(30),
        "language": st.none() | st.sampled_from(["de", "en", "fr", "zh"]),
    }
)
JOB, PERSON, WORKPLACE = "to_ContactRelationship", "to_Person", "to_ContactAddress"


def differing(document: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    decoded = CONTACT.decode(document)
    assert decoded.faults == ()
    fields = shape("contact").fields
    return {
        field: (value, decoded.values[field])
        for field, value in wanted.items()
        if not fields[field].same(value, decoded.values[field])
    }


def contact(job: dict[str, Any] | None = None, workplace: dict[str, Any] | None = None) -> dict[str, Any]:
    row = {"ContactPersonFunction": "", "ContactPersonDepartment": "", "EmailAddress": "", "PhoneNumber": ""}
    place = {"ContactRelationshipFunction": "", "ContactRelationshipDepartment": "", "to_MobilePhoneNumber": []}
    return {
        "BusinessPartnerCompany": "1000021",
        PERSON: {"FirstName": "", "LastName": "Lee", "CorrespondenceLanguage": ""},
        JOB: {**row, "PhoneNumberExtension": "", **(job or {})},
        WORKPLACE: [] if workplace is None else [{**place, **workplace}],
    }


def site(**fields: Any) -> dict[str, Any]:
    return {path: fields.get(path, "") for path in SITE.object.fields}


# -- contacts ----------------------------------------------------------------------------------


@SOME
@given(CONTACTS)
def test_a_created_contact_reads_the_same(wanted: dict[str, Any]) -> None:
    native = CONTACT.encode_create(wanted, "0190")
    assert differing(shown_after(CONTACT, native), wanted) == {}


@SOME
@given(CONTACTS, CONTACTS)
def test_an_updated_contact_reads_the_same(old: dict[str, Any], new: dict[str, Any]) -> None:
    before = shown_after(CONTACT, CONTACT.encode_create(old))
    now = CONTACT.decode(before).values
    changes = {field: value for field, value in new.items() if CONTACT.writable(field)}
    native = CONTACT.encode(changes, now)
    assert native == CONTACT.encode(changes, now)
    assert differing(shown_after(CONTACT, native, before), changes) == {}


def test_names_go_to_the_person_and_job_data_to_the_relationship() -> None:
    native = CONTACT.encode_create(
        {"customer_id": "1000021", "name": {"first": "Kim", "last": "Lee"}, "email": "k@e.example", "roles": ["site"]}
    )
    assert native == {
        "BusinessPartnerCompany": "1000021",
        PERSON: (Row({}, {"FirstName": "Kim", "LastName": "Lee"}),),
        JOB: (Row({}, {"EmailAddress": "k@e.example"}),),
    }


def test_a_contact_never_moves_to_another_company() -> None:
    with pytest.raises(BadMapping, match="not written"):
        CONTACT.encode({"customer_id": "1000022"})


def test_a_last_name_that_does_not_fit_is_refused_with_its_field() -> None:
    with pytest.raises(Invalid) as raised:
        CONTACT.encode({"name": {"first": None, "last": "x" * 41}})
    assert (raised.value.field, raised.value.object) == ("name", "A_BusinessPartnerContact")


@pytest.mark.parametrize(
    ("function", "department", "roles", "title", "named"),
    [
        ("", "", None, None, None),
        ("0001", "0007", ["billing", "decision"], "Executive board", "Finance"),
        ("0001", "0002", ["decision"], "Executive board", "Sales"),
        ("ZX", "0004", ["technical"], "ZX", "Production"),
        ("ZX", "ZY", None, "ZX", "ZY"),
    ],
)
def test_codes_become_roles_and_words(function, department, roles, title, named) -> None:
    job = {"ContactPersonFunction": function, "ContactPersonDepartment": department}
    values = CONTACT.decode(contact(job)).values
    assert (values["roles"], values["job_title"], values["department"]) == (roles, title, named)


def test_the_words_of_a_workplace_go_before_the_names_of_codes() -> None:
    place = {"ContactRelationshipFunction": "Facility manager", "ContactRelationshipDepartment": "Site 7"}
    values = CONTACT.decode(contact({"ContactPersonFunction": "0001"}, place)).values
    assert (values["job_title"], values["department"], values["roles"]) == ("Facility manager", "Site 7", ["decision"])


def test_a_mobile_number_is_that_of_the_workplace() -> None:
    number = {"PhoneNumber": "0171 5551234", "PhoneNumberExtension": "", "DestinationLocationCountry": "DE"}
    place = {"to_MobilePhoneNumber": [{"IsDefaultPhoneNumber": True, **number}]}
    assert CONTACT.decode(contact(workplace=place)).values["mobile"] == "+49 171 5551234"
    assert CONTACT.decode(contact()).values["mobile"] is None
    assert not CONTACT.writable("mobile")


@pytest.mark.parametrize(
    ("number", "extension", "phone"), [("", "", None), ("+49 30 12", "", "+49 30 12"), ("030 12", "34", "030 12 34")]
)
def test_direct_numbers_carry_their_extension(number, extension, phone) -> None:
    values = CONTACT.decode(contact({"PhoneNumber": number, "PhoneNumberExtension": extension})).values
    assert values["phone"] == phone


def test_read_only_codecs_refuse_to_write() -> None:
    codecs = (
        CODECS["sap_contact_roles"](functions={}, departments={}),
        CODECS["sap_spoken"](),
        CODECS["sap_site_name"](),
    )
    for codec in codecs:
        with pytest.raises(Unencodable) as raised:
            codec.encode("x", Around())
        assert "direction in" in raised.value.remedy


@pytest.mark.parametrize(("native", "ours"), [("1000021", "1000021"), (" ", None), ("", None), (None, None)])
def test_a_reference_is_an_id_or_nothing(native, ours) -> None:
    codec = CODECS["reference"]()
    assert (codec.decode(native) if native is not None else None) == ours
    assert codec.encode(ours, Around()) == (ours,)


def test_persons_who_are_no_customers_are_left_to_the_contacts() -> None:
    assert load("sap", "customer").object.filter == "BusinessPartnerCategory ne '1' or Customer ne ''"


# -- sites -------------------------------------------------------------------------------------


def test_an_address_becomes_a_site() -> None:
    native = site(
        BusinessPartner="1000021",
        StreetName="Am Hang",
        HouseNumber="7",
        PostalCode="24103",
        CityName="Kiel",
        Region="SH",
        Country="DE",
        AddressTimeZone="CET",
        AddressIDByExternalSystem="S-7",
    )
    decoded = SITE.decode(native)
    assert decoded.faults == ()
    assert decoded.values == {
        "customer_id": "1000021",
        "number": "S-7",
        "name": "Am Hang 7, Kiel",
        "kind": "customer_site",
        "time_zone": "Europe/Berlin",
        "address": {
            "street": "Am Hang",
            "number": "7",
            "extra": None,
            "postcode": "24103",
            "city": "Kiel",
            "region": "SH",
            "country": "DE",
        },
    }
    assert shape("site").faults({field: value for field, value in decoded.values.items() if not blank(value)}) == []


@pytest.mark.parametrize(
    ("fields", "called"),
    [
        ({"FullName": "Works North", "CityName": "Kiel"}, "Works North"),
        ({"CityName": "Kiel"}, "Kiel"),
        ({"StreetName": "Am Hang"}, "Am Hang"),
        ({}, None),
    ],
)
def test_a_site_is_called_by_what_its_address_has(fields, called) -> None:
    assert SITE.decode(site(**fields)).values["name"] == called


def test_an_unknown_time_zone_is_a_fault_that_names_the_known_ones() -> None:
    decoded = SITE.decode(site(AddressTimeZone="MARS"))
    [fault] = decoded.faults
    assert (fault.field, "CET" in fault.message) == ("time_zone", True)
    assert "address" in decoded.values


def test_nothing_of_a_site_is_ever_written() -> None:
    assert not any(SITE.writable(field) or SITE.creatable(field) for field in SITE.canonical_fields)
    assert SITE.object.filter == "Customer ne ''"
    assert SITE.object.key == ""


@pytest.mark.parametrize("table", [CONTACT, SITE])
def test_every_native_field_is_in_the_service(table: Mapping) -> None:
    for path in table.object.fields:
        entity = schema()[table.object.name]
        *way, last = path.split(".")
        for step in way:
            entity = schema()["A_BusinessPartner" if step == PERSON else entity.navs[step].target]
        assert last in entity.props
