"""Runs the queries of the simulated org and renders rows as its answers show them.

Not here: the text of a query (`simulator_soql`) and paging (`simulator_query`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from zlib import crc32

from connectors.salesforce.simulator_soql import Child, Query, follower
from connectors.salesforce.simulator_store import Row, Store


def run(query: Query, store: Store, *, deleted: bool) -> list[Row]:
    """The rows of a query. Without ORDER BY in an order that says nothing, the same every time."""
    rows: Iterable[Row] = _candidates(query, store)
    if not deleted:
        rows = (row for row in rows if not row.get("IsDeleted"))
    found = [row for row in rows if query.where is None or query.where(row)]
    if [path[-1].name for path, *_ in query.order] != ["SystemModstamp", "Id"]:
        found.sort(key=lambda row: crc32(row["Id"].encode()))
    for path, descending, last in reversed(query.order):
        get = follower(store, path)
        found.sort(key=_sort_key(get, last=last != descending), reverse=descending)
    found = found[query.offset :]
    return found if query.limit is None else found[: query.limit]


def _sort_key(get: Callable[[Row], Any], *, last: bool) -> Callable[[Row], Any]:
    def key(row: Row) -> tuple[bool, Any]:
        value = get(row)
        return ((value is None) == last, "" if value is None else value)

    return key


def _candidates(query: Query, store: Store) -> Iterable[Row]:
    table = store.tables[query.object]
    if query.lookup is None:
        return table.values()
    name, values = query.lookup
    if name == "Id":
        return [table[value] for value in values if value in table]
    return [row for value in values for row in store.with_value(query.object, name, value)]


Nested = Callable[[Query, list[Row]], dict[str, Any]]
"""Makes the page of a subquery."""


def renderer(query: Query, store: Store, version: str, nested: Nested, *, deleted: bool) -> Callable[[Row], Row]:
    """Rows as query answers show them: `attributes` first, parents nested or null, children a page or null."""
    grouped = [(child, _by_parent(child, store, deleted=deleted)) for child in query.children]

    def render(row: Row) -> Row:
        shown = rendered(store, query.object, row, query.fields, version)
        for child, rows in grouped:
            found = rows.get(row["Id"])
            shown[child.relationship] = nested(child.query, found) if found else None
        return shown

    return render


def _by_parent(child: Child, store: Store, *, deleted: bool) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = {}
    for row in run(child.query, store, deleted=deleted):
        grouped.setdefault(row[child.reference], []).append(row)
    return grouped


def rendered(store: Store, name: str, row: Row, fields: Iterable[tuple[str, ...]], version: str) -> dict[str, Any]:
    """One row with these fields."""
    shown: dict[str, Any] = {
        "attributes": {"type": name, "url": f"/services/data/v{version}/sobjects/{name}/{row['Id']}"}
    }
    nested: dict[str, list[tuple[str, ...]]] = {}
    for path in fields:
        if len(path) == 1:
            shown[path[0]] = row[path[0]]
        else:
            nested.setdefault(path[0], []).append(path[1:])
            shown.setdefault(path[0], None)
    for relation, inner in nested.items():
        item = store.objects[name].relations[relation.lower()]
        parent = store.tables[item.target].get(row[item.name] or "")
        shown[relation] = rendered(store, item.target, parent, inner, version) if parent is not None else None
    return shown
