"""Checks of time and people: silent owners (S19), questions nobody is asked (S21).

Not here: what a person may decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from fsm_core.ownership.check.catalogue import Finding
from fsm_core.ownership.check.subject import Subject
from fsm_core.ownership.reading import REST
from fsm_core.ownership.routing import routed
from fsm_core.sync.double_entry import PRE_CHECKS

TYPES = ("field", "match", "delete", "merge")
"""Kinds of questions the engine asks; a `pre_check` adds its own name and those of what it suggests."""


def too_soon(subject: Subject) -> Iterator[Finding]:
    """S19: an owner that is called silent before it was read twice."""
    least = 2 * subject.poll
    default = subject.file.defaults.stale_after
    if default is not None and default < least:
        yield _too_soon(subject, "", "", default, ("defaults", "stale_after"))
    for entity in subject.entities:
        for field, rule in subject.file.entities[entity].fields.items():
            for one, place in [(rule, ()), *((case, ("when", at)) for at, case in enumerate(rule.when))]:
                if one.stale_after is not None and one.stale_after < least:
                    way = ("entities", entity, "fields", field, *place, "stale_after")
                    yield _too_soon(subject, entity, field, one.stale_after, way)


def _too_soon(subject: Subject, entity: str, field: str, after: timedelta, place: tuple[str | int, ...]) -> Finding:
    return subject.found(
        "S19",
        place,
        f"the owner is silent after {after}, and is read every {subject.poll}: one lost round is enough",
        {"stale_after": str(after), "read every": str(subject.poll), "least": str(2 * subject.poll)},
        "Make it at least twice the interval at which the owner is read.",
        entity=entity,
        field=field,
    )


def unasked(subject: Subject) -> Iterator[Finding]:
    """S21: questions that no route sends to anybody."""
    for entity in subject.file.entities:
        rules = subject.file.entities[entity]
        check = PRE_CHECKS.get(rules.create.pre_check)
        for kind in [*TYPES, *((check.name, *check.suggests) if check else ())]:
            fields = [name for name in rules.fields if name != REST] if kind == "field" else []
            for field in (*fields, ""):
                if not routed(subject.file.routing, entity, field, kind).queue:
                    yield subject.found(
                        "S21",
                        ("routing",),
                        f"nobody is asked about questions of type {kind} on {entity}",
                        {"entity": entity, "type": kind, "field": field or "any"},
                        "Name somebody: routing: [{match: {}, to: resolver}].",
                        entity=entity,
                    )
                    break
