"""Persons come, change and go: added, given roles, disabled, given a new password. Each change is in the audit.

Nobody is deleted: the audit names them. Not here: log-ins (`logins`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fsm_core.errors import Denied, Invalid
from fsm_core.persons.desk import Desk, found
from fsm_core.persons.passwords import checked, named
from fsm_core.persons.rights import Act, Actor, Role, require
from fsm_core.persons.state import ACTIVE, DISABLED, Person
from fsm_core.state import Work


def alone(persons: Iterable[Person]) -> bool:
    """Whether no admin exists yet: the local user acts without logging in."""
    return not any(one.state == ACTIVE and Role.ADMIN in one.roles for one in persons)


def add(desk: Desk, by: Actor, name: str, roles: Collection[Role], password: str) -> Person:
    """A new person."""
    require(by, Act.ADMINISTER)
    name, at = named(name), desk.hub.at()
    kept = desk.passwords.hash(checked(password, name))
    person = Person(desk.hub.ids.text(), name, frozenset(roles), kept, ACTIVE, at, at)
    with desk.changing() as work:
        if work.person(name) is not None:
            remedy = "Names are never given twice; 'fsm-hub person enable' brings a disabled person back."
            raise Invalid(f"there is a person {name!r} already", field="name", remedy=remedy)
        work.add_person(person)
        desk.tell(work, by.name, "person added", person.id, {"name": name, "roles": sorted(roles)})
    return person


def change_roles(desk: Desk, by: Actor, name: str, roles: Collection[Role]) -> Person:
    """Other roles instead of those the person has."""
    require(by, Act.ADMINISTER)
    with desk.changing() as work:
        person = found(work, name)
        before, person.roles = person.roles, frozenset(roles)
        _keep(desk, work, person)
        told = {"name": person.name, "roles": sorted(roles), "before": sorted(before)}
        desk.tell(work, by.name, "person roles", person.id, told)
    return person


def disable(desk: Desk, by: Actor, name: str) -> Person:
    """The person can do nothing any more; its tokens are revoked for good."""
    require(by, Act.ADMINISTER)
    with desk.changing() as work:
        person = found(work, name)
        person.state = DISABLED
        _keep(desk, work, person)
        _revoke_all(desk, work, person)
        desk.tell(work, by.name, "person disabled", person.id, {"name": person.name})
    return person


def enable(desk: Desk, by: Actor, name: str) -> Person:
    """The person may log in again, and failed attempts are forgotten."""
    require(by, Act.ADMINISTER)
    with desk.changing() as work:
        person = found(work, name)
        person.state, person.failures, person.failed_at = ACTIVE, 0, None
        _keep(desk, work, person)
        desk.tell(work, by.name, "person enabled", person.id, {"name": person.name})
    return person


def change_password(desk: Desk, by: Actor, name: str, password: str, current: str = "") -> Person:
    """A new password: one's own, on the present one, or another's by an admin. All tokens of the person are revoked."""
    with desk.hub.store.begin() as work:
        person = found(work, name)
    if person.id != by.person:
        require(by, Act.ADMINISTER)
    elif not desk.passwords.matches(person.password, current):
        raise Denied("the present password is another one", remedy="Try again, or ask an admin for a new one.")
    kept = desk.passwords.hash(checked(password, person.name))
    with desk.changing() as work:
        person = found(work, name)
        person.password, person.failures, person.failed_at = kept, 0, None
        _keep(desk, work, person)
        _revoke_all(desk, work, person)
        desk.tell(work, by.name, "person password", person.id, {"name": person.name})
    return person


def _keep(desk: Desk, work: Work, person: Person) -> None:
    """Keep the change; one that leaves a hub with admins without any is refused."""
    had_one = not alone(work.persons())
    person.changed_at = desk.hub.at()
    work.change_person(person)
    if had_one and alone(work.persons()):
        raise Invalid(f"{person.name} is the last admin", remedy="Make somebody else an admin first.")


def _revoke_all(desk: Desk, work: Work, person: Person) -> None:
    live = [token.id for token in work.tokens(person.id) if token.revoked_at is None]
    work.revoke_tokens(live, desk.hub.at())
