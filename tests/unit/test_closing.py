"""What `immutable_after`, `append_only`, `by_condition`, `roles` and `routing` say once they are read and bound."""

from __future__ import annotations

from typing import get_args

import pytest

from fsm_core.errors import BadMapping
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, RuleFile, parse
from fsm_core.ownership.closing import states_after
from fsm_core.ownership.diff import diff
from fsm_core.ownership.routing import routed
from fsm_core.ownership.words import Person
from fsm_core.persons.rights import Role
from fsm_core.service.routing import routed as routed_in
from tests.unit.test_rule_language import HEAD, SYSTEMS, book

INVOICE = {"draft": ("posted", "cancelled"), "posted": ("cancelled",)}
ORDER = {"open": ("done",), "done": ("closed", "open"), "closed": ()}
MACHINE = {"party": {"prospect": ("active",), "active": ("inactive", "on_hold"), "on_hold": ("active",)}}
STATUS = "fields: {status: {policy: status, machine: party}, roles: {immutable_after: never}, '*': {}}"


@pytest.mark.parametrize(
    ("status", "machine", "states"),
    [
        ("posted", INVOICE, {"posted", "cancelled"}),
        ("draft", INVOICE, {"draft", "posted", "cancelled"}),
        ("done", ORDER, {"done", "closed"}),  # it may be opened again, so what is open is not closed
        ("posted", {}, {"posted"}),
    ],
)
def test_a_status_closes_itself_and_what_follows_without_a_way_back(status, machine, states):
    assert states_after(status, machine) == states


def test_with_a_machine_the_status_moves_on_and_what_runs_beside_may_change():
    rules = book("{owner: {default: crm}, immutable_after: active, " + STATUS + "}", machines=MACHINE)
    assert not rules.fixed({"status": "prospect"})
    for status in ("active", "inactive"):
        fixed = rules.fixed({"status": status})
        assert "legal_name" in fixed
        assert fixed.isdisjoint({"status", "roles"})
    assert not rules.fixed({"status": "on_hold"})


def test_without_a_machine_the_status_is_closed_too():
    rules = book("{owner: {default: crm}, immutable_after: inactive, fields: {'*': {}}}")
    assert rules.fixed({"status": "inactive"}) == frozenset(SHAPES["customer"].fields)
    assert not rules.fixed({"status": "active"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{owner: {default: crm}, immutable_after: postd, fields: {'*': {}}}", "'postd' is no status"),
        ("{owner: {default: crm}, immutable_after: gone, " + STATUS + "}", "no status 'gone'; known: active, inactive"),
    ],
)
def test_a_status_that_there_is_not_is_named(text, says):
    with pytest.raises(BadMapping, match=says):
        book(text, machines=MACHINE)


def test_an_entity_without_a_status_cannot_close():
    text = HEAD + "entities:\n  contact: {owner: {default: crm}, immutable_after: posted, fields: {'*': {}}}"
    with pytest.raises(BadMapping, match="contact has no field 'status'"):
        Rulebook(parse(text), "v", SHAPES, SYSTEMS)


def test_append_only_is_of_every_field_but_what_runs_beside():
    rules = book("{owner: {default: crm}, append_only: true, fields: {roles: {immutable_after: never}, '*': {}}}")
    assert {name for name, rule in rules.rules({}).items() if not rule.append_only} == {"roles"}


def test_a_creator_is_free_when_one_of_its_roles_is():
    create = "create: {allowed: [crm, erp, fsm], by_condition: {crm: \"status == 'active'\", erp: always}}"
    text = "version: 1\nbind: {crm: sap, erp: sap, fsm: salesforce}\nentities:\n  customer: {owner: {default: crm}, "
    rules = Rulebook(parse(text + create + ", fields: {'*': {}}}"), "v", SHAPES, SYSTEMS).book("customer")
    assert not rules.births
    rules = book('{owner: {default: crm}, create: {allowed: [crm], by_condition: {crm: "kind == \'person\'"}}, '
                 "fields: {'*': {}}}")  # fmt: skip
    assert [when.text for when in rules.births["salesforce"]] == ["kind == 'person'"]


