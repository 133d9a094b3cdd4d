"""One conversation with one OData service: log-on, CSRF token with its cookies, schema, reads and writes.

Not here: what is read or written.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pyodata
from pyodata.v2.model import Config, PolicyIgnore

from connectors.http import REPEATABLE, Edge, Patience, Tap, Token, TokenAuth
from connectors.sap import batch
from connectors.sap.document import JOINS
from connectors.sap.errors import csrf_required, message_of, refusal
from connectors.sap.odata import Model, model_of, query
from connectors.sap.settings import SapSettings
from fsm_core.errors import BadMapping, HubError, MissingPermission, NotFound, Unauthorised, Unreachable

LONGEST_QUERY = 6000
"""Gateways and proxies refuse request lines of about 8 kB; beyond this we ask for all properties instead."""


class Connection:
    """What pyodata needs of a `requests.Session`, over our edge; `$skiptoken` survives because params are appended."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, url: str, **_: Any) -> httpx.Response:  # noqa: ANN401 - requests' signature
        """Fetch a document, e.g. $metadata."""
        return self._session.judged(self._session.fetch(url, accept="application/xml"))

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        params: Any = None,  # noqa: ANN401 - requests' signature
        data: Any = None,  # noqa: ANN401 - requests' signature
    ) -> httpx.Response:
        """Send what pyodata composed; a changing call gets its CSRF token."""
        options = params if isinstance(params, str) else urlencode(params or {})
        url = f"{url}{'&' if '?' in url else '?'}{options}" if options else url
        if method == "GET":
            return self._session.fetch(url, headers=headers)
        return self._session.modify(method, url, data.encode() if isinstance(data, str) else data or b"", headers)


