"""Compiles a checked table against the shape of its entity into a `Mapping` of plain functions.

Not here: reading YAML (`table`), the text of the decoder (`source`), translating single values (`codecs`).
"""

from __future__ import annotations

import inspect
from collections import ChainMap
from collections.abc import Collection, Iterator, Sequence
from collections.abc import Mapping as Names
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import ValidationError, validate_call

from fsm_core.errors import BadMapping, Invalid
from fsm_core.model.compare import Value, blank
from fsm_core.model.entity import HEADER, EntityShape
from fsm_core.ports import Document, Object
from mappings import codecs, codecs_address, codecs_sap, codecs_sap_party
from mappings.codec import Around, Codec, Factory, Unencodable, Untouched
from mappings.paths import Native, Path, Step, Tree, parse, value_at
from mappings.source import Fault, Part, Slot, decoder
from mappings.table import FieldRow, Table

CODECS: dict[str, Factory] = {
    **codecs.CODECS,
    **codecs_address.CODECS,
    **codecs_sap.CODECS,
    **codecs_sap_party.CODECS,
}
"""Every codec by the name tables use."""


class Decoded(NamedTuple):
    """What a document says in canonical words."""

    values: dict[str, Value]
    """Every mapped field the document speaks about, None where it is blank there. A field whose native field is
    not in the document, or cannot be decoded, is not in here."""
    faults: tuple[Fault, ...]
    ignored: bool = False
    """The table says that records like this are none of our business."""


class DescribedRow(NamedTuple):
    """One line of the documentation of a mapping."""

    canonical: str
    native: str
    codec: str
    direction: str
    length: int | None = None
    values: tuple[tuple[str, str], ...] = ()
    """Of a code table: canonical code and the native code that is written for it."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row of the table beside what it compiled to."""

    canonical: str
    row: FieldRow
    part: Part

    def described(self) -> DescribedRow:
        """The row for people."""
        natives = ", ".join(path.text for path in self.part.natives)
        length = self.row.options.get("length")
        return DescribedRow(self.canonical, natives, self.row.codec, self.row.direction, length, self._codes())

    def _codes(self) -> tuple[tuple[str, str], ...]:
        chosen = self.row.options.get("representative") or {}
        stated = (self.row.options.get("values") or {}).items()
        return tuple((str(code), str(chosen.get(code, native))) for code, native in stated)


