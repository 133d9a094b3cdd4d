"""One round of an entity: pull every system, decide, deliver, until nothing is left that can be done now.

Not here: schedules and retries in minutes (`flows`), any single step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from fsm_core.drift.kinds import Drift
from fsm_core.errors import Misconfigured, Retry
from fsm_core.service.converge import Converged, Halted, converge
from fsm_core.service.drifting import tell_drift
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.listing import sweep
from fsm_core.service.problems import problem
from fsm_core.service.pull import Pulled, pull
from fsm_core.service.push import push
from fsm_core.service.refusals import Pushed
from fsm_core.service.rest import leave_alone, resting
from fsm_core.service.stops import Stopped, obey
from fsm_core.service.unseen import remember_unseen, tell_unseen
from fsm_core.state_stops import Way
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
    off: dict[str, str] = field(default_factory=dict)
    """Systems that a person switched off, and who."""
    drift: list[tuple[str, Drift]] = field(default_factory=list)
    """What each system changed of its fields since it was known."""

    @property
    def writes(self) -> int:
        """Records written in all systems."""
        return sum(pushed.delivered for pushed in self.pushed)

    def summary(self) -> dict[str, Any]:
        """The round in numbers; of `absent` the systems and reasons, of nobody any data."""
        outcomes = sum((converged.outcomes for converged in self.converged), Counter[str]())
        endings = sum((converged.endings for converged in self.converged), Counter[str]())
        read, written = self.pulled, Counter[str]()
        for pushed in self.pushed:
            written[pushed.system] += pushed.delivered
        return {
            "entity": self.entity,
            "read": {p.system: {"seen": p.seen, "new": p.new, "changed": p.changed, "gone": p.gone} for p in read},
            "born": sum(converged.born for converged in self.converged),
            "linked": sum(converged.linked for converged in self.converged),
            "questions": sum(converged.questions for converged in self.converged),
            "endings": {str(name): count for name, count in endings.items()},
            "outcomes": {str(name): count for name, count in outcomes.items() if name != Outcome.CONVERGED},
            "written": dict(written),
            "writes": self.writes,
            "refused": sum(pushed.refused for pushed in self.pushed),
            "absent": self.absent,
            "off": self.off,
            "drift": [
                {"system": system, "path": one.path, "kind": one.kind, "policy": one.policy, "message": one.sentence}
                for system, one in self.drift
            ],
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
    first_load: int | None = None,
    told: Callable[[str], None] = lambda _step: None,
    steps: Steps = PLAIN,
) -> Round:
    """Run one round. A system that is unreachable or misconfigured is left out; the others go on.

    Raises `Halted` when a guard stops the entity, or when the first writes ever to a system are more than `first_load`,
    and nobody confirmed it.
    """
    report = Round(entity)
    bindings = [b for b in hub.of_entity(entity) if not only or b.system in only]
    if read:
        report.drift = tell_drift(hub, entity, only)
    report.absent |= {b.system: why for b in bindings if (why := resting(hub, b.system))}
    for binding in bindings if read else ():
        if binding.system not in report.absent:
            told(f"reading {binding.system}")
            pull_into(hub, binding, report, full=full, confirmed=confirmed, steps=steps)
    for _turn in range(TURNS):
        told("deciding")
        report.converged.append(steps.converge(hub, entity, confirmed=confirmed))
        if deliver and first_load is not None and not confirmed:
            _not_too_many_at_first(hub, bindings, first_load)
        if not deliver or not _deliver(hub, bindings, report, told, steps):
            break
    else:
        _tell_of_movers(hub, bindings, report)
    return report


def _not_too_many_at_first(hub: Hub, bindings: list[Binding], most: int) -> None:
    """A first load is looked at before it is written."""
    with hub.store.begin() as work:
        for binding in bindings:
            if work.fingerprint(_loaded(binding)) is not None:
                continue
            due = work.due_deliveries(binding.entity, binding.system, hub.at(), "", most + 1)
            if len(due) > most:
                message = f"the first load would write more than {most} records"
                remedy = (
                    "Look at 'fsm-hub plan --out plan.json' and apply it; if you know what it writes, run "
                    "'fsm-hub sync --confirm-mass-change'."
                )
                raise Halted(message, system=binding.system, object=binding.entity, remedy=remedy)


def _loaded(binding: Binding) -> str:
    """Under which name the state remembers that a system was written to before."""
    return f"loaded/{binding.system}/{binding.entity}"


def _remember_loaded(hub: Hub, binding: Binding) -> None:
    with hub.store.begin() as work:
        if work.fingerprint(_loaded(binding)) is None:
            work.put_fingerprint(_loaded(binding), hub.at(), hub.at())


def _tell_of_movers(hub: Hub, bindings: list[Binding], report: Round) -> None:
    """A problem for each record that changed there before every attempt; the next round tries again."""
    for binding in bindings:
        met = [pushed.moved for pushed in report.pushed if pushed.system == binding.system]
        always = set.intersection(*(set(moved) for moved in met)) if len(met) == TURNS else set()
        message = f"changed there just before each of {TURNS} writes in a row; nothing of it was overwritten"
        remedy = "Find what touches it there all the time, if it does not end by itself; the hub keeps trying."
        problems = [
            problem(hub, binding, met[-1][record], "write stale", message, record=record, remedy=remedy)
            for record in sorted(always)
        ]
        if problems:
            with hub.store.begin() as work:
                work.raise_problems(problems)


def pull_into(
    hub: Hub, binding: Binding, report: Round, *, full: bool = False, confirmed: bool = False, steps: Steps = PLAIN
) -> None:
    """Pull one system; note it as absent when it cannot be read."""
    try:
        with hub.store.begin() as work:
            obey(work, binding.system, binding.entity, Way.IN)
        regained = tell_unseen(hub, binding)
        pulled = steps.pull(hub, binding, full=full or regained)
        report.pulled.append(pulled)
        sweep(hub, binding, pulled, confirmed=confirmed)
        remember_unseen(hub, binding)
    except Stopped as error:
        report.off[binding.system] = str(error)
    except (Retry, Misconfigured) as error:
        leave_alone(hub, binding.system, error)
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
        if pushed.delivered:
            _remember_loaded(hub, binding)
        if pushed.off:
            report.off[binding.system] = pushed.off
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
