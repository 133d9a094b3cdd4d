"""What the rule file may say of one entity: identity, birth, death, owner, hand-over, and its fields.

Not here: rules of single fields (`fields`), the file around it (`rules`).
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from fsm_core.ownership.dependants import unknown
from fsm_core.ownership.fields import FieldRule
from fsm_core.ownership.words import Duration, OneOrMore, Role, Strict
from fsm_core.sync.deletion import OnNonOwnerDelete, OnOwnerDelete
from fsm_core.sync.double_entry import PRE_CHECKS
from fsm_core.sync.types import OnSwitch

ALWAYS, NEVER = "always", "never"


class Match(Strict):
    """What links two systems' records without asking, what is worth a question, and what is scored."""

    keys: tuple[tuple[str, ...], ...] = ()
    ask: tuple[tuple[str, ...], ...] = ()
    fuzzy: tuple[str, ...] = ()
    contradiction: tuple[str, ...] = ()
    """Fields that speak against a match when they differ."""
    auto: float | None = Field(default=None, ge=0, le=1)
    """Score from which records are linked; None: a score asks, and never links."""
    review: float = Field(default=0.80, ge=0, le=1)
    several: tuple[Role, ...] = ()
    """Roles whose system may hold several records of one thing: a strong key links them all."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.auto is not None and self.review > self.auto:
            raise ValueError(f"review {self.review} is above auto {self.auto}: no pair would ever be reviewed")
        if self.several and not self.keys:
            raise ValueError("several: only a strong key links several records of a system; name one under 'keys'")
        return self


class Create(Strict):
    """Who may bring a record into the world, and where it then goes (`always`, `never` or a condition)."""

    allowed: tuple[Role, ...] = ()
    by_condition: dict[Role, str] = Field(default_factory=dict)
    """What must hold of a record that this role creates."""
    replicate_to: dict[Role, str] = Field(default_factory=dict)
    pre_check: str = ""
    """A named check for double entry before a record is born."""

    @field_validator("pre_check")
    @classmethod
    def _known(cls, name: str) -> str:
        if name and name not in PRE_CHECKS:
            raise ValueError(f"no check {name!r}; known: {', '.join(PRE_CHECKS)}")
        return name


class Delete(Strict):
    """Whose deletion counts, and what becomes of the record elsewhere."""

    by: OneOrMore = ("owner",)
    on_owner_delete: OnOwnerDelete
    on_non_owner_delete: OnNonOwnerDelete = "conflict"
    block_if: tuple[str, ...] = ()
    """Named checks: where one of them finds a record that depends on this one, a person is asked."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if fault := unknown(self.block_if):
            raise ValueError(f"block_if: {fault}")
        return self


class OwnerCase(Strict):
    """`if` this holds of the agreed state, `owner` owns the record."""

    if_: str = Field(alias="if")
    owner: Role
    priority: int = 0
    """Of several true ones the lowest is in force, of equal ones the first; `rules check` wants it said."""


class Owner(Strict):
    """Who owns a record: the first true case, else the default; or what a singleton of the file says."""

    default: Role | None = None
    when: tuple[OwnerCase, ...] = ()
    from_: str | None = Field(default=None, alias="from")

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.default is None and self.from_ is None:
            raise ValueError("name a 'default' owner, or a singleton under 'from'")
        if self.from_ is not None and self.when:
            raise ValueError("'from' and 'when' exclude each other")
        return self


class Handover(Strict):
    """What happens when a switch field makes another role the owner."""

    on_switch: OnSwitch
    require: tuple[str, ...] = ()
    dwell: Duration | None = None


class EntityRules(Strict):
    """All rules of one entity."""

    bind: dict[Role, str] = Field(default_factory=dict)
    """Roles another system plays for this entity than for the others."""
    match: Match = Match()
    create: Create = Create()
    delete: Delete | None = None
    owner: Owner
    handover: Handover | None = None
    append_only: bool = False
    immutable_after: str | None = None
    """A status after which nothing of the record may change."""
    fields: dict[str, FieldRule] = Field(default_factory=dict)
