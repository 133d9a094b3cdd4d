"""Scores: symmetric, between 0 and 1, explained; and the blocks by which likely pairs are found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_core.errors import BadMapping
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook
from fsm_core.ownership.rules import parse
from fsm_core.sync.blocks import block_readers
from fsm_core.sync.match import Candidate, Pair, assemble
from fsm_core.sync.similar import Kind, features, likeness, score
from tests.unit.test_match import STRONG, candidate, shape
from tests.world import RULES

CUSTOMER = features(
    SHAPES["customer"],
    ["legal_name", "billing_address", "billing_address.postcode", "website", "phone", "email", "kind"],
)
CONTACT = features(SHAPES["contact"], ["customer_id", "name", "phone", "email"])
SITE = features(SHAPES["site"], ["customer_id", "name", "geo", "address"])

WORDS = st.sampled_from(["Müller", "Mueller", "Kälte", "GmbH", "AG", "Nord", "&", "", "S.A.", "東京"])
TEXT = st.lists(WORDS, max_size=3).map(" ".join) | st.text(max_size=6)
CODES = st.sampled_from(["10115", "10117", "D-10115", "", None, "20095"])
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "legal_name": TEXT | st.none(),
        "billing_address": st.fixed_dictionaries(
            {"street": TEXT, "number": CODES, "postcode": CODES, "country": CODES}
        ),
        "website": TEXT,
        "phone": st.sampled_from(["+49 228 1234567", "0228/1234567", "+49 30 1", "", "x"]),
        "email": st.sampled_from(["a@acme.de", "b@acme.de", "a@gmx.de", "b@gmx.de"]),
        "kind": st.sampled_from(["person", "organisation"]),
    },
)
PEOPLE = st.fixed_dictionaries(
    {}, optional={"name": st.fixed_dictionaries({"last": TEXT}, optional={"first": TEXT}), "customer_id": CODES}
)
DEGREES = st.sampled_from(["50.7374", "50.73741", "-0.0001", "0", "89.9999"])
PLACES = st.fixed_dictionaries(
    {}, optional={"geo": st.fixed_dictionaries({"lat": DEGREES, "lon": DEGREES}), "name": TEXT}
)


@pytest.mark.parametrize(("compared", "documents"), [(CUSTOMER, DOCUMENTS), (CONTACT, PEOPLE), (SITE, PLACES)])
def test_a_score_is_symmetric_between_0_and_1_and_explained(compared, documents):
    @given(documents, documents)
    def holds(one, other):
        there, back = likeness(compared, one, other), likeness(compared, other, one)
        assert there.score == back.score
        assert 0 <= there.score <= 1
        assert all(0 <= row.score <= 1 for row in there.evidence)
        weight = sum(row.weight for row in there.evidence)
        total = sum(row.score * row.weight for row in there.evidence)
        assert there.score == pytest.approx(total / weight if weight else 0, abs=1e-4)
        same = likeness(compared, one, one)
        assert same.score == (1 if same.evidence else 0)

    holds()


@given(DOCUMENTS, DOCUMENTS)
def test_what_is_blank_on_one_side_says_nothing(one, other):
    told = {row.feature for row in likeness(CUSTOMER, one, other).evidence}
    assert told <= set(one) & set(other) | {"billing_address.postcode"}


def test_nothing_in_common_to_compare_is_no_likeness():
    assert likeness(CUSTOMER, {"legal_name": "Acme"}, {"phone": "1234567"}).score == 0


@pytest.mark.parametrize(
    ("kind", "one", "other", "least", "most"),
    [
        (Kind.NAME, "Müller Kälte GmbH", "KAELTE MUELLER g.m.b.h.", 1, 1),
        (Kind.NAME, "Acme", "Acme Services", 0.5, 0.8),
        (Kind.NAME, "Nordwind", "Südstern", 0, 0.6),
        (Kind.DOMAIN, "https://www.Acme.de/kontakt", "acme.de", 1, 1),
        (Kind.DOMAIN, "acme.de", "acme.com", 0, 0),
        (Kind.EMAIL, "Ada@acme.de", "ada@ACME.de", 1, 1),
        (Kind.EMAIL, "ada@acme.de", "bob@acme.de", 0.5, 0.5),
        (Kind.EMAIL, "ada@gmx.de", "bob@gmx.de", 0, 0),
        (Kind.PHONE, "+49 (0)228 123-4567", "0228 1234567", 1, 1),
        (Kind.POSTCODE, "10115", "10117", 0.8, 0.8),
        (Kind.PERSON, {"last": "Groß", "first": "A."}, {"last": "Gross", "first": "Anna"}, 0.9, 1),
        (Kind.PERSON, {"last": "Groß", "first": "Anna"}, {"last": "Gross", "first": "Bert"}, 0.5, 0.85),
        (Kind.GEO, {"lat": "50.7374", "lon": "7.0982"}, {"lat": "50.7376", "lon": "7.0985"}, 1, 1),
        (Kind.GEO, {"lat": "50.7374", "lon": "7.0982"}, {"lat": "50.7574", "lon": "7.0982"}, 0, 0),
        (Kind.ADDRESS, {"street": "Ring", "number": "1", "postcode": "1", "country": "DE"},
         {"street": "Ring 1", "postcode": "1", "country": "AT"}, 0, 0),
    ],
)  # fmt: skip
def test_features(kind, one, other, least, most):
    assert least <= score(kind, one, other) <= most
    assert score(kind, one, other) == score(kind, other, one)


@pytest.mark.parametrize(
    ("compared", "entity", "one", "other"),
    [
        (CUSTOMER, "customer", {"legal_name": "Müller Kälte", "billing_address": {"postcode": "10115"}},
         {"legal_name": "Kälte Mueller", "billing_address": {"postcode": "10119"}}),
        (CUSTOMER, "customer", {"website": "acme.de"}, {"website": "http://www.acme.de/"}),
        (CUSTOMER, "customer", {"phone": "+49 228 1234567"}, {"phone": "0228-1234567"}),
        (CONTACT, "contact", {"name": {"last": "Groß"}, "customer_id": "C"},
         {"name": {"last": "Grossmann", "first": "A"}, "customer_id": "C"}),
        (SITE, "site", {"geo": {"lat": "50.73799", "lon": "7.0999"}}, {"geo": {"lat": "50.73801", "lon": "7.1001"}}),
    ],
)  # fmt: skip
def test_likely_pairs_share_a_block(compared, entity, one, other):
    blocks = [
        {(name, value) for name, read in block_readers(SHAPES[entity], compared) for value in read(document)}
        for document in (one, other)
    ]
    assert blocks[0] & blocks[1]


def test_what_pairs_cannot_be_found_by_is_refused():
    rules = RULES.replace("ask: [[legal_name, billing_address.postcode]]", "fuzzy: [kind]", 1)
    with pytest.raises(BadMapping, match="pairs can be found by"):
        Rulebook(parse(rules), "test", SHAPES, ("crm", "erp"))


# -- what a score leads to -----------------------------------------------------------------------

SYSTEMS = ("crm", "erp", "fsm")
LINKS = st.lists(
    st.tuples(st.sampled_from(SYSTEMS), st.sampled_from([None, "R", "S"]), st.sampled_from(["A", "B", None])),
    max_size=6,
)
SCORES = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.8, 0.9, 0.97, 1.0]), st.booleans()), max_size=6
)
APART = st.frozensets(st.tuples(st.integers(0, 2), st.integers(3, 5)), max_size=2)


def staged(links, scores):
    candidates = [
        Candidate(n, system, record, {"vat": frozenset([vat])} if vat else {})
        for n, (system, record, vat) in enumerate(links)
    ]
    pairs = [
        Pair(min(a, b), max(a, b), value, proven)
        for a, b, value, proven in scores
        if a != b and max(a, b) < len(links) and links[a][0] != links[b][0]
    ]
    return candidates, pairs


@given(LINKS, SCORES, APART, st.randoms(use_true_random=False))
def test_the_order_of_candidates_and_scores_does_not_matter(links, scores, apart, rng: random.Random):
    candidates, pairs = staged(links, scores)
    there = assemble(candidates, STRONG, (), apart, pairs, 0.97)
    rng.shuffle(candidates)
    rng.shuffle(pairs)
    assert shape(there) == shape(assemble(candidates, STRONG, (), apart, pairs, 0.97))


@given(LINKS, SCORES, APART)
def test_without_auto_a_score_joins_nothing(links, scores, apart):
    candidates, pairs = staged(links, scores)
    joined = [set(group.links) for group in assemble(candidates, STRONG, (), apart, pairs).groups]
    plain = [set(group.links) for group in assemble(candidates, STRONG, (), apart).groups]
    assert all(any(one <= other for other in plain) for one in joined)


@given(LINKS, SCORES, APART)
def test_a_score_joins_no_two_of_a_system_and_nothing_that_was_judged_apart(links, scores, apart):
    candidates, pairs = staged(links, scores)
    plain = {frozenset(group.links) for group in assemble(candidates, STRONG, (), apart).groups}
    for group in assemble(candidates, STRONG, (), apart, pairs, 0.97).groups:
        if frozenset(group.links) in plain:
            continue
        systems = [links[n][0] for n in group.links if not links[n][1]]
        assert len(systems) == len(set(systems))
        assert not any(pair in apart for pair in ((a, b) for a in group.links for b in group.links))


def test_the_newcomer_with_two_likely_records_is_asked_about_not_guessed():
    given_ = [candidate(1, "erp", "R"), candidate(2, "erp", "S"), candidate(3, "crm")]
    done = assemble(given_, STRONG, (), frozenset(), [Pair(1, 3, 0.99), Pair(2, 3, 0.98)], 0.97)
    (question,) = done.questions
    assert (question.links, question.waiting) == ((1, 2, 3), (3,))
    assert question.reason.startswith("several candidates")


def test_a_key_of_two_values_that_belong_to_two_records_is_asked_about():
    several = Candidate(3, "fsm", None, {"vat": frozenset("AB")})
    done = assemble([candidate(1, "crm", "R", vat="A"), candidate(2, "erp", "S", vat="B"), several], STRONG, ())
    (question,) = done.questions
    assert (question.waiting, question.reason) == ((3,), "the key belongs to several records (vat A, B)")
