"""The Salesforce org of the company: the hub's custom fields, its people, and merging by hand.

Not here: what every simulated org can do (`connectors.salesforce.simulator`) and the company's rows.
"""

from __future__ import annotations

from typing import Any

from connectors.salesforce.simulator import SalesforceSimulator
from connectors.salesforce.simulator_schema import FieldType, flag, picks, text
from connectors.sandbox.rows import PEOPLE, user_id, users

MERGED_INTO = "MasterRecordId"
STATES = ("Prospect", "Active", "On Hold", "Inactive")
ROLES = ("prospect", "customer", "bill_to", "payer", "ship_to", "owner", "operator", "partner")
INDUSTRIES = (
    "Agriculture", "Chemicals", "Food & Beverage", "Healthcare", "Hospitality", "Manufacturing", "Retail", "Shipping",
    "Other",
)  # fmt: skip


def custom_fields() -> tuple[FieldType, ...]:
    """What the administrator has added for the hub, as the connector's README asks."""
    return (
        text("FSM_VAT_Id__c", 80),
        text("FSM_Trade_Name__c", 200),
        text("FSM_Email__c", 80, "email"),
        picks("FSM_Status__c", *STATES, restricted=True),
        picks("FSM_Roles__c", *ROLES, restricted=True, many=True),
        text("FSM_Segment__c", 40),
        text("FSM_Lifecycle_Stage__c", 40),
        text("FSM_Currency__c", 3),
        text("FSM_Price_List__c", 40),
        text("FSM_Language__c", 5),
        flag("FSM_Requires_PO__c"),
        flag("FSM_Privacy_Hold__c"),
        picks("Industry", *INDUSTRIES),
    )


class Org(SalesforceSimulator):
    """The org whose people are known by name; an edit of `MasterRecordId` merges the record away."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(*args, **options)
        self.store.objects["Account"].add(*custom_fields())
        self.seed("User", users())

    def edit(self, name: str, id: str, fields: dict[str, Any], user: str = "") -> dict[str, Any]:  # noqa: A002 - as in the base
        """As in the base; `user` may be a first name. Answers a merge with the record that is gone."""
        by = user_id(user) if user in PEOPLE else user
        if set(fields) != {MERGED_INTO}:
            return super().edit(name, id, fields, by)
        with self.lock:
            self.store.merge(name, str(fields[MERGED_INTO]), [id], by or self.person)
            return dict(self.store.tables[name][id])
