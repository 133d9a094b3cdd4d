"""What the engine remembers of references between records: the rows, and the part of `Work` that keeps them.

Not here: the links and records themselves (`fsm_core.state`), SQL (`fsm_core.store`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from fsm_core.state import Doc, Link, Problem


class Target(NamedTuple):
    """What is known of an id that something refers to."""

    record: str | None
    state: str
    merged_into: str | None


class Reference(NamedTuple):
    """What a link refers to."""

    parent: str
    link: int
    field: str
    via: str | None = None
    """The id it says, where that is not of the link that speaks for the record in its system."""


class Wait(NamedTuple):
    """A reference to what is not known yet."""

    link: int
    field: str
    system: str
    object: str
    entity: str
    external_id: str


class Orphan(NamedTuple):
    """A reference that waits, with what people should know of both ends."""

    link: int
    field: str
    system: str
    object: str
    external_id: str
    entity: str
    """Of the parent, like the two that follow."""
    wanted: str
    state: str | None
    """None when nothing was ever seen of it."""
    told: str | None
    """What people were told of it."""


class ReferenceState(Protocol):
    """Part of `fsm_core.state.Work`. Every method is set-based."""

    def targets(self, system: str, obj: str, entity: str, ids: Collection[str]) -> dict[str, Target]: ...
    def put_references(self, rows: Sequence[Reference]) -> None: ...
    def name_references(self, parent: str, system: str, via: str) -> None: ...
    def repoint_references(
        self, links: Collection[int], field: str, old: str, new: str, via: Collection[str]
    ) -> None: ...
    def put_waiting(self, child: str, rows: Sequence[Wait]) -> None: ...
    def drop_references(self, links: Collection[int], fields: Collection[str] | None = None) -> None: ...
    def aim(self, child: str, system: str, entity: str, obj: str) -> None: ...
    def releasable(self, child: str, limit: int) -> list[Reference]: ...
    def release(self, rows: Sequence[tuple[int, str]]) -> None: ...
    def waiting_fields(self, links: Collection[int]) -> dict[int, dict[str, str]]: ...
    def orphans(
        self, child: str, fields: Collection[str], cause: str, after: tuple[int, str], limit: int
    ) -> list[Orphan]: ...
    def rewrite_links(self, rows: Sequence[Link]) -> None: ...
    def known_as(self, system: str, entity: str, records: Collection[str]) -> dict[str, str]: ...
    def survivors(self, records: Collection[str]) -> dict[str, str]: ...
    def hold_back(self, entity: str, system: str, looked: Collection[str], rows: Sequence[tuple[str, str]]) -> None: ...
    def wake_held(self, entity: str, system: str, at: str) -> None: ...
    def children(self, parents: Collection[str], via: Collection[str] = ()) -> list[tuple[int, str, str]]: ...
    def mark_children(self, entity: str, parents: Collection[str], reason: str, at: str) -> None: ...
    def merged_away(self, entity: str, after: int, limit: int) -> list[Link]: ...
    def revive(self, links: Collection[int]) -> None: ...
    def often_written(self, links: Collection[int], since: str, limit: int) -> dict[int, list[tuple[str, Doc]]]: ...
    def problems_about(self, system: str, obj: str, cause: str, ids: Collection[str]) -> dict[str, Problem]: ...
    def fields_with(self, system: str, obj: str, cause: str) -> set[str]: ...
