"""Reading and writing nested documents: paths, to-one children and keyed child rows.

Not here: who may write what (`connectors.memory.simulator`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from fsm_core.ports import Document, Json, Row, Rows, find_row

Fields: TypeAlias = "Mapping[str, Json | Rows]"


def head(path: str) -> str:
    """The first name of a path: `to_Address` of `to_Address[Usage=XXDEFAULT].StreetName`."""
    return path.split(".", 1)[0].split("[", 1)[0]


def project(document: Document, paths: Sequence[str], hidden: Iterable[str] = ()) -> Document:
    """The asked part of a document, None where it holds nothing; all of it when nothing is asked."""
    names = dict.fromkeys(map(head, paths)) if paths else document
    return {name: document.get(name) for name in names if name not in hidden}


def written(document: Document, fields: Fields) -> Document:
    """A copy of the document after the write; the old one stays as it was."""
    result = dict(document)
    for path, value in fields.items():
        name, _, rest = path.partition(".")
        old = result.get(name)
        if rest:
            result[name] = written(old if isinstance(old, Mapping) else {}, {rest: value})
        elif isinstance(value, tuple):
            result[name] = _rows(_documents(old), value)
        else:
            result[name] = value
    return result


def _rows(rows: Sequence[Document], changes: Iterable[Json | Row]) -> list[Document]:
    result = list(rows)
    for change in changes:
        if not isinstance(change, Row):
            continue
        found = find_row(result, change.match)
        if found is None:
            if not change.delete:
                result.append(written(written({}, dict(change.match)), change.fields))
        elif change.delete:
            result.remove(found)
        else:
            result[result.index(found)] = written(found, change.fields)
    return result


def _documents(value: Json) -> list[Document]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [row for row in value if isinstance(row, Mapping)]
    return []
