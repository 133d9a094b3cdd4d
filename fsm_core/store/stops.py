"""What is switched off, and what a change of environment looks at, in the transaction of `work`.

Not here: what follows from it (`fsm_core.service.stops`).
"""

from __future__ import annotations

from sqlalchemy import delete, select, update

from fsm_core.state import Link
from fsm_core.state_stops import Stop, Way
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.plumbing import Plumbing
from fsm_core.store.rows import plain_row


class StopRows(Plumbing):
    """Implements `fsm_core.state_stops.StopState`."""

    def stops(self) -> list[Stop]:
        """All, by system and entity."""
        c = t.stop.c
        rows = self._all(select(t.stop).order_by(c.system, c.entity, c.way))
        return [Stop(**{**row, "way": Way(row["way"])}) for row in rows]

    def put_stop(self, row: Stop) -> None:
        """Off; the first word on the same thing stays."""
        self._db.execute(self._insert(t.stop).values(plain_row(row)).on_conflict_do_nothing())

    def drop_stop(self, system: str, entity: str, way: Way) -> bool:
        """On again; whether exactly this was off."""
        c = t.stop.c
        meant = (c.system == system, c.entity == entity, c.way == str(way))
        return bool(self._db.execute(delete(t.stop).where(*meant)).rowcount)

    def some_links(self, system: str, obj: str, entity: str, limit: int) -> list[Link]:
        """Live links in no order that means anything: by the hash of what they show."""
        c = t.link.c
        here = (c.system == system, c.object == obj, c.entity == entity, c.state == "live")
        query = select(*make.LINK).where(*here).order_by(c.hash).limit(limit)
        return list(map(make.link_of, self._db.execute(query)))

    def forget_cursors(self, system: str) -> None:
        """The next pass reads everything of the system."""
        self._db.execute(update(t.cursor).where(t.cursor.c.system == system).values(value=None))
