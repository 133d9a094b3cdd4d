"""Persons on the command line: local user first, log-ins once there is an admin, and every command behind its right."""

from __future__ import annotations

import io
import json
import logging
import stat

import pytest
import typer.main
from sqlalchemy import update

from flows.cli import session
from flows.cli.app import app, terminal, told
from flows.wiring import opened
from fsm_core.persons import accounts
from fsm_core.persons.approvals import ask
from fsm_core.persons.rights import Actor, Role
from fsm_core.store import schema as t

SETTINGS = """
[hub]
database = "sqlite:///hub.db"
[persons]
time_cost = 1
memory_kib = 8
parallelism = 1
[systems.salesforce]
connector = "salesforce"
[systems.sap]
connector = "sap"
"""
WORD, OTHER = "three quiet words", "four other quiet words"
OPEN = {"init", "doctor", "demo", "sandbox up", "sync", "login", "logout", "whoami",
        "rules check", "rules matrix", "rules diff"}  # fmt: skip
"""Commands that take no person: they set up, follow from the rules or only read a file, or are about logging in."""


class Line:
    """The command line of one user of one machine."""

    def __init__(self, folder, monkeypatch, capsys) -> None:
        self.config = folder / "hub.toml"
        self.config.write_text(SETTINGS, encoding="utf8")
        self._patch, self._capsys = monkeypatch, capsys
        self.user("root")
        monkeypatch.delenv("FSM_HUB_USER", raising=False)
        monkeypatch.delenv(session.VARIABLE, raising=False)
        monkeypatch.setattr(terminal, "errors", type(terminal.errors)(stderr=True, width=400))

    def user(self, name):
        """Another user of the machine, with a home of their own."""
        self._patch.setenv("XDG_CONFIG_HOME", str(self.config.parent / name))
        self._patch.setenv("LOGNAME", name)

    def __call__(self, *words, typed=(), code=0) -> str:
        self._patch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
        self._patch.setattr("sys.argv", ["fsm-hub", "--config", str(self.config), *words])
        assert told(app) == code, self._capsys.readouterr()
        out, err = self._capsys.readouterr()
        return out if code == 0 else " ".join(err.split()) or out

    def json(self, *words, typed=(), code=0):
        return json.loads(self("--json", *words, typed=typed, code=code))

    def log_in(self, name):
        self.user(name)
        self("login", name, typed=[WORD])


@pytest.fixture
def line(tmp_path, monkeypatch, capsys):
    return Line(tmp_path, monkeypatch, capsys)


@pytest.fixture
def staffed(line):
    """One person of each role, named after it."""
    with opened(line.config, remote=False) as found:
        for role in Role:
            accounts.add(found.desk, Actor("root"), role.value, [role], WORD)
    return line


def test_a_hub_without_an_admin_is_the_local_user_s(line):
    assert line.json("whoami") == {
        "name": "root", "roles": ["admin", "auditor", "finance", "resolver", "viewer"], "logged_in": False,
    }  # fmt: skip
    assert line.json("--as", "anna", "whoami")["name"] == "anna"
    assert line.json("conflicts", "list") == []
    assert line.json("person", "add", "vera", "viewer", typed=[WORD])["roles"] == ["viewer"]
    assert line.json("whoami")["logged_in"] is False


def test_from_the_first_admin_on_everybody_logs_in(line):
    line("person", "add", "ada", "admin", "resolver", typed=[WORD])
    assert "nobody is logged in - Run 'fsm-hub login'" in line("conflicts", "list", code=1)
    line.log_in("ada")
    assert line.json("whoami") == {"name": "ada", "roles": ["admin", "resolver"], "logged_in": True}
    assert line.json("conflicts", "list") == []
    assert "ada is logged in and cannot act as bob" in line("--as", "bob", "conflicts", "list", code=1)
    line.user("bob")
    assert "nobody is logged in" in line("status", code=1)
    line.user("ada")
    assert "logged out" in line("logout")
    assert "nobody is logged in" in line("status", code=1)
    assert "nobody was logged in" in line("logout")


def leaves(command, path=""):
    inner = getattr(command, "commands", {})
    return [leaf for key, one in inner.items() for leaf in leaves(one, f"{path} {key}".strip())] if inner else [path]


ARGUMENTS = {
    "conflicts show": ["x"], "conflicts resolve": ["x", "--take", "sap"], "proposals adopt": ["x"],
    "proposals reject": ["x"], "record show": ["customer", "x"], "explain": ["customer", "x"],
    "person add": ["eve", "viewer"], "person role": ["viewer", "admin"], "person disable": ["viewer"],
    "person enable": ["viewer"], "person password": ["auditor"], "token add": ["x"], "token revoke": ["x"],
    "bulk conflicts": ["--take", "sap"], "bulk proposals": ["--take", "adopt"], "bulk undo": ["x"],
    "match history": ["customer", "x"], "match merge": ["customer", "x", "y"], "match unmerge": ["customer", "x"],
    "plan show": ["x"], "rules learn": ["x"], "stop": ["sap"], "rekey": ["sap"],
    "resume": ["sap"], "apply": ["x"], "revert": ["x"],
    "approvals approve": ["x"], "approvals reject": ["x"],
    "pin set": ["customer", "x", "phone", "--note", "why"], "pin release": ["customer", "x", "phone"],
    "record set": ["customer", "x", "phone=1"], "record create": ["customer", "phone=1"],
    "rules activate": ["x"], "rules show": ["x"], "drift accept": ["sap", "customer", "x"],
    "rules draft": ["mappings/ownership.yaml"], "rules shadow": ["mappings/ownership.yaml"],
}  # fmt: skip
COMMANDS = sorted(set(leaves(typer.main.get_command(app))) - OPEN)


