"""The words the contract suite is written in.

Not here: the tests (`test_contract.py`), and what drives each simulator (`harness.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from fsm_core.ports import (
    Action,
    Capabilities,
    Change,
    Connector,
    Cursor,
    Document,
    Json,
    KeyRef,
    Page,
    Write,
    Written,
)
from tests.contract.harness import Harness


def value_at(document: Document, path: str) -> Json:
    """The value at a dotted path."""
    name, _, rest = path.partition(".")
    found = document.get(name)
    return value_at(found, rest) if rest and isinstance(found, Mapping) else found


def capabilities(harness: Harness, connector: Connector) -> Capabilities:
    return connector.describe([harness.obj]).objects[harness.obj.name]


def full(harness: Harness, connector: Connector) -> tuple[list[Change], Cursor]:
    """Everything, and the cursor of the last page."""
    return drained(connector.changes(harness.obj, None))


def since(harness: Harness, connector: Connector, cursor: Cursor) -> tuple[list[Change], Cursor]:
    """What is new since the cursor, and the next cursor."""
    return drained(connector.changes(harness.obj, cursor))


def drained(pages: Iterator[Page]) -> tuple[list[Change], Cursor]:
    listed = list(pages)
    assert listed, "a pass has at least one page"
    cursor = listed[-1].cursor
    assert cursor is not None, "a finished pass has a cursor"
    return [change for page in listed for change in page.changes], cursor


def ids(changes: Sequence[Change]) -> set[str]:
    return {change.id for change in changes}


def write_one(harness: Harness, connector: Connector, write: Write) -> Written:
    [outcome] = connector.write(harness.obj, [write])
    return outcome


def read_one(harness: Harness, connector: Connector, ref: str | KeyRef) -> Change:
    [change] = connector.read(harness.obj, [ref])
    return change


def creation(harness: Harness, key: str, text: str = "Made by the hub") -> Write:
    if not harness.creatable:
        pytest.skip("these records are only made together with another one")
    return Write(
        Action.CREATE, key=key, fields={**harness.required, harness.text: text}, idempotency_key=f"token-{key}"
    )


def update(change: Change, fields: dict[str, Json]) -> Write:
    return Write(Action.UPDATE, id=change.id, fields=fields, expected_version=change.version)


def delivered(outcome: Written) -> Written:
    assert outcome.error is None, str(outcome.error)
    return outcome


def holding(harness: Harness, text: str) -> list[str]:
    return [id_ for id_ in harness.ids() if harness.stored(id_)[harness.text] == text]


def unknown_id(harness: Harness) -> str:
    """An id that is well formed and of no record: a digit of a real one changed."""
    real = harness.create("Pattern")
    for digit in "987654321":
        unknown = real[:-1] + digit
        if unknown not in harness.ids():
            return unknown
    raise AssertionError("every last digit is taken")
