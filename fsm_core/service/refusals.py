"""What becomes of the writes a system did not take: problems, fields set aside, records that are decided on again.

Also what is known of one attempt (`Task`) and of all (`Pushed`). Not here: sending and reading back (`push`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from fsm_core.errors import HubError, Locked, Misconfigured, Retry, Stale, UnknownOutcome
from fsm_core.ports import Written
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.loaded import Loaded
from fsm_core.service.passing import wake
from fsm_core.service.problems import from_error
from fsm_core.state import Doc, Intent, Link, Problem, Reason, Work
from fsm_core.sync.record import UNDELIVERABLE

LONG_LOCKED = timedelta(days=1)
"""What waits this long for somebody else's lock is told to a person."""


@dataclass(slots=True)
class Pushed:
    """What became of the writes to one system."""

    system: str
    creates: int = 0
    updates: int = 0
    deletes: int = 0
    refused: int = 0
    stale: int = 0
    unknown: int = 0
    found: int = 0
    """Attempts of before whose end was found out."""
    normalised: int = 0
    """Values the system shows in its own rendering."""
    stopped: str = ""
    """Why the system was left alone for the rest of the run."""
    off: str = ""
    """That a person switched writing to it off, and who."""
    moved: dict[str, str] = field(default_factory=dict)
    """Records that somebody changed there just before the write, with their ids there."""

    @property
    def delivered(self) -> int:
        """Records written."""
        return self.creates + self.updates + self.deletes

    def add(self, batch: Pushed) -> None:
        """Count what became of one batch."""
        for name in ("creates", "updates", "deletes", "refused", "stale", "unknown", "found", "normalised"):
            setattr(self, name, getattr(self, name) + getattr(batch, name))
        self.moved |= batch.moved


@dataclass(slots=True)
class Task:
    """One attempt in the making."""

    loaded: Loaded
    link: Link | None
    values: Doc
    spoken: Doc = field(default_factory=dict)
    """The same with the system's own ids where it refers to something."""
    removes: bool = False
    """The record is to be deleted there."""
    intent: Intent | None = None
    before: Intent | None = None
    """The last attempt, where it never arrived: the same write is the same attempt."""
    written: Written = field(default_factory=Written)


def blocks(binding: Binding, error: HubError | None) -> bool:
    """Whether an error concerns the whole system; a locked record and a field without rights do not."""
    if isinstance(error, Misconfigured):
        return not _field_of(binding, error)
    return isinstance(error, Retry) and not isinstance(error, Locked)


def sort_failures(hub: Hub, work: Work, binding: Binding, tasks: Sequence[Task], report: Pushed) -> None:
    """Tell of what was refused, and look again at what somebody else changed meanwhile."""
    failed = [task for task in tasks if task.written.error is not None]
    refused = [t for t in failed if not isinstance(t.written.error, Stale | Retry | UnknownOutcome)]
    refused = [t for t in refused if not blocks(binding, t.written.error)]
    stale = [t for t in failed if isinstance(t.written.error, Stale)]
    refuse(hub, work, binding, refused)
    _tell_of_locks(hub, work, binding, [t for t in failed if isinstance(t.written.error, Locked)])
    work.mark_dirty(binding.entity, [(t.loaded.record.id, Reason.OBSERVED, "", hub.at()) for t in stale])
    report.refused += len(refused)
    report.stale += len(stale)
    report.moved |= {t.loaded.record.id: _known_as(t) for t in stale}
    report.unknown += sum(isinstance(t.written.error, UnknownOutcome) for t in failed)


def _tell_of_locks(hub: Hub, work: Work, binding: Binding, locked: Sequence[Task]) -> None:
    """A lock passes by itself; of one that stands since long a person is told, while the attempts go on."""
    if not locked:
        return
    began = hub.later(-LONG_LOCKED)
    overdue = set(work.due_deliveries(binding.entity, binding.system, began, "", hub.page))
    problems = []
    for task in locked:
        error, record = task.written.error, task.loaded.record.id
        if error is not None and record in overdue:
            problems.append(from_error(hub, binding, error, record, _known_as(task)))
            problems[-1].remedy = "Have it closed there, where it is open since more than a day; the hub keeps trying."
    work.raise_problems(problems)


def refuse(hub: Hub, work: Work, binding: Binding, tasks: Sequence[Task]) -> None:
    """A refused field is set aside and the rest goes out; a refused record waits for a person or a change."""
    problems: list[Problem] = []
    aside: list[Link] = []
    for task in tasks:
        error = task.written.error
        if error is None:
            continue
        record = task.loaded.record.id
        name = _field_of(binding, error)
        problems.append(_named(from_error(hub, binding, error, record, _known_as(task)), name))
        if name and task.link is not None and name in task.values:
            aside += [_held(link, name) for link in work.links([task.link.id])]
        else:
            work.clear_dirty(binding.entity, [record], [Reason.DELIVER], binding.system)
    work.settle_links(aside)
    work.raise_problems(problems)
    wake(hub, work, binding.entity, [task.loaded.record for task in tasks])


def _held(link: Link, name: str) -> Link:
    link.holds[name] = UNDELIVERABLE
    return link


def _named(problem: Problem, name: str) -> Problem:
    problem.field = name or problem.field
    return problem


def _known_as(task: Task) -> str:
    return task.link.external_id if task.link else task.loaded.record.id


def _field_of(binding: Binding, error: HubError) -> str:
    """The canonical field a refusal speaks of, if it names one."""
    if not error.field:
        return ""
    names = binding.translation.canonical_fields
    if error.field in names:
        return error.field
    return next((name for name in names if error.field in _tails(binding.translation.native_of(name))), "")


def _tails(paths: Sequence[str]) -> set[str]:
    return {*paths, *(path.rpartition(".")[2] for path in paths)}
