"""The condition language of rules: comparison, `in`, `and`/`or`/`not`, fields and one reference deep.

Closed, total and free of side effects: parsed once with Python's own grammar, every node checked, a
missing field is None. Not here: when a condition is asked (`rulebook`).
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from fsm_core.errors import BadMapping

Document: TypeAlias = Mapping[str, Any]
_Test: TypeAlias = Callable[[Document], Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled condition; `fields` are the names it reads, references as `reference.field`."""

    text: str
    fields: frozenset[str]
    test: _Test

    def holds(self, document: Document) -> bool:
        """Whether it is true of the agreed state. Never raises."""
        return bool(self.test(document))


def condition(text: str) -> Condition:
    """Compile; raises `BadMapping` naming what the language does not have."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise BadMapping(f"condition {text!r} is not readable: {error.msg}") from None
    compiler = _Compiler(text)
    test = compiler.compile(tree.body)
    return Condition(text, frozenset(compiler.fields), test)


class _Compiler:
    def __init__(self, text: str) -> None:
        self.text = text
        self.fields: set[str] = set()

    def compile(self, node: ast.expr) -> _Test:
        match node:
            case ast.BoolOp(op=op, values=values):
                return self._bool(op, [self.compile(value) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.compile(operand)
                return lambda document: not inner(document)
            case ast.Compare(left=left, ops=ops, comparators=rights):
                return self._compare(left, ops, rights)
            case ast.Constant(value=value) if value is None or isinstance(value, str | int | bool):
                return lambda _document: value
            case ast.Tuple(elts=items) | ast.List(elts=items):
                constants = tuple(self.compile(item)({}) for item in items if isinstance(item, ast.Constant))
                if len(constants) == len(items):
                    return lambda _document: constants
            case ast.Name(id=name):
                self.fields.add(name)
                return lambda document: document.get(name)
            case ast.Attribute(value=ast.Name(id=reference), attr=name):
                self.fields.add(f"{reference}.{name}")
                return lambda document: _member(document.get(reference), name)
        raise self._unknown(node)

    def _bool(self, op: ast.boolop, parts: list[_Test]) -> _Test:
        if isinstance(op, ast.And):
            return lambda document: all(part(document) for part in parts)
        return lambda document: any(part(document) for part in parts)

    def _compare(self, left: ast.expr, ops: list[ast.cmpop], rights: list[ast.expr]) -> _Test:
        for op, right in zip(ops, rights, strict=True):
            if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.Constant):
                shown = f"({ast.unparse(right)},)"
                raise BadMapping(f"condition {self.text!r}: 'in' needs a list on its right", remedy=f"Write {shown}.")
        tests = [_OPERATORS.get(type(op)) for op in ops]
        terms = [self.compile(term) for term in (left, *rights)]
        known = [test for test in tests if test is not None]
        if len(known) != len(tests):
            raise BadMapping(f"condition {self.text!r}: only == != < <= > >= in, not in compare")
        pairs = list(zip(known, terms, terms[1:], strict=False))
        return lambda document: all(test(a(document), b(document)) for test, a, b in pairs)

    def _unknown(self, node: ast.expr) -> BadMapping:
        shown = ast.unparse(node)
        return BadMapping(f"condition {self.text!r}: {shown!r} is not part of the language", remedy=_LANGUAGE)


_LANGUAGE = "Use fields, one reference (customer.status), constants, == != < <= > >= in, and, or, not."


def _member(found: Any, name: str) -> Any:  # noqa: ANN401 - any canonical value
    return found.get(name) if isinstance(found, Mapping) else None


def _ordered(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(a: Any, b: Any) -> bool:  # noqa: ANN401 - any canonical value
        try:
            return a is not None and b is not None and test(a, b)
        except TypeError:
            return False

    return compare


def _in(a: Any, b: Any) -> bool:  # noqa: ANN401 - any canonical value
    if isinstance(b, str):
        return isinstance(a, str) and a in b
    return b is not None and not isinstance(b, bool | int) and a in b


_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: _ordered(operator.lt),
    ast.LtE: _ordered(operator.le),
    ast.Gt: _ordered(operator.gt),
    ast.GtE: _ordered(operator.ge),
    ast.In: _in,
    ast.NotIn: lambda a, b: not _in(a, b),
}
