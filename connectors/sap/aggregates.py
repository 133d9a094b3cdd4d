"""The objects of this connector, one class each: business partners, their contact persons, their addresses.

API_BUSINESS_PARTNER stamps a change on the partner alone, so every aggregate hangs on a partner: its changes are
found by the partner's stamps, and a page is one query for partners and at most one more for what hangs on them.
Not here: paging and cursors (`feed`), reading by id or key (`reading`), writing (`writer`, `contact`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote

from connectors.sap.document import PERSON, STAMPS, Shape, add_key, document, ended
from connectors.sap.odata import Model, any_of, compare, normal_id
from connectors.sap.paths import steps
from connectors.sap.session import Session
from connectors.sap.settings import ADDRESS, CONTACT, ROOT
from fsm_core.errors import BadMapping
from fsm_core.ports import Creates, Deletes, Object

ADDRESSES = "to_BusinessPartnerAddress"
_RELATIONSHIP_LENGTH = 12
IDS_PER_QUERY = 50
"""More tests than this in one filter make a request line too long for some gateways."""


@dataclass(frozen=True, slots=True)
class Found:
    """One record as the system shows it now."""

    id: str
    document: dict[str, Any]
    partner: Mapping[str, Any]
    """The document of the partner it hangs on, whose stamps tell of changes."""
    keyed: bool = True
    """Whether the partner's identification number names this record."""


@dataclass(frozen=True, slots=True)
class View:
    """What a binding asks for."""

    record: Shape
    partners: Shape
    """What is asked of the partners it hangs on: their stamps at least. Shares its parts with `record`."""


class Aggregate(ABC):
    """A root entity set, its ids, what is asked of partners, and how rows become records."""

    name: ClassVar[str]
    noun: ClassVar[str]
    creates: ClassVar[Creates] = Creates.PROBE
    deletes: ClassVar[Deletes] = Deletes.SWEEP
    """What ends is not shown any more, and moves no stamp."""
    only: ClassVar[str] = ""
    """Which partners it hangs on, as an OData test."""
    required: ClassVar[frozenset[str]] = frozenset()
    """Paths without which nothing new is made."""

    @abstractmethod
    def view(self, model: Model, obj: Object) -> View:
        """What a binding asks for; raises `BadMapping` for a path that this system does not have."""

    @abstractmethod
    def records(self, session: Session, view: View, raw: Sequence[Mapping[str, Any]], *, fresh: bool) -> list[Found]:
        """What hangs on these partners (raw rows, ascending); see `document` for `fresh`."""

    @abstractmethod
    def partner_in(self, id: str) -> str:  # noqa: A002 - as in the ports
        """The number of the partner a record hangs on."""

    @abstractmethod
    def normal(self, id: str) -> str:  # noqa: A002 - as in the ports
        """An id as records carry it; empty for what cannot be one: the service would refuse the whole filter."""


class Partners(Aggregate):
    """A business partner with its addresses, roles, tax numbers, identifications and customer views."""

    name = ROOT
    noun = "business partner"
    deletes = Deletes.FLAGS

    def partner_in(self, id: str) -> str:  # noqa: A002 - as in the ports
        """The id is the number."""
        return id

    def normal(self, id: str) -> str:  # noqa: A002 - as in the ports
        """Zeros go only when all is digits."""
        return possible(id)

    def view(self, model: Model, obj: Object) -> View:
        """With the change stamps and our identification row."""
        shape = asked(model, obj, stamps_of(model))
        add_key(model, shape, obj.key)
        return View(shape, shape)

    def records(self, session: Session, view: View, raw: Sequence[Mapping[str, Any]], *, fresh: bool) -> list[Found]:
        """One record per partner."""
        made = (document(view.record, row, session.today, fresh=fresh) for row in raw)
        return [Found(doc["BusinessPartner"], doc, doc) for doc in made]


class Pairs(Aggregate):
    """Records named by two numbers."""

    holder: ClassVar[int]
    """Which of them is the partner it hangs on."""

    def partner_in(self, id: str) -> str:  # noqa: A002 - as in the ports
        """One of the two."""
        return numbers_in(id)[self.holder] if id else ""

    def normal(self, id: str) -> str:  # noqa: A002 - as in the ports
        """Both as the service echoes them."""
        found = [possible(number) for number in numbers_in(id)]
        return pair(*found) if len(found) == 2 and all(found) else ""  # noqa: PLR2004 - a pair


