"""Rules come into force with the word of another person, once the hub knows persons.

Not here: approvals as such (`tests/persons/test_approvals`), the life of a version (`test_versions`).
"""

from __future__ import annotations

import io
import json

import pytest
from sqlalchemy import update

import mappings
from flows.cli import session
from flows.cli.app import app, terminal, told
from flows.wiring import opened
from fsm_core.persons import accounts
from fsm_core.persons.rights import Actor, Role
from fsm_core.store import schema as t

SHIPPED = (mappings.SHIPPED / "ownership.yaml").read_text(encoding="utf8")
STRICT = SHIPPED.replace("trade_name:       {owner: crm}", "trade_name: {owner: crm, non_owner_change: revert}")
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
WORD = "three quiet words"


class Office:
    """One hub and the people at its command line."""

    def __init__(self, folder, monkeypatch, capsys) -> None:
        self.folder, self._patch, self._capsys = folder, monkeypatch, capsys
        self.config = folder / "hub.toml"
        self.config.write_text(SETTINGS, encoding="utf8")
        self.files = {name: folder / f"{name}.yaml" for name in ("shipped", "strict")}
        self.files["shipped"].write_text(SHIPPED, encoding="utf8")
        self.files["strict"].write_text(STRICT, encoding="utf8")
        monkeypatch.delenv("FSM_HUB_USER", raising=False)
        monkeypatch.delenv(session.VARIABLE, raising=False)
        monkeypatch.setattr(terminal, "errors", type(terminal.errors)(stderr=True, width=600))

    def employ(self, **people):
        with opened(self.config, remote=False) as found:
            for name, role in people.items():
                accounts.add(found.desk, Actor("root"), name, [role], WORD)
        for name in people:
            self(name, "login", name, typed=WORD)

    def __call__(self, who, *words, typed="", code=0) -> str:
        """What a person is answered; an error as one line."""
        self._patch.setenv("XDG_CONFIG_HOME", str(self.folder / who))
        self._patch.setenv("LOGNAME", who)
        self._patch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
        self._patch.setattr("sys.argv", ["fsm-hub", "--config", str(self.config), *map(str, words)])
        terminal.json = False
        assert told(app) == code, self._capsys.readouterr()
        out, err = self._capsys.readouterr()
        return out if code == 0 else " ".join(err.split())

    def json(self, who, *words):
        return json.loads(self(who, "--json", *words))

    def in_force(self):
        with opened(self.config, remote=False) as found:
            return found.hub.book("customer").rules({})["trade_name"].non_owner_change

    def asked(self, who="bob"):
        return [row["id"][-8:] for row in self.json(who, "approvals", "list")]


@pytest.fixture
def office(tmp_path, monkeypatch, capsys):
    return Office(tmp_path, monkeypatch, capsys)


@pytest.fixture
def staffed(office):
    office.employ(ann=Role.ADMIN, bob=Role.ADMIN, rob=Role.RESOLVER, vera=Role.VIEWER)
    return office


def test_without_persons_one_activates_alone_and_is_told_so(office):
    said = office("ann", "rules", "activate", office.files["strict"])
    assert "is active" in said
    assert "nobody had to approve it, as this hub has no admin yet" in said
    assert office.in_force() == "revert"


def test_with_persons_another_one_approves_exactly_this_text(staffed):
    said = staffed("ann", "rules", "activate", staffed.files["strict"], "--note", "strict names", code=1)
    assert "nobody else has approved version" in said
    (number,) = staffed.asked()
    assert f"'fsm-hub approvals approve {number}'" in said
    assert staffed.in_force() == "propose"
    (row,) = staffed.json("bob", "approvals", "list")
    assert (row["kind"], row["asked_by"]) == ("rules", "ann")
    assert "strict names" in row["note"]
    (draft,) = staffed.json("bob", "rules", "list")["versions"]
    assert (draft["state"], draft["author"]) == ("draft", "ann")
    assert staffed("bob", "rules", "show", draft["version"]) == STRICT
    assert "nobody approves his own" in staffed("ann", "approvals", "approve", number, code=1)
    assert "may not approve a change" in staffed("vera", "approvals", "approve", number, code=1)
    staffed("rob", "approvals", "approve", number)
    said = staffed("ann", "rules", "activate", draft["version"])
    assert "approved by rob" in said
    (active,) = staffed.json("bob", "rules", "list")["versions"]
    assert (active["state"], active["changed_by"], active["approved_by"]) == ("active", "ann", "rob")
    assert staffed.in_force() == "revert"


