"""The truth table of field decisions, row by row, from data: the table itself, and the rows added to it since."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fsm_core.model.compare import Comparator, comparing
from fsm_core.sync.merge import decide
from fsm_core.sync.types import UNKNOWN, NonOwnerChange, Policy, Rule, Seen, Verdict

ROWS = json.loads(Path(__file__).with_name("ownership_cases.json").read_text(encoding="utf8"))["field"]


def rule_of(row: dict[str, Any]) -> Rule:
    given = dict(row)
    given["policy"] = Policy(given["policy"])
    given["rank"] = tuple(given["rank"])
    given["non_owner_change"] = NonOwnerChange(given["non_owner_change"])
    given["transitions"] = {k: tuple(v) for k, v in given["transitions"].items()}
    given.setdefault("pin", UNKNOWN)
    return Rule(**given)


def seen_of(row: dict[str, Any]) -> Seen:
    return Seen(
        now=row["now"],
        base=row["base"],
        sent=row.get("last_written", UNKNOWN),
        at=row["ts"],
        version=row["version"],
        base_version=row["base_version"],
        writable=row["writable"],
        linked=row["linked"],
        due=row["due"],
        proposed=row["proposed"],
    )


def judge(row: dict[str, Any]) -> Verdict:
    seen = {system: seen_of(view) for system, view in row["observations"].items()}
    values = [row["canonical"], *(view["now"] for view in row["observations"].values())]
    comparator = Comparator.SET if any(isinstance(v, list) for v in values) else Comparator.EXACT
    return decide(rule_of(row["rule"]), row["canonical"], seen, comparing(comparator))


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_field_case(row):
    verdict = judge(row)
    expected = row["expected"]
    assert verdict.outcome == expected["outcome"], verdict
    assert verdict.value == expected["canonical"]
    assert verdict.writes == expected["writes"]


def played() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every case with its rule, once per answer it is played with."""
    for case in yaml.safe_load(Path(__file__).with_name("field_cases.yaml").read_text(encoding="utf8")):
        for answer in case.get("answers", [None]):
            yield case, case["rule"] | ({"non_owner_change": NonOwnerChange(answer)} if answer else {})


PLAYED = list(played())


@pytest.mark.parametrize(("case", "rule"), PLAYED, ids=[f"{case['id']} {case['title']}" for case, _ in PLAYED])
def test_field_case_beyond_the_table(case, rule):
    policy = Policy(rule.get("policy", "owner"))
    seen = {system: Seen(**view) for system, view in case["seen"].items()}
    same = comparing(Comparator(case.get("comparator", "exact")))
    verdict = decide(Rule(**{**rule, "policy": policy}), case["agreed"], seen, same, case.get("agreed_at"))
    told = {name: getattr(verdict, name) for name in case["expected"]}
    if "settled" in told:
        told["settled"] = sorted(told["settled"])
    assert told == case["expected"]
