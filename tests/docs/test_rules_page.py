"""The page of the rule language names every key of it, its examples load, and its finding is what the check prints."""

from __future__ import annotations

import re

import pytest
import yaml
from typer.testing import CliRunner

import mappings
from flows.cli import app
from fsm_core.ownership import entities, fields, parse, rules
from fsm_core.ownership.versions import Stand
from fsm_core.sync.types import Policy
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "ownership-rules.md").read_text(encoding="utf-8")
SECTIONS = {
    "The file": rules.RuleFile,
    "`defaults`": rules.Defaults,
    "`guard`": rules.Guard,
    "An entity": entities.EntityRules,
    "`match`": entities.Match,
    "`create`": entities.Create,
    "`delete`": entities.Delete,
    "`owner`": entities.Owner,
    "`handover`": entities.Handover,
    "A field": fields.FieldRule,
    "`singletons`": rules.Singleton,
    "`routing`": rules.Route,
    "`accept`": rules.Accepted,
}


def section(heading: str) -> str:
    found = re.split(r"^#+ ", PAGE, flags=re.MULTILINE)
    (text,) = [part for part in found if part.partition("\n")[0] == heading]
    return text


def rows(heading: str, first: str = "key") -> list[list[str]]:
    """The cells of the table of a section whose first column has this name."""
    lines = section(heading).splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {first} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return table


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_is_named_where_it_stands(heading):
    wanted = {info.alias or name for name, info in SECTIONS[heading].model_fields.items()}
    told = [name for row in rows(heading) for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(told) == sorted(wanted)


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_says_whether_the_engine_acts_on_it(heading):
    assert {row[3] for row in rows(heading)} <= {"yes", "checked"}


def test_plain_defaults_are_those_of_the_file():
    for heading in ("`defaults`", "`guard`", "`match`"):
        model = SECTIONS[heading]
        for name, _, default, _ in rows(heading):
            if found := re.fullmatch(r"`([^`]+)`", default):
                real = model.model_fields[name.strip("`")].default
                assert str(yaml.safe_load(found[1])) == str(real), name


def test_every_policy_is_in_the_table():
    told = [name for row in rows("A field", "policy") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(told) == sorted(Policy)


def test_every_state_of_a_version_is_in_the_table():
    assert [row[0] for row in rows("Versions", "state")] == [str(one) for one in Stand]


def test_the_templates_are_those_that_ship():
    assert sorted(row[0].strip("`") for row in rows("Begin with a template", "template")) == list(mappings.templates())


def test_the_examples_load():
    whole, case = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = parse(whole)
    assert file.entities["customer"].delete is not None
    assert len(fields.FieldRule.model_validate(yaml.safe_load(case)["phone"]).when) == 2


def test_the_finding_is_what_the_check_prints(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    shipped = (mappings.SHIPPED / "ownership.yaml").read_text(encoding="utf8")
    case = """'blocked')", owner: erp}]}"""
    assert case in shipped
    path = tmp_path / "my-rules.yaml"
    overlapping = case[:-2] + """, {if: "status == 'on_hold'", owner: crm}]}"""
    path.write_text(shipped.replace(case, overlapping, 1), encoding="utf8")
    printed = CliRunner().invoke(app, ["--config", str(tmp_path / "hub.toml"), "rules", "check", str(path)]).output
    (shown,) = re.findall(r"```\n(S02.*?)```", PAGE, re.DOTALL)
    head, *rest = shown.splitlines()
    assert re.sub(r":\d+", ":n", head) in re.sub(r":\d+", ":n", printed.replace(str(path), "my-rules.yaml"))
    assert [line for line in rest if line not in printed.splitlines()] == []
