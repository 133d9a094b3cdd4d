"""Who somebody is: log-ins with a delay after failures, and tokens that are made, used and revoked.

Not here: what the person may do then (`rights`), how secrets are kept (`passwords`).
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from fsm_core.errors import Denied, Invalid, LoginNeeded, NotFound
from fsm_core.persons.accounts import alone
from fsm_core.persons.desk import Desk
from fsm_core.persons.passwords import hash_of, new_token
from fsm_core.persons.rights import Act, Actor, require
from fsm_core.persons.state import ACTIVE, Person, PersonWork, Token
from fsm_core.state import Work, stamp

FREE_FAILURES = 5
"""Failures in a row without a delay."""
FIRST_DELAY, LONGEST_DELAY = timedelta(minutes=1), timedelta(hours=1)
LONGEST_TOKEN = timedelta(days=365)


class Issued(NamedTuple):
    """A new token: the only time its secret is seen."""

    token: Token
    secret: str


def delay_after(failures: int) -> timedelta:
    """How long nobody may try after so many failures in a row: twice as long after each, an hour at most."""
    beyond = failures - FREE_FAILURES
    return timedelta() if beyond < 0 else min(FIRST_DELAY * 2 ** min(beyond, 16), LONGEST_DELAY)


def locked_until(person: Person) -> datetime | None:
    """When the person may try again; None without a failure."""
    if person.failed_at is None:
        return None
    return datetime.fromisoformat(person.failed_at) + delay_after(person.failures)


def log_in(desk: Desk, name: str, password: str) -> Issued:
    """A token for whoever knows the password. Raises `Denied`, the same for a wrong name and a wrong password."""
    person = _attempted(desk, name.strip().casefold())
    known = desk.passwords.matches(person.password if person else "", password)
    if person is None or not known or person.state != ACTIVE:
        raise Denied("name or password is wrong, or the person is disabled", remedy="Try again, or ask an admin.")
    renewed = desk.passwords.hash(password) if desk.passwords.outdated(person.password) else ""
    with desk.changing() as work:
        now = work.person(person.name)
        if now is None or now.state != ACTIVE or now.password != person.password:
            raise Denied("the account changed meanwhile", remedy="Try again.")
        now.failures, now.failed_at, now.password = 0, None, renewed or now.password
        work.change_person(now)
        return _issued(desk, work, now.actor, "login", desk.session)


def _attempted(desk: Desk, name: str) -> Person | None:
    """Counts as failed until it succeeds: who tries many at once gains nothing. Raises `Denied` while locked."""
    with desk.hub.store.begin() as work:
        person = work.person(name)
        if person is None:
            return None
        until = locked_until(person)
        if until is not None and desk.hub.now() < until:
            told = until.astimezone(UTC).strftime("%H:%M:%S UTC")
            message = f"{person.failures} log-ins of {name} failed in a row; the next may be tried at {told}"
            raise Denied(message, remedy="Wait, or have an admin run 'fsm-hub person enable'.")
        person.failures, person.failed_at = person.failures + 1, desk.hub.at()
        work.change_person(person)
        return person


def actor_of(work: PersonWork, secret: str, at: str) -> Actor | None:
    """Whoever this token is of; None without a good one on a hub that has no admin. Raises `LoginNeeded`."""
    wanted = hash_of(secret)
    token, person = (work.token(wanted) if secret else None) or (None, None)
    fault = "this hub knows its persons, and nobody is logged in"
    if token is not None and person is not None and hmac.compare_digest(token.hash, wanted):
        fault = _fault(token, person, at)
        if not fault:
            return person.actor
    elif secret:
        fault = "the token is not known here"
    if alone(work.persons()):
        return None
    raise LoginNeeded(fault)


def _fault(token: Token, person: Person, at: str) -> str:
    if token.revoked_at is not None:
        return "the token was revoked"
    if token.expires_at <= at:
        return "the token expired"
    return "" if person.state == ACTIVE else f"{person.name} is disabled"


def issue(desk: Desk, by: Actor, label: str, lasting: timedelta) -> Issued:
    """A token for oneself, for scripts and the schedule."""
    if not by.person:
        raise LoginNeeded("a token is of a person, and nobody is logged in")
    if not timedelta() < lasting <= LONGEST_TOKEN:
        raise Invalid("a token lasts a day at least and a year at most", field="days", remedy="Give 1 to 365 days.")
    with desk.changing() as work:
        return _issued(desk, work, by, label, lasting)


def _issued(desk: Desk, work: Work, of: Actor, label: str, lasting: timedelta) -> Issued:
    secret, now = new_token(), desk.hub.now()
    at, end = stamp(now) or "", stamp(now + lasting) or ""
    token = Token(desk.hub.ids.text(), of.person, hash_of(secret), label[:64], at, end)
    work.add_token(token)
    content = {"name": of.name, "token": token.id, "label": token.label, "expires_at": end}
    desk.tell(work, of.name, "token made", of.person, content)
    return Issued(token, secret)


def revoke(desk: Desk, by: Actor, wanted: str) -> Token:
    """End a token by its id or the end of it: one's own, or anybody's by an admin. Raises `NotFound`, `Denied`."""
    with desk.changing() as work:
        tokens = [token for person in work.persons() for token in work.tokens(person.id)]
        found = [token for token in tokens if wanted and token.id.endswith(wanted.lower())]
        if len(found) != 1:
            reason = "is ambiguous" if found else "does not exist"
            raise NotFound(f"token {wanted} {reason}", remedy="Take an id from 'fsm-hub token list'.")
        (token,) = found
        if token.person != by.person:
            require(by, Act.ADMINISTER)
        _end(desk, work, by, token)
    return token


def log_out(desk: Desk, secret: str) -> None:
    """End the token of this log-in; one that is not known is as good as ended."""
    with desk.changing() as work:
        found = work.token(hash_of(secret))
        if found is not None:
            _end(desk, work, found[1].actor, found[0])


def _end(desk: Desk, work: Work, by: Actor, token: Token) -> None:
    if token.revoked_at is None:
        token.revoked_at = desk.hub.at()
        work.revoke_tokens([token.id], token.revoked_at)
        desk.tell(work, by.name, "token revoked", token.person, {"token": token.id, "label": token.label})
