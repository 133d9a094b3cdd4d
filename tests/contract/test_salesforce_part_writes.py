"""Writing a Location with its Address and AssociatedLocation: what goes out, and what a retry makes of half a site.

Not here: reading them (`test_salesforce_parts.py`), the promises all objects keep (`test_contract.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.salesforce import Salesforce
from connectors.salesforce.simulator_store import Refusal, stamp
from fsm_core.errors import Invalid, Locked, MissingPermission, NotFound, RateLimited, Unreachable
from fsm_core.ports import Action, KeyRef, Row, State, Write, Written
from mappings import load
from tests.contract.harness_salesforce import COLLECTIONS, WRITING, LocationHarness

MAPPING = load("salesforce", "site")
SITE = MAPPING.object
ADDRESS = {"street": "Hauptstraße", "number": "7", "city": "Bonn", "country": "DE"}


@pytest.fixture
def org() -> Iterator[LocationHarness]:
    with LocationHarness() as harness:
        yield harness


@pytest.fixture
def sf(org) -> Salesforce:
    connector = org.connector()
    connector.check()
    org.simulator.calls.clear()
    return connector


def site(org: LocationHarness, key: str = "H-1", **values: Any) -> Write:
    """A create as the engine encodes it."""
    stated = {"name": "Hall", "kind": "own_facility", "customer_id": org.account, "address": ADDRESS, **values}
    return Write(Action.CREATE, key=key, fields=MAPPING.encode_create(stated, key))


def changed(org: LocationHarness, id_: str, **values: Any) -> Write:
    """An update as the engine encodes it."""
    [seen] = org.connector().read(SITE, [id_])
    return Write(Action.UPDATE, id=id_, fields=MAPPING.encode(values, MAPPING.decode(seen.document).values))


def only(sf: Salesforce, write: Write) -> Written:
    [outcome] = sf.write(SITE, [write])
    return outcome


def rows(org: LocationHarness, name: str) -> list[dict[str, Any]]:
    return [row for row in org.simulator.rows(name) if not row["IsDeleted"]]


def sent(org: LocationHarness) -> list[str]:
    """The calls made: `PATCH Location` for a collection of locations, `GET` for a look."""
    found = []
    for call in org.simulator.calls:
        path = call.path.partition("?")[0].rpartition("/v62.0/")[2].strip("/")
        found.append(f"{call.method} {path.removeprefix('composite/sobjects').strip('/').partition('/')[0]}".strip())
    return found


def whole(org: LocationHarness, key: str = "H-1") -> dict[str, Any]:
    """The one site there is, and nothing besides."""
    [location], [address], [link] = (rows(org, name) for name in ("Location", "Address", "AssociatedLocation"))
    assert location["FSM_Hub_Id__c"] == key
    assert (address["ParentId"], link["LocationId"]) == (location["Id"], location["Id"])
    assert location["VisitorAddressId"] == address["Id"]
    return {"location": location, "address": address, "link": link}


# -- creating ----------------------------------------------------------------------------------


def test_a_site_is_created_in_four_calls(org, sf):
    outcome = only(sf, site(org))
    assert (outcome.error, outcome.created) == (None, True)
    assert sent(org) == ["PATCH Location", "POST", "PATCH", "POST"]
    made = whole(org)
    assert made["location"]["Id"] == outcome.id
    assert (made["address"]["Street"], made["address"]["Country"]) == ("Hauptstraße 7", "Germany")
    assert (made["address"]["LocationType"], made["link"]["ParentRecordId"]) == ("Plant", org.account)
    assert org.writes_received() == 4


def test_two_hundred_sites_cost_the_same_calls(org, sf):
    outcomes = sf.write(SITE, [site(org, f"H-{number}", name=f"Hall {number}") for number in range(200)])
    assert all(outcome.error is None for outcome in outcomes)
    assert sent(org) == ["PATCH Location", "POST", "PATCH", "POST"]
    by_id = {row["Id"]: row["Name"] for row in rows(org, "Location")}
    assert [by_id[outcome.id] for outcome in outcomes] == [f"Hall {number}" for number in range(200)]
    pointed = {row["VisitorAddressId"]: row["Id"] for row in rows(org, "Location")}
    assert {row["Id"]: row["ParentId"] for row in rows(org, "Address")} == pointed
    assert {row["LocationId"] for row in rows(org, "AssociatedLocation")} == set(by_id)


def test_a_site_without_an_address_costs_two_calls(org, sf):
    assert only(sf, site(org, address=None)).error is None
    assert sent(org) == ["PATCH Location", "POST"]
    assert rows(org, "Address") == []


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_retry_completes_the_same_site(org, sf, call, drop):
    org.simulator.fail(method=WRITING, path=COLLECTIONS, drop=drop, skip=call - 1)
    first = only(sf, site(org))
    if call == 1:
        assert first.error is None, "an upsert by our own key is repeated at once"
    else:
        assert isinstance(first.error, Unreachable), "no unknown outcome: it may be made again"
        assert (first.created, first.id) == (True, rows(org, "Location")[0]["Id"]), "what is missing is owed to it"
    answer = org.connector().read(SITE, [KeyRef("FSM_Hub_Id__c", "H-1")])[0]
    assert answer.state is State.LIVE
    again = only(org.connector(), site(org))
    assert (again.error, again.created, again.id) == (None, False, answer.id)
    made = whole(org)
    assert made["address"]["City"] == "Bonn"
    assert made["link"]["ParentRecordId"] == org.account


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("call", [2, 3, 4])
def test_what_a_broken_create_left_out_is_written_as_an_update(org, sf, call, drop):
    """The engine finds the site by its key, sees what is missing, and owes just that."""
    org.simulator.fail(method=WRITING, path=COLLECTIONS, drop=drop, skip=call - 1)
    outcome = only(sf, site(org))
    assert outcome.id != ""
    wanted = {"address": {name: ADDRESS.get(name) for name in SHOWN["address"]}, "customer_id": org.account}
    [seen] = sf.read(SITE, [outcome.id])
    shown = MAPPING.decode(seen.document).values
    owed = {name: value for name, value in wanted.items() if not shown[name]}
    if owed:
        assert only(sf, changed(org, outcome.id, **owed)).error is None
    made = whole(org)
    assert (made["address"]["City"], made["link"]["ParentRecordId"]) == ("Bonn", org.account)


SHOWN = {"address": ("street", "number", "extra", "postcode", "city", "region", "country")}


def test_a_site_whose_key_was_taken_but_never_confirmed_is_made_again(org, sf):
    org.simulator.fail(method=WRITING, path=COLLECTIONS, drop="after", times=None)
    first = only(sf, site(org))
    assert (type(first.error), first.id) == (Unreachable, "")
    org.simulator.faults.clear()
    assert only(sf, site(org)).error is None
    whole(org)


def test_a_part_that_is_refused_names_its_path_and_keeps_nothing_else_back(org, sf):
    writes = [site(org, "H-1"), site(org, "H-2", name="Bad"), site(org, "H-3")]
    writes[1].fields["VisitorAddress"][0].fields["City"] = "C" * 41
    outcomes = sf.write(SITE, writes)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    error = outcomes[1].error
    assert isinstance(error, Invalid)
    assert (error.system, error.object, error.id) == ("salesforce", "Location", outcomes[1].id)
    assert (error.field, error.code) == ("VisitorAddress.City", "STRING_TOO_LONG")
    assert (len(rows(org, "Location")), len(rows(org, "Address"))) == (3, 2)
    assert len(rows(org, "AssociatedLocation")) == 3


def test_a_whole_that_is_refused_has_no_parts(org, sf):
    write = site(org)
    outcome = only(sf, Write(write.action, key=write.key, fields={**write.fields, "Name": "N" * 256}))
    assert (type(outcome.error), outcome.id) == (Invalid, "")
    assert not rows(org, "Address")
    assert sent(org) == ["PATCH Location"]


def test_a_lock_on_the_account_is_tried_again_later(org, sf):
    org.simulator.store.locked.add(org.account)
    outcome = only(sf, site(org))
    assert isinstance(outcome.error, Locked)
    org.simulator.store.locked.clear()
    assert only(sf, site(org)).error is None
    whole(org)


def test_a_throttle_between_the_parts_stops_them_and_says_so(org, sf):
    org.simulator.fail(
        method=WRITING, path=COLLECTIONS, status=503, headers={"Retry-After": "3600"}, skip=1, times=None
    )
    outcome = only(sf, site(org))
    assert isinstance(outcome.error, RateLimited)
    assert sent(org) == ["PATCH Location", "POST"]
    org.simulator.faults.clear()
    assert only(sf, site(org)).error is None
    whole(org)


def test_a_missing_right_on_a_part_is_told_record_by_record(org, sf):
    body = json.dumps([{"errorCode": "API_DISABLED_FOR_ORG", "message": "no"}])
    org.simulator.fail(method="POST", path=COLLECTIONS, status=403, body=body)
    outcome = only(sf, site(org))
    assert isinstance(outcome.error, MissingPermission)
    assert outcome.id == rows(org, "Location")[0]["Id"]


# -- updating ----------------------------------------------------------------------------------


def test_an_update_of_the_address_leaves_the_location_alone(org, sf):
    id_ = only(sf, site(org)).id
    before = whole(org)
    org.clock.advance(60)
    org.simulator.calls.clear()
    outcome = only(sf, Write(Action.UPDATE, id=id_, fields={"VisitorAddress": (Row({}, {"City": "Köln"}),)}))
    assert (outcome.error, outcome.id) == (None, id_)
    after = whole(org)
    assert (sent(org), org.writes_received()) == (["GET queryAll", "PATCH"], 1)
    assert (after["address"]["City"], after["address"]["Street"]) == ("Köln", "Hauptstraße 7")
    assert after["location"] == before["location"]
    assert after["link"] == before["link"]


def test_an_update_of_the_location_leaves_the_parts_alone(org, sf):
    id_ = only(sf, site(org)).id
    before = whole(org)
    org.clock.advance(60)
    org.simulator.calls.clear()
    assert only(sf, changed(org, id_, name="Yard")).error is None
    after = whole(org)
    assert sent(org)[-1] == "PATCH"
    assert org.writes_received() == 1
    assert (after["location"]["Name"], after["address"], after["link"]) == ("Yard", before["address"], before["link"])


def test_values_that_are_there_already_are_not_sent(org, sf):
    id_ = only(sf, site(org)).id
    org.simulator.calls.clear()
    assert only(sf, changed(org, id_, customer_id=org.account)).error is None
    assert org.writes_received() == 0


def test_blank_address_of_a_site_without_one_makes_none(org, sf):
    id_ = only(sf, site(org, address=None)).id
    assert only(sf, changed(org, id_, address=None)).error is None
    assert rows(org, "Address") == []


def test_an_address_is_blanked_and_not_deleted(org, sf):
    id_ = only(sf, site(org)).id
    assert only(sf, changed(org, id_, address=None)).error is None
    assert {whole(org)["address"][name] for name in ("Street", "City", "PostalCode", "Country")} == {None}


def test_a_late_address_takes_over_the_type_of_its_location(org, sf):
    id_ = only(sf, site(org, address=None, kind="warehouse")).id
    assert only(sf, changed(org, id_, address=ADDRESS)).error is None
    assert whole(org)["address"]["LocationType"] == "Warehouse"


def test_an_address_a_person_made_for_something_else_is_left_alone(org, sf):
    id_ = only(sf, site(org, address=None)).id
    billing = org.simulator.edit("Address", "", {"ParentId": id_, "City": "Elsewhere", "AddressType": "Billing"})["Id"]
    assert only(sf, changed(org, id_, address=ADDRESS)).error is None
    cities = {row["Id"]: row["City"] for row in rows(org, "Address")}
    [location] = rows(org, "Location")
    assert cities.pop(billing) == "Elsewhere"
    assert cities == {location["VisitorAddressId"]: "Bonn"}


def test_a_deleted_address_is_made_anew(org, sf):
    id_ = only(sf, site(org)).id
    org.simulator.remove("Address", rows(org, "Address")[0]["Id"])
    assert only(sf, changed(org, id_, address=ADDRESS)).error is None
    whole(org)


def test_an_address_borrowed_from_another_location_is_replaced_by_one_of_its_own(org, sf):
    hall, room = (only(sf, site(org, f"H-{number}")).id for number in range(2))
    table = org.simulator.store.tables["Location"]
    shared, left = table[hall]["VisitorAddressId"], table[room]["VisitorAddressId"]
    org.simulator.edit("Location", room, {"VisitorAddressId": shared})
    org.simulator.remove("Address", left)
    assert only(sf, changed(org, room, address={**ADDRESS, "city": "Köln"})).error is None
    cities = {row["Id"]: row["City"] for row in rows(org, "Address")}
    assert cities == {shared: "Bonn", table[room]["VisitorAddressId"]: "Köln"}
    assert table[hall]["VisitorAddressId"] == shared


def test_another_customer_is_a_new_association_and_the_old_one_ends(org, sf):
    id_ = only(sf, site(org)).id
    other = org.simulator.edit("Account", "", {"Name": "Other"})["Id"]
    org.clock.advance(60)
    assert only(sf, changed(org, id_, customer_id=other)).error is None
    links = {row["ParentRecordId"]: row["ActiveTo"] for row in rows(org, "AssociatedLocation")}
    assert links.pop(other) is None
    assert "2026" < str(links.pop(org.account)) <= stamp(org.clock.now())
    assert links == {}
    [seen] = sf.read(SITE, [id_])
    assert MAPPING.decode(seen.document).values["customer_id"] == other
    assert only(sf, changed(org, id_, customer_id=org.account)).error is None
    [back] = sf.read(SITE, [id_])
    assert MAPPING.decode(back.document).values["customer_id"] == org.account


@pytest.mark.parametrize("drop", ["before", "after"])
@pytest.mark.parametrize("call", [1, 2])
def test_a_broken_change_of_customer_is_finished_by_the_next_attempt(org, sf, call, drop):
    id_ = only(sf, site(org)).id
    other = org.simulator.edit("Account", "", {"Name": "Other"})["Id"]
    write = changed(org, id_, customer_id=other)
    org.simulator.fail(method=WRITING, path=COLLECTIONS, drop=drop, skip=call - 1)
    assert isinstance(only(sf, write).error, Unreachable)
    assert only(sf, write).error is None
    links = [(row["ParentRecordId"], row["ActiveTo"] is None) for row in rows(org, "AssociatedLocation")]
    assert sorted(links) == sorted([(org.account, False), (other, True)])


def test_the_old_association_does_not_end_where_the_new_one_is_refused(org, sf):
    id_ = only(sf, site(org)).id
    org.simulator.store.validation_rules.append(
        lambda name, row: (
            Refusal("FIELD_CUSTOM_VALIDATION_EXCEPTION", "No", ("ParentRecordId",))
            if name == "AssociatedLocation" and row["ParentRecordId"] != org.account
            else None
        )
    )
    other = org.simulator.edit("Account", "", {"Name": "Other"})["Id"]
    outcome = only(sf, changed(org, id_, customer_id=other))
    assert isinstance(outcome.error, Invalid)
    assert outcome.error.field == "AssociatedLocations.ParentRecordId"
    assert whole(org)["link"]["ActiveTo"] is None


def test_the_customer_of_a_site_cannot_be_cleared(org, sf):
    id_ = only(sf, site(org)).id
    outcome = only(sf, changed(org, id_, customer_id=None, name="Yard"))
    assert isinstance(outcome.error, Invalid)
    assert (outcome.error.field, outcome.error.id) == ("AssociatedLocations.ParentRecordId", id_)
    assert (whole(org)["link"]["ActiveTo"], whole(org)["location"]["Name"]) == (None, "Yard")


def test_a_row_of_the_list_is_chosen_changed_and_deleted(org, sf):
    id_ = only(sf, site(org)).id
    match = {"Type": "Ship To"}

    def written(row: Row) -> list[tuple[Any, Any]]:
        assert only(sf, Write(Action.UPDATE, id=id_, fields={"AssociatedLocations": (row,)})).error is None
        links = rows(org, "AssociatedLocation")
        return sorted((link["Type"] or "", link["ActiveFrom"] or "") for link in links)

    added = Row(match, {"ParentRecordId": org.account, "ActiveFrom": "2026-01-05T08:00:00Z"})
    assert written(added) == [("", ""), ("Ship To", "2026-01-05T08:00:00.000+0000")]
    assert written(Row(match, {"ActiveFrom": None})) == [("", ""), ("Ship To", "")]
    assert written(Row(match, delete=True)) == [("", "")]
    assert written(Row(match, delete=True)) == [("", "")]


# -- what is not there -------------------------------------------------------------------------


@pytest.mark.parametrize("part", [True, False])
def test_a_location_that_is_gone_is_not_found(org, sf, part):
    id_ = only(sf, site(org)).id
    fields = {"VisitorAddress": (Row({}, {"City": "Köln"}),)} if part else {"Name": "Yard"}
    org.simulator.remove("Location", id_)
    gone = only(sf, Write(Action.UPDATE, id=id_, fields=fields))
    org.simulator.purge("Location")
    purged = only(sf, Write(Action.UPDATE, id=id_, fields=fields))
    assert [type(outcome.error) for outcome in (gone, purged)] == [NotFound, NotFound]
    assert str(gone.error).startswith(f"salesforce Location {id_}")


def test_a_customer_that_is_gone_is_a_wrong_value(org, sf):
    org.simulator.remove("Account", org.account)
    outcome = only(sf, site(org))
    assert isinstance(outcome.error, Invalid)
    assert outcome.error.field == "AssociatedLocations.ParentRecordId"


def test_a_deletion_leaves_the_rest_to_the_org(org, sf):
    id_ = only(sf, site(org)).id
    org.simulator.calls.clear()
    assert only(sf, Write(Action.DELETE, id=id_)).error is None
    assert (sent(org), rows(org, "Address"), rows(org, "AssociatedLocation")) == (["DELETE"], [], [])


def test_writes_to_one_site_stay_in_order(org, sf):
    writes = [site(org), site(org, name="Hall 2", address={**ADDRESS, "city": "Köln"}), site(org, "H-2")]
    outcomes = sf.write(SITE, writes)
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert outcomes[0].id == outcomes[1].id
    named = {row["FSM_Hub_Id__c"]: row["Name"] for row in rows(org, "Location")}
    assert named == {"H-1": "Hall 2", "H-2": "Hall"}
    assert sorted(row["City"] for row in rows(org, "Address")) == ["Bonn", "Köln"]
