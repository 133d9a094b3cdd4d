"""Sends writes and judges the answers: compare-and-set on fresh documents, changesets, one outcome per record.

Not here: what an operation contains (`writing`), and how a contact is made (`contact`).
"""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from email.utils import format_datetime
from typing import Any, ClassVar

import httpx

from connectors.sap.batch import Operation
from connectors.sap.document import Shape, project, version_of, widen
from connectors.sap.errors import refusal, warnings_of
from connectors.sap.odata import normal_id
from connectors.sap.reading import Reader
from connectors.sap.rights import judged
from connectors.sap.session import Session
from connectors.sap.settings import SapSettings
from connectors.sap.writing import CUSTOMER, ROLES, Edit, Planner, edit_of
from fsm_core.errors import HubError, Invalid, Misconfigured, NotFound, Retry, Stale, Unauthorised, UnknownOutcome
from fsm_core.ports import Action, Object, Write, Written

PRECONDITION_REQUIRED = 428


@dataclass(slots=True)
class Job:
    """One write on its way."""

    write: Write
    object: str
    id: str = ""
    edit: Edit = field(default_factory=Edit)
    later: Edit = field(default_factory=Edit)
    """What takes a second step: customer views of a partner that is no customer yet, the relationship of a contact."""
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
        self.error = own.located(system="sap", object=self.object, id=self.id)

    def outcome(self, version: str) -> Written:
        """What the engine is told."""
        return Written(self.id, version if self.alive else "", self.created, self.warnings, self.error)


