"""The generated pages are what `make docs` would write now, and say what the files that run say."""

from __future__ import annotations

import pytest

import mappings
from connectors import quality
from docs import generate
from tests.docs.pages import ROOT

WANTED = generate.pages()
TABLES = mappings.shipped()


@pytest.mark.parametrize("name", WANTED)
def test_a_page_is_what_would_be_written(name):
    page = ROOT / "docs" / name
    assert page.is_file(), "run 'make docs'"
    assert page.read_text(encoding="utf-8") == WANTED[name], "run 'make docs'"


def test_no_page_is_left_of_a_mapping_that_is_gone():
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs" / "mappings").glob("*.md")}
    assert there == {name for name in WANTED if name.startswith("mappings/")}


def test_writing_touches_what_differs_and_removes_what_has_no_source(tmp_path):
    assert sorted(generate.write(tmp_path)) == sorted(WANTED)
    assert generate.write(tmp_path) == []
    page = tmp_path / "mappings" / "salesforce-customer.md"
    page.write_text("edited by hand", encoding="utf-8")
    (tmp_path / "mappings" / "gone-customer.md").write_text("of yesterday", encoding="utf-8")
    assert generate.write(tmp_path) == ["mappings/salesforce-customer.md", "mappings/gone-customer.md"]
    assert page.read_text(encoding="utf-8") == WANTED["mappings/salesforce-customer.md"]
    assert not (tmp_path / "mappings" / "gone-customer.md").exists()


@pytest.mark.parametrize(("kind", "entity"), TABLES)
def test_every_row_and_every_reason_is_on_the_page(kind, entity):
    table = mappings.load(kind, entity)
    page = WANTED[f"mappings/{kind}-{entity}.md"].splitlines()
    for row in table.describe_rows():
        (line,) = [line for line in page if line.startswith(f"| {row.canonical} |")]
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[2:4] == [row.codec, row.direction]
        assert cells[4] == str(row.length or "")
        assert all(written in cells[5] for _, written in row.values)
    for name, reason in table.missing().items():
        assert f"| {name} | {reason} |" in page


@pytest.mark.parametrize("path", ["$ship_to.CityName", "$phone.PhoneNumber", "$default_address.CityName"])
def test_a_long_path_is_told_by_its_longest_named_beginning(path):
    page = WANTED["mappings/sap-customer.md"]
    assert f"`{path}`" in page
    assert page.count("to_AddressUsage.AddressUsage=XXDEFAULT") == 4  # in the list of places only


def test_the_page_of_connectors_says_what_each_says_of_itself():
    page = WANTED["connectors.md"]
    for kind in quality.kinds():
        said = quality.load(kind)
        assert said.facts.auth in page
        assert all(entry.reason in page for entry in said.rules.values())
    assert all(f"| `{rule.id}` | {rule.sentence} |" in page for rule in quality.RULES)
    assert "| level | memory" not in page
    levels = " | ".join(quality.load(kind).level for kind in quality.kinds())
    assert f"| level | {levels} |" in page
