"""Pins: a person sets one, releases one, or says with an answer "and keep it so"; the next round applies them.

A pin travels with its record. Not here: what a pin decides (`fsm_core.sync.merge`, `answers`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from fsm_core.errors import Invalid, NotFound
from fsm_core.model.compare import Value
from fsm_core.model.typed import checked, known
from fsm_core.service.deciding import deciding, living, tell
from fsm_core.service.hub import Hub
from fsm_core.service.loaded import Decided, Loaded
from fsm_core.service.parents import join_parents
from fsm_core.service.values import referred
from fsm_core.state import Doc, Reason, Record, Work
from fsm_core.state_pins import Pin, PinMode
from fsm_core.sync.types import OWNED, UNKNOWN, Policy, Rule, Unknown

SET, RELEASED = "pin", "unpin"
"""Kinds of decision."""


def set_pin(  # noqa: PLR0913 - each is a part of what a person says
    hub: Hub,
    entity: str,
    record: str,
    field: str,
    by: str,
    *,
    note: str,
    value: Value | Unknown = UNKNOWN,
    mode: PinMode = PinMode.HOLD,
) -> Pin:
    """Pin a field to a value, or to what is agreed; the record is due at once.

    Raises `Invalid` for a value the field cannot hold, a field no pin can hold, and while the field is in question.
    """
    shape = hub.book(entity).shape
    known(shape, [field])
    with deciding(hub) as work:
        one = living(work, entity, record)
        _may_be_pinned(hub, work, one, field, mode)
        stated = one.document.get(field) if value is UNKNOWN else value
        meant = referred(work, shape.fields[field], checked(shape, field, stated))
        pin = Pin(record, field, entity, meant, mode.value, by, hub.at(), note)
        _put(hub, work, pin)
        work.mark_dirty(entity, [(record, Reason.DECISION, "", hub.at())])
    return pin


def release_pin(hub: Hub, entity: str, record: str, field: str, by: str, note: str = "") -> Pin:
    """The rules decide the field again. Raises `NotFound` where nothing is pinned."""
    known(hub.book(entity).shape, [field])
    with deciding(hub) as work:
        living(work, entity, record)
        pin = _pin_of(work, record, field)
        if pin is None:
            remedy = "'fsm-hub pin list' tells what is pinned."
            raise NotFound(f"{field} of {entity} {record} is not pinned", remedy=remedy)
        _drop(hub, work, pin, by, note)
    return pin


def _may_be_pinned(hub: Hub, work: Work, record: Record, field: str, mode: PinMode) -> None:
    asked = next((c for c in work.open_conflicts([record.id]) if c.field == field and c.state == "open"), None)
    if asked is not None:
        remedy = f"Answer it: 'fsm-hub conflicts resolve {asked.id[-8:]} --take ... --pin'."
        raise Invalid(f"{field} is in question ({asked.note})", field=field, remedy=remedy)
    rule = rules_of(hub, work, record)[field]
    if rule.policy is Policy.LOCAL:
        raise Invalid("each system keeps this field for itself", field=field, remedy="Change the rule first.")
    if mode is PinMode.UNTIL_OWNER_CHANGES and rule.policy not in OWNED:
        message = f"nobody owns this field: its policy is {rule.policy}"
        raise Invalid(message, field=field, remedy="Leave out --until-owner-changes.")


def rules_of(hub: Hub, work: Work, record: Record) -> dict[str, Rule]:
    """The rule in force for each field of a record now."""
    (one,) = join_parents(hub, work, [Loaded(record, [])])
    book = hub.book(record.entity)
    return book.rules(one.ruled(book))


def _pin_of(work: Work, record: str, field: str) -> Pin | None:
    return next((pin for pin in work.pins([record]) if pin.field == field), None)


def _put(hub: Hub, work: Work, pin: Pin) -> None:
    work.put_pins([pin])
    tell(hub, work, pin.by, SET, pin.entity, pin.record, _told(pin))


def _drop(hub: Hub, work: Work, pin: Pin, by: str, note: str) -> None:
    work.drop_pins([pin])
    told = {**_told(pin), "set_by": pin.by, "set_at": pin.at, "why": note}
    tell(hub, work, by, RELEASED, pin.entity, pin.record, told)


def _told(pin: Pin) -> Doc:
    return {"field": pin.field, "value": pin.value, "mode": pin.mode, "note": pin.note}


# -- with an answer ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answered:
    """A person's answer about a field: of a conflict or a proposal."""

    entity: str
    record: str
    field: str
    value: Value
    by: str
    at: str
    """When it was answered: a pin that comes with it is no later decision."""
    why: str


def keep_so(hub: Hub, work: Work, answered: Answered, *, pin: bool) -> str:
    """What an answer does to the pin of its field: sets one, or releases one that says something else.

    Returns "pinned", "unpinned" or "".
    """
    one = answered
    if pin:
        _put(hub, work, Pin(one.record, one.field, one.entity, one.value, PinMode.HOLD.value, one.by, one.at, one.why))
        return "pinned"
    old = _pin_of(work, one.record, one.field)
    if old is None or hub.book(one.entity).shape.fields[one.field].same(old.value, one.value):
        return ""
    _drop(hub, work, old, one.by, one.why)
    return "unpinned"


# -- in a round ----------------------------------------------------------------------------------


def join_pins(work: Work, loaded: Mapping[str, Loaded]) -> None:
    """Put the pins of these records beside them; asks nothing where none has one."""
    pinned = [number for number, one in loaded.items() if one.record.pinned]
    for pin in work.pins(pinned) if pinned else ():
        loaded[pin.record].pins[pin.field] = pin


def drop_released(work: Work, decided: Sequence[Decided]) -> None:
    """Pins that an owner's change released are gone; the decision tells of them."""
    released = [pin for one in decided for pin in one.unpinned]
    if released:
        work.drop_pins(released)


def part(work: Work, one: Record, target: Record, brought: Sequence[Doc]) -> list[str]:
    """Give a record that is taken out again the pins it brought, but for those changed since; returns their fields.

    `brought` is what `follow` told when it was merged.
    """
    here = {pin.field: pin for pin in work.pins([one.id])} if brought else {}
    given = []
    for told in brought:
        pin = Pin(**{name: value for name, value in told.items() if name != "moved"})
        now = here.get(pin.field)
        if told["moved"] and (now is None or (now.value, now.at) != (pin.value, pin.at)):
            continue
        if told["moved"] and now is not None:
            work.drop_pins([now])
        pin.record = target.id
        given.append(pin)
    work.put_pins(given)
    return [pin.field for pin in given]


def follow(work: Work, old: Record, new: Record) -> list[Doc]:
    """The pins of a record that was merged away: they hold for the survivor where it has none; told for the audit."""
    if not old.pinned:
        return []
    kept = {pin.field for pin in work.pins([new.id])}
    pins = work.pins([old.id])
    work.drop_pins(pins)
    moved = [pin for pin in pins if pin.field not in kept]
    told = [{**asdict(pin), "moved": pin in moved} for pin in pins]
    for pin in moved:
        pin.record = new.id
    work.put_pins(moved)
    return told
