"""The queries of the connector as text: what is selected, from where on, and lists that fit into a URL.

Not here: sending them (`transport`) and reading their rows (`records`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote_plus

from connectors.salesforce.parts import head_of, parts_of, selection
from connectors.salesforce.simple import quote_soql_value
from fsm_core.errors import BadMapping
from fsm_core.ports import Object

MERGEABLE = frozenset({"Account", "Contact", "Lead", "Case"})
"""Only these have `MasterRecordId`; asking others for it fails the whole query."""
NEVER_DELETED = frozenset({"User", "Organization", "RecordType", "Profile", "Group"})
"""Setup objects without `IsDeleted`."""
URL_ROOM = 14_000
"""Bytes of query text: URL and headers together may have 16,384."""


def system_fields(name: str) -> tuple[str, ...]:
    """The fields every row is read with, whatever the binding asks for."""
    deleted = () if name in NEVER_DELETED else ("IsDeleted",)
    master = ("MasterRecordId",) if name in MERGEABLE else ()
    return ("Id", "SystemModstamp", "LastModifiedById", *deleted, *master)


def select(obj: Object) -> str:
    """`SELECT ... FROM ...` with the asked paths, the system fields and what tells of parts, each once.

    Raises `BadMapping` for a path SOQL has no word for (a child row chosen by a bracket).
    """
    for path in obj.fields:
        if "[" in path:
            raise BadMapping(
                f"path {path!r} chooses a child row, which Salesforce objects do not have", object=obj.name
            )
    parts = parts_of(obj)
    apart = {part.path for part in parts}
    own = (path for path in obj.fields if head_of(path) not in apart)
    nested = (name for part in parts for name in selection(obj, part))
    names = dict.fromkeys((*system_fields(obj.name), *own, *((obj.key,) if obj.key else ()), *nested))
    return f"SELECT {','.join(names)} FROM {obj.name}"  # noqa: S608 - names come from the binding, never from a record


def changed(obj: Object, stamp: str, id: str) -> str:  # noqa: A002 - the vendor's word
    """All rows behind (`stamp`, `id`) in key-set order, so that ties cannot fall between two pages."""
    conditions = [_behind(stamp, id)] if stamp else []
    if obj.filter:
        conditions.append(f"({obj.filter})")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"{select(obj)}{where} ORDER BY SystemModstamp,Id"


def _behind(stamp: str, id: str) -> str:  # noqa: A002 - as above
    moment = stamp.replace("+0000", "Z")
    if not id:
        return f"SystemModstamp >= {moment}"
    return f"(SystemModstamp > {moment} OR (SystemModstamp = {moment} AND Id > {quote_soql_value(id)}))"


def lookups(obj: Object, field: str, values: Sequence[str], *, filtered: bool = False) -> Iterator[str]:
    """Queries that together find all `values` of `field`, none longer than a URL may be."""
    known = field in {"Id", *obj.fields, *(part.pointer for part in parts_of(obj))}
    end = f" AND ({obj.filter})" if filtered and obj.filter else ""
    return listed(select(obj if known else _with(obj, field)), field, values, end)


def listed(start: str, field: str, values: Sequence[str], end: str = "") -> Iterator[str]:
    """`start` once for as many values as fit, then `end`."""
    room = URL_ROOM - len(quote_plus(start + end))
    chunk: list[str] = []
    used = 0
    for value in values:
        size = len(quote_plus(quote_soql_value(value))) + 3  # and an encoded comma
        if chunk and used + size > room:
            yield _listed(start, field, chunk) + end
            chunk, used = [], 0
        chunk.append(value)
        used += size
    if chunk:
        yield _listed(start, field, chunk) + end


def _listed(start: str, field: str, values: list[str]) -> str:
    return f"{start} WHERE {field} IN {quote_soql_value(values)}"


def _with(obj: Object, field: str) -> Object:
    return Object(obj.name, (*obj.fields, field), obj.key)
