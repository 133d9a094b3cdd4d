"""Which systems nothing was heard of for so long that the fallback of an owner acts in its place.

A system is heard of when a page of the entity is read from it, also one with nothing new: a record that nobody had a
reason to change is not silent. Not here: what a silent owner means for a field (`fsm_core.sync`).
"""

from __future__ import annotations

from datetime import datetime

from fsm_core.service.hub import Hub
from fsm_core.service.loaded import Loaded, live_links
from fsm_core.state import Reason, Work
from fsm_core.sync.types import Rule, System


def silent(hub: Hub, work: Work, entity: str) -> dict[System, float]:
    """Systems that have been silent for longer than some rule of the entity bears, and for how many seconds.

    A system that was never heard of is not among them: it has not begun to speak.
    """
    patience = hub.book(entity).patience
    if not patience:
        return {}
    now, least = hub.now(), min(patience)
    told = {system: (now - datetime.fromisoformat(at)).total_seconds() for system, at in work.heard(entity).items()}
    return {system: seconds for system, seconds in sorted(told.items()) if seconds >= least}


def listen(hub: Hub, work: Work, loaded: list[Loaded]) -> list[Loaded]:
    """The same records of one entity, with the systems that are silent."""
    quiet = silent(hub, work, loaded[0].record.entity) if loaded else {}
    for one in loaded:
        one.silent = quiet
    return loaded


def losing(hub: Hub, work: Work, entity: str) -> list[str]:
    """The silences that count, as words: they change when an owner begins to lose to its fallback, or is back."""
    patience = sorted(hub.book(entity).patience)
    quiet = silent(hub, work, entity)
    return [f"{system} {limit}" for system, seconds in quiet.items() for limit in patience if seconds >= limit]


def wake_proposed(hub: Hub, work: Work, entity: str) -> None:
    """What a fallback proposed while the owner was not silent yet may be its word now."""
    work.mark_proposed(entity, Reason.DUE, hub.at())


def in_its_place(rule: Rule, one: Loaded) -> str:
    """The fallback that acts because the owner of this field is silent; "" where the owner acts."""
    seconds = one.silent.get(rule.owner or "")
    if seconds is None or rule.stale_after is None or seconds < rule.stale_after:
        return ""
    linked = {link.system for link in live_links(one.links)}
    return rule.fallback_owner if rule.fallback_owner in linked else ""
