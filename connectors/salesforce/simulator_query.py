"""Queries of the simulated org in pages, with locators that die.

Not here: the query language (`simulator_soql`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.salesforce.simulator_rows import renderer, run
from connectors.salesforce.simulator_soql import Parser, Query
from connectors.salesforce.simulator_store import Refusal, Row, Store

SMALLEST, LARGEST = 200, 2000
LOCATOR_LIFE = timedelta(days=2)
"""Since API v56; before, 15 idle minutes and ten per user."""


@dataclass(slots=True)
class _Locator:
    ids: list[str]
    query: Query
    size: int
    deleted: bool
    born: datetime


class Queries:
    """Runs queries; `page_limit` makes pages smaller than asked, as wide rows do: the batch size is a hint.

    `child_limit` does so for the children of one row, whose list is a query answer of its own.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._locators: dict[str, _Locator] = {}
        self._named = 0
        self.page_limit = LARGEST
        self.child_limit = LARGEST

    def expire_locators(self) -> None:
        """Every query under way has to be restarted."""
        self._locators.clear()

    def start(self, soql: str, options: str, version: str, *, deleted: bool) -> dict[str, Any]:
        """First page."""
        query = Parser(soql, self._store).parse()
        rows = run(query, self._store, deleted=deleted)
        if query.count:
            return {"totalSize": len(rows), "done": True, "records": []}
        hint = re.search(r"batchSize=(\d+)", options)
        size = min(max(int(hint[1]) if hint else LARGEST, SMALLEST), LARGEST, self.page_limit)
        return self._first(query, rows, size, version, deleted=deleted)

    def _first(self, query: Query, rows: list[Row], size: int, version: str, *, deleted: bool) -> dict[str, Any]:
        locator = _Locator([row["Id"] for row in rows], query, size, deleted, self._store.clock.now())
        self._named += 1
        name = f"0r8xx{self._named:010d}AAA"
        self._locators[name] = locator
        return self._page(name, locator, 0, version)

    def more(self, named: str, version: str) -> dict[str, Any]:
        """A further page: the rows of then with the values of now."""
        name, _, offset = named.rpartition("-")
        locator = self._locators.get(name)
        if locator is None or self._store.clock.now() > locator.born + LOCATOR_LIFE:
            raise Refusal("INVALID_QUERY_LOCATOR", "invalid query locator", whole=True)
        return self._page(name, locator, int(offset), version)

    def _page(self, name: str, locator: _Locator, offset: int, version: str) -> dict[str, Any]:
        table = self._store.tables[locator.query.object]

        def nested(query: Query, rows: list[Row]) -> dict[str, Any]:
            return self._first(query, rows, self.child_limit, version, deleted=locator.deleted)

        render = renderer(locator.query, self._store, version, nested, deleted=locator.deleted)
        end = offset + locator.size
        rows = [table[id_] for id_ in locator.ids[offset:end] if id_ in table]
        records = [render(row) for row in rows if locator.deleted or not row.get("IsDeleted")]
        page: dict[str, Any] = {"totalSize": len(locator.ids), "done": end >= len(locator.ids)}
        if not page["done"]:
            page["nextRecordsUrl"] = f"/services/data/v{version}/query/{name}-{end}"
        else:
            self._locators.pop(name, None)
        return {**page, "records": records}
