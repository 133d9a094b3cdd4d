"""Another environment over real HTTP: refused before anything is written, accepted only by a ceremony.

Not here: fingerprints of each vendor (the contract suite).
"""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from fsm_core.errors import HubError, Refused
from tests.scenarios.wire import company


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def moved(wire, name: str = "PRD") -> None:
    """The settings point at a system of another name."""
    text = wire.config.read_text(encoding="utf8")
    wire.config.write_text(text.replace("S4HCLNT100", name), "utf8")


def failed(wire, *words: str) -> HubError:
    error = CliRunner().invoke(app, ["--config", str(wire.config), "--as", "ada", *words]).exception
    assert isinstance(error, HubError)
    return error


def test_a_copy_that_points_at_another_system_is_refused_before_any_write(wire):
    wire.news_for("sap", 0)
    moved(wire)
    before = wire.writes()
    done = wire.sync(code=1)
    assert "another environment" in done["failures"]["sap"]
    assert "fsm-hub rekey" in done["failures"]["sap"]
    assert (wire.writes(), wire.has_news("sap", 0)) == (before, False)


def test_an_org_that_is_another_one_is_refused(wire):
    wire.news_for("salesforce", 0)
    known, other = wire.crm.store.tables["Organization"], "00D000000000099EAA"
    known[other] = {**known.pop(wire.crm.organization), "Id": other}
    before = wire.writes()
    assert "another environment" in wire.sync(code=1)["failures"]["salesforce"]
    assert wire.writes() == before


def test_the_same_company_under_another_name_is_accepted_by_its_fingerprint(wire):
    moved(wire)
    looked = wire.ask("rekey", "sap")
    assert (looked["objection"], looked["accepted"]) == ("", False)
    assert {row["entity"]: (row["known"], row["there"]) for row in looked["found"]}["customer"] == (3, 3)
    assert "shows" in str(failed(wire, "rekey", "sap", "--accept", "QAS"))
    assert "sap" in wire.sync(code=1)["failures"]
    wire.run("rekey", "sap", "--accept", looked["shown"])
    wire.news_for("sap", 0)
    assert wire.sync()["failures"] == {}
    wire.settle()
    assert wire.has_news("sap", 0)
    assert wire.ask("audit", "verify")["ok"]


def test_a_system_without_the_known_records_is_never_accepted(wire):
    moved(wire)
    for number in wire.partners:
        del wire.erp.store.tables["A_BusinessPartner"][number,]
    looked = wire.ask("rekey", "sap")
    assert "known records are there" in looked["objection"]
    assert isinstance(failed(wire, "rekey", "sap", "--accept", looked["shown"]), Refused)
    assert "sap" in wire.sync(code=1)["failures"]


def test_what_did_not_move_needs_no_ceremony(wire):
    assert "is the environment the hub knows" in wire.run("rekey", "sap")
