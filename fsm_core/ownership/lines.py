"""YAML with places: values in which no key is written twice, and the line of each of them.

Not here: what the values mean (`rules`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import yaml

Place: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys and positions from the top of the file."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is written twice, which YAML itself would answer with the last one."""


def _unique(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise yaml.constructor.ConstructorError(None, None, f"{twice!r} is written twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique)


def read(text: str) -> Any:  # noqa: ANN401 - whatever YAML holds
    """The values. Raises `yaml.YAMLError`."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader


class Lines:
    """Where each value of a text stands."""

    def __init__(self, text: str) -> None:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        self._lines = dict(_walk(root, ())) if root is not None else {}

    def of(self, place: Sequence[str | int]) -> int:
        """The line (from 1) of a value, or of the nearest one around it."""
        way = tuple(place)
        while way and way not in self._lines:
            way = way[:-1]
        return self._lines.get(way, 1)


def _walk(node: yaml.Node, place: Place) -> Iterator[tuple[Place, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            way = (*place, str(key.value))
            yield way, key.start_mark.line + 1
            yield from _walk(value, way)
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            way = (*place, position)
            yield way, value.start_mark.line + 1
            yield from _walk(value, way)


def written(place: Sequence[str | int]) -> str:
    """A place in words: `entities.customer.owner.when[0]`."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text
