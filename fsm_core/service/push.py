"""Delivers what is owed: intents written ahead, batches sent, read back, settled.

No transaction is open while a remote call runs. A lost answer is never repeated before a probe by our key.
Not here: what is owed (`fsm_core.sync.record`) and how a system is spoken to (connectors).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from fsm_core.errors import Misconfigured, NotFound, Refused, Retry, Stale, UnknownOutcome
from fsm_core.ports import Action, Change, Ref, State, Write, Written
from fsm_core.service.breaker import unhurried
from fsm_core.service.converge import load, missing
from fsm_core.service.decide import Loaded, closed_fields, live_links, view_of
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.probe import observe, probe_open
from fsm_core.service.problems import warned
from fsm_core.service.references import Owed, content_hash, telling
from fsm_core.service.refusals import Pushed, Task, blocks, refuse, sort_failures
from fsm_core.service.settle import Delivery, settle_delivered
from fsm_core.service.unseen import HIDES_NOTHING, Hidden, hidden_now
from fsm_core.state import Doc, Intent, IntentState, Link, Reason, Work
from fsm_core.sync.record import owed


def push(hub: Hub, binding: Binding) -> Pushed:
    """Probe what was left open, then write everything due. Stops at the first `Retry` or `Misconfigured`."""
    report = Pushed(binding.system)
    try:
        waiting, report.found, report.normalised = probe_open(hub, binding)
        report.unknown = len(waiting)
        _deliver_all(hub, binding, _batches(hub, binding, waiting), report)
    except (Retry, Misconfigured) as error:
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


def _batches(hub: Hub, binding: Binding, waiting: set[str]) -> Iterator[list[Task]]:
    """Batches of what is due now, each record once."""
    size = max(1, binding.capabilities.batch)
    began, after = hub.at(), ""
    with hub.store.begin() as work:
        work.wake_held(binding.entity, binding.system, began)
    while True:
        with hub.store.begin() as work:
            due = work.due_deliveries(binding.entity, binding.system, began, after, size)
            if not due:
                return
            loaded = load(hub, work, [record for record in due if record not in waiting])
            tasks = [task for one in loaded if (task := _task(hub, binding, one)) is not None]
            nothing_owed = {one.record.id for one in loaded} - {task.loaded.record.id for task in tasks}
            work.clear_dirty(binding.entity, nothing_owed, [Reason.DELIVER], binding.system)
            tasks = _tellable(hub, work, binding, tasks)
        after = due[-1]
        if tasks:
            yield tasks


def _tellable(hub: Hub, work: Work, binding: Binding, tasks: list[Task]) -> list[Task]:
    """Without what refers to a record that is not there yet, and what was written too often."""
    tasks = unhurried(hub, work, binding, tasks)
    told = telling(hub, work, binding, [Owed(t.loaded.record.id, t.values, t.link is None) for t in tasks])
    ready = []
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
    if not tasks:
        return
    _write_ahead(hub, tasks)
    try:
        outcomes = binding.connector.write(binding.object, writes)
    except UnknownOutcome as error:
        outcomes = [Written(error=error)] * len(writes)
    except (Retry, Misconfigured) as error:
        _close(hub, tasks, IntentState.STALE, str(error))
        raise
    for task, outcome in zip(tasks, outcomes, strict=True):
        task.written = outcome
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
    if task.link is None:
        fields = binding.translation.encode_create(task.spoken, record.id)
        action, external_id, version = Action.CREATE, "", ""
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
    # one record of ours is one record there, however often its creation is asked for
    token = f"{record.id}-{binding.system}" if action == Action.CREATE else task.intent.id
    return Write(action, external_id, record.id, fields, version, token)


def _write_ahead(hub: Hub, tasks: Sequence[Task]) -> None:
    with hub.store.begin() as work:
        work.add_intents([task.intent for task in tasks if task.intent])


def _close(hub: Hub, tasks: Sequence[Task], state: IntentState, error: str) -> None:
    intents = [task.intent for task in tasks if task.intent]
    for intent in intents:
        intent.state, intent.error = state, error
    with hub.store.begin() as work:
        work.change_intents(intents)


# -- after the write -----------------------------------------------------------------------------


def _settle(hub: Hub, binding: Binding, tasks: Sequence[Task], report: Pushed) -> None:
    arrived = [task for task in tasks if task.written.error is None or task.written.created]
    stale = [task.link.external_id for task in tasks if task.link and isinstance(task.written.error, Stale)]
    refs: list[Ref] = [*(task.written.id for task in arrived), *stale]
    try:
        shown = binding.connector.read(binding.object, refs) if refs else []
    except (Retry, Misconfigured) as error:
        _close(hub, tasks, IntentState.UNKNOWN, str(error))
        raise
    deliveries = [_delivery(task, change) for task, change in zip(arrived, shown, strict=False)]
    report.creates += sum(task.link is None for task in arrived)
    report.updates += sum(task.link is not None for task in arrived)
    with hub.store.begin() as work:
        settled = settle_delivered(hub, work, binding, deliveries)
        report.normalised += settled.rendered
        for task in tasks:
            # a record that was created in part has a link now, and what failed is owed to it
            task.link = task.link or settled.born.get(task.loaded.record.id)
        sort_failures(hub, work, binding, tasks, report)
        told = [t for t in arrived if t.written.warnings]
        work.raise_problems([warned(hub, binding, t.written.warnings, t.loaded.record.id, t.written.id) for t in told])
        work.change_intents([intent for task in tasks if (intent := _ended(task))])
    if stale:
        observe(hub, binding, shown[len(arrived) :])


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
