"""What an account lets the hub do with one entity, as a report: every field, the object, and what may be lost.

Not here: what is wrong with that (`findings`), how it is shown, and reading the account (connectors).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from fsm_core.ports import FieldCapability
from fsm_core.service.hub import Binding, Hub, Row

ABSENT = FieldCapability(readable=False, creatable=False, writable=False)


@dataclass(frozen=True, slots=True)
class NativeField:
    """One native path as this account shows it; all is False where it does not."""

    path: str
    shown: bool
    readable: bool
    creatable: bool
    writable: bool
    required: bool
    length: int | None
    values: tuple[str, ...]
    """The restricted pick list; empty when anything goes."""
    unique: bool
    external_id: bool


@dataclass(frozen=True, slots=True)
class MappedField:
    """One row of the mapping: what it is meant for, what comes of it here, and where it lives."""

    field: str
    codec: str
    direction: str
    required: bool
    """No record is without it."""
    read: bool
    created: bool
    """New records are told it."""
    updated: bool
    """Existing records are told it."""
    native: tuple[NativeField, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """What a write may overwrite unseen: as data, and in words."""

    covers: str
    """What may be overwritten; empty when nothing may."""
    read_before: str
    read_after: str
    lost: str
    kept: str
    words: str
    open: bool
    """False: the system refuses every write to a record that changed since it was read."""


@dataclass(frozen=True, slots=True)
class EntityReport:
    """One entity in one system."""

    entity: str
    object: str
    usable: bool
    key: NativeField | None
    """Where the hub's record id goes; None where the mapping names no such place."""
    creates: str
    deletes: str
    deletable: bool
    """The hub can take a record away there."""
    compare_and_set: bool
    batch: int
    overlap_seconds: float
    actions: tuple[str, ...]
    residual_window: Window
    fields: tuple[MappedField, ...]


def report(hub: Hub, binding: Binding) -> EntityReport:
    """Everything the account said about this entity."""
    able = binding.capabilities
    return EntityReport(
        entity=binding.entity,
        object=binding.object.name,
        usable=binding.fault is None,
        key=_native(binding.object.key, able.key) if binding.object.key else None,
        creates=str(able.creates),
        deletes=str(able.deletes),
        deletable=able.can_delete,
        compare_and_set=able.compare_and_set,
        batch=able.batch,
        overlap_seconds=able.overlap / timedelta(seconds=1),
        actions=able.actions,
        residual_window=window(able.batch, compare_and_set=able.compare_and_set, unguarded=able.unguarded),
        fields=tuple(_rows(hub, binding)),
    )


def window(batch: int, *, compare_and_set: bool, unguarded: str = "") -> Window:
    """The moment between look and write; see `fsm_core.service.push` for what is done about it."""
    after = "every written record is read back; what moved besides our values is decided as news"
    kept = "edits of other fields, and all edits after the write: the read-back shows them"
    if not compare_and_set:
        before = f"the records of a batch (up to {batch}) are read in one go just before it is written"
        lost = "an edit of the very field (or address) that is written, saved between that read and the write"
        words = f"No compare and set: {before}, and one that moved is decided again. Lost is only {lost}."
        return Window("every write", before, after, lost, kept, words, open=True)
    before = "each record is read anew and its version compared just before it is written"
    if unguarded:
        lost = "an edit of the very field that is written, saved there between that read and the write"
        words = f"Compare and set, except for {unguarded}. {before.capitalize()}. Lost is only {lost}."
        return Window(unguarded, before, after, lost, kept, words, open=True)
    words = "None: the system refuses a write to a record that changed since it was read."
    return Window("", "the version seen goes with the write", after, "nothing", "every edit", words, open=False)


def _rows(hub: Hub, binding: Binding) -> Iterator[MappedField]:
    required = hub.book(binding.entity).shape.required
    constants = {name for name in binding.whole.canonical_fields if not binding.whole.native_of(name)}
    for row in binding.whole.describe_rows():
        name = row.canonical.partition(".")[0]
        yield MappedField(
            field=row.canonical,
            codec=row.codec,
            direction=str(row.direction),
            required=name in required,
            read=name not in binding.unseen and row.direction != "out",
            created=name in binding.creatable,
            updated=name in binding.writable,
            native=() if name in constants else tuple(_natives(binding, name, row)),
        )


def _natives(binding: Binding, name: str, row: Row) -> Iterator[NativeField]:
    """The paths of one row; a child list that is mapped whole is told by the fields of its rows."""
    bare = dict(zip(binding.whole.native_of(name), binding.whole.bare_of(name), strict=True))
    known = binding.capabilities.fields
    for path in row.native.split(", "):
        inner = [one for one in binding.whole.paths_of(name) if one.startswith(f"{bare[path]}.")]
        if bare[path] in known or not inner:
            yield _native(path, known.get(bare[path]))
        else:
            yield from (_native(one, known.get(one)) for one in inner)


def _native(path: str, known: FieldCapability | None) -> NativeField:
    able = known or ABSENT
    return NativeField(
        path=path,
        shown=known is not None,
        readable=able.readable,
        creatable=able.creatable,
        writable=able.writable,
        required=able.required,
        length=able.length,
        values=able.values,
        unique=able.unique,
        external_id=able.external_id,
    )
