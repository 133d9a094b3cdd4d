"""What the benchmarks' Salesforce org holds: plausible accounts, the same in every run.

Not here: how they are served (`source`) and who reads them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

import mappings
from connectors.salesforce import soql
from connectors.salesforce.changes import stamp_of
from connectors.salesforce.ids import full_id

OBJECT = mappings.load("salesforce", "customer").object
SELECT = soql.select(OBJECT)
COLUMNS = tuple(SELECT.removeprefix("SELECT ").partition(" FROM ")[0].split(","))
ORGANIZATION, ME, SOMEBODY = full_id("00D000000000001"), full_id("005000000000001"), full_id("005000000000002")
BORN = datetime(2025, 1, 1, tzinfo=UTC)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
COUNTRIES = {"DE": ("Germany", "EUR"), "AT": ("Austria", "EUR"), "CH": ("Switzerland", "CHF"),
             "GB": ("United Kingdom", "GBP"), "DK": ("Denmark", "DKK"), "PL": ("Poland", "PLN")}  # fmt: skip


def account_id(number: int) -> str:
    """The 18 characters of an account's id."""
    digits, rest = "", number
    while rest:
        rest, digit = divmod(rest, 62)
        digits = DIGITS[digit] + digits
    return full_id(f"001{digits:0>12}")


def born(number: int) -> str:
    """When an account was last changed before the benchmark began."""
    return stamp_of(BORN + timedelta(seconds=number))


def account(number: int) -> dict[str, Any]:
    """27 fields with a value; what the binding asks for beside them is null, as Salesforce sends it."""
    code = [*COUNTRIES][number % len(COUNTRIES)]
    country, currency = COUNTRIES[code]
    return {
        "Id": account_id(number), "SystemModstamp": born(number), "LastModifiedById": SOMEBODY, "IsDeleted": False,
        "AccountNumber": f"AC-{number:08d}", "Name": f"Field Service Company {number:07d} Limited",
        "FSM_Trade_Name__c": f"Field Service Company {number:07d}", "FSM_Roles__c": "bill_to;customer",
        "FSM_VAT_Id__c": f"{code}{number:09d}", "FSM_Status__c": "Active" if number % 7 else "Prospect",
        "FSM_Billing_Status__c": ("None", "Active", "Active", "Blocked")[number % 4],
        "Industry": f"IND{number % 40:02d}", "FSM_Segment__c": "ABC"[number % 3],
        "Owner": {"attributes": {"type": "Name"}, "Name": f"Manager {number % 90}"},
        "Phone": f"+49 30 {number:08d}", "FSM_Email__c": f"office@company{number:07d}.example",
        "Website": f"https://company{number:07d}.example", "BillingStreet": f"Lange Strasse {number % 200}",
        "BillingPostalCode": f"{number % 99_999:05}", "BillingCity": f"City {number % 5_000}",
        "BillingCountry": country, "FSM_Currency__c": currency, "FSM_Payment_Terms__c": f"NET{number // 8 % 6 * 15}",
        "FSM_Credit_Block__c": number % 33 == 0, "FSM_Requires_PO__c": number % 5 == 0,
        "FSM_Do_Not_Contact__c": number % 50 == 0, "FSM_Privacy_Hold__c": False,
    }  # fmt: skip


def edited(row: dict[str, Any], stamp: str) -> dict[str, Any]:
    """The same account after somebody changed two fields."""
    return {**row, "Phone": f"{row['Phone']}9", "FSM_Segment__c": "X", "SystemModstamp": stamp}


def rendered(row: dict[str, Any]) -> bytes:
    """A row of a query answer, every selected field in it."""
    url = f"/services/data/v62.0/sobjects/Account/{row['Id']}"
    names = dict.fromkeys(column.partition(".")[0] for column in COLUMNS)
    return orjson.dumps({"attributes": {"type": "Account", "url": url}, **{name: row.get(name) for name in names}})
