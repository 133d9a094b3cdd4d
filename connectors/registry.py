"""Connectors by name: where each lives, imported only when asked for, and how to install what is missing.

Not here: any connector, and where settings come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from fsm_core.errors import BadMapping
from fsm_core.ports import Connector

GROUP = "fsm_hub.connectors"
"""Entry-point group by which another package offers a connector: `acme = "acme_hub:connect"`."""

BUILT_IN: Mapping[str, str] = {
    "memory": "connectors.memory:connect",
    "salesforce": "connectors.salesforce:connect",
    "sap": "connectors.sap:connect",
}
INSTALL: Mapping[str, str] = {
    "salesforce": "pip install simple-salesforce",
    "sap": "pip install pyodata",
}


def known() -> dict[str, str]:
    """Dotted path of every connector by name; a built-in name cannot be taken by another package."""
    offered = {point.name: point.value for point in entry_points(group=GROUP)}
    return dict(sorted({**offered, **BUILT_IN}.items()))


def connect(name: str, settings: Mapping[str, Any], **edge: Any) -> Connector:  # noqa: ANN401 - handed on
    """Make the connector `name`; `edge` goes to its HTTP edge. Raises `BadMapping` for what cannot be made."""
    paths = BUILT_IN if name in BUILT_IN else known()
    if name not in paths:
        raise BadMapping(f"no connector is called {name!r}; known are {', '.join(paths)}", system=name)
    module, _, attribute = paths[name].partition(":")
    try:
        factory = getattr(import_module(module), attribute or "connect")
    except ImportError as error:
        hint = INSTALL.get(name, f"install the package that offers {paths[name]}")
        raise BadMapping(f"cannot be imported: {error}", system=name, remedy=f"Run: {hint}.") from error
    except AttributeError as error:
        raise BadMapping(f"{paths[name]} does not exist", system=name) from error
    made: Connector = factory(settings, **edge)
    return made
