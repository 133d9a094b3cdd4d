"""Several records of one system on one record of the hub: which of them speaks, and who takes its place.

The one that speaks is a link like any other. A further one lends the record its id: what refers to it refers to the
record. It is neither read for values nor written to, and its end is no deletion of the record.
Not here: how further ones are found (`place`), merges (`merges`), taking one out (`identity`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from fsm_core.service.hub import Hub
from fsm_core.service.loaded import ENGINE, Loaded
from fsm_core.service.problems import PARENT_ENDED, WRITES
from fsm_core.state import ACTIVE, Decision, Link, LinkState, Work
from fsm_core.sync.types import HUB

FURTHER = "further"
"""The kind of the decision that lets another record of a system speak."""
GAVE_WAY = "gave way"
"""`Link.method` of one that is gone while another of its system is there."""


def speakers(new: Sequence[Link], record: str = "", there: Collection[str] = ()) -> tuple[list[Link], list[Link]]:
    """Of links that come to one record those that speak for their systems, and those that are further.

    `there` are the systems that have one that speaks. First is what carries the record's id, else the oldest.
    """
    ordered = sorted(new, key=lambda link: (link.state == LinkState.INVALID, link.hub_key != record, link.id))
    taken, speaking = set(there), []
    for link in ordered:
        if link.system not in taken:
            speaking.append(link.id)
            taken.add(link.system)
    return [link for link in new if link.id in speaking], [link for link in new if link.id not in speaking]


@dataclass(slots=True)
class _Seats:
    """What one page of records brings about."""

    hub: Hub
    work: Work
    moved: list[Link] = field(default_factory=list)
    told: list[Decision] = field(default_factory=list)

    def move(self, link: Link, state: LinkState, method: str) -> None:
        """A link changes its part: what it says, if it says anything, meets the record for the first time."""
        link.state, link.method, link.base, link.sent, link.holds = state, method, None, {}, {}
        self.moved.append(link)


def seat(hub: Hub, work: Work, loaded: Sequence[Loaded]) -> None:
    """See to it that of each system one link speaks, if one is there; to be called before anything is decided."""
    seats = _Seats(hub, work)
    for one in loaded:
        for links in _in_doubt(hub, one):
            _seat(seats, one, links)
    if seats.moved:
        work.settle_links(seats.moved)
        work.write_decisions(hub.run, hub.at(), seats.told)


def _in_doubt(hub: Hub, one: Loaded) -> list[list[Link]]:
    """The links of each system that has more than one which is, or was until now, there."""
    if len(one.links) < 2:  # noqa: PLR2004 - a pair
        return []
    parts = (LinkState.LIVE, LinkState.FURTHER, LinkState.ENDED)
    of: defaultdict[str, list[Link]] = defaultdict(list)
    for link in one.links:
        if link.state in parts and link.system != HUB:
            of[link.system].append(link)
    several = hub.book(one.record.entity).several
    return [
        links
        for system, links in sorted(of.items())
        if (len(links) > 1 and (system in several or any(_never_spoke(link) for link in links)))
        or links[0].state == LinkState.FURTHER
    ]


def _never_spoke(link: Link) -> bool:
    """Further, gone while it was, or back after another took its place: whatever the rules say by now."""
    further = link.state == LinkState.FURTHER or link.method == GAVE_WAY
    return further or (link.state == LinkState.ENDED and link.base is None)


def _seat(seats: _Seats, one: Loaded, links: Sequence[Link]) -> None:
    by_state = {
        state: [link for link in links if link.state == state]
        for state in (LinkState.LIVE, LinkState.FURTHER, LinkState.ENDED)
    }
    live, further, ended = by_state.values()
    if not live and further and _takes_part(one, links[0].system):
        first = min(further, key=lambda link: (link.hub_key != one.record.id, link.id))
        _speak_instead(seats, one, first, ended)
        live = [first]
    elif len(live) > 1:
        first = min(live, key=lambda x: (x.method == GAVE_WAY, x.base is None, x.hub_key != one.record.id, x.id))
        for link in live:
            if link is not first:
                seats.move(link, LinkState.FURTHER, "" if link.method == GAVE_WAY else link.method)
    for link in ended if live or further else ():
        if not link.merged_into:  # else it follows its survivor, once that is known
            seats.move(link, LinkState.UNLINKED, GAVE_WAY)
            causes = (*WRITES, PARENT_ENDED)
            seats.work.solve_problems(link.system, [link.external_id], causes, seats.hub.at())


def _takes_part(one: Loaded, system: str) -> bool:
    """Whether the record goes on there: it is not over, and nobody took it out."""
    detached = any(link.system == system and link.state == LinkState.DETACHED for link in one.links)
    return one.record.lifecycle == ACTIVE and not detached


def _speak_instead(seats: _Seats, one: Loaded, first: Link, ended: Sequence[Link]) -> None:
    for link in ended:
        seats.work.name_references(one.record.id, link.system, link.external_id)
    seats.move(first, LinkState.LIVE, first.method)
    content = {"system": first.system, "speaks": first.external_id, "instead": [link.external_id for link in ended]}
    record = one.record
    seats.told.append(Decision(seats.hub.ids.text(), record.id, record.entity, ENGINE, FURTHER, content))
