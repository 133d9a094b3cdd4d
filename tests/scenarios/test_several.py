"""Several records of one system on one record: who speaks, what the others are for, and what becomes of them."""

from __future__ import annotations

import pytest

from fsm_core.errors import BadMapping
from fsm_core.model import SHAPES
from fsm_core.ownership import parse
from fsm_core.ownership.diff import diff
from fsm_core.service.identity import merge, unmerge
from fsm_core.service.preview import Bucket
from fsm_core.service.resolve import resolve
from fsm_core.store import identity, queries
from tests.scenarios.test_deletions import undelete
from tests.scenarios.test_match_preview import look
from tests.scenarios.test_merges import quiet
from tests.scenarios.test_references import party, read, states
from tests.world import RULES, World

each_database = pytest.mark.usefixtures("each_database")
KEYS = "keys: [[account_number], [tax_ids]] "
SEVERAL = RULES.replace(KEYS, f"several: [crm]\n      {KEYS}")
VAT = {"tax_ids": ["VAT:DE1"]}


def parts(world: World, entity: str = "customer") -> dict[str, str]:
    """What part each CRM record plays."""
    return {link.external_id: link.state for link in world.links() if (link.system, link.entity) == ("crm", entity)}


def hubs(world: World, entity: str = "customer") -> list:
    return [one.record for one in world.loaded() if one.record.entity == entity and one.record.lifecycle == "active"]


def three(**options) -> tuple[World, list[str], str]:
    """One customer of the ERP that the CRM holds three times, each with a phone and a contact of its own."""
    world = party(rules=SEVERAL, **options)
    erp = world.create("erp", legal_name="Firma GmbH", billing_status="active", **VAT)
    crm = [world.create("crm", legal_name="Firma", segment=n, **VAT) for n in "ABC"]
    for n, one in zip("abc", crm, strict=True):
        world.add("crm", "contact", customer_id=one, email=f"{n}@firma.example", first_name=n.upper())
    world.settle()
    return world, crm, erp


def unlinked(world: World, wanted: str) -> object:
    record, links = read(world, identity.parted, "customer", wanted, "crm")
    return unmerge(world.hub, "customer", record, links, "ada")


def test_the_rules_of_these_tests_are_what_they_say():
    assert World(rules=SEVERAL).hub.book("customer").several == {"crm"}
    assert not World().hub.book("customer").several


@each_database
@pytest.mark.parametrize("page", [1, 2000])
def test_a_strong_key_links_them_all_and_the_first_speaks(page):
    world, crm, erp = three(page_size=page)
    assert parts(world) == {crm[0]: "live", crm[1]: "further", crm[2]: "further"}
    (record,) = hubs(world)
    assert record.document["segment"] == "A"
    assert world.row("crm", crm[0])["legal_name"] == "Firma GmbH"  # the ERP owns it, and is told to one of them only
    assert [world.row("crm", one)["legal_name"] for one in crm[1:]] == ["Firma", "Firma"]
    # the contacts of all three are contacts of that one
    assert {one["customer_id"] for one in world.shown("erp", "contact").values()} == {erp}
    assert len(world.shown("erp", "contact")) == 3
    assert {one.document["customer_id"] for one in hubs(world, "contact")} == {record.id}
    assert states(world, "crm", "customer") == {"live": 1, "further": 2}
    shown = read(world, queries.record, record.id)["links"]
    assert sorted(link["state"] for link in shown if link["system"] == "crm") == ["further", "further", "live"]
    told = read(world, queries.explain, record.id, "segment")["fields"]["segment"]
    assert told["systems"] == {"crm": "A", "erp": "A"}
    links = read(world, identity.history, record.id)["links"]
    assert [link["by"] for link in links if link["state"] == "further"] == ["key tax_ids"] * 2
    quiet(world)


@pytest.mark.parametrize("page", [1, 2000])
def test_one_after_another_or_at_once_before_the_other_system_is_the_same(page):
    world = World(rules=SEVERAL, page_size=page)
    world.hub.page = page
    crm = [world.create("crm", segment=n, status="prospect", **VAT) for n in "ABC"]
    world.settle()
    assert parts(world) == {crm[0]: "live", crm[1]: "further", crm[2]: "further"}
    world.create("erp", billing_status="active", **VAT)
    world.settle()
    assert len(hubs(world)) == 1
    quiet(world)


def test_without_the_rule_it_is_a_question():
    world = World()
    for _ in "AB":
        world.create("crm", **VAT)
    world.sync()
    (asked,) = read(world, queries.conflicts)
    assert "potential duplicate inside crm" in asked.note


def test_only_for_the_systems_that_are_named():
    world = World(rules=SEVERAL)
    for _ in "AB":
        world.create("erp", **VAT)
    world.sync()
    (asked,) = read(world, queries.conflicts)
    assert "potential duplicate inside erp" in asked.note


