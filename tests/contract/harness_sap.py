"""SAP S/4HANA for the contract suite: the connector against its simulator over real HTTP.

Not here: the suite itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from connectors.http import Patience
from connectors.sap import Sap, SapSettings
from connectors.sap.simulator import ROOT, SapSimulator
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


def void(_: object) -> None:
    """A sleep returns nothing."""
