"""What the simulators share: clock, faults, call log, inspection.

Not here: any vendor's protocol.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from werkzeug.exceptions import NotFound
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from connectors.simulation import Fault, Simulator, VirtualClock, serving


class Notes(Simulator):
    """Keeps lines of text: POST adds one, GET lists them."""

    def __init__(self) -> None:
        super().__init__("notes")
        self.lines: list[str] = []

    def answer(self, request: Request) -> Response:
        if request.path != "/notes":
            raise NotFound("no such page")
        if request.method == "POST":
            self.count_writes(1)
            self.lines.append(request.get_data(as_text=True))
        return Response("\n".join(self.lines), content_type="text/plain")

    def counts(self) -> dict[str, Any]:
        return {"notes": len(self.lines)}

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [{"object": name, "text": line} for line in self.lines]

    def edit(self, name: str, id: str, fields: dict[str, Any], user: str = "") -> dict[str, Any]:  # noqa: A002 - as the vendors say
        self.lines.append(fields["text"])
        return {"object": name, "id": id, "user": user}


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def client(notes: Notes) -> Client:
    return Client(notes)


def test_the_clock_stands_until_it_is_moved() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    clock = VirtualClock(start)
    assert clock.now() == clock.now() == start
    assert clock.advance(90) == start + timedelta(seconds=90)
    clock.set(start)
    assert clock.now() == start


def test_a_running_clock_moves_by_itself_and_jumps() -> None:
    clock = VirtualClock(running=True)
    before = clock.now()
    time.sleep(0.01)
    assert clock.now() > before
    later = before + timedelta(days=1)
    clock.set(later)
    assert later <= clock.now() < later + timedelta(seconds=5)


def test_a_fault_skips_then_hits_then_is_over() -> None:
    fault = Fault(method="POST", path="/notes", skip=1, times=2)
    assert not fault.matches("GET", "/notes")
    assert [fault.matches("POST", "/notes?x=1") for _ in range(4)] == [False, True, True, False]


def test_a_fault_without_times_lasts() -> None:
    fault = Fault(times=None)
    assert all(fault.matches("GET", "/") for _ in range(10))


def test_a_status_fault_has_no_effect_on_the_state(notes: Notes, client: Client) -> None:
    notes.fail(status=429, headers={"Retry-After": "3"}, body="{}")
    answer = client.post("/notes", data="one")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert notes.lines == []
    assert notes.writes() == 0
    assert client.post("/notes", data="two").status_code == 200
    assert notes.lines == ["two"]


def test_a_cut_body(notes: Notes, client: Client) -> None:
    notes.fail(truncate=2)
    assert client.post("/notes", data="hello").get_data(as_text=True) == "he"
    assert notes.lines == ["hello"]


def test_the_log_counts_writes_and_never_holds_bodies(notes: Notes, client: Client) -> None:
    client.post("/notes", data="secret")
    client.get("/notes")
    assert [(call.method, call.path, call.status, call.writes) for call in notes.calls] == [
        ("POST", "/notes", 200, 1),
        ("GET", "/notes", 200, 0),
    ]
    assert "secret" not in repr(notes.calls)
    notes.reset_calls()
    assert notes.writes() == 0


def test_an_unknown_page_is_answered_as_such(client: Client) -> None:
    assert client.get("/nowhere").status_code == 404


def test_the_inspection_over_http(notes: Notes, client: Client) -> None:
    client.post("/notes", data="one")
    assert client.get("/_sim/counts").json["notes"] == 1
    assert client.get("/_sim/counts").json["writes"] == 1
    assert client.post("/_sim/edit", json={"object": "Note", "fields": {"text": "two"}}).json["object"] == "Note"
    assert [row["text"] for row in client.get("/_sim/rows/Note").json] == ["one", "two"]
    assert [call["method"] for call in client.get("/_sim/calls").json] == ["POST"]
    assert client.post("/_sim/faults", json={"status": 503}).json == {"faults": 1}
    assert client.get("/notes").status_code == 503
    assert client.delete("/_sim/faults").json == {"faults": 0}
    before = notes.clock.now()
    client.post("/_sim/clock", json={"advance": 60})
    assert notes.clock.now() == before + timedelta(seconds=60)
    client.post("/_sim/reset")
    assert notes.calls == []
    assert "unknown inspection" in client.get("/_sim/nonsense").json["error"]


def test_a_dropped_connection_before_and_after_the_effect(notes: Notes) -> None:
    with serving(notes) as url, httpx.Client(base_url=url) as far:
        notes.fail(drop="before")
        with pytest.raises(httpx.TransportError):
            far.post("/notes", content="one")
        assert notes.lines == []
        notes.fail(drop="after")
        with pytest.raises(httpx.TransportError):
            far.post("/notes", content="two")
        assert notes.lines == ["two"]
        assert far.get("/notes").text == "two"


def test_a_server_ends_with_its_block(notes: Notes) -> None:
    with serving(notes) as url:
        assert httpx.get(f"{url}/notes").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/notes")


def test_the_date_of_an_answer_is_the_simulators_own(notes: Notes) -> None:
    notes.clock.set(datetime(2026, 1, 5, 8, 0, tzinfo=UTC))
    with serving(notes) as url:
        dates = httpx.get(f"{url}/notes").headers.get_list("date")
    assert dates == ["Mon, 05 Jan 2026 08:00:00 GMT"]
