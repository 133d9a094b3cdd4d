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
    max_delete_ratio: float = 0.05
    max_deletes: int = 100
    """Whatever their share is."""
    max_writes_per_hour: int = 5
    """Of the same value to one record of one system, before a person is asked what keeps changing it back."""
    max_reverts: int = 3
    """Of the same value of one field, record and system in a week, before a person is asked instead."""
    max_reverts_per_field: int = 20
    """Of one field and system in a week, before another rule is suggested."""

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


def doubtful(guard: Limits, known: int, absent: int) -> bool:
    """Whether records that a listing does not show are too many to be believed gone: more than one, and the share."""
    return absent > guard.max_deletes or absent > max(1, guard.max_delete_ratio * known)


def halts_deletions(guard: Limits, rows: int, deleted: int) -> str:
    """The same of records that are gone in a system: of so many in all, or "" when all is well."""
    if deleted > guard.max_deletes:
        return f"{deleted} of {rows} records were deleted at once (guard {guard.max_deletes})"
    if rows >= guard.min_rows and deleted > guard.max_delete_ratio * rows:
        return f"{deleted} of {rows} records were deleted at once (guard {guard.max_delete_ratio:.0%})"
    return ""
