"""The simulator's answers on the wire: entities, collections, errors, and the parts of a $batch.

Not here: which rows to answer with.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

from connectors.sap.simulator_query import Refusal, Row, Tree, bad_request, literal
from connectors.sap.simulator_rules import wire
from connectors.sap.simulator_schema import ALPHA, NAMESPACE, Entity, Prop, schema
from connectors.sap.simulator_store import Key, Store


@dataclass(slots=True)
class Answer:
    """One HTTP answer, outer or inside a batch."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request, outer or inside a batch; the path is relative to the service root and unquoted."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str:
        """A header whatever its case."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")


# -- entities ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Renderer:
    """Shapes rows as OData V2 JSON."""

    store: Store
    root: str
    etags: Mapping[str, str]
    """Entity sets that have an HTTP ETag at all."""

    def entity(self, entity: Entity, row: Row, select: Tree, expand: Tree) -> dict[str, Any]:
        """One entity with its chosen properties, expanded and deferred navigations."""
        uri = self.root + predicate(entity, row)
        about = {"id": uri, "uri": uri, "type": f"{NAMESPACE}.{entity.type}"}
        etag = self.etag(entity, row)
        shown: dict[str, Any] = {"__metadata": about | ({"etag": etag} if etag else {})}
        everything = not select or "*" in select
        for name, prop in entity.props.items():
            if everything or name in select:
                shown[name] = wire(prop, row[name])
        for name, nav in entity.navs.items():
            if not everything and name not in select:
                continue
            if name not in expand:
                shown[name] = {"__deferred": {"uri": f"{uri}/{name}"}}
                continue
            target = schema()[nav.target]
            below = self.store.children(row, nav)
            children = [self.entity(target, child, select.get(name, {}), expand[name]) for child in below]
            shown[name] = {"results": children} if nav.many else (children[0] if children else None)
        return shown

    def etag(self, entity: Entity, row: Row) -> str:
        """`W/"'…'"` over the ETag property where there is one, else over the row."""
        if entity.set not in self.etags:
            return ""
        stamp = row.get("ETag") or hashlib.sha1(repr(row).encode()).hexdigest()[:16].upper()  # noqa: S324 - a stamp
        return f"W/\"'{stamp}'\""


def predicate(entity: Entity, row: Row) -> str:
    """`Set('key')` or `Set(A='x',B='y')`, quoted for a URL."""
    parts = [(name, key_literal(entity.props[name], row[name])) for name in entity.keys]
    inner = parts[0][1] if len(parts) == 1 else ",".join(f"{name}={text}" for name, text in parts)
    return f"{entity.set}({quote(inner, safe=_PLAIN)})"


_PLAIN = "',=:-"


def key_literal(prop: Prop, value: Any) -> str:  # noqa: ANN401 - by the property's type
    """The URI literal of a stored value."""
    match prop.type:
        case "Edm.DateTime":
            return f"datetime'{value}T00:00:00'"
        case "Edm.DateTimeOffset":
            return f"datetimeoffset'{value}'"
        case "Edm.Boolean":
            return "true" if value else "false"
    return "'" + str(value).replace("'", "''") + "'"


_KEY = re.compile(r"\s*(?:(?P<name>\w+)\s*=\s*)?(?P<value>(?:\w+)?'(?:[^']|'')*'|true|false|-?\d+)\s*(?:,|$)")


def key_values(entity: Entity, text: str) -> Key:
    """The stored key for a predicate's inside; zeros, spaces and the single-key short form are all accepted."""
    found: dict[str, Any] = {}
    position = 0
    while position < len(text):
        match = _KEY.match(text, position)
        if match is None:
            raise bad_request(f"Invalid key predicate ({text})")
        name = match["name"] or entity.keys[0]
        if name not in entity.keys:
            raise bad_request(f"Invalid key predicate type for property '{name}'")
        found[name] = stored_key(entity.props[name], literal(entity.props[name], match["value"]))
        position = match.end()
    if set(found) != set(entity.keys):
        raise bad_request("The number of keys specified in the URI does not match")
    return tuple(found[name] for name in entity.keys)


def stored_key(prop: Prop, value: Any) -> Any:  # noqa: ANN401 - by the property's type
    """A key as the tables hold it: numbers without zeros; text keeps its case, as keys are case-sensitive."""
    if isinstance(value, str) and value.isdigit() and (prop.name in ALPHA or prop.digits):
        return value.lstrip("0") or "0"
    return value


# -- errors ------------------------------------------------------------------------------------


