"""Writes the pages that follow from the files that run: connectors, mappings, checks. `make docs` runs it.

A page is never edited by hand; `tests/docs/test_generated.py` compares. Not here: any fact or sentence about a field
(`mappings/<kind>/<entity>.yaml`) or a connector (`connectors/<kind>/quality.yaml`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import mappings
from connectors import quality
from connectors.quality import MEANING, RULES, Level, Quality, Rule
from fsm_core.model import shape
from fsm_core.model.entity import HEADER
from fsm_core.ownership.check import CHECKS
from fsm_core.service.capability import window

HERE = Path(__file__).parent
FOLDER = "mappings"
MADE = "<!-- Written by `make docs` from {source}. Do not edit. -->"
CONNECTORS_LEAD = """\
What each connector does, at its default settings; `fsm-hub doctor` tells the same of your account. To write another
one: [Write a connector in an afternoon](../connectors/README.md)."""
SCALE_LEAD = """\
A connector has a level when every rule of it, and of the levels below, is done or exempt. Each `done` is checked by a
test; `connectors/<name>/quality.yaml` names the evidence."""
CHECKS_LEAD = """\
`fsm-hub rules check` looks for these, and `fsm-hub rules activate` refuses a file with an error. A finding can be
accepted with a reason, see [The rules of ownership](ownership-rules.md#accept)."""
MARKS = {"done": "yes", "exempt": "exempt", "todo": "no"}


def pages() -> dict[str, str]:
    """Every generated page by its path below `docs`."""
    made = {"connectors.md": connectors(), "rule-checks.md": rule_checks(), f"{FOLDER}/README.md": overview()}
    for kind, entity in mappings.shipped():
        made[f"{FOLDER}/{kind}-{entity}.md"] = mapping(kind, entity)
    return made


def write(home: Path = HERE) -> list[str]:
    """Write what differs, and remove generated mappings that have no source; returns the paths touched."""
    wanted = pages()
    touched = []
    for name, text in wanted.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            touched.append(name)
    for path in sorted((home / FOLDER).glob("*.md")):
        if (name := f"{FOLDER}/{path.name}") not in wanted:
            path.unlink()
            touched.append(name)
    return touched


# -- connectors ------------------------------------------------------------------------------------------


def connectors() -> str:
    """The connectors side by side, the scale, and what each says of every rule."""
    scale = {kind: quality.load(kind) for kind in quality.kinds()}
    parts = [
        MADE.format(source="`connectors/*/quality.yaml`"),
        "# Connectors",
        CONNECTORS_LEAD,
        _table(("", *(one.facts.title for one in scale.values())), _facts(scale)),
        *_windows(scale),
        "## The quality scale",
        SCALE_LEAD,
        *(part for level in Level for part in _level(level, scale)),
        "## Exempt, and not done yet",
        *(part for kind, one in scale.items() for part in _reasons(kind, one)),
    ]
    return _page(parts)


def _facts(scale: dict[str, Quality]) -> Iterator[tuple[str, ...]]:
    facts = [one.facts for one in scale.values()]
    yield "level", *(str(one.level) for one in scale.values())
    yield "log-in", *(one.auth for one in facts)
    yield "changes are found by", *(one.changes for one in facts)
    yield "deletions", *(str(one.deletes) for one in facts)
    yield "a repeated create", *(str(one.creates) for one in facts)
    yield "compare and set", *("yes" if one.compare_and_set else "no" for one in facts)
    yield "writes a call", *(str(one.batch) for one in facts)
    yield "read again behind the cursor", *(f"{one.overlap_seconds} s" for one in facts)
    yield "quota", *(one.quota for one in facts)
    yield "details", *(f"[README](../connectors/{kind}/README.md)" for kind in scale)


def _windows(scale: dict[str, Quality]) -> Iterator[str]:
    yield "## The residual window"
    yield "What a write may overwrite unseen:"
    for one in scale.values():
        facts = one.facts
        told = window(facts.batch, compare_and_set=facts.compare_and_set, unguarded=facts.unguarded)
        yield f"* **{facts.title}**: {told.words}"


def _level(level: Level, scale: dict[str, Quality]) -> Iterator[str]:
    yield f"### {level.capitalize()}"
    yield MEANING[level]
    head = ("rule", "meaning", "checked by", *(one.facts.title for one in scale.values()))
    yield _table(head, [_rule(rule, scale) for rule in RULES if rule.level is level])


def _rule(rule: Rule, scale: dict[str, Quality]) -> tuple[str, ...]:
    return f"`{rule.id}`", rule.sentence, str(rule.check), *(MARKS[one.rules[rule.id].status] for one in scale.values())


def _reasons(kind: str, one: Quality) -> Iterator[str]:
    rows = [(f"`{rule.id}`", one.rules[rule.id]) for rule in RULES if one.rules[rule.id].status != "done"]
    yield f"### {one.facts.title}: {kind}" if one.facts.title != kind else f"### {kind}"
    yield _table(("rule", "", "why"), [(name, MARKS[entry.status], entry.reason) for name, entry in rows])


# -- rules ---------------------------------------------------------------------------------------------------


def rule_checks() -> str:
    """What `rules check` looks for."""
    rows = [(f"`{one.id}`", str(one.level), one.title) for one in CHECKS.values()]
    parts = [
        MADE.format(source="`fsm_core/ownership/check/catalogue.py`"),
        "# What the rules are checked for",
        CHECKS_LEAD,
        _table(("check", "level", "finds"), rows),
    ]
    return _page(parts)


# -- mappings --------------------------------------------------------------------------------------------


def overview() -> str:
    """Which field lives in which system, per entity."""
    parts = [
        MADE.format(source="`mappings/*/*.yaml`"),
        "# Where the fields live",
        "Per entity, the systems that have a place for a field. Change one: [Map a field](../mapping-a-field.md).",
    ]
    for entity in sorted({entity for _, entity in mappings.shipped()}):
        kinds = [kind for kind, name in mappings.shipped() if name == entity]
        tables = [mappings.load(kind, entity) for kind in kinds]
        head = ("field", *(f"[{kind}]({kind}-{entity}.md)" for kind in kinds))
        fields = (name for name in shape(entity).fields if name not in HEADER)
        rows = [(name, *("yes" if name in one.canonical_fields else "" for one in tables)) for name in fields]
        parts += [f"## {entity}", _table(head, rows)]
    return _page(parts)


def mapping(kind: str, entity: str) -> str:
    """One table in full: what lives where, what does not, and what differs from a plain field."""
    table = mappings.load(kind, entity)
    places, notes = table.places(), table.notes()
    key = f"The hub's record id is in `{table.object.key}`." if table.object.key else "It holds no id of the hub."
    parts = [
        MADE.format(source=f"`mappings/{kind}/{entity}.yaml`"),
        f"# {entity} in {kind}: {table.object.name}",
        " ".join(part for part in (key, notes.pop("object", "")) if part),
        _table(("field", "native", "codec", "direction", "length", "values"), _rows(table, places)),
    ]
    if places:
        listed = [(f"`${name}`", f"`{path}`") for name, path in places.items()]
        parts += ["`$` names the beginning of a path:", _table(("place", "stands for"), listed)]
    if missing := table.missing():
        parts += ["## Not mapped", _table(("field", "why"), missing.items())]
    if notes:
        parts += ["## What differs from a plain field", *(f"* **{name}**: {note}" for name, note in notes.items())]
    return _page(parts)


def _rows(table: mappings.Mapping, places: dict[str, str]) -> Iterator[tuple[str, ...]]:
    for row in table.describe_rows():
        native = ", ".join(f"`{_short(path, places)}`" for path in row.native.split(", "))
        values = ", ".join(code if code == written else f"{code} = {written}" for code, written in row.values)
        yield row.canonical, native, row.codec, str(row.direction), str(row.length or ""), values


def _short(path: str, places: dict[str, str]) -> str:
    """A path by the longest named beginning it has."""
    found = [name for name, beginning in places.items() if path.startswith(f"{beginning}.")]
    if not found:
        return path
    name = max(found, key=lambda one: len(places[one]))
    return f"${name}{path.removeprefix(places[name])}"


# -- Markdown --------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _page(parts: Iterable[str]) -> str:
    """Parts with an empty line between, but none between the lines of a list."""
    text = ""
    for part in parts:
        in_list = part.startswith("* ") and text.rpartition("\n")[2].startswith("* ")
        text += ("\n" if in_list else "\n\n" if text else "") + part
    return f"{text}\n"


if __name__ == "__main__":
    for touched in write():
        print(f"docs/{touched}")  # noqa: T201 - the answer of the command
