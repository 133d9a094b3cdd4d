"""Carries out a plan that was kept: reads and decides anew, and delivers what is still exactly as planned.

What moved since is refused with its reason and stays due; what is done already is not done again, so a plan that was
interrupted is simply applied once more. Not here: who may apply which plan (`limits`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import TypeAlias

from fsm_core.errors import Invalid
from fsm_core.model.compare import blank, canonical
from fsm_core.model.entity import FieldShape
from fsm_core.ports import Action
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.plan import PlannedWrite, homes, homes_of, spoken_of
from fsm_core.service.planfile import REMEDY, Header, PlanFile
from fsm_core.service.push import push
from fsm_core.service.refusals import Pushed, Task
from fsm_core.service.sync import Round, Steps, synchronise
from fsm_core.state import Doc, IntentState, LinkState, Work

PAGE = 500
"""Planned writes that are held at a time."""
WAITS = "what it refers to is not there yet, it was written too often, or another process has it in hand"
SHOWN = 3
"""Fields that a reason names."""


class Fate(StrEnum):
    """What became of one planned write."""

    APPLIED = "applied"
    DONE = "done already"
    """The system shows it: by an earlier application, or by itself."""
    MOVED = "moved"
    """Not as planned any more; nothing was written."""
    WAITING = "waiting"
    """What it refers to is not there yet, it was written too often, or another process has it in hand."""
    FAILED = "failed"
    ABSENT = "absent"
    """The system could not be used."""


@dataclass(frozen=True, slots=True)
class Told:
    """The fate of one planned write."""

    fate: Fate
    why: str = ""


NOTHING = Told(Fate.WAITING)
"""Before anything is known."""

Key: TypeAlias = tuple[str, str, str]
"""Entity, system, and the record's id there or one of its homes."""


@dataclass(slots=True)
class Applied:
    """What became of a plan."""

    rounds: list[Round] = field(default_factory=list)
    fates: Counter[Fate] = field(default_factory=Counter)
    left: list[tuple[PlannedWrite, Told]] = field(default_factory=list)
    """What was not carried out."""
    unplanned: int = 0
    """Writes that are due and not in the plan; they wait for the next plan or round."""


class Permit:
    """What a plan lets a push do, and what became of it."""

    def __init__(self, plan: PlanFile) -> None:
        self._plan = plan
        self._places: dict[Key, int] = {}
        for place, write in plan.placed():
            for name in [write.external_id] if write.external_id else write.homes:
                self._places[write.entity, write.system, name] = place
        self.told: dict[int, Told] = {}
        self._trying: dict[int, Task] = {}
        self._unplanned: set[Key] = set()

    @property
    def unplanned(self) -> int:
        """Records of systems that something is due to and that the plan does not name."""
        return len(self._unplanned)

    def __call__(self, hub: Hub, work: Work, binding: Binding, tasks: list[Task]) -> list[Task]:
        """Those that are exactly as planned."""
        told = homes_of(hub, work, binding.entity, [task.values for task in tasks])
        shape, permitted = hub.book(binding.entity).shape, []
        for task in tasks:
            place = self._place(binding, task)
            if place is None:
                self._unplanned.add((binding.entity, binding.system, task.loaded.record.id))
                continue
            why = _objection(self._plan.at(place), task, spoken_of(shape, task.values, told))
            if not why:
                permitted.append(task)
                self._trying[place] = task
            elif self.told.get(place, NOTHING).fate is not Fate.APPLIED:
                self.told[place] = Told(Fate.MOVED, why)
        return permitted

    def _place(self, binding: Binding, task: Task) -> int | None:
        names = [task.link.external_id] if task.link else homes(task.loaded)
        found = (self._places.get((binding.entity, binding.system, name)) for name in names)
        return next((place for place in found if place is not None), None)

    def push(self, hub: Hub, binding: Binding) -> Pushed:
        """Deliver what is permitted, and note what became of it."""
        done = push(hub, binding, self)
        for place, task in self._trying.items():
            if self.told.get(place, NOTHING).fate is not Fate.APPLIED:
                self.told[place] = _told(task)
        self._trying.clear()
        return done


def _told(task: Task) -> Told:
    if task.intent is None and task.written.error is None:
        return Told(Fate.WAITING, WAITS)
    if task.written.error is not None:
        return Told(Fate.FAILED, str(task.written.error))
    delivered = task.intent is not None and task.intent.state == IntentState.DELIVERED
    return Told(Fate.APPLIED) if delivered else Told(Fate.FAILED, "the system could not be used any longer")


def _objection(planned: PlannedWrite, task: Task, values: Doc) -> str:
    """Why this is not what was planned; "" when it is."""
    action = "delete" if task.removes else "update" if task.link else "create"
    if planned.action != action:
        return f"it would be a different write now: {action}"
    if task.link and task.link.version != planned.version:
        who = f" by {task.link.changed_by}" if task.link.changed_by else ""
        return f"it was changed there{who} since the plan was made"
    if task.link and not task.link.version and _shows_other(planned, task.link.now):
        return "it was changed there since the plan was made"
    wanted = {name: one.to for name, one in planned.fields.items()}
    differ = [n for n in sorted({*wanted, *values}) if canonical(wanted.get(n)) != canonical(values.get(n))]
    if not differ:
        return ""
    named = ", ".join(differ[:SHOWN]) + (" and more" if len(differ) > SHOWN else "")
    return f"something else is agreed now than when the plan was made: {named}"


