"""The versions of the rules in the state: reading and keeping them.

Not here: what may become of a version (`fsm_core.ownership.versions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select

from fsm_core.ownership.versions import RuleVersion, Stand
from fsm_core.store import schema as t
from fsm_core.store.plumbing import Plumbing


class RuleVersions(Plumbing):
    """The versions, on one connection."""

    def known(self) -> list[RuleVersion]:
        """All of them, the newest first."""
        c = t.rule_version.c
        rows = self._all(select(t.rule_version).order_by(c.created_at.desc(), c.version))
        return [RuleVersion(**row) for row in rows]

    def active(self) -> RuleVersion | None:
        """The one in force; None before the first activation."""
        rows = self._all(select(t.rule_version).where(t.rule_version.c.state == str(Stand.ACTIVE)))
        return RuleVersion(**rows[0]) if rows else None

    def keep(self, rows: Sequence[RuleVersion]) -> None:
        """New versions, and what became of known ones; their text never changes."""
        for row in rows:
            values = {**asdict(row), "state": str(row.state)}
            changing = {name: value for name, value in values.items() if name not in ("version", "text", "author")}
            statement = self._insert(t.rule_version).values(values)
            self._db.execute(statement.on_conflict_do_update(index_elements=["version"], set_=changing))
