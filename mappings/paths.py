"""Native paths: parsing, finding a place in a document, and gathering assignments into nested rows.

Not here: which canonical field belongs to which path (`table`), or how values are translated (`codecs`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from fsm_core.errors import BadMapping
from fsm_core.ports import Json, Row, Rows, find_row

Native: TypeAlias = "Json | Rows"
_STEP: Final = re.compile(r"([^.\[\]=$]+)((?:\[[^\[\]]+\])*)(\.|$)")
_WORDS: Final[dict[str, Json]] = {"true": True, "false": False}


class _Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""The document does not say anything about this path: not sent, or no right to see it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One way down into a child: a to-one child when `match` is empty, else the row that matches."""

    name: str
    match: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed native path: the steps down and the field at the end."""

    text: str
    steps: tuple[Step, ...]
    leaf: str

    @property
    def bare(self) -> str:
        """The path without selectors, as it stands in a list of fields to read."""
        return ".".join((*(step.name for step in self.steps), self.leaf))

    def selectors(self) -> Iterator[str]:
        """Bare paths of the fields that the selectors on the way look at."""
        above: list[str] = []
        for step in self.steps:
            above.append(step.name)
            yield from (".".join((*above, name)) for name, _ in step.match)


def parse(text: str) -> Path:
    """Parse `Name`, `to_Customer.Customer` or `to_Rows[Kind=A][to_Usage.Code=B].Name`; raises `BadMapping`."""
    steps: list[Step] = []
    position = 0
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            break
        steps.append(Step(found[1], _conditions(text, found[2])))
        position = found.end()
    if not steps or position != len(text) or text.endswith(".") or steps[-1].match:
        raise BadMapping(f"{text!r} is not a path; write Name, child.Name or child[Field=value].Name")
    return Path(text, tuple(steps[:-1]), steps[-1].name)


def _conditions(text: str, selectors: str) -> tuple[tuple[str, Json], ...]:
    conditions = []
    for part in selectors[1:-1].split("][") if selectors else ():
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise BadMapping(f"{part!r} in path {text!r} is not a selector; write [Field=value]")
        conditions.append((name.strip(), _WORDS.get(value.strip(), value.strip())))
    return tuple(conditions)


def child(parent: Any, name: str, match: Mapping[str, Json]) -> Any:  # noqa: ANN401 - any JSON, or ABSENT
    """The child of `parent` under `name`: a mapping, None when it is not there, `ABSENT` when nothing is said."""
    if parent is None or parent is ABSENT:
        return parent
    found = parent.get(name, ABSENT)
    if found is None or found is ABSENT:
        return found
    try:
        row = find_row([found] if hasattr(found, "get") else found, match)
    except (AttributeError, TypeError):  # text or a number where a child should be
        return ABSENT
    return row if row is None or hasattr(row, "get") else ABSENT


def value_at(document: Mapping[str, Json], path: Path) -> Any:  # noqa: ANN401 - any JSON, or ABSENT
    """What the document says at a path; None under a child that is not there."""
    place: Any = document
    for step in path.steps:
        place = child(place, step.name, dict(step.match))
    return place if place is None or place is ABSENT else place.get(path.leaf, ABSENT)


@dataclass(slots=True)
class Tree:
    """Assignments on their way to the nested fields of one write."""

    fields: dict[str, Native] = field(default_factory=dict)
    children: dict[Step, Tree] = field(default_factory=dict)
    delete: bool = False

    def at(self, steps: Sequence[Step]) -> Tree:
        """The node below these steps, made when missing."""
        node = self
        for step in steps:
            node = node.children.setdefault(step, Tree())
        return node

    def put(self, path: Path, value: Native) -> None:
        """Assign a value at a path."""
        self.at(path.steps).fields[path.leaf] = value

    def has(self, path: Path) -> bool:
        """Whether something is assigned at a path."""
        node: Tree | None = self
        for step in path.steps:
            node = node.children.get(step) if node else None
        return node is not None and path.leaf in node.fields

    def native(self) -> dict[str, Native]:
        """The fields of the write: plain values, and rows for the children (`match` is empty for a to-one child)."""
        native = dict(self.fields)
        for step, node in self.children.items():
            row = Row(dict(step.match), {} if node.delete else node.native(), node.delete)
            before = native.get(step.name, ())
            native[step.name] = (*before, row) if isinstance(before, tuple) else (row,)
        return native
