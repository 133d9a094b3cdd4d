"""What a missing authorisation for a write concerns: all partners, or one entity set below them.

Not here: any other refusal (`errors`), and what is sent (`writing`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from connectors.sap.batch import Operation
from connectors.sap.odata import Model
from connectors.sap.paths import steps
from connectors.sap.settings import ROOT
from fsm_core.errors import BadMapping, Forbidden, HubError, MissingPermission


def judged(error: HubError, operations: Sequence[Operation], paths: Iterable[str], model: Model) -> HubError:
    """The same error, or `Forbidden` where only a part of this record may not be written.

    A failed changeset is answered once, so the text has to say which of its entity sets is meant; where it does not,
    all of them are named. A create is one call on the root: it concerns a part only if the text says so.
    """
    if not isinstance(error, MissingPermission):
        return error
    named = _named(error.message, model)
    meant = [named] if named else sorted({_target(operation, model) for operation in operations})
    if not meant or meant == [ROOT]:
        return error
    field = next((found for one in meant if one != ROOT and (found := _sent(one, paths, model))), "")
    sets = " or ".join(meant)
    return Forbidden(
        f"{sets}: {error.message}",
        system="sap",
        field=field,
        code=error.code,
        remedy=f"Give the hub's user the right to change {sets} there, then run 'fsm-hub problems retry'.",
    )


def _named(text: str, model: Model) -> str:
    """The entity set the text names; the longest, as some names begin with others."""
    words = set(re.findall(r"\w+", text))
    names = (name for name in model if name in words or f"{name}Type" in words)
    return max(names, key=len, default="")


def _target(operation: Operation, model: Model) -> str:
    """`Set(key)` is a row of the set, `Set(key)/to_Rows` a new row of the set behind the navigation."""
    owner, _, nav = operation.path.partition("/")
    name = owner.partition("(")[0]
    return model[name].navs[nav][0] if nav and name in model and nav in model[name].navs else name


def _sent(entity_set: str, paths: Iterable[str], model: Model) -> str:
    """The first path sent into an entity set, in the words of a mapping: the list itself where it is written whole."""
    for path in paths:
        try:
            *way, leaf = steps(path)
        except BadMapping:
            continue
        entity, many = model[ROOT], False
        for step in way:
            if step.name not in entity.navs:
                break
            target, many = entity.navs[step.name]
            entity = model[target]
        else:
            if entity.name == entity_set:
                whole = many and not way[-1].match
                return ".".join(step.name for step in way) if whole else _written(path, leaf.name)
    return ""


def _written(path: str, leaf: str) -> str:
    return leaf if "," in path else path
