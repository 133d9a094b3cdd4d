"""What the core expects of a connector: five verbs over documents with keyed children.

Not here: field-service knowledge (a connector speaks its vendor's names) and policy (the core decides).

A *document* is a mapping of native names to JSON values: text, bool, int, None, decimals as text,
instants as ISO 8601 UTC text ending in `Z`, dates as `YYYY-MM-DD`; a keyed child is a list of such
documents under the child's native name, a to-one child is one document or None. A *path* names a
field: `Name`, `to_Customer.Customer`, or `to_Address[Usage=XXDEFAULT].StreetName`, where the bracket
selects the child row whose (possibly nested) field has that value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from fsm_core.errors import HubError

Json: TypeAlias = "str | int | bool | Sequence[Json] | Mapping[str, Json] | None"
Document: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Object:
    """One vendor object as a binding reads it: its name, the paths to read, and where our key lives."""

    name: str
    fields: tuple[str, ...] = ()
    key: str = ""
    """Native field (or identification type) that holds the hub's record id; empty where there is none."""
    filter: str = ""
    """A filter in the vendor's own language, taken from the binding as it is."""


@dataclass(frozen=True, slots=True)
class KeyRef:
    """A record named by a unique field instead of its id, e.g. our own key."""

    field: str
    value: str


Ref: TypeAlias = str | KeyRef


class State(StrEnum):
    """Whether the record is there."""

    LIVE = "live"
    DELETED = "deleted"
    MISSING = "missing"
    """Asked for by `read` and not visible: deleted long ago, or no right to see it."""


class Change(NamedTuple):
    """One record as the system shows it now."""

    id: str
    document: Document
    """Empty for a tombstone."""
    version: str = ""
    """Opaque token for the optimistic lock; empty where the system has none."""
    changed_at: datetime | None = None
    """The system's own change time, UTC; None where it gives none."""
    changed_by: str = ""
    """The system's user id."""
    ours: bool = False
    """The system says that the last change was made by the hub's own user."""
    state: State = State.LIVE
    merged_into: str = ""
    """Id of the survivor when the record was merged away."""
    key: str = ""
    """The hub's record id as the record carries it; empty where it carries none."""
    ref: Ref | None = None
    """In answers of `read`: the reference that was asked for."""


Cursor: TypeAlias = str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a pass. The cursor is stored only after the page has landed."""

    changes: tuple[Change, ...]
    cursor: Cursor | None = None
    """Where a later call may continue; None until the connector can promise not to lose anything."""
    complete: bool = False
    """True on the last page of a pass that began with `since=None` and listed every visible record."""


class Action(StrEnum):
    """The writes every connector knows; an object may declare named actions beside them."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Row:
    """One child row to write: found by `match`, created when nothing matches, removed when `delete`."""

    match: Mapping[str, Json]
    fields: Mapping[str, Json | Rows] = field(default_factory=dict)
    delete: bool = False


