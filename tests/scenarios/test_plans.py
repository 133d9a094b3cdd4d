"""A plan over real HTTP: kept, looked at, applied; what moved is refused, what is done is not done again.

Not here: taking a run back (`test_reverts`).
"""

from __future__ import annotations

import json
import stat

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.wiring import SHIPPED_RULES
from fsm_core.errors import HubError
from fsm_core.service import push as delivering
from tests.scenarios.wire import company

FILE = "plan.json"


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def planned(wire, *places: int) -> str:
    """News for SAP at these places, planned and kept; nothing is written by it."""
    for place in places:
        wire.news_for("sap", place)
    wire.clock.advance(60)
    before = wire.writes()
    path = str(wire.folder / FILE)
    wire.ask("plan", "--out", path)
    assert wire.writes() == before
    return path


def refused(wire, *words: str) -> str:
    """A command's error, as one sentence."""
    error = CliRunner().invoke(app, ["--config", str(wire.config), "--as", "ada", *words]).exception
    assert isinstance(error, HubError)
    return str(error)


def test_a_plan_tells_every_write_with_its_rule_and_what_it_assumes(wire):
    path = planned(wire, 0, 1)
    told = wire.ask("plan", "show", path)
    assert told["totals"]["writes"] == {"sap": {"update": 2}}
    assert {write["external_id"] for write in told["writes"]} == {wire.partners[0], wire.partners[1]}
    for write in told["writes"]:
        assert write["version"]
        assert write["fields"]["language"] == {
            "shows": "de", "base": "de", "to": "en", "rule": "customer.language", "owner": "salesforce",
            "why": "owner changed",
        }  # fmt: skip
    assert told["totals"]["calls"]["sap"] >= 2
    assert told["totals"]["by_rule"] == [["sap", "customer.language", "salesforce", 2]]
    text = wire.run("plan", "show", path)
    assert "sap          2 updates, in about" in text
    assert stat.S_IMODE((wire.folder / FILE).stat().st_mode) == 0o600


def test_what_moved_since_is_refused_with_its_reason_and_all_others_land(wire):
    path = planned(wire, 0, 1, 2)
    wire.partner(wire.partners[1], SearchTerm1="BY HAND")
    wire.clock.advance(60)
    done = wire.ask("apply", path, code=1)
    assert done["fates"] == {"applied": 2, "moved": 1}
    ((write, told),) = done["left"]
    assert (write["external_id"], told["fate"]) == (wire.partners[1], "moved")
    assert "changed there" in told["why"]
    assert wire.has_news("sap", 0, 2)
    assert not wire.has_news("sap", 1)
    before = wire.writes()
    again = wire.ask("apply", path, code=1)
    assert (again["fates"], wire.writes()) == ({"done already": 2, "moved": 1}, before)
    wire.settle()
    assert wire.has_news("sap", 0, 1, 2)  # it stayed due, for the next round


def test_what_was_agreed_otherwise_since_is_refused(wire):
    path = planned(wire, 0, 1)
    wire.account(wire.accounts[0], FSM_Language__c="fr")
    wire.clock.advance(60)
    done = wire.ask("apply", path, code=1)
    ((_, told),) = done["left"]
    assert told["why"] == "something else is agreed now than when the plan was made: language"
    assert wire.bp(0)["CorrespondenceLanguage"] == "DE"


def test_applied_twice_it_does_nothing_the_second_time(wire):
    path = planned(wire, 0, 1)
    assert wire.ask("apply", path)["fates"] == {"applied": 2}
    before = wire.writes()
    assert wire.ask("apply", path)["fates"] == {"done already": 2}
    assert wire.writes() == before


