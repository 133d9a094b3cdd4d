"""How statements reach the database: one for many rows, the same on SQLite and PostgreSQL.

Not here: any statement (`work`, `people`, `audit`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Select,
    Table,
    any_,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler

from fsm_core.store.bulk import add

OPEN = "open"


class Plumbing:
    """One transaction on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def _all(self, statement: Select[Any]) -> list[Mapping[str, Any]]:
        found = self._db.execute(statement)
        names = tuple(found.keys())
        return [dict(zip(names, row, strict=True)) for row in found.all()]

    def _many(self, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:  # noqa: ANN401 - an insert or update
        """One statement for many rows, past SQLAlchemy's work per row: no column of ours needs a conversion.

        The statement may hold no `in_`, whose values only SQLAlchemy itself can expand.
        """
        if not rows:
            return
        compiled = statement.compile(dialect=self._db.dialect, column_keys=list(rows[0]))
        if compiled.post_compile_params:  # an IN list inside: only SQLAlchemy can write it out
            self._db.execute(statement, list(rows))
        else:
            self._db.exec_driver_sql(compiled.string, _arranged(compiled, rows))

    def _add(
        self,
        table: Table,
        names: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
        *,
        known: str = "",
        **same: Any,  # noqa: ANN401 - as above
    ) -> None:
        """New rows, tuples in the order of `names`; what is the same in all of them is named once.

        `known` is what to do about a row that is there (`ON CONFLICT ...`). Raises `IntegrityError` without it.
        """
        add(self._db, table, names, rows, same, known)

    def _among(self, column: Any, values: Collection[Any]) -> ColumnElement[bool]:  # noqa: ANN401 - a Column
        """The column has one of these values: one parameter however many there are."""
        listed = sorted(values)
        if self._db.dialect.name == "postgresql":
            same: ColumnElement[bool] = column == any_(bindparam(None, listed, type_=ARRAY(column.type)))
        else:
            each = func.json_each(orjson.dumps(listed).decode()).table_valued("value")
            same = column.in_(select(each.c.value))
        return same

    def _insert(self, table: Any) -> Any:  # noqa: ANN401 - the dialect's own insert has `on_conflict_…`
        return (postgresql if self._db.dialect.name == "postgresql" else sqlite).insert(table)

    def _change(self, table: Any, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:  # noqa: ANN401 - a Table
        statement = (
            update(table)
            .where(table.c.id == bindparam("row"))
            .values({name: bindparam(f"new_{name}") for name in names})
        )
        self._many(statement, [{"row": row["id"], **{f"new_{name}": row[name] for name in names}} for row in rows])


def _arranged(compiled: SQLCompiler, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Rows as the driver takes them, with the statement's own constants."""
    constants = {name: value for name, value in compiled.params.items() if name not in rows[0]}
    if constants:
        rows = [{**constants, **row} for row in rows]
    return list(map(itemgetter(*(compiled.positiontup or ())), rows))