Rows: TypeAlias = tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """One attempt at one record. Fields not named stay as they are; None clears."""

    action: str
    id: str = ""
    """Empty for a create."""
    key: str = ""
    """The hub's record id: the upsert key, or what the record is probed by."""
    fields: Mapping[str, Json | Rows] = field(default_factory=dict)
    expected_version: str = ""
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of one write: delivered when `error` is None.

    `Stale`, `Refused`, `Retry` (surely not executed) and `UnknownOutcome` errors are told apart by class.
    """

    id: str = ""
    version: str = ""
    created: bool = False
    warnings: tuple[str, ...] = ()
    error: HubError | None = None


class Creates(StrEnum):
    """What makes a repeated create safe."""

    UPSERT_KEY = "upsert_key"
    CLIENT_TOKEN = "client_token"  # noqa: S105 - the name of a strategy
    PROBE = "probe_before_retry"
    NEVER = "never"


class Deletes(StrEnum):
    """How a deletion becomes visible."""

    TOMBSTONES = "tombstones"
    SWEEP = "sweep"
    FLAGS = "flags"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class FieldCapability:
    """What this account lets us do with one field."""

    readable: bool = True
    creatable: bool = True
    writable: bool = True
    required: bool = False
    length: int | None = None
    values: tuple[str, ...] = ()
    """A restricted pick list; empty when anything goes."""
    unique: bool = False
    """The system lets no two records have the same value."""
    external_id: bool = False
    """A write may name a record by its value (upsert)."""
    type: str = ""
    """What it holds, in a word that is the same for every system: `text`, `number`, `flag`, `date`, `instant`, ...."""
    label: str = ""
    """What people call it there."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What this account lets us do with one object."""

    fields: Mapping[str, FieldCapability] = field(default_factory=dict)
    creates: Creates = Creates.PROBE
    deletes: Deletes = Deletes.SWEEP
    deletable: bool = True
    """The account may delete records; see `can_delete`."""
    compare_and_set: bool = False
    """The system itself refuses a write whose expected version is old."""
    batch: int = 1
    """Writes per call of `write` that the connector sends together."""
    in_flight: int = 1
    """Calls of `write` (with the reads around them) that may run side by side."""
    actions: tuple[str, ...] = ()
    overlap: timedelta = timedelta(0)
    """How far behind its cursor the connector reads again, for late commits."""
    key: FieldCapability | None = None
    """Where the hub's record id goes (`Object.key`); None where none is asked for or it is not shown."""
    unguarded: str = ""
    """Where `compare_and_set` holds but not for all that is written: for what it does not, in words."""
    advice: tuple[tuple[str, str], ...] = ()
    """What this account makes harder than it need be, and the remedy of each."""
    others: Mapping[str, FieldCapability] = field(default_factory=dict)
    """Fields beside those asked for, as far as the system tells them anyway."""

    @property
    def can_delete(self) -> bool:
        """Whether a deletion by the hub takes a record away; a flag does not."""
        return self.deletable and self.deletes in (Deletes.TOMBSTONES, Deletes.SWEEP)


@dataclass(frozen=True, slots=True)
class Description:
    """What `describe` found in this account."""

    fingerprint: str
    """Names the environment (org id, tenant): it never changes for the same account."""
    objects: Mapping[str, Capabilities] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quota:
    """Calls used and allowed in the system's own window, as far as it tells."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Check:
    """The answer to "can we talk?"."""

    ok: bool
    fingerprint: str = ""
    user: str = ""
    """The system's id of the user the hub works as."""
    quota: Quota | None = None
    notes: tuple[str, ...] = ()


@runtime_checkable
class Connector(Protocol):
    """Five verbs, no policy. All may raise `Retry` and `Misconfigured`; `write` reports the rest per record."""

    name: str

    def check(self) -> Check:
        """Log in, tell who and where we are."""
        ...

    def describe(self, objects: Sequence[Object]) -> Description:
        """Read the account's own metadata for these objects."""
        ...

    def changes(self, obj: Object, since: Cursor | None) -> Iterator[Page]:
        """Yield pages, at least once per change; `None` lists everything. Raises `CursorExpired`."""
        ...

    def read(self, obj: Object, refs: Sequence[Ref]) -> list[Change]:
        """One answer per reference, in order; `State.MISSING` for what is not there."""
        ...

    def write(self, obj: Object, writes: Sequence[Write]) -> list[Written]:
        """One outcome per write, in order. Never raises for a single record."""
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


def find_row(rows: Sequence[Mapping[str, Json]], match: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """The first child row whose fields equal `match`; a dotted name looks into a nested child."""
    return next((row for row in rows if all(_has(row, name, value) for name, value in match.items())), None)


def _has(row: Mapping[str, Json], name: str, value: Json) -> bool:
    head, _, rest = name.partition(".")
    found = row.get(head)
    if not rest:
        return found == value
    if isinstance(found, Mapping):
        return _has(found, rest, value)
    if isinstance(found, Sequence) and not isinstance(found, str):
        return any(isinstance(child, Mapping) and _has(child, rest, value) for child in found)
    return False
