"""What a connector says of itself on the quality scale holds: the level follows, the evidence exists, the facts are so.

Rules a machine can check are checked here against the code and the simulators.
Not here: the rules themselves (`connectors.quality`).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from connectors import quality, registry
from connectors.quality import CONTRACT, RULES, Check, Entry, Level
from fsm_core.ports import Object
from tests.contract.conftest import HARNESSES
from tests.contract.harness_memory import MemoryHarness
from tests.contract.harness_salesforce import SalesforceHarness
from tests.contract.harness_sap import SapHarness

ROOT = Path(__file__).parents[2]
KINDS = quality.kinds()
QUALITY = {kind: quality.load(kind) for kind in KINDS}
MADE = {"memory": MemoryHarness, "salesforce": SalesforceHarness, "sap": SapHarness}
DONE = [
    (kind, rule)
    for kind in KINDS
    for rule in RULES
    if (entry := QUALITY[kind].rules.get(rule.id)) is not None and entry.status == "done"
]


def ids(value):
    return value if isinstance(value, str) else value.id


def checked_by(check):
    return pytest.mark.parametrize("kind", [kind for kind, rule in DONE if rule.check is check], ids=str)


@pytest.fixture(scope="module")
def collected():
    """Every test that pytest finds in the files that are named as evidence."""
    named = {one.partition("::")[0] for kind, rule in DONE for one in proof(kind, rule)} | {CONTRACT}
    files = sorted(name for name in named if name.endswith(".py"))
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-header", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own tests
    assert done.returncode == 0, done.stdout[-2000:]
    return {line for line in done.stdout.splitlines() if "::" in line}


@pytest.fixture(scope="module", params=KINDS)
def described(request):
    """A connector with default settings, and what `describe` says on its simulator."""
    kind = request.param
    harness = MADE[kind]()
    connector = registry.connect("memory", {"name": "facts"}) if kind == "memory" else harness.connector()
    found = connector.describe([harness.obj]).objects[harness.obj.name]
    connector.close()
    harness.close()
    return kind, harness.obj, found


def proof(kind, rule):
    return quality.evidence(kind, rule, QUALITY[kind].rules[rule.id])


# -- the files ---------------------------------------------------------------------------------------------


def test_every_built_in_connector_is_on_the_scale():
    assert set(KINDS) == set(registry.BUILT_IN)


@pytest.mark.parametrize("kind", KINDS)
def test_every_rule_is_answered_and_the_level_follows(kind):
    assert quality.faults(kind, QUALITY[kind]) == []


def test_every_rule_has_a_name_of_its_own_and_the_levels_stand_in_order():
    assert len(quality.BY_ID) == len(RULES)
    assert [rule.level for rule in RULES] == sorted((rule.level for rule in RULES), key=list(Level).index)
    assert {rule.level for rule in RULES} == set(Level)


# -- the evidence ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "rule"), DONE, ids=ids)
def test_the_evidence_of_a_rule_that_is_done_exists(kind, rule, collected):
    assert missing(proof(kind, rule), collected) == []


def missing(named, collected):
    """Node ids that pytest does not collect, and files that are not there."""
    return [one for one in named if not _exists(one, collected)]


def _exists(one, collected):
    if one.endswith(".py"):
        return any(found.startswith(f"{one}::") for found in collected)
    if "::" in one:
        return one in collected or any(found.startswith(f"{one}[") for found in collected)
    return (ROOT / one).is_file()


def test_evidence_that_does_not_exist_is_found(collected):
    named = ["docs/none.md", f"{CONTRACT}::test_nothing", f"{CONTRACT}::test_none_clears[oracle]", "tests/none.py"]
    assert missing([*named, f"{CONTRACT}::test_none_clears[sap]"], collected) == named


# -- rules a machine can check -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind, rule in DONE if rule.id == "contract-suite"])
def test_the_contract_suite_runs_whole_with_the_connector_s_own_harness(kind, collected):
    assert HARNESSES[kind][0].startswith(f"tests.contract.harness_{kind}:")
    suite = re.findall(r"^def (test_\w+)\(", (ROOT / CONTRACT).read_text(encoding="utf-8"), re.MULTILINE)
    assert len(suite) > 30
    assert missing([f"{CONTRACT}::{name}" for name in suite], collected) == []
    run = {
        found.partition("::")[2].partition("[")[0]
        for found in collected
        if found.startswith(CONTRACT) and f"[{kind}" in found
    }
    assert set(suite) - run == set()


@checked_by(Check.README)
def test_the_readme_lists_needs_limits_and_gaps(kind):
    text = (quality.HOME / kind / "README.md").read_text(encoding="utf-8").lower()
    assert "known gaps" in text
    assert "limits" in text
    assert re.search(r"\*\*permissions\*\*|## in the org|## what the sap side has to do", text)


def test_describe_tells_of_every_asked_field_and_of_lengths(described):
    kind, obj, found = described
    assert QUALITY[kind].rules["describe"].status == "done"
    assert set(obj.fields) <= set(found.fields)
    assert all(found.fields[path].readable for path in obj.fields)
    if kind != "memory":  # whose fields have a length only when a rule gives them one
        assert any(able.length for able in found.fields.values())


def test_memory_tells_lengths_and_pick_lists_that_its_rules_give():
    harness = MemoryHarness()
    harness.store.rule("Site", "Name").length = 12
    harness.store.rule("Site", "Note").values = ("a", "b")
    found = harness.connector().describe([harness.obj]).objects["Site"].fields
    assert (found["Name"].length, found["Note"].values) == (12, ("a", "b"))


def test_the_place_of_our_key_is_described(described):
    kind, obj, found = described
    assert QUALITY[kind].rules["key-described"].status == "done"
    assert found.key is not None
    assert found.key.external_id is (found.creates == "upsert_key")
    assert obj.key


def test_the_declared_facts_are_what_describe_says(described):
    kind, _, found = described
    facts = QUALITY[kind].facts
    assert (facts.creates, facts.deletes) == (found.creates, found.deletes)
    assert (facts.compare_and_set, facts.unguarded) == (found.compare_and_set, found.unguarded)
    assert (facts.batch, facts.overlap_seconds) == (found.batch, found.overlap.total_seconds())


@pytest.mark.parametrize("kind", KINDS)
def test_who_refuses_stale_writes_says_so_on_the_scale(kind):
    entry = QUALITY[kind].rules["compare-and-set"]
    assert (entry.status == "done") is QUALITY[kind].facts.compare_and_set


def test_an_object_without_a_key_has_no_place_for_it():
    harness = MemoryHarness()
    found = harness.connector().describe([Object("Site", ("Name",))]).objects["Site"]
    assert found.key is None


# -- what a wrong file is told -----------------------------------------------------------------------------


def changed(kind, level=None, **rules):
    old = QUALITY[kind]
    return old.model_copy(update={"rules": old.rules | rules, "level": level or old.level})


@pytest.mark.parametrize(
    ("rules", "level", "told"),
    [
        ({}, Level.PLATINUM, "level: platinum is claimed, gold follows"),
        ({"quota": Entry(status="todo", reason="not yet")}, None, "level: gold is claimed, silver follows"),
        ({"readme": Entry(status="todo", reason="not yet")}, None, "level: gold is claimed, none follows"),
        ({"quota": Entry(status="exempt")}, None, "quota: exempt without a reason"),
        ({"quota": Entry(status="done")}, None, "quota: done without evidence"),
        ({"swift": Entry(status="done")}, None, "swift: no such rule"),
    ],
)
def test_what_does_not_follow_is_named(rules, level, told):
    faults = quality.faults("salesforce", changed("salesforce", level, **rules))
    assert any(fault.startswith(told) for fault in faults), faults


def test_a_rule_nothing_is_said_of_is_named():
    old = QUALITY["sap"]
    left = {name: entry for name, entry in old.rules.items() if name != "ties"}
    faults = quality.faults("sap", old.model_copy(update={"rules": left}))
    assert "ties: nothing is said of it" in faults
    assert "level: gold is claimed, bronze follows from the rules" in faults
