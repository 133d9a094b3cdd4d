"""How the connector logs in: OAuth 2.0 JWT bearer or client credentials, one token for all threads.

Not here: the calls made with the token (`transport`), and where secrets come from (the settings layer).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import jwt
import orjson

from connectors.http import REPEATABLE, Edge, Token, TokenAuth
from connectors.salesforce.ids import full_id
from connectors.salesforce.settings import SalesforceSettings
from fsm_core.errors import BadMapping, Unauthorised, Unreachable

ASSERTION_LIFE = timedelta(minutes=3)
NOTICEABLE_SKEW = timedelta(seconds=30)
TOLERABLE_SKEW = timedelta(minutes=5)
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the token belongs to, as its `id` URL says: `https://{host}/id/{organisation}/{user}`."""

    organization: str = ""
    user: str = ""
    clock_agrees: bool = True
    """False: `Date` of the token answer and its `issued_at` differ, so `Date` is not the org's clock."""


class Login:
    """Asks the token endpoint. Raises `Unauthorised` when refused, `Unreachable` when not understood."""

    def __init__(self, settings: SalesforceSettings, edge: Edge, clock: Callable[[], datetime] | None = None) -> None:
        self._settings = settings
        self._edge = edge
        self._clock = clock or (lambda: datetime.now(UTC))
        self.identity = Identity()

    def fetch(self) -> Token:
        """A new token; `base_url` is the instance all later calls go to."""
        now = self._clock()
        response = self._ask(now)
        if response.status_code == httpx.codes.BAD_REQUEST and self._settings.auth == "jwt":
            there = server_time(response.headers.get("date", ""))
            if there is not None and abs(there - now) > NOTICEABLE_SKEW:
                response = self._ask(there)  # our clock is off: sign once more by theirs
        return self._token(response)

    def _ask(self, now: datetime) -> httpx.Response:
        form, headers = self._jwt(now) if self._settings.auth == "jwt" else self._client_credentials()
        request = self._edge.build_request(
            "POST",
            f"{self._settings.login_url.rstrip('/')}/services/oauth2/token",
            data=form,
            headers=headers,
            extensions={REPEATABLE: True},
        )
        return self._edge.send(request)

    def _jwt(self, now: datetime) -> tuple[dict[str, str], dict[str, str]]:
        settings = self._settings
        claims = {
            "iss": settings.client_id,
            "sub": settings.username,
            "aud": settings.audience or settings.login_url.rstrip("/"),
            "exp": int((now + ASSERTION_LIFE).timestamp()),
        }
        try:
            assertion = jwt.encode(claims, settings.private_key, algorithm="RS256")
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise BadMapping(
                "private_key is no RSA key in PEM form", system=settings.name, field="private_key"
            ) from error
        return {"grant_type": JWT_GRANT, "assertion": assertion}, {}

    def _client_credentials(self) -> tuple[dict[str, str], dict[str, str]]:
        basic = httpx.BasicAuth(self._settings.client_id, self._settings.client_secret)
        signed = next(basic.auth_flow(httpx.Request("POST", self._settings.login_url)))
        return {"grant_type": "client_credentials"}, {"Authorization": signed.headers["Authorization"]}

    def _token(self, response: httpx.Response) -> Token:
        answer = _object(response)
        if response.status_code >= httpx.codes.BAD_REQUEST:
            reason = answer.get("error_description") or f"the token endpoint answered {response.status_code}"
            raise Unauthorised(str(reason), system=self._settings.name, code=str(answer.get("error", "")))
        if "access_token" not in answer:
            raise Unreachable("the token endpoint's answer holds no token", system=self._settings.name)
        self.identity = identity_of(str(answer.get("id", "")), clock_agrees=_agree(response, answer))
        return Token(str(answer["access_token"]), base_url=str(answer.get("instance_url") or self._settings.login_url))


class InstanceAuth(TokenAuth):
    """Sends every request to the instance the token names, on the replay after a new login too.

    Orgs move between instances, so the host of a request as built is only a placeholder.
    """

    def __init__(self, login: Login, system: str) -> None:
        super().__init__(system, login.fetch)
        self._login = login

    def identity(self) -> Identity:
        """Who we are; logs in when nobody did yet."""
        self.token()
        return self._login.identity

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """As `TokenAuth`, with scheme, host and port taken from the current token."""
        flow = super().sync_auth_flow(request)
        try:
            outgoing = next(flow)
            while True:
                self._redirect(outgoing)
                response = yield outgoing
                outgoing = flow.send(response)
        except StopIteration:
            return

    def _redirect(self, request: httpx.Request) -> None:
        base = httpx.URL(self.token().base_url)
        request.url = request.url.copy_with(scheme=base.scheme, host=base.host, port=base.port)
        request.headers["Host"] = base.netloc.decode("ascii")


def _agree(response: httpx.Response, answer: dict[str, Any]) -> bool:
    there = server_time(response.headers.get("date", ""))
    issued = str(answer.get("issued_at", ""))
    if there is None or not issued.isdigit():
        return True
    return abs(there - datetime.fromtimestamp(int(issued) / 1000, UTC)) < TOLERABLE_SKEW


def identity_of(url: str, *, clock_agrees: bool = True) -> Identity:
    """Organisation and user from an identity URL; empty where it has none."""
    _, _, path = url.partition("/id/")
    parts = path.split("/")
    organization, user = (full_id(parts[0]), full_id(parts[1])) if len(parts) > 1 else ("", "")
    return Identity(organization, user, clock_agrees)


def server_time(date: str) -> datetime | None:
    """The moment of a `Date` header, UTC; None where there is none."""
    try:
        return parsedate_to_datetime(date).astimezone(UTC) if date else None
    except ValueError:
        return None


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
