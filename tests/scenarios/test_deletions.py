"""Deletions on the engine: answers of people, deletions by the hub that are lost, refused or undone, sweeps, children.

Not here: the rows of the truth table (`tests/cases/test_deletion_cases`), real protocols (`test_deletions_wire`).
"""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select

from connectors.memory.simulator import StoreError
from fsm_core.errors import BadMapping
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, parse
from fsm_core.ports import Creates, Deletes
from fsm_core.service.plan import plan
from fsm_core.service.resolve import choices, resolve, retry
from fsm_core.store import queries
from fsm_core.store.schema import decision
from tests.scenarios.test_references import party, read
from tests.world import RULES, TABLE, World

each_database = pytest.mark.usefixtures("each_database")
POLICY = "on_owner_delete: deactivate, on_non_owner_delete: restore, block_if: [open_work_orders, open_invoices]"
assert RULES.count(POLICY) == 1


def ruled(owner: str, other: str = "restore", block: str = "") -> str:
    """The shipped rules with another policy for customers."""
    return RULES.replace(POLICY, f"on_owner_delete: {owner}, on_non_owner_delete: {other}, block_if: [{block}]")


def known_to_both(world: World, number: int = 0) -> tuple[str, str]:
    """A customer the CRM owns, in both systems; its ids."""
    before = set(world.shown("erp", TABLE))
    crm = world.create("crm", legal_name=f"Acme {number}", tax_ids=[f"VAT:{number}"])
    world.settle()
    (erp,) = set(world.shown("erp", TABLE)) - before
    return crm, erp


def undelete(world: World, system: str, id_: str, **fields: object) -> None:
    row = world.stores[system]._tables[TABLE].records[id_]
    object.__setattr__(row, "deleted", False)
    world.edit(system, id_, service_notes="back", **fields)


def questions(world: World) -> list:
    return [c for c in read(world, queries.conflicts) if c.type == "delete"]


def living(world: World) -> list[int]:
    return [len(store.live(TABLE)) for store in (world.crm, world.erp)]


def quiet(world: World) -> None:
    """A further round, also a full one, writes nothing."""
    world.settle()
    before = world.writes()
    world.sync_all()
    world.sync_all(full=True)
    assert world.writes() == before


def deciders(db: Connection) -> list[str]:
    """Who decided on deletions, as the audit tells."""
    return list(db.execute(select(decision.c.actor).where(decision.c.kind == "delete")).scalars())


# -- answers -------------------------------------------------------------------------------------


@each_database
@pytest.mark.parametrize(("take", "rows"), [("delete", [0, 1]), ("restore", [1, 1]), ("detach", [0, 1])])
def test_every_answer_does_what_it_says(take, rows):
    world = World(rules=ruled("conflict", "conflict"))
    crm, _ = known_to_both(world)
    world.crm.remove(TABLE, crm)
    world.settle()
    (conflict,) = questions(world)
    assert choices(conflict) == {
        "delete": "status becomes inactive in all other systems; undeleting it in crm brings it back",
        "restore": "it is created again in crm with the agreed values; its old id there stays an alias",
        "detach": "the other systems keep it, and it is no longer synchronised with crm",
    }
    resolve(world.hub, conflict, take, "ada")
    quiet(world)
    assert living(world) == rows
    assert world.row("erp")["status"] == ("inactive" if take == "delete" else "active")
    assert not questions(world)
    assert read(world, deciders) == ([] if take == "detach" else ["ada"])


def test_the_answer_delete_takes_what_others_edited_with_it():
    world = World(rules=ruled("delete"))
    crm, erp = known_to_both(world)
    world.crm.remove(TABLE, crm)
    world.edit("erp", erp, website="https://acme.example")
    world.settle()
    (conflict,) = questions(world)
    assert conflict.note == "deleted in crm (deleted by owner, edited elsewhere: erp)"
    assert choices(conflict)["delete"] == "it is deleted in erp; undeleting it in crm brings it back"
    resolve(world.hub, conflict, "delete", "ada")
    quiet(world)
    assert living(world) == [0, 0]


