"""A small SOQL: what a query asks for, with the errors of the real one.

Known: fields and parent paths, one level of child subqueries, COUNT(), AND OR NOT, parentheses,
= != < <= > >= LIKE IN NOT IN, ORDER BY, LIMIT, OFFSET. Not here: aggregates, running (`simulator_rows`), and
paging (`simulator_query`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.salesforce.ids import full_id, is_id
from connectors.salesforce.simulator_schema import NUMERIC, TEXTUAL, FieldType
from connectors.salesforce.simulator_store import Refusal, Row, Store, stamp

Predicate = Callable[[Row], bool]
Path = tuple[FieldType, ...]
"""References to follow, then the field itself."""

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')"
    r"|(?P<instant>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<day>\d{4}-\d\d-\d\d)"
    r"|(?P<number>[+-]?\d+(?:\.\d+)?)"
    r"|(?P<name>[A-Za-z_][\w.]*)"
    r"|(?P<sign><=|>=|!=|<>|[=<>(),]))"
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_HELP = (
    "If you are attempting to use a custom {what}, be sure to append the '__c' after the {name}. "
    "Please reference your WSDL or the describe call for the appropriate names."
)


@dataclass(slots=True)
class Token:
    """One word of a query and where it stands, from 0."""

    kind: str
    text: str
    at: int


@dataclass(slots=True)
class Query:
    """A parsed query."""

    object: str
    fields: list[tuple[str, ...]]
    """Canonical names; a path has the relationships first."""
    where: Predicate | None = None
    order: list[tuple[Path, bool, bool]] = field(default_factory=list)
    """Path, descending, nulls last."""
    limit: int | None = None
    offset: int = 0
    count: bool = False
    lookup: tuple[str, tuple[Any, ...]] | None = None
    """The whole filter asks for these values of an indexed field."""
    children: list[Child] = field(default_factory=list)


@dataclass(slots=True)
class Child:
    """A subquery over the records that point to each row."""

    relationship: str
    reference: str
    query: Query


class Parser:
    """One query. Raises `Refusal` (MALFORMED_QUERY, INVALID_TYPE, INVALID_FIELD, ...)."""

    def __init__(self, soql: str, store: Store) -> None:
        self._soql = soql
        self._store = store
        self._tokens = self._split()
        self._next = 0
        self._name = ""
        self._terms = 0
        self._lookup: tuple[str, tuple[Any, ...]] | None = None
        self._outer = ""
        self._relationship = ""
        self._reference = ""

    def parse(self) -> Query:
        """The whole text."""
        query = self._query()
        if self._next < len(self._tokens):
            raise self._malformed()
        return query

    def _query(self) -> Query:
        self._word("SELECT")
        subqueries, selected, count = self._selection()
        self._word("FROM")
        self._from()
        query = Query(self._name, [] if count else [self._names(token) for token in selected], count=count)
        end = self._next
        query.children = [self._child(at) for at in subqueries]
        self._next = end
        return self._clauses(query)

    def _child(self, at: int) -> Child:
        """The subquery at a place passed over before: its names need the object of the outer query."""
        self._next, outer = at, (self._name, self._terms, self._lookup)
        self._outer, self._terms, self._lookup = self._name, 0, None
        query = self._query()
        made = Child(self._relationship, self._reference, query)
        self._outer = ""
        self._name, self._terms, self._lookup = outer
        return made

    def _clauses(self, query: Query) -> Query:
        if self._maybe("WHERE"):
            query.where = self._any()
            query.lookup = self._lookup if self._terms == 1 else None
        if self._maybe("ORDER"):
            self._word("BY")
            query.order = self._order()
        if self._maybe("LIMIT"):
            query.limit = int(self._take("number").text)
        if self._maybe("OFFSET"):
            query.offset = int(self._take("number").text)
        return query

    # -- words -------------------------------------------------------------------------------------

    def _split(self) -> list[Token]:
        found, at = [], 0
        text = self._soql.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise Refusal("MALFORMED_QUERY", f"unexpected token: '{text[at:].split()[0]}'", whole=True)
            kind = match.lastgroup or ""
            found.append(Token(kind, match[kind], match.start(kind)))
            at = match.end()
        return found

    def _peek(self) -> Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else Token("end", "<EOF>", len(self._soql))

    def _maybe(self, word: str) -> bool:
        if self._peek().text.upper() == word and self._peek().kind != "text":
            self._next += 1
            return True
        return False

    def _word(self, word: str) -> None:
        if not self._maybe(word):
            raise self._malformed()

    def _take(self, *kinds: str) -> Token:
        token = self._peek()
        if token.kind not in kinds:
            raise self._malformed()
        self._next += 1
        return token

    def _malformed(self) -> Refusal:
        return Refusal("MALFORMED_QUERY", f"unexpected token: '{self._peek().text}'", whole=True)

    def _pointed(self, code: str, token: Token, text: str) -> Refusal:
        """The recorded layout: the query, a caret under the word, where it is, what is wrong."""
        where = f"\n{self._soql}\n{' ' * token.at}^\nERROR at Row:1:Column:{token.at + 1}\n"
        return Refusal(code, where + text, whole=True)

    # -- clauses -----------------------------------------------------------------------------------

    def _selection(self) -> tuple[list[int], list[Token], bool]:
        if self._peek().text.upper() == "COUNT":
            self._next += 1
            self._word("(")
            self._word(")")
            return [], [], True
        subqueries: list[int] = []
        tokens: list[Token] = []
        while True:
            if self._maybe("("):
                subqueries.append(self._next)
                self._pass_over()
            else:
                tokens.append(self._take("name"))
            if not self._maybe(","):
                return subqueries, tokens, False

    def _pass_over(self) -> None:
        """To the end of a subquery; inside of one there is no other."""
        if self._outer:
            raise self._malformed()
        depth = 1
        while depth:
            token = self._take("text", "instant", "day", "number", "name", "sign")
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0

    def _from(self) -> None:
        token = self._take("name")
        if self._outer:
            self._from_children(token)
            return
        found = {name.lower(): name for name in self._store.objects}.get(token.text.lower())
        if found is None:
            told = f"sObject type '{token.text}' is not supported. " + _HELP.format(what="object", name="entity name")
            raise self._pointed("INVALID_TYPE", token, told)
        self._name = found

    def _from_children(self, token: Token) -> None:
        found = self._store.relations.child(self._outer, token.text)
        if found is None:
            told = f"Didn't understand relationship '{token.text}' in FROM part of query call. " + _HELP.format(
                what="relationship", name="custom relationship name"
            ).replace("'__c'", "'__r'")
            raise self._pointed("INVALID_TYPE", token, told)
        self._name, self._relationship, self._reference = found[0], found[1].children, found[1].name

    def _names(self, token: Token) -> tuple[str, ...]:
        *_, last = path = self._path(token)
        return (*(item.relationship for item in path[:-1]), last.name)

    def _path(self, token: Token) -> Path:
        *relations, last = token.text.split(".")
        owner, path = self._name, []
        for relation in relations:
            item = self._store.objects[owner].relations.get(relation.lower())
            if item is None or item.target not in self._store.objects:
                told = f"Didn't understand relationship '{relation}' in field path. " + _HELP.format(
                    what="relationship", name="custom relationship name"
                ).replace("'__c'", "'__r'")
                raise self._pointed("INVALID_FIELD", token, told)
            path.append(item)
            owner = item.target
        found = self._store.visible(owner, last)
        if found is None:
            told = f"No such column '{last}' on entity '{owner}'. " + _HELP.format(
                what="field", name="custom field name"
            )
            raise self._pointed("INVALID_FIELD", token, told)
        return (*path, found)

    def _order(self) -> list[tuple[Path, bool, bool]]:
        order = []
        while True:
            path = self._path(self._take("name"))
            descending = self._maybe("DESC") or (self._maybe("ASC") and False)
            last = False
            if self._maybe("NULLS"):
                last = self._maybe("LAST") or (self._maybe("FIRST") and False)
            order.append((path, descending, last))
            if not self._maybe(","):
                return order

    # -- conditions --------------------------------------------------------------------------------

    def _any(self) -> Predicate:
        parts = [self._all()]
        while self._maybe("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _all(self) -> Predicate:
        parts = [self._one()]
        while self._maybe("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _one(self) -> Predicate:
        if self._maybe("NOT"):
            inner = self._one()
            self._terms += 1
            return lambda row: not inner(row)
        if self._maybe("("):
            inner = self._any()
            self._word(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        token = self._take("name")
        path = self._path(token)
        item = path[-1]
        if not item.filterable:
            raise self._pointed("INVALID_FIELD", token, f"field '{item.name}' can not be filtered in a query call")
        self._terms += 1
        get = self._getter(path)
        if self._maybe("NOT"):
            self._word("IN")
            values = frozenset(self._values(item))
            return lambda row: get(row) not in values
        if self._maybe("IN"):
            values = frozenset(self._values(item))
            self._remember(path, tuple(values))
            return lambda row: get(row) in values
        if self._maybe("LIKE"):
            pattern = _like(self._take("text").text[1:-1])
            return lambda row: (value := get(row)) is not None and pattern.fullmatch(value) is not None
        sign = self._take("sign").text
        value = self._value(item)
        if sign == "=":
            self._remember(path, (value,))
        return _compared(sign, get, value)

    def _remember(self, path: Path, values: tuple[Any, ...]) -> None:
        item = path[-1]
        exact = item.name == "Id" or (item.external_id and item.case_sensitive)
        if len(path) == 1 and exact and None not in values:
            self._lookup = (item.name, values)

    def _getter(self, path: Path) -> Callable[[Row], Any]:
        item = path[-1]
        fold = item.type in TEXTUAL and not item.case_sensitive  # SOQL compares text without case
        if len(path) == 1 and not fold:
            return lambda row: row[item.name]
        follow = follower(self._store, path)

        def get(row: Row) -> Any:  # noqa: ANN401 - a stored value
            value = follow(row)
            return value.casefold() if fold and value is not None else value

        return get

    def _values(self, item: FieldType) -> list[Any]:
        self._word("(")
        values = [self._value(item)]
        while self._maybe(","):
            values.append(self._value(item))
        self._word(")")
        return values

    def _value(self, item: FieldType) -> Any:  # noqa: ANN401 - a stored value
        token = self._take("text", "instant", "day", "number", "name")
        if token.kind == "name":
            if token.text.lower() not in {"true", "false", "null"}:
                raise self._malformed()
            return {"true": True, "false": False, "null": None}[token.text.lower()]
        if (token.kind == "text") != (item.type in TEXTUAL or item.type in {"id", "reference"}):
            quoted = "should be" if token.kind != "text" else "should not be"
            told = f"value of filter criterion for field '{item.name}' must be of type {item.type}"
            raise self._pointed("INVALID_FIELD", token, f"{told} and {quoted} enclosed in quotes")
        return self._literal(item, token)

    def _literal(self, item: FieldType, token: Token) -> Any:  # noqa: ANN401 - a stored value
        if token.kind == "instant":
            return stamp(datetime.fromisoformat(token.text))
        if token.kind == "number":
            return float(token.text) if item.type in NUMERIC else int(float(token.text))
        if token.kind == "day":
            return token.text
        value = re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), token.text[1:-1])
        if item.type in {"id", "reference"}:
            if not is_id(value):
                raise self._pointed("INVALID_QUERY_FILTER_OPERATOR", token, f"invalid ID field: {value}")
            return full_id(value)
        return value if item.case_sensitive else value.casefold()


def _like(pattern: str) -> re.Pattern[str]:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    made = "".join({"%": ".*", "_": "."}.get(part) or re.escape(part[-1]) for part in parts)
    return re.compile(made, re.IGNORECASE | re.DOTALL)


def _compared(sign: str, get: Callable[[Row], Any], value: Any) -> Predicate:  # noqa: ANN401 - one line per operator
    if sign == "=":
        return lambda row: get(row) == value
    if sign in {"!=", "<>"}:
        return lambda row: get(row) != value
    if sign == "<":
        return lambda row: (found := get(row)) is not None and found < value
    if sign == "<=":
        return lambda row: (found := get(row)) is not None and found <= value
    if sign == ">":
        return lambda row: (found := get(row)) is not None and found > value
    return lambda row: (found := get(row)) is not None and found >= value


def follower(store: Store, path: Path) -> Callable[[Row], Any]:
    """Reads a field through its references; None where a parent is missing."""
    *references, last = path

    def follow(row: Row) -> Any:  # noqa: ANN401 - a stored value
        found: Row | None = row
        for item in references:
            found = store.tables[item.target].get(found[item.name] or "") if found is not None else None
        return found[last.name] if found is not None else None

    return follow
