"""One harness per connector; the suite runs once for each.

Not here: the harnesses, which are imported only when their turn comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from fsm_core.ports import Connector, Creates, Deletes
from tests.contract.harness import Harness

MEMORY = "tests.contract.harness_memory:MemoryHarness"
HARNESSES: dict[str, tuple[str, dict[str, Any]]] = {
    "memory": (MEMORY, {}),
    "memory-flags": (MEMORY, {"deletes": Deletes.FLAGS, "creates": Creates.CLIENT_TOKEN}),
    "memory-bare": (
        MEMORY,
        {"deletes": Deletes.SWEEP, "creates": Creates.PROBE, "compare_and_set": False, "versions": False},
    ),
    "salesforce": ("tests.contract.harness_salesforce:SalesforceHarness", {}),
    "salesforce-contact": ("tests.contract.harness_salesforce:ContactHarness", {}),
    "salesforce-location": ("tests.contract.harness_salesforce:LocationHarness", {}),
    "sap": ("tests.contract.harness_sap:SapHarness", {}),
    "sap-contact": ("tests.contract.harness_sap:ContactHarness", {}),
    "sap-address": ("tests.contract.harness_sap:AddressHarness", {}),
}


@pytest.fixture(params=HARNESSES)
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    path, switches = HARNESSES[request.param]
    module, _, name = path.partition(":")
    made = getattr(import_module(module), name)(**switches)
    yield made
    made.close()


@pytest.fixture
def connect(harness: Harness) -> Iterator[Callable[..., Connector]]:
    made: list[Connector] = []

    def connect(page_size: int = 2000) -> Connector:
        made.append(harness.connector(page_size=page_size))
        return made[-1]

    yield connect
    for connector in made:
        connector.close()


@pytest.fixture
def connector(connect: Callable[..., Connector]) -> Connector:
    return connect()
