"""The command line at its edges: errors are one sentence, JSON stays JSON, nothing shows a trace."""

from __future__ import annotations

import json
import tomllib

import pytest

from flows.cli.app import app, shown, terminal, told

SETTINGS = '[hub]\ndatabase = "sqlite:///hub.db"\n[systems.{name}]\nconnector = "{name}"\nsettings = {{ }}\n'


@pytest.fixture
def run(monkeypatch, capsys):
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["fsm-hub", *words])
        code = told(app)
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())

    monkeypatch.setattr(terminal, "errors", type(terminal.errors)(stderr=True, width=400))
    return call


def test_init_writes_settings_that_load_and_never_overwrites(run, tmp_path):
    assert run("init", str(tmp_path))[0] == 0
    written = tomllib.loads((tmp_path / "hub.toml").read_text(encoding="utf8"))
    assert set(written["systems"]) == {"salesforce", "sap"}
    code, _, err = run("init", str(tmp_path))
    assert code == 1
    assert "exists" in err


def test_a_missing_file_is_one_sentence(run, tmp_path):
    code, _, err = run("--config", str(tmp_path / "hub.toml"), "status")
    assert code == 1
    assert err.startswith("error:")
    assert "fsm-hub init" in err
    assert "Traceback" not in err


def test_an_error_in_json_mode_is_json(run, tmp_path):
    code, out, _ = run("--json", "--config", str(tmp_path / "hub.toml"), "status")
    assert code == 1
    assert "does not exist" in json.loads(out)["error"]


@pytest.mark.parametrize("wanted", ["[/x]", "[bold]x"])
def test_an_error_shows_what_was_typed_with_its_brackets(run, tmp_path, wanted):
    path = tmp_path / "hub.toml"
    path.write_text(SETTINGS.format(name="salesforce") + '[systems.sap]\nconnector = "sap"\n', encoding="utf8")
    code, _, err = run("--config", str(path), "explain", "customer", wanted)
    assert code == 1
    assert f"customer {wanted} is not known" in err


@pytest.mark.parametrize(
    ("database", "says"),
    [
        ("sqlite:////proc/nowhere/hub.db", "/proc/nowhere: No such file or directory"),
        ("sqlite:////proc/hub.db", "the database: unable to open database file"),
        ("oracle+nothing://x", "the database: Can't load plugin"),
        ("no address", "the database: Could not parse"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_sentence(run, tmp_path, database, says):
    path = tmp_path / "hub.toml"
    path.write_text(f'[hub]\ndatabase = "{database}"\n', encoding="utf8")
    for words in (("status",), ("doctor",), ("sync",)):
        code, _, err = run("--config", str(path), *words)
        assert code == 1
        assert says in err
        assert "Traceback" not in err


def test_a_file_that_cannot_be_written_is_one_sentence(run, tmp_path):
    code, _, err = run("rules", "matrix", "--html", str(tmp_path / "no" / "page.html"))
    assert code == 1
    assert "page.html: No such file or directory - Look at the path" in err


def test_wrong_usage_is_told(run):
    code, _, err = run("conflicts", "resolve", "x")
    assert code == 2
    assert "--take" in err


def test_roles_bound_to_systems_that_are_not_configured_are_named(run, tmp_path):
    path = tmp_path / "hub.toml"
    path.write_text(SETTINGS.format(name="salesforce"), encoding="utf8")
    code, _, err = run("--config", str(path), "status")
    assert code == 1
    assert "role 'erp' is bound to unknown system 'sap'" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("conflicts", "show", "nothing"), "conflict nothing does not exist"),
        (("proposals", "adopt", "nothing"), "proposal nothing does not exist"),
        (("problems", "retry", "nothing"), "problem nothing does not exist"),
        (("record", "show", "customer", "nobody"), "customer nobody is not known"),
        (("explain", "customer", "nobody", "fone"), "no field 'fone'; known: legal_name"),
        (("explain", "custmer", "nobody"), "no rules for 'custmer'; the rule file has: customer"),
    ],
)
def test_what_does_not_exist_is_named(run, tmp_path, words, says):
    path = tmp_path / "hub.toml"
    both = SETTINGS.format(name="salesforce") + '[systems.sap]\nconnector = "sap"\n'
    path.write_text(both, encoding="utf8")
    code, _, err = run("--config", str(path), *words)
    assert code == 1
    assert says in err


def test_an_empty_hub_answers_in_json_and_in_words(run, tmp_path):
    path = tmp_path / "hub.toml"
    path.write_text(SETTINGS.format(name="salesforce") + '[systems.sap]\nconnector = "sap"\n', encoding="utf8")
    code, out, _ = run("--config", str(path), "--json", "status")
    assert code == 0
    assert json.loads(out)["records"] == {}
    assert json.loads(run("--config", str(path), "--json", "conflicts", "list")[1]) == []
    assert run("--config", str(path), "proposals", "list")[0] == 0


def test_doctor_tells_what_is_wrong_with_each_system_and_fails(run, tmp_path):
    path = tmp_path / "hub.toml"
    path.write_text(SETTINGS.format(name="salesforce") + '[systems.sap]\nconnector = "sap"\n', encoding="utf8")
    code, out, _ = run("--config", str(path), "--json", "doctor")
    assert code == 1
    findings = {name: one["findings"] for name, one in json.loads(out)["systems"].items()}
    assert all(findings.values())
    assert "login_url" in findings["salesforce"][0]["message"]
    assert findings["salesforce"][0]["remedy"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "∅"),
        ([], "∅"),
        ({}, "∅"),
        (True, "yes"),
        (False, "no"),
        (["a", "b"], "a, b"),
        (
            {"street": "Weg", "number": "1", "postcode": "10115", "city": "Berlin", "country": "DE"},
            "Weg 1, 10115 Berlin, DE",
        ),
        ("[red]x[/]", "\\[red]x\\[/]"),
    ],
)
def test_values_read_as_people_write_them(value, words):
    assert shown(value) == words
