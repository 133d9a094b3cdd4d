"""One Prefect server for all tests that call flows in this process, and the seeded company they run on.

Not here: the server and worker of the deployments (`unattended`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prefect.testing.utilities import prefect_test_harness

from connectors.sandbox import Sandbox


@pytest.fixture(scope="session")
def harness() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=90):
        yield


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Both systems served, with a hub.toml beside their secrets."""
    with Sandbox(tmp_path_factory.mktemp("home")) as sandbox:
        (sandbox.folder / "hub.toml").write_text(sandbox.hub_toml())
        yield sandbox
