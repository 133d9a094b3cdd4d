"""Links that nobody has placed yet and that found a record of their own, in the transaction of `work`.

Such a link carries the id of the record it will found and is settled on what it shows, so that a birth writes no link
again; its record keeps no document of its own until something of the link changes.
Not here: which links may be fresh (`fsm_core.service.birth`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, literal, null, select, update

from fsm_core.state import Newborn
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.plumbing import Plumbing


class FreshWork(Plumbing):
    """Part of `fsm_core.state.Work`."""

    def _add_fresh(self, entity: str, rules: str, rows: Sequence[tuple[int, str]]) -> None:
        """Rows of link and the systems that should hold its record too."""
        self._add(t.fresh, ("link", "wanted"), rows, entity=entity, rules=rules)

    def _fresh(self, links: Collection[int]) -> set[int]:
        """Those of these links that are fresh."""
        return set(self._db.execute(select(t.fresh.c.link).where(self._among(t.fresh.c.link, links))).scalars())

    def unfresh(self, links: Collection[int]) -> None:
        """These links wait to be placed like any other: something is like them, or they changed."""
        if found := self._fresh(links):
            self._unfresh(self._among(t.link.c.id, found))
            self._db.execute(delete(t.fresh).where(self._among(t.fresh.c.link, found)))

    def unfresh_all(self, entity: str) -> None:
        """No link of this entity is fresh any more, e.g. because the rules changed since."""
        mine = select(t.fresh.c.link).where(t.fresh.c.entity == entity)
        if self._db.execute(mine.limit(1)).first() is not None:
            self._unfresh(t.link.c.id.in_(mine))
            self._db.execute(delete(t.fresh).where(t.fresh.c.entity == entity))

    def _unfresh(self, which: Any) -> None:  # noqa: ANN401 - a clause
        values = {"record": null(), "base_state": t.BASE_UNKNOWN, "method": ""}
        self._db.execute(update(t.link).where(which).values(values))

    def bear(self, entity: str, rules: str, births: str, at: str, limit: int) -> list[Newborn]:
        """Make the records of the next fresh links under these rules; `births` is the id of the decision that says so.

        Four statements whatever the number: the database does the work.
        """
        link, fresh = t.link.c, t.fresh.c
        due = select(link.id, link.record, link.system, link.external_id).join(t.fresh, fresh.link == link.id)
        mine = (fresh.entity == entity, fresh.rules == rules)
        born = [Newborn(*row) for row in self._db.execute(due.where(*mine).order_by(fresh.link).limit(limit))]
        if not born:
            return []
        page = (*mine, fresh.link.between(born[0].link, born[-1].link))
        self._found_records(entity, births, at, page)
        self._owe(entity, at, page)
        self._db.execute(delete(t.fresh).where(*page))
        return born

    def _found_records(self, entity: str, births: str, at: str, page: tuple[Any, ...]) -> None:
        columns = {
            "id": t.link.c.record, "entity": literal(entity), "link": t.link.c.id, "births": literal(births),
            "version": literal(1), "lifecycle": literal("active"), "created_at": literal(at), "updated_at": literal(at),
        }  # fmt: skip
        chosen = select(*columns.values()).join(t.fresh, t.fresh.c.link == t.link.c.id).where(*page)
        self._db.execute(insert(t.record).from_select(list(columns), chosen))

    def _owe(self, entity: str, at: str, page: tuple[Any, ...]) -> None:
        for wanted in self._db.execute(select(t.fresh.c.wanted).where(*page).distinct()).scalars().all():
            for system in filter(None, wanted.split(",")):
                columns = {
                    "record": t.link.c.record, "reason": literal("deliver"), "system": literal(system),
                    "entity": literal(entity), "due_at": literal(at),
                }  # fmt: skip
                chosen = select(*columns.values()).join(t.fresh, t.fresh.c.link == t.link.c.id)
                chosen = chosen.where(*page, t.fresh.c.wanted == wanted)
                self._db.execute(insert(t.dirty).from_select(list(columns), chosen))

    def _before_change(self, links: Collection[int]) -> None:
        """What must hold before anything of these links is changed: none is fresh, and no record leans on them."""
        if links:
            self.unfresh(links)
            self._keep_documents(links)

    def _keep_documents(self, links: Collection[int]) -> None:
        """Records that say what one of these links shows say it by themselves from now on."""
        if not links:
            return
        r, mine = t.record.c, t.link.c.record == t.record.c.id  # from the few links, not from all records
        told = make.TOLD_BY_LINK.where(self._among(t.link.c.id, links), mine, r.document.is_(None))
        rows = [(row[0], *make.told_by_link(*row[1:])) for row in self._db.execute(told)]
        columns: dict[str, Any] = {"document": bindparam("says"), "provenance": bindparam("said")}
        statement = update(t.record).where(r.id == bindparam("row")).values(columns)
        values = [{"row": n, "says": make.dump(says), "said": make.dump(said)} for n, says, said in rows]
        self._many(statement, values)
