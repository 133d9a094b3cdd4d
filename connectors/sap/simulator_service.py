"""The simulator's OData service: resource paths, reads with system options, writes with ETags, $batch.

Not here: log-on and CSRF (`simulator_session`), and what a business partner is (`simulator_partner`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from connectors.sap.simulator_partner import Partners
from connectors.sap.simulator_query import Refusal, Row, Tree, bad_request, check_tree, compile_filter, order, tree
from connectors.sap.simulator_schema import Entity, Nav, metadata, schema
from connectors.sap.simulator_store import Store, key_of
from connectors.sap.simulator_wire import (
    Answer,
    Call,
    Renderer,
    batch_body,
    batch_parts,
    error_answer,
    key_values,
    predicate,
)

_SEGMENT = re.compile(r"(?P<name>[$\w]+)(?:\((?P<key>(?:[^()']|'(?:[^']|'')*'|\([^()]*\))*)\))?(?:/|$)")
_OPTIONS = {"$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$skiptoken", "$inlinecount", "$format"}


@dataclass(slots=True)
class Target:
    """What a path names: a set, one entity, or the children of one."""

    entity: Entity
    row: Row | None = None
    parent: Row | None = None
    nav: Nav | None = None
    count: bool = False


@dataclass(slots=True)
class Service:
    """One OData V2 service over the partners."""

    partners: Partners
    renderer: Renderer
    count_writes: Callable[[int], None]
    page_cap: int | None = None
    """Server paging: no answer holds more rows, and `__next` leads on."""
    forbidden: set[str] = field(default_factory=set)
    """Entity sets the user lacks the authorisation for."""
    warnings: list[str] = field(default_factory=list)
    """Sent once each in `sap-message` with the next accepted writes."""
    writable: bool = True

    @property
    def store(self) -> Store:
        """The tables behind it."""
        return self.partners.store

    # -- one call ------------------------------------------------------------------------------

    def handle(self, call: Call, user: str) -> Answer:
        """Answer one call outside a batch; a refused write leaves no trace."""
        if call.method not in {"GET", "HEAD"}:
            self.count_writes(1)
        return self._guarded(call, user, settle=True)

    def _guarded(self, call: Call, user: str, *, settle: bool) -> Answer:
        try:
            answer = self._dispatch(call, user)
        except Refusal as refusal:
            if settle:
                self.store.undo()
            accept = "json" if call.query.get("$format") == "json" else call.header("accept") or "xml"
            return error_answer(refusal, f"{self.partners.now():%Y%m%d%H%M%S.0000000}", accept)
        if settle:
            self.store.settle()
        return answer

    def _dispatch(self, call: Call, user: str) -> Answer:
        if call.path.strip("/") == "":
            return Answer(200, json.dumps({"d": {"EntitySets": list(schema())}}))
        if call.path == "$metadata":
            return Answer(200, metadata(), content_type="application/xml")
        target = self._target(call.path)
        if target.entity.set in self.forbidden:
            raise Refusal(403, "/IWFND/CM_MGW/096", f"No authorization for entity set {target.entity.set}")
        match call.method:
            case "GET" | "HEAD":
                return self._read(call, target)
            case "POST":
                return self._post(call, target, user)
            case "PATCH" | "MERGE":
                return self._patch(call, target, user)
            case "DELETE":
                return self._delete(call, target, user)
        raise Refusal(405, "/IWFND/CM_MGW/405", f"Method {call.method} is not allowed")

    # -- paths ---------------------------------------------------------------------------------

    def _target(self, path: str) -> Target:
        segments = list(_segments(unquote(path)))
        name, key = segments.pop(0)
        entity = schema().get(name)
        if entity is None:
            raise Refusal(404, "005056A509B11EE1B9A8FEC11C21D78E", f"Resource not found for the segment '{name}'")
        target = Target(entity, self._find(entity, key) if key is not None else None)
        for name, key in segments:
            if name == "$count":
                target.count = True
                continue
            target = self._step(target, name, key)
        return target

    def _step(self, target: Target, name: str, key: str | None) -> Target:
        nav = target.entity.navs.get(name)
        if nav is None or target.row is None:
            raise Refusal(404, "005056A509B11EE1B9A8FEC11C21D78E", f"Resource not found for the segment '{name}'")
        entity = schema()[nav.target]
        if key is not None:
            return Target(entity, self._find(entity, key))
        if nav.many:
            return Target(entity, parent=target.row, nav=nav)
        found = self.store.children(target.row, nav)
        if not found:
            raise _not_found(entity)
        return Target(entity, found[0])

    def _find(self, entity: Entity, key: str) -> Row:
        row = self.store.tables[entity.set].get(key_values(entity, key))
        if row is None or not self.store.visible(row):
            raise _not_found(entity)
        return row

    # -- reads ---------------------------------------------------------------------------------

    def _read(self, call: Call, target: Target) -> Answer:
        unknown = [name for name in call.query if name.startswith("$") and name not in _OPTIONS]
        if unknown:
            raise bad_request(f"System query option '{unknown[0]}' is not supported")
        select, expand = tree(call.query.get("$select", "")), tree(call.query.get("$expand", ""))
        check_tree(select, target.entity, navs_only=False)
        check_tree(expand, target.entity, navs_only=True)
        if target.row is not None:
            shown = self.renderer.entity(target.entity, target.row, select, expand)
            etag = shown["__metadata"].get("etag", "")
            return _json(200, {"d": shown}, {"ETag": etag} if etag else {})
        rows = self._rows(call, target)
        if target.count:
            return Answer(200, str(len(rows)), content_type="text/plain")
        page, following = self._page(call, rows)
        results = [self.renderer.entity(target.entity, row, select, expand) for row in page]
        answer: dict[str, Any] = {"results": results}
        if call.query.get("$inlinecount") == "allpages":
            answer["__count"] = str(len(rows))
        if following:
            answer["__next"] = following
        return _json(200, {"d": answer})

    def _rows(self, call: Call, target: Target) -> list[Row]:
        entity = target.entity
        if target.parent is not None and target.nav is not None:
            rows = self.store.children(target.parent, target.nav)
        else:
            rows = list(self.store.scan(entity))
        if call.query.get("$filter"):
            rows = list(filter(compile_filter(call.query["$filter"], entity), rows))
        return order(rows, call.query["$orderby"], entity) if call.query.get("$orderby") else rows

    def _page(self, call: Call, rows: list[Row]) -> tuple[list[Row], str]:
        """Skip, top and the server's own cap; `__next` carries the same options with a `$skiptoken`."""
        start = _number(call, "$skip") or 0
        done = _number(call, "$skiptoken") or 0
        top = _number(call, "$top")
        wanted = rows[start : start + top if top is not None else None]
        rest = wanted[done:]
        if self.page_cap is None or len(rest) <= self.page_cap:
            return rest, ""
        options = {**call.query, "$skiptoken": str(done + self.page_cap)}
        return rest[: self.page_cap], f"{self.renderer.root}{call.path}?{urlencode(options)}"

    # -- writes --------------------------------------------------------------------------------

    def _post(self, call: Call, target: Target, user: str) -> Answer:
        payload = _payload(call)
        if target.nav is not None and target.parent is not None:
            row = self.partners.create_below(target.parent, target.nav, payload, user)
        else:
            self._parent_exists(target.entity, payload)
            row = self.partners.create(target.entity, payload, user)
        row = self.store.tables[target.entity.set][key_of(target.entity, row)]
        expand: Tree = {name: {} for name in payload if name in target.entity.navs}
        shown = self.renderer.entity(target.entity, row, {}, expand)
        location = self.renderer.root + predicate(target.entity, row)
        return self._with_warning(_json(201, {"d": shown}, {"Location": location}))

    def _parent_exists(self, entity: Entity, payload: dict[str, Any]) -> None:
        if entity.set == "A_BusinessPartner" or "BusinessPartner" not in entity.props:
            return
        key = str(payload.get("BusinessPartner", "")).lstrip("0")
        if (key,) not in self.store.tables["A_BusinessPartner"]:
            raise _not_found(schema()["A_BusinessPartner"])

    def _patch(self, call: Call, target: Target, user: str) -> Answer:
        if target.row is None:
            raise Refusal(405, "/IWFND/CM_MGW/405", "Update is only possible for a single entity")
        self._precondition(call, target.entity, target.row)
        self.partners.change(target.entity, target.row, _payload(call), user)
        return self._with_warning(Answer(204))

    def _delete(self, call: Call, target: Target, user: str) -> Answer:
        if target.row is None:
            raise Refusal(405, "/IWFND/CM_MGW/405", "Delete is only possible for a single entity")
        if not target.entity.deletable:
            raise Refusal(405, "/IWBEP/CM_MGW_RT/037", f"Delete is not supported for entity set {target.entity.set}")
        self._precondition(call, target.entity, target.row)
        self.partners.delete(target.entity, target.row, user)
        return self._with_warning(Answer(204))

    def _precondition(self, call: Call, entity: Entity, row: Row) -> None:
        """412 for another ETag; 428 where the set demands one (KBA 3514624)."""
        given, etag = call.header("if-match"), self.renderer.etag(entity, row)
        if not given and self.renderer.etags.get(entity.set) == "required":
            raise Refusal(428, "SADL_ENTITY_RUNTIME/006", "The request needs an If-Match header")
        if given and given != "*" and etag and given != etag:
            raise Refusal(412, "/IWFND/CM_MGW/412", "Precondition failed: the ETag does not match")

    def _with_warning(self, answer: Answer) -> Answer:
        """A warning travels in a header of an accepted write."""
        if self.warnings:
            text = self.warnings.pop(0)
            message = {"code": "R1/300", "message": text, "severity": "warning", "target": "", "details": []}
            answer.headers["sap-message"] = json.dumps(message)
        return answer

    # -- $batch --------------------------------------------------------------------------------

    def batch(self, body: bytes, content_type: str, user: str) -> Answer:
        """202 with one answer per GET and per changeset operation; a failed changeset is one error."""
        try:
            parts = list(batch_parts(body, content_type))
        except Refusal as refusal:
            return error_answer(refusal, "", "json")
        answers: list[Answer | list[tuple[Call, Answer]]] = []
        for part in parts:
            if isinstance(part, list):
                answers.append(self._changeset(part, user))
            elif part.method == "GET":
                answers.append(self._guarded(part, user, settle=False))
            else:
                answers.append(error_answer(bad_request("A changing operation must be inside a changeset"), ""))
        content, boundary = batch_body(answers)
        return Answer(202, content.decode(), content_type=f"multipart/mixed; boundary={boundary}")

    def _changeset(self, calls: list[Call], user: str) -> Answer | list[tuple[Call, Answer]]:
        """All or nothing; one error replaces every answer, so nobody learns which operation it was."""
        self.count_writes(1)
        done: list[tuple[Call, Answer]] = []
        for call in calls:
            answer = self._guarded(call, user, settle=False)
            if answer.status >= 400:  # noqa: PLR2004 - any error
                self.store.undo()
                return answer
            done.append((call, answer))
        self.store.settle()
        return done


def _segments(path: str) -> Iterator[tuple[str, str | None]]:
    position = 0
    while position < len(path):
        match = _SEGMENT.match(path, position)
        if match is None:
            raise bad_request(f"Malformed URI segment at position {position}")
        yield match["name"], match["key"]
        position = match.end()


def _number(call: Call, name: str) -> int | None:
    text = call.query.get(name, "")
    if text and not text.isdigit():
        raise bad_request(f"Invalid value for {name}")
    return int(text) if text else None


def _payload(call: Call) -> dict[str, Any]:
    try:
        payload = json.loads(call.body)
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise bad_request("The request body is not a JSON object")
    return payload["d"] if set(payload) == {"d"} else payload


def _not_found(entity: Entity) -> Refusal:
    return Refusal(404, "/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{entity.type}'")


def _json(status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, json.dumps(body, ensure_ascii=False), headers or {})
