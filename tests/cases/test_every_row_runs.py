"""Every row of the truth tables is run by a test that bears its id, and by no way round it.

The ids of the tables stand here and nowhere else. A test bears the id of its row in its own (parametrised) id.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TABLES = {
    "F": ("fields", 78),
    "R": ("records", 28),
    "H": ("handing over", 10),
    "D": ("double entry", 10),
    "W": ("delivery", 12),
}
"""Letter of a table: what it is about, and how many rows it has."""


@cache
def run() -> frozenset[str]:
    """The row ids in the ids of the tests of this folder, as pytest itself collects them."""
    asked = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(HERE)]
    told = subprocess.run(asked, capture_output=True, text=True, cwd=HERE.parents[1], check=False)  # noqa: S603 - ourselves
    assert told.returncode == 0, told.stdout + told.stderr
    ids = [
        line.partition("[")[2] for line in told.stdout.splitlines() if "::" in line and Path(__file__).name not in line
    ]
    return frozenset(row for id_ in ids for row in re.findall(r"(?:^|-)([A-Z]\d\d)\b", id_))


@pytest.mark.parametrize("letter", TABLES, ids=[what for what, _ in TABLES.values()])
def test_every_row_runs_and_no_other(letter):
    rows = {f"{letter}{number:02}" for number in range(1, TABLES[letter][1] + 1)}
    ran = {row for row in run() if row.startswith(letter)}
    assert sorted(rows - ran) == [], "rows without a test"
    assert sorted(ran - rows) == [], "tests of rows that no table has"


def test_no_row_is_left_out():
    """A row that is skipped, or expected to fail, is a row that does not run."""
    way_round = re.compile(r"\b(?<!fmt: )(skip|skipif|xfail|importorskip)\b")
    files = [path for path in HERE.glob("*.py") if path.name != Path(__file__).name]
    assert files
    assert [path.name for path in files if way_round.search(path.read_text(encoding="utf8"))] == []
