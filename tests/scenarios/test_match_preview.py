"""What a preview of matching says, and that it leaves nothing behind; scores in rounds and on both databases."""

from __future__ import annotations

import pytest

from fsm_core.service.preview import Bucket, preview
from fsm_core.service.pull import pull
from fsm_core.service.resolve import resolve
from fsm_core.store import queries
from tests.cases.test_record_cases import ASKED, FUZZY
from tests.scenarios.test_merges import quiet
from tests.scenarios.test_references import party, read
from tests.world import RULES, World

each_database = pytest.mark.usefixtures("each_database")
SCORES = RULES.replace(ASKED, f"{FUZZY}\n      contradiction: [kind]\n      {ASKED}")


def stage(world: World) -> dict[str, str]:
    """One pair of each kind, and two that nothing is like."""
    ids = {}
    for name, crm, erp in (
        ("number", {"account_number": "1000"}, {"account_number": "1000"}),
        ("vat", {"tax_ids": ["VAT:A"]}, {"tax_ids": ["VAT:A"]}),
        ("kind", {"tax_ids": ["VAT:B"], "kind": "person"}, {"tax_ids": ["VAT:B"]}),
        ("ask", {"billing_postcode": "10115"}, {"billing_postcode": "10115"}),
        ("none", {}, {}),
    ):
        words = {"ask": ("Nordwind GmbH", "Nordwind AG"), "none": ("Aurora", "Zenit")}.get(name, (f"Firma {name}",) * 2)
        ids[f"crm {name}"] = world.create("crm", legal_name=words[0], **crm)
        ids[f"erp {name}"] = world.create("erp", legal_name=words[1], **erp, billing_status="active")
    site = {"website": "https://mueller.example", "billing_postcode": "20095"}
    ids["crm score"] = world.create("crm", legal_name="Müller Kälte", **site)
    ids["erp score"] = world.create("erp", legal_name="Mueller Kaeltetechnik", **site, billing_status="active")
    return ids


def look(world: World, **options):
    with world.hub.running("observe"):
        for binding in world.hub.of_entity("customer"):
            pull(world.hub, binding)
    return preview(world.hub, "customer", **options)


@each_database
@pytest.mark.parametrize("page", [1, 2000])
def test_a_preview_sorts_all_new_records_and_writes_nothing(page):
    world = World(rules=SCORES)
    world.hub.page = page
    ids = stage(world)
    before = read(world, queries.status)["links"]
    made = look(world)
    assert made.counts == {Bucket.UNIQUE: 4, Bucket.AMBIGUOUS: 4, Bucket.CONTRADICTING: 2, Bucket.NONE: 2}
    assert made.methods == {"key account_number": 1, "key tax_ids": 1}
    assert made.questions == 3
    assert world.writes() == 0
    assert before != read(world, queries.status)["links"]  # what was read is kept
    assert not read(world, queries.conflicts)
    assert not [link for link in world.links() if link.record]
    why = {sample.why: sample for sample in made.samples}
    assert sorted(why["key tax_ids: vat:a"].sides) == [("crm", ids["crm vat"]), ("erp", ids["erp vat"])]
    (scored,) = [one for one in made.samples if one.why.startswith("alike: score")]
    assert [row["feature"] for row in scored.evidence[0]["features"]] == [
        "legal_name", "billing_address.postcode", "website",
    ]  # fmt: skip
    # and the round does just that
    world.sync()
    assert len([c for c in read(world, queries.conflicts) if c.type == "match"]) == made.questions
    assert not look(world).counts


def test_samples_are_of_the_wanted_kinds_and_not_more_than_asked_for():
    world = World(rules=SCORES)
    stage(world)
    made = look(world, wanted=(Bucket.AMBIGUOUS,), limit=1)
    assert [one.bucket for one in made.samples] == [Bucket.AMBIGUOUS]
    assert made.counts[Bucket.NONE] == 2


def test_children_of_customers_nobody_has_placed_are_left():
    world = party(rules=SCORES)
    crm = world.create("crm", tax_ids=["VAT:A"])
    world.add("crm", "contact", customer_id=crm, email="a@firma.example")
    with world.hub.running("observe"):
        for entity in ("customer", "contact"):
            for binding in world.hub.of_entity(entity):
                pull(world.hub, binding)
    assert not preview(world.hub, "contact").counts  # parked: they are no newcomers yet