def test_a_difference_of_times_is_told_and_null_is_one():
    def file(field: str) -> RuleFile:
        head = f"{HEAD}defaults: {{proposal_ttl: 14d}}\nentities:\n  customer: {{owner: {{default: crm}}, fields: "
        return parse(head + f"{{phone: {field}, '*': {{}}}}}}")

    told = [(one.field, one.what) for one in diff(file("{}"), file("{proposal_ttl: null}"), SHAPES)]
    assert told == [("phone", "proposal_ttl")]
    assert diff(file("{}"), file("{proposal_ttl: 14d}"), SHAPES) == []


def test_the_roles_a_rule_may_name_are_those_of_persons():
    assert set(get_args(Person)) == set(Role)
    with pytest.raises(BadMapping, match="'viewer', 'resolver'"):
        book("{owner: {default: crm}, fields: {phone: {policy: manual, roles: [boss]}, '*': {}}}")


def test_roles_count_for_what_is_decided_by_hand_only():
    rules = book("{owner: {default: crm}, fields: {phone: {policy: manual, roles: [admin]}, email: {roles: [admin]}, "
                 "'*': {}}}")  # fmt: skip
    assert rules.deciders == {"phone": frozenset({"admin"})}


def test_a_field_may_wait_longer_than_the_others_or_for_ever():
    text = (
        HEAD
        + """
defaults: {stale_after: 30d, proposal_ttl: 14d, proposal_end: keep}
entities:
  customer: {owner: {default: crm}, fields: {phone: {stale_after: null, proposal_ttl: null}, email: {proposal_ttl: 1d,
             proposal_end: revert}, '*': {fallback_owner: erp}}}
"""
    )
    bound = Rulebook(parse(text), "v", SHAPES, SYSTEMS).book("customer")
    rules = bound.rules({})
    told = {name: (r.stale_after, r.proposal_ttl, r.proposal_end) for name, r in rules.items()}
    assert told["phone"] == (None, None, "keep")
    assert told["email"] == (30 * 86400, 86400, "revert")
    assert told["legal_name"] == (30 * 86400, 14 * 86400, "keep")
    assert bound.patience == {30 * 86400}


ROUTES = """
routing:
  - {match: {field: [currency, tax_ids]}, severity: high}
  - {match: {type: duplicate_work}, to: dispatch}
  - {match: {entity: customer, type: match}, to: stewards, severity: low}
  - {match: {field: currency}, to: finance}
  - {match: {entity: customer}, to: resolver}
"""


@pytest.mark.parametrize(
    ("about", "where"),
    [
        (("customer", "currency", "field"), ("finance", "high")),
        (("customer", "tax_ids", "field"), ("resolver", "high")),
        (("customer", "phone", "field"), ("resolver", "normal")),
        (("customer", "", "match"), ("stewards", "low")),
        (("work_order", "", "duplicate_work"), ("dispatch", "normal")),
        (("site", "", "delete"), ("", "normal")),
        (("customer", "", "merge"), ("resolver", "normal")),
    ],
)
def test_the_first_route_that_names_each_counts(about, where):
    routes = parse(HEAD + "entities: {customer: {owner: {default: crm}}}" + ROUTES).routing
    assert routed(routes, *about) == where


def test_every_question_is_sent_somewhere():
    """Whoever adds a question to the state says where it goes."""
    from pathlib import Path  # noqa: PLC0415 - looks at the source

    import fsm_core.service  # noqa: PLC0415 - as above

    assert routed_in.__module__ == "fsm_core.service.routing"
    calls = [
        line.strip()
        for path in sorted(Path(fsm_core.service.__file__).parent.glob("*.py"))
        for line in path.read_text(encoding="utf8").splitlines()
        if "work.add_conflicts(" in line or "work.add_proposals(" in line
    ]
    assert len(calls) >= 5
    assert [line for line in calls if "(routed(hub, " not in line] == []
