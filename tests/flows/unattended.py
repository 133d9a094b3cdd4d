"""A Prefect server and a worker of our own: processes of this test, stopped by it.

Not here: what is run on them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
PREFECT = [sys.executable, "-m", "prefect"]
ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


class Patient(httpx.Client):
    """Asks again while the server is busy: on SQLite it answers 503, or late, when its database is locked."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        until = time.monotonic() + 120
        while True:
            try:
                response = super().send(request, **options)
            except httpx.ReadTimeout:
                if not self._asks(request) or time.monotonic() > until:
                    raise
                continue
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or time.monotonic() > until:
                return response
            time.sleep(0.5)

    @staticmethod
    def _asks(request: httpx.Request) -> bool:
        """Whether nothing is changed by asking again."""
        return request.method == "GET" or request.url.path.endswith("/filter")


class Unattended:
    """The server's API and the environment in which commands meet it."""

    def __init__(self, folder: Path, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.folder = folder
        own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        self.environment = own | {
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self.url,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "FSM_HUB_HOME": str(home),
            # the code under test, installed or not
            "PYTHONPATH": str(ROOT),
        }
        self.client = Patient(base_url=self.url, timeout=60, trust_env=False)

    def command(self, *arguments: str) -> str:
        """Run a command of the documentation to its end."""
        done = subprocess.run(  # noqa: S603 - arguments of this test
            arguments, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=90, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextlib.contextmanager
    def process(self, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command that runs until it is stopped."""
        with (self.folder / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(  # noqa: S603 - arguments of this test
                arguments, cwd=ROOT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
            )
            try:
                yield started
            finally:
                started.terminate()
                try:
                    started.wait(10)
                except subprocess.TimeoutExpired:
                    started.kill()
                    started.wait(10)

    def ready(self, seconds: float = 60) -> None:
        """Wait until the server answers."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get("/health").is_success:
                    return
            time.sleep(0.2)
        raise AssertionError((self.folder / "server.log").read_text())

    def ask(self, path: str, **body: object) -> Any:
        answer = self.client.post(path, json=body)
        answer.raise_for_status()
        return answer.json()

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment by `flow/name`, as the server keeps it."""
        found: dict[str, Any] = self.client.get(f"/deployments/name/{name}").raise_for_status().json()
        return found

    def run(self, deployment: str, seconds: float = 150) -> dict[str, Any]:
        """Trigger a deployment by `flow/name` and wait for its end."""
        found = self.deployment(deployment)
        run = self.ask(f"/deployments/{found['id']}/create_flow_run", state={"type": "SCHEDULED"})
        until = time.monotonic() + seconds
        while run["state"]["type"] not in ENDED and time.monotonic() < until:
            time.sleep(0.2)
            run = self.client.get(f"/flow_runs/{run['id']}").raise_for_status().json()
        return run

    def log_of(self, run: dict[str, Any]) -> str:
        """What Prefect recorded of a run, for a failing test."""
        lines = self.ask("/logs/filter", logs={"flow_run_id": {"any_": [run["id"]]}})
        return "\n".join([str(run["state"]), *(line["message"] for line in lines)])


@contextlib.contextmanager
def unattended(folder: Path, home: Path) -> Iterator[Unattended]:
    """A server that answers."""
    made = Unattended(folder, home)
    start = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(made.port), "--no-ui"]
    with made.client, made.process("server", *start):
        made.ready()
        yield made
