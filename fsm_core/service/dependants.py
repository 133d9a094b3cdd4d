"""Counts what still depends on records: the named checks of `block_if`, answered from the state.

Not here: the names and what they mean (`fsm_core.ownership.dependants`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from fsm_core.ownership.dependants import CHECKS
from fsm_core.service.hub import Hub
from fsm_core.state import ACTIVE, Link, LinkState, Record, Work

Counts = dict[str, dict[str, int]]


def dependants_of(hub: Hub, work: Work, records: Collection[str], names: Collection[str]) -> Counts:
    """Per record and named check how many other records still depend on it; only what is not 0."""
    kinds = {CHECKS[name].entity: name for name in names}
    if not records or not kinds.keys() & hub.shapes.keys():
        return {}
    rows = work.children(sorted(records))
    links = {link.id: link for link in work.links({number for number, _, _ in rows})}
    owners = work.records({link.record for link in links.values() if link.record})
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for parent, name, child in _open(rows, links, owners, kinds):
        found[parent][name].add(child)
    return {parent: {name: len(several) for name, several in told.items()} for parent, told in found.items()}


def _open(
    rows: Collection[tuple[int, str, str]], links: dict[int, Link], records: dict[str, Record], kinds: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    """Parent, check and child of what is not done with."""
    for number, _, parent in rows:
        link = links[number]
        record = records.get(link.record or "")
        if record is None or link.state != LinkState.LIVE or record.lifecycle != ACTIVE or link.entity not in kinds:
            continue
        name = kinds[link.entity]
        if record.document.get("status") not in CHECKS[name].done:
            yield parent, name, record.id
