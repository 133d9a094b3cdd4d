"""Values as persons give them: text on a command line, or JSON, turned into the canonical value of a field.

Not here: values of systems, which mappings translate.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

import orjson
from pydantic import TypeAdapter, ValidationError

from fsm_core.errors import Invalid
from fsm_core.model.compare import Value, blank, canonical, text
from fsm_core.model.entity import Entity, EntityShape


def known(shape: EntityShape, names: list[str]) -> None:
    """Raises `Invalid` that names the first of these that is no field, and the known ones."""
    for name in names:
        if name not in shape.fields:
            raise Invalid(f"{shape.name} has no field {name!r}", remedy=f"Choose from: {', '.join(shape.fields)}.")


def typed(shape: EntityShape, name: str, said: str) -> Value:
    """The canonical value of a field from text: empty is blank; sets and groups are JSON, a set also words and commas.

    Raises `Invalid` with what the field can hold.
    """
    known(shape, [name])
    field = shape.fields[name]
    if text(said) is None:
        return checked(shape, name, None)
    if field.members:
        return checked(shape, name, _json(name, said))
    if field.is_set:
        listed = said.lstrip().startswith("[")
        return checked(shape, name, _json(name, said) if listed else [one for one in said.split(",") if text(one)])
    return checked(shape, name, said)


def checked(shape: EntityShape, name: str, value: Any) -> Value:  # noqa: ANN401 - whatever JSON held
    """The canonical form of a value. Raises `Invalid` with what the field can hold."""
    known(shape, [name])
    field, clean = shape.fields[name], _clean(value)
    if blank(clean):
        if field.required:
            raise Invalid("no record may be without it", field=name, remedy="Give it a value.")
        return None
    try:
        adapter = _adapter(shape.model, name)
        shown = adapter.dump_python(adapter.validate_python(clean), mode="json", exclude_none=True)
    except ValidationError as error:
        fault = error.errors()[0]
        inner = ".".join(str(part) for part in fault["loc"] if part in field.members)
        message = f"{inner}: {fault['msg']}" if inner else fault["msg"]
        raise Invalid(message, field=name, remedy=_remedy(shape, name)) from None
    if field.is_set:
        return [one for _, one in sorted({canonical(one): one for one in shown}.items())]
    return shown


def _remedy(shape: EntityShape, name: str) -> str:
    field = shape.fields[name]
    if field.members:
        return f"Give JSON with some of: {', '.join(field.members)}."
    return "Give words with commas between, or JSON." if field.is_set else "Give a value the field can hold."


def _json(name: str, said: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError:
        message = "this is no JSON"
        remedy = """Write it like '{"city": "Berlin"}' or '["a", "b"]', in quotes of the shell."""
        raise Invalid(message, field=name, remedy=remedy) from None


def _clean(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Text as the hub keeps it, at every depth; blank members are left out."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {name: clean for name, one in value.items() if (clean := _clean(one)) is not None}
    if isinstance(value, list):
        return [clean for one in value if (clean := _clean(one)) is not None]
    return value


@lru_cache(maxsize=512)
def _adapter(model: type[Entity], name: str) -> TypeAdapter[Any]:
    info = model.model_fields[name]
    kind: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return TypeAdapter(kind)
