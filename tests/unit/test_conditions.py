import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm_core.errors import BadMapping
from fsm_core.ownership.conditions import condition

DOCUMENT = {"status": "active", "roles": ["billing", "site"], "amount": 5, "customer": {"billing_status": "active"}}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("status == 'active'", True),
        ("status != 'active'", False),
        ("status in ('active', 'blocked')", True),
        ("status not in ('active',)", False),
        ("'billing' in roles", True),
        ("'billing' in roles and customer.billing_status == 'active'", True),
        ("not status == 'active' or amount > 4", True),
        ("1 < amount <= 5", True),
        ("amount < 'text'", False),
        ("missing == None", True),
        ("missing < 3", False),
        ("missing in ('a',)", False),
        ("'a' in missing", False),
        ("missing.deeper == None", True),
        ("customer", True),
    ],
)
def test_conditions_hold_or_not(text, holds):
    assert condition(text).holds(DOCUMENT) is holds


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "status.upper()",
        "a.b.c == 1",
        "[x for x in roles]",
        "lambda: 1",
        "status is None",
        "amount + 1 > 3",
        "status ==",
        "f'{status}'",
        "(status, roles) == 1",
        "1.5 == amount",
        "status in ('active')",
    ],
)
def test_the_language_has_nothing_else(text):
    with pytest.raises(BadMapping, match="condition"):
        condition(text)


def test_it_knows_which_fields_it_reads():
    read = condition("'billing' in roles and customer.billing_status == 'active'").fields
    assert read == {"roles", "customer.billing_status"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda x: st.lists(x, max_size=2)
)


@given(st.dictionaries(st.sampled_from(["status", "roles", "amount", "customer"]), VALUES))
def test_conditions_are_total(document):
    for text in ("status in ('a',)", "roles in status", "amount < 3", "'x' in roles", "customer.y == 1", "not status"):
        assert condition(text).holds(document) in (True, False)
