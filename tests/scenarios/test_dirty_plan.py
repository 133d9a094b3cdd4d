"""The sandbox's dirty company by plans alone: a dry run, its application, a day's work, and that day taken back.

Not here: plans of a few records (`test_plans`, `test_reverts`).
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.sandbox import Sandbox
from connectors.sandbox.players import play
from flows.cli.app import app
from flows.wiring import opened
from fsm_core.model.compare import canonical


class Office:
    """Commands on one hub and the sandbox."""

    def __init__(self, folder: Any, sandbox: Sandbox) -> None:
        self.sandbox, self.config, self.file = sandbox, folder / "hub.toml", str(folder / "plan.json")
        self.config.write_text(f'[hub]\ndatabase = "sqlite:///hub.db"\n{sandbox.hub_toml()}', encoding="utf8")

    def ask(self, *words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["--config", str(self.config), "--json", "--as", "ada", *words])
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    def writes(self) -> int:
        return sum(simulator.writes() for simulator in self.sandbox.simulators.values())

    def documents(self, records: list[str]) -> dict[str, dict[str, Any]]:
        with opened(self.config, remote=False) as found, found.hub.store.begin() as work:
            return {record.id: record.document for record in work.records(records).values()}


@pytest.fixture(scope="module")
def office(tmp_path_factory):
    folder = tmp_path_factory.mktemp("office")
    with Sandbox(folder) as sandbox:
        yield Office(folder, sandbox)


def test_a_dirty_first_load_is_looked_at_applied_and_then_quiet(office):
    plan = office.ask("plan", "--out", office.file)
    assert office.writes() == 0
    planned = sum(sum(actions.values()) for actions in plan["totals"]["writes"].values())
    done = office.ask("apply", office.file, "--beyond-limits", code=1)
    assert done["fates"] == {"applied": planned - 40, "waiting": 40}  # 40 contacts of customers that are in question
    assert {(write["entity"], write["system"]) for write, _ in done["left"]} == {("contact", "sap")}
    assert (done["unplanned"], office.writes() > planned) == (0, True)
    before = office.writes()
    office.ask("sync")
    assert office.writes() == before
    again = office.ask("apply", office.file, "--beyond-limits", code=1)["fates"]
    assert again == {"done already": planned - 40, "waiting": 40}
    assert office.writes() == before


def test_a_day_is_taken_back_as_far_as_it_may_be(office):
    play(office.sandbox.urls, office.sandbox.company)
    rounds = office.ask("sync")["rounds"]
    assert sum(one["writes"] for one in rounds) > 0
    runs = [row["id"] for row in office.ask("runs") if row["kind"] == "sync"][: len(rounds)]
    plan = office.ask("revert", *runs, "--out", office.file)["plan"]
    takes, left = plan["takes"], plan["kept"]
    assert len(takes) > 10
    assert {one["why"].split(";")[0].split(" in ")[0] for one in left} <= {
        "it came to the hub", "an edit", "it was changed again since", "created there",
        "it was merged with another record",
    }  # fmt: skip
    office.ask("apply", office.file, "--beyond-limits")
    agreed = office.documents([take["record"] for take in takes])
    wrong = [t for t in takes if canonical(agreed[t["record"]].get(t["field"])) != canonical(t["to"])]
    assert wrong == []
    before = office.writes()
    office.ask("sync")
    assert office.writes() == before
    assert office.ask("audit", "verify")["ok"]
