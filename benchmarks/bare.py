"""The bare limit: the same pages downloaded, parsed and inserted, and the same batches sent. Nothing else.

Not here: mapping, comparing, deciding, journal, intents; that is what the hub is measured for (`engine`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

import httpx
import orjson

API = "/services/data/v62.0"
Row = dict[str, Any]
Begin = Callable[[], None]
"""Starts the clock: everything is open, nothing was asked yet."""


def rows_of(client: httpx.Client, soql: str) -> Iterator[list[Row]]:
    """The pages of a query."""
    page = orjson.loads(client.get(f"{API}/queryAll/", params={"q": soql}).content)
    yield page["records"]
    while not page["done"]:
        page = orjson.loads(client.get(page["nextRecordsUrl"]).content)
        yield page["records"]


def load(url: str, path: str, query: str, after: str, columns: list[str], begin: Begin) -> int:
    """Read what `query` finds (behind the stamp `after`, if given) and store it; returns the rows."""
    names = [name.replace(".", "_") for name in columns]
    table = sqlite3.connect(path)
    table.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
    table.execute(f"CREATE TABLE IF NOT EXISTS account ({', '.join(names)}, PRIMARY KEY (Id))")
    where = f" WHERE SystemModstamp >= {after}" if after else ""
    with httpx.Client(base_url=url) as client:
        begin()
        _log_in(client)
        stored = _store(client, table, f"{query}{where} ORDER BY SystemModstamp,Id", names)
        table.close()
    return stored


def _log_in(client: httpx.Client) -> None:
    client.post("/services/oauth2/token", data={"grant_type": "client_credentials"})


def _store(client: httpx.Client, table: sqlite3.Connection, soql: str, names: list[str]) -> int:
    marks, update = ", ".join("?" * len(names)), ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    upsert = f"INSERT INTO account VALUES ({marks}) ON CONFLICT (Id) DO UPDATE SET {update}"  # noqa: S608 - our names
    pick = itemgetter(*names)
    stored = 0
    for rows in rows_of(client, soql):
        for row in rows:
            row["Owner_Name"] = row["Owner"]["Name"]
        with table:
            table.executemany(upsert, map(pick, rows))
        stored += len(rows)
    return stored


def write(url: str, batches: str, begin: Begin) -> int:
    """Send batches that were prepared beforehand; returns the records written."""
    written = 0
    prepared = orjson.loads(Path(batches).read_bytes())
    with httpx.Client(base_url=url) as client:
        begin()
        _log_in(client)
        for batch in prepared:
            body = orjson.dumps({"allOrNone": False, "records": batch})
            answer = orjson.loads(client.patch(f"{API}/composite/sobjects", content=body).content)
            written += sum(item["success"] for item in answer)
    return written
