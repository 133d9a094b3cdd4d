"""Says the name of a record beside its id, where a value refers to one.

Not here: what a record is called (`fsm_core.model.naming`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fsm_core.ownership import EntityBook

TAIL = 8
"""Characters of an id that are enough to find its record."""


def names_of(db: Connection, book: EntityBook, documents: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The names of all records that these documents of one entity refer to."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    fields = [name for name, field in book.shape.fields.items() if field.reference]
    known = {document[name] for document in documents for name in fields if document.get(name)}
    return queries.names(db, sorted(known))


def labelled(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401 - any canonical value
    """The name and the end of the id of a record; any other value as it is."""
    return f"{names[value]} ({value[-TAIL:]})" if isinstance(value, str) and value in names else value