class Contacts(Pairs):
    """A relationship between a company and a person, with the person's partner under `to_Person`.

    The id is `<company>/<person>`: a relationship may have several time slices and numbers, a pair has one that is
    valid. A person may be contact of several companies; the number that names the hub's record is then that of the
    oldest relationship.
    """

    name = CONTACT
    noun = "contact person"
    only = "BusinessPartnerCategory eq '1'"
    required = frozenset({"BusinessPartnerCompany", f"{PERSON}.LastName"})
    holder = 1

    def view(self, model: Model, obj: Object) -> View:
        """With the stamps and the identification row of the person."""
        shape = asked(model, obj)
        person = shape.child(model, PERSON)
        person.fields = dict.fromkeys((*stamps_of(model), *person.fields))
        add_key(model, person, obj.key)
        return View(shape, person)

    def records(self, session: Session, view: View, raw: Sequence[Mapping[str, Any]], *, fresh: bool) -> list[Found]:
        """The relationships of these persons, in one more query; of a pair's time slices the oldest still valid."""
        today = session.today
        documents = (document(view.partners, row, today, fresh=fresh) for row in raw)
        persons = {str(doc["BusinessPartner"]): doc for doc in documents}
        if not persons:
            return []
        oldest: dict[str, str] = {}
        found: dict[str, Found] = {}
        for doc in self._relationships(session, view.record, list(persons), fresh=fresh):
            number = doc["BusinessPartnerPerson"]
            if number not in persons:
                continue
            first = oldest.setdefault(number, doc["RelationshipNumber"])
            made = Found(
                pair(doc["BusinessPartnerCompany"], number),
                {**doc, PERSON: persons[number]},
                persons[number],
                keyed=first == doc["RelationshipNumber"],
            )
            if not ended(doc, today):
                found.setdefault(made.id, made)
        return list(found.values())

    def _relationships(
        self, session: Session, shape: Shape, persons: Sequence[str], *, fresh: bool
    ) -> Iterator[dict[str, Any]]:
        """All time slices, the oldest relationship first: whether numbers have zeros in front is the system's habit."""
        below = shape.without(PERSON)
        options = {"$filter": self._of(shape, persons), "$orderby": "RelationshipNumber,ValidityEndDate"}
        rows = session.all_rows(self.name, options | below.options())
        for row in sorted(rows, key=lambda row: str(row["RelationshipNumber"]).zfill(_RELATIONSHIP_LENGTH)):
            doc = document(below, row, session.today, fresh=fresh)
            for name in ("BusinessPartnerCompany", "BusinessPartnerPerson"):
                doc[name] = normal_id(str(doc[name]))
            yield doc

    @staticmethod
    def _of(shape: Shape, persons: Sequence[str]) -> str:
        """Few persons by number; many, which are neighbours in a full pass, by their range: one query in any case."""
        person = shape.entity.field("BusinessPartnerPerson")
        if len(persons) <= IDS_PER_QUERY:
            return any_of(compare(person, "eq", one) for one in persons)
        return f"{compare(person, 'ge', persons[0])} and {compare(person, 'le', persons[-1])}"


class Addresses(Pairs):
    """One address of a partner, with its usages and communication data. The id is `<partner>/<AddressID>`."""

    name = ADDRESS
    noun = "address"
    creates = Creates.NEVER
    holder = 0

    def view(self, model: Model, obj: Object) -> View:
        """With the day the address ends; owner and addresses come in one query."""
        shape = asked(model, obj, ("ValidityEndDate",))
        owner = Shape(model[ROOT], dict.fromkeys(stamps_of(model)), {ADDRESSES: shape})
        return View(shape, owner)

    def records(self, session: Session, view: View, raw: Sequence[Mapping[str, Any]], *, fresh: bool) -> list[Found]:
        """Every address of these partners that has not ended."""
        found = []
        for owner in (document(view.partners, row, session.today, fresh=fresh) for row in raw):
            partner = owner["BusinessPartner"]
            for row in (row for row in owner.pop(ADDRESSES) if not ended(row, session.today)):
                address = row | {"BusinessPartner": partner, "AddressID": normal_id(str(row["AddressID"]))}
                found.append(Found(pair(partner, address["AddressID"]), address, owner, keyed=False))
        return found


AGGREGATES: Mapping[str, Aggregate] = {one.name: one for one in (Partners(), Contacts(), Addresses())}


def possible(number: str) -> str:
    """A number as the service echoes it; empty when it is too long to be one."""
    found = normal_id(number)
    return found if len(found) <= 10 else ""  # noqa: PLR2004 - BusinessPartner and AddressID hold ten characters


def pair(one: str, other: str) -> str:
    """Two numbers as one id; a number given by a person may itself hold a slash."""
    return "/".join(number.replace("%", "%25").replace("/", "%2F") for number in (one, other))


def numbers_in(id: str) -> list[str]:  # noqa: A002 - as in the ports
    """The numbers of an id made by `pair`."""
    return [unquote(part) for part in id.split("/")]


def stamps_of(model: Model) -> tuple[str, ...]:
    """A partner's keys and the change stamps that this system has."""
    entity = model[ROOT]
    return (*entity.keys, *(name for name in STAMPS if name in entity.fields))


def asked(model: Model, obj: Object, always: Iterable[str] = ()) -> Shape:
    """The shape of a binding's paths, with keys; no path at all asks for every property."""
    entity = model[obj.name]
    shape = Shape(entity, dict.fromkeys((*entity.keys, *always)))
    for path in obj.fields or tuple(entity.fields):
        shape.add(model, steps(path))
    return shape


def aggregate_of(model: Model, obj: Object) -> Aggregate:
    """The aggregate of a binding; raises `BadMapping` for an object that this system does not have."""
    if obj.name not in AGGREGATES or obj.name not in model or ROOT not in model:
        known = ", ".join(name for name in AGGREGATES if name in model)
        raise BadMapping(f"no object {obj.name!r} here; known are {known}", system="sap", object=obj.name)
    return AGGREGATES[obj.name]
