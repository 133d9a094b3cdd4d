"""One table: what SAP's status, message code and text mean to the hub.

Not here: transport failures, which `connectors.http` judges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import httpx

from fsm_core.errors import (
    BadMapping,
    Drift,
    Duplicate,
    HubError,
    Invalid,
    Locked,
    MissingPermission,
    NotFound,
    Refused,
    Stale,
    Unauthorised,
    UnknownOutcome,
    Unreachable,
)

BY_STATUS: dict[int, type[HubError]] = {
    400: Invalid,
    401: Unauthorised,
    403: MissingPermission,
    404: NotFound,
    405: Invalid,
    406: BadMapping,
    409: Duplicate,
    412: Stale,
    415: BadMapping,
    423: Locked,
    428: Stale,
    501: BadMapping,
}
LOCK_CODES = frozenset({"MC/601"})
"""Message numbers of enqueue conflicts that are published; more by text."""
LOCK_TEXT = re.compile(
    r"being processed by|is processed by user|locked by|is (?:currently |already )?locked|object requested is",
    re.IGNORECASE,
)
"""SAP answers a lock with 400 like any refusal (KBA 3645227): only number or text tells."""
_HEADING_ONLY = frozenset({"info", "warning", "success"})


@dataclass(frozen=True, slots=True)
class Message:
    """The error envelope in short: V2 JSON or Atom XML."""

    code: str = ""
    text: str = ""
    prop: str = ""
    """The property at fault, as `Set/Property` or `Property`."""
    details: tuple[tuple[str, str], ...] = ()
    """(code, text) of every detail."""


def message_of(response: httpx.Response) -> Message:
    """What the body says; empty when it is no SAP error envelope."""
    body = response.content.strip()
    if body.startswith(b"{"):
        return _from_json(body)
    if body.startswith(b"<") and b"<error" in body:
        return _from_xml(body)
    return Message(text=response.text[:200] if _is_text(response) else "")


def _is_text(response: httpx.Response) -> bool:
    return str(response.headers.get("content-type", "")).startswith("text/plain")


def _from_json(body: bytes) -> Message:
    try:
        error = json.loads(body).get("error", {})
    except ValueError:
        return Message()
    text = error.get("message", "")
    text = text.get("value", "") if isinstance(text, dict) else str(text)
    inner = error.get("innererror") or {}
    details = [entry for entry in inner.get("errordetails") or error.get("details") or [] if isinstance(entry, dict)]
    telling = [entry for entry in details if entry.get("severity", "error") not in _HEADING_ONLY]
    prop = next((found for entry in telling if (found := _property(entry))), "")
    pairs = tuple((str(entry.get("code", "")), str(entry.get("message", ""))) for entry in telling)
    return Message(str(error.get("code", "")), text, prop, pairs)


def _property(entry: dict[str, Any]) -> str:
    return str(entry.get("propertyref") or entry.get("target") or "").strip("/")


def _from_xml(body: bytes) -> Message:
    try:
        root = ET.fromstring(body)  # noqa: S314 - expat here resolves no external entities
    except ET.ParseError:
        return Message()
    texts = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in root.iter()}
    return Message(texts.get("code", ""), texts.get("message", ""))


def is_lock(message: Message) -> bool:
    """Whether a refusal is only somebody else's lock."""
    pairs: list[tuple[str, str]] = [(message.code, message.text), *message.details]
    return any(code in LOCK_CODES or LOCK_TEXT.search(text) is not None for code, text in pairs)


def refusal(response: httpx.Response, *, writing: bool, written: Iterable[str] = ()) -> HubError | None:
    """The error an answer stands for, None for a good one; `written` are the paths sent, to name the field.

    A log-on page or a redirect answers a read with `Unauthorised` and a write with `UnknownOutcome`.
    """
    status = response.status_code
    if response.is_redirect or (response.is_success and _is_page(response)):
        return _log_on_page(writing=writing)
    if response.is_success:
        return None
    message = message_of(response)
    text = message.text or f"answered {status}"
    if status >= httpx.codes.INTERNAL_SERVER_ERROR and status not in BY_STATUS:
        lost = UnknownOutcome if writing else Unreachable
        return lost(f"{text} (status {status})", system="sap", code=message.code)
    kind = BY_STATUS.get(status, Invalid)
    if kind is Invalid and is_lock(message):
        kind = Locked
    if not writing and issubclass(kind, Refused) and kind is not NotFound:
        kind = Drift  # no record is refused by a read: what we ask for is not what the service has
    details = "; ".join(dict.fromkeys(detail for _, detail in message.details if detail and detail != text))
    text = f"{text} ({details})" if details else text
    return kind(text, system="sap", field=field_of(message.prop, written), code=message.code)


def _is_page(response: httpx.Response) -> bool:
    return "html" in response.headers.get("content-type", "").lower()


def _log_on_page(*, writing: bool) -> HubError:
    text = "a log-on page came instead of an answer"
    return UnknownOutcome(text, system="sap") if writing else Unauthorised(text, system="sap")


def field_of(prop: str, written: Iterable[str]) -> str:
    """The path we sent that ends in the property the server names; its own wording when we sent none."""
    name = prop.rpartition("/")[2]
    if not name:
        return ""
    paths = [path for path in written if path.rpartition(".")[2] == name]
    owner = prop.rpartition("/")[0].removeprefix("A_").removeprefix("to_")
    inside = [path for path in paths if owner and path.rpartition(".")[0].partition("[")[0].endswith(owner)]
    return next(iter(inside or paths), prop.replace("/", "."))


def csrf_required(response: httpx.Response) -> bool:
    """403 with `x-csrf-token: Required`: token or session are gone and nothing was executed."""
    return (
        response.status_code == httpx.codes.FORBIDDEN
        and response.headers.get("x-csrf-token", "").strip().lower() == "required"
    )


def warnings_of(response: httpx.Response) -> tuple[str, ...]:
    """Texts of `sap-message` on a good answer: warnings, and sometimes errors, travel in that header."""
    found: list[str] = []
    for header in response.headers.get_list("sap-message"):
        try:
            entry = json.loads(header)
        except ValueError:
            found.append(header)
            continue
        entries = [entry, *(entry.get("details") or [])]
        found += [str(one.get("message", "")) for one in entries if one.get("severity") not in {"info", "success"}]
    return tuple(text for text in found if text)
