"""Every field of an entity is mapped or has a reason why not, in the file of the mapping itself; for every table."""

from __future__ import annotations

import pytest

from fsm_core.errors import BadMapping
from fsm_core.model import shape
from fsm_core.model.entity import HEADER
from mappings import load, load_file, shipped

MINIMAL = "entity: customer\nobject: Account\nfields: {legal_name: Name}\n"


@pytest.mark.parametrize(("kind", "entity"), shipped())
def test_every_field_is_mapped_or_has_a_reason(kind, entity):
    table = load(kind, entity)
    missing = table.missing()
    assert {*missing, *table.canonical_fields} == set(shape(entity).fields) - HEADER
    assert {name for name, reason in missing.items() if len(reason) < 5} == set(), "say why under 'not_mapped:'"


def test_memory_maps_everything_of_a_customer_but_references():
    assert list(load("memory", "customer").missing()) == ["parent_id"]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("not_mapped: {legal_name: No field.}", "legal_name: mapped, and under 'not_mapped' too"),
        ("not_mapped: {colour: No field.}", "no field 'colour'"),
        ("notes: {colour: Red.}", "no field 'colour'"),
        ("not_mapped: [kind]", "not_mapped"),
    ],
)
def test_a_reason_that_fits_nothing_is_refused(tmp_path, lines, told):
    path = tmp_path / "customer.yaml"
    path.write_text(f"{MINIMAL}{lines}\n", encoding="utf-8")
    with pytest.raises(BadMapping, match=told):
        load_file(path)


def test_a_field_without_a_reason_is_seen(tmp_path):
    path = tmp_path / "customer.yaml"
    path.write_text(f"{MINIMAL}not_mapped: {{kind: No field there.}}\n", encoding="utf-8")
    missing = load_file(path).missing()
    assert missing["kind"] == "No field there."
    assert missing["phone"] == ""


# -- a mapping without the fields an account hides ---------------------------------------------------------


def test_a_table_without_a_field_neither_reads_nor_writes_it():
    whole = load("sap", "customer")
    left = whole.without(["language", "billing_address"])
    assert "language" in whole.canonical_fields
    assert {*whole.canonical_fields} - {*left.canonical_fields} == {"language", "billing_address"}
    assert "CorrespondenceLanguage" in whole.object.fields
    assert "CorrespondenceLanguage" not in left.object.fields
    assert (left.writable("language"), left.creatable("language")) == (False, False)
    assert (left.object.key, left.entity, left.missing()["segment"]) == ("FSMHUB", "customer", "No field.")
    with pytest.raises(BadMapping, match="does not map 'language'"):
        left.encode({"language": "de"})


def test_the_paths_of_a_field_are_those_it_is_read_from_and_found_by():
    table = load("sap", "customer")
    assert table.paths_of("language") == ("CorrespondenceLanguage",)
    assert table.paths_of("roles") == ("to_BusinessPartnerRole.BusinessPartnerRole",)
    assert "to_BusinessPartnerAddress.to_AddressUsage.AddressUsage" in table.paths_of("email")
    assert table.essential == ("BusinessPartnerCategory",)
    assert set(table.object.fields) <= set(table.paths)


def test_a_field_that_is_only_written_is_among_the_paths_and_not_read(tmp_path):
    path = tmp_path / "customer.yaml"
    rows = "{legal_name: Name, phone: {native: Phone, direction: out}}"
    path.write_text(f"entity: customer\nobject: Account\nkey_field: Key__c\nfields: {rows}\n", encoding="utf-8")
    table = load_file(path)
    assert table.object.fields == ("Name",)
    assert table.paths == ("Key__c", "Name", "Phone")
    assert table.essential == ("Key__c",)
