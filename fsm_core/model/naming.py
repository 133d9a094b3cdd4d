"""What people call a record, from what it says.

Not here: ids, and translations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMES = ("legal_name", "name", "number")


def called(document: Mapping[str, Any], fallback: str) -> str:
    """Its name; that of a person in the order people say it. The fallback where it says none."""
    said = next((document[name] for name in _NAMES if document.get(name)), None)
    if isinstance(said, Mapping):
        return " ".join(str(said[part]) for part in ("first", "last") if said.get(part)) or fallback
    return str(said) if said else fallback
