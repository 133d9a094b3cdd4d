"""Sends writes and judges the answers: compare-and-set on fresh documents, changesets, one outcome per record.

Not here: what an operation contains (`writing`).
"""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import Any

import httpx

from connectors.sap.batch import Operation
from connectors.sap.errors import refusal, warnings_of
from connectors.sap.odata import any_of, compare, normal_id
from connectors.sap.partner import Shape, document, project, shape_of, version_of, widen
from connectors.sap.session import Session
from connectors.sap.settings import ROOT, SapSettings
from connectors.sap.writing import CUSTOMER, ROLES, Edit, Planner, edit_of
from fsm_core.errors import HubError, Invalid, Misconfigured, NotFound, Retry, Stale, Unauthorised, UnknownOutcome
from fsm_core.ports import Action, Object, Write, Written

PRECONDITION_REQUIRED = 428
IDS_PER_QUERY = 50


@dataclass(slots=True)
class Job:
    """One write on its way."""

    write: Write
    id: str = ""
    edit: Edit = field(default_factory=Edit)
    later: Edit = field(default_factory=Edit)
    """Customer views of a partner that is no customer yet."""
    paths: tuple[str, ...] = ()
    operations: list[Operation] = field(default_factory=list)
    created: bool = False
    warnings: tuple[str, ...] = ()
    error: HubError | None = None

    @property
    def alive(self) -> bool:
        """Nothing went wrong so far."""
        return self.error is None

    def fail(self, error: HubError) -> None:
        """Keep the error as this record's outcome; each record has a copy of its own."""
        own = copy.copy(error)
        self.error = own.located(system="sap", object=ROOT, id=self.id)

    def outcome(self, version: str) -> Written:
        """What the engine is told."""
        return Written(self.id, version if self.alive else "", self.created, self.warnings, self.error)


