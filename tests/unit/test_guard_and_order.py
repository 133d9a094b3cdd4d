import pytest

from fsm_core.errors import BadMapping
from fsm_core.model import SHAPES
from fsm_core.model.compare import Comparator, comparing
from fsm_core.model.entity import EntityShape, FieldShape
from fsm_core.sync.guard import Limits, halts
from fsm_core.sync.order import parents_first

LIMITS = Limits(max_change_ratio=0.25, max_blank_ratio=0.02, min_rows=50)


@pytest.mark.parametrize(
    ("rows", "changed", "blanked", "reason"),
    [
        (49, 49, 49, ""),
        (100, 25, 2, ""),
        (100, 26, 0, "26 of 100 records changed"),
        (100, 3, 3, "3 of 100 records lost a value"),
    ],
)
def test_too_much_at_once_halts(rows, changed, blanked, reason):
    assert halts(LIMITS, rows, changed, blanked).startswith(reason)
    assert bool(halts(LIMITS, rows, changed, blanked)) is bool(reason)


def entity(name, *refers):
    same = comparing(Comparator.EXACT)
    fields = {r: FieldShape(r, Comparator.EXACT, same, required=False, is_set=False, reference=r) for r in refers}
    return EntityShape(name, SHAPES["customer"].model, fields)


def test_parents_come_before_children():
    shapes = {
        "visit": entity("visit", "work_order"),
        "work_order": entity("work_order", "customer"),
        "customer": entity("customer"),
    }
    assert parents_first(shapes, shapes) == ["customer", "work_order", "visit"]


def test_a_parent_of_the_same_kind_is_no_circle():
    assert parents_first(SHAPES, ["customer"]) == ["customer"]


def test_a_circle_is_named():
    shapes = {"a": entity("a", "b"), "b": entity("b", "a")}
    with pytest.raises(BadMapping, match="circle"):
        parents_first(shapes, shapes)
