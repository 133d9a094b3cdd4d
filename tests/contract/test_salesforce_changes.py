"""Passes over a simulated org: ties, late commits, resumption, deletions, merges, dying locators, cost.

Not here: promises every connector makes (`test_contract.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from random import Random

import httpx
import pytest

from connectors.salesforce import Salesforce, SalesforceSettings
from connectors.salesforce.cursor import SEEN_LIMIT, Progress
from connectors.salesforce.simulator import SalesforceSimulator
from connectors.salesforce.simulator_schema import made, reference, text
from connectors.salesforce.simulator_store import stamp
from fsm_core.errors import CursorExpired, Unreachable
from fsm_core.ports import Change, KeyRef, Object, Page, State
from tests.contract.harness_salesforce import SalesforceHarness

LONG_AGO = "2025-06-01T12:00:00.000+0000"
OVERLAP = 600


@pytest.fixture
def org() -> Iterator[SalesforceHarness]:
    with SalesforceHarness() as harness:
        yield harness


def seed(org: SalesforceHarness, count: int, moved: str = LONG_AGO) -> list[str]:
    return org.simulator.seed("Account", [{"Name": f"A{n}", "SystemModstamp": moved} for n in range(count)])


def seed_apart(org: SalesforceHarness, count: int) -> list[str]:
    start = org.clock.now() - timedelta(days=30)
    rows = [{"Name": f"A{n}", "SystemModstamp": stamp(start + timedelta(minutes=n))} for n in range(count)]
    return org.simulator.seed("Account", rows)


def ids(pages: list[Page]) -> list[str]:
    return [change.id for page in pages for change in page.changes]


def passed(org: SalesforceHarness, sf: Salesforce, since: str | None) -> tuple[list[Change], str]:
    pages = list(sf.changes(org.obj, since))
    assert pages[-1].cursor is not None
    return [change for page in pages for change in page.changes], pages[-1].cursor


# -- ties and pages ----------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 7, 2000])
def test_equal_stamps_across_every_border(org, page_size):
    made_ids = seed(org, 40)
    pages = list(org.connector(page_size=page_size).changes(org.obj, None))
    assert sorted(ids(pages)) == sorted(made_ids)
    assert [page.complete for page in pages].count(True) == 1
    assert pages[-1].complete


def test_a_thousand_ties_resumed_after_every_page(org):
    made_ids = seed(org, 1000)
    landed: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        page = next(org.connector(page_size=100).changes(org.obj, cursor))
        landed += [change.id for change in page.changes]
        cursor = page.cursor
    assert sorted(landed) == sorted(made_ids)


@pytest.mark.parametrize(("count", "page_size"), [(0, 10), (9, 10), (10, 10), (11, 10), (40, 10)])
def test_a_full_pass_costs_its_pages(org, count, page_size):
    seed_apart(org, count)
    sf = org.connector(page_size=page_size)
    sf.check()
    org.simulator.reset_calls()
    assert len(ids(list(sf.changes(org.obj, None)))) == count
    assert org.calls() == max(1, -(-count // page_size))


def test_the_steady_state_costs_one_call(org):
    seed_apart(org, 30)
    for number in range(10):
        org.create(f"New {number}")
    sf = org.connector()
    _, cursor = passed(org, sf, None)
    for _ in range(4):
        org.simulator.reset_calls()
        changes, cursor = passed(org, sf, cursor)
        assert (changes, org.calls()) == ([], 1)
        org.clock.advance(400)


def test_an_old_overlap_is_not_read_for_ever(org):
    for number in range(5):
        org.create(f"New {number}")
    _, cursor = passed(org, org.connector(), None)
    org.clock.advance(OVERLAP + 60)
    _, cursor = passed(org, org.connector(), cursor)
    assert json.loads(cursor)["seen"] == {}


# -- late commits and the clock ----------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 2000])
def test_a_late_commit_behind_a_newer_row(org, page_size):
    late = org.create_late("Late", 300)
    org.clock.advance(60)
    soon = org.create("Soon")
    sf = org.connector(page_size=page_size)
    first, cursor = passed(org, sf, None)
    org.clock.advance(300)
    second, cursor = passed(org, sf, cursor)
    third, _ = passed(org, sf, cursor)
    assert [[change.id for change in changes] for changes in (first, second, third)] == [[soon], [late], []]


def test_a_late_edit_of_a_known_row(org):
    sf = org.connector()
    id_ = org.create("Before")
    org.clock.advance(5)
    org.simulator.late("Account", id_, {"Name": "After"}, 300)
    org.clock.advance(60)
    org.create("Soon")
    _, cursor = passed(org, sf, None)
    org.clock.advance(300)
    changes, _ = passed(org, sf, cursor)
    assert [change.document["Name"] for change in changes] == ["After"]


def test_a_late_commit_during_a_long_pass(org):
    seed_apart(org, 20)
    late = org.create_late("Late", 550)
    landed, cursor = set(), None
    for page in org.connector(page_size=1).changes(org.obj, None):
        landed |= {change.id for change in page.changes}
        cursor = page.cursor
        org.clock.advance(120)
    news, _ = passed(org, org.connector(), cursor)
    assert late in landed | {change.id for change in news}


@pytest.mark.parametrize("skew", [-300, 300, 86_400])
def test_our_own_clock_does_not_matter(org, skew):
    sf = Salesforce(org.settings(), clock=lambda: org.clock.now() + timedelta(seconds=skew))
    org.create("First")
    _, cursor = passed(org, sf, None)
    org.clock.advance(1)
    second = org.create("Second")
    changes, _ = passed(org, sf, cursor)
    assert [change.id for change in changes] == [second]
    sf.close()


@pytest.mark.parametrize("date", ["", "Fri, 20 Nov 2037 12:00:00 GMT"])
def test_without_a_trustworthy_date_the_data_is_the_clock(org, date):
    def strange(response: httpx.Response) -> None:
        response.headers.pop("Date", None)
        if date:
            response.headers["Date"] = date

    sf = org.connector(page_size=2)
    for edge in (sf.edge, sf._door):
        edge.event_hooks = {"response": [strange]}
    for number in range(5):
        org.create(f"A{number}")
        org.clock.advance(1)
    pages = list(sf.changes(org.obj, None))
    assert [page.cursor is None for page in pages] == [True, True, False]
    late = org.create_late("Late", 100)
    assert passed(org, sf, pages[-1].cursor)[0] == []
    org.clock.advance(200)
    changes, _ = passed(org, sf, pages[-1].cursor)
    assert [change.id for change in changes] == [late]


def test_two_edits_within_one_second_are_both_seen(org):
    sf = org.connector()
    id_ = org.create("One")
    _, cursor = passed(org, sf, None)
    for name in ("Two", "Three"):
        org.edit(id_, {"Name": name})
        changes, cursor = passed(org, sf, cursor)
        assert [change.document["Name"] for change in changes] == [name]


# -- crash and resume --------------------------------------------------------------------------


def test_a_crashed_full_load_goes_on_where_it_was(org):
    made_ids = seed_apart(org, 100)
    pages = org.connector(page_size=10).changes(org.obj, None)
    landed = [next(pages) for _ in range(5)]
    rest = list(org.connector(page_size=10).changes(org.obj, landed[-1].cursor))
    assert ids(landed) + ids(rest) == made_ids
    assert len(rest) == 5
    assert not any(page.complete for page in rest)


def test_a_crash_inside_the_overlap_repeats_nothing_that_landed(org):
    made_ids = [org.create(f"A{number}") for number in range(30)]
    pages = org.connector(page_size=10).changes(org.obj, None)
    landed = [next(pages)]
    rest = list(org.connector(page_size=10).changes(org.obj, landed[-1].cursor))
    assert sorted(ids(landed) + ids(rest)) == sorted(made_ids)


def test_a_row_moved_while_its_page_was_awaited_does_not_move_the_cursor(org):
    made_ids = seed_apart(org, 30)
    pages = org.connector(page_size=10).changes(org.obj, None)
    landed = [next(pages)]
    org.clock.advance(1)
    org.edit(made_ids[19], {"Name": "Moved"})  # last row of the page to come
    landed.append(next(pages))
    rest = list(org.connector(page_size=10).changes(org.obj, landed[-1].cursor))
    assert set(ids(landed) + ids(rest)) == set(made_ids)


def test_what_is_remembered_is_bounded_and_nothing_is_lost(org):
    count = SEEN_LIMIT + 500
    now = stamp(org.clock.now())
    made_ids = seed(org, count, now)
    sf = org.connector()
    changes, cursor = passed(org, sf, None)
    assert len(changes) == count
    assert len(cursor) < 40 * SEEN_LIMIT
    again, _ = passed(org, sf, cursor)
    assert len(again) == 500
    assert {change.id for change in again} <= set(made_ids)


@pytest.mark.parametrize("cursor", ["nonsense", "[]", "{}", '{"t":"","i":"x","seen":{}}', '{"t":1,"i":"","seen":[]}'])
def test_a_foreign_cursor_starts_over(org, cursor):
    with pytest.raises(CursorExpired):
        list(org.connector().changes(org.obj, cursor))


def test_a_cursor_survives_being_stored():
    progress = Progress("2026-01-05T08:00:00.000+0000", "0015500001QdZPKAA3")
    progress.deliver("a", "2026-01-05T08:00:00.000+0000")
    progress.deliver("b", "2026-01-05T08:00:01.000+0000")
    assert Progress.loads(progress.dumps()) == progress


def test_a_cursor_forgets_what_is_settled_and_never_goes_back():
    stamps = [f"2026-01-05T08:00:0{second}.000+0000" for second in range(3)]
    progress = Progress()
    for mark, moved in zip("abc", stamps, strict=True):
        progress.deliver(mark, moved)
    progress.settle(stamps[1], "")
    assert progress.seen == {"b": stamps[1], "c": stamps[2]}
    progress.settle(stamps[0], "")
    assert progress.stamp == stamps[1]


# -- locators ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 5])
def test_a_dead_locator_restarts_by_key_set(org, page_size):
    made_ids = seed_apart(org, 20)
    landed = []
    for number, page in enumerate(org.connector(page_size=page_size).changes(org.obj, None)):
        landed.append(page)
        if number in {1, 2}:
            org.simulator.queries.expire_locators()
    assert ids(landed) == made_ids
    assert landed[-1].complete


def test_a_locator_dies_of_age(org):
    made_ids = seed_apart(org, 20)
    landed = []
    for page in org.connector(page_size=10).changes(org.obj, None):
        landed.append(page)
        org.clock.advance(3 * 86_400)
    assert ids(landed) == made_ids


def test_locators_that_always_die_are_given_up(org):
    for number in range(5):
        org.create(f"A{number}")
    pages = org.connector(page_size=2).changes(org.obj, None)
    with pytest.raises(Unreachable):
        _drained_while_locators_die(org, pages)


def _drained_while_locators_die(org, pages):
    for _ in pages:
        org.simulator.queries.expire_locators()


# -- deletions and merges ----------------------------------------------------------------------


def test_a_deleted_record_is_a_tombstone_and_comes_back_alive(org):
    id_ = org.simulator.edit("Account", "", {"Name": "There", "FSM_Hub_Id__c": "H-1"})["Id"]
    sf = org.connector()
    _, cursor = passed(org, sf, None)
    org.clock.advance(1)
    org.remove(id_)
    [gone], cursor = passed(org, sf, cursor)
    assert (gone.id, gone.state, gone.document, gone.key, gone.merged_into) == (id_, State.DELETED, {}, "H-1", "")
    assert [answer.state for answer in sf.read(org.obj, [id_, KeyRef("FSM_Hub_Id__c", "H-1")])] == [State.DELETED] * 2
    org.clock.advance(1)
    org.simulator.undelete("Account", id_)
    [back], _ = passed(org, sf, cursor)
    assert (back.id, back.state, back.document["Name"]) == (id_, State.LIVE, "There")


def test_a_purged_record_leaves_no_trace(org):
    id_ = org.create("There")
    sf = org.connector()
    org.remove(id_)
    assert org.simulator.purge("Account") == 1
    assert passed(org, sf, None)[0] == []
    assert [answer.state for answer in sf.read(org.obj, [id_])] == [State.MISSING]


def test_a_merge_names_the_survivor_and_moves_the_children(org):
    org.simulator.store.add_object(
        made("Contact", "003", text("LastName", 80), reference("AccountId", "Account"), mergeable=True)
    )
    winner, loser = org.create("Winner"), org.create("Loser")
    child = org.simulator.edit("Contact", "", {"LastName": "Child", "AccountId": loser})["Id"]
    sf = org.connector()
    contacts = Object("Contact", ("LastName", "AccountId", "Account.Name"))
    _, cursor = passed(org, sf, None)
    child_cursor = list(sf.changes(contacts, None))[-1].cursor
    org.clock.advance(1)
    org.simulator.merge("Account", winner, [loser])
    [merged], _ = passed(org, sf, cursor)
    assert (merged.id, merged.state, merged.merged_into) == (loser, State.DELETED, winner)
    [moved] = [change for page in sf.changes(contacts, child_cursor) for change in page.changes]
    assert (moved.id, moved.document["AccountId"], moved.document["Account"]) == (child, winner, {"Name": "Winner"})


def test_a_key_is_given_to_the_living_record(org):
    first = org.simulator.edit("Account", "", {"Name": "First", "FSM_Hub_Id__c": "H-1"})["Id"]
    org.remove(first)
    second = org.simulator.edit("Account", "", {"Name": "Second", "FSM_Hub_Id__c": "H-1"})["Id"]
    [found] = org.connector().read(org.obj, [KeyRef("FSM_Hub_Id__c", "H-1")])
    assert (found.id, found.state, found.key) == (second, State.LIVE, "H-1")


# -- what else moves a stamp -------------------------------------------------------------------


def test_a_write_of_equal_values_is_seen_as_ours(org):
    id_ = org.simulator.edit("Account", "", {"Name": "Same"})["Id"]
    sf = org.connector()
    _, cursor = passed(org, sf, None)
    org.clock.advance(1)
    org.simulator.edit("Account", id_, {"Name": "Same"}, user=org.simulator.hub_user)
    [echo], _ = passed(org, sf, cursor)
    assert (echo.id, echo.ours, echo.changed_by) == (id_, True, org.simulator.hub_user)


def test_the_filter_is_the_vendor_s_own(org):
    org.create("Kept")
    org.create("O'Neil")
    only = Object("Account", ("Name",), filter="Name LIKE 'o\\'n%' OR Name = null")
    [page] = org.connector().changes(only, None)
    assert [change.document for change in page.changes] == [{"Name": "O'Neil"}]


# -- all of it at once -------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(25))
def test_whatever_happens_the_copy_ends_up_equal(number):
    """Edits, late commits, deletions, dying locators and crashes in any order lose nothing."""
    chance = Random(number)  # noqa: S311 - a seed that reproduces, not a secret
    simulator = SalesforceSimulator()
    settings = SalesforceSettings(
        "http://org.test", "client_credentials", "hub-client", client_secret="hub-secret", overlap=60
    )
    sf = Salesforce(settings, transport=httpx.WSGITransport(simulator), clock=simulator.clock.now)
    copy: dict[str, str] = {}
    cursor: str | None = None
    for _ in range(40):
        simulator.queries.page_limit = chance.choice([1, 2, 3, 50])
        cursor = _poll(sf, simulator, chance, copy, cursor)
        _someone_works(simulator, chance)
    simulator.clock.advance(60)
    _poll(sf, simulator, None, copy, cursor)
    rows = simulator.rows("Account")
    assert copy == {row["Id"]: "gone" if row["IsDeleted"] else row["Name"] for row in rows}


def _poll(sf, simulator, chance, copy, cursor):
    for page in sf.changes(SalesforceHarness.obj, cursor):
        for change in page.changes:
            copy[change.id] = "gone" if change.state is State.DELETED else change.document["Name"]
        cursor = page.cursor
        if chance is None:
            continue
        if chance.random() < 0.1:
            return cursor  # crashed, with the page landed
        if chance.random() < 0.3:
            _someone_works(simulator, chance)
        if chance.random() < 0.02:
            simulator.queries.expire_locators()
    return cursor


def _someone_works(simulator, chance):
    live = [row["Id"] for row in simulator.rows("Account") if not row["IsDeleted"]]
    name = f"Name {chance.random()}"
    match chance.choice(["wait", "wait", "create", "edit", "edit", "late", "late edit", "remove"]):
        case "wait":
            simulator.clock.advance(chance.choice([0, 1, 7, 40, 100]))
        case "create":
            simulator.edit("Account", "", {"Name": name})
        case "late":
            simulator.late("Account", "", {"Name": name}, chance.uniform(0, 55))
        case "edit" if live:
            simulator.edit("Account", chance.choice(live), {"Name": name})
        case "late edit" if live:
            simulator.late("Account", chance.choice(live), {"Name": name}, chance.uniform(0, 55))
        case "remove" if live:
            simulator.remove("Account", chance.choice(live))
