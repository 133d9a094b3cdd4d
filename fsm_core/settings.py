"""Settings: one `hub.toml`, overridable by `FSM_HUB_…` variables; secrets only as references.

Not here: what the settings open (`flows.wiring`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from fsm_core.drift.kinds import Policies, Policy
from fsm_core.errors import BadMapping
from fsm_core.sync.types import HUB

SECRET_WORDS = ("password", "secret", "private_key", "token", "api_key")
FILE_NAME = "hub.toml"


class HubSection(BaseModel):
    """`[hub]`: the hub itself."""

    model_config = ConfigDict(extra="forbid")

    database: str = "sqlite:///var/hub.db"
    """SQLAlchemy URL; a relative SQLite path counts from the folder of hub.toml."""
    entities: list[str] = Field(default_factory=lambda: ["customer", "contact", "site"])
    """What is synchronised; the order is found by what refers to what."""
    ownership: Path | None = None
    """Rule file; None takes the one that ships."""
    mappings: Path | None = None
    """Folder of mapping files that replace shipped ones."""


class PersonsSection(BaseModel):
    """`[persons]`: log-ins. The costs are those of argon2id; lower ones make stolen hashes cheaper to guess."""

    model_config = ConfigDict(extra="forbid")

    login_days: int = Field(default=30, ge=1, le=365)
    """How long a log-in is good for."""
    second_person: bool = True
    """Whether rules come into force only when another person approved them; without an admin nobody is asked."""
    time_cost: int = Field(default=3, ge=1)
    memory_kib: int = Field(default=65_536, ge=8)
    parallelism: int = Field(default=4, ge=1)


class LimitsSection(BaseModel):
    """`[limits]`: what one person may apply with one plan. Above it a second person approves the plan."""

    model_config = ConfigDict(extra="forbid")

    creates: int = Field(default=500, ge=0)
    updates: int = Field(default=1000, ge=0)
    deletes: int = Field(default=20, ge=0)
    money: Decimal = Field(default=Decimal(50_000), ge=0)
    """Amounts changed in one currency, in sum and regardless of the sign."""


class DriftSection(BaseModel):
    """`[systems.<name>.drift]`: what is done when the system changes its own fields."""

    model_config = ConfigDict(extra="forbid")

    removed: Literal["stop", "hold"] = "hold"
    """A field is not shown any more."""
    key_removed: Literal["stop", "hold"] = "stop"
    """The same, of a field that identifies records or says who owns them or where they go."""
    shortened: Literal["stop", "hold", "warn"] = "warn"
    value_dropped: Literal["stop", "hold", "warn"] = "warn"
    value_new: Literal["stop", "hold", "warn"] = "warn"
    required: Literal["stop", "warn"] = "stop"
    """`stop` stops new records there only."""
    type_changed: Literal["stop", "hold", "warn"] = "hold"
    right_lost: Literal["stop", "hold"] = "hold"
    """`hold`: the field is not written; what may still be read is read."""

    @property
    def policies(self) -> Policies:
        """The same as the engine takes it."""
        return Policies(**{name: Policy(value) for name, value in self.model_dump().items()})


class SystemSection(BaseModel):
    """`[systems.<name>]`: one remote system."""

    model_config = ConfigDict(extra="forbid")

    connector: str
    mapping: str = ""
    """Kind of system whose mappings apply; empty takes the connector's name."""
    settings: dict[str, Any] = Field(default_factory=dict)
    drift: DriftSection = Field(default_factory=DriftSection)


class Settings(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(extra="forbid", env_prefix="FSM_HUB_", env_nested_delimiter="__")
    source: ClassVar[Path] = Path(FILE_NAME)

    hub: HubSection = Field(default_factory=HubSection)
    persons: PersonsSection = Field(default_factory=PersonsSection)
    limits: LimitsSection = Field(default_factory=LimitsSection)
    systems: dict[str, SystemSection] = Field(default_factory=dict)
    folder: Path = Path()

    @classmethod
    def settings_customise_sources(  # noqa: D102 - pydantic-settings' own hook
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, cls.source)

    def database_url(self) -> str:
        """The database, with a relative SQLite path made absolute."""
        prefix = "sqlite:///"
        if self.hub.database.startswith(prefix) and not self.hub.database.startswith("sqlite:////"):
            return f"{prefix}{(self.folder / self.hub.database.removeprefix(prefix)).resolve()}"
        return self.hub.database

    def system_settings(self, name: str) -> dict[str, Any]:
        """A system's settings with every `env:` and `file:` reference resolved. Raises `BadMapping`."""
        return {key: self._resolved(name, key, value) for key, value in self.systems[name].settings.items()}

    def _resolved(self, system: str, key: str, value: Any) -> Any:  # noqa: ANN401 - whatever TOML held
        if not isinstance(value, str):
            return value
        kind, _, name = value.partition(":")
        if kind == "env":
            return _from_environment(system, key, name)
        if kind == "file":
            return _from_file(system, key, self.folder / name)
        if any(word in key for word in SECRET_WORDS) and not value.startswith(("http://", "https://")):
            remedy = f'Write {key} = "env:NAME" or "file:path" in {FILE_NAME}.'
            raise BadMapping(f"{key} is written in the file in plain text", system=system, field=key, remedy=remedy)
        return value


def load(path: Path) -> Settings:
    """Read `hub.toml`. Raises `BadMapping` naming the key and the known ones."""
    if not path.is_file():
        raise BadMapping(f"{path} does not exist", remedy="Run 'fsm-hub init' to write one, or name it with --config.")
    source = type("_Settings", (Settings,), {"source": path, "__module__": __name__})
    try:
        loaded: Settings = source(folder=path.resolve().parent)
    except ValidationError as error:
        raise BadMapping(_told(path, error)) from None
    except ValueError as error:
        raise BadMapping(f"{path} is not TOML: {error}") from None
    if HUB in loaded.systems:
        raise BadMapping(f"{path}: systems.{HUB}: no system may be called {HUB!r}: that is the hub's own store")
    return loaded


def _told(path: Path, error: ValidationError) -> str:
    faults = error.errors()
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] != "extra_forbidden":
        return f"{path}: {place}: {fault['msg']}"
    return f"{path}: unknown key {place}; known: {', '.join(_known(fault['loc']))}"


def _known(loc: tuple[int | str, ...]) -> list[str]:
    sections: Mapping[str, type[BaseModel]] = {
        "hub": HubSection, "persons": PersonsSection, "limits": LimitsSection, "systems": SystemSection
    }  # fmt: skip
    model = sections.get(str(loc[0])) if len(loc) > 1 else None
    model = DriftSection if model is SystemSection and "drift" in loc[2:-1] else model
    names = model.model_fields if model else [n for n in Settings.model_fields if n != "folder"]
    return sorted(names)


def _from_environment(system: str, key: str, name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise BadMapping(f"the variable {name} is not set", system=system, field=key) from None


def _from_file(system: str, key: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf8").strip()
    except OSError as error:
        raise BadMapping(f"{path} cannot be read: {error.strerror}", system=system, field=key) from None
