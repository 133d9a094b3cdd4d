"""Guards and plans over real HTTP: a mass blanking, a copy of the sandbox, and deletions that a plan counts.

Not here: lost rights and single deletions (`test_deletions_wire`), environments (`test_environments`), a plan's own
promises (`test_plans`), the guard against quarrels (`test_insistence`).
"""

from __future__ import annotations

import pytest

from fsm_core.service import push as delivering
from tests.scenarios.test_deletions_wire import CONTACTS, SHIPPED, rule
from tests.scenarios.test_environments import moved
from tests.scenarios.test_experts import KilledError
from tests.scenarios.test_plans import planned, refused
from tests.scenarios.test_reverts import last_run
from tests.scenarios.wire import company

FILE = "plan.json"
GONE = "it was gone in {}, and this run decided on that; a revert creates nothing again"
HALTED = "6 of 10 records lost a value at once (guard 2%)"


@pytest.fixture
def wire(tmp_path):
    with company(tmp_path) as made:
        yield made


def rules(wire, text: str, entities: str = '["customer"]') -> None:
    """From now on these rules are in force, for these entities."""
    (wire.folder / "own.yaml").write_text(text, encoding="utf8")
    settings = wire.config.read_text(encoding="utf8")
    wire.config.write_text(settings.replace('["customer"]', f'{entities}\nownership = "own.yaml"'), encoding="utf8")


def plan(wire) -> str:
    return str(wire.folder / FILE)


def test_a_blanking_of_sixty_percent_is_halted_before_the_first_write_however_it_is_started(tmp_path):
    with company(tmp_path, linked=10) as wire:
        rules(
            wire,
            SHIPPED.replace("max_change_ratio: 0.25", "max_change_ratio: 1.0").replace(
                "min_rows: 50}", "min_rows: 10}"
            ),
        )
        wire.settle()
        for place in range(6):
            wire.account(wire.accounts[place], Website="", FSM_Language__c="")
        wire.news_for("sap", 8)
        before = wire.writes()
        wire.clock.advance(60)
        assert HALTED in refused(wire, "sync")
        told = wire.ask("plan", "--out", plan(wire))["totals"]
        assert HALTED in told["halted"]["customer"]
        assert "above the limits" in refused(wire, "apply", plan(wire))
        assert HALTED in refused(wire, "apply", plan(wire), "--beyond-limits")
        assert (wire.writes(), wire.has_news("sap", 8), wire.ask("conflicts", "list")) == (before, False, [])
        for place in range(6):  # undone by who did it
            wire.account(wire.accounts[place], Website=f"https://{place}.example", FSM_Language__c="de")
        wire.ask("sync", "--confirm-mass-change")
        wire.settle()
        assert wire.has_news("sap", 8)


def test_a_plan_is_not_applied_to_another_environment(wire):
    path = planned(wire, 0)
    moved(wire)
    before = wire.writes()
    assert "the plan was made for another environment" in refused(wire, "apply", path)
    assert (wire.writes(), wire.has_news("sap", 0)) == (before, False)


@pytest.fixture
def gone(tmp_path):
    """Three of four contacts that SAP shows no more, a rule that deletes them in Salesforce, and a plan of it."""
    with company(tmp_path) as wire:
        rules(wire, SHIPPED.replace(CONTACTS, "by: [erp], on_owner_delete: delete"), '["customer", "contact"]')
        for n in range(4):
            fields = {"LastName": f"Huber {n}", "Email": f"h{n}@x.example", "AccountId": wire.accounts[n % 3]}
            wire.crm.edit("Contact", "", fields)
        for _ in range(3):
            wire.sync()
        relations = wire.erp.store.tables["A_BusinessPartnerContact"]
        assert len(relations) == 4
        for key in list(relations)[:3]:
            del relations[key]
        wire.run("stop", "salesforce", "--direction", "out")
        wire.sync("--full", "--confirm-mass-change")
        wire.run("resume", "salesforce", "--direction", "out")
        yield wire


def living(wire) -> int:
    return len([row for row in wire.crm.rows("Contact") if not row["IsDeleted"]])


def test_deletions_are_counted_by_a_plan_and_above_the_limit_take_a_word_more(gone):
    gone.config.write_text(gone.config.read_text(encoding="utf8") + "\n[limits]\ndeletes = 2\n", encoding="utf8")
    gone.clock.advance(60)
    told = gone.ask("plan", "--out", plan(gone), "--no-read")
    assert told["totals"]["writes"] == {"salesforce": {"delete": 3}}
    assert "3 deletes, one person may 2" in refused(gone, "apply", plan(gone))
    assert living(gone) == 4
    assert gone.ask("apply", plan(gone), "--beyond-limits", "--confirm-mass-change")["fates"] == {"applied": 3}
    before = gone.writes()
    assert gone.ask("apply", plan(gone), "--beyond-limits")["fates"] == {"done already": 3}
    assert (living(gone), gone.writes()) == (1, before)
    back = gone.ask("revert", last_run(gone, entity="contact"))["plan"]
    assert (back["takes"], {one["why"] for one in back["kept"]}) == ([], {GONE.format("sap")})


def test_an_application_that_is_killed_while_it_deletes_deletes_nothing_twice(gone, monkeypatch):
    gone.clock.advance(60)
    gone.ask("plan", "--out", plan(gone), "--no-read")
    with monkeypatch.context() as killing:
        killing.setattr(delivering, "_settle", lambda *_args: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            gone.ask("apply", plan(gone))
    assert living(gone) == 1
    before = gone.writes()
    gone.clock.advance(600)
    assert gone.ask("apply", plan(gone))["fates"] == {"done already": 3}
    assert gone.writes() == before


def test_what_became_of_a_deletion_is_told_by_a_revert_and_nothing_is_created_again(wire):
    rule(wire, "by: [crm], on_owner_delete: deactivate")
    wire.crm.remove("Account", wire.accounts[0])
    wire.sync()
    assert wire.record(wire.accounts[0])["status"] == "inactive"
    run = last_run(wire)
    wire.settle()
    path = str(wire.folder / "back.json")
    wire.clock.advance(60)
    back = wire.ask("revert", run, "--out", path)["plan"]
    assert GONE.format("salesforce") in [one["why"] for one in back["kept"]]
    wire.ask("apply", path)
    assert wire.record(wire.accounts[0])["status"] == "active"
    assert wire.bp(0)["IsMarkedForArchiving"] is False
    wire.settle()
    assert len([row for row in wire.crm.rows("Account") if not row["IsDeleted"]]) == 2
