"""The composition root: settings in, a working hub out. Knows every room; decides nothing.

Not here: Prefect (`flows.sync`) and the command line (`flows.cli`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import mappings
from connectors import registry
from fsm_core import ownership, settings
from fsm_core.errors import BadMapping, HubError, Misconfigured, MissingPermission, Retry
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook
from fsm_core.persons.desk import Desk
from fsm_core.persons.passwords import Passwords
from fsm_core.ports import Capabilities, Check, Connector, Object
from fsm_core.service.drifting import watch
from fsm_core.service.hub import Binding, Hub, bind
from fsm_core.service.stops import covering, in_words
from fsm_core.state_stops import Way
from fsm_core.store import SqlStore, migrations, open_engine
from fsm_core.store.rule_versions import RuleVersions

SHIPPED_RULES = Path(mappings.__file__).parent / "ownership.yaml"


@dataclass
class Opened:
    """An open hub and what `check` said of each system."""

    hub: Hub
    store: SqlStore
    settings: settings.Settings
    checks: dict[str, Check] = field(default_factory=dict)
    failures: dict[str, HubError] = field(default_factory=dict)
    """Systems that are left out of this run, and why."""
    off: dict[str, str] = field(default_factory=dict)
    """Systems that a person switched off altogether; nobody calls them."""
    connectors: list[Connector] = field(default_factory=list)

    @cached_property
    def desk(self) -> Desk:
        """Where persons are looked after."""
        asked = self.settings.persons
        hasher = Passwords(asked.time_cost, asked.memory_kib, asked.parallelism)
        return Desk(self.hub, hasher, timedelta(days=asked.login_days))

    def writable(self, system: str, entity: str) -> frozenset[str]:
        """Fields the mapping lets us write; what the account allows only a connected system tells."""
        if system not in self.settings.systems:
            return frozenset()
        table = _mapping(self.settings, system, entity)
        return frozenset(name for name in table.canonical_fields if table.writable(name))

    def left_out(self, entity: str) -> dict[str, str]:
        """Systems that are used, but not for this entity, and why."""
        return {name: str(one.fault) for (name, kind), one in self.hub.stopped.items() if kind == entity}


def open_store(config: settings.Settings) -> SqlStore:
    """The state, brought up to the present schema."""
    engine = open_engine(config.database_url())
    migrations.upgrade(engine)
    return SqlStore(engine)


def open_rules(config: settings.Settings, store: SqlStore) -> Rulebook:
    """The ownership rules in force, bound to the configured systems: the activated version, else the file."""
    with store.reading() as db:
        active = RuleVersions(db).active()
    if active is not None:
        return bound_rules(config, active.text, active.version)
    file, version = ownership.load(rules_path(config))
    return Rulebook(file, version, SHAPES, config.systems)


def bound_rules(config: settings.Settings, text: str, version: str) -> Rulebook:
    """The rules of a text, bound to the configured systems; raises `BadMapping`."""
    return Rulebook(ownership.parse(text, f"rule version {version}"), version, SHAPES, config.systems)


def rules_path(config: settings.Settings) -> Path:
    """The rule file of the settings, else the one that ships."""
    return config.folder / config.hub.ownership if config.hub.ownership else SHIPPED_RULES


@contextmanager
def opened(config_path: Path, *, remote: bool = True) -> Iterator[Opened]:
    """A hub on the settings in this file; `remote=False` opens the state only and calls nobody."""
    config = settings.load(config_path)
    store = open_store(config)
    hub = Hub(store, open_rules(config, store), SHAPES, {})
    found = Opened(hub, store, config)
    try:
        if remote:
            connect(found)
        yield found
    finally:
        for connector in found.connectors:
            connector.close()
        store.engine.dispose()


def connect(found: Opened) -> None:
    """Log in to every system; one that cannot be used is left out, with its reason."""
    bindings: dict[tuple[str, str], Binding] = {}
    with found.store.begin() as work:
        stops = work.stops()
    for name in found.settings.systems:
        if stop := covering([one for one in stops if not one.entity], name, "", [Way.IN, Way.OUT]):
            found.off[name] = in_words(stop)
            continue
        try:
            connector = _connect(found, name)
            found.connectors.append(connector)
            bindings |= _bind_all(found, name, connector)
        except (Misconfigured, Retry) as error:
            found.failures[name] = error.located(system=name)
    policies = {name: one.drift.policies for name, one in found.settings.systems.items()}
    bindings = watch(found.hub, bindings, policies)
    found.hub.bindings = {key: binding for key, binding in bindings.items() if binding.fault is None}
    found.hub.stopped = {key: binding for key, binding in bindings.items() if binding.fault is not None}


def _connect(found: Opened, name: str) -> Connector:
    system = found.settings.systems[name]
    connector = registry.connect(system.connector, found.settings.system_settings(name))
    check = connector.check()
    found.checks[name] = check
    _same_environment(found, name, check.fingerprint)
    return connector


def met(found: Opened, name: str) -> tuple[Check, list[Binding]]:
    """A system as it is, whatever environment the hub knows. Raises `Retry` and `Misconfigured`; for `rekey` alone."""
    if name not in found.settings.systems:
        raise BadMapping(f"no system {name!r}; known: {', '.join(found.settings.systems)}")
    connector = registry.connect(found.settings.systems[name].connector, found.settings.system_settings(name))
    found.connectors.append(connector)
    check = connector.check()
    return check, [one for one in _bind_all(found, name, connector).values() if one.fault is None]


OTHER = "Point hub.toml back, or start with a database of its own; if it is the same company, see 'fsm-hub rekey'."


def _same_environment(found: Opened, name: str, fingerprint: str) -> None:
    """A sandbox copy must never write to production: the environment of first contact is the only one."""
    with found.store.begin() as work:
        known = work.fingerprint(name)
        if known is None:
            work.put_fingerprint(name, fingerprint, found.hub.at())
    if known not in (None, fingerprint):
        message = f"this is another environment ({fingerprint}) than the one the hub knows ({known})"
        raise Misconfigured(message, system=name, remedy=OTHER)


def _bind_all(found: Opened, name: str, connector: Connector) -> dict[tuple[str, str], Binding]:
    tables = {entity: _mapping(found.settings, name, entity) for entity in found.settings.hub.entities}
    described = _described(connector, list(tables.values()))
    made = {}
    for entity, table in tables.items():
        able, required = described.get((table.object.name, table.object.key)), found.hub.book(entity).shape.required
        binding = bind(name, entity, connector, table, able or Capabilities(), required=required)
        made[name, entity] = binding if able else replace(binding, fault=_hidden(name, table.object.name))
        if (fault := made[name, entity].fault) is not None:
            fault.located(system=name)
    return made


def _mapping(config: settings.Settings, name: str, entity: str) -> mappings.Mapping:
    system = config.systems[name]
    overrides = config.folder / config.hub.mappings if config.hub.mappings else None
    return mappings.load(system.mapping or system.connector, entity, overrides)


def _described(connector: Connector, tables: Sequence[mappings.Mapping]) -> dict[tuple[str, str], Capabilities]:
    """What the account says per object and key; one call, unless entities keep our id in different places of an object.

    Asked for is also what is only written, and what several entities keep in one object is asked for together.
    """
    asked: dict[str, dict[str, set[str]]] = {}
    for table in tables:
        asked.setdefault(table.object.name, {}).setdefault(table.object.key, set()).update(table.paths)
    found: dict[tuple[str, str], Capabilities] = {}
    while asked:
        objects = [Object(name, tuple(sorted(keys[key])), key) for name, keys in asked.items() for key in [min(keys)]]
        told = connector.describe(objects).objects
        found |= {(one.name, one.key): told[one.name] for one in objects if one.name in told}
        left = {one.name: {key: p for key, p in asked[one.name].items() if key != one.key} for one in objects}
        asked = {name: keys for name, keys in left.items() if keys}
    return found


def _hidden(system: str, name: str) -> MissingPermission:
    return MissingPermission("the account does not show this object", system=system, object=name)
