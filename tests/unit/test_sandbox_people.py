"""Every mistake planted with people and places is found again in the rows themselves, with no help from the ledger."""

import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.company import UNSURE, Company, build
from connectors.sandbox.firm import transliterated

PEOPLE = {
    "email_case": 20,
    "email_missing_in_sap": 6,
    "email_missing_in_salesforce": 4,
    "name_spelled_differently": 12,
    "first_name_abbreviated": 8,
    "decomposed_name": 5,
    "phone_format": 15,
    "phone_differs": 5,
    "do_not_contact_on_one_side": 3,
    "twice_in_salesforce": 4,
    "twice_in_sap": 3,
    "shared_mailbox": 2,
    "account_not_in_sap": 40,
    "partner_unknown_to_salesforce": 18,
    "customer_in_question": 6,
}
PLACES = {
    "postcode_differs": 4,
    "country_as_text": 15,
    "city_in_capitals": 6,
    "gate_in_street": 5,
    "twice_in_salesforce": 3,
    "shared_building": 2,
    "only_in_salesforce": 24,
    "account_not_in_sap": 12,
}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def company() -> Company:
    return build()


@pytest.fixture(scope="module")
def cards(company: Company) -> dict[str, tuple[Row, Row, Row]]:
    """Contact id -> contact, person and job of everybody whom both systems know."""
    persons = {row["BusinessPartner"]: row for row in company.people.partners}
    contacts = {row["Id"]: row for row in company.people.contacts}
    jobs = {pair_of(row): row["to_ContactRelationship"][0] for row in company.people.relations}
    return {id_: (contacts[id_], persons[at.split("/")[1]], jobs[at]) for id_, at in company.people.pairs.items()}


def pair_of(relation: Row) -> str:
    return f"{relation['BusinessPartnerCompany']}/{relation['BusinessPartnerPerson']}"


def digits(phone: str) -> str:
    return re.sub(r"^00", "", re.sub(r"\D", "", phone))


def composed(row: Row) -> tuple[str, str]:
    return unicodedata.normalize("NFC", row["FirstName"]), unicodedata.normalize("NFC", row["LastName"])


BETWEEN: dict[str, Callable[[Row, Row, Row], bool]] = {
    "email_case": lambda c, _, j: (
        c["Email"] != j["EmailAddress"] and lower(c["Email"]) == lower(j["EmailAddress"]) != ""
    ),
    "email_missing_in_sap": lambda c, _, j: bool(c["Email"]) and not j["EmailAddress"],
    "email_missing_in_salesforce": lambda c, _, j: not c["Email"] and bool(j["EmailAddress"]),
    "name_spelled_differently": lambda c, p, _: (
        composed(c)[1] != p["LastName"] and transliterated(composed(c)[1]) == p["LastName"]
    ),
    "first_name_abbreviated": lambda c, p, _: p["FirstName"] == f"{composed(c)[0][0]}.",
    "decomposed_name": lambda c, *_: (c["FirstName"], c["LastName"]) != composed(c),
    "phone_format": lambda c, _, j: (
        re.fullmatch(r"\+\d+ \d+ \d+", c["Phone"]) is None and digits(c["Phone"]) == digits(j["PhoneNumber"])
    ),
    "phone_differs": lambda c, _, j: digits(c["Phone"]) != digits(j["PhoneNumber"]),
    "do_not_contact_on_one_side": lambda c, *_: c["FSM_Do_Not_Contact__c"],
}


def lower(text: str | None) -> str:
    return (text or "").lower()


@pytest.mark.parametrize("defect", BETWEEN)
def test_mistake_with_a_person_is_found_again_in_the_rows(company: Company, cards, defect: str) -> None:
    found = {(id_, company.people.pairs[id_]) for id_, rows in cards.items() if BETWEEN[defect](*rows)}
    assert found == set(company.people.defects[defect])
    assert len(found) == PEOPLE[defect]


def test_people_entered_twice_are_found_again_by_their_address(company: Company) -> None:
    in_crm: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in company.people.contacts:
        if row["Email"]:
            in_crm[row["AccountId"], lower(row["Email"])].add(row["Id"])
    wanted = company.people.defects["twice_in_salesforce"] + company.people.defects["shared_mailbox"]
    assert {frozenset(ids) for ids in in_crm.values() if len(ids) > 1} == {frozenset(pair) for pair in wanted}
    in_erp: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in company.people.relations:
        address = row["to_ContactRelationship"][0]["EmailAddress"]
        if address:
            in_erp[row["BusinessPartnerCompany"], address].add(pair_of(row))
    wanted = company.people.defects["twice_in_sap"]
    assert {frozenset(ids) for ids in in_erp.values() if len(ids) > 1} == {frozenset(pair) for pair in wanted}


def test_some_customers_of_contacts_are_not_in_the_other_system_or_in_question(company: Company) -> None:
    unsure = {id_ for name in UNSURE for where in company.defects[name] for id_ in where}
    known = {partner for account, partner in company.pairs.items()}
    contacts = {row["Id"] for row in company.people.contacts if row["AccountId"] not in {*company.pairs, *unsure}}
    assert contacts == {where[0] for where in company.people.defects["account_not_in_sap"]}
    relations = [row for row in company.people.relations if row["BusinessPartnerCompany"] not in {*known, *unsure}]
    assert {pair_of(row) for row in relations} == {
        where[1] for where in company.people.defects["partner_unknown_to_salesforce"]
    }
    asked = {row["Id"] for row in company.people.contacts if row["AccountId"] in unsure}
    assert asked == {where[0] for where in company.people.defects["customer_in_question"]}


@pytest.mark.parametrize("seed", range(4))
def test_any_seed_makes_the_same_mistakes(seed: int) -> None:
    company = build(seed)
    assert {name: len(where) for name, where in company.people.defects.items()} == PEOPLE
    assert {name: len(where) for name, where in company.places.defects.items()} == PLACES


