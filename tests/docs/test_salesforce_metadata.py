"""The package for Salesforce holds exactly the custom fields of the mapping, in the form the mapping needs."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.docs.pages import ROOT

HOME = ROOT / "metadata" / "salesforce"
SOURCE = HOME / "force-app" / "main" / "default"
NS = "{http://soap.sforce.com/2006/04/metadata}"
API = "62.0"
MAPPING = yaml.safe_load((ROOT / "mappings" / "salesforce" / "customer.yaml").read_text(encoding="utf-8"))


def tree(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314 - files of our own


def texts(element: ET.Element, *path: str) -> list[str]:
    return [found.text or "" for found in element.findall("/".join(NS + step for step in path))]


def row_of(native: str) -> dict[str, object]:
    rows = [row for row in MAPPING["fields"].values() if isinstance(row, dict) and row["native"] == native]
    return rows[0] if rows else {}


FIELDS = {path.name.removesuffix(".field-meta.xml"): tree(path) for path in SOURCE.glob("objects/Account/fields/*.xml")}
PERMISSIONS = tree(SOURCE / "permissionsets" / "FSM_Hub.permissionset-meta.xml")
MAPPED = {row if isinstance(row, str) else row["native"] for row in MAPPING["fields"].values()}


def test_the_fields_are_those_of_the_mapping_and_its_key() -> None:
    assert set(FIELDS) == {native for native in MAPPED if native.endswith("__c")} | {MAPPING["key"]}


@pytest.mark.parametrize("path", sorted(HOME.rglob("*.xml")), ids=lambda path: path.name)
def test_every_file_is_well_formed_and_of_the_metadata_api(path: Path) -> None:
    assert tree(path).tag in {NS + kind for kind in ("CustomField", "PermissionSet", "Package")}


@pytest.mark.parametrize("native", FIELDS)
def test_a_field_is_named_as_its_file_and_explained(native: str) -> None:
    field = FIELDS[native]
    assert texts(field, "fullName") == [native]
    assert all(texts(field, tag)[0] for tag in ("label", "description", "type"))


def test_the_key_can_carry_an_upsert() -> None:
    key = FIELDS[MAPPING["key"]]
    told = {tag: texts(key, tag) for tag in ("type", "length", "externalId", "unique", "caseSensitive")}
    assert told == {
        "type": ["Text"], "length": ["36"], "externalId": ["true"], "unique": ["true"], "caseSensitive": ["true"],
    }  # fmt: skip


@pytest.mark.parametrize("native", FIELDS)
def test_type_length_and_values_are_the_mappings(native: str) -> None:
    field, row = FIELDS[native], row_of(native)
    [kind] = texts(field, "type")
    codec = row.get("codec", "text")
    assert kind in {
        "enum": {"Picklist"},
        "multi_picklist": {"MultiselectPicklist"},
        "flag": {"Checkbox"},
    }.get(str(codec), {"Text", "Email", "LongTextArea"})
    if kind == "Email":
        assert row["length"] == 80  # Salesforce's own length of an e-mail field
    elif "length" in row:
        assert texts(field, "length") == [str(row["length"])]
    if "values" in row:
        assert texts(field, "valueSet", "valueSetDefinition", "value", "fullName") == _written(row)


def _written(row: dict[str, object]) -> list[str]:
    """The native values the hub writes."""
    values, chosen = row["values"], row.get("representative", {})
    assert isinstance(values, dict)
    assert isinstance(chosen, dict)
    return [str(chosen.get(canonical, native)) for canonical, native in values.items()]


def test_the_permission_set_opens_exactly_the_mapped_fields() -> None:
    granted = set(texts(PERMISSIONS, "fieldPermissions", "field"))
    custom = {f"Account.{native}" for native in FIELDS}
    assert {field for field in granted if field.endswith("__c")} == custom
    assert granted - custom == {f"Account.{_field_of(native)}" for native in MAPPED if not native.endswith("__c")} - {
        "Account.Name",  # always readable
        "Account.Owner.Name",  # of the user, read only
    }
    assert set(texts(PERMISSIONS, "fieldPermissions", "editable")) == {"true"}


def _field_of(native: str) -> str:
    """Rights to an address are given to the address as a whole."""
    parts = ("Street", "PostalCode", "City", "State", "Country")
    for address in ("Billing", "Shipping"):
        if native in {address + part for part in parts}:
            return f"{address}Address"
    return native


def test_the_permission_set_gives_the_api_and_all_accounts_and_no_delete() -> None:
    told = {tag: texts(PERMISSIONS, "objectPermissions", tag) for tag in ("object", "viewAllRecords", "allowDelete")}
    assert told == {"object": ["Account"], "viewAllRecords": ["true"], "allowDelete": ["false"]}
    assert texts(PERMISSIONS, "userPermissions", "name") == ["ApiEnabled"]


def test_the_manifest_names_everything_once() -> None:
    manifest = tree(HOME / "manifest" / "package.xml")
    named = {texts(kind, "name")[0]: texts(kind, "members") for kind in manifest.findall(f"{NS}types")}
    assert named == {"CustomField": sorted(f"Account.{native}" for native in FIELDS), "PermissionSet": ["FSM_Hub"]}
    assert texts(manifest, "version") == [API]
    assert json.loads((HOME / "sfdx-project.json").read_text(encoding="utf-8"))["sourceApiVersion"] == API
