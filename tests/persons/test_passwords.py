"""Passwords and tokens: how they are kept, compared and refused."""

from __future__ import annotations

import pytest

from fsm_core.errors import Invalid
from fsm_core.persons.passwords import Passwords, checked, hash_of, named, new_token
from fsm_core.settings import PersonsSection, load

CHEAP = Passwords(1, 8, 1)


def test_a_password_is_kept_as_argon2id_with_a_salt_of_its_own():
    first, second = CHEAP.hash("three quiet words"), CHEAP.hash("three quiet words")
    assert first.startswith("$argon2id$")
    assert first != second
    assert "quiet" not in first
    assert CHEAP.matches(first, "three quiet words")
    assert not CHEAP.matches(first, "three quiet wordz")
    assert not CHEAP.matches("", "three quiet words")
    assert not CHEAP.matches("not a hash", "three quiet words")


def test_an_umlaut_is_the_same_however_it_was_typed():
    assert CHEAP.matches(CHEAP.hash("Müller und Söhne"), "Mu\u0308ller und So\u0308hne")


def test_a_hash_of_other_costs_is_outdated():
    assert not CHEAP.outdated(CHEAP.hash("three quiet words"))
    assert Passwords(2, 8, 1).outdated(CHEAP.hash("three quiet words"))


def test_the_costs_of_a_hub_that_says_nothing_are_those_the_rfc_advises():
    costs = PersonsSection()
    assert (costs.time_cost, costs.memory_kib, costs.parallelism) == (3, 65_536, 4)


def test_costs_and_days_are_settings(tmp_path):
    path = tmp_path / "hub.toml"
    path.write_text("[persons]\nmemory_kib = 8\nlogin_days = 7\n", encoding="utf8")
    assert (load(path).persons.memory_kib, load(path).persons.login_days) == (8, 7)


@pytest.mark.parametrize("password", ["short", "x" * 257, "the words of Ada here"])
def test_a_bad_password_is_refused_and_never_quoted(password):
    with pytest.raises(Invalid) as raised:
        checked(password, "ada")
    assert password not in str(raised.value)


@pytest.mark.parametrize(("given", "kept"), [("Ada", "ada"), (" jo.b@acme ", "jo.b@acme"), ("x_1", "x_1")])
def test_a_name_is_kept_in_lower_case(given, kept):
    assert named(given) == kept


@pytest.mark.parametrize("name", ["", "a", "-ada", "ada lovelace", "engine", "ENGINE", "a|b", "ädä", "x" * 65])
def test_other_names_are_refused(name):
    with pytest.raises(Invalid):
        named(name)


def test_tokens_are_random_and_long_and_kept_as_a_hash():
    one, other = new_token(), new_token()
    assert one != other
    assert one.startswith("fsmhub_")
    assert len(one) >= 50
    assert one not in hash_of(one)
    assert hash_of(one) != hash_of(other)
