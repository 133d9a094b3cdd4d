"""The single HTTP edge: every call to a remote system leaves through `Edge`.

It owns time-outs, bounded retries that honour Retry-After, token refresh with full replay, quota
reading, redacted logging and the fault tap. Not here: what a status or a body means to a vendor.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import httpx
import tenacity

from fsm_core.errors import RateLimited, Unauthorised, UnknownOutcome, Unreachable
from fsm_core.ports import Quota

log = logging.getLogger("fsm_hub.http")
# These two would write whole addresses at INFO, and headers with tokens at DEBUG.
for _talkative in ("httpx", "httpcore"):
    logging.getLogger(_talkative).setLevel(logging.WARNING)

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
REPEATABLE = "fsm_repeatable"
"""Request extension: repeating this write is harmless (an upsert by key, a read sent as POST)."""
GATEWAY_STATUS = frozenset({408, 500, 502, 503, 504})


class Tap(Protocol):
    """Sees every call just before it leaves and just after it came back; may raise to simulate a crash."""

    def __call__(self, moment: str, request: httpx.Request) -> None:
        """`moment` is "before" or "after"."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may try, all in seconds."""

    connect: float = 5.0
    read: float = 60.0
    attempts: int = 4
    first_wait: float = 0.5
    longest_wait: float = 30.0
    """A longer Retry-After is not waited for here: it goes up as `RateLimited`."""
    sleep: Callable[[float], None] = time.sleep


