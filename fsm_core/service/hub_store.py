"""The hub's own store as a system: what persons say here is an observation of `hub` and passes the same rules.

Its link takes part only while it says something that is not agreed, or while no other system holds the record; what is
decided comes back to it at once, without a write. Not here: the decision (`decide`), how a value is typed (`model`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from fsm_core.errors import Invalid
from fsm_core.model.entity import EntityShape
from fsm_core.model.typed import checked, known
from fsm_core.ownership.book import EntityBook
from fsm_core.service.deciding import deciding, living, tell
from fsm_core.service.hub import Hub
from fsm_core.service.keys import keys_of, numbered, replace_keys
from fsm_core.service.loaded import Decided, Loaded
from fsm_core.service.pins import rules_of
from fsm_core.service.place import USABLE
from fsm_core.service.values import referred
from fsm_core.state import Conflict, Doc, Link, LinkState, Problem, Reason, Record, Work
from fsm_core.state_references import Reference
from fsm_core.sync.types import HUB, Policy

EDIT, CREATE = "edit", "enter"
"""Kinds of decision: a person changed a record here, or entered a new one."""


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a person's word."""

    record: str
    """The id of the record; of a new one the id it gets unless it turns out to be known already."""
    changes: dict[str, list[object]] = field(default_factory=dict)
    """Per field what the hub said before and says now; without those that say the same."""


# -- what a person says --------------------------------------------------------------------------


def edit(hub: Hub, entity: str, record: str, values: Mapping[str, object], by: str, note: str = "") -> Said:
    """Say something else of a record; the next round decides it. What is said already changes nothing.

    Raises `Invalid` for an unknown field, a value it cannot hold, and a field that each system keeps for itself.
    """
    shape = hub.book(entity).shape
    known(shape, list(values))
    with deciding(hub) as work:
        one = living(work, entity, record)
        _not_local(hub, work, one, values)
        said = _meant(work, shape, values)
        link = _own_link(work, record)
        shown = {**one.document, **(link.now if link and link.state == LinkState.LIVE else {})}
        changes = {n: [shown.get(n), v] for n, v in said.items() if not shape.fields[n].same(shown.get(n), v)}
        if changes:
            _observe(hub, work, one, link, {name: said[name] for name in changes}, by)
            told = {"system": HUB, "values": changes, "note": note}
            tell(hub, work, by, EDIT, entity, record, told)
            work.mark_dirty(entity, [(record, Reason.DECISION, "", hub.at())])
    return Said(record, changes)


def enter(hub: Hub, entity: str, values: Mapping[str, object], by: str, note: str = "") -> Said:
    """Enter a new record; the next round places it as it places those of any system: born, linked, or asked about.

    Raises `Invalid` where the rules let nobody create records here, for values that are no whole record, and for a
    strong key that is known already.
    """
    book = hub.book(entity)
    known(book.shape, list(values))
    _may_create(book, entity)
    with deciding(hub) as work:
        said = {name: value for name, value in _meant(work, book.shape, values).items() if value is not None}
        for name, message in book.shape.faults(said):
            remedy = f"A {entity} needs: {', '.join(book.shape.required)}."
            raise Invalid(f"no {entity} yet: {message}", field=name, remedy=remedy)
        _unknown(hub, work, book, entity, said)
        record = hub.ids.text()
        link = _new_link(hub, entity, record, said, by)
        work.insert_links([link], hub.run, hub.at())
        replace_keys(hub, work, entity, (), [(link.id, link.now)])
        _refer(work, book.shape, [link])
        changes: dict[str, list[object]] = {name: [None, value] for name, value in said.items()}
        work.write_journal(hub.run, hub.at(), [(link.id, by, changes)])
        tell(hub, work, by, CREATE, entity, record, {"system": HUB, "values": said, "note": note})
    return Said(record, changes)


def _meant(work: Work, shape: EntityShape, values: Mapping[str, object]) -> Doc:
    return {name: referred(work, shape.fields[name], checked(shape, name, value)) for name, value in values.items()}


def _not_local(hub: Hub, work: Work, record: Record, names: Collection[str]) -> None:
    rules = rules_of(hub, work, record)
    for name in names:
        if rules[name].policy is Policy.LOCAL:
            raise Invalid("each system keeps this field for itself", field=name, remedy="Edit it in the system.")


