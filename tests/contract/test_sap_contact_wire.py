"""Contact persons and addresses on the wire: what is asked of the service and sent to it, on a mocked service.

Not here: behaviour against the simulator (`test_sap_contacts`, `test_sap_sites`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import respx

from fsm_core.errors import BadMapping, Drift
from fsm_core.ports import Action, Object, State, Write
from tests.contract.sap_words import (
    CONTACT,
    ROOT,
    SITE,
    connector,
    contact_fields,
    listing,
    partner,
    relationship,
    service,
)

END = "datetime%279999-12-31T00%3A00%3A00%27"
KEY = "RelationshipNumber='7',BusinessPartnerCompany='1000021',BusinessPartnerPerson='1000099'"


@pytest.fixture
def router() -> Iterator[respx.Router]:
    with respx.mock(assert_all_called=False) as made:
        service(made)
        yield made


def person(number: str = "1000099") -> dict[str, Any]:
    return partner(number, "") | {"BusinessPartnerCategory": "1", "FirstName": "Kim", "LastName": "Lee"}


def asked(route, place: int = 0) -> dict[str, str]:
    query = unquote(route.calls[place].request.url.query.decode())
    return dict(part.split("=", 1) for part in query.split("&"))


def test_contacts_are_read_through_their_persons(router):
    persons = router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(person(), __count="1"))
    contacts = router.get(f"{ROOT}A_BusinessPartnerContact").mock(
        return_value=listing(relationship("7", "0001000021", "0001000099"))
    )
    [page] = connector().changes(CONTACT, None)
    [change] = page.changes
    assert (change.id, page.complete) == ("1000021/1000099", True)
    assert change.document["BusinessPartnerCompany"] == "1000021"
    assert asked(persons)["$filter"] == "(BusinessPartnerCategory eq '1')"
    assert asked(persons)["$expand"] == "to_BuPaIdentification"
    assert asked(contacts)["$filter"] == "(BusinessPartnerPerson eq '1000099')"
    assert asked(contacts)["$orderby"] == "RelationshipNumber,ValidityEndDate"
    assert asked(contacts)["$expand"] == "to_ContactRelationship"
    assert "to_Person" not in asked(contacts)["$select"]


@pytest.mark.parametrize("numbers", [("99", "100"), ("000000000099", "000000000100")])
def test_the_key_is_that_of_the_oldest_relationship_however_the_service_sorts(router, numbers):
    identified = {"BPIdentificationType": "FSMHUB", "BPIdentificationNumber": "H-1", "BusinessPartner": "1000099"}
    known = person() | {"to_BuPaIdentification": {"results": [identified]}}
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(known, __count="1"))
    rows = [relationship(number, f"100002{place}", "1000099") for place, number in enumerate(numbers)]
    router.get(f"{ROOT}A_BusinessPartnerContact").mock(return_value=listing(*reversed(rows)))
    [page] = connector().changes(CONTACT, None)
    assert [(change.id, change.key) for change in page.changes] == [
        ("1000020/1000099", "H-1"),
        ("1000021/1000099", ""),
    ]


def test_many_persons_are_asked_for_by_their_range(router):
    people = [person(str(1000000 + number)) for number in range(60)]
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(*people, __count="60"))
    contacts = router.get(f"{ROOT}A_BusinessPartnerContact").mock(return_value=listing())
    list(connector().changes(CONTACT, None))
    assert contacts.call_count == 1
    assert asked(contacts)["$filter"] == "BusinessPartnerPerson ge '1000000' and BusinessPartnerPerson le '1000059'"


def test_an_increment_asks_for_persons_of_these_days(router):
    persons = router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(__count="0"))
    sap = connector()
    [page] = sap.changes(CONTACT, None)
    list(sap.changes(CONTACT, page.cursor))
    low = "datetime'2026-01-04T00:00:00'"
    assert asked(persons, 1)["$filter"] == (
        "(BusinessPartnerCategory eq '1') and "
        f"((LastChangeDate ge {low}) or ((LastChangeDate eq null) and (CreationDate ge {low})))"
    )


def test_a_new_contact_is_looked_up_then_made_in_two_posts(router):
    lookup = router.get(f"{ROOT}A_BuPaIdentification").mock(return_value=listing())
    posted = httpx.Response(201, json={"d": person()})
    first = router.post(f"{ROOT}A_BusinessPartner").mock(return_value=posted)
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(person()))
    made = relationship("7", "1000021", "1000099")
    router.get(f"{ROOT}A_BusinessPartnerContact").mock(side_effect=[listing(), listing(made)])
    second = router.post(f"{ROOT}A_BusinessPartnerContact").respond(201, json={"d": made})
    fields = contact_fields("0001000021")
    write = Write(Action.CREATE, key="H-1", fields=fields, idempotency_key="attempt-1")
    [outcome] = connector().write(CONTACT, [write])
    assert (outcome.id, outcome.created, outcome.error) == ("1000021/1000099", True, None)
    assert asked(lookup)["$filter"] == "(BPIdentificationType eq 'FSMHUB') and ((BPIdentificationNumber eq 'H-1'))"
    assert json.loads(first.calls[0].request.content) == {
        "FirstName": "Kim",
        "LastName": "Lee",
        "BusinessPartnerCategory": "1",
        "BusinessPartnerGrouping": "BP02",
        "to_BuPaIdentification": [{"BPIdentificationType": "FSMHUB", "BPIdentificationNumber": "H-1"}],
        "to_BusinessPartnerRole": [{"BusinessPartnerRole": "BUP001"}],
    }
    assert json.loads(second.calls[0].request.content) == {
        "BusinessPartnerPerson": "1000099",
        "BusinessPartnerCompany": "1000021",
        "ValidityEndDate": "/Date(253402214400000)/",
        "to_ContactRelationship": {"EmailAddress": "kim@lee.example"},
    }
    ids = {call.request.headers["requestid"] for route in (first, second) for call in route.calls}
    assert len(ids) == 2


def test_the_role_of_a_person_is_a_setting(router):
    router.get(f"{ROOT}A_BuPaIdentification").mock(return_value=listing())
    first = router.post(f"{ROOT}A_BusinessPartner").respond(400, json={"error": {"message": {"value": "No."}}})
    connector(contact_roles=()).write(CONTACT, [Write(Action.CREATE, key="H-1", fields=contact_fields("1"))])
    assert "to_BusinessPartnerRole" not in json.loads(first.calls[0].request.content)


def test_job_data_is_patched_at_its_own_key(router):
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(person()))
    contacts = listing(relationship("7", "1000021", "1000099"))
    router.get(f"{ROOT}A_BusinessPartnerContact").mock(return_value=contacts)
    patch = router.patch(url__startswith=f"{ROOT}A_BPContactToFuncAndDept").respond(204)
    fields = {"to_ContactRelationship.PhoneNumber": "1"}
    [outcome] = connector().write(CONTACT, [Write(Action.UPDATE, "1000021/1000099", fields=fields)])
    assert outcome.error is None
    path = patch.calls[0].request.url.raw_path.decode().rpartition("/")[2]
    assert path.replace("%27", "'") == f"A_BPContactToFuncAndDept({KEY},ValidityEndDate={END})".replace("%27", "'")
    assert json.loads(patch.calls[0].request.content) == {"PhoneNumber": "1"}


def test_addresses_come_with_their_partners(router):
    address = {"BusinessPartner": "0001000021", "AddressID": "0000024134", "CityName": "Kiel", "ValidityEndDate": None}
    row = partner() | {"to_BusinessPartnerAddress": {"results": [address]}}
    partners = router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(row, __count="1"))
    [page] = connector().changes(SITE, None)
    [change] = page.changes
    assert (change.id, change.state, change.document["CityName"]) == ("1000021/24134", State.LIVE, "Kiel")
    assert change.document["BusinessPartner"] == "1000021"
    assert asked(partners)["$filter"] == "(Customer ne '')"
    assert asked(partners)["$expand"] == "to_BusinessPartnerAddress,to_BusinessPartnerAddress/to_AddressUsage"


def test_a_service_that_ignores_the_key_filter_is_noticed(router):
    router.get(f"{ROOT}A_BusinessPartner").mock(return_value=listing(person(), __count="5"))
    router.get(f"{ROOT}A_BusinessPartnerContact").mock(return_value=listing())
    with pytest.raises(Drift, match="paging would never end"):
        list(connector(page_size=1).changes(CONTACT, None))


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("A_BusinessPartnerContact", "to_Person.Nickname"),
        ("A_BusinessPartnerAddress", "Town"),
        ("A_Product", "Product"),
    ],
)
def test_what_the_service_lacks_is_named(router, name, path):
    with pytest.raises(BadMapping, match="known are"):
        connector().read(Object(name, (path,)), ["1/2"])
