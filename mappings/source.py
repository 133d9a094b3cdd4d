"""Writes the decoder of a mapping as Python source, so that a page of records costs plain look-ups only.

Not here: checking the table and the write side (`compile`). The source is made of names and literals this
module invents; native and canonical names reach it as `repr` of checked text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fsm_core.model.compare import Value
from fsm_core.ports import Document
from mappings.codec import Codec, Undecodable, kind_of
from mappings.paths import ABSENT, Path, Step, child

_ANY_SURPRISE: Final = "(ValueError, TypeError, AttributeError, LookupError, ArithmeticError)"


class Fault(NamedTuple):
    """A native value without canonical meaning; its field is left out of the decoded values."""

    field: str
    native: str
    message: str


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the table, compiled: which members of a field one codec covers (none when it is the whole field)."""

    members: tuple[str, ...]
    natives: tuple[Path, ...]
    codec: Codec


@dataclass(frozen=True, slots=True)
class Slot:
    """One canonical top-level field and the parts it is made of."""

    field: str
    parts: tuple[Part, ...]
    is_group: bool


Decode = Callable[[Document], tuple[dict[str, Value], tuple[Fault, ...]]]


def fault(field: str, natives: str, values: tuple[Any, ...], error: Exception) -> Fault:
    """What a failed decoder leaves behind."""
    if isinstance(error, Undecodable):
        return Fault(field, natives, str(error))
    return Fault(field, natives, f"unexpected {', '.join(kind_of(value) for value in values)}")


def decoder(slots: tuple[Slot, ...], constants: Mapping[str, Value]) -> Decode:
    """A function from a document to values and faults that does what the slots say."""
    writer = _Writer()
    for slot in slots:
        writer.slot(slot)
    writer.names |= {"ABSENT": ABSENT, "child": child, "fault": fault, "CONSTANTS": dict(constants)}
    lines = [
        "def decode(document):",
        "    get = document.get",
        "    values = CONSTANTS.copy()",
        "    faults = ()",
        *(f"    {line}" for line in (*writer.places.values(), *writer.body)),
        "    return values, faults",
    ]
    exec(compile("\n".join(lines), "<mapping>", "exec"), writer.names)  # noqa: S102 - see the module docstring
    made: Decode = writer.names["decode"]
    return made


class _Writer:
    """Gathers the lines of the decoder and the objects they name."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self.places: dict[tuple[Step, ...], str] = {}
        """Steps -> the line that finds the place; parents come first."""
        self._place_names: dict[tuple[Step, ...], str] = {(): "document"}
        self.body: list[str] = []
        self._count = 0

    def slot(self, slot: Slot) -> None:
        """The lines for one field."""
        natives = [path for part in slot.parts for path in part.natives]
        inputs = {id(path): self._fresh("v") for path in natives}
        self.body += [f"{inputs[id(path)]} = {self._look_up(path)}" for path in natives]
        names = list(inputs.values())
        self.body.append(f"if {' and '.join(f'{name} is not ABSENT' for name in names)}:")
        self.body.append("    try:")
        lines = self._group(slot, inputs) if slot.is_group else self._single(slot, inputs)
        self.body += [f"        {line}" for line in lines]
        label = ", ".join(path.text for path in natives)
        self.body.append(f"    except {_ANY_SURPRISE} as error:")
        self.body.append(f"        faults += (fault({slot.field!r}, {label!r}, ({', '.join(names)},), error),)")

    def _single(self, slot: Slot, inputs: dict[int, str]) -> list[str]:
        return [f"values[{slot.field!r}] = {self._call(slot.parts[0], inputs)}"]

    def _group(self, slot: Slot, inputs: dict[int, str]) -> list[str]:
        lines: list[str] = []
        outputs: dict[str, str] = {}
        for part in slot.parts:
            names = [self._fresh("m") for _ in part.members]
            outputs |= dict(zip(part.members, names, strict=True))
            lines.append(f"{', '.join(names)} = {self._call(part, inputs)}")
        stated = " or ".join(f"{name} is not None" for name in outputs.values())
        group = ", ".join(f"{member!r}: {name}" for member, name in sorted(outputs.items()))
        return [*lines, f"values[{slot.field!r}] = {{{group}}} if {stated} else None"]

    def _call(self, part: Part, inputs: dict[int, str]) -> str:
        function = self._fresh("c")
        self.names[function] = part.codec.decode
        names = [inputs[id(path)] for path in part.natives]
        call = f"{function}({', '.join(names)})"
        if len(names) == 1 and part.codec.members == 1 and part.codec.skips_none:
            return f"None if {names[0]} is None else {call}"
        return call

    def _look_up(self, path: Path) -> str:
        if not path.steps:
            return f"get({path.leaf!r}, ABSENT)"
        place = self._place(path.steps)
        return f"{place} if {place} is None or {place} is ABSENT else {place}.get({path.leaf!r}, ABSENT)"

    def _place(self, steps: tuple[Step, ...]) -> str:
        if steps not in self._place_names:
            parent = self._place(steps[:-1])
            name = self._place_names[steps] = self._fresh("p")
            step = steps[-1]
            self.places[steps] = f"{name} = child({parent}, {step.name!r}, {dict(step.match)!r})"
        return self._place_names[steps]

    def _fresh(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"
