"""People's decisions that meet a world which went on: nothing newer is overwritten, nothing is answered twice.

A decision settles the question as it was asked. What a side says after that is a new edit under the same rules.
"""

from __future__ import annotations

import pytest

from fsm_core.errors import Invalid
from fsm_core.service.resolve import answer_proposal
from fsm_core.service.resolve import resolve as answer
from fsm_core.store import queries
from tests.scenarios.test_traps import linked, open_of
from tests.world import World

pytestmark = pytest.mark.usefixtures("each_database")


def currencies(world: World) -> tuple[str, str]:
    return world.row("crm")["currency"], world.row("erp")["currency"]


def disputed(crm_says: str = "CHF", erp_says: str = "USD"):
    world, crm, erp = linked()
    world.edit("crm", crm, currency=crm_says)
    world.edit("erp", erp, currency=erp_says)
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    return world, crm, erp, conflict


def proposed():
    world, crm, erp = linked()
    world.edit("crm", crm, legal_name="Acme Neu GmbH")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    return world, crm, erp, proposal


# -- conflicts -----------------------------------------------------------------------------------


def test_a_side_that_moved_after_the_question_is_asked_about_again():
    world, crm, _, conflict = disputed()
    world.edit("crm", crm, currency="GBP")
    answer(world.hub, conflict, "erp", "ada")
    world.settle()
    assert currencies(world) == ("GBP", "USD")
    (again,) = open_of(world, queries.conflicts)
    assert again.id != conflict.id
    assert again.snapshot["agreed"] == "USD"
    answer(world.hub, again, "crm", "ada")
    world.settle()
    assert currencies(world) == ("GBP", "GBP")


def test_the_owner_who_moved_after_the_question_wins_by_rule():
    world, _, erp, conflict = disputed()
    world.edit("erp", erp, currency="GBP")
    answer(world.hub, conflict, "crm", "ada")
    world.settle()
    assert currencies(world) == ("GBP", "GBP")
    told = open_of(world, lambda db: queries.explain(db, conflict.record, "currency"))["fields"]["currency"]
    assert [decision["to"] for decision in told["decisions"][-2:]] == ["CHF", "GBP"]


def test_an_answer_to_an_outdated_question_is_refused():
    world, crm, _, conflict = disputed()
    world.edit("crm", crm, currency="GBP")
    world.settle()
    with pytest.raises(Invalid, match="moved"):
        answer(world.hub, conflict, "erp", "ada")
    assert currencies(world) == ("GBP", "USD")


def test_a_question_is_answered_once():
    world, *_, conflict = disputed()
    (same,) = open_of(world, queries.conflicts)
    answer(world.hub, conflict, "erp", "ada")
    with pytest.raises(Invalid, match="decided"):
        answer(world.hub, same, "crm", "bob")
    world.settle()
    assert currencies(world) == ("USD", "USD")


def test_a_refused_answer_leaves_the_question_open():
    world, *_, conflict = disputed()
    with pytest.raises(Invalid):
        answer(world.hub, conflict, "value", "ada", "not a currency")
    answer(world.hub, conflict, "erp", "ada")
    world.settle()
    assert currencies(world) == ("USD", "USD")


def test_a_blank_may_be_the_answer():
    world, _, erp = linked()
    world.edit("erp", erp, tax_ids=[])
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    answer(world.hub, conflict, "erp", "ada")
    world.settle()
    assert not world.row("crm")["tax_ids"]
    assert not world.row("erp")["tax_ids"]


def test_a_question_does_not_close_itself_because_one_side_was_deleted():
    world, _, erp, conflict = disputed()
    world.erp.remove("customer", erp)
    world.settle()
    assert conflict.id in {c.id for c in open_of(world, queries.conflicts)}
    assert world.records()[0]["currency"] == "EUR"


