"""Pins, in the transaction of `work`: a row each, and a flag at the record, so that whoever has none costs nothing.

Not here: what a pin means (`fsm_core.service.pins`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, delete, exists, select, update

from fsm_core.state_pins import Pin
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.plumbing import Plumbing


class PinWork(Plumbing):
    """Part of `fsm_core.state.Work`."""

    def pins(self, records: Collection[str]) -> list[Pin]:
        """The pins of these records, by record and field."""
        c = t.pin.c
        mine = select(t.pin).where(self._among(c.record, records)).order_by(c.record, c.field)
        return list(map(make.pin_of, self._all(mine)))

    def put_pins(self, rows: Sequence[Pin]) -> None:
        """New pins, each in the place of an older one of its field."""
        base = self._insert(t.pin)
        names = ("value", "mode", "by", "at", "note")
        statement = base.on_conflict_do_update(
            index_elements=["record", "field"], set_={name: base.excluded[name] for name in names}
        )
        self._many(statement, [make.pin_row(row) for row in rows])
        self._flag({row.record for row in rows})

    def drop_pins(self, rows: Sequence[Pin]) -> None:
        """These hold no longer."""
        c = t.pin.c
        statement = delete(t.pin).where(c.record == bindparam("mine"), c.field == bindparam("name"))
        self._many(statement, [{"mine": row.record, "name": row.field} for row in rows])
        self._flag({row.record for row in rows})

    def repoint_pins(self, old: str, new: str) -> None:
        """Pins that refer to one record refer to the other."""
        self._db.execute(update(t.pin).where(t.pin.c.value == make.dump(old)).values(value=make.dump(new)))

    def _flag(self, records: Collection[str]) -> None:
        if records:
            pinned = exists(select(t.pin.c.field).where(t.pin.c.record == t.record.c.id))
            self._db.execute(update(t.record).where(self._among(t.record.c.id, records)).values(pinned=pinned))