def test_a_proposal_that_waits_is_an_edit():
    world = World(rules=ruled("delete"))
    crm, erp = known_to_both(world)
    world.edit("erp", erp, legal_name="Acme AG")
    world.settle()
    assert len(read(world, queries.proposals)) == 1
    world.crm.remove(TABLE, crm)
    world.settle()
    assert len(questions(world)) == 1
    assert living(world) == [0, 1]


def test_a_question_that_both_sides_answer_by_deleting_is_over():
    world = World(rules=ruled("conflict"))
    crm, erp = known_to_both(world)
    world.crm.remove(TABLE, crm)
    world.settle()
    assert len(questions(world)) == 1
    world.erp.remove(TABLE, erp)
    quiet(world)
    assert not questions(world)
    assert [one.record.lifecycle for one in world.loaded()] == ["ended"]


# -- deletions by the hub ------------------------------------------------------------------------


@each_database
@pytest.mark.parametrize("options", [{}, {"compare_and_set": False, "versions": False, "creates": Creates.PROBE}])
def test_a_deletion_whose_answer_is_lost_is_looked_up_and_not_repeated(options):
    world = World(rules=ruled("delete"), **options)
    crm, _ = known_to_both(world)
    world.crm.remove(TABLE, crm)
    world.erp.lose_answers()
    before = world.erp.writes()
    world.sync()
    world.hub = world.open_hub()
    world.clock.advance(600)
    quiet(world)
    assert living(world) == [0, 0]
    assert world.erp.writes() == before + 1
    assert {link.method for link in world.links()} == {"deleted", "deleted by the hub"}


def test_a_deletion_never_sent_is_sent_by_the_next_round():
    world = World(rules=ruled("delete"))
    crm, _ = known_to_both(world)
    world.crm.remove(TABLE, crm)
    world.sync(deliver=False)
    assert living(world) == [0, 1]
    assert plan(world.hub, [TABLE], lambda _write: None).totals.actions() == {"erp": {"delete": 1}}
    world.hub = world.open_hub()
    quiet(world)
    assert living(world) == [0, 0]


@pytest.mark.parametrize("options", [{}, {"compare_and_set": False}])
def test_an_edit_that_comes_before_the_deletion_is_asked_about(options):
    world = World(rules=ruled("delete"), **options)
    crm, erp = known_to_both(world)
    world.crm.remove(TABLE, crm)
    world.sync(deliver=False)
    world.edit("erp", erp, website="https://acme.example")
    world.sync(read=False)
    world.settle()
    assert living(world) == [0, 1]
    (conflict,) = questions(world)
    assert "edited elsewhere: erp" in conflict.note
    resolve(world.hub, conflict, "restore", "ada")
    quiet(world)
    assert living(world) == [1, 1]


def test_a_record_that_somebody_else_deleted_first_is_gone_all_the_same():
    world = World(rules=ruled("delete"))
    crm, erp = known_to_both(world)
    world.crm.remove(TABLE, crm)
    world.sync(deliver=False)
    world.erp.remove(TABLE, erp)
    world.sync(read=False)
    quiet(world)
    assert not questions(world)
    assert not read(world, queries.problems)
    assert [one.record.lifecycle for one in world.loaded()] == ["deleted"]


def test_a_refused_deletion_is_a_problem_and_can_be_tried_again(monkeypatch):
    world = World(rules=ruled("delete"))
    crm, _ = known_to_both(world)
    world.crm.remove(TABLE, crm)

    def refuse(*_args: object) -> None:
        raise StoreError("INVALID", "it has open orders")

    monkeypatch.setattr(world.erp, "delete", refuse)
    quiet(world)
    (problem,) = read(world, queries.problems)
    assert (problem.system, "open orders" in problem.message) == ("erp", True)
    monkeypatch.undo()
    retry(world.hub, problem, "ada")
    quiet(world)
    assert living(world) == [0, 0]
    assert not read(world, queries.problems)


