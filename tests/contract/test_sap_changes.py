"""The SAP change feed against the simulator: date-only stamps, zones, paging, cursors, what does not move a stamp.

Not here: wire shapes, writing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors.sap import Sap
from connectors.sap.feed import Mark
from connectors.simulation import VirtualClock
from fsm_core.errors import BadMapping, CursorExpired
from fsm_core.ports import Change, Object, State
from tests.contract.harness_sap import SapHarness
from tests.contract.sap_words import DEFAULT, FULL, NAME, new_partner


@pytest.fixture
def harness() -> Iterator[SapHarness]:
    made = SapHarness()
    yield made
    made.close()


def drain(sap: Sap, since: str | None = None, obj: Object = NAME) -> tuple[list[Change], str]:
    pages = list(sap.changes(obj, since))
    return [change for page in pages for change in page.changes], str(pages[-1].cursor)


def reads(harness: SapHarness) -> list[str]:
    return [call.path for call in harness.simulator.calls if "A_BusinessPartner?" in call.path]


def test_steady_state_is_one_call(harness):
    for number in range(20):
        harness.create(f"Site {number}")
    sap = harness.connector(page_size=5)
    _, cursor = drain(sap)
    for days in (0, 1, 3):
        harness.clock.advance(86400 * days)
        changes, cursor = drain(sap, cursor)
        assert not changes
    harness.simulator.reset_calls()
    assert not drain(sap, cursor)[0]
    assert len(reads(harness)) == 1


def test_a_quiet_system_answers_with_an_empty_page(harness):
    sap = harness.connector()
    changes, cursor = drain(sap)
    harness.simulator.reset_calls()
    changes, cursor = drain(sap, cursor)
    assert (changes, len(reads(harness))) == ([], 1)


def test_never_changed_partners_are_found_by_their_creation(harness):
    sap = harness.connector()
    _, cursor = drain(sap)
    harness.clock.advance(86400 * 5)
    made = harness.create("Fresh")
    assert harness.stored(made)["LastChangeDate"] is None
    changes, _ = drain(sap, cursor)
    assert [change.id for change in changes] == [made]
    assert changes[0].changed_at == harness.clock.now()


@pytest.mark.parametrize("cap", [1, 3, 100])
def test_server_paging_is_followed(harness, cap):
    made = [harness.create(f"Site {number}") for number in range(7)]
    harness.simulator.service.page_cap = cap
    pages = list(harness.connector(page_size=5).changes(NAME, None))
    assert [change.id for page in pages for change in page.changes] == made
    assert [page.complete for page in pages].count(True) == 1
    assert pages[-1].complete


def test_a_silent_cap_loses_nothing(harness, monkeypatch):
    made = [harness.create(f"Site {number}") for number in range(7)]
    full = harness.simulator.service._page
    monkeypatch.setattr(type(harness.simulator.service), "_page", lambda _, call, rows: (full(call, rows)[0][:2], ""))
    changes, _ = drain(harness.connector(page_size=5))
    assert [change.id for change in changes] == made


def test_alphanumeric_numbers_sort_behind_digits(harness):
    documents = [
        {"BusinessPartner": number, "BusinessPartnerCategory": "2", "OrganizationBPName1": number}
        for number in ("9", "1000021", "AB1", "10", "ZZ")
    ]
    harness.simulator.seed(documents)
    changes, _ = drain(harness.connector(page_size=1))
    assert [change.id for change in changes] == ["9", "10", "1000021", "AB1", "ZZ"]


def test_a_thousand_equal_stamps(harness):
    harness.simulator.seed(
        {"BusinessPartnerCategory": "2", "BusinessPartnerGrouping": "BP02", "OrganizationBPName1": f"S{number}"}
        for number in range(1000)
    )
    sap = harness.connector(page_size=90)
    changes, cursor = drain(sap)
    assert len({change.id for change in changes}) == len(changes) == 1000
    assert drain(sap, cursor)[0] == []


def test_more_than_the_cursor_remembers_is_delivered_again_but_never_lost(harness):
    made = [harness.create(f"Site {number}") for number in range(10)]
    sap = harness.connector(seen_limit=4)
    _, cursor = drain(sap)
    assert len(json.loads(cursor)["seen"]) == 4 * 8
    harness.edit(made[0], {"OrganizationBPName1": "Edited"})
    changes, _ = drain(sap, cursor)
    assert made[0] in {change.id for change in changes}
    assert len(changes) in {6, 7}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "Europe/Berlin"])
@pytest.mark.parametrize("known", [True, False])
def test_any_zone_of_the_system_even_an_unknown_one(zone, known):
    harness = SapHarness(zone=zone, clock=VirtualClock(datetime(2026, 3, 29, 0, 30, tzinfo=UTC)))
    sap = harness.connector(system_time_zone=zone if known else "UTC")
    harness.create("Old")
    _, cursor = drain(sap)
    for _ in range(12):
        harness.clock.advance(3600 * 5)
        made = harness.create("New")
        changes, cursor = drain(sap, cursor)
        assert [change.id for change in changes] == [made]
        if known:
            assert changes[0].changed_at == harness.clock.now()
    harness.close()


def test_a_stamp_in_the_future_stops_nothing(harness):
    sap = harness.connector()
    ahead = {"BusinessPartnerCategory": "2", "OrganizationBPName1": "Ahead", "CreationDate": "2099-01-01"}
    harness.simulator.seed([{**ahead, "BusinessPartner": "77"}])
    _, cursor = drain(sap)
    made = harness.create("Now")
    changes, _ = drain(sap, cursor)
    assert [change.id for change in changes] == [made]


def test_without_a_date_header_the_data_lead(harness, monkeypatch):
    made = harness.create("Known")
    sap = harness.connector()
    monkeypatch.setattr(type(sap.session), "_note_time", lambda *_: None)
    _, cursor = drain(sap)
    assert Mark.parse(cursor).low == "2026-01-04"
    harness.edit(made, {"OrganizationBPName1": "Edited"})
    changes, _ = drain(sap, cursor)
    assert [change.id for change in changes] == [made]


def test_a_change_below_the_root_moves_no_stamp_but_the_version(harness):
    made = harness.simulator.edit("A_BusinessPartner", "", _plain(new_partner()))["BusinessPartner"]
    sap = harness.connector()
    before, cursor = drain(sap, obj=FULL)
    harness.clock.advance(5)
    harness.edit(made, {f"{DEFAULT}.CityName": "Heidelberg"})
    changes, cursor = drain(sap, cursor, FULL)
    assert [change.version for change in changes] != [before[0].version]
    assert changes[0].changed_at == before[0].changed_at
    harness.clock.advance(86400 * 7)
    _, cursor = drain(sap, cursor, FULL)
    harness.clock.advance(86400 * 7)
    _, cursor = drain(sap, cursor, FULL)
    harness.edit(made, {f"{DEFAULT}.CityName": "Mannheim"})
    whole, _ = drain(sap, obj=FULL)
    assert whole[0].version != changes[0].version


def _plain(fields):
    """Rows of the ports as nested lists, as a screen would send them."""
    made = {}
    for name, value in fields.items():
        if isinstance(value, tuple):
            made[name] = [
                {key: text for key, text in row.match.items() if "." not in key} | _plain(row.fields) for row in value
            ]
        else:
            made[name] = value
    return made


def test_versions_do_not_depend_on_the_way_of_reading(harness):
    made = harness.simulator.edit("A_BusinessPartner", "", _plain(new_partner()))["BusinessPartner"]
    sap = harness.connector()
    listed, _ = drain(sap, obj=FULL)
    [read] = sap.read(FULL, [made])
    assert (read.id, read.version, read.document) == (listed[0].id, listed[0].version, listed[0].document)


def test_flags_are_ordinary_fields(harness):
    made = harness.create("Archived")
    harness.remove(made)
    [change] = harness.connector().read(harness.obj, [made])
    assert (change.state, change.document["IsMarkedForArchiving"]) == (State.LIVE, True)


def test_behind_the_end_of_purpose_block_a_partner_is_missing(harness):
    made, kept = harness.create("Gone"), harness.create("Kept")
    harness.simulator.hide(made)
    sap = harness.connector()
    assert [found.state for found in sap.read(NAME, [made, kept])] == [State.MISSING, State.LIVE]
    assert [change.id for change in drain(sap)[0]] == [kept]


def test_many_references_in_one_go(harness):
    made = [harness.create(f"Site {number}") for number in range(120)]
    found = harness.connector().read(NAME, [f"000{made[0]}", *made[1:], "NO-SUCH-NUMBER-HERE", "404"])
    assert [change.state for change in found] == [State.LIVE] * 120 + [State.MISSING] * 2
    assert found[0].id == made[0]


def test_a_filter_of_the_binding_narrows_every_pass(harness):
    harness.create("Ours")
    other = harness.create("Theirs")
    obj = Object("A_BusinessPartner", ("OrganizationBPName1",), filter="OrganizationBPName1 eq 'Theirs'")
    sap = harness.connector()
    changes, cursor = drain(sap, obj=obj)
    assert [change.id for change in changes] == [other]
    harness.edit(other, {"OrganizationBPName2": "x"})
    harness.create("Ours too")
    assert [change.id for change in drain(sap, cursor, obj)[0]] == [other]


@pytest.mark.parametrize("text", ["", "{}", '{"v":2}', "[]", '{"v":1,"surprise":1}', '{"v":1,"fresh":[1]}'])
def test_a_foreign_cursor_has_expired(harness, text):
    with pytest.raises(CursorExpired):
        list(harness.connector().changes(NAME, text))


def test_unknown_paths_are_named_with_the_known_ones(harness):
    sap = harness.connector()
    with pytest.raises(BadMapping, match=r"known are .*OrganizationBPName1"):
        list(sap.changes(Object("A_BusinessPartner", ("OrganisationName",)), None))
    with pytest.raises(BadMapping, match="known are A_BusinessPartner"):
        sap.read(Object("A_Product"), ["1"])
    fields = (
        sap.describe([Object("A_BusinessPartner", ("Nonsense", f"{DEFAULT}.CityName"))])
        .objects["A_BusinessPartner"]
        .fields
    )
    assert "Nonsense" not in fields
    assert fields[f"{DEFAULT}.CityName"].length == 40
    assert not fields["BusinessPartnerFullName"].writable


def test_too_long_a_query_asks_for_everything_instead(harness, monkeypatch):
    monkeypatch.setattr("connectors.sap.session.LONGEST_QUERY", 50)
    made = harness.create("Site")
    changes, _ = drain(harness.connector())
    assert [change.id for change in changes] == [made]
    assert "Industry" not in changes[0].document