@dataclass
class Writer:
    """Writes for one binding; as it stands, for business partners."""

    session: Session
    settings: SapSettings
    obj: Object
    always: ClassVar[tuple[str, ...]] = (f"{ROLES}.BusinessPartnerRole", f"{CUSTOMER}.Customer")
    """Paths a fresh document holds whatever is asked."""

    @property
    def planner(self) -> Planner:
        """Plans on what the service is now."""
        return Planner(self.session.model, self.settings, self.session.today)

    @property
    def reader(self) -> Reader:
        """Reads what the binding asks for."""
        return Reader.of(self.session, self.settings, self.obj)

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
        reader = self.reader
        jobs = [self._job(write, reader) for write in writes]
        self._plan(jobs, reader.view.record)
        self._send(jobs, first=True)
        self._second(jobs)
        versions = self._versions([job.id for job in jobs if job.alive], reader)
        return [job.outcome(versions.get(job.id, "")) for job in jobs]

    # -- planning ------------------------------------------------------------------------------

    def _job(self, write: Write, reader: Reader) -> Job:
        job = Job(write, self.obj.name, (reader.aggregate.normal(write.id) or write.id) if write.id else "")
        try:
            job.edit = self._asked(write)
        except HubError as error:
            job.fail(error)
            return job
        job.paths = tuple(job.edit.paths())
        if write.action == Action.CREATE:
            job.edit.prune()
        return job

    def _asked(self, write: Write) -> Edit:
        """What a write asks for; a deletion is the archiving flag, as partners are never deleted."""
        return Edit({"IsMarkedForArchiving": True}) if write.action == Action.DELETE else edit_of(write)

    def _plan(self, jobs: Sequence[Job], narrow: Shape) -> None:
        planner = self.planner
        fresh = self._fresh([job for job in jobs if job.alive and job.write.action != Action.CREATE])
        for job in jobs:
            if not job.alive:
                continue
            try:
                if job.write.action == Action.CREATE:
                    self._plan_create(planner, job)
                else:
                    self._plan_update(planner, job, fresh.get(job.id), narrow)
            except HubError as error:
                job.fail(error)

    def _plan_create(self, planner: Planner, job: Job) -> None:
        job.later = job.edit.pop(CUSTOMER)
        settings = self.settings
        operation = planner.create(self.obj, job.write, job.edit, settings.category, settings.roles)
        job.operations = [self._repeatable(operation, job.write)]

    def _plan_update(self, planner: Planner, job: Job, doc: dict[str, Any] | None, narrow: Shape) -> None:
        noun = self.reader.aggregate.noun
        if doc is None:
            raise NotFound(f"there is no such {noun} (any more)")
        expected = job.write.expected_version
        if expected and version_of(project(narrow, doc)) != expected:
            raise Stale(f"the {noun} changed since it was read")
        self._put_off(planner, job, doc)
        job.operations = list(planner.change(self.session.model[self.obj.name], doc, job.edit))

    def _put_off(self, planner: Planner, job: Job, doc: dict[str, Any]) -> None:
        """Customer views wait until the roles have made a customer."""
        if CUSTOMER in job.edit.children and not doc.get(CUSTOMER):
            job.edit.children[CUSTOMER] = [row for row in job.edit.children[CUSTOMER] if not row.prune()]
            job.later = job.edit.pop(CUSTOMER)
            for role in self.settings.roles if job.later else ():
                planner.add_role(job.edit, role)

    def _repeatable(self, operation: Operation, write: Write, step: str = "") -> Operation:
        """Gateway's repeatable request: the same step of the same attempt always carries the same id."""
        self.session.token()
        seed = (write.idempotency_key or uuid.uuid4().hex) + step
        headers = {"RequestID": hashlib.sha256(seed.encode()).hexdigest()[:32].upper()}
        if self.session.server_time is not None:
            headers["RepeatabilityCreation"] = format_datetime(self.session.server_time, usegmt=True)
        return replace(operation, headers={**operation.headers, **headers})

    def _fresh(self, jobs: Sequence[Job]) -> dict[str, dict[str, Any]]:
        """The records as they are now, with every row and field the edits touch, and their ETags."""
        reader = self.reader
        widen(self.session.model, reader.view.record, self.always)
        for job in jobs:
            try:
                widen(self.session.model, reader.view.record, job.paths)
            except HubError as error:
                job.fail(error)
        return reader.fresh([job.id for job in jobs if job.alive])

    # -- second step ---------------------------------------------------------------------------

    def _second(self, jobs: Sequence[Job]) -> None:
        """Customer views: the role has made the customer, now they can be written."""
        waiting = [job for job in jobs if job.alive and job.later]
        if not waiting:
            return
        try:
            fresh = self._fresh(waiting)
            for job in waiting:
                self._plan_second(self.planner, job, fresh.get(job.id))
            self._send([job for job in waiting if job.alive], first=False)
        except HubError as error:
            for job in waiting:
                job.fail(error)

    def _plan_second(self, planner: Planner, job: Job, doc: dict[str, Any] | None) -> None:
        try:
            self._plan_later(planner, job, doc)
        except HubError as error:
            job.fail(error)

    def _plan_later(self, planner: Planner, job: Job, doc: dict[str, Any] | None) -> None:
        if doc is None or not doc.get(CUSTOMER):
            raise Invalid("no role made this partner a customer", field=CUSTOMER)
        job.operations = list(planner.change(self.session.model[self.obj.name], doc, job.later))

    def _versions(self, ids: Sequence[str], reader: Reader) -> dict[str, str]:
        """Versions after the writes; that they cannot be read is no failure of a write."""
        if not ids:
            return {}
        try:
            found = reader.fresh(ids)
        except HubError:
            return {}
        return {key: version_of(project(reader.view.record, doc)) for key, doc in found.items()}

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
            self._judge(job, responses, first=first)

    def _judge(self, job: Job, responses: Sequence[httpx.Response], *, first: bool) -> None:
        if any(response.status_code == PRECONDITION_REQUIRED for response in responses):
            responses = self._with_etags(job) or responses
        for response in responses:
            error = refusal(response, writing=True, written=job.paths)
            if isinstance(error, Unauthorised) and len(responses) == 1 and first:
                raise error
            if error is not None:
                job.fail(judged(error, job.operations, job.paths, self.session.model))
                return
            job.warnings += warnings_of(response)
        if len(responses) < len(job.operations):
            job.fail(UnknownOutcome("the changeset was answered in part"))
        elif job.write.action == Action.CREATE and first:
            try:
                number = normal_id(str(responses[0].json()["d"]["BusinessPartner"]))
            except (ValueError, KeyError, TypeError):
                job.fail(UnknownOutcome("the answer to a create does not name the new partner"))
                return
            self._born(job, number)

    def _born(self, job: Job, number: str) -> None:
        """A new partner has its number."""
        job.id, job.created = number, True

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


class AddressWriter(Writer):
    """Addresses of partners: their fields can be corrected, but they are made and ended with their partner."""

    always: ClassVar[tuple[str, ...]] = ()

    def _asked(self, write: Write) -> Edit:
        if write.action in {Action.CREATE, Action.DELETE}:
            text = f"an address has no {write.action} of its own"
            raise Invalid(text, remedy="Write it below its partner, A_BusinessPartner.")
        return super()._asked(write)
