"""What `explain` expects next is what the next round then does."""

from __future__ import annotations

import json

import pytest

from flows.cli.app import terminal
from flows.cli.show import tell
from flows.wiring import Opened
from fsm_core.errors import UnknownOutcome
from fsm_core.service.converge import converge, load
from fsm_core.service.outlook import Await, Waiting, outlook
from fsm_core.service.plan import PlannedWrite, plan
from fsm_core.service.pull import pull
from fsm_core.service.resolve import answer_proposal, resolve, retry
from fsm_core.settings import Settings
from fsm_core.store import queries
from tests.scenarios.test_breaker import quarrel, told_of_erp
from tests.scenarios.test_traps import ACTIVE, linked, open_of
from tests.world import RULES, TABLE, World

pytestmark = pytest.mark.usefixtures("each_database")


def expected(world: World, record: str = "", hub=None, entity: str = "customer"):
    """Per field what is expected next."""
    with world.store.begin() as work:
        wanted = record or min(row.record for row in world._links(work) if row.record)
        (loaded,) = load(world.hub, work, [wanted])
        due, problems = queries.due(work._db, wanted), queries.problems_of(work._db, wanted)
        held = queries.held_back(work._db, wanted)
    hub = hub or world.hub
    waiting = Waiting(loaded, problems, due, held, lambda _: {"trade_name", "phone"})
    return outlook(hub, waiting, list(hub.book(entity).shape.fields))


def only(world: World, name: str, **options):
    """The one thing that is expected of a field."""
    (found,) = expected(world, **options)[name]
    return found


def observe(world: World, *, decide: bool = True) -> None:
    """Read both systems and decide, but deliver nothing."""
    world.clock.advance(60)
    with world.hub.running("test"):
        for binding in world.hub.of_entity("customer"):
            pull(world.hub, binding)
        if decide:
            converge(world.hub, "customer")


def test_when_all_is_said_nothing_is_expected_of_any_field():
    world, *_ = linked()
    told = expected(world)
    assert {found.what for each in told.values() for found in each} == {Await.NOTHING}
    assert told["phone"][0].words == "nothing: all systems that have it show it: crm, erp"


def test_a_value_on_its_way_is_announced_and_then_written():
    world, crm, _ = linked()
    world.edit("crm", crm, trade_name="Acme Kälte")
    observe(world)
    found = only(world, "trade_name")
    assert (found.what, found.system) == (Await.WRITE, "erp")
    assert found.words == "will be written to erp in the next round"
    assert only(world, "phone").what is Await.NOTHING
    world.sync()
    assert world.row("erp")["trade_name"] == "Acme Kälte"
    assert only(world, "trade_name").what is Await.NOTHING


def test_news_that_was_read_and_not_decided_is_told():
    world, crm, _ = linked()
    world.edit("crm", crm, trade_name="Acme Kälte")
    observe(world, decide=False)
    found = only(world, "trade_name")
    assert (found.what, found.system) == (Await.DECIDE, "crm")


def test_every_write_of_the_plan_is_announced_and_no_other():
    world, crm, erp = linked()
    world.create("crm", tax_ids=["VAT:DE2"], legal_name="Beta AG", email="post@beta.example")
    world.create("erp", **{**ACTIVE, "tax_ids": ["VAT:DE3"], "account_number": "3"})
    world.edit("crm", crm, trade_name="Acme Kälte", payment_terms="NT90", legal_name="Acme Neu GmbH", currency="CHF")
    world.edit("erp", erp, phone="030 7654321", currency="USD", segment="large")
    observe(world)
    writes: list[PlannedWrite] = []
    plan(world.hub, ["customer"], writes.append)
    planned = {(w.record, w.system, w.action, name) for w in writes for name in w.fields}
    assert len(planned) > 15
    announced, births = set(), set()
    for record in {link.record for link in world.links()}:
        for name, each in expected(world, record).items():
            announced |= {(record, one.system, "update", name) for one in each if one.what is Await.WRITE}
            births |= {(record, one.system) for one in each if one.what is Await.CREATE}
    assert announced == {row for row in planned if row[2] == "update"}
    assert births == {(record, system) for record, system, action, _ in planned if action == "create"}
    assert len(births) == 2


