"""The command that sets the hub up: init.

Not here: looking after it (`doctor`), moving data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.app import app, terminal
from fsm_core.errors import Invalid

RULES = "ownership.yaml"
TEMPLATE = """\
# fsm-hub settings. Secrets are references: "env:NAME" reads a variable, "file:path" a file beside this one.

[hub]
database = "sqlite:///var/hub.db"        # or "postgresql+psycopg://user@host/fsm_hub"
entities = ["customer", "contact", "site"] # sites need Locations in Salesforce; leave out what you do not use
# ownership = "ownership.yaml"           # your own rules; default: those that ship
# mappings = "mappings"                  # folder of <connector>/<entity>.yaml that replace shipped ones

[persons]
# login_days = 30                        # how long a log-in is good for; 'fsm-hub person add' turns log-ins on
# second_person = false                  # a team of one: rules come into force without another person's approval

[limits]
# what one person may apply with one plan; above it a second person approves
# creates = 500
# updates = 1000
# deletes = 20
# money = 50000                          # amounts that change in one currency

[systems.salesforce]
connector = "salesforce"
[systems.salesforce.settings]
login_url = "https://login.salesforce.com"     # or https://test.salesforce.com, or your My Domain
auth = "jwt"                                   # or "client_credentials" (My Domain only)
client_id = "env:SALESFORCE_CLIENT_ID"
username = "integration@example.com"
private_key = "file:secrets/salesforce.pem"
# client_secret = "env:SALESFORCE_CLIENT_SECRET"
# [systems.salesforce.drift]                   # what is done when the system changes its own fields, e.g.:
# removed = "stop"                             # default: the field is held, all else goes on

[systems.sap]
connector = "sap"
[systems.sap.settings]
base_url = "https://my-s4.example.com"
sap_client = "100"
user = "env:SAP_USER"
password = "env:SAP_PASSWORD"
"""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where hub.toml goes.")] = Path(),
    template: Annotated[
        str, typer.Option("--template", help="Rules to begin with: all-four, cmms-erp or crm-erp-fsm.")
    ] = "",
) -> None:
    """Write a commented hub.toml, and rules of your own to begin with if a template is named."""
    target, rules = folder / "hub.toml", folder / RULES
    source = _template(template) if template else None
    for path in (target, rules) if source else (target,):
        if path.exists():
            raise Invalid(f"{path} exists", remedy="Edit it, or name another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    settings = TEMPLATE.replace(f'# ownership = "{RULES}" ', f'ownership = "{RULES}"   ') if source else TEMPLATE
    target.write_text(settings, encoding="utf8")
    if source:
        rules.write_text(source.read_text(encoding="utf8"), encoding="utf8")
    if not terminal.answer({"written": str(target), "rules": str(rules) if source else None}):
        terminal.say(f"{target} written; fill it in, then run 'fsm-hub --config {target} doctor'")


def _template(name: str) -> Path:
    import mappings  # noqa: PLC0415 - commands start fast

    known = mappings.templates()
    if name not in known:
        raise Invalid(f"no template {name!r}; known: {', '.join(known)}", remedy="Name one of them.")
    return known[name]
