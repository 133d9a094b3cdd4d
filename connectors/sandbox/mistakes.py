"""One function per mistake that people and systems make with one customer's data, and the table that doses them.

Not here: mistakes that need a second row or a second firm (`connectors.sandbox.company`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import combinations
from random import Random
from typing import Any, TypeAlias

from connectors.sandbox.firm import Firm, transliterated
from connectors.sandbox.rows import account_id, names
from connectors.sandbox.words import OTHER_FORMS

Row: TypeAlias = dict[str, Any]
LONG_NAME = 100
LONG_WORDS = (
    "Vereinigte", "Kühlhäuser", "Großküchen", "Bäckereien", "Wäschereien", "Molkereien", "Brauereien", "Fruchthöfe",
    "und", "Käsereien", "Mühlen", "Weine", "Hofläden",
)  # fmt: skip


@dataclass(slots=True)
class Entry:
    """One firm with the rows written about it; a system that does not know the firm has none."""

    firm: Firm
    account: Row = field(default_factory=dict)
    partner: Row = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)
    """Sorts of mistakes already made here: two of one sort would hide each other."""

    @property
    def ids(self) -> tuple[str, str]:
        """The Salesforce id and the SAP number; empty where the system has no row."""
        return str(self.account.get("Id", "")), str(self.partner.get("BusinessPartner", ""))

    @property
    def standard(self) -> Row:
        """The first address of the partner."""
        address: Row = self.partner["to_BusinessPartnerAddress"][0]
        return address


Fits: TypeAlias = Callable[[Entry], bool]
Plant: TypeAlias = Callable[[Entry, Random], None]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake, how often it is made, what it excludes, and whom it can befall."""

    name: str
    times: int
    sorts: tuple[str, ...]
    plant: Plant
    fits: Fits = lambda _: True


# -- keys ----------------------------------------------------------------------------------------


def _only_weak(entry: Entry, random: Random) -> None:
    entry.account.update({"AccountNumber": None, "FSM_VAT_Id__c": None})
    if random.random() < 0.5 and entry.firm.form in OTHER_FORMS and "&" not in entry.firm.form:  # noqa: PLR2004 - half
        _legal_form(entry, random)


def _vat_missing_in_salesforce(entry: Entry, _: Random) -> None:
    entry.account["FSM_VAT_Id__c"] = None


def _vat_missing_in_sap(entry: Entry, _: Random) -> None:
    entry.partner["to_BusinessPartnerTax"] = []


def _number_missing(entry: Entry, _: Random) -> None:
    entry.account["AccountNumber"] = None


def _wrong_vat(entry: Entry, random: Random) -> None:
    vat = entry.firm.vat
    wrong = (int(vat[-1]) + random.randrange(1, 10)) % 10
    entry.account["FSM_VAT_Id__c"] = f"{vat[:-1]}{wrong}"


def _other_country(entry: Entry, _: Random) -> None:
    entry.account.update({"AccountNumber": None, "BillingCountry": "AT" if entry.firm.country.code == "DE" else "DE"})


def _leading_zeros(entry: Entry, _: Random) -> None:
    entry.account["AccountNumber"] = entry.firm.number.zfill(10)


def _vat_format(entry: Entry, random: Random) -> None:
    vat = entry.firm.vat
    spaced, dotted = (mark.join((vat[2:5], vat[5:8], vat[8:])) for mark in " .")
    entry.account["FSM_VAT_Id__c"] = random.choice((f"{vat[:2]} {spaced}", vat.lower(), f"{vat[:2]} {dotted}"))


def _short_id(entry: Entry, random: Random) -> None:
    entry.account["Site"] = account_id(random.randrange(300))[:15]


# -- names ---------------------------------------------------------------------------------------


def _legal_form(entry: Entry, random: Random) -> None:
    form = entry.firm.form
    entry.account["Name"] = entry.firm.name.removesuffix(form) + random.choice(OTHER_FORMS[form])


def _spelling(entry: Entry, _: Random) -> None:
    entry.account["Name"] = transliterated(entry.firm.name)


