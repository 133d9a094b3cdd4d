"""A small company behind real HTTP: two live simulators, a real database, and the commands people type.

The clock is virtual for the systems and the hub alike; nobody sleeps: a wait moves the clock. What goes wrong is
switched on by each scenario. Not here: the scenarios (`test_hostile_*`).
"""

from __future__ import annotations

import atexit
import json
import re
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner
from werkzeug.wrappers import Request, Response

import mappings
from connectors import registry
from connectors.http import Patience
from connectors.sandbox.company import START
from connectors.sandbox.firm import Firm, firms
from connectors.sandbox.org import Org
from connectors.sandbox.rows import account, entered_account, entered_partner, partner
from connectors.sap.simulator import ROOT, SapSimulator
from connectors.simulation import Simulator, VirtualClock, serving
from flows import wiring
from flows.cli.app import app
from fsm_core import ownership
from fsm_core.service.hub import Hub

DATA = {"salesforce": "/services/data/", "sap": "/sap/opu/odata/"}
"""Paths of a system's data, without its log-in."""
WRITES = "POST|PATCH|DELETE"
HOUR = 3600.0

SETTINGS = """\
[hub]
database = "sqlite:///hub.db"
entities = ["customer"]

[systems.salesforce]
connector = "salesforce"
[systems.salesforce.settings]
login_url = "{salesforce}"
auth = "client_credentials"
client_id = "{client}"
client_secret = "file:secret"

[systems.sap]
connector = "sap"
[systems.sap.settings]
base_url = "{sap}"
{log_on}
logical_system = "S4HCLNT100"
sales_organization = "1010"
distribution_channel = "10"
division = "00"
page_size = 2
"""
BASIC = 'user = "{user}"\npassword = "file:password"'
OAUTH = """\
token_url = "{sap}/sap/bc/sec/oauth2/token"
client_id = "fsm-hub"
client_secret = "file:password"
technical_user = "{user}"
"""


@cache
def customers(amount: int) -> tuple[Firm, ...]:
    """Customers that both systems know, billed and without a second address."""
    made = firms(Random(11), 40, START)  # noqa: S311 - made-up customers
    usable = [firm for firm in made if firm.vat and firm.billed and not firm.shipping and firm.country.code == "DE"]
    return tuple(replace(firm, shipping=None) for firm in usable[:amount])


class Stage:
    """A server whose play changes with the scenario: starting and stopping one takes longer than a round."""

    def __init__(self) -> None:
        self._now: Simulator | None = None
        self.url = _open.enter_context(serving(self))  # type: ignore[arg-type]  # a WSGI application like any other

    def show(self, simulator: Simulator) -> str:
        """From now on this one answers; returns the address."""
        self._now = simulator
        return self.url

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        assert self._now is not None
        return self._now(environ, start_response)


_open = ExitStack()
atexit.register(_open.close)


@cache
def _stage(_system: str) -> Stage:
    return Stage()