def test_killed_half_way_and_applied_again_nothing_is_written_twice(wire, monkeypatch):
    path = planned(wire, 0, 1, 2)
    wire.newcomer("sap")
    wire.clock.advance(60)
    wire.ask("plan", "--out", path)
    real, seen = delivering._settle, []

    def killed(*given):
        if seen:
            raise KeyboardInterrupt
        seen.append(given)
        return real(*given)

    with monkeypatch.context() as patching:
        patching.setattr(delivering, "_settle", killed)
        patching.setattr(delivering, "_batches", _by_one(delivering._batches))
        with pytest.raises(AssertionError):
            wire.ask("apply", path)
    arrived = wire.has("sap") + sum(wire.has_news("sap", place) for place in range(3))
    assert 0 < arrived < 4
    wire.clock.advance(600)
    wire.ask("apply", path, code=0)
    assert wire.has_news("sap", 0, 1, 2)
    assert wire.has("sap") == 1
    before = wire.writes()
    assert wire.ask("apply", path)["fates"] == {"done already": 4}
    assert wire.writes() == before


def _by_one(real):
    """The same batches, a record in each: a crash between them leaves some."""

    def batches(hub, binding, waiting, permit):
        for tasks in real(hub, binding, waiting, permit):
            yield from ([task] for task in tasks)

    return batches


def test_a_plan_is_refused_that_is_not_whole_or_was_changed(wire):
    path = planned(wire, 0)
    kept = (wire.folder / FILE).read_bytes()
    for broken in (kept[:-40], kept.replace(b'"en"', b'"fr"'), b"", b"{}\n", b"no\n"):
        (wire.folder / FILE).write_bytes(broken)
        told = refused(wire, "apply", path)
        assert "is no plan" in told
        assert "Make the plan again." in told
    assert not wire.has_news("sap", 0)


def test_a_plan_made_under_other_rules_is_refused(wire):
    path = planned(wire, 0)
    (wire.folder / "own.yaml").write_text(SHIPPED_RULES.read_text(encoding="utf8") + "\n# another\n", encoding="utf8")
    wire.config.write_text(wire.config.read_text(encoding="utf8").replace("[hub]", '[hub]\nownership = "own.yaml"', 1))
    assert "the plan was made under the rules" in refused(wire, "apply", path)
    assert not wire.has_news("sap", 0)


def test_above_the_limits_it_takes_a_word_more(wire):
    config = wire.config.read_text(encoding="utf8")
    wire.config.write_text(config + "\n[limits]\nupdates = 1\n", encoding="utf8")
    path = planned(wire, 0, 1)
    assert "above the limits: 2 updates, one person may 1" in refused(wire, "apply", path)
    assert not wire.has_news("sap", 0)
    assert wire.ask("apply", path, "--beyond-limits")["fates"] == {"applied": 2}


def test_without_a_file_a_plan_only_tells(wire):
    wire.news_for("sap", 0)
    wire.clock.advance(60)
    told = wire.ask("plan", "--entity", "customer")
    assert (told["totals"]["writes"], len(told["writes"]), told["hash"]) == ({"sap": {"update": 1}}, 1, "")
    assert list(wire.folder.glob("*.part")) == []
    assert json.loads(json.dumps(told["plan"]))["entities"] == ["customer"]


def test_a_large_first_load_is_looked_at_first(tmp_path):
    with company(tmp_path, settled=False) as wire:
        text = wire.config.read_text(encoding="utf8")
        wire.config.write_text(text + "\n[limits]\nupdates = 2\n", encoding="utf8")
        for number in range(3):
            wire.newcomer("sap", f"Neubau {number} GmbH")
        before = wire.writes()
        told = refused(wire, "sync")
        assert "the first load would write more than 2 records" in told
        assert "plan --out plan.json" in told
        assert wire.writes() == before
        path = str(tmp_path / FILE)
        wire.ask("plan", "--out", path)
        assert wire.ask("apply", path, "--beyond-limits")["fates"] == {"applied": 3}
        assert "salesforce customer: the first load" in refused(wire, "sync")  # the numbers SAP gave go back
        wire.ask("plan", "--out", path)
        assert wire.ask("apply", path, "--beyond-limits")["fates"] == {"applied": 3}
        for place in range(3):
            wire.news_for("sap", place)
        wire.settle()  # three at once, and not the first ones
        assert wire.has_news("sap", 0, 1, 2)
