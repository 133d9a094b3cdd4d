"""Says what a round would write, without writing: the real engine on an overlay of the state.

Observations are committed before (they are facts); the overlay is thrown away after.
Not here: saving, approving and applying a plan.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from fsm_core.model.naming import called
from fsm_core.service.converge import Converged, converge, load, missing
from fsm_core.service.decide import Loaded, closed_fields, live_links, provenance, view_of
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.push import told_at_birth
from fsm_core.sync.record import owed


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One record in one system."""

    system: str
    action: str
    record: str
    name: str
    external_id: str
    fields: dict[str, tuple[Any, Any]]
    """Per field, what the system shows and what it would be told."""
    rules: dict[str, str]
    """Per field, why the agreed value is what it is."""


@dataclass(slots=True)
class Plan:
    """Everything a round would do."""

    entity: str
    converged: Converged = field(default_factory=Converged)
    writes: list[PlannedWrite] = field(default_factory=list)

    def counts(self) -> dict[str, dict[str, int]]:
        """Records per system and action."""
        found: dict[str, Counter[str]] = {}
        for write in self.writes:
            found.setdefault(write.system, Counter())[write.action] += 1
        return {system: dict(actions) for system, actions in sorted(found.items())}


def plan(hub: Hub, entity: str, *, confirmed: bool = True) -> Plan:
    """Decide on an overlay and list what would be delivered. Needs a pull before it to be up to date."""
    found = Plan(entity)
    with hub.store.overlay() as store:
        imagined = replace(hub, store=store)
        with imagined.running("plan"):
            found.converged = converge(imagined, entity, confirmed=confirmed)
        for binding in imagined.of_entity(entity):
            found.writes += _writes(imagined, binding)
    return found


def _writes(hub: Hub, binding: Binding) -> list[PlannedWrite]:
    writes: list[PlannedWrite] = []
    after = ""
    while True:
        with hub.store.begin() as work:
            due = work.due_deliveries(binding.entity, binding.system, hub.at(), after, hub.page)
            loaded = load(hub, work, due)
        if not due:
            return writes
        writes += [write for one in loaded if (write := _write(hub, binding, one)) is not None]
        after = due[-1]


def _write(hub: Hub, binding: Binding, one: Loaded) -> PlannedWrite | None:
    link = next((x for x in live_links(one.links) if x.system == binding.system), None)
    if link is None and binding.system not in missing(hub, one, one.conflicts):
        return None
    document, shown = one.record.document, link.now if link else {}
    book = hub.book(binding.entity)
    closed = closed_fields(book, one, one.conflicts)
    if link is None:
        values = told_at_birth(binding, one, closed)
    else:
        values = owed(book.shape, document, view_of(hub, link), closed)
    if not values:
        return None
    return PlannedWrite(
        system=binding.system,
        action="update" if link else "create",
        record=one.record.id,
        name=called(document, one.record.id),
        external_id=link.external_id if link else "",
        fields={name: (shown.get(name), value) for name, value in sorted(values.items())},
        rules={name: str(provenance(one.record, name).get("note", "")) for name in sorted(values)},
    )
