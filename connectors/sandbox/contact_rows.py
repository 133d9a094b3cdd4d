"""How each system writes a person at a customer down: a Salesforce Contact row, an SAP person and its relationship.

Not here: the people (`person`) and the mistakes (`contacts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sandbox.person import Person
from connectors.sandbox.rows import PEOPLE, record_id, stamp, user_id

FIRST_PERSON = 1_300_000
FIRST_RELATIONSHIP = 501
RELATIONSHIP, JOB = "A_BusinessPartnerContact", "to_ContactRelationship"
END_OF_TIME = "9999-12-31"


def contact(person: Person, account: str) -> dict[str, Any]:
    """The Salesforce Contact as a careful person enters it."""
    return {
        "Id": record_id("0035r00000C", person.serial),
        "AccountId": account,
        "FirstName": person.first,
        "LastName": person.last,
        "Title": person.job.title,
        "Department": person.job.department or None,
        "Email": person.email,
        "Phone": person.phone,
        "MobilePhone": None,
        "FSM_Roles__c": person.job.role,
        "FSM_Do_Not_Contact__c": False,
        "FSM_Language__c": person.firm.country.language.lower(),
        "OwnerId": user_id(PEOPLE[person.serial % len(PEOPLE)]),
        "CreatedDate": stamp(person.firm.born),
        "LastModifiedDate": stamp(person.changed),
        "SystemModstamp": stamp(person.changed),
    }


def person_partner(person: Person) -> dict[str, Any]:
    """The person's own SAP business partner."""
    return {
        "BusinessPartner": str(FIRST_PERSON + person.serial),
        "BusinessPartnerCategory": "1",
        "BusinessPartnerGrouping": "BP02",
        "FirstName": person.first,
        "LastName": person.last,
        "CorrespondenceLanguage": person.firm.country.language,
        "CreatedByUser": "KELLERM",
        "LastChangedByUser": "KELLERM",
        "ETag": f"KELLERM{person.changed:%Y%m%d%H%M%S}",
        "CreationDate": person.firm.born.date().isoformat(),
        "CreationTime": person.firm.born.strftime("%H:%M:%S"),
        "LastChangeDate": person.changed.date().isoformat(),
        "LastChangeTime": person.changed.strftime("%H:%M:%S"),
        "to_BusinessPartnerRole": [{"BusinessPartnerRole": "BUP001"}],
    }


def relationship(person: Person, company: str) -> dict[str, Any]:
    """What makes the person a contact of a company, with the direct line."""
    return {
        "RelationshipNumber": str(FIRST_RELATIONSHIP + person.serial),
        "BusinessPartnerCompany": company,
        "BusinessPartnerPerson": str(FIRST_PERSON + person.serial),
        "ValidityStartDate": person.firm.born.date().isoformat(),
        "ValidityEndDate": END_OF_TIME,
        JOB: [job(person)],
    }


def relationship_id(row: Mapping[str, Any]) -> str:
    """The id by which the SAP simulator's people edit a relationship: its key, with slashes between."""
    names = ("RelationshipNumber", "BusinessPartnerCompany", "BusinessPartnerPerson", "ValidityEndDate")
    return "/".join(str(row[name]) for name in names)


def job(person: Person) -> dict[str, Any]:
    """Function, department and direct line."""
    return {
        "ContactPersonFunction": person.job.function_code,
        "ContactPersonDepartment": person.job.department_code,
        "EmailAddress": person.email,
        "PhoneNumber": person.phone,
    }
