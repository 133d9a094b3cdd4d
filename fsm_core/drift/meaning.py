"""What a difference means for one mapping and its rules: which rows and rules it touches, and what is done about it.

Pure. Not here: finding the differences (`compare`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fsm_core.drift.kinds import NO_FIELD, Change, Drift, Kind, Policies, Policy
from fsm_core.ownership.book import EntityBook

SHOWN = 5
"""Values of a pick list that a sentence names."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapping does with the paths of an object."""

    system: str
    entity: str
    paths: Mapping[str, Sequence[str]]
    """Per canonical field the described paths it is read from, written to or found by."""
    essential: frozenset[str]
    """Paths without which nothing can be read, and the place of our key."""
    key: str
    """The place of our key, as the account describes it; "" for none."""
    filled: frozenset[str]
    """Paths that a new record gets."""
    codes: Mapping[str, frozenset[str]]
    """Per path with a table of codes: the native codes that are written."""
    readable: Callable[[str, str], bool]
    """Whether the mapping can read this code at this path."""
    written: frozenset[str]
    """Canonical fields that the mapping lets us write."""

    def fields(self, path: str) -> tuple[str, ...]:
        """The canonical fields that live at a path."""
        return tuple(name for name, paths in self.paths.items() if path in paths)

    @property
    def used(self) -> frozenset[str]:
        """Every path the mapping speaks of."""
        return frozenset({path for paths in self.paths.values() for path in paths} | self.essential)


def drifts(changes: Iterable[Change], mapped: Mapped, book: EntityBook, policies: Policies) -> list[Drift]:
    """The differences that concern this mapping, each judged."""
    found = [(change, mapped.fields(change.path)) for change in changes]
    told = [_drift(change, names, mapped, book, policies) for change, names in found]
    return [one for one in told if one is not None]


def keys_and_switches(book: EntityBook) -> frozenset[str]:
    """Fields that tell records apart by themselves, or say who owns them or where they go."""
    return frozenset(name.partition(".")[0] for names in book.keys for name in names) | book.switches()


def _drift(
    change: Change, names: tuple[str, ...], mapped: Mapped, book: EntityBook, policies: Policies
) -> Drift | None:
    told = _told(change, names, mapped)
    if told is None:
        return None
    message, remedy = told
    policy = _policy(change, names, mapped, book, policies)
    means = tuple(text for name in names for text in _touched(change, name, mapped, book))
    done = _DONE[policy] if change.kind is not Kind.REQUIRED else _DEMANDED[policy]
    done = "it is not written there" if (change.kind, policy) == (Kind.RIGHT_LOST, Policy.HOLD) else done
    closing = (done.format(entity=mapped.entity, system=mapped.system),)
    return Drift(
        change.kind, policy, change.path, names, message, remedy, means + closing, change.old, change.new, change.like
    )


_DONE = {
    Policy.STOP: "{entity} is neither read nor written in {system}",
    Policy.HOLD: "it is neither read nor written there, and its values stay as they were",
    Policy.WARN: "what the field does not take is set aside, record by record",
}
_DEMANDED = {
    Policy.STOP: "no new {entity} is made in {system}; those that are there go on",
    Policy.HOLD: "no new {entity} is made in {system}; those that are there go on",
    Policy.WARN: "new records without it are refused there, one by one",
}


def _policy(change: Change, names: Sequence[str], mapped: Mapped, book: EntityBook, policies: Policies) -> Policy:
    """What is done: a field that nothing goes without stops its entity whatever the settings say."""
    chosen = policies.of(change.kind)
    if change.kind is Kind.REQUIRED:
        return Policy.WARN if change.path in mapped.filled else chosen
    held = chosen is Policy.HOLD and change.kind is not Kind.RIGHT_LOST
    if change.kind not in NO_FIELD and not held:
        return chosen
    if change.path in mapped.essential or any(name in book.shape.required for name in names):
        return Policy.STOP
    return chosen if keys_and_switches(book).isdisjoint(names) else policies.key_removed


# -- in words --------------------------------------------------------------------------------------

_RESTORE = (
    "Create it there if it does not exist, or give the hub's user the right to see and edit it; all records are then "
    "read once by themselves. If it is not meant to be synchronised, take it out of the mapping."
)
_ACCEPT = " If it is meant, run 'fsm-hub drift accept'."


