"""$batch: multipart bodies with changesets, and the answers taken apart again.

Not here: which operations belong together, and what an answer means.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx

from fsm_core.errors import UnknownOutcome

_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Operation:
    """One changing call, path relative to the service root and percent-encoded."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Changeset: TypeAlias = Sequence[Operation]


def encode(changesets: Sequence[Changeset], boundary: str) -> bytes:
    """The body of a $batch: CRLF everywhere, an empty line even where there is no body, lengths in bytes."""
    parts = []
    for number, operations in enumerate(changesets, 1):
        inner = f"changeset_{boundary}_{number}"
        content = b"".join(
            b"--%b\r\n%b\r\n" % (inner.encode(), _part(operation, position))
            for position, operation in enumerate(operations, 1)
        )
        head = f"--{boundary}\r\nContent-Type: multipart/mixed; boundary={inner}\r\n\r\n"
        parts.append(head.encode() + content + f"--{inner}--\r\n\r\n".encode())
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def _part(operation: Operation, position: int) -> bytes:
    headers = {"Accept": "application/json", **operation.headers}
    if operation.body:
        headers |= {"Content-Type": "application/json", "Content-Length": str(len(operation.body))}
    lines = [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: {position}",
        "",
        f"{operation.method} {operation.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + operation.body + b"\r\n"


def decode(response: httpx.Response, expected: int) -> list[list[httpx.Response]]:
    """One list of answers per changeset: one each, or a single error for all.

    Raises `UnknownOutcome` for an answer that is cut, garbled or of another length than asked for.
    """
    try:
        answers = [
            [_inner(content) for _, content in _multipart(part, kind)] if "multipart/mixed" in kind else [_inner(part)]
            for kind, part in _multipart(response.content, response.headers.get("content-type", ""))
        ]
    except ValueError as error:
        raise UnknownOutcome(f"the answer to a $batch is unreadable: {error}", system="sap") from error
    if len(answers) != expected:
        raise UnknownOutcome(f"{len(answers)} answers to {expected} changesets", system="sap")
    return answers


def _multipart(body: bytes, content_type: str) -> list[tuple[str, bytes]]:
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise ValueError("no boundary")
    pieces = re.split(rb"(?:^|\r?\n)--" + re.escape(found[1].encode()), body)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):  # noqa: PLR2004 - a preamble and the end at least
        raise ValueError("cut short")
    return [_split(piece) for piece in pieces[1:-1]]


def _split(piece: bytes) -> tuple[str, bytes]:
    head, content = _halves(piece.lstrip(b"\r\n"))
    return _headers(head).get("content-type", ""), content


def _halves(data: bytes) -> tuple[bytes, bytes]:
    parts = re.split(rb"\r?\n\r?\n", data, maxsplit=1)
    return parts[0], parts[1] if len(parts) > 1 else b""


def _headers(head: bytes) -> httpx.Headers:
    lines = (line.partition(b":") for line in head.splitlines() if b":" in line)
    return httpx.Headers([(name.strip(), value.strip()) for name, _, value in lines])


def _inner(data: bytes) -> httpx.Response:
    head, body = _halves(data)
    status_line, _, rest = head.partition(b"\n")
    match = re.match(rb"HTTP/\d\.\d (\d{3})", status_line)
    if match is None:
        raise ValueError("no status line")
    headers = _headers(rest)
    length = headers.get("content-length", "")
    content = body[: int(length)] if length.isdigit() else body
    if length.isdigit() and len(content) < int(length):
        raise ValueError("a part is cut short")
    headers.pop("content-length", None)
    return httpx.Response(int(match[1]), headers=headers, content=content)
