"""Who may answer a question: whom the rule of its field names, else whoever may answer at all.

Not here: what roles there are (`fsm_core.persons.rights`), taking the answer (`resolve`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from fsm_core.persons.rights import MAY, Act, Actor, require, require_one
from fsm_core.service.converge import load
from fsm_core.service.hub import Hub
from fsm_core.state import Conflict, Proposal, Work


def deciders(hub: Hub, work: Work, rows: Sequence[Conflict | Proposal]) -> dict[str, tuple[str, ...]]:
    """The roles that may answer each of these questions, by its id."""
    found = {row.id: tuple(map(str, MAY[Act.ANSWER])) for row in rows}
    return found | named(hub, work, rows)


def named(hub: Hub, work: Work, rows: Sequence[Conflict | Proposal]) -> dict[str, tuple[str, ...]]:
    """The same for questions whose rule names roles; no record is read where no rule does."""
    special: defaultdict[str, list[Conflict | Proposal]] = defaultdict(list)
    for row in rows:
        if row.record and row.field in hub.book(row.entity).deciders:
            special[row.entity].append(row)
    found = {}
    for entity, mine in special.items():
        book = hub.book(entity)
        loaded = {one.record.id: one for one in load(hub, work, sorted({row.record or "" for row in mine}))}
        for row in mine:
            one = loaded[row.record or ""]
            roles = book.rules(one.ruled(book))[row.field].roles
            if roles:
                found[row.id] = roles
    return found


def require_some(hub: Hub, actor: Actor) -> None:
    """Raises `Denied` where there is no question at all that this person may answer."""
    require_one(actor, tuple(dict.fromkeys((*MAY[Act.ANSWER], *hub.rulebook.persons))), Act.ANSWER)


def require_decider(hub: Hub, work: Work, actor: Actor, row: Conflict | Proposal) -> None:
    """Raises `Denied` that names the roles it takes."""
    roles = named(hub, work, [row]).get(row.id)
    if roles is None:
        require(actor, Act.ANSWER)
    else:
        require_one(actor, roles, f"decide {row.entity}.{row.field}")
