"""Commands that answer questions: status, record, explain.

Not here: anything that changes state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import app, shown, terminal

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.service.hub import Hub


NOT_MAPPED = "-"
"""The system does not speak of this field."""


@app.command()
def status() -> None:
    """Counts per entity and system, what waits for people, and the last run."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found, found.store.reading() as db:
        told = queries.status(db)
    if terminal.answer(told):
        return
    _show_status(told)


def _show_status(told: dict[str, Any]) -> None:
    for entity, counts in told["records"].items():
        terminal.say(f"{entity}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    rows = [
        (system, entity, *(states.get(name, 0) for name in ("live", "pending", "invalid", "ended", "detached")))
        for system, entities in told["links"].items()
        for entity, states in entities.items()
    ]
    terminal.table("links", ("system", "entity", "live", "question", "invalid", "ended", "detached"), rows)
    for name in ("conflicts", "proposals", "problems", "due", "open_intents"):
        counts = told[name]
        detail = f" ({', '.join(f'{key} {count}' for key, count in counts.items())})" if counts else ""
        terminal.say(f"{name.replace('_', ' '):<13} {sum(counts.values())}{detail}")
    if told["last_run"]:
        terminal.say(f"last run      {told['last_run']['kind']} {told['last_run']['started_at']}")


record = typer.Typer(no_args_is_help=True, help="Golden records.")
app.add_typer(record, name="record")


@record.command("show")
def record_show(
    entity: Annotated[str, typer.Argument(help="Entity, e.g. customer.")],
    id: Annotated[str, typer.Argument(help="The hub's id, an id in a system, or a key.")],  # noqa: A002 - the word people use
) -> None:
    """One record: agreed values, and what every system shows."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with opened(terminal.config, remote=False) as found, found.store.reading() as db:
        told = queries.record(db, queries.find_record(db, entity, id))
    if terminal.answer(told):
        return
    links = told["links"]
    terminal.say(f"{entity} {told['id']} version {told['version']}")
    for link in links:
        terminal.say(f"  {link['system']} {link['object']} {link['id']} ({link['state']}, {link['matched_by']})")
    fields = sorted({*told["document"], *(name for link in links for name in link["shows"])})
    rows = [
        (name, told["document"].get(name), *(link["shows"].get(name, NOT_MAPPED) for link in links))
        for name in fields
        if told["document"].get(name) not in (None, [], {}) or any(link["shows"].get(name) for link in links)
    ]
    terminal.table("", ("field", "agreed", *(link["system"] for link in links)), rows)


@app.command()
def explain(
    entity: Annotated[str, typer.Argument(help="Entity, e.g. customer.")],
    id: Annotated[str, typer.Argument(help="The hub's id, an id in a system, or a key.")],  # noqa: A002 - the word people use
    field: Annotated[str, typer.Argument(help="One field; default: all.")] = "",
) -> None:
    """Why a record says what it says: who said it, when, which rule, what lost."""
    from flows.wiring import opened  # noqa: PLC0415 - commands start fast

    with opened(terminal.config, remote=False) as found:
        tell(found, entity, id, field)


def tell(found: Opened, entity: str, wanted: str, field: str = "") -> None:
    """Print the story of one field, or of all."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    shape = found.hub.book(entity).shape
    if field:
        shape.field(field)
    with found.store.reading() as db:
        id_ = queries.find_record(db, entity, wanted)
        told = queries.explain(db, id_, field)
        document = queries.record(db, id_)["document"]
    for name, story in told["fields"].items():
        story["rule"] = _rule(found.hub, entity, document, name)
    if not terminal.answer(told):
        for name, story in told["fields"].items():
            _tell(name, story)


def _rule(hub: Hub, entity: str, document: dict[str, Any], name: str) -> dict[str, Any]:
    rule = hub.book(entity).rules(document)[name]
    return {"name": rule.name, "policy": rule.policy, "owner": rule.owner, "version": hub.rulebook.version}


def _speaker(said: dict[str, Any]) -> str:
    if said.get("system"):
        return f"{said['system']} ({said.get('by') or 'unknown user'})"
    return str(said["by"]) if said.get("person") else "the rules"


def _tell(name: str, story: dict[str, Any]) -> None:
    said, rule = story["said_by"], story["rule"]
    who = _speaker(said)
    terminal.say(f"[bold]{name}[/] = {shown(story['value'])}")
    terminal.say(f"  said by {who} at {said.get('at') or 'unknown time'}: {said.get('note', '')}")
    terminal.say(f"  rule {rule['name']}: {rule['policy']}, owner {rule['owner']} (rules {rule['version']})")
    for system, value in story["systems"].items():
        held = f" ({story['held'][system]})" if system in story["held"] else ""
        terminal.say(f"  {system} shows {shown(value)}{held}")
    for decision in story["decisions"]:
        change = f"{shown(decision['from'])} → {shown(decision['to'])}"
        why = f"({decision['note']}) by {decision['actor']}"
        terminal.say(f"  {decision['at'][:19]} {decision['outcome']}: {change} {why}")
        for system, value in decision.get("overruled", {}).items():
            terminal.say(f"      overruled: {system} said {shown(value)}")
