"""The shipped rules and templates give no finding, and every check finds what is broken in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import mappings
from flows.rulefacts import gather
from flows.wiring import SHIPPED_RULES
from fsm_core.model import SHAPES
from fsm_core.model.entity import EntityShape
from fsm_core.ownership import parse
from fsm_core.ownership.check import CHECKS, Finding, Party, Subject, check
from fsm_core.ownership.lines import Lines
from fsm_core.sync.types import HUB
from tests.rules.standin import Plain

SHIPPED = (mappings.SHIPPED / "ownership.yaml").read_text(encoding="utf8")
NOT_FOR_ALL = frozenset({"credit_limit"})
NOWHERE = Path("nowhere/hub.toml")


def tables(**changed: mappings.Mapping) -> dict[tuple[str, str], Party]:
    """The shipped mappings, of which some were changed; `system_entity` names one."""
    made = {(kind, entity): mappings.load(kind, entity) for kind, entity in mappings.shipped() if kind != "memory"}
    made |= {tuple(name.split("_")): table for name, table in changed.items()}  # type: ignore[misc]
    return {key: Party(key[0], table) for key, table in made.items()}


def findings(text: str = SHIPPED, shapes=SHAPES, **changed) -> list[Finding]:
    return check(Subject(parse(text), Lines(text), shapes, tables(**changed))).findings


def rules(old: str, new: str, count: int = 1) -> str:
    assert old in SHIPPED, old
    return SHIPPED.replace(old, new, count)


def table(folder: Path, name: str, old: str, new: str) -> mappings.Mapping:
    """A shipped mapping in which one line is another one."""
    text = (mappings.SHIPPED / f"{name}.yaml").read_text(encoding="utf8")
    assert text.count(old) == 1, (name, old, text.count(old))
    path = folder / "table.yaml"
    path.write_text(text.replace(old, new), encoding="utf8")
    return mappings.load_file(path)


def test_the_shipped_rules_give_no_finding():
    assert findings() == []


def test_they_give_none_without_settings_either():
    gathered = gather(NOWHERE, SHIPPED_RULES)
    assert check(gathered.subject).findings == []


@pytest.mark.parametrize("name", mappings.templates())
def test_the_templates_give_no_finding_with_the_mappings_that_ship(name):
    gathered = gather(NOWHERE, mappings.templates()[name])
    assert check(gathered.subject).findings == []


@pytest.mark.parametrize("name", [*mappings.templates(), "ownership"])
def test_they_give_none_where_every_system_knows_every_field(name):
    path = mappings.templates().get(name, mappings.SHIPPED / "ownership.yaml")
    text = path.read_text(encoding="utf8")
    file = parse(text)
    uncleared = {file.bind[role] for role, classes in file.clearance.items() if "finance" not in classes}
    whole = {
        (system, entity): Party(
            system, Plain(SHAPES[entity], without=NOT_FOR_ALL if system in uncleared else frozenset())
        )
        for system in {*file.bind.values()} - {HUB}
        for entity in SHAPES
    }
    told = check(Subject(file, Lines(text), SHAPES, whole)).findings
    assert [one for one in told if not one.place.startswith("accept")] == []
    assert set(file.entities) == set(SHAPES)


@pytest.mark.parametrize("name", [*mappings.templates(), "ownership"])
def test_they_give_none_once_all_others_have_contacts_and_sites(name):
    path = mappings.templates().get(name, mappings.SHIPPED / "ownership.yaml")
    text = path.read_text(encoding="utf8")
    file = parse(text)
    others = {*file.bind.values()} - {HUB} - {kind for kind, entity in mappings.shipped() if entity == "site"}
    more = {(one, entity): Party(one, Plain(SHAPES[entity])) for one in others for entity in ("contact", "site")}
    told = check(Subject(file, Lines(text), SHAPES, {**tables(), **more}))
    assert told.findings == []
    assert {"contact", "site"} <= {one.finding.entity for one in told.accepted if one.finding.check == "S05"}


def test_there_are_three_templates_and_they_are_no_mappings():
    assert list(mappings.templates()) == ["all-four", "cmms-erp", "crm-erp-fsm"]
    assert "templates" not in {kind for kind, _ in mappings.shipped()}


OWNER = """owner: {default: crm, when: [{if: "billing_status in ('active', 'blocked')", owner: erp}]}"""
SWITCH = "      billing_status:   {owner: erp, non_owner_change: revert}"
RULES = {
    "S00": rules("trade_name:  ", "trade_nam:   "),
    "S01": rules('      "*":              {}', ""),
    "S02": rules(OWNER, OWNER[:-2] + """, {if: "billing_status == 'blocked'", owner: fsm}]}"""),
    "S03": rules(SWITCH, SWITCH.replace("owner: erp, ", "")),
    "S04": rules("trade_name:       {owner: crm}", "trade_name:       {owner: erp}"),
    "S11": rules("keys: [[account_number], [tax_ids]]", "keys: []"),
    "S12": rules("on_owner_delete: deactivate", "on_owner_delete: delete"),
    "S14": rules("trade_name:       {owner: crm}", "trade_name:       {policy: union}"),
    "S15": rules("      billing_address:  {", '      "billing_address.city": {owner: fsm}\n      billing_address:  {'),
    "S16": rules(", immutable_after: set", ""),
    "S17": rules("active: erp, blocked: erp}", "active: crm, blocked: erp}"),
    "S19": rules("defaults:\n", "defaults:\n  stale_after: 5m\n"),
    "S20": rules("    handover: {on_switch: adopt_agreed} ", "    #"),
    "S21": rules("to: resolver, ", ""),
    "S22": rules("erp: [personal, finance]", "erp: [finance]"),
    "S23": rules("shipping_address, phone]", "shipping_address]"),
    "S24": rules(OWNER, OWNER.replace("'active', 'blocked'", "'activ',")),
}  # fmt: skip


@pytest.mark.parametrize("which", RULES)
def test_a_check_fires_on_the_broken_shipped_rules(which):
    made = [one for one in findings(RULES[which]) if one.check == which]
    assert made
    assert all(one.sentence and one.counter_example and one.remedy and one.line > 0 for one in made)


SF, SAP = "salesforce/customer", "sap/customer"
TABLES = {
    "S05": (SF, "price_list: {native: FSM_Price_List__c,", "price_list: {native: FSM_Price_List__c, direction: in,"),
    "S06": (SF, "trade_name: {native: FSM_Trade_Name__c,", "trade_name: {native: FSM_Trade_Name__c, direction: out,"),
    "S07": (SF, "codec: language}", "codec: currency}"),
    "S09": (SF, "on_hold: On Hold, ", ""),
    "S10": (SAP, "    codec: sap_name\n", "    codec: sap_name\n    direction: in\n"),
    "S13": (SF, "object: Account\n", "object: Account\ntimes: date\n"),
    "S15": (SAP, "  billing_address.region: {native: $default_address.Region, length: 3, too_long: leave}\n", ""),
    "S24": (SF, "price_list: {native: FSM_Price_List__c, ", "price_list: {native: FSM_Payment_Terms__c, "),
}  # fmt: skip


@pytest.mark.parametrize("which", TABLES)
def test_a_check_fires_on_a_broken_shipped_mapping(which, tmp_path):
    name, old, new = TABLES[which]
    made = [one for one in findings(**{name.replace("/", "_"): table(tmp_path, name, old, new)}) if one.check == which]
    assert made
    assert {one.system for one in made} == {name.partition("/")[0]}


def test_a_derived_field_of_a_shipped_mapping_is_found_once_it_is_no_longer_accepted():
    line = next(line for line in SHIPPED.splitlines(keepends=True) if "check: S08" in line)
    made = findings(rules(line, ""))
    assert [(one.check, one.field, one.counter_example["write"]) for one in made] == [("S08", "status", "roles")]


def test_entities_in_a_circle_are_found():
    customer = SHAPES["customer"]
    fields = {**customer.fields, "parent_id": replace(customer.fields["parent_id"], reference="site")}
    made = findings(shapes={**SHAPES, "customer": EntityShape("customer", customer.model, fields)})
    assert [one.check for one in made] == ["S18"]


def test_money_more_precise_than_the_target_is_found(tmp_path):
    line = "  credit_limit: {native: Limit, codec: decimal%s}\n  language: {"
    made = {}
    for kind, options in (("salesforce", ", places: 2"), ("sap", "")):
        lines = (mappings.SHIPPED / kind / "customer.yaml").read_text(encoding="utf8").splitlines(keepends=True)
        text = "".join(one for one in lines if not one.startswith("  credit_limit:"))
        path = tmp_path / f"{kind}.yaml"
        path.write_text(text.replace("  language: {", line % options), encoding="utf8")
        made[f"{kind}_customer"] = mappings.load_file(path)
    (one,) = [one for one in findings(**made) if one.check == "S23"]
    assert (one.field, one.system) == ("credit_limit", "salesforce")
    assert "more than 2 decimals" in one.sentence


def test_every_check_is_broken_somewhere_in_what_ships():
    assert {*RULES, *TABLES, "S08", "S18"} == set(CHECKS) - {"S25"}
