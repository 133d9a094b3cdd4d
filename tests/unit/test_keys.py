"""Keys of several fields: what they compare, against what the comparators call the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_core.model import SHAPES
from fsm_core.sync.keys import address, digits, reader

CONTACT, SITE = SHAPES["contact"], SHAPES["site"]
BY_EMAIL = reader(CONTACT, ("customer_id", "email"), strong=True)
BY_ADDRESS = reader(SITE, ("customer_id", "address"), strong=True)
BY_NAME = reader(CONTACT, ("customer_id", "name.last", "name.first"), strong=False)
BY_PHONE = reader(CONTACT, ("customer_id", "name.last", "phone"), strong=False)
HERE = {"customer_id": "019b-1"}


def test_a_key_with_a_blank_or_unknown_part_has_no_value():
    assert BY_EMAIL({"email": "a@b.example"}) == []
    assert BY_EMAIL({**HERE, "email": None}) == []
    assert BY_EMAIL({**HERE, "email": "a@b.example"}) == ["019b-1|a@b.example"]
    assert BY_ADDRESS({**HERE, "address": {"street": "Ring", "number": "1"}}) == []
    assert BY_ADDRESS({**HERE, "address": {"postcode": "10115"}}) == []


def test_a_part_that_is_a_set_gives_a_value_each():
    roles = reader(CONTACT, ("customer_id", "roles"), strong=True)
    assert roles({**HERE, "roles": ["site", "billing"]}) == ["019b-1|billing", "019b-1|site"]


def test_a_strong_key_is_exact_where_a_weak_one_is_loose():
    exact = reader(SITE, ("customer_id", "name"), strong=True)
    loose = reader(SITE, ("customer_id", "name"), strong=False)
    one, other = {**HERE, "name": "Müller GmbH"}, {**HERE, "name": "MUELLER"}
    assert exact(one) != exact(other)
    assert loose(one) == loose(other)


def test_names_are_asked_about_without_accents_and_phones_by_their_last_digits():
    assert BY_NAME({**HERE, "name": {"first": "Zoë", "last": "Groß"}}) == BY_NAME(
        {**HERE, "name": {"first": "ZOE", "last": "Gross"}}
    )
    person = {**HERE, "name": {"last": "Groß"}}
    assert BY_PHONE({**person, "phone": "+49 (0)30 1234567"}) == BY_PHONE({**person, "phone": "030/1234567"})
    assert digits("no number") == ""
    assert BY_PHONE({**person, "phone": "no number"}) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"street": "Hauptstraße", "number": "5a"}, {"street": "HAUPTSTRASSE 5 A", "number": None}, True),
        ({"street": "Str. des 17. Juni", "number": "1"}, {"street": "Str des 17 Juni", "number": "1"}, True),
        ({"street": "Königsweg", "number": "1"}, {"street": "Koenigsweg", "number": "1"}, True),
        ({"street": "улица Мира", "number": "1"}, {"street": "УЛИЦА МИРА", "number": "1"}, True),
        ({"street": "улица Мира", "number": "1"}, {"street": "улица Ленина", "number": "1"}, False),
        ({"street": "Ring", "number": "1"}, {"street": "Ring", "number": "11"}, False),
        ({"street": "Ring", "number": "1", "country": "DE"}, {"street": "Ring", "number": "1", "country": "AT"}, False),
    ],
)
def test_addresses_by_street_number_postcode_and_country(one, other, same):
    place = {"postcode": "10115", "city": "Berlin"}
    assert (address(place | one) == address(place | other)) is same
    assert address(place | one)


TEXT = st.text(st.sampled_from("aAäÄßsS .-1ﬁ"), max_size=8)
ADDRESSES = st.fixed_dictionaries({name: st.none() | TEXT for name in ("street", "number", "postcode", "country")})


@given(ADDRESSES, ADDRESSES)
def test_what_the_comparator_calls_the_same_address_has_the_same_key(one, other):
    if SITE.fields["address"].same(one, other):
        assert address(one) == address(other)


@given(TEXT, TEXT)
def test_the_key_of_an_email_is_equal_exactly_where_the_comparator_says_so(one, other):
    keys = [BY_EMAIL({**HERE, "email": value}) for value in (one, other)]
    if all(keys):
        assert CONTACT.fields["email"].same(one, other) is (keys[0] == keys[1])
