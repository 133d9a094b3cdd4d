"""Log-ins and tokens: who gets one, how long it is good for, and how slowly one may guess."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from fsm_core.errors import Denied, Invalid, LoginNeeded, NotFound
from fsm_core.persons import accounts, logins
from fsm_core.persons.passwords import Passwords
from fsm_core.persons.rights import Role
from fsm_core.store import schema as t
from tests.persons.conftest import LOCAL, WORD

WRONG = "name or password is wrong"


def actor_by(desk, secret):
    with desk.hub.store.begin() as work:
        return logins.actor_of(work, secret, desk.hub.at())


def everything(desk):
    with desk.hub.store.reading() as db:
        return "".join(str(db.execute(select(table)).all()) for table in t.metadata.tables.values())


def test_a_log_in_gives_a_token_that_says_who_one_is(desk, ada):
    issued = logins.log_in(desk, " ADA", WORD)
    assert actor_by(desk, issued.secret) == ada
    assert issued.secret not in everything(desk)
    assert WORD not in everything(desk)


@pytest.mark.parametrize(("name", "password"), [("ada", "a wrong guess here"), ("zoe", WORD), ("", "")])
def test_a_wrong_name_and_a_wrong_password_are_told_alike(desk, ada, name, password):
    with pytest.raises(Denied, match=WRONG) as raised:
        logins.log_in(desk, name, password)
    assert password == "" or password not in str(raised.value)


@pytest.mark.parametrize(("failures", "minutes"), [(0, 0), (4, 0), (5, 1), (6, 2), (8, 8), (11, 60), (10_000, 60)])
def test_the_delay_doubles_and_ends_at_an_hour(failures, minutes):
    assert logins.delay_after(failures) == timedelta(minutes=minutes)


def test_after_five_failures_even_the_right_password_has_to_wait(desk, ada, clock):
    for _ in range(5):
        with pytest.raises(Denied, match=WRONG):
            logins.log_in(desk, "ada", "a wrong guess here")
    with pytest.raises(Denied, match="5 log-ins of ada failed in a row"):
        logins.log_in(desk, "ada", WORD)
    clock.advance(61)
    assert logins.log_in(desk, "ada", WORD)
    with pytest.raises(Denied, match=WRONG):
        logins.log_in(desk, "ada", "a wrong guess here")
    assert logins.log_in(desk, "ada", WORD), "a good log-in begins the count anew"


def test_guesses_made_at_once_all_count(desk, ada, monkeypatch):
    """Each counts before its password is looked at: five at once leave no sixth."""
    seen = []

    def slow(self, kept, password):
        seen.append(password)
        if len(seen) < 9:
            with pytest.raises(Denied):
                logins.log_in(desk, "ada", f"guess number {len(seen)}")
        return False

    monkeypatch.setattr(Passwords, "matches", slow)
    with pytest.raises(Denied):
        logins.log_in(desk, "ada", "guess number 0")
    assert len(seen) == 5


def test_an_admin_ends_the_delay(desk, ada):
    accounts.add(desk, ada, "bob", [Role.VIEWER], WORD)
    for _ in range(5):
        with pytest.raises(Denied, match=WRONG):
            logins.log_in(desk, "bob", "a wrong guess here")
    accounts.enable(desk, ada, "bob")
    assert logins.log_in(desk, "bob", WORD)


def test_a_password_of_other_costs_is_hashed_anew(desk, ada):
    dearer = type(desk)(desk.hub, Passwords(2, 8, 1), desk.session)
    logins.log_in(dearer, "ada", WORD)
    with desk.hub.store.begin() as work:
        assert "t=2" in work.person("ada").password


def test_a_token_ends_by_itself(desk, ada, clock):
    secret = logins.log_in(desk, "ada", WORD).secret
    clock.advance(30 * 86_400 - 1)
    assert actor_by(desk, secret) == ada
    clock.advance(2)
    with pytest.raises(LoginNeeded, match="expired"):
        actor_by(desk, secret)


def test_a_disabled_person_can_do_nothing_and_enabling_brings_no_token_back(desk, ada):
    accounts.add(desk, ada, "bob", [Role.VIEWER], WORD)
    secret = logins.log_in(desk, "bob", WORD).secret
    accounts.disable(desk, ada, "bob")
    with pytest.raises(LoginNeeded):
        actor_by(desk, secret)
    with pytest.raises(Denied, match=WRONG):
        logins.log_in(desk, "bob", WORD)
    accounts.enable(desk, ada, "bob")
    with pytest.raises(LoginNeeded, match="revoked"):
        actor_by(desk, secret)


@pytest.mark.parametrize(("secret", "says"), [("", "nobody is logged in"), ("fsmhub_guess", "not known here")])
def test_without_a_good_token_nobody_acts(desk, ada, secret, says):
    with pytest.raises(LoginNeeded, match=says):
        actor_by(desk, secret)


def test_a_left_over_token_harms_no_hub_without_an_admin(desk):
    assert actor_by(desk, "fsmhub_of_another_hub") is None


def test_a_log_out_ends_its_own_token_only(desk, ada):
    first, second = logins.log_in(desk, "ada", WORD).secret, logins.log_in(desk, "ada", WORD).secret
    logins.log_out(desk, first)
    logins.log_out(desk, "fsmhub_unknown")
    assert actor_by(desk, second) == ada
    with pytest.raises(LoginNeeded, match="revoked"):
        actor_by(desk, first)


def test_a_personal_token_carries_the_roles_of_today_and_lasts_as_asked(desk, ada, clock):
    bob = accounts.add(desk, ada, "bob", [Role.VIEWER], WORD).actor
    issued = logins.issue(desk, bob, "nightly report", timedelta(days=1))
    accounts.change_roles(desk, ada, "bob", [Role.AUDITOR])
    assert actor_by(desk, issued.secret).roles == {Role.AUDITOR}
    clock.advance(86_401)
    with pytest.raises(LoginNeeded, match="expired"):
        actor_by(desk, issued.secret)


@pytest.mark.parametrize("days", [0, -1, 366])
def test_a_token_lasts_a_year_at_most(desk, ada, days):
    with pytest.raises(Invalid):
        logins.issue(desk, ada, "forever", timedelta(days=days))


def test_the_local_user_has_no_token(desk):
    with pytest.raises(LoginNeeded):
        logins.issue(desk, LOCAL, "script", timedelta(days=1))


def test_a_token_is_revoked_by_its_owner_or_an_admin(desk, ada):
    bob = accounts.add(desk, ada, "bob", [Role.RESOLVER], WORD).actor
    eve = accounts.add(desk, ada, "eve", [Role.RESOLVER], WORD).actor
    first, second = (logins.issue(desk, bob, label, timedelta(days=1)) for label in "ab")
    with pytest.raises(Denied):
        logins.revoke(desk, eve, first.token.id)
    assert logins.revoke(desk, bob, first.token.id).revoked_at
    assert logins.revoke(desk, ada, second.token.id[-8:].upper()).revoked_at
    with pytest.raises(NotFound, match="does not exist"):
        logins.revoke(desk, ada, "nothing")
    with pytest.raises(NotFound):
        logins.revoke(desk, ada, "")
