"""Delivers what is owed: intents written ahead, batches sent, read back, settled.

No transaction is open while a remote call runs. A lost answer is never repeated before a probe by our key.
Not here: what is owed (`fsm_core.sync.record`) and how a system is spoken to (connectors).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TypeAlias

from fsm_core.errors import Invalid, Locked, Misconfigured, NotFound, Refused, Retry, Stale, UnknownOutcome
from fsm_core.ports import Action, Change, Creates, Ref, State, Write, Written
from fsm_core.service.breaker import unhurried
from fsm_core.service.converge import load, missing
from fsm_core.service.deletions import restorations
from fsm_core.service.fit import fit
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.loaded import Loaded, closed_fields, live_links, view_of
from fsm_core.service.passing import wake
from fsm_core.service.probe import Probed, observe, probe_open
from fsm_core.service.problems import warned
from fsm_core.service.references import Owed, content_hash, telling
from fsm_core.service.refusals import Pushed, Task, blocks, refuse, sort_failures
from fsm_core.service.removal import is_gone, owed_deletion, settle_removed
from fsm_core.service.rest import leave_alone
from fsm_core.service.settle import Delivery, settle_delivered
from fsm_core.service.stops import Stopped, obey
from fsm_core.service.unseen import HIDES_NOTHING, Hidden, hidden_now
from fsm_core.state import Doc, Intent, IntentState, Link, Reason, Work
from fsm_core.state_stops import Way
from fsm_core.sync.record import owed

Permit: TypeAlias = Callable[[Hub, Work, Binding, list[Task]], list[Task]]
"""Which of these attempts may be made; the others stay due."""


def everything(_hub: Hub, _work: Work, _binding: Binding, tasks: list[Task]) -> list[Task]:
    """All that is due."""
    return tasks


def push(hub: Hub, binding: Binding, permit: Permit = everything) -> Pushed:
    """Probe what was left open, then write everything due. Stops at the first `Retry` or `Misconfigured`."""
    report = Pushed(binding.system)
    try:
        with hub.store.begin() as work:
            obey(work, binding.system, binding.entity, Way.OUT)
        probed = probe_open(hub, binding)
        report.found, report.normalised, report.unknown = probed.ended, probed.rendered, len(probed.waiting)
        _deliver_all(hub, binding, _batches(hub, binding, probed, permit), report)
    except Stopped as error:
        report.off = str(error)
    except (Retry, Misconfigured) as error:
        leave_alone(hub, binding.system, error)
        report.stopped = str(error.located(system=binding.system, object=binding.object.name))
    return report


def _deliver_all(hub: Hub, binding: Binding, batches: Iterator[list[Task]], report: Pushed) -> None:
    """As many batches at a time as the system allows; after an error of the system those under way are finished."""
    width = binding.capabilities.in_flight
    if width <= 1:
        for tasks in batches:
            deliver(hub, binding, tasks, report)
        return
    under_way: deque[tuple[Future[None], Pushed]] = deque()
    with ThreadPoolExecutor(width, thread_name_prefix="batch") as pool:
        try:
            for tasks in batches:
                own = Pushed(binding.system)
                under_way.append((pool.submit(deliver, hub, binding, tasks, own), own))
                if len(under_way) == width:
                    _finished(under_way.popleft(), report)
            while under_way:
                _finished(under_way.popleft(), report)
        finally:
            for future, own in under_way:
                future.exception()  # the first error is the one that is told
                report.add(own)


def _finished(batch: tuple[Future[None], Pushed], report: Pushed) -> None:
    future, own = batch
    try:
        future.result()
    finally:
        report.add(own)


def _batches(hub: Hub, binding: Binding, probed: Probed, permit: Permit) -> Iterator[list[Task]]:
    """Batches of what is due now, each record once."""
    size = _size(binding)
    began, after = hub.at(), ""
    with hub.store.begin() as work:
        work.wake_held(binding.entity, binding.system, began)
    while True:
        with hub.store.begin() as work:
            obey(work, binding.system, binding.entity, Way.OUT)
            due = work.due_deliveries(binding.entity, binding.system, began, after, size)
            if not due:
                return
            loaded = load(hub, work, [record for record in due if record not in probed.waiting])
            tasks = [task for one in loaded if (task := _task(hub, binding, one)) is not None]
            telling_now = {task.loaded.record.id for task in tasks}
            nothing_owed = [one.record for one in loaded if one.record.id not in telling_now]
            work.clear_dirty(binding.entity, {record.id for record in nothing_owed}, [Reason.DELIVER], binding.system)
            wake(hub, work, binding.entity, nothing_owed)
            if binding.watched.closed:  # what should be there stays due until new records are taken again
                tasks = [task for task in tasks if task.link is not None]
            tasks = _tellable(hub, work, binding, permit(hub, work, binding, tasks))
        for task in tasks:
            task.before = probed.lost.get(task.loaded.record.id)
        after = due[-1]
        if tasks:
            yield tasks


def _size(binding: Binding) -> int:
    """Records of one batch."""
    return max(1, binding.capabilities.batch)


def _tellable(hub: Hub, work: Work, binding: Binding, tasks: list[Task]) -> list[Task]:
    """Without what refers to a record that is not there yet, and what was written too often."""
    ready = [task for task in tasks if task.removes]
    tasks = unhurried(hub, work, binding, [task for task in tasks if not task.removes])
    told = telling(hub, work, binding, [Owed(t.loaded.record.id, t.values, t.link is None) for t in tasks])
    for task, one in zip(tasks, told, strict=True):
        if one is not None:
            task.values, task.spoken = one
            ready.append(task)
    return ready


def _task(hub: Hub, binding: Binding, loaded: Loaded) -> Task | None:
    link = next((x for x in live_links(loaded.links) if x.system == binding.system), None)
    book = hub.book(binding.entity)
    closed = closed_fields(book, loaded, loaded.conflicts)
    if link is None:
        if binding.system not in missing(hub, loaded, loaded.conflicts):
            return None
        return Task(loaded, None, told_at_birth(binding, loaded, closed))
    if owed_deletion(hub, loaded, link):
        return Task(loaded, link, {}, removes=True)
    values = owed(book.shape, loaded.record.document, view_of(hub, link), closed)
    return Task(loaded, link, values) if values else None


def told_at_birth(binding: Binding, loaded: Loaded, closed: frozenset[str]) -> Doc:
    """What a new record is created with."""
    return {n: v for n, v in loaded.record.document.items() if n in binding.creatable and n not in closed}


def deliver(hub: Hub, binding: Binding, tasks: list[Task], report: Pushed) -> None:
    """One batch: look before the write where the system cannot compare, write ahead, send, read back, settle."""
    if not binding.capabilities.compare_and_set:
        tasks = _unmoved(hub, binding, tasks, report)
    tasks, writes = _prepared(hub, binding, tasks, report)
    tasks, writes = _ahead_of_others(hub, binding, tasks, writes)
    if not tasks:
        return
    try:
        outcomes = binding.connector.write(binding.object, writes)
    except UnknownOutcome as error:
        outcomes = [Written(error=error)] * len(writes)
    except (Retry, Misconfigured) as error:
        _close(hub, tasks, IntentState.STALE, str(error))
        raise
    for task, outcome in zip(tasks, outcomes, strict=True):
        # what cannot be found is deleted already: the read after it tells
        absent = task.removes and isinstance(outcome.error, NotFound)
        task.written = Written(task.link.external_id) if absent and task.link else outcome
    _settle(hub, binding, tasks, report)
    blocked = next((t.written.error for t in tasks if blocks(binding, t.written.error)), None)
    if blocked is not None:
        if isinstance(blocked, Retry):
            blocked.id = ""  # it speaks of the system, not of the record that met it first
        raise blocked


def _unmoved(hub: Hub, binding: Binding, tasks: list[Task], report: Pushed) -> list[Task]:
    """Read just before the write; a record that moved is observed and decided again instead."""
    updates = [task for task in tasks if task.link is not None]
    if not updates:
        return tasks
    shown = binding.connector.read(binding.object, [task.link.external_id for task in updates if task.link])
    hidden = hidden_now(hub, binding, [task.link for task in updates if task.link])
    moved = {
        id(task): change
        for task, change in zip(updates, shown, strict=True)
        if task.link is not None and _has_moved(binding, task.link, change, hidden.get(task.link.id, HIDES_NOTHING))
    }
    if not moved:
        return tasks
    observe(hub, binding, list(moved.values()))
    invisible = [t for t in updates if id(t) in moved and moved[id(t)].state is State.MISSING]
    for task in invisible:
        task.written = Written(error=NotFound("the record is not visible any more", system=binding.system))
    if invisible:
        with hub.store.begin() as work:
            refuse(hub, work, binding, invisible)
    report.refused += len(invisible)
    report.stale += len(moved) - len(invisible)
    seen = [t for t in updates if id(t) in moved and t not in invisible]
    report.moved |= {t.loaded.record.id: t.link.external_id for t in seen if t.link}
    return [task for task in tasks if id(task) not in moved]


def _has_moved(binding: Binding, link: Link, change: Change, hidden: Hidden) -> bool:
    """By its version, or by what it shows where there are no versions."""
    if change.state is not State.LIVE or change.version != link.version:
        return True
    return change.version == "" and content_hash(binding, change, hidden.spoken) != link.hash


def _prepared(hub: Hub, binding: Binding, tasks: list[Task], report: Pushed) -> tuple[list[Task], list[Write]]:
    """The native writes; what the mapping cannot say becomes a problem here, before anything is sent."""
    ready: list[Task] = []
    writes: list[Write] = []
    refused: list[Task] = []
    for task in tasks:
        try:
            writes.append(_write(hub, binding, task))
            ready.append(task)
        except Refused as error:
            task.written = Written(error=error)
            refused.append(task)
    if refused:
        with hub.store.begin() as work:
            refuse(hub, work, binding, refused)
        report.refused += len(refused)
    return ready, writes


def _write(hub: Hub, binding: Binding, task: Task) -> Write:
    record = task.loaded.record
    if binding.watched.tight:
        fit(binding, task)
    if task.link is None:
        fields = binding.translation.encode_create(task.spoken, record.id)
        action, external_id, version = Action.CREATE, "", ""
    elif task.removes:
        fields, action = {}, Action.DELETE
        external_id, version = task.link.external_id, task.link.version
    else:
        fields = binding.translation.encode(task.spoken, task.link.now)
        action, external_id, version = Action.UPDATE, task.link.external_id, task.link.version
    task.intent = Intent(
        id=hub.ids.text(),
        record=record.id,
        entity=binding.entity,
        system=binding.system,
        object=binding.object.name,
        action=action,
        payload=task.values,
        state=IntentState.SENT,
        link=task.link.id if task.link else None,
        external_id=external_id,
        expected_version=version,
        worker=hub.worker,
        lease_until=hub.later(hub.lease),
        due_at=hub.later(hub.probe_after),
        created_at=hub.at(),
        run=hub.run,
    )
    if task.before is not None and _same_write(task.before, task.intent):
        task.intent = _once_more(task.before, task.intent)
    # one record of ours is one record there, however often its creation is asked for
    token = _token(task, binding.system) if action == Action.CREATE else task.intent.id
    return Write(action, external_id, record.id, fields, version, token)


def _same_write(before: Intent, now: Intent) -> bool:
    """Whether this is the attempt that never arrived: then the system may tell by its key that it is."""
    told = (before.action, before.link, before.expected_version, before.payload)
    return told == (now.action, now.link, now.expected_version, now.payload)


def _once_more(before: Intent, now: Intent) -> Intent:
    return replace(now, id=before.id, attempts=before.attempts + 1, created_at=before.created_at, run=before.run)


def _token(task: Task, system: str) -> str:
    """What a system knows a creation by; what it deleted is created again under another one."""
    before = restorations(task.loaded.links, system)
    return f"{task.loaded.record.id}-{system}{f'-{before}' if before else ''}"


def _ahead_of_others(
    hub: Hub, binding: Binding, tasks: list[Task], writes: list[Write]
) -> tuple[list[Task], list[Write]]:
    """Put the attempts on record; what another process has in hand, or has done meanwhile, is left alone."""
    try:
        taken = _write_ahead(hub, binding, tasks)
    except Locked:
        with hub.store.begin() as work:
            attempts = work.attempts_of({task.loaded.record.id for task in tasks})
        here = (binding.system, binding.object.name)
        taken = {intent.record for intent in attempts if (intent.system, intent.object) == here}
        taken |= _write_ahead(hub, binding, [task for task in tasks if task.loaded.record.id not in taken])
    if not taken:
        return tasks, writes
    for task in tasks:
        if task.loaded.record.id in taken:
            task.intent = None
    writes = [write for task, write in zip(tasks, writes, strict=True) if task.intent]
    return [task for task in tasks if task.intent], writes


def _write_ahead(hub: Hub, binding: Binding, tasks: Sequence[Task]) -> set[str]:
    """Returns the records that exist there since the batch was loaded: a second creation would make another one."""
    with hub.store.begin() as work:
        made = _made_meanwhile(work, binding, tasks)
        intents = [task.intent for task in tasks if task.intent and task.loaded.record.id not in made]
        work.add_intents([intent for intent in intents if intent.attempts == 1])
        work.change_intents([intent for intent in intents if intent.attempts > 1])
    return made


def _made_meanwhile(work: Work, binding: Binding, tasks: Sequence[Task]) -> set[str]:
    creates = [task.loaded.record.id for task in tasks if task.link is None]
    if not creates or binding.capabilities.creates is Creates.UPSERT_KEY:
        return set()
    return work.held_in(binding.system, binding.object.name, creates)


def _close(hub: Hub, tasks: Sequence[Task], state: IntentState, error: str) -> None:
    intents = [task.intent for task in tasks if task.intent]
    for intent in intents:
        intent.state, intent.error = state, error
    with hub.store.begin() as work:
        work.change_intents(intents)


# -- after the write -----------------------------------------------------------------------------


def _settle(hub: Hub, binding: Binding, tasks: Sequence[Task], report: Pushed) -> None:
    arrived = [task for task in tasks if task.written.error is None or task.written.created]
    looked_at = [task for task in tasks if task.link and isinstance(task.written.error, Stale | NotFound)]
    refs: list[Ref] = [*(t.written.id for t in arrived), *(t.link.external_id for t in looked_at if t.link)]
    try:
        shown = binding.connector.read(binding.object, refs) if refs else []
    except (Retry, Misconfigured) as error:
        _close(hub, tasks, IntentState.UNKNOWN, str(error))
        raise
    removed = _removed(arrived, shown)
    pairs = zip(arrived, shown, strict=False)
    deliveries = [_delivery(task, change) for task, change in pairs if not task.removes]
    _deleted(looked_at, shown[len(arrived) :])
    report.creates += sum(task.link is None for task in arrived)
    report.updates += sum(task.link is not None and not task.removes for task in arrived)
    report.deletes += len(removed)
    with hub.store.begin() as work:
        settle_removed(hub, work, binding, removed)
        settled = settle_delivered(hub, work, binding, deliveries)
        report.normalised += settled.rendered
        for task in tasks:
            # a record that was created in part has a link now, and what failed is owed to it
            task.link = task.link or settled.born.get(task.loaded.record.id)
        sort_failures(hub, work, binding, tasks, report)
        told = [t for t in arrived if t.written.warnings]
        work.raise_problems([warned(hub, binding, t.written.warnings, t.loaded.record.id, t.written.id) for t in told])
        work.change_intents([intent for task in tasks if (intent := _ended(task))])
    if looked_at:
        observe(hub, binding, shown[len(arrived) :])


def _removed(arrived: Sequence[Task], shown: Sequence[Change]) -> list[int]:
    """Links of records that are gone now; one that is still shown was not deleted."""
    gone = []
    for task, change in zip(arrived, shown, strict=False):
        if task.removes and task.link and is_gone(change.state):
            gone.append(task.link.id)
        elif task.removes:
            task.written = Written(error=Invalid("the system took the deletion and still shows the record"))
    return gone


def _deleted(tasks: Sequence[Task], shown: Sequence[Change]) -> None:
    """What was deleted there is no refusal: it is decided on like every deletion."""
    for task, change in zip(tasks, shown, strict=True):
        if isinstance(task.written.error, NotFound) and change.state is State.DELETED:
            task.written = Written(error=Stale("deleted there meanwhile"))


def _delivery(task: Task, shown: Change) -> Delivery:
    return Delivery(
        record=task.loaded.record.id,
        link=task.link.id if task.link else None,
        values=task.values,
        shown=shown,
        id=task.written.id,
        version=task.written.version,
        whole=task.written.error is None,
    )


def _ended(task: Task) -> Intent | None:
    intent, error = task.intent, task.written.error
    if intent is None:
        return None
    intent.error = str(error) if error else ""
    intent.external_id = intent.external_id or task.written.id
    match error:
        case None:
            intent.state = IntentState.DELIVERED
        case UnknownOutcome():
            intent.state = IntentState.UNKNOWN
        case Stale() | Retry() | Misconfigured():
            intent.state = IntentState.STALE
        case _:
            intent.state = IntentState.REFUSED
    return intent
