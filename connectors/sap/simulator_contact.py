"""The simulator's contact persons: relationships between a company and a person, their time slices and their rows.

A relationship has no stamp of its own, and unless `Partners.moves_root` says so a change of it moves no partner's. Its
end is a key field, so it cannot be changed; a new time slice is another row. Not here: the partners themselves.
"""

from __future__ import annotations

from connectors.sap.simulator_query import Row
from connectors.sap.simulator_rules import invalid
from connectors.sap.simulator_schema import Entity, schema
from connectors.sap.simulator_store import Store

CONTACT = "A_BusinessPartnerContact"
FUNCTION = "A_BPContactToFuncAndDept"
WORKPLACE = "A_BPContactToAddress"
CATEGORY = "BUR001"
"""The relationship category of contact persons, the only one this entity set holds."""
_FIRST_NUMBER = 101
_FIRST_PERSON = 70001


def complete(store: Store, row: Row, today: str) -> None:
    """What the server fills into a new relationship."""
    while not row["RelationshipNumber"]:
        number = str(store.number("relationship", _FIRST_NUMBER))
        row["RelationshipNumber"] = "" if store.by(CONTACT, "RelationshipNumber", number) else number
    row["ValidityStartDate"] = row["ValidityStartDate"] or today
    row["ValidityEndDate"] = row["ValidityEndDate"] or "9999-12-31"
    row["RelationshipCategory"] = row["RelationshipCategory"] or CATEGORY


def complete_workplace(store: Store, row: Row) -> None:
    """A workplace is an address of the company, seen by one person with a number of its own."""
    address = store.tables["A_BusinessPartnerAddress"].get((row["BusinessPartnerCompany"], row["AddressID"]), {})
    own = {"Person", *schema()[WORKPLACE].keys}
    row |= {name: address[name] for name in row if name in address and name not in own}
    row["Person"] = row["Person"] or str(store.number("person", _FIRST_PERSON))


def check(store: Store, entity: Entity, row: Row) -> None:
    """Both partners exist, the person is one, and a pair has one relationship at a time."""
    if row["RelationshipCategory"] != CATEGORY:
        raise invalid(entity, "RelationshipCategory", f"Relationship category must be {CATEGORY}", "R1/401")
    for name in ("BusinessPartnerCompany", "BusinessPartnerPerson"):
        partner = store.tables["A_BusinessPartner"].get((row[name],))
        if partner is None or not store.visible(partner):
            raise invalid(entity, name, f"Business partner {row[name]} does not exist", "R1/402")
        if name == "BusinessPartnerPerson" and partner["BusinessPartnerCategory"] != "1":
            raise invalid(entity, name, f"Business partner {row[name]} is not a person", "R1/403")
    if row["ValidityEndDate"] < row["ValidityStartDate"]:
        raise invalid(entity, "ValidityEndDate", "The end of validity lies before its beginning", "R1/404")
    if any(_overlap(row, other) for other in store.by(CONTACT, "BusinessPartnerPerson", row["BusinessPartnerPerson"])):
        raise invalid(entity, "ValidityEndDate", "The relationship exists in this period", "R1/405")


def _overlap(row: Row, other: Row) -> bool:
    same = all(row[name] == other[name] for name in ("BusinessPartnerCompany", "BusinessPartnerPerson"))
    apart = row["ValidityStartDate"] > other["ValidityEndDate"] or other["ValidityStartDate"] > row["ValidityEndDate"]
    itself = all(row[name] == other[name] for name in schema()[CONTACT].keys)
    return same and not apart and not itself


def add_function(store: Store, row: Row) -> None:
    """Function and department are there with the relationship, empty at first."""
    entity = schema()[FUNCTION]
    made = {name: prop.initial for name, prop in entity.props.items()}
    store.put(entity, made | {name: row[name] for name in (*entity.keys, "RelationshipCategory")})


def function_of(store: Store, row: Row) -> Row:
    """The row of function and department of a relationship."""
    [found] = store.children(row, schema()[CONTACT].navs["to_ContactRelationship"])
    return found


def remove(store: Store, entity: Entity, row: Row) -> None:
    """The relationship goes with what hangs on it."""
    for nav in entity.navs.values():
        for child in store.children(row, nav):
            store.remove(schema()[nav.target], child)
    store.remove(entity, row)
