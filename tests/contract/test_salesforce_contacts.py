"""Contacts through the shipped mapping, and what happens to them when something happens to their account.

Not here: the promises all objects keep (`test_contract.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.salesforce import Salesforce
from fsm_core.errors import Invalid, Locked
from fsm_core.ports import Action, Change, KeyRef, State, Write
from mappings import load
from tests.contract.harness_salesforce import ContactHarness

MAPPING = load("salesforce", "contact")
CONTACT = MAPPING.object
PERSON = {
    "name": {"first": "Kim", "last": "Lee"},
    "job_title": "Caretaker",
    "email": "kim@example.com",
    "phone": "+49 228 1234",
    "roles": ["billing", "site"],
    "do_not_contact": True,
    "language": "de",
}


@pytest.fixture
def org() -> Iterator[ContactHarness]:
    with ContactHarness() as harness:
        yield harness


@pytest.fixture
def account(org) -> str:
    return str(org.simulator.edit("Account", "", {"Name": "Customer"})["Id"])


def passed(sf: Salesforce, since: str | None) -> tuple[list[Change], str]:
    pages = list(sf.changes(CONTACT, since))
    assert pages[-1].cursor is not None
    return [change for page in pages for change in page.changes], pages[-1].cursor


def creation(account: str) -> Write:
    fields = MAPPING.encode_create({**PERSON, "customer_id": account}, "H-1")
    return Write(Action.CREATE, key="H-1", fields=fields)


def test_a_contact_comes_back_as_it_was_sent(org, account):
    sf = org.connector()
    [outcome] = sf.write(CONTACT, [creation(account)])
    assert outcome.error is None
    [seen] = sf.read(CONTACT, [KeyRef("FSM_Hub_Id__c", "H-1")])
    decoded = MAPPING.decode(seen.document)
    assert decoded.faults == ()
    said = {name: value for name, value in decoded.values.items() if value is not None}
    assert said == {**PERSON, "customer_id": account}
    assert seen.id == outcome.id


def test_the_capabilities_hold_all_mapped_fields(org):
    found = org.connector().describe([CONTACT]).objects["Contact"]
    assert set(CONTACT.fields) <= set(found.fields)
    assert [name for name, field in found.fields.items() if field.required] == ["LastName"]


def test_a_merge_of_accounts_moves_contacts(org, account):
    sf = org.connector()
    [made] = sf.write(CONTACT, [creation(account)])
    _, cursor = passed(sf, None)
    winner = org.simulator.edit("Account", "", {"Name": "Winner"})["Id"]
    org.clock.advance(60)
    org.simulator.merge("Account", winner, [account])
    [moved], _ = passed(sf, cursor)
    assert (moved.id, moved.state, moved.ours) == (made.id, State.LIVE, False)
    assert MAPPING.decode(moved.document).values["customer_id"] == winner


def test_a_merge_of_contacts_names_the_survivor(org, account):
    winner, loser = org.create("Lee"), org.create("Li")
    sf = org.connector()
    _, cursor = passed(sf, None)
    org.clock.advance(60)
    org.simulator.merge("Contact", winner, [loser])
    [merged], _ = passed(sf, cursor)
    assert (merged.id, merged.state, merged.merged_into) == (loser, State.DELETED, winner)


@pytest.mark.parametrize("stamped", [True, False])
def test_contacts_deleted_with_their_account_are_tombstones_at_the_latest_in_a_full_pass(org, account, stamped):
    org.simulator.store.relations.stamps_cascades = stamped
    sf = org.connector()
    [made] = sf.write(CONTACT, [creation(account)])
    _, cursor = passed(sf, None)
    org.clock.advance(3600)
    _, cursor = passed(sf, cursor)
    org.simulator.remove("Account", account)
    news, _ = passed(sf, cursor)
    assert [(change.id, change.state) for change in news] == ([(made.id, State.DELETED)] if stamped else [])
    everything, _ = passed(sf, None)
    assert [(change.id, change.state) for change in everything] == [(made.id, State.DELETED)]


def test_an_account_that_is_locked_or_gone(org, account):
    sf = org.connector()
    org.simulator.store.locked.add(account)
    [locked] = sf.write(CONTACT, [creation(account)])
    org.simulator.store.locked.clear()
    org.simulator.remove("Account", account)
    [gone] = sf.write(CONTACT, [creation(account)])
    assert isinstance(locked.error, Locked)
    assert isinstance(gone.error, Invalid)
    assert gone.error.field == "AccountId"
    assert org.ids() == []
