"""Every planted mistake is found again in the rows themselves, with no help from the ledger."""

import html
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import phonenumbers
import pytest
from stdnum import get_cc_module
from stdnum.de import vat as german_vat

from connectors.sandbox.company import START, Company, build
from connectors.sandbox.firm import INDUSTRIES, transliterated
from connectors.sandbox.rows import SAP_INDUSTRIES
from connectors.sandbox.words import COUNTRIES, OTHER_FORMS

COUNTS = {
    "weak_match_only": 12,
    "wrong_vat_in_salesforce": 3,
    "country_contradicts_vat": 2,
    "vat_missing_in_salesforce": 30,
    "vat_missing_in_sap": 20,
    "account_number_missing": 40,
    "leading_zeros": 60,
    "vat_format": 15,
    "short_id_in_text": 10,
    "long_name": 2,
    "html_entity": 4,
    "decomposed_text": 8,
    "spelling_variant": 14,
    "legal_form_variant": 20,
    "upper_case_name": 6,
    "trailing_blanks": 12,
    "phone_differs": 6,
    "empty_phone_in_sap": 5,
    "phone_format": 90,
    "crlf_street": 6,
    "address_outdated_in_salesforce": 5,
    "country_as_text": 25,
    "house_number_in_street": 10,
    "unmapped_industry_in_salesforce": 2,
    "unmapped_industry_in_sap": 1,
    "do_not_contact_on_one_side": 5,
    "blocked_in_sap": 2,
    "archived_in_sap": 2,
    "payment_terms_missing_in_salesforce": 20,
    "duplicate_in_salesforce_by_vat": 4,
    "duplicate_in_salesforce_by_name": 3,
    "duplicate_in_sap": 3,
    "keys_disagree": 1,
}
SPELLED = {name: country.code for country, _ in COUNTRIES for name in country.spelled}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def company() -> Company:
    return build()


def sap_name(partner: Row) -> str:
    return " ".join(filter(None, (partner[f"OrganizationBPName{n}"] for n in range(1, 5))))


def sap_vat(partner: Row) -> str:
    return next((tax["BPTaxNumber"] for tax in partner["to_BusinessPartnerTax"]), "")


def sap_number(partner: Row) -> str:
    return partner["to_Customer"]["Customer"] if partner["to_Customer"] else ""


def sap_terms(partner: Row) -> str:
    return partner["to_Customer"]["to_CustomerSalesArea"][0]["CustomerPaymentTerms"] if partner["to_Customer"] else ""


def address(partner: Row) -> Row:
    return partner["to_BusinessPartnerAddress"][0]


def sap_phone(partner: Row) -> str:
    return address(partner)["to_PhoneNumber"][0]["InternationalPhoneNumber"]


def vat(account: Row) -> str:
    return re.sub(r"[^A-Z0-9]", "", (account["FSM_VAT_Id__c"] or "").upper())


def number(account: Row) -> str:
    return (account["AccountNumber"] or "").lstrip("0")


def country(account: Row) -> str:
    return SPELLED.get(account["BillingCountry"], account["BillingCountry"])


def form_free(name: str) -> str:
    for form, others in OTHER_FORMS.items():
        for other in others:
            name = re.sub(rf"(?<= ){re.escape(other)}$", form, name)
    return name


def bare(name: str) -> str:
    return form_free(html.unescape(unicodedata.normalize("NFC", name)).strip()).casefold()


def same_phone(account: Row, partner: Row) -> bool:
    wanted = (phonenumbers.MatchType.EXACT_MATCH, phonenumbers.MatchType.NSN_MATCH)
    return phonenumbers.is_number_match(account["Phone"], sap_phone(partner)) in wanted


def keyed(account: Row) -> bool:
    return bool(number(account) or vat(account))


