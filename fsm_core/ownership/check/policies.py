"""Checks of policies: times for newest (S13), kinds of fields (S14), groups (S15).

Not here: owners (`owners`) and values (`codecs`).
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm_core.ownership.check.catalogue import Finding
from fsm_core.ownership.check.kinds import Kind, kind
from fsm_core.ownership.check.states import document
from fsm_core.ownership.check.subject import Party, Subject
from fsm_core.sync.types import HUB, Policy

INSTANT = "instant"


def timeless(subject: Subject) -> Iterator[Finding]:
    """S13: the newest edit wins, and a system does not tell when it was made."""
    for entity in subject.entities:
        for field in subject.fields(entity):
            for seat in subject.seats(entity, field):
                if seat.force.rule.policy is not Policy.NEWEST:
                    continue
                roles = seat.force.rule.among
                parties = subject.of_entity(entity)
                for system in subject.systems(entity, roles) if roles else parties:
                    party = parties.get(system)
                    if party and party.reads(field) and party.mapping.times != INSTANT:
                        says = "only the day" if party.mapping.times == "date" else "no time"
                        yield subject.found(
                            "S13",
                            seat.force.place,
                            f"the newest {field} wins, and {system} tells {says} of its changes",
                            {
                                system: party.mapping.times,
                                "two edits": "of one day" if says == "only the day" else "at any time",
                            },
                            "Give the field an owner or policy prefer, or leave the system out of 'among'.",
                            entity=entity,
                            field=field,
                            system=system,
                        )


def misfit_policies(subject: Subject) -> Iterator[Finding]:
    """S14: sets, numbers and flags are what some policies need."""
    for entity in subject.entities:
        shape = subject.shapes[entity]
        for field in subject.fields(entity):
            for seat in subject.seats(entity, field):
                policy = seat.force.rule.policy
                needed = _needs(policy, kind(shape, field))
                if needed:
                    yield subject.found(
                        "S14",
                        seat.force.place,
                        f"{entity}.{field} is no {needed}: policy {policy} cannot settle it",
                        {"field": field, "policy": str(policy), "kind": str(shape.fields[field].comparator)},
                        "Use owner, newest or prefer.",
                        entity=entity,
                        field=field,
                    )


def _needs(policy: Policy, known: Kind) -> str:
    if policy in (Policy.UNION, Policy.APPEND) and not known.many:
        return "set"
    if policy in (Policy.MAX, Policy.MIN) and not known.ordered:
        return "number or day"
    return "flag" if policy is Policy.ANY_TRUE and not known.flag else ""


def torn_groups(subject: Subject) -> Iterator[Finding]:
    """S15: a group is decided as one value, so its members need one owner and the same systems."""
    for entity in subject.entities:
        for name, rule in subject.file.entities[entity].fields.items():
            field, dot, member = name.partition(".")
            if dot and field in subject.shapes[entity].fields:
                yield from _own_owner(subject, entity, field, member, rule.owner)
        for field in subject.fields(entity):
            if subject.shapes[entity].fields[field].members:
                yield from _uneven(subject, entity, field)


def _own_owner(subject: Subject, entity: str, field: str, member: str, role: str | None) -> Iterator[Finding]:
    reading = subject.readings[entity]
    for state in subject.states(entity):
        whole = reading.in_force(field, document(state))
        owner = role or reading.owner(document(state))
        if whole and owner != whole.owner:
            yield subject.found(
                "S15",
                ("entities", entity, "fields", f"{field}.{member}"),
                f"{field}.{member} is {owner}'s, the rest of {field} {whole.owner}'s: a group is decided as one value",
                {**state, f"{field}.{member}": owner, field: whole.owner},
                f"Give the rule to {field} as a whole.",
                entity=entity,
                field=field,
            )
            return


def _uneven(subject: Subject, entity: str, field: str) -> Iterator[Finding]:
    parties = [one for one in subject.of_entity(entity).values() if one.speaks_of(field)]
    for source in parties:
        for target in parties:
            if (
                target is source
                or not source.reads(field)
                or not target.takes(field)
                or not _gives(subject, entity, field, source)
            ):
                continue
            missing = sorted(_members(source, field) - _members(target, field))
            if missing:
                yield subject.found(
                    "S15",
                    ("entities", entity, "fields", field),
                    f"{source.system} tells {', '.join(missing)} of {field}, and {target.system} has no place for it",
                    {"members": missing, "from": source.system, "to": target.system},
                    f"Map {', '.join(missing)} there, or map the field read only there.",
                    entity=entity,
                    field=field,
                    system=target.system,
                )


def _gives(subject: Subject, entity: str, field: str, party: Party) -> bool:
    """Whether this system owns the field in some state."""
    return any(
        seat.owner in (party.system, HUB) or seat.force.rule.policy is not Policy.OWNER
        for seat in subject.seats(entity, field)
    )


def _members(party: Party, field: str) -> set[str]:
    rows = (row.canonical.partition(".") for row in party.mapping.describe_rows())
    return {member for name, _, inside in rows if name == field for member in inside.split("+") if member}
