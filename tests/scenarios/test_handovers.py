"""Hand-overs beyond the rows: what goes by a parent, several at once, crashes, lost answers, other rules.

Not here: rows H01-H10 (`tests/cases/test_handover_cases.py`).
"""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, parse
from fsm_core.service.converge import load
from fsm_core.service.outlook import Await, Waiting, outlook
from fsm_core.service.resolve import retry
from fsm_core.store import queries
from fsm_core.store.schema import record
from tests.scenarios.test_crashes import PEERS, Death, File, Tables, Theatre
from tests.world import RULES, TABLE, World

PLAIN = "handover: {on_switch: adopt_agreed} "
HOUR = RULES.replace(PLAIN, "handover: {on_switch: adopt_agreed, dwell: 1h} ", 1)
FACTS = RULES.replace(PLAIN, "handover: {on_switch: adopt_agreed, require: [tax_ids]} ", 1)
ASKED = RULES.replace(
    "handover: {on_switch: adopt_agreed}\n", "handover: {on_switch: conflict, dwell: 30m}\n"
)  # of the contact
PARTY = ("customer", "contact")


def customer(rules: str = HOUR, **options: Any) -> World:
    """One customer that both systems show; the CRM owns it until the ERP bills it."""
    world = World(rules=rules, **options)
    world.one = world.create("crm", account_number="1", service_notes="dog")
    world.settle()
    (world.other,) = world.erp.live(TABLE)
    return world


def family(rules: str = HOUR, **options: Any) -> World:
    """The same with its contact for invoices."""
    world = customer(rules, entities=PARTY, **options)
    world.contact = world.add("crm", "contact", customer_id=world.one, email="h@firma.example", roles=["billing"])
    world.settle()
    (world.contact_there,) = world.shown("erp", "contact")
    return world


def only(world: World, entity: str = "customer") -> Any:
    (wanted,) = [one.record.id for one in world.loaded() if one.record.entity == entity]
    with world.store.begin() as work:
        return load(world.hub, work, [wanted])[0]


def owner(world: World, name: str = "legal_name", entity: str = "customer") -> str:
    one = only(world, entity)
    book = world.hub.book(entity)
    return str(book.rules(one.ruled(book))[name].owner)


def bill(world: World, status: str = "active") -> None:
    world.edit("erp", world.other, billing_status=status)


def story(world: World, entity: str = "customer") -> list[str]:
    wanted = only(world, entity).record.id
    with world.store.reading() as db:
        told = queries.decisions(db, wanted)
    return [d["content"]["handover"]["event"] for d in told if "handover" in d["content"]]


def tasks(world: World) -> list[Any]:
    with world.store.reading() as db:
        return queries.problems(db)


def quiet(world: World) -> None:
    before = world.writes()
    world.sync_all()
    assert world.writes() == before


# -- what goes by its parent ---------------------------------------------------------------------


@pytest.mark.usefixtures("each_database")
@pytest.mark.parametrize("page_size", [1, 2000])
def test_a_contact_never_runs_ahead_of_its_customer(page_size):
    world = family(page_size=page_size)
    bill(world)
    world.sync_all()
    assert (owner(world), owner(world, "job_title", "contact")) == ("crm", "crm")
    world.change("crm", "contact", world.contact, job_title="CFO")
    world.change("erp", "contact", world.contact_there, department="Accounts")
    world.settle()
    assert world.shown("erp", "contact")[world.contact_there]["job_title"] == "CFO"
    assert world.shown("crm", "contact")[world.contact].get("department") in (None, "Accounts")
    world.clock.advance(3600)
    world.sync_all()
    assert (owner(world), owner(world, "job_title", "contact")) == ("erp", "erp")
    assert story(world) == story(world, "contact") == ["begins", "passed"]
    quiet(world)
    world.change("crm", "contact", world.contact, job_title="CEO")
    world.settle()
    one = only(world, "contact")
    assert [p.field for p in one.proposals] == ["job_title"]


@pytest.mark.usefixtures("each_database")
def test_a_contact_waits_for_its_own_time_after_its_customers_and_then_a_person_is_asked():
    world = family(ASKED)
    world.change("erp", "contact", world.contact_there, last_name="Hueber")
    world.settle()
    bill(world)
    world.sync()
    contact = only(world, "contact")
    told = outlook(world.hub, Waiting(contact), ["name", "customer_id", "roles"])
    words = "passes from crm to erp in 30 minutes, unless customer.billing_status goes back before"
    assert [one.words for one in told["name"] if one.what is Await.HANDOVER] == [words]
    world.sync_all()
    assert (owner(world), owner(world, "name", "contact")) == ("erp", "crm")
    assert story(world, "contact") == ["begins"]
    world.clock.advance(1800)
    world.sync_all()
    one = only(world, "contact")
    assert owner(world, "name", "contact") == "erp"
    assert [(c.field, c.note.partition(":")[0]) for c in one.conflicts] == [("name", "handover_differs")]
    assert one.proposals == []
    quiet(world)


