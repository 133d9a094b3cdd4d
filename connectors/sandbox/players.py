"""Plays the users of both systems: people who edit records on their screens while the hub is at work.

They act through the simulators' inspection interface only, as persons, never as the hub.
Not here: what they do and what should come of it (`connectors.sandbox.story`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx

from connectors.sandbox.company import Company
from connectors.sandbox.contact_rows import relationship_id
from connectors.sandbox.edits import EARLIER, Edit, Expect
from connectors.sandbox.story import story

__all__ = ["Edit", "Expect", "perform", "play"]

EDIT_TIMEOUT = 10.0


def play(
    urls: Mapping[str, str],
    company: Company,
    *,
    before: Callable[[Edit], object] | None = None,
) -> list[Edit]:
    """Perform the whole story, in order; `urls` by system. `before` is called ahead of each edit, to tell or to wait.

    Raises `httpx.HTTPStatusError` or `ValueError` when a system refuses an edit.
    """
    played: list[Edit] = []
    with httpx.Client(timeout=EDIT_TIMEOUT, trust_env=False) as client:
        for edit in story(company):
            if before is not None:
                before(edit)
            played.append(perform(client, urls[edit.system], _filled(edit, played)))
    return played


def perform(client: httpx.Client, url: str, edit: Edit) -> Edit:
    """Do one edit; answers it with the id and the record as the system shows it."""
    body = {"object": edit.object, "id": edit.id, "fields": dict(edit.fields), "user": edit.person}
    response = client.post(f"{url}/_sim/edit", json=body)
    response.raise_for_status()
    answer = response.json()
    if not isinstance(answer, dict) or "error" in answer:
        raise ValueError(f"{edit.system} refused {edit.sentence!r}: {answer}")
    return replace(edit, id=edit.id or _id_in(answer), answer=answer)


def _filled(edit: Edit, played: Sequence[Edit]) -> Edit:
    """With the ids that earlier edits were given."""
    given = {f"{EARLIER}{back}": one.id for back, one in enumerate(reversed(played), start=1)}
    return replace(edit, fields={name: given.get(str(value), value) for name, value in edit.fields.items()})


def _id_in(answer: Mapping[str, Any]) -> str:
    if "RelationshipNumber" in answer:
        return relationship_id(answer)
    return str(answer.get("Id") or answer["BusinessPartner"])
