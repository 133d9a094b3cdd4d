"""Connectors by name: found, missing, half installed, and offered by another package.

Not here: the connectors themselves.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints

import pytest

from connectors import registry
from connectors.http import Patience
from connectors.memory import Memory, MemoryStore
from fsm_core.errors import BadMapping


@pytest.fixture
def offering(monkeypatch: pytest.MonkeyPatch):
    def offer(**paths: str) -> None:
        points = EntryPoints(EntryPoint(name, path, registry.GROUP) for name, path in paths.items())
        monkeypatch.setattr(registry, "entry_points", lambda group: points.select(group=group))

    return offer


def test_a_connector_is_made_by_name() -> None:
    store = MemoryStore("crm")
    made = registry.connect("memory", {"store": store}, patience=Patience(attempts=1))
    assert isinstance(made, Memory)
    assert made.name == "crm"
    assert made.check().ok


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(BadMapping, match=r"'salesfroce'; known are memory, salesforce, sap"):
        registry.connect("salesfroce", {})


def test_a_missing_library_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "BUILT_IN", {"sap": "connectors.no_such_module:connect"})
    with pytest.raises(BadMapping, match="Run: pip install pyodata"):
        registry.connect("sap", {})


def test_another_package_may_offer_one(offering) -> None:
    offering(acme="connectors.memory:connect")
    assert isinstance(registry.connect("acme", {"name": "acme"}), Memory)


def test_another_package_cannot_take_a_built_in_name(offering) -> None:
    offering(sap="acme_hub:connect")
    assert registry.known()["sap"] == registry.BUILT_IN["sap"]


def test_a_broken_offer_is_a_setting_to_correct(offering) -> None:
    offering(acme="connectors.memory:conect", other="no_such_package:connect")
    with pytest.raises(BadMapping, match="conect does not exist"):
        registry.connect("acme", {})
    with pytest.raises(BadMapping, match="install the package that offers no_such_package:connect"):
        registry.connect("other", {})


@pytest.mark.parametrize("name", registry.BUILT_IN)
def test_every_built_in_path_leads_to_a_factory(name: str) -> None:
    module, _, attribute = registry.BUILT_IN[name].partition(":")
    assert callable(getattr(__import__(module, fromlist=[attribute]), attribute))
