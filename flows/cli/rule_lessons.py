"""Commands that make a rule of answers, or of what people keep doing: in words, tried on the past, as shadow first.

Not here: what an answer teaches (`fsm_core.ownership.learn`), and putting a version in force (`rule_versions`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import shown, terminal
from flows.cli.rule_versions import keep_version, replay_summary, replayed, show_replayed
from flows.cli.rules import rules
from flows.cli.who import entered
from fsm_core.errors import Invalid, NotFound
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flows.wiring import Opened
    from fsm_core.ownership.learn import Lesson
    from fsm_core.state import Conflict
    from fsm_core.state_reverts import RevertCount


@rules.command("learn")
def rules_learn(
    answered: Annotated[
        str,
        typer.Argument(
            help="An answered conflict, or the run of a bulk answer; ends of ids do. "
            "Or what 'rules suggest' names: entity.field@system."
        ),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Write the whole rule file there.")] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Keep it as the shadow.")] = False,  # noqa: FBT002 - a switch
    days: Annotated[int, typer.Option(min=1, help="How far to look back.")] = 30,
) -> None:
    """Make a rule that would have given these answers, and show what else it would have changed."""
    from flows.wiring import bound_rules  # noqa: PLC0415 - commands start fast
    from fsm_core.model import SHAPES  # noqa: PLC0415 - as above
    from fsm_core.ownership import parse  # noqa: PLC0415 - as above
    from fsm_core.ownership.diff import diff  # noqa: PLC0415 - as above
    from fsm_core.ownership.rules import version_of  # noqa: PLC0415 - as above

    with entered(Act.RULE if shadow else Act.SEE) as (found, _):
        text = _in_force(found)
        lessons, made = _learnt(found, text, answered)
        version = version_of(made)
        told = replayed(found, bound_rules(found.settings, made, version), days)
        old = found.hub.rulebook.version
    changes = [one.sentence for one in diff(parse(text), parse(made), SHAPES)]
    if out is not None:
        out.write_text(made, encoding="utf8")
    if shadow:
        keep_version(version, made, f"learnt from {answered}", shadow=True)
    summary = replay_summary(days, old, version, told)
    learnt = [one.sentence for one in lessons]
    if terminal.answer({"lessons": learnt, "changes": changes, "version": version, "replay": summary}):
        return
    for sentence in learnt:
        terminal.say(f"[bold]{shown(sentence)}[/]")
    for sentence in changes:
        terminal.say(f"  {shown(sentence)}")
    show_replayed(summary, told)
    terminal.say(_next(version, out, shadow=shadow))


def _in_force(found: Opened) -> str:
    from flows.wiring import rules_path  # noqa: PLC0415 - commands start fast
    from fsm_core.store.rule_versions import RuleVersions  # noqa: PLC0415 - as above

    with found.store.reading() as db:
        active = RuleVersions(db).active()
    return active.text if active else rules_path(found.settings).read_text(encoding="utf8")


def _learnt(found: Opened, text: str, answered: str) -> tuple[list[Lesson], str]:
    """What the answers teach, the most frequent first, and the rules with it; one lesson for each field."""
    from fsm_core.ownership import parse  # noqa: PLC0415 - commands start fast
    from fsm_core.ownership.learn import lesson, taught  # noqa: PLC0415 - as above

    asked = _asked(found, answered)
    lessons: dict[tuple[str, str], Lesson] = {}
    for entity, field, note, take in (key for key, _ in asked.most_common()):
        if (entity, field) not in lessons:
            lessons[entity, field] = lesson(parse(text), entity, field, note, take)
    for one in lessons.values():
        text = taught(text, one)
    return list(lessons.values()), text


def _asked(found: Opened, answered: str) -> Counter[tuple[str, str, str, str]]:
    """Entity, field, why it was asked, and what is taken; how often each."""
    from fsm_core.ownership.learn import insisted  # noqa: PLC0415 - commands start fast

    place, _, system = answered.partition("@")
    if system:
        entity, _, field = place.partition(".")
        found.hub.book(entity).shape.field(field)
        return Counter([(entity, field, insisted(system, field), system)])
    with found.store.reading() as db:
        rows = _answers(db, answered)
    return Counter((one.entity, one.field, one.note, str(one.resolution.get("take", ""))) for one in rows)


def _answers(db: Connection, answered: str) -> list[Conflict]:
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast
    from fsm_core.store import runs as history  # noqa: PLC0415 - as above

    try:
        rows = [queries.conflict(db, answered)]
    except NotFound:
        told = [one.content for one in history.rulings(db, history.run_id(db, answered)) if one.kind == "answer"]
        rows = [queries.conflict(db, one["conflict"]) for one in told if one and "conflict" in one]
    usable = [one for one in rows if one.type == "field" and one.resolution]
    if not usable:
        raise Invalid(f"{answered} holds no answer about a field", remedy="Answer the conflict first.")
    return usable


def _next(version: str, out: Path | None, *, shadow: bool) -> str:
    if shadow:
        return f"{version} is the shadow; look at it with 'fsm-hub rules test', then 'fsm-hub rules activate {version}'"
    where = f"written to {shown(str(out))}; " if out else ""
    return f"{where}nothing is in force; keep it with --shadow, or write the file with --out"


# -- suggestions ---------------------------------------------------------------------------------


@rules.command("suggest")
def rules_suggest() -> None:
    """Rules that people keep working against, and what would end it."""
    with entered(Act.SEE) as (found, _):
        told = suggested(found)
    if terminal.answer({"suggestions": told}):
        return
    for one in told:
        terminal.say(f"[bold]{shown(one['sentence'])}[/]")
        terminal.say(f"  {shown(one['lesson'])}")
        if one["command"]:
            terminal.say(f"  try it: {shown(one['command'])}")
    if not told:
        terminal.say("nobody keeps working against a rule")


def suggested(found: Opened) -> list[dict[str, str]]:
    """What people keep changing though a rule takes it back: in words, with the lesson that would end it."""
    from fsm_core.service.insistence import WINDOW, in_words, too_many  # noqa: PLC0415 - commands start fast
    from fsm_core.store.reverts import counts  # noqa: PLC0415 - as above

    with found.store.reading() as db:
        often = too_many(found.hub, counts(db, found.hub.later(-WINDOW)))
    if not often:
        return []
    text = _in_force(found)
    return [{"sentence": in_words(count), **_remedy(text, count)} for count in often]


def _remedy(text: str, count: RevertCount) -> dict[str, str]:
    from fsm_core.ownership import parse  # noqa: PLC0415 - commands start fast
    from fsm_core.ownership.learn import BY_HAND, insisted, lesson, taught  # noqa: PLC0415 - as above

    file = parse(text)
    if count.entity not in file.entities:
        return {"lesson": BY_HAND, "command": ""}
    try:
        learnt = lesson(file, count.entity, count.field, insisted(count.system, count.field), count.system)
        taught(text, learnt)
    except Invalid as error:
        return {"lesson": str(error), "command": ""}
    return {
        "lesson": learnt.sentence,
        "command": f"fsm-hub rules learn {count.entity}.{count.field}@{count.system} --shadow",
    }
