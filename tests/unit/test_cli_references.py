"""What people see of references on the command line: parked records, reasons, and names beside ids."""

from __future__ import annotations

import json

import pytest

from flows.cli.app import app, terminal, told
from fsm_core.store import migrations, open_engine
from tests.scenarios.test_references import both, party
from tests.world import RULES

SETTINGS = """
[hub]
database = "sqlite:///hub.db"
entities = ["customer", "contact", "site"]
ownership = "rules.yaml"
[systems.crm]
connector = "memory"
[systems.erp]
connector = "memory"
"""


@pytest.fixture
def world(tmp_path):
    (tmp_path / "hub.toml").write_text(SETTINGS, encoding="utf8")
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf8")
    engine = open_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    migrations.upgrade(engine)
    return party(engine=engine)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, world):
    def call(*words: str) -> str:
        world.store.engine.dispose()
        monkeypatch.setattr("sys.argv", ["fsm-hub", "--config", str(tmp_path / "hub.toml"), *words])
        assert told(app) == 0
        return " ".join(capsys.readouterr().out.split())

    monkeypatch.setattr(terminal, "console", type(terminal.console)(width=400))
    return call


def test_a_parked_record_is_counted_and_its_reason_listed(world, run):
    both(world)
    contact = world.add("crm", "contact", customer_id="000777", email="a@firma.example")
    world.settle()
    counted = json.loads(run("--json", "status"))
    assert counted["links"]["crm"]["contact"] == {"parked": 1}
    assert counted["waiting"] == {"contact": 1}
    assert "waiting 1 (contact 1)" in run("status")
    (problem,) = json.loads(run("--json", "problems", "list"))
    assert (problem["external_id"], problem["field"]) == (contact, "customer_id")
    listed = run("problems", "list")
    assert "waits for customer 000777: it was not seen yet" in listed
    assert "let the hub's user see customer 000777 in crm" in listed


def test_the_name_of_the_other_record_stands_beside_its_id(world, run):
    crm, erp = both(world, "DE1")
    _, other = both(world, "DE2")
    contact = world.add("crm", "contact", customer_id=crm, email="a@firma.example", first_name="Ada")
    world.settle()
    assert "Firma DE1 (" in run("record", "show", "contact", contact)
    assert "customer_id = Firma DE1 (" in run("explain", "contact", contact, "customer_id")
    (there,) = world.shown("erp", "contact")
    world.change("erp", "contact", there, customer_id=other)
    world.settle()
    asked = run("conflicts", "list")
    assert "customer_id of Ada Huber: crm says Firma DE1 (" in asked
    assert "erp says Firma DE2 (" in asked
    (conflict,) = json.loads(run("--json", "conflicts", "list"))
    assert "agreed: Firma DE1 (" in run("conflicts", "show", conflict["id"])
    assert world.shown("erp", "customer")[erp]["legal_name"] == "Firma DE1"


def test_an_answer_names_a_record_that_there_is(world, run, monkeypatch, tmp_path, capsys):
    crm, _ = both(world, "DE1")
    _, other = both(world, "DE2")
    world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.settle()
    (there,) = world.shown("erp", "contact")
    world.change("erp", "contact", there, customer_id=other)
    world.settle()
    (conflict,) = json.loads(run("--json", "conflicts", "list"))
    words = ["conflicts", "resolve", conflict["id"], "--take", "value", "--value"]
    monkeypatch.setattr("sys.argv", ["fsm-hub", "--config", str(tmp_path / "hub.toml"), *words, "no-such-id"])
    monkeypatch.setattr(terminal, "errors", type(terminal.errors)(stderr=True, width=400))
    assert told(app) == 1
    assert "'no-such-id' is no customer of the hub" in capsys.readouterr().err
    meant = json.loads(run("--json", "record", "show", "customer", other))["id"]
    run(*words, meant)
    world.settle()
    assert world.shown("erp", "contact")[there]["customer_id"] == other