def test_a_weak_key_and_a_contradiction_still_ask():
    world = World(rules=SEVERAL)
    alike = {"legal_name": "Nordwind", "billing_postcode": "10115"}
    world.create("crm", **alike)
    world.create("crm", **alike)
    world.create("crm", account_number="1", legal_name="X", **VAT)
    world.create("crm", account_number="2", legal_name="Y", **VAT)
    world.sync()
    assert sorted(c.note.partition(" (")[0] for c in read(world, queries.conflicts)) == [
        "key equal, but account_number differs",
        "same legal_name and billing_address.postcode: nordwind|10115",
    ]
    assert "further" not in parts(world).values()


def test_what_could_not_be_a_record_alone_lets_another_speak():
    world = World(rules=SEVERAL)
    empty = world.create("crm", legal_name="", **VAT)
    whole = world.create("crm", **VAT)
    world.settle()
    assert parts(world)[whole] == "live"
    assert parts(world)[empty] == "further"
    quiet(world)


@each_database
def test_their_edits_are_kept_and_are_no_news():
    world, crm, _ = three()
    (record,) = hubs(world)
    before = world.writes()
    world.edit("crm", crm[1], segment="X", legal_name="Anders")
    world.edit("crm", crm[2], segment=None)
    world.settle()
    assert world.writes() == before
    (after,) = hubs(world)
    assert (after.document, after.version) == (record.document, record.version)
    assert any(row["external_id"] == crm[1] for row in read(world, queries.sightings, record.id))
    quiet(world)


def test_many_edits_of_further_ones_halt_nothing():
    world = World(rules=SEVERAL)
    for n in range(30):
        for _ in "AB":
            world.create("crm", tax_ids=[f"VAT:{n}"])
    world.settle()
    for number, state in parts(world).items():
        if state == "further":
            world.edit("crm", number, legal_name="", segment="Z")
    before = world.writes()
    world.settle()
    assert world.writes() == before
    assert sorted(parts(world).values()) == ["further"] * 30 + ["live"] * 30


@each_database
@pytest.mark.parametrize("page", [1, 2000])
def test_when_the_first_goes_the_oldest_of_the_others_speaks(page):
    world, crm, erp = three(page_size=page)
    world.crm.remove("customer", crm[0])
    world.settle()
    assert parts(world) == {crm[0]: "unlinked", crm[1]: "live", crm[2]: "further"}
    assert world.row("erp", erp)["status"] == "active"
    assert world.row("crm", crm[1])["legal_name"] == "Firma GmbH"  # first contact: the ERP owns it
    assert hubs(world)[0].document["segment"] == "B"
    assert len(world.shown("crm", "customer")) == 2
    (told,) = [e for e in read(world, identity.history, hubs(world)[0].id)["events"] if e["kind"] == "further"]
    assert told["content"] == {"system": "crm", "speaks": crm[1], "instead": [crm[0]]}
    quiet(world)


def test_the_end_of_a_further_one_is_nothing_to_the_record():
    world, crm, erp = three()
    world.crm.remove("customer", crm[1])
    before = world.writes()
    world.settle()
    assert world.writes() == before
    assert parts(world) == {crm[0]: "live", crm[1]: "unlinked", crm[2]: "further"}
    assert world.row("erp", erp)["status"] == "active"
    quiet(world)


def test_only_when_none_is_left_it_is_a_deletion():
    world, crm, _ = three()
    for one in crm:
        for number, contact in world.shown("crm", "contact").items():
            if contact["customer_id"] == one:
                world.crm.remove("contact", number)
        world.crm.remove("customer", one)
    world.settle()
    assert len(world.shown("crm", "customer")) == 1  # not the owner's deletion: it is there again
    assert sorted(state for state in parts(world).values() if state == "live") == ["live"]


def test_what_comes_back_is_further_while_another_speaks():
    world, crm, _ = three()
    world.crm.remove("customer", crm[0])
    world.settle()
    undelete(world, "crm", crm[0])
    world.settle()
    assert parts(world) == {crm[0]: "further", crm[1]: "live", crm[2]: "further"}
    quiet(world)


def test_merged_in_the_system_another_name_stays():
    world, crm, _ = three()
    before = world.writes()
    world.merge("crm", "customer", crm[1], crm[0], contact="customer_id")
    world.settle()
    assert parts(world) == {crm[0]: "live", crm[1]: "merged", crm[2]: "further"}
    assert world.writes() == before
    world.merge("crm", "customer", crm[0], crm[2], contact="customer_id")
    world.settle()
    assert parts(world) == {crm[0]: "merged", crm[1]: "merged", crm[2]: "live"}
    assert len(hubs(world)) == 1
    quiet(world)


