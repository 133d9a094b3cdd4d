"""Invents firms: who they truly are, before any system writes them down in its own way.

Not here: how Salesforce or SAP holds a firm (`connectors.sandbox.rows`) and what is wrong with the data
(`connectors.sandbox.mistakes`).
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from stdnum import luhn
from stdnum.at import uid as austria
from stdnum.ch import uid as switzerland
from stdnum.gb import vat as britain
from stdnum.iso7064 import mod_11_10
from stdnum.nl import bsn as netherlands

from connectors.sandbox.words import COUNTRIES, NOTES, Country, Place

HISTORY = timedelta(days=730)
"""How far back the company's records reach."""
QUIET = timedelta(hours=12)
"""Nobody has touched anything since this long before the clock's start."""
FIRST_NUMBER = 1_000_021
INDUSTRIES = ("Food & Beverage", "Healthcare", "Hospitality", "Manufacturing", "Retail", "Shipping", "Chemicals")
TERMS = ("0001", "NT14", "NT30", "NT30", "NT60")


@dataclass(frozen=True, slots=True)
class Address:
    """Where somebody is."""

    street: str
    number: str
    place: Place
    country: str

    @property
    def number_first(self) -> bool:
        """Whether people of that country write the number before the street."""
        return self.country in {"GB", "US", "FR"}

    @property
    def line(self) -> str:
        """Street and number as people write them."""
        return f"{self.number} {self.street}" if self.number_first else f"{self.street} {self.number}"


@dataclass(frozen=True, slots=True)
class Firm:
    """One customer of ours as it truly is."""

    stem: str
    name: str
    form: str
    country: Country
    billing: Address
    shipping: Address | None
    phone: str
    """International, with a blank after the dialling code and after the area: `+49 30 23125000`."""
    vat: str
    """With country prefix, no blanks; empty in the United States."""
    number: str
    """The SAP number, without leading zeros."""
    industry: str
    """As Salesforce's pick list says it."""
    terms: str
    billed: bool
    """False for a prospect."""
    notes: str
    born: datetime
    changed: datetime
    serial: int
    """Makes the vendor ids."""

    @property
    def domain(self) -> str:
        """The firm's part of the reserved top-level domain `example`."""
        return f"{slug(self.stem)}-{self.country.code.lower()}.example"

    @property
    def email(self) -> str:
        """Where its post arrives."""
        return f"office@{self.domain}"

    @property
    def website(self) -> str:
        """Its home page."""
        return f"https://www.{self.domain}"


def firms(random: Random, amount: int, start: datetime, first: int = 0) -> list[Firm]:
    """That many firms, all different; `start` is the moment the clock begins to run."""
    sources = [(_Source(random, country), share) for country, share in COUNTRIES]
    weights = [share for _, share in sources]
    makers = [source for source, _ in sources]
    return [random.choices(makers, weights)[0].firm(first + serial, start) for serial in range(amount)]


def slug(text: str) -> str:
    """Letters, digits and hyphens, for a domain name."""
    return "".join(char for char in transliterated(text).lower() if char.isascii() and (char.isalnum() or char == "-"))


def transliterated(text: str) -> str:
    """Without umlauts and accents, as typed on a foreign keyboard: `ü` becomes `ue`, `é` becomes `e`."""
    for umlaut, plain in {"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"}.items():
        text = text.replace(umlaut, plain)
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


class _Source:
    """Draws firms of one country, never the same stem, VAT id or telephone number twice."""

    def __init__(self, random: Random, country: Country) -> None:
        self.random = random
        self.country = country
        stems = [head + tail for head, tail in itertools.product(country.heads, country.tails)]
        self.stems = iter(random.sample(stems, len(stems)))
        numbers = [area + f"{n:0{free}}" for area, free in country.ranges for n in range(10 ** min(free, 3))]
        self.phones = iter(random.sample(numbers, len(numbers)))
        self.vats = _vats(random, country.code)

    def firm(self, serial: int, start: datetime) -> Firm:
        """The next one."""
        random, country = self.random, self.country
        stem, form = next(self.stems), random.choice(country.forms)
        name = country.pattern.format(stem=stem, trade=random.choice(country.trades), form=form)
        born = start - HISTORY + timedelta(seconds=random.randrange(int((HISTORY - QUIET).total_seconds()) // 2))
        changed = born + timedelta(seconds=random.randrange(int((start - QUIET - born).total_seconds())))
        return Firm(
            stem=stem,
            name=name,
            form=form,
            country=country,
            billing=self._address(),
            shipping=self._address() if random.random() < 0.15 else None,  # noqa: PLR2004 - a share
            phone=f"+{country.dial} {next(self.phones)}",
            vat=next(self.vats),
            number=str(FIRST_NUMBER + 3 * serial),
            industry=random.choice(INDUSTRIES),
            terms=random.choice(TERMS),
            billed=random.random() < 0.9 or country.code == "US",  # noqa: PLR2004 - a share
            notes=random.choice(NOTES) if random.random() < 0.2 else "",  # noqa: PLR2004 - a share
            born=born,
            changed=changed,
            serial=serial,
        )

    def _address(self) -> Address:
        street, number = self.random.choice(self.country.streets), str(self.random.randrange(1, 120))
        return Address(street, number, self.random.choice(self.country.places), self.country.code)


def _vats(random: Random, country: str) -> Iterator[str]:
    """VAT ids with right check digits, in blocks that look unissued (they begin with nines where they may)."""
    make = _MAKERS.get(country)
    seen: set[str] = set()
    while True:
        vat = make(f"99{random.randrange(100_000):05}") if make else ""
        if vat not in seen or not make:
            seen.add(vat)
            yield vat


def _german(body: str) -> str:
    return f"DE{body}0{mod_11_10.calc_check_digit(body + '0')}"


def _austrian(body: str) -> str:
    return f"ATU{body}{austria.calc_check_digit('U' + body)}"


def _swiss(body: str) -> str:
    return _counted(lambda tail: f"CHE{body}{tail:02}", switzerland.is_valid)


def _dutch(body: str) -> str:
    number = _counted(lambda tail: f"{body}{tail:02}", netherlands.is_valid)
    return f"NL{number}B01"


def _french(body: str) -> str:
    siren = f"{body}0{luhn.calc_check_digit(body + '0')}"
    return f"FR{int(siren + '12') % 97:02}{siren}"


def _british(body: str) -> str:
    return _counted(lambda tail: f"GB{body}{tail:02}", britain.is_valid)


def _counted(candidate: Callable[[int], str], valid: Callable[[str], bool]) -> str:
    return next(made for made in map(candidate, range(100)) if valid(made))


_MAKERS: dict[str, Callable[[str], str]] = {
    "DE": _german,
    "AT": _austrian,
    "CH": _swiss,
    "NL": _dutch,
    "FR": _french,
    "GB": _british,
}
