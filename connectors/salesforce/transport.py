"""simple-salesforce on top of the hub's HTTP edge: a requests adapter that hands every call to httpx.

Not here: tokens (`auth`), error codes (`errors`) and what the answers mean.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import orjson
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from connectors.http import Edge
from connectors.salesforce.auth import server_time
from connectors.salesforce.errors import translated
from connectors.salesforce.simple import SimpleSalesforce
from fsm_core.errors import Unreachable

PLACEHOLDER = "instance.invalid"
"""Host of a request until `auth.InstanceAuth` knows the instance."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The raw body of a good answer and the server's clock at that moment."""

    raw: bytes
    date: str = ""
    took: int = 0
    """Whole seconds, rounded up, from sending to receiving."""

    def __len__(self) -> int:
        """Bytes; simple-salesforce asks for it."""
        return len(self.raw)

    def moment(self) -> datetime | None:
        """A moment by the server's own clock that is surely not after its look at the data; None without `Date`."""
        answered = server_time(self.date)
        return answered - timedelta(seconds=self.took) if answered else None

    def document(self, *, exact: bool = False) -> dict[str, Any]:
        """The parsed object; `exact` keeps a number with a fraction as its text on the wire.

        Raises `Unreachable` for anything else: an HTML page or half a body is no answer of Salesforce.
        """
        try:
            found = json.loads(self.raw, parse_float=str) if exact else orjson.loads(self.raw)
        except ValueError as error:
            raise Unreachable("the answer is not JSON (a proxy's page, or cut off)") from error
        if not isinstance(found, dict):
            raise Unreachable("the answer is JSON of another shape")
        return found


class Library:
    """What the connector uses of simple-salesforce. Raises the hub's errors only."""

    def __init__(self, edge: Edge, version: str, headers: Mapping[str, str]) -> None:
        self._simple = _Managed(edge, version)
        self._headers = dict(headers)

    def query(self, soql: str) -> Answer:
        """First page of a query that shows deleted rows too."""
        with translated():
            return cast("Answer", self._simple.query(soql, include_deleted=True, headers=self._headers))

    def more(self, url: str) -> Answer:
        """A further page, by the `nextRecordsUrl` of the one before."""
        with translated():
            return cast("Answer", self._simple.query_more(url, identifier_is_url=True, headers=self._headers))

    def describe(self, name: str) -> dict[str, Any]:
        """Metadata of one object."""
        with translated():
            return cast("Answer", self._simple.restful(f"sobjects/{name}/describe")).document()

    def userinfo(self) -> dict[str, Any]:
        """OpenID claims of the token's user."""
        with translated():
            return cast("Answer", self._simple.oauth2("userinfo")).document()


class _Managed(SimpleSalesforce):
    """The session is ours: no login, no refresh, no header of its own but the content type."""

    def __init__(self, edge: Edge, version: str) -> None:
        session = _Session(edge)
        super().__init__(
            session_id="managed", instance=PLACEHOLDER, version=version, session=session, object_pairs_hook=None
        )
        self.headers = {
            "Content-Type": "application/json"
        }  # without X-PrettyPrint, which a third of each page would be

    def parse_result_to_json(self, result: requests.Response) -> Answer:
        return Answer(result.content, result.headers.get("date", ""), math.ceil(result.elapsed.total_seconds()))


class _Session(requests.Session):
    def __init__(self, edge: Edge) -> None:
        super().__init__()
        self.trust_env = False  # no netrc, no proxies: the edge decides
        self.headers.clear()
        self.mount("https://", _Bridge(edge))

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - requests' signature
        return None  # a redirect is a login page or a moved org: judged by its status, never followed


class _Bridge(BaseAdapter):
    def __init__(self, edge: Edge) -> None:
        super().__init__()
        self._edge = edge

    def send(self, request: requests.PreparedRequest, *_args: object, **_options: object) -> requests.Response:
        outgoing = self._edge.build_request(
            request.method or "GET", request.url or "", content=request.body, headers=dict(request.headers)
        )
        answer = self._edge.send(outgoing)
        response = requests.Response()
        response.status_code = answer.status_code
        response.headers = CaseInsensitiveDict(answer.headers)
        response.url = request.url or ""
        response.request = request
        response.encoding = answer.encoding
        response._content = answer.content  # noqa: SLF001 - requests offers no other way to hand a body over
        return response

    def close(self) -> None:
        """Nothing: the edge is closed by the connector."""
