"""Checks of what a mapping does to values: round trips (S07), derived fields (S08), codes (S09), lengths (S23).

Not here: which way a field may travel (`directions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fsm_core.model.compare import Comparator
from fsm_core.model.entity import EntityShape
from fsm_core.ownership.check.catalogue import Finding
from fsm_core.ownership.check.kinds import Kind, kind
from fsm_core.ownership.check.probe import Probe, says_nothing
from fsm_core.ownership.check.samples import PRECISE, codes, samples, with_member
from fsm_core.ownership.check.subject import Party, RowFacts, Subject
from fsm_core.ownership.lines import Place
from fsm_core.sync.types import HUB, NonOwnerChange, Policy, System

LONG = 4_000
"""Characters of a text without any stated limit, where one has to be tried."""


def _told(subject: Subject) -> Iterator[tuple[str, str, Party, Probe]]:
    """Entity, field, system and probe of every field that is both said to a system and read from it."""
    for entity in subject.entities:
        for party in subject.of_entity(entity).values():
            probe = Probe(subject.shapes[entity], party)
            for field in subject.fields(entity):
                mapping = party.mapping
                if party.speaks_of(field) and mapping.readable(field) and mapping.creatable(field):
                    yield entity, field, party, probe


def _place(entity: str, field: str) -> Place:
    return ("entities", entity, "fields", field)


def round_trips(subject: Subject) -> Iterator[Finding]:
    """S07: what is read is not what was said; the two systems would correct each other without end."""
    for entity, field, party, probe in _told(subject):
        shape = subject.shapes[entity]
        tried = codes(shape, field) or _samples(shape, field, party)
        for value in tried:
            told = probe.tell_somehow(field, value)
            if not told.refused and not told.same:
                yield subject.found(
                    "S07",
                    _place(entity, field),
                    f"{party.system} shows another {field} than it was told",
                    {"told": value, "shows": told.shown},
                    "Correct the codec or its table, or map the field read only there.",
                    entity=entity,
                    field=field,
                    system=party.system,
                )
                break


def _samples(shape: EntityShape, field: str, party: Party) -> tuple[Any, ...]:
    """Samples that fit: the codes of the mapping's own table, or texts cut to its length."""
    row = _row(party, field)
    if row and row.values:
        return tuple(code for code, _ in row.values)
    length = row.length if row else None
    return tuple(value[:length] if isinstance(value, str) else value for value in samples(shape, field))


def _row(party: Party, field: str, member: str = "") -> RowFacts | None:
    for row in party.mapping.describe_rows():
        name, _, inside = row.canonical.partition(".")
        if name == field and (not member or member in inside.split("+")):
            return row
    return None


# -- codes -------------------------------------------------------------------------------------------------


def unmapped_codes(subject: Subject) -> Iterator[Finding]:
    """S09: codes of ours a system has no word for, and words of an account that mean nothing to us."""
    for entity, field, party, probe in _told(subject):
        for code in codes(subject.shapes[entity], field):
            told = probe.tell_somehow(field, code)
            if told.refused:
                yield subject.found(
                    "S09",
                    _place(entity, field),
                    f"{party.system} has no word for {field} {code!r}: {told.refused}",
                    {field: code, "refused": told.refused},
                    "Add the code to the 'values' of this field in the mapping.",
                    entity=entity,
                    field=field,
                    system=party.system,
                )
    yield from _words_of_accounts(subject)


def _words_of_accounts(subject: Subject) -> Iterator[Finding]:
    for entity in subject.entities:
        for party in subject.of_entity(entity).values():
            for field in subject.fields(entity):
                if kind(subject.shapes[entity], field).codes and party.reads(field):
                    yield from _unknown_words(subject, entity, field, party)


def _unknown_words(subject: Subject, entity: str, field: str, party: Party) -> Iterator[Finding]:
    able, paths = party.able, party.mapping.bare_of(field)
    known = able.fields.get(paths[0]) if able and len(paths) == 1 and "." not in paths[0] else None
    for word in known.values if known else ():
        shown = party.mapping.decode({paths[0]: word}).values
        if field not in shown:
            yield subject.found(
                "S09",
                _place(entity, field),
                f"{party.system} can say {word!r} in {paths[0]}, which is no {field}",
                {paths[0]: word},
                "Add the code to the 'values' of this field in the mapping.",
                entity=entity,
                field=field,
                system=party.system,
            )


# -- derived fields ------------------------------------------------------------------------------------------


