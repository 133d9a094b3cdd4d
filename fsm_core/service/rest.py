"""Leaves a system alone for as long as it asked for, from one round to the next.

Not here: waits of seconds within one call, which the connectors keep themselves.
"""

from __future__ import annotations

from datetime import timedelta

from fsm_core.errors import HubError, RateLimited, Retry
from fsm_core.service.hub import Hub

LONGEST = timedelta(days=1)
"""A system is asked again after that, whatever it said."""


def leave_alone(hub: Hub, system: str, error: HubError) -> None:
    """Remember how long the system wants to be left alone, if it said so."""
    if not isinstance(error, RateLimited) or not error.retry_after:
        return
    until = hub.later(min(timedelta(seconds=error.retry_after), LONGEST))
    with hub.store.begin() as work:
        work.put_fingerprint(_name(system), until, hub.at())


def resting(hub: Hub, system: str) -> str:
    """Why nothing is asked of the system yet, or "" when it may be asked."""
    with hub.store.begin() as work:
        until = work.fingerprint(_name(system))
    if until is None or until <= hub.at():
        return ""
    return str(Retry(f"it asked to be left alone until {until[:16].replace('T', ' ')} UTC", system=system))


def _name(system: str) -> str:
    return f"{system}/rest"