def test_a_further_one_merged_into_a_stranger_goes_alone_with_its_children():
    world, crm, erp = three()
    other = world.create("crm", legal_name="Anders", tax_ids=["VAT:DE9"], billing_status="active")
    world.settle()
    world.merge("crm", "customer", crm[2], other, contact="customer_id")
    world.settle()
    mine = read(world, queries.find_record, "customer", erp)
    theirs = read(world, queries.find_record, "customer", other)
    assert mine != theirs
    assert read(world, queries.find_record, "customer", crm[2]) == theirs
    quiet(world)


# -- taking one out ------------------------------------------------------------------------------


@each_database
def test_a_further_one_is_taken_out_with_what_refers_to_it():
    world, crm, erp = three()
    (record,) = hubs(world)
    done = unlinked(world, crm[1])
    assert (done.kept, done.links, done.unsaid) == (record.id, [["crm", crm[1]]], [])
    world.settle()
    assert parts(world) == {crm[0]: "live", crm[1]: "live", crm[2]: "further"}
    assert read(world, queries.find_record, "customer", erp) == record.id
    of = {one.document["name"]["first"]: one.document["customer_id"] for one in hubs(world, "contact")}
    assert of == {"A": record.id, "B": done.parted, "C": record.id}
    # in the CRM nothing moved
    assert sorted(one["customer_id"] for one in world.shown("crm", "contact").values()) == sorted(crm)
    quiet(world)
    world.sync_all(full=True)
    assert parts(world)[crm[1]] == "live"


def test_children_of_one_that_speaks_now_stay_with_the_record():
    world, crm, _ = three()
    (record,) = hubs(world)
    world.crm.remove("customer", crm[0])
    world.settle()
    done = unlinked(world, crm[2])
    world.settle()
    of = {one.document["name"]["first"]: one.document["customer_id"] for one in hubs(world, "contact")}
    assert of == {"A": record.id, "B": record.id, "C": done.parted}


def test_taken_out_is_the_whole_system_where_the_first_is_named():
    world, crm, erp = three()
    (record,) = hubs(world)
    done = unlinked(world, crm[0])
    world.settle()
    assert sorted(done.links) == sorted(["crm", one] for one in crm)
    assert read(world, queries.find_record, "customer", erp) == record.id
    assert parts(world) | {"new": ""} != parts(world)
    assert {read(world, queries.find_record, "customer", one) for one in crm} == {done.parted}


# -- people and rules ----------------------------------------------------------------------------


def test_people_may_merge_and_answer_same():
    world = World(rules=SEVERAL)
    alike = {"legal_name": "Nordwind", "billing_postcode": "10115", "status": "prospect"}
    a = world.create("crm", segment="A", tax_ids=["VAT:DE1"], **alike)
    world.settle()
    b = world.create("crm", segment="B", tax_ids=["VAT:DE2"], **alike)
    c = world.create("crm", segment="C", tax_ids=["VAT:DE3"], legal_name="Südwind", status="prospect")
    world.sync()
    (asked,) = read(world, queries.conflicts)
    resolve(world.hub, asked, "same", "ada")
    first, third = (read(world, queries.find_record, "customer", one) for one in (a, c))
    world.settle()
    merge(world.hub, "customer", first, third, "ada")
    world.settle()
    assert parts(world) == {a: "live", b: "further", c: "further"}
    quiet(world)
    # and back again, by the name it had before
    record, links = read(world, identity.parted, "customer", third)
    assert unmerge(world.hub, "customer", record, links, "bob").parted == third
    world.settle()
    assert parts(world) == {a: "live", b: "further", c: "live"}
    assert {one.document["segment"] for one in hubs(world)} == {"A", "C"}
    quiet(world)


def test_a_merge_by_hand_and_back_takes_the_children_along():
    world = party(rules=SEVERAL)
    one, other = (world.create("crm", legal_name=n, tax_ids=[f"VAT:{n}"], status="prospect") for n in "AB")
    for parent in (one, other):
        world.add("crm", "contact", customer_id=parent, email=f"{parent}@firma.example")
    world.settle()
    kept, old = (read(world, queries.find_record, "customer", n) for n in (one, other))
    merge(world.hub, "customer", kept, old, "ada")
    world.settle()
    assert {contact.document["customer_id"] for contact in hubs(world, "contact")} == {kept}
    record, links = read(world, identity.parted, "customer", old)
    unmerge(world.hub, "customer", record, links, "bob")
    world.settle()
    assert {contact.document["customer_id"] for contact in hubs(world, "contact")} == {kept, old}
    quiet(world)


