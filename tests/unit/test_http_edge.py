"""The HTTP edge: what is repeated, what is raised, what is hidden.

Not here: what a vendor's answer means.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from werkzeug.wrappers import Request, Response

from connectors.http import REPEATABLE, Edge, Patience, Token, TokenAuth, redacted, retry_after
from connectors.simulation import Simulator, serving
from fsm_core.errors import RateLimited, Unauthorised, UnknownOutcome, Unreachable
from fsm_core.ports import Quota

URL = "https://acme.example/things"
Script = list[httpx.Response | Exception]


class Line:
    """An edge whose far end answers from a script; the last answer repeats."""

    def __init__(self, *answers: httpx.Response | Exception, **options: Any) -> None:
        self.script: Script = list(answers)
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        self.edge = Edge(
            "acme",
            transport=httpx.MockTransport(self.answer),
            patience=Patience(sleep=self.slept.append),
            **options,
        )

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def ok(**options: Any) -> httpx.Response:
    return httpx.Response(200, json={}, **options)


def busy(wait: str = "", status: int = 429, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers=({"retry-after": wait} if wait else {}) | headers)


# -- waiting -----------------------------------------------------------------------------------


def test_retry_after_in_seconds_is_honoured() -> None:
    line = Line(busy("7"), ok())
    assert line.edge.post(URL).status_code == 200
    assert line.slept == [7.0]


def test_retry_after_as_a_date_counts_from_the_servers_clock() -> None:
    line = Line(busy("Mon, 05 Jan 2026 08:00:09 GMT", date="Mon, 05 Jan 2026 08:00:00 GMT"), ok())
    assert line.edge.get(URL).status_code == 200
    assert line.slept == [9.0]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("", None),
        ("0", 0.0),
        (" 12 ", 12.0),
        ("1.5", 1.5),
        ("soon", None),
        ("-3", None),
        ("²", None),
        ("Mon, 05 Jan 2026 08:01:00 GMT", 60.0),
        ("Mon, 05 Jan 2026 08:01:00 -0000", 60.0),
        ("Mon, 05 Jan 2026 07:00:00 GMT", 0.0),
    ],
)
def test_retry_after_values(value: str, seconds: float | None) -> None:
    assert retry_after(value, datetime(2026, 1, 5, 8, tzinfo=UTC)) == seconds


def test_a_nonsense_date_header_does_no_harm() -> None:
    line = Line(busy("3", date="yesterday"), ok())
    assert line.edge.get(URL).status_code == 200
    assert line.slept == [3.0]


def test_a_throttle_longer_than_our_patience_goes_up() -> None:
    line = Line(busy("3600"))
    with pytest.raises(RateLimited) as caught:
        line.edge.get(URL)
    assert (caught.value.retry_after, line.slept, len(line.requests)) == (3600.0, [], 1)


def test_a_throttle_that_never_ends_goes_up() -> None:
    line = Line(busy())
    with pytest.raises(RateLimited):
        line.edge.post(URL)
    assert line.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("wait", ["0", "4"])
def test_503_with_retry_after_was_not_carried_out(wait: str) -> None:
    line = Line(busy(wait, status=503), ok())
    assert line.edge.post(URL).status_code == 200
    assert line.slept == [float(wait)]


# -- no trustworthy answer ---------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_gateways_answer_is_repeated_for_a_read(status: int) -> None:
    line = Line(httpx.Response(status, html="<h1>oops</h1>"), ok())
    assert line.edge.get(URL).status_code == 200
    assert line.slept == [0.5]


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_gateways_answer_to_a_write_is_an_unknown_outcome(status: int) -> None:
    line = Line(httpx.Response(status, html="<h1>oops</h1>"))
    with pytest.raises(UnknownOutcome):
        line.edge.post(URL)
    assert len(line.requests) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_500_as_json_is_the_vendors_own_answer(method: str) -> None:
    line = Line(httpx.Response(500, json={"error": "LOCKED"}))
    assert line.edge.request(method, URL).json() == {"error": "LOCKED"}
    assert len(line.requests) == 1


@pytest.mark.parametrize("error", [httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no")])
def test_what_was_never_sent_is_repeated_even_for_a_write(error: Exception) -> None:
    line = Line(error, ok())
    assert line.edge.post(URL).status_code == 200
    assert len(line.requests) == 2


def test_a_write_that_never_connects_is_unreachable() -> None:
    line = Line(httpx.ConnectError("no"))
    with pytest.raises(Unreachable) as caught:
        line.edge.post(URL)
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    assert len(line.requests) == 4


@pytest.mark.parametrize("error", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("gone")])
def test_a_write_without_an_answer_is_an_unknown_outcome(error: Exception) -> None:
    line = Line(error)
    with pytest.raises(UnknownOutcome) as caught:
        line.edge.patch(URL)
    assert caught.value.__cause__ is error
    assert len(line.requests) == 1


def test_a_read_without_an_answer_is_repeated_then_unreachable() -> None:
    line = Line(httpx.ReadTimeout("slow"))
    with pytest.raises(Unreachable) as caught:
        line.edge.get(URL)
    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)
    assert len(line.requests) == 4


def test_a_write_marked_repeatable_is_repeated() -> None:
    line = Line(httpx.ReadTimeout("slow"), httpx.Response(502), ok())
    assert line.edge.patch(URL, extensions={REPEATABLE: True}).status_code == 200
    assert len(line.requests) == 3


# -- tokens ------------------------------------------------------------------------------------


class Till:
    """Gives out numbered tokens and counts them."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self) -> Token:
        self.given += 1
        return Token(f"token-{self.given}")


