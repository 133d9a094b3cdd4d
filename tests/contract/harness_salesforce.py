"""The Salesforce connector and its simulator over real HTTP, as the contract suite drives them."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Self

import httpx

from connectors.http import Patience
from connectors.salesforce import Salesforce, SalesforceSettings
from connectors.salesforce.simulator import SalesforceSimulator
from connectors.salesforce.simulator_store import Refusal, Row
from connectors.simulation import serving
from fsm_core.ports import Document, Json, Object
from tests.contract.harness import Harness

WRITING = "POST|PATCH|DELETE"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The loopback speaks plain HTTP; reading the certificates of the machine would take most of a test's time."""
COLLECTIONS = "/composite/sobjects"


class SalesforceHarness(Harness):
    """One org; whoever waits is only noted down. Usable as a context manager."""

    name = "salesforce"
    sobject = "Account"
    obj = Object("Account", fields=("Name", "Site", "FSM_Hub_Id__c"), key="FSM_Hub_Id__c")
    text = "Name"
    other = "Site"

    def __init__(self, **switches: Any) -> None:
        self.simulator = SalesforceSimulator(**switches)
        self.clock = self.simulator.clock
        self.slept: list[float] = []
        self._stack = ExitStack()
        self.url = self._stack.enter_context(serving(self.simulator))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving."""
        self._stack.close()

    def settings(self, **changed: Any) -> SalesforceSettings:
        app = self.simulator.app
        known = {"auth": "client_credentials", "client_id": app.client_id, "client_secret": app.client_secret}
        return SalesforceSettings(**{"login_url": self.url, **known, **changed})

    def connector(self, *, page_size: int = 2000, **changed: Any) -> Salesforce:
        self.simulator.queries.page_limit = page_size  # smaller than any hint: pages may always be
        patience = Patience(sleep=self.slept.append)
        transport = httpx.HTTPTransport(verify=NO_TLS)
        return Salesforce(self.settings(**changed), patience=patience, transport=transport, clock=self.clock.now)

    def calls(self, part: str = "/services/data/") -> int:
        """Calls with this in their path since the start or the last `reset_calls`."""
        return sum(part in call.path for call in self.simulator.calls)

    def create(self, text: str) -> str:
        return str(self.simulator.edit(self.sobject, "", self.born(text))["Id"])

    def born(self, text: str) -> Row:
        """What a person fills in."""
        return {self.text: text, self.other: "as found"}

    def edit(self, id: str, fields: dict[str, Json]) -> None:  # noqa: A002 - as in the ports
        self.simulator.edit(self.sobject, id, dict(fields))

    def remove(self, id: str) -> None:  # noqa: A002 - as in the ports
        self.simulator.remove(self.sobject, id)

    def create_late(self, text: str, seconds: float) -> str:
        return str(self.simulator.late(self.sobject, "", {self.text: text}, seconds)["Id"])

    def stored(self, id: str) -> Document:  # noqa: A002 - as in the ports
        return next(row for row in self.simulator.rows(self.sobject) if row["Id"] == id)

    def ids(self) -> Sequence[str]:
        return [row["Id"] for row in self.simulator.rows(self.sobject) if not row["IsDeleted"]]

    def writes_received(self) -> int:
        return self.simulator.writes()

    def refuse_next_write(self) -> None:
        self.simulator.store.validation_rules.append(self._no_bad_names)

    def _no_bad_names(self, name: str, row: Row) -> Refusal | None:
        if name == self.sobject and "BAD" in str(row[self.text]):
            return Refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", "This name is not welcome", (self.text,))
        return None

    def expire_session(self) -> None:
        self.simulator.tokens.revoke()

    def lose_answer(self) -> None:
        self.simulator.fail(method=WRITING, path=COLLECTIONS, drop="after")

    def throttle(self, seconds: int) -> None:
        self.simulator.fail(path="/services/data/", status=503, headers={"Retry-After": str(seconds)})


class ContactHarness(SalesforceHarness):
    """The same org, seen through Contact."""

    name = "salesforce-contact"
    sobject = "Contact"
    obj = Object("Contact", fields=("LastName", "Title", "AccountId", "FSM_Hub_Id__c"), key="FSM_Hub_Id__c")
    text = "LastName"
    other = "Title"


class LocationHarness(SalesforceHarness):
    """The same org, seen through Location: half of what is read and written lies on its Address."""

    name = "salesforce-location"
    sobject = "Location"
    obj = Object(
        "Location",
        fields=("Name", "VisitorAddress.City", "VisitorAddress.Street", "AssociatedLocations.ParentRecordId"),
        key="FSM_Hub_Id__c",
    )
    text = "Name"
    other = "VisitorAddress.City"

    def __init__(self, **switches: Any) -> None:
        super().__init__(**switches)
        kind = self.simulator.store.objects["Location"]  # whose administrator has chosen a default
        kind.add(replace(kind.fields["LocationType"], defaulted=True, default="Site"))
        self.account = self.simulator.edit("Account", "", {"Name": "Customer"})["Id"]

    def create(self, text: str) -> str:
        id_ = str(self.simulator.edit("Location", "", {"Name": text})["Id"])
        address = self.simulator.edit("Address", "", {"ParentId": id_, "City": "as found"})["Id"]
        self.simulator.edit("Location", id_, {"VisitorAddressId": address})
        self.simulator.edit("AssociatedLocation", "", {"LocationId": id_, "ParentRecordId": self.account})
        return id_

    def edit(self, id: str, fields: dict[str, Json]) -> None:  # noqa: A002 - as in the ports
        row = super().stored(id)
        for path, value in fields.items():
            part, _, leaf = path.rpartition(".")
            name, record = ("Address", str(row["VisitorAddressId"])) if part else ("Location", id)
            self.simulator.edit(name, record, {leaf: value})

    def stored(self, id: str) -> Document:  # noqa: A002 - as in the ports
        row = super().stored(id)
        address = next(
            (a for a in self.simulator.rows("Address") if a["Id"] == row["VisitorAddressId"]), {"City": None}
        )
        return {**row, "VisitorAddress.City": address["City"]}
