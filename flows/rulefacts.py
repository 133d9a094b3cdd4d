"""Gathers what the analyser of rule files looks at: the file, mappings, and what accounts say if they are asked.

Not here: any check (`fsm_core.ownership.check`), and the commands (`flows.cli.rules`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import mappings
from flows.wiring import SHIPPED_RULES, Opened, opened, rules_path
from fsm_core import settings
from fsm_core.errors import BadMapping
from fsm_core.model import SHAPES
from fsm_core.ownership import parse
from fsm_core.ownership.check import Party, Subject
from fsm_core.ownership.lines import Lines
from fsm_core.ownership.rules import RuleFile, version_of
from fsm_core.ports import Capabilities
from fsm_core.store.rule_versions import RuleVersions
from fsm_core.sync.types import HUB

POLL = timedelta(minutes=5)
"""How often `prefect.yaml` reads changes."""


@dataclass(frozen=True)
class Rules:
    """A rule file that could be read."""

    path: Path
    text: str
    file: RuleFile

    @property
    def version(self) -> str:
        """The hash of the text."""
        return version_of(self.text)


@dataclass
class Gathered:
    """The subject of a check, and what could not be asked."""

    rules: Rules
    subject: Subject
    notes: list[str] = field(default_factory=list)


def rules_in(path: Path) -> Rules:
    """Read a rule file; raises `BadMapping`."""
    try:
        text = path.read_text(encoding="utf8")
    except OSError as error:
        raise BadMapping(f"cannot read the rule file {path}: {error.strerror}") from None
    return Rules(path, text, parse(text, str(path)))


def chosen(config: Path, stated: Path | None) -> Rules:
    """The stated rule file, else that of the settings; with neither a file nor named settings the one that ships."""
    if stated is not None:
        return rules_in(stated)
    unnamed = config == Path(settings.FILE_NAME) and not config.is_file()
    return rules_in(SHIPPED_RULES if unnamed else rules_path(settings.load(config)))


def gather(config: Path, stated: Path | None = None, *, live: bool = False, poll: timedelta = POLL) -> Gathered:
    """Everything the checks need. Without settings a system is taken to be of the kind it is named after."""
    return _gathered(config, chosen(config, stated), live=live, poll=poll)


def in_force(found: Opened, config: Path) -> Gathered:
    """The rules in force, and the mappings; what an account does not allow of them `findings` tells."""
    with found.store.reading() as db:
        active = RuleVersions(db).active()
    return gather_text(config, active.text if active else rules_in(rules_path(found.settings)).text)


def gather_text(config: Path, text: str) -> Gathered:
    """The same for rules that are kept in the state."""
    return _gathered(config, Rules(Path("rules"), text, parse(text, "rules")), live=False, poll=POLL)


def _gathered(config: Path, rules: Rules, *, live: bool, poll: timedelta) -> Gathered:
    known = settings.load(config) if config.is_file() or live else None
    kinds = {name: one.mapping or one.connector for name, one in known.systems.items()} if known else {}
    kinds = kinds or {name: name for name in _bound(rules.file)}
    overrides = known.folder / known.hub.mappings if known and known.hub.mappings else None
    able, notes = _asked(config) if live else ({}, [])
    parties = {
        (system, entity): Party(system, table, able.get((system, entity)))
        for system, kind in kinds.items()
        for entity in rules.file.entities
        if (table := _table(kind, entity, overrides)) is not None
    }
    subject = Subject(
        rules.file,
        Lines(rules.text),
        SHAPES,
        parties,
        wanted=known.hub.entities if known else (),
        poll=poll,
        configured=sorted(known.systems) if known else (),
    )
    return Gathered(rules, subject, notes)


def _bound(file: RuleFile) -> list[str]:
    systems = {*file.bind.values(), *(system for rules in file.entities.values() for system in rules.bind.values())}
    return sorted(systems - {HUB})


def _table(kind: str, entity: str, overrides: Path | None) -> mappings.Mapping | None:
    """The mapping of an entity for a kind of system; None where there is none at all."""
    folders = [folder for folder in (overrides, mappings.SHIPPED) if folder is not None]
    there = any((folder / kind / f"{entity}.yaml").is_file() for folder in folders)
    return mappings.load(kind, entity, overrides) if there else None


def _asked(config: Path) -> tuple[dict[tuple[str, str], Capabilities], list[str]]:
    """What each account allows, and which could not be asked."""
    with opened(config) as found:
        made = {**found.hub.bindings, **found.hub.stopped}
        notes = [f"{name} was not asked: {error.message}" for name, error in found.failures.items()]
        return {key: binding.capabilities for key, binding in made.items()}, notes
