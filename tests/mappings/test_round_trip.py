"""Whole records there and back through the shipped mappings. Not here: single codecs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fsm_core.model import shape
from fsm_core.model.compare import blank
from mappings import Mapping, load
from tests.mappings.customers import SALESFORCE_CUSTOMERS, SAP_CUSTOMERS
from tests.mappings.documents import shown_after
from tests.mappings.people import SALESFORCE_CONTACTS, SALESFORCE_SITES

RECORDS = {
    ("salesforce", "customer"): SALESFORCE_CUSTOMERS,
    ("sap", "customer"): SAP_CUSTOMERS,
    ("memory", "customer"): SALESFORCE_CUSTOMERS,
    ("salesforce", "contact"): SALESFORCE_CONTACTS,
    ("salesforce", "site"): SALESFORCE_SITES,
}
TABLES = {kind: load(*kind) for kind in RECORDS}
Kind = tuple[str, str]
SOME = settings(max_examples=60, deadline=None)


def differing(table: Mapping, document: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    decoded = table.decode(document)
    assert decoded.faults == ()
    shown = decoded.values
    return {
        field: (value, shown[field])
        for field, value in wanted.items()
        if not shape(table.entity).field(field).same(value, shown[field])
    }


@pytest.mark.parametrize("kind", RECORDS, ids=" ".join)
@SOME
@given(data=st.data())
def test_a_created_record_reads_the_same(kind: Kind, data: st.DataObject) -> None:
    table, record = TABLES[kind], data.draw(RECORDS[kind])
    document = shown_after(table, table.encode_create(record, "0190"))
    assert differing(table, document, record) == {}


@pytest.mark.parametrize("kind", RECORDS, ids=" ".join)
@SOME
@given(data=st.data())
def test_an_updated_record_reads_the_same_and_a_second_encoding_is_equal(kind: Kind, data: st.DataObject) -> None:
    table, old, new = TABLES[kind], data.draw(RECORDS[kind]), data.draw(RECORDS[kind])
    before = shown_after(table, table.encode_create(old))
    now = table.decode(before).values
    native = table.encode(new, now)
    assert native == table.encode(new, now)
    document = shown_after(table, native, before)
    assert differing(table, document, new) == {}


@pytest.mark.parametrize("kind", RECORDS, ids=" ".join)
@SOME
@given(data=st.data())
def test_what_was_read_can_be_written_again_and_then_reads_identically(kind: Kind, data: st.DataObject) -> None:
    table, record = TABLES[kind], data.draw(RECORDS[kind])
    before = shown_after(table, table.encode_create(record))
    once = table.decode(before).values
    again = {field: value for field, value in once.items() if table.writable(field)}
    document = shown_after(table, table.encode(again, once), before)
    for field, value in table.decode(document).values.items():
        assert value == once[field] or (blank(value) and blank(once[field]))


@pytest.mark.parametrize("kind", RECORDS, ids=" ".join)
@SOME
@given(data=st.data())
def test_one_changed_field_leaves_the_others_alone(kind: Kind, data: st.DataObject) -> None:
    table, old, new = TABLES[kind], data.draw(RECORDS[kind]), data.draw(RECORDS[kind])
    field = data.draw(st.sampled_from(sorted(set(new) - {"status", "roles"})))
    before = shown_after(table, table.encode_create(old))
    now = table.decode(before).values
    after = table.decode(shown_after(table, table.encode({field: new[field]}, now), before)).values
    assert {name for name in now if now[name] != after[name] and not (blank(now[name]) and blank(after[name]))} <= {
        field
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Customer", "BPTaxType"]), inner),
    max_leaves=4,
)


@pytest.mark.parametrize("kind", RECORDS, ids=" ".join)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_document_makes_decoding_fail(kind: Kind, data: st.DataObject) -> None:
    table = TABLES[kind]
    heads = {path.partition(".")[0] for path in table.object.fields}
    document = data.draw(st.dictionaries(st.sampled_from(sorted(heads)), JSON))
    decoded = table.decode(document)
    faulty = {fault.field for fault in decoded.faults}
    assert not faulty & set(decoded.values)
    assert set(decoded.values) | faulty <= set(table.canonical_fields)
