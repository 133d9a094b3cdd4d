"""Runs the jobs: fresh processes, the hub and the bare limit in turns, one fast source for both.

Not here: what a job does (`bare`, `engine`, `ledger`) and what the figures mean (`report`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import httpx
import orjson

from benchmarks.accounts import COLUMNS, SELECT, account, account_id

HERE = Path(__file__).parent.parent
TASKS = ("full", "incremental", "sweep")
WHO = ("bare", "hub")
SHARE = 0.01
CHANGED_AFTER = "2026-01-01T00:00:00.000Z"
"""Later than the first state of all accounts (`accounts.born`), earlier than their change."""
BATCH = 200
Figures = dict[str, float]


@dataclass
class Runs:
    """Figures of every job, by who ran it and what it was."""

    runs: dict[tuple[str, str], list[Figures]] = field(default_factory=dict)

    def add(self, who: str, task: str, found: Figures) -> None:
        """One more run."""
        self.runs.setdefault((who, task), []).append(found)

    def median(self, who: str, task: str, figure: str) -> float:
        """The median of a figure; for memory the highest seen."""
        found = [run[figure] for run in self.runs[who, task]]
        return max(found) if figure == "peak" else median(found)

    def ratio(self, task: str, figure: str) -> float:
        """The hub over the bare limit: median of the ratios inside the rounds."""
        pairs = zip(self.runs["hub", task], self.runs["bare", task], strict=True)
        return median(hub[figure] / bare[figure] for hub, bare in pairs)


@contextmanager
def source(records: int) -> Iterator[str]:
    """A source with this many accounts; yields its address."""
    command = [sys.executable, "-m", "benchmarks.source", str(records)]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def control(url: str, verb: str, **given: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Ask the source for something; the answer holds the calls since the last time, which it then forgets."""
    found: dict[str, Any] = httpx.post(f"{url}/control/{verb}", json=given, timeout=60).json()
    return found


def run(url: str, who: str, task: str, **arguments: Any) -> Figures:  # noqa: ANN401 - the job's own
    """One job in a fresh process."""
    control(url, "count")
    command = [sys.executable, "-m", "benchmarks.job", who, task, orjson.dumps({"url": url, **arguments}).decode()]
    began = perf_counter()
    done = subprocess.run(command, cwd=HERE, capture_output=True, check=False)  # noqa: S603 - our own
    whole = perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{who} {task} failed:\n{done.stderr.decode()}")
    found: Figures = orjson.loads(done.stdout)
    told = control(url, "count")
    return {**found, "whole": whole, "calls": told["calls"], "bytes": told["bytes"]}


def bare(url: str, folder: Path, task: str) -> Figures:
    """The bare limit on its own database."""
    after = CHANGED_AFTER if task == "incremental" else ""
    return run(url, "bare", "load", path=str(folder / "bare.db"), query=SELECT, after=after, columns=COLUMNS)


def one_round(runs: Runs, records: int, folder: Path, database: str, turn: int) -> None:
    """Full load, 1 % changed, sweep; both ways each, who goes first changes with every round."""
    for old in folder.glob("*.db*"):
        old.unlink()
    with source(records) as url:
        for task in TASKS:
            if task == "incremental":
                control(url, "change", share=SHARE)
            for who in WHO[:: -1 if turn % 2 else 1]:
                found = bare(url, folder, task) if who == "bare" else run(url, "hub", task, database=database)
                runs.add(who, task, found)


def writes(runs: Runs, records: int, folder: Path, database: str, delay: float) -> None:
    """Write one field of every record, in batches of 200; each call takes `delay` seconds longer."""
    task, batches = f"write {delay * 1000:.0f} ms", folder / "batches.json"
    for old in folder.glob("*.db*"):
        old.unlink()
    batches.write_bytes(orjson.dumps(list(_batches(records))))
    with source(records) as url:
        run(url, "hub", "full", database=database)
        owed = run(url, "hub", "owe", database=database)["records"]
        control(url, "delay", seconds=delay)
        # the hub first: it would see, and respect, what the bare batches had changed
        runs.add("hub", task, run(url, "hub", "write", database=database))
        runs.add("bare", task, run(url, "bare", "write", batches=str(batches)))
    if runs.runs["hub", task][-1]["records"] != owed:
        raise RuntimeError("the hub did not write what it owed")


def _batches(records: int) -> Iterator[list[dict[str, Any]]]:
    wanted = [number for number in range(records) if account(number)["FSM_Status__c"] == "Active"]
    for start in range(0, len(wanted), BATCH):
        yield [
            {"attributes": {"type": "Account"}, "Id": account_id(number), "FSM_Payment_Terms__c": "NET99"}
            for number in wanted[start : start + BATCH]
        ]
