"""The kill switch: reading from or writing to a system is off, for one entity or all, until a person resumes it.

It is looked at before a system is read and before every batch is written, so that a round under way obeys too.
Not here: stops that the hub makes itself (guards, breaker).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fsm_core.errors import Invalid, Misconfigured
from fsm_core.service.hub import Hub
from fsm_core.state import Decision, Work
from fsm_core.state_stops import Stop, Way


class Stopped(Misconfigured):
    """A person switched this off."""

    remedy_default = "'fsm-hub resume' ends it; 'fsm-hub stops' lists what is off."


def in_words(stop: Stop) -> str:
    """What is off."""
    what = {Way.IN: "reading", Way.OUT: "writing", Way.BOTH: "reading and writing"}[stop.way]
    whole = f"{what} {stop.entity or 'everything'} in {stop.system or 'all systems'}"
    return f"{whole} is off since {stop.at[:16]}, by {stop.by}{f': {stop.note}' if stop.note else ''}"


def covering(stops: Iterable[Stop], system: str, entity: str, ways: Sequence[Way]) -> Stop | None:
    """The first of these by which all these ways of this entity of a system are off."""
    found = [s for s in stops if s.system in ("", system) and s.entity in ("", entity)]
    off = {way: next((s for s in found if s.way in (way, Way.BOTH)), None) for way in ways}
    return next(iter(off.values())) if all(off.values()) else None


def obey(work: Work, system: str, entity: str, way: Way) -> None:
    """Raises `Stopped` when this is off."""
    stop = covering(work.stops(), system, entity, [way])
    if stop is not None:
        raise Stopped(in_words(stop), system=system, object=entity)


def stop(hub: Hub, system: str, entity: str, way: Way, by: str, note: str) -> Stop:
    """Switch off, from the next page or batch on; told in the audit."""
    made = Stop(system, entity, way, by, hub.at(), note)
    with hub.running("stop"), hub.store.begin() as work:
        work.put_stop(made)
        _tell(hub, work, made, by, "stop")
    return made


def resume(hub: Hub, system: str, entity: str, way: Way, by: str) -> Stop:
    """Switch on again. Raises `Invalid` when exactly this is not off."""
    with hub.running("resume"), hub.store.begin() as work:
        meant = next((s for s in work.stops() if (s.system, s.entity, s.way) == (system, entity, way)), None)
        if meant is None or not work.drop_stop(system, entity, way):
            known = "; ".join(in_words(one) for one in work.stops()) or "nothing"
            raise Invalid(f"this is not off; off is: {known}", remedy="Name what 'fsm-hub stops' lists.")
        _tell(hub, work, meant, by, "resume")
    return meant


def _tell(hub: Hub, work: Work, one: Stop, by: str, kind: str) -> None:
    told = {"system": one.system, "entity": one.entity, "way": str(one.way), "note": one.note}
    work.write_decisions(hub.run, hub.at(), [Decision(hub.ids.text(), "", one.entity, by, kind, told)])
