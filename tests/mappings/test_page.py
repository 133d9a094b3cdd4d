"""The page of customer fields says what the tables say, and gives a reason for every field left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from fsm_core.model import Customer
from mappings import load

PAGE = (Path(__file__).parents[2] / "docs" / "mapping-customer.md").read_text(encoding="utf-8")
SECTIONS = dict(zip(("salesforce", "sap"), PAGE.split("\n## ")[1:], strict=True))


@pytest.mark.parametrize("system", SECTIONS)
def test_every_line_of_the_table_is_on_the_page(system: str) -> None:
    tables = SECTIONS[system].split("Not mapped:")[0].splitlines()
    shown = [line for line in tables if line.startswith("| ") and not line.startswith("| field")]
    described = load(system, "customer").describe_rows()
    natives = [", ".join(f"`{path}`" for path in row.native.split(", ")) for row in described]
    assert shown == [
        f"| {row.canonical} | {native} | {row.codec} | {row.direction} |"
        for row, native in zip(described, natives, strict=True)
    ]


@pytest.mark.parametrize("system", SECTIONS)
def test_every_field_is_mapped_or_has_a_reason(system: str) -> None:
    reasons = [
        line.split(" | ")[0].removeprefix("| ") for line in SECTIONS[system].split("Not mapped:")[1].splitlines()
    ]
    missing = set(Customer.model_fields) - set(load(system, "customer").canonical_fields)
    assert missing == set(reasons) & set(Customer.model_fields)


def test_memory_maps_everything_but_references() -> None:
    assert set(Customer.model_fields) - set(load("memory", "customer").canonical_fields) == {"parent_id"}
