"""Puts records of several systems together by strong keys and scores, and asks where neither is enough.

Pure; the same set of candidates gives the same answer in any order. Not here: how a score comes about (`similar`),
storage.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from itertools import combinations, product
from typing import Any, NamedTuple

from fsm_core.model.compare import blank
from fsm_core.sync.names import loosened

SCORED = "score "
"""Begins the name of what put a group together, where that was no key."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A link that looks for its record, or a linked one it might belong to."""

    link: int
    system: str
    record: str | None
    keys: Mapping[str, frozenset[str]]
    """Values per key name."""
    facts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Values per field that speaks against a match when it differs."""


class Pair(NamedTuple):
    """Two links, the smaller first, that are alike."""

    a: int
    b: int
    score: float
    proven: bool = True
    """Whether more than one thing was compared."""


class Doubt(StrEnum):
    """Why a person is asked."""

    AMBIGUOUS = "ambiguous"
    CONTRADICTING = "contradicting"
    """Something says that they are two."""


@dataclass(slots=True)
class Group:
    """Links that are one thing."""

    links: list[int]
    record: str | None
    systems: set[str]
    keys: dict[str, set[str]]
    facts: dict[str, set[str]] = field(default_factory=dict)
    by: str = "created"


@dataclass(frozen=True, slots=True)
class Question:
    """Links a person has to decide on."""

    links: tuple[int, ...]
    reason: str
    waiting: tuple[int, ...] = ()
    """Those of them that have no place until it is answered; the others serve as evidence."""
    doubt: Doubt = Doubt.AMBIGUOUS


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
    pairs: Iterable[Pair] = (),
    auto: float | None = None,
    several: frozenset[str] = frozenset(),
) -> Assembly:
    """Join by strong keys in their order; ask about duplicates, contradictions, equal `ask` keys and what is alike.

    `apart` holds pairs of links (smaller id first) that a person judged to be different things. A pair of `pairs` that
    scores `auto` or more, is proven, and has no rival is joined too; without `auto` none is. Of the systems in
    `several` a strong key may put more than one record to a thing.
    """
    pool = _Pool(candidates, apart, several)
    for name in strong:
        pool.join(name, strong)
    for name in ask:
        pool.question_equal(name)
    pool.suggest(pairs, auto, strong)
    return pool.assembly()


class _Pool:
    def __init__(
        self, candidates: Iterable[Candidate], apart: frozenset[tuple[int, int]], several: frozenset[str]
    ) -> None:
        self._apart = apart
        self._several = several
        self._groups: dict[int, Group] = {}
        self._home: dict[int, int] = {}
        self._doubts: dict[int, tuple[tuple[int, ...], str, Doubt]] = {}
        by_record: dict[str, int] = {}
        for candidate in sorted(candidates, key=lambda c: c.link):
            keys, facts = ({k: set(v) for k, v in told.items()} for told in (candidate.keys, candidate.facts))
            group = Group([candidate.link], candidate.record, {candidate.system}, keys, facts)
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
        for value, members in self._whole(self._buckets(name)):
            homes = sorted({self._home_of(home) for home in members})
            if len(homes) < 2:  # noqa: PLR2004 - a pair
                continue
            doubt, kind = self._doubt(homes, strong, name)
            if not doubt and any(home in self._doubts for home in homes):
                doubt = "equal to a record that is in question"
            if doubt:
                self._question(homes, f"{doubt} ({name} {value})", kind)
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

    def _whole(self, buckets: list[tuple[str, list[int]]]) -> list[tuple[str, list[int]]]:
        """Values that one newcomer has are looked at together: each may belong to another record."""
        of: dict[int, tuple[list[str], set[int]]] = {}
        alone: list[tuple[list[str], set[int]]] = []
        for value, homes in buckets:
            new = [home for home in homes if not self._groups[home].record]
            values, members = [value], set(homes)
            for more in {id(of[home]): of[home] for home in new if home in of}.values():
                values, members = more[0] + values, more[1] | members
            whole = values, members
            of |= {home: whole for home in members if not self._groups[home].record}
            alone += [] if new else [whole]
        wholes = [*alone, *{id(whole): whole for whole in of.values()}.values()]
        return sorted((", ".join(sorted(values)), sorted(members)) for values, members in wholes)

    def _home_of(self, home: int) -> int:
        return self._home[home]

    def _doubt(self, homes: list[int], strong: Sequence[str], name: str = "") -> tuple[str, Doubt]:
        """Why these may not be one, although a key (or a score, without `name`) says so; "" for no reason."""
        groups = [self._groups[home] for home in homes]
        seen: set[str] = set()
        for group in groups:
            if twice := (group.systems & seen) - (self._several if name else frozenset()):
                return f"potential duplicate inside {', '.join(sorted(twice))}", Doubt.AMBIGUOUS
            seen |= group.systems
        if len({group.record for group in groups if group.record}) > 1:
            return f"{'the key belongs' if name else 'it is like what belongs'} to several records", Doubt.AMBIGUOUS
        for other in strong:
            if other != name and _differ([group.keys.get(other) for group in groups]):
                return f"{'key equal' if name else 'alike'}, but {other} differs", Doubt.CONTRADICTING
        for other in sorted({fact for group in groups for fact in group.facts}):
            if _differ([group.facts.get(other) for group in groups]):
                return f"{'key equal' if name else 'alike'}, but {other} differs", Doubt.CONTRADICTING
        return "", Doubt.AMBIGUOUS

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

    def suggest(self, pairs: Iterable[Pair], auto: float | None, strong: Sequence[str]) -> None:
        """Join what is alike beyond doubt, ask about all else that is alike."""
        edges = self._edges(pairs)
        rivals = Counter(home for edge in edges for home in edge)
        rest: dict[tuple[int, int], Pair] = {}
        for edge, pair in sorted(edges.items()):
            free = all(rivals[home] == 1 and home not in self._doubts for home in edge)
            sure = auto is not None and pair.score >= auto and pair.proven and free
            if sure and not self._doubt(list(edge), strong)[0]:
                self._merge(list(edge), f"{SCORED}{pair.score:.2f}")
            else:
                rest[edge] = pair
        for homes in _connected(rest):
            scores = sorted((pair.score for edge, pair in rest.items() if edge[0] in homes), reverse=True)
            told = f"alike: score {', '.join(f'{score:.2f}' for score in scores)}"
            doubt, kind = self._doubt(homes, strong)
            several = "several candidates" if len(homes) > 2 else ""  # noqa: PLR2004 - a pair
            why = "; ".join(filter(None, (several, doubt)))
            self._question(homes, f"{why} ({told})" if why else told, kind)

    def _edges(self, pairs: Iterable[Pair]) -> dict[tuple[int, int], Pair]:
        """The best score of every two groups of which one looks for its record and nobody said they are two."""
        best: dict[tuple[int, int], Pair] = {}
        for pair in sorted(pairs):
            if pair.a not in self._home or pair.b not in self._home:
                continue
            one, other = sorted((self._home_of(pair.a), self._home_of(pair.b)))
            known = all(self._groups[home].record for home in (one, other))
            if one == other or known or self._two_apart(one, other):
                continue
            if (one, other) not in best or best[one, other].score < pair.score:
                best[one, other] = pair
        return best

    def question_equal(self, name: str) -> None:
        for value, homes in self._buckets(name):
            if all(self._groups[home].record for home in homes) or self._judged_apart(homes):
                continue
            self._question(homes, f"same {name.replace('+', ' and ')}: {value}")

    def _question(self, homes: list[int], reason: str, kind: Doubt = Doubt.AMBIGUOUS) -> None:
        if self._judged_apart(homes):
            return
        links = tuple(sorted(link for home in homes for link in self._groups[home].links))
        settled = [home for home in homes if self._groups[home].record or len(self._groups[home].links) > 1]
        for home in homes:
            # what a stronger key has put together stays together; the newcomer is in doubt
            if not self._groups[home].record and settled != [home]:
                self._doubts.setdefault(home, (links, reason, kind))

    def assembly(self) -> Assembly:
        asked: defaultdict[tuple[tuple[int, ...], str, Doubt], list[int]] = defaultdict(list)
        for home, question in self._doubts.items():
            if home in self._groups:
                asked[question] += self._groups[home].links
        groups = [group for home, group in sorted(self._groups.items()) if home not in self._doubts]
        questions = [Question(links, why, tuple(sorted(n)), kind) for (links, why, kind), n in sorted(asked.items())]
        return Assembly(groups, questions)


def _absorb(into: Group, group: Group) -> None:
    into.links.extend(group.links)
    into.systems |= group.systems
    into.record = into.record or group.record
    for told, more in ((into.keys, group.keys), (into.facts, group.facts)):
        for name, values in more.items():
            told.setdefault(name, set()).update(values)


def _differ(stated: Iterable[set[str] | None]) -> bool:
    """Whether those that say something have nothing in common."""
    told = [values for values in stated if values]
    return len(told) > 1 and not set.intersection(*told)


def _connected(edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    """What hangs together, each in order."""
    of: dict[int, set[int]] = {}
    for one, other in edges:
        whole = of.get(one, {one}) | of.get(other, {other})
        of |= dict.fromkeys(whole, whole)
    return sorted(sorted(whole) for whole in {min(whole): whole for whole in of.values()}.values())


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
