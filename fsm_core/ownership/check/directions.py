"""Checks of who can tell whom: owners (S04), targets (S05), directions (S06), births (S10), clearance (S22).

Not here: what happens to a value on the way (`codecs`).
"""

from __future__ import annotations

from collections.abc import Iterator

from fsm_core.ownership.check.catalogue import Finding, Level
from fsm_core.ownership.check.subject import Party, Seat, Subject
from fsm_core.ownership.entities import NEVER
from fsm_core.ownership.lines import Place
from fsm_core.ownership.words import OWNER
from fsm_core.sync.types import HUB, NonOwnerChange, Policy

_BY_OWNER = (Policy.OWNER, Policy.STATUS)


def unbound(subject: Subject) -> Iterator[Finding]:
    """S04: roles that nobody plays."""
    for entity, role, place in _roles(subject):
        if role != OWNER and subject.file.bound(role, entity) is None:
            yield subject.found(
                "S04",
                place,
                f"role {role!r} is not bound to a system",
                {"role": role, "bound": list(subject.file.bind)},
                "Bind it under 'bind', or name a role that is bound.",
                entity=entity,
            )


def unknown_systems(subject: Subject) -> Iterator[Finding]:
    """S04: roles bound to systems there are not."""
    tables: list[tuple[Place, dict[str, str]]] = [(("bind",), subject.file.bind)]
    tables += [(("entities", name, "bind"), rules.bind) for name, rules in subject.file.entities.items()]
    for place, table in tables:
        for role, system in table.items():
            if subject.configured and system not in (*subject.configured, HUB):
                yield subject.found(
                    "S04",
                    (*place, role),
                    f"role {role!r} is bound to {system!r}, and there is no such system",
                    {"role": role, "system": system, "known": sorted(subject.configured)},
                    "Name a system of hub.toml, or hub.",
                    system=system,
                )


def _roles(subject: Subject) -> Iterator[tuple[str, str, Place]]:
    """Every role the file names, for which entity and where."""
    yield from (("", role, ("clearance", role)) for role in subject.file.clearance)
    for name, one in subject.file.singletons.items():
        for role in (*(one.system or ()), *one.map.values()):
            yield "", role, ("singletons", name)
    for entity, rules in subject.file.entities.items():
        home: Place = ("entities", entity)
        owner = rules.owner
        named = [owner.default, *(case.owner for case in owner.when)]
        yield from ((entity, role, (*home, "owner")) for role in named if role)
        create = rules.create
        for role in (*create.allowed, *create.by_condition, *create.replicate_to):
            yield entity, role, (*home, "create")
        if rules.delete:
            yield from ((entity, role, (*home, "delete", "by")) for role in rules.delete.by)
        for field, rule in rules.fields.items():
            for body in (rule, *rule.when):
                said = (body.owner, body.fallback_owner, *body.rank, *body.among, *body.accept_from)
                yield from ((entity, role, (*home, "fields", field)) for role in said if role)


def silent_owners(subject: Subject) -> Iterator[Finding]:
    """S04 and S06: the owner's system has no word for the field, or is only ever told it."""
    for entity in subject.shared:
        parties = subject.of_entity(entity)
        for field in subject.fields(entity):
            if not any(party.speaks_of(field) for party in parties.values()):
                continue
            told = set()
            for seat in subject.seats(entity, field):
                if seat.owner in (None, HUB) or seat.force.rule.policy not in _BY_OWNER or seat.owner in told:
                    continue
                told.add(seat.owner)
                yield from _silent(subject, entity, seat, parties.get(seat.owner or ""))


def _silent(subject: Subject, entity: str, seat: Seat, party: Party | None) -> Iterator[Finding]:
    field, system = seat.field, seat.owner or ""
    parties = subject.of_entity(entity)
    if party and party.reads(field):
        return
    stand_ins = subject.systems(entity, [seat.force.rule.fallback_owner or ""])
    if any(parties[one].reads(field) for one in stand_ins if one in parties):
        return
    speakers = [name for name, one in parties.items() if one.reads(field)]
    example = {**seat.state, "owner": seat.force.owner, "system": system, "told by": speakers}
    if party and party.speaks_of(field) and not party.mapping.readable(field):
        yield subject.found(
            "S06",
            seat.force.place,
            f"{system} owns {entity}.{field}, and its mapping only ever writes it",
            example,
            "Map it with direction both or in, or give it another owner.",
            entity=entity,
            field=field,
            system=system,
        )
        return
    what = "does not tell it" if party else f"has no mapping for {entity}"
    yield subject.found(
        "S04",
        seat.force.place,
        f"{system} owns {entity}.{field} as {seat.force.owner} and {what}",
        example,
        f"Map {field} there, give it another owner, or name a fallback_owner that tells it.",
        entity=entity,
        field=field,
        system=system,
    )


def deaf_targets(subject: Subject) -> Iterator[Finding]:
    """S05 and S06: systems that show a field and cannot be told it, or are told it and never asked."""
    for entity in subject.shared:
        for field in subject.fields(entity):
            told: set[tuple[str, str]] = set()
            for seat in subject.seats(entity, field):
                for party in subject.of_entity(entity).values():
                    for one in _deaf(subject, entity, seat, party):
                        if (one.check, one.system) not in told:
                            told.add((one.check, one.system))
                            yield one