def error_answer(refusal: Refusal, now: str, accept: str = "json") -> Answer:
    """The error envelope, as JSON or (when no JSON was asked for) as Atom XML."""
    if "json" not in accept and "xml" in accept:
        body = (
            '<?xml version="1.0" encoding="utf-8"?>'
            '<error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata">'
            f'<code>{escape(refusal.code)}</code><message xml:lang="en">{escape(refusal.text)}</message></error>'
        )
        return Answer(refusal.status, body, content_type="application/xml;charset=utf-8")
    detail = {
        "code": refusal.code,
        "message": refusal.text,
        "propertyref": refusal.prop,
        "severity": "error",
        "target": refusal.prop.rpartition("/")[2],
    }
    inner = {
        "application": {"component_id": "AP-MD-BP", "service_id": NAMESPACE, "service_version": "0001"},
        "transactionid": uuid.uuid4().hex.upper(),
        "timestamp": now,
        "Error_Resolution": {"SAP_Transaction": "", "SAP_Note": ""},
        "errordetails": [detail] if refusal.status == 400 else [],  # noqa: PLR2004 - the application's own errors
    }
    message = {"lang": "en", "value": refusal.text}
    body = json.dumps({"error": {"code": refusal.code, "message": message, "innererror": inner}}, ensure_ascii=False)
    return Answer(refusal.status, body)


# -- $batch ------------------------------------------------------------------------------------

_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)


def batch_parts(body: bytes, content_type: str) -> Iterator[Call | list[Call]]:
    """GETs as calls, changesets as lists of calls; CRLF is demanded as the Gateway's parser does."""
    for headers, content in _multipart(body, content_type):
        if "multipart/mixed" in headers.get("content-type", ""):
            yield [_inner(part, part_headers) for part_headers, part in _multipart(content, headers["content-type"])]
        else:
            yield _inner(content, headers)


def _multipart(body: bytes, content_type: str) -> Iterator[tuple[dict[str, str], bytes]]:
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise bad_request("The boundary of the batch is missing")
    mark = b"--" + found[1].encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if not pieces[-1].startswith(b"--"):
        raise bad_request("The batch is not closed")
    for piece in pieces[1:-1]:
        head, gap, content = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not gap:
            raise bad_request("A part of the batch has no header")
        yield _headers(head), content


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode().split("\r\n") if line)
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _inner(content: bytes, part: Mapping[str, str]) -> Call:
    if part.get("content-type") != "application/http":
        raise bad_request("A part of the batch is not application/http")
    head, _, body = content.partition(b"\r\n\r\n")
    first, _, rest = head.partition(b"\r\n")
    try:
        method, target, _ = first.decode().split(" ")
    except ValueError:
        raise bad_request("A request line of the batch is malformed") from None
    headers = _headers(rest) | {name: value for name, value in part.items() if name == "content-id"}
    length = headers.get("content-length")
    path, _, query = target.partition("?")
    inner = body[: int(length)] if length is not None else body.removesuffix(b"\r\n")
    return Call(method, path, parse_query(query), headers, inner)


def parse_query(text: str) -> dict[str, str]:
    """System options; a plus sign is a blank only where the client encoded it so."""
    return dict(parse_qsl(text, keep_blank_values=True))


def batch_body(parts: list[Answer | list[tuple[Call, Answer]]]) -> tuple[bytes, str]:
    """The multipart answer and its boundary; a failed changeset is one plain part."""
    boundary = uuid.uuid4().hex.upper()
    lines: list[str] = []
    for part in parts:
        lines.append(f"--{boundary}")
        if isinstance(part, Answer):
            lines.append(_http_part(part))
            continue
        inner = uuid.uuid4().hex.upper()
        content = "".join(f"--{inner}\r\n{_http_part(answer, call.header('content-id'))}\r\n" for call, answer in part)
        content += f"--{inner}--\r\n"
        lines.append(f"Content-Type: multipart/mixed; boundary={inner}\r\nContent-Length: {len(content.encode())}\r\n")
        lines.append(content)
    lines.append(f"--{boundary}--\r\n")
    return "\r\n".join(lines).encode(), boundary


def _http_part(answer: Answer, content_id: str = "") -> str:
    headers = {**answer.headers, "Content-Length": str(len(answer.body.encode())), "dataserviceversion": "2.0"}
    if answer.body:
        headers = {"Content-Type": answer.content_type, **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    reason = _REASONS.get(answer.status, "Error")
    extra = f"content-id: {content_id}\r\n" if content_id else ""
    http = f"HTTP/1.1 {answer.status} {reason}\r\n{head}\r\n{answer.body}"
    size = len(http.encode())
    kind = f"Content-Type: application/http\r\nContent-Length: {size}\r\ncontent-transfer-encoding: binary\r\n"
    return f"{kind}{extra}\r\n{http}"


_REASONS = {200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 404: "Not Found"}
