"""SAP S/4HANA for the contract suite: the connector against its simulator over real HTTP.

Not here: the suite itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

from connectors.http import Patience
from connectors.sap import Sap, SapSettings
from connectors.sap.settings import ADDRESS, CONTACT
from connectors.sap.simulator import ROOT, SapSimulator
from connectors.sap.simulator_schema import schema
from connectors.simulation import serving
from fsm_core.ports import Document, Json, Object
from tests.contract.harness import Harness

SERVICE_PATHS = r"/sap/opu/odata/"


class SapHarness(Harness):
    """One simulator per harness; `simulator` is open for more switches."""

    name = "sap"
    text = "OrganizationBPName1"
    other = "OrganizationBPName2"
    obj = Object(ROOT, (text, other, "IsMarkedForArchiving"), key="FSMHUB")

    def __init__(self, **switches: Any) -> None:
        self.simulator = SapSimulator(**switches)
        self.clock = self.simulator.clock
        self._stack = ExitStack()
        self.url = self._stack.enter_context(serving(self.simulator))
        self._connectors: list[Sap] = []

    def close(self) -> None:
        """Stop the server and give connections back."""
        for connector in self._connectors:
            connector.close()
        self._stack.close()

    def connector(self, *, page_size: int = 2000, **settings: Any) -> Sap:
        """Waits are not slept but added to the simulator's clock."""
        known: dict[str, Any] = {
            "base_url": self.url,
            "user": self.simulator.user,
            "password": "simulated",
            "sap_client": "100",
            "logical_system": "S4HCLNT100",
            "page_size": page_size,
        }
        patience = Patience(sleep=lambda seconds: void(self.clock.advance(seconds)))
        made = Sap(SapSettings(**(known | settings)), patience=patience)
        self._connectors.append(made)
        return made

    def create(self, text: str) -> str:
        """As a person on the screen, without the hub's identification."""
        return str(self.simulator.edit(ROOT, "", {self.text: text})["BusinessPartner"])

    def edit(self, id: str, fields: dict[str, Json]) -> None:  # noqa: A002 - as in the ports
        """As a person on the screen."""
        self.simulator.edit(ROOT, id, dict(fields))

    def remove(self, id: str) -> None:  # noqa: A002 - as in the ports
        """Partners are never deleted, only marked for archiving."""
        self.edit(id, {"IsMarkedForArchiving": True})

    def create_late(self, text: str, seconds: float) -> str:
        """An update task that commits late."""
        row = self.simulator.later(seconds, ROOT, "", {self.text: text})
        return str(row["BusinessPartner"])

    def stored(self, id: str) -> Document:  # noqa: A002 - as in the ports
        """The row of the root."""
        return self.simulator.store.tables[ROOT][id,]

    def ids(self) -> Sequence[str]:
        """All partners; an archived one is still there."""
        return [str(row["BusinessPartner"]) for row in self.simulator.rows(ROOT) if not row["IsMarkedForArchiving"]]

    def writes_received(self) -> int:
        """Changesets and single changing calls."""
        return self.simulator.writes()

    def refuse_next_write(self) -> None:
        """An enhancement that dislikes BAD."""
        self.simulator.veto(self.text, "BAD")

    def expire_session(self) -> None:
        """Cookies and CSRF tokens are worthless now."""
        self.simulator.expire_sessions()

    def lose_answer(self) -> None:
        """The connection breaks after the commit."""
        self.simulator.fail(method="POST|PATCH|DELETE", path=SERVICE_PATHS, drop="after")

    def throttle(self, seconds: int) -> None:
        """Overload protection in front of the system."""
        self.simulator.fail(path=SERVICE_PATHS, status=429, headers={"Retry-After": str(seconds)})