IN_SALESFORCE: dict[str, Callable[[Row], bool]] = {
    "vat_format": lambda a: bool(vat(a)) and vat(a) != a["FSM_VAT_Id__c"],
    "short_id_in_text": lambda a: re.fullmatch(r"001[A-Za-z0-9]{12}", a.get("Site") or "") is not None,
    "html_entity": lambda a: html.unescape(a["Name"]) != a["Name"],
    "decomposed_text": lambda a: unicodedata.normalize("NFC", a["Name"]) != a["Name"],
    "trailing_blanks": lambda a: a["Name"] != a["Name"].strip(),
    "crlf_street": lambda a: "\r\n" in a["BillingStreet"],
    "country_as_text": lambda a: len(a["BillingCountry"]) > 2,
    "unmapped_industry_in_salesforce": lambda a: a["Industry"] not in INDUSTRIES,
    "do_not_contact_on_one_side": lambda a: a["FSM_Do_Not_Contact__c"],
}
IN_SAP: dict[str, Callable[[Row], bool]] = {
    "upper_case_name": lambda p: sap_name(p).isupper(),
    "empty_phone_in_sap": lambda p: address(p)["to_PhoneNumber"][0]["PhoneNumber"] == "",
    "house_number_in_street": lambda p: (
        not address(p)["HouseNumber"] and address(p)["Country"] not in {"FR", "GB", "US"}
    ),
    "unmapped_industry_in_sap": lambda p: p["Industry"] not in SAP_INDUSTRIES.values(),
    "blocked_in_sap": lambda p: p["BusinessPartnerIsBlocked"],
    "archived_in_sap": lambda p: p["IsMarkedForArchiving"],
}
BETWEEN: dict[str, Callable[[Row, Row], bool]] = {
    "weak_match_only": lambda a, p: (
        not keyed(a) and bare(a["Name"]) == bare(sap_name(p)) and a["BillingPostalCode"] == address(p)["PostalCode"]
    ),
    "wrong_vat_in_salesforce": lambda a, p: (
        bool(vat(a)) and bool(sap_vat(p)) and vat(a) != sap_vat(p) and not german_vat.is_valid(vat(a))
    ),
    "country_contradicts_vat": lambda a, p: vat(a) == sap_vat(p) and country(a) != address(p)["Country"],
    "vat_missing_in_salesforce": lambda a, p: bool(number(a)) and not vat(a) and bool(sap_vat(p)),
    "vat_missing_in_sap": lambda a, p: bool(vat(a)) and not sap_vat(p),
    "account_number_missing": lambda a, p: (
        not number(a) and bool(sap_number(p)) and bool(vat(a)) and country(a) == address(p)["Country"]
    ),
    "leading_zeros": lambda a, p: (a["AccountNumber"] or "").startswith("0") and number(a) == sap_number(p),
    "long_name": lambda a, p: len(a["Name"]) == 100 and sap_name(p) == a["Name"],
    "spelling_variant": lambda a, p: a["Name"] != sap_name(p) and a["Name"] == transliterated(sap_name(p)),
    "legal_form_variant": lambda a, p: (
        keyed(a) and a["Name"] != sap_name(p) and form_free(a["Name"]) == form_free(sap_name(p))
    ),
    "phone_differs": lambda a, p: bool(sap_phone(p)) and not same_phone(a, p),
    "phone_format": lambda a, p: re.fullmatch(r"\+\d+ \d+ \d+", a["Phone"]) is None and same_phone(a, p),
    "address_outdated_in_salesforce": lambda a, p: a["BillingPostalCode"] != address(p)["PostalCode"],
    "payment_terms_missing_in_salesforce": lambda a, p: not a["FSM_Payment_Terms__c"] and bool(sap_terms(p)),
}
DETECTORS = (*IN_SALESFORCE, *IN_SAP, *BETWEEN)


def detects(defect: str, account: Row, partner: Row) -> bool:
    if defect in IN_SALESFORCE:
        return IN_SALESFORCE[defect](account)
    return IN_SAP[defect](partner) if defect in IN_SAP else BETWEEN[defect](account, partner)


@pytest.mark.parametrize("defect", DETECTORS)
def test_mistake_is_found_again_in_the_rows(company: Company, defect: str) -> None:
    accounts = {row["Id"]: row for row in company.accounts}
    partners = {row["BusinessPartner"]: row for row in company.partners}
    found = {pair for pair in company.pairs.items() if detects(defect, accounts[pair[0]], partners[pair[1]])}
    assert found == set(company.defects[defect])
    assert len(found) == COUNTS[defect]


def groups(rows: list[Row], key: Callable[[Row], Any], name: str) -> set[frozenset[str]]:
    found: dict[Any, set[str]] = defaultdict(set)
    for row in rows:
        if key(row):
            found[key(row)].add(row[name])
    return {frozenset(ids) for ids in found.values() if len(ids) > 1}


def test_duplicates_are_found_again_in_the_rows(company: Company) -> None:
    by_vat = groups(company.accounts, vat, "Id")
    without_vat = groups(company.accounts, lambda row: (bare(row["Name"]), row["BillingPostalCode"]), "Id") - by_vat
    in_sap = groups(company.partners, sap_vat, "BusinessPartner")
    found = {
        "duplicate_in_salesforce_by_vat": by_vat,
        "duplicate_in_salesforce_by_name": without_vat,
        "duplicate_in_sap": in_sap,
    }
    for name, pairs in found.items():
        assert pairs == {frozenset(pair) for pair in company.defects[name]}
        assert len(pairs) == COUNTS[name]


def candidates(company: Company) -> dict[str, set[str]]:
    """Account id -> partners that share its account number or its VAT id."""
    holders: dict[str, set[str]] = defaultdict(set)
    for row in company.partners:
        for key in filter(None, (sap_number(row), sap_vat(row))):
            holders[key].add(row["BusinessPartner"])
    return {row["Id"]: holders.get(number(row), set()) | holders.get(vat(row), set()) for row in company.accounts}


