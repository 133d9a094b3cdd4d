"""What single pages promise: the first screen, the glossary, the table of fields, the demo's output."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from flows.cli import app
from fsm_core.model import Customer
from tests.docs.pages import ROOT, name, pages

README = (ROOT / "README.md").read_text(encoding="utf-8")
ID = re.compile(r"\b[0-9a-f]{8}\b")
RULES = re.compile(r"\(rules [0-9a-f]+\)")


@pytest.mark.parametrize("words", ["make demo", "make test", "python3", "venv"])
def test_the_first_screen_says_how_to_begin(words: str) -> None:
    assert words in "\n".join(README.splitlines()[:60])


def test_words_of_the_glossary_are_unique_and_sorted() -> None:
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = [row.split(" | ")[0].removeprefix("| ").lower() for row in page.splitlines() if row.startswith("| ")][1:]
    assert words == sorted(set(words))


def test_the_table_of_fields_names_every_field_of_a_customer() -> None:
    section = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8").split("## The fields of a customer")[1]
    told = [word for row in section.splitlines() if row.startswith("| `") for word in _names(row)]
    assert sorted(told) == sorted(Customer.model_fields)


def test_the_excerpt_of_the_rules_says_what_the_rules_say() -> None:
    page = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    real = yaml.safe_load((ROOT / "mappings" / "ownership.yaml").read_text(encoding="utf-8"))
    assert _within(shown, real) == []


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    result = CliRunner().invoke(app, ["demo", "--folder", str(tmp_path / "demo")])
    assert result.exit_code == 0, result.output
    printed = {_same_ids(line) for line in result.output.splitlines()}
    shown = [
        line for block in re.findall(r"<!-- demo -->\n```\n(.*?)```", README, re.DOTALL) for line in block.splitlines()
    ]
    assert len(shown) > 30
    assert [line for line in shown if line not in {"", "…"} and _same_ids(line) not in printed] == []


@pytest.mark.parametrize("page", pages(), ids=name)
def test_no_page_names_an_index_or_a_folder_of_somebodys_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"--(?:extra-)?index-url|simple/\w+|/home/\w+|/root/|/Users/", text)


def _names(row: str) -> list[str]:
    return re.findall(r"`([a-z_]+)`", row.split(" | ", maxsplit=1)[0])


def _same_ids(line: str) -> str:
    return RULES.sub("(rules)", ID.sub("id", line)).rstrip()


def _within(part: object, whole: object, path: str = "") -> list[str]:
    """Places where the part says something else than the whole."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return [wrong for key in part for wrong in _within(part[key], whole.get(key), f"{path}.{key}")]
    return [] if part == whole else [path]
