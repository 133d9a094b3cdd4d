"""A fast Salesforce: as much of its REST wire as the connector needs, rows rendered beforehand.

A process of its own, so that its work is not the client's. It counts calls and lets the benchmark turn its
clock. Not here: errors, limits and the rest of SOQL, which `connectors/salesforce/simulator.py` knows.
"""

from __future__ import annotations

import asyncio
import re
import sys
from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from benchmarks.accounts import COLUMNS, ME, OBJECT, ORGANIZATION, SELECT, account, account_id, born, edited, rendered
from connectors.salesforce.changes import stamp_of

PAGE = 2000
BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
Key = tuple[str, str]


class Org:
    """The rows, their order and the clock."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.now = BEGAN
        self.calls = 0
        self.bytes = 0
        self.delay = 0.0
        self._rows = {account_id(n): rendered(account(n)) for n in range(size)}
        self._order: list[Key] = [(born(n), account_id(n)) for n in range(size)]
        self._queries: dict[str, list[Key]] = {}

    def change(self, share: float) -> None:
        """Somebody edits this share of the accounts, and an hour passes."""
        stamp = stamp_of(self.now + timedelta(minutes=30))
        for key in self._order[:: max(1, round(1 / share))]:
            self._rows[key[1]] = rendered(edited(orjson.loads(self._rows[key[1]]), stamp))
        self._sort()
        self.now += timedelta(hours=1)

    def patch(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Write these fields into the rows named."""
        for record in records:
            row = orjson.loads(self._rows[record["Id"]]) | record | {"SystemModstamp": stamp_of(self.now)}
            self._rows[record["Id"]] = rendered(row | {"LastModifiedById": ME})
        return [{"id": record["Id"], "success": True, "errors": []} for record in records]

    def _sort(self) -> None:
        self._order = sorted((orjson.loads(row)["SystemModstamp"], id_) for id_, row in self._rows.items())

    def query(self, soql: str) -> bytes:
        """The first page."""
        if soql == "SELECT Id FROM Organization":
            return orjson.dumps({"totalSize": 1, "done": True, "records": [{"Id": ORGANIZATION}]})
        if not soql.startswith(SELECT):
            raise ValueError(f"the benchmark's Salesforce does not know {soql[:200]!r}")
        where = soql.removeprefix(SELECT)
        if " IN (" in where:
            found = [("", name) for name in re.findall(r"'(\w+)'", where)]
        else:
            after = re.search(r"SystemModstamp >=? (\S+?)\)?(?: |$)", where)
            stamp = after[1].replace("Z", "+0000") if after else ""
            found = self._order[bisect_left(self._order, (stamp, "")) :]
        locator = f"01g{len(self._queries):012d}"
        self._queries[locator] = found
        return self.page(locator, 0)

    def page(self, locator: str, start: int) -> bytes:
        """One page of a query."""
        found = self._queries[locator]
        end = start + PAGE
        done = end >= len(found)
        more = b"" if done else b',"nextRecordsUrl":"/services/data/v62.0/query/%b-%d"' % (locator.encode(), end)
        rows = b",".join([self._rows[key[1]] for key in found[start:end]])
        state = b"true" if done else b"false"
        return b'{"totalSize":%d,"done":%b%b,"records":[%b]}' % (len(found), state, more, rows)

    def describe(self) -> bytes:
        """Every selected field is there and may be written."""
        names = [name for name in COLUMNS if "." not in name]
        facts = {"createable": True, "updateable": True, "nillable": True, "length": 0}
        fields: list[dict[str, Any]] = [{"name": name, "externalId": name == OBJECT.key, **facts} for name in names]
        fields.append({"name": "OwnerId", "relationshipName": "Owner", **facts})
        return orjson.dumps({"name": "Account", "createable": True, "fields": fields})

    def token(self) -> bytes:
        """An answer of the token endpoint; the instance is the host that was asked."""
        issued = str(int(self.now.timestamp() * 1000))
        user = f"https://login.example/id/{ORGANIZATION}/{ME}"
        return orjson.dumps({"access_token": "00D!benchmark", "id": user, "issued_at": issued, "token_type": "Bearer"})


def answer(org: Org, method: str, target: str, body: bytes) -> bytes:
    """The body for a request; raises `LookupError` for what nobody should ask."""
    url = urlsplit(target)
    if url.path.startswith("/control/"):
        return control(org, url.path.removeprefix("/control/"), body)
    org.calls += 1
    if url.path.endswith("/oauth2/token"):
        return org.token()
    if url.path.endswith("/describe"):
        return org.describe()
    if url.path.endswith("/composite/sobjects") and method == "PATCH":
        return orjson.dumps(org.patch(orjson.loads(body)["records"]))
    if url.path.rstrip("/").endswith(("/query", "/queryAll")):
        return org.query(parse_qs(url.query)["q"][0])
    locator, _, start = url.path.rpartition("/")[2].partition("-")
    return org.page(locator, int(start))


def control(org: Org, verb: str, body: bytes) -> bytes:
    """The benchmark's own remote control."""
    given = orjson.loads(body or b"{}")
    if verb == "change":
        org.change(given["share"])
    elif verb == "delay":
        org.delay = given["seconds"]
    told = {"calls": org.calls, "bytes": org.bytes, "records": org.size}
    org.calls = org.bytes = 0
    return orjson.dumps(told)


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, one request at a time."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._seen = b""
        self._send: Callable[[bytes], None] = lambda _: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        if isinstance(transport, asyncio.Transport):
            self._send = transport.write

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole."""
        self._seen += data
        head, found, rest = self._seen.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if not found or len(rest) < (int(length[1]) if length else 0):
            return
        self._seen = b""
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        if self._org.delay and not target.startswith("/control/"):
            asyncio.get_running_loop().call_later(self._org.delay, self._answer, method, target, rest)
        else:
            self._answer(method, target, rest)

    def _answer(self, method: str, target: str, body: bytes) -> None:
        try:
            status, content = b"200 OK", answer(self._org, method, target, body)
        except (LookupError, ValueError) as error:
            status, content = b"400 Bad Request", orjson.dumps([{"errorCode": "BENCHMARK", "message": repr(error)}])
        self._org.bytes += len(content)
        date = format_datetime(self._org.now, usegmt=True).encode()
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nDate: %b\r\nContent-Length: %d\r\n\r\n"
        self._send(head % (status, date, len(content)) + content)


async def serve(size: int) -> None:
    """Say the port on standard output, then answer until killed."""
    org = Org(size)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(org), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