def test_a_question_is_waited_for_and_its_answer_is_announced():
    world, crm, erp = linked()
    world.edit("crm", crm, currency="CHF", trade_name="Acme Kälte")
    world.edit("erp", erp, currency="USD")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    found = only(world, "currency")
    assert (found.what, found.id) == (Await.CONFLICT, conflict.id)
    assert f"waits for an answer to conflict {conflict.id[-8:]}" in found.words
    assert only(world, "trade_name").what is Await.NOTHING
    resolve(world.hub, conflict, "erp", "ada")
    found = only(world, "currency")
    assert (found.what, found.id) == (Await.ANSWERED, conflict.id)
    assert "ada answered" in found.words
    world.sync()
    assert only(world, "currency").what is Await.NOTHING


@pytest.mark.parametrize(("adopt", "word"), [(True, "adopts"), (False, "rejects")])
def test_a_proposal_waits_for_the_owner(adopt, word):
    world, crm, _ = linked()
    world.edit("crm", crm, legal_name="Acme Neu GmbH")
    world.settle()
    (proposal,) = open_of(world, queries.proposals)
    found = only(world, "legal_name")
    assert (found.what, found.system, found.id) == (Await.PROPOSAL, "crm", proposal.id)
    assert "of crm waits for erp" in found.words
    answer_proposal(world.hub, proposal, "ada", adopt=adopt)
    found = only(world, "legal_name")
    assert found.what is Await.ANSWERED
    assert word in found.words


def test_a_refused_field_names_its_problem_until_it_is_tried_again():
    world, crm, _ = linked()
    world.erp.rule(TABLE, "trade_name").length = 5
    world.edit("crm", crm, trade_name="Acme am Hafen", service_notes="Hund")
    world.settle()
    (problem,) = open_of(world, queries.problems)
    found = only(world, "trade_name")
    assert (found.what, found.system, found.id) == (Await.PROBLEM, "erp", problem.id)
    assert f"erp will refuse it: problem {problem.id[-8:]}" in found.words
    assert only(world, "service_notes").what is Await.NOTHING
    retry(world.hub, problem, "ada")
    assert only(world, "trade_name").what is Await.WRITE


def test_a_creation_that_is_refused_names_its_problem():
    world = World()
    world.erp.rule(TABLE, "segment").length = 1
    world.create("crm", tax_ids=["VAT:DE1"], segment="Large")
    world.settle()
    (problem,) = open_of(world, queries.problems)
    told = expected(world)
    assert {one.id for each in told.values() for one in each} == {problem.id}


def test_a_write_without_an_answer_is_looked_up_first(monkeypatch):
    world, crm, _ = linked()
    connector = world.hub.bindings["erp", "customer"].connector

    def lost(_obj, _writes):
        raise UnknownOutcome("no answer", system="erp")

    monkeypatch.setattr(connector, "write", lost)
    world.edit("crm", crm, trade_name="Acme Kälte")
    world.sync()
    found = only(world, "trade_name")
    assert (found.what, found.system) == (Await.LOOK, "erp")
    assert only(world, "phone").what is Await.NOTHING


def test_what_may_not_be_written_there_is_not_announced():
    world, crm, _ = linked()
    world.crm.rule(TABLE, "payment_terms").writable = False
    world.hub = world.open_hub()
    world.edit("crm", crm, payment_terms="NT90")
    world.sync()
    found = only(world, "payment_terms")
    assert (found.what, found.system) == (Await.KEPT, "crm")


def test_a_deletion_by_the_hub_is_told_before_it_is_done():
    world, _, erp = linked(rules=RULES.replace("on_owner_delete: deactivate", "on_owner_delete: delete"))
    world.erp.delete(TABLE, erp)
    world.sync(deliver=False)
    found = only(world, "phone")
    assert (found.what, found.system) == (Await.DELETE, "crm")
    world.settle()
    assert not world.crm.live(TABLE)


def test_a_deletion_waits_for_an_answer():
    world, crm, _ = linked(rules=RULES.replace("on_non_owner_delete: restore", "on_non_owner_delete: conflict"))
    world.crm.delete(TABLE, crm)
    world.sync()
    (conflict,) = open_of(world, queries.conflicts)
    found = only(world, "phone")
    assert (found.what, found.id) == (Await.CONFLICT, conflict.id)
    assert "deleted in crm (non-owner deletion)" in found.words


