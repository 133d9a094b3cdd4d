"""A plan that is applied while the scheduled round runs: two processes on one state, and nothing is written twice.

Not here: one process that is killed and started again (`test_plans`, `test_crashes`).
"""

from __future__ import annotations

import pytest

from flows.wiring import opened
from fsm_core.service import push as delivering
from fsm_core.service.sync import synchronise
from tests.scenarios.test_experts import KilledError
from tests.scenarios.wire import company

LEASE = 600
NAME = "Werft Neuhafen GmbH"


@pytest.fixture(params=["sqlite", "postgresql"])
def wire(request, tmp_path):
    """Everything linked, and a plan for SAP on file: two updates and one create."""
    url = request.getfixturevalue("postgres").schema() if request.param == "postgresql" else ""
    with company(tmp_path, settled=not url) as made:
        if url:
            text = made.config.read_text(encoding="utf8")
            made.config.write_text(text.replace("sqlite:///hub.db", url), encoding="utf8")
            made.settle()
        made.news_for("sap", 0)
        made.news_for("sap", 1)
        made.newcomer("sap", NAME)
        made.clock.advance(60)
        made.ask("plan", "--out", plan(made))
        yield made


def plan(wire) -> str:
    return str(wire.folder / "plan.json")


def another(wire):
    """The scheduled round, as another process with its own connection."""
    with opened(wire.config) as other, other.hub.running("sync"):
        return synchronise(other.hub, "customer")


def meanwhile(patching, step, act, *, after=False):
    """Something happens in another process just before (or after) this step of the delivery, once."""
    real, done = getattr(delivering, step), []

    def stepped(*given):
        first = not done
        done.append(step)
        if first and not after:
            act()
        found = real(*given)
        if first and after:
            act()
        return found

    patching.setattr(delivering, step, stepped)


def all_once(wire, before: int) -> None:
    """Three records were written in SAP, each once, and one state says so."""
    wire.clock.advance(LEASE)
    wire.ask("apply", plan(wire))
    assert wire.has_news("sap", 0, 1)
    assert wire.has("sap", NAME) == 1
    assert wire.erp.writes() == before + 3
    wire.settle()
    assert wire.ask("apply", plan(wire))["fates"] == {"done already": 3}
    assert wire.erp.writes() == before + 3
    assert wire.waiting() == {}


def test_an_application_that_was_killed_leaves_its_records_to_who_finds_out_what_became_of_them(wire, monkeypatch):
    before = wire.erp.writes()
    with monkeypatch.context() as killing:
        killing.setattr(delivering, "_settle", lambda *_args: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            wire.ask("apply", plan(wire))
    sent = wire.erp.writes()
    assert sent > before
    done = another(wire)  # at once: the lease of the dead process holds
    assert [one.creates + one.updates for one in done.pushed if one.system == "sap"] == [0] * len(
        [one for one in done.pushed if one.system == "sap"]
    )
    assert wire.erp.writes() == sent
    all_once(wire, before)


@pytest.mark.parametrize(
    ("step", "after"), [("_write_ahead", True), ("_settle", False)], ids=["before it is sent", "before it is settled"]
)
def test_what_one_process_has_in_hand_the_other_leaves_alone(wire, monkeypatch, step, after):
    before, seen = wire.erp.writes(), []
    with monkeypatch.context() as patching:
        meanwhile(patching, step, lambda: seen.append((another(wire), wire.erp.writes())), after=after)
        assert wire.ask("apply", plan(wire))["fates"] == {"applied": 3}
    ((other, count),) = seen
    assert other.absent == {}
    assert count == before + (3 if step == "_settle" else 0)
    all_once(wire, before)


def test_what_the_other_began_first_is_left_to_it(wire, monkeypatch):
    before, seen = wire.erp.writes(), []

    def killed() -> None:
        with monkeypatch.context() as killing:
            killing.setattr(delivering, "_settle", lambda *_args: (_ for _ in ()).throw(KilledError))
            with pytest.raises(KilledError):
                another(wire)
        seen.append(wire.erp.writes())

    with monkeypatch.context() as patching:
        meanwhile(patching, "_write_ahead", killed)
        done = wire.ask("apply", plan(wire), code=1)
    assert set(done["fates"]) == {"waiting"}
    assert seen == [wire.erp.writes()]
    all_once(wire, before)


def test_what_the_other_finished_first_is_not_written_again(wire, monkeypatch):
    before = wire.erp.writes()
    with monkeypatch.context() as patching:
        meanwhile(patching, "_write_ahead", lambda: another(wire))
        wire.ask("apply", plan(wire), code=1)
    all_once(wire, before)
