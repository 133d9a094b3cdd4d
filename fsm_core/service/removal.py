"""Deletions that the hub carries out in a system: which are owed, and what is known once one was sent.

Not here: deciding on them (`deletions`) and sending them (`push`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fsm_core.ports import State
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.loaded import Loaded, live_links
from fsm_core.service.problems import NOT_DELETED, WRITES, problem
from fsm_core.state import DELETED, Link, LinkState, Problem, Reason, Work
from fsm_core.sync.types import HUB

DELETED_BY_US = "deleted by the hub"
"""`Link.method` of a link that the hub ended."""


def deletes_in(hub: Hub, system: str, entity: str) -> bool:
    """Whether the hub can take a record away there; of a system that is not connected the best is assumed.

    Its own store keeps what it said: there is nobody to tell.
    """
    if system == HUB:
        return False
    binding = hub.bindings.get((system, entity))
    return binding is None or binding.capabilities.can_delete


def deletes_there(hub: Hub, link: Link) -> bool:
    """The same of the system of a link."""
    return deletes_in(hub, link.system, link.entity)


def owed_deletion(hub: Hub, loaded: Loaded, link: Link) -> bool:
    """Whether the record is to be deleted in the system of this link."""
    return loaded.record.lifecycle == DELETED and link.state == LinkState.LIVE and deletes_there(hub, link)


def settle_removed(hub: Hub, work: Work, binding: Binding, links: Collection[int]) -> None:
    """These are gone by our own doing: nothing is asked about them, and nothing more is owed to them."""
    if not links:
        return
    found = [link for link in work.links(links) if link.state not in (LinkState.DETACHED, LinkState.MERGED)]
    work.place([(link.id, link.record, LinkState.UNLINKED, DELETED_BY_US) for link in found])
    work.drop_references([link.id for link in found])
    work.solve_problems(binding.system, [link.external_id for link in found], (*WRITES, NOT_DELETED), hub.at())
    records = [link.record for link in found if link.record]
    work.clear_dirty(binding.entity, records, [Reason.DELIVER], binding.system)


def is_gone(state: State) -> bool:
    """Whether a read right after a deletion says that it happened."""
    return state is not State.LIVE


def tell_undeletable(hub: Hub, work: Work, loaded: Sequence[Loaded]) -> None:
    """A system that neither deletes nor has a place for the end of a record: a person removes it there."""
    told = []
    for one in loaded:
        ending = hub.book(one.record.entity).shape.ending("deactivate")
        told += _further(hub, one)
        for link in live_links(one.links):
            binding = hub.bindings.get((link.system, link.entity))
            if binding is None or deletes_there(hub, link) or (ending and ending[0] in binding.writable):
                continue
            message = "deleted elsewhere by rule; the hub can neither delete it here nor say that it is over"
            remedy = "Remove it there, or answer for it by hand."
            known = {"record": one.record.id, "remedy": remedy}
            told.append(problem(hub, binding, link.external_id, NOT_DELETED, message, **known))
    work.raise_problems(told)


def _further(hub: Hub, one: Loaded) -> list[Problem]:
    """Nothing is written to further records of a system, so that they are not deleted either."""
    found = []
    for link in one.links:
        if link.state == LinkState.FURTHER and (link.system, link.entity) in hub.bindings:
            message = "deleted elsewhere by rule; the hub writes nothing to a further record of a system"
            remedy = "Remove it there, or take it out: 'fsm-hub match unmerge'."
            binding, known = hub.bindings[link.system, link.entity], {"record": one.record.id, "remedy": remedy}
            found.append(problem(hub, binding, link.external_id, NOT_DELETED, message, **known))
    return found
