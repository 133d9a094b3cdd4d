"""What people say on the command line: pins, edits and new records in the hub's own store."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from flows.cli.app import app, terminal, told
from fsm_core.store import migrations, open_engine
from tests.scenarios.test_hub_store import HUB_CREATES
from tests.scenarios.test_references import both, party
from tests.unit.test_cli_references import SETTINGS


@pytest.fixture
def world(tmp_path):
    (tmp_path / "hub.toml").write_text(SETTINGS, encoding="utf8")
    (tmp_path / "rules.yaml").write_text(HUB_CREATES, encoding="utf8")
    engine = open_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    migrations.upgrade(engine)
    made = party(engine=engine, rules=HUB_CREATES)
    made.clock.advance((datetime.now(UTC) - made.clock.now()).total_seconds() + 60)  # commands know no other clock
    return made


@pytest.fixture
def run(monkeypatch, capsys, tmp_path, world):
    def call(*words: str, code: int = 0) -> str:
        world.store.engine.dispose()
        monkeypatch.setattr("sys.argv", ["fsm-hub", "--config", str(tmp_path / "hub.toml"), "--as", "ada", *words])
        assert told(app) == code
        out, err = capsys.readouterr()
        return " ".join((out if code == 0 else err).split())

    monkeypatch.setattr(terminal, "console", type(terminal.console)(width=400))
    monkeypatch.setattr(terminal, "errors", type(terminal.errors)(stderr=True, width=1000))
    return call


def settled(world) -> tuple[str, str]:
    pair = both(world)
    world.settle()
    return pair


def test_a_pin_is_set_listed_explained_and_released(world, run):
    crm, erp = settled(world)
    note = ("--note", "by letter of May")
    assert "legal_name is pinned to Acme SE until it is released" in run(
        "pin", "set", "customer", crm, "legal_name", "--value", "Acme SE", *note
    )
    assert "the next round makes what ada pinned the agreed value" in run("explain", "customer", crm, "legal_name")
    run("pin", "set", "customer", crm, "payment_terms", "--until-owner-changes", *note)
    world.settle()
    assert world.shown("erp", "customer")[erp]["legal_name"] == "Acme SE"
    listed = json.loads(run("--json", "pin", "list"))
    assert {one["field"]: (one["value"], one["mode"], one["by"]) for one in listed} == {
        "legal_name": ("Acme SE", "hold", "ada"),
        "payment_terms": (None, "until_owner_changes", "ada"),
    }
    assert "until its owner changes it by ada" in run("pin", "list", "--entity", "customer")
    assert "0 pinned" in run("pin", "list", "--entity", "site")
    assert "pinned to Acme SE by ada at" in run("explain", "customer", crm, "legal_name")
    assert "until it is released: by letter of May" in run("record", "show", "customer", crm)
    story = json.loads(run("--json", "explain", "customer", crm, "legal_name"))["fields"]["legal_name"]
    assert (story["pin"]["by"], story["pin"]["note"]) == ("ada", "by letter of May")
    assert "not pinned any more" in run("pin", "release", "customer", crm, "legal_name")
    assert "legal_name of customer" in run("pin", "release", "customer", crm, "legal_name", code=1)


def test_what_cannot_be_pinned_is_one_sentence(world, run):
    crm, _ = settled(world)
    assert "--note" in run("pin", "set", "customer", crm, "legal_name", code=2)
    words = ("pin", "set", "customer", crm)
    assert "has no field 'fone' - Choose from: legal_name" in run(*words, "fone", "--note", "x", code=1)
    assert "no record may be without it" in run(*words, "legal_name", "--value", "", "--note", "x", code=1)
    assert "customer nobody is not known" in run("pin", "set", "customer", "nobody", "phone", "--note", "x", code=1)


def test_an_answer_is_kept_so(world, run):
    crm, erp = settled(world)
    world.edit("crm", crm, currency="CHF")
    world.edit("erp", erp, currency="USD")
    world.settle()
    (conflict,) = json.loads(run("--json", "conflicts", "list"))
    resolve = ("conflicts", "resolve", conflict["id"], "--take", "value", "--value", "GBP", "--pin")
    assert "decided by ada: value; pinned" in run(*resolve)
    world.settle()
    assert world.shown("erp", "customer")[erp]["currency"] == "GBP"
    assert [one["value"] for one in json.loads(run("--json", "pin", "list"))] == ["GBP"]
    world.edit("crm", crm, legal_name="Beta")
    world.settle()
    (proposal,) = json.loads(run("--json", "proposals", "list"))
    run("proposals", "adopt", proposal["id"], "--pin")
    assert {one["field"] for one in json.loads(run("--json", "pin", "list"))} == {"currency", "legal_name"}


def test_a_number_that_is_text_is_an_answer(world, run):
    crm, erp = settled(world)
    world.edit("erp", erp, legal_name="")
    world.settle()
    (conflict,) = json.loads(run("--json", "conflicts", "list"))
    run("conflicts", "resolve", conflict["id"], "--take", "value", "--value", "4711")
    world.settle()
    assert world.shown("crm", "customer")[crm]["legal_name"] == "4711"


def test_a_record_is_edited_in_the_hub(world, run):
    crm, erp = settled(world)
    address = '{"street": "Ring", "number": "2", "city": "Berlin", "country": "DE"}'
    words = [
        "service_notes=ring twice",
        "legal_name=Acme SE",
        "do_not_contact=true",
        "roles=payer,bill_to",
        f"shipping_address={address}",
    ]
    said = run("record", "set", "customer", crm, *words, "--note", "on the phone")
    assert "service_notes: ∅ → ring twice" in said
    assert "run 'fsm-hub sync'" in said
    assert "hub says so already" in run("record", "set", "customer", crm, *words)
    assert "the next round decides on what hub says now" in run("explain", "customer", crm, "service_notes")
    world.settle()
    there = world.shown("erp", "customer")[erp]
    assert (there["service_notes"], there["do_not_contact"]) == ("ring twice", True)
    assert there["shipping_city"] == "Berlin"
    assert set(there["roles"]) >= {"payer", "bill_to"}
    (proposal,) = json.loads(run("--json", "proposals", "list"))
    assert (proposal["system"], proposal["value"]) == ("hub", "Acme SE")
    shown = json.loads(run("--json", "record", "show", "customer", crm))
    (own,) = [link for link in shown["links"] if link["system"] == "hub"]
    assert own["shows"]["legal_name"] == "Acme SE"
    assert own["shows"]["service_notes"] == "ring twice"
    assert "hub customer" in run("record", "show", "customer", crm)
    changed = json.loads(run("--json", "record", "set", "customer", crm, "phone=030 77"))
    assert changed["changes"]["phone"][1] == "030 77"


def test_a_record_is_entered_in_the_hub(world, run):
    said = run("record", "create", "customer", "legal_name=Neu AG", "tax_ids=VAT:N", "status=active")
    assert "legal_name: ∅ → Neu AG" in said
    world.settle()
    assert [row["legal_name"] for row in world.shown("erp", "customer").values()] == ["Neu AG"]
    again = run("record", "create", "customer", "legal_name=Neu AG", "tax_ids=VAT:N", code=1)
    assert "has vat:n already - Edit that one: 'fsm-hub record set customer" in again
    assert "the rules let crm, erp create a contact, not the hub" in run(
        "record", "create", "contact", "phone=1", code=1
    )


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("phone", "'phone' is no field=value"),
        ("fone=1", "customer has no field 'fone' - Choose from: legal_name"),
        ("credit_limit=much", "credit_limit: Input should be a valid decimal"),
        ("do_not_contact=perhaps", "do_not_contact: Input should be a valid boolean"),
        ("billing_address=Ring 1", "billing_address: this is no JSON"),
        ('billing_address={"town": "x"}', "billing_address: Extra inputs are not permitted"),
        ("roles=boss", "roles: Input should be 'prospect'"),
    ],
)
def test_what_cannot_be_said_is_one_sentence(world, run, word, why):
    crm, _ = settled(world)
    assert why in run("record", "set", "customer", crm, word, code=1)


def test_a_field_is_given_once(world, run):
    crm, _ = settled(world)
    assert "phone: is given twice" in run("record", "set", "customer", crm, "phone=1", "phone=2", code=1)


def test_the_rules_that_bind_the_hub_pass_the_check(run):
    assert "0 errors, 0 warnings" in run("rules", "check")


def test_no_system_is_called_hub(run, tmp_path):
    text = SETTINGS + '[systems.hub]\nconnector = "memory"\n'
    (tmp_path / "hub.toml").write_text(text, encoding="utf8")
    assert "no system may be called 'hub'" in run("status", code=1)
