"""Puts the records that others refer to beside them, where a condition of the rules looks into them.

Not here: which conditions do (`fsm_core.ownership`).
"""

from __future__ import annotations

from collections.abc import Iterable

from fsm_core.service.handover import NO_PARENTS, Parents, counting
from fsm_core.service.hub import Hub
from fsm_core.service.loaded import Loaded
from fsm_core.state import Doc, Link, Work


def join_parents(hub: Hub, work: Work, loaded: list[Loaded]) -> list[Loaded]:
    """The same records of one entity, with what they refer to or may come to refer to."""
    names = hub.book(loaded[0].record.entity).joins.values() if loaded else ()
    if names:
        links = [link.now for one in loaded for link in one.links]
        parents = _documents(work, names, [one.record.document for one in loaded] + links)
        for one in loaded:
            one.parents = parents
    return loaded


def parents_of(hub: Hub, work: Work, entity: str, links: Iterable[Link]) -> Parents:
    """The same for links that are to become records."""
    names = hub.book(entity).joins.values()
    return _documents(work, names, [link.now for link in links]) if names else NO_PARENTS


def _documents(work: Work, names: Iterable[str], referring: Iterable[Doc]) -> Parents:
    wanted = {document[name] for document in referring for name in names if document.get(name)}
    found = work.records(wanted)
    in_force = {id_: counting(record) for id_, record in found.items()}
    return Parents({id_: record.document for id_, record in found.items()}, in_force)
