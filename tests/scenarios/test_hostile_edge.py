"""What the wire does to both systems alike: limits, outages, pages instead of answers, answers that never come.

Each scenario looks at the systems, at the state and at what a person is told. Not here: one vendor's own refusals.
"""

from __future__ import annotations

import time
from datetime import timedelta
from email.utils import format_datetime
from functools import partial

import pytest

from tests.scenarios.wire import DATA, HOUR, WRITES, company

SYSTEMS = ("salesforce", "sap")
OTHER = {"salesforce": "sap", "sap": "salesforce"}
PAGE = "<html><body>Service under maintenance</body></html>"
ELSEWHERE = (
    {"status": 200, "body": PAGE, "content_type": "text/html"},
    {"status": 302, "headers": {"Location": "https://login.example/saml"}, "content_type": "text/html"},
)
REASONS = ("not JSON", "log-in page", "log-on page", "not OData JSON")

pytestmark = pytest.mark.parametrize("system", SYSTEMS)


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def calm(wire, system, *places):
    """Everything arrived, nothing waits for anybody, and the next round writes nothing."""
    wire.settle()
    assert wire.has_news(system, *places)
    assert wire.waiting() == {}


# -- limits and outages --------------------------------------------------------------------------


def test_an_outage_of_hours_loses_nothing_and_the_other_system_goes_on(wire, system):
    wire.simulators[system].fail(status=503, times=None)
    wire.news_for(system, 0)
    wire.news_for(OTHER[system], 1)
    for _ in range(3):
        report = wire.sync(code=1, later=HOUR)
        assert system in report["failures"]
        assert "503" in report["failures"][system]
        assert OTHER[system] in report["read"]
    assert wire.problems() == []
    assert "503" in wire.findings(system)[0]
    wire.simulators[system].faults.clear()
    calm(wire, system, 0)
    assert wire.has_news(OTHER[system], 1)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_short_retry_after_is_waited_for_and_nobody_notices(wire, system, form):
    when = wire.clock.now() + timedelta(seconds=60 + 25)
    asked = "25" if form == "seconds" else format_datetime(when, usegmt=True)
    wire.news_for(system, 0)
    wire.simulators[system].fail(path=DATA[system], status=429, headers={"Retry-After": asked})
    report = wire.sync()
    assert report["absent"] == {}
    assert wire.slept
    assert 24 <= wire.slept[0] <= 26
    calm(wire, system, 0)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_retry_after_beyond_our_patience_ends_the_round_for_that_system_only(wire, system, form):
    when = wire.clock.now() + timedelta(seconds=60 + 1800)
    asked = "1800" if form == "seconds" else format_datetime(when, usegmt=True)
    wire.news_for(system, 0)
    wire.news_for(OTHER[system], 1)
    wire.simulators[system].fail(method=WRITES, path=DATA[system], status=429, headers={"Retry-After": asked})
    report = wire.sync(code=1)
    assert "429" in report["absent"][system]
    assert "in 30 minutes" in report["absent"][system]
    assert wire.slept == []
    assert wire.has_news(OTHER[system], 1)
    assert not wire.has_news(system, 0)
    assert wire.problems() == []
    calm(wire, system, 0)


def test_a_limit_between_two_pages_keeps_what_was_read_and_the_next_round_goes_on_there(tmp_path, system):
    with company(tmp_path, settled=False) as wire:
        second = {"salesforce": ("/query/0r8", 0), "sap": (r"A_BusinessPartner\?", 1)}[system]
        headers = {"Retry-After": "1800"}
        wire.simulators[system].fail(method="GET", path=second[0], skip=second[1], status=429, headers=headers)
        report = wire.sync(code=1)
        assert "in 30 minutes" in report["absent"][system]
        assert wire.ask("status")["links"][system]["customer"]["live"] == 2
        assert wire.writes() == 0
        assert "left alone until" in wire.sync(code=1)["absent"][system]
        wire.clock.advance(1800)
        again = wire.sync()
        assert again["read"][system]["new"] == 1
        assert (wire.writes(), wire.waiting()) == (0, {})
        assert wire.ask("status")["records"]["customer"] == {"active": 3}