def test_children_that_are_further_themselves():
    rules = SEVERAL.replace("keys: [[customer_id, email]]", "several: [crm]\n      keys: [[customer_id, email]]")
    assert rules != SEVERAL
    world = party(rules=rules)
    crm = [world.create("crm", **VAT) for _ in "AB"]
    world.create("erp", billing_status="active", **VAT)
    contacts = [world.add("crm", "contact", customer_id=one, email="a@firma.example") for one in crm]
    world.settle()
    assert parts(world, "contact") == {contacts[0]: "live", contacts[1]: "further"}
    assert len(world.shown("erp", "contact")) == 1
    (record,) = hubs(world)
    before = world.shown("crm", "contact")
    unlinked(world, crm[1])
    world.settle()
    (contact,) = hubs(world, "contact")
    assert contact.document["customer_id"] == record.id
    assert world.shown("crm", "contact") == before
    quiet(world)


def test_another_system_merges_what_this_one_holds_twice():
    world = party(rules=SEVERAL)
    pairs = []
    for n in "AB":
        given = {"legal_name": f"Firma {n}", "tax_ids": [f"VAT:{n}"], "billing_status": "active"}
        pairs.append((world.create("crm", **given), world.create("erp", **given)))
    world.settle()
    world.merge("erp", "customer", pairs[1][1], pairs[0][1])
    world.settle()
    assert parts(world) == {pairs[0][0]: "live", pairs[1][0]: "further"}
    assert len(hubs(world)) == 1
    quiet(world)


def test_the_rule_is_switched_on_and_off_again():
    engine = World.state()
    world = World(engine=engine)
    a, b = (world.create("crm", **VAT) for _ in "AB")
    world.settle()
    assert len(read(world, queries.conflicts)) == 1
    world.rules = world.rulebook(SEVERAL)
    world.hub = world.open_hub()
    world.settle()
    assert parts(world) == {a: "live", b: "further"}
    quiet(world)
    world.rules = world.rulebook(RULES)
    world.hub = world.open_hub()
    world.settle()
    quiet(world)
    assert parts(world) == {a: "live", b: "further"}
    c = world.create("crm", **VAT)
    world.settle()
    assert parts(world)[c] == "pending"
    # those that are there keep their part, and take the place of the first
    world.crm.remove("customer", a)
    world.crm.remove("customer", c)
    world.settle()
    assert parts(world)[b] == "live"
    quiet(world)


def test_a_further_one_ends_after_the_rule_was_taken_back():
    world, crm, erp = three()
    world.rules = world.rulebook(RULES)
    world.hub = world.open_hub()
    world.crm.remove("customer", crm[1])
    world.settle()
    assert parts(world) == {crm[0]: "live", crm[1]: "unlinked", crm[2]: "further"}
    assert world.row("erp", erp)["status"] == "active"
    quiet(world)


def test_a_preview_counts_them():
    world = World(rules=SEVERAL)
    crm = [world.create("crm", **VAT) for _ in "ABC"]
    world.create("erp", billing_status="active", **VAT)
    made = look(world)
    assert made.counts == {Bucket.UNIQUE: 2, Bucket.FURTHER: 2}
    samples = [one.sides for one in made.samples if one.bucket is Bucket.FURTHER]
    assert sorted(samples) == [[("crm", crm[1]), ("crm", crm[0])], [("crm", crm[2]), ("crm", crm[0])]]
    assert not read(world, queries.conflicts)


def test_deleted_by_rule_the_others_are_left_and_told_of():
    rules = SEVERAL.replace("on_owner_delete: deactivate", "on_owner_delete: delete")
    assert rules != SEVERAL
    world = World(rules=rules)
    crm = [world.create("crm", **VAT) for _ in "AB"]
    erp = world.create("erp", billing_status="active", **VAT)
    world.settle()
    world.erp.remove("customer", erp)
    world.settle()
    assert sorted(world.shown("crm", "customer")) == [crm[1]]
    (problem,) = read(world, queries.problems)
    assert (problem.external_id, problem.cause) == (crm[1], "not deleted")
    assert parts(world)[crm[1]] == "further"


# -- the rule itself -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("several: [crn]", r"role 'crn' is not bound"),
        ("several: [crm]\n      keys: []", r"only a strong key links several records"),
        ("severall: [crm]", r"known keys: .*several"),
    ],
)
def test_what_is_wrong_with_it_is_told_when_the_rules_are_loaded(written, wrong):
    rules = SEVERAL.replace("several: [crm]", written)
    rules = rules.replace(KEYS, "", 1) if "keys: []" in written else rules
    with pytest.raises(BadMapping, match=wrong):
        World.rulebook(rules)


def test_the_hubs_own_store_holds_one():
    bound = SEVERAL.replace("bind:\n", "bind:\n  own: hub\n", 1).replace("several: [crm]", "several: [own]")
    with pytest.raises(BadMapping, match=r"own store holds one record"):
        World.rulebook(bound)


def test_a_difference_of_rules_names_it():
    said = [change.sentence for change in diff(parse(RULES), parse(SEVERAL), SHAPES)]
    assert said == ["customer: match.several none -> [crm]"]