class Edge(httpx.Client):
    """An `httpx.Client` that retries what is safe and raises the hub's errors for the rest.

    Raises `Unreachable`, `RateLimited`, `UnknownOutcome` (a write without a trustworthy answer) and
    `Unauthorised`. Every other status is returned for the connector to judge.
    """

    def __init__(
        self,
        system: str,
        *,
        patience: Patience | None = None,
        read_quota: Callable[[httpx.Response], Quota | None] | None = None,
        tap: Tap | None = None,
        **options: Any,  # noqa: ANN401 - handed to httpx.Client as they are
    ) -> None:
        self.system = system
        self.patience = patience or Patience()
        self.quota: Quota | None = None
        self.calls = 0
        self._counting = threading.Lock()
        self._read_quota = read_quota
        self._tap = tap
        options.setdefault("timeout", httpx.Timeout(self.patience.read, connect=self.patience.connect))
        options.setdefault("limits", httpx.Limits(max_connections=16, max_keepalive_connections=16))
        super().__init__(**options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own signature
        """Send with retries; `request.extensions[REPEATABLE]` marks a write that may be repeated."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, _Again)),
            stop=tenacity.stop_after_attempt(self.patience.attempts),
            wait=self._wait,
            sleep=self.patience.sleep,
            reraise=True,
        )
        try:
            return attempts(self._once, request, options)
        except _Again as again:
            raise again.error from again.__cause__

    def _once(self, request: httpx.Request, options: dict[str, Any]) -> httpx.Response:
        started = time.perf_counter()
        with self._counting:
            self.calls += 1
        self._touch("before", request)
        try:
            response = super().send(request, **options)
        except httpx.HTTPError as error:
            raise self._failed(request, error) from error
        self._touch("after", request)
        log.debug(
            "%s %s %s %s %d ms",
            self.system,
            request.method,
            redacted(str(request.url)),
            response.status_code,
            (time.perf_counter() - started) * 1000,
        )
        if self._read_quota is not None:
            self.quota = self._read_quota(response) or self.quota
        return self._judged(request, response)

    def _touch(self, moment: str, request: httpx.Request) -> None:
        if self._tap is not None:
            self._tap(moment, request)

    def _failed(self, request: httpx.Request, error: httpx.HTTPError) -> Exception:
        where = f"{request.url.host} to {request.method} {redacted(request.url.path)}"
        reason = f"no answer from {where}: {type(error).__name__} {_os_reason(error)}".rstrip()
        never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        if never_sent or repeatable(request):
            return _Again(Unreachable(reason, system=self.system))
        return UnknownOutcome(reason, system=self.system)

    def _judged(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        status = response.status_code
        wait = _wait_of(response)
        busy = status == httpx.codes.SERVICE_UNAVAILABLE and wait is not None
        if status == httpx.codes.TOO_MANY_REQUESTS or busy:
            response.close()
            reason = f"answered {status} ({'busy' if busy else 'too many calls'})"
            limited = RateLimited(reason, retry_after=wait, system=self.system)
            if wait is not None and wait > self.patience.longest_wait:
                raise limited
            raise _Again(limited, wait)
        if status not in GATEWAY_STATUS:
            return response
        response.read()
        if status == httpx.codes.INTERNAL_SERVER_ERROR and _is_json(response):
            return response
        reason = f"answered {status} to {request.method} {redacted(request.url.path)}"
        if repeatable(request):
            raise _Again(Unreachable(reason, system=self.system))
        raise UnknownOutcome(reason, system=self.system)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, _Again) else None
        if asked is not None:
            return asked
        backoff = self.patience.first_wait * (2 ** (state.attempt_number - 1))
        return float(min(backoff, self.patience.longest_wait))


class _Again(Exception):  # noqa: N818 - a signal to tenacity, never seen outside
    def __init__(self, error: Unreachable | RateLimited, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait = wait


def _os_reason(error: BaseException) -> str:
    """The system's own words ("Connection refused", "Name or service not known"), which hold no data."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return f"({cause.strerror})"
        cause = cause.__cause__ or cause.__context__
    return ""


def repeatable(request: httpx.Request) -> bool:
    """Whether sending the request twice is as good as once."""
    return request.method in SAFE_METHODS or bool(request.extensions.get(REPEATABLE))


def retry_after(value: str, now: datetime | None = None) -> float | None:
    """Seconds to wait from a Retry-After header, given as seconds or as an HTTP date (RFC 9110 10.2.3)."""
    if re.fullmatch(r"\d+(\.\d+)?", value.strip(), re.ASCII):
        return float(value)
    when = _date(value)
    return None if when is None else max(0.0, (when - (now or datetime.now(UTC))).total_seconds())


def _wait_of(response: httpx.Response) -> float | None:
    return retry_after(response.headers.get("retry-after", ""), _date(response.headers.get("date", "")))


def _date(value: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _is_json(response: httpx.Response) -> bool:
    return "json" in response.headers.get("content-type", "").lower()


_SECRET = re.compile(r"(?i)((?:access_token|assertion|client_secret|password|sid|token|key)=)[^&\s]+")
_QUERY = re.compile(r"\?.*")
_USER = re.compile(r"//[^/@]*@")


def redacted(url: str) -> str:
    """A URL fit for a log: no query (filters carry personal data), no user, no secrets."""
    return _USER.sub("//", _SECRET.sub(r"\1…", _QUERY.sub("?…", url)))


@dataclass(slots=True)
class Token:
    """An access token, and how many seconds it may be used without asking."""

    value: str
    base_url: str = ""
    expires_in: float | None = None
    born: float = field(default_factory=time.monotonic)

    def fresh(self) -> bool:
        """False once the declared life time is over (with half a minute to spare, or half of a very short life)."""
        if self.expires_in is None:
            return True
        return time.monotonic() < self.born + self.expires_in - min(30.0, self.expires_in / 2)


class TokenAuth(httpx.Auth):
    """Bearer token fetched once for all threads, refreshed once on 401, the same request replayed whole.

    `fetch` may raise `Unauthorised`; a second 401 with a fresh token does.
    """

    requires_response_body = True

    def __init__(self, system: str, fetch: Callable[[], Token]) -> None:
        self._system = system
        self._fetch = fetch
        self._token: Token | None = None
        self._lock = threading.Lock()

    def token(self, stale: Token | None = None) -> Token:
        """The current token; fetches a new one if there is none or it is the one that proved `stale`."""
        with self._lock:
            if self._token is None or self._token is stale or not self._token.fresh():
                self._token = self._fetched()
            return self._token

    def _fetched(self) -> Token:
        try:
            return self._fetch()
        except UnknownOutcome as error:
            # Asking for a token changes nothing there, and the call that needs it has not been carried out.
            raise Unreachable(f"no token: {error.message}", system=self._system) from error

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the bearer; on 401 refresh and send the very same request once more."""
        token = self.token()
        request.headers["Authorization"] = f"Bearer {token.value}"
        response = yield request
        if response.status_code != httpx.codes.UNAUTHORIZED:
            return
        request.headers["Authorization"] = f"Bearer {self.token(stale=token).value}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            raise Unauthorised("a fresh token was refused too", system=self._system)
