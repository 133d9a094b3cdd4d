"""Stops writing to a record that something keeps changing back, and says so.

Counted from the attempts that are kept anyway. Not here: mass changes (`fsm_core.sync.guard`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol, TypeVar

from fsm_core.model.compare import canonical
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.problems import TOO_OFTEN, problem
from fsm_core.state import Doc, Link, Problem, Reason, Work

WINDOW = timedelta(hours=1)
ANYTHING = 4
"""So many times the limit is too often, whatever was written: no person corrects a record twenty times an hour."""
REMEDY = (
    "Find what changes it back there (a rule, a trigger, another integration) and stop it, or change the rule of the "
    "field; then 'fsm-hub problems retry'."
)


class Attempt(Protocol):
    """A write in the making."""

    @property
    def link(self) -> Link | None:
        """None for a create."""
        ...

    @property
    def values(self) -> Doc:
        """What would be written."""
        ...


A = TypeVar("A", bound=Attempt)


def unhurried(hub: Hub, work: Work, binding: Binding, attempts: list[A]) -> list[A]:
    """The attempts at records that were not written too often; the others wait for a person."""
    links = {attempt.link.id: attempt.link for attempt in attempts if attempt.link is not None}
    if not links:
        return attempts
    ids = [link.external_id for link in links.values()]
    known = work.problems_about(binding.system, binding.object.name, TOO_OFTEN, ids)
    often = _too_often(hub, work, binding, links, known)
    stopped = [a for a in attempts if a.link is not None and (a.link.id in often or _is_open(known, a.link))]
    if stopped:
        _park(hub, work, binding, stopped, often)
    return [a for a in attempts if a not in stopped] if stopped else attempts


def _is_open(known: Mapping[str, Problem], link: Link) -> bool:
    problem = known.get(link.external_id)
    return problem is not None and problem.state == "open"


def _too_often(
    hub: Hub, work: Work, binding: Binding, links: Mapping[int, Link], known: Mapping[str, Problem]
) -> dict[int, str]:
    """Per link that is written too often, what people should know of it."""
    limit = hub.book(binding.entity).guard.max_writes_per_hour
    told = {}
    for number, written in work.often_written(links, hub.later(-WINDOW), limit).items():
        before = known.get(links[number].external_id)
        since = before.last_at if before is not None else ""  # what a person let pass is not counted again
        reason = _quarrel([values for at, values in written if at > since], limit)
        if reason:
            told[number] = reason
    return told


def _quarrel(written: Sequence[Doc], limit: int) -> str:
    """Whether these writes of an hour look like a dispute with something there; people correct themselves, too."""
    said = Counter((name, canonical(value)) for values in written for name, value in values.items())
    repeated = sorted({name for (name, _), count in said.items() if count >= limit})
    if repeated:
        count = max(said.values())
        return (
            f"the same was written {count} times within an hour; something there changes it back: {_listed(repeated)}"
        )
    if len(written) >= limit * ANYTHING:
        names = sorted({name for values in written for name in values})
        return f"written {len(written)} times within an hour: {_listed(names)}"
    return ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _park(hub: Hub, work: Work, binding: Binding, stopped: Sequence[Attempt], often: Mapping[int, str]) -> None:
    links = [attempt.link for attempt in stopped if attempt.link is not None]
    work.raise_problems(
        [
            problem(hub, binding, link.external_id, TOO_OFTEN, often[link.id], record=link.record, remedy=REMEDY)
            for link in links
            if link.id in often
        ]
    )
    work.clear_dirty(binding.entity, [link.record for link in links if link.record], [Reason.DELIVER], binding.system)
