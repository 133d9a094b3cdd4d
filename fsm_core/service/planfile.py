"""A plan as a file: one JSON object per line, the first says what it is, the last seals it with a hash.

Lines, because a first load plans as many writes as there are records; nothing here holds them all.
Not here: making a plan (`plan`) and carrying one out (`apply`).
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson
from pydantic import TypeAdapter, ValidationError

from fsm_core.errors import Invalid
from fsm_core.service.plan import Plan, PlannedWrite

FORMAT = 1
REMEDY = "Make the plan again."


@dataclass(frozen=True, slots=True)
class Take:
    """A value that is taken back before anything is decided: part of a plan that reverts a run."""

    entity: str
    record: str
    name: str
    """What people call the record."""
    field: str
    now: Any
    """What was agreed when the plan was made; else it is left alone."""
    to: Any


@dataclass(frozen=True, slots=True)
class Kept:
    """What a revert leaves as it is, and why."""

    entity: str
    record: str
    name: str
    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Header:
    """What a plan was made on."""

    id: str
    made_at: str
    made_by: str
    entities: tuple[str, ...]
    rules: str
    """The version of the rules."""
    environments: dict[str, str]
    """Per system what names its environment."""
    absent: dict[str, str] = field(default_factory=dict)
    """Systems that could not be read; what they say may be old."""
    reverts: str = ""
    """The run that is taken back."""
    takes: tuple[Take, ...] = ()
    kept: tuple[Kept, ...] = ()
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Foot:
    """What a plan comes to."""

    writes: dict[str, dict[str, int]]
    """Per system and action."""
    by_rule: list[tuple[str, str, str, int]]
    """System, rule, who is in charge, values."""
    money: list[tuple[str, str, str, int, str, str]]
    """System, field, currency, amounts, change in sum, and regardless of the sign."""
    calls: dict[str, int]
    born: dict[str, int]
    linked: dict[str, int]
    questions: dict[str, int]
    endings: dict[str, int]
    """Records that are gone or back in a system, by what becomes of them."""
    overrides: dict[str, int]
    """Values that lose to their owner, per entity and field."""
    halted: dict[str, str]

    def count(self, action: str) -> int:
        """Writes of one action, in all systems."""
        return sum(actions.get(action, 0) for actions in self.writes.values())

    @property
    def moved(self) -> Decimal:
        """The largest sum of amounts changed in one currency, regardless of the sign."""
        sums: dict[str, Decimal] = {}
        for _, _, currency, _, _, moved in self.money:
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(moved)
        return max(sums.values(), default=Decimal(0))


_HEADER, _WRITE, _FOOT = TypeAdapter(Header), TypeAdapter(PlannedWrite), TypeAdapter(Foot)


def foot_of(made: Plan) -> Foot:
    """A plan in numbers."""
    done = made.converged
    return Foot(
        writes=made.totals.actions(),
        by_rule=[(*key, count) for key, count in sorted(made.totals.fields.items())],
        money=[(*key, n, str(total), str(moved)) for key, (n, total, moved) in sorted(made.totals.money.items())],
        calls=dict(sorted(made.calls.items())),
        born={entity: one.born for entity, one in done.items()},
        linked={entity: one.linked for entity, one in done.items()},
        questions={entity: one.questions for entity, one in done.items()},
        endings={str(fate): n for fate, n in sum((one.endings for one in done.values()), Counter[str]()).items()},
        overrides={f"{entity}.{n}": count for entity, one in done.items() for n, count in one.overridden.most_common()},
        halted=made.halted,
    )


class PlanWriter:
    """Writes a plan, readable by its owner only: it shows what records say. Without its seal it is no plan."""

    def __init__(self, path: Path, header: Header) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.part")
        self._digest = hashlib.sha256()
        self._file: BinaryIO = os.fdopen(os.open(self._part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb")
        self._put({"plan": asdict(header)})

    def keep(self, write: PlannedWrite) -> None:
        """One line."""
        self._put({"write": asdict(write)})

    def seal(self, foot: Foot) -> str:
        """The last lines; returns the hash that names the plan."""
        self._put({"foot": asdict(foot)})
        found = self._digest.hexdigest()
        self._file.write(orjson.dumps({"hash": found}) + b"\n")
        self._file.close()
        self._part.replace(self._path)
        return found

    def _put(self, line: dict[str, Any]) -> None:
        told = orjson.dumps(line) + b"\n"
        self._digest.update(told)
        self._file.write(told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if not self._file.closed:  # an error came before the seal
            self._file.close()
            self._part.unlink(missing_ok=True)


class PlanFile:
    """A plan that was kept. Raises `Invalid` for what is no plan, or no whole one, or not as it was sealed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        digest, last, header, foot, self.hash = hashlib.sha256(), b"", b"", b"", ""
        for line in self._lines():
            digest.update(last)
            header = header or line
            foot, last = last, line
        sealed = _object(path, last).get("hash")
        if not foot or sealed != digest.hexdigest():
            raise _no_plan(path, "it is not whole, or was changed since it was made")
        self.hash = str(sealed)
        self.header = self._read(_HEADER, header, "plan")
        self.foot = self._read(_FOOT, foot, "foot")
        if self.header.format != FORMAT:
            raise _no_plan(path, f"it has format {self.header.format}, known is {FORMAT}")

    def writes(self) -> Iterator[PlannedWrite]:
        """All of them, one at a time."""
        for _, write in self.placed():
            yield write

    def placed(self) -> Iterator[tuple[int, PlannedWrite]]:
        """All of them, each with the place of its line."""
        at = 0
        for line in self._lines():
            if line.startswith(b'{"write"'):
                yield at, self._read(_WRITE, line, "write")
            at += len(line)

    def at(self, place: int) -> PlannedWrite:
        """The write whose line begins there."""
        with self.path.open("rb") as file:
            file.seek(place)
            line = file.readline()
        write: PlannedWrite = self._read(_WRITE, line, "write")
        return write

    def _lines(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                yield from file
        except OSError as error:
            raise Invalid(f"cannot read the plan {self.path}: {error.strerror}", remedy=REMEDY) from None

    def _read(self, kind: TypeAdapter[Any], line: bytes, key: str) -> Any:  # noqa: ANN401 - what the adapter makes
        try:
            return kind.validate_python(_object(self.path, line).get(key))
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise _no_plan(self.path, f"{key} {place}: {fault['msg']}") from None


def _object(path: Path, line: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise _no_plan(path, "it is not one JSON object per line")
    return found


def _no_plan(path: Path, why: str) -> Invalid:
    return Invalid(f"{path} is no plan: {why}", remedy=REMEDY)
