"""Four eyes: nobody approves his own, and only the right role approves at all."""

from __future__ import annotations

import itertools

import pytest

from fsm_core.errors import BadMapping, Denied, Invalid, LoginNeeded
from fsm_core.persons import accounts
from fsm_core.persons.approvals import KINDS, answer, ask, granted, objection
from fsm_core.persons.rights import MAY, Actor, Role
from fsm_core.store import queries
from fsm_core.store.verify import verify
from tests.persons.conftest import LOCAL, WORD


@pytest.mark.parametrize(("kind", "role"), list(itertools.product(KINDS, Role)))
def test_another_person_with_the_right_role_may(kind, role):
    bob = Actor("bob", frozenset({role}), "2")
    assert (objection(bob, kind, "ada") == "") == (role in MAY[KINDS[kind]])
    assert "nobody approves his own" in objection(bob, kind, "bob")


def test_the_local_user_is_nobody_who_could_be_second():
    assert "takes two persons" in objection(LOCAL, "change", "ada")


@pytest.fixture
def people(desk, ada):
    roles = {"bob": Role.RESOLVER, "fin": Role.FINANCE, "vera": Role.VIEWER}
    return {"ada": ada} | {name: accounts.add(desk, ada, name, [role], WORD).actor for name, role in roles.items()}


def test_what_another_person_approves_is_granted_for_exactly_this(desk, people):
    asked = ask(desk, people["bob"], "hash-1", "change", "400 records of sap")
    with desk.hub.store.begin() as work:
        assert granted(work, "hash-1", "change") is None
    done = answer(desk, people["ada"], asked, approve=True)
    assert (done.state, done.approved_by, done.asked_by) == ("approved", "ada", "bob")
    with desk.hub.store.begin() as work:
        assert granted(work, "hash-1", "change") == done
        assert granted(work, "hash-2", "change") is None
        assert granted(work, "hash-1", "money") is None
    with desk.hub.store.reading() as db:
        assert verify(db).broken is None
        assert [(d["actor"], d["kind"]) for d in queries.decisions(db, asked.id)] == [
            ("bob", "approval asked"),
            ("ada", "approval approved"),
        ]
        assert queries.approvals(db) == []


@pytest.mark.parametrize(
    ("kind", "asks", "approves", "says"),
    [
        ("change", "bob", "bob", "nobody approves his own"),
        ("change", "ada", "ada", "nobody approves his own"),
        ("change", "bob", "vera", "takes the role resolver or admin"),
        ("change", "bob", "fin", "takes the role resolver or admin"),
        ("money", "bob", "ada", "takes the role finance"),
    ],
)
def test_who_may_not_is_refused_and_nothing_is_granted(desk, people, kind, asks, approves, says):
    asked = ask(desk, people[asks], "hash-1", kind, "a change")
    for approve in (True, False) if asks != approves else (True,):
        with pytest.raises(Denied, match=says):
            answer(desk, people[approves], asked, approve=approve)
    with desk.hub.store.begin() as work:
        assert granted(work, "hash-1", kind) is None
        assert work.approval(asked.id).state == "open"


def test_finance_approves_money(desk, people):
    asked = ask(desk, people["bob"], "hash-1", "money", "an invoice")
    assert answer(desk, people["fin"], asked, approve=True).state == "approved"


def test_whoever_asked_may_take_it_back_and_ask_again(desk, people):
    asked = ask(desk, people["bob"], "hash-1", "change", "a change")
    assert ask(desk, people["vera"], "hash-1", "change", "the same") == asked, "open already"
    assert answer(desk, people["bob"], asked, approve=False).state == "rejected"
    again = ask(desk, people["bob"], "hash-1", "change", "a change")
    assert again.id != asked.id
    with pytest.raises(Invalid, match="is rejected"):
        answer(desk, people["ada"], asked, approve=True)


def test_the_latest_word_counts(desk, people, clock):
    answer(desk, people["ada"], ask(desk, people["bob"], "hash-1", "change", "x"), approve=True)
    clock.advance(60)
    answer(desk, people["ada"], ask(desk, people["bob"], "hash-1", "change", "x"), approve=False)
    with desk.hub.store.begin() as work:
        assert granted(work, "hash-1", "change") is None


def test_asking_takes_a_person_and_a_known_kind(desk, people):
    with pytest.raises(LoginNeeded):
        ask(desk, LOCAL, "hash-1", "change", "x")
    with pytest.raises(BadMapping, match="known: change, money"):
        ask(desk, people["bob"], "hash-1", "holiday", "x")