@pytest.mark.parametrize("command", [*COMMANDS, "sync --confirm-mass-change"])
def test_no_command_is_for_strangers(staffed, command):
    staffed.user("nobody")
    words = [*command.split(), *ARGUMENTS.get(command, [])]
    assert "nobody is logged in" in staffed(*words, code=1, typed=[OTHER, OTHER])


@pytest.mark.parametrize(
    ("command", "roles"),
    [
        ("conflicts resolve", "resolver or admin"),
        ("proposals adopt", "resolver or admin"),
        ("proposals reject", "resolver or admin"),
        ("problems retry", "resolver or admin"),
        ("pin set", "resolver or admin"),
        ("pin release", "resolver or admin"),
        ("record set", "resolver or admin"),
        ("record create", "resolver or admin"),
        ("sync --confirm-mass-change", "admin"),
        ("audit verify", "auditor or admin"),
        ("drift accept", "admin"),
        ("person add", "admin"),
        ("person list", "admin"),
        ("person role", "admin"),
        ("person disable", "admin"),
        ("person enable", "admin"),
        ("person password", "admin"),
    ],
)
def test_a_viewer_is_told_the_role_it_takes(staffed, command, roles):
    staffed.log_in("viewer")
    words = [*command.split(), *ARGUMENTS.get(command, [])]
    assert f"takes the role {roles}, and viewer has viewer" in staffed(*words, code=1, typed=[OTHER])


def test_who_has_the_role_gets_through_to_the_command(staffed):
    staffed.log_in("resolver")
    assert "conflict x does not exist" in staffed("conflicts", "resolve", "x", "--take", "sap", code=1)
    assert staffed.json("problems", "retry") == []
    staffed.log_in("auditor")
    assert staffed.json("audit", "verify")["ok"] is True
    assert "all holds; root of the last run" in staffed("audit", "verify")


def test_a_broken_audit_is_named_and_fails(line):
    line("person", "add", "vera", "viewer", typed=[WORD])
    with opened(line.config, remote=False) as found, found.store.begin() as work:
        work._db.execute(update(t.decision).values(actor="eve"))
    broken = line.json("audit", "verify", code=1)
    assert broken["ok"] is False
    assert broken["broken"]["run"]
    assert broken["broken"]["decision"] in line("audit", "verify", code=1).replace("\n", "")


def test_the_token_is_kept_for_the_user_alone(staffed, tmp_path):
    staffed.log_in("admin")
    path = session.place(staffed.config)
    assert path.is_relative_to(tmp_path / "admin")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
    path.chmod(0o640)
    assert "others may read" in staffed("status", code=1)
    elsewhere = path.rename(path.with_suffix(".moved"))
    path.symlink_to(elsewhere)
    assert "cannot be read" in staffed("status", code=1)


def test_a_new_log_in_ends_the_one_before(staffed):
    staffed.log_in("admin")
    first = session.stored(staffed.config)
    staffed.log_in("admin")
    assert [row["label"] for row in staffed.json("token", "list")] == ["login"]
    assert session.stored(staffed.config) != first


def test_a_personal_token_is_shown_once_and_works_from_the_environment(staffed, monkeypatch):
    staffed.log_in("auditor")
    made = staffed.json("token", "add", "report", "--days", "7")
    assert "token" not in staffed.json("token", "list")[0]
    staffed.user("cron")
    monkeypatch.setenv(session.VARIABLE, made["token"])
    assert staffed.json("whoami")["name"] == "auditor"
    staffed("token", "revoke", made["id"][-8:])
    assert "the token was revoked" in staffed("whoami", code=1)


def test_one_s_own_password_takes_the_present_one(staffed):
    staffed.log_in("viewer")
    assert "present password is another one" in staffed("person", "password", typed=["guess", OTHER], code=1)
    staffed("person", "password", "Viewer", typed=[WORD, OTHER])
    assert "revoked" in staffed("whoami", code=1)
    assert "wrong" in staffed("login", "viewer", typed=[WORD], code=1)
    staffed("login", "viewer", typed=[OTHER])


def test_a_second_person_approves(staffed):
    with opened(staffed.config, remote=False) as found:
        with found.store.begin() as work:
            resolver = work.person("resolver").actor
        asked = ask(found.desk, resolver, "0f" * 32, "change", "400 records of sap")
    staffed.log_in("resolver")
    assert "nobody approves his own" in staffed("approvals", "approve", asked.id[-8:], code=1)
    staffed.log_in("admin")
    assert [row["note"] for row in staffed.json("approvals", "list")] == ["400 records of sap"]
    assert "approved by admin" in staffed("approvals", "approve", asked.id[-8:])
    assert staffed.json("approvals", "list") == []


def test_the_local_user_approves_nothing(line):
    with opened(line.config, remote=False) as found:
        asked = ask(found.desk, Actor("vera", person="1"), "0f" * 32, "change", "400 records of sap")
    for word in ("approve", "reject"):
        assert "takes two persons" in line("--as", "bob", "approvals", word, asked.id, code=1)


def test_no_password_or_token_is_ever_logged(staffed, caplog):
    with caplog.at_level(logging.DEBUG):
        staffed("--verbose", "login", "admin", typed=[WORD])
        secret = session.stored(staffed.config)
        staffed("--verbose", "login", "admin", typed=["a wrong guess here"], code=1)
        staffed("--verbose", "status")
    assert WORD not in caplog.text
    assert "wrong guess" not in caplog.text
    assert secret not in caplog.text
