"""Who may do what, as a table: a right that moves shows here."""

from __future__ import annotations

import pytest

from fsm_core.errors import Denied, Invalid
from fsm_core.persons.rights import MAY, Act, Actor, Role, allowed, require, roles_of

TABLE = {
    Role.VIEWER: {Act.SEE},
    Role.RESOLVER: {Act.SEE, Act.ANSWER, Act.MATCH, Act.PIN, Act.EDIT, Act.RETRY, Act.STOP, Act.APPROVE},
    Role.FINANCE: {Act.SEE, Act.APPROVE_MONEY},
    Role.ADMIN: set(Act) - {Act.APPROVE_MONEY},
    Role.AUDITOR: {Act.SEE, Act.VERIFY},
}


@pytest.mark.parametrize("role", Role)
def test_a_role_allows_exactly_this(role):
    actor = Actor("ada", frozenset({role}), "1")
    assert {act for act in Act if allowed(actor, act)} == TABLE[role]


def test_every_act_has_somebody_who_may():
    assert set(MAY) == set(Act)
    assert all(MAY.values())


def test_several_roles_add_up():
    assert allowed(Actor("ada", frozenset({Role.AUDITOR, Role.FINANCE}), "1"), Act.APPROVE_MONEY)


def test_a_refusal_names_the_roles_it_takes_and_those_there_are():
    with pytest.raises(Denied, match=r"bob may not answer .* takes the role resolver or admin, and bob has viewer"):
        require(Actor("bob", frozenset({Role.VIEWER}), "1"), Act.ANSWER)


@pytest.mark.parametrize("words", [[], ["king"], ["admin", "Admin"]])
def test_roles_that_do_not_exist_are_refused_with_those_that_do(words):
    with pytest.raises(Invalid, match="viewer, resolver, finance, admin, auditor"):
        roles_of(words)
