"""Writes of a whole: its own record first, then its parts, each kind of record in collections of its own.

A new whole costs one call for itself and one for each kind of part, and one that points to its one part; only a
whole that was there before is looked at first. After a lost answer or a crash the next attempt finds what the last
one made: the whole by its key, the others below it. Not here: the collections (`writes`), what is a part of what
(`parts`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from connectors.http import Edge
from connectors.salesforce import soql
from connectors.salesforce.ids import full_id
from connectors.salesforce.parts import Part, children, head_of, parts_of
from connectors.salesforce.transport import Library
from connectors.salesforce.writes import Writer, again, names_of
from fsm_core.errors import Duplicate, HubError, Invalid, Misconfigured, NotFound, UnknownOutcome, Unreachable
from fsm_core.ports import Action, Json, Object, Row, Write, Written, find_row

Fields = dict[str, Any]


@dataclass(slots=True)
class Task:
    """One write of a whole on its way."""

    write: Write
    rows: dict[Part, tuple[Row, ...]]
    own: Fields
    done: Written = field(default_factory=Written)
    there: Fields = field(default_factory=dict)
    """The whole and its parts as they were before; empty when it is new."""

    @property
    def open(self) -> bool:
        """Whether nothing went wrong yet."""
        return self.done.error is None

    @property
    def touches_whole(self) -> bool:
        """Whether the record itself is written: not by an update that speaks of parts only."""
        return bool(self.own) or not self.rows or self.write.action != Action.UPDATE

    @property
    def goes_on(self) -> bool:
        """Whether the other parts may be written: what went wrong concerned a single value."""
        return self.open or isinstance(self.done.error, Invalid | Duplicate)

    def fail(self, error: HubError, part: Part | None = None) -> None:
        """Keep the error as the outcome, located at the whole and the path of the part's field.

        A create that got as far as the whole says so: what is missing is owed to the record that is there.
        """
        error = repeatable(error)
        if part is not None:
            error.object, error.id = "", ""
            error.field = ", ".join(f"{part.path}.{name}" for name in error.field.split(", ") if name)
        where = self.done.id or full_id(self.write.id) or self.write.key
        here = self.done.created or (self.write.action == Action.CREATE and self.done.id != "")
        self.done = replace(self.done, created=here, error=error.located(id=where))

    def inherited(self, part: Part) -> Fields:
        """What a new part takes over from its whole."""
        return {name: value for name in part.inherits if (value := self.own.get(name) or self.there.get(name))}


@dataclass(slots=True)
class Step:
    """One record of a part to be written, and what follows from it."""

    task: Task
    write: Write
    then: Callable[[Written], None] = lambda _done: None


class WholeWriter:
    """Sends the writes of an object with parts."""

    def __init__(
        self,
        edge: Edge,
        library: Library,
        obj: Object,
        version: str,
        headers: dict[str, str],
        me: Callable[[], str],
    ) -> None:
        self._obj = obj
        self._parts = parts_of(obj)
        self._library = library
        self._me = me
        self._edge, self._version, self._headers = edge, version, headers

    def write(self, writes: Sequence[Write]) -> list[Written]:
        """One outcome per write, in order. Raises `Misconfigured` only when nothing was written yet."""
        tasks = [self._task(write) for write in writes]
        for number, wave in enumerate(waves(writes)):
            together = [tasks[place] for place in wave]
            try:
                self._own(together)
            except Misconfigured as error:
                if number == 0:
                    raise
                for task in together:
                    task.fail(error)
            self._all_parts([task for task in together if task.open and task.rows])
        for task in tasks:
            if task.done.error is not None:
                task.done.error.located(object=self._obj.name)
        return [task.done for task in tasks]

    def _all_parts(self, tasks: Sequence[Task]) -> None:
        """A part that is refused keeps no other part back; a call that failed keeps all back."""
        self._look(tasks)
        for part in self._parts:
            ready = [task for task in tasks if task.goes_on and part in task.rows]
            (self._list if part.many else self._point)(part, ready)

    # -- the whole ---------------------------------------------------------------------------------

    def _task(self, write: Write) -> Task:
        paths = {part.path: part for part in self._parts}
        rows: dict[Part, tuple[Row, ...]] = {}
        own: Fields = {}
        for name, value in write.fields.items():
            if name in paths and isinstance(value, tuple) and all(isinstance(row, Row) for row in value):
                rows[paths[name]] = value
            elif name in paths or head_of(name) not in paths:
                own[name] = value
            else:
                part, leaf = paths[head_of(name)], name.partition(".")[2]
                rows[part] = (*rows.get(part, ()), Row({}, {leaf: value}))
        return Task(write, rows, own)

    def _own(self, tasks: Sequence[Task]) -> None:
        """Write the wholes themselves; an update that speaks of parts only does not touch them."""
        sent = [task for task in tasks if task.touches_whole]
        for task in tasks:
            task.done = Written(full_id(task.write.id))
        writes = [replace(task.write, fields=task.own) for task in sent]
        for task, done in zip(sent, self._writer(self._obj).write(writes), strict=True):
            task.done = done
            if done.error is not None and task.rows:
                task.done = replace(done, error=repeatable(done.error))

    def _look(self, tasks: Sequence[Task]) -> None:
        """See which parts there are, where the whole is not new."""
        old = {task.done.id: task for task in tasks if not task.done.created}
        try:
            for query in soql.listed(self._query(old.values()), "Id", list(old)):
                answer = self._library.query(query)
                for row in answer.document()["records"]:
                    moment = answer.moment() or datetime.now(UTC)
                    old[full_id(row["Id"])].there = {**row, "#now": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
        except HubError as error:
            for task in old.values():
                task.fail(error)
        for task in old.values():
            if task.open and (not task.there or task.there.get("IsDeleted") is True):
                task.fail(NotFound("the record is not there any more"))

    def _query(self, tasks: Collection[Task]) -> str:
        wanted = dict.fromkeys(("Id", "IsDeleted", *(name for part in self._parts for name in part.inherits)))
        for part in self._parts:
            rows = [row for task in tasks for row in task.rows.get(part, ())]
            if not rows:
                continue
            if part.many:
                named = (name for row in rows for name in (*row.match, *row.fields))
                wanted[children(part, dict.fromkeys(("Id", part.ends, part.fixed, *named)))] = None
            else:
                shown = (f"{part.path}.IsDeleted", f"{part.path}.{part.parent}")
                mine = "".join(f" AND {by} = '{self._me()}'" for by in ("CreatedById", "LastModifiedById"))
                wanted |= dict.fromkeys((part.pointer, *shown, children(part, ("Id",), mine)))
        return f"SELECT {','.join(wanted)} FROM {self._obj.name}"  # noqa: S608 - names come from the binding

    # -- the one part a whole points to ------------------------------------------------------------

    def _point(self, part: Part, tasks: Sequence[Task]) -> None:
        links: dict[int, str] = {}
        updates, creates = [], []
        for place, task in enumerate(tasks):
            fields = {name: value for row in task.rows[part] for name, value in row.fields.items()}
            current, adopted = _current(part, task.there), _first(task.there.get(part.siblings))
            if current or adopted:
                updates.append(Step(task, Write(Action.UPDATE, id=current or adopted["Id"], fields=fields)))
                if not current:
                    links[place] = adopted["Id"]
            elif any(value is not None for value in fields.values()):
                stated = {**task.inherited(part), **_stated(fields), part.parent: task.done.id}

                def made(done: Written, place: int = place) -> None:
                    links[place] = done.id

                creates.append(Step(task, Write(Action.CREATE, fields=stated), made))
        self._send(part, updates)
        self._send(part, creates)
        pointing = [
            Step(task, Write(Action.UPDATE, id=task.done.id, fields={part.pointer: links[place]}))
            for place, task in enumerate(tasks)
            if place in links
        ]
        self._send(part, pointing, self._obj.name)

    # -- lists of parts ----------------------------------------------------------------------------

    def _list(self, part: Part, tasks: Sequence[Task]) -> None:
        creates: list[Step] = []
        changes: list[Step] = []
        deletes: list[Step] = []
        for task in tasks:
            found = _records(task.there.get(part.siblings))
            for row in task.rows[part]:
                current = find_row(found, row.match)
                if row.delete:
                    deletes += [Step(task, Write(Action.DELETE, id=str(current["Id"])))] if current else []
                elif current is None:
                    if any(value is not None for value in row.fields.values()):
                        creates.append(self._new(part, task, row))
                else:
                    self._changed(part, task, row, found, current, creates, changes)
        self._send(part, creates)
        self._send(part, changes)
        self._send(part, deletes)

    def _new(self, part: Part, task: Task, row: Row) -> Step:
        stated = _stated({**row.match, **task.inherited(part), **row.fields, part.parent: task.done.id})
        return Step(task, Write(Action.CREATE, fields=stated))

    def _changed(
        self,
        part: Part,
        task: Task,
        row: Row,
        found: Sequence[Mapping[str, Json]],
        current: Mapping[str, Json],
        creates: list[Step],
        changes: list[Step],
    ) -> None:
        """Another value of a fixed field is another record: it is made unless it is there, then the old one ends."""
        moved = {name: value for name, value in row.fields.items() if current.get(name) != value}
        if part.fixed not in moved:
            changes += [Step(task, Write(Action.UPDATE, id=str(current["Id"]), fields=moved))] if moved else []
            return
        if moved[part.fixed] is None:
            remedy = "Name another value, or delete the record there."
            task.fail(Invalid("cannot be cleared, only replaced", field=part.fixed, remedy=remedy), part)
            return
        ended = Write(Action.UPDATE, id=str(current["Id"]), fields={part.ends: task.there["#now"]})
        ends = [Step(task, ended)] if current.get(part.ends) is None else []
        wanted: Fields = {**row.match, **row.fields, part.ends: None}
        if find_row(found, wanted) is None:
            new = self._new(part, task, row)
            creates.append(replace(new, then=lambda _done: changes.extend(ends)))
        else:
            changes += ends

    def _writer(self, obj: Object) -> Writer:
        return Writer(self._edge, obj, self._version, self._headers)

    # -- sending -----------------------------------------------------------------------------------

    def _send(self, part: Part, steps: Sequence[Step], name: str = "") -> None:
        if not steps:
            return
        try:
            outcomes = self._writer(Object(name or part.object)).write([step.write for step in steps])
        except Misconfigured as error:  # the wholes are written: what is missing is told record by record
            outcomes = [Written(error=error)] * len(steps)
        for step, done in zip(steps, outcomes, strict=True):
            if done.error is None:
                step.then(done)
            elif step.task.open:
                step.task.fail(done.error, None if name else part)


def repeatable(error: HubError) -> HubError:
    """A copy. Of a lost answer: that the write is to be made again, since an attempt continues what it finds.

    To look whether "it" arrived would be no help: a part of it may have.
    """
    if not isinstance(error, UnknownOutcome):
        return again(error)
    made = Unreachable(f"{error.message}; the next attempt looks what is there and continues", code=error.code)
    made.__cause__ = error
    return made


def waves(writes: Sequence[Write]) -> list[list[int]]:
    """Places of writes that may go together: writes to the same record stay in order, in waves of their own."""
    found: list[list[int]] = []
    taken: list[set[str]] = []
    for place, write in enumerate(writes):
        names = names_of(write)
        first = max((n + 1 for n, wave in enumerate(taken) if wave & names), default=0)
        if first == len(found):
            found.append([])
            taken.append(set())
        found[first].append(place)
        taken[first] |= names
    return found


def _current(part: Part, there: Fields) -> str:
    """The one part, if it is there and of this whole: one borrowed from another whole is not ours to change."""
    shown = there.get(part.path)
    own = shown and shown.get("IsDeleted") is not True and full_id(shown[part.parent]) == full_id(there["Id"])
    return str(there[part.pointer]) if own else ""


def _records(page: Fields | None) -> list[Fields]:
    return page["records"] if page else []


def _first(page: Fields | None) -> Fields:
    return next(iter(_records(page)), {})


def _stated(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}
