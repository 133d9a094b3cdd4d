"""What an upgrade or a key user does to the properties of the simulated service: remove, rename, shorten, close.

The schema is one for the whole process, so what is changed has to be undone: use it as a context manager.
Not here: the schema itself (`simulator_schema`).
"""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from connectors.sap.simulator_schema import Prop, metadata, schema
from connectors.sap.simulator_store import Store


class Upgrade:
    """Changes of the service over the rows of one system; at the end all is as it was published."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._before: dict[str, dict[str, Prop]] = {}
        self._renamed: list[tuple[str, str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.undo()

    def remove(self, name: str, prop: str) -> None:
        """The property is no part of the service any more; the rows keep their value."""
        self._props(name).pop(prop)
        metadata.cache_clear()

    def restore(self, name: str, prop: str) -> None:
        """The property is back."""
        back = self._props(name)[prop] = self._before[name][prop]
        for row in self._store.tables[name].values():
            row.setdefault(prop, back.initial)
        metadata.cache_clear()

    def rename(self, name: str, old: str, new: str) -> None:
        """The same values under another name."""
        props = self._props(name)
        props[new] = replace(props.pop(old), name=new)
        self._renamed.append((name, old, new))
        self._move(name, old, new)
        metadata.cache_clear()

    def change(self, name: str, prop: str, **facts: Any) -> None:  # noqa: ANN401 - Prop's own fields
        """Other facts of a property: length, read_only, type."""
        props = self._props(name)
        props[prop] = replace(props[prop], **facts)
        metadata.cache_clear()

    def undo(self) -> None:
        """As published."""
        for name, old, new in reversed(self._renamed):
            self._move(name, new, old)
        for name, props in self._before.items():
            schema()[name].props.clear()
            schema()[name].props.update(props)
        self._renamed.clear()
        self._before.clear()
        metadata.cache_clear()

    def _props(self, name: str) -> dict[str, Prop]:
        props = schema()[name].props
        self._before.setdefault(name, dict(props))
        return props

    def _move(self, name: str, old: str, new: str) -> None:
        for row in self._store.tables[name].values():
            row[new] = row.pop(old, "")
