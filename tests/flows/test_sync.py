"""The flows in this process: what they do to the hub, when they try again, when they fail and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from prefect import State, flow
from prefect.client.orchestration import SyncPrefectClient, get_client

from connectors.sandbox import Sandbox
from flows.limits import COMMAND, ensure_limits, held, main
from flows.sync import as_tasks, sync_all, sync_entity
from flows.wiring import open_store, opened
from fsm_core import settings
from fsm_core.errors import HubError, Locked, Misconfigured, Unauthorised, Unreachable
from fsm_core.service.stops import resume, stop
from fsm_core.service.sync import Round, synchronise
from fsm_core.state_stops import Way
from tests.world import World

pytestmark = [pytest.mark.usefixtures("harness"), pytest.mark.timeout(180)]
AT_ONCE = [0.0, 0.0]


@pytest.fixture
def prefect() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


def asked(prefect: SyncPrefectClient, path: str) -> str:
    return prefect.request("POST", path, json={}).raise_for_status().text


def run(sandbox: Sandbox, *, confirmed: bool = False) -> State[None]:
    config = str(sandbox.folder / "hub.toml")
    return sync_entity("customer", config, retry_minutes=AT_ONCE, return_state=True, confirmed=confirmed)


def summaries(sandbox: Sandbox) -> list[str]:
    """What each run of the hub did, oldest first."""
    store = open_store(settings.load(sandbox.folder / "hub.toml"))
    with store.reading() as connection:
        found = connection.exec_driver_sql("SELECT summary FROM run ORDER BY id").scalars().all()
    store.engine.dispose()
    return [str(summary) for summary in found]


# -- whole runs, in the order of a hub's first day ------------------------------------------------


def test_without_limits_a_run_fails_and_names_the_command(sandbox: Sandbox) -> None:
    state = run(sandbox)
    assert state.is_failed()
    assert COMMAND in state.message
    assert sandbox.sap.writes() == sandbox.salesforce.writes() == 0


def test_a_run_carries_both_systems_into_step(sandbox: Sandbox, prefect: SyncPrefectClient) -> None:
    main([str(sandbox.folder / "hub.toml")])
    state = sync_all(str(sandbox.folder / "hub.toml"), return_state=True)
    assert state.is_completed(), state
    assert sandbox.sap.writes() > 0
    told = asked(prefect, "/artifacts/filter")
    seen_in_sap = {"customer": 363, "contact": 202, "site": 381}
    for summary, (entity, seen) in zip(summaries(sandbox)[-3:], seen_in_sap.items(), strict=True):
        assert f'"entity":"{entity}"' in summary
        assert f'"seen":{seen}' in summary
        assert f"| sap | {seen} |" in told


def test_a_system_that_a_person_stopped_is_no_failure(sandbox: Sandbox, prefect: SyncPrefectClient) -> None:
    with opened(sandbox.folder / "hub.toml", remote=False) as found:
        stop(found.hub, "sap", "", Way.BOTH, "ada", "year-end closing")
    calls = len(sandbox.sap.calls)
    state = run(sandbox)
    assert state.is_completed(), state
    assert len(sandbox.sap.calls) == calls
    assert "year-end closing" in summaries(sandbox)[-1]
    told = asked(prefect, "/artifacts/filter")
    assert "| sap | 0 | 0 | 0 | 0 | 0 | off |" in told
    assert "year-end closing" not in told
    with opened(sandbox.folder / "hub.toml", remote=False) as found:
        resume(found.hub, "sap", "", Way.BOTH, "ada")


def test_a_mass_change_fails_the_run_with_the_guards_words(sandbox: Sandbox) -> None:
    sandbox.clock.advance(60)
    for partner in sandbox.company.partners[:150]:
        sandbox.sap.edit("A_BusinessPartner", partner["BusinessPartner"], {"OrganizationBPName1": "Gone GmbH"})
    sandbox.salesforce.reset_calls()
    state = run(sandbox)
    assert state.is_failed()
    assert "records changed at once" in state.message
    assert sandbox.salesforce.writes() == 0


def test_a_misconfigured_system_fails_the_run_after_the_others_were_served(sandbox: Sandbox) -> None:
    (sandbox.folder / "secrets" / "sap.password").write_text("forgotten")
    state = run(sandbox, confirmed=True)
    assert state.is_failed()
    assert "LeftOut: sap" in state.message
    assert sandbox.salesforce.writes() > 0


def test_prefect_learnt_nobodys_name_from_any_of_these_runs(sandbox: Sandbox, prefect: SyncPrefectClient) -> None:
    tables = ("flow_runs", "task_runs", "logs", "artifacts", "events")
    kept = "".join(asked(prefect, f"/{table}/filter") for table in tables)
    assert "land sap page 1" in kept
    assert "Gone GmbH" not in kept
    assert not [account["Name"] for account in sandbox.company.accounts if account["Name"] in kept]


# -- single steps, on two systems in memory -------------------------------------------------------


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("flows.sync.held", lambda _system: nullcontext())
    world = World()
    world.create("crm")
    return world


def round_of(world: World) -> Round:
    @flow
    def one() -> Round:
        with world.hub.running("test"):
            return synchronise(world.hub, "customer", steps=as_tasks(AT_ONCE))

    return one()


@pytest.fixture
def tries(world: World, monkeypatch: pytest.MonkeyPatch) -> list[HubError]:
    """What the CRM answers to the next reads; answered ones are taken off."""
    connector = world.hub.binding("crm", "customer").connector
    real, errors = connector.changes, []

    def changes(*arguments):
        if errors:
            raise errors.pop()
        return real(*arguments)

    monkeypatch.setattr(connector, "changes", changes)
    return errors


def test_a_system_that_is_down_is_read_again(world: World, tries: list[HubError]) -> None:
    tries += [Unreachable("no answer"), Locked("in use")]
    done = round_of(world)
    assert done.absent == {}
    assert done.writes == 1


def test_after_the_last_try_the_system_is_left_out(world: World, tries: list[HubError]) -> None:
    tries += [Unreachable("no answer")] * 4
    done = round_of(world)
    assert list(done.absent) == ["crm"]
    assert [pulled.system for pulled in done.pulled] == ["erp"]
    assert len(tries) == 1


def test_what_does_not_pass_by_itself_is_not_tried_again(world: World, tries: list[HubError]) -> None:
    tries += [Unauthorised("wrong password")] * 4
    assert list(round_of(world).absent) == ["crm"]
    assert len(tries) == 3


# -- limits ---------------------------------------------------------------------------------------


def test_limits_are_made_once(prefect: SyncPrefectClient) -> None:
    for _ in range(2):
        assert ensure_limits(["abacus"]) == ["fsm-hub-abacus"]
    assert prefect.read_global_concurrency_limit_by_name("fsm-hub-abacus").limit == 1


def test_a_missing_limit_is_an_error() -> None:
    with pytest.raises(Misconfigured, match=COMMAND), held("nobody"):
        raise AssertionError


def test_a_system_is_used_by_one_run_at_a_time() -> None:
    ensure_limits(["abacus"])
    with held("abacus"), pytest.raises(Locked, match="another run"), held("abacus", patience=1):
        raise AssertionError


def test_an_error_of_the_step_stays_what_it_is() -> None:
    ensure_limits(["abacus"])
    with pytest.raises(Unreachable), held("abacus"):
        raise Unreachable("no answer")