def _told(change: Change, names: tuple[str, ...], mapped: Mapped) -> tuple[str, str] | None:
    """Message and remedy; None where the mapping has nothing to do with it."""
    path, used = change.path, bool(names) or change.path in mapped.essential
    match change.kind:
        case Kind.REMOVED if used:
            return f"the account does not show {path} any more: it was removed, or the right to see it was", (
                _RESTORE + _ACCEPT
            )
        case Kind.RENAMED if used:
            message = f"the account does not show {path} any more; {change.like} is new there and looks like it"
            return message, f"If it was renamed, write {change.like} in the mapping. {_RESTORE}{_ACCEPT}"
        case Kind.SHORTENED if _written(names, mapped) or path == mapped.key:
            before = f"{change.old} before" if change.old else "any number before"
            message = f"{path} holds {change.new} characters, {before}"
            return message, "Lengthen the field there, or shorten 'length' in the mapping." + _ACCEPT
        case Kind.VALUE_DROPPED if used:
            return _dropped(change, mapped)
        case Kind.VALUE_NEW if used:
            return _new_values(change, mapped)
        case Kind.REQUIRED:
            return _demanded(change, mapped)
        case Kind.TYPE_CHANGED if used:
            message = f"{path} holds {change.new} now, {change.old} before"
            return message, "Change it back there, or choose another codec in the mapping." + _ACCEPT
        case Kind.RIGHT_LOST if _loses(change, names, mapped):
            message = f"the right to {_RIGHTS.get(tuple(change.old), 'write')} {path} was taken"
            return message, "Give the hub's user the right back, or write 'direction: in' in the mapping." + _ACCEPT
    return None


_RIGHTS = {
    ("creatable",): "give a new record its",
    ("writable",): "change",
    ("creatable", "writable"): "write",
    ("readable",): "read",
}


def _written(names: Iterable[str], mapped: Mapped) -> bool:
    return not mapped.written.isdisjoint(names)


def _loses(change: Change, names: Iterable[str], mapped: Mapped) -> bool:
    if "readable" in change.old:
        return bool(list(names))
    if change.path == mapped.key:
        return "creatable" in change.old
    return change.path in mapped.filled if change.old == ["creatable"] else _written(names, mapped)


def _dropped(change: Change, mapped: Mapped) -> tuple[str, str] | None:
    codes = mapped.codes.get(change.path)
    offered = set(change.new)
    lost = sorted(set(change.old) & codes if codes and change.old else (codes or set(change.old)) - offered)
    if not lost and codes is not None:
        return None
    what = f"does not offer {_listed(lost)} any more" if lost else f"takes {_listed(change.new)} only"
    remedy = "Add the value to the pick list there, or correct 'values' in the mapping." + _ACCEPT
    return f"{change.path} {what}", remedy


def _new_values(change: Change, mapped: Mapped) -> tuple[str, str] | None:
    unknown = [value for value in change.new if not mapped.readable(change.path, value)]
    if not unknown:
        return None
    message = f"{change.path} offers {_listed(unknown)}, which the mapping cannot read"
    return message, "Add the code to 'values' in the mapping, or take it out of the pick list there." + _ACCEPT


def _demanded(change: Change, mapped: Mapped) -> tuple[str, str] | None:
    path = change.path
    if path in mapped.filled:
        return f"{path} is required there now", "Complete the records that do not say it." + _ACCEPT
    return f"{path} is required there now and not mapped", "Map it, or give it a default there." + _ACCEPT


def _listed(values: Sequence[str]) -> str:
    more = len(values) - SHOWN
    return ", ".join(map(str, values[:SHOWN])) + (f" and {more} more" if more > 0 else "")


# -- rules it touches ------------------------------------------------------------------------------


def _touched(change: Change, name: str, mapped: Mapped, book: EntityBook) -> list[str]:
    """What of the rules leans on this field."""
    told = [_owner(change, name, mapped, book)]
    if name in book.shape.required:
        told.append(f"no {mapped.entity} is without {name}")
    if any(name == part.partition(".")[0] for names in book.keys for part in names):
        told.append(f"{name} is a match key: new records there are not recognised without it")
    elif any(name == part.partition(".")[0] for names in book.ask for part in names):
        told.append(f"{name} is part of a match key that a person is asked about")
    if name in book.switches():
        told.append(f"{name} decides who owns a {mapped.entity} or where it goes")
    return told


def _owner(change: Change, name: str, mapped: Mapped, book: EntityBook) -> str:
    rules = [book.rules({})[name], *(rules[name] for _, rules in book.cases)]
    owners = sorted({rule.owner for rule in rules if rule.owner})
    gone = change.kind in NO_FIELD or change.kind is Kind.TYPE_CHANGED
    if mapped.system in owners and gone:
        return f"{name} is owned there: nobody is told what is said there from now on"
    if gone:
        return f"{name} is owned by {' or '.join(owners)}: {mapped.system} is not told any more what is said there"
    return f"{name} lives there, owned by {' or '.join(owners)}"


def stops(found: Iterable[Drift]) -> list[Drift]:
    """What stops the whole entity."""
    return [one for one in found if one.policy is Policy.STOP and one.kind is not Kind.REQUIRED]


def described(one: Drift) -> dict[str, Any]:
    """A drift as the audit keeps it."""
    return {"path": one.path, "kind": str(one.kind), "old": one.old, "new": one.new}
