"""One round of an entity: pull every system, decide, deliver, until nothing is left that can be done now.

Not here: schedules and retries in minutes (`flows`), any single step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from fsm_core.errors import Misconfigured, Retry
from fsm_core.service.converge import Converged, converge
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.listing import tell_unlisted
from fsm_core.service.pull import Pulled, pull
from fsm_core.service.push import push
from fsm_core.service.refusals import Pushed
from fsm_core.service.unseen import remember_unseen, tell_unseen
from fsm_core.sync.types import Outcome

TURNS = 4
"""Decide-and-deliver turns per round: a surprise in a read-back is settled at once, a ping-pong is not fed."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How the steps of a round are carried out: as they stand, or wrapped by whoever schedules them."""

    pull: Callable[..., Pulled] = pull
    """`(hub, binding, full=)`; raises `Retry` and `Misconfigured`."""
    converge: Callable[..., Converged] = converge
    """`(hub, entity, confirmed=)`; raises `Halted`."""
    push: Callable[[Hub, Binding], Pushed] = push


PLAIN = Steps()


@dataclass(slots=True)
class Round:
    """What one round did."""

    entity: str
    pulled: list[Pulled] = field(default_factory=list)
    converged: list[Converged] = field(default_factory=list)
    pushed: list[Pushed] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    """Systems that could not be read or written in this round, and why."""

    @property
    def writes(self) -> int:
        """Records written in all systems."""
        return sum(pushed.delivered for pushed in self.pushed)

    def summary(self) -> dict[str, Any]:
        """The round in numbers; of `absent` the systems and reasons, of nobody any data."""
        outcomes = sum((converged.outcomes for converged in self.converged), Counter[str]())
        read, written = self.pulled, Counter[str]()
        for pushed in self.pushed:
            written[pushed.system] += pushed.delivered
        return {
            "entity": self.entity,
            "read": {p.system: {"seen": p.seen, "new": p.new, "changed": p.changed, "gone": p.gone} for p in read},
            "born": sum(converged.born for converged in self.converged),
            "linked": sum(converged.linked for converged in self.converged),
            "questions": sum(converged.questions for converged in self.converged),
            "outcomes": {str(name): count for name, count in outcomes.items() if name != Outcome.CONVERGED},
            "written": dict(written),
            "writes": self.writes,
            "refused": sum(pushed.refused for pushed in self.pushed),
            "absent": self.absent,
        }


def synchronise(  # noqa: PLR0913 - each is a person's choice for one round
    hub: Hub,
    entity: str,
    *,
    full: bool = False,
    read: bool = True,
    deliver: bool = True,
    confirmed: bool = False,
    only: Collection[str] = (),
    told: Callable[[str], None] = lambda _step: None,
    steps: Steps = PLAIN,
) -> Round:
    """Run one round. A system that is unreachable or misconfigured is left out; the others go on."""
    report = Round(entity)
    bindings = [b for b in hub.of_entity(entity) if not only or b.system in only]
    for binding in bindings if read else ():
        told(f"reading {binding.system}")
        pull_into(hub, binding, report, full=full, steps=steps)
    for _turn in range(TURNS):
        told("deciding")
        report.converged.append(steps.converge(hub, entity, confirmed=confirmed))
        if not deliver or not _deliver(hub, bindings, report, told, steps):
            break
    return report


def pull_into(hub: Hub, binding: Binding, report: Round, *, full: bool = False, steps: Steps = PLAIN) -> None:
    """Pull one system; note it as absent when it cannot be read."""
    regained = tell_unseen(hub, binding)
    try:
        pulled = steps.pull(hub, binding, full=full or regained)
        report.pulled.append(pulled)
        tell_unlisted(hub, binding, pulled)
        remember_unseen(hub, binding)
    except (Retry, Misconfigured) as error:
        report.absent[binding.system] = str(error.located(system=binding.system, object=binding.object.name))


def _deliver(hub: Hub, bindings: list[Binding], report: Round, told: Callable[[str], None], steps: Steps) -> bool:
    """Whether anything happened that has to be decided on."""
    moved = False
    for binding in bindings:
        if binding.system in report.absent:
            continue
        told(f"writing {binding.system}")
        pushed = _pushed(hub, binding, steps)
        report.pushed.append(pushed)
        if pushed.stopped:
            report.absent[binding.system] = pushed.stopped
        moved = moved or bool(pushed.delivered or pushed.stale or pushed.refused or pushed.found)
    return moved


def _pushed(hub: Hub, binding: Binding, steps: Steps) -> Pushed:
    """What a push reports; one that could not begin reports why."""
    try:
        return steps.push(hub, binding)
    except (Retry, Misconfigured) as error:
        return Pushed(binding.system, stopped=str(error.located(system=binding.system, object=binding.object.name)))
