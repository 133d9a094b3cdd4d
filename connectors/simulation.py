"""What all simulators share: a virtual clock, fault switches, a call log, the inspection API, a server.

A simulator is a WSGI application that speaks one vendor's wire protocol and keeps state.
Not here: any vendor's protocol, and any company's data (see `connectors.sandbox`).
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from werkzeug.exceptions import HTTPException
from werkzeug.http import http_date
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

INSPECTION = "/_sim"
WRITING = frozenset({"POST", "PUT", "PATCH", "MERGE", "DELETE"})


class VirtualClock:
    """A settable clock; `running` adds real time to it so that a live sandbox moves."""

    def __init__(self, start: datetime | None = None, *, running: bool = False) -> None:
        self._now = start or datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
        self._running = running
        self._since = time.monotonic()
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The simulator's time, UTC."""
        with self._lock:
            passed = time.monotonic() - self._since if self._running else 0.0
            return self._now + timedelta(seconds=passed)

    def advance(self, seconds: float) -> datetime:
        """Move forward (or back, for skew) and return the new time."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
        return self.now()

    def set(self, when: datetime) -> None:
        """Jump."""
        with self._lock:
            self._now = when
            self._since = time.monotonic()


@dataclass(slots=True)
class Fault:
    """Something that goes wrong on matching calls.

    `skip` calls pass first, then `times` calls are hit (None: until cleared). `drop` closes the
    connection "before" the call takes effect or "after" it did; `delay` is in seconds and happens
    before (`delay_after` after) the effect; `truncate` cuts the real body to that many bytes.
    """

    method: str = ".*"
    path: str = ".*"
    skip: int = 0
    times: int | None = 1
    status: int | None = None
    body: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    drop: Literal["", "before", "after"] = ""
    delay: float = 0.0
    delay_after: float = 0.0
    truncate: int | None = None
    hits: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Count this call if it is ours, and say whether it is hit."""
        if not (re.fullmatch(self.method, method) and re.search(self.path, path)):
            return False
        self.hits += 1
        seen = self.hits - self.skip
        return seen > 0 and (self.times is None or seen <= self.times)


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it reached the simulator (never its body: that may hold secrets)."""

    method: str
    path: str
    status: int
    writes: int
    """Records this call was asked to write."""


class Dropped(Exception):  # noqa: N818 - not an error of ours: the peer vanished
    """The simulator closed the connection without an answer."""


class Simulator(ABC):
    """WSGI application: faults, log and inspection here, the vendor's protocol in `answer`."""

    def __init__(self, name: str, clock: VirtualClock | None = None) -> None:
        self.name = name
        self.clock = clock or VirtualClock()
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.lock = threading.RLock()
        self.pending_writes = 0

    # -- for the vendor's simulator ------------------------------------------------------------

    @abstractmethod
    def answer(self, request: Request) -> Response:
        """The vendor's protocol. Runs under `lock`, so one request sees and leaves a consistent state."""

    @abstractmethod
    def counts(self) -> dict[str, Any]:
        """Inspection: rows per object (live, deleted), writes received, duplicates by key."""

    @abstractmethod
    def rows(self, name: str) -> list[dict[str, Any]]:
        """Inspection: every row of an object, with the simulator's own bookkeeping."""

    @abstractmethod
    def edit(self, name: str, id: str, fields: dict[str, Any], user: str = "") -> dict[str, Any]:  # noqa: A002 - as the vendors say
        """A person of that system changes a record on the screen; an empty id creates one."""

    def count_writes(self, records: int) -> None:
        """To be called by `answer`: this call asked for that many record writes (accepted or not)."""
        self.pending_writes += records

    # -- for tests and the sandbox -------------------------------------------------------------

    def fail(self, **fault: Any) -> Fault:  # noqa: ANN401 - the fields of Fault
        """Switch a fault on; it is also what `POST /_sim/faults` does."""
        added = Fault(**fault)
        self.faults.append(added)
        return added

    def writes(self) -> int:
        """Record writes received since the start or the last `reset_calls`."""
        return sum(call.writes for call in self.calls)

    def reset_calls(self) -> None:
        """Forget the call log."""
        self.calls.clear()

    # -- WSGI ----------------------------------------------------------------------------------

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        request = Request(environ)
        try:
            response = self._inspect(request) if request.path.startswith(INSPECTION) else self._serve(request)
        except HTTPException as error:
            response = Response(error.description or error.name, error.code or 500, content_type="text/plain")
        except Dropped:
            return self._hang_up(environ)
        response.headers.setdefault("Date", http_date(self.clock.now()))
        return response(environ, start_response)

    def _serve(self, request: Request) -> Response:
        request.get_data(cache=True)
        with self.lock:
            fault = next((f for f in self.faults if f.matches(request.method, request.full_path)), None)
        if fault is not None and fault.delay:
            time.sleep(fault.delay)
        if fault is not None and fault.drop == "before":
            self._log(request, 0, 0)
            raise Dropped
        if fault is not None and fault.status is not None:
            self._log(request, fault.status, 0)
            return Response(fault.body, fault.status, fault.headers, content_type=fault.content_type)
        with self.lock:
            self.pending_writes = 0
            response = self.answer(request)
            self._log(request, response.status_code, self.pending_writes)
        if fault is not None:
            response = self._spoil(fault, response)
        return response

    def _spoil(self, fault: Fault, response: Response) -> Response:
        if fault.delay_after:
            time.sleep(fault.delay_after)
        if fault.drop == "after":
            raise Dropped
        for name, value in fault.headers.items():
            response.headers[name] = value
        if fault.truncate is not None:
            response.set_data(response.get_data()[: fault.truncate])
        return response

    def _log(self, request: Request, status: int, writes: int) -> None:
        self.calls.append(Call(request.method, request.full_path.rstrip("?"), status, writes))

    def _hang_up(self, environ: dict[str, Any]) -> Iterable[bytes]:
        connection = environ.get("werkzeug.socket")
        if isinstance(connection, socket.socket):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionAbortedError(f"{self.name}: connection dropped by a fault")

    # -- inspection over HTTP ------------------------------------------------------------------

    def _inspect(self, request: Request) -> Response:
        what = request.path.removeprefix(INSPECTION).strip("/")
        with self.lock:
            return _json(self._inspected(what, request))

    def _inspected(self, what: str, request: Request) -> Any:  # noqa: ANN401 - any JSON
        body: dict[str, Any] = json.loads(request.get_data() or b"{}")
        match what.split("/"):
            case ["counts"]:
                return {
                    "name": self.name,
                    "now": self.clock.now().isoformat(),
                    "writes": self.writes(),
                    **self.counts(),
                }
            case ["rows", name]:
                return self.rows(name)
            case ["calls"]:
                return [
                    {"method": c.method, "path": c.path, "status": c.status, "writes": c.writes} for c in self.calls
                ]
            case ["reset"]:
                self.reset_calls()
                return {}
            case ["edit"]:
                return self.edit(body["object"], body.get("id", ""), body["fields"], body.get("user", ""))
            case ["faults"]:
                if request.method == "DELETE":
                    self.faults.clear()
                else:
                    self.fail(**body)
                return {"faults": len(self.faults)}
            case ["clock"]:
                return {"now": self.clock.advance(float(body.get("advance", 0))).isoformat()}
        return {"error": f"unknown inspection {what!r}"}


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - any JSON
    return Response(json.dumps(value, default=str), status, content_type="application/json")


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def send_response(self, code: int, message: str | None = None) -> None:
        """Without a date of its own: the simulator's clock is the server's."""
        self.send_response_only(code, message)

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002, ANN401 - werkzeug's signature
        """Say nothing: the call log holds it."""


@contextlib.contextmanager
def serving(app: Simulator, port: int = 0) -> Iterator[str]:
    """Serve on 127.0.0.1 in a thread; yields the base URL. Port 0 picks a free one."""
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    server.daemon_threads = True  # type: ignore[attr-defined]  # socketserver's own switch
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
