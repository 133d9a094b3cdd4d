"""The simulator's reading of OData V2 system options: $filter, $orderby, $select, $expand.

Not here: the rows themselves and how an answer is shaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from connectors.sap.simulator_schema import ALPHA, Entity, Prop, schema

Row: TypeAlias = dict[str, Any]
Test: TypeAlias = Callable[[Row], bool]
Tree: TypeAlias = "dict[str, Tree]"


class Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """The service answers with an error: status, message code, text and the property at fault."""

    def __init__(self, status: int, code: str, text: str, prop: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.prop = prop


def bad_request(text: str, prop: str = "") -> Refusal:
    """A 400 of the framework itself (syntax), not of the application."""
    return Refusal(400, "/IWBEP/CX_MGW_BUSI_EXCEPTION", text, prop)


_TOKEN = re.compile(
    r"\s*(?:(?P<typed>(?:datetimeoffset|datetime|time|guid|binary|X)'[^']*')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d+(?:\.\d+)?[mMlLdDfF]?)(?![\w])|(?P<word>[A-Za-z_][\w/]*)|(?P<mark>[(),]))",
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "ne": lambda a, b: bool(a != b),
    "gt": lambda a, b: a is not None and b is not None and bool(a > b),
    "ge": lambda a, b: a is not None and b is not None and bool(a >= b),
    "lt": lambda a, b: a is not None and b is not None and bool(a < b),
    "le": lambda a, b: a is not None and b is not None and bool(a <= b),
}
_FUNCTIONS: dict[str, Callable[[str, str], bool]] = {
    "substringof": lambda needle, text: needle in text,
    "startswith": lambda text, start: text.startswith(start),
    "endswith": lambda text, end: text.endswith(end),
}
_PREFIX = {"Edm.DateTime": "datetime", "Edm.DateTimeOffset": "datetimeoffset", "Edm.Time": "time", "Edm.Guid": "guid"}


def sortable(prop: Prop, value: Any) -> Any:  # noqa: ANN401 - a column's value
    """What the database compares: ALPHA numbers with their zeros, digits as a number."""
    if isinstance(value, str) and prop.name in ALPHA:
        return value.zfill(prop.length or 10) if value.isdigit() else value
    if isinstance(value, str) and prop.digits:
        return int(value or 0)
    return value


def compile_filter(text: str, entity: Entity) -> Test:
    """A test for rows; raises `Refusal` for what a Gateway refuses (unknown property, wrong literal type)."""
    parser = _Parser(_tokens(text), entity)
    test = parser.either()
    if parser.rest:
        raise bad_request(f"Invalid token '{parser.rest[0]}' in the filter")
    return test


def _tokens(text: str) -> list[str]:
    found, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise bad_request(f"Invalid character at position {position} of the filter")
        found.append(match.group().strip())
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[str], entity: Entity) -> None:
        self.rest = tokens
        self._entity = entity

    def either(self) -> Test:
        tests = [self._both()]
        while self._accept("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda row: any(test(row) for test in tests)

    def _both(self) -> Test:
        tests = [self._single()]
        while self._accept("and"):
            tests.append(self._single())
        return tests[0] if len(tests) == 1 else lambda row: all(test(row) for test in tests)

    def _single(self) -> Test:
        if self._accept("not"):
            negated = self._single()
            return lambda row: not negated(row)
        if self._accept("("):
            test = self.either()
            self._expect(")")
            return test
        if self.rest and self.rest[0] in _FUNCTIONS:
            return self._function(self.rest.pop(0))
        return self._comparison()

    def _function(self, name: str) -> Test:
        self._expect("(")
        first = self._next()
        self._expect(",")
        second = self._next()
        self._expect(")")
        wanted = self._next() == "true" if self._accept("eq") else True
        call = _FUNCTIONS[name]
        left, right = (self._operand(token) for token in (first, second))
        return lambda row: call(left(row), right(row)) == wanted

    def _operand(self, token: str) -> Callable[[Row], str]:
        if token.startswith("'"):
            value = _unquoted(token)
            return lambda _: value
        name = self._prop(token).name
        return lambda row: row[name] or ""

    def _comparison(self) -> Test:
        prop = self._prop(self._next())
        operator = self._next()
        if operator not in _COMPARE:
            raise bad_request(f"Invalid operator '{operator}'")
        value = sortable(prop, literal(prop, self._next()))
        compare, name = _COMPARE[operator], prop.name
        return lambda row: compare(sortable(prop, row[name]), value)

    def _prop(self, name: str) -> Prop:
        prop = self._entity.props.get(name)
        if prop is None:
            raise bad_request(f"Property {name} not found in type {self._entity.type}", name)
        return prop

    def _next(self) -> str:
        if not self.rest:
            raise bad_request("The filter ends too early")
        return self.rest.pop(0)

    def _accept(self, token: str) -> bool:
        if self.rest and self.rest[0] == token:
            self.rest.pop(0)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise bad_request(f"'{token}' expected in the filter")


def _unquoted(token: str) -> str:
    return token[1:-1].replace("''", "'")


def literal(prop: Prop, token: str) -> Any:  # noqa: ANN401 - by the property's type
    """The value of a URI literal for this property; a literal of another type is refused as by the Gateway."""
    if token == "null":  # noqa: S105 - an OData literal
        return None
    mismatch = bad_request(f"Invalid parametertype used at property '{prop.name}': {token}", prop.name)
    prefix = _PREFIX.get(prop.type)
    if prefix is not None:
        if not token.startswith(prefix + "'"):
            raise mismatch
        return _typed(prefix, token[len(prefix) + 1 : -1], mismatch)
    if prop.type == "Edm.String":
        if not token.startswith("'"):
            raise mismatch
        return _unquoted(token)
    if prop.type == "Edm.Boolean":
        return {"true": True, "false": False, "1": True, "0": False}[token]
    return int(token)


def _typed(prefix: str, text: str, mismatch: Refusal) -> str:
    match prefix:
        case "datetime" if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?", text):
            return text[:10]
        case "datetimeoffset" if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
            return f"{text[:19]}Z"
        case "time":
            found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", text)
            if found:
                return ":".join(f"{int(part or 0):02d}" for part in found.groups())
        case "guid":
            return text.lower()
    raise mismatch


def order(rows: Iterable[Row], text: str, entity: Entity) -> list[Row]:
    """Rows in the order of $orderby; ties stay as they were."""
    ordered = list(rows)
    for term in reversed([part.split() for part in text.split(",") if part.strip()]):
        prop = entity.props.get(term[0])
        if prop is None:
            raise bad_request(f"Property {term[0]} not found in type {entity.type}", term[0])
        down = len(term) > 1 and term[1].lower() == "desc"
        ordered.sort(key=lambda row, prop=prop: _last(sortable(prop, row[prop.name])), reverse=down)  # type: ignore[misc]
    return ordered


def _last(value: Any) -> tuple[bool, Any]:  # noqa: ANN401 - a column's value
    return (value is not None, value if value is not None else "")


def tree(text: str) -> Tree:
    """`a/b,a/c,d` as a tree."""
    root: Tree = {}
    for path in filter(None, (part.strip() for part in text.split(","))):
        node = root
        for step in path.split("/"):
            node = node.setdefault(step, {})
    return root


def check_tree(node: Tree, entity: Entity, *, navs_only: bool) -> None:
    """Refuse unknown names in $select or $expand."""
    for name, below in node.items():
        if name in entity.navs:
            check_tree(below, schema()[entity.navs[name].target], navs_only=navs_only)
        elif name != "*" and (navs_only or name not in entity.props or below):
            raise bad_request(f"Property {name} not found in type {entity.type}", name)
