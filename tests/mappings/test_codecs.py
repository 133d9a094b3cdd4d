"""Codecs of general use and of addresses, one by one: inverse, total, and the values they refuse.

Not here: SAP's own codecs (`test_codecs_sap`).
"""

from __future__ import annotations

import string
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_core.errors import BadMapping
from fsm_core.model.compare import Comparator, blank, comparing, text
from mappings import CODECS
from mappings.codec import UNTOUCHED, Around, Codec, Undecodable, Unencodable
from mappings.codecs_address import split_street
from tests.mappings.customers import VAT_IDS, words

Value = Any
ROLES = {"customer": "Kunde", "owner": ["Eigner", "Owner"], "payer": 7}


def there_and_back(codec: Codec, value: Value, around: Around | None = None) -> Value:
    return codec.decode(*codec.encode(value, around or Around()))


def made(name: str, **options: Any) -> Codec:
    return CODECS[name](**options)


def upper(longest: int) -> st.SearchStrategy[str]:
    return st.text(string.ascii_uppercase, min_size=longest, max_size=longest)


CASES: dict[str, tuple[Codec, st.SearchStrategy[Value], Comparator]] = {
    "text": (made("text"), st.none() | st.text().map(text), Comparator.EXACT),
    "reference": (made("reference"), words(20), Comparator.EXACT),
    "flag": (made("flag"), st.none() | st.booleans(), Comparator.FLAG),
    "flag X": (made("flag", mark="X"), st.none() | st.booleans(), Comparator.FLAG),
    "enum": (
        made("enum", values=ROLES, representative={"owner": "Owner"}),
        st.none() | st.sampled_from(sorted(ROLES)),
        Comparator.EXACT,
    ),
    "multi_picklist": (
        made("multi_picklist"),
        st.lists(words(5).filter(lambda item: bool(item) and ";" not in item), unique=True).map(sorted),
        Comparator.SET,
    ),
    "text_set": (made("text_set"), st.lists(words(5).filter(bool), unique=True).map(sorted), Comparator.SET),
    "decimal": (
        made("decimal"),
        st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=6).map(str),
        Comparator.DECIMAL,
    ),
    "date": (made("date"), st.none() | st.dates().map(lambda day: day.isoformat()), Comparator.EXACT),
    "instant": (
        made("instant"),
        st.none() | st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
        Comparator.EXACT,
    ),
    "vat_set": (
        made("vat_set"),
        st.lists(VAT_IDS | st.sampled_from(["EIN:12-34", "VAT:AB:C"]), unique=True).map(sorted),
        Comparator.SET,
    ),
    "country": (made("country"), st.none() | st.sampled_from(["DE", "CI", "XK", "TW"]), Comparator.EXACT),
    "country name": (made("country", style="name"), st.sampled_from(["DE", "CI", "XK", "HK"]), Comparator.EXACT),
    "language": (made("language"), st.none() | upper(2).map(str.lower), Comparator.EXACT),
    "language upper": (made("language", style="upper"), st.none() | upper(2).map(str.lower), Comparator.EXACT),
    "language letter": (made("language", style="letter"), st.sampled_from(["de", "en", "zh", "af"]), Comparator.EXACT),
    "currency": (made("currency"), st.none() | upper(3), Comparator.EXACT),
    "lines": (
        made("lines"),
        st.none() | st.lists(words(9).filter(bool), min_size=1).map("\n".join),
        Comparator.EXACT,
    ),
}


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_decode_undoes_encode(case: str, data: st.DataObject) -> None:
    codec, values, comparator = CASES[case]
    value = data.draw(values)
    back = there_and_back(codec, value)
    assert comparing(comparator)(value, back)
    again = there_and_back(codec, back)
    assert again == back or (blank(again) and blank(back))


def test_every_general_codec_has_a_case() -> None:
    elsewhere = {name for name in CODECS if name.startswith("sap_")} | {"alpha", "billing_status"}
    groups = {"street_line", "street_and_number"}
    assert {name.split()[0] for name in CASES} | elsewhere | groups == set(CODECS)


STREET = st.tuples(words(20), words(8), words(20))


@pytest.mark.parametrize("name", ["street_line", "street_and_number"])
@settings(max_examples=200, deadline=None)
@given(value=STREET)
def test_streets_read_the_same_as_an_address(name: str, value: tuple[str | None, str | None, str | None]) -> None:
    codec = made(name)
    stated = value[: codec.members]
    back = there_and_back(codec, stated)
    members = ("street", "number", "extra")[: codec.members]
    same = comparing(Comparator.ADDRESS)
    assert same(dict(zip(members, stated, strict=True)), dict(zip(members, back, strict=True)))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Hauptstraße 12a", ("Hauptstraße", "12a")),
        ("Hauptstr. 5-7", ("Hauptstr.", "5-7")),
        ("Hauptstr. 5 - 7 b", ("Hauptstr.", "5 - 7 b")),
        ("Straße des 17. Juni 135", ("Straße des 17. Juni", "135")),
        ("12 Main Street", ("12 Main Street", None)),
        ("C/ Mayor, 5", ("C/ Mayor, 5", None)),
        ("1600", ("1600", None)),
        ("17 22", ("17 22", None)),
        ("Am Hang", ("Am Hang", None)),
        ("Weg 12345678901", ("Weg 12345678901", None)),
    ],
)
def test_only_a_trailing_house_number_is_split_off(line: str, expected: tuple[str, str | None]) -> None:
    assert split_street(line) == expected


