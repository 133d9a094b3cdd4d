"""Compares a complete listing with what is known: what is shown no more is looked for, told of, or believed to be gone.

Not here: records that a system itself calls deleted (`pull`), and what follows from a deletion (`deletions`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fsm_core.ports import Change, Deletes, State
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.problems import problem
from fsm_core.service.pull import Pulled, let_go
from fsm_core.state import GONE, Known, LinkState, Reason
from fsm_core.sync.guard import doubtful

UNLISTED = "not listed"
REMEDY = (
    "If the hub's user lost the right to see them, give it back and run 'fsm-hub sync --full'. "
    "What was removed for good there stays as it is here."
)
SWEPT = (
    "If the hub's user lost the right to see them, give it back and run 'fsm-hub sync --full'. "
    "If they were deleted there, run 'fsm-hub sync --full --confirm-mass-change'."
)
BATCH = 200
"""Records looked for in one call."""


def sweep(hub: Hub, binding: Binding, pulled: Pulled, *, confirmed: bool = False) -> None:
    """One finding per system when a complete pass showed fewer records than are known; it ends with one that does not.

    An empty or short listing is as likely a lost right as a deletion. Only of a system that tells deletions in no
    other way a record that is neither listed nor found is gone: where some known record is still shown, and few are
    missing, or a person says so.
    """
    if not pulled.complete:
        return
    with hub.store.begin() as work:
        known = work.count_links(binding.system, binding.object.name, binding.entity)
    missing = known - (pulled.listed if pulled.ids is None else min(pulled.listed, len(pulled.ids) or pulled.listed))
    if missing > 0 and pulled.ids:
        missing -= _ended(hub, binding, pulled.ids, known - pulled.new, confirmed=confirmed)
    with hub.store.begin() as work:
        if missing > 0:
            message = f"{missing} of {known} known records are not shown any more; nothing was deleted"
            remedy = SWEPT if binding.capabilities.deletes is Deletes.SWEEP else REMEDY
            work.raise_problems([problem(hub, binding, "", UNLISTED, message, remedy=remedy)])
        else:
            work.solve_problems(binding.system, [""], [UNLISTED], hub.at())


def _ended(hub: Hub, binding: Binding, shown: set[str], known: int, *, confirmed: bool) -> int:
    """End what is outside the filter, and what is gone where that may be believed; how many there were."""
    absent = list(_absent(hub, binding, shown))
    if len(absent) >= known:
        return 0  # no known record is shown: the listing proves nothing
    found = list(_looked_for(binding, absent))
    left = [link for link, change in found if _lives_outside(binding, change)]
    gone = [link for link, change in found if change.state is not State.LIVE]
    believed = binding.capabilities.deletes is Deletes.SWEEP
    if believed and not confirmed and doubtful(hub.book(binding.entity).guard, known, len(gone)):
        believed = False
    at = hub.at()
    with hub.store.begin() as work:
        count = let_go(work, binding, left, at)
        if believed:
            work.end_links(at, [(link.id, "") for link in gone])
            work.drop_references([link.id for link in gone])
            work.mark_dirty(binding.entity, [(x.record, Reason.OBSERVED, "", at) for x in gone if x.record])
            count += len(gone)
    return count


def _lives_outside(binding: Binding, change: Change) -> bool:
    """It is there, and the filter or the mapping leaves it out; what a listing should have shown is not judged."""
    return change.state is State.LIVE and (
        bool(binding.object.filter) or binding.translation.decode(change.document).ignored
    )


def _looked_for(binding: Binding, absent: Sequence[tuple[str, Known]]) -> Iterator[tuple[Known, Change]]:
    for start in range(0, len(absent), BATCH):
        some = absent[start : start + BATCH]
        shown = binding.connector.read(binding.object, [id_ for id_, _ in some])
        yield from ((known, change) for (_, known), change in zip(some, shown, strict=True))


def _absent(hub: Hub, binding: Binding, shown: set[str]) -> Iterator[tuple[str, Known]]:
    """Known records that the listing did not show."""
    after = 0
    while True:
        with hub.store.begin() as work:
            links = work.every_link(binding.entity, after, hub.page)
            mine = [x.external_id for x in links if (x.system, x.object) == (binding.system, binding.object.name)]
            known = work.known_links(
                binding.system, binding.object.name, binding.entity, [id_ for id_ in mine if id_ not in shown]
            )
        if not links:
            return
        there = (*GONE, LinkState.DETACHED)
        yield from ((id_, one) for id_, one in sorted(known.items()) if one.state not in there)
        after = links[-1].id
