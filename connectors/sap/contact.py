"""Creates contact persons in two parts, and completes what a lost answer left half done.

The person is a partner of its own with our identification number; the relationship to the company comes second, as
it needs the person's number. A create that finds the person by that number goes on from there, so that a repeated
one completes the same contact. Not here: how contacts are read (`aggregates`) and updated (`writer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from connectors.sap.aggregates import numbers_in, pair
from connectors.sap.document import PERSON
from connectors.sap.odata import normal_id
from connectors.sap.settings import CONTACT
from connectors.sap.writer import Job, Writer
from connectors.sap.writing import Edit, Planner
from fsm_core.errors import HubError, Invalid, UnknownOutcome
from fsm_core.ports import Action, Write, Written

PERSON_CATEGORY = "1"
COMPANY = "BusinessPartnerCompany"
UNTIL = "9999-12-31"


@dataclass
class ContactWriter(Writer):
    """Writes for contacts: names go to the person's partner, all else to the relationship."""

    always: ClassVar[tuple[str, ...]] = ()
    _persons: dict[str, str] = field(default_factory=dict)
    """Upper-case key -> number of the person that carries it already."""

    def _asked(self, write: Write) -> Edit:
        """No deletion: the end is a key field that PATCH cannot move, and DELETE would take the history away."""
        if write.action == Action.DELETE:
            raise Invalid("a contact person is never deleted", remedy="End the relationship in SAP (valid to).")
        return super()._asked(write)

    def _chunk(self, writes: Sequence[Write]) -> list[Written]:
        keys = [write.key for write in writes if write.action == Action.CREATE and write.key]
        self._persons = self._holders(keys)
        return super()._chunk(writes)

    def _holders(self, keys: Sequence[str]) -> dict[str, str]:
        return self.reader.holders(self.obj.key or self.settings.identification_type, keys) if keys else {}

    # -- the person ----------------------------------------------------------------------------

    def _plan_create(self, planner: Planner, job: Job) -> None:
        company = job.edit.plain.get(COMPANY)
        if not company:
            raise Invalid("a contact needs its company", field=COMPANY, remedy="Link the customer first.")
        job.edit.plain[COMPANY] = normal_id(str(company))
        person = self._persons.get(job.write.key.upper(), "") if job.write.key else ""
        job.later, job.edit = job.edit, _person_of(job.edit)
        if person:
            self._named(job, person)
            return
        operation = planner.create(self.obj, job.write, job.edit, PERSON_CATEGORY, self.settings.contact_roles)
        job.operations = [self._repeatable(operation, job.write)]

    @staticmethod
    def _named(job: Job, person: str) -> None:
        job.id, job.operations = pair(str(job.later.plain[COMPANY]), person), []

    def _born(self, job: Job, number: str) -> None:
        """The person is there; the contact is not yet."""
        self._named(job, number)

    # -- the relationship ----------------------------------------------------------------------

    def _second(self, jobs: Sequence[Job]) -> None:
        self._find_lost([job for job in jobs if job.later and isinstance(job.error, UnknownOutcome)])
        super()._second(jobs)
        for job in jobs:
            job.created = job.created or (job.alive and bool(job.later))

    def _find_lost(self, jobs: Sequence[Job]) -> None:
        """The answer about the person was lost: if it is there, go on."""
        try:
            found = self._holders([job.write.key for job in jobs if job.write.key])
        except HubError:
            return
        for job in jobs:
            if job.write.key and job.write.key.upper() in found:
                job.error = None
                self._named(job, found[job.write.key.upper()])

    def _plan_later(self, planner: Planner, job: Job, doc: dict[str, Any] | None) -> None:
        if doc is not None:
            job.operations = list(planner.change(self.session.model[CONTACT], doc, job.later))
            return
        job.later.pop(PERSON)
        person = numbers_in(job.id)[-1]
        asked = {"BusinessPartnerPerson": person, "ValidityEndDate": UNTIL} | job.later.plain
        operation = planner.insert(CONTACT, Edit(asked, job.later.children))
        job.operations = [self._repeatable(operation, job.write, "/relationship")]


def _person_of(edit: Edit) -> Edit:
    """The person's part of a contact, as a new partner; the contact keeps it, to complete an older attempt."""
    made = Edit()
    for row in edit.children.get(PERSON, ()):
        made.plain |= row.edit.plain
        made.children |= {nav: list(rows) for nav, rows in row.edit.children.items()}
    return made
