"""Lives with what a system changed of its own fields: compares before a round, stops or holds what it concerns, tells.

What an account said is kept per system and entity and moves on by itself, except for what drifts: that stays known as
it was until it is so again, the mapping follows, or a person accepts it.
Not here: what a difference means (`fsm_core.drift`), and fields that were never shown (`unseen`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from fsm_core.drift import compare
from fsm_core.drift.compare import Described, advanced, changes, packed, unpacked
from fsm_core.drift.kinds import MISREAD, NO_FIELD, TIGHTER, Accepted, Drift, Kind, Policies, Policy, Watched, cause
from fsm_core.drift.meaning import Mapped, described, drifts, stops
from fsm_core.errors import Drift as DriftError
from fsm_core.errors import Invalid, NotFound
from fsm_core.service.hub import Binding, Hub, without
from fsm_core.service.problems import WRITES, problem
from fsm_core.service.unseen import read_again
from fsm_core.state import Decision, Doc, Problem, Reason, Work
from fsm_core.sync.record import UNDELIVERABLE

USUAL = Policies()
Key = tuple[str, str]

# -- before a round --------------------------------------------------------------------------------


def watch(
    hub: Hub, bindings: Mapping[Key, Binding], policies: Mapping[str, Policies] | None = None
) -> dict[Key, Binding]:
    """The same bindings as drift leaves them: without what is held, or with the fault that stops them.

    Nothing is stored: a round does that (`tell_drift`).
    """
    with hub.store.begin() as work:
        known = work.descriptions()
    chosen = policies or {}
    return {
        key: _watched(hub, binding, unpacked(known[key]), chosen.get(key[0], USUAL))
        if _asked(key, known, binding)
        else binding
        for key, binding in bindings.items()
    }


def _asked(key: Key, known: Mapping[Key, Doc], binding: Binding) -> bool:
    """Whether there is something to compare: an object that is hidden as a whole says nothing of its fields."""
    return key in known and bool(binding.capabilities.fields)


def _watched(hub: Hub, binding: Binding, before: Described, policies: Policies) -> Binding:
    now = Described.of(binding.capabilities)
    found = drifts(changes(before, now), mapped_of(binding), hub.book(binding.entity), policies)
    accepted = {path: one for path, one in before.accepted.items() if path not in now.fields}
    if not found and not accepted:
        return binding
    held: defaultdict[str, list[str]] = defaultdict(list)
    for one in found:
        if one.policy is Policy.HOLD and one.kind not in (*NO_FIELD, Kind.RIGHT_LOST, Kind.REQUIRED):
            for name in one.fields:
                held[name].append(one.path)
    if held:
        binding = without(binding, {name: tuple(paths) for name, paths in held.items()})
    return replace(binding, watched=Watched(tuple(found), accepted), fault=binding.fault or _fault(binding, found))


def _fault(binding: Binding, found: Sequence[Drift]) -> DriftError | None:
    """Why the entity stops there; the first of several says so, problems tell of all."""
    stopping = stops(found)
    if not stopping:
        return None
    first, paths = stopping[0], ", ".join(one.path for one in stopping)
    return DriftError(
        first.sentence, system=binding.system, object=binding.object.name, field=paths, remedy=first.remedy
    )


def mapped_of(binding: Binding) -> Mapped:
    """What the mapping as it is written does with the account's paths."""
    whole = binding.whole
    named = {name: whole.paths_of(name) for name in whole.canonical_fields}
    filled = {path for name in whole.canonical_fields if whole.creatable(name) for path in whole.bare_of(name)}
    return Mapped(
        binding.system,
        binding.entity,
        named,
        frozenset({*whole.essential, *filter(None, (whole.object.key,))}),
        whole.object.key,
        frozenset(filled | {whole.object.key, *whole.given}),
        _codes(binding),
        lambda path, code: not whole.decode({path: code}).faults,
        frozenset(name for name in named if whole.writable(name) or whole.creatable(name)),
    )


def _codes(binding: Binding) -> dict[str, frozenset[str]]:
    """Per path with a table of codes, the codes that are written."""
    found: dict[str, frozenset[str]] = {}
    for row in binding.whole.describe_rows():
        name = row.canonical.partition(".")[0]
        pairs = zip(binding.whole.native_of(name), binding.whole.bare_of(name), strict=True)
        if row.values:
            codes = frozenset(native for _, native in row.values)
            found |= {bare: codes for path, bare in pairs if path in row.native.split(", ")}
    return found


# -- in a round ------------------------------------------------------------------------------------


def tell_drift(hub: Hub, entity: str, only: Collection[str] = ()) -> list[tuple[str, Drift]]:
    """A problem per drift, an end to those of before, and what is known from now on; returns all drift there is."""
    every = {key: one for key, one in {**hub.bindings, **hub.stopped}.items() if key[1] == entity}
    asked = {key: one for key, one in sorted(every.items()) if one.capabilities.fields and (not only or key[0] in only)}
    with hub.store.begin() as work:
        known = work.descriptions()
        rows = {key: _told(hub, work, binding, known.get(key)) for key, binding in asked.items()}
        work.put_descriptions({key: row for key, row in rows.items() if row != known.get(key)}, hub.at())
    return [(key[0], one) for key, binding in asked.items() for one in binding.watched.drifts]


