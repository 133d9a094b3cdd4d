"""What people are asked and told: conflicts, proposals and problems, in the transaction of `work`.

Not here: reads for people (`queries`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import insert, select, update

from fsm_core.state import Conflict, Problem, Proposal
from fsm_core.store import rows as make
from fsm_core.store import schema as t
from fsm_core.store.plumbing import OPEN, Plumbing


class PeopleWork(Plumbing):
    """Part of `fsm_core.state.Work`."""

    def open_conflicts(self, records: Collection[str]) -> list[Conflict]:
        """Conflicts of these records that are not closed (open, or decided and not yet applied)."""
        c = t.conflict.c
        mine = select(t.conflict).where(self._among(c.record, records), c.state.in_(("open", "decided")))
        return [make.conflict_of(row) for row in self._all(mine.order_by(c.id))]

    def conflict(self, id: str) -> Conflict | None:  # noqa: A002 - as in the table
        """A question as it stands now."""
        found = self._all(select(t.conflict).where(t.conflict.c.id == id))
        return make.conflict_of(found[0]) if found else None

    def proposal(self, id: str) -> Proposal | None:  # noqa: A002 - as in the table
        """A proposal as it stands now."""
        found = self._all(select(t.proposal).where(t.proposal.c.id == id))
        return make.proposal_of(found[0]) if found else None

    def open_matches(self, entity: str) -> list[Conflict]:
        """Open questions about identity."""
        c = t.conflict.c
        query = select(t.conflict).where(c.entity == entity, c.type == "match", c.state == OPEN).order_by(c.id)
        return [make.conflict_of(row) for row in self._all(query)]

    def add_conflicts(self, rows: Sequence[Conflict]) -> None:
        """New questions."""
        self._many(insert(t.conflict), [make.conflict_row(row) for row in rows])

    def change_conflicts(self, rows: Sequence[Conflict]) -> None:
        """Keep state, snapshot and resolution."""
        self._change(t.conflict, [make.conflict_row(row) for row in rows],
                     ("state", "note", "snapshot", "resolution", "resolved_by", "resolved_at", "record"))  # fmt: skip

    def open_proposals(self, records: Collection[str]) -> list[Proposal]:
        """Open proposals of these records, and decided ones that are not yet applied."""
        c = t.proposal.c
        mine = select(t.proposal).where(self._among(c.record, records), c.state.in_(("open", "adopting", "rejecting")))
        return [make.proposal_of(row) for row in self._all(mine.order_by(c.id))]

    def add_proposals(self, rows: Sequence[Proposal]) -> None:
        """New proposals."""
        self._many(insert(t.proposal), [make.proposal_row(row) for row in rows])

    def change_proposals(self, rows: Sequence[Proposal]) -> None:
        """Keep value and state."""
        self._change(t.proposal, [make.proposal_row(row) for row in rows],
                     ("value", "agreed", "state", "decided_by", "decided_at"))  # fmt: skip

    def raise_problems(self, rows: Sequence[Problem]) -> None:
        """New problems, or one more sighting of known ones."""
        base = self._insert(t.problem)
        again = {name: base.excluded[name] for name in ("message", "remedy", "last_at", "record")}
        statement = base.on_conflict_do_update(
            index_elements=["system", "object", "external_id", "field", "cause"],
            set_={**again, "state": OPEN, "attempts": t.problem.c.attempts + 1},
        )
        self._many(statement, [make.problem_row(row) for row in rows])

    def solve_problems(
        self,
        system: str,
        external_ids: Collection[str],
        causes: Collection[str],
        at: str,
        *,
        field: str | None = None,
        but: Collection[str] = (),
    ) -> None:
        """The cause is gone: of one field if named, and not of the fields in `but`."""
        c = t.problem.c
        meant = [c.system == system, c.cause.in_(sorted(causes)), c.state == OPEN, c.field.not_in(sorted(but))]
        meant += [] if field is None else [c.field == field]
        meant.append(self._among(c.external_id, external_ids))
        if external_ids:
            self._db.execute(update(t.problem).where(*meant).values(state="solved", last_at=at))
