"""The delivery rows W of the truth table, from data, against the real engine and a system with fault switches."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.cases.play import Play

CASES = yaml.safe_load(Path(__file__).with_name("delivery_cases.yaml").read_text(encoding="utf8"))


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']} {case['title']}" for case in CASES])
def test_delivery_case(case):
    play = Play(case)
    for step in [*case["steps"], {"expect": case["expected"]}]:
        if "expect" in step:
            assert play.told(step["expect"]) == step["expect"]
        else:
            play.step(step)
