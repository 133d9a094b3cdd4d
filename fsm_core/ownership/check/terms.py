"""Which constants a condition compares a field with, read off its text.

Not here: what a condition means (`fsm_core.ownership.conditions`, which has checked the text before).
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import Any


def constants(text: str) -> dict[str, set[Any]]:
    """Per field (`name` or `reference.name`) every constant that stands on the other side of a comparison."""
    found: defaultdict[str, set[Any]] = defaultdict(set)
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            terms = [node.left, *node.comparators]
            stated = {value for term in terms for value in _values(term)}
            for term in terms:
                if name := _name(term):
                    found[name] |= stated
    return dict(found)


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=reference), attr=name):
            return f"{reference}.{name}"
    return ""


def _values(node: ast.expr) -> Iterator[Any]:
    match node:
        case ast.Constant(value=value) if value is not None:
            yield value
        case ast.Tuple(elts=items) | ast.List(elts=items):
            for item in items:
                yield from _values(item)
