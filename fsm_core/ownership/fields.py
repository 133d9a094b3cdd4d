"""What the rule file may say of one field or group, and under which condition it says something else.

Not here: rules of a whole entity (`entities`), and which rule is in force when (`reading`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from fsm_core.ownership.words import Duration, Person, Role, Strict
from fsm_core.sync.types import NonOwnerChange, Policy

TIMES = ("stale_after", "proposal_ttl")


class Answers(Strict):
    """How rivals are settled; each may be left to the next wider scope."""

    non_owner_change: NonOwnerChange | None = None
    both_changed: Literal["owner_wins", "conflict"] | None = None
    blank_by_owner: Literal["accept", "conflict"] | None = None
    fill_blank: bool | None = None
    stale_after: Duration | None = None
    proposal_ttl: Duration | None = None
    proposal_end: Literal["revert", "keep"] | None = None

    @property
    def never(self) -> frozenset[str]:
        """Times that are stated as null: they never run out, whatever the wider scope says."""
        return frozenset(name for name in TIMES if name in self.model_fields_set and getattr(self, name) is None)


def _transition(value: Any) -> Any:  # noqa: ANN401 - whatever YAML held
    """`completed->closed` as a pair."""
    if isinstance(value, str) and (found := re.fullmatch(r"\s*(\w+)\s*->\s*(\w+)\s*", value)):
        return (found[1], found[2])
    return value


Transition = Annotated[tuple[str, str], BeforeValidator(_transition)]


class FieldBody(Answers):
    """What a rule of a field and each of its cases may state."""

    policy: Policy = Policy.OWNER
    owner: Role | None = None
    fallback_owner: Role | None = None
    rank: tuple[Role, ...] = ()
    among: tuple[Role, ...] = ()
    skew: Duration = timedelta(seconds=2)
    removals: Literal["any", "owner_only"] = "any"
    machine: str = ""
    """Name of the table of legal transitions of a status."""
    accept_from: dict[Role, tuple[Transition, ...]] = Field(default_factory=dict)
    """Single transitions of a status a non-owner may make."""
    roles: tuple[Person, ...] = ()
    """Persons who may decide a field of policy `manual`."""


class FieldCase(FieldBody):
    """`if` this holds of the agreed state, the rule says what is stated here and else what it says anyway."""

    if_: str = Field(alias="if")
    priority: int = 0
    """Of several true ones the lowest is in force; two of one priority are an error."""


class FieldRule(FieldBody):
    """A rule for one field or group; empty means: the entity's owner decides."""

    when: tuple[FieldCase, ...] = ()
    immutable_after: Literal["set", "never"] | None = None
    """`never`: it runs beside a record that may not change."""
    group: bool = False
    classification: Literal["personal", "finance"] | None = None

    def body(self, case: FieldCase) -> FieldRule:
        """The whole rule of one of its cases."""
        stated = {name: getattr(case, name) for name in case.model_fields_set - {"if_", "priority"}}
        return self.model_copy(update={**stated, "when": ()})
