"""The path grammar of the ports as steps: `to_Address[Usage=XXDEFAULT].StreetName`, `to_Area[Org=10,Div=00].Terms`.

Not here: what a name means in a schema.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fsm_core.errors import BadMapping
from fsm_core.ports import Json

_STEP = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<selectors>(?:\[[^\]]*\])*)(?:\.|$)")
_SELECTOR = re.compile(r"[\[,]([^=\[\],]+)=([^\],]*)")


@dataclass(frozen=True, slots=True)
class Step:
    """One name with the selectors behind it; a selector's name may itself be dotted."""

    name: str
    match: tuple[tuple[str, str], ...] = ()


def steps(path: str) -> tuple[Step, ...]:
    """Split a path; raises `BadMapping` for one that is not of the grammar."""
    found: list[Step] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise BadMapping(f"the path {path!r} is malformed at position {position}", field=path)
        selectors = tuple((name.strip(), value.strip()) for name, value in _SELECTOR.findall(match["selectors"]))
        found.append(Step(match["name"], selectors))
        position = match.end()
    if not found:
        raise BadMapping("a path is empty")
    return tuple(found)


def label(name: str, match: Mapping[str, Json]) -> str:
    """A child and its selectors in the notation of the mappings, for error messages and for asking again."""
    texts = {key: str(value).lower() if isinstance(value, bool) else value for key, value in match.items()}
    inside = ",".join(f"{key}={text}" for key, text in texts.items())
    return f"{name}[{inside}]" if inside else name
