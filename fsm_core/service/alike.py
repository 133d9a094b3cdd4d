"""Finds what is like a link among the links of other systems: likely pairs by blocks, then their scores.

Not here: the score itself (`fsm_core.sync.similar`) and what it leads to (`fsm_core.sync.match`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any, TypeAlias

from fsm_core.service.hub import Hub
from fsm_core.service.keys import blocks_of
from fsm_core.state import Doc, Link, Work
from fsm_core.sync.match import Pair
from fsm_core.sync.similar import Likeness, Profile, level, likeness_of, profile

Likes: TypeAlias = dict[tuple[int, int], Likeness]
"""Pairs of links, the smaller id first."""
MOST = 50
"""Links in one block; a larger one is passed over: what so many have in common tells no two of them apart."""
AT_ONCE = 500
"""Links whose likely partners are held in memory at a time."""


def alike(hub: Hub, work: Work, entity: str, links: Sequence[Link], seen: set[tuple[int, int]]) -> Likes:
    """The pairs of these links with links of other systems that score enough to ask; `seen` are compared already."""
    if not hub.book(entity).alike.blocks:
        return {}
    found: Likes = {}
    for start in range(0, len(links), AT_ONCE):
        likely = _likely(hub, work, entity, links[start : start + AT_ONCE]) - seen
        found |= _scored(hub, work, entity, links[start : start + AT_ONCE], likely)
        seen |= likely
    return found


def _scored(hub: Hub, work: Work, entity: str, links: Sequence[Link], likely: set[tuple[int, int]]) -> Likes:
    rules = hub.book(entity).alike
    ours = {link.id: profile(rules.features, link.now) for link in links}
    others = work.current(sorted({number for pair in likely for number in pair} - ours.keys()))
    profiles: dict[int, Profile] = ours | {n: profile(rules.features, shown) for n, shown in others.items()}
    enough = [(a, b) for a, b in likely if level(rules.features, profiles[a], profiles[b]) >= rules.review]
    return {(a, b): likeness_of(rules.features, profiles[a], profiles[b]) for a, b in sorted(enough)}


def _likely(hub: Hub, work: Work, entity: str, links: Sequence[Link]) -> set[tuple[int, int]]:
    """Pairs of two systems that share a block."""
    found: set[tuple[int, int]] = set()
    for system in sorted({link.system for link in links}):
        mine = {link.id: blocks_of(hub, entity, link.now) for link in links if link.system == system}
        blocks: defaultdict[int, list[int]] = defaultdict(list)
        for key, number in work.blocks({key for keys in mine.values() for key in keys}, MOST, but=system):
            blocks[key].append(number)
        for link, keys in mine.items():
            found.update((min(link, n), max(link, n)) for key in keys for n in blocks.get(key, ()))
    return found


def as_pairs(likes: Likes) -> list[Pair]:
    """The same for the assembly."""
    return [Pair(a, b, one.score, one.proven) for (a, b), one in likes.items()]


def facts_of(hub: Hub, entity: str, shown: Doc) -> dict[str, frozenset[str]]:
    """What speaks against a match where it differs."""
    told = {feature.name: feature.facts(shown) for feature in hub.book(entity).alike.against}
    return {name: values for name, values in told.items() if values}


def compared(hub: Hub, entity: str, shown: Doc) -> list[Any]:
    """What a score or a contradiction of this link was made of: a question stands as long as this does."""
    rules = hub.book(entity).alike
    return [feature.of(shown) for feature in (*rules.features, *rules.against)]


def evidence(likes: Likes, links: Sequence[int]) -> list[Doc]:
    """The scores among these links as a question keeps them, the best first."""
    within = [(pair, likes[pair]) for pair in combinations(sorted(links), 2) if pair in likes]
    return [
        {"a": a, "b": b, "score": one.score, "features": [row._asdict() for row in one.evidence]}
        for (a, b), one in sorted(within, key=lambda row: (-row[1].score, row[0]))
    ]
