"""A plan above the limits takes the word of a second person on exactly this plan, over real HTTP.

Not here: hubs without an admin (`test_plans`).
"""

from __future__ import annotations

import io

import pytest

from flows.cli import session
from flows.cli.app import app, terminal, told
from flows.wiring import opened
from fsm_core.persons import accounts
from fsm_core.persons.rights import Actor, Role
from tests.scenarios.wire import company

CHEAP = "\n[persons]\ntime_cost = 1\nmemory_kib = 8\nparallelism = 1\n[limits]\nupdates = 1\n"
WORD = "three quiet words"


class Office:
    """The systems, one hub, and the people at its command line."""

    def __init__(self, wire, monkeypatch, capsys) -> None:
        self.wire, self._patch, self._capsys = wire, monkeypatch, capsys
        self.path = str(wire.folder / "plan.json")
        wire.config.write_text(wire.config.read_text(encoding="utf8") + CHEAP, encoding="utf8")
        for name in ("FSM_HUB_USER", session.VARIABLE):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(terminal, "errors", type(terminal.errors)(stderr=True, width=1000))

    def employ(self, **people):
        with opened(self.wire.config, remote=False) as found:
            for name, role in people.items():
                accounts.add(found.desk, Actor("root"), name, [role], WORD)
        for name in people:
            self(name, "login", name)

    def __call__(self, who, *words, code=0) -> str:
        self._patch.setenv("XDG_CONFIG_HOME", str(self.wire.folder / who))
        self._patch.setenv("LOGNAME", who)
        self._patch.setattr("sys.stdin", io.StringIO(f"{WORD}\n"))
        self._patch.setattr("sys.argv", ["fsm-hub", "--config", str(self.wire.config), *words])
        terminal.json = False
        assert told(app) == code, self._capsys.readouterr()
        out, err = self._capsys.readouterr()
        return out if code == 0 else " ".join(err.split())

    def planned(self) -> str:
        self.wire.clock.advance(60)
        self("ann", "plan", "--out", self.path)
        return self.path


@pytest.fixture
def office(tmp_path, monkeypatch, capsys):
    with company(tmp_path) as wire:
        made = Office(wire, monkeypatch, capsys)
        made.employ(ann=Role.ADMIN, bob=Role.RESOLVER, vera=Role.VIEWER)
        for place in (0, 1):
            wire.news_for("sap", place)
        yield made


def approval(office) -> str:
    """What ann's attempt asks for: the end of the id."""
    told = office("ann", "apply", office.path, code=1)
    assert "above the limits: 2 updates, one person may 1" in told
    return told.partition("approvals approve ")[2].partition("'")[0]


def test_with_another_person_s_word_it_is_applied(office):
    office.planned()
    asked = approval(office)
    assert not office.wire.has_news("sap", 0)
    assert "nobody approves his own" in office("ann", "approvals", "approve", asked, code=1)
    assert "takes the role" in office("vera", "approvals", "approve", asked, code=1)
    office("bob", "approvals", "approve", asked)
    assert "2 applied" in office("ann", "apply", office.path)
    assert office.wire.has_news("sap", 0, 1)


def test_the_word_is_good_for_this_plan_only(office):
    office.planned()
    office("bob", "approvals", "approve", approval(office))
    office.planned()  # made anew: the same writes, and another plan
    assert approval(office)
    assert not office.wire.has_news("sap", 0)


def test_nobody_goes_beyond_the_limits_alone_once_there_are_persons(office):
    office.planned()
    assert "above the limits" in office("ann", "apply", office.path, "--beyond-limits", code=1)
    assert "may not apply a plan" in office("bob", "apply", office.path, code=1)
    assert not office.wire.has_news("sap", 0)
