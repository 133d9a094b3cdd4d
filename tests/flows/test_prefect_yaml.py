"""What prefect.yaml promises to whoever deploys it, read without a server."""

from __future__ import annotations

import yaml
from prefect.flows import load_flow_from_entrypoint

from fsm_core.model import SHAPES
from tests.flows.unattended import ROOT

TEXT = (ROOT / "prefect.yaml").read_text()
DECLARED = yaml.safe_load(TEXT)["deployments"]


def test_every_parameter_exists_and_every_entity_too():
    for deployment in DECLARED:
        known = load_flow_from_entrypoint(deployment["entrypoint"], use_placeholder_flow=False).parameters.properties
        assert set(deployment["parameters"]) <= set(known)
        assert deployment["parameters"].get("entity", "customer") in SHAPES


def test_a_run_never_overlaps_itself():
    for deployment in DECLARED:
        assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


def test_no_path_of_a_machine_is_written_down():
    assert str(ROOT) not in TEXT
    assert '"{{ $FSM_HUB_HOME }}"' in TEXT