def test_one_account_number_belongs_to_somebody_else(company: Company) -> None:
    doubled = {number for pair in company.defects["duplicate_in_sap"] for number in pair}
    found = {account for account, partners in candidates(company).items() if len(partners - doubled) > 1}
    assert found == {pair[0] for pair in company.defects["keys_disagree"]}
    assert len(found) == COUNTS["keys_disagree"]


def test_most_firms_in_both_systems_are_matched_by_a_strong_key(company: Company) -> None:
    matched = candidates(company)
    sure = [account for account, partner in company.pairs.items() if matched[account] == {partner}]
    unsure = [account for account in company.pairs if not matched[account]]
    assert len(sure) >= 300
    assert set(unsure) == {pair[0] for pair in company.defects["weak_match_only"]}
    strangers = (
        set(matched) - set(company.pairs) - {pair[1] for pair in company.defects["duplicate_in_salesforce_by_vat"]}
    )
    assert not any(matched[account] for account in strangers)


def test_the_ledger_names_every_mistake_and_no_other(company: Company) -> None:
    assert {name: len(where) for name, where in company.defects.items()} == COUNTS


def test_the_systems_overlap_but_are_unequal(company: Company) -> None:
    assert len(company.pairs) == 330
    assert len(company.accounts) == 330 + 40 + 7
    assert len(company.partners) == 330 + 30 + 3
    assert len({row["Id"] for row in company.accounts}) == len(company.accounts)
    assert len({row["BusinessPartner"] for row in company.partners}) == len(company.partners)


def encoded(company: Company) -> bytes:
    parts = [company.accounts, company.partners, company.defects, company.pairs, company.clean]
    return json.dumps(parts).encode()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert encoded(build(7)) == encoded(build(7))
    assert encoded(build(7)) != encoded(build(8))


@pytest.mark.parametrize("seed", range(5))
def test_any_seed_makes_a_company_with_the_same_mistakes(seed: int) -> None:
    assert {name: len(where) for name, where in build(seed).defects.items()} == COUNTS


def test_true_vat_ids_have_right_check_digits(company: Company) -> None:
    modules = {"DE": "vat", "AT": "uid", "NL": "btw", "FR": "tva", "GB": "vat", "CH": "uid"}
    vats = [(address(row)["Country"], sap_vat(row)) for row in company.partners if sap_vat(row)]
    assert len(vats) > 300
    assert not [v for code, v in vats if not get_cc_module(code.lower(), modules[code]).is_valid(v)]


def test_nothing_can_be_mistaken_for_the_real_world(company: Company) -> None:
    for row in company.accounts:
        assert row["Website"] is None or row["Website"].endswith(".example")
        assert row["FSM_Email__c"].endswith(".example")
    fictional = (
        r"\+(49(3023125|6990009|4066969|2214710|8999998)|43\d+000|(41|31)\d\d000|44\d+4960|44207946|1\d{3}55501|33)\d+"
    )
    phones = [sap_phone(row) for row in company.partners if sap_phone(row)]
    assert not [phone for phone in phones if not re.fullmatch(fictional, phone)]


def test_stamps_lie_in_the_two_years_before_the_start(company: Company) -> None:
    first, last = f"{START.replace(year=START.year - 2):%Y-%m-%d}", f"{START:%Y-%m-%d}"
    for row in company.accounts:
        assert first < row["CreatedDate"] <= row["LastModifiedDate"] == row["SystemModstamp"] < last
    for row in company.partners:
        assert first < row["CreationDate"] <= row["LastChangeDate"] < last


def test_customers_have_a_sales_area_and_prospects_have_none(company: Company) -> None:
    for row in company.partners:
        roles = {role["BusinessPartnerRole"] for role in row["to_BusinessPartnerRole"]}
        assert ("FLCU01" in roles) == (row["to_Customer"] is not None)
        if row["to_Customer"]:
            area = row["to_Customer"]["to_CustomerSalesArea"][0]
            assert (area["SalesOrganization"], area["DistributionChannel"], area["Division"]) == ("1010", "10", "00")
            assert area["Currency"]
            assert area["CustomerPaymentTerms"]


def test_clean_pairs_are_equal_in_both_systems(company: Company) -> None:
    assert len(company.clean) > 25
    for account_id, partner_number in company.clean:
        account, partner = company.account(account_id), company.partner(partner_number)
        assert not [defect for defect in DETECTORS if detects(defect, account, partner)]
        assert account["Name"] == sap_name(partner)
        assert number(account) == sap_number(partner)
        assert vat(account) == sap_vat(partner)