@each_database
@pytest.mark.parametrize("order", [("crm", "erp"), ("erp", "crm")])
def test_a_score_asks_whoever_comes_first_and_the_answer_holds(order):
    world = World(rules=SCORES)
    given = {"crm": {"legal_name": "Müller Kälte"}, "erp": {"legal_name": "Mueller Kaelte u. Klima"}}
    site = {"website": "mueller.example", "billing_postcode": "20095", "status": "prospect"}
    for system in order:
        world.create(system, **given[system], **site)
        world.sync()
    (conflict,) = read(world, queries.conflicts)
    # the CRM was told of the ERP's customer before it had its own
    assert ("potential duplicate inside crm" in conflict.note) == (order[0] == "erp")
    resolve(world.hub, conflict, "apart", "ada")
    quiet(world)
    assert len(world.records()) == 2


def test_scores_switched_on_later_find_the_old_and_switched_off_ask_nobody():
    world = World(rules=RULES.replace("crm: always", "crm: never"))
    site = {"website": "mueller.example", "billing_postcode": "20095", "status": "prospect"}
    world.create("erp", legal_name="Mueller Kaeltetechnik", **site)
    world.settle()
    world.rules = World(rules=SCORES.replace("crm: always", "crm: never")).rules
    world.hub = world.open_hub()
    world.settle()
    world.create("crm", legal_name="Müller Kälte", **site)
    world.settle()
    (conflict,) = read(world, queries.conflicts)
    assert conflict.snapshot["evidence"][0]["score"] > 0.8
    resolve(world.hub, conflict, "same", "ada")
    quiet(world)
    world.rules = World(rules=RULES.replace("crm: always", "crm: never")).rules
    world.hub = world.open_hub()
    world.create("crm", legal_name="Müller Kältetechnik", **site)
    quiet(world)


def test_a_feature_more_renews_the_blocks_of_those_there_are():
    alone = RULES.replace("crm: always", "crm: never").replace(ASKED, "fuzzy: [legal_name]")
    world = World(rules=alone)
    world.create("erp", legal_name="Hotel Seeblick", billing_postcode="20095", status="prospect")
    world.settle()
    world.rules = World(rules=alone.replace("[legal_name]", "[legal_name, billing_address.postcode]")).rules
    world.hub = world.open_hub()
    world.settle()
    # found by a word within the region, which was no block before
    world.create("crm", legal_name="Seeblick", billing_postcode="20095")
    world.settle()
    (conflict,) = read(world, queries.conflicts)
    assert len(conflict.snapshot["evidence"][0]["features"]) == 2


def test_a_question_is_asked_anew_when_the_evidence_changes():
    world = World(rules=SCORES)
    site = {"website": "mueller.example", "billing_postcode": "20095"}
    erp = world.create("erp", legal_name="Mueller Kaeltetechnik", **site, billing_status="active", account_number="7")
    world.create("crm", legal_name="Müller Kälte", **site)
    world.sync()
    assert len(read(world, queries.conflicts)) == 1
    assert not world.records()
    world.edit("erp", erp, legal_name="Ganz Anders", website="anders.example")
    world.sync()
    assert not read(world, queries.conflicts)
    assert len(world.records()) == 2


@pytest.mark.parametrize(("most", "asked"), [(50, True), (5, False)])
def test_a_crowded_block_is_passed_over(monkeypatch, most, asked):
    monkeypatch.setattr("fsm_core.service.alike.MOST", most)
    world = World(rules=SCORES)
    for n in range(6):
        world.create("crm", legal_name=f"Filiale {n:02}", website="kette.example", billing_postcode=f"{n:02}000")
    world.create("erp", legal_name="Filiale Süd", website="kette.example", billing_status="active")
    world.sync()
    assert bool(read(world, queries.conflicts)) == asked


def test_what_joins_a_record_there_is_counts_as_a_link():
    world = World(rules=RULES.replace("crm: always", "crm: never"))
    world.create("erp", tax_ids=["VAT:A"], status="prospect")
    world.settle()
    world.create("crm", tax_ids=["VAT:A"])
    made = look(world)
    assert (made.counts, made.methods) == ({Bucket.UNIQUE: 1}, {"key tax_ids": 1})
    assert len(made.samples[0].sides) == 2
