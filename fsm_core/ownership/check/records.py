"""Checks of whole records: births (S11), deaths (S12), keys (S16), singletons (S17), order (S18).

Not here: fields.
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm_core.errors import BadMapping
from fsm_core.ownership.check.catalogue import Finding, Level
from fsm_core.ownership.check.kinds import kind
from fsm_core.ownership.check.states import document, resolve
from fsm_core.ownership.check.subject import Subject
from fsm_core.ownership.lines import Place
from fsm_core.ownership.rules import Singleton
from fsm_core.sync.deletion import ENDINGS
from fsm_core.sync.order import parents_first

_OF_RECORD = "_of_record"
_MASTER = "_master"
FINANCE = "finance"
INVOICES = ("invoice", "invoices")


def creators(subject: Subject) -> Iterator[Finding]:
    """S11: nobody may create, or several may and nothing tells whether they mean the same thing."""
    for entity, rules in subject.file.entities.items():
        home: Place = ("entities", entity, "create")
        if not rules.create.allowed:
            yield subject.found(
                "S11",
                home,
                f"nobody may create {entity} records: all of them would be refused",
                {"allowed": []},
                "Name at least one role under create.allowed.",
                entity=entity,
            )
        systems = subject.systems(entity, rules.create.allowed)
        if len(systems) > 1 and not rules.match.keys:
            yield subject.found(
                "S11",
                home,
                f"{' and '.join(systems)} may both create {entity} records, and no key says which are the same",
                {"created in": systems, "records": len(systems)},
                "Name fields under match.keys, or let one role create.",
                entity=entity,
            )


def deletions(subject: Subject) -> Iterator[Finding]:
    """S12: no word on deletions, one that cannot be said or done, or one that deletes what invoices depend on."""
    for entity, rules in subject.file.entities.items():
        if rules.delete is None:
            yield subject.found(
                "S12",
                ("entities", entity),
                f"nothing is said of {entity} records that are deleted in one system",
                {"deleted in": subject.systems(entity, list(subject.file.bind))[:1]},
                "State delete: {by: owner, on_owner_delete: deactivate, on_non_owner_delete: restore}, or conflict.",
                entity=entity,
            )
        elif (word := rules.delete.on_owner_delete) in ENDINGS and _unsayable(subject, entity, word):
            yield subject.found(
                "S12",
                ("entities", entity, "delete", "on_owner_delete"),
                f"{entity} records have no status that says '{word}': a person would be asked about every deletion",
                {"on_owner_delete": word, "status": None},
                "Use delete, unlink or conflict.",
                entity=entity,
            )
        elif rules.delete.on_owner_delete == "delete" and (why := _depended_on(subject, entity)):
            yield subject.found(
                "S12",
                ("entities", entity, "delete", "on_owner_delete"),
                f"{entity} records would be deleted everywhere, and {why}",
                {"delete": entity, "depends": why},
                "Use deactivate, end or conflict.",
                entity=entity,
            )
        if rules.delete and rules.delete.on_owner_delete == "delete" and entity in subject.shapes:
            yield from _not_deleting(subject, entity)


def _unsayable(subject: Subject, entity: str, word: str) -> bool:
    shape = subject.shapes.get(entity)
    return shape is not None and shape.ending(word) is None


def _not_deleting(subject: Subject, entity: str) -> Iterator[Finding]:
    """S12: systems in which the hub cannot delete what the rules delete everywhere."""
    ending = subject.shapes[entity].ending("deactivate")
    instead = f"it sets {ending[0]} to {ending[1]}" if ending else "it tells a person"
    for party in subject.of_entity(entity).values():
        if party.able is not None and not party.able.can_delete:
            yield subject.found(
                "S12",
                ("entities", entity, "delete", "on_owner_delete"),
                f"{entity} records are deleted everywhere, and in {party.system} the hub cannot: {instead} there",
                {"on_owner_delete": "delete", "deletable": False},
                "Give the hub's user the right to delete, or bear it.",
                level=Level.WARN,
                entity=entity,
                system=party.system,
            )


def _depended_on(subject: Subject, entity: str) -> str:
    """What of the books depends on such records; "" when nothing does."""
    rules = subject.file.entities[entity]
    blocks = [
        name for name in (rules.delete.block_if if rules.delete else ()) if any(word in name for word in INVOICES)
    ]
    if blocks:
        return f"'block_if' says that {blocks[0]} may depend on them"
    if held := [name for name, rule in rules.fields.items() if rule.classification == FINANCE]:
        return f"they hold {held[0]}, which is {FINANCE} data"
    referring = [
        name
        for name in subject.entities
        if any(one.reference == entity for one in subject.shapes[name].fields.values())
        and (
            name in INVOICES
            or any(rule.classification == FINANCE for rule in subject.file.entities[name].fields.values())
        )
    ]
    return f"{referring[0]} records refer to them" if referring else ""


def keys(subject: Subject) -> Iterator[Finding]:
    """S16: keys that may change, and records that may be without any."""
    for entity in subject.entities:
        rules, shape, reading = subject.file.entities[entity], subject.shapes[entity], subject.readings[entity]
        for at, names in enumerate(rules.match.keys):
            for name in names:
                found = reading.plain(name) if name in shape.fields else None
                if found and found[0].immutable_after != "set":
                    yield subject.found(
                        "S16",
                        ("entities", entity, "match", "keys", at),
                        f"{entity}.{name} is a key and may change once it is set",
                        {name: "before", "then": "after", "matched by": "before"},
                        "State immutable_after: set, or match by another field.",
                        entity=entity,
                        field=name,
                    )
        nullable = [[n for n in names if n in shape.fields and n not in shape.required] for names in rules.match.keys]
        weak = [*rules.match.ask, (rules.match.fuzzy or ("",))]
        sure = any(name.partition(".")[0] in shape.required for names in weak for name in names)
        if rules.match.keys and all(nullable) and not sure:
            yield subject.found(
                "S16",
                ("entities", entity, "match", "keys"),
                f"{entity} records may be without any key, and nothing else is compared",
                {names[0]: None for names in nullable},
                "Name a required field under match.ask.",
                entity=entity,
            )


# -- singletons ----------------------------------------------------------------------------------------------


def singletons(subject: Subject) -> Iterator[Finding]:
    """S17: what the file says is in one hand, and is not."""
    for name, one in subject.file.singletons.items():
        place: Place = ("singletons", name)
        if one.max_active is not None and one.max_active != 1:
            yield subject.found(
                "S17",
                place,
                f"{name} may be active {one.max_active} times",
                {"per": list(one.per), "active": one.max_active},
                "State max_active: 1.",
            )
        entity = _entity(name, one)
        if one.system and len(one.system) > 1:
            yield subject.found(
                "S17",
                (*place, "system"),
                f"{name} has several systems per {', '.join(one.per)}",
                {one.per[0]: "the same", "systems": list(one.system)},
                "Name one.",
                entity=entity,
            )
        if entity in subject.file.entities:
            yield from _contradicted(subject, entity, name, one)


def _entity(name: str, one: Singleton) -> str:
    return (
        name.removesuffix(_OF_RECORD).removesuffix(_MASTER)
        if name.endswith((_OF_RECORD, _MASTER))
        else one.per[0].partition(".")[0]
    )


def _contradicted(subject: Subject, entity: str, name: str, one: Singleton) -> Iterator[Finding]:
    """The owner of the entity is another one than the singleton says."""
    if entity not in subject.readings:
        return
    reading = subject.readings[entity]
    path = one.per[0].removeprefix(f"{entity}.")
    cells = [(role, {path: value}) for value, role in one.map.items()] or [
        (role, {}) for role in (one.system or ())[:1]
    ]
    for role, fixed in cells:
        for state in subject.states(entity):
            owner = reading.owner(document({**state, **fixed}))
            if subject.file.bound(owner, entity) != subject.file.bound(role, entity):
                yield subject.found(
                    "S17",
                    ("singletons", name),
                    f"{name} is {role}'s and {entity} records are {owner}'s: two are in charge",
                    {**state, **fixed, "singleton": role, "owner": owner},
                    f"Let {entity}.owner say the same as the singleton.",
                    entity=entity,
                )
                break
    yield from _unsaid(subject, entity, name, one, path)


def _unsaid(subject: Subject, entity: str, name: str, one: Singleton, path: str) -> Iterator[Finding]:
    """Codes of the field the singleton says nothing of."""
    node = resolve(subject.shapes, entity, path) if one.map else None
    codes = kind(subject.shapes[node[0]], node[1]).codes if node and "." not in node[1] else ()
    for code in codes:
        if code not in one.map:
            yield subject.found(
                "S17",
                ("singletons", name, "map"),
                f"{name} names nobody for {path} {code!r}",
                {path: code, "in charge": None},
                f"Add {code} to the map.",
                entity=entity,
            )


def order(subject: Subject) -> Iterator[Finding]:
    """S18: entities of which each waits for the other."""
    try:
        parents_first(subject.shapes, subject.entities)
    except BadMapping as error:
        circle = error.message.rpartition(": ")[2]
        yield subject.found(
            "S18",
            ("entities",),
            f"no order of synchronising is right: {circle}",
            {"circle": circle.split(" -> ")},
            "Take one of the entities out of the rules, or one of the references out of its entity.",
        )
