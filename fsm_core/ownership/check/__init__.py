"""The static analyser of rule files: what is unwise about a file that can be read, each with an example.

Pure: it looks at the rules, the entities, and facts about mappings and accounts. Not here: gathering those facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fsm_core.ownership.check import codecs, dead, directions, names, owners, people, policies, records
from fsm_core.ownership.check.catalogue import CHECKS, Borne, Check, Finding, Level, Report
from fsm_core.ownership.check.subject import MappingFacts, Party, Subject
from fsm_core.ownership.rules import Accepted

__all__ = [
    "CHECKS",
    "Borne",
    "Check",
    "Finding",
    "Level",
    "MappingFacts",
    "Party",
    "Report",
    "Subject",
    "check",
]

_ALL: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    names.unowned,
    owners.two_owners,
    owners.loops,
    owners.handover,
    directions.unbound,
    directions.unknown_systems,
    directions.silent_owners,
    directions.deaf_targets,
    directions.births,
    directions.clearance,
    codecs.round_trips,
    codecs.derived,
    codecs.unmapped_codes,
    codecs.misfits,
    policies.timeless,
    policies.misfit_policies,
    policies.torn_groups,
    records.creators,
    records.deletions,
    records.keys,
    records.singletons,
    records.order,
    people.too_soon,
    people.unasked,
    dead.dead_cases,
    dead.dead_routes,
    dead.one_place,
)


def check(subject: Subject) -> Report:
    """Everything that is found; names that do not exist first, and alone."""
    unknown = list(names.unknown_names(subject))
    found = unknown or [one for look in _ALL for one in look(subject)]
    report = Report(notes=_notes(subject))
    used = set()
    for one in sorted(found, key=lambda finding: (finding.line, finding.check)):
        at = next((at for at, entry in enumerate(subject.file.accept) if _covers(entry, one)), None)
        if at is None:
            report.findings.append(one)
        else:
            used.add(at)
            report.accepted.append(Borne(one, subject.file.accept[at].reason))
    if not unknown:
        report.findings += _idle(subject, used)
    return report


def _covers(entry: Accepted, one: Finding) -> bool:
    return entry.covers(one.check, one.entity, one.field, one.system)


def _idle(subject: Subject, used: set[int]) -> Iterator[Finding]:
    """Entries of `accept` that accept nothing, where everything they speak of was looked at."""
    for at, entry in enumerate(subject.file.accept):
        looked_at = set(entry.entity) <= set(subject.shared) and {system for system, _ in subject.parties} >= set(
            entry.system
        )
        if at not in used and looked_at:
            yield subject.found(
                "S24",
                ("accept", at),
                f"nothing of {entry.check} is found there: the entry accepts nothing",
                {"check": entry.check, "findings": 0},
                "Take it out.",
            )


def _notes(subject: Subject) -> list[str]:
    told = []
    for entity in subject.entities:
        if entity not in subject.shared:
            there = ", ".join(subject.of_entity(entity)) or "no system"
            told.append(f"{entity}: mapped by {there} only, so who can tell whom was not looked at")
    return told