def test_a_question_and_a_proposal_decided_at_once_follow_the_later_decision():
    world, _, erp, proposal = proposed()
    world.edit("erp", erp, legal_name="")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    answer_proposal(world.hub, proposal, "ada", adopt=True)
    world.clock.advance(1)
    answer(world.hub, conflict, "agreed", "bob")
    world.settle()
    assert {world.row("crm")["legal_name"], world.row("erp")["legal_name"]} == {"Acme GmbH"}
    assert not open_of(world, queries.proposals)


# -- proposals -----------------------------------------------------------------------------------


def test_the_owner_who_changed_while_a_proposal_was_adopted_wins():
    world, _, erp, proposal = proposed()
    world.edit("erp", erp, legal_name="Acme Holding")
    answer_proposal(world.hub, proposal, "ada", adopt=True)
    world.settle()
    assert {world.row("crm")["legal_name"], world.row("erp")["legal_name"]} == {"Acme Holding"}


@pytest.mark.parametrize("adopt", [True, False])
def test_a_proposer_who_changed_while_the_proposal_was_decided_is_heard(adopt):
    world, crm, _, proposal = proposed()
    world.edit("crm", crm, legal_name="Acme Noch Neuer GmbH")
    answer_proposal(world.hub, proposal, "ada", adopt=adopt)
    world.settle()
    (again,) = open_of(world, queries.proposals)
    assert again.value == "Acme Noch Neuer GmbH"
    assert world.row("crm")["legal_name"] == "Acme Noch Neuer GmbH"
    assert world.row("erp")["legal_name"] == ("Acme Neu GmbH" if adopt else "Acme GmbH")


def test_a_proposal_that_moved_cannot_be_decided_by_its_old_value():
    world, crm, _, proposal = proposed()
    world.edit("crm", crm, legal_name="Acme Noch Neuer GmbH")
    world.settle()
    with pytest.raises(Invalid, match="moved"):
        answer_proposal(world.hub, proposal, "ada", adopt=True)


def test_a_proposal_is_decided_once():
    world, *_, proposal = proposed()
    (same,) = open_of(world, queries.proposals)
    answer_proposal(world.hub, proposal, "ada", adopt=True)
    with pytest.raises(Invalid, match="adopting"):
        answer_proposal(world.hub, same, "bob", adopt=False)


def test_the_owner_who_takes_the_proposed_value_ends_the_proposal():
    world, _, erp, _ = proposed()
    world.edit("erp", erp, legal_name="Acme Neu GmbH")
    world.settle()
    assert not open_of(world, queries.proposals)
    assert [p.state for p in open_of(world, lambda db: queries.proposals(db, "adopted"))] == ["adopted"]


# -- ownership passes ----------------------------------------------------------------------------


def prospect():
    world, crm, erp = linked()
    world.edit("erp", erp, billing_status="none")
    world.settle()
    return world, crm, erp


def test_what_the_new_owner_proposed_before_is_its_word_now():
    world, crm, erp = prospect()
    world.edit("erp", erp, legal_name="Acme Holding GmbH")
    world.settle()
    assert len(open_of(world, queries.proposals)) == 1
    world.edit("erp", erp, billing_status="active")
    world.settle()
    assert world.row("crm", crm)["legal_name"] == "Acme Holding GmbH"
    assert open_of(world, queries.proposals) == []


def test_who_takes_ownership_is_heard_with_the_same_edit():
    world, crm, erp = prospect()
    world.edit("erp", erp, legal_name="Acme Holding GmbH", billing_status="active")
    world.settle()
    assert world.row("crm", crm)["legal_name"] == "Acme Holding GmbH"
    assert open_of(world, queries.proposals) == []


def test_who_has_no_right_to_the_switch_takes_nothing_with_it():
    world, crm, erp = linked()
    world.edit("crm", crm, legal_name="Acme Holding GmbH", billing_status="none")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    assert (proposal.system, world.row("erp", erp)["legal_name"]) == ("crm", proposal.agreed)
