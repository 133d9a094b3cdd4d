"""People's answers to questions about double entry.

Not here: how the same thing is linked (`resolve`), and how the question came about (`double_entry`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from fsm_core.errors import Invalid
from fsm_core.service.double_entry import free, newcomers_in, over, wake
from fsm_core.service.hub import Hub
from fsm_core.state import Conflict, Doc, Link, LinkState, Reason, Record, Work
from fsm_core.sync.double_entry import HOLDING, SUGGESTING

SAME, APART, CHILD, COMBINE = "same", "apart", "child", "combine"


def answers_to(conflict: Conflict) -> dict[str, str]:
    """What may be answered and what it does: `child` where a field can say so."""
    if conflict.type in SUGGESTING:
        return {COMBINE: "noted; people combine them in their systems", APART: "both stay, and this is remembered"}
    same = "they are one record" if one_record(conflict) else "they are the same work, and both stay"
    child = {CHILD: "a record of its own that refers to the earlier one"} if conflict.snapshot.get("parent") else {}
    return {SAME: same, **child, APART: "both are right, and this is remembered"}


def one_record(conflict: Conflict) -> bool:
    """Whether `same` makes one record of both; a visit and an order stay two."""
    return len({side["entity"] for side in conflict.snapshot["sides"]}) == 1


def keep_two(hub: Hub, work: Work, conflict: Conflict, take: str, by: str) -> None:
    """Both stay: remembered, so that it is not asked again; a newcomer is born when nothing else is asked of it.

    Raises `Invalid` when nobody waits any more, or a child is in question elsewhere.
    """
    conflict.state = "resolved"
    if conflict.type in SUGGESTING:
        _remember(work, conflict, by, hub.at())
        return
    waiting = _waiting(work, conflict)
    others = _others(work, conflict)
    if take == CHILD and others:
        ids = ", ".join(other.id[-8:] for other in others)
        raise Invalid("it may be the same as something else, too", remedy=f"Answer first: {ids}.")
    _remember(work, conflict, by, hub.at())
    if take == CHILD:
        _born_as_child(hub, work, conflict, waiting, by)
    elif not others:
        free(work, [conflict])
    wake(hub, work, [conflict])


def close_others(hub: Hub, work: Work, conflict: Conflict) -> None:
    """The newcomer has its record: nothing else is asked of it."""
    over(hub, work, _others(work, conflict))


def _waiting(work: Work, conflict: Conflict) -> list[Link]:
    links = [link for link in work.links(newcomers_in(conflict)) if link.state == LinkState.PENDING]
    if not links:
        raise Invalid("nothing waits for this answer any more", remedy="Run a round; what is left is asked anew.")
    return links


def _others(work: Work, conflict: Conflict) -> list[Conflict]:
    mine = newcomers_in(conflict)
    asked = work.open_matches(conflict.entity, HOLDING)
    return [other for other in asked if other.id != conflict.id and newcomers_in(other) == mine]


def _remember(work: Work, conflict: Conflict, by: str, at: str) -> None:
    sides = conflict.snapshot["sides"]
    new, known = ([side["link"] for side in sides if side["new"] is which] for which in (True, False))
    work.put_apart([(min(pair), max(pair)) for pair in product(new, known)], by, at)


def _born_as_child(hub: Hub, work: Work, conflict: Conflict, waiting: Sequence[Link], by: str) -> None:
    """A record that says nothing but whose child it is: the next round decides the rest."""
    at, parent = hub.at(), conflict.snapshot["parent"]
    said: Doc = {"run": hub.run, "rules": hub.rulebook.version, "at": at, "by": by, "person": True}
    document = {parent: conflict.snapshot["other"]}
    born = Record(hub.ids.text(), conflict.entity, document, {parent: said}, created_at=at, updated_at=at)
    work.add_records([born])
    work.place([(link.id, born.id, LinkState.LIVE, f"person {by}") for link in waiting])
    work.mark_dirty(conflict.entity, [(born.id, Reason.OBSERVED, "", at)])
