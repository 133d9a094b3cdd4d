"""How much two documents are alike: a score between 0 and 1, and the evidence for it, feature by feature.

Pure, symmetric, and in favour of nobody: what is blank on one side says nothing. Not here: what a score leads to
(`match`), and by which values likely pairs are found (`blocks`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import cos, hypot, radians
from typing import Any, NamedTuple, TypeAlias

from fsm_core.model.compare import Comparator, blank, canonical, folded
from fsm_core.model.entity import EntityShape
from fsm_core.sync.keys import address, digits
from fsm_core.sync.match import value_of
from fsm_core.sync.names import loosened, unaccented

Doc: TypeAlias = Mapping[str, Any]


class Kind(StrEnum):
    """How a feature is compared."""

    NAME = "name"
    """Words in any order, without legal forms."""
    PERSON = "person"
    DOMAIN = "domain"
    EMAIL = "email"
    PHONE = "phone"
    POSTCODE = "postcode"
    ADDRESS = "address"
    GEO = "geo"
    EXACT = "exact"


WEIGHTS: Mapping[Kind, int] = {
    Kind.NAME: 4, Kind.PERSON: 4, Kind.ADDRESS: 4, Kind.DOMAIN: 3, Kind.EMAIL: 3, Kind.GEO: 3,
    Kind.POSTCODE: 2, Kind.PHONE: 1, Kind.EXACT: 1,
}  # fmt: skip
"""A company has several numbers and one name: what seldom differs of one thing weighs most."""
SEVERAL = 2
"""Features stated on both sides without which a score is no proof, however high."""
NEAR_M, FAR_M = 50.0, 500.0
"""Metres up to which two positions are one place, and from which they are two."""
FREE_MAIL = frozenset(
    ["gmail.com", "googlemail.com", "gmx.de", "gmx.net", "web.de", "t-online.de", "outlook.com", "hotmail.com",
     "icloud.com", "yahoo.com", "yahoo.de", "freenet.de", "aol.com", "posteo.de", "mailbox.org"]
)  # fmt: skip
"""Hosts whose users have nothing in common."""


class Evidence(NamedTuple):
    """What one feature says of a pair."""

    feature: str
    a: Any
    b: Any
    score: float
    weight: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much a pair is alike, and why."""

    score: float
    evidence: tuple[Evidence, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether several features were compared; one alone is an indication."""
        return len(self.evidence) >= SEVERAL


@dataclass(frozen=True, slots=True)
class Feature:
    """One field, or one member of a group, that is compared."""

    name: str
    kind: Kind
    path: tuple[str, ...]

    def read(self, document: Doc) -> tuple[Any, Any] | None:
        """What a document states of it, and what of that is compared; None for nothing."""
        value = value_of(document, self.path)
        if value is None or blank(value):
            return None
        prepared = PREPARED[self.kind](value)
        return (value, prepared) if prepared else None

    def of(self, document: Doc) -> Any:  # noqa: ANN401 - any canonical value
        """What a document states of it; None for nothing."""
        found = self.read(document)
        return None if found is None else found[0]

    def facts(self, document: Doc) -> frozenset[str]:
        """What must not differ, member by member of a set; empty for nothing."""
        value = self.of(document)
        several = value if isinstance(value, list) else [] if value is None else [value]
        return frozenset(str(PREPARED[self.kind](one)) for one in several)


Profile: TypeAlias = tuple[tuple[Any, Any] | None, ...]
"""Per feature the value and what of it is compared; None where it says nothing."""


def features(shape: EntityShape, names: Sequence[str]) -> tuple[Feature, ...]:
    """The features of these fields. Raises `BadMapping` for a field that does not exist."""
    return tuple(Feature(name, _kind(shape, name), tuple(name.split("."))) for name in names)


_BY_COMPARATOR = {
    Comparator.PHONE: Kind.PHONE, Comparator.EMAIL: Kind.EMAIL, Comparator.WEBSITE: Kind.DOMAIN,
    Comparator.ADDRESS: Kind.ADDRESS,
}  # fmt: skip


def _kind(shape: EntityShape, name: str) -> Kind:
    head, _, member = name.partition(".")
    field = shape.field(head)
    if member:
        return {"postcode": Kind.POSTCODE, "country": Kind.EXACT}.get(member, Kind.NAME)
    if field.comparator in _BY_COMPARATOR:
        return _BY_COMPARATOR[field.comparator]
    if {"lat", "lon"} <= set(field.members):
        return Kind.GEO
    if "last" in field.members:
        return Kind.PERSON
    return Kind.NAME if _is_words(shape, head) else Kind.EXACT


def _is_words(shape: EntityShape, name: str) -> bool:
    field = shape.fields[name]
    texts = field.comparator in (Comparator.EXACT, Comparator.CASELESS) and not field.members
    return texts and not field.reference and not field.coded


def profile(compared: Sequence[Feature], document: Doc) -> Profile:
    """What a document has to compare, worked out once for all it is compared with."""
    return tuple(feature.read(document) for feature in compared)


def likeness(compared: Sequence[Feature], one: Doc, other: Doc) -> Likeness:
    """How much two documents are alike; 0 where there is nothing to compare."""
    return likeness_of(compared, profile(compared, one), profile(compared, other))


def likeness_of(compared: Sequence[Feature], one: Profile, other: Profile) -> Likeness:
    """The same of two profiles."""
    rows = [
        Evidence(feature.name, a[0], b[0], round(_score(feature.kind, a[1], b[1]), 4), WEIGHTS[feature.kind])
        for feature, a, b in zip(compared, one, other, strict=True)
        if a is not None and b is not None
    ]
    return Likeness(round(level(compared, one, other), 4), tuple(rows))


def level(compared: Sequence[Feature], one: Profile, other: Profile) -> float:
    """The score alone, for the many pairs of which nobody asks why."""
    total, weight = 0.0, 0
    for feature, a, b in zip(compared, one, other, strict=True):
        if a is not None and b is not None:
            counts = WEIGHTS[feature.kind]
            weight += counts
            total += counts * (1.0 if a[1] == b[1] else _score(feature.kind, a[1], b[1]))
    return total / weight if weight else 0.0


def score(kind: Kind, a: Any, b: Any) -> float:  # noqa: ANN401 - two canonical values
    """How much two stated values are alike."""
    return _score(kind, PREPARED[kind](a), PREPARED[kind](b))


def _score(kind: Kind, one: Any, other: Any) -> float:  # noqa: ANN401 - two prepared values
    if one == other:
        return 1.0
    if other < one:  # so that no rounding knows who was first
        one, other = other, one
    return _COMPARED[kind](one, other)


# -- what is compared ----------------------------------------------------------------------------


def host(value: str) -> str:
    """The domain of a website or an e-mail address."""
    bare = folded(value).rpartition("@")[2].rpartition("://")[2]
    return bare.partition("/")[0].removeprefix("www.")


def plain(value: str) -> str:
    """A word without case, accents, blanks and signs."""
    return "".join(filter(str.isalnum, unaccented(folded(value))))


def person(value: Doc) -> tuple[str, str]:
    """Last and first name."""
    return plain(value.get("last") or ""), plain((value.get("first") or "").partition(" ")[0])


def position(value: Doc) -> tuple[float, float] | tuple[()]:
    """Degrees; nothing where one of them is missing."""
    lat, lon = value.get("lat"), value.get("lon")
    return (float(lat), float(lon)) if lat and lon else ()


def _address(value: Doc) -> tuple[str, ...]:
    return tuple(address(value).split("/")) if address(value) else ()


def _exact(value: Any) -> str:  # noqa: ANN401 - any canonical value
    return folded(value) if isinstance(value, str) else canonical(value).decode()


PREPARED: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.NAME: lambda value: loosened(str(value)),
    Kind.PERSON: person,
    Kind.DOMAIN: host,
    Kind.EMAIL: folded,
    Kind.PHONE: digits,
    Kind.POSTCODE: plain,
    Kind.ADDRESS: _address,
    Kind.GEO: position,
    Kind.EXACT: _exact,
}
"""What of a value is compared; nothing where it says nothing."""


def _names(one: str, other: str) -> float:
    """Common words count whatever their order; words only one side has count against it, half."""
    from rapidfuzz import fuzz  # noqa: PLC0415 - three megabytes, for rules with scores only

    return float(fuzz.token_set_ratio(one, other) + fuzz.token_sort_ratio(one, other)) / 200


def _persons(one: tuple[str, str], other: tuple[str, str]) -> float:
    from rapidfuzz import fuzz  # noqa: PLC0415 - three megabytes, for rules with scores only

    last = fuzz.ratio(one[0], other[0]) / 100
    if not (one[1] and other[1]):
        return last * 0.9
    short, long = sorted((one[1], other[1]), key=len)
    first = 0.9 if long.startswith(short) and short != long else fuzz.ratio(short, long) / 100
    return last * 0.6 + first * 0.4


def _mails(one: str, other: str) -> float:
    return 0.5 if host(one) == host(other) and host(one) not in FREE_MAIL else 0.0


def _postcodes(one: str, other: str) -> float:
    alike = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return alike / max(len(one), len(other))


def _addresses(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    from rapidfuzz import fuzz  # noqa: PLC0415 - three megabytes, for rules with scores only

    if one[2] and other[2] and one[2] != other[2]:
        return 0.0
    return (fuzz.ratio(one[0], other[0]) / 100 + _postcodes(one[1], other[1])) / 2


def metres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The distance of two positions, good for short ones."""
    degree = 111_195.0
    east = (one[1] - other[1]) * cos(radians((one[0] + other[0]) / 2))
    return hypot(one[0] - other[0], east) * degree


def _places(one: tuple[float, float], other: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (FAR_M - metres(one, other)) / (FAR_M - NEAR_M)))


def _different(_one: str, _other: str) -> float:
    return 0.0


_COMPARED: Mapping[Kind, Callable[[Any, Any], float]] = {
    Kind.NAME: _names,
    Kind.PERSON: _persons,
    Kind.DOMAIN: _different,
    Kind.EMAIL: _mails,
    Kind.PHONE: _different,
    Kind.POSTCODE: _postcodes,
    Kind.ADDRESS: _addresses,
    Kind.GEO: _places,
    Kind.EXACT: _different,
}
"""How two prepared values that are not the same are alike."""
