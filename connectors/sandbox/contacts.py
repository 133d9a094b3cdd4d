"""The contacts of the company in both systems: who knows whom, and every mistake made with them.

`People.defects` is the ledger of the planted mistakes. Not here: the people themselves (`person`) and careful rows
(`contact_rows`).
"""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

from connectors.sandbox.contact_rows import JOB, contact, person_partner, relationship
from connectors.sandbox.firm import transliterated
from connectors.sandbox.mistakes import Entry, Row
from connectors.sandbox.person import BILLING, TECHNICAL, Crowd, Person
from connectors.sandbox.rows import record_id

IN_BOTH_SHARE, SECOND_SHARE, SECOND_IN_SAP_SHARE = 0.5, 0.45, 0.15
IN_BOOKS_ONLY = 18
"""Firms that Salesforce does not know, and SAP knows somebody at."""
SECOND_ROWS = 1000
"""Serials of people entered twice start here."""


@dataclass(slots=True)
class Card:
    """One person with the rows written about them; a system that does not know the person has none."""

    person: Person
    entry: Entry
    contact: Row = field(default_factory=dict)
    partner: Row = field(default_factory=dict)
    relation: Row = field(default_factory=dict)
    spared: bool = False
    """Stays without mistakes, so that a story about the person is about nothing else."""
    marks: set[str] = field(default_factory=set)

    @property
    def ids(self) -> tuple[str, str]:
        """The Salesforce id, and company and person in SAP; empty where the system has no row."""
        pair = (
            (self.relation["BusinessPartnerCompany"], self.relation["BusinessPartnerPerson"]) if self.relation else ()
        )
        return str(self.contact.get("Id", "")), "/".join(pair)

    @property
    def job(self) -> Row:
        """What SAP keeps at the relationship."""
        found: Row = self.relation[JOB][0]
        return found


@dataclass(frozen=True, slots=True)
class People:
    """Everybody the company knows."""

    contacts: list[Row]
    """Salesforce Contact rows."""
    partners: list[Row]
    """SAP persons: business partners of their own."""
    relations: list[Row]
    """SAP relationships of persons to companies, children nested."""
    defects: dict[str, list[tuple[str, ...]]]
    """Mistake -> where: (contact id, `company/person`), or for people entered twice (original, duplicate)."""
    pairs: dict[str, str]
    """The truth: contact id -> `company/person` that is the same person."""
    clean: dict[str, list[str]]
    """Account -> contacts without any mistake, those known to both systems first."""


# -- mistakes -------------------------------------------------------------------------------------


Plant = Callable[[Card, Random], None]


def _email_case(card: Card, _: Random) -> None:
    card.contact["Email"] = card.person.email.title()


def _spelling(card: Card, _: Random) -> None:
    card.partner.update({name: transliterated(card.partner[name]) for name in ("FirstName", "LastName")})


def _initial(card: Card, _: Random) -> None:
    card.partner["FirstName"] = f"{card.person.first[0]}."


def _decomposed(card: Card, _: Random) -> None:
    card.contact.update({name: unicodedata.normalize("NFD", card.contact[name]) for name in ("FirstName", "LastName")})


def _no_email_in_sap(card: Card, _: Random) -> None:
    card.job["EmailAddress"] = ""


def _no_email_in_salesforce(card: Card, _: Random) -> None:
    card.contact["Email"] = None


def _phone_format(card: Card, random: Random) -> None:
    dial, area, rest = card.person.phone.removeprefix("+").split(" ")
    forms = (f"+{dial}-{area}-{rest}", f"00{dial} {area} {rest}", f"+{dial} ({area}) {rest[:3]} {rest[3:]}")
    card.contact["Phone"] = random.choice(forms)


def _other_phone(card: Card, random: Random) -> None:
    card.job["PhoneNumber"] = f"{card.person.phone[:-1]}{(int(card.person.phone[-1]) + random.randrange(1, 10)) % 10}"


