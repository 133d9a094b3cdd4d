"""The customers of one invented service company, as two systems know them: seeded, believable, dirty.

The same seed and start give the same bytes. `Company.defects` is the ledger of every mistake planted with customers.
Not here: the invented firms (`firm`), the careful rows (`rows`), single mistakes (`mistakes`), the people and places of
the customers (`contacts`, `places`), serving (`Sandbox`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random

from connectors.sandbox.contacts import People, Standing, meet
from connectors.sandbox.firm import firms
from connectors.sandbox.mistakes import Entry, Row, make_all
from connectors.sandbox.places import Places, settle
from connectors.sandbox.rows import account, account_id, partner, stamp
from connectors.sandbox.words import OTHER_FORMS

START = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
IN_BOTH, ONLY_SALESFORCE, ONLY_SAP = 330, 40, 30
SPARED, SPARED_DELIVERED = 40, 5
SECOND_ROWS = 1000
"""Serials of duplicates start here, so that their ids meet nobody's."""
UNSURE = (
    "weak_match_only", "wrong_vat_in_salesforce", "keys_disagree", "duplicate_in_salesforce_by_vat",
    "duplicate_in_salesforce_by_name", "duplicate_in_sap",
)  # fmt: skip
"""Mistakes after which a person has to say which customer a row is."""
UNSURE_WITH_PEOPLE = 4
HANDED_OVER = -1
"""Which of the flawless prospects is billed today: the last, which no other edit reaches."""


@dataclass(frozen=True, slots=True)
class Company:
    """What both systems hold when the sandbox starts."""

    seed: int
    start: datetime
    accounts: list[Row]
    """Salesforce Account rows with Id and stamps."""
    partners: list[Row]
    """SAP business partners, children nested."""
    defects: dict[str, list[tuple[str, ...]]]
    """Mistake -> where: (account id, partner number), or for duplicates (original, duplicate) of one system."""
    pairs: dict[str, str]
    """The truth: account id -> number of the partner that is the same firm."""
    clean: list[tuple[str, str]]
    """Billed German pairs without any mistake, those with a delivery address last."""
    prospects: list[tuple[str, str]]
    """Pairs we do not bill yet, without any mistake."""
    people: People
    places: Places

    def salesforce(self) -> dict[str, list[Row]]:
        """The rows of every Salesforce object, parents first."""
        return {
            "Account": self.accounts,
            "Contact": self.people.contacts,
            "Location": self.places.locations,
            "Address": self.places.addresses,
            "AssociatedLocation": self.places.links,
        }

    def handed_over(self) -> tuple[str, str]:
        """A prospect that the story's people begin to bill, and its contact for invoices; ids in Salesforce."""
        account = self.prospects[HANDED_OVER][0]
        return account, self.people.clean[account][0]

    def account(self, id: str) -> Row:  # noqa: A002 - the vendor's word
        """The seeded Salesforce row."""
        return next(row for row in self.accounts if row["Id"] == id)

    def partner(self, number: str) -> Row:
        """The seeded SAP document."""
        return next(row for row in self.partners if row["BusinessPartner"] == number)


def build(seed: int = 7, start: datetime = START) -> Company:
    """Invent the company; all stamps lie in the two years before `start`."""
    random = Random(seed)  # noqa: S311 - repeatable, not secret
    both, sales, books = _entries(random, start)
    keyless: dict[str, list[tuple[str, ...]]] = {}
    clean, prospects = _spared(both)
    spared = {*clean, *prospects}
    others = [entry for entry in both if entry.ids not in spared]
    doubles = _duplicates(others, random, keyless)
    ledger = make_all(others, random) | keyless
    rows = [*both, *sales, *books, *doubles]
    standing = _standing(spared, ledger)
    people, places = meet(rows, standing, seed, start), settle(rows, standing, seed, start)
    accounts = [entry.account for entry in rows if entry.account]
    partners = [entry.partner for entry in rows if entry.partner]
    random.shuffle(accounts)
    random.shuffle(partners)
    pairs = dict(entry.ids for entry in both)
    return Company(seed, start, accounts, partners, ledger, pairs, clean, prospects, people, places)


