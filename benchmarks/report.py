"""What the figures mean: a table for people, and each goal met or not.

Not here: how they came about (`measure`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from benchmarks.measure import TASKS, Runs
from benchmarks.source import PAGE

HEAD = (
    ("", 18), ("bare s", 9), ("hub s", 9), ("ratio", 7), ("cpu ratio", 10), ("whole process", 14), ("hub peak MB", 12),
    ("hub calls", 10),
)  # fmt: skip
FULL, INCREMENTAL, WRITES, PEAK = 2.5, 1.5, 1.5, 120.0
LOGIN_CALLS = 3
"""Token, organisation, describe."""
FLAT = 1.15
"""Peak at the largest size over peak at the smallest, at most."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Something to reach, and what was reached."""

    what: str
    wanted: str
    found: str
    met: bool

    def line(self) -> str:
        """For people."""
        return f"{'met    ' if self.met else 'NOT MET'}  {self.what}: {self.found} (goal {self.wanted})"


def table(runs: Runs) -> str:
    """One line per task; times are medians of the rounds, ratios medians of the rounds' ratios."""
    lines = ["".join(name.rjust(width) for name, width in HEAD)]
    for task in dict.fromkeys(task for _, task in runs.runs):
        cells = (
            task,
            f"{runs.median('bare', task, 'seconds'):.2f}",
            f"{runs.median('hub', task, 'seconds'):.2f}",
            f"{runs.ratio(task, 'seconds'):.2f}",
            f"{runs.ratio(task, 'cpu'):.2f}",
            f"{runs.ratio(task, 'whole'):.2f}",
            f"{runs.median('hub', task, 'peak'):.0f}",
            f"{runs.median('hub', task, 'calls'):.0f}",
        )
        lines.append("".join(cell.rjust(width) for cell, (_, width) in zip(cells, HEAD, strict=True)))
    return "\n".join(lines)


def goals(runs: Runs, records: int, peaks: dict[int, float]) -> Iterator[Goal]:
    """The goals for what was run."""
    for task, limit in (("full", FULL), ("incremental", INCREMENTAL)):
        yield _below(f"{task} load, hub over bare limit", runs.ratio(task, "seconds"), limit, "x")
    for task in (name for who, name in runs.runs if who == "hub" and name.startswith("write")):
        yield _below(f"{task} a call, hub over bare batches", runs.ratio(task, "seconds"), WRITES, "x")
    yield _below("peak memory of the engine", max(runs.median("hub", t, "peak") for t in TASKS), PEAK, " MB")
    if len(peaks) > 1:
        growth = peaks[max(peaks)] / peaks[min(peaks)]
        yield _below(f"peak at {max(peaks):,} over peak at {min(peaks):,} records", growth, FLAT, "x")
    for task, size in (("full", records), ("incremental", ceil(records / 100)), ("sweep", records)):
        calls, least = runs.median("hub", task, "calls"), ceil(size / PAGE) + LOGIN_CALLS
        yield Goal(f"HTTP calls, {task}", f"{least}, one more for an overlap", f"{calls:.0f}", calls <= least + 1)


def _below(what: str, found: float, limit: float, unit: str) -> Goal:
    return Goal(what, f"<= {limit:g}{unit}", f"{found:.2f}{unit}", found <= limit)
