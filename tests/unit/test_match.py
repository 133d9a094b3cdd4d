import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_core.sync.match import Candidate, assemble, key_reader
from fsm_core.sync.names import loosened
from fsm_core.sync.similar import Kind, score

STRONG, ASK = ("number", "vat"), ("name",)


def candidate(link, system, record=None, **keys):
    return Candidate(link, system, record, {name: frozenset([value]) for name, value in keys.items()})


def shape(assembly):
    groups = sorted((sorted(group.links), group.record) for group in assembly.groups)
    return groups, sorted((question.links, question.reason.partition(" (")[0]) for question in assembly.questions)


def test_equal_strong_keys_link():
    groups, questions = shape(assemble([candidate(1, "crm", vat="A"), candidate(2, "erp", vat="A")], STRONG, ASK))
    assert groups == [([1, 2], None)]
    assert not questions


def test_a_new_link_joins_the_record_its_key_belongs_to():
    groups, _ = shape(assemble([candidate(1, "crm", "R", vat="A"), candidate(2, "erp", vat="A")], STRONG, ASK))
    assert groups == [([1, 2], "R")]


def test_two_records_of_one_system_are_a_question():
    given_ = [candidate(1, "crm", vat="A"), candidate(2, "crm", vat="A"), candidate(3, "erp", vat="A")]
    groups, questions = shape(assemble(given_, STRONG, ASK))
    assert not groups
    assert questions == [((1, 2, 3), "potential duplicate inside crm")]


def test_an_earlier_key_settles_what_a_later_one_would_ask():
    given_ = [
        candidate(1, "crm", number="7", vat="A"),
        candidate(2, "erp", number="7", vat="A"),
        candidate(3, "crm", vat="A"),
    ]
    groups, questions = shape(assemble(given_, STRONG, ASK))
    assert groups == [([1, 2], None)]
    assert questions == [((1, 2, 3), "potential duplicate inside crm")]


def test_a_contradicting_key_is_a_question():
    given_ = [candidate(1, "crm", number="7", vat="A"), candidate(2, "erp", number="7", vat="B")]
    _, questions = shape(assemble(given_, STRONG, ASK))
    assert questions == [((1, 2), "key equal, but vat differs")]


def test_equal_names_are_asked_never_linked():
    _, questions = shape(assemble([candidate(1, "crm", name="acme"), candidate(2, "erp", name="acme")], STRONG, ASK))
    assert questions == [((1, 2), "same name: acme")]


def test_judged_apart_they_are_two():
    given_ = [candidate(1, "crm", name="acme", vat="A"), candidate(2, "erp", name="acme", vat="A")]
    groups, questions = shape(assemble(given_, STRONG, ASK, frozenset({(1, 2)})))
    assert groups == [([1], None), ([2], None)]
    assert not questions


KEYS = st.fixed_dictionaries({}, optional={name: st.sampled_from("ABC") for name in ("number", "vat", "name")})
CANDIDATES = st.lists(st.tuples(st.sampled_from(["crm", "erp", "fsm"]), KEYS), max_size=7)


@given(CANDIDATES, st.randoms(use_true_random=False))
def test_order_does_not_matter(given_, rng: random.Random):
    candidates = [candidate(n, system, **keys) for n, (system, keys) in enumerate(given_)]
    shuffled = list(candidates)
    rng.shuffle(shuffled)
    assert shape(assemble(candidates, STRONG, ASK)) == shape(assemble(shuffled, STRONG, ASK))


