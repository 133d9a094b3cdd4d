"""Commands that answer questions: status, record, explain.

Not here: anything that changes state.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import app, plain, shown, terminal
from flows.cli.naming import labelled, names_of
from flows.cli.who import entered
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from flows.wiring import Opened
    from fsm_core.service.hub import Hub
    from fsm_core.service.loaded import Loaded
    from fsm_core.service.outlook import Waiting


LINK_STATES = {
    "live": "live", "pending": "question", "parked": "parked", "invalid": "invalid", "merged": "merged",
    "further": "further", "ended": "ended", "detached": "detached",
}  # fmt: skip
"""Every state of a link, as people see it."""
NOBODY = "nobody"
"""The queue of questions that no route sends anywhere."""
_SHOWN_WITH = {"ended": "unlinked"}
"""What was decided is counted with what is not."""
NOT_MAPPED = "-"
"""The system does not speak of this field."""


@app.command()
def status() -> None:
    """Counts per entity and system, what waits for people, and the last run."""
    from flows.cli.rule_lessons import suggested  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with entered(Act.SEE) as (found, _):
        with found.store.reading() as db:
            told = queries.status(db)
        told["suggestions"] = suggested(found)
    if terminal.answer(told):
        return
    _show_status(told)


def _show_status(told: dict[str, Any]) -> None:
    for entity, counts in told["records"].items():
        terminal.say(f"{entity}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    rows = [
        (system, entity, *(states.get(name, 0) + states.get(_SHOWN_WITH.get(name, ""), 0) for name in LINK_STATES))
        for system, entities in told["links"].items()
        for entity, states in entities.items()
    ]
    terminal.table("links" if rows else "", ("system", "entity", *LINK_STATES.values()), rows)
    for name in (
        "conflicts",
        "proposals",
        "queues",
        "problems",
        "drift",
        "due",
        "timed",
        "waiting",
        "held_back",
        "open_intents",
    ):
        counts = told[name]
        detail = f" ({', '.join(f'{key or NOBODY} {count}' for key, count in counts.items())})" if counts else ""
        terminal.say(f"{name.replace('_', ' '):<13} {sum(counts.values())}{detail}")
    for one in told["suggestions"]:
        terminal.say(f"[yellow]suggestion    {shown(one['sentence'])}; see 'fsm-hub rules suggest'[/]")
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
    from fsm_core.service.keys import numbers_of  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        told = queries.record(db, queries.find_record(db, entity, id, numbers_of(found.hub, entity, id)))
        names = names_of(db, found.hub.book(entity), [told["document"], *(link["shows"] for link in told["links"])])
    if terminal.answer(told):
        return
    links = told["links"]
    terminal.say(f"{entity} {told['id']} version {told['version']}")
    for link in links:
        terminal.say(f"  {link['system']} {link['object']} {link['id']} ({link['state']}, {link['matched_by']})")
    for pin in told["pins"]:
        terminal.say(f"  {pin['field']} {_pinned(pin)}")
    links = [link for link in links if link["state"] != "quiet"]
    fields = sorted({*told["document"], *(name for link in links for name in link["shows"])})
    rows = [
        (name, *(labelled(value, names) for value in (told["document"].get(name), *_shows(links, name))))
        for name in fields
        if told["document"].get(name) not in (None, [], {}) or any(link["shows"].get(name) for link in links)
    ]
    terminal.table("", ("field", "agreed", *(link["system"] for link in links)), rows)


def _shows(links: list[dict[str, Any]], name: str) -> list[Any]:
    return [link["shows"].get(name, NOT_MAPPED) for link in links]


@app.command()
def explain(
    entity: Annotated[str, typer.Argument(help="Entity, e.g. customer.")],
    id: Annotated[str, typer.Argument(help="The hub's id, an id in a system, or a key.")],  # noqa: A002 - the word people use
    field: Annotated[str, typer.Argument(help="One field; default: all.")] = "",
) -> None:
    """Why a record says what it says: who said it, when, which rule, what lost; and what is expected next."""
    with entered(Act.SEE) as (found, _):
        tell(found, entity, id, field)


def tell(found: Opened, entity: str, wanted: str, field: str = "") -> None:
    """Print the story of one field, or of all."""
    from fsm_core.service.keys import numbers_of  # noqa: PLC0415 - commands start fast
    from fsm_core.service.outlook import outlook  # noqa: PLC0415 - as above
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    book = found.hub.book(entity)
    if field:
        book.shape.field(field)
    with found.store.reading() as db:
        id_ = queries.find_record(db, entity, wanted, numbers_of(found.hub, entity, wanted))
        told = queries.explain(db, id_, field)
        waiting = _waiting(found, db, id_)
        names = names_of(db, book, [{name: value} for name, story in told["fields"].items() for value in _said(story)])
    expected = outlook(found.hub, waiting, list(told["fields"]))
    seen = waiting.loaded.ruled(book)
    for name, story in told["fields"].items():
        story["rule"] = _rule(found.hub, waiting.loaded, seen, name)
        story["next"] = plain(expected[name])
    if not terminal.answer(told):
        for name, story in told["fields"].items():
            _tell(name, _labelled(story, names))


def _said(story: dict[str, Any]) -> list[Any]:
    """Every value of a story."""
    decided = [value for d in story["decisions"] for value in (d["from"], d["to"], *d.get("overruled", {}).values())]
    return [story["value"], *story["systems"].values(), *decided]


def _labelled(story: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """The same story with the names of the records it refers to."""
    if not names:
        return story
    decided = [
        {**d, "from": labelled(d["from"], names), "to": labelled(d["to"], names)}
        | ({"overruled": {s: labelled(v, names) for s, v in d["overruled"].items()}} if "overruled" in d else {})
        for d in story["decisions"]
    ]
    systems = {system: labelled(value, names) for system, value in story["systems"].items()}
    return {**story, "value": labelled(story["value"], names), "systems": systems, "decisions": decided}


def _waiting(found: Opened, db: Connection, record: str) -> Waiting:
    from fsm_core.service.converge import load  # noqa: PLC0415 - commands start fast
    from fsm_core.service.outlook import Waiting  # noqa: PLC0415 - as above
    from fsm_core.store import queries  # noqa: PLC0415 - as above
    from fsm_core.store.work import SqlWork  # noqa: PLC0415 - as above

    (loaded,) = load(found.hub, SqlWork(db), [record])
    entity = loaded.record.entity
    problems, due, held = queries.problems_of(db, record), queries.due(db, record), queries.held_back(db, record)
    return Waiting(loaded, problems, due, held, lambda system: found.writable(system, entity))


def _rule(hub: Hub, one: Loaded, document: Mapping[str, Any], name: str) -> dict[str, Any]:
    from fsm_core.service.silence import in_its_place  # noqa: PLC0415 - commands start fast

    rule = hub.book(one.record.entity).rules(document)[name]
    told = {"name": rule.name, "policy": rule.policy, "owner": rule.owner, "version": hub.rulebook.version}
    acting = in_its_place(rule, one)
    return told | ({"acting": acting, "silent": int(one.silent[rule.owner or ""])} if acting else {})


def _speaker(said: dict[str, Any]) -> str:
    if said.get("system"):
        return f"{said['system']} ({said.get('by') or 'unknown user'})"
    return str(said["by"]) if said.get("person") else "the rules"


def _pinned(pin: dict[str, Any]) -> str:
    ends = "until its owner changes it" if pin["mode"] == "until_owner_changes" else "until it is released"
    note = f": {shown(pin['note'])}" if pin["note"] else ""
    return f"pinned to {shown(pin['value'])} by {pin['by']} at {pin['at'][:19]}, {ends}{note}"


def _tell(name: str, story: dict[str, Any]) -> None:
    said, rule = story["said_by"], story["rule"]
    who, when = _speaker(said), said.get("at") or "unknown time"
    terminal.say(f"[bold]{name}[/] = {shown(story['value'])}")
    terminal.say(f"  said by {who} at {when}: {said.get('note', '')}")
    if said:
        terminal.say(f"  taken in run {said.get('run', '')} under rules {said.get('rules', '')}")
    owner = rule["owner"]
    if "acting" in rule:
        owner = f"{owner}, silent for {timedelta(seconds=rule['silent'])}: {rule['acting']} acts in its place"
    terminal.say(f"  rule {rule['name']}: {rule['policy']}, owner {owner} (rules {rule['version']})")
    if story["pin"]:
        terminal.say(f"  {_pinned(story['pin'])}")
    for system, value in story["systems"].items():
        held = f" ({story['held'][system]})" if system in story["held"] else ""
        terminal.say(f"  {system} shows {shown(value)}{held}")
    for decision in story["decisions"]:
        change = f"{shown(decision['from'])} → {shown(decision['to'])}"
        why = f"({decision['note']}) by {decision['actor']}"
        terminal.say(f"  {decision['at'][:19]} {decision['outcome']}: {change} {why}")
        for system, value in decision.get("overruled", {}).items():
            terminal.say(f"      overruled: {system} said {shown(value)}")
    for expected in story["next"]:
        terminal.say(f"  next: {shown(expected['words'])}")
