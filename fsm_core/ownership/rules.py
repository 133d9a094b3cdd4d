"""The shape of the rule file: what may be written in `ownership.yaml`, and where it may not.

Not here: what a rule decides (`rulebook` binds it, `fsm_core.sync.merge` decides).
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from fsm_core.errors import BadMapping
from fsm_core.sync.types import NonOwnerChange, Policy

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: Any) -> Any:  # noqa: ANN401 - whatever YAML held
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+)\s*([smhd])", value.strip())):
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class Strict(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Guard(Strict):
    """Shares of an entity's rows per run above which nothing is written."""

    max_change_ratio: float = 0.25
    max_blank_ratio: float = 0.02
    min_rows: int = 50
    """Below this many rows ratios say nothing."""


class Answers(Strict):
    """How rivals are settled; each may be left to the next wider scope."""

    non_owner_change: NonOwnerChange | None = None
    both_changed: Literal["owner_wins", "conflict"] | None = None
    blank_by_owner: Literal["accept", "conflict"] | None = None
    fill_blank: bool | None = None


class Defaults(Strict):
    """The widest scope."""

    non_owner_change: NonOwnerChange = NonOwnerChange.PROPOSE
    both_changed: Literal["owner_wins", "conflict"] = "owner_wins"
    blank_by_owner: Literal["accept", "conflict"] = "conflict"
    fill_blank: bool = True
    guard: Guard = Guard()


class FieldRule(Answers):
    """A rule for one field or group; empty means: the entity's owner decides."""

    policy: Policy = Policy.OWNER
    owner: str | None = None
    fallback_owner: str | None = None
    rank: tuple[str, ...] = ()
    among: tuple[str, ...] = ()
    skew: Duration = timedelta(seconds=2)
    removals: Literal["any", "owner_only"] = "any"
    immutable_after: Literal["set"] | None = None
    group: bool = False


class OwnerCase(Strict):
    """`if` this holds of the agreed state, `owner` owns the record."""

    if_: str = Field(alias="if")
    owner: str


class Owner(Strict):
    """Who owns a record: the first true case, else the default."""

    default: str
    when: tuple[OwnerCase, ...] = ()


class Match(Strict):
    """What links two systems' records without asking, and what is worth a question."""

    keys: tuple[tuple[str, ...], ...] = ()
    ask: tuple[tuple[str, ...], ...] = ()


class Create(Strict):
    """Who may bring a record into the world, and where it then goes (`always`, `never` or a condition)."""

    allowed: tuple[str, ...] = ()
    replicate_to: dict[str, str] = Field(default_factory=dict)


class EntityRules(Strict):
    """All rules of one entity."""

    match: Match = Match()
    create: Create = Create()
    owner: Owner
    fields: dict[str, FieldRule] = Field(default_factory=dict)


class RuleFile(Strict):
    """The whole file. `bind` names the system that plays each role."""

    version: int
    bind: dict[str, str]
    defaults: Defaults = Defaults()
    entities: dict[str, EntityRules]


def parse(text: str, where: str = "ownership.yaml") -> RuleFile:
    """Read a rule file; raises `BadMapping` that names the place and the known keys."""
    try:
        return RuleFile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise BadMapping(f"{where} is not YAML: {error}") from None
    except ValidationError as error:
        raise BadMapping(_told(where, error)) from None


def load(path: Path) -> tuple[RuleFile, str]:
    """The rule file and the hash that names this version of it in the audit."""
    text = path.read_text(encoding="utf8")
    return parse(text, str(path)), hashlib.sha256(text.encode()).hexdigest()[:12]


def _told(where: str, error: ValidationError) -> str:
    faults = error.errors()
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    place = ".".join(str(part) for part in fault["loc"])
    known = _known_keys(fault["loc"])
    hint = f"; known keys: {', '.join(known)}" if fault["type"] == "extra_forbidden" and known else ""
    return f"{where}: {place}: {fault['msg']}{hint}"


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    scopes: dict[str, type[BaseModel]] = {
        "fields": FieldRule,
        "match": Match,
        "create": Create,
        "owner": Owner,
        "defaults": Defaults,
        "guard": Guard,
    }
    model: type[BaseModel] = RuleFile
    for part in loc[:-1]:
        model = EntityRules if part == "entities" else scopes.get(str(part), model)
    return sorted(info.alias or name for name, info in model.model_fields.items())
