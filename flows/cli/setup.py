"""Commands that set the hub up and look after it: init, doctor.

Not here: moving data.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import app, terminal
from fsm_core.errors import Invalid

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.service.hub import Binding

REFUSED = "records are refused. Map it, or give it a default there"
TEMPLATE = """\
# fsm-hub settings. Secrets are references: "env:NAME" reads a variable, "file:path" a file beside this one.

[hub]
database = "sqlite:///var/hub.db"        # or "postgresql+psycopg://user@host/fsm_hub"
entities = ["customer"]
# ownership = "ownership.yaml"           # your own rules; default: those that ship
# mappings = "mappings"                  # folder of <connector>/<entity>.yaml that replace shipped ones

[systems.salesforce]
connector = "salesforce"
[systems.salesforce.settings]
login_url = "https://login.salesforce.com"     # or https://test.salesforce.com, or your My Domain
auth = "jwt"                                   # or "client_credentials" (My Domain only)
client_id = "env:SALESFORCE_CLIENT_ID"
username = "integration@example.com"
private_key = "file:secrets/salesforce.pem"
# client_secret = "env:SALESFORCE_CLIENT_SECRET"

[systems.sap]
connector = "sap"
[systems.sap.settings]
base_url = "https://my-s4.example.com"
sap_client = "100"
user = "env:SAP_USER"
password = "env:SAP_PASSWORD"
"""


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Where hub.toml goes.")] = Path()) -> None:
    """Write a commented hub.toml."""
    target = folder / "hub.toml"
    if target.exists():
        raise Invalid(f"{target} exists", remedy="Edit it, or name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(TEMPLATE, encoding="utf8")
    if not terminal.answer({"written": str(target)}):
        terminal.say(f"{target} written; fill it in, then run 'fsm-hub doctor'")


@app.command()
def doctor() -> None:
    """Check settings, database, rules, and every system: log-in, rights, mapped fields, quota."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast

    with opened(terminal.config) as found:
        told = _findings(found)
    if not terminal.answer(told):
        _show(told)
    if not told["ok"]:
        raise typer.Exit(1)


def _findings(found: Opened) -> dict[str, Any]:
    systems = {name: _system(found, name) for name in found.settings.systems}
    return {
        "ok": not found.failures and bool(systems) and not any(one["findings"] for one in systems.values()),
        "config": str(terminal.config),
        "database": found.store.engine.url.render_as_string(hide_password=True),
        "rules": found.hub.rulebook.version,
        "systems": systems,
    }


def _system(found: Opened, name: str) -> dict[str, Any]:
    if name in found.failures:
        return {"reachable": False, "findings": [str(found.failures[name])]}
    check = found.checks[name]
    bound = [binding for key, binding in found.hub.bindings.items() if key[0] == name]
    return {
        "reachable": check.ok,
        "user": check.user,
        "environment": check.fingerprint,
        "quota": {"used": check.quota.used, "limit": check.quota.limit} if check.quota else None,
        "notes": list(check.notes),
        "objects": {binding.object.name: _object(binding) for binding in bound},
        "findings": [finding for binding in bound for finding in _unmet(found, binding)],
    }


def _object(binding: Binding) -> dict[str, Any]:
    able = binding.capabilities
    return {
        "entity": binding.entity,
        "mapped": list(binding.translation.canonical_fields),
        "writable": sorted(binding.writable),
        "creates": able.creates,
        "deletes": able.deletes,
        "compare_and_set": able.compare_and_set,
        "batch": able.batch,
        "overlap_seconds": able.overlap.total_seconds(),
    }


def _unmet(found: Opened, binding: Binding) -> list[str]:
    """What the mapping wants and the account does not give."""
    known = binding.capabilities.fields
    missing = [
        path for path in binding.object.fields if known and path not in known and "[" not in path and "." not in path
    ]
    told = [f"{binding.object.name}.{path} does not exist or may not be read" for path in missing]
    told += [f"{binding.object.name}.{path} is required there and not mapped: {REFUSED}" for path in _demanded(binding)]
    rules = found.hub.book(binding.entity).rules({})
    for name in binding.translation.canonical_fields:
        wanted = binding.translation.writable(name) and name not in binding.writable
        if wanted and rules[name].non_owner_change == "revert" and rules[name].owner != binding.system:
            told.append(f"{binding.object.name}: {name} must be reverted by rule, but may not be written")
    return told


def _demanded(binding: Binding) -> list[str]:
    """Fields without which the system saves no record, and which the mapping never fills."""
    filled = {path for name in binding.creatable for path in binding.translation.native_of(name)}
    known = binding.capabilities.fields
    return [path for path, able in known.items() if able.required and path not in filled | {binding.object.key}]


def _show(told: dict[str, Any]) -> None:
    terminal.say(f"settings  {told['config']}\ndatabase  {told['database']}\nrules     {told['rules']}")
    for name, one in told["systems"].items():
        mark = "[red]✗[/]" if one["findings"] else "[green]✓[/]"
        quota = one.get("quota")
        used = f", {quota['used']} of {quota['limit']} calls used" if quota else ""
        login = f"in as {one.get('user')} at {one.get('environment')}{used}" if one["reachable"] else "not reachable"
        terminal.say(f"{mark} {name}: {login}")
        for path, able in one.get("objects", {}).items():
            safe = "compare and set" if able["compare_and_set"] else "read before write (a small window remains)"
            fields = f"{len(able['mapped'])} fields, {len(able['writable'])} writable"
            terminal.say(f"    {path} → {able['entity']}: {fields}, creates by {able['creates']}, {safe}")
        for finding in one["findings"]:
            terminal.say(f"    [red]{finding}[/]")
    terminal.say("all well" if told["ok"] else "see above")
