"""Keeps hand-overs moving: when a record is looked at again, who is told what is missing, and what goes by its parents.

Not here: when a hand-over may happen (`handover`), and the decision (`decide`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fsm_core.ownership.book import EntityBook
from fsm_core.service.handover import Owners, Wait, Why, counting, due_at, held, passes, waits
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.loaded import Decided, Loaded, sides
from fsm_core.service.problems import problem
from fsm_core.state import Conflict, Doc, Passage, Problem, Reason, Record, Work
from fsm_core.sync.types import Outcome, System

INCOMPLETE = "hand-over incomplete"
"""The cause of a record whose new owner needs facts that nobody stated yet."""


def awaited(hub: Hub, loaded: Loaded, more: Sequence[Conflict] = ()) -> tuple[Owners, list[Wait]]:
    """The fields of a record that are about to pass, and what they wait for; `more` are new questions about it."""
    book, record = hub.book(loaded.record.entity), loaded.record
    owners = passes(book, record.document, loaded.parents, held(record))
    if not owners:
        return owners, []
    asked = [conflict for conflict in (*loaded.conflicts, *more) if conflict.state in ("open", "decided")]
    return owners, waits(book, record, owners, sides(hub, loaded, asked), hub.at())


def follow_passages(hub: Hub, work: Work, entity: str, decided: Sequence[Decided]) -> None:
    """Look again when a hand-over may be, and tell people what it needs."""
    book, due = hub.book(entity), []
    lacking: dict[str, dict[System, Wait]] = {}
    for one in decided:
        record = one.loaded.record
        if record.handover is None and not one.passage_moved:
            continue
        _, found = awaited(hub, one.loaded, one.new_conflicts)
        lacking[record.id] = {wait.system: wait for wait in found if wait.why is Why.FACTS}
        if record.handover is not None and not found:
            due.append((record.id, Reason.DUE, "", hub.at() if _moved_on(one) else hub.later(hub.probe_after)))
        elif record.handover is not None and any(wait.why is Why.DWELL for wait in found):
            due.append((record.id, Reason.DUE, "", due_at(book, record.handover, hub.at())))
    work.mark_dirty(entity, due)
    if lacking:
        _tell(hub, work, entity, lacking)


def _moved_on(one: Decided) -> bool:
    """Whether this look brought it nearer; else the next one waits, so that no round can last for ever."""
    return one.passage_moved or any(verdict.outcome is not Outcome.NOOP for verdict in one.verdicts.values())


def wake(hub: Hub, work: Work, entity: str, records: Sequence[Record]) -> None:
    """What may have been waited for has happened to these records."""
    due = [(record.id, Reason.DUE, "", hub.at()) for record in records if record.handover is not None]
    work.mark_dirty(entity, due)


# -- what people are told ------------------------------------------------------------------------


def _tell(hub: Hub, work: Work, entity: str, lacking: Mapping[str, Mapping[System, Wait]]) -> None:
    """A task for each record and receiver that lacks facts; of all others of these records it is done."""
    tasks = []
    for binding in hub.of_entity(entity):
        done = [record for record, waits_of in lacking.items() if binding.system not in waits_of]
        work.solve_problems(binding.system, done, [INCOMPLETE], hub.at())
        tasks += [_task(hub, binding, record, lacking[record][binding.system]) for record in lacking.keys() - set(done)]
    work.raise_problems(sorted(tasks, key=lambda task: task.external_id))


def _task(hub: Hub, binding: Binding, record: str, wait: Wait) -> Problem:
    names = ", ".join(wait.fields)
    message = f"complete data for {binding.system}: {names}"
    remedy = f"State {names} in any system; then {binding.system} takes over by itself."
    return problem(hub, binding, record, INCOMPLETE, message, record=record, remedy=remedy)


def end_passage(hub: Hub, work: Work, record: Record) -> None:
    """Nothing of this record is handed over any more."""
    if record.handover is not None:
        record.handover = None
        work.put_handovers([(record.id, None)])
        _tell(hub, work, record.entity, {record.id: {}})


# -- records that refer to it --------------------------------------------------------------------


def hold_children(hub: Hub, work: Work, entity: str, decided: Sequence[Decided]) -> None:
    """Who refers to a record of which other facts count now keeps its owner until it is handed over itself."""
    for child, fields in hub.rulebook.watchers(entity).items():
        book = hub.book(child)
        moved = {one.loaded.record.id: facts for one in decided if (facts := _moved(one, fields))}
        if moved and any("." in name for name in book.rule_facts):
            _hold(hub, work, book, entity, moved)


def _moved(one: Decided, fields: frozenset[str]) -> Doc:
    """Facts that counted before, and do no more."""
    if one.loaded.born or not (one.changed or one.passage_moved):
        return {}
    now = counting(one.loaded.record)
    return {name: one.counted.get(name) for name in fields if one.counted.get(name) != now.get(name)}


def _hold(hub: Hub, work: Work, book: EntityBook, entity: str, moved: dict[str, Doc]) -> None:
    words = _words(book, entity)
    referring = {link for link, name, _ in work.children(sorted(moved)) if name in words}
    links = [link for link in work.links(referring) if link.entity == book.shape.name]
    records = work.records({link.record for link in links if link.record})
    kept = []
    for record in records.values():
        counted: Doc = {}
        for name, word in words.items():
            for field, value in moved.get(record.document.get(name) or "", {}).items():
                if f"{word}.{field}" in book.rule_facts:
                    counted[f"{word}.{field}"] = value
        if counted:
            kept.append((record.id, Passage("", {**counted, **held(record)})))
    work.put_handovers(kept)
    work.mark_dirty(book.shape.name, [(record, Reason.RULES, "", hub.at()) for record, _ in kept])


def _words(book: EntityBook, entity: str) -> dict[str, str]:
    """The fields by which conditions look into records of this entity, each with its word."""
    return {name: word for word, name in book.joins.items() if book.shape.fields[name].reference == entity}
