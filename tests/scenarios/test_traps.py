"""The engine's traps 1-4 and what an expert tries first, on two in-memory systems and a real database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fsm_core.errors import Invalid
from fsm_core.service.converge import Halted
from fsm_core.service.resolve import answer_proposal, retry
from fsm_core.service.resolve import resolve as answer
from fsm_core.store import queries
from tests.world import RULES, TABLE, World, stated

pytestmark = pytest.mark.usefixtures("each_database")

ACTIVE = {
    "billing_status": "active",
    "account_number": "1000",
    "tax_ids": ["VAT:DE1"],
    "payment_terms": "NT30",
    "currency": "EUR",
}


def linked(**options) -> tuple[World, str, str]:
    """A world with one customer known to both systems, settled."""
    world = World(**options)
    crm = world.create("crm", tax_ids=["VAT:DE1"], phone="030 1234567")
    erp = world.create("erp", phone="030 1234567", **ACTIVE)
    world.settle()
    return world, crm, erp


def open_of(world: World, what) -> list:
    with world.store.reading() as db:
        return what(db)


# -- trap 1: the read-only loser -----------------------------------------------------------------


def test_trap_1_a_system_we_may_not_write_is_news_once_and_then_at_peace():
    world, crm, _ = linked()
    world.crm.rule(TABLE, "payment_terms").writable = False
    world.hub = world.open_hub()
    world.edit("crm", crm, payment_terms="NT90")
    first = world.sync()
    second = world.sync()
    assert first.converged[0].outcomes["REVERT"] == 1
    assert not second.converged[0].outcomes
    assert first.writes == second.writes == 0
    assert world.row("crm")["payment_terms"] == "NT90"
    assert world.records()[0]["payment_terms"] == "NT30"


# -- trap 2: seeding -----------------------------------------------------------------------------


def test_trap_2_a_field_the_erp_owns_is_not_wiped_before_the_erp_has_a_copy():
    world = World()
    world.create("crm", payment_terms="NT30", tax_ids=["VAT:DE9"])
    world.settle()
    assert world.row("erp")["payment_terms"] == "NT30"
    assert world.row("crm")["payment_terms"] == "NT30"


def test_trap_2_an_edit_before_the_owner_is_linked_is_kept_as_provisional():
    world = World()
    crm = world.create("crm", status="prospect", payment_terms="NT30")
    world.settle()
    world.edit("crm", crm, payment_terms="NT60")
    world.settle()
    (loaded,) = world.loaded()
    assert loaded.record.document["payment_terms"] == "NT60"
    assert loaded.record.provenance["payment_terms"]["provisional"] is True


# -- trap 3: rendering ---------------------------------------------------------------------------


def test_trap_3_a_system_that_upper_cases_what_we_send_is_written_once():
    world, crm, _ = linked()
    world.erp.rule(TABLE, "trade_name").render = lambda value: value.upper() if value else value
    world.edit("crm", crm, trade_name="Acme am Hafen")
    world.sync()
    before = world.writes()
    world.sync()
    assert world.row("erp")["trade_name"] == "ACME AM HAFEN"
    assert world.row("crm")["trade_name"] == "Acme am Hafen"
    assert world.writes() == before


def test_trap_3_a_person_who_changes_the_rendering_is_heard():
    world, crm, erp = linked()
    world.erp.rule(TABLE, "trade_name").render = lambda value: value.upper() if value else value
    world.edit("crm", crm, trade_name="Acme am Hafen")
    world.settle()
    world.edit("erp", erp, trade_name="ACME AM KAI")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    assert (proposal.system, proposal.value) == ("erp", "ACME AM KAI")


# -- trap 4: ties and late commits ---------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 7, 2000])
def test_trap_4_a_thousand_records_of_one_instant_all_arrive(page_size):
    world = World(page_size=page_size)
    count = 1000 if page_size > 1 else 100
    for number in range(count):
        world.create("crm", legal_name=f"Firm {number}", status="prospect", billing_postcode=str(number))
    world.sync()
    assert len(world.links()) == count


def test_trap_4_a_late_commit_behind_a_newer_row_arrives():
    world, crm, _ = linked()
    late = world.create("crm", legal_name="Late GmbH", status="prospect")
    world.crm.edit(TABLE, late, {"trade_name": "Late"}, late=120)
    world.edit("crm", crm, trade_name="Early")
    world.sync()
    assert not any(link.now.get("trade_name") == "Late" for link in world.links())
    world.clock.advance(120)
    world.sync()
    assert any(link.now.get("trade_name") == "Late" for link in world.links())


def test_trap_4_a_clock_that_is_wrong_on_our_side_loses_nothing():
    world, crm, _ = linked()
    world.hub.now = lambda: world.clock.now().replace(year=2030)
    world.edit("crm", crm, trade_name="Acme")
    world.sync()
    world.edit("crm", crm, trade_name="Acme again")
    world.sync()
    assert world.records()[0]["trade_name"] == "Acme again"


# -- the life of an edit -------------------------------------------------------------------------


def test_disjoint_edits_on_both_sides_both_land_without_a_question():
    world, crm, erp = linked()
    world.edit("crm", crm, trade_name="Acme Kälte")
    world.edit("erp", erp, payment_terms="NT45")
    world.settle()
    assert world.row("crm")["payment_terms"] == "NT45"
    assert world.row("erp")["trade_name"] == "Acme Kälte"
    assert not open_of(world, queries.conflicts)


def test_the_same_field_on_both_sides_waits_is_resolved_and_keeps_the_loser():
    world, crm, erp = linked()
    world.edit("crm", crm, currency="CHF")
    world.edit("erp", erp, currency="USD")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    assert world.row("crm")["currency"] == "CHF"
    resolve(world, conflict, "erp")
    world.settle()
    assert world.row("crm")["currency"] == "USD"
    assert not open_of(world, queries.conflicts)
    told = open_of(world, lambda db: queries.explain(db, conflict.record, "currency"))["fields"]["currency"]
    assert told["decisions"][-1]["overruled"] == {"crm": "CHF"}


def test_trap_6_keep_as_it_was_stamps_every_base_and_is_not_asked_again():
    world, crm, erp = linked()
    world.edit("crm", crm, currency="CHF")
    world.edit("erp", erp, currency="USD")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    resolve(world, conflict, "agreed")
    world.settle()
    world.sync()
    assert world.row("crm")["currency"] == world.row("erp")["currency"] == "EUR"
    assert not open_of(world, queries.conflicts)


def resolve(world: World, conflict, take: str) -> None:
    with world.hub.running("decision"):
        answer(world.hub, conflict, take, "ada")


@pytest.mark.parametrize("adopt", [True, False])
def test_a_proposal_is_adopted_everywhere_or_written_back(adopt):
    world, crm, _ = linked()
    world.edit("crm", crm, legal_name="Acme Neu GmbH")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    assert world.row("erp")["legal_name"] == "Acme GmbH"
    answer_proposal(world.hub, proposal, "ada", adopt=adopt)
    world.settle()
    expected = "Acme Neu GmbH" if adopt else "Acme GmbH"
    assert {world.row("crm")["legal_name"], world.row("erp")["legal_name"]} == {expected}
    assert not open_of(world, queries.proposals)


def test_a_revert_is_visible_and_the_lost_value_can_be_found():
    world, crm, _ = linked()
    world.edit("crm", crm, tax_ids=["VAT:DE999"])
    world.settle()
    assert world.row("crm")["tax_ids"] == ["VAT:DE1"]
    (loaded,) = world.loaded()
    story = open_of(world, lambda db: queries.explain(db, loaded.record.id, "tax_ids"))["fields"]["tax_ids"]
    assert story["decisions"][-1]["outcome"] == "REVERT"
    assert story["decisions"][-1]["overruled"] == {"crm": ["VAT:DE999"]}


def test_a_change_that_only_looks_different_is_no_change():
    world, crm, _ = linked()
    world.edit("crm", crm, phone="+49 (0)30 / 123 45 67")
    done = world.sync()
    assert done.writes == 0
    assert not open_of(world, queries.proposals)


def test_an_entity_that_changed_too_much_at_once_is_halted_before_the_first_write():
    world = World()
    for number in range(60):
        world.create("crm", legal_name=f"Firm {number}", tax_ids=[f"VAT:DE{number}"])
    world.settle()
    before = world.writes()
    for id_ in list(world.crm.live(TABLE)):
        world.edit("crm", id_, trade_name="OVERWRITTEN")
    with pytest.raises(Halted, match="60 of 60 records changed"):
        world.sync()
    with pytest.raises(Halted):
        world.sync()
    assert world.writes() == before
    assert world.sync(confirmed=True).writes == 60


def test_the_same_record_entered_in_both_systems_at_once_becomes_one():
    world = World()
    world.create("crm", tax_ids=["VAT:DE7"])
    world.create("erp", tax_ids=["VAT:DE7"], billing_status="active")
    world.settle()
    assert [len(store.live(TABLE)) for store in world.stores.values()] == [1, 1]
    assert len(world.loaded()) == 1


def test_equal_names_are_a_question_and_nothing_is_created_meanwhile():
    world = World()
    world.create("crm", legal_name="Müller GmbH", billing_postcode="10115")
    world.create("erp", legal_name="Mueller G.m.b.H.", billing_postcode="10115", billing_status="active")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    assert conflict.type == "match"
    assert world.writes() == 0
    resolve(world, conflict, "same")
    world.settle()
    assert [len(store.live(TABLE)) for store in world.stores.values()] == [1, 1]
    assert len(world.loaded()) == 1


def test_told_apart_they_stay_apart_and_are_not_asked_about_again():
    world = World()
    world.create("crm", legal_name="Müller GmbH", billing_postcode="10115")
    world.create("erp", legal_name="Mueller GmbH", billing_postcode="10115", billing_status="active")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    resolve(world, conflict, "apart")
    world.settle()
    assert not open_of(world, queries.conflicts)
    assert len(world.loaded()) == 2


def test_a_deletion_deletes_nothing_elsewhere_and_asks():
    world, crm, _ = linked(rules=RULES.replace("on_non_owner_delete: restore", "on_non_owner_delete: conflict"))
    world.crm.remove(TABLE, crm)
    world.settle()
    assert len(world.erp.live(TABLE)) == 1
    (conflict,) = open_of(world, queries.conflicts)
    assert conflict.type == "delete"
    resolve(world, conflict, "detach")
    world.settle()
    assert len(world.crm.live(TABLE)) == 0
    assert not open_of(world, queries.conflicts)


def test_an_emptied_listing_deletes_nothing():
    world, *_ = linked()
    world.crm._tables[TABLE].records.clear()
    world.sync(full=True)
    assert len(world.erp.live(TABLE)) == 1
    assert not open_of(world, queries.conflicts)
    assert stated(world.records()[0])["legal_name"] == "Acme GmbH"


def test_a_record_created_in_part_is_linked_once_and_the_rest_is_a_problem(monkeypatch):
    world = World()
    world.create("crm", tax_ids=["VAT:DE1"], payment_terms="NT30")
    connector = world.hub.bindings["erp", "customer"].connector
    real = connector.write

    def in_part(obj, writes):
        """The customer view of a new partner is refused after the partner itself was created."""
        kept = [replace(w, fields={k: v for k, v in w.fields.items() if k != "payment_terms"}) for w in writes]
        outcomes = real(obj, kept)
        refusal = Invalid("unknown terms", field="payment_terms")
        refusals = [refusal if "payment_terms" in w.fields else None for w in writes]
        return [replace(o, error=r) for o, r in zip(outcomes, refusals, strict=True)]

    monkeypatch.setattr(connector, "write", in_part)
    world.settle()
    assert len(world.erp.live(TABLE)) == 1
    (problem,) = open_of(world, queries.problems)
    assert (problem.system, problem.field) == ("erp", "payment_terms")
    (loaded,) = world.loaded()
    assert {link.system for link in loaded.links} == {"crm", "erp"}
    monkeypatch.undo()
    retry(world.hub, problem, "ada")
    world.settle()
    assert world.row("erp")["payment_terms"] == "NT30"
    assert len(world.erp.live(TABLE)) == 1
    assert not open_of(world, queries.problems)
