"""Invents the people at the customers: who they truly are, before any system writes them down in its own way.

Not here: their rows in Salesforce and SAP (`contact_rows`) and what is wrong with them (`contacts`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from connectors.sandbox.firm import QUIET, Firm, slug

FIRST_NAMES = (
    "Adda", "Bolko", "Ceska", "Dörte", "Eilika", "Fürchtegott", "Gesche", "Hagen", "Imke", "Jörk", "Kunibert", "Lüder",
    "Minna", "Notburga", "Ottmar", "Petronella", "Quirin", "Röschen", "Sönke", "Traute", "Ursel", "Volkmar", "Wiebke",
    "Zenzi",
)  # fmt: skip
_HEADS = (
    "Wimpf", "Zwöck", "Knurz", "Prüttl", "Schnöf", "Murks", "Tölp", "Quabb", "Hüpf", "Flausch", "Grummel", "Pfläum",
    "Klöter", "Dussel", "Rumpf", "Bröck", "Stupf", "Wackel", "Nörgl", "Plüsch", "Zausel", "Mümmel", "Humpf", "Schlörr",
)  # fmt: skip
_TAILS = (
    "ental", "inger", "haupt", "bichler", "egard", "oschek", "wedel", "ström", "ebrand", "idorf", "umeister", "agrein",
    "ötter", "elmann", "etz", "ikow", "ersbach", "ahuber", "endonk", "ufsky", "össel", "eweit", "ondra", "ülk",
    "arotti", "ippel", "ockner", "ypsel",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Job:
    """What a person does at the firm, in the words and codes of both systems."""

    role: str
    """The hub's word, which is Salesforce's too."""
    title: str
    department: str
    function_code: str = ""
    department_code: str = ""


BILLING = Job("billing", "Head of accounts", "Finance", department_code="0007")
TECHNICAL = Job("technical", "Plant engineer", "Production", department_code="0004")
DECISION = Job("decision", "Executive board", "", function_code="0001")
ON_SITE = Job("site", "Caretaker", "Facilities")
JOBS = (BILLING, TECHNICAL, DECISION, ON_SITE)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody at a customer as they truly are."""

    firm: Firm
    first: str
    last: str
    job: Job
    extension: str
    changed: datetime
    serial: int
    """Makes the vendor ids."""

    @property
    def name(self) -> str:
        """First and last."""
        return f"{self.first} {self.last}"

    @property
    def email(self) -> str:
        """At the firm's domain."""
        return f"{slug(self.first)}.{slug(self.last)}@{self.firm.domain}"

    @property
    def phone(self) -> str:
        """The firm's number and an extension."""
        return f"{self.firm.phone}{self.extension}"


class Crowd:
    """Draws people, never the same last name twice; `serial` counts from `first`."""

    def __init__(self, random: Random, start: datetime, first: int = 0) -> None:
        self._random, self._start = random, start
        names = [head + tail for head, tail in itertools.product(_HEADS, _TAILS)]
        self._names: Iterator[str] = iter(random.sample(names, len(names)))
        self._serials = itertools.count(first)

    def at(self, firm: Firm, job: Job | None = None) -> Person:
        """Somebody new at this firm."""
        known = int((self._start - QUIET - firm.born).total_seconds())
        return Person(
            firm=firm,
            first=self._random.choice(FIRST_NAMES),
            last=next(self._names),
            job=job or self._random.choice(JOBS),
            extension=f"{self._random.randrange(11, 99)}",
            changed=firm.born + timedelta(seconds=self._random.randrange(known)),
            serial=next(self._serials),
        )