def _shows_other(planned: PlannedWrite, now: Doc) -> bool:
    return any(canonical(now.get(name)) != canonical(one.shows) for name, one in planned.fields.items())


def apply(
    hub: Hub,
    plan: PlanFile,
    environments: dict[str, str],
    before: Callable[[Hub], object],
    *,
    confirmed: bool = False,
    told: Callable[[str], None] = lambda _step: None,
) -> Applied:
    """Carry out what is still as planned. `before` decides what the plan decided before it looked.

    Raises `Invalid` when the plan was made under other rules or for another environment, `Halted` when a guard stops
    an entity and nobody confirmed it.
    """
    _same_ground(hub, plan.header, environments)
    permit, done = Permit(plan), Applied()
    before(hub)
    for entity in plan.header.entities:
        steps = Steps(push=permit.push)
        done.rounds.append(synchronise(hub, entity, confirmed=confirmed, told=told, steps=steps))
    done.unplanned = permit.unplanned
    absent = {(one.entity, system): why for one in done.rounds for system, why in (one.absent | one.off).items()}
    placed = plan.placed()
    while page := list(islice(placed, PAGE)):
        unseen: defaultdict[str, list[PlannedWrite]] = defaultdict(list)
        for place, write in page:
            if place not in permit.told:
                unseen[write.entity].append(write)
        there = {entity: _there(hub, entity, writes) for entity, writes in unseen.items()}
        for place, write in page:
            one = permit.told.get(place) or _unseen(hub, write, absent, there[write.entity])
            done.fates[one.fate] += 1
            if one.fate not in (Fate.APPLIED, Fate.DONE):
                done.left.append((write, one))
    return done


def _unseen(
    hub: Hub, write: PlannedWrite, absent: dict[tuple[str, str], str], there: dict[tuple[str, str], Doc]
) -> Told:
    """What became of a planned write that nothing is due for, or whose system was not there."""
    why = absent.get((write.entity, write.system))
    if why:
        return Told(Fate.ABSENT, why)
    agreed = there.get((write.system, write.external_id or write.homes[0]))
    if write.action == Action.DELETE:
        return Told(Fate.DONE) if agreed is None else Told(Fate.MOVED, "nothing is due any more: it is to stay")
    if agreed is None:
        return Told(Fate.WAITING, WAITS)
    fields = hub.book(write.entity).shape.fields
    differ = [n for n, one in write.fields.items() if not _like(fields[n], one.to, agreed.get(n))]
    if not differ:
        return Told(Fate.DONE)
    return Told(Fate.MOVED, f"nothing is due any more, and agreed is something else: {', '.join(differ[:SHOWN])}")


def _like(field: FieldShape, planned: object, agreed: object) -> bool:
    """A reference is planned by where it lives and agreed as a record: that it is stated is all that can be said."""
    if blank(planned) or blank(agreed):
        return blank(planned) and blank(agreed)
    return bool(field.reference) or canonical(planned) == canonical(agreed)


def _there(hub: Hub, entity: str, writes: list[PlannedWrite]) -> dict[tuple[str, str], Doc]:
    """Per system and id there, or home, what is agreed on the record; absent where that system does not hold it."""
    found: dict[tuple[str, str], Doc] = {}
    bound = {binding.system: binding.object.name for binding in hub.of_entity(entity)}
    with hub.store.begin() as work:
        known: dict[str, str] = {}
        for system, obj in bound.items():
            names = [w.external_id for w in writes if w.external_id and w.system == system]
            names += [w.homes[0].removeprefix(f"{system}:") for w in writes if w.homes[0].startswith(f"{system}:")]
            links = work.known_links(system, obj, entity, names)
            known |= {f"{system}:{id_}": link.record for id_, link in links.items() if link.record}
        records = work.records(set(known.values()))
        holds = {(x.record, x.system) for x in work.links_of(records) if x.state == LinkState.LIVE}
    for write in writes:
        name = f"{write.system}:{write.external_id}" if write.external_id else write.homes[0]
        record = known.get(name, "")
        if (record, write.system) in holds:
            found[write.system, write.external_id or name] = records[record].document
    return found


def _same_ground(hub: Hub, header: Header, environments: dict[str, str]) -> None:
    if header.rules != hub.rulebook.version:
        message = f"the plan was made under the rules {header.rules}, in force are {hub.rulebook.version}"
        raise Invalid(message, remedy=REMEDY)
    for system, known in sorted(header.environments.items()):
        if environments.get(system, known) != known:
            raise Invalid("the plan was made for another environment", system=system, remedy=REMEDY)