def derived(subject: Subject) -> Iterator[Finding]:
    """S08: a field that is also computed from a place we write for another field."""
    for entity in subject.entities:
        for party in subject.of_entity(entity).values():
            probe = Probe(subject.shapes[entity], party)
            written = {field: probe.writes(field) for field in subject.fields(entity) if party.speaks_of(field)}
            for field in written:
                yield from _derived(subject, entity, field, party, written)


def _derived(
    subject: Subject, entity: str, field: str, party: Party, written: dict[str, frozenset[str]]
) -> Iterator[Finding]:
    if not party.mapping.readable(field):
        return
    for path in party.mapping.native_of(field):
        for other, paths in written.items():
            if other != field and any(_within(one, path) for one in paths - written[field]):
                yield subject.found(
                    "S08",
                    _place(entity, field),
                    f"{party.system} computes {field} from {path}, which {other} writes",
                    {"write": other, "moves": field, "path": path},
                    "Let one system own both, or map the computed field read only and let no other system own it.",
                    entity=entity,
                    field=field,
                    system=party.system,
                )
                return


def _within(written: str, read: str) -> bool:
    return written == read or written.startswith((f"{read}.", f"{read}["))


# -- lengths and precision -----------------------------------------------------------------------------------


def misfits(subject: Subject) -> Iterator[Finding]:
    """S23: texts that are longer, and numbers more precise, than their target takes."""
    for entity, field, party, probe in _told(subject):
        shape = subject.shapes[entity]
        sources = _sources(subject, entity, field) - {party.system}
        if not sources or not party.takes(field):
            continue
        members = () if kind(shape, field).many else shape.fields[field].members
        for member in members or ("",):
            found = _misfit(subject, entity, field, member, party, probe, sources)
            if found is not None:
                yield found


def _misfit(
    subject: Subject, entity: str, field: str, member: str, party: Party, probe: Probe, sources: set[System]
) -> Finding | None:
    shape = subject.shapes[entity]
    known = kind(shape, field, member)
    value = PRECISE if known.comparator is Comparator.DECIMAL else _long(subject, entity, field, member, sources, known)
    if not value:
        return None
    told = probe.tell(field, with_member(shape, field, member, value) if member else value)
    shown = told.shown.get(member) if member and isinstance(told.shown, dict) else told.shown
    if not told.refused and (told.same or shown == value):
        return None
    why = told.refused or ("it is left out there" if says_nothing(told) or not shown else "it comes back changed")
    name = f"{field}.{member}" if member else field
    example = {name: value if len(value) <= len(PRECISE) else f"{len(value)} characters", "said by": sorted(sources)}
    return subject.found(
        "S23",
        _place(entity, field),
        f"{name} may be more than {party.system} takes: {why}",
        example,
        "Map it to a longer field there, shorten it at its owner, or accept that such values become problems.",
        entity=entity,
        field=field,
        system=party.system,
    )


def _long(subject: Subject, entity: str, field: str, member: str, sources: set[System], known: Kind) -> str:
    """The longest text the sources may say; "" for what is no free text."""
    if (
        known.codes
        or known.flag
        or known.many
        or known.pattern
        or known.ordered
        or subject.shapes[entity].fields[field].reference
    ):
        return ""
    longest = 0
    for system in sources:
        party = subject.of_entity(entity).get(system)
        row = _row(party, field, member) if party else None
        if row and row.values:
            continue
        limits = [one for one in (known.length, row.length if row else None) if one]
        longest = max(longest, min(limits, default=LONG))
    return "x" * longest


def _sources(subject: Subject, entity: str, field: str) -> set[System]:
    """Systems whose word becomes the agreed value without a person."""
    parties = subject.of_entity(entity)
    found: set[System] = set()
    for seat in subject.seats(entity, field):
        rule = seat.force.rule
        answer = rule.non_owner_change or subject.file.defaults.non_owner_change
        if rule.policy in (Policy.LOCAL, Policy.HUB, Policy.MANUAL):
            continue
        if rule.policy is Policy.NEWEST and rule.among:
            found |= set(subject.systems(entity, rule.among))
        elif rule.policy is Policy.PREFER:
            found |= set(subject.systems(entity, rule.rank))
        elif rule.policy not in (Policy.OWNER, Policy.STATUS) or answer is NonOwnerChange.ACCEPT:
            found |= set(parties)
        else:
            found |= {seat.owner or ""} | set(subject.systems(entity, [rule.fallback_owner or ""]))
    return {system for system in found if system == HUB or (system in parties and parties[system].reads(field))}