class Session:
    """Keeps one cookie jar and one CSRF token for all threads; raises the hub's errors."""

    def __init__(
        self,
        settings: SapSettings,
        *,
        patience: Patience | None = None,
        transport: httpx.BaseTransport | None = None,
        tap: Tap | None = None,
    ) -> None:
        self.settings = settings
        self.root = settings.base_url.rstrip("/") + "/" + settings.business_partner.strip("/") + "/"
        self._options: dict[str, Any] = {"patience": patience, "transport": transport, "tap": tap}
        self.edge = Edge("sap", auth=self._auth(), headers=self._headers(), **self._options)
        self.server_time: datetime | None = None
        """The latest Date header."""
        self.repeats = False
        """The system said that it recognises a repeated RequestID."""
        self._token = ""
        self._lock = threading.RLock()

    def _headers(self) -> dict[str, str]:
        language = self.settings.language
        client = {"sap-client": self.settings.sap_client} if self.settings.sap_client else {}
        return {"Accept": "application/json", "Accept-Language": language, "sap-language": language, **client}

    def _auth(self) -> httpx.Auth:
        if self.settings.token_url:
            return TokenAuth("sap", self._grant)
        return httpx.BasicAuth(self.settings.user, self.settings.password)

    def _grant(self) -> Token:
        auth = httpx.BasicAuth(self.settings.client_id, self.settings.client_secret)
        with Edge("sap", auth=auth, **self._options) as edge:
            form = {"grant_type": "client_credentials"}
            response = edge.post(self.settings.token_url, data=form, extensions={REPEATABLE: True})
        if not response.is_success:
            raise Unauthorised(f"the token end point answered {response.status_code}", system="sap")
        body = response.json()
        return Token(body["access_token"], expires_in=float(body.get("expires_in") or 0) or None)

    @cached_property
    def model(self) -> Model:
        """The schema, read once by pyodata; nulls are kept, unknown annotations are not our business."""
        with self._lock:
            return model_of(self.client.schema, JOINS)

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - pyodata is untyped
        """The pyodata service over this session, for what the verbs do not cover."""
        config = Config(default_error_policy=PolicyIgnore(), retain_null=True)
        return pyodata.Client(self.root, Connection(self), config=config)

    def forget_model(self) -> None:
        """Read $metadata anew at the next need: fields come and go with upgrades and key-user extensions."""
        for name in ("model", "client"):
            self.__dict__.pop(name, None)

    # -- reading -------------------------------------------------------------------------------

    def url(self, path: str, options: Mapping[str, str]) -> str:
        """Absolute URL; too long a query loses its $select, which costs bytes but no rows."""
        text = query(options)
        if len(text) > LONGEST_QUERY:
            text = query({name: value for name, value in options.items() if name != "$select"})
        return self.root + path + (f"?{text}" if text else "")

    def fetch(self, url: str, *, accept: str = "", headers: Mapping[str, str] | None = None) -> httpx.Response:
        """GET as it is; the status is the caller's to judge."""
        sent = {**(headers or {}), **({"Accept": accept} if accept else {})}
        response = self.edge.get(url, headers=sent)
        self._note_time(response)
        return response

    def judged(self, response: httpx.Response) -> httpx.Response:
        """The response, or the error it stands for; a 404 on a read means a wrong service path."""
        error = refusal(response, writing=False)
        if isinstance(error, NotFound):
            raise BadMapping(f"not found: {error.message}", system="sap", code=error.code)
        if error is not None:
            raise error
        return response

    def rows(self, url: str) -> tuple[list[dict[str, Any]], str, int | None]:
        """Rows of a collection, the query of `__next` (empty at the end), and the inline count if asked for."""
        response = self.judged(self.fetch(url))
        try:
            found = response.json()["d"]
        except (ValueError, KeyError, TypeError) as error:
            raise Unreachable("the answer to a read is not OData JSON (cut short?)", system="sap") from error
        if isinstance(found, list):
            return found, "", None
        count = found.get("__count")
        return found["results"], urlsplit(found.get("__next") or "").query, int(count) if count is not None else None

    def pages(self, path: str, options: Mapping[str, str]) -> Iterator[tuple[list[dict[str, Any]], int | None, bool]]:
        """Rows, inline count, and whether more follow; of `__next` only the query is used.

        The rest of `__next` is not to be trusted: a proxy may have renamed the host.
        """
        url = self.url(path, options)
        while url:
            found, following, count = self.rows(url)
            yield found, count, bool(following)
            url = f"{self.root}{path}?{following}" if following else ""

    def all_rows(self, path: str, options: Mapping[str, str]) -> list[dict[str, Any]]:
        """Every row of a collection."""
        return [row for found, _, _ in self.pages(path, options) for row in found]

    def etag(self, path: str) -> str:
        """The ETag of one entity, asked for by itself."""
        response = self.fetch(self.root + path)
        body = response.json() if response.is_success else {}
        return str(response.headers.get("etag") or body.get("d", {}).get("__metadata", {}).get("etag") or "")

    @property
    def today(self) -> str:
        """The system's day by its Date header; empty when it sends none."""
        return f"{self.server_time:%Y-%m-%d}" if self.server_time is not None else ""

    def _note_time(self, response: httpx.Response) -> None:
        try:
            when = parsedate_to_datetime(response.headers.get("date", ""))
        except ValueError:
            return
        self.server_time = when if when.tzinfo else when.replace(tzinfo=UTC)

    # -- writing -------------------------------------------------------------------------------

    def token(self, stale: str | None = None) -> str:
        """The CSRF token; fetched anew, in the same cookie jar, if there is none or it proved stale."""
        with self._lock:
            if not self._token or self._token == stale:
                self._token = self._fetch_token()
            return self._token

    def _fetch_token(self) -> str:
        """HEAD first; some gateways answer only GET, or only without the closing slash."""
        last: httpx.Response | None = None
        for method, url in (("HEAD", self.root), ("GET", self.root), ("GET", self.root.rstrip("/"))):
            last = self.edge.request(method, url, headers={"X-CSRF-Token": "Fetch"})
            self._note_time(last)
            token = str(last.headers.get("x-csrf-token", ""))
            if last.is_success and token and token.lower() not in {"required", "fetch"}:
                return token
            if last.status_code == httpx.codes.UNAUTHORIZED:
                break  # a few failed log-ons more and the system locks the user
        raise self._no_token(last)

    def _no_token(self, response: httpx.Response | None) -> HubError:
        error = refusal(response, writing=False) if response is not None else None
        if isinstance(error, NotFound):
            error = BadMapping(f"no service at {self.root}: {error.message}", system="sap")
        return error or MissingPermission("the service hands out no CSRF token", system="sap")

    def modify(self, method: str, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Send a changing call; refused for CSRF it was not executed, so it is sent once more with a new token."""
        token = self.token()
        response = self._send(method, url, body, headers or {}, token)
        if csrf_required(response):
            response = self._send(method, url, body, headers or {}, self.token(stale=token))
        if csrf_required(response):
            raise MissingPermission(f"a fresh CSRF token was refused: {message_of(response).text}", system="sap")
        self._note_time(response)
        if response.headers.get("repeatabilityresult", "").lower() == "accepted":
            self.repeats = True
        return response

    def _send(self, method: str, url: str, body: bytes, headers: Mapping[str, str], token: str) -> httpx.Response:
        kind = {"Content-Type": "application/json"} if body else {}
        sent = {**kind, **headers, "X-CSRF-Token": token}
        repeatable = self.repeats and "RequestID" in headers
        return self.edge.request(method, url, content=body, headers=sent, extensions={REPEATABLE: repeatable})

    def send(self, operation: batch.Operation) -> httpx.Response:
        """One changing call outside a batch."""
        return self.modify(operation.method, self.root + operation.path, operation.body, operation.headers)

    def send_batch(self, changesets: Sequence[batch.Changeset]) -> list[list[httpx.Response]]:
        """Changesets in one call; one list of answers per changeset. Raises what the outer answer stands for."""
        boundary = f"batch_{uuid.uuid4().hex}"
        headers = {"Content-Type": f"multipart/mixed; boundary={boundary}", "Accept": "multipart/mixed"}
        response = self.modify("POST", self.root + "$batch", batch.encode(changesets, boundary), headers)
        error = refusal(response, writing=True)
        if error is not None:
            raise error
        return batch.decode(response, len(changesets))

    def close(self) -> None:
        """Give connections back."""
        self.edge.close()
