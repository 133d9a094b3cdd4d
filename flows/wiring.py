"""The composition root: settings in, a working hub out. Knows every room; decides nothing.

Not here: Prefect (`flows.sync`) and the command line (`flows.cli`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import mappings
from connectors import registry
from fsm_core import ownership, settings
from fsm_core.errors import HubError, Misconfigured, Retry
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook
from fsm_core.ports import Check, Connector
from fsm_core.service.hub import Binding, Hub, bind
from fsm_core.store import SqlStore, migrations, open_engine

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


def open_store(config: settings.Settings) -> SqlStore:
    """The state, brought up to the present schema."""
    engine = open_engine(config.database_url())
    migrations.upgrade(engine)
    return SqlStore(engine)


def open_rules(config: settings.Settings) -> Rulebook:
    """The ownership rules, bound to the configured systems."""
    path = config.folder / config.hub.ownership if config.hub.ownership else SHIPPED_RULES
    file, version = ownership.load(path)
    return Rulebook(file, version, SHAPES, config.systems)


@contextmanager
def opened(config_path: Path, *, remote: bool = True) -> Iterator[Opened]:
    """A hub on the settings in this file; `remote=False` opens the state only and calls nobody."""
    config = settings.load(config_path)
    store = open_store(config)
    hub = Hub(store, open_rules(config), SHAPES, {})
    found = Opened(hub, store, config)
    connectors: list[Connector] = []
    try:
        if remote:
            connectors = _connect_all(found)
        yield found
    finally:
        for connector in connectors:
            connector.close()
        store.engine.dispose()


def _connect_all(found: Opened) -> list[Connector]:
    connectors = []
    bindings: dict[tuple[str, str], Binding] = {}
    for name in found.settings.systems:
        try:
            connector = _connect(found, name)
            connectors.append(connector)
            bindings |= _bind_all(found, name, connector)
        except (Misconfigured, Retry) as error:
            found.failures[name] = error.located(system=name)
    found.hub.bindings = bindings
    return connectors


def _connect(found: Opened, name: str) -> Connector:
    system = found.settings.systems[name]
    connector = registry.connect(system.connector, found.settings.system_settings(name))
    check = connector.check()
    found.checks[name] = check
    _same_environment(found, name, check.fingerprint)
    return connector


def _same_environment(found: Opened, name: str, fingerprint: str) -> None:
    """A sandbox copy must never write to production: the environment of first contact is the only one."""
    with found.store.begin() as work:
        known = work.fingerprint(name)
        if known is None:
            work.put_fingerprint(name, fingerprint, found.hub.at())
    if known not in (None, fingerprint):
        message = f"this is another environment ({fingerprint}) than the one the hub knows ({known})"
        raise Misconfigured(message, system=name, remedy="Point hub.toml back, or start with a database of its own.")


def _bind_all(found: Opened, name: str, connector: Connector) -> dict[tuple[str, str], Binding]:
    system = found.settings.systems[name]
    overrides = found.settings.folder / found.settings.hub.mappings if found.settings.hub.mappings else None
    kind = system.mapping or system.connector
    tables = {entity: mappings.load(kind, entity, overrides) for entity in found.settings.hub.entities}
    described = connector.describe([table.object for table in tables.values()])
    return {
        (name, entity): bind(name, entity, connector, table, described.objects[table.object.name])
        for entity, table in tables.items()
    }
