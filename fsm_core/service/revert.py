"""Takes a run back: every field it changed gets the value it had before, by a person's decision, as far as that may be.

Guarded by what is agreed now: what was changed again since is left alone. Not here: carrying it out (`apply`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from fsm_core.model.compare import blank
from fsm_core.model.naming import called
from fsm_core.service.converge import load
from fsm_core.service.hub import Hub
from fsm_core.service.loaded import Loaded, frozen_fields, live_links
from fsm_core.service.planfile import Kept, Take
from fsm_core.service.questions import DELETE
from fsm_core.service.routing import routed
from fsm_core.service.telling import snapshot
from fsm_core.state import DELETED, MERGED, OVER, Conflict, Doc, Reason, Work
from fsm_core.state_pins import Pin

PAGE = 500
"""Records that are held at a time."""


class Ruling(Protocol):
    """One decision of a run."""

    @property
    def record(self) -> str:
        """Whom it is about."""
        ...

    @property
    def entity(self) -> str:
        """What that is."""
        ...

    @property
    def kind(self) -> str:
        """As the audit calls it."""
        ...

    @property
    def content(self) -> Doc | None:
        """None where it was erased."""
        ...


class Creation(Protocol):
    """A record that a run made in a system."""

    @property
    def record(self) -> str:
        """The hub's id."""
        ...

    @property
    def system(self) -> str:
        """Where it was made."""
        ...

    @property
    def external_id(self) -> str:
        """Its id there."""
        ...


@dataclass(slots=True)
class Reverted:
    """What a revert would take back, and what it leaves."""

    takes: list[Take] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


@dataclass(slots=True)
class _Told:
    """What a run did to one record: per field the value before and the one after its last decision."""

    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    overruled: dict[str, str] = field(default_factory=dict)
    """Fields of which an edit was undone, with the systems."""
    made: list[str] = field(default_factory=list)
    """Where the run created it, in words."""
    born: bool = False
    merged: bool = False
    ended: str = ""
    """Systems that it was gone in, where the run decided on that."""
    erased: bool = False


def reverted(hub: Hub, rulings: Iterable[Ruling], creations: Iterable[Creation]) -> Reverted:
    """What taking these decisions back comes to; they are in the order in which they were made."""
    told: dict[str, _Told] = {}
    for ruling in rulings:
        _note(told.setdefault(ruling.record, _Told()), ruling)
    for made in creations:
        told.setdefault(made.record, _Told()).made.append(f"{made.system} {made.external_id}")
    found = Reverted()
    for ids in _pages(sorted(told)):
        with hub.store.begin() as work:
            for one in load(hub, work, ids):
                _sort(hub, one, told[one.record.id], found)
    return found


def _note(told: _Told, ruling: Ruling) -> None:
    if ruling.content is None:
        told.erased = True
        return
    told.born = told.born or ruling.kind in ("create", "births")
    told.merged = told.merged or ruling.kind == "merge"
    if ruling.kind == DELETE:
        told.ended = ", ".join(sorted({link[0] for link in ruling.content.get("links", ())}))
    for name, one in ruling.content.get("fields", {}).items():
        if not isinstance(one, dict) or "to" not in one:
            continue
        first = told.fields[name][0] if name in told.fields else one.get("from")
        told.fields[name] = (first, one["to"])
        if one.get("overruled"):
            told.overruled[name] = ", ".join(sorted(one["overruled"]))