def test_a_contact_keeps_its_owner_when_its_customer_goes_back_in_time():
    world = family()
    bill(world)
    world.sync_all()
    bill(world, "none")
    world.sync_all()
    world.clock.advance(7200)
    world.sync_all()
    assert (owner(world), owner(world, "job_title", "contact")) == ("crm", "crm")
    assert story(world) == ["begins", "withdrawn"]
    assert story(world, "contact") == []
    quiet(world)


def test_a_contact_that_is_new_meanwhile_goes_by_who_owns_the_customer_then():
    world = customer(entities=PARTY)
    bill(world)
    world.sync_all()
    world.add("crm", "contact", customer_id=world.one, email="n@firma.example", roles=["billing"])
    world.settle()
    assert owner(world, "job_title", "contact") == "crm"
    world.clock.advance(3600)
    world.settle()
    assert owner(world, "job_title", "contact") == "erp"


def test_a_contact_that_is_not_for_invoices_is_told_of_no_hand_over():
    world = customer(entities=PARTY)
    world.add("crm", "contact", customer_id=world.one, email="n@firma.example", roles=["technical"])
    world.settle()
    bill(world)
    world.sync_all()
    world.clock.advance(3600)
    world.settle()
    assert owner(world, "job_title", "contact") == "crm"
    assert story(world, "contact") == []
    assert all(one.record.handover is None for one in world.loaded())


def test_where_a_record_goes_is_not_held():
    """`replicate_to` looks at what is agreed, or a record could never come to its new owner."""
    text = RULES.replace("billing_status in ('active', 'blocked')", "status == 'active'", 1)
    world = World(rules=text)
    one = world.create("crm", account_number="1", status="prospect")
    world.settle()
    world.edit("crm", one, status="active")
    world.sync()
    assert owner(world) == "erp"
    assert len(world.erp.live(TABLE)) == 1
    assert story(world) == ["begins", "passed"]


# -- several at once, and late -------------------------------------------------------------------


def test_two_switches_in_one_round_pass_together_and_back_and_forth_is_nothing():
    text = HOUR.replace(
        "service_notes:    {owner: fsm}", "service_notes: {owner: crm, when: [{if: credit_block, owner: erp}]}"
    )
    world = customer(text)
    world.edit("erp", world.other, billing_status="active", credit_block=True)
    world.sync()
    assert (owner(world), owner(world, "service_notes")) == ("crm", "crm")
    world.clock.advance(3600)
    world.sync()
    assert (owner(world), owner(world, "service_notes")) == ("erp", "erp")
    assert story(world) == ["begins", "passed"]
    bill(world, "none")
    bill(world, "active")
    world.settle()
    assert story(world) == ["begins", "passed"]


def test_a_change_that_passes_nothing_does_not_begin_the_time_anew():
    world = customer()
    bill(world)
    world.sync()
    world.clock.advance(1800)
    bill(world, "blocked")
    world.sync()
    world.clock.advance(1700)
    world.sync()
    assert owner(world) == "erp"
    assert story(world) == ["begins", "passed"]


@pytest.mark.usefixtures("each_database")
def test_time_that_ran_out_while_the_hub_was_down_counts():
    world = customer()
    bill(world)
    world.sync()
    world.clock.advance(14 * 86400)
    world.hub = world.open_hub()
    world.edit("crm", world.one, legal_name="The CRM's last word")
    world.sync()
    assert owner(world) == "erp"
    assert world.records()[0]["legal_name"] == world.row("erp")["legal_name"] == "The CRM's last word"
    quiet(world)


def test_a_lost_answer_loses_neither_the_edit_nor_the_hand_over():
    world = customer(RULES)
    bill(world)
    world.edit("crm", world.one, legal_name="Acme SE")
    world.erp.lose_answers()
    world.sync()
    world.clock.advance(120)
    world.settle()
    assert owner(world) == "erp"
    assert world.row("erp")["legal_name"] == "Acme SE"


def test_what_the_new_owner_refuses_does_not_hold_the_rest():
    world = customer(RULES)
    world.erp.rule(TABLE, "legal_name").length = 10
    bill(world)
    world.edit("crm", world.one, legal_name="A name much too long")
    world.settle()
    assert owner(world) == "erp"
    assert [p.field for p in tasks(world)] == ["legal_name"]
    quiet(world)


def test_a_rendering_is_no_other_value():
    text = RULES.replace(PLAIN, "handover: {on_switch: adopt_new_owner} ", 1)
    world = World(rules=text)
    world.erp.rule(TABLE, "legal_name").render = lambda value: value.upper() if value else value
    world.create("crm", account_number="1")
    world.settle()
    (world.other,) = world.erp.live(TABLE)
    bill(world)
    world.settle()
    assert owner(world) == "erp"
    assert world.records()[0]["legal_name"] == world.row("crm")["legal_name"] == "Acme GmbH"


# -- what it is not ------------------------------------------------------------------------------


def test_first_contact_is_no_hand_over():
    world = World(rules=HOUR)
    world.create("crm", account_number="1", legal_name="Acme", status="prospect")
    world.settle()
    world.create("erp", account_number="1", legal_name="Acme SE", billing_status="active")
    world.settle()
    assert owner(world) == "erp"
    assert world.records()[0]["legal_name"] == world.row("crm")["legal_name"] == "Acme SE"
    assert story(world) == []


