"""A Salesforce org on the loopback: OAuth, REST resources, collections, composite, queries; stateful.

Not here: rows and rules (`simulator_store`), the query language (`simulator_soql`), any company's data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
from werkzeug.wrappers import Request, Response

from connectors.salesforce.ids import full_id
from connectors.salesforce.simulator_oauth import ConnectedApp, Tokens
from connectors.salesforce.simulator_objects import standard_objects
from connectors.salesforce.simulator_query import Queries
from connectors.salesforce.simulator_rest import Rest
from connectors.salesforce.simulator_schema import ObjectType
from connectors.salesforce.simulator_store import Refusal, Row, Store, stamp
from connectors.simulation import Simulator, VirtualClock

DATA = re.compile(r"/services/data/v(\d+\.\d)/?(.*)")
VERSIONS = tuple(f"{number}.0" for number in range(44, 66))
COMPOSITE_LIMIT = 25
_REFERENCE = re.compile(r"@\{(\w+)\.([\w.\[\]]+)\}")


@dataclass(slots=True)
class Incoming:
    """One REST call, from the wire or from inside a composite call."""

    method: str
    version: str
    path: str
    args: dict[str, str]
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""


@dataclass(slots=True)
class Outgoing:
    """Its answer; `payload` None is an empty body."""

    status: int
    payload: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class SalesforceSimulator(Simulator):
    """One org with the objects of `simulator_objects`; more by `store.add_object`.

    Switches: `app` (connected app, token life), `tokens.revoke()`, `instance_url`, `api_used`, `api_limit`,
    `concurrency_exceeded`, `queries.page_limit`, `queries.expire_locators()`, `store.hidden`,
    `store.locked`, `store.validation_rules`, `store.duplicate_rules`, `store.automation`, `late(...)`,
    `store.relations.stamps_cascades`, and the faults of the base class.
    """

    def __init__(
        self,
        name: str = "salesforce",
        clock: VirtualClock | None = None,
        *,
        client_id: str = "hub-client",
        client_secret: str = "hub-secret",  # noqa: S107 - opens nothing but this simulator
        username: str = "hub@example.com",
        public_key: str = "",
    ) -> None:
        super().__init__(name, clock)
        self.app = ConnectedApp(client_id, client_secret, username, public_key)
        self.store = Store(standard_objects(), self.clock)
        self.queries = Queries(self.store)
        self.rest = Rest(self.store, self.queries, self.count_writes)
        self.organization = self._setup(
            "Organization", {"Name": "Simulated", "IsSandbox": True, "InstanceName": "SIM1"}
        )
        self.hub_user = self._setup("User", {"Username": username, "Name": "Hub", "IsActive": True})
        self.person = self._setup("User", {"Username": "pat@example.com", "Name": "Pat Person", "IsActive": True})
        self.rest.user = self.hub_user
        self.tokens = Tokens(self.app, self.clock, self.organization, self.hub_user)
        self.instance_url = ""
        self.api_used = 0
        self.api_limit = 100_000
        self.concurrency_exceeded = False
        self._routes = self.rest.routes()

    def _setup(self, name: str, values: Row) -> str:
        return str(self.store.create(name, values, "")["Id"])

    # -- what people do ----------------------------------------------------------------------------

    def edit(self, name: str, id: str, fields: dict[str, Any], user: str = "") -> Row:  # noqa: A002 - as in the base
        """A person saves a record on the screen, under all rules but the duplicate alert. Raises `Refusal`."""
        with self.lock:
            values = self.store.parse(name, fields)
            if not id:
                return self.store.create(name, values, user or self.person, bypass=True)
            return self.store.update(name, id, values, user or self.person)

    def late(self, name: str, id: str, fields: dict[str, Any], seconds: float) -> Row:  # noqa: A002 - as above
        """As `edit`, in a transaction that commits `seconds` later under the stamp of now."""
        with self.lock:
            return self.store.later(seconds, lambda: self.edit(name, id, fields))

    def remove(self, name: str, id: str, user: str = "") -> None:  # noqa: A002 - as above
        """A person deletes a record: it goes to the recycle bin."""
        with self.lock:
            self.store.delete(name, id, user or self.person)

    def undelete(self, name: str, id: str) -> None:  # noqa: A002 - as above
        """A person takes it out of the bin again."""
        with self.lock:
            self.store.undelete(name, id, self.person)

    def purge(self, name: str) -> int:
        """The recycle bin is emptied; the number of records that are gone for good."""
        with self.lock:
            return self.store.purge(name)

    def merge(self, name: str, winner: str, losers: Sequence[str]) -> None:
        """A person merges records."""
        with self.lock:
            self.store.merge(name, winner, losers, self.person)

    def seed(self, name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Put rows in as they are, without rules; missing ids and stamps are made up. Returns the ids."""
        with self.lock:
            kind = self.store.objects[name]
            blank = self.store.blank(kind)
            now = stamp(self.clock.now())
            ids = []
            for given in rows:
                made = {**blank, **given}
                made["Id"] = full_id(made["Id"]) if made["Id"] else self.store.new_id(kind.prefix)
                moved = made["SystemModstamp"] or made["LastModifiedDate"] or now
                for stamped in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
                    made[stamped] = made[stamped] or moved
                for by in ("CreatedById", "LastModifiedById", "OwnerId"):
                    if by in made:
                        made[by] = made[by] or self.person
                self.store.put(name, made)
                ids.append(str(made["Id"]))
            self.store.index.clear()
            return ids

    def add_object(self, added: ObjectType) -> None:
        """A further object."""
        self.store.add_object(added)

    # -- inspection --------------------------------------------------------------------------------

    def counts(self) -> dict[str, Any]:
        """Rows per object, live and deleted, and hub keys that stand on more than one live row."""
        self.store.settle()
        return {name: self._count(name) for name in self.store.tables}

    def _count(self, name: str) -> dict[str, Any]:
        rows = list(self.store.tables[name].values())
        live = [row for row in rows if not row.get("IsDeleted")]
        keys = [item.name for item in self.store.objects[name].fields.values() if item.external_id]
        repeated: list[str] = []
        for key in keys:
            seen: set[str] = set()
            for row in live:
                if row[key] is not None:
                    repeated += [row[key]] if row[key] in seen else []
                    seen.add(row[key])
        return {"live": len(live), "deleted": len(rows) - len(live), "duplicates": repeated}

    def rows(self, name: str) -> list[Row]:
        """Every row, those in the recycle bin too."""
        self.store.settle()
        return [dict(row) for row in self.store.tables[name].values()]

    # -- the wire ----------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """Route one call."""
        self.store.settle()
        host = request.host_url.rstrip("/")
        if request.path == "/services/oauth2/token":
            authorization = request.headers.get("Authorization", "")
            return self._response(
                Outgoing(*self.tokens.grant(request.form, authorization, host, self.instance_url or host))
            )
        if request.path == "/services/data":
            listed = [
                {"label": version, "url": f"/services/data/v{version}", "version": version} for version in VERSIONS
            ]
            return self._response(Outgoing(200, listed))
        return self._response(self._guarded(request))

    def _guarded(self, request: Request) -> Outgoing:
        if not self.tokens.good(request.headers.get("Authorization", "")):
            return _refused(Refusal("INVALID_SESSION_ID", "Session expired or invalid", status=401))
        if request.path == "/services/oauth2/userinfo" or request.path.startswith("/id/"):
            return Outgoing(200, {"user_id": self.hub_user, "organization_id": self.organization})
        if self.concurrency_exceeded:
            text = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
            return _refused(Refusal("REQUEST_LIMIT_EXCEEDED", text, status=403))
        if self.api_used >= self.api_limit:
            return _refused(Refusal("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403))
        self.api_used += 1
        found = DATA.fullmatch(request.path)
        if found is None:
            return _refused(Refusal("NOT_FOUND", "The requested resource does not exist", status=404))
        body = request.get_data()
        try:
            parsed = orjson.loads(body) if body else None
        except orjson.JSONDecodeError as error:
            return _refused(Refusal("JSON_PARSER_ERROR", f"Unexpected character at [line:1, column:{error.pos}]"))
        raw_path = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or request.path)
        path = DATA.fullmatch(urlsplit(raw_path).path)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self.call(
            Incoming(request.method, found[1], path[2] if path else found[2], dict(request.args), parsed, headers)
        )

    def call(self, call: Incoming) -> Outgoing:
        """Answer one REST call."""
        parts = [unquote(part) for part in call.path.strip("/").split("/")]
        try:
            if parts == ["limits"]:
                used = {"Max": self.api_limit, "Remaining": self.api_limit - self.api_used}
                return Outgoing(200, {"DailyApiRequests": used})
            if parts == ["composite"]:
                return Outgoing(200, self._composite(call))
            for method, pattern, handler in self._routes:
                if method == call.method and (values := _matched(pattern, parts)) is not None:
                    return Outgoing(*handler(call, *values))
        except Refusal as refusal:
            return _refused(refusal)
        return _refused(Refusal("NOT_FOUND", "The requested resource does not exist", status=404))

    def _composite(self, call: Incoming) -> dict[str, Any]:
        requests = (call.body or {}).get("compositeRequest") or []
        if not requests or len(requests) > COMPOSITE_LIMIT or not all(part.get("referenceId") for part in requests):
            raise Refusal("INVALID_INPUT", "The composite request is malformed or has too many parts", whole=True)
        saved = {name: dict(table) for name, table in self.store.tables.items()} if call.body.get("allOrNone") else None
        bodies: dict[str, Any] = {}
        answers = [self._part(part, call, bodies) for part in requests]
        if saved is not None and any(part["httpStatusCode"] >= 400 for part in answers):  # noqa: PLR2004 - HTTP
            self.store.tables = saved
            self.store.index.clear()
            halted = [{"errorCode": "PROCESSING_HALTED", "message": "The transaction was rolled back"}]
            answers = [
                part if part["httpStatusCode"] >= 400 else {**part, "body": halted, "httpStatusCode": 400}  # noqa: PLR2004 - HTTP
                for part in answers
            ]
        return {"compositeResponse": answers}

    def _part(self, part: dict[str, Any], outer: Incoming, bodies: dict[str, Any]) -> dict[str, Any]:
        url = urlsplit(_filled(part["url"], bodies))
        body = orjson.loads(_filled(orjson.dumps(part["body"]).decode(), bodies)) if "body" in part else None
        found = DATA.fullmatch(url.path)
        headers = {**outer.headers, **{name.lower(): value for name, value in part.get("httpHeaders", {}).items()}}
        version, path = (found[1], found[2]) if found else ("", "")
        answer = self.call(Incoming(part["method"], version, path, dict(parse_qsl(url.query)), body, headers))
        bodies[part["referenceId"]] = answer.payload
        return {
            "body": answer.payload,
            "httpHeaders": answer.headers,
            "httpStatusCode": answer.status,
            "referenceId": part["referenceId"],
        }

    def _response(self, answer: Outgoing) -> Response:
        body = b"" if answer.payload is None else orjson.dumps(answer.payload)
        response = Response(body, answer.status, answer.headers, content_type="application/json;charset=UTF-8")
        response.headers["Sforce-Limit-Info"] = f"api-usage={self.api_used}/{self.api_limit}"
        return response


def _refused(refusal: Refusal) -> Outgoing:
    return Outgoing(refusal.status, refusal.top())


def _matched(pattern: Sequence[str], parts: Sequence[str]) -> list[str] | None:
    if len(pattern) != len(parts):
        return None
    values = []
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted == "*":
            values.append(part)
        elif wanted != part:
            return None
    return values


def _filled(text: str, bodies: Mapping[str, Any]) -> str:
    """Replace `@{reference.field}` by what an earlier part answered."""

    def value(found: re.Match[str]) -> str:
        reached: Any = bodies.get(found[1])
        for step in re.findall(r"\w+", found[2]):
            if isinstance(reached, list):
                reached = reached[int(step)]
            else:
                reached = reached.get(step) if isinstance(reached, Mapping) else None
        return str(reached)

    return _REFERENCE.sub(value, text)
