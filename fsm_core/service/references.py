"""References on their way in and out: external ids become record ids when a page lands, and back when one is told.

What refers to an id that is not known yet is parked, or lives on without the field where it may.
Not here: what happens when the parent lands (`release`) or is merged away (`merges`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fsm_core.model.compare import canonical, digest
from fsm_core.ports import Change
from fsm_core.service.hub import Binding, Hub
from fsm_core.state import Doc, Known, LinkState, Reason, Sighting, Work
from fsm_core.state_references import Reference, Target, Wait

ORPHAN = "waiting for its parent"
"""The cause of the problem of what is parked."""
HOPS = 10
"""How often a survivor may itself have been merged away."""


class Meaning(NamedTuple):
    """What an external id stands for."""

    record: str
    via: str | None
    """The id, where it is a further one of its system."""


@dataclass(slots=True)
class Said:
    """One document with record ids in its references; what is not known is left out, and waits."""

    values: Doc
    means: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Parent record and field, and the id of a further record of the system where it says that."""
    waits: list[tuple[str, str, str]] = field(default_factory=list)
    """Field, entity and external id."""


@dataclass(slots=True)
class Meant:
    """What a page refers to, to be kept once its links are stored."""

    fields: Collection[str] = ()
    """The reference fields it shows; what it hides is left as it was."""
    means: list[Reference] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    parked: set[int] = field(default_factory=set)
    """Links that may not be without what they wait for."""

    @property
    def waiting(self) -> set[int]:
        """Links that refer to something that is not there yet."""
        return {wait.link for wait in self.waits}


def mapped(hub: Hub, binding: Binding) -> dict[str, str]:
    """The reference fields this system tells, each with the entity it refers to."""
    shape = hub.book(binding.entity).shape
    return {name: shape.fields[name].reference for name in binding.translation.canonical_fields
            if shape.fields[name].reference}  # fmt: skip


# -- in ------------------------------------------------------------------------------------------


def meant(
    hub: Hub, work: Work, binding: Binding, added: list[tuple[int, Sighting]], changed: list[tuple[Known, Sighting]]
) -> Meant | None:
    """Turn the references of a page into record ids, in place; None where the entity refers to nothing."""
    fields = mapped(hub, binding)
    if not fields:
        return None
    seen = [one for _, one in (*added, *changed)]
    said = _said(hub, work, binding.system, fields, [one.values for one in seen])
    spoken = [one._replace(now=canonical(s.values).decode()) for one, s in zip(seen, said, strict=True)]
    told, aims = Meant(fields), _aims(hub, binding, fields)
    required = hub.book(binding.entity).shape.required
    numbers = [number for number, _ in added] + [known.id for known, _ in changed]
    for number, one in zip(numbers, said, strict=True):
        _note(told, number, one, aims, required)
    added[:] = [(number, one) for (number, _), one in zip(added, spoken[: len(added)], strict=True)]
    changed[:] = [(known, one) for (known, _), one in zip(changed, spoken[len(added) :], strict=True)]
    return told


