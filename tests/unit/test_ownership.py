from pathlib import Path

import pytest

import mappings
from fsm_core.errors import BadMapping
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, load, parse
from fsm_core.sync.types import NonOwnerChange, Policy

SHIPPED = Path(mappings.__file__).parent / "ownership.yaml"
HEAD = "version: 1\nbind: {crm: salesforce, erp: sap}\n"


def book(text: str):
    return Rulebook(parse(text), "v", SHAPES, ["salesforce", "sap"]).book("customer")


def shipped():
    file, version = load(SHIPPED)
    return Rulebook(file, version, SHAPES, ["salesforce", "sap"]).book("customer")


def test_the_entity_condition_moves_the_owner():
    assert shipped().rules({})["legal_name"].owner == "salesforce"
    assert shipped().rules({"billing_status": "active"})["legal_name"].owner == "sap"


def test_a_field_rule_outranks_the_entity_condition():
    assert shipped().rules({"billing_status": "active"})["trade_name"].owner == "salesforce"
    assert shipped().rules({})["tax_ids"].owner == "sap"


def test_defaults_fill_what_a_field_leaves_open():
    rules = shipped().rules({})
    assert rules["legal_name"].non_owner_change is NonOwnerChange.PROPOSE
    assert rules["tax_ids"].non_owner_change is NonOwnerChange.REVERT
    assert rules["legal_name"].blank_by_owner == "conflict"
    assert rules["phone"].policy is Policy.NEWEST


def test_one_system_in_two_roles_is_one_system():
    assert shipped().rules({})["phone"].rank == ("salesforce", "sap")


def test_every_field_of_the_entity_has_a_rule():
    assert set(shipped().rules({})) == set(SHAPES["customer"].fields)


def test_a_record_goes_where_its_state_says():
    assert shipped().wanted_in({"status": "prospect"}) == ["salesforce"]
    assert shipped().wanted_in({"status": "active"}) == ["salesforce", "sap"]


def test_switch_fields_are_those_that_conditions_read():
    assert shipped().switches() == {"billing_status", "status"}


def test_the_version_is_the_files_content(tmp_path):
    _, one = load(SHIPPED)
    other = tmp_path / "ownership.yaml"
    other.write_text(SHIPPED.read_text(encoding="utf8") + "\n# a comment\n", encoding="utf8")
    assert load(other)[1] != one


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            HEAD + "entities: {customer: {owner: {default: crm}, fields: {phone: {polcy: x}}}}",
            "known keys: accept_from",
        ),
        (HEAD + "entities: {customer: {owner: {default: crm}, fields: {fone: {}, '*': {}}}}", "no field 'fone'"),
        (HEAD + "entities: {customer: {owner: {default: crm}}}", "has no rule"),
        (HEAD + "entities: {custmer: {owner: {default: crm}}}", "unknown entity 'custmer'; known: customer"),
        (HEAD + "entities: {customer: {owner: {default: cmms}, fields: {'*': {}}}}", "role 'cmms' is not bound"),
        (
            HEAD + "entities: {customer: {owner: {default: crm, when: [{if: 'statuss == 1', owner: erp}]}}}",
            "no field 'statuss'",
        ),
        ("version: 1\nbind: {crm: hubspot}\nentities: {}", "unknown system 'hubspot'; known: salesforce, sap"),
        ("version: [", "is not YAML"),
        ("version: 1\nbnd: {}\nentities: {}", "bnd"),
    ],
)
def test_what_is_wrong_is_named(text, says):
    with pytest.raises(BadMapping, match=says.replace("*", r"\*").replace("(", r"\(")):
        book(text)


CONTACTS = (
    "entities:\n  customer: {owner: {default: crm}, fields: {'*': {}}}\n"
    "  contact:\n    owner: {default: crm, when: [{if: \"CONDITION\", owner: erp}]}\n    fields: {'*': {}}\n"
)


def contacts(condition: str):
    return Rulebook(parse(HEAD + CONTACTS.replace("CONDITION", condition)), "v", SHAPES, ["salesforce", "sap"])


def test_a_condition_looks_into_the_record_that_is_referred_to():
    rules = contacts("'billing' in roles and customer.billing_status == 'active'")
    contact = rules.book("contact")
    parents = {"r1": {"billing_status": "active"}, "r2": {"billing_status": "none"}}
    owners = [
        contact.rules(contact.joined({"roles": ["billing"], "customer_id": parent}, parents))["job_title"].owner
        for parent in ("r1", "r2", "r3", None)
    ]
    assert owners == ["sap", "salesforce", "salesforce", "salesforce"]
    assert contact.switches() == {"roles", "customer_id"}
    assert rules.watchers("customer") == {"contact": frozenset({"billing_status"})}
    assert rules.watchers("contact") == {}


def test_a_condition_on_the_member_of_a_group_looks_into_no_other_record():
    contact = contacts("name.last == 'Huber'").book("contact")
    assert contact.joins == {}
    assert contact.switches() == {"name"}
    assert contact.rules({"name": {"last": "Huber"}})["job_title"].owner == "sap"


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("customer.colour == 'red'", "customer has no field 'colour'"),
        ("supplier.status == 'active'", "contact has no field 'supplier_id'"),
    ],
)
def test_a_condition_may_only_name_what_there_is(condition, message):
    with pytest.raises(BadMapping, match=message):
        contacts(condition)
