"""Ends quarrels over a field: who says the same again and again, though a rule takes it back, is asked about.

Not here: what a rule takes back (`fsm_core.sync.merge`), writes that never end (`breaker`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from fsm_core.model.compare import Value, canonical, digest, folded
from fsm_core.ownership.learn import insisted
from fsm_core.service.hub import Hub
from fsm_core.service.loaded import Weighed
from fsm_core.state import Work
from fsm_core.state_reverts import Insisted, RevertCount
from fsm_core.sync.types import Outcome, Verdict

WINDOW = timedelta(days=7)
SHOWN = 60
"""Letters of a value that a note tells."""


def ask_instead(hub: Hub, work: Work, entity: str, weighed: Sequence[Weighed]) -> None:
    """What a rule would take back once too often becomes a question; all else that is taken back is counted.

    To be called between weighing a page of records and concluding it.
    """
    taken = [(one, name) for one in weighed for name, verdict in one.verdicts.items() if verdict.insisted]
    if not taken:
        return
    since = hub.later(-WINDOW)
    limit = hub.rulebook.guard.max_reverts
    before = Counter(work.reverts({one.loaded.record.id for one, _ in taken}, since))
    asked: list[Insisted] = []
    kept: list[Insisted] = []
    for one, name in taken:
        said_there = list(_said(one, name))
        often = [said for said in said_there if before[said] >= limit]
        if often:
            one.verdicts[name] = _question(one.verdicts[name], name, often, before)
        asked += often
        kept += () if often else said_there
    work.ask_reverts(asked)
    work.add_reverts(entity, hub.at(), kept)
    work.drop_reverts(since)


def _said(one: Weighed, name: str) -> Iterator[Insisted]:
    """What is taken back of a field: of systems that are told so, for what cannot be written is no quarrel."""
    verdict = one.verdicts[name]
    for system in sorted(verdict.writes):
        value = verdict.overruled[system]
        said = canonical(folded(value) if isinstance(value, str) else value)
        yield Insisted(one.loaded.record.id, name, system, digest(said))


def _question(verdict: Verdict, name: str, often: Sequence[Insisted], before: Mapping[Insisted, int]) -> Verdict:
    told = [
        f"{insisted(said.system, name)} to {_shown(verdict.overruled[said.system])}: "
        f"reverted {before[said]} times in {WINDOW.days} days"
        for said in often
    ]
    return Verdict(Outcome.CONFLICT, verdict.value, note="; ".join(told))


def _shown(value: Value) -> str:
    text = f"'{value}'" if isinstance(value, str) else canonical(value).decode()
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def too_many(hub: Hub, counts: Iterable[RevertCount]) -> list[RevertCount]:
    """Those of which so many were taken back that another rule may be the better one."""
    return [count for count in counts if count.edits > hub.rulebook.guard.max_reverts_per_field]


def in_words(count: RevertCount) -> str:
    """One of them, as a person is told."""
    edits = f"{count.edits} edits of {count.records} records were taken back in {WINDOW.days} days"
    return f"{insisted(count.system, f'{count.entity}.{count.field}')}: {edits}"
