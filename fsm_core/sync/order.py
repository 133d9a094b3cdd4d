"""The order in which entities are synchronised: what is referred to comes before what refers.

Pure. Not here: parking a single child whose parent is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from fsm_core.errors import BadMapping
from fsm_core.model.entity import EntityShape


def parents_first(shapes: Mapping[str, EntityShape], wanted: Iterable[str]) -> list[str]:
    """Entity names, parents first; a reference of an entity to itself is allowed. Raises `BadMapping` on a cycle."""
    names = sorted(wanted)
    graph = {
        name: {f.reference for f in shapes[name].fields.values() if f.reference in names and f.reference != name}
        for name in names
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise BadMapping(f"entities refer to each other in a circle: {' -> '.join(error.args[1])}") from None
