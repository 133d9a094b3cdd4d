"""Which Salesforce status or error code becomes which error of the hub: one table, two ways into it.

Not here: transport failures (the HTTP edge raises those) and what the caller does about an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.salesforce.simple import SalesforceError
from fsm_core.errors import (
    BadMapping,
    CursorExpired,
    Drift,
    Duplicate,
    HubError,
    Invalid,
    Locked,
    Misconfigured,
    MissingPermission,
    NotFound,
    RateLimited,
    Refused,
    Stale,
    Unauthorised,
    Unreachable,
)

SHORT_WAIT = 20.0
"""Seconds: a call counts against the concurrency limit from its 20th second on."""

CODES: dict[str, type[HubError]] = {
    "INVALID_SESSION_ID": Unauthorised,
    "INVALID_AUTH_HEADER": Unauthorised,
    "REQUEST_LIMIT_EXCEEDED": RateLimited,
    "EXCEEDED_QUOTA": RateLimited,
    "STORAGE_LIMIT_EXCEEDED": Misconfigured,
    "UNABLE_TO_LOCK_ROW": Locked,
    "SERVER_UNAVAILABLE": Unreachable,
    "QUERY_TIMEOUT": Unreachable,
    "REQUEST_RUNNING_TOO_LONG": Unreachable,
    "UNKNOWN_EXCEPTION": Unreachable,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": Unreachable,
    "REQUIRED_FIELD_MISSING": Invalid,
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": Invalid,
    "STRING_TOO_LONG": Invalid,
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": Invalid,
    "MALFORMED_ID": Invalid,
    "INVALID_CROSS_REFERENCE_KEY": Invalid,
    "FIELD_INTEGRITY_EXCEPTION": Invalid,
    "NUMBER_OUTSIDE_VALID_RANGE": Invalid,
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Invalid,
    "INVALID_FIELD_FOR_INSERT_UPDATE": Invalid,
    "INSUFFICIENT_ACCESS_OR_READONLY": Invalid,
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Invalid,
    "INVALID_EMAIL_ADDRESS": Invalid,
    "INVALID_TYPE_ON_FIELD_IN_RECORD": Invalid,
    "JSON_PARSER_ERROR": Invalid,
    "DUPLICATES_DETECTED": Duplicate,
    "DUPLICATE_VALUE": Duplicate,
    "DUPLICATE_EXTERNAL_ID": Duplicate,
    "ENTITY_IS_DELETED": NotFound,
    "DELETE_FAILED": Invalid,
    "API_DISABLED_FOR_ORG": MissingPermission,
    "API_CURRENTLY_DISABLED": MissingPermission,
    "INSUFFICIENT_ACCESS": MissingPermission,
    "FUNCTIONALITY_NOT_ENABLED": MissingPermission,
    "INVALID_FIELD": Drift,
    "INVALID_TYPE": Drift,
    "NOT_FOUND": Drift,
    "MALFORMED_QUERY": BadMapping,
    "INVALID_QUERY_FILTER_OPERATOR": BadMapping,
    "FIELD_FILTER_VALIDATION_EXCEPTION": BadMapping,
    "INVALID_QUERY_LOCATOR": CursorExpired,
    "INVALID_REPLICATION_DATE": CursorExpired,
}
"""What a code means when the whole call was refused."""

PER_RECORD: dict[str, type[HubError]] = {
    "INVALID_FIELD": Invalid,
    "INVALID_TYPE": Invalid,
    "NOT_FOUND": NotFound,
    "FIELD_FILTER_VALIDATION_EXCEPTION": Invalid,
    "INSUFFICIENT_ACCESS": Invalid,
}
"""Where a code means something else inside one item of a collection."""

STATUSES: dict[int, type[HubError]] = {
    300: Duplicate,
    401: Unauthorised,
    403: MissingPermission,
    404: Drift,
    405: BadMapping,
    412: Stale,
}
"""What a status means when its body names no known code."""


REDIRECTS = frozenset({301, 302, 303, 307, 308})
ELSEWHERE = "a redirect came instead of an answer: a log-in page, or the org moved"


def of_item(errors: Sequence[Mapping[str, Any]]) -> HubError:
    """The error of one item of a collection answer: `statusCode` there, `errorCode` elsewhere."""
    first: Mapping[str, Any] = errors[0] if errors else {}
    code = _code(first)
    kind = PER_RECORD.get(code) or CODES.get(code, Invalid)
    fields = [str(name) for name in first.get("fields") or ()]
    if code == "INVALID_CROSS_REFERENCE_KEY" and not fields:
        kind = NotFound  # without a field it is the record's own id that names nothing
    return _made(kind, code, first, ", ".join(fields))


def redirected(status: int) -> bool:
    """Whether an answer only points elsewhere: to a log-in page, or after an org that moved."""
    return status in REDIRECTS


def of_call(status: int, content: object) -> HubError:
    """The error of a whole call, from its status and its parsed body (a list, an object or text)."""
    first = _first(content)
    if redirected(status):
        return Unreachable(ELSEWHERE, code=str(status))
    code = _code(first)
    kind = CODES.get(code) or STATUSES.get(status) or (Invalid if 400 <= status < 500 else Unreachable)  # noqa: PLR2004 - HTTP classes
    return _made(kind, code or str(status), first, "")


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn simple-salesforce's exceptions into the hub's; for reads, where nothing can be half done."""
    try:
        yield
    except SalesforceError as error:
        # The library's own message holds the query and the answer, and so record values: it is not chained.
        raise _reading(of_call(int(error.status), error.content)) from None


def _reading(error: HubError) -> HubError:
    """No record is refused by a read: what we ask for is not what the org has."""
    return Drift(error.message, code=error.code) if isinstance(error, Refused) else error


def _first(content: object) -> Mapping[str, Any]:
    if isinstance(content, list) and content and isinstance(content[0], Mapping):
        return content[0]
    return content if isinstance(content, Mapping) else {}


def _code(error: Mapping[str, Any]) -> str:
    return str(error.get("errorCode") or error.get("statusCode") or error.get("error") or "")


def _made(kind: type[HubError], code: str, error: Mapping[str, Any], field: str) -> HubError:
    message = str(error.get("message") or error.get("error_description") or "refused without a reason").strip()
    if "ERROR at Row" in message:
        message = message.rpartition("\n")[2]  # before it stands our own query
    if kind is RateLimited:
        return _limited(message, code)
    if kind is Duplicate:
        return Duplicate(message, others=_others(error), code=code, field=field)
    return kind(message, code=code, field=field)


def _limited(message: str, code: str) -> RateLimited:
    # One code for two limits; only the text tells them apart.
    if "concurrent" in message.lower():
        return RateLimited(message, retry_after=SHORT_WAIT, code=code)
    return RateLimited(message, daily=True, code=code)


def _others(error: Mapping[str, Any]) -> tuple[str, ...]:
    result = error.get("duplicateResult") or {}
    records = (
        match.get("record") or {}
        for found in result.get("matchResults") or ()
        for match in found.get("matchRecords") or ()
    )
    found = [str(record["Id"]) for record in records if record.get("Id")]
    _, _, named = str(error.get("message", "")).partition("record with id: ")
    return tuple(found or ([named.split()[0].strip(".")] if named.split() else []))