def test_the_new_owner_that_is_met_for_the_first_time_waits_for_nothing():
    world = World(rules=HOUR)
    one = world.create("crm", account_number="1", legal_name="Acme", status="prospect")
    world.settle()
    world.edit("crm", one, billing_status="active")
    world.sync()
    assert owner(world) == "crm"
    world.create("erp", account_number="1", legal_name="Acme SE", billing_status="active")
    world.settle()
    assert owner(world) == "erp"
    assert world.records()[0]["legal_name"] == "Acme SE"
    assert story(world) == ["begins", "withdrawn"]


def test_other_rules_are_in_force_at_once():
    world = customer()
    world.edit("erp", world.other, legal_name="Acme SE")
    world.settle()
    text = HOUR.replace("owner: {default: crm, when", "owner: {default: erp, when", 1)
    world.hub.rulebook = Rulebook(parse(text), "other", SHAPES, ("crm", "erp"))
    world.settle()
    assert owner(world) == "erp"
    assert world.records()[0]["legal_name"] == world.row("crm")["legal_name"] == "Acme SE"
    assert story(world) == []


def test_other_rules_may_end_what_a_hand_over_waits_for():
    world = customer(FACTS)
    bill(world)
    world.settle()
    assert [p.message for p in tasks(world)] == ["complete data for erp: tax_ids"]
    world.hub.rulebook = Rulebook(parse(RULES), "other", SHAPES, ("crm", "erp"))
    world.settle()
    assert owner(world) == "erp"
    assert tasks(world) == []


def test_a_task_that_is_retried_before_it_is_done_comes_back():
    world = customer(FACTS)
    bill(world)
    world.settle()
    (task,) = tasks(world)
    assert (task.system, task.cause, task.remedy) == (
        "erp", "hand-over incomplete", "State tax_ids in any system; then erp takes over by itself.",
    )  # fmt: skip
    retry(world.hub, task, "ada")
    assert tasks(world) == []
    world.settle()
    assert [p.message for p in tasks(world)] == ["complete data for erp: tax_ids"]
    world.edit("erp", world.other, tax_ids=["VAT:DE1"])
    world.settle()
    assert owner(world) == "erp"
    assert tasks(world) == []


def test_a_record_that_is_merged_away_hands_nothing_over():
    world = customer(FACTS)
    bill(world)
    kept = world.create("crm", account_number="2", legal_name="Kept", status="prospect")
    world.settle()
    assert tasks(world)
    world.merge("crm", TABLE, world.one, kept)
    world.settle()
    with world.store.reading() as db:
        told = queries.problems(db)
        (merged,) = db.execute(select(record.c.id, record.c.handover).where(record.c.lifecycle == "merged")).all()
    assert merged.handover is None
    assert merged.id not in {task.record for task in told}
    quiet(world)


# -- crashes -------------------------------------------------------------------------------------


def staged(theatre: Theatre) -> None:
    world = theatre.world
    world.one = world.create("crm", account_number="1")
    world.settle()
    (world.other,) = world.erp.live(TABLE)
    world.contact = world.add("crm", "contact", customer_id=world.one, email="h@firma.example", roles=["billing"])
    world.settle()
    (there,) = world.shown("erp", "contact")
    world.change("erp", "contact", there, job_title="Proposed")
    world.settle()
    bill(world)
    world.edit("crm", world.one, legal_name="Acme SE")


def a_round(world: World) -> None:
    world.sync_all()


def an_hour_later(world: World) -> None:
    world.clock.advance(3600)
    world.sync_all()


def ending(world: World) -> list[Any]:
    agreed = [(one.record.document, one.record.handover is None, len(one.proposals)) for one in world.loaded()]
    shown = [world.shown(system, entity) for system in ("crm", "erp") for entity in PARTY]
    times = [story(world, entity) for entity in PARTY]
    return [agreed, shown, times, owner(world), owner(world, "job_title", "contact")]


def crash_everywhere(theatre: Theatre, every: int) -> None:
    staged(theatre)
    for step in (a_round, an_hour_later):
        theatre.keep()
        boundaries = theatre.play(step, lambda _world: None)
        quiet(theatre.world)
        expected = ending(theatre.world)
        for at in range(1, boundaries + 1, every):
            theatre.put_back()
            theatre.play(step, lambda _world: None, at)
            theatre.world.sync_all()
            quiet(theatre.world)
            assert ending(theatre.world) == expected, (step.__name__, at, boundaries)
    assert expected[2:] == [[["begins", "passed"], ["begins", "passed"]], "erp", "erp"]
    theatre.open(Death())


def test_a_crash_between_switch_and_hand_over_changes_nothing(tmp_path):
    crash_everywhere(Theatre(File(tmp_path), entities=PARTY, rules=HOUR, **PEERS["neither"]), every=5)


def test_the_same_on_postgresql(postgres):
    crash_everywhere(Theatre(Tables(postgres.take()), entities=PARTY, rules=HOUR, **PEERS["upsert key"]), every=17)