def _deaf(subject: Subject, entity: str, seat: Seat, party: Party) -> Iterator[Finding]:
    rule, field = seat.force.rule, seat.field
    answer = rule.non_owner_change or subject.file.defaults.non_owner_change
    fallback = subject.systems(entity, [rule.fallback_owner or ""])
    owns = rule.policy in _BY_OWNER and (
        seat.owner == party.system or (not _told_by_owner(subject, entity, seat) and party.system in fallback)
    )
    if owns or rule.policy is Policy.LOCAL or not party.speaks_of(field) or not _others(subject, entity, seat, party):
        return
    reverts = rule.policy is Policy.HUB or (rule.policy in _BY_OWNER and answer is NonOwnerChange.REVERT)
    example = {**seat.state, "owner": seat.force.owner, "policy": str(rule.policy), "non_owner_change": str(answer)}
    if not party.takes(field) and answer is not NonOwnerChange.IGNORE and party.reads(field):
        yield subject.found(
            "S05",
            seat.force.place,
            f"{party.system} shows {entity}.{field} and cannot be told it: it may differ for good",
            example,
            "Let it be written there, give it to that system, or answer its edits with ignore.",
            level=Level.ERROR if reverts else Level.WARN,
            entity=entity,
            field=field,
            system=party.system,
        )
    if reverts and party.takes(field) and not party.mapping.readable(field):
        yield subject.found(
            "S06",
            seat.force.place,
            f"edits of {entity}.{field} in {party.system} are to be reverted, and are never read",
            example,
            "Map it with direction both, or answer its edits with ignore.",
            entity=entity,
            field=field,
            system=party.system,
        )


def _told_by_owner(subject: Subject, entity: str, seat: Seat) -> bool:
    party = subject.of_entity(entity).get(seat.owner or "")
    return bool(party and party.reads(seat.field))


def _others(subject: Subject, entity: str, seat: Seat, party: Party) -> bool:
    """Whether anybody else may say what this system would have to be told."""
    others = [one for one in subject.of_entity(entity).values() if one.system != party.system]
    return seat.owner == HUB or any(one.reads(seat.field) for one in others)


# -- births ------------------------------------------------------------------------------------------------


def births(subject: Subject) -> Iterator[Finding]:
    """S10: what no record is without, and nobody says."""
    for entity in subject.shared:
        create = subject.file.entities[entity].create
        parties = subject.of_entity(entity)
        required = [name for name in subject.shapes[entity].required if name in subject.fields(entity)]
        home: Place = ("entities", entity, "create")
        for system in subject.systems(entity, create.allowed):
            for field in required:
                if system in parties and not parties[system].reads(field):
                    yield _unsourced(
                        subject,
                        entity,
                        field,
                        system,
                        (*home, "allowed"),
                        f"{system} may create {entity} records and does not tell {field}",
                    )
        wanted = [role for role, text in create.replicate_to.items() if text != NEVER]
        for system in subject.systems(entity, wanted):
            for field in required:
                if system in parties and not parties[system].takes_new(field):
                    yield _unsourced(
                        subject,
                        entity,
                        field,
                        system,
                        (*home, "replicate_to"),
                        f"{system} is to hold every {entity} and cannot be told {field}",
                    )
            if system in parties:
                yield from _demands(subject, entity, parties[system])


def _demands(subject: Subject, entity: str, party: Party) -> Iterator[Finding]:
    """Native fields the account requires of a new record."""
    mapping, able = party.mapping, party.able
    given = {
        *mapping.given,
        *(path for name in mapping.canonical_fields if mapping.creatable(name) for path in mapping.bare_of(name)),
    }
    for path, field in (able.fields if able else {}).items():
        if field.required and path not in given:
            yield _unsourced(
                subject,
                entity,
                path,
                party.system,
                ("entities", entity, "create", "replicate_to"),
                f"{party.system} takes no new {mapping.object.name} without {path}, and nothing is mapped to it",
            )


def _unsourced(subject: Subject, entity: str, field: str, system: str, place: Place, sentence: str) -> Finding:
    return subject.found(
        "S10",
        place,
        sentence,
        {"create": entity, "without": field, "in": system},
        "Map it, give it a default in the mapping, or do not create records there.",
        entity=entity,
        field=field,
        system=system,
    )


# -- clearance ---------------------------------------------------------------------------------------------


def clearance(subject: Subject) -> Iterator[Finding]:
    """S22: classified fields in systems that are not cleared for them."""
    for entity in subject.entities:
        cleared = _cleared(subject, entity)
        for field in subject.fields(entity):
            plain = subject.readings[entity].plain(field)
            kind = plain[0].classification if plain else None
            for party in subject.of_entity(entity).values():
                sent = party.mapping.creatable(field) if party.speaks_of(field) else False
                if kind and sent and kind not in cleared.get(party.system, set()):
                    yield subject.found(
                        "S22",
                        ("entities", entity, "fields", field),
                        f"{entity}.{field} is {kind} data, and {party.system} is not cleared for it",
                        {"field": field, "class": kind, "cleared for": sorted(cleared.get(party.system, set()))},
                        f"Name {kind} under 'clearance' for a role of {party.system}, or do not write the field there.",
                        entity=entity,
                        field=field,
                        system=party.system,
                    )


def _cleared(subject: Subject, entity: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for role, classes in subject.file.clearance.items():
        found.setdefault(subject.file.bound(role, entity) or "", set()).update(classes)
    return found
