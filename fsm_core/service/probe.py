"""Finds out what became of attempts that a crash or a lost answer left open; nothing is repeated before.

Not here: new attempts (`push`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fsm_core.ports import Action, Change, KeyRef, Page, State
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.pull import Pulled, land, prepared
from fsm_core.service.references import shown
from fsm_core.service.removal import is_gone, settle_removed
from fsm_core.service.settle import Delivery, settle_delivered
from fsm_core.state import Doc, Intent, IntentState, Reason, Work


@dataclass(slots=True)
class Probed:
    """What became of open attempts."""

    waiting: set[str] = field(default_factory=set)
    """Records that must not be written yet."""
    ended: int = 0
    """Attempts whose end is known now."""
    rendered: int = 0
    """Values the system shows in its own rendering."""
    lost: dict[str, Intent] = field(default_factory=dict)
    """Attempts that never arrived, by record."""


def probe_open(hub: Hub, binding: Binding) -> Probed:
    """Settle open attempts."""
    with hub.store.begin() as work:
        open_intents = work.open_intents(binding.entity, binding.system)
    at = hub.at()
    free = [i for i in open_intents if i.state == IntentState.UNKNOWN or i.lease_until <= at or i.worker == hub.worker]
    waiting = {intent.record for intent in open_intents} - {intent.record for intent in free}
    if not free:
        return Probed(waiting)
    refs = [i.external_id or KeyRef(binding.object.key, i.record) for i in free]
    read = binding.connector.read(binding.object, refs)
    with hub.store.begin() as work:
        rendered, moved = _judge(hub, work, binding, list(zip(free, read, strict=True)))
    observe(hub, binding, moved)
    unknown = {intent.record for intent in free if intent.state == IntentState.UNKNOWN}
    lost = {intent.record: intent for intent in free if intent.state == IntentState.STALE}
    return Probed(waiting | unknown, len(free) - len(unknown), rendered, lost)


def observe(hub: Hub, binding: Binding, changes: Sequence[Change]) -> None:
    """Land what was read outside a pass. What is not visible is no deletion."""
    page = Page(tuple(change for change in changes if change.state is not State.MISSING))
    land(hub, binding, prepared(hub, binding, page), Pulled(binding.system))


def _judge(hub: Hub, work: Work, binding: Binding, found: list[tuple[Intent, Change]]) -> tuple[int, list[Change]]:
    deliveries, moved, removed = [], [], []
    read = shown(hub, work, binding, [change for _, change in found])
    for (intent, change), said in zip(found, read, strict=True):
        if _arrived(hub, binding, intent, change, said.values):
            intent.state = IntentState.DELIVERED
            if intent.action == Action.DELETE:
                removed.append(intent.link)
                continue
            # of a create in several parts only what is shown is known to have arrived
            whole = intent.action != Action.CREATE
            deliveries.append(Delivery(intent.record, intent.link, intent.payload, change, change.id, whole=whole))
        elif _may_still_arrive(hub, binding, intent):
            intent.state = IntentState.UNKNOWN
        else:
            intent.state = IntentState.STALE
            moved.append(change)
    settle_removed(hub, work, binding, [link for link in removed if link is not None])
    rendered = settle_delivered(hub, work, binding, deliveries).rendered
    work.change_intents([intent for intent, _ in found])
    over = [intent.record for intent, _ in found if intent.state == IntentState.STALE]
    # while it was open, what the system showed was not decided on
    work.mark_dirty(binding.entity, [(record, Reason.OBSERVED, "", hub.at()) for record in over])
    return rendered, moved


def _may_still_arrive(hub: Hub, binding: Binding, intent: Intent) -> bool:
    """A server may work on a request longer than we wait; an old version is refused whenever it arrives."""
    guarded = intent.action != Action.CREATE and binding.capabilities.compare_and_set and intent.expected_version != ""
    return hub.at() < intent.due_at and not guarded


def _arrived(hub: Hub, binding: Binding, intent: Intent, change: Change, values: Doc) -> bool:
    """Whether the system shows what the attempt wrote, or its own rendering of it; of a deletion nothing any more."""
    if intent.action == Action.DELETE:
        return is_gone(change.state)
    if change.state is not State.LIVE:
        return False
    if intent.action == Action.CREATE:
        return True
    fields = hub.book(binding.entity).shape.fields
    if all(fields[name].same(values.get(name), value) for name, value in intent.payload.items()):
        return True
    return change.ours and change.version != intent.expected_version
