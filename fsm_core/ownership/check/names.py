"""Checks of names and completeness: what does not exist (S00), fields without a rule (S01).

Not here: roles and systems (`directions`).
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm_core.ownership.check.catalogue import Finding
from fsm_core.ownership.check.states import resolve
from fsm_core.ownership.check.subject import Subject
from fsm_core.ownership.conditions import Condition, condition
from fsm_core.ownership.entities import ALWAYS, NEVER
from fsm_core.ownership.lines import Place
from fsm_core.ownership.reading import REST
from fsm_core.sync.types import Policy


def unknown_names(subject: Subject) -> Iterator[Finding]:
    """S00: entities, fields and machines that are not there."""
    for name in subject.file.entities:
        if name not in subject.shapes:
            known = ", ".join(subject.shapes)
            yield subject.found(
                "S00",
                ("entities", name),
                f"there is no entity {name!r}",
                {"entity": name, "known": known},
                "Correct the name, or take the entity out.",
                entity=name,
            )
    for entity in subject.entities:
        for path, place in _paths(subject, entity):
            if not _exists(subject, entity, path):
                known = ", ".join(subject.fields(entity))
                yield subject.found(
                    "S00",
                    place,
                    f"{entity} has no field {path!r}",
                    {"field": path, "known": known},
                    "Correct the name of the field.",
                    entity=entity,
                    field=path,
                )
        yield from _machines(subject, entity)


def _machines(subject: Subject, entity: str) -> Iterator[Finding]:
    for name, rule in subject.file.entities[entity].fields.items():
        if rule.policy is Policy.STATUS and rule.machine not in subject.machines:
            known = ", ".join(subject.machines) or "none"
            yield subject.found(
                "S00",
                ("entities", entity, "fields", name, "machine"),
                f"there is no status machine {rule.machine!r}",
                {"machine": rule.machine, "known": known},
                "Name a known machine, or another policy.",
                entity=entity,
                field=name,
            )


def _exists(subject: Subject, entity: str, path: str) -> bool:
    return resolve(subject.shapes, entity, path) is not None


def _paths(subject: Subject, entity: str) -> Iterator[tuple[str, Place]]:
    """Every field the rules of an entity name, with its place."""
    rules, reading = subject.file.entities[entity], subject.readings[entity]
    home: Place = ("entities", entity)
    yield from ((name, (*home, "fields", name)) for name in rules.fields if name != REST)
    for part in ("keys", "ask"):
        for at, names in enumerate(getattr(rules.match, part)):
            yield from ((name, (*home, "match", part, at)) for name in names)
    for part in ("fuzzy", "contradiction"):
        yield from ((name, (*home, "match", part, at)) for at, name in enumerate(getattr(rules.match, part)))
    if rules.handover:
        yield from ((name, (*home, "handover", "require", at)) for at, name in enumerate(rules.handover.require))
    for when, place in [*reading.conditions(), *_create_conditions(subject, entity)]:
        yield from ((name, place) for name in sorted(when.fields))


def _create_conditions(subject: Subject, entity: str) -> Iterator[tuple[Condition, Place]]:
    create = subject.file.entities[entity].create
    for part in ("replicate_to", "by_condition"):
        for role, text in getattr(create, part).items():
            if text not in (ALWAYS, NEVER):
                yield condition(text), ("entities", entity, "create", part, role)


def unowned(subject: Subject) -> Iterator[Finding]:
    """S01: fields that no rule speaks of."""
    for entity in subject.entities:
        for name in subject.fields(entity):
            if subject.readings[entity].plain(name) is None:
                yield subject.found(
                    "S01",
                    ("entities", entity, "fields"),
                    f"{entity}.{name} has no rule: nobody owns it",
                    {"field": name},
                    f"Give {name} a rule, or end the list with '\"*\": {{}}' for the entity's owner.",
                    entity=entity,
                    field=name,
                )
