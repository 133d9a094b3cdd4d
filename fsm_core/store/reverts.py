"""Reverts of a week, in the transaction of `work`, and how many each field and system has.

Not here: what follows from them (`fsm_core.service.insistence`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, delete, func, select, update

from fsm_core.state_reverts import Insisted, RevertCount
from fsm_core.store import schema as t
from fsm_core.store.plumbing import Plumbing


class RevertRows(Plumbing):
    """Implements `fsm_core.state_reverts.RevertState`."""

    def reverts(self, records: Collection[str], since: str) -> list[Insisted]:
        """Those of these records that nobody was asked about, one by one."""
        c = t.reverted.c
        names = (c.record, c.field, c.system, c.value)
        mine = select(*names).where(self._among(c.record, records), c.at >= since, c.asked.is_(False))
        return [Insisted(*row) for row in self._db.execute(mine)]

    def add_reverts(self, entity: str, at: str, rows: Sequence[Insisted]) -> None:
        """One more of each."""
        statement = self._insert(t.reverted).on_conflict_do_nothing()
        self._many(statement, [{**row._asdict(), "entity": entity, "at": at, "asked": False} for row in rows])

    def drop_reverts(self, before: str) -> None:
        """Those nobody counts any more."""
        self._db.execute(delete(t.reverted).where(t.reverted.c.at < before))

    def ask_reverts(self, rows: Sequence[Insisted]) -> None:
        """A person is asked about these: counting begins anew."""
        c = t.reverted.c
        same = (c.record == bindparam("mine"), c.field == bindparam("name"), c.system == bindparam("there"))
        statement = update(t.reverted).where(*same, c.value == bindparam("said")).values(asked=True)
        keys = ("mine", "name", "there", "said")
        self._many(statement, [dict(zip(keys, row, strict=True)) for row in rows])


def counts(db: Connection, since: str) -> list[RevertCount]:
    """How many edits of each field were taken back in each system, most first."""
    c = t.reverted.c
    key = (c.entity, c.field, c.system)
    number = func.count()
    query = select(*key, number, func.count(c.record.distinct())).where(c.at >= since).group_by(*key)
    return [RevertCount(*row) for row in db.execute(query.order_by(number.desc(), *key))]