class Mapping:
    """The correspondence between one vendor object and one entity, in both directions."""

    def __init__(self, table: Table, shape: EntityShape, origin: str) -> None:
        self._origin = f"{origin}: {table.entity}"
        self._made_of = (table, shape, origin)
        entries: dict[str, list[_Entry]] = {}
        for canonical, row in table.fields.items():
            with _located(f"{self._origin}.{canonical}"):
                field, entry = _entry(canonical, row, table, shape)
                entries.setdefault(field, []).append(entry)
        with _located(self._origin):
            self._slots = {field: _slot(field, parts) for field, parts in entries.items()}
            self._directions = {field: parts[0].row.direction for field, parts in entries.items()}
            self._constants = {shape.field(field).name: value for field, value in table.constants.items()}
            self._defaults = {parse(path): value for path, value in table.defaults_json().items()}
            self._ignored = {parse(table.native(path)): values for path, values in table.ignore_when.items()}
            self._key_path = parse(table.native(table.key_field)) if table.key_field else None
            deleting = (place for place in table.places.values() if place.when_blank == "delete")
            self._deleting = {_row(table, place.path): _row(table, place.delete or place.path) for place in deleting}
            if both := sorted(self._slots.keys() & self._constants.keys()):
                raise BadMapping(f"{', '.join(both)}: both in 'fields' and in 'constants'")
            self._reasons_fit(table, shape)
        self._rows = [entry for parts in entries.values() for entry in parts]
        self.entity = table.entity
        self.times: str = table.times
        """What the object tells of its last change: `instant`, `date` or `none`."""
        self.object = Object(table.object, tuple(sorted(self._selected())), table.key, table.filter)
        self.canonical_fields: tuple[str, ...] = (*self._slots, *self._constants)
        self.essential: tuple[str, ...] = tuple(sorted(self._essential()))
        """Paths without which records cannot be told apart; see `without` for all others."""
        own_key = (self._key_path,) if self._key_path else ()
        self.given: tuple[str, ...] = tuple(path.bare for path in (*self._defaults, *own_key))
        """Paths that a new record gets whatever its fields say."""
        readable = tuple(slot for slot in self._slots.values() if self._directions[slot.field].readable)
        self._decode = decoder(readable, self._constants)

    def readable(self, field: str) -> bool:
        """Whether the system tells us this field."""
        return field in self._constants or (field in self._slots and self._directions[field].readable)

    def writable(self, field: str) -> bool:
        """Whether this field of an existing record may be written there."""
        return field in self._slots and self._directions[field].writable

    def creatable(self, field: str) -> bool:
        """Whether this field is written there when the record is created."""
        return field in self._slots and self._directions[field].creatable

    def native_of(self, field: str) -> tuple[str, ...]:
        """The native paths of a canonical field, with selectors; empty for a constant."""
        if field in self._constants:
            return ()
        return tuple(path.text for part in self._known(field).parts for path in part.natives)

    def bare_of(self, field: str) -> tuple[str, ...]:
        """The same paths without selectors, as an account describes them."""
        return tuple(parse(path).bare for path in self.native_of(field))

    def paths_of(self, field: str) -> tuple[str, ...]:
        """Every bare path this field is read from, written to or found by."""
        if field in self._constants:
            return ()
        return tuple(dict.fromkeys(path for part in self._known(field).parts for path in _selected(part)))

    @property
    def paths(self) -> tuple[str, ...]:
        """Every bare path of the table, read or only written."""
        named = (path for field in self._slots for path in self.paths_of(field))
        return tuple(sorted({*self.object.fields, *self.essential, *named}))

    def without(self, fields: Collection[str]) -> Mapping:
        """The same table without these canonical fields: they are neither read nor written."""
        table, shape, origin = self._made_of
        left = {name: row for name, row in table.fields.items() if name.partition(".")[0] not in fields}
        return Mapping(table.model_copy(update={"fields": left}), shape, origin)

    def missing(self) -> dict[str, str]:
        """Fields of the entity this table does not map, with its reason; "" where it gives none."""
        table, shape, _ = self._made_of
        mapped = {*self.canonical_fields, *HEADER}
        return {name: table.not_mapped.get(name, "") for name in shape.fields if name not in mapped}

    def notes(self) -> dict[str, str]:
        """What a person should know, per field and for the object."""
        return dict(self._made_of[0].notes)

    def places(self) -> dict[str, str]:
        """The named beginnings of paths, written out."""
        table = self._made_of[0]
        return {name: table.native(place.path) for name, place in table.places.items()}

    def describe_rows(self) -> list[DescribedRow]:
        """The table for people, in the order of the file."""
        constants = (
            DescribedRow(field, f"always {value}", "constant", "in") for field, value in self._constants.items()
        )
        return [*(entry.described() for entry in self._rows), *constants]

    def decode(self, document: Document) -> Decoded:
        """What the document says; never raises for a value, see `Decoded`."""
        values, faults = self._decode(document)
        if self._ignored and self._ignores(document):
            return Decoded(values, faults, ignored=True)
        return Decoded(values, faults)

    def encode(self, changes: Names[str, Value], now: Names[str, Value] | None = None) -> dict[str, Native]:
        """The native fields of an update that makes these canonical fields so.

        `now` is what the system shows at present; rows it does not show are not deleted. Raises `BadMapping` for a
        field that is not written there, `Invalid` for a value that cannot be expressed there.
        """
        for field in changes:
            if not self._directions[self._known(field).field].writable:
                raise BadMapping(f"{self._origin}.{field} is not written to {self.object.name}", field=field)
        return self._tree(changes, now or {}, {}).native()

    def encode_create(self, values: Names[str, Value], key: str = "") -> dict[str, Native]:
        """The native fields of a new record: the stated values that may be given there, then the defaults.

        `key` is the hub's record id; it is written here only if the table has a `key_field`, elsewhere the
        connector puts it where `object.key` says.
        """
        stated = {field: value for field, value in values.items() if self.creatable(field) and not blank(value)}
        tree = self._tree(stated, {}, values)
        if self._key_path and key:
            tree.put(self._key_path, key)
        for path, value in self._defaults.items():
            if not tree.has(path):
                tree.put(path, value)
        return _stated(tree).native()

    def _tree(self, changes: Names[str, Value], now: Names[str, Value], beside: Names[str, Value]) -> Tree:
        tree = Tree()
        record = ChainMap(dict(changes), dict(beside), dict(now))
        for field, value in changes.items():
            try:
                assigned = list(_assignments(self._slots[field], value, Around(now.get(field), record)))
            except Unencodable as error:
                raise Invalid(str(error), object=self.object.name, field=field, remedy=error.remedy) from error
            self._assign(tree, assigned)
        return tree

    def _assign(self, tree: Tree, assigned: list[tuple[Path, Native]]) -> None:
        steps = assigned[0][0].steps if assigned else ()
        if steps in self._deleting and all(value is None and path.steps == steps for path, value in assigned):
            tree.at(self._deleting[steps]).delete = True
            return
        for path, value in assigned:
            tree.put(path, value)

    def _reasons_fit(self, table: Table, shape: EntityShape) -> None:
        """A reason is given for a field that exists and is not mapped; a note for one that exists."""
        for name in (*table.not_mapped, *(name for name in table.notes if name != "object")):
            shape.field(name)
        if mapped := sorted({*self._slots, *self._constants} & table.not_mapped.keys()):
            raise BadMapping(f"{', '.join(mapped)}: mapped, and under 'not_mapped' too")

    def _known(self, field: str) -> Slot:
        try:
            return self._slots[field]
        except KeyError:
            known = ", ".join(self._slots)
            raise BadMapping(f"{self._origin} does not map {field!r}; mapped: {known}", field=field) from None

    def _ignores(self, document: Document) -> bool:
        return any(value_at(document, path) in values for path, values in self._ignored.items())

    def _essential(self) -> Iterator[str]:
        for path in (*self._ignored, *((self._key_path,) if self._key_path else ())):
            yield from (path.bare, *path.selectors())

    def _selected(self) -> Iterator[str]:
        for path in self._ignored:
            yield from (path.bare, *path.selectors())
        for entry in self._rows:
            if entry.row.direction.readable:
                yield from _selected(entry.part)


