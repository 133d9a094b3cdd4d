"""The whole rule language: every key is read, checked where it stands, and the order of precedence holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fsm_core.errors import BadMapping
from fsm_core.model import SHAPES
from fsm_core.model.compare import Comparator, comparing
from fsm_core.ownership import Rulebook, parse
from fsm_core.ownership.lines import Lines
from fsm_core.ownership.reading import Reading
from fsm_core.sync.merge import decide
from fsm_core.sync.types import HUB, NonOwnerChange, Outcome, Policy, Rule, Seen

EXAMPLE = (Path(__file__).parents[1] / "cases" / "ownership_example.yaml").read_text(encoding="utf8")
HEAD = "version: 1\nbind: {crm: salesforce, erp: sap, fsm: hub}\n"
SYSTEMS = ["salesforce", "sap"]


def book(customer: str, **more):
    text = HEAD + "entities:\n  customer: " + customer
    return Rulebook(parse(text), "v", SHAPES, SYSTEMS, **more).book("customer")


def test_the_example_loads_whole():
    file = parse(EXAMPLE)
    assert set(file.entities) >= {"customer", "asset", "work_order", "visit", "invoice", "contact"}
    assert file.defaults.proposal_ttl == timedelta(days=14)
    assert file.defaults.stale_after is None
    assert file.defaults.guard.max_delete_ratio == 0.05
    assert file.singletons["asset_master"].map == {"maintained": "cmms", "installed_base": "fsm", "both": "cmms"}
    assert file.singletons["pm_program"].max_active == 1
    customer, asset, order = (file.entities[name] for name in ("customer", "asset", "work_order"))
    assert customer.match.fuzzy == ("legal_name", "billing_address.postcode", "website")
    assert (customer.match.auto, customer.match.review) == (0.97, 0.8)
    assert customer.delete is not None
    assert customer.delete.block_if == ("open_work_orders", "open_invoices")
    assert customer.handover is not None
    assert customer.handover.dwell == timedelta(hours=1)
    assert customer.handover.require == ("account_number", "tax_ids")
    assert customer.fields["credit_limit"].classification == "finance"
    assert asset.match.contradiction == ("part_id",)
    assert asset.create.by_condition["erp"] == "status == 'in_stock'"
    assert asset.fields["stewardship"].roles == ("admin",)
    assert order.create.pre_check == "duplicate_work"
    assert order.fields["status"].machine == "work_order"
    assert order.fields["status"].accept_from == {"erp": (("completed", "closed"),)}
    assert file.entities["part_consumption"].append_only
    assert file.entities["invoice"].immutable_after == "posted"
    assert file.routing[1].severity == "high"
    assert file.routing[-1].to == "resolver"


def test_an_owner_can_follow_a_singleton():
    reading = Reading("maintenance_plan", parse(EXAMPLE))
    assert reading.owner({"asset": {"stewardship": "maintained"}}) == "cmms"
    assert reading.owner({"asset": {"stewardship": "installed_base"}}) == "fsm"
    assert reading.owner({}) == "cmms"


def test_the_engine_refuses_an_entity_it_does_not_have():
    bound = EXAMPLE.replace("salesforce_prod", "salesforce").replace("s4_prod", "sap").replace("maximo_prod", "sap")
    file = parse(bound.replace("hub_core", "hub"))
    machines = {"work_order": {}, "visit": {}}
    with pytest.raises(BadMapping, match="rules for unknown entity 'asset'; known: customer"):
        Rulebook(file, "v", SHAPES, SYSTEMS, machines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{owner: {default: crm}, delete: {by: owner}}", "customer.delete.on_owner_delete: Field required"),
        ("{owner: {default: crm}, delete: {on_owner_delete: burn, on_non_owner_delete: restore}}", "on_owner_delete"),
        ("{owner: {default: crm}, handover: {dwell: 1h}}", "customer.handover.on_switch: Field required"),
        ("{owner: {default: crm}, handover: {on_swich: conflict}}", "known keys: dwell, on_switch, require"),
        ("{owner: {}}", "customer.owner: name a 'default' owner"),
        ("{owner: {from: nothing}}", "no singleton 'nothing'; known: none"),
        ("{owner: {default: crm}, match: {auto: 0.5, review: 0.9}}", "customer.match: review 0.9 is above auto 0.5"),
        ("{owner: {default: crm}, fields: {phone: {when: [{owner: erp}]}}}", "phone.when.0.if: Field required"),
        ("{owner: {default: crm}, fields: {phone: {accept_from: {erp: [ab]}}}}", "accept_from.erp.0"),
        ("{owner: {default: crm}, fields: {phone: {}, phone: {}}}", "'phone' is written twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text, says):
    with pytest.raises(BadMapping) as caught:
        parse(HEAD + "entities:\n  customer: " + text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("singletons: {a: {per: x}}\nentities: {}", "state one of 'system', 'map' and 'max_active'"),
        ("accept: [{check: X1, reason: because it is so}]\nentities: {}", "accept.0.check"),
        ("accept: [{check: S01, reason: so}]\nentities: {}", "accept.0.reason"),
        ("routing: [{match: {entty: x}}]\nentities: {}", "known keys: entity, field, type"),
        ("defaults: {guard: {max_rows: 1}}\nentities: {}", "known keys: max_blank_ratio"),
    ],
)
def test_the_parts_beside_the_entities_are_checked_too(text, says):
    with pytest.raises(BadMapping) as caught:
        parse(HEAD + text)
    assert says in str(caught.value)


def test_no_role_is_called_owner():
    with pytest.raises(BadMapping, match="no role may be called 'owner'"):
        parse("version: 1\nbind: {owner: sap}\nentities: {}")


CASES = """{owner: {default: crm}, fields: {"*": {}, phone: {non_owner_change: revert, when: [
  {if: "status == 'active'", priority: 2, owner: erp},
  {if: "billing_status == 'active'", priority: 1, policy: manual, non_owner_change: conflict}]}}}"""


def test_the_true_case_of_lowest_priority_is_in_force():
    rules = book(CASES).rules
    assert rules({})["phone"].owner == "salesforce"
    assert rules({"status": "active"})["phone"].owner == "sap"
    both = rules({"status": "active", "billing_status": "active"})["phone"]
    assert (both.policy, both.owner, both.ambiguous) == (Policy.MANUAL, "salesforce", False)


def test_a_case_says_what_it_states_and_else_what_the_field_says():
    rules = book(CASES).rules
    assert rules({"status": "active"})["phone"].non_owner_change is NonOwnerChange.REVERT
    assert rules({"billing_status": "active"})["phone"].non_owner_change is NonOwnerChange.CONFLICT


def test_a_case_without_an_owner_follows_the_entity():
    rules = book(
        "{owner: {default: crm, when: [{if: \"billing_status == 'active'\", owner: erp}]}, fields: {'*': {}, "
        "phone: {when: [{if: \"status == 'active'\", non_owner_change: accept}]}}}"
    ).rules
    assert rules({"status": "active"})["phone"].owner == "salesforce"
    assert rules({"status": "active", "billing_status": "active"})["phone"].owner == "sap"


def test_fields_of_conditions_are_switches_and_must_exist():
    assert book(CASES).switches() == {"status", "billing_status"}
    with pytest.raises(BadMapping, match="no field 'statuss'"):
        book(CASES.replace("status == 'active'", "statuss == 'active'", 1))


def test_a_field_that_is_local_under_a_case_is_set_apart():
    made = book("{owner: {default: crm}, fields: {'*': {}, phone: {when: [{if: \"privacy_hold\", policy: local}]}}}")
    assert made.set_apart == {"phone"}
    assert made.local({}) == frozenset()
    assert made.local({"privacy_hold": True}) == {"phone"}


def test_two_true_cases_of_one_priority_are_a_conflict():
    rules = book(CASES.replace("priority: 2", "priority: 1")).rules
    rule = rules({"status": "active", "billing_status": "active"})["phone"]
    assert rule.ambiguous
    same = comparing(Comparator.EXACT)
    seen = {"salesforce": Seen("2", base="1"), "sap": Seen("1", base="1")}
    verdict = decide(rule, "1", seen, same)
    assert verdict.outcome is Outcome.CONFLICT
    assert "ambiguous" in verdict.note
    assert decide(rule, None, {s: Seen(v) for s, v in (("a", "1"), ("b", "2"))}, same).outcome is Outcome.CONFLICT


def test_two_true_cases_that_say_the_same_are_no_conflict():
    same = CASES.replace("priority: 2, owner: erp", "policy: manual, non_owner_change: conflict").replace(
        "priority: 1, ", ""
    )
    rule = book(same).rules({"status": "active", "billing_status": "active"})["phone"]
    assert (rule.policy, rule.ambiguous) == (Policy.MANUAL, False)


def test_a_role_may_be_played_by_another_system_for_one_entity():
    made = book("{bind: {crm: sap}, owner: {default: crm}, fields: {'*': {}}}")
    assert made.rules({})["phone"].owner == "sap"


def test_a_field_without_a_rule_may_be_everybodys_own():
    text = HEAD + "defaults: {unowned: local}\nentities: {customer: {owner: {default: crm}, fields: {phone: {}}}}"
    rules = Rulebook(parse(text), "v", SHAPES, SYSTEMS).book("customer").rules({})
    assert rules["email"].policy is Policy.LOCAL
    assert rules["phone"].policy is Policy.OWNER


def test_the_hub_owns_without_a_link():
    rule = book("{owner: {default: fsm}, fields: {'*': {non_owner_change: revert}}}").rules({})["phone"]
    assert rule.owner == HUB
    same = comparing(Comparator.EXACT)
    verdict = decide(rule, "1", {"sap": Seen("2", base="1"), "salesforce": Seen("1", base="1")}, same)
    assert (verdict.outcome, verdict.writes) == (Outcome.REVERT, {"sap": "1"})
    first = decide(rule, "1", {"sap": Seen("2")}, same)
    assert (first.value, first.writes) == ("1", {"sap": "1"})


def test_the_hub_needs_no_replication_to_itself():
    made = book("{create: {allowed: [crm], replicate_to: {fsm: always, erp: always}}, owner: {default: crm}, "
                "fields: {'*': {}}}")  # fmt: skip
    assert made.wanted_in({}) == ["sap"]


def test_a_status_needs_its_machine():
    text = "{owner: {default: crm}, fields: {'*': {}, status: {policy: status, machine: party}}}"
    with pytest.raises(BadMapping, match=r"customer.status: unknown status machine 'party'; known: none"):
        book(text)
    rule = book(text, machines={"party": {"prospect": ("active",)}}).rules({})["status"]
    assert rule.transitions == {"prospect": ("active",)}


def test_a_single_transition_may_be_accepted_from_a_non_owner():
    rule = Rule(
        policy=Policy.STATUS,
        owner="fsm",
        transitions={"completed": ("closed", "open")},
        accept_from={"erp": (("completed", "closed"),)},
    )
    same = comparing(Comparator.EXACT)

    def said(value):
        return decide(rule, "completed", {"fsm": Seen("completed", "completed"), "erp": Seen(value, "completed")}, same)

    assert said("closed").outcome is Outcome.ACCEPT
    assert said("open").outcome is Outcome.PROPOSE


def test_lines_lead_to_the_value_or_the_nearest_around_it():
    lines = Lines("a:\n  b: 1\n  c: [x,\n    {d: 2}]\n")
    assert lines.of(("a", "b")) == 2
    assert lines.of(("a", "c", 1, "d")) == 4
    assert lines.of(("a", "c", 7)) == 3
    assert lines.of(("z",)) == 1