class ContactHarness(SapHarness):
    """Contact persons of one company; the two texts are the person's names, which move the person's stamp."""

    text = "to_Person.LastName"
    other = "to_Person.FirstName"
    obj = Object(CONTACT, (text, other, "to_ContactRelationship.EmailAddress"), key="FSMHUB")

    def __init__(self, **switches: Any) -> None:
        super().__init__(**switches)
        company = {"OrganizationBPName1": "Company", "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU01"}]}
        self.company = str(self.simulator.edit(ROOT, "", company)["BusinessPartner"])
        self.required = {"BusinessPartnerCompany": self.company}

    def create(self, text: str) -> str:
        """A person made on the screen, and then contact of the company."""
        person = self.simulator.edit(ROOT, "", {"BusinessPartnerCategory": "1", "LastName": text})["BusinessPartner"]
        pair = {"BusinessPartnerCompany": self.company, "BusinessPartnerPerson": person}
        self.simulator.edit(CONTACT, "", pair)
        return f"{self.company}/{person}"

    def edit(self, id: str, fields: dict[str, Json]) -> None:  # noqa: A002 - as in the ports
        """The names on the person's screen, all else on that of the relationship."""
        names = {path.removeprefix("to_Person."): v for path, v in fields.items() if path.startswith("to_Person.")}
        if names:
            self.simulator.edit(ROOT, id.rpartition("/")[2], names)
        rest = {path: value for path, value in fields.items() if not path.startswith("to_Person.")}
        if rest:
            self.simulator.edit(CONTACT, self.row_key(id), rest)

    def row_key(self, id: str) -> str:  # noqa: A002 - as in the ports
        """Key of the relationship's newest time slice, as `edit` of the simulator takes it."""
        slices = (key for key in self.simulator.store.tables[CONTACT] if f"{key[1]}/{key[2]}" == id)
        return "/".join(max(slices, key=lambda key: str(key[3])))

    def remove(self, id: str) -> None:  # noqa: A002 - as in the ports
        """The relationship ends yesterday: on the screen this moves the row to another key."""
        simulator = self.simulator
        with simulator.lock:
            row = simulator.store.tables[CONTACT][tuple(self.row_key(id).split("/"))]
            simulator.partners.delete(schema()[CONTACT], row, "MILLER")
            yesterday = f"{self.clock.now() - timedelta(days=1):%Y-%m-%d}"
            ended = {**row, "ValidityStartDate": "2020-01-01", "ValidityEndDate": yesterday}
            simulator.seed([ended], name=CONTACT)

    def create_late(self, text: str, seconds: float) -> str:
        """Person and relationship in one update task that commits late."""
        with self.simulator.late(seconds):
            return self.create(text)

    def stored(self, id: str) -> Document:  # noqa: A002 - as in the ports
        """The person's row under our paths."""
        person = self.simulator.store.tables[ROOT][id.rpartition("/")[2],]
        return {f"to_Person.{name}": value for name, value in person.items()}

    def ids(self) -> Sequence[str]:
        """Pairs with a relationship that has not ended."""
        today = f"{self.clock.now():%Y-%m-%d}"
        rows = [row for row in self.simulator.rows(CONTACT) if row["ValidityEndDate"] > today]
        return [f"{row['BusinessPartnerCompany']}/{row['BusinessPartnerPerson']}" for row in rows]

    def refuse_next_write(self) -> None:
        """An enhancement that dislikes BAD names."""
        self.simulator.veto("LastName", "BAD")


class AddressHarness(SapHarness):
    """One address per customer, in a system that stamps the partner when its address changes."""

    text = "StreetName"
    other = "District"
    obj = Object(ADDRESS, (text, other), filter="Customer ne ''")
    creatable = False

    def __init__(self, **switches: Any) -> None:
        super().__init__(**switches)
        self.simulator.partners.moves_root |= {ADDRESS}

    def create(self, text: str) -> str:
        """A new customer with its address."""
        fields: dict[str, Any] = {
            "OrganizationBPName1": "Customer",
            "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU01"}],
            "to_BusinessPartnerAddress": [{self.text: text, "Country": "DE"}],
        }
        partner = self.simulator.edit(ROOT, "", fields)["BusinessPartner"]
        [address] = self.simulator.store.by(ADDRESS, "BusinessPartner", str(partner))
        return f"{partner}/{address['AddressID']}"

    def edit(self, id: str, fields: dict[str, Json]) -> None:  # noqa: A002 - as in the ports
        """As a person on the screen."""
        self.simulator.edit(ADDRESS, id, dict(fields))

    def remove(self, id: str) -> None:  # noqa: A002 - as in the ports
        """An address is not deleted, it ends."""
        self.edit(id, {"ValidityEndDate": f"{self.clock.now() - timedelta(days=1):%Y-%m-%dT%H:%M:%S}Z"})

    def create_late(self, text: str, seconds: float) -> str:
        """Customer and address in one update task that commits late."""
        with self.simulator.late(seconds):
            return self.create(text)

    def stored(self, id: str) -> Document:  # noqa: A002 - as in the ports
        """The row of the address."""
        return self.simulator.store.tables[ADDRESS][tuple(id.split("/"))]

    def ids(self) -> Sequence[str]:
        """Addresses that have not ended."""
        today = f"{self.clock.now():%Y-%m-%d}"
        rows = [row for row in self.simulator.rows(ADDRESS) if row["ValidityEndDate"] > today]
        return [f"{row['BusinessPartner']}/{row['AddressID']}" for row in rows]


def void(_: object) -> None:
    """A sleep returns nothing."""