def _do_not_contact(card: Card, _: Random) -> None:
    card.contact["FSM_Do_Not_Contact__c"] = True


def _accented(card: Card) -> bool:
    return transliterated(card.person.last) != card.person.last


@dataclass(frozen=True, slots=True)
class Slip:
    """A mistake, how often it is made, what it excludes, and whom it can befall."""

    name: str
    times: int
    sort: str
    plant: Plant
    fits: Callable[[Card], bool] = lambda _: True


SLIPS = (
    Slip("email_case", 20, "email", _email_case),
    Slip("email_missing_in_sap", 6, "email", _no_email_in_sap),
    Slip("email_missing_in_salesforce", 4, "email", _no_email_in_salesforce),
    Slip("name_spelled_differently", 12, "name", _spelling, _accented),
    Slip("first_name_abbreviated", 8, "name", _initial),
    Slip("decomposed_name", 5, "name", _decomposed, _accented),
    Slip("phone_format", 15, "phone", _phone_format),
    Slip("phone_differs", 5, "phone", _other_phone),
    Slip("do_not_contact_on_one_side", 3, "privacy", _do_not_contact),
)


def _make(slip: Slip, cards: list[Card], random: Random) -> list[tuple[str, ...]]:
    open_to = [card for card in cards if slip.sort not in card.marks and slip.fits(card)]
    chosen = random.sample(open_to, slip.times)
    for card in chosen:
        slip.plant(card, random)
        card.marks.add(slip.sort)
    return [card.ids for card in chosen]


# -- who knows whom -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the firms that people and places belong to."""

    spared: set[tuple[str, str]]
    """Firms that stay without mistakes."""
    questioned: set[str]
    """Ids of rows whose identity a person has to decide."""
    waiting: set[str]
    """Those of them that have people: few, so that few have to wait for the answer."""

    def in_question(self, entry: Entry) -> bool:
        """Whether a person has to say which customer it is."""
        return not self.questioned.isdisjoint(filter(None, entry.ids))


def meet(entries: Iterable[Entry], standing: Standing, seed: int, start: datetime) -> People:
    """The contacts of all these firms."""
    random = Random(f"people of {seed}")  # noqa: S311 - repeatable, not secret
    cards = _Acquaintance(random, Crowd(random, start), standing).of(list(entries))
    both = [card for card in cards if card.contact and card.relation]
    free = [card for card in both if not card.spared and "question" not in card.marks]
    twice, doubles = _entered_twice(free, random)
    ledger = {slip.name: _make(slip, free, random) for slip in SLIPS} | twice | _shared(cards, random)
    ledger |= _unknown_elsewhere(cards)
    pairs = dict(card.ids for card in both)
    rows = [*cards, *doubles]
    random.shuffle(rows)
    return People(
        [card.contact for card in rows if card.contact],
        [card.partner for card in rows if card.partner],
        [card.relation for card in rows if card.relation],
        ledger,
        pairs,
        _clean(cards),
    )


