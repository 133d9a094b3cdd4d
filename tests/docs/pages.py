"""The pages of the documentation, their code lines, links and headings, as the tests see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^\s*(```|~~~)(\w*)")
_SKIPPED = {".venv", "var", "node_modules", ".git", "fixtures"}


def pages() -> list[Path]:
    """Every Markdown file of the project."""
    tops = [*ROOT.glob("*.md"), *(p for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith("."))]
    found = [q for top in tops for q in ([top] if top.is_file() else sorted(top.rglob("*.md")))]
    return [p for p in found if _SKIPPED.isdisjoint(p.relative_to(ROOT).parts)]


def name(page: Path) -> str:
    """A page as people name it."""
    return page.relative_to(ROOT).as_posix()


def lines(page: Path) -> Iterator[tuple[str, str]]:
    """Each line with the language of the block it stands in; "" outside of blocks, "text" in a block without one."""
    language = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        fence = _FENCE.match(line)
        if fence:
            language = "" if language else fence[2] or "text"
            continue
        yield language, line


def prose(page: Path) -> str:
    """The page without its blocks."""
    return "\n".join(line for language, line in lines(page) if not language)


def anchors(page: Path) -> set[str]:
    """The addresses of its headings, as code hosts make them."""
    found: set[str] = set()
    for language, line in lines(page):
        if language or not (heading := re.match(r"#{1,6}\s+(.*)", line)):
            continue
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
        slug = re.sub(r"[^\w\- ]", "", plain).strip().replace(" ", "-")
        found.add(slug if slug not in found else f"{slug}-1")
    return found


def code_lines(page: Path) -> Iterator[str]:
    """What a reader would type: lines of blocks, and what stands between backticks."""
    for language, line in lines(page):
        if language:
            yield re.sub(r"^\s*\$\s+", "", line).strip()
        else:
            yield from re.findall(r"`([^`]+)`", line)