@given(CANDIDATES)
def test_no_group_holds_two_records_of_one_system_and_no_link_is_lost(given_):
    candidates = [candidate(n, system, **keys) for n, (system, keys) in enumerate(given_)]
    systems = {c.link: c.system for c in candidates}
    assembly = assemble(candidates, STRONG, ASK)
    for group in assembly.groups:
        members = [systems[link] for link in group.links]
        assert len(members) == len(set(members))
    placed = {link for group in assembly.groups for link in group.links}
    asked = {link for question in assembly.questions for link in question.links}
    assert placed | asked == set(systems)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Müller Kälte GmbH", "MUELLER KAELTE G.m.b.H."),
        ("Acme & Co. KG", "ACME"),
        ("Société Générale S.A.", "Societe Generale"),
        ("Groß GmbH & Co.KG", "Gross"),
        ("A &amp; B Ltd", "A & B Limited"),
        ("Łódź Chłodnictwo", "LODZ CHLODNICTWO"),
        ("Mu\u0308ller", "MÜLLER"),
        ("Αθήνα Ψύξη Α.Ε.", "ΑΘΗΝΑ ΨΥΞΗ"),  # noqa: RUF001 - Greek
        ("ООО «Ёлка-Холод»", "елка холод"),  # noqa: RUF001 - Cyrillic
        ("北京冷却技术有限公司", "北京冷却技术"),
        ("株式会社ヒカリ", "ヒカリ"),
        ("ＡＢＣ冷却", "abc冷却"),
        ("شَركة التبريد", "شركة التبريد"),
    ],
)
def test_names_are_compared_without_legal_form_case_and_accents(one, other):
    assert loosened(one) == loosened(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("北京冷却", "上海冷却"), ("ガス", "カス"), ("Холод", "Холодок"), ("Ψύξη", "Θέρμανση"), ("हिन्दी", "हनद")],
)
def test_names_of_any_script_are_told_apart(one, other):
    assert loosened(one) != loosened(other)


def test_a_name_of_nothing_but_a_legal_form_is_kept():
    assert loosened("AG") == "ag"
    assert loosened("ООО") == "ооо"  # noqa: RUF001 - Cyrillic
    assert loosened("有限公司") == "有限公司"


def test_a_name_without_a_letter_is_no_blank_that_all_such_names_have_in_common():
    assert loosened("!!!") == "!!!"
    assert loosened("—") != loosened("…")


def test_a_weak_key_reads_names_of_any_script():
    read = key_reader(("legal_name", "billing_address.postcode"))
    found = {
        name: read({"legal_name": name, "billing_address": {"postcode": "100"}})[0]
        for name in ("Холод", "北京冷却", "上海冷却", "Ψύξη")
    }
    assert found == {name: f"{loosened(name)}|100" for name in found}
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Северный Холод", "ООО Северный Холод", 1.0),  # noqa: RUF001 - Cyrillic
        ("Αθηνα Ψυξη", "Ψύξη Αθήνα", 1.0),
        ("北京冷却", "上海暖气", 0.5),
    ],
)
def test_names_of_any_script_are_scored(one, other, alike):
    said = score(Kind.NAME, one, other)
    assert said == alike if alike == 1.0 else said < alike


def test_key_reader_of_sets_and_groups():
    document = {"tax_ids": ["VAT:B", "VAT:A"], "legal_name": "Acme GmbH", "billing_address": {"postcode": "10115"}}
    assert key_reader(("tax_ids",))(document) == ["vat:a", "vat:b"]
    assert key_reader(("legal_name", "billing_address.postcode"))(document) == ["acme|10115"]
    assert key_reader(("legal_name", "billing_address.postcode"))({"legal_name": "Acme"}) == []


# -- several records of one system ---------------------------------------------------------------


def several(*candidates):
    return assemble(candidates, STRONG, ASK, several=frozenset({"crm"}))


def test_a_strong_key_puts_several_of_a_system_that_may_hold_them_to_one():
    pool = [candidate(1, "crm", vat="A"), candidate(2, "crm", vat="A"), candidate(3, "erp", vat="A")]
    (group,) = several(*pool).groups
    assert (sorted(group.links), group.systems) == ([1, 2, 3], {"crm", "erp"})
    assert not assemble(pool, STRONG, ASK).groups


def test_neither_a_weak_key_nor_another_system_does():
    (asked,) = several(candidate(1, "crm", name="acme"), candidate(2, "crm", name="acme")).questions
    assert asked.links == (1, 2)
    (asked,) = several(candidate(1, "erp", vat="A"), candidate(2, "erp", vat="A")).questions
    assert "inside erp" in asked.reason


def test_two_records_are_never_made_one_by_it():
    pool = [candidate(1, "crm", "R1", vat="A"), candidate(2, "crm", "R2", vat="A"), candidate(3, "crm", vat="A")]
    (asked,) = several(*pool).questions
    assert "belongs to several records" in asked.reason
