"""The canonical entities, one file per family, and the registry the engine asks.

Not here: storage, decisions, or any system's names.
"""

from __future__ import annotations

from fsm_core.errors import BadMapping
from fsm_core.model.entity import EntityShape, shape_of
from fsm_core.model.party import Contact, Customer, Site

SHAPES: dict[str, EntityShape] = {model.entity_name: shape_of(model) for model in (Customer, Contact, Site)}
"""Every entity of the hub by name."""


def shape(entity: str) -> EntityShape:
    """The shape of an entity; raises `BadMapping` that lists the known ones."""
    try:
        return SHAPES[entity]
    except KeyError:
        raise BadMapping(f"unknown entity {entity!r}; known: {', '.join(SHAPES)}") from None
