"""What a faithful system shows after it was told something: the native document a write leads to.

Not here: any vendor's rules; a real system may show less, or render what it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from fsm_core.ports import Row


def shown_after(native: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """A document that shows all paths, with what was written and else nothing."""
    listed = list(paths)
    return _applied(_empty(listed), native, listed)


def written_paths(native: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """Every path a write assigns, with the rows it names."""
    for name, value in native.items():
        if not _is_rows(value):
            yield f"{before}{name}"
            continue
        for row in value:
            selected = "".join(f"[{key}={_plain(one)}]" for key, one in row.match.items())
            inner = list(written_paths(row.fields, f"{before}{name}{selected}."))
            yield from inner or [f"{before}{name}{selected}"]


def _plain(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return str(value).lower() if isinstance(value, bool) else value


def _is_rows(value: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(value, tuple) and bool(value) and all(isinstance(row, Row) for row in value)


def _applied(document: Mapping[str, Any], fields: Mapping[str, Any], paths: list[str]) -> dict[str, Any]:
    after = dict(document)
    for name, value in fields.items():
        after[name] = _rows(value, _below(paths, name)) if _is_rows(value) else value
    return after


def _rows(writes: Iterable[Row], paths: list[str]) -> list[Any]:
    return [_applied(_created(one.match, paths), one.fields, paths) for one in writes if not one.delete]


def _created(match: Mapping[str, Any], paths: list[str]) -> dict[str, Any]:
    row = _empty(paths)
    for name, value in match.items():
        head, dot, rest = name.partition(".")
        row[head] = [_created({rest: value}, _below(paths, head))] if dot else value
    return row


def _empty(paths: Iterable[str]) -> dict[str, Any]:
    """All paths: None for a field, no rows for a child."""
    document: dict[str, Any] = {}
    for path in paths:
        head, dot, _ = path.partition(".")
        document[head] = [] if dot else document.get(head)
    return document


def _below(paths: Iterable[str], child: str) -> list[str]:
    return [path.removeprefix(f"{child}.") for path in paths if path.startswith(f"{child}.")]
