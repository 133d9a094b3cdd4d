"""What `rules check` looks for: the list of checks, and the shape of what it finds.

Not here: any check itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple


class Level(StrEnum):
    """How bad it is: an error keeps a file from being activated."""

    ERROR = "error"
    WARN = "warn"
    REPORT = "report"


class Check(NamedTuple):
    """One line of the catalogue."""

    id: str
    level: Level
    title: str


CHECKS = {
    one.id: one
    for one in (
        Check("S00", Level.ERROR, "the file names an entity, field or status machine that does not exist"),
        Check("S01", Level.ERROR, "a field has no rule"),
        Check("S02", Level.ERROR, "two rules of equal rank are true together; a warning where that cannot be told"),
        Check("S03", Level.ERROR, "a condition uses a field whose own owner depends on a condition, or on itself"),
        Check("S04", Level.ERROR, "a role is not bound, or the owner's system does not tell the field"),
        Check("S05", Level.WARN, "a system shows the field and cannot be told it; an error where the rule is revert"),
        Check("S06", Level.ERROR, "the direction of a mapping contradicts the rule"),
        Check("S07", Level.ERROR, "a value comes back different from how it was written"),
        Check("S08", Level.WARN, "a field is computed there from what we write for another field"),
        Check("S09", Level.ERROR, "a code has no counterpart, in either direction"),
        Check("S10", Level.ERROR, "a required field has no source"),
        Check("S11", Level.ERROR, "nobody may create records, or two systems may and no key tells them apart"),
        Check(
            "S12",
            Level.ERROR,
            "no policy for deletions, one without words, or one that deletes what invoices depend on",
        ),
        Check("S13", Level.ERROR, "newest wins, but a system tells no time of its changes, or only the day"),
        Check("S14", Level.ERROR, "the policy does not fit the kind of the field"),
        Check("S15", Level.ERROR, "members of a group have different owners or different targets"),
        Check("S16", Level.WARN, "a key field may change, or records may be without any key"),
        Check("S17", Level.ERROR, "a thing that one system must be in charge of has two"),
        Check("S18", Level.ERROR, "entities refer to each other in a circle"),
        Check("S19", Level.ERROR, "an owner counts as silent before it was read twice"),
        Check("S20", Level.ERROR, "ownership can switch and no hand-over is stated, or the receiver has no say in it"),
        Check("S21", Level.ERROR, "nobody is asked about a question"),
        Check("S22", Level.ERROR, "personal or financial data go to a system that is not cleared for them"),
        Check("S23", Level.WARN, "a value does not fit its target"),
        Check("S24", Level.WARN, "a rule never takes effect, or two fields are written to one place"),
        Check("S25", Level.REPORT, "what the last days would have come to under these rules: `rules test`"),
    )
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with values that show it."""

    check: str
    level: Level
    place: str
    """Where it stands in the rule file, in words."""
    line: int
    sentence: str
    counter_example: Mapping[str, Any]
    remedy: str
    entity: str = ""
    field: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class Borne:
    """A finding the file accepts, with its reason."""

    finding: Finding
    reason: str


@dataclass(slots=True)
class Report:
    """Everything that was found."""

    findings: list[Finding] = field(default_factory=list)
    accepted: list[Borne] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was not looked at, and why."""

    @property
    def errors(self) -> int:
        """Findings that keep the file from being activated."""
        return sum(one.level is Level.ERROR for one in self.findings)
