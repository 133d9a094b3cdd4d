"""Puts records of several systems together by strong keys, and asks where a key is not enough.

Pure; the same set of candidates gives the same answer in any order. Not here: similarity scores, storage.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, product
from typing import Any

from fsm_core.model.compare import blank


@dataclass(frozen=True, slots=True)
class Candidate:
    """A link that looks for its record, or a linked one it might belong to."""

    link: int
    system: str
    record: str | None
    keys: Mapping[str, frozenset[str]]
    """Values per key name."""


@dataclass(slots=True)
class Group:
    """Links that are one thing."""

    links: list[int]
    record: str | None
    systems: set[str]
    keys: dict[str, set[str]]
    by: str = "created"


@dataclass(frozen=True, slots=True)
class Question:
    """Links a person has to decide on."""

    links: tuple[int, ...]
    reason: str
    waiting: tuple[int, ...] = ()
    """Those of them that have no place until it is answered; the others serve as evidence."""


@dataclass(slots=True)
class Assembly:
    """The outcome: groups (also of one link) and questions; a link in a question is in no group."""

    groups: list[Group] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


def assemble(
    candidates: Iterable[Candidate],
    strong: Sequence[str],
    ask: Sequence[str],
    apart: frozenset[tuple[int, int]] = frozenset(),
) -> Assembly:
    """Join by strong keys in their order; ask about duplicates, contradictions and equal `ask` keys.

    `apart` holds pairs of links (smaller id first) that a person judged to be different things.
    """
    pool = _Pool(candidates, apart)
    for name in strong:
        pool.join(name, strong)
    for name in ask:
        pool.question_equal(name)
    return pool.assembly()


class _Pool:
    def __init__(self, candidates: Iterable[Candidate], apart: frozenset[tuple[int, int]]) -> None:
        self._apart = apart
        self._groups: dict[int, Group] = {}
        self._home: dict[int, int] = {}
        self._doubts: dict[int, tuple[tuple[int, ...], str]] = {}
        by_record: dict[str, int] = {}
        for candidate in sorted(candidates, key=lambda c: c.link):
            group = Group(
                [candidate.link], candidate.record, {candidate.system}, {k: set(v) for k, v in candidate.keys.items()}
            )
            known = by_record.get(candidate.record) if candidate.record else None
            if known is None:
                self._groups[candidate.link] = group
                self._home[candidate.link] = candidate.link
                if candidate.record:
                    by_record[candidate.record] = candidate.link
            else:
                self._home[candidate.link] = known
                _absorb(self._groups[known], group)

    def join(self, name: str, strong: Sequence[str]) -> None:
        for value, members in self._buckets(name):
            homes = sorted({self._home_of(home) for home in members})
            if len(homes) < 2:  # noqa: PLR2004 - a pair
                continue
            doubt = self._doubt(homes, name, strong)
            if not doubt and any(home in self._doubts for home in homes):
                doubt = "equal to a record that is in question"
            if doubt:
                self._question(homes, f"{doubt} ({name} {value})")
            elif self._apart and any(self._two_apart(a, b) for a, b in combinations(homes, 2)):
                self._question(homes, f"the key belongs to several that are not the same ({name} {value})")
            else:
                self._merge(homes, name)

    def _buckets(self, name: str) -> list[tuple[str, list[int]]]:
        buckets: defaultdict[str, list[int]] = defaultdict(list)
        for home, group in self._groups.items():
            for value in group.keys.get(name, ()):
                buckets[value].append(home)
        return sorted((value, homes) for value, homes in buckets.items() if len(homes) > 1)

    def _home_of(self, home: int) -> int:
        return self._home[home]

    def _doubt(self, homes: list[int], name: str, strong: Sequence[str]) -> str:
        groups = [self._groups[home] for home in homes]
        seen: set[str] = set()
        for group in groups:
            if group.systems & seen:
                return f"potential duplicate inside {', '.join(sorted(group.systems & seen))}"
            seen |= group.systems
        if len({group.record for group in groups if group.record}) > 1:
            return "the key belongs to several records"
        for other in strong:
            stated = [group.keys[other] for group in groups if other != name and group.keys.get(other)]
            if len(stated) > 1 and not set.intersection(*stated):
                return f"key equal, but {other} differs"
        return ""

    def _judged_apart(self, homes: list[int]) -> bool:
        """Whether a person said of every two of these that they are not the same."""
        return bool(self._apart) and all(self._two_apart(a, b) for a, b in combinations(homes, 2))

    def _two_apart(self, one: int, other: int) -> bool:
        pairs = product(self._groups[one].links, self._groups[other].links)
        return any((min(pair), max(pair)) in self._apart for pair in pairs)

    def _merge(self, homes: list[int], by: str) -> None:
        kept = next((home for home in homes if self._groups[home].record), homes[0])
        for home in homes:
            if home != kept:
                group = self._groups.pop(home)
                _absorb(self._groups[kept], group)
                for link in group.links:
                    self._home[link] = kept
        self._groups[kept].by = by

    def question_equal(self, name: str) -> None:
        for value, homes in self._buckets(name):
            if all(self._groups[home].record for home in homes) or self._judged_apart(homes):
                continue
            self._question(homes, f"same {name.replace('+', ' and ')}: {value}")

    def _question(self, homes: list[int], reason: str) -> None:
        if self._judged_apart(homes):
            return
        links = tuple(sorted(link for home in homes for link in self._groups[home].links))
        settled = [home for home in homes if self._groups[home].record or len(self._groups[home].links) > 1]
        for home in homes:
            # what a stronger key has put together stays together; the newcomer is in doubt
            if not self._groups[home].record and settled != [home]:
                self._doubts.setdefault(home, (links, reason))

    def assembly(self) -> Assembly:
        asked: defaultdict[tuple[tuple[int, ...], str], list[int]] = defaultdict(list)
        for home, question in self._doubts.items():
            if home in self._groups:
                asked[question] += self._groups[home].links
        groups = [group for home, group in sorted(self._groups.items()) if home not in self._doubts]
        questions = [Question(links, why, tuple(sorted(waiting))) for (links, why), waiting in sorted(asked.items())]
        return Assembly(groups, questions)


def _absorb(into: Group, group: Group) -> None:
    into.links.extend(group.links)
    into.systems |= group.systems
    into.record = into.record or group.record
    for name, values in group.keys.items():
        into.keys.setdefault(name, set()).update(values)


@lru_cache
def key_reader(fields: tuple[str, ...]) -> Callable[[Mapping[str, Any]], list[str]]:
    """A function from a document to the values of one key: none when a part is blank, several when it is a set."""
    paths = [tuple(field.split(".")) for field in fields]

    def strong(document: Mapping[str, Any]) -> list[str]:
        value = value_of(document, paths[0])
        if value.__class__ is str:
            return [value.casefold()[:LONGEST]] if value else []
        return sorted({str(item).casefold()[:LONGEST] for item in _several(value)})

    def loose(document: Mapping[str, Any]) -> list[str]:
        parts = []
        for path in paths:
            value = value_of(document, path)
            if value.__class__ is not str:
                value = next((str(item) for item in _several(value)), "")
            if not value:
                return []
            parts.append(loosened(value))
        return ["|".join(parts)[:LONGEST]]

    return strong if len(fields) == 1 else loose


LONGEST = 512
"""Characters of a key value; longer ones are equal when they begin alike."""


def value_of(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:  # noqa: ANN401 - any canonical value
    """What a document says at a path."""
    found = document.get(path[0])
    for name in path[1:]:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _several(value: Any) -> list[Any]:  # noqa: ANN401 - any canonical value
    if blank(value):
        return []
    return value if isinstance(value, list) else [value]


_LEGAL_FORMS = frozenset(
    [
        "gmbh",
        "mbh",
        "ag",
        "kg",
        "kgaa",
        "ohg",
        "ek",
        "ug",
        "se",
        "co",
        "ltd",
        "limited",
        "inc",
        "llc",
        "plc",
        "bv",
        "nv",
        "sarl",
        "sas",
        "sa",
        "spa",
        "srl",
        "oy",
        "ab",
        "as",
        "aps",
    ]
)
_SPELLED_OUT = re.compile(r" (gesellschaft mit beschra?e?nkter haftung|g m b h|e k|b v|n v|s a r l|s a)(?= )")
_SPELLED_FIRST = frozenset(["gesellschaft", "g", "e", "b", "n", "s"])
_INITIALS = re.compile(r"\b([a-z])\.\s?(?=[a-z]\b|\W|$)")
"""The point after a single letter: `g.m.b.h.` is one word."""
_WORD = re.compile(r"[a-z0-9]+")
_APART = {code: " " for code in range(128) if not chr(code).isalnum()}
"""The same for ASCII text, three times as fast."""


def unaccented(folded: str) -> str:
    """ASCII where there is an ASCII way to write it; German umlauts become two letters."""
    spelled = folded.replace("ß", "ss").replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
    return "".join(c for c in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(c))


def loosened(text: str) -> str:
    """A name as a person would call it: no case, accents, punctuation or legal form."""
    plain = text.casefold()
    if plain.isalnum() and plain.isascii():
        return plain
    if not plain.isascii():
        plain = unaccented(plain)
    if "." in plain or "&" in plain:
        plain = _INITIALS.sub(r"\1", plain.replace("&amp;", " "))
    words = plain.translate(_APART).split() if plain.isascii() else _WORD.findall(plain)
    kept = [word for word in words if word not in _LEGAL_FORMS]
    name = " ".join(kept)
    if not _SPELLED_FIRST.isdisjoint(kept):
        name = " ".join(_SPELLED_OUT.sub(" ", f" {name} ").split()) or name
    return name or " ".join(words)