def _told(hub: Hub, work: Work, binding: Binding, kept: Doc | None) -> Doc:
    """What is known of a binding after this round."""
    now = Described.of(binding.capabilities)
    if kept is None:
        return packed(now)
    found, before = binding.watched.drifts, unpacked(kept)
    told = frozenset((str(one.kind), one.subject) for one in found)
    work.raise_problems(_problems(hub, binding, found))
    _end(hub, work, binding, before.told - told)
    paths = {one.path for one in found}
    return packed(replace(advanced(before, now, paths, mapped_of(binding).used), told=told))


def _problems(hub: Hub, binding: Binding, found: Sequence[Drift]) -> list[Problem]:
    """One per kind and field: a group may have lost several of its members."""
    grouped: defaultdict[tuple[Kind, str], list[Drift]] = defaultdict(list)
    for one in found:
        grouped[one.kind, one.subject].append(one)
    return [
        problem(hub, binding, binding.entity, cause(kind), _joined(some), field=subject, remedy=some[0].remedy)
        for (kind, subject), some in grouped.items()
    ]


def _joined(some: Sequence[Drift]) -> str:
    return "; ".join(dict.fromkeys(part for one in some for part in (one.message, *one.means)))


def _end(hub: Hub, work: Work, binding: Binding, ended: Collection[tuple[str, str]]) -> None:
    """The cause is gone: what was not read is read, and what a field did not take is tried again."""
    for kind, subject in sorted(ended):
        work.solve_problems(binding.system, [binding.entity], [cause(Kind(kind))], hub.at(), field=subject)
    misread = {subject for kind, subject in ended if Kind(kind) in MISREAD}
    if misread:
        read_again(hub, work, binding, misread)
    wider = {subject for kind, subject in ended if Kind(kind) in (*TIGHTER, Kind.RIGHT_LOST)}
    if wider:
        _try_again(hub, work, binding, wider)


def _try_again(hub: Hub, work: Work, binding: Binding, fields: Collection[str]) -> None:
    after = 0
    while links := work.refused_links(binding.system, binding.entity, fields, after, hub.page):
        for link in links:
            link.holds = {n: why for n, why in link.holds.items() if n not in fields or why != UNDELIVERABLE}
        work.settle_links(links)
        ids = [link.external_id for link in links]
        for name in sorted(fields):
            work.solve_problems(binding.system, ids, WRITES, hub.at(), field=name)
        due = [(link.record, Reason.DELIVER, binding.system, hub.at()) for link in links if link.record]
        work.mark_dirty(binding.entity, due)
        after = links[-1].id


# -- a person --------------------------------------------------------------------------------------


def accept(hub: Hub, system: str, entity: str, path: str, by: str) -> list[Drift]:
    """Take what changed at a path ("" for all) as known: it stops and holds no more. Raises `NotFound`, `Invalid`."""
    binding = {**hub.bindings, **hub.stopped}.get((system, entity))
    chosen = [one for one in (binding.watched.drifts if binding else ()) if path in ("", one.path)]
    if binding is None or not chosen:
        what = f"{path} of {entity}" if path else entity
        raise NotFound(f"nothing drifted: {what} in {system}", remedy="See 'fsm-hub drift list'.")
    mapped, required = mapped_of(binding), hub.book(entity).shape.required
    vital = [one for one in chosen if one.kind in NO_FIELD and _vital(one, mapped, required)]
    if vital:
        message = f"{vital[0].path} cannot be done without: no {entity} is synchronised with {system} while it is gone"
        raise Invalid(message, system=system, field=vital[0].path, remedy=vital[0].remedy)
    with hub.running("drift"), hub.store.begin() as work:
        known = unpacked(work.descriptions()[system, entity])
        row = packed(_taken(hub, binding, known, chosen, by))
        work.put_descriptions({(system, entity): row}, hub.at())
        for one in chosen:
            work.solve_problems(system, [entity], [cause(one.kind)], hub.at(), field=one.subject)
        if misread := {one.subject for one in chosen if one.kind is Kind.TYPE_CHANGED}:
            read_again(hub, work, binding, misread)
        content: Doc = {"system": system, "drift": [described(one) for one in chosen]}
        subject = f"{system}/{entity}"
        told = Decision(hub.ids.text(), subject, entity, by, "drift accepted", content)
        work.write_decisions(hub.run, hub.at(), [told])
    return chosen


def _vital(one: Drift, mapped: Mapped, required: Collection[str]) -> bool:
    return one.path in mapped.essential or any(name in required for name in one.fields)


def _taken(hub: Hub, binding: Binding, known: Described, chosen: Sequence[Drift], by: str) -> Described:
    now, paths = binding.capabilities.fields, {one.path for one in chosen}
    gone = {path: Accepted(by, hub.at()) for path in paths if path not in now}
    fields = {path: able for path, able in known.fields.items() if path not in paths}
    fields |= {path: now[path] for path in paths if path in now}
    told = known.told - {(str(one.kind), one.subject) for one in chosen}
    return compare.Described(fields, known.others, {**known.accepted, **gone}, told)
