"""The rule file as a whole: reading it, its parts beside the entities, and what is wrong with it.

Not here: entities (`entities`), fields (`fields`), what a rule decides (`rulebook` binds it, `fsm_core.sync.merge`
decides), and what is unwise about a file that can be read (`check`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from fsm_core.errors import BadMapping
from fsm_core.ownership.entities import Create, Delete, EntityRules, Handover, Match, Owner, OwnerCase
from fsm_core.ownership.fields import FieldCase, FieldRule
from fsm_core.ownership.lines import read
from fsm_core.ownership.words import OWNER, Duration, OneOrMore, Role, Strict
from fsm_core.sync.double_entry import PRE_CHECKS
from fsm_core.sync.types import NonOwnerChange


class Guard(Strict):
    """Shares of an entity's rows per run above which nothing is written."""

    max_change_ratio: float = 0.25
    max_blank_ratio: float = 0.02
    max_delete_ratio: float = 0.05
    max_deletes: int = 100
    """So many rows deleted at once are too many whatever their share is, also below `min_rows`."""
    min_rows: int = 50
    """Below this many rows ratios say nothing."""
    max_writes_per_hour: int = 5
    """Writes of the same value to one record of one system within an hour, before a person has to look at it."""
    max_reverts: int = 3
    """How often a week one value of a system is taken back from one record, before a person is asked instead."""
    max_reverts_per_field: int = 20
    """Edits of one field in one system that are taken back in a week, before another rule is suggested."""


class Defaults(Strict):
    """The widest scope."""

    non_owner_change: NonOwnerChange = NonOwnerChange.PROPOSE
    both_changed: Literal["owner_wins", "conflict"] = "owner_wins"
    blank_by_owner: Literal["accept", "conflict"] = "conflict"
    fill_blank: bool = True
    stale_after: Duration | None = None
    unowned: Literal["error", "local"] = "error"
    """A field without a rule: an error, or each system's own affair."""
    proposal_ttl: Duration | None = None
    proposal_end: Literal["revert", "keep"] = "revert"
    guard: Guard = Guard()


class Singleton(Strict):
    """A thing exactly one system may be in charge of: one system, or one per value of a field."""

    per: OneOrMore
    system: OneOrMore | None = None
    map: dict[str, Role] = Field(default_factory=dict)
    max_active: int | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum((self.system is not None, bool(self.map), self.max_active is not None)) != 1:
            raise ValueError("state one of 'system', 'map' and 'max_active'")
        return self


class Questions(Strict):
    """Which questions a route is about; empty means all."""

    entity: OneOrMore = ()
    field: OneOrMore = ()
    type: OneOrMore = ()


class Route(Strict):
    """Who is asked, and how urgent it is. The first route that says each counts."""

    match: Questions = Questions()
    to: str = ""
    severity: Literal["low", "normal", "high"] | None = None


class Accepted(Strict):
    """Findings of `rules check` that are known and borne, with the reason."""

    check: str = Field(pattern=r"^S\d\d$")
    entity: OneOrMore = ()
    field: OneOrMore = ()
    system: OneOrMore = ()
    reason: str = Field(min_length=10)

    def covers(self, check: str, entity: str, field: str, system: str) -> bool:
        """Whether a finding is one of these; what an entry does not name is all the same to it."""
        about = ((self.entity, entity), (self.field, field), (self.system, system))
        return self.check == check and all(not wanted or given in wanted for wanted, given in about)


class RuleFile(Strict):
    """The whole file. `bind` names the system that plays each role."""

    version: int
    bind: dict[Role, str]
    defaults: Defaults = Defaults()
    clearance: dict[Role, tuple[Literal["personal", "finance"], ...]] = Field(default_factory=dict)
    """Classes of data a role's system may hold."""
    singletons: dict[str, Singleton] = Field(default_factory=dict)
    entities: dict[str, EntityRules]
    routing: tuple[Route, ...] = ()
    accept: tuple[Accepted, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for name, rules in self.entities.items():
            if rules.owner.from_ is not None and rules.owner.from_ not in self.singletons:
                known = ", ".join(self.singletons) or "none"
                raise ValueError(f"{name}.owner.from: no singleton {rules.owner.from_!r}; known: {known}")
            check = PRE_CHECKS.get(rules.create.pre_check)
            if check is not None and check.of != name:
                raise ValueError(f"{name}.create.pre_check: {check.name} is a check of {check.of}")
        if OWNER in self.bind:
            raise ValueError(f"no role may be called {OWNER!r}: it stands for the owner of a record")
        return self

    def bound(self, role: Role, entity: str) -> str | None:
        """The system that plays a role for an entity; None when nobody does."""
        rules = self.entities.get(entity)
        own = rules.bind if rules else {}
        return own.get(role, self.bind.get(role))


def parse(text: str, where: str = "ownership.yaml") -> RuleFile:
    """Read a rule file; raises `BadMapping` that names the place and the known keys."""
    try:
        return RuleFile.model_validate(read(text))
    except yaml.YAMLError as error:
        raise BadMapping(f"{where} is not YAML: {error}") from None
    except ValidationError as error:
        raise BadMapping(_told(where, error)) from None


def load(path: Path) -> tuple[RuleFile, str]:
    """The rule file and the hash that names this version of it in the audit."""
    try:
        text = path.read_text(encoding="utf8")
    except OSError as error:
        raise BadMapping(f"cannot read the rule file {path}: {error.strerror}") from None
    return parse(text, str(path)), version_of(text)


def version_of(text: str) -> str:
    """The hash that names this text of the rules."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


# -- what is wrong -------------------------------------------------------------------------------


def _told(where: str, error: ValidationError) -> str:
    faults = error.errors()
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    place = ".".join(str(part) for part in fault["loc"])
    known = _known_keys(fault["loc"])
    hint = f"; known keys: {', '.join(known)}" if fault["type"] == "extra_forbidden" and known else ""
    return f"{where}: {place + ': ' if place else ''}{fault['msg'].removeprefix('Value error, ')}{hint}"


_ROOT: dict[str, type[BaseModel]] = {
    "defaults": Defaults,
    "singletons": Singleton,
    "entities": EntityRules,
    "routing": Route,
    "accept": Accepted,
}
_ENTITY: dict[str, type[BaseModel]] = {
    "match": Match,
    "create": Create,
    "delete": Delete,
    "owner": Owner,
    "handover": Handover,
    "fields": FieldRule,
}
_WITHIN: dict[type[BaseModel], dict[str, type[BaseModel]]] = {
    RuleFile: _ROOT,
    EntityRules: _ENTITY,
    Defaults: {"guard": Guard},
    Owner: {"when": OwnerCase},
    FieldRule: {"when": FieldCase},
    Route: {"match": Questions},
}


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = RuleFile
    for part in loc[:-1]:
        model = _WITHIN.get(model, {}).get(str(part), model)
    return sorted(info.alias or name for name, info in model.model_fields.items())


def as_document(file: RuleFile) -> dict[str, Any]:
    """The file as plain values, with what it leaves out filled in."""
    return file.model_dump(mode="json", by_alias=True)
