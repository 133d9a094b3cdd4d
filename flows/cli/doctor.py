"""The command `doctor`: settings, database, rules, and what every system lets the hub do.

Not here: the report itself (`fsm_core.service.capability`) and what is wrong with it (`findings`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import app, plain, shown, terminal

if TYPE_CHECKING:
    from flows.wiring import Opened

CODES_SHOWN = 4
"""Values of a pick list that the table shows; JSON has all."""


@app.command()
def doctor(
    json: Annotated[bool, typer.Option("--json", help="Answer in JSON, as the option before the command.")] = False,  # noqa: FBT002 - a switch
) -> None:
    """Check settings, database, rules, and every system: log-in, rights, every mapped field, quota."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast

    terminal.json = terminal.json or json
    with opened(terminal.config) as found:
        told = examined(found)
    if not terminal.answer(told):
        _show(told)
    if not told["ok"]:
        raise typer.Exit(1)


def examined(found: Opened) -> dict[str, Any]:
    """The whole report; docs/doctor.md describes it."""
    from flows.cli.rule_lessons import suggested  # noqa: PLC0415 - commands start fast
    from flows.rulefacts import in_force  # noqa: PLC0415 - as above
    from fsm_core.ownership.check import check  # noqa: PLC0415 - as above

    systems = {name: _system(found, name) for name in found.settings.systems}
    checked = check(in_force(found, terminal.config).subject)
    return {
        "ok": bool(systems) and all(one["usable"] for one in systems.values()),
        "config": str(terminal.config),
        "database": found.store.engine.url.render_as_string(hide_password=True),
        "rules": found.hub.rulebook.version,
        "rule_findings": plain(checked.findings),
        "suggestions": suggested(found),
        "systems": systems,
    }


def _system(found: Opened, name: str) -> dict[str, Any]:
    from fsm_core.service.capability import report  # noqa: PLC0415 - commands start fast
    from fsm_core.service.findings import Severity, findings, of_error  # noqa: PLC0415 - as above

    check, failure = found.checks.get(name), found.failures.get(name)
    made = {**found.hub.bindings, **found.hub.stopped}
    bound = [made[key] for key in sorted(made) if key[0] == name]
    told = [of_error(failure)] if failure else [one for binding in bound for one in findings(found.hub, binding)]
    return {
        "connector": found.settings.systems[name].connector,
        "usable": not any(one.severity is Severity.ERROR for one in told),
        "reachable": bool(check and check.ok),
        "user": check.user if check else "",
        "environment": check.fingerprint if check else "",
        "quota": {"used": check.quota.used, "limit": check.quota.limit} if check and check.quota else None,
        "notes": list(check.notes) if check else [],
        "entities": {binding.entity: plain(report(found.hub, binding)) for binding in bound},
        "findings": plain(told),
    }


# -- for people ----------------------------------------------------------------------------------


def _show(told: dict[str, Any]) -> None:
    terminal.say(f"settings  {told['config']}\ndatabase  {told['database']}\nrules     {told['rules']}")
    for finding in told["rule_findings"]:
        colour = "red" if finding["level"] == "error" else "yellow"
        terminal.say(f"  [{colour}]{finding['check']} {finding['level']}[/] {shown(finding['sentence'])}")
        terminal.say(f"          {shown(finding['remedy'])}")
    for one in told["suggestions"]:
        terminal.say(f"  [yellow]suggestion[/] {shown(one['sentence'])}")
        terminal.say(f"          {shown(one['lesson'])}")
    for name, one in told["systems"].items():
        quota = one["quota"]
        used = f", {quota['used']} of {quota['limit']} calls used" if quota else ""
        login = f"in as {one['user']} at {one['environment']}{used}" if one["reachable"] else "not reachable"
        terminal.say(f"\n{_mark(one)} [bold]{name}[/]: {login}")
        for entity in one["entities"].values():
            _show_entity(entity)
        for finding in one["findings"]:
            colour = "red" if finding["severity"] == "error" else "yellow"
            place = " ".join(part for part in (finding["object"], finding["entity"]) if part)
            where = f"{place}: " if place else ""
            terminal.say(f"  [{colour}]{finding['severity']}[/] {where}{shown(finding['message'])}")
            terminal.say(f"          {shown(finding['remedy'])}")
    terminal.say("\nall well" if told["ok"] else "\nnot all can be used")


def _mark(one: dict[str, Any]) -> str:
    if not one["usable"]:
        return "[red]✗[/]"
    return "[yellow]![/]" if one["findings"] else "[green]✓[/]"


def _show_entity(one: dict[str, Any]) -> None:
    terminal.say(f"  {one['object']} → {one['entity']}: {_key(one['key'])}")
    terminal.say(
        f"  creates by {one['creates']}, deletions by {one['deletes']}, {one['batch']} writes a call, "
        f"{one['overlap_seconds']:g} s read again"
    )
    terminal.say(f"  residual window: {one['residual_window']['words']}")
    rows = [row for field in one["fields"] for row in _rows(field)]
    terminal.table("", ("field", "lives in", "read", "new", "edit", "needed", "length", "values"), rows)


def _key(key: dict[str, Any] | None) -> str:
    if key is None:
        return "no place for our id"
    kinds = [word for word, is_so in (("unique", key["unique"]), ("External Id", key["external_id"])) if is_so]
    shown_as = ", ".join(kinds) if key["shown"] else "not shown"
    return f"our id in {key['path']}" + (f" ({shown_as})" if shown_as else "")


def _rows(field: dict[str, Any]) -> list[tuple[Any, ...]]:
    """A line per native path; what is true of the field stands in the first."""
    rows = []
    for number, native in enumerate(field["native"]):
        told = native["values"][:CODES_SHOWN]
        more = len(native["values"]) - len(told)
        values = ", ".join(told) + (f" and {more} more" if more else "")
        path = native["path"] if native["shown"] else f"{native['path']} (not shown)"
        first = "" if number else field["field"]
        rights = [native["shown"] and native["readable"], native["creatable"], native["writable"]]
        needed = "there" if native["required"] else "here" if field["required"] else ""
        rows.append((first or " ", path, *rights, needed or " ", native["length"] or " ", values or " "))
    return rows
