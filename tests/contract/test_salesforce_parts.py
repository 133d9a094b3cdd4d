"""Reading a Location with its Address and AssociatedLocations as one document, and the changes of each of them.

Not here: writing them (`test_salesforce_part_writes.py`), the promises all objects keep (`test_contract.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from connectors.salesforce import Salesforce
from connectors.salesforce.simulator_store import stamp
from fsm_core.errors import CursorExpired
from fsm_core.ports import Change, Creates, Deletes, Object, State
from mappings import load
from tests.contract.harness_salesforce import LocationHarness

SITE = load("salesforce", "site").object


@pytest.fixture
def org() -> Iterator[LocationHarness]:
    with LocationHarness() as harness:
        yield harness


def passed(
    org: LocationHarness, sf: Salesforce, since: str | None, obj: Object | None = None
) -> tuple[list[Change], str]:
    pages = list(sf.changes(obj or org.obj, since))
    assert pages[-1].cursor is not None
    assert [page.complete for page in pages[:-1]] == [False] * (len(pages) - 1)
    return [change for page in pages for change in page.changes], pages[-1].cursor


def settled(org: LocationHarness, count: int = 1) -> tuple[list[str], Salesforce, str]:
    """Locations that lie behind the cursor for good."""
    made = [org.create(f"Hall {number}") for number in range(count)]
    org.clock.advance(3600)
    sf = org.connector()
    _, cursor = passed(org, sf, None)
    _, cursor = passed(org, sf, cursor)
    org.clock.advance(60)
    return made, sf, cursor


def address_of(org: LocationHarness, location: str) -> str:
    return str(org.simulator.store.tables["Location"][location]["VisitorAddressId"])


def link_of(org: LocationHarness, location: str) -> str:
    rows = org.simulator.store.tables["AssociatedLocation"].values()
    return next(row["Id"] for row in rows if row["LocationId"] == location)


# -- one document ------------------------------------------------------------------------------


def test_a_location_is_read_with_its_parts(org):
    id_ = org.create("Hall")
    [change], _ = passed(org, org.connector(), None)
    assert change.id == id_
    assert change.document == {
        "Name": "Hall",
        "VisitorAddress": {"City": "as found", "Street": None},
        "AssociatedLocations": [{"ParentRecordId": org.account}],
    }


def test_the_shipped_mapping_reads_it(org):
    id_ = org.create("Hall")
    org.simulator.edit("Location", id_, {"Latitude": "50.735851", "Longitude": 7, "TimeZone": "Europe/Berlin"})
    org.edit(id_, {"VisitorAddress.Country": "Germany", "VisitorAddress.Street": "Hauptstraße 7"})
    [change] = org.connector().read(SITE, [id_])
    decoded = load("salesforce", "site").decode(change.document)
    assert decoded.faults == ()
    said = {name: value for name, value in decoded.values.items() if value is not None}
    assert said == {
        "name": "Hall",
        "customer_id": org.account,
        "kind": "customer_site",
        "address": {
            "street": "Hauptstraße 7", "number": None, "extra": None, "postcode": None, "city": "as found",
            "region": None, "country": "DE",
        },
        "geo": {"lat": "50.735851", "lon": "7", "precision_m": None},
        "time_zone": "Europe/Berlin",
    }  # fmt: skip


def test_without_parts_there_is_nothing_in_their_place(org):
    org.simulator.edit("Location", "", {"Name": "Bare"})
    [change], _ = passed(org, org.connector(), None)
    assert change.document == {"Name": "Bare", "VisitorAddress": None, "AssociatedLocations": []}


def test_an_address_nobody_points_to_is_none_of_the_site(org):
    id_ = org.create("Hall")
    org.simulator.edit("Address", "", {"ParentId": id_, "AddressType": "Billing", "City": "Elsewhere"})
    [change], _ = passed(org, org.connector(), None)
    assert change.document["VisitorAddress"] == {"City": "as found", "Street": None}


def test_the_open_association_leads_and_the_oldest_of_them(org):
    id_ = org.create("Hall")
    for name, ends in (("Second", None), ("Third", None)):
        org.clock.advance(1)
        other = org.simulator.edit("Account", "", {"Name": name})["Id"]
        org.simulator.edit("AssociatedLocation", "", {"LocationId": id_, "ParentRecordId": other, "ActiveTo": ends})
    order = [org.account, *(row["Id"] for row in org.simulator.rows("Account") if row["Name"] != "Customer")]
    assert _accounts(org, id_) == order
    org.simulator.edit("AssociatedLocation", link_of(org, id_), {"ActiveTo": "2026-01-05T08:00:00Z"})
    assert _accounts(org, id_) == [*order[1:], order[0]]


def _accounts(org: LocationHarness, id_: str) -> list[Any]:
    [change] = org.connector().read(org.obj, [id_])
    return [row["ParentRecordId"] for row in change.document["AssociatedLocations"]]


def test_a_long_list_of_associations_is_read_to_its_end(org):
    id_ = org.create("Mall")
    for _ in range(6):
        org.simulator.edit("AssociatedLocation", "", {"LocationId": id_, "ParentRecordId": org.account})
    org.simulator.queries.child_limit = 2
    assert len(_accounts(org, id_)) == 7


def test_an_object_without_parts_in_its_paths_is_read_plainly(org):
    org.create("Hall")
    org.simulator.calls.clear()
    sf = org.connector()
    [change], cursor = passed(org, sf, None, Object("Location", ("Name",)))
    assert (change.document, change.version) == ({"Name": "Hall"}, stamp(org.clock.now()))
    passed(org, sf, cursor, Object("Location", ("Name",)))
    assert org.calls("queryAll") == 2


# -- who changed what --------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["Location", "Address", "AssociatedLocation"])
def test_version_time_and_user_are_those_of_the_last_change_anywhere(org, part):
    [id_], sf, _ = settled(org)
    [before] = sf.read(org.obj, [id_])
    ids = {"Location": id_, "Address": address_of(org, id_), "AssociatedLocation": link_of(org, id_)}
    org.simulator.edit(part, ids[part], {}, user=org.simulator.hub_user)
    [ours] = sf.read(org.obj, [id_])
    assert (ours.ours, ours.changed_at) == (True, org.clock.now())
    assert len({before.version, ours.version}) == 2
    other = {"Location": "Address", "Address": "AssociatedLocation", "AssociatedLocation": "Location"}[part]
    org.simulator.edit(other, ids[other], {})
    [theirs] = sf.read(org.obj, [id_])
    assert (theirs.ours, theirs.changed_by) == (False, org.simulator.person), "of two in one second, not ours"
    assert len({before.version, ours.version, theirs.version}) == 3


# -- changes of parts --------------------------------------------------------------------------


def test_an_edit_of_the_address_alone_is_delivered(org):
    [_, id_], sf, cursor = settled(org, 2)
    org.edit(id_, {"VisitorAddress.City": "Köln"})
    [change], cursor = passed(org, sf, cursor)
    assert (change.id, change.document["VisitorAddress"]["City"], change.ours) == (id_, "Köln", False)
    assert change.changed_at == org.clock.now()
    assert passed(org, sf, cursor)[0] == []


@pytest.mark.parametrize("part", ["Address", "AssociatedLocation"])
def test_a_deleted_part_is_a_change_of_its_whole_by_whoever_did_it(org, part):
    [_, id_], sf, cursor = settled(org, 2)
    org.simulator.remove(part, address_of(org, id_) if part == "Address" else link_of(org, id_))
    [change], cursor = passed(org, sf, cursor)
    shown = {"Address": ("VisitorAddress", None), "AssociatedLocation": ("AssociatedLocations", [])}[part]
    assert (change.id, change.state, change.document[shown[0]]) == (id_, State.LIVE, shown[1])
    assert (change.changed_by, change.changed_at) == (org.simulator.person, org.clock.now())
    assert passed(org, sf, cursor)[0] == []


def test_an_undeleted_part_is_there_again(org):
    [id_], sf, cursor = settled(org)
    org.simulator.remove("AssociatedLocation", link_of(org, id_))
    _, cursor = passed(org, sf, cursor)
    org.clock.advance(1)
    org.simulator.undelete("AssociatedLocation", link_of(org, id_))
    [change], _ = passed(org, sf, cursor)
    assert change.document["AssociatedLocations"] == [{"ParentRecordId": org.account}]


def test_a_merge_of_accounts_moves_their_sites(org):
    [id_], sf, cursor = settled(org)
    winner = org.simulator.edit("Account", "", {"Name": "Winner"})["Id"]
    org.simulator.merge("Account", winner, [org.account])
    [change], _ = passed(org, sf, cursor)
    assert (change.id, change.document["AssociatedLocations"]) == (id_, [{"ParentRecordId": winner}])


def test_an_address_that_two_locations_point_to_changes_both(org):
    [hall, room], sf, cursor = settled(org, 2)
    org.simulator.edit("Location", room, {"VisitorAddressId": address_of(org, hall)})
    org.clock.advance(3600)
    _, cursor = passed(org, sf, cursor)
    org.edit(hall, {"VisitorAddress.City": "Köln"})
    changes, _ = passed(org, sf, cursor)
    assert {change.id: change.document["VisitorAddress"]["City"] for change in changes} == {hall: "Köln", room: "Köln"}


def test_a_deleted_location_is_one_tombstone(org):
    [id_], sf, cursor = settled(org)
    org.simulator.store.relations.stamps_cascades = True
    org.simulator.remove("Location", id_)
    changes, _ = passed(org, sf, cursor)
    assert [(change.id, change.state) for change in changes] == [(id_, State.DELETED)]


def test_the_filter_holds_for_wholes_found_by_their_parts(org):
    [hall, van], sf, _ = settled(org, 2)
    org.simulator.edit("Location", van, {"LocationType": "Van"})
    sites = replace(org.obj, filter="LocationType = 'Site' OR LocationType = 'Plant'")
    org.clock.advance(3600)
    _, cursor = passed(org, sf, None, sites)
    _, cursor = passed(org, sf, cursor, sites)
    for id_ in (hall, van):
        org.edit(id_, {"VisitorAddress.City": "Köln"})
    assert [change.id for change in passed(org, sf, cursor, sites)[0]] == [hall]


def test_a_late_commit_of_an_address(org):
    [id_], sf, cursor = settled(org)
    org.simulator.late("Address", address_of(org, id_), {"City": "Late"}, 300)
    org.clock.advance(1)
    changes, cursor = passed(org, sf, cursor)
    assert changes == []
    org.clock.advance(300)
    [change], _ = passed(org, sf, cursor)
    assert change.document["VisitorAddress"]["City"] == "Late"


def test_an_address_edited_while_a_full_pass_runs_is_not_lost(org):
    made, _, _ = settled(org, 5)
    sf = org.connector(page_size=2)
    cursor, landed = None, {}
    for number, page in enumerate(sf.changes(org.obj, None)):
        cursor = page.cursor
        landed |= {change.id: change.document["VisitorAddress"]["City"] for change in page.changes}
        org.clock.advance(900)  # longer than the overlap
        if number == 0:
            org.edit(made[0], {"VisitorAddress.City": "During"})
    assert landed[made[0]] == "as found"
    news, _ = passed(org, sf, cursor)
    assert {change.id: change.document["VisitorAddress"]["City"] for change in news} == {made[0]: "During"}


def test_a_full_pass_resumed_after_a_crash_reads_the_parts_from_its_beginning(org):
    made, _, _ = settled(org, 5)
    sf = org.connector(page_size=2)
    first = next(sf.changes(org.obj, None))
    org.clock.advance(900)
    org.edit(made[0], {"VisitorAddress.City": "Later"})
    rest, _ = passed(org, org.connector(page_size=2), first.cursor)
    assert {change.id for change in [*first.changes, *rest]} == set(made)
    assert [c.document["VisitorAddress"]["City"] for c in rest if c.id == made[0]] == ["Later"]


def test_without_a_clock_the_parts_are_read_from_the_start_once(org):
    def silent(response: httpx.Response) -> None:
        response.headers.pop("date", None)

    made = [org.create(f"Hall {number}") for number in range(3)]
    org.clock.advance(3600)
    sf = org.connector()
    sf.edge.event_hooks["response"].append(silent)
    _, cursor = passed(org, sf, None)
    again, cursor = passed(org, sf, cursor)
    assert {change.id for change in again} <= set(made)
    org.edit(made[0], {"VisitorAddress.City": "Köln"})
    assert [change.id for change in passed(org, sf, cursor)[0]] == [made[0]]


# -- what it costs -----------------------------------------------------------------------------


def test_a_full_pass_costs_its_pages_and_a_poll_one_call_for_each_kind_of_record(org):
    made = [org.create(f"Hall {number}") for number in range(10)]
    org.clock.advance(3600)
    sf = org.connector(page_size=4)
    org.simulator.calls.clear()
    changes, cursor = passed(org, sf, None)
    assert (len(changes), org.calls("queryAll")) == (10, 1)
    assert org.calls("/query/") == 2
    org.simulator.calls.clear()
    _, cursor = passed(org, sf, cursor)
    assert org.calls() == 3
    for id_ in made[:3]:
        org.edit(id_, {"VisitorAddress.City": "Köln"})
    org.simulator.calls.clear()
    news, cursor = passed(org, sf, cursor)
    assert (len(news), org.calls()) == (3, 4)


def test_accounts_and_contacts_cost_what_they_did(org):
    sf = org.connector()
    org.simulator.calls.clear()
    sf.describe([Object("Account", ("Name",)), Object("Contact", ("LastName",))])
    for obj in (Object("Account", ("Name",)), Object("Contact", ("LastName",))):
        _, cursor = passed(org, sf, None, obj)
        passed(org, sf, cursor, obj)
    kinds = [call.path.partition("?")[0].rpartition("/v62.0/")[2].strip("/") for call in org.simulator.calls]
    assert kinds[1:] == ["queryAll", "sobjects/Account/describe", "sobjects/Contact/describe", *["queryAll"] * 4]


# -- describe, cursors -------------------------------------------------------------------------


def test_describe_tells_the_parts_by_their_own_objects(org):
    sf = org.connector()
    found = sf.describe([SITE]).objects["Location"]
    street, account = found.fields["VisitorAddress.Street"], found.fields["AssociatedLocations.ParentRecordId"]
    assert (street.length, street.writable, street.creatable) == (255, True, True)
    assert (account.writable, account.creatable, account.required) == (True, True, True)
    assert (found.creates, found.deletes, found.batch) == (Creates.UPSERT_KEY, Deletes.TOMBSTONES, 200)
    assert set(SITE.fields) <= set(found.fields)
    assert not {"ParentId", "LocationId"} & set(found.fields)


def test_a_field_of_a_part_without_rights_is_absent(org):
    org.simulator.store.hidden.add(("Address", "Street"))
    found = org.connector().describe([SITE]).objects["Location"]
    assert "VisitorAddress.Street" not in found.fields
    assert "VisitorAddress.City" in found.fields


@pytest.mark.parametrize("cursor", ["", "x", "{}", '{"whole": 1}', '{"t":"","i":"","seen":{}}'])
def test_a_foreign_cursor_starts_over(org, cursor):
    with pytest.raises(CursorExpired):
        list(org.connector().changes(org.obj, cursor))
