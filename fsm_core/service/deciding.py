"""What every decision of a person has in common: a run of its own, and its place in the audit.

Not here: any decision (`resolve`, `pins`, `hub_store`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from fsm_core.errors import NotFound
from fsm_core.service.hub import Hub
from fsm_core.state import MERGED, Decision, Doc, Record, Work


@contextmanager
def deciding(hub: Hub) -> Iterator[Work]:
    """A transaction in the open run, or in a run of its own: the audit has a place for every decision."""
    with nullcontext() if hub.run else hub.running("decision"), hub.store.begin() as work:
        yield work


def tell(hub: Hub, work: Work, by: str, kind: str, entity: str, record: str | None, content: Doc) -> None:
    """Into the audit: who decided what on which record."""
    work.write_decisions(hub.run, hub.at(), [Decision(hub.ids.text(), record or "", entity, by, kind, content)])


def living(work: Work, entity: str, id: str) -> Record:  # noqa: A002 - as in the table
    """The record of an entity. Raises `NotFound` also for one that was merged away."""
    record = work.records([id]).get(id)
    if record is None or record.entity != entity or record.lifecycle == MERGED:
        remedy = f"Take an id from 'fsm-hub record show {entity} ...'."
        raise NotFound(f"{id} is no {entity} of the hub", remedy=remedy)
    return record


def empty_record(hub: Hub, entity: str) -> Record:
    """A record that says nothing yet: the next round decides it, when the systems are at hand."""
    at = hub.at()
    return Record(hub.ids.text(), entity, {}, {}, created_at=at, updated_at=at)
