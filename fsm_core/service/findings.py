"""What a mapping wants of an account and does not get: each named, with what to do about it.

Not here: what the account gives (`capability`), and systems that cannot be reached at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from fsm_core.errors import HubError
from fsm_core.ports import Creates, FieldCapability
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.unseen import REMEDY, sentence


class Severity(StrEnum):
    """Whether something works all the same."""

    ERROR = "error"
    """A system, an entity, or what a rule demands cannot be used."""
    WARNING = "warning"
    """All goes on without it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to repair in the account, the mapping or the settings."""

    severity: Severity
    message: str
    remedy: str
    entity: str = ""
    object: str = ""
    field: str = ""
    """The canonical field, if it is about one."""
    paths: tuple[str, ...] = ()
    """The native fields it is about."""


def of_error(error: HubError, entity: str = "") -> Finding:
    """Why a system, or an entity there, cannot be used."""
    paths = tuple(error.field.split(", ")) if error.field else ()
    told = f"{', '.join(paths)}: {error.message}" if paths else error.message
    return Finding(Severity.ERROR, told, error.remedy, entity, error.object, paths=paths)


def findings(hub: Hub, binding: Binding) -> list[Finding]:
    """What is to be said about one entity in one system, the worst first."""
    if binding.fault is not None:
        return [of_error(binding.fault, binding.entity)]
    told = [*_unseen(binding), *_unmapped(binding), *_closed(hub, binding), *_narrow(binding), *_advice(binding)]
    told += _undeletable(hub, binding)
    return sorted(_with_drift(binding, told), key=lambda one: one.severity)


def _with_drift(binding: Binding, told: list[Finding]) -> Iterator[Finding]:
    """What is new since the account was known: said with the finding it explains, else by itself."""
    left = list(binding.watched.drifts)
    for finding in told:
        mine = [one for one in left if one.path in finding.paths]
        left = [one for one in left if one not in mine]
        news = "".join(f"; new: {one.sentence}" for one in mine)
        yield replace(finding, message=finding.message + news, remedy=mine[0].remedy if mine else finding.remedy)
    for one in left:
        about = one.fields[0] if one.fields else ""
        yield _finding(binding, Severity.WARNING, one.sentence, one.remedy, field=about, paths=(one.path,))


def _finding(binding: Binding, severity: Severity, message: str, remedy: str, **about: object) -> Finding:
    return Finding(severity, message, remedy, binding.entity, binding.object.name, **about)  # type: ignore[arg-type]  # by keyword


def _unseen(binding: Binding) -> Iterator[Finding]:
    known = binding.capabilities.fields
    hidden = {name: paths for name, paths in binding.unseen.items() if any(path not in known for path in paths)}
    for name, paths in hidden.items():  # what is held for another reason is told as drift
        yield _finding(binding, Severity.WARNING, sentence(name, paths), REMEDY, field=name, paths=paths)


def _unmapped(binding: Binding) -> Iterator[Finding]:
    """Fields without which the system saves no record, and which the mapping never fills."""
    if binding.capabilities.creates is Creates.NEVER:
        return
    filled = {path for name in binding.creatable for path in binding.whole.bare_of(name)}
    filled |= {binding.object.key, *binding.whole.given}
    for path, able in binding.capabilities.fields.items():
        if able.required and path not in filled:
            message = f"{path} is required there and not mapped: new records are refused"
            yield _finding(binding, Severity.ERROR, message, "Map it, or give it a default there.", paths=(path,))


def _closed(hub: Hub, binding: Binding) -> Iterator[Finding]:
    """Shown, but not to be written."""
    rules = hub.book(binding.entity).rules({})
    for name in binding.translation.canonical_fields:
        rule = rules[name]
        if binding.translation.writable(name) and name not in binding.writable:
            demanded = rule.non_owner_change == "revert" and rule.owner != binding.system
            severity = Severity.ERROR if demanded else Severity.WARNING
            why = ", although the rules demand that edits there are reverted" if demanded else ""
            paths = _paths(binding, name, lambda able: not able.writable)
            message = f"{name} may not be changed there ({', '.join(paths)}){why}"
        elif binding.translation.creatable(name) and name not in binding.creatable:
            severity = Severity.WARNING
            paths = _paths(binding, name, lambda able: not able.creatable)
            message = f"{name} may not be given to a new record there ({', '.join(paths)})"
        else:
            continue
        remedy = "Give the hub's user the right to edit it there, or write 'direction: in' in the mapping."
        yield _finding(binding, severity, message, remedy, field=name, paths=paths)


def _paths(binding: Binding, name: str, wanted: Callable[[FieldCapability], bool]) -> tuple[str, ...]:
    known = binding.capabilities.fields
    return tuple(path for path in binding.translation.bare_of(name) if path in known and wanted(known[path]))


def _narrow(binding: Binding) -> Iterator[Finding]:
    """Values that the mapping writes and the field there does not take."""
    known = binding.capabilities.fields
    for row in binding.translation.describe_rows():
        name = row.canonical.partition(".")[0]
        for path in binding.translation.bare_of(name) if name in binding.writable else ():
            able = known.get(path)
            if able is None or path not in _bare(binding, name, row.native):
                continue
            lost = [native for _, native in row.values if able.values and native not in able.values]
            if lost:
                message = f"{path} does not offer {', '.join(lost)}, which {row.canonical} writes"
                remedy = "Add the value to the pick list there, or correct 'values' in the mapping."
                yield _finding(binding, Severity.WARNING, message, remedy, field=name, paths=(path,))
            if able.length and row.length and able.length < row.length and not able.values:
                message = f"{path} holds {able.length} characters, the mapping lets {row.length} through"
                remedy = "Lengthen the field there, or shorten 'length' in the mapping."
                yield _finding(binding, Severity.WARNING, message, remedy, field=name, paths=(path,))


def _bare(binding: Binding, name: str, native: str) -> set[str]:
    """The described paths of one row of a field."""
    pairs = zip(binding.translation.native_of(name), binding.translation.bare_of(name), strict=True)
    return {bare for path, bare in pairs if path in native.split(", ")}


def _undeletable(hub: Hub, binding: Binding) -> Iterator[Finding]:
    """The rules delete everywhere, and the account does not."""
    book = hub.book(binding.entity)
    if book.delete is None or book.delete.on_owner_delete != "delete" or binding.capabilities.can_delete:
        return
    ending = book.shape.ending("deactivate")
    instead = f"{ending[0]} becomes {ending[1]}" if ending and ending[0] in binding.writable else "a person is told"
    message = f"the rules delete {binding.entity} records everywhere; here the hub cannot: {instead} instead"
    yield _finding(binding, Severity.WARNING, message, "Give the hub's user the right to delete, or bear it.")


def _advice(binding: Binding) -> Iterator[Finding]:
    for message, remedy in binding.capabilities.advice:
        yield _finding(binding, Severity.WARNING, message, remedy, paths=(binding.object.key,))
