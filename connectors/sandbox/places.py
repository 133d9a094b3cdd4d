"""The places of the company's customers as Salesforce keeps them: Locations, visitor addresses, links to accounts.

SAP's sites are the partners' own addresses, so nothing is added there. `Places.defects` is the ledger of the planted
mistakes. Not here: the addresses of accounts and partners (`rows`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random

from connectors.sandbox.contacts import Standing
from connectors.sandbox.firm import Address, Firm
from connectors.sandbox.mistakes import Entry, Row
from connectors.sandbox.rows import record_id, stamp

BILLING_SHARE, SHIPPING_SHARE = 0.55, 0.8
SECOND_WORKS, PROSPECT_WORKS = 24, 12
INSTRUCTIONS = (
    "Klingel hinten links, dann zwei Minuten warten.",
    "Ring twice; the porter is deaf in one ear.",
    "Torcode hängt beim Pförtner, nicht am Tor.",
    "Demander la clé de la chaufferie au concierge.",
)


@dataclass(slots=True)
class Spot:
    """One Location with what hangs on it, and the SAP address that is the same place, if there is one."""

    firm: Firm
    location: Row
    address: Row
    links: list[Row]
    twin: str = ""
    """`partner/address` in SAP."""
    spared: bool = False
    marks: set[str] = field(default_factory=set)

    @property
    def ids(self) -> tuple[str, str]:
        """The Salesforce id, and the SAP address; empty where there is none."""
        return str(self.location["Id"]), self.twin


@dataclass(frozen=True, slots=True)
class Places:
    """Every Location of the company."""

    locations: list[Row]
    addresses: list[Row]
    links: list[Row]
    """AssociatedLocation rows."""
    defects: dict[str, list[tuple[str, ...]]]
    """Mistake -> where: (location id, `partner/address`), or for places entered twice (original, duplicate)."""
    pairs: dict[str, str]
    """The truth: location id -> `partner/address` that is the same place."""
    clean: dict[str, list[str]]
    """Account -> locations without any mistake, the billing address first."""


# -- mistakes -------------------------------------------------------------------------------------


Plant = Callable[[Spot, Random], None]


def _country_as_text(spot: Spot, random: Random) -> None:
    spot.address["Country"] = random.choice(spot.firm.country.spelled)


def _upper_case(spot: Spot, _: Random) -> None:
    spot.address["City"] = spot.address["City"].upper()


def _gate(spot: Spot, _: Random) -> None:
    spot.address["Street"] += "\r\nTor 3"


def _wrong_postcode(spot: Spot, _: Random) -> None:
    code = spot.address["PostalCode"]
    spot.address["PostalCode"] = f"{code[:-1]}{(int(code[-1]) + 1) % 10}"
    spot.location["Name"] = f"{spot.address['Street']}, {spot.address['City']}"


@dataclass(frozen=True, slots=True)
class Slip:
    """A mistake with a place, how often it is made, and whom it can befall."""

    name: str
    times: int
    plant: Plant
    fits: Callable[[Spot], bool] = lambda _: True


SLIPS = (
    Slip("postcode_differs", 4, _wrong_postcode, lambda spot: spot.firm.country.code == "DE"),
    Slip("country_as_text", 15, _country_as_text),
    Slip("city_in_capitals", 6, _upper_case),
    Slip("gate_in_street", 5, _gate),
)


def _make(slip: Slip, spots: list[Spot], random: Random) -> list[tuple[str, ...]]:
    chosen = random.sample([spot for spot in spots if not spot.marks and slip.fits(spot)], slip.times)
    for spot in chosen:
        slip.plant(spot, random)
        spot.marks.add(slip.name)
    return [spot.ids for spot in chosen]


# -- which places Salesforce knows ----------------------------------------------------------------


def settle(entries: Iterable[Entry], standing: Standing, seed: int, start: datetime) -> Places:
    """The places of all these firms."""
    random = Random(f"places of {seed}")  # noqa: S311 - repeatable, not secret
    atlas = _Atlas(random, start)
    sure = [entry for entry in entries if entry.account and not standing.in_question(entry)]
    spots = [spot for entry in sure for spot in atlas.known(entry, spared=entry.ids in standing.spared)]
    free = [spot for spot in spots if spot.twin and not spot.spared and not spot.marks]
    twice, doubles = _entered_twice(free, random, atlas)
    ledger = {slip.name: _make(slip, free, random) for slip in SLIPS} | twice | _shared(free, random, atlas)
    works, prospects = _more(sure, random, atlas, standing)
    ledger |= {"only_in_salesforce": [spot.ids for spot in works], "account_not_in_sap": [s.ids for s in prospects]}
    rows = [*spots, *doubles, *works, *prospects]
    random.shuffle(rows)
    links = [link for spot in rows for link in spot.links]
    pairs = dict(spot.ids for spot in spots if spot.twin)
    return Places([s.location for s in rows], [s.address for s in rows], links, ledger, pairs, _clean(spots))


class _Atlas:
    """Writes Locations down."""

    def __init__(self, random: Random, start: datetime) -> None:
        self.random, self.start = random, start
        self.serials, self.link_serials = itertools.count(), itertools.count()

    def known(self, entry: Entry, *, spared: bool) -> list[Spot]:
        """The places of a firm that are addresses of its partner too."""
        found: list[Spot] = []
        if not (entry.partner and entry.firm.billed):
            return found
        marks = {"address"} if "address" in entry.marks else set()
        rows = entry.partner["to_BusinessPartnerAddress"]
        if spared or self.random.random() < BILLING_SHARE:
            found.append(self.spot(entry, entry.firm.billing, f"Werk {entry.firm.stem}", rows[0]["AddressID"]))
        if entry.firm.shipping and (spared or self.random.random() < SHIPPING_SHARE):
            found.append(self.spot(entry, entry.firm.shipping, f"Lager {entry.firm.stem}", rows[1]["AddressID"]))
        return [replace(spot, spared=spared, marks=set(marks)) for spot in found]

    def spot(self, entry: Entry, place: Address, name: str, twin: str = "") -> Spot:
        """One Location, its visitor address and its account."""
        firm, serial = entry.firm, next(self.serials)
        location, address = record_id("1315r00000L", serial), record_id("1305r00000A", serial)
        when = {"CreatedDate": stamp(firm.born), "LastModifiedDate": stamp(firm.changed)}
        when |= {"SystemModstamp": stamp(firm.changed)}
        lived = self.random.random() < 0.3  # noqa: PLR2004 - a share
        return Spot(
            firm,
            {
                "Id": location,
                "Name": name,
                "LocationType": "Site",
                "VisitorAddressId": address,
                "FSM_Access_Instructions__c": self.random.choice(INSTRUCTIONS) if lived else None,
                "FSM_Opening_Hours__c": "Mo-Fr 07:00-16:00" if lived else None,
                "FSM_Safety_Codes__c": "GAS;HELMET" if lived else None,
                **when,
            },
            {"Id": address, "ParentId": location, "AddressType": "Mailing", "LocationType": "Site", **_lines(place)}
            | when,
            [self.link(location, entry.account["Id"]) | when],
            f"{entry.partner['BusinessPartner']}/{twin}" if twin else "",
        )

    def link(self, location: str, account: str) -> Row:
        """An AssociatedLocation."""
        return {
            "Id": record_id("1AR5r00000V", next(self.link_serials)),
            "LocationId": location,
            "ParentRecordId": account,
        }


def _lines(place: Address) -> Row:
    return {
        "Street": place.line,
        "City": place.place.city,
        "State": place.place.region or None,
        "PostalCode": place.place.postcode,
        "Country": place.country,
    }


def _entered_twice(
    spots: list[Spot], random: Random, atlas: _Atlas
) -> tuple[dict[str, list[tuple[str, ...]]], list[Spot]]:
    """A second Location at the same address of the same account."""
    doubles = []
    chosen = random.sample(spots, 3)
    for spot in chosen:
        spot.marks.add("twice")
        serial = next(atlas.serials)
        location, address = record_id("1315r00000L", serial), record_id("1305r00000A", serial)
        doubles.append(
            replace(
                spot,
                location=spot.location | {"Id": location, "Name": spot.firm.stem, "VisitorAddressId": address},
                address=spot.address | {"Id": address, "ParentId": location},
                links=[spot.links[0] | atlas.link(location, spot.links[0]["ParentRecordId"])],
                twin="",
            )
        )
    found: list[tuple[str, ...]] = [(a.ids[0], b.ids[0]) for a, b in zip(chosen, doubles, strict=True)]
    return {"twice_in_salesforce": found}, doubles


def _shared(spots: list[Spot], random: Random, atlas: _Atlas) -> dict[str, list[tuple[str, ...]]]:
    """A second customer in the same building, who moved in later."""
    chosen = random.sample([spot for spot in spots if not spot.marks], 2)
    for spot, neighbour in zip(chosen, reversed(chosen), strict=True):
        spot.marks.add("shared")
        lodger = atlas.link(spot.location["Id"], neighbour.links[0]["ParentRecordId"])
        later = stamp(atlas.start.replace(hour=0, minute=0))
        spot.links.append(lodger | {"CreatedDate": later, "LastModifiedDate": later, "SystemModstamp": later})
    return {"shared_building": [spot.ids for spot in chosen]}


def _more(entries: list[Entry], random: Random, atlas: _Atlas, standing: Standing) -> tuple[list[Spot], list[Spot]]:
    """Places that SAP has no address for: second works of customers, and the works of prospects it does not know."""
    customers = [e for e in entries if e.partner and e.firm.billed and e.ids not in standing.spared]
    prospects = random.sample([entry for entry in entries if not entry.partner], PROSPECT_WORKS)
    works = [
        atlas.spot(entry, _elsewhere(entry.firm, random), f"Werk 2 {entry.firm.stem}")
        for entry in random.sample(customers, SECOND_WORKS)
    ]
    return works, [atlas.spot(entry, entry.firm.billing, f"Werk {entry.firm.stem}") for entry in prospects]


def _elsewhere(firm: Firm, random: Random) -> Address:
    others = [street for street in firm.country.streets if street != firm.billing.street]
    return replace(firm.billing, street=random.choice(others), number=str(random.randrange(120, 200)))


def _clean(spots: list[Spot]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for spot in (spot for spot in spots if spot.spared):
        found.setdefault(spot.links[0]["ParentRecordId"], []).append(spot.ids[0])
    return found
