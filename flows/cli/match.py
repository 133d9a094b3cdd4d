"""Commands about identity: what would be matched, merges by a person's word, taking apart, and how it came about.

Not here: what these do (`fsm_core.service.identity`, `fsm_core.service.preview`), and questions (`people`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import app, shown, terminal
from flows.cli.plans import observe
from flows.cli.run import check_entity, warn_of_failures
from flows.cli.who import entered
from fsm_core.persons.rights import Act
from fsm_core.sync.bucket import Bucket

if TYPE_CHECKING:
    from fsm_core.service.preview import Preview, Sample
    from fsm_core.state import Doc

match = typer.Typer(no_args_is_help=True, help="Which records are the same thing.")
app.add_typer(match, name="match")

Entity = Annotated[str, typer.Argument(help="Entity.")]
A_RECORD = "Its id in the hub (or the end of it), its id in a system, or a key."


@match.command("preview")
def match_preview(
    entity: Entity = "customer",
    bucket: Annotated[list[Bucket] | None, typer.Option(help="Samples of this kind only; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="Samples of each kind.")] = 3,
    no_read: Annotated[bool, typer.Option("--no-read", help="Look at what was read last.")] = False,  # noqa: FBT002 - a switch
) -> None:
    """Read, and show how what is new would be matched; nothing is linked and nothing written."""
    from fsm_core.service.preview import preview  # noqa: PLC0415 - commands start fast

    check_entity(entity)
    with entered(Act.SEE, remote=True) as (found, _):
        warn_of_failures(found, entity)
        if not no_read:
            observe(found, [entity])
        made = preview(found.hub, entity, wanted=bucket or tuple(Bucket), limit=limit)
    if not terminal.answer(made):
        _show_preview(made)
    if found.failures or found.left_out(entity):
        raise typer.Exit(1)


def _show_preview(made: Preview) -> None:
    terminal.say(f"{sum(made.counts.values())} new records of {made.entity}")
    for kind in Bucket:
        if made.counts.get(kind) or kind not in (Bucket.LEFT, Bucket.FURTHER):
            terminal.say(f"{kind:<14}{made.counts.get(kind, 0):>7}  {_MEANS[kind]}")
    for method, count in sorted(made.methods.items(), key=lambda row: (-row[1], row[0])):
        terminal.say(f"{count} links by {shown(method)}")
    if made.questions:
        terminal.say(f"{made.questions} questions would be asked")
    if made.samples:
        rows = [
            (one.bucket, *_sample(one)) for one in sorted(made.samples, key=lambda one: list(Bucket).index(one.bucket))
        ]
        terminal.entries("samples", [(f"{kind}: {shown(sides)}", (shown(why),)) for kind, sides, why in rows])


_MEANS = {
    Bucket.UNIQUE: "linked with exactly one other",
    Bucket.FURTHER: "one more record of a system for the same thing",
    Bucket.AMBIGUOUS: "a person is asked",
    Bucket.CONTRADICTING: "a person is asked: something says that they are two",
    Bucket.NONE: "nothing is like them",
    Bucket.LEFT: "wait for what they refer to, or cannot become records",
}


def _sample(one: Sample) -> tuple[str, str]:
    scored = [f"{row['feature']} {row['score']:.2f}" for pair in one.evidence[:1] for row in pair["features"]]
    return " = ".join(" ".join(side) for side in one.sides), "; ".join([one.why, *scored])


@match.command("merge")
def match_merge(
    entity: Entity,
    kept: Annotated[str, typer.Argument(help=f"The record that stays. {A_RECORD}")],
    merged: Annotated[str, typer.Argument(help="The record whose place it takes; named likewise.")],
) -> None:
    """Make one record of two of which no system has both; the next sync applies it."""
    from fsm_core.service.identity import merge  # noqa: PLC0415 - commands start fast

    with entered(Act.MATCH) as (found, actor):
        into, old = (_record(found, entity, wanted) for wanted in (kept, merged))
        merge(found.hub, entity, into, old, actor.name)
    if not terminal.answer({"kept": into, "merged": old}):
        terminal.say(f"{old} is another name of {into} now; run 'fsm-hub sync' to apply it")
        terminal.say(f"to undo it: fsm-hub match unmerge {entity} {old}")


def _record(found: Any, entity: str, wanted: str) -> str:  # noqa: ANN401 - the opened hub
    from fsm_core.service.keys import numbers_of  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with found.store.reading() as db:
        return queries.find_record(db, entity, wanted, numbers_of(found.hub, entity, wanted))


@match.command("unmerge")
def match_unmerge(
    entity: Entity,
    id: Annotated[str, typer.Argument(help="The id in a system, or the former id of a record that was merged.")],  # noqa: A002 - the word people use
    system: Annotated[str, typer.Option(help="Which system's id it is, where several have it.")] = "",
) -> None:
    """Take what was merged or linked in error out into a record of its own; it is never matched again by itself."""
    from fsm_core.service.identity import unmerge  # noqa: PLC0415 - commands start fast
    from fsm_core.store import identity  # noqa: PLC0415 - as above

    with entered(Act.MATCH) as (found, actor):
        with found.store.reading() as db:
            record, links = identity.parted(db, entity, id, system)
        done = unmerge(found.hub, entity, record, links, actor.name)
    if terminal.answer(done):
        return
    out = ", ".join(" ".join(link) for link in done.links)
    terminal.say(f"{shown(out)}: record {done.parted} from now on; the rest stays {done.kept}")
    if done.unsaid:
        terminal.say(f"{done.kept} had from there: {', '.join(done.unsaid)}; what its own systems show holds now")
    terminal.say(f"see 'fsm-hub plan --entity {entity}', then run 'fsm-hub sync' to apply it")


@match.command("history")
def match_history(entity: Entity, id: Annotated[str, typer.Argument(help=A_RECORD)]) -> None:  # noqa: A002 - the word people use
    """How a record's links came to be, its other names, merges, and who decided what."""
    from fsm_core.store import identity  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _):
        number = _record(found, entity, id)
        with found.store.reading() as db:
            told = identity.history(db, number)
    if terminal.answer(told):
        return
    terminal.say(f"{entity} {number}")
    for link in told["links"]:
        into = f", merged there into {shown(link['merged_into'])}" if link["merged_into"] else ""
        terminal.say(f"  {link['system']} {shown(link['id'])} ({link['state']}{into}): {shown(link['by'])}")
    for one in told["merged"]:
        terminal.say(f"  another name: {one['id']}")
    for one in told["apart"]:
        terminal.say(f"  not the same as {one['system']} {shown(one['id'])}, said {one['by']} ({one['at'][:19]})")
    rows = [
        (event["at"][:19], event["actor"], event["kind"], _event(event["kind"], event["content"]))
        for event in told["events"]
    ]
    terminal.table("", ("at", "by", "act", "what"), rows)


def _event(kind: str, content: Doc) -> str:
    if kind == "merge":
        other = f"took the place of {content['merged']}" if "merged" in content else f"merged into {content['into']}"
        there = f" (merged in {content['system']})" if content.get("system") else ""
        return other + there + _of(content.get("links", ()))
    if kind == "unmerge":
        return f"{content['parted']} was taken out of {content['kept']}" + _of(content["links"])
    if kind == "further":
        before = f" in place of {', '.join(content['instead'])}" if content["instead"] else ""
        return f"{content['system']} {content['speaks']} speaks{before}"
    if kind == "answer":
        return str(content.get("take", ""))
    return ", ".join(f"{system} {external_id} ({by})" for system, external_id, by in content.get("links", ()))


def _of(links: Sequence[Sequence[Any]]) -> str:
    named = ", ".join(f"{row[1]} {row[2]}" for row in links)
    return f": {named}" if named else ""
