"""What every connector promises, tested once: the same suite over each connector's own simulator.

Not here: what a vendor's protocol looks like (each connector's own tests), and what the core does with it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fsm_core.errors import Invalid, RateLimited, Refused, Stale, UnknownOutcome
from fsm_core.ports import Action, Connector, Creates, Deletes, Json, KeyRef, State, Write
from tests.contract.harness import Harness
from tests.contract.words import (
    capabilities,
    creation,
    delivered,
    full,
    holding,
    ids,
    read_one,
    since,
    unknown_id,
    update,
    value_at,
    write_one,
)

# -- check and describe ------------------------------------------------------------------------


def test_has_the_five_verbs(connector: Connector) -> None:
    assert isinstance(connector, Connector)
    assert connector.name


def test_check_tells_where_we_are(connect: Callable[..., Connector]) -> None:
    first, second = connect().check(), connect().check()
    assert first.ok
    assert first.fingerprint
    assert first.fingerprint == second.fingerprint


def test_describe_lists_the_asked_fields(harness: Harness, connector: Connector) -> None:
    description = connector.describe([harness.obj])
    assert description.fingerprint == connector.check().fingerprint
    fields = description.objects[harness.obj.name].fields
    assert {harness.text, harness.other} <= set(fields)
    assert fields[harness.text].writable


def test_reading_verbs_write_nothing(harness: Harness, connector: Connector) -> None:
    id_ = harness.create("Left alone")
    before = harness.writes_received()
    connector.check()
    connector.describe([harness.obj])
    _, cursor = full(harness, connector)
    since(harness, connector, cursor)
    connector.read(harness.obj, [id_, KeyRef(harness.obj.key, "H-none")])
    assert harness.writes_received() == before


# -- changes -----------------------------------------------------------------------------------


def test_a_full_pass_lists_everything(harness: Harness, connector: Connector) -> None:
    made = {harness.create(f"Site {number}") for number in range(3)}
    pages = list(connector.changes(harness.obj, None))
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]
    changes = [change for page in pages for change in page.changes]
    assert made <= ids(changes) == set(harness.ids())
    assert {value_at(change.document, harness.text) for change in changes} >= {"Site 0", "Site 1", "Site 2"}
    assert all(change.state is State.LIVE for change in changes)
    heads = {harness.text.split(".")[0], harness.other.split(".")[0]}
    assert all(heads <= set(change.document) for change in changes)


def test_pages_of_one(harness: Harness, connect: Callable[..., Connector]) -> None:
    for number in range(4):
        harness.create(f"Site {number}")
    changes, _ = full(harness, connect(page_size=1))
    assert ids(changes) == set(harness.ids())


def test_equal_stamps_across_pages(harness: Harness, connect: Callable[..., Connector]) -> None:
    connector = connect(page_size=7)
    _, cursor = full(harness, connector)
    harness.clock.advance(3600)
    made = {harness.create(f"Site {number}") for number in range(60)}
    news, _ = since(harness, connector, cursor)
    assert made <= ids(news)
    everything, _ = full(harness, connect(page_size=7))
    assert ids(everything) == set(harness.ids())


def test_an_increment_holds_the_edits(harness: Harness, connector: Connector) -> None:
    first, _, third = (harness.create(f"Site {number}") for number in range(3))
    _, cursor = full(harness, connector)
    harness.clock.advance(1)
    harness.edit(first, {harness.text: "Renamed"})
    harness.edit(third, {harness.other: "NOTED"})
    changes, _ = since(harness, connector, cursor)
    assert ids(changes) == {first, third}
    newest = [change for change in changes if change.id == first][-1]
    assert value_at(newest.document, harness.text) == "Renamed"


def test_two_edits_within_one_stamp(harness: Harness, connector: Connector) -> None:
    id_ = harness.create("Start")
    _, cursor = full(harness, connector)
    harness.edit(id_, {harness.text: "Once"})
    _, cursor = since(harness, connector, cursor)
    harness.edit(id_, {harness.text: "Twice"})
    changes, _ = since(harness, connector, cursor)
    assert [value_at(change.document, harness.text) for change in changes] == ["Twice"]


def test_nothing_new_is_nothing(harness: Harness, connector: Connector) -> None:
    for number in range(3):
        harness.create(f"Site {number}")
    _, cursor = full(harness, connector)
    for _ in range(3):
        changes, cursor = since(harness, connector, cursor)
        assert not changes
        harness.clock.advance(30)


def test_an_increment_is_never_complete(harness: Harness, connector: Connector) -> None:
    harness.create("Site")
    _, cursor = full(harness, connector)
    assert not any(page.complete for page in connector.changes(harness.obj, cursor))


def test_a_pass_resumes_from_any_page(harness: Harness, connect: Callable[..., Connector]) -> None:
    for number in range(7):
        harness.create(f"Site {number}")
        harness.clock.advance(3600)  # so that no overlap covers for a cursor that promises too much
    pages = list(connect(page_size=2).changes(harness.obj, None))
    for place, page in enumerate(pages):
        if page.cursor is None:
            continue
        landed = {change.id for earlier in pages[: place + 1] for change in earlier.changes}
        rest, _ = since(harness, connect(page_size=2), page.cursor)
        assert landed | ids(rest) == set(harness.ids()), f"resumed after page {place}"


def test_an_edit_during_a_pass_is_not_lost(harness: Harness, connect: Callable[..., Connector]) -> None:
    made = [harness.create(f"Site {number}") for number in range(6)]
    connector = connect(page_size=2)
    landed: dict[str, Json] = {}
    pages = connector.changes(harness.obj, None)
    cursor = None
    for number, page in enumerate(pages):
        landed.update({change.id: value_at(change.document, harness.text) for change in page.changes})
        cursor = page.cursor
        harness.clock.advance(1)
        if number == 0:
            harness.edit(made[0], {harness.text: "During"})
            harness.edit(made[-1], {harness.text: "During too"})
    assert cursor is not None
    news, _ = since(harness, connector, cursor)
    landed.update({change.id: value_at(change.document, harness.text) for change in news})
    assert landed == {id_: harness.stored(id_)[harness.text] for id_ in harness.ids()}


def test_a_late_commit_is_delivered(harness: Harness, connector: Connector) -> None:
    delay = capabilities(harness, connector).overlap.total_seconds() / 2
    assert delay > 0, "a connector reads again what may commit late"
    late = harness.create_late("Late", delay)
    harness.clock.advance(1)
    soon = harness.create("Soon")
    changes, cursor = full(harness, connector)
    assert soon in ids(changes)
    assert late not in ids(changes)
    harness.clock.advance(delay)
    news, _ = since(harness, connector, cursor)
    assert late in ids(news)


def test_a_long_pass_loses_no_late_commit(harness: Harness, connect: Callable[..., Connector]) -> None:
    connector = connect(page_size=1)
    overlap = capabilities(harness, connector).overlap.total_seconds()
    late = harness.create_late("Late", overlap * 0.9)
    harness.create("Soon")
    landed, cursor = set(), None
    for number, page in enumerate(connector.changes(harness.obj, None)):
        landed |= ids(page.changes)
        cursor = page.cursor
        harness.clock.advance(overlap / 2)
        if number < 5:
            harness.create(f"During {number}")
    assert cursor is not None
    harness.clock.advance(overlap)
    news, _ = since(harness, connector, cursor)
    assert late in landed | ids(news)


def test_a_removal_becomes_visible(harness: Harness, connector: Connector) -> None:
    deletes = capabilities(harness, connector).deletes
    if deletes is Deletes.NEVER:
        pytest.skip("this system never deletes")
    kept, gone = harness.create("Kept"), harness.create("Gone")
    _, cursor = full(harness, connector)
    harness.clock.advance(1)
    harness.remove(gone)
    if deletes is Deletes.SWEEP:
        everything, _ = full(harness, connector)
        assert kept in ids(everything)
        assert gone not in ids(everything)
        return
    changes, _ = since(harness, connector, cursor)
    assert ids(changes) == {gone}
    assert deletes is not Deletes.TOMBSTONES or (changes[-1].state, changes[-1].document) == (State.DELETED, {})


# -- read --------------------------------------------------------------------------------------


def test_read_answers_in_order(harness: Harness, connector: Connector) -> None:
    first, second = harness.create("First"), harness.create("Second")
    unknown = unknown_id(harness)
    answers = connector.read(harness.obj, [second, unknown, first, second])
    assert [answer.ref for answer in answers] == [second, unknown, first, second]
    assert [answer.state is State.LIVE for answer in answers] == [True, False, True, True]
    assert [value_at(answers[place].document, harness.text) for place in (0, 2)] == ["Second", "First"]


def test_what_is_unknown_is_missing(harness: Harness, connector: Connector) -> None:
    refs = [unknown_id(harness), KeyRef(harness.obj.key, "H-none")]
    answers = connector.read(harness.obj, refs)
    assert [(answer.state, answer.document, answer.ref) for answer in answers] == [
        (State.MISSING, {}, ref) for ref in refs
    ]


def test_read_by_our_own_key(harness: Harness, connector: Connector) -> None:
    made = delivered(write_one(harness, connector, creation(harness, "H-1")))
    answer = read_one(harness, connector, KeyRef(harness.obj.key, "H-1"))
    assert (answer.id, answer.state) == (made.id, State.LIVE)
    assert value_at(answer.document, harness.text) == "Made by the hub"


def test_the_version_moves_with_the_record(harness: Harness, connector: Connector) -> None:
    id_ = harness.create("Before")
    before = read_one(harness, connector, id_)
    if not before.version:
        pytest.skip("this system has no versions")
    assert read_one(harness, connector, id_).version == before.version
    harness.clock.advance(1)
    harness.edit(id_, {harness.text: "After"})
    assert read_one(harness, connector, id_).version != before.version


# -- write -------------------------------------------------------------------------------------


def test_a_created_record_is_there(harness: Harness, connector: Connector) -> None:
    outcome = delivered(write_one(harness, connector, creation(harness, "H-1")))
    assert outcome.created
    assert outcome.id in harness.ids()
    assert harness.stored(outcome.id)[harness.text] == "Made by the hub"


def test_a_repeated_create_makes_one_record(harness: Harness, connector: Connector) -> None:
    if capabilities(harness, connector).creates not in {Creates.UPSERT_KEY, Creates.CLIENT_TOKEN}:
        pytest.skip("here a repeated create is made safe by probing")
    first = delivered(write_one(harness, connector, creation(harness, "H-1")))
    again = delivered(write_one(harness, connector, creation(harness, "H-1")))
    assert again.id == first.id
    assert not again.created
    assert holding(harness, "Made by the hub") == [first.id]


def test_a_create_with_a_lost_answer_makes_one_record(harness: Harness, connector: Connector) -> None:
    connector.check()
    harness.lose_answer()
    outcome = write_one(harness, connector, creation(harness, "H-1"))
    assert outcome.error is None or isinstance(outcome.error, UnknownOutcome)
    answer = read_one(harness, connector, KeyRef(harness.obj.key, "H-1"))
    assert answer.state is State.LIVE
    assert holding(harness, "Made by the hub") == [answer.id]


def test_an_update_leaves_the_other_fields(harness: Harness, connector: Connector) -> None:
    id_ = harness.create("Before")
    harness.edit(id_, {harness.other: "STAYS"})
    delivered(write_one(harness, connector, update(read_one(harness, connector, id_), {harness.text: "After"})))
    assert harness.stored(id_)[harness.text] == "After"
    assert harness.stored(id_)[harness.other] == "STAYS"


def test_none_clears(harness: Harness, connector: Connector) -> None:
    id_ = harness.create("Stays")
    harness.edit(id_, {harness.other: "GOES"})
    delivered(write_one(harness, connector, update(read_one(harness, connector, id_), {harness.other: None})))
    assert harness.stored(id_)[harness.other] in {None, ""}
    assert harness.stored(id_)[harness.text] == "Stays"


def test_one_bad_record_does_not_spoil_the_batch(harness: Harness, connector: Connector) -> None:
    harness.refuse_next_write()
    texts = ["Good 1", "BAD 2", "Good 3"]
    writes = [creation(harness, f"H-{number}", text) for number, text in enumerate(texts)]
    outcomes = connector.write(harness.obj, writes)
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert isinstance(outcomes[1].error, Invalid)
    assert [holding(harness, text) for text in texts] == [[outcomes[0].id], [], [outcomes[2].id]]


def test_outcomes_come_in_order(harness: Harness, connector: Connector) -> None:
    made = [read_one(harness, connector, harness.create(f"Site {number}")) for number in range(5)]
    asked = [made[place] for place in (3, 0, 4, 1, 2)]
    outcomes = connector.write(harness.obj, [update(change, {harness.text: f"New {change.id}"}) for change in asked])
    assert [delivered(outcome).id for outcome in outcomes] == [change.id for change in asked]
    assert all(harness.stored(change.id)[harness.text] == f"New {change.id}" for change in asked)


def test_a_write_to_an_unknown_record_is_refused(harness: Harness, connector: Connector) -> None:
    unknown = unknown_id(harness)
    outcome = write_one(harness, connector, Write(Action.UPDATE, id=unknown, fields={harness.text: "Nobody"}))
    assert isinstance(outcome.error, Refused)
    assert not holding(harness, "Nobody")


def test_a_stale_write_changes_nothing(harness: Harness, connector: Connector) -> None:
    if not capabilities(harness, connector).compare_and_set:
        pytest.skip("this system does not compare versions")
    id_ = harness.create("Before")
    seen = read_one(harness, connector, id_)
    harness.clock.advance(1)
    harness.edit(id_, {harness.other: "FIRST"})
    outcome = write_one(harness, connector, update(seen, {harness.text: "Too late"}))
    assert isinstance(outcome.error, Stale)
    assert harness.stored(id_)[harness.text] == "Before"


def test_the_returned_version_is_good_for_the_next_write(harness: Harness, connector: Connector) -> None:
    id_ = harness.create("Before")
    outcome = delivered(write_one(harness, connector, update(read_one(harness, connector, id_), {harness.text: "1"})))
    again = Write(Action.UPDATE, id=id_, fields={harness.text: "2"}, expected_version=outcome.version)
    delivered(write_one(harness, connector, again))
    assert harness.stored(id_)[harness.text] == "2"


def test_our_own_change_is_known_as_ours(harness: Harness, connector: Connector) -> None:
    if not connector.check().user:
        pytest.skip("this system does not tell who changed a record")
    id_ = harness.create("Theirs")
    seen = read_one(harness, connector, id_)
    assert not seen.ours
    _, cursor = full(harness, connector)
    harness.clock.advance(1)
    delivered(write_one(harness, connector, update(seen, {harness.text: "Ours"})))
    echo, cursor = since(harness, connector, cursor)
    assert [(change.id, change.ours) for change in echo] == [(id_, True)]
    harness.clock.advance(1)
    harness.edit(id_, {harness.text: "Theirs again"})
    news, _ = since(harness, connector, cursor)
    assert [(change.id, change.ours) for change in news] == [(id_, False)]


# -- faults ------------------------------------------------------------------------------------


def test_an_expired_session_is_renewed(harness: Harness, connector: Connector) -> None:
    id_ = harness.create("Before")
    seen = read_one(harness, connector, id_)
    harness.expire_session()
    delivered(write_one(harness, connector, update(seen, {harness.text: "After"})))
    assert harness.stored(id_)[harness.text] == "After"
    harness.expire_session()
    assert value_at(read_one(harness, connector, id_).document, harness.text) == "After"


def test_a_short_throttle_is_waited_out(harness: Harness, connector: Connector) -> None:
    id_ = harness.create("Busy")
    connector.check()
    harness.throttle(2)
    assert read_one(harness, connector, id_).state is State.LIVE
    slept = getattr(harness, "slept", None)
    assert slept is None or max(slept) >= 2


def test_a_long_throttle_is_passed_up(harness: Harness, connector: Connector) -> None:
    id_ = harness.create("Busy")
    connector.check()
    harness.throttle(3600)
    with pytest.raises(RateLimited) as caught:
        connector.read(harness.obj, [id_])
    assert caught.value.retry_after == pytest.approx(3600, abs=5)


def test_a_throttled_write_happens_once_or_not_at_all(harness: Harness, connector: Connector) -> None:
    connector.check()
    harness.throttle(3600)
    outcome = write_one(harness, connector, creation(harness, "H-1"))
    assert isinstance(outcome.error, RateLimited)
    assert not holding(harness, "Made by the hub")
