"""The words every part of the rule file is made of: strict models, durations, names of roles.

Not here: what a rule may say of a field (`fields`), of an entity (`entities`) or of the whole (`rules`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict

OWNER = "owner"
"""Stands for whoever owns the record; no role may be called so."""

Role: TypeAlias = str
"""What a system is to the rules: crm, erp, cmms, fsm."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration(value: Any) -> Any:  # noqa: ANN401 - whatever YAML held
    """`2s`, `15m`, `1h`, `30d` as a timedelta; anything else as it is."""
    if isinstance(value, str) and (found := re.fullmatch(r"(\d+)\s*([smhd])", value.strip())):
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    return value


Duration = Annotated[timedelta, BeforeValidator(duration)]


def _several(value: Any) -> Any:  # noqa: ANN401 - whatever YAML held
    return (value,) if isinstance(value, str) else value


Person: TypeAlias = Literal["viewer", "resolver", "finance", "admin", "auditor"]
"""What a person is to the hub; a test holds it against `fsm_core.persons.rights.Role`."""

OneOrMore = Annotated[tuple[str, ...], BeforeValidator(_several)]
"""A text, or a list of them."""


class Strict(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
