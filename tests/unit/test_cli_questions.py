"""Questions on the command line: queues, severities, when a proposal ends, who may answer, who is silent."""

from __future__ import annotations

import io
import json
import re

import pytest

from flows.cli import session
from flows.cli.app import app, terminal, told
from flows.cli.people import Severity
from flows.cli.show import tell
from flows.wiring import Opened, opened
from fsm_core.persons import accounts
from fsm_core.persons.rights import Actor, Role
from fsm_core.settings import Settings
from fsm_core.state import SEVERITIES
from fsm_core.store import migrations, open_engine
from tests.scenarios.test_clocks import wait
from tests.scenarios.test_traps import ACTIVE
from tests.scenarios.test_who_decides import ROUTES, routes
from tests.unit.test_cli_persons import WORD
from tests.world import World

SETTINGS = """
[hub]
database = "sqlite:///hub.db"
ownership = "rules.yaml"
[persons]
time_cost = 1
memory_kib = 8
parallelism = 1
[systems.crm]
connector = "memory"
[systems.erp]
connector = "memory"
"""
RULES = (
    routes(ROUTES)
    .replace("  fill_blank: true", "  proposal_ttl: 14d\n  proposal_end: keep\n  fill_blank: true")
    .replace("currency:         {owner: erp, ", "currency: {policy: manual, roles: [finance], ")
    .replace("kind:             {fallback_owner: erp}", "kind: {fallback_owner: crm, stale_after: 30d}")
)


@pytest.fixture
def world(tmp_path):
    """Two questions and a proposal."""
    (tmp_path / "hub.toml").write_text(SETTINGS, encoding="utf8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf8")
    engine = open_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    migrations.upgrade(engine)
    made = World(rules=RULES, engine=engine)
    crm = made.create("crm", tax_ids=["VAT:DE1"])
    erp = made.create("erp", **ACTIVE)
    made.settle()
    made.edit("crm", crm, currency="CHF", legal_name="Acme Neu GmbH")
    made.edit("erp", erp, currency="USD", payment_terms="")
    made.settle()
    return made


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, world):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("FSM_HUB_USER", raising=False)
    monkeypatch.delenv(session.VARIABLE, raising=False)
    monkeypatch.setattr(terminal, "console", type(terminal.console)(width=400))
    monkeypatch.setattr(terminal, "errors", type(terminal.errors)(stderr=True, width=400))

    def call(*words: str, code: int = 0) -> str:
        world.store.engine.dispose()
        terminal.json = False
        monkeypatch.setattr("sys.argv", ["fsm-hub", "--config", str(tmp_path / "hub.toml"), *words])
        assert told(app) == code
        out, err = capsys.readouterr()
        return " ".join((err if code else out).split())

    return call


@pytest.fixture
def as_role(run, tmp_path, monkeypatch):
    """A log-in as the person of a role."""
    with opened(tmp_path / "hub.toml", remote=False) as found:
        for role in (Role.FINANCE, Role.RESOLVER, Role.VIEWER, Role.ADMIN):
            accounts.add(found.desk, Actor("root"), role.value, [role], WORD)

    def log_in(name: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(WORD + "\n"))
        run("login", name)

    return log_in


def listed(run, *words):
    return json.loads(run("--json", *words))


def test_questions_are_listed_by_severity_and_tell_queue_and_who_may_answer(run):
    rows = listed(run, "conflicts", "list")
    assert [(row["field"], row["queue"], row["severity"], row["may_answer"]) for row in rows] == [
        ("payment_terms", "resolver", "high", ["resolver", "admin"]),
        ("currency", "resolver", "normal", ["finance"]),
    ]
    assert [row["field"] for row in listed(run, "conflicts", "list", "--severity", "high")] == ["payment_terms"]
    assert listed(run, "conflicts", "list", "--queue", "stewards") == []
    assert len(listed(run, "conflicts", "list", "--queue", "resolver", "--severity", "normal")) == 1
    words = run("conflicts", "list")
    assert words.index("payment_terms of") < words.index("currency of")
    assert "field of customer; queue: resolver; severity: normal; may answer: finance currency of" in words
    assert "why: manual policy" in words
    assert [row["field"] for row in listed(run, "conflicts", "list", "--field", "currency")] == ["currency"]
    assert listed(run, "conflicts", "list", "--type", "match") == listed(run, "conflicts", "list", "--entity", "site")
    assert "'urgent' is not one of" in run("conflicts", "list", "--severity", "urgent", code=2)


def test_the_severities_of_the_command_line_are_those_of_the_state():
    assert tuple(Severity) == SEVERITIES


