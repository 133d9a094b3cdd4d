"""Checks for what never takes effect (S24): cases, routes, accepted findings; and two fields in one place.

Not here: rules that contradict each other (`owners`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fsm_core.ownership.check.catalogue import Finding
from fsm_core.ownership.check.probe import Probe
from fsm_core.ownership.check.states import document
from fsm_core.ownership.check.subject import Subject
from fsm_core.ownership.lines import Place


def dead_cases(subject: Subject) -> Iterator[Finding]:
    """Cases that are in force in no state at all."""
    for entity, reading in subject.readings.items():
        if subject.beyond_proof(entity):
            continue
        alive: set[Place] = set()
        for state in subject.states(entity):
            read = document(state)
            alive |= {case.place for case in reading.true_cases(read)[:1]}
            forces = (reading.in_force(name, read) for name in reading.rules.fields)
            alive |= {force.place for force in forces if force}
        for when, place in reading.conditions():
            if place not in alive:
                yield subject.found(
                    "S24",
                    place,
                    f"{entity}: {when.text!r} is never the case in force",
                    {"states": len(subject.states(entity)), "in force": 0},
                    "Take it out, correct its values, or give it a lower 'priority' than the case before it.",
                    entity=entity,
                )


def dead_routes(subject: Subject) -> Iterator[Finding]:
    """Routes behind one that says the same of every question."""
    said: set[str] = set()
    for at, route in enumerate(subject.file.routing):
        states = {name for name in ("to", "severity") if getattr(route, name)}
        if states <= said:
            yield subject.found(
                "S24",
                ("routing", at),
                "the route never counts: one before it answers every question",
                {"route": at, "says": sorted(states) or "nothing"},
                "Put it before the route for all, or take it out.",
            )
        if not (route.match.entity or route.match.field or route.match.type):
            said |= states


def one_place(subject: Subject) -> Iterator[Finding]:
    """Two fields of one mapping that are written to the same native path."""
    for entity in subject.entities:
        for party in subject.of_entity(entity).values():
            probe = Probe(subject.shapes[entity], party)
            writers: defaultdict[str, list[str]] = defaultdict(list)
            for name in subject.fields(entity):
                for path in probe.writes(name):
                    writers[path].append(name)
            for path, names in sorted(writers.items()):
                if len(names) > 1:
                    yield subject.found(
                        "S24",
                        ("entities", entity, "fields", names[-1]),
                        f"{' and '.join(names)} are both written to {path} of {party.system}",
                        {"path": path, "fields": names},
                        "Map one of them read only, or elsewhere.",
                        entity=entity,
                        field=names[-1],
                        system=party.system,
                    )
