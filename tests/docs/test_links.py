"""Every link to a file or heading of this project leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import anchors, name, pages, prose

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        target for target in LINK.findall(re.sub(r"`[^`]*`", "", prose(page))) if not _leads_somewhere(page, target)
    ]
    assert not broken


def _leads_somewhere(page: Path, target: str) -> bool:
    if re.match(r"[a-z]+://|mailto:", target):
        return True
    path, _, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    if not found.exists():
        return False
    return not anchor or found.suffix != ".md" or anchor in anchors(found)


def test_the_index_names_every_page_of_the_folder() -> None:
    folder = Path(__file__).parents[2] / "docs"
    linked = {(folder / target.partition("#")[0]).resolve() for target in LINK.findall(prose(folder / "README.md"))}
    assert {page.resolve() for page in folder.glob("*.md")} - linked == {(folder / "README.md").resolve()}


def test_the_first_decision_names_all_decisions() -> None:
    folder = Path(__file__).parents[2] / "docs" / "decisions"
    listed = {target for target in LINK.findall(prose(folder / "0001-the-house.md")) if "/" not in target}
    assert listed == {page.name for page in folder.glob("*.md")}
