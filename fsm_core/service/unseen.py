"""Tells of mapped fields an account does not show, and has everything read once when it shows them again.

Not here: running without such a field (`hub.bind`), and what else an account does not allow (`capability`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from fsm_core.model.compare import canonical, digest
from fsm_core.service.hub import Binding, Hub
from fsm_core.service.problems import problem
from fsm_core.state import Doc, Known, Link, Problem, Sighting, Work

UNSEEN = "not shown"
REMEDY = (
    "Create it there if it does not exist, or give the hub's user the right to see and edit it; all records are then "
    "read once by themselves. If it is not meant to be synchronised, take it out of the mapping."
)


def tell_unseen(hub: Hub, binding: Binding) -> bool:
    """One problem per hidden field; whether one that was hidden is shown again.

    While it was hidden records moved on unseen behind the cursor: only reading all of them makes up for that.
    """
    untold = {name: paths for name, paths in binding.unseen.items() if _untold(binding, name, paths)}
    if untold:
        with hub.store.begin() as work:
            work.raise_problems([_problem(hub, binding, name, paths) for name, paths in untold.items()])
    return bool(_remembered(hub, binding) - binding.unseen.keys())


def _untold(binding: Binding, name: str, paths: tuple[str, ...]) -> bool:
    """Neither told as drift nor accepted by a person."""
    return name not in binding.watched.told and not binding.watched.accepted.keys() >= set(paths)


def remember_unseen(hub: Hub, binding: Binding) -> None:
    """After a pass: what was missing in it, and an end to the problems of what is shown again."""
    before, now = _remembered(hub, binding), binding.unseen.keys()
    if before == now:
        return
    with hub.store.begin() as work:
        for name in before - now:
            work.solve_problems(binding.system, [binding.object.name], (UNSEEN,), hub.at(), field=name)
        work.put_fingerprint(_name(binding), ",".join(sorted(now)), hub.at())


def read_again(hub: Hub, work: Work, binding: Binding, names: Collection[str]) -> None:
    """Have all records read once in the next pass, as if these fields had been hidden until now."""
    known = work.fingerprint(_name(binding))
    missed = {*names, *(known.split(",") if known else ())}
    work.put_fingerprint(_name(binding), ",".join(sorted(missed)), hub.at())


class Hidden(NamedTuple):
    """What a record showed last of fields the account hides now: as `now` keeps it, and in the system's own ids."""

    values: Doc
    spoken: Doc


HIDES_NOTHING = Hidden({}, {})


def keep_hidden(
    hub: Hub, work: Work, binding: Binding, sightings: list[Sighting], known: Mapping[str, Known]
) -> list[Sighting]:
    """What records showed last of fields the account hides now: silence is no change, and no news for the guard."""
    if not binding.unseen:
        return sightings
    hidden = hidden_of(hub, work, binding, work.current([link.id for link in known.values()]))
    kept = {external: hidden[link.id] for external, link in known.items()}
    return [_with(seen, kept.get(seen.external_id, HIDES_NOTHING)) for seen in sightings]


def _with(seen: Sighting, hidden: Hidden) -> Sighting:
    if not hidden.spoken:
        return seen
    shown = seen.values
    now, spoken = canonical(hidden.values | shown), canonical(hidden.spoken | shown)
    return seen._replace(now=now.decode(), hash=digest(spoken))


def hidden_now(hub: Hub, binding: Binding, links: Sequence[Link]) -> dict[int, Hidden]:
    """The same of links outside a transaction."""
    if not binding.unseen:
        return {}
    with hub.store.begin() as work:
        return hidden_of(hub, work, binding, {link.id: link.now for link in links})


def hidden_of(hub: Hub, work: Work, binding: Binding, shown: Mapping[int, Doc]) -> dict[int, Hidden]:
    """Per link, from what it showed last; nothing where the account hides nothing."""
    if not binding.unseen:
        return {}
    shape = hub.book(binding.entity).shape
    fields = {name: shape.fields[name].reference for name in binding.unseen}
    values = {link: {n: v for n, v in now.items() if n in fields} for link, now in shown.items()}
    spoken = {link: dict(hidden) for link, hidden in values.items()}
    for name, entity in fields.items():
        if entity:
            _speak(work, binding.system, name, entity, spoken)
    return {link: Hidden(values[link], spoken[link]) for link in values}


def _speak(work: Work, system: str, name: str, entity: str, documents: Mapping[int, Doc]) -> None:
    """Put the system's own ids into a reference field, in place; also those it still waits for."""
    known = work.known_as(system, entity, {one[name] for one in documents.values() if one.get(name)})
    for one in documents.values():
        if one.get(name):
            one[name] = known.get(one[name], one[name])
    for link, waits in work.waiting_fields(documents).items():
        if name in waits:
            documents[link][name] = waits[name]


def _remembered(hub: Hub, binding: Binding) -> set[str]:
    with hub.store.begin() as work:
        known = work.fingerprint(_name(binding))
    return set(known.split(",")) if known else set()


def _name(binding: Binding) -> str:
    return f"{binding.system}/{binding.entity}/unseen"


def _problem(hub: Hub, binding: Binding, name: str, paths: tuple[str, ...]) -> Problem:
    return problem(hub, binding, binding.object.name, UNSEEN, sentence(name, paths), field=name, remedy=REMEDY)


def sentence(name: str, paths: tuple[str, ...]) -> str:
    """What is hidden, and what comes of it."""
    return f"the account does not show {', '.join(paths)}: {name} is neither read nor written there"
