"""The kill switch over real HTTP: off means no call, and what was due meanwhile is done afterwards.

Not here: stops that the hub makes itself.
"""

from __future__ import annotations

import pytest

from flows.wiring import opened
from fsm_core.service import push as delivering
from fsm_core.service.stops import covering
from fsm_core.service.stops import stop as switch_off
from fsm_core.state_stops import Stop, Way
from tests.scenarios.wire import company


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def off(system: str = "", entity: str = "", way: Way = Way.BOTH) -> Stop:
    return Stop(system, entity, way, "ada", "2026-01-01T00:00:00.000000Z", "")


@pytest.mark.parametrize(
    ("stops", "ways", "covered"),
    [
        ([], [Way.IN], False),
        ([off()], [Way.IN, Way.OUT], True),
        ([off("sap")], [Way.OUT], True),
        ([off("salesforce")], [Way.OUT], False),
        ([off("sap", "contact")], [Way.OUT], False),
        ([off("sap", "customer", Way.IN)], [Way.OUT], False),
        ([off("sap", "customer", Way.IN), off("", "", Way.OUT)], [Way.IN, Way.OUT], True),
        ([off("sap", way=Way.IN)], [Way.IN, Way.OUT], False),
    ],
)
def test_what_a_stop_covers(stops, ways, covered):
    assert (covering(stops, "sap", "customer", ways) is not None) is covered


def test_a_system_that_is_off_is_not_called_and_caught_up_with_afterwards(wire):
    told = wire.run("stop", "sap", "--note", "year-end closing")
    assert "reading and writing everything in sap is off since" in told
    assert "year-end closing" in told
    wire.news_for("sap", 0)
    wire.news_for("salesforce", 1)
    calls = len(wire.erp.calls)
    done = wire.sync()
    assert (len(wire.erp.calls), done["absent"], wire.has_news("sap", 0)) == (calls, {}, False)
    assert "year-end closing" in done["off"]["sap"]
    assert [row["system"] for row in wire.ask("stops")] == ["sap"]
    assert wire.ask("status")["stops"][0]["by"] == "ada"
    wire.run("resume", "sap")
    wire.sync()
    assert (wire.has_news("sap", 0), wire.has_news("salesforce", 1)) == (True, True)
    assert wire.ask("stops") == []


def test_writing_off_reads_on_and_writes_nothing(wire):
    wire.run("stop", "sap", "--direction", "out")
    wire.news_for("sap", 0)
    wire.news_for("salesforce", 1)
    done = wire.sync()
    assert (wire.has_news("sap", 0), wire.has_news("salesforce", 1)) == (False, True)
    assert "writing everything in sap is off" in done["off"]["sap"]
    wire.run("resume", "sap", "--direction", "out")
    wire.sync()
    assert wire.has_news("sap", 0)


def test_reading_off_writes_on(wire):
    wire.run("stop", "salesforce", "--direction", "in", "--entity", "customer")
    wire.news_for("sap", 0)
    wire.news_for("salesforce", 1)
    wire.sync()
    assert (wire.has_news("sap", 0), wire.has_news("salesforce", 1)) == (False, True)
    wire.run("resume", "salesforce", "--direction", "in", "--entity", "customer")
    wire.sync()
    assert wire.has_news("sap", 0)


def test_everything_off_is_quiet(wire):
    wire.run("stop", "all")
    calls = [len(one.calls) for one in wire.simulators.values()]
    wire.news_for("sap", 0)
    done = wire.sync()
    assert ([len(one.calls) for one in wire.simulators.values()], sorted(done["off"])) == (calls, ["salesforce", "sap"])


def test_a_round_under_way_obeys_from_the_next_batch_on(wire, monkeypatch):
    for place in range(3):
        wire.news_for("sap", place)
    real, written = delivering.deliver, []

    def deliver(hub, binding, tasks, report):
        real(hub, binding, tasks, report)
        written.extend(tasks)
        with opened(wire.config, remote=False) as other:  # another process
            switch_off(other.hub, "sap", "", Way.OUT, "bob", "")

    monkeypatch.setattr(delivering, "deliver", deliver)
    monkeypatch.setattr(delivering, "_size", lambda _binding: 1)
    done = wire.sync()
    assert (len(written), done["written"]["sap"]) == (1, 1)
    assert "is off" in done["off"]["sap"]


def test_what_is_not_off_cannot_be_resumed(wire):
    wire.run("stop", "sap", "--direction", "out")
    with pytest.raises(AssertionError, match="writing everything in sap is off"):
        wire.run("resume", "sap")