def wants(token: str) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        good = request.headers.get("authorization") == f"Bearer {token}"
        return ok() if good else httpx.Response(401)

    return answer


def test_sixteen_threads_fetch_one_token_and_refresh_it_once() -> None:
    till = Till()
    wanted = ["token-1"]
    barrier = threading.Barrier(16)

    def answer(request: httpx.Request) -> httpx.Response:
        return wants(wanted[0])(request)

    with Edge("acme", auth=TokenAuth("acme", till), transport=httpx.MockTransport(answer)) as edge:

        def call(_: int) -> int:
            barrier.wait(10)
            return edge.get(URL).status_code

        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(call, range(16))) == {200}
            assert till.given == 1
            wanted[0] = "token-2"
            assert set(pool.map(call, range(16))) == {200}
        assert till.given == 2
        assert edge.calls == 32


def test_the_replay_after_401_is_the_whole_request() -> None:
    line = Line(httpx.Response(401), ok(), auth=TokenAuth("acme", Till()))
    line.edge.patch(URL, json={"Name": "Müller"}, headers={"If-Unmodified-Since": "Mon, 05 Jan 2026 08:00:00 GMT"})
    first, second = line.requests
    assert first.content == second.content == '{"Name":"Müller"}'.encode()
    assert second.headers["If-Unmodified-Since"] == "Mon, 05 Jan 2026 08:00:00 GMT"
    assert second.headers["Authorization"] == "Bearer token-2"


def test_a_second_401_is_final() -> None:
    till = Till()
    line = Line(httpx.Response(401), auth=TokenAuth("acme", till))
    with pytest.raises(Unauthorised):
        line.edge.get(URL)
    assert (till.given, len(line.requests)) == (2, 2)


def test_a_short_lived_token_is_used_at_least_for_half_its_life() -> None:
    assert Token("a", expires_in=20).fresh()
    assert not Token("a", expires_in=0).fresh()
    assert Token("a").fresh()


def test_a_lost_token_call_is_not_a_lost_write() -> None:
    def lost() -> Token:
        raise UnknownOutcome("no answer to POST /token")

    line = Line(ok(), auth=TokenAuth("acme", lost))
    with pytest.raises(Unreachable):
        line.edge.post(URL)
    assert not line.requests


# -- what is seen ------------------------------------------------------------------------------


def test_addresses_lose_query_user_and_secrets() -> None:
    shown = redacted("https://ann:geheim@acme.example/q?q=SELECT+Email&access_token=abc")
    assert shown == "https://acme.example/q?…"
    assert "abc" not in redacted("https://acme.example/login;token=abc")


