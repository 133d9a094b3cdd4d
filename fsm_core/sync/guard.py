"""Stops an entity before the first write when too much of it changed at once.

Pure. Not here: counting (`fsm_core.service.converge` asks the store).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Shares of rows above which an entity halts; below `min_rows` rows a share says nothing."""

    max_change_ratio: float
    max_blank_ratio: float
    min_rows: int
    max_writes_per_hour: int = 5
    """Of the same value to one record of one system, before a person is asked what keeps changing it back."""

    @property
    def smallest(self) -> float:
        """A share of changed rows below which nothing halts; never 0."""
        return max(min(self.max_change_ratio, self.max_blank_ratio), 0.001)


def halts(guard: Limits, rows: int, changed: int, blanked: int) -> str:
    """Why nothing may be written, or "" when all is well. Counts are links of one system and entity."""
    if rows < guard.min_rows:
        return ""
    if changed > guard.max_change_ratio * rows:
        return f"{changed} of {rows} records changed at once (guard {guard.max_change_ratio:.0%})"
    if blanked > guard.max_blank_ratio * rows:
        return f"{blanked} of {rows} records lost a value at once (guard {guard.max_blank_ratio:.0%})"
    return ""
