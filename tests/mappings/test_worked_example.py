"""Does what docs/mapping-a-field.md says: one line in the entity and one in the table of each system.

Not here: the API in general (`test_mapping`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import pytest

from fsm_core.model import Customer
from fsm_core.model.compare import Comparator
from fsm_core.model.entity import Compare, shape_of
from fsm_core.model.party import Text40
from mappings import SHIPPED, Mapping, load, load_file
from tests.mappings.documents import shown_after

PAGE = Path(__file__).parents[2] / "docs" / "mapping-a-field.md"


class CustomerWithFax(Customer):
    fax: Annotated[Text40, Compare(Comparator.PHONE)] | None = None


SHAPE = shape_of(CustomerWithFax)


def yaml_line(system: str) -> str:
    """The line that the page shows for a system."""
    found = re.search(
        rf"mappings/{system}/customer\.yaml.*?```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return found[1]


@pytest.fixture(params=["salesforce", "sap"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping:
    shipped = (SHIPPED / request.param / "customer.yaml").read_text(encoding="utf-8")
    path = tmp_path / "customer.yaml"
    above, below = shipped.split("\nfields:\n")
    path.write_text(f"{above}\nfields:\n{yaml_line(request.param)}{below}", encoding="utf-8")
    return load_file(path, SHAPE)


def test_the_page_shows_the_line_of_the_entity() -> None:
    assert "fax: Annotated[Text40, Compare(Comparator.PHONE)] | None = None" in PAGE.read_text(encoding="utf-8")


def test_each_system_needs_one_line() -> None:
    assert [yaml_line(system).count("\n") for system in ("salesforce", "sap")] == [1, 1]


def test_the_new_field_is_read_written_compared_and_described(table: Mapping) -> None:
    document = shown_after(table, table.encode_create({"legal_name": "Nord AG", "fax": "+49 30 1234567"}))
    shown = table.decode(document).values["fax"]
    assert SHAPE.field("fax").same(shown, "+49 (30) 123-4567")
    cleared = shown_after(table, table.encode({"fax": None}, {"fax": shown}), document)
    assert table.decode(cleared).values["fax"] is None
    assert "fax" in [row.canonical for row in table.describe_rows()]


def test_nothing_else_changes(table: Mapping) -> None:
    system = "sap" if table.object.name == "A_BusinessPartner" else "salesforce"
    before = load(system, "customer")
    assert set(table.canonical_fields) - set(before.canonical_fields) == {"fax"}
    assert all(table.native_of(field) == before.native_of(field) for field in before.canonical_fields)
