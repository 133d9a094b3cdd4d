"""Commands by which people edit and enter records in the hub's own store.

Not here: what becomes of it (`fsm_core.service.hub_store`), reading records (`show`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import shown, terminal
from flows.cli.pins import Entity, Id, record_id
from flows.cli.show import record
from flows.cli.who import entered
from fsm_core.errors import Invalid
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from fsm_core.model.entity import EntityShape
    from fsm_core.service.hub_store import Said

Values = Annotated[
    list[str], typer.Argument(help="field=value: text, true, a,b for a set, JSON for a group, nothing for blank.")
]
Note = Annotated[str, typer.Option("--note", help="Why, for the audit.")]


@record.command("set")
def record_set(
    entity: Entity,
    id: Id,  # noqa: A002 - the word people use
    values: Values,
    note: Note = "",
) -> None:
    """Edit a record in the hub's own store; the next sync decides by the rules what becomes of it."""
    from fsm_core.service.hub_store import edit  # noqa: PLC0415 - commands start fast

    with entered(Act.EDIT) as (found, actor):
        stated = typed_all(found.hub.book(entity).shape, values)
        done = edit(found.hub, entity, record_id(found, entity, id), stated, actor.name, note)
    if not terminal.answer(done):
        _tell(done)
        what = "run 'fsm-hub sync' to have it decided" if done.changes else "nothing to do: the hub says so already"
        terminal.say(what)


@record.command("create")
def record_create(entity: Entity, values: Values, note: Note = "") -> None:
    """Enter a new record in the hub's own store; the next sync places it and passes it on."""
    from fsm_core.service.hub_store import enter  # noqa: PLC0415 - commands start fast

    with entered(Act.EDIT) as (found, actor):
        done = enter(found.hub, entity, typed_all(found.hub.book(entity).shape, values), actor.name, note)
    if not terminal.answer(done):
        _tell(done)
        terminal.say(f"{entity} {done.record} is entered; run 'fsm-hub sync' to have it placed and passed on")


def typed_all(shape: EntityShape, words: list[str]) -> dict[str, Any]:
    """Values by field from `field=value`. Raises `Invalid` that says what is wrong, and what is known."""
    from fsm_core.model.typed import typed  # noqa: PLC0415 - commands start fast

    found: dict[str, Any] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise Invalid(f"{word!r} is no field=value", remedy="Write it like phone='030 1234'.")
        if name in found:
            raise Invalid("is given twice", field=name, remedy="Give each field once.")
        found[name] = typed(shape, name, value)
    return found


def _tell(done: Said) -> None:
    for name, (before, now) in done.changes.items():
        terminal.say(f"{name}: {shown(before)} → {shown(now)}")
