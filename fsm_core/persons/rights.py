"""Who may do what: one table from an act to the roles that allow it.

Pure. Not here: who somebody is (`logins`), and what takes a second person (`approvals`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from fsm_core.errors import Denied, Invalid


class Role(StrEnum):
    """What a person is to the hub."""

    VIEWER = "viewer"
    RESOLVER = "resolver"
    FINANCE = "finance"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Act(StrEnum):
    """Something a person may be allowed to do, as a sentence goes on after "may not"."""

    SEE = "see what the hub knows"
    ANSWER = "answer conflicts and proposals"
    MATCH = "merge records or take them apart"
    PIN = "pin values and release them"
    EDIT = "edit and enter records in the hub"
    RETRY = "have problems tried again"
    CONFIRM = "confirm a mass change"
    APPLY = "apply a plan"
    REKEY = "accept another environment"
    STOP = "switch reading or writing off"
    RESUME = "switch reading or writing on again"
    APPROVE = "approve a change"
    APPROVE_MONEY = "approve what concerns money"
    VERIFY = "verify the audit"
    ADMINISTER = "administer persons"
    RULE = "change the rules"
    ACCEPT = "accept what a system changed of its fields"


MAY: Mapping[Act, tuple[Role, ...]] = {
    Act.SEE: tuple(Role),
    Act.ANSWER: (Role.RESOLVER, Role.ADMIN),
    Act.MATCH: (Role.RESOLVER, Role.ADMIN),
    Act.PIN: (Role.RESOLVER, Role.ADMIN),
    Act.EDIT: (Role.RESOLVER, Role.ADMIN),
    Act.RETRY: (Role.RESOLVER, Role.ADMIN),
    Act.CONFIRM: (Role.ADMIN,),
    Act.APPLY: (Role.ADMIN,),
    Act.REKEY: (Role.ADMIN,),
    Act.STOP: (Role.RESOLVER, Role.ADMIN),
    Act.RESUME: (Role.ADMIN,),
    Act.APPROVE: (Role.RESOLVER, Role.ADMIN),
    Act.APPROVE_MONEY: (Role.FINANCE,),
    Act.VERIFY: (Role.AUDITOR, Role.ADMIN),
    Act.ADMINISTER: (Role.ADMIN,),
    Act.RULE: (Role.ADMIN,),
    Act.ACCEPT: (Role.ADMIN,),
}
"""The table. What the rules alone decide (a round, `doctor`) is no act of a person: the schedule does it too."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts now. Without `person` it is the local user of a hub that has no admin yet, who may do what takes one."""

    name: str
    roles: frozenset[Role] = frozenset(Role)
    person: str = ""
    """The person's id; proof that somebody logged in."""


def allowed(actor: Actor, act: Act) -> bool:
    """Whether one of the actor's roles lets it do this."""
    return not actor.roles.isdisjoint(MAY[act])


def require(actor: Actor, act: Act) -> None:
    """Raises `Denied` that names the roles it takes."""
    require_one(actor, MAY[act], act)


def require_one(actor: Actor, roles: Collection[str], what: str) -> None:
    """The same for what a rule lets these roles do."""
    if actor.roles.isdisjoint(roles):
        has = ", ".join(sorted(actor.roles)) or "no role"
        message = f"{actor.name} may not {what}: that takes the role {' or '.join(roles)}, and {actor.name} has {has}"
        raise Denied(message)


def roles_of(words: Collection[str]) -> frozenset[Role]:
    """Roles by their names. Raises `Invalid` that lists the known ones."""
    unknown = sorted(set(words) - {role.value for role in Role})
    if unknown or not words:
        wrong = f"{unknown[0]!r} is no role" if unknown else "a person has at least one role"
        raise Invalid(wrong, field="role", remedy=f"Choose from: {', '.join(Role)}.")
    return frozenset(Role(word) for word in words)
