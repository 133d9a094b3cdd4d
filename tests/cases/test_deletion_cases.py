"""Rows R03 and R14-R27 of the truth table on the real engine, from data: what it decides, and what comes of it.

Not here: the pure table (`test_deletion_table`), each vendor's way to delete (`tests/scenarios/test_deletions_*`).
"""

from __future__ import annotations

import pytest

from fsm_core.service.converge import Halted
from fsm_core.store import queries
from tests.cases.test_record_cases import ROWS
from tests.world import RULES, TABLE, World

HERE = [f"R{number}" for number in range(14, 28)]
(LINE,) = [
    line for line in RULES.splitlines() if line.startswith("    delete: {by: owner, on_owner_delete: deactivate")
]


def rules(given):
    owner = given.get("on_owner_delete", "deactivate")
    other = given.get("on_non_owner_delete", "restore")
    line = f"    delete: {{by: owner, on_owner_delete: {owner}, on_non_owner_delete: {other}, block_if: [contacts]}}"
    return RULES.replace(LINE, line)


def staged(given):
    """A customer that the CRM owns and the ERP holds, or 60 of them; the CRM's ids."""
    amount = 60 if given.get("mass_ratio") else 1
    world = World(rules=rules(given), entities=("customer", "contact"))
    names = [f"Acme {number}" for number in range(amount)]
    ids = [world.create("crm", legal_name=name, tax_ids=[f"VAT:{name}"]) for name in names]
    for number in range(given.get("dependants", 0)):
        world.add("crm", "contact", customer_id=ids[0], last_name=f"Huber {number}", email=f"h{number}@acme.example")
    if given.get("merged_into"):
        world.create("crm", legal_name="Survivor", status="prospect")
    world.settle()
    return world, ids


def happens(world, row, ids):
    """The deletion of the row, and what else it says of the same moment."""
    given = row["input"]
    (mine, theirs) = ids[0], next(iter(world.shown("erp", TABLE)))
    if given.get("non_owner_edited"):
        world.edit("erp", theirs, website="https://acme.example")
    if given.get("owner_edited"):
        world.edit("crm", mine, website="https://acme.example")
    if row["kind"] == "reappear":
        world.crm.remove(TABLE, mine)
        world.settle()
        undelete(world, "crm", mine)
    elif given.get("merged_into"):
        world.merge("crm", TABLE, mine, next(n for n, r in world.shown("crm", TABLE).items() if n != mine))
    else:
        for id_ in ids[: max(1, int(len(ids) * given.get("mass_ratio", 0)))]:
            if given.get("authority") in ("owner", "both"):
                world.crm.remove(TABLE, id_)
        if given.get("authority") in ("non_owner", "both"):
            world.erp.remove(TABLE, theirs)


def undelete(world, system, id_):
    records = world.stores[system]._tables[TABLE].records
    object.__setattr__(records[id_], "deleted", False)
    world.edit(system, id_, department="")


def fates(world):
    """What the audit says was decided on deletions, and questions that are open."""
    with world.store.reading() as db:
        asked = [c for c in queries.conflicts(db) if c.type == "delete"]
    return ["CONFLICT_DELETE" for _ in asked]


@pytest.mark.parametrize("id_", [id_ for id_ in HERE if id_ not in ("R24", "R25", "R26")])
def test_deletion_case(id_):
    row = ROWS[id_]
    world, ids = staged(row["input"])
    happens(world, row, ids)
    round_ = world.sync()
    decided = [fate for one in round_.converged for fate in one.endings.elements()]
    assert decided + fates(world) == [row["expected"]]
    world.settle()
    CAME_OF_IT[id_](world, ids[0])
    before = world.writes()
    world.sync_all(full=True)
    assert world.writes() == before


def _live(world):
    return [len(store.live(TABLE)) for store in (world.crm, world.erp)]


def _states(world):
    return {link.system: str(link.state) for link in world.links() if link.entity == TABLE}


def _lifecycle(world):
    return next(one.record.lifecycle for one in world.loaded() if one.record.entity == TABLE)


def deactivated(world, _):
    assert world.row("erp")["status"] == "inactive"
    assert (_live(world), _states(world)) == ([0, 1], {"crm": "unlinked", "erp": "live"})
    assert _lifecycle(world) == "active"


def deleted(world, _):
    assert (_live(world), _states(world)) == ([0, 0], {"crm": "unlinked", "erp": "unlinked"})
    assert _lifecycle(world) == "deleted"


def unlinked_from(gone, stays):
    def check(world, _):
        assert world.row(stays)["status"] == "active"
        assert _states(world) == {gone: "unlinked", stays: "live"}

    return check


