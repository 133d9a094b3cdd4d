"""What lands while much else lands: no page is lost, and what is new hides no mass change.

Not here: that plain births are what the general way makes (`tests/properties/test_plain_births.py`).
"""

from __future__ import annotations

import pytest

from fsm_core.service.converge import Halted
from tests.world import World

each_database = pytest.mark.usefixtures("each_database")


@each_database
def test_new_records_in_the_same_pass_do_not_hide_a_mass_change():
    world = World()
    made = [world.create("crm", legal_name=f"Acme {n} GmbH", tax_ids=[f"VAT:{n}"]) for n in range(60)]
    world.settle()
    for one in made[:40]:
        world.edit("crm", one, service_notes="changed by mistake")
    for n in range(300):
        world.create("crm", legal_name=f"Beta {n} AG", tax_ids=[f"VAT:B{n}"])
    before = world.writes()
    with pytest.raises(Halted, match="40 of 60 records changed at once"):
        world.sync()
    assert world.writes() == before


@each_database
def test_a_page_whose_numbers_another_process_took_is_read_again_and_not_lost():
    world = World()
    world.create("crm", legal_name="Acme GmbH", tax_ids=["VAT:1"])
    world.settle()
    taken = world.links()[0].id
    world.create("crm", legal_name="Beta AG", tax_ids=["VAT:2"])
    numbers = world.hub.ids.numbers
    world.hub.ids.numbers = lambda count: range(taken, taken + count)  # type: ignore[method-assign]
    assert "numbered its links alike" in world.sync().absent["crm"]
    world.hub.ids.numbers = numbers  # type: ignore[method-assign]
    world.settle()
    assert sorted(record["legal_name"] for record in world.records()) == ["Acme GmbH", "Beta AG"]
    assert len(world.shown("erp", "customer")) == len(world.shown("crm", "customer"))
