"""Who owns what, when: phases in words, the table, the page, and the difference of two files."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

import mappings
from flows.rulepage import page
from fsm_core.model import SHAPES
from fsm_core.ownership import parse
from fsm_core.ownership.diff import diff
from fsm_core.ownership.matrix import matrix
from tests.rules import standin

SHIPPED = (mappings.SHIPPED / "ownership.yaml").read_text(encoding="utf8")
OWNER = "owner: {default: crm, when: [{if: \"billing_status in ('active', 'blocked')\", owner: erp}]}"


def sheets(text: str = SHIPPED) -> dict:
    return {sheet.entity: sheet for sheet in matrix(parse(text), SHAPES)}


def cells(sheet, field):
    (row,) = [row for row in sheet.rows if row.field == field]
    return [cell.label for cell in row.cells]


def test_the_phases_of_a_customer_follow_the_billing_status():
    customer = sheets()["customer"]
    assert [(one.when, one.values) for one in customer.phases] == [
        ("billing_status in ('active', 'blocked')", "billing_status is active or blocked"),
        ("otherwise", "billing_status is none or nothing"),
    ]
    assert cells(customer, "legal_name") == ["erp", "crm"]
    assert cells(customer, "trade_name") == ["crm", "crm"]
    assert cells(customer, "phone") == ["newest (crm, erp, fsm)"] * 2
    assert [row.field for row in customer.rows] == list(SHAPES["customer"].fields)


def test_an_entity_without_conditions_has_one_phase():
    site = sheets()["site"]
    assert [(one.when, one.values) for one in site.phases] == [("always", "always")]
    assert cells(site, "address") == ["erp"]


def test_cases_of_a_field_make_phases_of_their_own():
    text = standin.GOOD.replace('"*": {}', 'title: {when: [{if: stopped, owner: erp}]}\n      "*": {}')
    (sheet,) = matrix(parse(text), standin.SHAPES)
    assert {one.when for one in sheet.phases} == {
        "stage == 'live'", "stopped", "stage == 'live' and stopped", "otherwise",
    }  # fmt: skip
    by_phase = dict(zip([one.when for one in sheet.phases], cells(sheet, "title"), strict=True))
    assert by_phase["otherwise"] == "crm"
    assert by_phase["stopped"] == "erp"


def test_an_entity_the_hub_does_not_have_is_shown_as_far_as_the_file_goes():
    text = SHIPPED.replace(
        "\nrouting:", "\n  asset:\n    owner: {default: fsm}\n    fields: {tag: {owner: erp}, '*': {}}\nrouting:"
    )
    assert cells(sheets(text)["asset"], "tag") == ["erp"]


def test_the_page_is_whole_and_says_in_words_what_it_says_in_colours():
    made = page(matrix(parse(SHIPPED), SHAPES), "Who owns <what>")
    assert "Who owns &lt;what&gt;" in made
    assert not re.findall(r"(?:src|href)=", made)
    assert "prefers-color-scheme:dark" in made
    assert "@media print" in made
    drawings = re.findall(r"<svg.*?</svg>", made, re.DOTALL)
    assert len(drawings) == 3
    drawn = ET.fromstring(drawings[0])  # noqa: S314 - our own page
    space = "{http://www.w3.org/2000/svg}"
    assert drawn.get("role") == "img"
    assert drawn.find(f"{space}title").text == "Owners of customer"
    rects, labels = drawn.findall(f".//{space}rect"), [one.text for one in drawn.iter(f"{space}text")]
    fields = SHAPES["customer"].fields
    assert len(rects) == 2 * len(fields)
    assert set(fields) <= set(labels)
    assert "erp / propose" in labels
    assert all(f'<th scope="row">{name}</th>' in made for name in fields)
    assert "erp (sap) owns it; an edit elsewhere: revert" in made


def test_a_long_condition_is_told_whole_in_the_head_of_its_column():
    made = page(matrix(parse(SHIPPED), SHAPES, "contact"), "t")
    heads = " ".join(re.findall(r'<text class="head"[^>]*>([^<]*)</text>', made))
    assert "&#x27;billing&#x27; in roles and customer.billing_status == &#x27;active&#x27;" in heads
    assert "…" not in heads
    assert all(len(line) <= 40 for line in re.findall(r'<text class="head"[^>]*>([^<]*)</text>', made))


def test_a_role_has_one_colour_on_the_whole_page():
    made = page(matrix(parse(SHIPPED), SHAPES), "t")
    pairs = re.findall(r"<title>(\w+) \(\w+\) owns it[^<]*</title><rect class=\"(\w+)\"", made)
    assert len(dict(pairs)) == len(set(pairs)) == 3


def changes(old: str, new: str) -> list[str]:
    assert old in SHIPPED
    return [one.sentence for one in diff(parse(SHIPPED), parse(SHIPPED.replace(old, new, 1)), SHAPES)]


def test_the_same_rules_in_other_words_are_no_difference():
    other = "owner: {default: erp, when: [{if: \"billing_status not in ('active', 'blocked')\", owner: crm}]}"
    assert changes(OWNER, other) == []
    assert changes("trade_name:       {owner: crm}", "trade_name: {owner: crm, non_owner_change: propose}") == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("trade_name:       {owner: crm}", "trade_name: {owner: erp}",
         ["customer.trade_name: owner crm (salesforce) -> erp (sap)"]),
        ("trade_name:       {owner: crm}", "trade_name: {owner: crm, when: [{if: credit_block, owner: erp}]}",
         ["customer.trade_name: owner crm (salesforce) -> erp (sap), when credit_block is yes"]),
        ("price_list:       {owner: erp, non_owner_change: revert}", "price_list: {owner: erp}",
         ["customer.price_list: non_owner_change revert -> propose"]),
        ("service_notes:    {owner: fsm}", "service_notes: {policy: newest}",
         ["customer.service_notes: policy owner -> newest"]),
        ("create: {allowed: [crm, erp], ", "create: {allowed: [crm], ",
         ["customer: create.allowed [crm, erp] -> [crm]"]),
        ("max_blank_ratio: 0.02", "max_blank_ratio: 0.5", ["defaults.guard.max_blank_ratio 0.02 -> 0.5"]),
        ("erp: sap", "erp: s4", None),
    ],
)  # fmt: skip
def test_a_change_is_told_with_field_phase_and_both_sides(old, new, says):
    told = changes(old, new)
    if says is None:
        assert "bind.erp sap -> s4" in told
        assert "customer.tax_ids: owner erp (sap) -> erp (s4)" in told
    else:
        assert told == says


def test_an_owner_who_comes_a_phase_earlier_is_told_with_the_values():
    told = changes("in ('active', 'blocked')", "in ('active', 'blocked', 'none')")
    assert "customer.legal_name: owner crm (salesforce) -> erp (sap), when billing_status is none" in told


def test_an_entity_that_is_new_is_one_change():
    text = SHIPPED.replace("\nrouting:", "\n  asset:\n    owner: {default: fsm}\n    fields: {'*': {}}\nrouting:")
    assert [one.sentence for one in diff(parse(SHIPPED), parse(text), SHAPES)] == [
        "asset: the file has no rules -> rules"
    ]
