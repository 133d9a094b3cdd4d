"""The ceremony by which a system is accepted under another fingerprint: a moved tenant, a refreshed sandbox.

A hub whose settings were copied must never write to another company's system, so nothing happens by itself: people see
how many known records are really there, and say so. Not here: refusing the environment in the first place (`wiring`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from fsm_core.errors import Refused
from fsm_core.ports import State
from fsm_core.service.hub import Binding, Hub
from fsm_core.state import Decision, Link, LinkState

SAMPLE = 50
"""Known records per entity that are looked for."""
ENOUGH = 0.9
"""Share of them that must be there: with fewer the links are those of another company."""


@dataclass(frozen=True, slots=True)
class Found:
    """How much of what the hub knows is there."""

    entity: str
    known: int
    """Records in the sample."""
    there: int
    keyed: int
    """Of those that carried our id, how many still do."""
    expected: int
    """Records in the sample that carried our id."""


@dataclass(frozen=True, slots=True)
class Examined:
    """A system as it is met under another fingerprint."""

    system: str
    known: str
    shown: str
    found: tuple[Found, ...]

    @property
    def what(self) -> str:
        """A hash of exactly this change, for the approval."""
        return hashlib.sha256(f"rekey\n{self.system}\n{self.known}\n{self.shown}".encode()).hexdigest()

    @property
    def objection(self) -> str:
        """Why it cannot be the same company; "" when it may be."""
        known, there = sum(one.known for one in self.found), sum(one.there for one in self.found)
        if known and there < ENOUGH * known:
            return f"only {there} of {known} known records are there"
        keyed, expected = sum(one.keyed for one in self.found), sum(one.expected for one in self.found)
        if expected and keyed < ENOUGH * expected:
            return f"only {keyed} of {expected} known records still carry the hub's id"
        return ""


def examine(hub: Hub, system: str, shown: str, bindings: Sequence[Binding]) -> Examined:
    """Look for a sample of the known records. Raises `Retry` and `Misconfigured`; writes nothing."""
    with hub.store.begin() as work:
        known = work.fingerprint(system) or ""
    return Examined(system, known, shown, tuple(_look(hub, binding) for binding in bindings))


def _look(hub: Hub, binding: Binding) -> Found:
    with hub.store.begin() as work:
        links = work.some_links(binding.system, binding.object.name, binding.entity, SAMPLE)
    links = [link for link in links if link.state == LinkState.LIVE]
    shown = binding.connector.read(binding.object, [link.external_id for link in links]) if links else []
    pairs = [(link, change) for link, change in zip(links, shown, strict=True) if change.state is State.LIVE]
    ours = [(link, change) for link, change in pairs if _keyed(link)]
    keyed = sum(change.key == link.record for link, change in ours)
    return Found(binding.entity, len(links), len(pairs), keyed, len(ours))


def _keyed(link: Link) -> bool:
    return bool(link.record) and link.hub_key == link.record


def accept(hub: Hub, examined: Examined, by: str) -> None:
    """From now on this is the system's environment; everything is read again. Raises `Refused` where it cannot be."""
    if examined.objection:
        remedy = "Point hub.toml back, or start with a database of its own."
        raise Refused(examined.objection, system=examined.system, remedy=remedy)
    at = hub.at()
    with hub.running("rekey"), hub.store.begin() as work:
        work.put_fingerprint(examined.system, examined.shown, at)
        work.forget_cursors(examined.system)
        told = {"system": examined.system, "from": examined.known, "to": examined.shown}
        work.write_decisions(hub.run, at, [Decision(hub.ids.text(), "", "system", by, "rekey", told)])
