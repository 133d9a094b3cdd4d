"""Native paths and nested writes. Not here: mappings that use them (`test_mapping`)."""

from __future__ import annotations

import pytest

from fsm_core.errors import BadMapping
from fsm_core.ports import Row
from mappings.paths import ABSENT, Path, Step, Tree, child, parse, value_at

NESTED = "to_Address[to_Usage.Code=XX][Main=true].to_Phone[No=1].Number"


def test_a_path_has_steps_and_a_leaf() -> None:
    usage, main = ("to_Usage.Code", "XX"), ("Main", True)
    assert parse("Name") == Path("Name", (), "Name")
    assert parse("a.b.C") == Path("a.b.C", (Step("a"), Step("b")), "C")
    assert parse(NESTED).steps == (Step("to_Address", (usage, main)), Step("to_Phone", (("No", "1"),)))


def test_bare_paths_and_selectors() -> None:
    assert parse(NESTED).bare == "to_Address.to_Phone.Number"
    assert list(parse(NESTED).selectors()) == ["to_Address.to_Usage.Code", "to_Address.Main", "to_Address.to_Phone.No"]


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "a[b=1]", "a[b].c", "a[=1].c", "a[b=1]x.c", "a[.c", "a].c", "a=b"]
)
def test_what_is_not_a_path_is_refused(text: str) -> None:
    with pytest.raises(BadMapping):
        parse(text)


def test_values_are_found_blank_or_absent() -> None:
    phone = {"No": "1", "Number": "5"}
    document = {"to_Address": [{"Main": True, "to_Usage": [{"Code": "XX"}], "to_Phone": [phone]}], "one": {"A": 1}}
    assert value_at(document, parse(NESTED)) == "5"
    assert value_at(document, parse("one.A")) == 1
    assert value_at(document, parse("one.B")) is ABSENT
    assert value_at(document, parse("two.B")) is ABSENT
    assert value_at(document | {"one": None}, parse("one.A")) is None
    assert value_at(document, parse("to_Address[Main=false].Street")) is None
    assert value_at(document, parse("to_Address[Main=true].Street")) is ABSENT
    assert child({"one": 5}, "one", {}) is ABSENT
    assert child({"one": "text"}, "one", {}) is ABSENT
    assert repr(ABSENT) == "ABSENT"


def test_assignments_below_the_same_row_share_it() -> None:
    tree = Tree()
    for text in ("Name", "one.A", "rows[K=1].B", "rows[K=1].C", "rows[K=2].B", "rows[K=1].deep[X=true].Y"):
        tree.put(parse(text), text)
    assert tree.has(parse("rows[K=1].C"))
    assert not tree.has(parse("rows[K=3].C"))
    deep = (Row({"X": True}, {"Y": "rows[K=1].deep[X=true].Y"}),)
    assert tree.native() == {
        "Name": "Name",
        "one": (Row({}, {"A": "one.A"}),),
        "rows": (
            Row({"K": "1"}, {"B": "rows[K=1].B", "C": "rows[K=1].C", "deep": deep}),
            Row({"K": "2"}, {"B": "rows[K=2].B"}),
        ),
    }


def test_a_deleted_row_carries_no_fields() -> None:
    tree = Tree()
    tree.put(parse("rows[K=1].B"), 1)
    tree.at(parse("rows[K=1].B").steps).delete = True
    assert tree.native() == {"rows": (Row({"K": "1"}, delete=True),)}
