"""Hypothesis strategies for contacts and sites that a given system can express.

Not here: customers (`customers.py`).
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.mappings.customers import PHONES, STREETS, name, words

EMAILS = st.none() | st.sampled_from(["kim@example.com", "l.ost@example.org"])
LANGUAGES = st.none() | st.sampled_from(["de", "en", "fr", "zh"])
ACCOUNTS = st.sampled_from(["0015500001QdZPKAA3", "0012300000bVTq1AAG"])
DEGREES = st.decimals(-90, 90, places=6).map(lambda value: format(value.normalize(), "f"))


def _sets(items: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(items, unique=True, max_size=4).map(sorted)


def _whole(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(members)


SALESFORCE_CONTACTS = _whole(
    customer_id=ACCOUNTS,
    name=_whole(first=words(40), last=name(80)),
    job_title=words(128),
    department=words(80),
    email=EMAILS,
    phone=st.none() | PHONES,
    mobile=st.none() | PHONES,
    roles=_sets(st.sampled_from(["site", "billing", "technical", "decision"])),
    do_not_contact=st.booleans(),
    language=LANGUAGES,
)
SALESFORCE_SITES = _whole(
    customer_id=ACCOUNTS,
    number=words(40),
    name=name(200),
    kind=st.sampled_from(["customer_site", "own_facility", "vehicle", "warehouse"]),
    parent_id=st.none() | st.just("1315g00000000012AA"),
    address=_whole(
        street=STREETS | words(40),
        number=st.none() | st.sampled_from(["7", "12 a", "5-7"]),
        extra=words(40) | st.just("c/o Kim Lee\nHinterhaus"),
        postcode=words(20),
        city=name(40),
        region=words(80),
        country=st.none() | st.sampled_from(["DE", "AT", "FR", "GB"]),
    ),
    geo=st.none() | _whole(lat=DEGREES, lon=DEGREES, precision_m=st.none() | st.sampled_from(["5", "12.5"])),
    time_zone=st.none() | st.sampled_from(["Europe/Berlin", "America/New_York"]),
    access_instructions=words(500),
    opening_hours=words(200),
    territory=words(40),
    safety_codes=_sets(st.sampled_from(["ESD", "ATEX-2", "PPE", "LOTO"])),
)