def test_one_question_tells_who_may_answer_it(run):
    (row,) = listed(run, "conflicts", "list", "--severity", "normal")
    assert listed(run, "conflicts", "show", row["id"])["may_answer"] == ["finance"]
    assert "queue: resolver; severity: normal; may answer: finance" in run("conflicts", "show", row["id"])


def test_a_value_is_never_taken_for_granted(run):
    (row,) = listed(run, "conflicts", "list", "--field", "payment_terms")
    assert "--take value with --value" in run("conflicts", "resolve", row["id"], "--take", "value", code=1)
    assert "--take value with --value" in run(
        "conflicts", "resolve", row["id"], "--take", "erp", "--value", "x", code=1
    )
    assert len(listed(run, "conflicts", "list", "--field", "payment_terms")) == 1
    assert "value; run" in run("conflicts", "resolve", row["id"], "--take", "value", "--value", "")


def test_one_answer_says_how_to_take_it_back_and_that_works_without_the_systems(run):
    (row,) = listed(run, "conflicts", "list", "--field", "payment_terms")
    told = run("conflicts", "resolve", row["id"], "--take", "agreed")
    back = re.search(r"fsm-hub (bulk undo \w+)", told)
    assert back
    assert "1 are open again" in run(*back[1].split())
    assert "holds no answer" in run(*back[1].split())
    assert len(listed(run, "conflicts", "list", "--field", "payment_terms")) == 1


def test_many_answers_never_take_value_and_say_when_nothing_was_answered(run):
    told = run("bulk", "conflicts", "--take", "value")
    assert "0 of 2 can be answered so" in told
    assert "stays open: 'value' is no answer here; possible: agreed, crm, erp" in told
    assert "nothing was answered" in run("bulk", "conflicts", "--take", "value", "--yes")
    assert len(listed(run, "conflicts", "list")) == 2


def test_lists_can_be_read_at_eighty_columns(run, monkeypatch, capsys):
    monkeypatch.setattr(terminal, "console", type(terminal.console)(width=80))
    (row,) = listed(run, "conflicts", "list", "--field", "currency")
    assert f"{row['id'][-8:]} field of customer" in run("conflicts", "list")
    assert "currency of Acme" in run("conflicts", "list")
    assert "proposes Acme Neu GmbH; agreed is" in run("proposals", "list")


def test_a_proposal_tells_when_it_ends_and_explain_what_then(run, world):
    (row,) = listed(run, "proposals", "list")
    assert (row["field"], row["queue"], row["severity"]) == ("legal_name", "resolver", "low")
    assert row["due_at"] > row["said_at"]
    assert row["due_at"][:16] in run("proposals", "list")
    assert listed(run, "proposals", "list", "--queue", "stewards") == []
    until = row["due_at"][:16].replace("T", " ")
    assert f"after {until} UTC each side keeps what it says" in run("explain", "customer", "1000", "legal_name")


def test_status_counts_per_queue_and_what_waits_for_its_time(run):
    counted = listed(run, "status")
    assert counted["queues"] == {"resolver": 3}
    assert counted["timed"] == {"customer": 1}
    assert "due" not in counted["due"]
    words = run("status")
    assert "queues 3 (resolver 3)" in words
    assert "timed 1 (customer 1)" in words


def test_who_may_not_decide_is_told_whose_it_is(run, as_role):
    as_role("finance")
    rows = {row["field"]: row["id"] for row in listed(run, "conflicts", "list")}
    assert "finance may not answer conflicts and proposals: that takes the role resolver or admin" in run(
        "conflicts", "resolve", rows["payment_terms"], "--take", "agreed", code=1
    )
    assert "decided by finance: erp" in run("conflicts", "resolve", rows["currency"], "--take", "erp")
    as_role("viewer")
    assert "viewer may not answer conflicts and proposals" in run(
        "conflicts", "resolve", rows["payment_terms"], "--take", "agreed", code=1
    )
    as_role("resolver")
    assert "decided by resolver" in run("conflicts", "resolve", rows["payment_terms"], "--take", "agreed")


def test_explain_tells_who_acts_for_an_owner_that_is_silent(world, monkeypatch, capsys):
    monkeypatch.setattr(terminal, "console", type(terminal.console)(width=400))
    monkeypatch.setattr(terminal, "json", False)
    hub = Opened(world.hub, world.store, Settings())

    def explained(name: str) -> str:
        tell(hub, "customer", "1000", name)
        return capsys.readouterr().out

    assert "owner, owner erp (rules" in explained("kind")
    wait(world, 31)
    assert re.search(r"owner, owner erp, silent for 31 days, [0-9:]+: crm acts in its place \(rules", explained("kind"))
    assert "owner, owner erp (rules" in explained("payment_terms")  # nobody would act for it