def test_credentials_that_were_changed_there_leave_one_system_out_and_say_what_to_do(wire, system):
    user, password = wire.erp.user, wire.erp.door.users[wire.erp.user]
    secret = wire.crm.app.client_secret
    if system == "sap":
        wire.erp.door.users[user] = "changed"
    else:
        wire.crm.app.client_secret = "changed"
    wire.news_for(system, 0)
    report = wire.sync(code=1)
    assert "Correct the user, key or secret" in report["failures"][system]
    assert OTHER[system] in report["read"]
    assert "hub.toml" in wire.findings(system)[0]
    # by two commands: systems lock a user who fails to log on a few times
    assert len([path for path in wire.paths(system) if " 40" in path]) == 2
    assert wire.problems() == []
    wire.erp.door.users[user], wire.crm.app.client_secret = password, secret
    calm(wire, system, 0)


# -- answers that are none -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [*ELSEWHERE, {"truncate": 150}],
    ids=["page", "login", "cut"],
)
def test_a_read_that_is_answered_by_something_else_changes_nothing(wire, system, fault):
    wire.news_for(OTHER[system], 0)
    before = wire.ask("status")["records"]
    reads = {"salesforce": "LastModified", "sap": "A_BusinessPartner[?].*orderby"}[system]
    wire.simulators[system].fail(method="GET", path=reads, times=None, **fault)
    report = wire.sync(code=1)
    assert list(report["absent"]) == [system]
    assert any(reason in report["absent"][system] for reason in REASONS)
    assert OTHER[system] in report["read"]
    assert wire.ask("status")["records"] == before
    assert wire.problems() == []
    assert wire.ask("conflicts", "list") == []
    wire.simulators[system].faults.clear()
    calm(wire, OTHER[system], 0)


@pytest.mark.parametrize(
    "fault",
    [*ELSEWHERE, {"truncate": 20}],
    ids=["page", "login", "cut"],
)
@pytest.mark.parametrize("kind", ["update", "create"])
def test_a_write_that_is_answered_by_something_else_is_looked_up_first(wire, system, fault, kind):
    if kind == "update":
        wire.news_for(system, 0)
        wire.news_for(system, 1)
    else:
        wire.newcomer(system)
    wire.simulators[system].fail(method=WRITES, path=DATA[system], **fault)
    wire.sync()
    assert wire.problems() == []
    wire.settle()
    if kind == "create":
        assert wire.has(system) == 1
    calm(wire, system, *([0, 1] if kind == "update" else []))


def test_a_write_whose_read_back_fails_is_looked_up_and_not_repeated(wire, system):
    wire.news_for(system, 0)
    down = partial(wire.simulators[system].fail, method="GET", path=DATA[system], status=502, times=None)
    wire.at(system, DATA[system], down, method=WRITES)
    wire.clock.advance(60)
    assert "left out" in wire.run("sync", code=1)
    assert wire.has_news(system, 0)
    assert wire.problems() == []
    wire.simulators[system].faults.clear()
    wire.sync()
    assert "open_intents" not in wire.waiting()
    wire.sync(later=HOUR)
    calm(wire, system, 0)
    assert wire.writes() == 1


# -- answers that never come -----------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["update", "create"])
def test_a_dropped_connection_repeats_nothing_that_was_done(wire, system, kind, moment):
    if kind == "update":
        wire.news_for(system, 0)
    else:
        wire.newcomer(system)
    wire.simulators[system].fail(method=WRITES, path=DATA[system], drop=moment)
    wire.sync()
    assert wire.problems() == []
    wire.settle()
    if kind == "create":
        assert wire.has(system) == 1
    calm(wire, system, *([0] if kind == "update" else []))


@pytest.mark.parametrize("kind", ["update", "create"])
def test_a_server_that_commits_after_we_gave_up_is_believed_only_when_it_shows_it(tmp_path, system, kind):
    with company(tmp_path, read=0.25) as wire:
        if kind == "update":
            wire.news_for(system, 0)
        else:
            wire.newcomer(system)
        wire.simulators[system].fail(method=WRITES, path=DATA[system], delay=0.5)
        wire.sync()
        assert wire.problems() == []
        time.sleep(0.3)
        if kind == "create":
            assert wire.has(system) == 1
        wire.settle()
        calm(wire, system, *([0] if kind == "update" else []))
        assert wire.has(system) == (kind == "create")
