"""The hashes by which links find others that are like them, in the transaction of `work`.

Not here: what is hashed, and whether two links with equal hashes are the same thing (`fsm_core.service.place`).
"""

from __future__ import annotations

from collections import Counter
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
        count = func.count()
        several = select(c.key, count).where(mine).group_by(c.key).having(count > 1)
        alike = {row[0]: row[1] for row in self._db.execute(several)} if pairs else {}
        if not alike:
            return
        here = Counter(key for key, _ in pairs)
        # of a key that more had before, those before are fresh no more: a large block is not read again and again
        others = {key for key, total in alike.items() if total <= here[key] + 1}
        found = {link for key, link in pairs if key in alike}
        self.unfresh(found | {link for _, link in self.sharing(others)})

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

    def blocks(self, keys: Collection[int], most: int, *, but: str) -> list[tuple[int, int]]:
        """Pairs of key and link of all systems but one, for those of these keys that two to `most` links have.

        What more links have in common says nothing of any two of them. Only links that take part.
        """
        if not keys:
            return []
        c, x, count = t.match_key.c, t.link.c, func.count()
        some = select(c.key).where(self._among(c.key, keys)).group_by(c.key).having(count.between(2, most)).subquery()
        query = select(c.key, c.link).join(some, some.c.key == c.key).join(t.link, x.id == c.link)
        part = (x.system != but, x.state.in_(["live", "pending", "invalid"]))
        return [(row[0], row[1]) for row in self._db.execute(query.where(*part))]