class _located:  # noqa: N801 - reads as a verb in a with statement
    """Puts the place in front of a `BadMapping`."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, BadMapping):
            raise BadMapping(f"{self._where}: {error.message}", field=error.field) from None


def _entry(canonical: str, row: FieldRow, table: Table, shape: EntityShape) -> tuple[str, _Entry]:
    field, members = _canonical(canonical, shape)
    natives = tuple(parse(table.native(path)) for path in row.native)
    codec = _codec(row)
    if codec.natives is not None and codec.natives != len(natives):
        raise BadMapping(f"codec {row.codec} takes {codec.natives} native fields, {len(natives)} are given")
    if codec.members != max(len(members), 1):
        raise BadMapping(f"codec {row.codec} covers {codec.members} members, {max(len(members), 1)} are named")
    return field, _Entry(canonical, row, Part(members, natives, codec))


def _row(table: Table, path: str) -> tuple[Step, ...]:
    return parse(f"{table.native(path)}.row").steps


def _canonical(canonical: str, shape: EntityShape) -> tuple[str, tuple[str, ...]]:
    field, _, inside = canonical.partition(".")
    known = shape.field(field)
    if field in HEADER:
        raise BadMapping(f"{field} belongs to the hub and is not mapped", field=field)
    members = tuple(inside.split("+")) if inside else ()
    if unknown := next((member for member in members if member not in known.members), None):
        raise BadMapping(f"{field} has no member {unknown!r}; known: {', '.join(known.members) or 'none'}", field=field)
    if known.members and not members:
        raise BadMapping(f"{field} is a group; name its members: {', '.join(known.members)}", field=field)
    return field, members


def _codec(row: FieldRow) -> Codec:
    factory = CODECS.get(row.codec)
    if factory is None:
        raise BadMapping(f"unknown codec {row.codec!r}; known: {', '.join(sorted(CODECS))}")
    known = inspect.signature(factory).parameters
    if unknown := next((name for name in row.options if name not in known), None):
        raise BadMapping(f"codec {row.codec} has no option {unknown!r}; known: {', '.join(known) or 'none'}")
    try:
        return validate_call(factory)(**row.options)
    except ValidationError as error:
        faults = "; ".join(f"option {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise BadMapping(f"codec {row.codec}: {faults}") from None


def _slot(field: str, entries: Sequence[_Entry]) -> Slot:
    members = [member for entry in entries for member in entry.part.members]
    if twice := sorted({member for member in members if members.count(member) > 1}):
        raise BadMapping(f"{field}.{twice[0]} is mapped twice", field=field)
    if len({entry.row.direction for entry in entries}) > 1:
        raise BadMapping(f"{field} is decided as one value: its members need one direction", field=field)
    return Slot(field, tuple(entry.part for entry in entries), bool(members))


def _selected(part: Part) -> Iterator[str]:
    for position, path in enumerate(part.natives):
        inner = part.codec.reads.get(position)
        yield from (f"{path.bare}.{name}" for name in inner) if inner else (path.bare,)
        yield from path.selectors()


def _assignments(slot: Slot, value: Value, around: Around) -> Iterator[tuple[Path, Native]]:
    if slot.is_group:
        _all_covered(slot, value or {})
    for part in slot.parts:
        stated = tuple((value or {}).get(member) for member in part.members)
        encoded = part.codec.encode(_argument(part, stated, value), around)
        if len(encoded) > len(part.natives):
            raise Unencodable(f"needs {len(encoded)} native fields, there are {len(part.natives)}")
        padded = (*encoded, *(None,) * (len(part.natives) - len(encoded)))
        for path, native in zip(part.natives, padded, strict=True):
            if not isinstance(native, Untouched):
                yield path, native


def _argument(part: Part, stated: tuple[Value, ...], value: Value) -> Value:
    if not part.members:
        return value
    return stated if part.codec.members > 1 else stated[0]


def _all_covered(slot: Slot, value: Names[str, Value]) -> None:
    covered = {member for part in slot.parts for member in part.members}
    if missing := sorted(member for member, stated in value.items() if member not in covered and not blank(stated)):
        raise Unencodable(f"{', '.join(missing)} has no native field", "Map it, or blank it where it is owned.")


def _stated(tree: Tree) -> Tree:
    """The same tree without blanks and deletions, which mean nothing for a new record."""
    fields: dict[str, Native] = {name: value for name, value in tree.fields.items() if value is not None}
    children = {step: _stated(node) for step, node in tree.children.items() if not node.delete}
    return Tree(fields, {step: node for step, node in children.items() if node.fields or node.children})
