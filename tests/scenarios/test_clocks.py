"""Times that run out: an owner that is silent, a proposal that nobody answers. The clock is a virtual one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, parse
from fsm_core.service.outlook import Await
from fsm_core.service.resolve import answer_proposal
from fsm_core.store import queries
from tests.scenarios.test_crashes import File, Theatre, a_round, crash_everywhere, nothing
from tests.scenarios.test_outlook import only
from tests.scenarios.test_traps import linked, open_of
from tests.world import RULES, World

each_database = pytest.mark.usefixtures("each_database")

DAY = 86400
LANGUAGE = "language:         {owner: crm}"


def ruled(**keys: str) -> str:
    """The shipped rules, with these keys for a field that the CRM owns."""
    assert LANGUAGE in RULES
    return RULES.replace(LANGUAGE, f"language: {{owner: crm, {', '.join(f'{k}: {v}' for k, v in keys.items())}}}")


def change_rules(world: World, text: str) -> None:
    """Other rules come into force, a minute later."""
    world.clock.advance(60)
    world.rules = Rulebook(parse(text), f"v{len(text)}-{hash(text)}", SHAPES, ("crm", "erp"))
    world.hub = world.open_hub()


def wait(world: World, days: float) -> None:
    world.clock.advance(days * DAY)


def proposals(world: World, state: str = "open"):
    return open_of(world, lambda db: queries.proposals(db, state))


def language(world: World) -> tuple:
    """What is agreed, and what each system shows."""
    return (world.records()[0].get("language"), world.row("crm").get("language"), world.row("erp").get("language"))


def quiet(world: World) -> None:
    """The next round writes nothing and decides nothing."""
    before = world.writes()
    done = world.sync()
    assert world.writes() == before
    assert not done.converged[0].outcomes


def proposed(**keys: str) -> tuple[World, str]:
    """A world in which the ERP proposes a language."""
    world, crm, erp = linked(rules=ruled(**keys))
    world.edit("crm", crm, language="de")
    world.settle()
    world.edit("erp", erp, language="en")
    world.sync()
    assert language(world) == ("de", "de", "en")
    return world, erp


# -- a proposal that nobody answers --------------------------------------------------------------


@each_database
def test_a_proposal_ends_by_itself_and_what_was_agreed_is_written_back():
    world, _ = proposed(proposal_ttl="14d")
    (one,) = proposals(world)
    assert one.due_at[:10] == (world.clock.now() + timedelta(days=14)).isoformat()[:10]
    found = only(world, "language")
    assert found.what is Await.PROPOSAL
    assert f"; after {one.due_at[:16].replace('T', ' ')} UTC the agreed value is written back" in found.words
    wait(world, 13.9)
    quiet(world)
    assert proposals(world)
    wait(world, 0.2)
    done = world.sync()
    assert done.converged[0].outcomes == {"REVERT": 1}
    assert done.converged[0].overridden == {"language": 1}
    assert language(world) == ("de", "de", "de")
    assert not proposals(world)
    (one,) = proposals(world, "expired")
    assert (one.decided_by, one.value) == ("engine", "en")
    quiet(world)
    with world.store.reading() as db:
        story = queries.explain(db, one.record, "language")["fields"]["language"]
    assert [(lost["system"], lost["value"]) for lost in story["lost"]] == [("erp", "en")]
    assert story["decisions"][-1]["note"] == "proposal expired"


def test_a_proposal_may_end_with_each_side_keeping_what_it_says():
    world, erp = proposed(proposal_ttl="14d", proposal_end="keep")
    assert "UTC each side keeps what it says" in only(world, "language").words
    wait(world, 15)
    before = world.writes()
    assert world.sync().converged[0].outcomes == {"DIVERGED": 1}
    assert world.writes() == before
    assert language(world) == ("de", "de", "en")
    assert [one.state for one in proposals(world, "expired")] == ["expired"]
    assert only(world, "language").what is Await.KEPT
    quiet(world)
    wait(world, 30)
    quiet(world)
    world.edit("erp", erp, language="fr")  # a new value is a new proposal
    world.sync()
    assert [one.value for one in proposals(world)] == ["fr"]


def test_after_the_end_the_owner_s_next_word_is_told_to_everybody():
    world, _ = proposed(proposal_ttl="1d", proposal_end="keep")
    wait(world, 2)
    world.sync()
    (crm,) = world.shown("crm", "customer")
    world.edit("crm", crm, language="it")
    world.settle()
    assert language(world) == ("it", "it", "it")


def test_a_new_value_waits_anew():
    world, erp = proposed(proposal_ttl="14d")
    wait(world, 10)
    world.edit("erp", erp, language="fr")
    world.sync()
    (one,) = proposals(world)
    assert one.value == "fr"
    wait(world, 5)
    quiet(world)
    wait(world, 9.5)
    world.sync()
    assert language(world) == ("de", "de", "de")


def test_an_answer_in_time_is_what_counts():
    world, _ = proposed(proposal_ttl="14d")
    (one,) = proposals(world)
    answer_proposal(world.hub, one, "ada", adopt=True)
    wait(world, 15)
    world.settle()
    assert language(world) == ("en", "en", "en")
    assert [p.state for p in proposals(world, "adopted")] == ["adopted"]
    assert not proposals(world, "expired")


def test_the_owner_s_word_on_the_last_day_is_heard():
    world, _ = proposed(proposal_ttl="14d", proposal_end="keep")
    (crm,) = world.shown("crm", "customer")
    wait(world, 15)
    world.edit("crm", crm, language="en")
    world.settle()
    assert language(world) == ("en", "en", "en")
    assert [p.state for p in proposals(world, "adopted")] == ["adopted"]


@pytest.mark.parametrize(("first", "then"), [("for ever", "3d"), ("14d", "3d"), ("1d", "3d")])
def test_other_rules_reach_the_proposals_that_are_open(first, then):
    world, _ = proposed(**({} if first == "for ever" else {"proposal_ttl": first}))
    change_rules(world, ruled(proposal_ttl=then))
    world.sync()
    (one,) = proposals(world)
    wait(world, 2)
    quiet(world)
    assert [p.id for p in proposals(world)] == [one.id]
    wait(world, 1.1)
    world.settle()
    assert language(world) == ("de", "de", "de")
    assert [p.id for p in proposals(world, "expired")] == [one.id]


def test_rules_that_let_proposals_wait_for_ever_again_stop_the_clock():
    world, _ = proposed(proposal_ttl="14d")
    change_rules(world, ruled(non_owner_change="propose"))
    world.sync()
    assert [p.due_at for p in proposals(world)] == [None]
    wait(world, 100)
    quiet(world)
    assert len(proposals(world)) == 1


def test_a_question_on_the_field_stops_the_clock_until_it_is_answered():
    world, _ = proposed(proposal_ttl="3d")
    (crm,) = world.shown("crm", "customer")
    world.edit("crm", crm, language="")  # an owner that blanks asks a person
    world.sync()
    (conflict,) = open_of(world, queries.conflicts)
    wait(world, 10)
    quiet(world)
    quiet(world)
    assert len(proposals(world)) == 1
    world.edit("crm", crm, language="en")  # all agree: the question closes itself
    world.settle()
    assert language(world) == ("en", "en", "en")
    assert not proposals(world)
    with world.store.reading() as db:
        assert queries.conflict(db, conflict.id).state == "closed"


def test_what_is_proposed_while_the_proposer_is_down_is_written_back_when_it_is_there_again():
    world, _ = proposed(proposal_ttl="1d")
    wait(world, 2)
    world.erp.go_down(times=50)
    world.sync()
    assert language(world) == ("de", "de", "en")
    world.erp._faults.clear()
    world.settle()
    assert language(world) == ("de", "de", "de")
    quiet(world)


@each_database
def test_many_proposals_end_page_by_page():
    world = World(rules=ruled(proposal_ttl="1d"), page_size=1)
    world.hub.page = 1
    for number in range(3):
        world.create("crm", tax_ids=[f"VAT:DE{number}"], language="de")
    world.settle()
    for id_ in world.shown("erp", "customer"):
        world.edit("erp", id_, language="en")
    world.settle()
    assert len(proposals(world)) == 3
    wait(world, 2)
    world.settle()
    assert len(proposals(world, "expired")) == 3
    assert {row["language"] for row in world.shown("erp", "customer").values()} == {"de"}
    quiet(world)


def test_a_crash_while_a_proposal_ends_changes_nothing(tmp_path):
    theatre = Theatre(File(tmp_path), rules=ruled(proposal_ttl="1d"))
    theatre.world.create("crm", tax_ids=["VAT:DE1"], language="de")
    theatre.world.settle()
    (erp,) = theatre.world.shown("erp", "customer")
    theatre.world.edit("erp", erp, language="en")
    theatre.world.settle()
    crash_everywhere(theatre, [(lambda world: wait(world, 2), a_round, nothing)])
    assert language(theatre.world) == ("de", "de", "de")
    assert len(proposals(theatre.world, "expired")) == 1


# -- an owner that is silent ---------------------------------------------------------------------


def silent(**keys: str) -> tuple[World, str, str]:
    """A world in which the CRM owns the language and has been down for days."""
    world, crm, erp = linked(rules=ruled(fallback_owner="erp", **keys))
    world.edit("crm", crm, language="de")
    world.settle()
    leave_out(world)
    return world, crm, erp


def leave_out(world: World) -> None:
    """The CRM cannot be reached."""
    world.hub.bindings = {place: binding for place, binding in world.hub.bindings.items() if place[0] != "crm"}


def back(world: World) -> None:
    world.hub = world.open_hub()


@each_database
def test_the_fallback_acts_for_an_owner_that_is_silent_and_is_told_so():
    world, crm, erp = silent(stale_after="30d")
    wait(world, 31)
    world.edit("erp", erp, language="en")
    world.sync()
    assert world.records()[0]["language"] == "en"
    (one,) = world.loaded()
    said = one.record.provenance["language"]
    assert (said["system"], said["fallback"], said["note"].split(";")[0]) == ("erp", True, "fallback owner erp")
    assert not proposals(world)
    back(world)
    world.settle()
    assert language(world) == ("en", "en", "en")
    world.edit("crm", crm, language="fr")
    world.settle()
    assert language(world) == ("fr", "fr", "fr")
    assert "fallback" not in world.loaded()[0].record.provenance["language"]
    quiet(world)


def test_a_round_that_cannot_read_the_owner_hears_nothing_of_it():
    world, _, erp = silent(stale_after="30d")
    back(world)
    wait(world, 31)
    world.crm.go_down(times=50)
    world.edit("erp", erp, language="en")
    assert "crm" in world.sync().absent
    assert world.records()[0]["language"] == "en"


@each_database
def test_before_that_time_it_proposes_and_then_its_proposal_is_its_word():
    world, _, erp = silent(stale_after="30d")
    wait(world, 20)
    world.edit("erp", erp, language="en")
    world.sync()
    assert [p.value for p in proposals(world)] == ["en"]
    wait(world, 11)
    world.sync()
    assert world.records()[0]["language"] == "en"
    assert [p.state for p in proposals(world, "adopted")] == ["adopted"]
    back(world)
    world.settle()
    assert language(world) == ("en", "en", "en")
    quiet(world)


def test_what_the_owner_said_meanwhile_wins_when_it_is_back():
    world, crm, erp = silent(stale_after="30d")
    world.edit("crm", crm, language="fr")  # said, and not heard
    wait(world, 31)
    world.edit("erp", erp, language="en")
    world.sync()
    assert world.records()[0]["language"] == "en"
    back(world)
    world.settle()
    assert language(world) == ("fr", "fr", "fr")


def test_a_record_that_nobody_had_to_change_is_not_silent():
    world, _, erp = silent(stale_after="30d")
    back(world)
    for _ in range(5):
        wait(world, 29)
        world.sync()
    world.edit("erp", erp, language="en")
    world.sync()
    assert [p.value for p in proposals(world)] == ["en"]


def test_without_a_fallback_the_silent_owner_stays_the_owner():
    world, crm, erp = linked(rules=ruled(stale_after="30d"))
    world.edit("crm", crm, language="de")
    world.settle()
    leave_out(world)
    wait(world, 31)
    world.edit("erp", erp, language="en")
    world.sync()
    assert [p.value for p in proposals(world)] == ["en"]


def test_the_widest_scope_may_say_it():
    text = RULES.replace(LANGUAGE, "language: {owner: crm, fallback_owner: erp}")
    text = text.replace("  fill_blank: true", "  stale_after: 30d\n  fill_blank: true")
    assert "stale_after" in text
    world, crm, erp = linked(rules=text)
    world.edit("crm", crm, language="de")
    world.settle()
    leave_out(world)
    wait(world, 31)
    world.edit("erp", erp, language="en")
    world.sync()
    assert world.records()[0]["language"] == "en"


def test_where_no_rule_speaks_of_silence_nobody_asks_for_it(monkeypatch):
    from fsm_core.store.work import SqlWork  # noqa: PLC0415 - patched here only

    def heard(*_args):
        raise AssertionError("a query for nothing")

    world, _, erp = linked()
    monkeypatch.setattr(SqlWork, "heard", heard)
    world.edit("erp", erp, language="en")
    assert world.sync().converged
