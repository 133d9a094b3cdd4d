"""The Salesforce connector and its simulator over real HTTP, as the contract suite drives them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Self

from connectors.http import Patience
from connectors.salesforce import Salesforce, SalesforceSettings
from connectors.salesforce.simulator import SalesforceSimulator
from connectors.salesforce.simulator_store import Refusal, Row
from connectors.simulation import serving
from fsm_core.ports import Document, Json, Object
from tests.contract.harness import Harness

WRITING = "POST|PATCH|DELETE"
COLLECTIONS = "/composite/sobjects"


class SalesforceHarness(Harness):
    """One org; whoever waits is only noted down. Usable as a context manager."""

    name = "salesforce"
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
        return Salesforce(self.settings(**changed), patience=patience, clock=self.clock.now)

    def calls(self, part: str = "/services/data/") -> int:
        """Calls with this in their path since the start or the last `reset_calls`."""
        return sum(part in call.path for call in self.simulator.calls)

    def create(self, text: str) -> str:
        return str(self.simulator.edit("Account", "", {"Name": text, "Site": "as found"})["Id"])

    def edit(self, id: str, fields: dict[str, Json]) -> None:  # noqa: A002 - as in the ports
        self.simulator.edit("Account", id, dict(fields))

    def remove(self, id: str) -> None:  # noqa: A002 - as in the ports
        self.simulator.remove("Account", id)

    def create_late(self, text: str, seconds: float) -> str:
        return str(self.simulator.late("Account", "", {"Name": text}, seconds)["Id"])

    def stored(self, id: str) -> Document:  # noqa: A002 - as in the ports
        return next(row for row in self.simulator.rows("Account") if row["Id"] == id)

    def ids(self) -> Sequence[str]:
        return [row["Id"] for row in self.simulator.rows("Account") if not row["IsDeleted"]]

    def writes_received(self) -> int:
        return self.simulator.writes()

    def refuse_next_write(self) -> None:
        self.simulator.store.validation_rules.append(_no_bad_names)

    def expire_session(self) -> None:
        self.simulator.tokens.revoke()

    def lose_answer(self) -> None:
        self.simulator.fail(method=WRITING, path=COLLECTIONS, drop="after")

    def throttle(self, seconds: int) -> None:
        self.simulator.fail(path="/services/data/", status=503, headers={"Retry-After": str(seconds)})


def _no_bad_names(name: str, row: Row) -> Refusal | None:
    if name == "Account" and "BAD" in str(row["Name"]):
        return Refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", "This name is not welcome", ("Name",))
    return None