def _standing(spared: set[tuple[str, str]], ledger: dict[str, list[tuple[str, ...]]]) -> Standing:
    """Whose identity is open, and for whom of them somebody is known: the weakest matches, and two accounts of one."""
    unsure = {id_ for name in UNSURE for where in ledger[name] for id_ in where}
    weak, double = ledger["weak_match_only"][:UNSURE_WITH_PEOPLE], ledger["duplicate_in_salesforce_by_vat"][0]
    return Standing(spared, unsure, {id_ for where in (*weak, double) for id_ in where})


def _spared(both: list[Entry]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """German pairs that stay without any mistake, so that a story about them is about nothing else."""
    german = [entry for entry in both if entry.firm.country.code == "DE"]
    plain = [entry.ids for entry in german if entry.firm.billed and not entry.firm.shipping]
    delivered = [entry.ids for entry in german if entry.firm.billed and entry.firm.shipping]
    prospects = [entry.ids for entry in german if not entry.firm.billed]
    return plain[:SPARED] + delivered[:SPARED_DELIVERED], prospects[:SPARED_DELIVERED]


def _entries(random: Random, start: datetime) -> tuple[list[Entry], list[Entry], list[Entry]]:
    found = firms(random, IN_BOTH + ONLY_SALESFORCE + ONLY_SAP, start)
    both = [Entry(firm, account(firm), partner(firm)) for firm in found[:IN_BOTH]]
    prospects = (replace(firm, billed=False) for firm in found[IN_BOTH : IN_BOTH + ONLY_SALESFORCE])
    customers = (replace(firm, billed=True) for firm in found[IN_BOTH + ONLY_SALESFORCE :])
    sales = [Entry(firm, account=account(firm)) for firm in prospects]
    books = [Entry(firm, partner=partner(firm)) for firm in customers]
    return both, sales, books


def _duplicates(both: list[Entry], random: Random, ledger: dict[str, list[tuple[str, ...]]]) -> list[Entry]:
    """Second rows for firms a system already has, and one account number that belongs to somebody else."""
    open_to = [entry for entry in both if entry.firm.billed and entry.firm.vat and entry.firm.form in OTHER_FORMS]
    chosen = random.sample(open_to, 12)
    for entry in chosen:
        entry.marks.update(("key", "vat", "number", "name", "address", "phone", "state"))
    by_vat = [_second_account(entry, n, by_vat=True) for n, entry in enumerate(chosen[:4])]
    by_name = [_second_account(entry, n, by_vat=False) for n, entry in enumerate(chosen[4:7], start=4)]
    in_sap = [_second_partner(entry, n) for n, entry in enumerate(chosen[7:10], start=7)]
    ledger["duplicate_in_salesforce_by_vat"] = _both_ids(chosen[:4], by_vat, 0)
    ledger["duplicate_in_salesforce_by_name"] = _both_ids(chosen[4:7], by_name, 0)
    ledger["duplicate_in_sap"] = _both_ids(chosen[7:10], in_sap, 1)
    right, wrong = chosen[10:]
    right.account["AccountNumber"] = wrong.firm.number
    ledger["keys_disagree"] = [right.ids]
    return [*by_vat, *by_name, *in_sap]


def _both_ids(originals: Iterable[Entry], seconds: Iterable[Entry], system: int) -> list[tuple[str, ...]]:
    return [(first.ids[system], second.ids[system]) for first, second in zip(originals, seconds, strict=True)]


def _second_account(entry: Entry, place: int, *, by_vat: bool) -> Entry:
    row = copy.deepcopy(entry.account)
    created = stamp(entry.firm.changed)
    row.update({"Id": account_id(SECOND_ROWS + place), "AccountNumber": None, "CreatedDate": created})
    if by_vat:
        row["Name"] = entry.firm.name.removesuffix(entry.firm.form) + OTHER_FORMS[entry.firm.form][0]
    else:
        row.update({"FSM_VAT_Id__c": None, "Phone": None, "Website": None})
    return Entry(entry.firm, account=row)


def _second_partner(entry: Entry, place: int) -> Entry:
    number = str(int(entry.firm.number) + 1)
    born = replace(entry.firm, number=number, serial=SECOND_ROWS + place, born=entry.firm.changed, terms="0001")
    return Entry(born, partner=partner(born))
