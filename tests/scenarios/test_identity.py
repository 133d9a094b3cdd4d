"""Merges by a person's word, taking apart what was linked in error, and what the next rounds make of both."""

from __future__ import annotations

import pytest

from fsm_core.errors import Invalid
from fsm_core.service.identity import merge, unmerge
from fsm_core.service.resolve import resolve
from fsm_core.store import identity, queries
from fsm_core.store.work import SqlWork
from tests.scenarios.test_merges import quiet
from tests.scenarios.test_references import both, only, party, read
from tests.world import RULES, World, asking

each_database = pytest.mark.usefixtures("each_database")
ALONE = RULES.replace(
    "replicate_to: {crm: always, erp: \"status == 'active'\"}", "replicate_to: {crm: never, erp: never}"
)
"""Nobody is told of what another system made: two halves of one thing stay two."""


def halves(**options) -> tuple[World, str, str]:
    """One firm in two systems under two names and no common key, with a contact each: two records."""
    world = party(rules=ALONE, **options)
    crm = world.create("crm", legal_name="Nordwind Kälte", phone="+49 228 1234567", segment="A")
    erp = world.create("erp", legal_name="NWK GmbH", account_number="1000", billing_status="active", phone="+49 30 111")
    world.settle()
    return world, crm, erp


def found(world: World, wanted: str, entity: str = "customer") -> str:
    return read(world, queries.find_record, entity, wanted)


def merged(**options) -> tuple[World, str, str]:
    """The same, merged by a person."""
    world, crm, erp = halves(**options)
    merge(world.hub, "customer", found(world, erp), found(world, crm), "ada")
    return world, crm, erp


def take_apart(world: World, wanted: str, entity: str = "customer", system: str = "") -> object:
    record, links = read(world, identity.parted, entity, wanted, system)
    return unmerge(world.hub, entity, record, links, "bob")


def documents(world: World) -> dict[str, dict]:
    return {one.record.id: one.record.document for one in world.loaded() if one.record.entity == "customer"}


def test_the_rules_of_these_tests_are_what_they_say():
    assert "replicate_to: {crm: never, erp: never}" in ALONE


# -- two become one ------------------------------------------------------------------------------


@each_database
def test_two_records_become_one_and_their_fields_meet():
    world, crm, erp = merged()
    kept = found(world, erp)
    assert found(world, crm) == kept
    world.settle()
    (document,) = documents(world).values()
    assert document["legal_name"] == "NWK GmbH"  # the ERP owns it: billing is active
    assert document["segment"] == "A"
    assert world.row("crm")["legal_name"] == "NWK GmbH"
    quiet(world)


def test_a_merge_is_refused_where_a_system_has_both():
    world = party()
    (a, _), (b, _) = both(world, "A"), both(world, "B")
    world.settle()
    with pytest.raises(Invalid, match=r"crm has a record of both .* Merge them in crm; the hub follows"):
        merge(world.hub, "customer", found(world, a), found(world, b), "ada")
    assert len(documents(world)) == 2


@pytest.mark.parametrize("wrong", ["no-such-id", "itself", "contact"])
def test_a_merge_is_of_two_records_of_one_entity(wrong):
    world, crm, erp = halves()
    contact = world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.settle()
    other = {"itself": found(world, erp), "contact": found(world, contact, "contact")}.get(wrong, wrong)
    with pytest.raises(Invalid):
        merge(world.hub, "customer", found(world, erp), other, "ada")


@each_database
def test_children_follow_and_both_systems_hear_of_them_in_their_own_ids():
    world, crm, erp = halves()
    world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    world.add("erp", "contact", customer_id=erp, email="b@firma.example")
    world.settle()
    merge(world.hub, "customer", found(world, erp), found(world, crm), "ada")
    world.settle()
    kept = found(world, erp)
    assert {one.record.document["customer_id"] for one in world.loaded() if one.record.entity == "contact"} == {kept}
    assert {row["customer_id"] for row in world.shown("crm", "contact").values()} == {crm}
    assert {row["customer_id"] for row in world.shown("erp", "contact").values()} == {erp}
    assert len(world.shown("crm", "contact")) == len(world.shown("erp", "contact")) == 2
    quiet(world)


