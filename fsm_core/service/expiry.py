"""Ends proposals that waited for as long as their rule says, and says when the others will end.

The proposals of one field end together, when the youngest has waited so long: whoever decides chooses among them.
Not here: answers of people (`answers`), and how a record comes to be looked at in time (`converge`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from fsm_core.service.hub import Hub
from fsm_core.service.loaded import Decided, Loaded
from fsm_core.state import Proposal, stamp
from fsm_core.sync.types import Outcome, Rule, Verdict

EXPIRED = "expired"
"""The end of a proposal that nobody answered in time."""
_NOTHING = (Outcome.NOOP, Outcome.REDELIVER)


def end_proposals(hub: Hub, loaded: Loaded, verdicts: dict[str, Verdict], busy: Collection[str]) -> list[Proposal]:
    """Let what waited long enough end, where nothing else was decided on its field; returns what ended.

    `busy` are fields in question, or that a person decided.
    """
    if not loaded.proposals:
        return []
    waiting = _open(loaded.proposals)
    rules, at = _rules(hub, loaded), hub.at()
    ended: list[Proposal] = []
    for name, mine in waiting.items():
        if name not in rules:
            continue  # a field of former times
        due, verdict = _due(rules[name], mine), verdicts.get(name)
        if due is None or due > at or name in busy or (verdict is not None and verdict.outcome not in _NOTHING):
            continue
        verdicts[name] = _verdict(rules[name], loaded, name, mine)
        for one in mine:
            one.state, one.decided_by, one.decided_at = EXPIRED, "engine", at
        ended += mine
    return ended


def _verdict(rule: Rule, loaded: Loaded, name: str, mine: Sequence[Proposal]) -> Verdict:
    agreed = loaded.record.document.get(name)
    systems = {one.system: one.value for one in mine}
    if rule.proposal_end == "keep":
        note = "proposal expired: each side keeps what it says"
        return Verdict(Outcome.DIVERGED, agreed, note=note, settled=frozenset(systems))
    return Verdict(Outcome.REVERT, agreed, dict.fromkeys(systems, agreed), systems, note="proposal expired")


def set_ends(hub: Hub, decided: Decided, frozen: Collection[str]) -> None:
    """Note on every proposal that is left when it ends, and in `decided.due` when to look at the record for it."""
    waiting = _open([*decided.loaded.proposals, *decided.new_proposals])
    rules, times = _rules(hub, decided.loaded), []
    fresh = {one.id for one in decided.new_proposals}
    for name, mine in waiting.items():
        due = _due(rules[name], mine) if name in rules else None
        moved = [one for one in mine if one.due_at != due]
        for one in moved:
            one.due_at = due
        known = {one.id for one in decided.proposals} | fresh
        decided.proposals += [one for one in moved if one.id not in known]
        if due is not None and name not in frozen:  # an answer to the question looks at it again
            times.append(max(due, hub.later(hub.probe_after)) if due <= hub.at() else due)
    decided.due = min(times, default="")


def _open(proposals: Iterable[Proposal]) -> Mapping[str, list[Proposal]]:
    """Those that wait, by field."""
    found: defaultdict[str, list[Proposal]] = defaultdict(list)
    for one in proposals:
        if one.state == "open":
            found[one.field].append(one)
    return found


def _rules(hub: Hub, loaded: Loaded) -> Mapping[str, Rule]:
    book = hub.book(loaded.record.entity)
    return book.rules(loaded.ruled(book))


def _due(rule: Rule, mine: Sequence[Proposal]) -> str | None:
    if rule.proposal_ttl is None:
        return None
    last = max(one.said_at or one.opened_at for one in mine)
    return stamp(datetime.fromisoformat(last) + timedelta(seconds=rule.proposal_ttl))
