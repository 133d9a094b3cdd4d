"""Whatever people, the hub and crashes do to locations and their parts, a copy kept by polling ends up equal.

Not here: each kind of change by itself (`test_salesforce_parts.py`).
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from connectors.salesforce import Salesforce
from fsm_core.ports import Action, State, Write
from tests.contract.harness_salesforce import LocationHarness
from tests.contract.test_salesforce_parts import address_of, passed


@pytest.mark.parametrize("number", range(8))
def test_whatever_happens_the_copy_ends_up_equal(number):
    chance = random.Random(number)  # noqa: S311 - a test's dice
    with LocationHarness() as org:
        copy: dict[str, Any] = {}
        cursor = None
        sf = org.connector(page_size=chance.choice([1, 3, 2000]))
        for _ in range(25):
            _someone_works(org, chance, sf)
            org.clock.advance(chance.choice([0, 1, 400, 4000]))
            if chance.random() < 0.5:
                cursor = _poll(org, sf, chance, copy, cursor)
        org.clock.advance(4000)
        _poll(org, sf, None, copy, cursor)
        everything, _ = passed(org, org.connector(), None)
        assert copy == {change.id: change.document for change in everything if change.state is State.LIVE}


def _someone_works(org: LocationHarness, chance: random.Random, sf: Salesforce) -> None:
    ids = list(org.ids())
    if not ids or chance.random() < 0.3:
        org.create(f"Hall {chance.random()}")
        return
    id_ = chance.choice(ids)
    links = [
        row["Id"]
        for row in org.simulator.rows("AssociatedLocation")
        if row["LocationId"] == id_ and not row["IsDeleted"]
    ]
    match chance.randrange(6):
        case 0:
            org.edit(id_, {"Name": f"New {chance.random()}"})
        case 1 if org.simulator.store.tables["Location"][id_]["VisitorAddressId"]:
            org.edit(id_, {"VisitorAddress.City": f"City {chance.randrange(99)}"})
        case 2 if links:
            org.simulator.remove("AssociatedLocation", links[0])
        case 3 if org.simulator.store.tables["Location"][id_]["VisitorAddressId"]:
            org.simulator.remove("Address", address_of(org, id_))
        case 4:
            org.simulator.edit("AssociatedLocation", "", {"LocationId": id_, "ParentRecordId": org.account})
        case _:
            fields = {"VisitorAddress.Street": f"Road {chance.randrange(99)}"}
            assert sf.write(org.obj, [Write(Action.UPDATE, id_, fields=fields)])[0].error is None


def _poll(
    org: LocationHarness, sf: Salesforce, chance: random.Random | None, copy: dict[str, Any], cursor: str | None
) -> str | None:
    for page in sf.changes(org.obj, cursor):
        for change in page.changes:
            if change.state is State.LIVE:
                copy[change.id] = change.document
            else:
                copy.pop(change.id, None)
        cursor = page.cursor or cursor
        if chance and chance.random() < 0.2:
            break  # a crash after this page landed
    return cursor