class _Acquaintance:
    """Decides who is known where."""

    def __init__(self, random: Random, crowd: Crowd, standing: Standing) -> None:
        self.random, self.crowd, self.standing = random, crowd, standing

    def of(self, entries: list[Entry]) -> list[Card]:
        """Cards of all firms."""
        books = [entry for entry in entries if not entry.account and not self.standing.in_question(entry)]
        known = {id(entry) for entry in self.random.sample(books, IN_BOOKS_ONLY)}
        met = [e for e in entries if e.account or id(e) in known or not self.standing.waiting.isdisjoint(e.ids)]
        return [card for entry in met for card in self._at(entry)]

    def _at(self, entry: Entry) -> list[Card]:
        if self.standing.in_question(entry):
            met = not self.standing.waiting.isdisjoint(entry.ids)
            return [self._card(entry, crm=bool(entry.account), erp=bool(entry.partner), mark="question")] if met else []
        if not (entry.account and entry.partner):
            return [self._card(entry, crm=bool(entry.account), erp=bool(entry.partner))]
        spared = entry.ids in self.standing.spared
        first = self._card(entry, crm=True, erp=spared or self.random.random() < IN_BOTH_SHARE)
        if not spared and self.random.random() >= SECOND_SHARE:
            return [first]
        in_sap = not spared and self.random.random() < SECOND_IN_SAP_SHARE
        return [first, self._card(entry, crm=not in_sap, erp=in_sap)]

    def _card(self, entry: Entry, *, crm: bool, erp: bool, mark: str = "") -> Card:
        spared = entry.ids in self.standing.spared
        usual = BILLING if erp else TECHNICAL
        person = self.crowd.at(entry.firm, usual if spared else None)
        account, company = entry.ids
        card = Card(person, entry, spared=spared, marks={mark} if mark else set())
        if crm:
            card.contact = contact(person, account)
        if erp:
            card.partner, card.relation = person_partner(person), relationship(person, company)
        return card


def _entered_twice(cards: list[Card], random: Random) -> tuple[dict[str, list[tuple[str, ...]]], list[Card]]:
    """The same person twice in one system, under the same e-mail address."""
    chosen = random.sample([card for card in cards if not card.marks], 7)
    for card in chosen:
        card.marks.update(("email", "name", "phone", "privacy"))
    in_crm = [_second_contact(card, n) for n, card in enumerate(chosen[:4])]
    in_erp = [_second_person(card, n) for n, card in enumerate(chosen[4:], start=4)]
    ledger: dict[str, list[tuple[str, ...]]] = {
        "twice_in_salesforce": [(a.ids[0], b.ids[0]) for a, b in zip(chosen[:4], in_crm, strict=True)],
        "twice_in_sap": [(a.ids[1], b.ids[1]) for a, b in zip(chosen[4:], in_erp, strict=True)],
    }
    return ledger, [*in_crm, *in_erp]


def _second_contact(card: Card, place: int) -> Card:
    row = copy.deepcopy(card.contact) | {"FirstName": f"{card.person.first[0]}.", "Phone": None, "Title": None}
    return Card(card.person, card.entry, contact=row | {"Id": record_id("0035r00000C", SECOND_ROWS + place)})


def _second_person(card: Card, place: int) -> Card:
    again = replace(card.person, serial=SECOND_ROWS + place)
    company = card.relation["BusinessPartnerCompany"]
    return Card(again, card.entry, partner=person_partner(again), relation=relationship(again, company))


def _shared(cards: list[Card], random: Random) -> dict[str, list[tuple[str, ...]]]:
    """Two colleagues behind one mailbox."""
    alone = [card for card in cards if card.contact and not card.relation and not card.spared and not card.marks]
    first = {card.contact["AccountId"]: card for card in cards if card.relation and card.contact and not card.marks}
    open_to = [card for card in alone if card.contact["AccountId"] in first]
    found: list[tuple[str, ...]] = []
    for card in random.sample(open_to, 2):
        colleague = first[card.contact["AccountId"]]
        card.contact["Email"] = colleague.contact["Email"]
        found.append((colleague.ids[0], card.ids[0]))
    return {"shared_mailbox": found}


def _unknown_elsewhere(cards: list[Card]) -> dict[str, list[tuple[str, ...]]]:
    """Not mistakes, but what makes references wait: the customer is not in the other system, or in question."""
    sure = [card for card in cards if "question" not in card.marks]
    return {
        "account_not_in_sap": [card.ids for card in sure if not card.entry.partner],
        "partner_unknown_to_salesforce": [card.ids for card in sure if not card.entry.account],
        "customer_in_question": [card.ids for card in cards if "question" in card.marks],
    }


def _clean(cards: list[Card]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for card in sorted((card for card in cards if card.spared), key=lambda card: not card.relation):
        found.setdefault(card.contact["AccountId"], []).append(card.ids[0])
    return found