@pytest.mark.parametrize("kind", [Deletes.FLAGS, Deletes.NEVER])
def test_a_system_that_does_not_delete_is_told_the_end(kind):
    world = World(rules=ruled("delete"))
    crm, _ = known_to_both(world)
    world.erp.deletes = kind
    world.hub = world.open_hub()
    world.crm.remove(TABLE, crm)
    quiet(world)
    assert world.row("erp")["status"] == "inactive"
    assert not read(world, queries.problems)


def test_a_system_that_has_no_place_for_the_end_either_is_a_problem():
    world = World(rules=ruled("delete"))
    crm, erp = known_to_both(world)
    world.erp.deletes = Deletes.NEVER
    world.erp.rule(TABLE, "status").writable = False
    world.hub = world.open_hub()
    world.crm.remove(TABLE, crm)
    quiet(world)
    (problem,) = [one for one in read(world, queries.problems) if not one.cause.startswith("drift")]
    assert (problem.external_id, problem.cause) == (erp, "not deleted")
    assert "neither delete it here nor say that it is over" in problem.message


# -- undone --------------------------------------------------------------------------------------


@each_database
def test_what_the_hub_deleted_comes_back_when_its_owner_undeletes_it():
    world = World(rules=ruled("delete"))
    crm, _ = known_to_both(world)
    world.crm.remove(TABLE, crm)
    quiet(world)
    assert living(world) == [0, 0]
    undelete(world, "crm", crm)
    quiet(world)
    assert living(world) == [1, 1]
    assert world.row("erp")["status"] == "active"
    assert [one.record.lifecycle for one in world.loaded()] == ["active"]


def test_the_status_comes_back_by_its_own_rule():
    world = World(rules=ruled("deactivate").replace("by: owner, on_owner", "by: [erp], on_owner"))
    crm, erp = known_to_both(world)
    world.erp.remove(TABLE, erp)
    quiet(world)
    assert world.row("crm", crm)["status"] == "inactive"
    undelete(world, "erp", erp)
    world.settle()
    (proposal,) = read(world, queries.proposals)
    assert (proposal.field, proposal.system, proposal.value) == ("status", "erp", "active")
    assert world.row("crm", crm)["status"] == "inactive"


def test_who_enters_a_deleted_customer_again_keeps_it():
    world = World(rules=ruled("delete"))
    crm, _ = known_to_both(world)
    world.erp.deletes = Deletes.FLAGS
    world.hub = world.open_hub()
    world.crm.remove(TABLE, crm)
    quiet(world)
    world.create("crm", legal_name="Acme 0", tax_ids=["VAT:0"])
    quiet(world)
    assert living(world) == [1, 1]
    assert world.row("erp")["status"] == "active"
    (record,) = [one.record for one in world.loaded()]
    assert record.lifecycle == "active"


@pytest.mark.parametrize("creates", [Creates.UPSERT_KEY, Creates.CLIENT_TOKEN, Creates.PROBE])
def test_what_is_restored_is_a_new_record_whatever_makes_creates_safe(creates):
    world = World(rules=ruled("deactivate"), creates=creates)
    _, erp = known_to_both(world)
    old, new = erp, ""
    for _ in range(3):
        world.erp.remove(TABLE, old)
        world.erp.lose_answers()
        world.sync()
        world.clock.advance(600)
        quiet(world)
        (new,) = world.shown("erp", TABLE)
        assert new != old
        old = new
    world.erp.remove(TABLE, old)
    quiet(world)
    (conflict,) = questions(world)
    assert "after 3 restorations" in conflict.note
    assert living(world) == [1, 0]


# -- listings ------------------------------------------------------------------------------------


@each_database
@pytest.mark.parametrize("page_size", [1, 2000])
def test_a_system_without_tombstones_tells_by_a_complete_listing(page_size):
    world = World(rules=ruled("delete"), deletes=Deletes.SWEEP, page_size=page_size)
    made = [known_to_both(world, number) for number in range(3)]
    world.crm.remove(TABLE, made[0][0])
    world.settle()
    assert living(world) == [2, 3]
    world.sync(full=True)
    quiet(world)
    assert living(world) == [2, 2]
    assert not read(world, queries.problems)


