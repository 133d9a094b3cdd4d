"""SAP's own codecs, one by one. Not here: where their fields lie (`test_round_trip`)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fsm_core.model.compare import Comparator, comparing
from fsm_core.ports import Row
from mappings import CODECS
from mappings.codec import UNTOUCHED, Around, Unencodable
from mappings.codecs_sap import joined_name, split_name
from tests.mappings.customers import PHONES, VAT_IDS, name, words

ROLES = CODECS["sap_roles"](values={"customer": "FLCU01", "bill_to": "FLCU00", "prospect": "BUP002"}, unmapped="leave")
TAX = CODECS["sap_tax_numbers"]()
STATUS = CODECS["sap_status"]()
SHORT_ALPHABET = st.text("ab ", max_size=160).map(lambda value: " ".join(value.split()))


def rows(encoded: tuple[Any, ...], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = list(before)
    for row in encoded[0]:
        kept = [there for there in kept if there.items() < row.match.items() or not row.match.items() <= there.items()]
        if not row.delete:
            kept.append({**row.match, **row.fields})
    return kept


@given(SHORT_ALPHABET | name(160))
@example("Musterfirma fuer Gebaeudetechnik u Kaelte GmbH")
@example("a" * 160)
@example("a" * 41)
@example(" ".join(["a" * 40, "b" * 40, "c" * 40, "d" * 37]))
@example("a" * 39 + " " + "b" * 120)
def test_names_up_to_160_characters_come_back(value: str) -> None:
    parts = split_name(value)
    assert len(parts) == 4
    assert max(map(len, parts)) <= 40
    assert not any(part.endswith(" ") for part in parts)
    assert (joined_name(parts) or "") == value


def test_names_are_cut_at_words() -> None:
    assert split_name("Treffitzow Seniorenheim und Pflegedienste Nord GmbH") == [
        "Treffitzow Seniorenheim und",
        "Pflegedienste Nord GmbH",
        "",
        "",
    ]


def test_a_name_typed_by_people_reads_with_blanks() -> None:
    full = "Musterfirma fuer Gebaeudetechnik Kaelten"
    assert len(full) == 40
    assert joined_name([full, "GmbH", "", ""]) == f"{full} GmbH"
    assert joined_name(["Nord", "", "AG", ""]) == "Nord AG"


def test_names_over_160_characters_are_refused() -> None:
    with pytest.raises(Unencodable, match="161 characters"):
        split_name("a" * 161)
    with pytest.raises(Unencodable, match="last name"):
        CODECS["sap_name"]().encode("x" * 41, Around(record={"kind": "person"}))


@given(st.none() | words(40))
def test_alpha_is_stable(value: str | None) -> None:
    codec = CODECS["alpha"]()
    once = codec.decode(value)
    assert codec.decode(*codec.encode(once, Around())) == once


def test_alpha_strips_zeros_of_numbers_only() -> None:
    decode = CODECS["alpha"]().decode
    assert [decode(value) for value in ("0001000021", "00A1", "0000000000", "")] == ["1000021", "00A1", None, None]


@given(
    now=st.sets(st.sampled_from(["customer", "bill_to", "prospect"])),
    new=st.sets(st.sampled_from(["customer", "prospect"])),
)
def test_role_rows_follow_the_set_and_strangers_stay(now: set[str], new: set[str]) -> None:
    strangers = [{"BusinessPartnerRole": "FLVN01"}]
    before = rows(ROLES.encode(sorted(now), Around()), strangers)
    after = rows(ROLES.encode(sorted(new), Around(now=sorted(now))), before)
    assert ROLES.decode(after) == (sorted(new) or None)
    assert strangers[0] in after


def test_roles_without_a_row_are_left_out_or_refused() -> None:
    assert ROLES.encode(["customer", "owner"], Around()) == ((Row({"BusinessPartnerRole": "FLCU01"}),),)
    strict = CODECS["sap_roles"](values={"customer": "FLCU01"})
    with pytest.raises(Unencodable, match="'owner'"):
        strict.encode(["owner"], Around())


@given(now=st.sets(VAT_IDS), new=st.sets(VAT_IDS))
def test_tax_rows_follow_the_set_and_strangers_stay(now: set[str], new: set[str]) -> None:
    strangers = [{"BPTaxType": "DE1", "BPTaxNumber": "12/345"}, {"BPTaxType": "US0", "BPTaxNumber": "1"}]
    before = rows(TAX.encode(sorted(now), Around()), strangers)
    after = rows(TAX.encode(sorted(new), Around(now=sorted(now))), before)
    assert TAX.decode(after) == (sorted(new) or None)
    assert all(stranger in after for stranger in strangers)


def test_tax_types() -> None:
    decoded = TAX.decode(
        [{"BPTaxType": "GR0", "BPTaxNumber": "123 456 789"}, {"BPTaxType": "DE0", "BPTaxNumber": "de1"}]
    )
    assert decoded == ["VAT:DE1", "VAT:EL123456789"]
    assert TAX.encode(["VAT:EL1"], Around(now=["VAT:DE1"])) == (
        (Row({"BPTaxType": "GR0"}, {"BPTaxNumber": "EL1"}), Row({"BPTaxType": "DE0"}, delete=True)),
    )
    for tax_ids in (["EIN:1"], ["VAT:US1"], ["VAT:"], ["VAT:DE1", "VAT:DE2"], ["VAT:DE" + "1" * 20]):
        with pytest.raises(Unencodable):
            TAX.encode(tax_ids, Around())


@given(st.none() | PHONES | words(30))
def test_phones_come_back_as_the_same_number(value: str | None) -> None:
    codec = CODECS["sap_phone"]()
    back = codec.decode(*codec.encode(value, Around()))
    assert comparing(Comparator.PHONE)(value, back)
    assert codec.decode(*codec.encode(back, Around())) == back


def test_a_phone_with_a_country_is_national_there() -> None:
    codec = CODECS["sap_phone"]()
    assert codec.encode("+49 30 1234567", Around()) == ("030 1234567", None, "DE")
    assert codec.decode("030 1234", "567", "DE") == "+49 30 1234567"
    assert codec.decode("030 1234", "56", "") == "030 1234 56"
    assert codec.decode("", "", "DE") is None


@pytest.mark.parametrize("status", ["active", "on_hold", "inactive", "prospect"])
def test_status_comes_back(status: str) -> None:
    roles = ["prospect"] if status == "prospect" else ["customer"]
    blocked, archived, untouched = STATUS.encode(status, Around(record={"roles": roles}))
    assert untouched is UNTOUCHED
    shown = [{"BusinessPartnerRole": "BUP002" if status == "prospect" else "FLCU01"}]
    assert STATUS.decode(blocked, archived, shown) == status


def test_a_status_that_the_roles_contradict_is_refused() -> None:
    for status, roles in (("prospect", ["customer"]), ("prospect", []), ("active", ["prospect"]), ("gone", [])):
        with pytest.raises(Unencodable):
            STATUS.encode(status, Around(record={"roles": roles}))


def test_billing_status_follows_the_customer_part() -> None:
    decode = CODECS["billing_status"]().decode
    cases = {
        (None, None, None): "none",
        ("1", "", False): "active",
        ("1", "01", False): "blocked",
        ("1", "", True): "blocked",
    }
    assert {native: decode(*native) for native in cases} == cases
    with pytest.raises(Unencodable):
        CODECS["billing_status"]().encode("active", Around())
