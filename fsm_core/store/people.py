"""What people are asked and told: conflicts, proposals and problems, in the transaction of `work`.

Not here: reads for people (`queries`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import insert, literal, select, update

from fsm_core.state import Asked, Conflict, Problem, Proposal
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

    def open_matches(self, entity: str, types: Collection[str] = ("match",)) -> list[Conflict]:
        """Open questions about identity, of these types."""
        c = t.conflict.c
        mine = (c.entity == entity, c.type.in_(sorted(types)), c.state == OPEN)
        query = select(t.conflict).where(*mine).order_by(c.id)
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
                     ("value", "agreed", "state", "decided_by", "decided_at", "said_at", "due_at"))  # fmt: skip

    def mark_proposed(self, entity: str, reason: str, due: str) -> None:
        """Every record with an open proposal is to be looked at."""
        c = t.proposal.c
        every = select(c.record, literal(reason), literal(""), c.entity, literal(due))
        every = every.where(c.entity == entity, c.state == OPEN).distinct()
        names = ["record", "reason", "system", "entity", "due_at"]
        base = self._insert(t.dirty).from_select(names, every)
        at_once = {"due_at": base.excluded.due_at}
        self._db.execute(base.on_conflict_do_update(
            index_elements=["entity", "reason", "system", "record"], set_=at_once))  # fmt: skip

    def asked(self, entity: str) -> list[Asked]:
        """All open questions and proposals of an entity, as far as their route goes."""
        c, p = t.conflict.c, t.proposal.c
        conflicts = select(literal(False), c.id, c.type, c.field, c.queue, c.severity)  # noqa: FBT003 - a value of SQL
        proposals = select(literal(True), p.id, literal("field"), p.field, p.queue, p.severity)  # noqa: FBT003 - as above
        rows = [
            *self._db.execute(conflicts.where(c.entity == entity, c.state.in_(("open", "decided"))).order_by(c.id)),
            *self._db.execute(proposals.where(p.entity == entity, p.state == OPEN).order_by(p.id)),
        ]
        return [Asked(*row) for row in rows]

    def reroute(self, rows: Sequence[Asked]) -> None:
        """These questions go where they say now."""
        for table, proposals in ((t.conflict, False), (t.proposal, True)):
            mine = [row._asdict() for row in rows if row.proposal is proposals]
            self._change(table, mine, ("queue", "severity"))

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
