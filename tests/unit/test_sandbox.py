"""Both simulators take the company in, serve it with fresh credentials, and stop cleanly."""

import os
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from connectors.salesforce import connect as connect_salesforce
from connectors.sandbox import Company, Sandbox, build
from connectors.sandbox.company import START
from connectors.sandbox.org import Org
from connectors.sandbox.rows import entered_account, entered_partner
from connectors.sap.simulator import SapSimulator
from fsm_core.errors import Unauthorised

SAP_SERVICE = "/sap/opu/odata/sap/API_BUSINESS_PARTNER/A_BusinessPartner"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        yield sandbox


def resolved(sandbox: Sandbox, system: str) -> dict[str, str]:
    settings = tomllib.loads(sandbox.hub_toml())["systems"][system]["settings"]
    return {name: secret(sandbox.folder, value) for name, value in settings.items()}


def secret(folder: Path, value: str) -> str:
    return (folder / value.removeprefix("file:")).read_text() if value.startswith("file:") else value


def test_both_systems_hold_as_many_rows_as_the_company(sandbox: Sandbox) -> None:
    counts = {name: httpx.get(f"{url}/_sim/counts").json() for name, url in sandbox.urls.items()}
    for name, held in sandbox.company.salesforce().items():
        assert counts["salesforce"][name] == {"live": len(held), "deleted": 0, "duplicates": []}
    rows = counts["sap"]["rows"]
    customers = [row for row in sandbox.company.partners if row["to_Customer"]]
    people = sandbox.company.people
    assert rows["A_BusinessPartner"] == len(sandbox.company.partners) + len(people.partners)
    assert rows["A_BusinessPartnerContact"] == rows["A_BPContactToFuncAndDept"] == len(people.relations)
    assert rows["A_Customer"] == rows["A_CustomerSalesArea"] == len(customers)


def test_rows_are_held_as_seeded_stamps_included(sandbox: Sandbox) -> None:
    for name, seeded in sandbox.company.salesforce().items():
        held = {row["Id"]: row for row in httpx.get(f"{sandbox.urls['salesforce']}/_sim/rows/{name}").json()}
        for row in seeded:
            assert {field: held[row["Id"]][field] for field in row} == row
    partners = {
        row["BusinessPartner"]: row for row in httpx.get(f"{sandbox.urls['sap']}/_sim/rows/A_BusinessPartner").json()
    }
    for row in (*sandbox.company.partners, *sandbox.company.people.partners):
        plain = {name: value for name, value in row.items() if not name.startswith("to_")}
        assert {name: partners[row["BusinessPartner"]][name] for name in plain} == plain


def test_both_systems_share_one_running_clock(sandbox: Sandbox) -> None:
    assert sandbox.salesforce.clock is sandbox.sap.clock
    assert sandbox.clock.now() > START


def test_the_settings_open_both_doors(sandbox: Sandbox) -> None:
    connector = connect_salesforce(resolved(sandbox, "salesforce"))
    try:
        assert connector.check().ok
    finally:
        connector.close()
    settings = resolved(sandbox, "sap")
    answer = httpx.get(f"{settings['base_url']}{SAP_SERVICE}/$count", auth=(settings["user"], settings["password"]))
    assert answer.text == str(len(sandbox.company.partners) + len(sandbox.company.people.partners))


def test_nobody_else_comes_in(sandbox: Sandbox, tmp_path: Path) -> None:
    stranger = Sandbox(tmp_path)
    key = secret(tmp_path, stranger.credentials["salesforce"]["private_key"])
    connector = connect_salesforce(resolved(sandbox, "salesforce") | {"private_key": key})
    with pytest.raises(Unauthorised):
        connector.check()
    connector.close()
    settings = resolved(sandbox, "sap")
    url = f"{settings['base_url']}{SAP_SERVICE}/$count"
    assert httpx.get(url, auth=(settings["user"], "wrong")).status_code == httpx.codes.UNAUTHORIZED


