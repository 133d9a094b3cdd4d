"""`python -m benchmarks`: the hub against the bare limit, on this machine, now.

Not here: the storage comparison (`python -m benchmarks.storage`).
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import orjson

from benchmarks import report
from benchmarks.engine import SCHEMA
from benchmarks.measure import Runs, one_round, run, source, writes
from benchmarks.postgres import server

SIZES = (10_000, 100_000, 300_000)
WRITTEN = 10_000
DELAYS = (0.0, 0.05)
LASTING = ("synchronous_commit=off",)
"""What was committed a moment before a power cut may be lost, as with SQLite as the hub sets it."""


def main(given: list[str] | None = None) -> None:
    """Measure, print the table and the goals, write JSON if asked."""
    options = _options(given)
    if options.postgresql:
        with server(LASTING) as url:
            measure(options, f"{url}&options=-csearch_path%3D{SCHEMA}")
    else:
        measure(options, options.database)


def measure(options: argparse.Namespace, given: str) -> None:
    """Measure on this database, or on SQLite in a temporary folder."""
    runs, peaks = Runs(), dict[int, float]()
    with tempfile.TemporaryDirectory(prefix="fsm-hub-bench-") as name:
        folder = Path(name)
        database = given or f"sqlite:///{folder / 'hub.db'}"
        for turn in range(options.rounds):
            one_round(runs, options.records, folder, database, turn)
        for delay in () if options.no_writes else DELAYS:
            writes(runs, min(WRITTEN, options.records), folder, database, delay)
        for size in () if options.no_memory else SIZES:
            peaks[size] = _peak(size, folder, database)
    found = list(report.goals(runs, options.records, peaks))
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.python_implementation()}"
          f" {platform.python_version()}, {options.records:,} accounts, {options.rounds} rounds,"
          f" {database.partition(':')[0]}")  # fmt: skip
    print(report.table(runs))
    print("peak MB of a full load: " + ", ".join(f"{size:,}: {peak:.0f}" for size, peak in peaks.items()))
    print("\n".join(goal.line() for goal in found))
    if options.json:
        told = {f"{who} {task}": figures for (who, task), figures in runs.runs.items()}
        options.json.write_bytes(orjson.dumps({"runs": told, "peaks": {str(n): mb for n, mb in peaks.items()}}))


def _peak(size: int, folder: Path, database: str) -> float:
    for old in folder.glob("*.db*"):
        old.unlink()
    with source(size) as url:
        return run(url, "hub", "full", database=database)["peak"]


def _options(given: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", metavar="URL", help="the hub's; SQLite in a temporary folder if not given")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL of the development dependencies")
    parser.add_argument("--no-writes", action="store_true", help="leave the deliveries out")
    parser.add_argument("--no-memory", action="store_true", help="leave the loads of other sizes out")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