class Wire:
    """Both systems, one hub, and a person at the keyboard. Accounts and partners are named by their place."""

    def __init__(
        self, folder: Path, patching: pytest.MonkeyPatch, *, linked: int = 3, read: float = 5.0, log_on: str = BASIC
    ) -> None:
        self.folder = folder
        self.clock = VirtualClock(START)
        self.slept: list[float] = []
        self.crm = Org(clock=self.clock, client_secret="opens-only-this")
        self.erp = SapSimulator(self.clock)
        self.crm.queries.page_limit = 2
        self.erp.partners.own_customer_numbers = False
        self.patience = Patience(read=read, attempts=3, longest_wait=60.0, sleep=self._sleep)
        self.firms = customers(linked)
        self.partners = [self.partner(**entered_partner(partner(firm))) for firm in self.firms]
        rows = [account(replace(firm, number=n)) for firm, n in zip(self.firms, self.partners, strict=True)]
        self.accounts = [self.account(**entered_account(row)) for row in rows]
        self._configure({name: _stage(name).show(one) for name, one in self.simulators.items()}, log_on)
        self._inject(patching)

    def _configure(self, urls: dict[str, str], log_on: str) -> None:
        self.config = self.folder / "hub.toml"
        log_on = log_on.format(**urls, user=self.erp.user)
        told = SETTINGS.format(**urls, client=self.crm.app.client_id, log_on=log_on)
        self.config.write_text(told, encoding="utf8")
        (self.folder / "secret").write_text(self.crm.app.client_secret, encoding="utf8")
        (self.folder / "password").write_text("simulated", encoding="utf8")

    def _inject(self, patching: pytest.MonkeyPatch) -> None:
        """What a person cannot set and a test must: the clock, and how long one call may wait."""
        real = registry.connect

        def connect(name: str, settings: dict[str, Any]) -> Any:
            clock = {"clock": self.clock.now} if name == "salesforce" else {}
            return real(name, settings, patience=self.patience, **clock)

        patching.setattr(wiring.registry, "connect", connect)
        patching.setattr(wiring, "Hub", partial(Hub, now=self.clock.now))
        # What every command reads anew and no scenario changes: two thirds of a round here.
        patching.setattr(wiring.mappings, "load", _load)
        patching.setattr(wiring.ownership, "load", _load_rules)
        patching.setattr(httpx._transports.default, "create_ssl_context", _trust)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)

    @property
    def simulators(self) -> dict[str, Simulator]:
        return {"salesforce": self.crm, "sap": self.erp}

    # -- what people do in the systems -------------------------------------------------------------

    def account(self, number: str = "", /, **fields: Any) -> str:
        """A person saves an account; without an id a new one."""
        return str(self.crm.edit("Account", number, fields)["Id"])

    def partner(self, number: str = "", /, **fields: Any) -> str:
        """A person saves a partner; without an id a new one."""
        return str(self.erp.edit(ROOT, number, fields)["BusinessPartner"])

    def news_for(self, system: str, place: int, text: str = "Neu") -> None:
        """A person changes what its owner has to tell `system`: the language there, the name here."""
        if system == "sap":
            self.account(self.accounts[place], FSM_Language__c="en")
        else:
            self.partner(self.partners[place], OrganizationBPName1=f"{text} {place} GmbH")

    def has_news(self, system: str, *places: int, text: str = "Neu") -> bool:
        """Whether all of these arrived."""
        if system == "sap":
            return all(self.bp(place)["CorrespondenceLanguage"] == "EN" for place in places)
        return all(self.row(place)["Name"] == f"{text} {place} GmbH" for place in places)

    def newcomer(self, system: str, name: str = "Werft Neuhafen GmbH", **fields: Any) -> None:
        """A person enters a customer elsewhere that `system` must get."""
        if system == "sap":
            self.account(Name=name, FSM_Status__c="Active", BillingCity="Kiel", BillingCountry="Germany", **fields)
        else:
            self.partner(OrganizationBPName1=name, to_BusinessPartnerRole=[{"BusinessPartnerRole": "FLCU01"}], **fields)

    def has(self, system: str, name: str = "Werft Neuhafen GmbH") -> int:
        """How many living records of that name a system holds."""
        if system == "sap":
            return len(self.named(name))
        return sum(row["Name"] == name and not row["IsDeleted"] for row in self.crm.rows("Account"))

    # -- what goes wrong ---------------------------------------------------------------------------

    def at(self, system: str, path: str, act: Callable[[], object], *, method: str = ".*", skip: int = 0) -> None:
        """Something happens there just before this call is answered, once."""
        simulator, seen = self.simulators[system], [0]
        real = simulator.answer

        def answer(request: Request) -> Response:
            if re.fullmatch(method, request.method) and re.search(path, request.full_path):
                seen[0] += 1
                if seen[0] == skip + 1:
                    act()
            return real(request)

        simulator.answer = answer  # type: ignore[method-assign]

    # -- what the systems hold -----------------------------------------------------------------------

    def row(self, place: int | str) -> dict[str, Any]:
        """An account as it is stored, by place or name."""
        rows = {row["Id"]: row for row in self.crm.rows("Account")}
        if isinstance(place, int):
            return rows[self.accounts[place]]
        (found,) = [row for row in rows.values() if row["Name"] == place and not row["IsDeleted"]]
        return found

    def named(self, name: str) -> list[str]:
        """The partners of that name."""
        return [str(row["BusinessPartner"]) for row in self.erp.rows(ROOT) if row["OrganizationBPName1"] == name]

    def bp(self, place: int) -> dict[str, Any]:
        """A partner's root as it is stored."""
        return dict(self.erp.store.tables[ROOT][self.partners[place],])

    def address(self, place: int) -> dict[str, Any]:
        """A partner's only address."""
        (found,) = self.erp.store.by("A_BusinessPartnerAddress", "BusinessPartner", self.partners[place])
        return dict(found)

    def writes(self) -> int:
        """Record writes that arrived, as the systems count them."""
        return sum(simulator.writes() for simulator in self.simulators.values())

    def paths(self, system: str, part: str = "") -> list[str]:
        """Calls that reached a system, method and status first."""
        calls = self.simulators[system].calls
        return [f"{call.method} {call.status} {call.path}" for call in calls if part in call.path]

    # -- what a person sees --------------------------------------------------------------------------

    def ask(self, *words: str, code: int = 0) -> Any:
        """A command's JSON answer."""
        return json.loads(self.run("--json", *words, code=code))

    def run(self, *words: str, code: int = 0) -> str:
        """A command's text, as a terminal shows it; an error of the hub is its sentence."""
        result = CliRunner().invoke(app, ["--config", str(self.config), "--as", "ada", *words])
        assert result.exit_code == code, result.output + repr(result.exception)
        assert isinstance(result.exception, SystemExit | None), repr(result.exception)
        return result.stdout

    def sync(self, *options: str, code: int = 0, later: float = 60.0) -> dict[str, Any]:
        """One round by the command, a while later: what it reports of the customers."""
        self.clock.advance(later)
        answer = self.ask("sync", *options, code=code)
        return {**answer["rounds"][0], "failures": answer["failures"]}

    def settle(self, rounds: int = 4) -> None:
        """Rounds until one writes nothing, a round more than half an hour after the other."""
        for _ in range(rounds):
            before = self.writes()
            report = self.sync(later=HOUR)
            if self.writes() == before and not report["absent"]:
                return
        raise AssertionError(f"still writing after {rounds} rounds")

    def problems(self) -> list[dict[str, Any]]:
        """What waits for repair."""
        return list(self.ask("problems", "list"))

    def waiting(self) -> dict[str, Any]:
        """What `status` says is open, for people or for the hub."""
        status = self.ask("status")
        names = ("conflicts", "proposals", "problems", "due", "open_intents")
        return {name: status[name] for name in names if status[name]}

    def told(self, system: str) -> list[dict[str, Any]]:
        """What waits for repair in one system."""
        return [one for one in self.problems() if one["system"] == system]

    def record(self, wanted: str) -> dict[str, Any]:
        """The agreed values of a record."""
        return dict(self.ask("record", "show", "customer", wanted)["document"])

    def findings(self, system: str, *, ok: bool = False) -> list[str]:
        """What the doctor says of one system; `ok` when all of it can be used nevertheless."""
        told = self.ask("doctor", code=0 if ok else 1)["systems"][system]["findings"]
        return [f"{one['severity']} {one['object']}: {one['message']} {one['remedy']}" for one in told]


_load = cache(mappings.load)
_load_rules = cache(ownership.load)


@cache
def _trust(*_args: Any, **_options: Any) -> ssl.SSLContext:
    return ssl.create_default_context()


_settled: dict[int, tuple[bytes, datetime]] = {}
"""The state after everything is linked, and when: the same for every scenario, as all ids are counted."""


@contextmanager
def company(folder: Path, *, linked: int = 3, settled: bool = True, **options: Any) -> Iterator[Wire]:
    """The systems served; with `settled`, everything is linked and the last round wrote nothing."""
    with pytest.MonkeyPatch.context() as patching:
        wire = Wire(folder, patching, linked=linked, **options)
        if settled and linked in _settled:
            state, when = _settled[linked]
            (folder / "hub.db").write_bytes(state)
            wire.clock.set(when)
        elif settled:
            wire.settle()
            _settled[linked] = (folder / "hub.db").read_bytes(), wire.clock.now()
            assert not (folder / "hub.db-wal").exists()
        yield wire