def _pages(ids: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(ids)
    while page := list(islice(rest, PAGE)):
        yield page


def _sort(hub: Hub, one: Loaded, told: _Told, found: Reverted) -> None:
    """Each field of one record to what is taken back or to what is left."""
    record, name = one.record, called(one.record.document, one.record.id)

    def keep(field_name: str, why: str) -> None:
        found.kept.append(Kept(record.entity, record.id, name, field_name, why))

    if told.made and not told.born:
        keep("", f"created there in this run: {', '.join(told.made)}; a revert deletes nothing")
    if told.ended:
        keep("", f"it was gone in {told.ended}, and this run decided on that; a revert creates nothing again")
    if whole := _left_whole(one, told):
        keep("", whole)
        return
    for field_name, (before, after) in sorted(told.fields.items()):
        why = _left(hub, one, told, field_name, before, after)
        if why is None:
            now = record.document.get(field_name)
            found.takes.append(Take(record.entity, record.id, name, field_name, now, before))
        elif why:
            keep(field_name, why)


def _left_whole(one: Loaded, told: _Told) -> str:
    if told.erased:
        return "the values were erased from the audit"
    if one.record.lifecycle == MERGED or told.merged:
        return "it was merged with another record; 'fsm-hub match unmerge' takes that back"
    if one.record.lifecycle in (DELETED, OVER):
        return "" if told.ended else "it was deleted since; undelete it in its system to bring it back"
    return "it came to the hub in this run; a revert takes nothing away" if told.born else ""


def _left(hub: Hub, one: Loaded, told: _Told, name: str, before: Any, after: Any) -> str | None:  # noqa: ANN401 - canonical values
    """Why a field is left alone; "" when there was nothing to take back; None when it is taken back."""
    shape = hub.book(one.record.entity).shape
    if name not in shape.fields:
        return "the field is not known any more"
    same, now = shape.fields[name].same, one.record.document.get(name)
    if same(before, after):
        lost = told.overruled.get(name)
        return f"an edit in {lost} was undone by the rule; it is kept, see 'fsm-hub explain'" if lost else ""
    if not same(now, after):
        return "it was changed again since"
    if name in frozen_fields([c for c in one.conflicts if c.state == "open"]):
        return "it is in question; answer the conflict"
    if pin := other_pin(hub, one, name, before):
        return f"{pin.by} pinned it; release the pin first: 'fsm-hub pin release'"
    if blank(before) and name in shape.required:
        return "no record is without it"
    book = hub.book(one.record.entity)
    if name in book.local(one.ruled(book)):
        return "every system keeps it for itself"
    return None


def other_pin(hub: Hub, one: Loaded, name: str, value: Any) -> Pin | None:  # noqa: ANN401 - a canonical value
    """The pin that would put another value back at once."""
    same, pin = hub.book(one.record.entity).shape.fields[name].same, one.pins.get(name)
    return pin if pin is not None and not same(pin.value, value) else None


# -- carrying out --------------------------------------------------------------------------------


def take_back(hub: Hub, takes: Sequence[Take], run: str, by: str) -> int:
    """Decide, as this person, that each field has its value of before; what moved meanwhile is left. Repeatable."""
    wanted: defaultdict[str, dict[str, Take]] = defaultdict(dict)
    for take in takes:
        wanted[take.record][take.field] = take
    count = 0
    for ids in _pages(sorted(wanted)):
        with hub.store.begin() as work:
            loaded = load(hub, work, ids)
            count += _decide(hub, work, [(one, wanted[one.record.id]) for one in loaded], run, by)
    return count


def _decide(hub: Hub, work: Work, rows: Sequence[tuple[Loaded, Mapping[str, Take]]], run: str, by: str) -> int:
    answers = []
    for one, takes in rows:
        asked = {conflict.field for conflict in one.conflicts if conflict.type == "field"}
        for name, take in sorted(takes.items()):
            same = hub.book(one.record.entity).shape.fields[name].same
            free = name not in asked and other_pin(hub, one, name, take.to) is None
            if free and same(one.record.document.get(name), take.now) and live_links(one.links):
                answers.append(_answer(hub, one, take, run, by))
    work.add_conflicts(routed(hub, answers))
    for entity in sorted({answer.entity for answer in answers}):
        mine = [(answer.record or "", Reason.DECISION, "", hub.at()) for answer in answers if answer.entity == entity]
        work.mark_dirty(entity, sorted(set(mine)))
    return len(answers)


def _answer(hub: Hub, one: Loaded, take: Take, run: str, by: str) -> Conflict:
    """A question that is answered as it is asked: the engine settles it like every other."""
    at = hub.at()
    return Conflict(
        id=hub.ids.text(),
        entity=take.entity,
        type="field",
        record=take.record,
        field=take.field,
        state="decided",
        opened_at=at,
        note=f"run {run} was reverted",
        snapshot=snapshot(one, take.field),
        resolution={"take": "value", "value": take.to},
        resolved_by=by,
        resolved_at=at,
    )
