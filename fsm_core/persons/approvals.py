"""Four eyes: what one person asks for takes another person's word. Later features ask here and look here.

Not here: what is done once it is approved; that belongs to whoever asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from fsm_core.errors import BadMapping, Denied, Invalid, LoginNeeded
from fsm_core.persons.desk import Desk
from fsm_core.persons.rights import Act, Actor, allowed, require
from fsm_core.persons.state import APPROVED, OPEN, REJECTED, Approval, PersonWork

KINDS: Mapping[str, Act] = {"change": Act.APPROVE, "money": Act.APPROVE_MONEY, "rules": Act.APPROVE}
"""What may be asked for, and what an approver must be allowed to do."""


def objection(approver: Actor, kind: str, asked_by: str) -> str:
    """Why this person may not approve what that one asked for; "" when nothing speaks against it."""
    if not approver.person:
        return "an approval takes two persons, and nobody is logged in"
    if approver.name == asked_by:
        return f"{asked_by} asked for it, and nobody approves his own"
    return "" if allowed(approver, _act(kind)) else f"{approver.name} may not {_act(kind)}"


def ask(desk: Desk, by: Actor, what: str, kind: str, note: str) -> Approval:
    """Ask for the word of another person on the thing with this hash; what is open already is not asked twice."""
    _act(kind)
    if not by.person:
        raise LoginNeeded("an approval takes two persons, and nobody is logged in")
    with desk.changing() as work:
        known = next((one for one in work.approvals(what, kind) if one.state == OPEN), None)
        if known is not None:
            return known
        made = Approval(desk.hub.ids.text(), what, kind, note, by.name, desk.hub.at())
        work.add_approval(made)
        desk.tell(work, by.name, "approval asked", made.id, {"what": what, "kind": kind, "note": note})
    return made


def answer(desk: Desk, by: Actor, approval: Approval, *, approve: bool) -> Approval:
    """Approve or reject, as a second person; whoever asked may take it back. Raises `Denied`, `Invalid`."""
    if approve or by.name != approval.asked_by or not by.person:
        _second_person(by, approval)
    with desk.changing() as work:
        now = work.approval(approval.id)
        if now is None or now.state != OPEN:
            raise Invalid(f"approval {approval.id} is {now.state if now else 'gone'}", remedy="List the open ones.")
        now.state = APPROVED if approve else REJECTED
        now.approved_by, now.approved_at = by.name, desk.hub.at()
        work.change_approval(now)
        told = {"what": now.what, "kind": now.kind, "asked_by": now.asked_by}
        desk.tell(work, by.name, f"approval {now.state}", now.id, told)
    return now


def granted(work: PersonWork, what: str, kind: str) -> Approval | None:
    """The approval of exactly this thing, if another person gave it; the latest word counts."""
    decided = [one for one in work.approvals(what, kind) if one.state != OPEN]
    last = max(decided, key=lambda one: (one.approved_at or "", one.id), default=None)
    return last if last is not None and last.state == APPROVED and last.approved_by != last.asked_by else None


def _second_person(by: Actor, approval: Approval) -> None:
    if by.person and by.name != approval.asked_by:
        require(by, _act(approval.kind))
    if told := objection(by, approval.kind, approval.asked_by):
        raise Denied(told, remedy="Somebody else with the right role approves it.")


def _act(kind: str) -> Act:
    if kind not in KINDS:
        raise BadMapping(f"{kind!r} is no kind of approval; known: {', '.join(KINDS)}")
    return KINDS[kind]