@dataclass(slots=True)
class Writer:
    """Writes for one binding."""

    session: Session
    settings: SapSettings
    obj: Object

    def write(self, writes: Sequence[Write]) -> list[Written]:
        """One outcome per write, in order; raises `Misconfigured` only while nothing was sent."""
        outcomes: list[Written] = []
        for chunk in self._chunks(writes):
            try:
                outcomes += self._chunk(chunk)
            except (Retry, Misconfigured) as error:
                if isinstance(error, Misconfigured) and not outcomes:
                    raise
                outcomes += [Written(write.id, error=copy.copy(error)) for write in writes[len(outcomes) :]]
                break
        return outcomes

    def _chunks(self, writes: Sequence[Write]) -> Iterator[list[Write]]:
        """As many as go together; a second write of the same record waits for the next call."""
        chunk: list[Write] = []
        for write in writes:
            if len(chunk) >= self.settings.batch or (write.id and any(write.id == other.id for other in chunk)):
                yield chunk
                chunk = []
            chunk.append(write)
        if chunk:
            yield chunk

    def _chunk(self, writes: Sequence[Write]) -> list[Written]:
        jobs = [self._job(write) for write in writes]
        narrow = shape_of(self.session.model, self.obj)
        self._plan(jobs, narrow)
        self._send(jobs, first=True)
        self._customers([job for job in jobs if job.alive and job.later])
        versions = self._versions([job.id for job in jobs if job.alive], narrow)
        return [job.outcome(versions.get(job.id, "")) for job in jobs]

    # -- planning ------------------------------------------------------------------------------

    def _job(self, write: Write) -> Job:
        job = Job(write, normal_id(write.id) if write.id else "")
        try:
            job.edit = edit_of(write)
        except HubError as error:
            job.fail(error)
            return job
        job.paths = tuple(job.edit.paths())
        if write.action == Action.CREATE:
            job.edit.prune()
            job.later = job.edit.pop(CUSTOMER)
        return job

    def _plan(self, jobs: Sequence[Job], narrow: Shape) -> None:
        planner = Planner(self.session.model, self.settings, self.session.today)
        fresh = self._fresh([job for job in jobs if job.alive and job.write.action != Action.CREATE])
        for job in jobs:
            if not job.alive:
                continue
            try:
                if job.write.action == Action.CREATE:
                    job.operations = [self._repeatable(planner.create(self.obj, job.write, job.edit), job.write)]
                else:
                    self._plan_update(planner, job, fresh.get(job.id), narrow)
            except HubError as error:
                job.fail(error)

    def _plan_update(self, planner: Planner, job: Job, doc: dict[str, Any] | None, narrow: Shape) -> None:
        if doc is None:
            raise NotFound("there is no such business partner (any more)")
        expected = job.write.expected_version
        if expected and version_of(project(narrow, doc)) != expected:
            raise Stale("the business partner changed since it was read")
        if CUSTOMER in job.edit.children and not doc.get(CUSTOMER):
            job.edit.children[CUSTOMER] = [row for row in job.edit.children[CUSTOMER] if not row.prune()]
            job.later = job.edit.pop(CUSTOMER)
            for role in self.settings.roles if job.later else ():
                planner.add_role(job.edit, role)
        job.operations = list(planner.change(self.session.model[ROOT], doc, job.edit))

    def _repeatable(self, operation: Operation, write: Write) -> Operation:
        """Gateway's repeatable request: the same attempt always carries the same id."""
        self.session.token()
        seed = write.idempotency_key or uuid.uuid4().hex
        headers = {"RequestID": hashlib.sha256(seed.encode()).hexdigest()[:32].upper()}
        if self.session.server_time is not None:
            headers["RepeatabilityCreation"] = format_datetime(self.session.server_time, usegmt=True)
        return replace(operation, headers={**operation.headers, **headers})

    def _fresh(self, jobs: Sequence[Job]) -> dict[str, dict[str, Any]]:
        """The records as they are now, with every row and field the edits touch, and their ETags."""
        wide = shape_of(self.session.model, self.obj)
        widen(self.session.model, wide, (f"{ROLES}.BusinessPartnerRole", f"{CUSTOMER}.Customer"))
        for job in jobs:
            try:
                widen(self.session.model, wide, job.paths)
            except HubError as error:
                job.fail(error)
        return self.documents([job.id for job in jobs if job.alive], wide)

    def documents(self, ids: Iterable[str], shape: Shape) -> dict[str, dict[str, Any]]:
        """Fresh documents with ETags by id."""
        key = shape.entity.field("BusinessPartner")
        wanted = list(dict.fromkeys(ids))
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), IDS_PER_QUERY):
            tests = any_of(compare(key, "eq", one) for one in wanted[start : start + IDS_PER_QUERY])
            options = {"$filter": tests, "$orderby": "BusinessPartner", **shape.options()}
            rows = self.session.all_rows(ROOT, options)
            made = (document(shape, row, self.session.today, fresh=True) for row in rows)
            found |= {str(doc["BusinessPartner"]): doc for doc in made}
        return found

    # -- customer views ------------------------------------------------------------------------

    def _customers(self, jobs: Sequence[Job]) -> None:
        """Second step: the role has made the customer, now its views can be written."""
        if not jobs:
            return
        planner = Planner(self.session.model, self.settings, self.session.today)
        try:
            fresh = self._fresh(jobs)
            for job in jobs:
                self._plan_customer(planner, job, fresh.get(job.id) or {})
            self._send([job for job in jobs if job.alive], first=False)
        except HubError as error:
            for job in jobs:
                job.fail(error)

    def _plan_customer(self, planner: Planner, job: Job, doc: dict[str, Any]) -> None:
        try:
            if not doc.get(CUSTOMER):
                raise Invalid("no role made this partner a customer", field=CUSTOMER)
            job.operations = list(planner.change(self.session.model[ROOT], doc, job.later))
        except HubError as error:
            job.fail(error)

    def _versions(self, ids: Sequence[str], narrow: Shape) -> dict[str, str]:
        """Versions after the writes; that they cannot be read is no failure of a write."""
        if not ids:
            return {}
        try:
            found = self.documents(ids, narrow)
        except HubError:
            return {}
        return {key: version_of(project(narrow, doc)) for key, doc in found.items()}

    # -- sending -------------------------------------------------------------------------------

    def _send(self, jobs: Sequence[Job], *, first: bool) -> None:
        """One plain call for one operation, else one changeset per record in one $batch."""
        busy = [job for job in jobs if job.alive and job.operations]
        if not busy:
            return
        try:
            if len(busy) == 1 and len(busy[0].operations) == 1:
                answers = [[self.session.send(busy[0].operations[0])]]
            else:
                answers = self.session.send_batch([job.operations for job in busy])
        except HubError as error:
            if first and isinstance(error, Retry | Misconfigured):
                raise
            for job in busy:
                job.fail(error)
            return
        for job, responses in zip(busy, answers, strict=True):
            self._judge(job, responses)

    def _judge(self, job: Job, responses: Sequence[httpx.Response]) -> None:
        if any(response.status_code == PRECONDITION_REQUIRED for response in responses):
            responses = self._with_etags(job) or responses
        for response in responses:
            error = refusal(response, writing=True, written=job.paths)
            if isinstance(error, Unauthorised) and len(responses) == 1 and not job.created:
                raise error
            if error is not None:
                job.fail(error)
                return
            job.warnings += warnings_of(response)
        if len(responses) < len(job.operations):
            job.fail(UnknownOutcome("the changeset was answered in part"))
        elif job.write.action == Action.CREATE and not job.created:
            self._born(job, responses[0])

    def _born(self, job: Job, response: httpx.Response) -> None:
        try:
            job.id = normal_id(str(response.json()["d"]["BusinessPartner"]))
        except (ValueError, KeyError, TypeError):
            job.fail(UnknownOutcome("the answer to a create does not name the new partner"))
            return
        job.created = True

    def _with_etags(self, job: Job) -> list[httpx.Response]:
        """428: the list gave no ETag but the service wants one; ask each entity for it and send once more."""
        missing = [op for op in job.operations if op.method != "POST" and "If-Match" not in op.headers]
        etags = {op.path: self.session.etag(op.path) for op in missing}
        if not any(etags.values()):
            return []
        job.operations = [
            replace(op, headers={**op.headers, "If-Match": etags[op.path]}) if etags.get(op.path) else op
            for op in job.operations
        ]
        try:
            if len(job.operations) == 1:
                return [self.session.send(job.operations[0])]
            return self.session.send_batch([job.operations])[0]
        except UnknownOutcome as error:
            return [httpx.Response(500, json={"error": {"message": {"value": error.message}}})]