def test_the_systems_know_different_people(company: Company) -> None:
    contacts, relations, both = (len(company.people.contacts), len(company.people.relations), len(company.people.pairs))
    assert 370 < contacts < 2 * len(company.accounts)
    assert 150 < relations < contacts / 2
    assert both < relations
    assert len(company.people.partners) == relations
    per_account = Counter(row["AccountId"] for row in company.people.contacts)
    assert set(per_account.values()) <= {1, 2, 3}
    assert any(not row["LastName"].isascii() for row in company.people.contacts)


# -- places ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def places(company: Company) -> dict[str, tuple[Row, Row, list[Row]]]:
    """Location id -> location, its visitor address, its links to accounts."""
    addresses = {row["Id"]: row for row in company.places.addresses}
    links: dict[str, list[Row]] = defaultdict(list)
    for row in company.places.links:
        links[row["LocationId"]].append(row)
    return {row["Id"]: (row, addresses[row["VisitorAddressId"]], links[row["Id"]]) for row in company.places.locations}


def sap_address(company: Company, where: str) -> Row:
    partner, number = where.split("/")
    return next(r for r in company.partner(partner)["to_BusinessPartnerAddress"] if r["AddressID"] == number)


AT_A_PLACE: dict[str, Callable[[Row, Row, list[Row]], bool]] = {
    "country_as_text": lambda _, a, __: len(a["Country"]) > 2,
    "city_in_capitals": lambda _, a, __: a["City"].isupper(),
    "gate_in_street": lambda _, a, __: "\r\n" in a["Street"],
    "shared_building": lambda _, __, links: len(links) > 1,
    "postcode_differs": lambda row, a, _: row["Name"] == f"{a['Street']}, {a['City']}",
}


@pytest.mark.parametrize("defect", AT_A_PLACE)
def test_mistake_with_a_place_is_found_again_in_the_rows(company: Company, places, defect: str) -> None:
    found = {id_ for id_, rows in places.items() if AT_A_PLACE[defect](*rows)}
    assert found == {where[0] for where in company.places.defects[defect]}
    assert len(found) == PLACES[defect]


def test_a_wrong_postcode_hides_the_same_place(company: Company, places) -> None:
    for location, where in company.places.defects["postcode_differs"]:
        assert places[location][1]["PostalCode"] != sap_address(company, where)["PostalCode"]
        assert places[location][1]["City"] == sap_address(company, where)["CityName"]


def test_places_entered_twice_are_found_again_by_their_address(company: Company, places) -> None:
    found: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for id_, (_, address, links) in places.items():
        found[links[0]["ParentRecordId"], address["Street"], address["PostalCode"]].add(id_)
    wanted = {frozenset(pair) for pair in company.places.defects["twice_in_salesforce"]}
    assert {frozenset(ids) for ids in found.values() if len(ids) > 1} == wanted


def test_only_salesforce_knows_some_places(company: Company, places) -> None:
    doubles = {second for _, second in company.places.defects["twice_in_salesforce"]}
    alone = set(places) - set(company.places.pairs) - doubles
    prospects = {id_ for id_ in alone if places[id_][2][0]["ParentRecordId"] not in company.pairs}
    assert prospects == {where[0] for where in company.places.defects["account_not_in_sap"]}
    assert alone - prospects == {where[0] for where in company.places.defects["only_in_salesforce"]}


def test_every_place_hangs_together(company: Company, places) -> None:
    accounts = {row["Id"] for row in company.accounts}
    for location, address, links in places.values():
        assert (address["ParentId"], address["LocationType"]) == (location["Id"], "Site")
        assert {link["ParentRecordId"] for link in links} <= accounts
    for where in company.places.pairs.values():
        assert sap_address(company, where)["Country"]


# -- both -----------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_people_and_places() -> None:
    one, same, other = (build(seed) for seed in (7, 7, 8))
    assert encoded(one) == encoded(same) != encoded(other)


def encoded(company: Company) -> bytes:
    people, places = company.people, company.places
    rows = [people.contacts, people.partners, people.relations, places.locations, places.addresses, places.links]
    return json.dumps([rows, people.defects, people.pairs, people.clean, places.defects, places.clean]).encode()


def test_nobody_can_be_mistaken_for_the_real_world(company: Company) -> None:
    fictional = (
        r"(49(3023125|6990009|4066969|2214710|8999998)|43\d+000|(41|31)\d\d000|44\d+4960|44207946|1\d{3}55501|33)\d+"
    )
    for row in company.people.contacts:
        assert row["Email"] is None or lower(row["Email"]).endswith(".example")
        assert row["Phone"] is None or re.fullmatch(fictional, digits(row["Phone"]))
    for row in company.people.relations:
        email = row["to_ContactRelationship"][0]["EmailAddress"]
        assert email == "" or email.endswith(".example")
        assert re.fullmatch(fictional, digits(row["to_ContactRelationship"][0]["PhoneNumber"]))


def test_a_story_finds_flawless_people_and_places_at_every_flawless_customer(company: Company) -> None:
    spoiled = {id_ for where in (*company.people.defects.values(),) for pair in where for id_ in pair}
    for account, partner in company.clean:
        known, *others = company.people.clean[account]
        assert company.people.pairs[known].startswith(f"{partner}/")
        assert others
        assert not spoiled & {known, *others}
        delivered = bool(company.account(account)["ShippingStreet"])
        assert len(company.places.clean[account]) == 1 + delivered
    account, contact = company.handed_over()
    row = next(row for row in company.people.contacts if row["Id"] == contact)
    assert (row["AccountId"], row["FSM_Roles__c"]) == (account, "billing")
