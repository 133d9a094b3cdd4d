"""Whom a question goes to and who may answer it, in the engine."""

from __future__ import annotations

import pytest

from fsm_core.errors import Denied
from fsm_core.persons.rights import Actor, Role
from fsm_core.service.deciders import deciders
from fsm_core.service.resolve import answer_proposal, resolve
from fsm_core.store import queries
from tests.scenarios.test_clocks import LANGUAGE, change_rules
from tests.scenarios.test_traps import linked, open_of
from tests.world import RULES, World, asking

each_database = pytest.mark.usefixtures("each_database")

BY_HAND = RULES.replace(LANGUAGE, "language: {policy: manual, roles: [finance, admin]}")
FINANCE, RESOLVER = (Actor(name, frozenset({Role(name)}), f"id-{name}") for name in ("finance", "resolver"))
ROUTING = RULES[RULES.index("routing:") : RULES.index("accept:")]


def routes(text: str) -> str:
    return asking().replace(ROUTING, f"routing:\n{text}\n\n")


def asked(world: World) -> dict[str, tuple[str, str]]:
    """Queue and severity of every open question and proposal, by field or type."""
    conflicts, proposals = open_of(world, queries.conflicts), open_of(world, queries.proposals)
    return {row.field or row.type: (row.queue, row.severity) for row in (*conflicts, *proposals)}


def by_hand() -> tuple[World, str, str]:
    world, crm, erp = linked(rules=BY_HAND)
    world.edit("crm", crm, language="de")
    world.edit("erp", erp, language="en", payment_terms="")
    world.settle()
    return world, crm, erp


def test_only_the_roles_a_rule_names_decide_a_question():
    world, *_ = by_hand()
    questions = {c.field: c for c in open_of(world, queries.conflicts)}
    with pytest.raises(Denied, match=r"resolver may not decide .* that takes the role finance or admin"):
        resolve(world.hub, questions["language"], "erp", RESOLVER)
    assert questions["language"].resolved_by == ""
    assert open_of(world, queries.conflicts)[0].state == "open"
    resolve(world.hub, questions["language"], "erp", FINANCE)
    with pytest.raises(Denied, match="finance may not answer conflicts and proposals"):
        resolve(world.hub, questions["payment_terms"], "agreed", FINANCE)
    resolve(world.hub, questions["payment_terms"], "agreed", RESOLVER)
    world.settle()
    assert (world.row("crm")["language"], world.row("erp")["payment_terms"]) == ("en", "NT30")


@pytest.mark.parametrize("adopt", [True, False])
def test_only_the_roles_a_rule_names_decide_a_proposal(adopt):
    world, crm, _ = linked(rules=BY_HAND)
    world.edit("crm", crm, language="de")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    with pytest.raises(Denied, match="takes the role finance or admin"):
        answer_proposal(world.hub, proposal, RESOLVER, adopt=adopt)
    answer_proposal(world.hub, proposal, FINANCE, adopt=adopt)
    world.settle()
    assert [world.row(system).get("language") for system in ("crm", "erp")] == ["de" if adopt else None] * 2


def test_the_rules_in_force_for_the_record_say_who():
    case = "{if: \"billing_status == 'active'\", roles: [admin]}"
    world, crm, _ = linked(
        rules=RULES.replace(LANGUAGE, f"language: {{policy: manual, roles: [finance], when: [{case}]}}")
    )
    world.edit("crm", crm, language="de")
    world.create("crm", tax_ids=["VAT:DE5"], status="prospect")
    world.settle()
    (other,) = [id_ for id_ in world.shown("crm", "customer") if id_ != crm]
    world.edit("crm", other, language="de")
    world.settle()
    rows = open_of(world, queries.proposals)
    with world.store.begin() as work:
        told = deciders(world.hub, work, rows)
    assert [told[row.id] for row in rows] == [("admin",), ("finance",)]


def test_a_name_alone_is_the_local_user_of_a_hub_without_persons():
    world, *_ = by_hand()
    questions = {c.field: c for c in open_of(world, queries.conflicts)}
    resolve(world.hub, questions["language"], "crm", "ada")
    world.settle()
    assert world.row("erp")["language"] == "de"


def stirred(**options) -> World:
    """A world with a question on a field, one about identity, one about a deletion, and a proposal."""
    world, crm, erp = linked(**options)
    world.edit("crm", crm, legal_name="Acme Neu GmbH")
    world.edit("erp", erp, payment_terms="")
    world.create("erp", legal_name="Zwei GmbH", billing_postcode="10115", billing_status="active")
    world.create("crm", legal_name="Zwei GmbH", billing_postcode="10115")
    gone = world.create("crm", tax_ids=["VAT:DE3"], account_number="3")
    world.settle()
    world.crm.remove("customer", gone)
    world.settle()
    return world


ROUTES = """  - {match: {type: match}, to: stewards}
  - {match: {type: delete}, to: stewards, severity: high}
  - {match: {field: payment_terms}, severity: high}
  - {match: {field: legal_name}, severity: low}
  - {match: {type: field}, to: resolver}"""


@each_database
def test_every_question_gets_a_queue_and_a_severity():
    world = stirred(rules=routes(ROUTES))
    assert asked(world) == {
        "match": ("stewards", "normal"),
        "delete": ("stewards", "high"),
        "payment_terms": ("resolver", "high"),
        "legal_name": ("resolver", "low"),
    }
    assert open_of(world, queries.status)["queues"] == {"resolver": 2, "stewards": 2}


@each_database
def test_the_most_urgent_come_first_then_the_oldest():
    world = stirred(rules=routes(ROUTES))
    rows = open_of(world, queries.conflicts)
    assert [row.severity for row in rows] == ["high", "high", "normal"]
    assert rows[0].opened_at <= rows[1].opened_at
    stewards = open_of(world, lambda db: queries.conflicts(db, queue="stewards"))
    assert [row.type for row in stewards] == ["delete", "match"]
    assert [r.type for r in open_of(world, lambda db: queries.conflicts(db, queue="stewards", severity="normal"))] == [
        "match"
    ]
    assert open_of(world, lambda db: queries.proposals(db, severity="high")) == []
    assert open_of(world, lambda db: queries.conflicts(db, queue="")) == []


@each_database
def test_other_routes_reach_the_questions_that_are_open():
    world = stirred(rules=routes(ROUTES))
    change_rules(world, routes("  - {match: {type: match}, to: dispatch, severity: low}"))
    world.sync()
    assert asked(world) == {
        "match": ("dispatch", "low"),
        "delete": ("", "normal"),
        "payment_terms": ("", "normal"),
        "legal_name": ("", "normal"),
    }
    before = world.writes()
    world.sync()
    assert world.writes() == before


def test_a_merge_that_another_system_does_not_follow_is_sent_somewhere():
    world = World(rules=routes("  - {match: {type: merge}, to: stewards, severity: high}"))
    pairs = []
    for number in (1, 2):
        given = {"tax_ids": [f"VAT:DE{number}"], "account_number": str(number), "billing_status": "active"}
        pairs.append((world.create("crm", **given), world.create("erp", **given)))
    world.settle()
    world.merge("crm", "customer", pairs[1][0], pairs[0][0])
    world.settle()
    assert asked(world)["merge"] == ("stewards", "high")
