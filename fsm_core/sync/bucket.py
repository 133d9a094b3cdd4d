"""The kinds of new records, by what matching would make of them.

Not here: the matching (`match`). Apart from it, so that a command line can name them without loading anything.
"""

from __future__ import annotations

from enum import StrEnum


class Bucket(StrEnum):
    """What would become of a new record."""

    UNIQUE = "unique"
    """Linked with exactly one other."""
    FURTHER = "further"
    """One more record of a system for a thing it has already."""
    AMBIGUOUS = "ambiguous"
    """A person is asked which one it is, or whether."""
    CONTRADICTING = "contradicting"
    """A person is asked: something says the same, something else that it is not."""
    NONE = "none"
    """Nothing is like it: a record of its own."""
    LEFT = "left"
    """Not placed now: it waits for what it refers to, or cannot become a record."""
