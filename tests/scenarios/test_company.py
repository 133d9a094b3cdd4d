"""The sandbox's company over real HTTP, a real database and the command line: what people see, adds up.

Not here: failures of the wire (they have scenarios of their own).
"""

from __future__ import annotations

import json
from collections import Counter
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


class Company:
    """One sandbox and one hub, driven by commands only."""

    def __init__(self, folder: Path, sandbox: Sandbox, database: str = "sqlite:///hub.db") -> None:
        self.sandbox = sandbox
        self.config = folder / "hub.toml"
        self.config.write_text(f'[hub]\ndatabase = "{database}"\n{sandbox.hub_toml()}', encoding="utf8")
        self.edits: list[Edit] = []
        self.rounds: list[dict[str, Any]] = []

    def ask(self, *words: str, code: int = 0) -> Any:  # a JSON answer
        result = CliRunner().invoke(app, ["--config", str(self.config), "--json", "--as", "ada", *words])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def sync(self) -> int:
        before = self.writes()
        self.rounds.append(self.ask("sync")["rounds"][0])
        return self.writes() - before

    def writes(self) -> int:
        return sum(simulator.writes() for simulator in self.sandbox.simulators.values())

    def living(self) -> dict[str, int]:
        counts = {name: simulator.counts() for name, simulator in self.sandbox.simulators.items()}
        return {
            "salesforce": counts["salesforce"]["Account"]["live"],
            "sap": counts["sap"]["rows"]["A_BusinessPartner"],
        }


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company")
    with Sandbox(folder) as sandbox:
        made = Company(folder, sandbox)
        made.plan = made.ask("plan")
        made.planned_writes = made.writes()
        made.first_writes = made.sync()
        made.quiet_writes = made.sync()
        made.edits = play(sandbox.urls, sandbox.company)
        made.sync()
        made.last_writes = made.sync()
        made.conflicts = made.ask("status")["conflicts"]
        yield made


def test_a_plan_writes_nothing_and_tells_what_the_round_then_does(company):
    assert company.planned_writes == 0
    planned = Counter({system: sum(actions.values()) for system, actions in company.plan["counts"].items()})
    assert planned == Counter(company.rounds[0]["written"])
    assert company.plan["overrides"]["legal_name"] > 0


def test_the_round_after_the_first_load_writes_nothing(company):
    assert company.first_writes > 0
    assert company.quiet_writes == 0
    assert company.rounds[1]["outcomes"] == {}


def test_no_link_was_made_that_the_companys_own_books_deny(company):
    pairs = dict(company.sandbox.company.pairs)
    for edit_free in range(5):
        account = list(pairs)[edit_free * 7]
        shown = company.ask("record", "show", "customer", account)
        linked = {link["system"]: link["id"] for link in shown["links"]}
        assert linked["sap"] == pairs[account]


def test_status_adds_up_to_what_the_systems_say(company):
    status = company.ask("status")
    for system, living in company.living().items():
        states = status["links"][system]["customer"]
        assert states.get("live", 0) + states.get("pending", 0) + states.get("invalid", 0) == living
    assert sum(status["records"]["customer"].values()) == len(records_of(status, company))
    assert sum(status["conflicts"].values()) == len(company.ask("conflicts", "list"))
    assert sum(status["proposals"].values()) == len(company.ask("proposals", "list"))
    assert status["due"] == {}
    assert status["open_intents"] == {}


def records_of(status: dict[str, Any], company: Company) -> set[str]:
    with opened(company.config, remote=False) as found, found.store.reading() as db:
        return set(db.execute(select(schema.record.c.id)).scalars())


def test_the_last_round_writes_nothing(company):
    assert company.last_writes == 0


def told(company: Company, edit: Edit) -> dict[str, Any]:
    return company.ask("explain", "customer", edit.id)


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
    for edit in (edit for edit in company.edits if edit.expect is Expect.NOTHING):
        decisions = [d for story in told(company, edit)["fields"].values() for d in story["decisions"]]
        assert all(d["note"].startswith("first contact") or d["outcome"] == "MERGED" for d in decisions), edit.sentence


def test_new_customers_reach_the_other_system_once(company):
    for edit in (edit for edit in company.edits if edit.expect is Expect.CREATE):
        shown = company.ask("record", "show", "customer", edit.id)
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
    assert shown["choices"] == ["agreed", "salesforce", "sap", "value"]
    company.ask("conflicts", "resolve", row["id"], "--take", "sap")
    assert company.sync() == 1
    assert row["id"] not in {c["id"] for c in company.ask("conflicts", "list")}
    story = company.ask("explain", "customer", row["record"], "currency")["fields"]["currency"]
    assert story["decisions"][-1]["actor"] == "ada"
    assert company.sync() == 0


def test_records_judged_the_same_are_one_and_both_systems_are_told(company):
    row = next(c for c in company.ask("conflicts", "list") if c["note"].startswith("same legal_name"))
    company.ask("conflicts", "resolve", row["id"], "--take", "same")
    assert company.sync() > 0
    shown = company.ask("record", "show", "customer", row["snapshot"]["sides"][0]["id"])
    assert {link["system"] for link in shown["links"]} == {"salesforce", "sap"}
    for name, value in shown["document"].items():
        assert all(link["shows"].get(name, value) is not None for link in shown["links"]), name
    assert company.sync() == 0


def test_doctor_finds_both_systems_well(company):
    told_ = company.ask("doctor")
    assert told_["ok"], told_
    assert set(told_["systems"]) == {"salesforce", "sap"}
    assert told_["systems"]["salesforce"]["quota"]["used"] > 0


def test_nothing_waits_for_repair(company):
    assert company.ask("problems", "list") == []


def test_on_postgresql_the_same_first_rounds_are_told(company, postgres, tmp_path):
    """The same invented company, so the same plan, the same writes and the same questions."""
    with Sandbox(tmp_path) as sandbox:
        other = Company(tmp_path, sandbox, postgres.schema())
        assert other.ask("plan")["counts"] == company.plan["counts"]
        assert other.writes() == 0
        assert other.sync() == company.first_writes
        assert other.sync() == 0
        assert other.rounds[0]["outcomes"] == company.rounds[0]["outcomes"]
        play(sandbox.urls, sandbox.company)
        other.sync()
        assert other.sync() == 0
        assert other.ask("status")["conflicts"] == company.conflicts
        assert other.ask("problems", "list") == []
