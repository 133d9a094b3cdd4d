"""The pins and the ranges agree, so that an installation today is the installation that was tested.

Not here: whether the pins work together, which only running the tests can tell.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LINES = [
    line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.strip() and not line.startswith("#")
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = [*PROJECT["dependencies"], *(one for extra in PROJECT["optional-dependencies"].values() for one in extra)]


def pins() -> dict[str, Version]:
    parsed = [Requirement(line) for line in LINES]
    return {canonicalize_name(one.name): Version(next(iter(one.specifier)).version) for one in parsed}


@pytest.mark.parametrize("line", LINES)
def test_a_constraint_is_one_exact_version_and_nothing_else(line: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line)


@pytest.mark.parametrize("dependency", DECLARED)
def test_every_dependency_is_pinned_inside_its_range(dependency: str) -> None:
    wanted = Requirement(dependency)
    pinned = pins().get(canonicalize_name(wanted.name))
    assert pinned is not None, f"{wanted.name} has no pin in constraints.txt"
    assert pinned in wanted.specifier


def test_no_package_is_pinned_twice() -> None:
    assert len(pins()) == len(LINES)


def test_fastapi_stays_below_what_breaks_prefect() -> None:
    # Newer ones install side by side with prefect 3.8.8, and then its server cannot start: the first
    # flow dies with "Body() got an unexpected keyword argument 'min_items'".
    assert pins()["fastapi"] < Version("0.151")
    assert pins()["prefect"] == Version("3.8.8")