def test_whoever_approved_may_activate_and_asking_twice_is_asking_once(staffed):
    for _ in range(2):
        staffed("ann", "rules", "activate", staffed.files["strict"], code=1)
    (number,) = staffed.asked()
    staffed("bob", "approvals", "approve", number)
    assert "approved by bob" in staffed("bob", "rules", "activate", staffed.files["strict"])


def test_another_text_is_not_approved_and_a_rejected_one_is_asked_for_anew(staffed):
    staffed("ann", "rules", "activate", staffed.files["strict"], code=1)
    (number,) = staffed.asked()
    staffed("bob", "approvals", "reject", number)
    staffed("ann", "rules", "activate", staffed.files["strict"], code=1)
    (again,) = staffed.asked()
    assert again != number
    staffed("bob", "approvals", "approve", again)
    staffed.files["strict"].write_text(STRICT + "\n# one more line\n", encoding="utf8")
    assert "nobody else has approved" in staffed("ann", "rules", "activate", staffed.files["strict"], code=1)
    assert staffed.in_force() == "propose"
    assert len(staffed.asked()) == 1


def test_a_version_s_name_is_not_enough(staffed):
    """The name is the beginning of a hash: what is approved is the whole text."""
    staffed("ann", "rules", "activate", staffed.files["strict"], code=1)
    (number,) = staffed.asked()
    staffed("bob", "approvals", "approve", number)
    with opened(staffed.config, remote=False) as found, found.store.engine.begin() as db:
        db.execute(update(t.rule_version).values(text=SHIPPED))
    (draft,) = staffed.json("bob", "rules", "list")["versions"]
    assert "nobody else has approved" in staffed("ann", "rules", "activate", draft["version"], code=1)


def test_the_way_back_takes_one_person(staffed):
    for name in ("shipped", "strict"):
        staffed("ann", "rules", "activate", staffed.files[name], code=1)
        (number,) = staffed.asked()
        staffed("bob", "approvals", "approve", number)
        staffed("ann", "rules", "activate", staffed.files[name])
    said = staffed("ann", "rules", "rollback")
    assert "nobody had to approve it: it was in force before" in said
    assert staffed.in_force() == "propose"
    rows = {row["state"]: row for row in staffed.json("bob", "rules", "list")["versions"]}
    assert rows["active"]["approved_by"] == "bob"


def test_rules_with_errors_are_not_even_asked_for(staffed):
    staffed.files["strict"].write_text(SHIPPED.replace("to: resolver, ", ""), encoding="utf8")
    assert "errors, the first is S21" in staffed("ann", "rules", "activate", staffed.files["strict"], code=1)
    assert staffed.asked() == []


def test_a_team_of_one_says_so_in_its_settings(office):
    office.employ(ann=Role.ADMIN)
    office("ann", "rules", "activate", office.files["strict"], code=1)
    (number,) = office.asked("ann")
    assert "nobody approves his own" in office("ann", "approvals", "approve", number, code=1)
    office.config.write_text(SETTINGS.replace("[persons]\n", "[persons]\nsecond_person = false\n"), encoding="utf8")
    assert "second_person = false" in office("ann", "rules", "activate", office.files["strict"])
    assert office.in_force() == "revert"


def test_asking_and_approving_are_in_the_audit(staffed):
    staffed("ann", "rules", "activate", staffed.files["strict"], code=1)
    (number,) = staffed.asked()
    staffed("bob", "approvals", "approve", number)
    with opened(staffed.config, remote=False) as found, found.store.reading() as db:
        rows = db.execute(t.decision.select().where(t.decision.c.kind.like("approval%"))).mappings().all()
    assert sorted((row["actor"], row["kind"]) for row in rows) == [
        ("ann", "approval asked"),
        ("bob", "approval approved"),
    ]
