"""The package for Salesforce holds exactly the custom fields of the mappings, in the form the mappings need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.docs.pages import ROOT

HOME = ROOT / "metadata" / "salesforce"
SOURCE = HOME / "force-app" / "main" / "default"
NS = "{http://soap.sforce.com/2006/04/metadata}"
API = "62.0"
MAPPINGS: dict[str, dict[str, Any]] = {
    mapping["object"]: mapping
    for path in (ROOT / "mappings" / "salesforce").glob("*.yaml")
    for mapping in [yaml.safe_load(path.read_text(encoding="utf-8"))]
}
SETS = {"FSM_Hub": ["Account", "Contact"], "FSM_Hub_Sites": ["Location"]}
"""Permission set -> the mapped objects it opens."""
MANIFESTS = {"package.xml": "FSM_Hub", "sites.xml": "FSM_Hub_Sites"}
NO_FIELD_RIGHTS = {
    "Account.Name",  # always readable
    "Account.Owner.Name",  # of the user, read only
    "Contact.FirstName",  # goes with the name, which every contact has
    "Contact.LastName",
    "Location.Name",
    "Location.LocationType",  # required in every org, as the next
    "Location.AssociatedLocations.ParentRecordId",
}
BESIDES = {"Location.VisitorAddressId", "AssociatedLocation.ActiveTo"}
"""Written by the connector to keep a location and its parts together."""


def tree(path: Path) -> ET.Element:
    return ET.parse(path).getroot()  # noqa: S314 - files of our own


def texts(element: ET.Element, *path: str) -> list[str]:
    return [found.text or "" for found in element.findall("/".join(NS + step for step in path))]


def natives(row: Any) -> list[str]:
    native = row if isinstance(row, str) else row["native"]
    return [native] if isinstance(native, str) else list(native)


def row_of(sobject: str, native: str) -> dict[str, Any]:
    rows = [row for row in MAPPINGS[sobject]["fields"].values() if isinstance(row, dict) and native in natives(row)]
    return rows[0] if rows else {}


def mapped(sobject: str) -> set[str]:
    return {f"{sobject}.{native}" for row in MAPPINGS[sobject]["fields"].values() for native in natives(row)}


FIELDS = {
    f"{path.parts[-3]}.{path.name.removesuffix('.field-meta.xml')}": tree(path)
    for path in SOURCE.glob("objects/*/fields/*.xml")
}
KEYS = {f"{sobject}.{mapping['key']}" for sobject, mapping in MAPPINGS.items()}
PERMISSIONS = {name: tree(SOURCE / "permissionsets" / f"{name}.permissionset-meta.xml") for name in SETS}


def test_the_fields_are_those_of_the_mappings_and_their_keys() -> None:
    custom = {native for sobject in MAPPINGS for native in mapped(sobject) if native.endswith("__c")}
    assert set(FIELDS) == custom | KEYS


@pytest.mark.parametrize("path", sorted(HOME.rglob("*.xml")), ids=lambda path: path.name)
def test_every_file_is_well_formed_and_of_the_metadata_api(path: Path) -> None:
    assert tree(path).tag in {NS + kind for kind in ("CustomField", "PermissionSet", "Package")}


@pytest.mark.parametrize("native", FIELDS)
def test_a_field_is_named_as_its_file_and_explained(native: str) -> None:
    field = FIELDS[native]
    assert texts(field, "fullName") == [native.partition(".")[2]]
    assert all(texts(field, tag)[0] for tag in ("label", "description", "type"))


@pytest.mark.parametrize("native", sorted(KEYS))
def test_the_key_can_carry_an_upsert(native: str) -> None:
    key = FIELDS[native]
    told = {tag: texts(key, tag) for tag in ("type", "length", "externalId", "unique", "caseSensitive")}
    assert told == {
        "type": ["Text"], "length": ["36"], "externalId": ["true"], "unique": ["true"], "caseSensitive": ["true"],
    }  # fmt: skip


@pytest.mark.parametrize("native", FIELDS)
def test_type_length_and_values_are_the_mappings(native: str) -> None:
    sobject, _, name = native.partition(".")
    field, row = FIELDS[native], row_of(sobject, name)
    [kind] = texts(field, "type")
    assert kind in _kinds(row)
    if kind == "Email":
        assert row["length"] == 80  # Salesforce's own length of an e-mail field
    elif "length" in row:
        assert texts(field, "length") == [str(row["length"])]
    if "values" in row:
        assert texts(field, "valueSet", "valueSetDefinition", "value", "fullName") == _written(row)


def _kinds(row: dict[str, Any]) -> set[str]:
    free = {"Text", "Email", "LongTextArea"}
    known = {"enum": {"Picklist"}, "flag": {"Checkbox"}, "decimal": {"Number"}}
    if row.get("codec") == "multi_picklist":
        return {"MultiselectPicklist"} if "values" in row else free  # codes nobody listed are one text
    return known.get(str(row.get("codec")), free)


def _written(row: dict[str, Any]) -> list[str]:
    """The native values the hub writes."""
    values, chosen = row["values"], row.get("representative", {})
    return [str(chosen.get(canonical, native)) for canonical, native in values.items()]


@pytest.mark.parametrize("name", SETS)
def test_a_permission_set_opens_exactly_the_mapped_fields(name: str) -> None:
    granted = set(texts(PERMISSIONS[name], "fieldPermissions", "field"))
    objects = SETS[name]
    custom = {field for field in FIELDS if field.partition(".")[0] in objects}
    assert {field for field in granted if field.endswith("__c")} == custom
    standard = {native for sobject in objects for native in mapped(sobject) if not native.endswith("__c")}
    besides = BESIDES if "Location" in objects else set()
    assert granted - custom == {_field_of(native) for native in standard - NO_FIELD_RIGHTS} | besides
    assert set(texts(PERMISSIONS[name], "fieldPermissions", "editable")) == {"true"}
    assert texts(PERMISSIONS[name], "fieldPermissions", "field") == sorted(granted)


def _field_of(native: str) -> str:
    """Rights to an address and to a position are given to it as a whole."""
    parts = ("Street", "PostalCode", "City", "State", "Country")
    if native in {f"Location.VisitorAddress.{part}" for part in parts}:
        return "Address.Address"
    if native in {"Location.Latitude", "Location.Longitude"}:
        return "Location.Location"
    sobject, _, name = native.partition(".")
    for address in ("Billing", "Shipping"):
        if name in {address + part for part in parts}:
            return f"{sobject}.{address}Address"
    return native


@pytest.mark.parametrize(
    ("name", "objects", "rights"),
    [
        ("FSM_Hub", ["Account", "Contact"], ["ApiEnabled"]),
        ("FSM_Hub_Sites", ["Address", "AssociatedLocation", "Location"], []),
    ],
)
def test_the_permission_sets_give_the_api_and_all_records_and_no_delete(
    name: str, objects: list[str], rights: list[str]
) -> None:
    told = {
        tag: texts(PERMISSIONS[name], "objectPermissions", tag) for tag in ("object", "viewAllRecords", "allowDelete")
    }
    every = len(objects)
    assert told == {"object": objects, "viewAllRecords": ["true"] * every, "allowDelete": ["false"] * every}
    assert texts(PERMISSIONS[name], "userPermissions", "name") == rights


@pytest.mark.parametrize("file", MANIFESTS)
def test_a_manifest_names_everything_of_its_objects_once(file: str) -> None:
    manifest, name = tree(HOME / "manifest" / file), MANIFESTS[file]
    named = {texts(kind, "name")[0]: texts(kind, "members") for kind in manifest.findall(f"{NS}types")}
    fields = sorted(field for field in FIELDS if field.partition(".")[0] in SETS[name])
    assert named == {"CustomField": fields, "PermissionSet": [name]}
    assert texts(manifest, "version") == [API]
    assert json.loads((HOME / "sfdx-project.json").read_text(encoding="utf-8"))["sourceApiVersion"] == API
