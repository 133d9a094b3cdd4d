"""The question about a deletion: what may be answered, and what each answer does.

Not here: when it is asked and how an answer is carried out (`deletions`), taking an answer (`resolve`).
"""

from __future__ import annotations

from fsm_core.ports import Creates
from fsm_core.service.hub import Hub
from fsm_core.service.removal import deletes_in
from fsm_core.state import Conflict, Link, Record
from fsm_core.sync.deletion import ENDINGS

DELETE, RESTORE, DETACH = "delete", "restore", "detach"
"""Answers; the first is the type of the question, too."""


def ask(hub: Hub, record: Record, link: Link, note: str) -> Conflict:
    """A question with its answers, each with what it does."""
    told = f"deleted or merged away in {link.system}" if link.merged_into else f"deleted in {link.system} ({note})"
    side = {"system": link.system, "id": link.external_id, "by": link.changed_by, "at": link.changed_at}
    return Conflict(
        id=hub.ids.text(),
        entity=record.entity,
        type=DELETE,
        record=record.id,
        field="",
        state="open",
        opened_at=hub.at(),
        note=told,
        snapshot={"link": link.id, "sides": [side], "answers": _answers(hub, record.entity, link.system)},
    )


def _answers(hub: Hub, entity: str, system: str) -> dict[str, str]:
    found = {DELETE: _delete_means(hub, entity, system)}
    if may_create(hub, system, entity):
        found[RESTORE] = f"it is created again in {system} with the agreed values; its old id there stays an alias"
    return found | {DETACH: f"the other systems keep it, and it is no longer synchronised with {system}"}


def _delete_means(hub: Hub, entity: str, system: str) -> str:
    word, shape = carried_out(hub, entity), hub.book(entity).shape
    undone = f"undeleting it in {system} brings it back"
    said = shape.ending(word if word in ENDINGS else "deactivate")
    status = f"{said[0]} becomes {said[1]}" if said else "it is told of as a problem"
    if word in ENDINGS:
        return f"{status} in all other systems; {undone}"
    if word == "unlink":
        return f"it ends in {system} only, the other systems keep it; {undone}"
    others = [one.system for one in hub.of_entity(entity) if one.system != system]
    able = [name for name in others if deletes_in(hub, name, entity)]
    deleted = f"it is deleted in {', '.join(able)}" if able else "it is deleted nowhere else"
    flagged = [name for name in others if name not in able]
    elsewhere = f"; in {', '.join(flagged)} {status}" if flagged else ""
    return f"{deleted}{elsewhere}; {undone}"


def carried_out(hub: Hub, entity: str) -> str:
    """The word by which the answer `delete` is carried out: the rule's own, where it has one that can be said."""
    book = hub.book(entity)
    word = book.delete.on_owner_delete if book.delete else "conflict"
    if word in ("delete", "unlink") or (word in ENDINGS and book.shape.ending(word)):
        return word
    return "deactivate" if book.shape.ending("deactivate") else "delete"


def may_create(hub: Hub, system: str, entity: str) -> bool:
    """Whether the hub may create records there; of a system that is not connected the best is assumed."""
    binding = hub.bindings.get((system, entity))
    return binding is None or binding.capabilities.creates is not Creates.NEVER


def choices(conflict: Conflict) -> dict[str, str]:
    """Every answer with what it does."""
    known = {DETACH: "the other systems keep it, and it is no longer synchronised with the one it is gone from"}
    told = conflict.snapshot.get("answers") or known
    return {answer: told[answer] for answer in (DELETE, RESTORE, DETACH) if answer in told}
