"""Every deployment of prefect.yaml, once, through a real server and a real worker, against simulated systems."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from connectors.sandbox import Sandbox
from flows.wiring import open_store
from fsm_core import settings
from tests.flows.unattended import PREFECT, ROOT, Unattended, unattended

DECLARED = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
ENTITIES = settings.HubSection().entities
FLOWS = {"flows.sync.sync_entity": "sync-entity", "flows.sync.sync_all": "sync-all"}


@pytest.fixture(scope="module")
def prefect(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unattended]:
    """The commands of docs/running-unattended.md."""
    with unattended(tmp_path_factory.mktemp("server"), sandbox.folder) as prefect:
        prefect.command(*PREFECT, "work-pool", "create", "--type", "process", "fsm-hub")
        prefect.command(*PREFECT, "--no-prompt", "deploy", "--all")
        prefect.command(sys.executable, "-m", "flows.limits", str(sandbox.folder / "hub.toml"))
        yield prefect


@pytest.fixture(scope="module")
def worker(prefect: Unattended) -> Iterator[Unattended]:
    """A worker, and no run but those a test asks for."""
    for declared in DECLARED:
        found = prefect.deployment(deployed(declared))
        for plan in found["schedules"]:
            path = f"/deployments/{found['id']}/schedules/{plan['id']}"
            prefect.client.patch(path, json={"active": False}).raise_for_status()
    with prefect.process("worker", *PREFECT, "worker", "start", "--pool", "fsm-hub"):
        yield prefect


def deployed(declared: dict[str, Any]) -> str:
    return f"{FLOWS[declared['entrypoint']]}/{declared['name']}"


def rounds(sandbox: Sandbox) -> int:
    """Rounds the hub has sealed."""
    store = open_store(settings.load(sandbox.folder / "hub.toml"))
    with store.reading() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM run WHERE ended_at IS NOT NULL").scalar_one()
    store.engine.dispose()
    return int(count)


def edit(sandbox: Sandbox, entity: str, place: int) -> Callable[[], bool]:
    """Somebody changes something of a flawless customer; answers whether the other system shows it."""
    account, partner = sandbox.company.clean[place]
    sandbox.clock.advance(60)
    word = f"new{place}@firm.example"
    if entity == "site":
        address = next(row for row in sandbox.sap.rows("A_BusinessPartnerAddress") if row["BusinessPartner"] == partner)
        changed = {"StreetName": word, "HouseNumber": ""}
        sandbox.sap.edit("A_BusinessPartnerAddress", f"{partner}/{address['AddressID']}", changed, "KURZ")
        return lambda: any(row["Street"] == word for row in sandbox.salesforce.rows("Address"))
    if entity == "contact":
        contact = sandbox.company.people.clean[account][0]
        phone = f"+49 30 2312500{place}"  # no key: at first contact another e-mail address would be another person
        sandbox.salesforce.edit("Contact", contact, {"Phone": phone}, "Petra Kurz")
        return lambda: any(row["PhoneNumber"] == phone for row in sandbox.sap.rows("A_BPContactToFuncAndDept"))
    sandbox.salesforce.edit("Account", account, {"FSM_Email__c": word}, "Petra Kurz")
    return lambda: any(row["EmailAddress"] == word for row in sandbox.sap.rows("A_AddressEmailAddress"))


def test_each_deployment_has_its_schedule_and_never_overlaps_itself(prefect: Unattended) -> None:
    for declared in DECLARED:
        found = prefect.deployment(deployed(declared))
        assert [plan["active"] for plan in found["schedules"]] == [True]
        assert found["global_concurrency_limit"]["limit"] == 1
        assert found["concurrency_options"]["collision_strategy"] == "CANCEL_NEW"


def test_each_schedule_puts_runs_on_the_calendar(prefect: Unattended) -> None:
    wanted = {prefect.deployment(deployed(declared))["id"] for declared in DECLARED}
    planned: set[str] = set()
    until = time.monotonic() + 20
    while planned < wanted and time.monotonic() < until:
        time.sleep(0.5)
        planned = {run["deployment_id"] for run in prefect.ask("/flow_runs/filter") if run["auto_scheduled"]}
    assert planned == wanted, (prefect.folder / "server.log").read_text()


@pytest.mark.timeout(600)  # a process per deployment
def test_each_deployment_carries_a_change_from_one_system_to_the_other(worker: Unattended, sandbox: Sandbox) -> None:
    done = 0
    for place, declared in enumerate(DECLARED):
        arrived = edit(sandbox, declared["parameters"].get("entity", "contact"), place)
        run = worker.run(deployed(declared))
        assert run["state"]["type"] == "COMPLETED", worker.log_of(run)
        done += 1 if "entity" in declared["parameters"] else len(ENTITIES)
        assert rounds(sandbox) == done
        assert arrived(), declared["name"]


def test_prefect_keeps_no_customers_data(worker: Unattended, sandbox: Sandbox) -> None:
    """Byte by byte: database, result storage and logs of the server and the worker."""
    wanted = {"land salesforce page 1", "write sap"}
    until = time.monotonic() + 20
    while not wanted <= {task["name"] for task in worker.ask("/task_runs/filter")} and time.monotonic() < until:
        time.sleep(0.5)
    kept = b"".join(file.read_bytes() for file in worker.folder.rglob("*") if file.is_file())
    assert b"land salesforce page 1" in kept
    assert b"write sap" in kept
    for person in sandbox.company.people.contacts:
        assert person["LastName"].encode() not in kept
    for account in sandbox.company.accounts:
        for value in (account["Name"], account["FSM_Email__c"], account["FSM_VAT_Id__c"]):
            assert not value or value.encode() not in kept
    assert b"@firm.example" not in kept
