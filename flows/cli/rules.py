"""Commands on the ownership rules as a file: check, matrix, diff.

Not here: their versions in the state (`rule_versions`), and the checks themselves (`fsm_core.ownership.check`).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from flows.cli.app import app, plain, shown, terminal
from fsm_core.errors import Invalid

if TYPE_CHECKING:
    from fsm_core.ownership.check import Report

rules = typer.Typer(no_args_is_help=True, help="The ownership rules: check, look at, compare, keep versions.")
app.add_typer(rules, name="rules")

COLOURS = {"error": "bold red", "warn": "yellow", "report": "blue"}
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON, as the option before the command.")]
RuleFileArgument = Annotated[
    Path | None, typer.Argument(help="Rule file; default: that of hub.toml, else the shipped.")
]


@rules.command("check")
def rules_check(
    file: RuleFileArgument = None,
    live: Annotated[bool, typer.Option("--live", help="Ask each account what it allows, too.")] = False,  # noqa: FBT002 - a switch
    poll: Annotated[str, typer.Option(help="How often systems are read, e.g. 5m.")] = "5m",
    json: Json = False,  # noqa: FBT002 - a switch
) -> None:
    """Look for rules that contradict each other, the mappings or the accounts; exit code 1 on an error."""
    from flows.rulefacts import gather  # noqa: PLC0415 - commands start fast
    from fsm_core.ownership.check import check  # noqa: PLC0415 - as above

    terminal.json = terminal.json or json
    gathered = gather(terminal.config, file, live=live, poll=_interval(poll))
    report = check(gathered.subject)
    report.notes += gathered.notes
    told = {
        "file": str(gathered.rules.path),
        "version": gathered.rules.version,
        "ok": not report.errors,
        **plain(report),
    }
    if not terminal.answer(told):
        _show(str(gathered.rules.path), report)
    if report.errors:
        raise typer.Exit(1)


def _interval(text: str) -> timedelta:
    from fsm_core.ownership.words import duration  # noqa: PLC0415 - commands start fast

    found = duration(text)
    if not isinstance(found, timedelta):
        raise Invalid(f"{text!r} is no interval", remedy="Write 30s, 5m, 1h or 1d.")
    return found


def _show(path: str, report: Report) -> None:
    for one in report.findings:
        colour = COLOURS[one.level]
        terminal.say(f"[{colour}]{one.check} {one.level}[/] {escape(path)}:{one.line} {escape(one.place)}")
        terminal.say(f"  {escape(one.sentence)}")
        terminal.say(f"  e.g. {_example(one.counter_example)}")
        terminal.say(f"  {escape(one.remedy)}")
    for borne in report.accepted:
        one = borne.finding
        terminal.say(f"accepted {one.check} {escape(one.place)}: {escape(one.sentence)}")
        terminal.say(f"  because: {escape(borne.reason)}")
    for note in report.notes:
        terminal.say(f"not looked at: {escape(note)}")
    warnings = len(report.findings) - report.errors
    terminal.say(f"{report.errors} errors, {warnings} warnings, {len(report.accepted)} accepted")


def _example(values: Any) -> str:  # noqa: ANN401 - a counter-example
    return ", ".join(f"{escape(str(name))} = {shown(value)}" for name, value in values.items())


# -- who owns what -----------------------------------------------------------------------------------------


@rules.command("matrix")
def rules_matrix(
    file: RuleFileArgument = None,
    entity: Annotated[str, typer.Option(help="Entity; default: all.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write one page of HTML there.")] = None,
    json: Json = False,  # noqa: FBT002 - a switch
) -> None:
    """Who owns what in which phase of a record's life."""
    from flows.rulefacts import chosen  # noqa: PLC0415 - commands start fast
    from flows.rulepage import page  # noqa: PLC0415 - as above
    from fsm_core.model import SHAPES  # noqa: PLC0415 - as above
    from fsm_core.ownership.matrix import matrix  # noqa: PLC0415 - as above

    terminal.json = terminal.json or json
    read = chosen(terminal.config, file)
    if entity and entity not in read.file.entities:
        raise Invalid(f"no rules for {entity!r}", remedy=f"The rule file has: {', '.join(read.file.entities)}.")
    sheets = matrix(read.file, SHAPES, entity)
    if html is not None:
        html.write_text(page(sheets, f"Who owns what ({read.path.name}, {read.version})"), encoding="utf8")
    if terminal.answer(sheets):
        return
    for sheet in sheets:
        columns = ("field", *(f"{escape(one.when)}\n{escape(one.values)}" for one in sheet.phases))
        told = [(row.field, *(_cell(cell.label, cell.answer) for cell in row.cells)) for row in sheet.rows]
        terminal.table(sheet.entity, columns, told)
    if html is not None:
        terminal.say(f"{html} written")


def _cell(label: str, answer: str) -> str:
    return f"{label} / {answer}" if answer else label


@rules.command("diff")
def rules_diff(
    a: Annotated[Path, typer.Argument(help="The rules as they are.")],
    b: Annotated[Path, typer.Argument(help="The rules as they would be.")],
    json: Json = False,  # noqa: FBT002 - a switch
) -> None:
    """What another rule file would change: owners, policies and answers, field by field and phase by phase."""
    from flows.rulefacts import rules_in  # noqa: PLC0415 - commands start fast
    from fsm_core.model import SHAPES  # noqa: PLC0415 - as above
    from fsm_core.ownership.diff import diff  # noqa: PLC0415 - as above

    terminal.json = terminal.json or json
    changes = diff(rules_in(a).file, rules_in(b).file, SHAPES)
    if terminal.answer([{**plain(one), "sentence": one.sentence} for one in changes]):
        return
    for one in changes:
        terminal.say(escape(one.sentence))
    terminal.say("1 change" if len(changes) == 1 else f"{len(changes)} changes")
