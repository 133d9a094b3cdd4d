"""SAP addresses as objects of their own, against the simulator: which, when, and how they can be corrected.

Not here: addresses as part of a partner (`test_sap_writes`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fsm_core.errors import Invalid, NotFound, Stale
from fsm_core.ports import Action, Change, Creates, Deletes, KeyRef, State, Write
from tests.contract.harness_sap import SapHarness
from tests.contract.sap_words import SITE

PARTNER, ADDRESS = "A_BusinessPartner", "A_BusinessPartnerAddress"


@pytest.fixture
def harness() -> Iterator[SapHarness]:
    made = SapHarness()
    yield made
    made.close()


def customer(harness, *cities, role="FLCU01") -> str:
    """A partner with an address in each city; a customer with that role."""
    addresses = [{"CityName": city, "StreetName": "Am Hang", "Country": "DE"} for city in cities]
    roles = [{"BusinessPartnerRole": role}]
    fields = {"OrganizationBPName1": "X", "to_BusinessPartnerRole": roles, "to_BusinessPartnerAddress": addresses}
    return str(harness.simulator.edit(PARTNER, "", fields)["BusinessPartner"])


def sites(harness, cursor=None, **settings) -> tuple[dict[str, Change], str]:
    pages = list(harness.connector(**settings).changes(SITE, cursor))
    return {change.document["CityName"]: change for page in pages for change in page.changes}, str(pages[-1].cursor)


def read(harness, ref) -> Change:
    [change] = harness.connector().read(SITE, [ref])
    return change


def test_every_address_of_a_customer_is_a_record(harness):
    first, second = customer(harness, "Kiel", "Ulm"), customer(harness, "Hof")
    customer(harness, "Rom", role="FLVN01")
    found, _ = sites(harness)
    assert {city: change.document["BusinessPartner"] for city, change in found.items()} == {
        "Kiel": first,
        "Ulm": first,
        "Hof": second,
    }
    kiel = found["Kiel"]
    assert kiel.id == f"{first}/{kiel.document['AddressID']}"
    assert (kiel.changed_at, kiel.changed_by, kiel.key) == (harness.clock.now(), "MILLER", "")
    assert [row["AddressUsage"] for row in kiel.document["to_AddressUsage"]] == ["XXDEFAULT"]


@pytest.mark.parametrize("cap", [None, 2])
def test_a_page_costs_one_call_and_the_full_pass_is_complete(harness, cap):
    for number in range(7):
        customer(harness, f"A{number}", f"B{number}")
    harness.simulator.service.page_cap = cap
    sap = harness.connector(page_size=3)
    sap.describe([SITE])
    harness.simulator.reset_calls()
    pages = list(sap.changes(SITE, None))
    assert sum(len(page.changes) for page in pages) == 14
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]
    assert len(harness.simulator.calls) == len(pages)


def test_a_pass_goes_on_from_any_page(harness):
    for number in range(5):
        customer(harness, f"A{number}", f"B{number}")
    pages = list(harness.connector(page_size=2).changes(SITE, None))
    for place, page in enumerate(pages):
        landed = {change.id for earlier in pages[: place + 1] for change in earlier.changes}
        rest, _ = sites(harness, page.cursor)
        assert len(landed | {change.id for change in rest.values()}) == 10


def test_a_changed_address_is_news_when_its_partner_moved_too(harness):
    kiel, hof = customer(harness, "Kiel", "Ulm"), customer(harness, "Hof")
    cursor = None
    for _ in range(3):
        _, cursor = sites(harness, cursor)
        harness.clock.advance(3 * 86400)
    address = next(key for key in harness.simulator.store.tables[ADDRESS] if key[0] == kiel)
    harness.simulator.edit(ADDRESS, "/".join(address), {"StreetName": "Neuer Weg"})
    assert harness.simulator.store.tables[PARTNER][kiel,]["LastChangeDate"] is None
    news, cursor = sites(harness, cursor)
    assert news == {}
    assert "Neuer Weg" in {change.document["StreetName"] for change in sites(harness)[0].values()}
    harness.simulator.edit(PARTNER, kiel, {"SearchTerm1": "MOVED"})
    news, cursor = sites(harness, cursor)
    assert {change.document["BusinessPartner"] for change in news.values()} == {kiel}
    assert hof not in {change.document["BusinessPartner"] for change in news.values()}
    assert sites(harness, cursor)[0] == {}


def test_an_unchanged_address_of_a_moved_partner_is_not_told_again(harness):
    partner = customer(harness, "Kiel", "Ulm")
    found, cursor = sites(harness)
    harness.clock.advance(60)
    harness.simulator.edit(PARTNER, partner, {"SearchTerm1": "MOVED"})
    harness.simulator.edit(ADDRESS, found["Ulm"].id, {"StreetName": "Neuer Weg"})
    assert list(sites(harness, cursor)[0]) == ["Ulm"]


def test_an_ended_address_is_not_shown_any_more(harness):
    customer(harness, "Kiel", "Ulm")
    ulm = sites(harness)[0]["Ulm"].id
    harness.simulator.edit(ADDRESS, ulm, {"ValidityEndDate": "2025-12-31T00:00:00Z"})
    assert list(sites(harness)[0]) == ["Kiel"]
    assert read(harness, ulm).state is State.MISSING


def test_reading_by_id_is_in_order_and_does_not_mind_zeros(harness):
    customer(harness, "Kiel", "Ulm")
    kiel, ulm = (sites(harness)[0][city].id for city in ("Kiel", "Ulm"))
    padded = "/".join(part.zfill(10) for part in kiel.split("/"))
    refs = [ulm, "1/2", padded, "nonsense", KeyRef("FSMHUB", "H-1")]
    answers = harness.connector().read(SITE, refs)
    assert [answer.ref for answer in answers] == refs
    assert [answer.id for answer in answers if answer.state is State.LIVE] == [ulm, kiel]


def test_a_correction_goes_to_the_address_and_compares_versions(harness):
    customer(harness, "Kiel", "Ulm")
    ulm = sites(harness)[0]["Ulm"]
    write = Write(Action.UPDATE, ulm.id, fields={"StreetName": "Neuer Weg"}, expected_version=ulm.version)
    first, second = (harness.connector().write(SITE, [write])[0] for _ in range(2))
    assert first.error is None
    assert isinstance(second.error, Stale)
    assert (read(harness, ulm.id).version, read(harness, ulm.id).document["StreetName"]) == (first.version, "Neuer Weg")


@pytest.mark.parametrize(
    ("write", "error"),
    [
        (Write(Action.CREATE, key="H-1", fields={"CityName": "Rom"}), Invalid),
        (Write(Action.DELETE, "1000000/24000"), Invalid),
        (Write(Action.UPDATE, "1000000/1", fields={"CityName": "Rom"}), NotFound),
        (Write(Action.UPDATE, "nonsense", fields={"CityName": "Rom"}), NotFound),
    ],
)
def test_addresses_are_neither_made_nor_ended_by_themselves(harness, write, error):
    customer(harness, "Kiel")
    [outcome] = harness.connector().write(SITE, [write])
    assert isinstance(outcome.error, error)
    assert outcome.error.object == ADDRESS
    assert [row["CityName"] for row in harness.simulator.rows(ADDRESS)] == ["Kiel"]


def test_what_the_account_can_do(harness):
    able = harness.connector().describe([SITE]).objects[ADDRESS]
    assert (able.creates, able.deletes) == (Creates.NEVER, Deletes.SWEEP)
    assert not able.can_delete
    assert not any(field.required for field in able.fields.values())
    assert (able.fields["FullName"].writable, able.fields["StreetName"].length) == (False, 60)
