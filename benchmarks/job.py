"""One measurement in a process of its own: what was asked on the command line, told as JSON on standard output.

The clock starts when everything is imported and open; the parent's clock (`measure`) sees the whole process.
Not here: who is compared with whom.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from importlib import import_module
from time import perf_counter

import orjson

Job = Callable[..., int]


def find(who: str, task: str) -> Job:
    """The function for a job; imports only what that one needs."""
    module = import_module("benchmarks.bare" if who == "bare" else "benchmarks.engine")
    found: Job = getattr(module, task)
    return found


class Clock:
    """Seconds and processor time since `begin`."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Everything is open: count from now."""
        self._began, self._used = perf_counter(), cpu()

    def told(self) -> dict[str, float]:
        """What was counted, and the most memory this process ever had, in MB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"seconds": perf_counter() - self._began, "cpu": cpu() - self._used, "peak": peak}


def main() -> None:
    """Run the job named by `who task {arguments}`."""
    who, task, arguments = sys.argv[1], sys.argv[2], orjson.loads(sys.argv[3])
    job, clock = find(who, task), Clock()
    records = job(**arguments, begin=clock.begin)
    print(orjson.dumps({"records": records, **clock.told()}).decode())


def cpu() -> float:
    """Seconds of processor time this process has used, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