def _may_create(book: EntityBook, entity: str) -> None:
    if HUB in book.creators:
        return
    others = ", ".join(sorted(book.creators)) or "nobody"
    remedy = f"Enter it in one of them, or bind a role to 'hub' and add it to {entity}.create.allowed."
    raise Invalid(f"the rules let {others} create a {entity}, not the hub", remedy=remedy)


def _unknown(hub: Hub, work: Work, book: EntityBook, entity: str, said: Doc) -> None:
    """Nothing that is there is known by one of these strong keys yet."""
    strong = {"+".join(names) for names in book.keys}
    ((_, keys),) = keys_of(hub, entity, [(0, said)])
    names = {numbered(entity, [key])[0]: key for key in keys if key[0] in strong}
    found = {link: names[key] for key, link in work.sharing(set(names))}
    for link in work.links(found):
        if link.entity == entity and link.state in USABLE:
            name, value = found[link.id]
            remedy = f"Edit that one: 'fsm-hub record set {entity} {link.record or link.external_id} ...'."
            raise Invalid(f"{link.system} {link.external_id} has {value} already", field=name, remedy=remedy)


def _own_link(work: Work, record: str) -> Link | None:
    """The record's link of the hub's own store, at work or quiet."""
    mine = [x for x in work.links_of([record]) if x.system == HUB and x.state in (LinkState.LIVE, LinkState.QUIET)]
    return min(mine, key=lambda link: (link.state != LinkState.LIVE, link.id), default=None)


def _new_link(hub: Hub, entity: str, id: str, shown: Doc, by: str) -> Link:  # noqa: A002 - as in the table
    (number,) = hub.ids.numbers(1)
    return Link(number, HUB, entity, id, entity, None, LinkState.LIVE, shown, changed_at=hub.at(), changed_by=by)


def _free_name(hub: Hub, work: Work, record: Record) -> str:
    """The record's own id, unless what was said of it went with another record when they were merged or parted."""
    taken = work.known_links(HUB, record.entity, record.entity, [record.id])
    return hub.ids.text() if taken else record.id


def _observe(hub: Hub, work: Work, record: Record, link: Link | None, said: Doc, by: str) -> None:
    """The hub shows this now; where it had nothing to say before, it was settled on what is agreed."""
    at, new = hub.at(), link is None
    link = link or _new_link(hub, record.entity, _free_name(hub, work, record), {}, by)
    before = {name: link.now.get(name, record.document.get(name)) for name in said}
    shown = dict(link.now)
    link.record, link.state, link.method = record.id, LinkState.LIVE, link.method or "person"
    link.base = {name: record.document.get(name) for name in said if name not in link.now} | (link.base or {})
    link.now = {**link.now, **said}
    link.changed_at, link.changed_by, link.hash = at, by, b""
    if new:
        work.insert_links([link], hub.run, at)
    else:
        work.show_links([link], hub.run, at)
        work.settle_links([link])
    work.write_journal(hub.run, at, [(link.id, by, {name: [before[name], value] for name, value in said.items()})])
    replace_keys(hub, work, record.entity, [(link.id, shown)], [(link.id, link.now)])
    _refer(work, hub.book(record.entity).shape, [link])


def _refer(work: Work, shape: EntityShape, links: Sequence[Link]) -> None:
    """Keep what these links refer to, as for a link of any system."""
    fields = [name for name, one in shape.fields.items() if one.reference]
    if fields:
        work.drop_references([link.id for link in links])
        rows = [Reference(link.now[name], link.id, name) for link in links for name in fields if link.now.get(name)]
        work.put_references(rows)


# -- in a round ----------------------------------------------------------------------------------


def rest(loaded: Mapping[str, Loaded]) -> None:
    """Take the hub out of records in which it has nothing open to say, as if nobody had ever edited here."""
    for one in loaded.values():
        if any(link.system == HUB for link in one.links):
            one.links = [link for link in one.links if link.system != HUB or link.state != LinkState.QUIET]
            for link in _own(one):
                _keep_open(one, link, _open(one.conflicts, link))


def come_back(hub: Hub, work: Work, decided: Sequence[Decided]) -> None:
    """What was decided on records of one entity is what the hub's own store says, but for what is open."""
    mine = [(one, link) for one in decided for link in _own(one.loaded)]
    if not mine:
        return
    for one, link in mine:
        _agree(hub.book(link.entity).shape, one, link)
    links = [link for _, link in mine]
    before = work.current([link.id for link in links])  # `rest` took out of them what was agreed
    work.settle_links(links)
    _rewritten(hub, work, links[0].entity, list(before.items()), links)


