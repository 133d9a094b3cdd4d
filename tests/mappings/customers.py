"""Hypothesis strategies for canonical customers that a given system can express.

Not here: what each system cannot express; the codec tests name those values.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fsm_core.model.compare import text

LETTERS = st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])


def words(longest: int) -> st.SearchStrategy[str | None]:
    """One line of text as the hub keeps it, or blank; NFC may lengthen, so it is cut first."""
    return st.text(LETTERS, max_size=longest).map(text).filter(lambda value: len(value or "") <= longest)


def name(longest: int) -> st.SearchStrategy[str]:
    """A text that is there, without double blanks."""
    single = words(longest).map(lambda value: " ".join((value or "").split()))
    return single.filter(lambda value: bool(value) and text(value) == value)


COUNTRIES = st.sampled_from(["DE", "AT", "FR", "GB", "US", "NL", "CI", "TR", "GR", "CH"])
VAT_IDS = st.sampled_from(["VAT:DE136695976", "VAT:ATU12345678", "VAT:EL123456789", "VAT:CHE123456789MWST", "VAT:XI1"])
PHONES = st.sampled_from(
    ["+49 30 1234567", "+1 212-555-2368", "+44 20 7946 0958", "+33 1 99 00 12 34", "ask Kim", "0301234"]
)
STREETS = st.sampled_from(
    ["Hauptstraße 12a", "12 Main Street", "C/ Mayor, 5", "Straße des 17. Juni 135", "M7 23", "Am Hang"]
)


def addresses(city: int = 40, region: int = 3, extra: int = 40) -> st.SearchStrategy[dict[str, str | None] | None]:
    whole = st.fixed_dictionaries(
        {
            "street": STREETS | words(40),
            "number": st.none() | st.sampled_from(["7", "12 a", "5-7"]),
            "extra": words(extra) | st.just("c/o Kim Lee\nHinterhaus"),
            "postcode": words(10),
            "city": words(city),
            "region": words(region),
            "country": st.none() | COUNTRIES,
        }
    )
    return st.none() | whole


def _sets(items: st.SearchStrategy[str], most: int = 3) -> st.SearchStrategy[list[str]]:
    return st.lists(items, unique=True, max_size=most).map(sorted)


BOTH: dict[str, st.SearchStrategy[Any]] = {
    "legal_name": name(160),
    "tax_ids": _sets(VAT_IDS),
    "phone": st.none() | PHONES | words(30),
    "email": st.none() | st.just("kim@example.com") | words(60),
    "website": st.none() | st.just("https://example.com") | words(200),
    "billing_address": addresses(),
    "shipping_address": addresses(),
    "currency": st.none() | st.sampled_from(["EUR", "USD", "JPY"]),
    "payment_terms": words(4),
    "price_list": words(2),
    "language": st.none() | st.sampled_from(["de", "en", "fr", "zh"]),
}
STATUSES = st.sampled_from(["prospect", "active", "on_hold", "inactive"])
ROLES = st.sampled_from(["prospect", "customer", "bill_to", "payer", "ship_to", "owner", "operator", "partner"])
SALESFORCE = BOTH | {
    "account_number": words(40).filter(
        lambda number: not number or number.lstrip("0") == number or not number.isdecimal()
    ),
    "trade_name": words(200),
    "roles": _sets(ROLES, 8),
    "status": STATUSES,
    "billing_status": st.sampled_from(["none", "active", "blocked"]),
    "industry": words(40),
    "segment": words(40),
    "lifecycle_stage": words(40),
    "credit_block": st.booleans(),
    "requires_po": st.booleans(),
    "do_not_contact": st.booleans(),
    "privacy_hold": st.booleans(),
    "service_notes": words(300),
}


def _agreeing(values: dict[str, Any]) -> dict[str, Any]:
    """Roles that do not contradict the status, see the codec `sap_status`."""
    match values["status"]:
        case "prospect":
            return values | {"roles": ["prospect"]}
        case "active" if values["roles"] == ["prospect"]:
            return values | {"roles": ["customer", "prospect"]}
    return values


SALESFORCE_CUSTOMERS = st.fixed_dictionaries(SALESFORCE)
SAP_ROLES = _sets(st.sampled_from(["prospect", "customer", "bill_to"]))
SAP_CUSTOMERS = st.fixed_dictionaries(BOTH | {"roles": SAP_ROLES, "status": STATUSES}).map(_agreeing)
