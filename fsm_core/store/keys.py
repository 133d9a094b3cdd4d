"""The hashes by which links find others that are like them, in the transaction of `work`.

Not here: what is hashed, and whether two links with equal hashes are the same thing (`fsm_core.service.place`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, delete, func, select

from fsm_core.store import schema as t
from fsm_core.store.fresh import FreshWork


class KeyWork(FreshWork):
    """Part of `fsm_core.state.Work`."""

    def add_keys(self, rows: Iterable[tuple[int, int]]) -> None:
        """Pairs of key and link, known ones too. A link that turns out to be like another is fresh no more."""
        pairs = sorted(set(rows))
        c = t.match_key.c
        self._add(t.match_key, ("key", "link"), pairs, known="ON CONFLICT DO NOTHING")
        mine = self._among(c.key, {key for key, _ in pairs})
        several = select(c.key).where(mine).group_by(c.key).having(func.count() > 1)
        alike = set(self._db.execute(several).scalars()) if pairs else set()
        self.unfresh({link for _, link in self.sharing(alike)})

    def drop_keys(self, rows: Iterable[tuple[int, int]]) -> None:
        """Pairs of key and link that hold no more."""
        c = t.match_key.c
        statement = delete(t.match_key).where(c.key == bindparam("gone"), c.link == bindparam("of"))
        self._many(statement, [{"gone": key, "of": link} for key, link in rows])

    def sharing(self, keys: Collection[int]) -> list[tuple[int, int]]:
        """All pairs of key and link with one of these keys."""
        if not keys:
            return []
        c = t.match_key.c
        return [(row[0], row[1]) for row in self._db.execute(select(c.key, c.link).where(self._among(c.key, keys)))]
