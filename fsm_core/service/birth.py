"""Plain births: records that one system alone speaks of, made a page at a time.

Such a record says exactly what its system says, blanks left out, as the general way (`decide`) would find too: no rule
has a rival to weigh. Not here: births of several links together, and what cannot be born (`converge`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from fsm_core.model.compare import canonical, stated
from fsm_core.service.hub import Hub
from fsm_core.service.problems import UNBORN
from fsm_core.state import Birth, Link, Work

BORN_HERE = "born here"


def bear_plain(hub: Hub, work: Work, entity: str, links: Sequence[Link]) -> set[int]:
    """Make a record of each of these unplaced links that can be one by itself; returns their numbers.

    The others are left as they are: a field is set apart by a rule, the values are no valid record, or the system may
    not create.
    """
    plain = _plain(hub, entity)
    births = [birth for link in links if (birth := plain(link)) is not None]
    born = {birth.link for birth in births}
    work.add_births(entity, hub.run, hub.at(), births)
    known: defaultdict[str, list[str]] = defaultdict(list)
    for link in links:
        if link.id in born:
            known[link.system].append(link.external_id)
    for system, ids in known.items():
        work.solve_problems(system, ids, UNBORN, hub.at())
    return born


def _plain(hub: Hub, entity: str) -> Callable[[Link], Birth | None]:
    book = hub.book(entity)
    text, faults = hub.ids.text, book.shape.faults

    def plain(link: Link) -> Birth | None:
        document = stated(link.now)
        if link.system not in book.creators or not book.set_apart.isdisjoint(document) or faults(document):
            return None
        wanted = [system for system in book.wanted_in(document) if system != link.system]
        said = {
            "run": hub.run, "rules": hub.rulebook.version, "note": BORN_HERE,
            "system": link.system, "at": link.changed_at, "by": link.changed_by,
        }  # fmt: skip
        encoded, provenance = canonical(document).decode(), canonical({"*": said}).decode()
        return Birth(link.id, text(), encoded, provenance, text(), wanted)

    return plain
