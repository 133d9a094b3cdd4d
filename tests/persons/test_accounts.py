"""Persons come, change and go; the audit tells of all of it and never of a password."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from fsm_core.errors import Denied, Invalid, NotFound
from fsm_core.persons import accounts
from fsm_core.persons.logins import actor_of, log_in
from fsm_core.persons.rights import Role
from fsm_core.store import schema as t
from fsm_core.store.verify import verify
from tests.persons.conftest import LOCAL, WORD

OTHER = "four other quiet words"


def audit(desk):
    with desk.hub.store.reading() as db:
        assert verify(db).broken is None
        query = select(t.decision.c.actor, t.decision.c.kind, t.decision_value.c.content)
        return list(
            db.execute(
                query.join(t.decision_value, t.decision_value.c.decision == t.decision.c.id).order_by(t.decision.c.id)
            )
        )


def test_until_there_is_an_admin_everybody_acts_as_the_local_user(desk):
    with desk.hub.store.begin() as work:
        assert actor_of(work, "", desk.hub.at()) is None
    accounts.add(desk, LOCAL, "vera", [Role.VIEWER], WORD)
    with desk.hub.store.begin() as work:
        assert accounts.alone(work.persons())
        assert actor_of(work, "", desk.hub.at()) is None
    accounts.add(desk, LOCAL, "ada", [Role.ADMIN], WORD)
    with desk.hub.store.begin() as work:
        assert not accounts.alone(work.persons())


def test_every_change_is_in_the_audit_with_who_made_it(desk, ada):
    accounts.add(desk, ada, "Bob", [Role.VIEWER], WORD)
    accounts.change_roles(desk, ada, "bob", [Role.RESOLVER, Role.FINANCE])
    accounts.change_password(desk, ada, "bob", OTHER)
    accounts.disable(desk, ada, "bob")
    accounts.enable(desk, ada, "bob")
    told = audit(desk)
    kinds = ["added", "added", "roles", "password", "disabled", "enabled"]
    assert [row.kind for row in told] == [f"person {kind}" for kind in kinds]
    assert [row.actor for row in told] == ["root", *["ada"] * 5]
    assert '"before":["viewer"]' in told[2].content
    assert '"roles":["finance","resolver"]' in told[2].content
    assert not any("quiet" in row.content or "argon2" in row.content for row in told)


def test_only_an_admin_looks_after_persons(desk, ada):
    bob = accounts.add(desk, ada, "bob", [Role.RESOLVER, Role.AUDITOR, Role.FINANCE], WORD).actor
    for attempt in (
        lambda: accounts.add(desk, bob, "eve", [Role.VIEWER], WORD),
        lambda: accounts.change_roles(desk, bob, "bob", [Role.ADMIN]),
        lambda: accounts.disable(desk, bob, "ada"),
        lambda: accounts.enable(desk, bob, "ada"),
        lambda: accounts.change_password(desk, bob, "ada", OTHER),
    ):
        with pytest.raises(Denied, match="takes the role admin"):
            attempt()


def test_a_name_is_given_once(desk, ada):
    accounts.add(desk, ada, "bob", [Role.VIEWER], WORD)
    accounts.disable(desk, ada, "bob")
    with pytest.raises(Invalid, match="there is a person 'bob' already"):
        accounts.add(desk, ada, "BOB", [Role.VIEWER], WORD)


def test_there_is_always_an_admin(desk, ada):
    accounts.add(desk, ada, "bob", [Role.VIEWER], WORD)
    with pytest.raises(Invalid, match="ada is the last admin"):
        accounts.disable(desk, ada, "ada")
    with pytest.raises(Invalid, match="ada is the last admin"):
        accounts.change_roles(desk, ada, "ada", [Role.VIEWER])
    accounts.change_roles(desk, ada, "bob", [Role.ADMIN])
    assert accounts.disable(desk, ada, "ada").state == "disabled"


def test_a_password_is_changed_on_the_present_one_and_ends_every_log_in(desk, ada):
    secret = log_in(desk, "ada", WORD).secret
    with pytest.raises(Denied, match="present password"):
        accounts.change_password(desk, ada, "ada", OTHER, "a wrong guess here")
    accounts.change_password(desk, ada, "ada", OTHER, WORD)
    with desk.hub.store.begin() as work, pytest.raises(Denied, match="revoked"):
        actor_of(work, secret, desk.hub.at())
    assert log_in(desk, "ada", OTHER).token.person == ada.person


def test_who_does_not_exist_is_named(desk, ada):
    with pytest.raises(NotFound, match="there is no person 'zoe'"):
        accounts.disable(desk, ada, "zoe")


def test_a_row_never_shows_its_hash(desk, ada):
    with desk.hub.store.begin() as work:
        assert "argon2" not in repr(work.persons())
