"""Plain births: records that one system alone speaks of, decided when their page lands and made many at a time.

Such a record says exactly what its system says, blanks left out, as the general way (`decide`) would find too: no rule
has a rival to weigh. Not here: births of several links together, and what cannot be born (`converge`).
"""

from __future__ import annotations

from collections.abc import Callable

from fsm_core.model.compare import stated
from fsm_core.service.hub import Hub
from fsm_core.state import Decision, Doc, Newborn, Work

BIRTHS = "births"


def plain(hub: Hub, entity: str, system: str) -> Callable[[Doc], str | None]:
    """A function that says of what a link shows which other systems should hold it, with commas between.

    It says None where the link cannot be a record by itself: a field is set apart by a rule, the values are no valid
    record, the system may not create, its parent says where it goes, or a check for double entry comes before.
    """
    book = hub.book(entity)
    valid, gates = book.shape.surely_valid, book.births.get(system, ())
    looked_at = book.set_apart | book.switches() | {name for when in gates for name in when.fields}

    def wanted(shown: Doc) -> str | None:
        told = stated({name: shown[name] for name in looked_at if name in shown})
        if not book.set_apart.isdisjoint(told) or not valid(shown):
            return None
        if gates and not any(when.holds(told) for when in gates):
            return None
        return ",".join([other for other in book.wanted_in(told) if other != system])

    by_parents = book.goes_by_parents or any(book.beyond(when) for when in gates)
    alone = system in book.creators and not by_parents and book.pre_check is None
    return wanted if alone else lambda _shown: None


def bear(hub: Hub, work: Work, entity: str) -> list[Newborn]:
    """Make the records of a page of fresh links, with one decision that tells of all of them."""
    decision = hub.ids.text()
    born = work.bear(entity, hub.rulebook.version, decision, hub.at(), hub.page)
    if born:
        told = [[one.record, one.system, one.external_id] for one in born]
        content: Doc = {"rules": hub.rulebook.version, "records": told}
        work.write_decisions(hub.run, hub.at(), [Decision(decision, "", entity, "engine", BIRTHS, content)])
    return born
