"""Native documents for the tests: an empty one that shows every read field, and a write applied to it.

Not here: any vendor's rules; each connector's simulator has its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fsm_core.ports import Row, find_row
from mappings import Mapping as Table


def empty(paths: Iterable[str]) -> dict[str, Any]:
    """A document that shows all paths: None for a field, no rows for a child."""
    document: dict[str, Any] = {}
    for path in paths:
        head, dot, _ = path.partition(".")
        document[head] = [] if dot else document.get(head)
    return document


def below(paths: Iterable[str], child: str) -> list[str]:
    return [path.removeprefix(f"{child}.") for path in paths if path.startswith(f"{child}.")]


def applied(document: Mapping[str, Any], fields: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """The document after a write; a created row shows its fields, its match and nothing else."""
    paths = list(paths)
    after = dict(document)
    for name, value in fields.items():
        rows = isinstance(value, tuple) and all(isinstance(row, Row) for row in value)
        after[name] = _rows(list(document.get(name) or []), value, below(paths, name)) if rows else value
    return after


def _rows(rows: list[Any], writes: Iterable[Row], paths: list[str]) -> list[Any]:
    for write in writes:
        found = find_row(rows, write.match)
        if found is not None:
            rows.remove(found)
        if not write.delete:
            rows.append(applied(found or _created(write.match, paths), write.fields, paths))
    return rows


def _created(match: Mapping[str, Any], paths: list[str]) -> dict[str, Any]:
    row = empty(paths)
    for name, value in match.items():
        head, dot, rest = name.partition(".")
        row[head] = [_created({rest: value}, below(paths, head))] if dot else value
    return row


def shown_after(table: Table, native: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the system shows after a write to `before`, or to nothing at all."""
    paths = table.object.fields
    return applied(empty(paths) if before is None else before, native, paths)
