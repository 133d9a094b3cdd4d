"""Commands about pins: set, list, release.

Not here: what a pin does (`fsm_core.service.pins`), and pins that come with an answer (`people`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import app, shown, terminal
from flows.cli.naming import labelled, names_of
from flows.cli.who import entered
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from flows.wiring import Opened

pin = typer.Typer(no_args_is_help=True, help="A person's word on a field, which outranks all who do not own it.")
app.add_typer(pin, name="pin")

Entity = Annotated[str, typer.Argument(help="Entity, e.g. customer.")]
Id = Annotated[str, typer.Argument(help="The hub's id, an id in a system, or a key.")]
Field = Annotated[str, typer.Argument(help="The field, or the group.")]
UNTIL = "The owner's next change counts and releases the pin."
ENDS = {"hold": "it is released", "until_owner_changes": "its owner changes it"}


@pin.command("set")
def pin_set(
    entity: Entity,
    id: Id,  # noqa: A002 - the word people use
    field: Field,
    note: Annotated[str, typer.Option("--note", help="Why; told wherever the pin is shown.")],
    value: Annotated[
        str | None, typer.Option("--value", help="As text or JSON, '' for blank; default: what is agreed now.")
    ] = None,
    until: Annotated[bool, typer.Option("--until-owner-changes", help=UNTIL)] = False,  # noqa: FBT002 - a switch
) -> None:
    """Pin a field of a record; the next sync delivers the value everywhere."""
    from fsm_core.model.typed import typed  # noqa: PLC0415 - commands start fast
    from fsm_core.service.pins import set_pin  # noqa: PLC0415 - as above
    from fsm_core.state_pins import PinMode  # noqa: PLC0415 - as above
    from fsm_core.sync.types import UNKNOWN  # noqa: PLC0415 - as above

    with entered(Act.PIN) as (found, actor):
        said = UNKNOWN if value is None else typed(found.hub.book(entity).shape, field, value)
        mode = PinMode.UNTIL_OWNER_CHANGES if until else PinMode.HOLD
        record = record_id(found, entity, id)
        done = set_pin(found.hub, entity, record, field, actor.name, note=note, value=said, mode=mode)
        with found.store.reading() as db:
            names = names_of(db, found.hub.book(entity), [{field: done.value}])
    if not terminal.answer(done):
        kept = shown(labelled(done.value, names))
        terminal.say(f"{field} is pinned to {kept} until {ENDS[done.mode]}; run 'fsm-hub sync' to deliver it")


@pin.command("list")
def pin_list(
    entity: Annotated[str, typer.Option("--entity", help="Only of this entity.")] = "",
) -> None:
    """What is pinned, newest first."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        rows = queries.pins(db, entity)
        names = queries.names(db, sorted({row.record for row in rows}))
        others: dict[str, str] = {}
        for row in rows:
            others |= names_of(db, found.hub.book(row.entity), [{row.field: row.value}])
    if not terminal.answer(rows):
        told = [
            (
                f"{r.record[-8:]}  {r.field} of {r.entity} {shown(names.get(r.record, r.record))}",
                (
                    f"{shown(labelled(r.value, others))}, until {ENDS[r.mode]}",
                    f"by {shown(r.by)} at {r.at[:16]}" + (f": {shown(r.note)}" if r.note else ""),
                ),
            )
            for r in rows
        ]
        terminal.entries(f"{len(rows)} pinned", told)


@pin.command("release")
def pin_release(
    entity: Entity,
    id: Id,  # noqa: A002 - the word people use
    field: Field,
    note: Annotated[str, typer.Option("--note", help="Why, for the audit.")] = "",
) -> None:
    """The rules decide the field again; its value stays until somebody changes it."""
    from fsm_core.service.pins import release_pin  # noqa: PLC0415 - commands start fast

    with entered(Act.PIN) as (found, actor):
        done = release_pin(found.hub, entity, record_id(found, entity, id), field, actor.name, note)
    if not terminal.answer(done):
        terminal.say(f"{field} is not pinned any more; {done.by} had pinned it at {done.at[:19]}")


def record_id(found: Opened, entity: str, wanted: str) -> str:
    """The id of the record that is meant. Raises `NotFound`."""
    from fsm_core.service.keys import numbers_of  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    numbers = numbers_of(found.hub, entity, wanted)
    with found.store.reading() as db:
        return queries.find_record(db, entity, wanted, numbers)