def _upper_case(entry: Entry, _: Random) -> None:
    entry.partner.update(names(entry.firm.name.upper()))


def _decomposed(entry: Entry, _: Random) -> None:
    entry.account["Name"] = unicodedata.normalize("NFD", entry.firm.name)


def _long_name(entry: Entry, _: Random) -> None:
    choices = (words for size in range(2, len(LONG_WORDS)) for words in combinations(LONG_WORDS, size))
    long = (f"{entry.firm.stem} {' '.join(words)} Betriebsgesellschaft {entry.firm.form}" for words in choices)
    name = next(name for name in long if len(name) == LONG_NAME)
    entry.account["Name"] = name
    entry.partner.update(names(name))


def _entity(entry: Entry, _: Random) -> None:
    entry.account["Name"] = entry.firm.name.replace("&", "&amp;")


def _trailing_blanks(entry: Entry, random: Random) -> None:
    entry.account["Name"] = entry.firm.name + " " * random.randrange(1, 4)


# -- telephone, address, the rest ----------------------------------------------------------------


def _phone_format(entry: Entry, random: Random) -> None:
    dial, area, rest = entry.firm.phone.removeprefix("+").split(" ")
    trunk = "" if dial == "1" else "0"
    forms = (
        f"{trunk}{area}/{rest}",
        f"({trunk}{area}) {rest[:3]}-{rest[3:]}",
        f"00{dial} {area} {rest[:3]} {rest[3:]}",
        f"+{dial}-{area}-{rest}",
        f"{trunk}{area}{rest}",
    )
    entry.account["Phone"] = random.choice(forms)


def _other_phone(entry: Entry, random: Random) -> None:
    phone = entry.account["Phone"]
    entry.account["Phone"] = f"{phone[:-1]}{(int(phone[-1]) + random.randrange(1, 10)) % 10}"


def _empty_phone(entry: Entry, _: Random) -> None:
    entry.standard["to_PhoneNumber"][0].update({"PhoneNumber": "", "InternationalPhoneNumber": ""})


def _crlf(entry: Entry, random: Random) -> None:
    extra = random.choice(("Hinterhaus", "Gebäude 4", "c/o Empfang", "Tor 3"))
    entry.account["BillingStreet"] = f"{entry.firm.billing.line}\r\n{extra}"
    entry.standard["StreetSuffixName"] = extra


def _country_as_text(entry: Entry, random: Random) -> None:
    entry.account["BillingCountry"] = random.choice(entry.firm.country.spelled)


def _number_in_street(entry: Entry, _: Random) -> None:
    entry.standard.update({"StreetName": entry.firm.billing.line, "HouseNumber": ""})


def _outdated_address(entry: Entry, random: Random) -> None:
    places = [place for place in entry.firm.country.places if place != entry.firm.billing.place]
    old = random.choice(places)
    state = old.region or None
    entry.account.update({"BillingPostalCode": old.postcode, "BillingCity": old.city, "BillingState": state})


def _unmapped_in_salesforce(entry: Entry, _: Random) -> None:
    entry.account["Industry"] = "Aquaculture"


def _unmapped_in_sap(entry: Entry, _: Random) -> None:
    entry.partner["Industry"] = "ZZ99"


def _do_not_contact(entry: Entry, _: Random) -> None:
    entry.account["FSM_Do_Not_Contact__c"] = True


def _blocked(entry: Entry, _: Random) -> None:
    entry.partner["BusinessPartnerIsBlocked"] = True


def _archived(entry: Entry, _: Random) -> None:
    entry.partner["IsMarkedForArchiving"] = True


def _terms_missing(entry: Entry, _: Random) -> None:
    entry.account["FSM_Payment_Terms__c"] = None


# -- whom a mistake can befall -------------------------------------------------------------------


def _billed(entry: Entry) -> bool:
    return entry.firm.billed


def _billed_with_vat(entry: Entry) -> bool:
    return entry.firm.billed and bool(entry.firm.vat)


