"""What is known of the accounts' own fields, in the transaction of `work`, and the links a narrower field was hard on.

Not here: comparing descriptions (`fsm_core.drift`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import orjson
from sqlalchemy import select

from fsm_core.state import Doc, Link
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.plumbing import OPEN, Plumbing


class DescriptionWork(Plumbing):
    """Part of `fsm_core.state.Work`."""

    def descriptions(self) -> dict[tuple[str, str], Doc]:
        """Every known description, by system and entity."""
        return {
            (row["system"], row["entity"]): orjson.loads(row["content"]) for row in self._all(select(t.description))
        }

    def put_descriptions(self, rows: Mapping[tuple[str, str], Doc], at: str) -> None:
        """Remember these instead of what was known."""
        base = self._insert(t.description)
        again = {name: base.excluded[name] for name in ("content", "changed_at")}
        statement = base.on_conflict_do_update(index_elements=["system", "entity"], set_=again)
        values = [
            {"system": system, "entity": entity, "content": orjson.dumps(content).decode(), "changed_at": at}
            for (system, entity), content in rows.items()
        ]
        self._many(statement, values)

    def refused_links(self, system: str, entity: str, fields: Collection[str], after: int, limit: int) -> list[Link]:
        """Links after this one of which one of these fields was refused, as an open problem says."""
        c, p = t.link.c, t.problem.c
        refused = select(p.external_id).where(
            p.system == system, p.object == c.object, p.state == OPEN, p.field.in_(sorted(fields)), p.entity == entity
        )
        mine = (c.system == system, c.entity == entity, c.id > after, c.external_id.in_(refused))
        return list(map(make.link_of, self._db.execute(select(*make.LINK).where(*mine).order_by(c.id).limit(limit))))
