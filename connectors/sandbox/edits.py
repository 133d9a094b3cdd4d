"""What one person does in one system, and what the hub should make of it.

Not here: who does what when (`connectors.sandbox.story`) and the calls (`connectors.sandbox.players`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Expect(StrEnum):
    """What the hub should make of an edit."""

    ACCEPT = "accept"
    """The value reaches the other system."""
    REVERT = "revert"
    """The value is put back where it was edited."""
    PROPOSE = "propose"
    """The value stays where it is and waits for the owner's word."""
    CONFLICT = "conflict"
    """A person decides; nothing is written."""
    CONVERGE = "converge"
    """Both systems say the same: they are one, nothing is written."""
    NOTHING = "nothing"
    """No change at all in the hub's eyes."""
    CREATE = "create"
    """A record appears in the other system."""
    WAIT = "wait"
    """It becomes no record until its customer is one."""


EARLIER = "$"
"""A field that is `$1` is told the id that the edit before was given, `$2` that of the one before it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing one person does in one system."""

    sentence: str
    system: str
    object: str
    id: str
    """Empty for a new record; `play` fills in the id the system gave."""
    fields: Mapping[str, Any]
    person: str
    expect: Expect
    counterpart: str = ""
    """Id of the same record in the other system, where there is one."""
    entity: str = "customer"
    """The hub's word for what is edited; empty for a part of what a later edit completes."""
    answer: Mapping[str, Any] = field(default_factory=dict)
    """What the system showed afterwards; empty before the edit is played."""

    @property
    def known_as(self) -> str:
        """The id by which the hub knows the record: of an SAP contact person, company and person."""
        return "/".join(self.id.split("/")[1:3]) if self.id.count("/") > 1 else self.id