def _numbered(entry: Entry) -> bool:
    return bool(entry.account["AccountNumber"])


def _german(entry: Entry) -> bool:
    return _billed(entry) and entry.firm.country.code == "DE"


def _accented(entry: Entry) -> bool:
    return transliterated(entry.firm.name) != entry.firm.name


def _composed(entry: Entry) -> bool:
    return unicodedata.normalize("NFD", entry.firm.name) != entry.firm.name


MISTAKES = (
    Mistake("weak_match_only", 12, ("key", "name", "address"), _only_weak, _billed_with_vat),
    Mistake("wrong_vat_in_salesforce", 3, ("key", "vat"), _wrong_vat, _german),
    Mistake("country_contradicts_vat", 2, ("key", "address"), _other_country, _billed_with_vat),
    Mistake("vat_missing_in_salesforce", 30, ("key", "vat"), _vat_missing_in_salesforce, _billed_with_vat),
    Mistake("vat_missing_in_sap", 20, ("key",), _vat_missing_in_sap, _billed_with_vat),
    Mistake("account_number_missing", 40, ("key",), _number_missing, _billed_with_vat),
    Mistake("leading_zeros", 60, ("number",), _leading_zeros, _numbered),
    Mistake("vat_format", 15, ("vat",), _vat_format, lambda entry: bool(entry.account["FSM_VAT_Id__c"])),
    Mistake("short_id_in_text", 10, ("site",), _short_id),
    Mistake("long_name", 2, ("name",), _long_name, _german),
    Mistake("html_entity", 4, ("name",), _entity, lambda entry: "&" in entry.firm.name),
    Mistake("decomposed_text", 8, ("name",), _decomposed, _composed),
    Mistake("spelling_variant", 14, ("name",), _spelling, _accented),
    Mistake("legal_form_variant", 20, ("name",), _legal_form, lambda entry: entry.firm.form in OTHER_FORMS),
    Mistake("upper_case_name", 6, ("name",), _upper_case, lambda entry: "ß" not in entry.firm.name),
    Mistake("trailing_blanks", 12, ("name",), _trailing_blanks),
    Mistake("phone_differs", 6, ("phone",), _other_phone),
    Mistake("empty_phone_in_sap", 5, ("phone",), _empty_phone),
    Mistake("phone_format", 90, ("phone",), _phone_format),
    Mistake("crlf_street", 6, ("address",), _crlf),
    Mistake("address_outdated_in_salesforce", 5, ("address",), _outdated_address, _billed),
    Mistake("country_as_text", 25, ("address",), _country_as_text),
    Mistake(
        "house_number_in_street", 10, ("address",), _number_in_street, lambda entry: not entry.firm.billing.number_first
    ),
    Mistake("unmapped_industry_in_salesforce", 2, ("industry",), _unmapped_in_salesforce),
    Mistake("unmapped_industry_in_sap", 1, ("industry",), _unmapped_in_sap),
    Mistake("do_not_contact_on_one_side", 5, ("contact",), _do_not_contact),
    Mistake("blocked_in_sap", 2, ("state",), _blocked, _billed),
    Mistake("archived_in_sap", 2, ("state",), _archived, _billed),
    Mistake("payment_terms_missing_in_salesforce", 20, ("terms",), _terms_missing, _billed),
)
"""In this order: what needs a key comes before what only dresses it up."""


def make_all(entries: list[Entry], random: Random) -> dict[str, list[tuple[str, ...]]]:
    """Make every mistake the agreed number of times; answers where, by name of the mistake."""
    return {mistake.name: _make(mistake, entries, random) for mistake in MISTAKES}


def _make(mistake: Mistake, entries: list[Entry], random: Random) -> list[tuple[str, ...]]:
    open_to = [entry for entry in entries if entry.marks.isdisjoint(mistake.sorts) and mistake.fits(entry)]
    chosen = random.sample(open_to, mistake.times)
    for entry in chosen:
        mistake.plant(entry, random)
        entry.marks.update(mistake.sorts)
    return [entry.ids for entry in chosen]
