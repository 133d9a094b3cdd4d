"""Compares two descriptions of an object: what was removed, renamed, narrowed, demanded or forbidden in between.

Pure. Not here: whether a mapping or a rule cares (`meaning`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from difflib import SequenceMatcher
from typing import Any

from fsm_core.drift.kinds import Accepted, Change, Kind
from fsm_core.ports import Capabilities, FieldCapability

ALIKE = 0.7
"""Share of equal letters from which two names are taken for one name, spelled anew."""
NOTHING = FieldCapability()


@dataclass(frozen=True, slots=True)
class Described:
    """What an account said of an object: the fields a mapping asks for or a save demands, and the names of others."""

    fields: Mapping[str, FieldCapability]
    others: Mapping[str, FieldCapability] = field(default_factory=dict)
    accepted: Mapping[str, Accepted] = field(default_factory=dict)
    told: frozenset[tuple[str, str]] = frozenset()
    """Kinds of drift that people were told of, each with what it is about."""

    @classmethod
    def of(cls, able: Capabilities) -> Described:
        """The description of now."""
        return cls(able.fields, able.others)


def changes(before: Described, now: Described) -> list[Change]:
    """Every difference that may harm, in the order of the paths."""
    found = [*_lost(before, now)]
    for path, new in now.fields.items():
        old = before.fields.get(path)
        found += _demanded(path, old, new) if old is None else _moved(path, old, new)
    return sorted(found, key=lambda one: (one.path, one.kind))


def _lost(before: Described, now: Described) -> Iterator[Change]:
    fresh = {
        path: able
        for path, able in (*now.others.items(), *now.fields.items())
        if path not in before.fields and path not in before.others
    }
    for path, old in before.fields.items():
        if path in now.fields or path in now.others:
            continue
        like = _alike(path, old, fresh)
        yield Change(Kind.RENAMED if like else Kind.REMOVED, path, like=like)


def _alike(path: str, old: FieldCapability, fresh: Mapping[str, FieldCapability]) -> str:
    """The new field that looks most like this one did, if one does."""
    scored = [(_likeness(path, old, name, able), name) for name, able in fresh.items()]
    return max((one for one in scored if one[0]), default=(0.0, ""))[1]


def _likeness(path: str, old: FieldCapability, name: str, new: FieldCapability) -> float:
    if _owner(path) != _owner(name) or old.type != new.type:
        return 0.0
    letters = SequenceMatcher(None, _plain(path), _plain(name)).ratio()
    label = bool(old.label) and old.label.casefold() == new.label.casefold()
    codes = bool(old.values) and set(old.values) == set(new.values)
    shape = old.length == new.length and old.values == new.values
    if not (label or codes or (letters >= ALIKE and shape)):
        return 0.0
    return letters + label + codes + shape / 2


def _owner(path: str) -> str:
    return path.rpartition(".")[0]


def _plain(path: str) -> str:
    return path.rpartition(".")[2].removesuffix("__c").replace("_", "").casefold()


def _demanded(path: str, old: FieldCapability | None, new: FieldCapability) -> list[Change]:
    if new.required and not (old and old.required):
        return [Change(Kind.REQUIRED, path, old=False, new=True)]
    return []


def _moved(path: str, old: FieldCapability, new: FieldCapability) -> list[Change]:
    found = _demanded(path, old, new)
    rights = [name for name in ("readable", "creatable", "writable") if getattr(old, name) and not getattr(new, name)]
    if rights:
        found.append(Change(Kind.RIGHT_LOST, path, old=rights, new=[]))
    if old.type and new.type and old.type != new.type:
        return [*found, Change(Kind.TYPE_CHANGED, path, old=old.type, new=new.type)]
    if new.length and (not old.length or new.length < old.length) and not new.values:
        found.append(Change(Kind.SHORTENED, path, old=old.length, new=new.length))
    dropped = sorted(set(old.values) - set(new.values)) if new.values else []
    if dropped or (new.values and not old.values):
        found.append(Change(Kind.VALUE_DROPPED, path, old=dropped, new=list(new.values)))
    added = [value for value in new.values if value not in old.values]
    if added and old.values:
        found.append(Change(Kind.VALUE_NEW, path, old=list(old.values), new=added))
    return found


def advanced(before: Described, now: Described, drifting: Collection[str], used: Collection[str]) -> Described:
    """What is known from now on: all of now, but of what drifts what was known of it before.

    While a field is gone the names of before are kept, so that the field it may be called now stays a new one.
    """
    gone = any(path in before.fields and path not in now.fields for path in drifting)
    kept = {path: able for path, able in now.fields.items() if path not in drifting}
    if gone:
        kept = {path: able for path, able in kept.items() if path in before.fields or path in used}
    kept |= {path: before.fields[path] for path in drifting if path in before.fields}
    accepted = {path: one for path, one in before.accepted.items() if path in used and path not in now.fields}
    return Described(kept, before.others if gone else now.others, accepted, before.told)


# -- as it is kept ---------------------------------------------------------------------------------


def packed(known: Described) -> dict[str, Any]:
    """A description as JSON; of a field only what is not usual."""
    return {
        "fields": {path: _packed(able) for path, able in sorted(known.fields.items())},
        "others": sorted(known.others),
        "accepted": {path: [one.by, one.at] for path, one in sorted(known.accepted.items())},
        "told": sorted(map(list, known.told)),
    }


def unpacked(kept: Mapping[str, Any]) -> Described:
    """The description that was kept; of the other fields their names."""
    return Described(
        {path: _unpacked(able) for path, able in kept["fields"].items()},
        dict.fromkeys(kept["others"], NOTHING),
        {path: Accepted(*one) for path, one in kept["accepted"].items()},
        frozenset((kind, subject) for kind, subject in kept["told"]),
    )


def _packed(able: FieldCapability) -> dict[str, Any]:
    stated = {one.name: getattr(able, one.name) for one in fields(able)}
    told = {name: value for name, value in stated.items() if value != getattr(NOTHING, name)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}


def _unpacked(kept: Mapping[str, Any]) -> FieldCapability:
    stated: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in kept.items()}
    return FieldCapability(**stated)
