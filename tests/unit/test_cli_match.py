"""The commands about identity, as people type them."""

from __future__ import annotations

import json

import pytest

from flows.cli.app import app, terminal, told
from fsm_core.store import migrations, open_engine
from tests.cases.test_record_cases import ASKED, FUZZY
from tests.scenarios.test_references import party
from tests.unit.test_cli_references import SETTINGS
from tests.world import RULES

RULED = RULES.replace(ASKED, FUZZY).replace("{crm: always, erp: \"status == 'active'\"}", "{crm: never, erp: never}")
SITE = {"website": "mueller.example", "billing_postcode": "20095"}


@pytest.fixture
def world(tmp_path):
    (tmp_path / "hub.toml").write_text(SETTINGS, encoding="utf8")
    (tmp_path / "rules.yaml").write_text(RULED, encoding="utf8")
    engine = open_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    migrations.upgrade(engine)
    return party(engine=engine, rules=RULED)


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, world):
    def call(*words: str, code: int = 0) -> str:
        world.store.engine.dispose()
        monkeypatch.setattr("sys.argv", ["fsm-hub", "--config", str(tmp_path / "hub.toml"), *words])
        assert told(app) == code
        printed = capsys.readouterr()
        return " ".join((printed.err if code else printed.out).split())

    for stream in ("console", "errors"):
        monkeypatch.setattr(terminal, stream, type(getattr(terminal, stream))(width=400, stderr=stream == "errors"))
    return call


def test_merge_history_unmerge(world, run):
    crm = world.create("crm", legal_name="Nordwind")
    erp = world.create("erp", legal_name="NWK", billing_status="active")
    world.settle()
    old = json.loads(run("--json", "record", "show", "customer", crm))["id"]
    said = run("--as", "ada", "match", "merge", "customer", erp, crm)
    assert f"to undo it: fsm-hub match unmerge customer {old}" in said
    assert json.loads(run("--json", "record", "show", "customer", crm))["id"] != old
    world.settle()
    history = run("match", "history", "customer", crm)
    assert f"crm {crm} (live): merged" in history
    assert f"another name: {old}" in history
    assert f"ada merge took the place of {old}: crm {crm}" in history
    undone = run("--as", "bob", "match", "unmerge", "customer", old)
    assert "see 'fsm-hub plan --entity customer'" in undone
    assert f"crm {crm}: record {old} from now on" in undone
    assert json.loads(run("--json", "record", "show", "customer", crm))["id"] == old
    again = json.loads(run("--json", "match", "history", "customer", erp))
    assert [(one["system"], one["id"], one["by"]) for one in again["apart"]] == [("crm", crm, "bob")]
    assert "is not known" in run("match", "unmerge", "customer", "nobody", code=1)
    assert "nothing to take it apart from" in run("match", "unmerge", "customer", crm, code=1)


def test_a_question_shows_what_its_score_is_made_of_and_where_to_merge(world, run):
    erp = world.create("erp", legal_name="Mueller Kaeltetechnik", billing_status="active", **SITE)
    world.settle()
    crm = [world.create("crm", legal_name=name, **SITE) for name in ("Müller Kälte", "Müller Kältetechn.")]
    world.settle()
    (asked,) = json.loads(run("--json", "conflicts", "list"))
    shown = run("conflicts", "show", asked["id"])
    assert "several candidates" in shown
    assert f"feature crm {crm[0]} erp {erp} alike weight" in shown or f"feature erp {erp} crm {crm[0]} alike" in shown
    assert "website mueller.example mueller.example 1.00 3" in shown
    assert "crm has several of these: merge them there" in shown


def test_a_preview_counts_and_shows(world, run, monkeypatch):
    monkeypatch.setattr("flows.cli.match.observe", lambda hub, entity: None)
    world.create("erp", legal_name="Mueller Kaeltetechnik", billing_status="active", **SITE)
    world.create("crm", legal_name="Müller Kälte", **SITE)
    both = [world.create(system, tax_ids=["VAT:A"], legal_name="Firma A") for system in ("crm", "erp")]
    from fsm_core.service.pull import pull  # noqa: PLC0415 - the systems live in this process only

    with world.hub.running("observe"):
        for binding in world.hub.of_entity("customer"):
            pull(world.hub, binding)
    shown = run("match", "preview", "customer")
    assert "4 new records of customer" in shown
    assert "unique 2 linked with exactly one other" in shown
    assert "ambiguous 2 a person is asked" in shown
    assert "1 links by key tax_ids" in shown
    assert f"unique: crm {both[0]} = erp {both[1]} key tax_ids: vat:a" in shown
    assert "legal_name 0." in shown
    made = json.loads(run("--json", "match", "preview", "customer", "--bucket", "ambiguous", "--limit", "1"))
    assert made["counts"] == {"unique": 2, "ambiguous": 2}
    assert [one["bucket"] for one in made["samples"]] == ["ambiguous"]
    assert world.writes() == 0


def test_further_records_are_counted_told_and_taken_out(world, run):
    world.rules = world.rulebook(
        RULED.replace("keys: [[account_number]", "several: [crm]\n      keys: [[account_number]")
    )
    world.hub = world.open_hub()
    crm = [world.create("crm", tax_ids=["VAT:DE1"]) for _ in "AB"]
    world.settle()
    assert "further" in run("status")
    assert json.loads(run("--json", "status"))["links"]["crm"]["customer"] == {"live": 1, "further": 1}
    assert f"crm {crm[1]} (further): key tax_ids" in run("match", "history", "customer", crm[0])
    assert "further" in run("record", "show", "customer", crm[0])
    world.crm.remove("customer", crm[0])
    world.settle()
    assert f"engine further crm {crm[1]} speaks in place of {crm[0]}" in run("match", "history", "customer", crm[1])
