"""All simulators on 127.0.0.1 with one seeded company: `Sandbox`.

Not here: the company (`company`), the people who edit while it runs (`players`), and the hub.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.sandbox.company import START, Company, build
from connectors.sandbox.contact_rows import RELATIONSHIP
from connectors.sandbox.org import Org
from connectors.sap.simulator import ROOT, SapSimulator
from connectors.sap.simulator_schema import schema
from connectors.simulation import Simulator, VirtualClock, serving

__all__ = ["Company", "Sandbox", "build", "serve"]

SECRETS = "secrets"
FRAGMENT = "systems.toml"
GROUPING = "BP02"


class Sandbox:
    """Both systems, seeded and served while the context is open.

    `folder` receives `secrets/` and `systems.toml` (the `[systems.*]` tables of a hub.toml), readable by their
    owner only. `ports` by system; 0 or absent picks a free one. The company depends on `seed` and `start` alone.
    """

    def __init__(
        self, folder: Path, *, seed: int = 7, start: datetime = START, ports: Mapping[str, int] | None = None
    ) -> None:
        self.folder = Path(folder)
        self.company = build(seed, start)
        self.clock = VirtualClock(start, running=True)
        self.ports = dict(ports or {})
        self.urls: dict[str, str] = {}
        """Base URL by system, while served."""
        self.credentials: dict[str, dict[str, str]] = {}
        """What `connect` of each system takes besides the URL; secrets as `file:` references."""
        self.salesforce, self.sap = self._salesforce(), self._sap()
        self._open = contextlib.ExitStack()

    @property
    def simulators(self) -> dict[str, Simulator]:
        """The running systems by name."""
        return {"salesforce": self.salesforce, "sap": self.sap}

    def __enter__(self) -> Self:
        """Serve both systems and write the fragment."""
        with contextlib.ExitStack() as opening:
            for name, simulator in self.simulators.items():
                self.urls[name] = opening.enter_context(serving(simulator, self.ports.get(name, 0)))
            self._write(FRAGMENT, self.hub_toml())
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving; the secrets stay, but open nothing any more."""
        self._open.close()
        self.urls.clear()

    def hub_toml(self) -> str:
        """The `[systems.*]` tables of a hub.toml; `file:` paths are relative to the folder."""
        addresses = {"salesforce": "login_url", "sap": "base_url"}
        settings = {name: {addresses[name]: url} | self.credentials[name] for name, url in self.urls.items()}
        return "\n".join(_table(name, values) for name, values in settings.items())

    def _salesforce(self) -> Org:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        client_id, username = f"3MVG9{secrets.token_urlsafe(24)}", "hub@brenndal.example"
        self.credentials["salesforce"] = {
            "auth": "jwt",
            "client_id": client_id,
            "username": username,
            "private_key": self._secret("salesforce.pem", private.decode()),
        }
        org = Org(clock=self.clock, client_id=client_id, username=username, public_key=public.decode())
        org.app.client_secret = secrets.token_urlsafe(24)
        for name, rows in self.company.salesforce().items():
            org.seed(name, rows)
        return org

    def _sap(self) -> SapSimulator:
        user, password = f"CC{secrets.randbelow(10**10):010}", secrets.token_urlsafe(18)
        self.credentials["sap"] = {
            "user": user,
            "password": self._secret("sap.password", password),
            "logical_system": "S4HCLNT100",  # host and port differ from start to start, the system does not
            "sales_organization": "1010",
            "distribution_channel": "10",
            "division": "00",
        }
        sap = SapSimulator(self.clock, user=user, password=password)
        numbers = [int(number) for number in sap.seed([*self.company.partners, *self.company.people.partners])]
        sap.seed(self.company.people.relations, name=RELATIONSHIP)
        # the number range must not give out what the seed has taken
        sap.store.sequences[GROUPING] = max(numbers)
        # a person who saves a partner on the screen stamps it, whichever of its parts was changed
        sap.partners.moves_root |= set(schema()) - {ROOT}
        return sap

    def _secret(self, name: str, text: str) -> str:
        self._write(f"{SECRETS}/{name}", text)
        return f"file:{SECRETS}/{name}"

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(text, encoding="utf-8")


def _table(name: str, settings: Mapping[str, str]) -> str:
    inline = ", ".join(f"{key} = {json.dumps(value)}" for key, value in settings.items())
    return f'[systems.{name}]\nconnector = "{name}"\nsettings = {{ {inline} }}\n'


def serve(
    folder: Path, ports: Mapping[str, int] | None = None, *, seed: int = 7, say: Callable[[str], object] | None = None
) -> None:
    """Serve until SIGINT or SIGTERM; `say` is told the URLs, a line each (standard output when None)."""
    tell = say or _print
    with _stopping() as stop, Sandbox(folder, seed=seed, ports=ports) as sandbox:
        for name, url in sandbox.urls.items():
            tell(f"{name:<12}{url}")
        tell(f"{'settings':<12}{sandbox.folder / FRAGMENT}")
        tell(f"in another terminal: fsm-hub --config {sandbox.folder / FRAGMENT} plan")
        stop.wait()
    tell("stopped")


@contextlib.contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the old handlers come back afterwards."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
