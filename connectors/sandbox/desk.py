"""Where the story of a day is written: hands out records nobody has touched yet, and writes edits down.

Not here: what happens (`story`, `story_people`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from connectors.sandbox.company import Company
from connectors.sandbox.contact_rows import RELATIONSHIP, relationship_id
from connectors.sandbox.edits import Edit, Expect
from connectors.sandbox.firm import firms
from connectors.sandbox.mistakes import Row

CRM, ERP = "salesforce", "sap"
NEWCOMERS = 2000
"""Serials of firms that are new today."""


class Desk:
    """Hands out records nobody has touched yet, and writes edits down."""

    def __init__(self, company: Company) -> None:
        self.company = company
        self.accounts = {row["Id"]: row for row in company.accounts}
        self.partners = {row["BusinessPartner"]: row for row in company.partners}
        self.contacts = {row["Id"]: row for row in company.people.contacts}
        self.pairs = company.people.pairs
        """Contact -> `company/person` in SAP."""
        self.relations = {
            f"{row['BusinessPartnerCompany']}/{row['BusinessPartnerPerson']}": row for row in company.people.relations
        }
        delivered = [pair for pair in company.clean if self.accounts[pair[0]]["ShippingStreet"]]
        self.with_delivery = iter(delivered)
        self.untouched: Iterator[tuple[str, str]] = iter(pair for pair in company.clean if pair not in delivered)
        self.prospects = iter(company.prospects)
        random = Random(f"newcomers of {company.seed}")  # noqa: S311 - repeatable, not secret
        known = {row["FSM_Trade_Name__c"] for row in company.accounts}
        fresh = firms(random, 60, company.start, NEWCOMERS)
        self.new = iter(firm for firm in fresh if firm.country.code == "DE" and firm.stem not in known and firm.billed)

    def crm(self, pair: tuple[str, str], person: str, sentence: str, expect: Expect, **fields: Any) -> Edit:  # noqa: ANN401 - native values
        """An edit of an account."""
        told = sentence.format(name=self.name(pair))
        return Edit(told, CRM, "Account", pair[0], fields, person, expect, counterpart=pair[1])

    def erp(self, pair: tuple[str, str], person: str, sentence: str, expect: Expect, fields: Mapping[str, Any]) -> Edit:
        """An edit of a business partner, by native paths."""
        told = sentence.format(name=self.name(pair))
        return Edit(told, ERP, "A_BusinessPartner", pair[1], dict(fields), person, expect, counterpart=pair[0])

    def contact(self, contact: str, person: str, sentence: str, expect: Expect, **fields: Any) -> Edit:  # noqa: ANN401 - native values
        """An edit of a Salesforce contact."""
        told = sentence.format(name=self.called(contact))
        return Edit(told, CRM, "Contact", contact, fields, person, expect, self.pairs.get(contact, ""), "contact")

    def contact_in_sap(
        self, contact: str, person: str, sentence: str, expect: Expect, fields: Mapping[str, Any]
    ) -> Edit:
        """An edit of the same contact's relationship in SAP."""
        row = self.relations[self.pairs[contact]]
        told = sentence.format(name=self.called(contact))
        return Edit(told, ERP, RELATIONSHIP, relationship_id(row), dict(fields), person, expect, contact, "contact")

    def called(self, contact: str) -> str:
        """What people call a contact."""
        row = self.contacts[contact]
        return f"{row['FirstName']} {row['LastName']}"

    def known(self, pair: tuple[str, str], *, in_both: bool) -> str:
        """A contact of that firm without any mistake, known to both systems or to Salesforce only."""
        return next(one for one in self.company.people.clean[pair[0]] if (one in self.pairs) is in_both)

    def name(self, pair: tuple[str, str]) -> str:
        """How people call the firm."""
        return str(self.accounts[pair[0]]["FSM_Trade_Name__c"])

    def account(self, pair: tuple[str, str]) -> Row:
        """The account as seeded."""
        return self.accounts[pair[0]]

    def standard(self, pair: tuple[str, str]) -> Row:
        """The partner's first address as seeded."""
        address: Row = self.partners[pair[1]]["to_BusinessPartnerAddress"][0]
        return address