def test_secrets_are_files_for_their_owner_only(sandbox: Sandbox) -> None:
    text = (sandbox.folder / "systems.toml").read_text()
    assert text == sandbox.hub_toml()
    assert "PRIVATE KEY" not in text
    for name in ("systems.toml", "secrets/salesforce.pem", "secrets/sap.password"):
        assert stat.S_IMODE((sandbox.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((sandbox.folder / "secrets").stat().st_mode) == 0o700


def test_the_fragment_names_connectors_and_file_secrets(sandbox: Sandbox) -> None:
    systems = tomllib.loads(sandbox.hub_toml())["systems"]
    assert {name: system["connector"] for name, system in systems.items()} == {"salesforce": "salesforce", "sap": "sap"}
    assert systems["salesforce"]["settings"]["private_key"] == "file:secrets/salesforce.pem"
    assert systems["sap"]["settings"]["password"] == "file:secrets/sap.password"


@pytest.fixture(scope="module")
def company() -> Company:
    return build()


def test_every_account_keeps_the_rules_of_the_org(company: Company) -> None:
    org = Org()
    for row in company.accounts:
        entered = entered_account(row)
        saved = org.edit("Account", "", entered, "Lena")
        assert {name: saved[name] for name in entered} == entered


def test_every_partner_keeps_the_rules_of_the_system(company: Company) -> None:
    sap = SapSimulator()
    for document in company.partners:
        entered = entered_partner(document)
        saved = sap.edit("A_BusinessPartner", "", entered, "TOMAS")
        plain = {name: value for name, value in entered.items() if not name.startswith("to_")}
        assert {name: saved[name] for name in plain} == plain
    assert len(sap.rows("A_BusinessPartner")) == len(company.partners)


def test_every_contact_and_place_keeps_the_rules_of_the_org(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path)
    for name, seeded in sandbox.company.salesforce().items():
        fields = sandbox.salesforce.store.objects[name].fields
        for row in seeded:
            entered = {field: value for field, value in entered_account(row).items() if fields[field].updateable}
            saved = sandbox.salesforce.edit(name, row["Id"], entered, "Lena")
            assert {field: saved[field] for field in entered} == entered


def test_every_person_keeps_the_rules_of_the_system(company: Company) -> None:
    sap = SapSimulator()
    partner = sap.edit("A_BusinessPartner", "", entered_partner(company.partners[0]), "TOMAS")["BusinessPartner"]
    for person, relation in zip(company.people.partners, company.people.relations, strict=True):
        saved = sap.edit("A_BusinessPartner", "", entered_partner(person), "TOMAS")
        assert (saved["FirstName"], saved["LastName"]) == (person["FirstName"], person["LastName"])
        met = {"BusinessPartnerCompany": partner, "BusinessPartnerPerson": saved["BusinessPartner"]}
        sap.edit("A_BusinessPartnerContact", "", relation | met, "TOMAS")
    wanted = [row["to_ContactRelationship"][0] for row in company.people.relations]
    assert [{name: row[name] for name in wanted[0]} for row in sap.rows("A_BPContactToFuncAndDept")] == wanted


def test_new_partners_get_numbers_nobody_has(tmp_path: Path, company: Company) -> None:
    sandbox = Sandbox(tmp_path)
    taken = {row["BusinessPartner"] for row in (*company.partners, *company.people.partners)}
    made = {
        sandbox.sap.edit("A_BusinessPartner", "", {"OrganizationBPName1": f"Neu {n}"})["BusinessPartner"]
        for n in range(50)
    }
    assert len(made) == 50
    assert not made & taken


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_stops_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    code = "import sys; from pathlib import Path; from connectors.sandbox import serve; serve(Path(sys.argv[1]))"
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    with process:
        assert process.stdout is not None
        told = [process.stdout.readline().split() for _ in range(3)]
        assert [name for name, _ in told] == ["salesforce", "sap", "settings"]
        assert httpx.get(f"{told[0][1]}/_sim/counts").json()["Account"]["live"] > 300
        process.send_signal(number)
        said, stopped = process.stdout.read().splitlines()
        assert said == f"in another terminal: fsm-hub --config {told[2][1]} plan"
        assert stopped == "stopped"
        assert process.wait(timeout=10) == 0