def test_without_a_connection_the_mapping_says_what_may_be_written():
    world, crm, _ = linked()
    world.edit("crm", crm, trade_name="Acme Kälte", service_notes="Hund")
    observe(world)
    alone = world.open_hub()
    alone.bindings = {}
    assert only(world, "trade_name", hub=alone).what is Await.WRITE
    assert only(world, "service_notes", hub=alone).what is Await.KEPT


def test_a_change_of_the_rules_is_announced():
    world, *_ = linked()
    with world.store.begin() as work:
        work.mark_all_dirty("customer", "rules", world.hub.at())
    assert "the rules changed" in only(world, "phone").words


@pytest.fixture
def told(monkeypatch, capsys):
    """What `explain` prints of one field, in words or as JSON."""

    def ask(world: World, record: str, name: str, *, as_json: bool):
        monkeypatch.setattr(terminal, "json", as_json)
        monkeypatch.setattr(terminal, "console", type(terminal.console)(width=500, highlight=False))
        tell(Opened(world.hub, world.store, Settings()), "customer", record, name)
        return capsys.readouterr().out

    return ask


def test_explain_tells_source_person_time_rule_run_what_lost_and_what_is_next(told):
    world, crm, erp = linked()
    world.crm.edit(TABLE, crm, {"currency": "CHF"}, "mira")
    world.erp.edit(TABLE, erp, {"currency": "USD"}, "piet")
    world.settle()
    (conflict,) = open_of(world, queries.conflicts)
    resolve(world.hub, conflict, "erp", "ada")
    world.sync()
    world.erp.edit(TABLE, erp, {"currency": "GBP"}, "piet")
    observe(world)
    story = json.loads(told(world, conflict.record, "currency", as_json=True))["fields"]["currency"]
    said = story["said_by"]
    assert (story["value"], said["system"], said["by"], said["rules"]) == ("GBP", "erp", "piet", "test")
    assert said["at"] == next(link.changed_at for link in world.links() if link.system == "erp")
    assert said["run"] == story["decisions"][-1]["run"]
    assert story["rule"] == {"name": "customer.currency", "policy": "owner", "owner": "erp", "version": "test"}
    assert [(lost["system"], lost["value"]) for lost in story["lost"]] == [("crm", "CHF")]
    assert story["lost"][0]["run"] == story["decisions"][-2]["run"]
    assert story["next"] == [
        {"what": "write", "words": "will be written to crm in the next round", "system": "crm", "id": ""}
    ]
    words = told(world, conflict.record, "currency", as_json=False)
    for line in (
        "currency = GBP",
        f"  said by erp (piet) at {said['at']}: ",
        f"  taken in run {said['run']} under rules test",
        "  rule customer.currency: owner, owner erp (rules test)",
        "  crm shows USD",
        "      overruled: crm said CHF",
        "  next: will be written to crm in the next round",
    ):
        assert line in words


def test_explain_of_all_fields_expects_something_of_each(told):
    world, *_ = linked()
    record = world.links()[0].record
    fields = json.loads(told(world, record, "", as_json=True))["fields"]
    assert set(fields) == set(world.records()[0])
    assert all(story["next"] and story["rule"]["name"] for story in fields.values())


def test_what_waits_for_its_parent_says_so_until_the_parent_is_there():
    world = World(entities=("contact", "customer"))
    crm = world.create("crm", tax_ids=["VAT:DE1"], status="prospect")
    world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.sync_all()
    assert not world.shown("erp", "contact")
    (contact,) = [one for one in world.loaded() if one.record.entity == "contact"]
    number = contact.record.id
    told = expected(world, number, entity="contact")
    assert {(one.what, one.system, one.id) for each in told.values() for one in each} == {
        (Await.PARENT, "erp", contact.record.document["customer_id"])
    }
    world.edit("crm", crm, status="active")
    world.sync_all()
    assert len(world.shown("erp", "contact")) == 1
    told = expected(world, number, entity="contact")
    assert {one.what for each in told.values() for one in each} == {Await.NOTHING}


def test_what_is_written_no_more_names_the_problem():
    world, *_ = quarrel()
    (problem,) = told_of_erp(world)
    found = only(world, "industry")
    assert (found.what, found.system, found.id) == (Await.STOPPED, "erp", problem.id)
    assert found.words.startswith(f"nothing is written to erp before problem {problem.id[-8:]}")
