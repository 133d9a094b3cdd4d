"""Typed views over the documents, one per entity, so that finance and BI read ordinary columns.

They follow from the entity's own class and are made anew when it changes.
Not here: sums of money, which lie in typed tables of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, insert, select, text

from fsm_core.model.compare import Comparator
from fsm_core.model.entity import EntityShape, FieldShape
from fsm_core.store import schema as t

HEADER = ("id", "version", "lifecycle", "created_at", "updated_at")


def refresh(connection: Connection, shapes: Mapping[str, EntityShape]) -> list[str]:
    """Make the views that are missing or old; returns their names."""
    known = {row[0]: row[1] for row in connection.execute(select(t.view.c.name, t.view.c.sql))}
    made = []
    for name, shape in shapes.items():
        definition = definition_of(shape, connection.dialect.name)
        if known.get(name) != definition:
            connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
            connection.execute(text(definition.replace(":", "\\:")))
            connection.execute(t.view.delete().where(t.view.c.name == name))
            connection.execute(insert(t.view).values(name=name, sql=definition))
            made.append(name)
    return made


def definition_of(shape: EntityShape, dialect: str) -> str:
    """The statement that makes a view: a group has a column per member, a set is JSON; what says nothing is NULL."""
    columns = [*HEADER, *(column for field in shape.fields.values() for column in _columns(field, dialect))]
    return (
        f"CREATE VIEW {shape.name} AS SELECT {', '.join(columns)} FROM ({SAID}) AS said WHERE entity = '{shape.name}'"  # noqa: S608 - names of our own classes
    )


HEAD = ", ".join(f"record.{name}" for name in HEADER)
SAID = (
    f"SELECT {HEAD}, record.entity, coalesce(record.document, link.now) AS document "  # noqa: S608 - as above
    "FROM record LEFT JOIN link ON link.id = record.link AND record.document IS NULL"
)
"""A record without a document of its own says what its link shows."""


def _columns(field: FieldShape, dialect: str) -> Iterable[str]:
    if field.members:
        return [f"{_at((field.name, member), dialect)} AS {field.name}_{member}" for member in field.members]
    value = _at((field.name,), dialect)
    if field.comparator is Comparator.FLAG:  # SQLite's own JSON gives 0 and 1
        value = f"nullif(CAST({value} AS boolean), false)" if dialect == "postgresql" else f"nullif({value}, 0)"
    elif field.is_set:
        value = f"nullif({value}, '[]')"
    return [f"{value} AS {field.name}"]


def _at(path: tuple[str, ...], dialect: str) -> str:
    document = "CAST(document AS jsonb)" if dialect == "postgresql" else "document"
    steps = [f"'{name}'" for name in path]
    inner = "".join(f" -> {step}" for step in steps[:-1])
    return f"{document}{inner} ->> {steps[-1]}"