def _own(one: Loaded) -> list[Link]:
    return [link for link in one.links if link.system == HUB and link.state in (LinkState.LIVE, LinkState.QUIET)]


def _agree(shape: EntityShape, one: Decided, link: Link) -> None:
    open_, agreed = _open((*one.loaded.conflicts, *one.new_conflicts), link), one.loaded.record.document
    base = {} if link.base is None else link.base
    for name in link.now.keys() - open_:
        if not shape.fields[name].same(link.now[name], agreed.get(name)):
            link.now[name] = agreed.get(name)
        base[name] = link.now[name]
    link.base = base
    _keep_open(one.loaded, link, open_)


def _open(conflicts: Sequence[Conflict], link: Link) -> set[str]:
    """Fields of which the hub says something that is not decided: news, in question, or let stand."""
    asked = {c.field for c in conflicts if c.type == "field" and c.state in ("open", "decided")}
    base = link.base or {}
    news = {name for name, value in link.now.items() if name not in base or base[name] != value}
    return news | (link.now.keys() & (asked | link.holds.keys()))


def _keep_open(one: Loaded, link: Link, open_: Collection[str]) -> None:
    """Beside other systems the hub speaks of what is open and of nothing else.

    Alone it speaks for the record, also to those who meet it for the first time.
    """
    if not any(x.state == LinkState.LIVE and x.system != HUB and x.base is not None for x in one.links):
        return
    link.now = {name: value for name, value in link.now.items() if name in open_}
    link.base = {name: value for name, value in (link.base or {}).items() if name in open_}
    link.state = LinkState.LIVE if link.now else LinkState.QUIET


def born_as(links: Sequence[Link]) -> str:
    """The id that a person was told of a new record; empty where nobody entered it here."""
    return next((link.external_id for link in links if link.system == HUB), "")


def unborn(hub: Hub, link: Link, cause: str, message: str) -> Problem:
    """What was entered here cannot become a record."""
    at = hub.at()
    remedy = f"Let the hub create a {link.entity} in the rules, then 'fsm-hub problems retry'; or enter it in a system."
    where = (link.entity, HUB, link.object, link.external_id)
    return Problem(hub.ids.text(), *where, None, "", cause, message, remedy, "open", at, at)


# -- two of ours become one -----------------------------------------------------------------------


def fold(hub: Hub, work: Work, links: Sequence[Link]) -> list[int]:
    """Of several links of the hub's own store that are one record, one says it all; returns the others."""
    mine = sorted((x for x in links if x.system == HUB), key=lambda link: (link.record is None, link.id))
    if len(mine) <= 1:
        return []
    kept, *others = mine
    before = [(link.id, dict(link.now)) for link in mine]
    for other in others:
        changes = {n: [kept.now.get(n), value] for n, value in other.now.items() if kept.now.get(n) != value}
        work.write_journal(hub.run, hub.at(), [(kept.id, other.changed_by, changes)])
        kept.now, other.now = {**kept.now, **other.now}, {}
    _rewritten(hub, work, kept.entity, before, mine)
    return [link.id for link in others]


def _rewritten(hub: Hub, work: Work, entity: str, before: Sequence[tuple[int, Doc]], links: Sequence[Link]) -> None:
    work.rewrite_links(links)
    replace_keys(hub, work, entity, before, [(link.id, link.now) for link in links])
    _refer(work, hub.book(entity).shape, links)


# -- merges --------------------------------------------------------------------------------------


def follow(hub: Hub, work: Work, links: Sequence[Link], old: Record, new: Record) -> None:
    """The hub's link of a record that was merged away: what is open in it meets the survivor for the first time."""
    mine = [link for link in links if link.system == HUB and link.record == old.id and link.state == LinkState.LIVE]
    theirs = [link for link in links if link.system == HUB and link.record == new.id and link.state == LinkState.LIVE]
    before = [(link.id, dict(link.now)) for link in (*mine, *theirs)]
    for link in mine:
        open_ = _open((), link)
        said = {name: value for name, value in link.now.items() if name in open_}
        link.record, link.base, link.sent, link.holds, link.now = new.id, None, {}, {}, said
        if theirs:
            theirs[0].now, link.now = {**said, **theirs[0].now}, {}
        if not link.now:
            link.state = LinkState.MERGED
    work.settle_links(mine)
    _rewritten(hub, work, new.entity, before, [*mine, *theirs])