def _aims(hub: Hub, binding: Binding, fields: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """System and object in which each entity that is referred to lies."""
    return {entity: (binding.system, _object(hub, binding.system, entity)) for entity in fields.values()}


def _note(told: Meant, link: int, said: Said, aims: Mapping[str, tuple[str, str]], required: Sequence[str]) -> None:
    for parent, name, via in said.means:
        told.means.append(Reference(parent, link, name, via))
    for name, entity, external_id in said.waits:
        told.waits.append(Wait(link, name, *aims[entity], entity, external_id))
        if name in required:
            told.parked.add(link)


def _object(hub: Hub, system: str, entity: str) -> str:
    """The object that holds an entity there; empty where nothing does."""
    binding = hub.bindings.get((system, entity))
    return binding.object.name if binding else ""


def park(
    work: Work,
    binding: Binding,
    told: Meant,
    added: Sequence[tuple[int, Sighting]],
    changed: Sequence[tuple[Known, Sighting]],
    gone: Mapping[str, Known],
    at: str,
) -> None:
    """Keep what a stored page refers to; what may not be without it waits for it, what has it now waits no more."""
    work.drop_references([known.id for known, _ in changed], told.fields)
    work.drop_references([known.id for known in gone.values()])
    work.put_references(told.means)
    work.put_waiting(binding.entity, told.waits)
    alone = {known.id: known for known, _ in changed if known.record is None}
    parked = [number for number, _ in added if number in told.parked] + sorted(told.parked & alone.keys())
    freed = [n for n, known in alone.items() if known.state == LinkState.PARKED and n not in told.parked]
    work.place([(n, None, LinkState.PARKED, "") for n in parked] + [(n, None, LinkState.LIVE, "") for n in freed])
    over = [seen.external_id for known, seen in changed if known.id not in told.parked]
    work.solve_problems(binding.system, [*over, *gone], (ORPHAN,), at)


def _said(hub: Hub, work: Work, system: str, fields: Mapping[str, str], documents: Sequence[Doc]) -> list[Said]:
    """These documents with record ids."""
    wanted: defaultdict[str, set[str]] = defaultdict(set)
    for name, entity in fields.items():
        wanted[entity].update(document[name] for document in documents if document.get(name))
    known = {entity: _records(hub, work, system, entity, ids) for entity, ids in wanted.items()}
    return [_one(fields, known, document) for document in documents]


def _one(fields: Mapping[str, str], known: Mapping[str, Mapping[str, Meaning]], document: Doc) -> Said:
    said = Said(dict(document))
    for name, entity in fields.items():
        external_id = document.get(name)
        if not external_id:
            continue
        meaning = known[entity].get(external_id)
        if meaning is None:
            del said.values[name]
            said.waits.append((name, entity, external_id))
        else:
            said.values[name] = meaning.record
            said.means.append((meaning.record, name, meaning.via))
    return said


def _records(hub: Hub, work: Work, system: str, entity: str, ids: set[str]) -> dict[str, Meaning]:
    """The records behind external ids; behind one that was merged away, the survivor's."""
    obj = _object(hub, system, entity)
    if not obj or not ids:
        return {}
    found = work.targets(system, obj, entity, ids)
    for _hop in range(HOPS):
        beyond = {known.merged_into for known in found.values() if _passed_on(known)} - found.keys()
        more = work.targets(system, obj, entity, {one for one in beyond if one}) if beyond else {}
        if not more:
            break
        found |= more
    return {one: meaning for one in ids if (meaning := _last(found, one)) is not None}


def _passed_on(known: Target) -> bool:
    return known.state == LinkState.ENDED and bool(known.merged_into)


def _last(found: Mapping[str, Target], external_id: str) -> Meaning | None:
    """The record at the end of a chain of merges, or the last one on the way."""
    meaning = None
    for _hop in range(HOPS):
        known = found.get(external_id)
        if known is None:
            break
        if known.record:
            meaning = Meaning(known.record, external_id if known.state == LinkState.FURTHER else None)
        if not _passed_on(known):
            break
        external_id = known.merged_into or ""
    return meaning


def content_hash(binding: Binding, change: Change, hidden: Doc) -> bytes:
    """The hash of what a system shows, in its own ids, and of what it showed before it hid it."""
    return digest(canonical(hidden | binding.translation.decode(change.document).values))


class Shown(NamedTuple):
    """What a read outside a pass shows of one record."""

    values: Doc
    spoken: Doc
    """The same in the system's own ids."""
    said: Said


def shown(hub: Hub, work: Work, binding: Binding, changes: Iterable[Change]) -> list[Shown]:
    """Documents as `now` keeps them; of a record that is not there nothing."""
    decode = binding.translation.decode
    documents = [dict(decode(change.document).values) if change.document else {} for change in changes]
    fields = mapped(hub, binding)
    said = _said(hub, work, binding.system, fields, documents) if fields else [Said(one) for one in documents]
    return [Shown(s.values, one, s) for s, one in zip(said, documents, strict=True)]


def keep(hub: Hub, work: Work, binding: Binding, rows: Sequence[tuple[int, Said]]) -> None:
    """Keep what read-backs refer to. A link with a record is never parked."""
    fields = mapped(hub, binding)
    if not fields:
        return
    told, aims = Meant(fields), _aims(hub, binding, fields)
    for link, said in rows:
        _note(told, link, said, aims, ())
    work.drop_references([link for link, _ in rows], told.fields)
    work.put_references(told.means)
    work.put_waiting(binding.entity, told.waits)


# -- out -----------------------------------------------------------------------------------------


class Owed(NamedTuple):
    """What one record would tell a system."""

    record: str
    values: Doc
    creates: bool


class Told(NamedTuple):
    """The part of it that can be told now."""

    values: Doc
    spoken: Doc
    """The same with the system's own ids in its references."""


def telling(hub: Hub, work: Work, binding: Binding, rows: Sequence[Owed]) -> list[Told | None]:
    """What can be told now; a reference to what is not in the system yet is held back until it is.

    None where nothing is left, or where a record cannot be created without the reference.
    """
    fields = mapped(hub, binding)
    if not fields:
        return [Told(row.values, row.values) for row in rows]
    known = _external(work, binding.system, fields, rows)
    required = hub.book(binding.entity).shape.required
    told: list[Told | None] = []
    held: list[tuple[str, str]] = []
    for row in rows:
        missing = {n: row.values[n] for n in fields if row.values.get(n) and row.values[n] not in known}
        held += [(row.record, parent) for parent in missing.values()]
        values = {n: v for n, v in row.values.items() if n not in missing}
        halted = row.creates and any(n in required for n in missing)
        told.append(None if halted or not values else Told(values, values | _spoken(fields, known, values)))
    looked = [row.record for row in rows]
    work.hold_back(binding.entity, binding.system, looked, _of_now(work, held))
    silent = [row.record for row, one in zip(rows, told, strict=True) if one is None]
    work.clear_dirty(binding.entity, silent, [Reason.DELIVER], binding.system)
    return told


def _of_now(work: Work, held: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a merged parent's children wait for is the survivor."""
    merged = work.survivors({parent for _, parent in held}) if held else {}
    return [(record, merged.get(parent, parent)) for record, parent in held]


def _external(work: Work, system: str, fields: Mapping[str, str], rows: Sequence[Owed]) -> dict[str, str]:
    """The id there of every record that is referred to."""
    found: dict[str, str] = {}
    for entity in sorted(set(fields.values())):
        names = [name for name, of in fields.items() if of == entity]
        wanted = {row.values[n] for row in rows for n in names if row.values.get(n)}
        found |= work.known_as(system, entity, wanted)
        merged = work.survivors(wanted - found.keys())
        instead = work.known_as(system, entity, merged.values()) if merged else {}
        found |= {old: instead[new] for old, new in merged.items() if new in instead}
    return found


def _spoken(fields: Mapping[str, str], known: Mapping[str, str], values: Doc) -> Doc:
    return {name: known[values[name]] for name in fields if values.get(name)}
