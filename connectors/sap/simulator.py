"""A stateful SAP S/4HANA that speaks API_BUSINESS_PARTNER (OData V2): `SapSimulator`.

Not here: its parts, one module each (`simulator_*`), and any company's data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from connectors.sap.paths import Step, steps
from connectors.sap.simulator_partner import Partners, Veto
from connectors.sap.simulator_query import Row
from connectors.sap.simulator_schema import Entity, schema
from connectors.sap.simulator_service import Service
from connectors.sap.simulator_session import Door
from connectors.sap.simulator_store import Key, Store, key_of
from connectors.sap.simulator_wire import Answer, Call, Renderer
from connectors.simulation import WRITING, Simulator, VirtualClock

SERVICE = "/sap/opu/odata/sap/API_BUSINESS_PARTNER"
TOKEN = "/sap/bc/sec/oauth2/token"  # noqa: S105 - a path
ROOT = "A_BusinessPartner"


class SapSimulator(Simulator):
    """WSGI application; the switches are plain attributes.

    `zone` is the system's time zone for date-and-time pairs, `page_cap` switches server paging on,
    `etags` says per entity set whether an ETag is "optional" or "required" (sets not named have none),
    `repeatability` whether the administrator has set up Gateway's repeatable requests.
    """

    def __init__(  # noqa: PLR0913 - switches, all optional
        self,
        clock: VirtualClock | None = None,
        *,
        user: str = "CC0000000017",
        password: str = "simulated",  # noqa: S107 - a simulator's
        client: str = "100",
        system: str = "S4H",
        zone: str = "UTC",
        page_cap: int | None = None,
        etags: Mapping[str, str] | None = None,
        repeatability: bool = False,
    ) -> None:
        super().__init__("sap", clock)
        self.user = user
        self.door = Door(self.clock.now, client, system, {user: password})
        self.partners = Partners(Store(), self.clock.now, zone)
        self.etags = dict(etags) if etags is not None else {ROOT: "optional"}
        renderer = Renderer(self.partners.store, "", self.etags)
        self.service = Service(self.partners, renderer, self.count_writes, page_cap)
        self.repeatability = repeatability
        self._repeated: dict[str, Answer] = {}
        self._holding = False
        self._late: list[tuple[Any, list[tuple[Entity, Row]]]] = []

    @property
    def store(self) -> Store:
        """The tables."""
        return self.partners.store

    # -- the protocol --------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """Log-on, then CSRF for changing calls, then the service."""
        self._commit_late()
        response = self._answer(request)
        if response.status_code < 400:  # noqa: PLR2004 - any error
            self.door.hand_out(request, response)
        response.headers["Date"] = format_datetime(self.clock.now(), usegmt=True)
        return response

    def _answer(self, request: Request) -> Response:
        if request.path == TOKEN:
            return self.door.grant(request)
        refused = self.door.refused(request)
        if refused is None and request.method in WRITING:
            refused = self.door.csrf_refused(request)
        if refused is not None:
            return refused
        if not request.path.startswith(SERVICE):
            return Response("<html><body>404 Not found</body></html>", 404, content_type="text/html")
        return _response(self._served(request))

    def _served(self, request: Request) -> Answer:
        user = self.door.user(request)
        self.service.renderer.root = f"{request.host_url.rstrip('/')}{SERVICE}/"
        path = request.path.removeprefix(SERVICE).removeprefix("/")
        if path == "$batch":
            return self.service.batch(request.get_data(), request.content_type or "", user)
        call = Call(request.method, path, request.args.to_dict(), dict(request.headers), request.get_data())
        return self._repeatable(call, user) if request.method == "POST" else self.service.handle(call, user)

    def _repeatable(self, call: Call, user: str) -> Answer:
        """Gateway's repeatable requests: the answer of a known RequestID is given again, nothing is done."""
        request_id = call.header("requestid") if call.header("repeatabilitycreation") else ""
        if not request_id:
            return self.service.handle(call, user)
        known = self._repeated.get(request_id)
        if known is not None:
            self.count_writes(1)
            return known
        answer = self.service.handle(call, user)
        answer.headers["RepeatabilityResult"] = "accepted" if self.repeatability else "unsupported"
        if self.repeatability:
            self._repeated[request_id] = answer
        return answer

    # -- for tests and the sandbox -------------------------------------------------------------

    def seed(self, documents: Iterable[Mapping[str, Any]], user: str = "MIGRATION", *, name: str = ROOT) -> list[str]:
        """Load nested documents as they are (numbers and stamps included), without checks; returns their numbers."""
        entity = schema()[name]
        with self.lock:
            made = [self.partners.create(entity, document, user, trusted=True) for document in documents]
            self.store.settle()
        return [str(row[entity.keys[0]]) for row in made]

    @contextmanager
    def late(self, seconds: float) -> Iterator[None]:
        """Edits made inside are stamped now; their update task commits `seconds` later."""
        with self.lock:
            self.store.settle()
            self._holding = True
            try:
                yield
            finally:
                self._holding = False
                touched = self.store.touched()
                self.store.undo()
                self._late.append((self.clock.now() + timedelta(seconds=seconds), touched))

    def later(self, seconds: float, name: str, id: str, fields: dict[str, Any], user: str = "MILLER") -> Row:  # noqa: A002
        """One edit that commits late."""
        with self.late(seconds):
            return self.edit(name, id, fields, user)

    def _commit_late(self) -> None:
        due = [entry for entry in self._late if entry[0] <= self.clock.now()]
        self._late = [entry for entry in self._late if entry[0] > self.clock.now()]
        for _, rows in due:
            for entity, row in rows:
                self.store.put(entity, row)
        if due:
            self.store.settle()

    def hide(self, partner: str) -> None:
        """Set the end-of-purpose block: the partner vanishes from normal reads."""
        self.store.hidden.add(partner)

    def lock_partner(self, partner: str, user: str = "MILLER") -> None:
        """Somebody has the partner open on the screen."""
        self.partners.locks[partner] = user

    def unlock_partner(self, partner: str) -> None:
        """The screen was closed."""
        self.partners.locks.pop(partner, None)

    def veto(self, prop: str, contains: str, text: str = "Value rejected by validation", times: int = 1) -> None:
        """An enhancement refuses the next write whose property contains a text."""
        self.partners.vetoes.append(Veto(prop, contains, text, times))

    def expire_sessions(self) -> None:
        """Every session and CSRF token is gone, and every OAuth token with them."""
        self.door.sessions.clear()
        self.door.tokens.clear()

    def counts(self) -> dict[str, Any]:
        """Rows per set, archived partners, and identification numbers that more than one partner carries."""
        tables = self.store.tables
        carriers: dict[Key, set[str]] = {}
        for partner, kind, number in tables["A_BuPaIdentification"]:
            carriers.setdefault((kind, number), set()).add(partner)
        return {
            "rows": {name: len(rows) for name, rows in tables.items()},
            "archived": sum(bool(row["IsMarkedForArchiving"]) for row in tables[ROOT].values()),
            "duplicates": sorted("/".join(key) for key, partners in carriers.items() if len(partners) > 1),
        }

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Every row of an entity set, hidden ones too."""
        return [dict(row) for row in self.store.tables[name].values()]

    def edit(
        self,
        name: str,
        id: str,  # noqa: A002 - as the base class says
        fields: dict[str, Any],
        user: str = "",
    ) -> dict[str, Any]:
        """A person changes a row by native paths, or creates one (empty id) from nested fields.

        The id of a row with several key properties holds their values, with slashes between.
        """
        entity = schema()[name]
        with self.lock:
            if not id:
                given = {"BusinessPartnerCategory": "2", "BusinessPartnerGrouping": "BP02"} if name == ROOT else {}
                row = self.partners.create(entity, given | fields, user or "MILLER")
            else:
                row = self._edit(
                    entity,
                    self.store.tables[name][tuple(id.split("/")) if len(entity.keys) > 1 else (id,)],
                    fields,
                    user or "MILLER",
                )
            if not self._holding:
                self.store.settle()
        return dict(row)

    def _edit(self, entity: Entity, row: Row, fields: dict[str, Any], user: str) -> Row:
        plain = {path: value for path, value in fields.items() if path in entity.props}
        if plain:
            row = self.partners.change(entity, row, plain, user)
        for path, value in fields.items():
            if path not in entity.props:
                *way, last = steps(path)
                row = self.store.tables[entity.set][key_of(entity, row)]  # as the path before left it
                self._edit_below(entity, row, way, last.name, value, user)
        return row

    def _edit_below(self, entity: Entity, row: Row, way: list[Step], prop: str, value: Any, user: str) -> None:  # noqa: ANN401 - JSON
        for step in way:
            nav = entity.navs[step.name]
            entity = schema()[nav.target]
            rows = [child for child in self.store.children(row, nav) if _selected(self.store, entity, child, step)]
            if not rows:
                payload: dict[str, Any] = {name: text for name, text in step.match if "." not in name}
                payload |= {prop: value} if step is way[-1] else {}
                rows = [self.partners.create_below(row, nav, payload, user)]
            row = rows[0]
        self.partners.change(entity, row, {prop: value}, user)


def _selected(store: Store, entity: Entity, row: Row, step: Step) -> bool:
    return all(_has(store, entity, row, name.split("."), value) for name, value in step.match)


def _has(store: Store, entity: Entity, row: Row, names: list[str], value: str) -> bool:
    if len(names) == 1:
        return str(row[names[0]]) == value
    nav = entity.navs[names[0]]
    return any(_has(store, schema()[nav.target], child, names[1:], value) for child in store.children(row, nav))


def _response(answer: Answer) -> Response:
    response = Response(answer.body, answer.status, answer.headers, content_type=answer.content_type)
    response.headers["dataserviceversion"] = "2.0"
    return response
