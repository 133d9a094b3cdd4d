"""Tries values on a mapping: says them to the system, and reads back what it would show.

Not here: which values are tried (`samples`) and what is wrong with what comes back (`codecs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fsm_core.errors import HubError
from fsm_core.model.compare import blank
from fsm_core.model.entity import EntityShape
from fsm_core.ownership.check.kinds import kind
from fsm_core.ownership.check.mirror import shown_after, written_paths
from fsm_core.ownership.check.samples import codes, samples
from fsm_core.ownership.check.subject import Party

_SURPRISES = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one value."""

    refused: str = ""
    """Why it cannot be said there; "" when it can."""
    shown: Any = None
    same: bool = False
    """It reads as it was said."""


class Probe:
    """One entity in one system."""

    def __init__(self, shape: EntityShape, party: Party) -> None:
        self._shape, self._mapping = shape, party.mapping

    def tell(self, field: str, value: Any, beside: Mapping[str, Any] | None = None) -> Told:  # noqa: ANN401 - any value
        """Write it beside other fields, and read what is then shown."""
        try:
            native = self._native({**(beside or {}), field: value})
        except HubError as error:
            return Told(refused=error.message)
        except _SURPRISES as error:  # a codec of somebody's own; what it cannot take is its finding, not our end
            return Told(refused=f"{type(error).__name__}: {error}")
        shown = self._mapping.decode(shown_after(native, self._mapping.object.fields)).values.get(field)
        return Told(shown=shown, same=self._shape.fields[field].same(value, shown))

    def tell_somehow(self, field: str, value: Any) -> Told:  # noqa: ANN401 - any value
        """The same; what is refused alone is tried beside each code of the other fields."""
        alone = self.tell(field, value)
        if not alone.refused:
            return alone
        for other, code in self._companions(field):
            told = self.tell(field, value, {other: code})
            if not told.refused and told.same:
                return told
        return alone

    def writes(self, field: str) -> frozenset[str]:
        """Native paths that some value of the field is written to; empty for a field that is not written."""
        if not self._mapping.writable(field):
            return frozenset()
        found: set[str] = set()
        for value in (*codes(self._shape, field), *samples(self._shape, field)):
            try:
                found |= set(written_paths(self._mapping.encode({field: value})))
            except (HubError, *_SURPRISES):
                continue
        return frozenset(found)

    def _native(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        if all(self._mapping.writable(name) for name in values):
            return self._mapping.encode(values)
        return self._mapping.encode_create(values)

    def _companions(self, field: str) -> list[tuple[str, Any]]:
        others = (name for name in self._mapping.canonical_fields if name != field and self._mapping.writable(name))
        return [(name, code) for name in others if kind(self._shape, name).codes for code in codes(self._shape, name)]


def says_nothing(told: Told) -> bool:
    """Whether the value was left out on the way."""
    return not told.refused and blank(told.shown)