def asked(gone):
    def check(world, _):
        assert _states(world)[gone] == "ended"
        assert sum(_live(world)) == 1
        with world.store.reading() as db:
            (conflict,) = [c for c in queries.conflicts(db) if c.type == "delete"]
        assert set(conflict.snapshot["answers"]) == {"delete", "restore", "detach"}

    return check


def restored(world, crm):
    assert _live(world) == [1, 1]
    new, old = world.row("erp"), world.row("crm", crm)
    assert {name: new[name] for name in old if name != "tax_ids"} == {n: v for n, v in old.items() if n != "tax_ids"}
    methods = sorted((link.state, link.method) for link in world.links() if link.system == "erp")
    assert methods == [("live", "restored"), ("merged", "replaced")]
    known = [link.external_id for link in world.links() if link.entity == TABLE]
    with world.store.reading() as db:
        assert len({queries.find_record(db, TABLE, name) for name in known}) == 1


def ended(world, _):
    assert (_live(world), _lifecycle(world)) == ([0, 0], "ended")


def back(world, crm):
    assert _states(world) == {"crm": "live", "erp": "live"}
    assert (world.row("crm", crm)["status"], world.row("erp")["status"]) == ("active", "active")


CAME_OF_IT = {
    "R14": deactivated,
    "R15": deleted,
    "R16": unlinked_from("crm", "erp"),
    "R17": asked("crm"),
    "R18": asked("crm"),
    "R19": restored,
    "R20": restored,
    "R21": unlinked_from("erp", "crm"),
    "R22": asked("erp"),
    "R23": ended,
    "R27": back,
}


@pytest.mark.parametrize("id_", ["R24"])
def test_mass_deletion_halts_before_anything_is_decided(id_):
    world, ids = staged(ROWS[id_]["input"])
    happens(world, ROWS[id_], ids)
    before = world.writes()
    for _ in range(2):
        with pytest.raises(Halted, match="12 of 60 records were deleted at once") as halted:
            world.sync()
        assert "--confirm-mass-change" in halted.value.remedy
    assert world.writes() == before
    assert {row["status"] for row in world.shown("erp", TABLE).values()} == {"active"}
    world.sync(confirmed=True)
    world.settle()
    assert sorted(row["status"] for row in world.shown("erp", TABLE).values()) == ["active"] * 48 + ["inactive"] * 12


@pytest.mark.parametrize("id_", ["R25"])
def test_a_merge_is_followed_and_no_deletion(id_):
    world, ids = staged(ROWS[id_]["input"])
    happens(world, ROWS[id_], ids)
    world.settle()
    assert not fates(world)
    assert [link.state for link in world.links() if link.external_id == ids[0] and link.system == "crm"] == ["merged"]
    assert _live(world) == [1, 1]


def filtered(world, field, *values):
    """The same world with a mapping of the CRM that leaves some records out."""
    hub = world.open_hub()
    key = ("crm", "customer")
    binding = hub.bindings[key]
    decode = binding.translation.decode

    class Filtered:
        def __getattr__(self, name: str) -> object:
            return getattr(binding.translation, name)

        def decode(self, document):
            found = decode(document)
            return type(found)(found.values, found.faults, ignored=document.get(field) in values)

    world.hub = hub
    hub.bindings[key] = type(binding)(**{**vars(binding), "translation": Filtered()})
    return world


def test_what_is_outside_the_filter_is_no_record_and_what_leaves_it_is_kept_and_left_alone():
    world = filtered(World(), "segment", "private")
    world.create("crm", legal_name="Never seen", segment="private")
    crm = world.create("crm", tax_ids=["VAT:DE1"])
    world.settle()
    assert [record["legal_name"] for record in world.records()] == ["Acme GmbH"]
    world.edit("crm", crm, segment="private", legal_name="Not told to anybody")
    round_ = world.sync()
    assert dict(round_.converged[0].endings) == {ROWS["R26"]["expected"]: 1}
    world.settle()
    assert _states(world) == {"crm": "unlinked", "erp": "live"}
    erp = next(iter(world.shown("erp", TABLE)))
    world.edit("erp", erp, website="https://acme.example", billing_status="active")
    world.settle()
    assert "website" not in world.row("crm", crm)
    assert world.row("erp")["legal_name"] == "Acme GmbH"
    world.edit("crm", crm, segment="public")
    world.settle()
    assert _states(world) == {"crm": "live", "erp": "live"}
    assert world.row("crm", crm)["website"] == "https://acme.example"
