"""Carries out what follows when a record is gone in a system: the decision of `fsm_core.sync.deletion` on the state.

No remote system is called here: what is to be deleted elsewhere is owed like any write (`push`).
Not here: merges in a system (`merges`), the answers people give (`resolve`), what goes out (`removal`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fsm_core.service.dependants import Counts, dependants_of
from fsm_core.service.hub import Hub
from fsm_core.service.loaded import ENGINE, Decided, Loaded, live_links, view_of
from fsm_core.service.merges import MERGE, is_followed
from fsm_core.service.problems import PARENT_ENDED, WRITES, problem
from fsm_core.service.questions import DELETE, RESTORE, ask, carried_out, may_create
from fsm_core.service.removal import DELETED_BY_US, deletes_there, tell_undeletable
from fsm_core.service.routing import routed
from fsm_core.state import ACTIVE, DELETED, LEFT, OVER, Conflict, Decision, Doc, Link, LinkState, Record, Work
from fsm_core.sync.deletion import ENDINGS, DeleteRule, Ending, Fate, Gone, decide_deletion
from fsm_core.sync.record import fields_with_news
from fsm_core.sync.types import HUB, Outcome, Verdict

DELETED_THERE, REPLACED = "deleted", "replaced"
"""`Link.method` of a link that ended: how; the last, where its record is created again."""
RETURNED, RESTORED = "returned", "restored"
"""`Link.method` of a link that came back, and of one that took the place of a deleted one."""
_GOODBYES = (DELETED_THERE, LEFT, DELETED_BY_US)


_PAST = (*WRITES, PARENT_ENDED)
"""Problems of a record that has none where it is gone."""


@dataclass(slots=True)
class Judged:
    """One record on which something was decided here."""

    one: Loaded
    ending: Ending
    links: Sequence[Link]
    by: str
    fields: dict[str, tuple[object, object]] = field(default_factory=dict)
    """What its agreed document says since, with what it said before."""


@dataclass(slots=True)
class _Page:
    """What one page of records brings about."""

    hub: Hub
    work: Work
    counts: Counts
    judged: list[Judged] = field(default_factory=list)
    asked: list[Conflict] = field(default_factory=list)
    answered: list[Conflict] = field(default_factory=list)
    moved: list[Link] = field(default_factory=list)

    def move(self, links: Sequence[Link], state: LinkState, method: str) -> None:
        """Give links their new state, in memory and for the end of the page."""
        for link in links:
            link.state, link.method = state, method
        self.moved += links


def judge(hub: Hub, work: Work, loaded: Sequence[Loaded]) -> list[Judged]:
    """Decide on every record of a page that is gone or back somewhere; to be called before its fields are decided."""
    concerned = [one for one in loaded if _concerned(one)]
    if not concerned:
        return []
    page = _Page(hub, work, _dependants(hub, work, concerned))
    for one in concerned:
        _come_back(page, one)
        _alive_again(page, one)
        if not _as_answered(page, one):
            _as_ruled(page, one)
        _moot(page, one)
    _keep(page)
    work.change_records([one.record for one in concerned])
    return page.judged


def _concerned(one: Loaded) -> bool:
    if any(link.state == LinkState.ENDED or _is_back(link) for link in one.links):
        return True
    return one.record.lifecycle in (DELETED, OVER) or any(c.type in (DELETE, MERGE) for c in one.conflicts)


def _is_back(link: Link) -> bool:
    return link.state == LinkState.LIVE and link.method in _GOODBYES


def _dependants(hub: Hub, work: Work, loaded: Sequence[Loaded]) -> Counts:
    delete = hub.book(loaded[0].record.entity).delete
    gone = [one.record.id for one in loaded if any(link.state == LinkState.ENDED for link in one.links)]
    return dependants_of(hub, work, gone, delete.block_if) if delete and delete.block_if and gone else {}


# -- back again ----------------------------------------------------------------------------------


def _come_back(page: _Page, one: Loaded) -> None:
    """What a system shows again belongs to its record again, and what was done for its deletion is in question."""
    back = [link for link in one.links if _is_back(link)]
    if not back:
        return
    ending = decide_deletion(DeleteRule(), Gone(back=True))
    _revive(page, one)
    for link in back:
        _say_anew(one.record, link)
    page.move(back, LinkState.LIVE, RETURNED)
    page.judged.append(Judged(one, ending, back, ENGINE))


def _revive(page: _Page, one: Loaded) -> None:
    """The record lives; what the hub deleted for it is created again."""
    if one.record.lifecycle in (DELETED, OVER):
        one.record.lifecycle = ACTIVE
        one.record.version += 1
        ours = [x for x in one.links if x.state == LinkState.UNLINKED and x.method == DELETED_BY_US]
        page.move(ours, LinkState.MERGED, REPLACED)


def _say_anew(record: Record, link: Link) -> None:
    """A status that was set because of the deletion is news again where the record is back: its rule decides."""
    for name, told in record.provenance.items():
        if isinstance(told, dict) and told.get("ended") and link.base is not None and name in link.now:
            link.base = {**link.base, name: record.document.get(name)}


def _alive_again(page: _Page, one: Loaded) -> None:
    """A deleted record of which there is a new one, or one that was edited before it could be deleted, is not over."""
    record = one.record
    if record.lifecycle not in (DELETED, OVER):
        return
    live = live_links(one.links)
    if any(link.base is None for link in live):
        _revive(page, one)
    elif record.lifecycle == DELETED and any(
        (link.system == HUB or deletes_there(page.hub, link)) and _news(page.hub, one, link) for link in live
    ):
        record.lifecycle = ACTIVE
        record.version += 1
        gone = [x for x in one.links if x.state == LinkState.UNLINKED and x.method == DELETED_THERE]
        page.move(gone, LinkState.ENDED, DELETED_THERE)


# -- gone ----------------------------------------------------------------------------------------


def _as_ruled(page: _Page, one: Loaded) -> None:
    there = {link.system for link in live_links(one.links)}
    ended = [link for link in one.links if link.state == LinkState.ENDED and not is_followed(page.work, link)]
    ended = [link for link in ended if not (link.merged_into and link.system in there)]
    left = [link for link in ended if link.method == LEFT]
    if left:
        _enact(page, one, left, decide_deletion(DeleteRule(), Gone(left=True)))
    alone = not live_links(one.links)
    merging = {c.snapshot.get("link") for c in one.conflicts if c.type == MERGE}
    asked = {c.snapshot.get("link") for c in one.conflicts if c.type == DELETE and c.state == "open"}
    gone = [link for link in ended if link not in left and link.id not in merging and (alone or link.id not in asked)]
    if gone:
        rule = page.hub.book(one.record.entity).deletion(_agreed(page.hub, one))
        ending = decide_deletion(rule, _facts(page, one, gone, rule, alone=alone))
        if ending.fate is Fate.CONFLICT_DELETE:
            gone = [link for link in gone if link.id not in asked]
        _enact(page, one, gone, ending, rule.on_owner_delete)


def _agreed(hub: Hub, one: Loaded) -> Mapping[str, object]:
    return one.ruled(hub.book(one.record.entity))


def _facts(page: _Page, one: Loaded, gone: Sequence[Link], rule: DeleteRule, *, alone: bool) -> Gone:
    hub, shape = page.hub, page.hub.book(one.record.entity).shape
    return Gone(
        deleted_in=frozenset(link.system for link in gone),
        alone=alone,
        over=one.record.lifecycle in (DELETED, OVER),
        merged=any(link.merged_into for link in gone),
        edited=_edited(hub, one),
        dependants=page.counts.get(one.record.id, {}),
        sayable=shape.ending(rule.on_owner_delete) is not None,
        creatable=all(may_create(hub, link.system, link.entity) for link in gone),
        restored=max(restorations(one.links, link.system) for link in gone),
    )


def _edited(hub: Hub, one: Loaded) -> frozenset[str]:
    """Systems that still have the record and said something that nobody settled yet."""
    live = {link.system: link for link in live_links(one.links)}
    news = {system for system, link in live.items() if _news(hub, one, link)}
    return frozenset(news | {p.system for p in one.proposals if p.state == "open" and p.system in live})


def _news(hub: Hub, one: Loaded, link: Link) -> bool:
    return bool(fields_with_news(hub.book(one.record.entity).shape, [view_of(hub, link, one.attempts)]))


def restorations(links: Sequence[Link], system: str) -> int:
    """How often a record was created again in a system."""
    return sum(link.system == system and link.method == REPLACED for link in links)


def replaced_in(links: Sequence[Link]) -> set[str]:
    """Systems in which a record is to be created again."""
    present = {link.system for link in links if link.method != REPLACED}
    return {link.system for link in links if link.method == REPLACED} - present


# -- carrying it out -----------------------------------------------------------------------------


def _as_answered(page: _Page, one: Loaded) -> bool:
    """Do what a person decided on a deletion; whether anything was to be done."""
    done = False
    for conflict in [c for c in one.conflicts if c.type == DELETE and c.state == "decided"]:
        mine = conflict.snapshot["link"]
        links = [x for x in one.links if x.state == LinkState.ENDED and (x.id == mine or not x.merged_into)]
        if not any(link.id == mine for link in links):
            continue
        conflict.state = "resolved"
        page.answered.append(conflict)
        word = carried_out(page.hub, one.record.entity)
        if conflict.resolution["take"] == RESTORE:
            links = [link for link in links if link.id == mine]
            fate = Fate.RESTORE
        elif not live_links(one.links):
            fate = Fate.END
        else:
            fate = Fate.DEACTIVATE if word in ENDINGS else Fate(word.upper())
        _enact(page, one, links, Ending(fate, f"decided by {conflict.resolved_by}"), word, conflict.resolved_by)
        done = True
    return done


def _enact(
    page: _Page, one: Loaded, links: Sequence[Link], ending: Ending, word: str = "deactivate", by: str = ENGINE
) -> None:
    judged = Judged(one, ending, links, by)
    method = LEFT if links and links[0].method == LEFT else DELETED_THERE
    match ending.fate:
        case Fate.CONFLICT_DELETE:
            asked = [ask(page.hub, one.record, link, ending.note) for link in links]
            page.asked += asked
            one.conflicts += asked
            return
        case Fate.RESTORE:
            page.move(links, LinkState.MERGED, REPLACED)
        case Fate.DEACTIVATE | Fate.DELETE:
            _say_end(page, judged, word if ending.fate is Fate.DEACTIVATE else "deactivate")
            if ending.fate is Fate.DELETE:
                one.record.lifecycle = DELETED
            page.move(links, LinkState.UNLINKED, method)
        case Fate.END:
            one.record.lifecycle = OVER
            page.move(links, LinkState.UNLINKED, method)
        case _:
            page.move(links, LinkState.UNLINKED, method)
    one.record.version += 1
    one.record.updated_at = page.hub.at()
    page.judged.append(judged)


def _say_end(page: _Page, judged: Judged, word: str) -> None:
    """The agreed status says that the record is over; the other systems are told like of any value."""
    record, link = judged.one.record, judged.links[0]
    found = page.hub.book(record.entity).shape.ending(word)
    if found is None or record.document.get(found[0]) == found[1]:
        return
    name, code = found
    judged.fields[name] = (record.document.get(name), code)
    record.document = {**record.document, name: code}
    record.provenance[name] = {
        "run": page.hub.run, "rules": page.hub.rulebook.version, "note": f"deleted in {link.system}", "ended": True,
        "system": link.system, "at": link.changed_at, "by": link.changed_by,
    }  # fmt: skip


def _moot(page: _Page, one: Loaded) -> None:
    """A question about the end of a link that is not at its end any more is none."""
    ended = {link.id for link in one.links if link.state == LinkState.ENDED}
    alive = {link.id for link in live_links(one.links)}
    for conflict in one.conflicts:
        if conflict.type not in (DELETE, MERGE) or conflict.state not in ("open", "decided"):
            continue
        link = conflict.snapshot.get("link")
        if link in alive or (conflict.type == DELETE and link not in ended):
            conflict.state, conflict.resolved_by, conflict.resolved_at = "closed", ENGINE, page.hub.at()
            page.answered.append(conflict)


# -- keeping it ----------------------------------------------------------------------------------


def _keep(page: _Page) -> None:
    hub, work, at = page.hub, page.work, page.hub.at()
    work.place([(link.id, link.record, link.state, link.method) for link in page.moved])
    gone = [link for link in page.moved if link.state != LinkState.LIVE]
    for system in sorted({link.system for link in gone}):
        work.solve_problems(system, [link.external_id for link in gone if link.system == system], _PAST, at)
    work.add_conflicts(routed(hub, page.asked))
    work.change_conflicts(page.answered)
    work.write_decisions(hub.run, at, [_decision(hub, judged) for judged in page.judged])
    over = [judged.one.record.id for judged in page.judged if judged.ending.fate in (Fate.END, Fate.DELETE)]
    _tell_children(hub, work, over)
    back = [judged.one.record.id for judged in page.judged if judged.ending.fate is Fate.RESTORE_LINK]
    _tell_children(hub, work, back, over=False)
    tell_undeletable(hub, work, [judged.one for judged in page.judged if judged.ending.fate is Fate.DELETE])


def _decision(hub: Hub, judged: Judged) -> Decision:
    content: Doc = {
        "rules": hub.rulebook.version,
        "version": judged.one.record.version,
        "outcome": judged.ending.fate.value,
        "note": judged.ending.note,
        "links": [[link.system, link.external_id, link.changed_by] for link in judged.links],
        "fields": {
            name: {"outcome": Outcome.ACCEPT.value, "from": old, "to": new, "note": judged.ending.note}
            for name, (old, new) in judged.fields.items()
        },
    }
    record = judged.one.record
    return Decision(hub.ids.text(), record.id, record.entity, judged.by, DELETE, content)


def _tell_children(hub: Hub, work: Work, parents: Sequence[str], *, over: bool = True) -> None:
    """Who refers to a record that is over is told, once; who refers to one that is back is told no more."""
    rows = work.children(parents) if parents else []
    if not rows:
        return
    links = {link.id: link for link in work.links({number for number, _, _ in rows})}
    told = [(links[number], name, parent) for number, name, parent in rows if links[number].state == LinkState.LIVE]
    if not over:
        for link, name, _ in told:
            work.solve_problems(link.system, [link.external_id], (PARENT_ENDED,), hub.at(), field=name)
        return
    work.raise_problems(
        [
            problem(
                hub, hub.bindings[link.system, link.entity], link.external_id, PARENT_ENDED,
                f"refers to {parent}, which was deleted", field=name, record=link.record,
                remedy="Let it refer to another record there, or delete it too.",
            )
            for link, name, parent in told
            if (link.system, link.entity) in hub.bindings
        ]
    )  # fmt: skip


def with_endings(decided: Sequence[Decided], judged: Sequence[Judged]) -> None:
    """What the deletions made of agreed values counts like what the rules of the fields made of them."""
    fields = {one.one.record.id: one for one in judged if one.fields}
    for one in decided if fields else ():
        found = fields.get(one.loaded.record.id)
        for name, (_, code) in found.fields.items() if found else ():
            if one.loaded.record.document.get(name) == code:
                one.verdicts[name] = Verdict(Outcome.ACCEPT, code, note="deleted")
                one.changed = True