def test_the_first_line_is_the_street_and_the_rest_is_extra() -> None:
    codec = made("street_line", length=30)
    assert codec.decode("Am Hang 1\r\nHaus B\r\n2. Stock") == ("Am Hang 1", None, "Haus B\n2. Stock")
    assert codec.encode(("Am Hang", "1", "Haus B"), Around()) == ("Am Hang 1\nHaus B",)
    with pytest.raises(Unencodable, match="holds 30"):
        codec.encode(("Am Hang" * 5, None, None), Around())


def test_a_house_number_that_is_too_long_goes_with_the_street() -> None:
    assert made("street_and_number").encode(("Am Hang", "12 Hinterhaus"), Around()) == ("Am Hang 12 Hinterhaus", None)


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ("de", "DE"),
        ("DEU", "DE"),
        ("Deutschland", "DE"),
        ("Allemagne", "DE"),
        ("Германия", "DE"),
        ("U.S.A.", "US"),
        ("United States of America", "US"),
        ("UK", "GB"),
        ("The  netherlands", "NL"),
        ("Côte d\u2019Ivoire", "CI"),
        ("Elfenbeinküste", "CI"),
        ("Czech Republic", "CZ"),
    ],
)
def test_countries_are_understood_in_any_language(stated: str, code: str) -> None:
    assert made("country").decode(stated) == code


@pytest.mark.parametrize("stated", ["Atlantis", "ZZ", "EU", "Kongo", "SU"])
def test_what_is_not_one_country_is_a_fault(stated: str) -> None:
    with pytest.raises(Undecodable):
        made("country").decode(stated)


def test_countries_are_written_as_code_or_english_name() -> None:
    assert made("country").encode("DE", Around()) == ("DE",)
    assert made("country", style="name").encode("DE", Around()) == ("Germany",)
    with pytest.raises(Unencodable):
        made("country").encode("ZZ", Around())


@pytest.mark.parametrize(("stated", "code"), [("D", "de"), ("E", "en"), ("EN", "en"), ("de_DE", "de"), ("en-US", "en")])
def test_languages_in_all_spellings(stated: str, code: str) -> None:
    assert made("language").decode(stated) == code


def test_vat_ids_are_tidied_but_not_judged() -> None:
    decode = made("vat_set").decode
    assert decode(" de 136.695-976 ") == ["VAT:DE136695976"]
    assert decode("ATU1; DE 2") == ["VAT:ATU1", "VAT:DE2"]
    assert decode("none yet") == ["VAT:NONEYET"]
    assert decode("EIN:12-34") == ["EIN:12-34"]
    assert decode("") is None


def test_pick_lists_go_through_their_table() -> None:
    codec = made("multi_picklist", values={"customer": "Kunde", "owner": "Eigner"})
    assert codec.decode("Kunde; Eigner;") == ["customer", "owner"]
    assert codec.encode(["owner", "customer"], Around()) == ("Eigner;Kunde",)
    with pytest.raises(Undecodable, match="'Gast' is not in the table; known: Kunde, Eigner"):
        codec.decode("Kunde;Gast")
    codec.decode("Kunde").append("x")
    assert codec.decode("Kunde") == ["customer"]


def test_an_enum_reads_all_spellings_and_writes_the_representative() -> None:
    codec = made("enum", values=ROLES, representative={"owner": "Owner"})
    assert [codec.decode(native) for native in ("Eigner", " Owner ", 7, "")] == ["owner", "owner", "payer", None]
    assert codec.encode("owner", Around()) == ("Owner",)
    with pytest.raises(BadMapping):
        made("enum", values=ROLES, representative={"owner": "Chef"})


def test_decimals_are_exact_or_refused() -> None:
    codec = made("decimal", places=2)
    assert codec.decode("12.500") == "12.5"
    assert codec.decode(0) == "0"
    assert codec.encode("12.5", Around()) == ("12.50",)
    with pytest.raises(Unencodable):
        codec.encode("0.001", Around())
    for native in (1.5, True, "NaN", "much"):
        with pytest.raises(Undecodable):
            codec.decode(native)
    assert Decimal(made("decimal").decode("1E+3")) == 1000


REFUSED: list[tuple[Callable[..., Any], Value]] = [
    (made("flag").decode, "X"),
    (made("text").decode, 3),
    (made("text_set").decode, "a"),
    (made("date").decode, "1.2.2026"),
    (made("instant").decode, "2026-01-02T03:04:05"),
    (made("currency").decode, "EUR4"),
    (made("language").decode, "deutsch"),
]


@pytest.mark.parametrize(("decode", "native"), REFUSED)
def test_what_has_no_meaning_is_never_guessed(decode: Callable[..., Any], native: Value) -> None:
    with pytest.raises(Undecodable):
        decode(native)


def test_text_that_is_too_long_is_refused_or_left() -> None:
    with pytest.raises(Unencodable, match="5 characters, the field there holds 3"):
        made("text", length=3).encode("abcde", Around())
    assert made("text", length=3, too_long="leave").encode("abcde", Around()) == (UNTOUCHED,)
    with pytest.raises(Unencodable):
        made("multi_picklist").encode(["a;b"], Around())