def test_an_empty_listing_is_no_deletion_even_if_somebody_confirms_it():
    world = World(rules=ruled("delete"), deletes=Deletes.SWEEP)
    for number in range(3):
        known_to_both(world, number)
    before = world.writes()
    world.crm._tables[TABLE].records.clear()
    for _ in range(2):
        world.sync(full=True, confirmed=True)
    assert (living(world), world.writes()) == ([0, 3], before)
    (problem,) = read(world, queries.problems)
    assert problem.message == "3 of 3 known records are not shown any more; nothing was deleted"


def test_a_permission_lost_on_many_records_deletes_nothing_and_is_told_once():
    world = World(rules=ruled("delete"), deletes=Deletes.SWEEP)
    for number in range(60):
        world.create("crm", legal_name=f"Acme {number}", tax_ids=[f"VAT:{number}"])
    world.settle()
    rows = world.crm._tables[TABLE].records
    hidden = dict(list(rows.items())[:50])
    for id_ in hidden:
        del rows[id_]
    before = world.writes()
    for _ in range(2):
        world.sync(full=True)
    assert (world.writes(), living(world)) == (before, [10, 60])
    (problem,) = read(world, queries.problems)
    assert problem.message.startswith("50 of 60 known records are not shown any more")
    assert "--confirm-mass-change" in problem.remedy
    rows.update(hidden)
    world.sync(full=True)
    assert not read(world, queries.problems)
    quiet(world)
    for id_ in hidden:
        del rows[id_]
    world.sync(full=True, confirmed=True)
    assert living(world) == [10, 10]


# -- others that depend --------------------------------------------------------------------------


@each_database
def test_who_refers_to_a_deleted_record_is_told_and_nothing_breaks():
    world = party(rules=ruled("delete"))
    crm, _ = known_to_both(world)
    contact = world.add("crm", "contact", customer_id=crm, email="a@acme.example")
    world.settle()
    world.crm.remove(TABLE, crm)
    quiet(world)
    told = {(p.system, p.cause, p.field) for p in read(world, queries.problems)}
    assert told == {(system, "parent deleted", "customer_id") for system in ("crm", "erp")}
    other = world.create("crm", legal_name="Other", tax_ids=["VAT:other"])
    world.settle()
    world.change("crm", "contact", contact, customer_id=other)
    quiet(world)
    assert not read(world, queries.problems)
    world.change("crm", "contact", contact, customer_id=crm)
    quiet(world)
    undelete(world, "crm", crm)
    quiet(world)
    assert not read(world, queries.problems)


def test_a_named_check_counts_what_is_still_there():
    world = party(rules=ruled("delete", block="contacts, sites, open_invoices"))
    crm, _ = known_to_both(world)
    contact = world.add("crm", "contact", customer_id=crm, email="a@acme.example")
    world.settle()
    world.crm.remove(TABLE, crm)
    quiet(world)
    (conflict,) = questions(world)
    assert conflict.note == "deleted in crm (open dependants: 1 contacts)"
    undelete(world, "crm", crm)
    quiet(world)
    assert not questions(world)
    for system in ("crm", "erp"):
        for id_ in world.shown(system, "contact"):
            world.stores[system].remove("contact", id_)
    assert contact not in world.shown("crm", "contact")
    quiet(world)
    world.crm.remove(TABLE, crm)
    quiet(world)
    assert living(world) == [0, 0]


def test_an_unknown_check_is_refused_with_the_known_ones():
    with pytest.raises(BadMapping, match="unknown check 'open_tickets'; known: assets, contacts"):
        parse(ruled("delete", block="open_tickets"))


def test_a_check_that_could_never_find_anything_is_refused():
    line = "on_owner_delete: conflict, on_non_owner_delete: unlink"
    text = RULES.replace(line, f"{line}, block_if: [contacts]")
    with pytest.raises(BadMapping, match="contact records never refer to site"):
        Rulebook(parse(text), "test", SHAPES, ("crm", "erp"))
