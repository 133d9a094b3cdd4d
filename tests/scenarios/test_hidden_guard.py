"""A field that is hidden or shown again is no mass change, whatever is read meanwhile.

Not here: what else comes of a hidden field (`test_hidden_fields`).
"""

from __future__ import annotations

from tests.world import TABLE, World


def test_neither_hiding_a_field_nor_showing_it_again_halts_an_entity():
    world = World()
    made = [world.create("crm", legal_name=f"Acme {n} GmbH", account_number=f"{n:05}", segment="A") for n in range(60)]
    world.settle()
    world.crm.rule(TABLE, "segment").hidden = True
    world.hub = world.open_hub()
    assert list(world.hub.binding("crm", "customer").unseen) == ["segment"]
    assert world.sync(full=True).summary()["read"]["crm"]["changed"] == 0
    world.crm.rule(TABLE, "segment").hidden = False
    world.edit("crm", made[3], segment="B")
    world.hub = world.open_hub()
    report = world.sync()
    assert report.summary()["read"]["crm"]["changed"] == 1
    assert report.writes == 1
    assert sorted(record["segment"] for record in world.records()) == ["A"] * 59 + ["B"]
    world.settle()


def test_what_was_written_while_a_field_was_hidden_is_no_mass_change_when_it_is_shown_again():
    world = World()
    given = {"segment": "A", "billing_status": "active"}
    made = [world.create("crm", legal_name=f"Acme {n} GmbH", tax_ids=[f"VAT:{n}"], **given) for n in range(60)]
    world.settle()
    world.erp.rule(TABLE, "segment").hidden = True
    world.hub = world.open_hub()
    for one in made:
        world.edit("crm", one, service_notes="Hund")
    assert world.sync(confirmed=True).writes == len(made)
    world.erp.rule(TABLE, "segment").hidden = False
    world.hub = world.open_hub()
    report = world.sync().summary()
    assert report["read"]["erp"] == {"seen": 60, "new": 0, "changed": 0, "gone": 0}
    assert report["writes"] == 0
    assert {row["segment"] for row in world.shown("erp", "customer").values()} == {"A"}


def test_a_hidden_reference_is_kept_and_no_mass_change():
    world = World(entities=("customer", "site"))
    customer = world.create("crm", legal_name="Acme GmbH", tax_ids=["VAT:1"])
    top = world.add("crm", "site", customer_id=customer, name="Werk", street="Ring")
    for n in range(60):
        world.add("crm", "site", customer_id=customer, name=f"Halle {n}", street=f"Weg {n}", parent_id=top)
    lost = world.add("crm", "site", customer_id=customer, name="Keller", street="Hof", parent_id="of later")
    world.settle()
    before = sites(world)
    for hidden in (True, False):
        world.crm.rule("site", "parent_id").hidden = hidden
        world.hub = world.open_hub()
        assert ("parent_id" in world.hub.binding("crm", "site").unseen) is hidden
        world.change("crm", "site", lost, name=f"Keller {hidden}")
        assert world.sync("site", full=True).summary()["read"]["crm"]["changed"] == 1
        assert sites(world) == before
    number = next(link.id for link in world.links() if link.external_id == lost)
    with world.store.begin() as work:
        assert work.waiting_fields([number]) == {number: {"parent_id": "of later"}}
    world.settle()


def sites(world: World) -> list[str]:
    """The parents of all sites."""
    documents = [one.record.document for one in world.loaded() if one.record.entity == "site"]
    return sorted(str(document.get("parent_id")) for document in documents)


def test_a_system_without_versions_is_still_written_while_it_hides_a_field():
    world = World(versions=False, compare_and_set=False)
    given = {"segment": "A", "billing_status": "active", "status": "active"}
    one = world.create("crm", legal_name="Acme GmbH", tax_ids=["VAT:1"], **given)
    world.settle()
    world.erp.rule(TABLE, "segment").hidden = True
    world.hub = world.open_hub()
    world.edit("crm", one, service_notes="Hund")
    assert world.sync().writes == 1
    assert world.row("erp")["service_notes"] == "Hund"
    world.settle()


def test_a_field_that_was_hidden_from_the_first_and_is_blank_is_no_mass_change():
    world = World()
    world.crm.rule(TABLE, "segment").hidden = True
    world.hub = world.open_hub()
    made = [world.create("crm", legal_name=f"Acme {n} GmbH", tax_ids=[f"VAT:{n}"]) for n in range(60)]
    world.settle()
    world.crm.rule(TABLE, "segment").hidden = False
    world.edit("crm", made[7], segment="A")
    world.hub = world.open_hub()
    world.settle()
    assert [record["segment"] for record in world.records() if record.get("segment")] == ["A"]
