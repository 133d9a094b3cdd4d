"""One Prefect concurrency limit per remote system: made once, held while the system is read or written.

Run `python -m flows.limits [hub.toml]` to make those of every configured system.
Not here: when a system is read or written (`flows.sync`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.concurrency.asyncio import AcquireConcurrencySlotTimeoutError, ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency

from fsm_core import settings
from fsm_core.errors import Locked, Misconfigured

COMMAND = "python -m flows.limits"
PATIENCE = 900.0
"""Seconds to wait for another run that holds the system."""


def limit_of(system: str) -> str:
    """The limit's name at Prefect."""
    return f"fsm-hub-{system}"


def ensure_limits(systems: Iterable[str]) -> list[str]:
    """Make each system's limit, one run at a time; a second call changes nothing. Answers their names."""
    names = [limit_of(system) for system in systems]
    with get_client(sync_client=True) as client:
        for name in names:
            client.upsert_global_concurrency_limit_by_name(name, 1)
    return names


@contextmanager
def held(system: str, patience: float = PATIENCE) -> Iterator[None]:
    """Nobody else reads or writes the system meanwhile.

    Raises `Misconfigured` when the limit does not exist and `Locked` when another run held it all the time.
    """
    name = limit_of(system)
    try:
        with concurrency(name, strict=True, timeout_seconds=patience):
            yield
    except ConcurrencySlotAcquisitionError as error:
        remedy = f"Run '{COMMAND}' once to make the limits, and see that the Prefect server answers."
        raise Misconfigured(f"no slot of the limit {name!r}: {error}", system=system, remedy=remedy) from error
    except AcquireConcurrencySlotTimeoutError as error:
        raise Locked(f"another run has held {name!r} for {patience:.0f} seconds", system=system) from error


def main(arguments: Sequence[str]) -> None:
    """Make the limits of every system in the given hub.toml and name them."""
    config = settings.load(Path(arguments[0] if arguments else settings.FILE_NAME))
    for name in ensure_limits(config.systems):
        sys.stdout.write(f"{name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