def test_a_write_under_way_is_waited_for(monkeypatch):
    world, crm, erp = halves()
    monkeypatch.setattr(SqlWork, "attempts_of", lambda *_: [type("Attempt", (), {"system": "erp"})])
    with pytest.raises(Invalid, match="a write to erp is under way"):
        merge(world.hub, "customer", found(world, erp), found(world, crm), "ada")


def test_a_merge_that_dies_half_way_never_was(monkeypatch):
    world, crm, erp = halves()
    before = documents(world)
    monkeypatch.setattr(SqlWork, "children", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        merge(world.hub, "customer", found(world, erp), found(world, crm), "ada")
    monkeypatch.undo()
    assert documents(world) == before
    assert found(world, erp) != found(world, crm)
    quiet(world)


def test_a_question_about_records_of_their_own_can_be_answered_same():
    world = World(rules=RULES.replace("erp: \"status == 'active'\"", "erp: never").replace("crm: always", "crm: never"))
    world.create("crm", legal_name="Nordwind GmbH", billing_postcode="10115", account_number="1", tax_ids=["VAT:A"])
    world.create("erp", legal_name="Nordwind AG", billing_postcode="20095", account_number="2", tax_ids=["VAT:B"])
    world.settle()
    assert len(world.records()) == 2
    world.hub = _with_third(world)
    world.create("fsm", legal_name="Nordwind", tax_ids=["VAT:A", "VAT:B"])
    world.settle()
    (conflict,) = read(world, queries.conflicts)
    assert "several records" in conflict.note
    resolve(world.hub, conflict, "same", "ada")
    assert len({link.record for link in world.links()}) == 1
    world.settle()
    assert not [c for c in read(world, queries.conflicts) if c.type == "match"]


def _with_third(world: World):
    """A third system joins; it may take part in everything."""
    from fsm_core.model import SHAPES  # noqa: PLC0415 - used here only
    from fsm_core.ownership import Rulebook, parse  # noqa: PLC0415 - as above

    text = RULES.replace("fsm: crm", "fsm: fsm").replace("crm: always", "crm: never")
    text = text.replace("erp: \"status == 'active'\"", "erp: never").replace(
        "allowed: [crm, erp]", "allowed: [crm, erp, fsm]"
    )
    world.rules = Rulebook(parse(text), "test", SHAPES, ("crm", "erp", "fsm"))
    world.stores["fsm"] = world._store("fsm", {})
    world.stores["fsm"]._last_id = 900_000
    return world.open_hub()


# -- one becomes two -----------------------------------------------------------------------------


@each_database
def test_a_merge_is_undone_and_both_have_their_ids_and_values_again():
    world, crm, erp = halves()
    ids = found(world, crm), found(world, erp)
    before = documents(world)
    shown = {name: world.row(name) for name in ("crm", "erp")}
    merge(world.hub, "customer", ids[1], ids[0], "ada")
    take_apart(world, ids[0])
    world.settle()
    assert (found(world, crm), found(world, erp)) == ids
    assert documents(world) == before
    assert {name: world.row(name) for name in ("crm", "erp")} == shown
    quiet(world)


@each_database
def test_a_merge_that_was_written_is_undone_and_no_stranger_is_told_more():
    world, crm, erp = halves()
    ids = found(world, crm), found(world, erp)
    merge(world.hub, "customer", ids[1], ids[0], "ada")
    world.settle()
    before = world.writes()
    done = take_apart(world, crm)
    assert (done.kept, done.parted) == (ids[1], ids[0])
    quiet(world)
    assert world.writes() == before
    # each goes on by itself
    world.edit("crm", crm, legal_name="Nordwind Kälte")
    world.edit("erp", erp, phone="+49 30 222")
    world.settle()
    assert documents(world)[ids[0]]["legal_name"] == "Nordwind Kälte"
    assert world.row("erp")["legal_name"] == "NWK GmbH"
    assert "222" in documents(world)[ids[1]]["phone"]
    assert "222" not in str(world.row("crm"))


@pytest.mark.parametrize("page_size", [1, 2000])
def test_what_a_key_linked_is_taken_apart_and_not_matched_again(page_size):
    world = party(rules=ALONE, page_size=page_size)
    world.hub.page = page_size
    crm, erp = both(world, "A")
    world.settle()
    assert found(world, crm) == found(world, erp)
    take_apart(world, erp)
    quiet(world)
    assert found(world, crm) != found(world, erp)
    world.edit("crm", crm, segment="B")
    world.edit("erp", erp, payment_terms="N30")
    world.sync_all(full=True)
    world.settle()
    assert found(world, crm) != found(world, erp)
    assert "payment_terms" not in documents(world)[found(world, crm)]


@each_database
def test_children_go_back_where_their_own_system_says():
    world, crm, erp = halves()
    mine = world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    theirs = world.add("erp", "contact", customer_id=erp, email="b@firma.example")
    rules = ALONE.replace("replicate_to: {crm: always, erp: always}", "replicate_to: {crm: never, erp: never}")
    assert rules != ALONE
    world.rules = party(rules=rules).rules
    world.hub = world.open_hub()
    world.settle()
    merge(world.hub, "customer", found(world, erp), found(world, crm), "ada")
    world.settle()
    late = world.add("crm", "contact", customer_id=crm, email="c@firma.example")
    world.settle()
    take_apart(world, crm)
    quiet(world)
    parents = {
        link.external_id: one.record.document["customer_id"]
        for one in world.loaded()
        if one.record.entity == "contact"
        for link in one.links
    }
    assert parents == {mine: found(world, crm), late: found(world, crm), theirs: found(world, erp)}
    history = [world.shown("crm", "contact")[id_]["customer_id"] for id_ in (mine, late)]
    assert history == [crm, crm]


@pytest.mark.parametrize("leaves", ["crm", "erp"])
def test_a_child_that_both_systems_share_is_left_to_the_rules(leaves):
    world = party(rules=ALONE)
    ids = dict(zip(("crm", "erp"), both(world, "A"), strict=True))
    world.add("crm", "contact", customer_id=ids["crm"], email="a@firma.example")
    world.settle()
    assert only(world.shown("erp", "contact"))["customer_id"] == ids["erp"]
    take_apart(world, ids[leaves])
    world.settle()
    asked = [(c.entity, c.field) for c in read(world, queries.conflicts)]
    (contact,) = [one for one in world.loaded() if one.record.entity == "contact"]
    said = {link.system: link.now["customer_id"] for link in contact.links}
    assert said == {system: found(world, id_) for system, id_ in ids.items()}
    # the CRM owns contacts: its word is a fact, the other's is a question
    assert asked == ([] if leaves == "crm" else [("contact", "customer_id")])
    assert contact.record.document["customer_id"] == said["crm"]
    assert only(world.shown("erp", "contact"))["customer_id"] == ids["erp"]


def test_what_the_hub_itself_made_there_keeps_the_record_it_carries_the_id_of():
    world = party()
    crm = world.create("crm", tax_ids=["VAT:A"])
    world.settle()
    record, erp = found(world, crm), next(iter(world.shown("erp", "customer")))
    done = take_apart(world, erp)
    assert (found(world, erp), done.kept) == (record, record)
    assert found(world, crm) == done.parted
    world.settle()  # both are wanted in both now
    assert len(world.shown("crm", "customer")) == len(world.shown("erp", "customer")) == 2
    quiet(world)


def test_there_must_be_something_to_take_apart():
    world, crm, _ = halves()
    with pytest.raises(Invalid, match="nothing to take it apart from"):
        take_apart(world, crm)


def test_what_its_system_merged_is_separated_there():
    world = party()
    kept, lost = (world.create("crm", legal_name=f"Firma {n}", tax_ids=[f"VAT:{n}"], status="prospect") for n in "AB")
    world.settle()
    world.merge("crm", "customer", lost, kept)
    world.settle()
    with pytest.raises(Invalid, match="Separate them in crm"):
        take_apart(world, lost)


def test_an_open_question_about_the_record_comes_first():
    world = party(rules=asking(ALONE))
    crm, erp = both(world, "A")
    world.settle()
    world.erp.delete("customer", erp)
    world.settle()
    (conflict,) = read(world, queries.conflicts)
    with pytest.raises(Invalid, match=conflict.id[-8:]):
        take_apart(world, crm)


def test_taking_apart_that_dies_half_way_never_was(monkeypatch):
    world, crm, _ = merged()
    world.settle()
    before = documents(world)
    monkeypatch.setattr(SqlWork, "put_apart", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        take_apart(world, crm)
    monkeypatch.undo()
    assert documents(world) == before
    quiet(world)


def test_one_word_about_three_does_not_take_back_what_was_said_of_two():
    world, crm, erp = halves()
    merge(world.hub, "customer", found(world, erp), found(world, crm), "ada")
    take_apart(world, crm)
    world.settle()
    world.edit("crm", crm, tax_ids=["VAT:A"])
    world.edit("erp", erp, tax_ids=["VAT:B"])
    world.settle()
    world.hub = _with_third(world)
    fsm = world.create("fsm", legal_name="Nordwind", tax_ids=["VAT:A", "VAT:B"])
    world.settle()
    (conflict,) = [c for c in read(world, queries.conflicts) if c.type == "match"]
    with pytest.raises(Invalid, match=r"were said not to be the same .* match merge"):
        resolve(world.hub, conflict, "same", "ada")
    resolve(world.hub, conflict, "apart", "ada")
    world.settle()
    (link,) = [link for link in world.links() if link.system == "fsm"]
    merge(world.hub, "customer", found(world, crm), link.record, "ada")
    world.settle()
    (link,) = [link for link in world.links() if (link.system, link.external_id) == ("fsm", fsm)]
    assert link.record == found(world, crm) != found(world, erp)


def test_merged_again_after_it_was_taken_apart():
    world, crm, erp = merged()
    world.settle()
    take_apart(world, crm)
    world.settle()
    merge(world.hub, "customer", found(world, erp), found(world, crm), "ada")
    world.settle()
    assert found(world, erp) == found(world, crm)
    quiet(world)


def test_open_questions_of_those_that_left_are_over():
    world = party(rules=ALONE)
    crm, erp = both(world, "A", currency="EUR")
    world.settle()
    world.edit("crm", crm, currency="USD", legal_name="Anders")
    world.edit("erp", erp, currency="CHF")
    world.settle()
    assert read(world, queries.conflicts)
    assert read(world, queries.proposals)
    take_apart(world, crm)
    quiet(world)
    assert not read(world, queries.proposals)
    said = documents(world)
    assert (said[found(world, crm)]["currency"], said[found(world, erp)]["currency"]) == ("USD", "CHF")
    assert said[found(world, crm)]["legal_name"] == "Anders"


@each_database
def test_the_story_names_links_names_and_people():
    world, crm, erp = halves()
    ids = found(world, crm), found(world, erp)
    merge(world.hub, "customer", ids[1], ids[0], "ada")
    told = read(world, identity.history, ids[1])
    assert [(one["system"], one["by"]) for one in told["links"]] == [("crm", "merged"), ("erp", "created")]
    assert [one["id"] for one in told["merged"]] == [ids[0]]
    take_apart(world, crm)
    told = read(world, identity.history, ids[1])
    assert not told["merged"]
    assert [(one["system"], one["id"], one["by"]) for one in told["apart"]] == [("crm", crm, "bob")]
    assert [(event["kind"], event["actor"]) for event in told["events"]][-2:] == [("merge", "ada"), ("unmerge", "bob")]