def test_logs_and_errors_hold_no_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("fsm_hub.http").setLevel(logging.DEBUG)
    line = Line(ok(), httpx.ReadTimeout("slow"))
    line.edge.get(URL, params={"q": "ann@example.org", "key": "geheim"})
    with pytest.raises(UnknownOutcome) as caught:
        line.edge.post(URL, params={"q": "ann@example.org"})
    seen = caplog.text + str(caught.value)
    assert "acme GET https://acme.example/things?… 200" in seen
    assert "ann" not in seen
    assert "geheim" not in seen


def test_the_tap_sees_every_attempt() -> None:
    seen: list[tuple[str, str]] = []
    line = Line(busy("1"), ok(), tap=lambda moment, request: seen.append((moment, request.method)))
    line.edge.put(URL)
    assert seen == [("before", "PUT"), ("after", "PUT")] * 2


def test_the_tap_may_stop_a_call_before_it_leaves() -> None:
    class Crash(Exception):  # noqa: N818 - not an error: the plug was pulled
        pass

    def crash(moment: str, request: httpx.Request) -> None:
        raise Crash(moment, request.url)

    line = Line(ok(), tap=crash)
    with pytest.raises(Crash):
        line.edge.post(URL)
    assert not line.requests


def test_the_quota_is_what_the_last_answer_said() -> None:
    def read(response: httpx.Response) -> Quota | None:
        used = response.headers.get("used")
        return Quota(int(used), 100) if used else None

    line = Line(ok(headers={"used": "7"}), ok(), read_quota=read)
    line.edge.get(URL)
    line.edge.get(URL)
    assert line.edge.quota == Quota(7, 100)


# -- over a real wire --------------------------------------------------------------------------


class Counter(Simulator):
    """Counts what reaches it."""

    def __init__(self) -> None:
        super().__init__("counter")
        self.hits = 0

    def answer(self, request: Request) -> Response:
        self.hits += 1
        return Response(request.method, content_type="text/plain")

    def counts(self) -> dict[str, Any]:
        return {"hits": self.hits}

    def rows(self, name: str) -> list[dict[str, Any]]:
        raise AssertionError(f"nobody lists {name} here")

    def edit(self, name: str, id: str, fields: dict[str, Any], user: str = "") -> dict[str, Any]:  # noqa: A002 - as the vendors say
        raise AssertionError(f"nobody edits {name} {id} here: {fields} {user}")


@pytest.fixture
def far() -> Iterator[tuple[Counter, Edge]]:
    counter = Counter()
    patience = Patience(read=0.3, first_wait=0.01)
    with serving(counter) as url, Edge("acme", base_url=url, patience=patience) as edge:
        yield counter, edge


def test_a_dropped_answer_to_a_write(far: tuple[Counter, Edge]) -> None:
    counter, edge = far
    counter.fail(drop="after")
    with pytest.raises(UnknownOutcome):
        edge.post("/things")
    assert counter.hits == 1


def test_a_dropped_answer_to_a_read(far: tuple[Counter, Edge]) -> None:
    counter, edge = far
    counter.fail(drop="after")
    assert edge.get("/things").text == "GET"
    assert counter.hits == 2


def test_a_slow_answer(far: tuple[Counter, Edge]) -> None:
    counter, edge = far
    counter.fail(method="POST", delay_after=0.6)
    with pytest.raises(UnknownOutcome):
        edge.post("/things")
    assert edge.get("/things").text == "GET"


def test_a_cut_answer_to_a_read_is_repeated(far: tuple[Counter, Edge]) -> None:
    counter, edge = far
    counter.fail(status=503, headers={"Retry-After": "0"})
    assert edge.get("/things").text == "GET"
    assert counter.hits == 1


def test_nobody_listens() -> None:
    with Edge("acme", patience=Patience(first_wait=0.01)) as edge, pytest.raises(Unreachable):
        edge.post("http://127.0.0.1:9/things")
