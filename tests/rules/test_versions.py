"""Versions of the rules: their life, what decides, and the way back. Not here: `rules test`."""

from __future__ import annotations

import json
import tomllib

import pytest
import yaml

import mappings
from flows.cli.app import app, terminal, told
from flows.rulefacts import POLL
from flows.wiring import opened
from fsm_core.errors import NotFound, Refused
from fsm_core.ownership.versions import RuleVersion, Stand, activated, active, named, previous, stored
from fsm_core.store import SqlStore, migrations, open_engine
from fsm_core.store.rule_versions import RuleVersions

SHIPPED = (mappings.SHIPPED / "ownership.yaml").read_text(encoding="utf8")
SETTINGS = """
[hub]
database = "sqlite:///hub.db"
[systems.salesforce]
connector = "salesforce"
[systems.sap]
connector = "sap"
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    (tmp_path / "hub.toml").write_text(SETTINGS, encoding="utf8")
    monkeypatch.setattr(terminal, "errors", type(terminal.errors)(stderr=True, width=400))

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["fsm-hub", "--config", str(tmp_path / "hub.toml"), *map(str, words)])
        terminal.json = False
        code = told(app)
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())

    return call


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(
        SHIPPED.replace("trade_name:       {owner: crm}", "trade_name: {owner: crm, non_owner_change: revert}")
    )
    return path


def listed(run):
    code, out, _ = run("--json", "rules", "list")
    assert code == 0
    return json.loads(out)


def test_without_an_activation_the_file_decides(run):
    told = listed(run)
    assert told["versions"] == []
    assert told["in_force"] == told["file"]


def test_an_activated_version_decides_until_it_is_rolled_back(run, other, tmp_path):
    first = tmp_path / "first.yaml"
    first.write_text(SHIPPED, encoding="utf8")
    assert run("--as", "anna", "rules", "activate", first, "--note", "as it ships")[0] == 0
    assert run("--as", "ben", "rules", "activate", other, "--note", "strict names")[0] == 0
    told = listed(run)
    newest, oldest = sorted(told["versions"], key=lambda one: one["state"])
    assert (newest["state"], newest["author"], newest["note"]) == ("active", "ben", "strict names")
    assert (oldest["state"], oldest["author"], oldest["changed_by"]) == ("retired", "anna", "ben")
    assert told["in_force"] == newest["version"] != told["file"]
    with opened(tmp_path / "hub.toml", remote=False) as found:
        assert found.hub.rulebook.version == newest["version"]
        assert found.hub.book("customer").rules({})["trade_name"].non_owner_change == "revert"
    assert run("rules", "rollback")[0] == 0
    with opened(tmp_path / "hub.toml", remote=False) as found:
        assert found.hub.rulebook.version == oldest["version"]
        assert found.hub.book("customer").rules({})["trade_name"].non_owner_change == "propose"


def test_a_draft_is_activated_by_the_beginning_of_its_hash(run, other):
    assert run("rules", "draft", other)[0] == 0
    (draft,) = listed(run)["versions"]
    assert draft["state"] == "draft"
    assert run("rules", "activate", draft["version"][:6])[0] == 0
    assert listed(run)["in_force"] == draft["version"]
    code, _, err = run("rules", "draft", other)
    assert code == 1
    assert "is active already" in err


def test_rules_with_errors_are_not_activated(run, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text(SHIPPED.replace("to: resolver, ", ""), encoding="utf8")
    code, _, err = run("rules", "activate", broken)
    assert code == 1
    assert "the first is S21 at routing" in err
    assert listed(run)["versions"] == []


def test_an_unknown_version_is_named(run):
    code, _, err = run("rules", "activate", "abc")
    assert code == 1
    assert "rule version 'abc' does not exist; known: none" in err
    assert "no version was in force before" in run("rules", "rollback")[2]


def test_an_active_version_that_cannot_be_read_can_be_replaced(run, tmp_path):
    engine = open_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    migrations.upgrade(engine)
    with engine.begin() as db:
        RuleVersions(db).keep([RuleVersion("x", "version: [", Stand.ACTIVE, "anna", "2026-01-01")])
    engine.dispose()
    code, _, err = run("status")
    assert code == 1
    assert "rule version x is not YAML" in err
    assert run("rules", "activate", mappings.SHIPPED / "ownership.yaml")[0] == 0
    assert run("status")[0] == 0


def test_without_a_shadow_the_other_rules_have_to_be_named(run, other):
    code, _, err = run("rules", "test")
    assert code == 1
    assert "no version is kept as shadow" in err
    code, out, _ = run("rules", "test", other, "--json")
    assert code == 0
    assert (json.loads(out)["edits"], json.loads(out)["differences"]) == (0, [])


def test_the_check_of_the_command_line_answers_in_words_json_and_code(run, tmp_path):
    code, out, _ = run("rules", "check")
    assert code == 0
    assert "0 errors, 0 warnings" in out
    broken = tmp_path / "broken.yaml"
    broken.write_text(
        SHIPPED.replace("      trade_name:       {owner: crm}", "      trade_name: {owner: erp}"), encoding="utf8"
    )
    code, out, _ = run("rules", "check", broken, "--json")
    assert code == 1
    (finding,) = json.loads(out)["findings"]
    assert (finding["check"], finding["entity"], finding["field"]) == ("S04", "customer", "trade_name")
    line = broken.read_text(encoding="utf8").splitlines()[finding["line"] - 1]
    assert line.strip().startswith("trade_name:")
    code, out, _ = run("rules", "check", broken)
    assert code == 1
    assert "S04 error" in out
    assert "e.g." in out
    assert run("rules", "check", "--poll", "soon")[0] == 1


def test_matrix_and_diff_answer_on_the_command_line(run, other, tmp_path):
    page = tmp_path / "owners.html"
    code, out, _ = run("rules", "matrix", "--entity", "customer", "--html", page)
    assert code == 0
    assert "trade_name" in out
    assert page.read_text(encoding="utf8").startswith("<!doctype html>")
    sheets = json.loads(run("rules", "matrix", "--json")[1])
    assert [sheet["entity"] for sheet in sheets] == ["customer", "contact", "site"]
    assert run("rules", "matrix", "--entity", "asset")[0] == 1
    code, out, _ = run("rules", "diff", mappings.SHIPPED / "ownership.yaml", other, "--json")
    assert [one["sentence"] for one in json.loads(out)] == ["customer.trade_name: non_owner_change propose -> revert"]


@pytest.mark.parametrize("name", mappings.templates())
def test_a_template_is_written_beside_the_settings_and_named_in_them(run, tmp_path, name):
    code, _, _ = run("init", tmp_path / name, "--template", name)
    assert code == 0
    written = (tmp_path / name / "ownership.yaml").read_text(encoding="utf8")
    assert written == mappings.templates()[name].read_text(encoding="utf8")
    settings = tomllib.loads((tmp_path / name / "hub.toml").read_text(encoding="utf8"))
    assert settings["hub"]["ownership"] == "ownership.yaml"
    code, _, err = run("init", tmp_path / "more", "--template", "all-five")
    assert code == 1
    assert "known: all-four, cmms-erp, crm-erp-fsm" in err


def test_the_interval_the_check_assumes_is_that_of_the_schedule():
    schedule = yaml.safe_load((mappings.SHIPPED.parent / "prefect.yaml").read_text(encoding="utf8"))
    intervals = [one["interval"] for flow in schedule["deployments"] for one in flow["schedules"] if "interval" in one]
    assert min(intervals) == POLL.total_seconds()


# -- the life of a version -----------------------------------------------------------------------------------


def version(name: str, state: Stand = Stand.DRAFT, **more) -> RuleVersion:
    return RuleVersion(name, "text", state, "anna", "2026-01-01", **more)


def test_the_one_before_retires():
    known = [version("a", Stand.ACTIVE, activated_at="2026-01-01"), version("b")]
    retired, chosen = activated(known, known[1], "ben", "2026-01-02")
    assert (retired.version, retired.state) == ("a", Stand.RETIRED)
    assert (chosen.state, chosen.changed_by, chosen.activated_at) == (Stand.ACTIVE, "ben", "2026-01-02")
    assert activated([retired, chosen], chosen, "ben", "2026-01-03") == []
    assert active([retired, chosen]) is chosen
    assert previous([retired, chosen]) is retired


def test_a_second_person_can_be_asked():
    def asked(wanted: RuleVersion, actor: str) -> str:
        if actor == wanted.author:
            raise Refused("somebody else has to approve")
        return actor

    with pytest.raises(Refused, match="somebody else"):
        activated([], version("a"), "anna", "2026-01-02", asked)
    assert activated([], version("a"), "ben", "2026-01-02", asked)[0].approved_by == "ben"


def test_there_is_one_shadow():
    made = stored([version("a", Stand.SHADOW)], version("b"), Stand.SHADOW)
    assert {one.version: one.state for one in made} == {"b": Stand.SHADOW, "a": Stand.DRAFT}


def test_a_beginning_that_fits_two_versions_is_refused():
    with pytest.raises(NotFound, match="known: aa, ab"):
        named([version("aa"), version("ab")], "a")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_versions_are_kept_as_they_are(kind, tmp_path, request):
    url = f"sqlite:///{tmp_path}/v.db" if kind == "sqlite" else request.getfixturevalue("postgres").schema()
    engine = open_engine(url)
    migrations.upgrade(engine)
    kept = version("a", Stand.ACTIVE, note="why", activated_at="2026-01-02")
    with engine.begin() as db:
        RuleVersions(db).keep([version("a"), version("b")])
        RuleVersions(db).keep([kept])
    with SqlStore(engine).reading() as db:
        assert RuleVersions(db).active() == kept
        assert [one.version for one in RuleVersions(db).known()] == ["a", "b"]
    engine.dispose()
