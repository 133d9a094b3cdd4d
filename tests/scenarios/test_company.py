"""The sandbox's company over real HTTP, a real database and the command line: what people see, adds up.

Not here: failures of the wire (they have scenarios of their own).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from connectors.sandbox import Sandbox
from connectors.sandbox.edits import Edit, Expect
from connectors.sandbox.players import play
from flows.cli.app import app
from flows.wiring import opened
from fsm_core.store import schema

ENTITIES = ("customer", "contact", "site")
PRESENT = ("live", "pending", "invalid", "parked")
"""States of a link whose record its system shows."""


class Company:
    """One sandbox and one hub, driven by commands only."""

    def __init__(self, folder: Path, sandbox: Sandbox, database: str = "sqlite:///hub.db") -> None:
        self.sandbox = sandbox
        self.config = folder / "hub.toml"
        self.config.write_text(f'[hub]\ndatabase = "{database}"\n{sandbox.hub_toml()}', encoding="utf8")
        self.edits: list[Edit] = []
        self.plans: dict[str, dict[str, Any]] = {}
        self.planned_writes = 0
        self.first_writes: dict[str, int] = {}
        self.rounds: list[dict[str, Any]] = []

    def ask(self, *words: str, code: int = 0) -> Any:  # a JSON answer
        result = CliRunner().invoke(app, ["--config", str(self.config), "--json", "--as", "ada", *words])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def sync(self, entity: str = "") -> int:
        """One round of one entity or of all; the writes that the simulators counted."""
        before = self.writes()
        self.rounds.append({told["entity"]: told for told in self.ask("sync", *filter(None, [entity]))["rounds"]})
        return self.writes() - before

    def first_loads(self) -> None:
        """Dry run, then apply, one entity after the other: who belongs to whom is known once the customers are."""
        for entity in ENTITIES:
            before = self.writes()
            self.plans[entity] = self.ask("plan", "--entity", entity)["totals"]
            self.planned_writes += self.writes() - before
            self.first_writes[entity] = self.sync(entity)

    def writes(self) -> int:
        return sum(simulator.writes() for simulator in self.sandbox.simulators.values())

    def living(self) -> dict[tuple[str, str], int]:
        """Records of each entity in each system, as the inspection counts them."""
        crm = self.sandbox.salesforce.counts()
        erp = self.sandbox.sap.counts()["rows"]
        partners = {row["BusinessPartner"]: row for row in self.sandbox.sap.rows("A_BusinessPartner")}
        people = [row for row in partners.values() if row["BusinessPartnerCategory"] == "1"]
        addresses = self.sandbox.sap.rows("A_BusinessPartnerAddress")
        return {
            ("salesforce", "customer"): crm["Account"]["live"],
            ("salesforce", "contact"): crm["Contact"]["live"],
            ("salesforce", "site"): crm["Location"]["live"],
            ("sap", "customer"): erp["A_BusinessPartner"] - len(people),
            ("sap", "contact"): erp["A_BusinessPartnerContact"],
            ("sap", "site"): sum(bool(partners[row["BusinessPartner"]]["Customer"]) for row in addresses),
        }


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    with Sandbox(folder) as sandbox:
        made = Company(folder, sandbox)
        made.first_loads()
        made.held_back = made.ask("status")["held_back"]
        made.quiet_writes = made.sync()
        made.edits = play(sandbox.urls, sandbox.company)
        made.sync()
        made.last_writes = made.sync()
        made.conflicts = made.ask("status")["conflicts"]
        yield made


@pytest.mark.parametrize("entity", ENTITIES)
def test_a_plan_writes_nothing_and_tells_what_the_round_then_does(company, entity):
    assert company.planned_writes == 0
    plan, done = company.plans[entity], company.rounds[ENTITIES.index(entity)][entity]
    planned = {system: sum(actions.values()) for system, actions in plan["writes"].items()}
    waits = {"sap": company.held_back.get(entity, 0)}  # what has no parent there yet is planned, and written later
    assert {system: planned.get(system, 0) - waits.get(system, 0) for system in done["written"]} == done["written"]
    assert (plan["questions"][entity], company.first_writes[entity] > 0) == (done["questions"], True)
    assert plan["overrides"]["customer.legal_name" if entity == "customer" else f"{entity}.name"] > 0


def test_the_round_after_the_first_load_writes_nothing(company):
    assert company.quiet_writes == 0
    assert {entity: told["outcomes"] for entity, told in company.rounds[len(ENTITIES)].items()} == {
        entity: {} for entity in ENTITIES
    }


@pytest.mark.parametrize(("ledger", "entity"), [("people", "contact"), ("places", "site")])
def test_no_contact_or_site_was_linked_that_the_ledger_denies(company, ledger, entity):
    truth = getattr(company.sandbox.company, ledger).pairs
    people = company.sandbox.company.people.relations
    seeded = {*truth.values(), *(f"{r['BusinessPartnerCompany']}/{r['BusinessPartnerPerson']}" for r in people)}
    linked = links_of(company, entity)
    assert {crm: erp for crm, erp in linked.items() if crm in truth and erp in seeded and truth[crm] != erp} == {}
    assert len(set(linked.items()) & set(truth.items())) > 0.8 * len(truth)


def links_of(company: Company, entity: str) -> dict[str, str]:
    """Id in Salesforce -> id in SAP of all records that both have."""
    c = schema.link.c
    with opened(company.config, remote=False) as found, found.store.reading() as db:
        rows = db.execute(select(c.record, c.system, c.external_id).where(c.entity == entity, c.state == "live")).all()
    places: dict[str, dict[str, str]] = {}
    for record, system, external_id in rows:
        places.setdefault(record, {})[system] = external_id
    return {at["salesforce"]: at["sap"] for at in places.values() if len(at) == 2}


def test_no_link_was_made_that_the_companys_own_books_deny(company):
    pairs = dict(company.sandbox.company.pairs)
    for edit_free in range(5):
        account = list(pairs)[edit_free * 7]
        shown = company.ask("record", "show", "customer", account)
        linked = {link["system"]: link["id"] for link in shown["links"]}
        assert linked["sap"] == pairs[account]


def test_status_adds_up_to_what_the_systems_say(company):
    status = company.ask("status")
    for (system, entity), living in company.living().items():
        states = status["links"][system][entity]
        assert sum(states.get(name, 0) for name in PRESENT) == living, (system, entity)
    for entity in ENTITIES:
        assert sum(status["records"][entity].values()) == records_of(company, entity)
        waiting = sum(status["links"][system][entity].get("parked", 0) for system in company.sandbox.simulators)
        assert status["waiting"].get(entity, 0) == waiting
    assert sum(status["conflicts"].values()) == len(company.ask("conflicts", "list"))
    assert sum(status["proposals"].values()) == len(company.ask("proposals", "list"))
    assert sum(status["problems"].values()) == len(company.ask("problems", "list"))
    assert status["due"] == {}
    assert status["open_intents"] == {}


def records_of(company: Company, entity: str) -> int:
    with opened(company.config, remote=False) as found, found.store.reading() as db:
        return len(db.execute(select(schema.record.c.id).where(schema.record.c.entity == entity)).all())


def test_the_last_round_writes_nothing(company):
    assert company.last_writes == 0


def told(company: Company, edit: Edit) -> dict[str, Any]:
    return company.ask("explain", edit.entity, edit.known_as)


@pytest.mark.parametrize("expect", [Expect.REVERT, Expect.PROPOSE, Expect.CONFLICT, Expect.ACCEPT])
def test_every_edit_of_the_story_came_out_as_the_story_says(company, expect):
    outcomes = {
        Expect.REVERT: {"REVERT", "ACCEPT"},
        Expect.PROPOSE: {"PROPOSE"},
        Expect.CONFLICT: {"CONFLICT"},
        Expect.ACCEPT: {"ACCEPT", "MERGED"},
    }[expect]
    edits = [edit for edit in company.edits if edit.expect is expect and "MasterRecordId" not in edit.fields]
    assert edits
    for edit in edits:
        fields = told(company, edit)["fields"]
        seen = {decision["outcome"] for story in fields.values() for decision in story["decisions"][-1:]}
        assert outcomes & seen, edit.sentence


def test_edits_that_change_nothing_are_no_news(company):
    for edit in (edit for edit in company.edits if edit.expect is Expect.NOTHING and edit.entity):
        decisions = [d for story in told(company, edit)["fields"].values() for d in story["decisions"]]
        assert all(d["note"].startswith("first contact") or d["outcome"] == "MERGED" for d in decisions), edit.sentence


def test_what_is_new_reaches_the_other_system_once(company):
    for edit in (edit for edit in company.edits if edit.expect is Expect.CREATE):
        shown = company.ask("record", "show", edit.entity, edit.known_as)
        assert {link["system"] for link in shown["links"]} == {"salesforce", "sap"}


def test_a_customer_entered_on_both_sides_is_one(company):
    both = [edit for edit in company.edits if edit.expect is Expect.CONVERGE and "Name" in edit.fields]
    for edit in both:
        shown = company.ask("record", "show", "customer", edit.id)
        assert {link["system"] for link in shown["links"]} == {"salesforce", "sap"}


def test_nothing_in_either_system_exists_twice(company):
    for simulator in company.sandbox.simulators.values():
        duplicates = [value for value in find(simulator.counts(), "duplicates") if value]
        assert duplicates == []


def find(tree: Any, name: str) -> list[Any]:
    if not isinstance(tree, dict):
        return []
    return [value for key, value in tree.items() if key == name] + [x for v in tree.values() for x in find(v, name)]


def test_a_conflict_is_shown_resolved_and_gone(company):
    row = next(c for c in company.ask("conflicts", "list") if c["field"] == "currency")
    shown = company.ask("conflicts", "show", row["id"][-8:])
    assert list(shown["choices"]) == ["agreed", "salesforce", "sap", "value"]
    company.ask("conflicts", "resolve", row["id"], "--take", "sap")
    assert company.sync() == 1
    assert row["id"] not in {c["id"] for c in company.ask("conflicts", "list")}
    story = company.ask("explain", "customer", row["record"], "currency")["fields"]["currency"]
    assert story["decisions"][-1]["actor"] == "ada"
    assert company.sync() == 0


def test_records_judged_the_same_are_one_and_who_waited_for_it_is_released(company):
    waiting = next(edit for edit in company.edits if edit.expect is Expect.WAIT)
    partner, _ = waiting.known_as.split("/")
    parked = {problem["external_id"] for problem in company.ask("problems", "list")}
    assert waiting.known_as in parked
    row = next(c for c in company.ask("conflicts", "list") if partner in {s["id"] for s in c["snapshot"]["sides"]})
    company.ask("conflicts", "resolve", row["id"], "--take", "same")
    assert company.sync() > 0
    shown = company.ask("record", "show", "customer", partner)
    assert {link["system"] for link in shown["links"]} == {"salesforce", "sap"}
    for name, value in shown["document"].items():
        assert all(link["shows"].get(name, value) is not None for link in shown["links"]), name
    contact = company.ask("record", "show", "contact", waiting.known_as)
    assert contact["document"]["customer_id"] == shown["id"]
    assert {link["system"] for link in contact["links"]} == {"salesforce", "sap"}
    assert {problem["external_id"] for problem in company.ask("problems", "list")} < parked
    assert company.sync() == 0


def test_a_billed_prospect_and_its_contact_pass_into_the_books(company):
    account, contact = company.sandbox.company.handed_over()
    customer = company.ask("explain", "customer", account)["fields"]
    person = company.ask("explain", "contact", contact)["fields"]
    assert (customer["legal_name"]["rule"]["owner"], person["name"]["rule"]["owner"]) == ("sap", "sap")
    assert customer["status"]["value"] == "active"
    assert set(customer["status"]["systems"].values()) == {"active"}
    assert customer["trade_name"]["rule"]["owner"] == "salesforce"


def test_contact_and_site_of_a_merged_account_follow_it(company):
    merge = [edit for edit in company.edits if "MasterRecordId" in edit.fields][-1]
    survivor = company.ask("record", "show", "customer", merge.fields["MasterRecordId"])
    assert company.ask("record", "show", "customer", merge.id)["id"] == survivor["id"]
    world = company.sandbox.company
    contact = next(row["Id"] for row in world.people.contacts if row["AccountId"] == merge.id)
    site = next(row["LocationId"] for row in world.places.links if row["ParentRecordId"] == merge.id)
    for entity, id_ in (("contact", contact), ("site", site)):
        assert company.ask("record", "show", entity, id_)["document"]["customer_id"] == survivor["id"]
    links = company.ask("record", "show", "contact", contact)["links"]
    [in_sap] = [link["id"] for link in links if link["system"] == "sap"]
    assert in_sap.startswith(f"{world.pairs[merge.fields['MasterRecordId']]}/")


def test_a_contact_that_changed_employers_moves_where_it_can(company):
    move = next(edit for edit in company.edits if "AccountId" in edit.fields)
    shown = company.ask("record", "show", "contact", move.id)
    assert shown["document"]["customer_id"] == company.ask("record", "show", "customer", move.fields["AccountId"])["id"]
    told = company.ask("explain", "contact", move.id, "customer_id")["fields"]["customer_id"]
    assert told["systems"]["salesforce"] == told["value"] != told["systems"]["sap"]
    assert "undeliverable:sap" in told["decisions"][-1]["note"]


def test_one_address_is_a_sites_at_once_and_a_customers_by_its_owners_word(company):
    edit = next(edit for edit in company.edits if edit.object == "A_BusinessPartnerAddress")
    site = company.ask("record", "show", "site", edit.known_as)
    assert {link["shows"]["address"]["street"] for link in site["links"]} == {"Kranweg 3", "Kranweg"}
    proposal = next(
        row for row in company.ask("proposals", "list")
        if row["field"] == "shipping_address" and row["record"] == site["document"]["customer_id"]
    )  # fmt: skip
    assert (proposal["system"], proposal["value"]["street"]) == ("sap", "Kranweg")


def test_doctor_finds_both_systems_well(company):
    told_ = company.ask("doctor")
    assert told_["ok"], told_
    assert set(told_["systems"]) == {"salesforce", "sap"}
    assert told_["systems"]["salesforce"]["quota"]["used"] > 0


def test_nothing_waits_but_for_an_answer(company):
    told = company.ask("problems", "list")
    assert told
    assert {(row["field"], row["message"].rpartition(": ")[2]) for row in told} == {
        ("customer_id", "a person has to say which record it is")
    }


def test_on_postgresql_the_same_first_rounds_are_told(company, postgres, tmp_path):
    """The same invented company, so the same plan, the same writes and the same questions."""
    with Sandbox(tmp_path) as sandbox:
        other = Company(tmp_path, sandbox, postgres.schema())
        other.first_loads()
        assert other.planned_writes == 0
        assert other.first_writes == company.first_writes
        for entity in ENTITIES:
            assert other.plans[entity]["writes"] == company.plans[entity]["writes"]
        assert [told[entity]["outcomes"] for told in other.rounds for entity in told] == [
            told[entity]["outcomes"] for told in company.rounds[: len(ENTITIES)] for entity in told
        ]
        assert other.sync() == 0
        play(sandbox.urls, sandbox.company)
        other.sync()
        assert other.sync() == 0
        assert other.ask("status")["conflicts"] == company.conflicts
        assert {row["field"] for row in other.ask("problems", "list")} == {"customer_id"}
