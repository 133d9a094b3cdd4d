"""The switches of `MemoryStore`, nested documents, and the feed under arbitrary interruptions.

Not here: what every connector promises (`tests/contract`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.http import Patience
from connectors.memory import Memory, MemoryStore, connect
from connectors.memory.cursor import SEEN_LIMIT, Place
from connectors.memory.documents import project, written
from fsm_core.errors import (
    CursorExpired,
    Drift,
    Invalid,
    MissingPermission,
    NotFound,
    RateLimited,
    UnknownOutcome,
    Unreachable,
)
from fsm_core.ports import Change, Creates, Deletes, KeyRef, Object, Row, State, Write, Written

SITE = Object("Site", fields=("Name", "Note", "HubId"), key="HubId")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def memory(store: MemoryStore) -> Memory:
    return Memory(store, patience=Patience(sleep=lambda _: None))


def create(memory: Memory, key: str = "H-1", **fields: str | None) -> Written:
    return memory.write(SITE, [Write("create", key=key, fields=fields, idempotency_key=key)])[0]


def update(memory: Memory, id_: str, **fields: str | None) -> Written:
    return memory.write(SITE, [Write("update", id=id_, fields=fields)])[0]


def read(memory: Memory, id_: str) -> Change:
    return memory.read(SITE, [id_])[0]


# -- fields ------------------------------------------------------------------------------------


def test_a_hidden_field_is_nowhere(store: MemoryStore, memory: Memory) -> None:
    store.rule("Site", "Note").hidden = True
    made = create(memory, Name="A")
    assert "Note" not in read(memory, made.id).document
    assert "Note" not in memory.describe([SITE]).objects["Site"].fields
    error = update(memory, made.id, Note="x").error
    assert isinstance(error, Drift)
    assert error.field == "Note"


@pytest.mark.parametrize(
    ("switches", "value"),
    [
        ({"creatable": False}, "x"),
        ({"length": 3}, "long"),
        ({"values": ("a", "b")}, "c"),
        ({"required": True}, ""),
        ({"refuse": lambda value: value == "x"}, "x"),
    ],
)
def test_a_rule_refuses_a_value(store: MemoryStore, memory: Memory, switches: dict[str, object], value: str) -> None:
    for name, switch in switches.items():
        setattr(store.rule("Site", "Note"), name, switch)
    error = create(memory, Note=value).error
    assert isinstance(error, Invalid)
    assert (error.field, error.object, store.live("Site")) == ("Note", "Site", {})


def test_a_read_only_field_is_described_so_and_refused(store: MemoryStore, memory: Memory) -> None:
    store.rule("Site", "Note").writable = False
    made = create(memory, Note="set once")
    assert not memory.describe([SITE]).objects["Site"].fields["Note"].writable
    assert isinstance(update(memory, made.id, Note="again").error, Invalid)


def test_a_required_field_may_not_be_left_out(store: MemoryStore, memory: Memory) -> None:
    store.rule("Site", "Name").required = True
    assert isinstance(create(memory, Note="x").error, Invalid)


def test_the_store_renders_in_its_own_way(store: MemoryStore, memory: Memory) -> None:
    store.rule("Site", "Name").render = lambda value: str(value).upper()
    made = create(memory, Name="Acme")
    assert read(memory, made.id).document["Name"] == "ACME"


# -- automation and users ----------------------------------------------------------------------


def test_an_automation_within_the_write_looks_like_ours(store: MemoryStore, memory: Memory) -> None:
    store.automate("Site", lambda document: {"Note": f"about {document['Name']}"})
    change = read(memory, create(memory, Name="A").id)
    assert (change.document["Note"], change.ours, change.version) == ("about A", True, "1")


def test_an_automation_of_its_own_is_somebody_elses_change(store: MemoryStore, memory: Memory) -> None:
    store.automate("Site", lambda _: {"Note": "auto"}, user="robot")
    change = read(memory, create(memory, Name="A").id)
    assert (change.document["Note"], change.ours, change.changed_by, change.version) == ("auto", False, "robot", "2")


def test_a_named_action(store: MemoryStore, memory: Memory) -> None:
    store.action("Site", "close", lambda _: {"Note": "closed"})
    made = create(memory, Name="A")
    assert memory.describe([SITE]).objects["Site"].actions == ("close",)
    done, unknown = memory.write(SITE, [Write("close", id=made.id), Write("open", id=made.id)])
    assert done.error is None
    assert isinstance(unknown.error, Invalid)
    assert store.live("Site")[made.id]["Note"] == "closed"


# -- creating, deleting, merging ---------------------------------------------------------------


def test_without_a_safe_create_a_repeat_makes_a_duplicate(store: MemoryStore, memory: Memory) -> None:
    store.creates = Creates.PROBE
    store.lose_answers()
    assert isinstance(create(memory, Name="A").error, UnknownOutcome)
    assert memory.read(SITE, [KeyRef("HubId", "H-1")])[0].state is State.LIVE
    create(memory, Name="A")
    assert len(store.live("Site")) == 2


@pytest.mark.parametrize("creates", [Creates.UPSERT_KEY, Creates.CLIENT_TOKEN])
def test_with_a_safe_create_a_lost_answer_is_repeated(store: MemoryStore, memory: Memory, creates: Creates) -> None:
    store.creates = creates
    store.lose_answers()
    assert create(memory, Name="A").error is None
    assert (len(store.live("Site")), store.writes()) == (1, 2)


@pytest.mark.parametrize(("creates", "name"), [(Creates.UPSERT_KEY, "B"), (Creates.CLIENT_TOKEN, "A")])
def test_an_upsert_writes_again_and_a_token_does_not(
    store: MemoryStore, memory: Memory, creates: Creates, name: str
) -> None:
    store.creates = creates
    first, second = create(memory, Name="A"), create(memory, Name="B")
    assert (first.id, second.created) == (second.id, False)
    assert store.live("Site")[first.id]["Name"] == name


def test_an_update_with_a_lost_answer_is_not_repeated(store: MemoryStore, memory: Memory) -> None:
    made = create(memory, Name="A")
    store.lose_answers()
    assert isinstance(update(memory, made.id, Name="B").error, UnknownOutcome)
    assert store.live("Site")[made.id]["Name"] == "B"


def test_a_merge_leaves_a_tombstone_that_names_the_survivor(store: MemoryStore, memory: Memory) -> None:
    loser, survivor = store.edit("Site", "", {"Name": "a"}), store.edit("Site", "", {"Name": "A"})
    store.merge("Site", loser, survivor)
    change = read(memory, loser)
    assert (change.state, change.merged_into, change.document) == (State.DELETED, survivor, {})


@pytest.mark.parametrize("deletes", list(Deletes))
def test_deleting_the_systems_way(store: MemoryStore, memory: Memory, deletes: Deletes) -> None:
    store.deletes = deletes
    made = create(memory, Name="A")
    outcome = memory.write(SITE, [Write("delete", id=made.id)])[0]
    state = read(memory, made.id).state
    match deletes:
        case Deletes.NEVER:
            assert isinstance(outcome.error, MissingPermission)
            assert state is State.LIVE
        case Deletes.FLAGS:
            assert store.live("Site")[made.id]["archived"] is True
        case Deletes.TOMBSTONES:
            assert state is State.DELETED
        case Deletes.SWEEP:
            assert state is State.MISSING


def test_a_deleted_record_cannot_be_written(store: MemoryStore, memory: Memory) -> None:
    made = create(memory, Name="A")
    store.remove("Site", made.id)
    assert isinstance(update(memory, made.id, Name="B").error, NotFound)


# -- faults ------------------------------------------------------------------------------------


def test_a_daily_quota_is_told_from_a_burst(store: MemoryStore, memory: Memory) -> None:
    store.throttle(7200, daily=True)
    with pytest.raises(RateLimited) as caught:
        memory.check()
    assert (caught.value.daily, caught.value.retry_after) == (True, 7200)


def test_an_outage_ends_or_goes_up(store: MemoryStore, memory: Memory) -> None:
    store.go_down(times=3)
    assert memory.check().ok
    store.go_down(times=4)
    with pytest.raises(Unreachable):
        memory.check()


def test_the_tap_sees_a_write_and_may_pull_the_plug_after_it(store: MemoryStore) -> None:
    class Crash(Exception):  # noqa: N818 - not an error: the plug was pulled
        pass

    def tap(moment: str, request: httpx.Request) -> None:
        if (moment, request.method) == ("after", "POST"):
            raise Crash

    with pytest.raises(Crash):
        create(connect({"store": store}, tap=tap), Name="A")
    assert len(store.live("Site")) == 1


# -- the feed ----------------------------------------------------------------------------------


def test_a_filter_narrows_the_feed(store: MemoryStore, memory: Memory) -> None:
    store.edit("Site", "", {"Name": "A", "Land": "DE"})
    store.edit("Site", "", {"Name": "B", "Land": "AT"})
    pages = list(memory.changes(Object("Site", ("Name",), filter="Land=AT"), None))
    assert [change.document for page in pages for change in page.changes] == [{"Name": "B"}]


def test_an_old_or_garbled_cursor_has_expired(store: MemoryStore, memory: Memory) -> None:
    [page] = memory.changes(SITE, None)
    store.clock.advance(60)
    store.history_since = store.clock.now()
    for cursor in (page.cursor, "garbled", "[1, 2]", "{}"):
        with pytest.raises(CursorExpired):
            list(memory.changes(SITE, cursor))
    assert list(memory.changes(SITE, None))[-1].complete


def test_a_cursor_stays_small() -> None:
    when = datetime.fromisoformat("2026-01-05T08:00:00Z")
    place = Place().after([Change(str(n), {}, changed_at=when) for n in range(3000)], when, timedelta(minutes=5))
    assert len(place.seen) == SEEN_LIMIT
    assert Place.parse(place.cursor()) == place


class Reader:
    """A hub that keeps what landed and may be interrupted anywhere."""

    def __init__(self, store: MemoryStore, overlap: int) -> None:
        self.store = store
        self.overlap = timedelta(seconds=overlap)
        self.cursor: str | None = None
        self.view: dict[str, object] = {}

    def read(self, page_size: int, pages: int | None = None, *, forget: bool = False, meanwhile: str = "") -> None:
        """Land up to `pages` pages; `forget` loses the last cursor, as a crash between landing and storing does."""
        memory = Memory(self.store, page_size=page_size, overlap=self.overlap)
        listed: set[str] = set()
        for number, page in enumerate(memory.changes(SITE, self.cursor), 1):
            for change in page.changes:
                listed.add(change.id)
                self.view[change.id] = change.document
                if change.state is State.DELETED:
                    del self.view[change.id]
            if page.complete:
                self.view = {id_: document for id_, document in self.view.items() if id_ in listed}
            if number == pages:
                self.cursor = self.cursor if forget else page.cursor
                return
            self.cursor = page.cursor
            if meanwhile == "edit":
                self.store.edit("Site", "", {"Name": "meanwhile"})
            if meanwhile:
                self.store.clock.advance(15)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), st.integers(0, 5), st.integers(0, 3), st.sampled_from([0, 0, 19])),
        st.tuples(st.just("remove"), st.integers(0, 5)),
        st.tuples(st.just("wait"), st.sampled_from([1, 10, 50])),
        st.tuples(
            st.just("read"), st.integers(1, 3), st.integers(1, 4), st.booleans(), st.sampled_from(["", "wait", "edit"])
        ),
    ),
    max_size=40,
)


def play(store: MemoryStore, reader: Reader, step: tuple) -> None:
    live = list(store.live("Site"))
    match step:
        case ("edit", which, value, late):
            id_ = live[which] if which < len(live) else ""
            store.edit("Site", id_, {"Name": str(value)}, late=late)
        case ("remove", which) if which < len(live):
            store.remove("Site", live[which])
        case ("wait", seconds):
            store.clock.advance(seconds)
        case ("read", page_size, pages, forget, meanwhile):
            reader.read(page_size, pages, forget=forget, meanwhile=meanwhile)


@settings(max_examples=300)
@given(steps=STEPS, page_size=st.integers(1, 5), versions=st.booleans())
def test_whatever_interrupts_the_reader_ends_up_with_everything(steps, page_size, versions) -> None:
    store = MemoryStore(versions=versions)
    reader = Reader(store, overlap=20)
    for step in steps:
        play(store, reader, step)
    store.clock.advance(21)
    reader.read(page_size)
    assert reader.view == {id_: project(document, SITE.fields) for id_, document in store.live("Site").items()}


# -- nested documents --------------------------------------------------------------------------


def test_a_write_reaches_to_one_children_and_rows() -> None:
    old = {"Name": "A", "Owner": {"Id": "1"}, "Phones": [{"Kind": "work", "Number": "1", "Tags": [{"Id": "x"}]}]}
    rows = (
        Row({"Kind": "work"}, {"Number": "2", "Tags": (Row({"Id": "y"}),)}),
        Row({"Kind": "home"}, {"Number": "3"}),
        Row({"Kind": "fax"}, delete=True),
    )
    new = written(old, {"Owner.Id": "2", "Place.Town": "Berlin", "Phones": rows})
    assert new == {
        "Name": "A",
        "Owner": {"Id": "2"},
        "Place": {"Town": "Berlin"},
        "Phones": [
            {"Kind": "work", "Number": "2", "Tags": [{"Id": "x"}, {"Id": "y"}]},
            {"Kind": "home", "Number": "3"},
        ],
    }
    assert old["Owner"] == {"Id": "1"}
    assert written(new, {"Phones": (Row({"Kind": "work"}, delete=True),)})["Phones"] == [
        {"Kind": "home", "Number": "3"}
    ]


def test_a_projection_holds_what_was_asked() -> None:
    document = {"Name": "A", "Phones": [], "Secret": 1}
    assert project(document, ["Name", "Phones[Kind=work].Number", "Note"]) == {"Name": "A", "Phones": [], "Note": None}
    assert project(document, []) == document
