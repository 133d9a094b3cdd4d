"""The command line `fsm-hub`: one app, its commands grouped by file.

Not here: any work; commands call the service through `flows.wiring`.
"""

from __future__ import annotations

import sys

from flows.cli import (  # noqa: F401 - each adds its commands to the app
    approvals,
    audit,
    bulk,
    demo,
    doctor,
    drift,
    match,
    own_store,
    people,
    persons,
    pins,
    plans,
    rekey,
    rule_lessons,
    rule_versions,
    rules,
    run,
    setup,
    show,
    stops,
)
from flows.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the app; an error of the hub is one sentence and exit code 1, never a trace."""
    from flows.cli.app import told  # noqa: PLC0415 - after the app is whole

    sys.exit(told(app))
