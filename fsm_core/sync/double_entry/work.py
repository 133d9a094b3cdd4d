"""Work orders put in twice (D01, D02), and problems that come back (D05).

Not here: visits of these orders (`visits`).
"""

from __future__ import annotations

from fsm_core.sync.double_entry.entries import (
    DEFAULTS,
    Document,
    Entry,
    Judgement,
    Keys,
    PreCheck,
    Ruling,
    Thresholds,
    linked_orders,
    pairwise,
    put_in_twice,
    several,
)
from fsm_core.sync.double_entry.visits import ASSET, COMBINE, DONE, OPEN, combine

OPENED = ("opened_at", "requested_from")
COMPLETED = "completed_at"
_TYPE = "duplicate_work"


def duplicate_work(newcomer: Entry, earlier: Entry, _lines: Thresholds = DEFAULTS) -> Judgement | None:
    """D01, D02: two open orders of one kind for one asset; one thing where they name each other or share a number.

    What shares the number with an order that its own system has put in already is asked about.
    """
    if earlier.entity != newcomer.entity or linked_orders(newcomer, earlier) or not earlier.origins - newcomer.origins:
        return None
    shared, kind = newcomer.assets & earlier.assets, newcomer.said("kind")
    if not shared or not kind or kind != earlier.said("kind"):
        return None
    if newcomer.said("status") not in OPEN or earlier.said("status") not in OPEN:
        return None
    evidence = {"assets": sorted(shared), "kind": kind, "numbers": [newcomer.said("number"), earlier.said("number")]}
    name, elsewhere = _same_number(newcomer, earlier), put_in_twice(newcomer, earlier)
    if name:
        return Judgement(Ruling.LINK if elsewhere else Ruling.HOLD, _TYPE, f"same number {name}", evidence)
    if not elsewhere:
        return None
    return Judgement(Ruling.HOLD, _TYPE, f"open {kind} order for the same asset in another system", evidence)


def _same_number(one: Entry, other: Entry) -> str:
    """The number by which two orders are known to be one: of both, or of one and named by the other."""
    here, there = ({entry.said("number")} - {""} for entry in (one, other))
    told = (several(entry.says, "external_number") for entry in (one, other))
    named, named_there = told
    common = (here & there) | (named & (there | other.ids)) | (named_there & (here | one.ids)) | (named & named_there)
    return min(common, default="")


def repeat(newcomer: Entry, earlier: Entry, lines: Thresholds = DEFAULTS) -> Judgement | None:
    """D05: the same problem of the same asset within days after it was solved; then it was not solved at once.

    Whichever of the two is looked at first.
    """
    if earlier.entity != newcomer.entity:
        return None
    again, before = {"repeat_visit": True}, {"fixed_first_time": False}
    if evidence := _comes_back(newcomer, earlier, lines):
        return Judgement(Ruling.COMPUTE, "repeat_visit", "the problem came back", evidence, again, before)
    if evidence := _comes_back(earlier, newcomer, lines):
        return Judgement(Ruling.COMPUTE, "repeat_visit", "the problem came back", evidence, before, again)
    return None


def _comes_back(later: Entry, earlier: Entry, lines: Thresholds) -> Document:
    problem, shared = later.said("failure_mode"), later.assets & earlier.assets
    opened, solved = later.at(*OPENED), earlier.at(COMPLETED)
    if not shared or not problem or problem != earlier.said("failure_mode") or earlier.said("status") not in DONE:
        return {}
    if any(one and other and one != other for one, other in [(later.said("code_list"), earlier.said("code_list"))]):
        return {}
    if opened is None or solved is None or not solved <= opened <= solved + lines.repeat:
        return {}
    if (began := earlier.at(*OPENED)) is not None and began >= opened:
        return {}  # instants that contradict themselves would make each the repeat of the other
    return {"assets": sorted(shared), "failure_mode": problem, "days": (opened - solved).days}


def keys(order: Document) -> Keys:
    """Where an order is found: by asset, with its kind while it is open, with its problem."""
    entry = Entry("", order)
    found = [(ASSET, asset) for asset in sorted(entry.assets)]
    if entry.said("status") in OPEN and entry.said("kind"):
        found += [("open", f"{asset}|{entry.said('kind')}") for asset in sorted(entry.assets)]
    if entry.said("failure_mode"):
        found += [("problem", f"{asset}|{entry.said('failure_mode')}") for asset in sorted(entry.assets)]
    return found


def _probes(newcomer: Entry) -> Keys:
    """All other orders of the asset are looked at only where one of their visits could be combined."""
    preventive = newcomer.said("kind") == "preventive"
    return [key for key in keys(newcomer.says) if preventive or key[0] != ASSET]


DUPLICATE_WORK = PreCheck(
    name=_TYPE,
    of="work_order",
    judge=pairwise(duplicate_work, repeat, combine),
    keys={"work_order": keys},
    probes=_probes,
    among="work_order",
    through=ASSET,
    suggests=(COMBINE,),
    parent=("parent_id", "parent_work_order_id"),
    begins=OPENED,
)
