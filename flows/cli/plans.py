"""Commands on plans: make one, look at one that was kept, apply it, take a run back; and the list of runs.

Not here: what a plan is (`fsm_core.service.plan`) and what becomes of it (`fsm_core.service.apply`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.app import app, shown, terminal
from flows.cli.run import check_entity, entities_of, show_endings, warn_of_failures
from flows.cli.who import entered
from fsm_core.errors import Denied
from fsm_core.persons.rights import Act, Actor

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.service.apply import Applied
    from fsm_core.service.hub import Hub
    from fsm_core.service.plan import PlannedWrite
    from fsm_core.service.planfile import Foot, Header, Kept, PlanFile
    from fsm_core.service.revert import Reverted

SAMPLES = 5
"""Fields of a planned write that are shown."""
PER_KIND = 2
"""Planned writes of a system, entity and action that are shown."""
LEFT = 20
"""Records that are named of those a plan could not be carried out on."""

plans = typer.Typer(
    invoke_without_command=True, help="What the next round would write; of one entity: plan --entity NAME."
)
app.add_typer(plans, name="plan")

Out = Annotated[Path | None, typer.Option("--out", help="Keep the whole plan in this file, to look at and to apply.")]
File = Annotated[Path, typer.Argument(help="A plan that was kept.")]


@dataclass(slots=True)
class Samples:
    """The first few writes of each system, entity and action."""

    writes: list[PlannedWrite] = field(default_factory=list)
    _taken: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def keep(self, write: PlannedWrite) -> None:
        """Take it, if it is one of the first."""
        key = (write.system, write.entity, write.action)
        self._taken[key] += 1
        if self._taken[key] <= PER_KIND:
            self.writes.append(write)


@plans.callback()
def plan(
    context: typer.Context,
    entity: Annotated[str, typer.Option("--entity", help="Only this one; default: all, parents first.")] = "",
    no_read: Annotated[bool, typer.Option("--no-read", help="Plan on what was read last.")] = False,  # noqa: FBT002 - a switch
    out: Out = None,
) -> None:
    """Read, show what the next sync would write, and write nothing."""
    if context.invoked_subcommand:
        return
    check_entity(entity)
    with entered(Act.SEE, remote=True) as (found, actor):
        warn_of_failures(found, entity)
        names = entities_of(found, entity)
        absent = {} if no_read else observe(found, names)
        header = _header(found, actor, names, absent)
        _make(found.hub, header, out)
    if found.failures or absent:
        raise typer.Exit(1)


@plans.command("show")
def plan_show(file: File) -> None:
    """A plan that was kept: counts, money, calls, rules, samples; with --json every write."""
    from fsm_core.service.planfile import PlanFile  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE):
        kept = PlanFile(file)
    if terminal.json:
        terminal.answer({"hash": kept.hash, "plan": kept.header, "totals": kept.foot, "writes": list(kept.writes())})
        return
    samples = Samples()
    for write in kept.writes():
        samples.keep(write)
    _tell_header(kept.header, kept.hash)
    show_plan(kept.foot, samples.writes)
    _tell_rest(kept.foot, samples)


@app.command()
def apply(
    file: File,
    confirm: Annotated[bool, typer.Option("--confirm-mass-change", help="The mass change is meant.")] = False,  # noqa: FBT002 - a switch
    beyond: Annotated[  # noqa: FBT002 - a switch
        bool, typer.Option("--beyond-limits", help="Above the limits, on a hub without an admin.")
    ] = False,
) -> None:
    """Carry out a plan: what moved since is refused, what is done is not done again."""
    from fsm_core.service.planfile import PlanFile  # noqa: PLC0415 - commands start fast

    with entered(Act.APPLY, remote=True) as (found, actor):
        kept = PlanFile(file)
        warn_of_failures(found)
        _within_limits(found, actor, kept, beyond=beyond)
        done = _apply(found, actor, kept, confirmed=confirm)
    if not terminal.answer({"fates": done.fates, "left": done.left, "unplanned": done.unplanned}):
        _tell_applied(done)
    if done.left or found.failures:
        raise typer.Exit(1)


@app.command()
def revert(
    runs: Annotated[list[str], typer.Argument(help="Runs, or the ends of their ids; see 'fsm-hub runs'.")],
    out: Out = None,
) -> None:
    """Plan to take runs back: every field they changed gets the value it had, as far as it may be."""
    from flows.wiring import connect  # noqa: PLC0415 - commands start fast
    from fsm_core.service.revert import reverted  # noqa: PLC0415 - as above
    from fsm_core.store import runs as history  # noqa: PLC0415 - as above

    with entered(Act.SEE) as (found, actor):
        with found.store.reading() as db:
            ids = sorted(history.run_id(db, wanted) for wanted in runs)
            rulings = [one for id_ in ids for one in history.rulings(db, id_)]
            made = [one for id_ in ids for one in history.creations(db, id_)]
        connect(found)
        take_back_plan(found, actor, ", ".join(ids), lambda: reverted(found.hub, rulings, made), out)


def take_back_plan(found: Opened, actor: Actor, runs: str, back: Callable[[], Reverted], out: Path | None) -> None:
    """Read everything, then plan to take these values back; exit code 1 when a system could not be read."""
    warn_of_failures(found)
    names = entities_of(found, "")
    absent = observe(found, names)
    _make(found.hub, _header(found, actor, names, absent, reverts=runs, back=back()), out)
    if found.failures or absent:
        raise typer.Exit(1)


@app.command("runs")
def list_runs(limit: Annotated[int, typer.Option(help="How many.", min=1)] = 20) -> None:
    """The newest runs and what each wrote."""
    from fsm_core.store import runs as history  # noqa: PLC0415 - commands start fast

    with entered(Act.SEE) as (found, _), found.store.reading() as db:
        rows = history.runs(db, limit)
    if not terminal.answer(rows):
        told = [
            (row["id"][-8:], row["started_at"][:19], row["kind"], row["summary"].get("entity", ""), str(row["writes"]))
            for row in rows
        ]
        terminal.table("", ("run", "began", "kind", "entity", "writes"), told)


# -- making --------------------------------------------------------------------------------------


def observe(found: Opened, names: Sequence[str]) -> dict[str, str]:
    """Read all systems; those that could not be read, and why."""
    from fsm_core.service.sync import Round, pull_into  # noqa: PLC0415 - commands start fast

    absent: dict[str, str] = {}
    with found.hub.running("observe"):
        for name in names:
            report = Round(name)
            for binding in found.hub.of_entity(name):
                pull_into(found.hub, binding, report)
            absent |= report.absent | found.left_out(name)
    return absent


def _header(
    found: Opened,
    actor: Actor,
    names: Sequence[str],
    absent: dict[str, str],
    reverts: str = "",
    back: Reverted | None = None,
) -> Header:
    from fsm_core.service.planfile import Header  # noqa: PLC0415 - commands start fast

    hub = found.hub
    return Header(
        id=hub.ids.text(),
        made_at=hub.at(),
        made_by=actor.name,
        entities=tuple(names),
        rules=hub.rulebook.version,
        environments=_environments(found),
        absent=absent,
        reverts=reverts,
        takes=tuple(back.takes) if back else (),
        kept=tuple(back.kept) if back else (),
    )


def _environments(found: Opened) -> dict[str, str]:
    return {name: check.fingerprint for name, check in sorted(found.checks.items())}


def _make(hub: Hub, header: Header, out: Path | None) -> None:
    """Plan, keep the plan if asked to, and show it."""
    from fsm_core.service.plan import plan as make_plan  # noqa: PLC0415 - commands start fast
    from fsm_core.service.planfile import PlanWriter, foot_of  # noqa: PLC0415 - as above

    every: list[PlannedWrite] = []
    samples = Samples()
    look = every.append if terminal.json else samples.keep
    sealed = ""
    if out is None:
        foot = foot_of(make_plan(hub, header.entities, look, _before(header)))
    else:
        with PlanWriter(out, header) as file:

            def keep(write: PlannedWrite) -> None:
                look(write)
                file.keep(write)

            foot = foot_of(make_plan(hub, header.entities, keep, _before(header)))
            sealed = file.seal(foot)
    if terminal.answer({"hash": sealed, "plan": header, "totals": foot, "writes": every}):
        return
    _tell_header(header, sealed)
    show_plan(foot, samples.writes)
    _tell_rest(foot, samples)
    if out is not None:
        terminal.say(f"kept in {shown(str(out))}; it shows what records say. Next: fsm-hub apply {shown(str(out))}")


def _before(header: Header) -> Callable[[Hub], object]:
    """What the plan decides before it looks at what is due."""
    from fsm_core.service.revert import take_back  # noqa: PLC0415 - commands start fast

    return partial(take_back, takes=header.takes, run=header.reverts, by=header.made_by)


# -- applying ------------------------------------------------------------------------------------


def _within_limits(found: Opened, actor: Actor, kept: PlanFile, *, beyond: bool) -> None:
    """Raises `Denied` when the plan is above a limit and no second person approved exactly this plan."""
    from fsm_core.persons.approvals import ask, granted  # noqa: PLC0415 - commands start fast
    from fsm_core.service.limits import exceeded  # noqa: PLC0415 - as above

    for kind, why in exceeded(kept.foot, found.settings.limits).items():
        told = "; ".join(why)
        if not actor.person:
            if not beyond:
                raise Denied(f"the plan is above the limits: {told}", remedy="If it is meant, say --beyond-limits.")
            continue
        with found.hub.store.begin() as work:
            approval = granted(work, kept.hash, kind)
        if approval is None:
            asked = ask(found.desk, actor, kept.hash, kind, f"plan {kept.header.id[-8:]}: {told}")
            remedy = (
                f"Another person looks at it ('fsm-hub plan show {kept.path}') and says "
                f"'fsm-hub approvals approve {asked.id[-8:]}', then apply it again."
            )
            raise Denied(f"the plan is above the limits: {told}", remedy=remedy)


def _apply(found: Opened, actor: Actor, kept: PlanFile, *, confirmed: bool) -> Applied:
    from fsm_core.service.apply import apply as carry_out  # noqa: PLC0415 - commands start fast

    with found.hub.running("apply") as run, terminal.errors.status("applying…") as status:
        done = carry_out(
            found.hub,
            kept,
            _environments(found),
            _before(kept.header),
            confirmed=confirmed,
            told=lambda step: status.update(f"{step}…"),
        )
        run.summary = {
            "plan": kept.hash,
            "by": actor.name,
            "reverts": kept.header.reverts,
            "fates": {str(fate): count for fate, count in done.fates.items()},
        }
    return done


def _tell_applied(done: Applied) -> None:
    terminal.say(", ".join(f"{count} {fate}" for fate, count in done.fates.most_common()) or "nothing was planned")
    if done.left:
        rows = [
            (write.system, write.action, shown(write.name), told.fate, shown(told.why))
            for write, told in done.left[:LEFT]
        ]
        terminal.table("not carried out", ("system", "action", "record", "", "why"), rows)
    if len(done.left) > LEFT:
        terminal.say(f"and {len(done.left) - LEFT} more; --json lists all")
    if done.unplanned:
        terminal.say(f"{done.unplanned} writes are due that are not in the plan; they wait for the next plan or sync")


# -- showing -------------------------------------------------------------------------------------


def _tell_header(header: Header, sealed: str) -> None:
    name = f" {sealed[:12]}" if sealed else ""
    what = f"to take back run {header.reverts}" if header.reverts else f"for {', '.join(header.entities)}"
    terminal.say(f"plan{name} {what}, made {header.made_at[:19]} by {header.made_by}, rules {header.rules}")
    for system, why in header.absent.items():
        terminal.say(f"[yellow]{system:<12} could not be read, planned on what is known:[/] {shown(why)}")
    if header.reverts:
        terminal.say(f"{len(header.takes)} values would be taken back")
        _tell_kept(header.kept)


def _tell_kept(kept: Sequence[Kept]) -> None:
    rows = [(one.entity, shown(one.name), one.field or "(record)", one.why) for one in kept[:LEFT]]
    if rows:
        terminal.table(f"{len(kept)} left as they are", ("entity", "record", "field", "why"), rows)
    if len(kept) > LEFT:
        terminal.say(f"and {len(kept) - LEFT} more; --json lists all")


def _tell_rest(foot: Foot, samples: Samples) -> None:
    """That there is more than the samples, and where."""
    total = sum(count for actions in foot.writes.values() for count in actions.values())
    if total > len(samples.writes):
        terminal.say(f"and {total - len(samples.writes)} more writes; --json before the command lists all")


def show_plan(foot: Foot, samples: Iterable[PlannedWrite] = ()) -> None:
    """A plan in words."""
    born, linked, questions = (sum(one.values()) for one in (foot.born, foot.linked, foot.questions))
    terminal.say(f"{born} records would be born, {linked} links made, {questions} questions asked")
    for system, actions in foot.writes.items():
        told = ", ".join(f"{count} {action}s" for action, count in actions.items())
        terminal.say(f"{system:<12} {told}, in about {foot.calls.get(system, 0)} calls")
    for system, name, currency, count, change, _ in foot.money:
        terminal.say(f"money        {system} {name}: {count} amounts, {change} {currency} in sum")
    show_endings(foot.endings)
    if foot.overrides:
        told = ", ".join(f"{name} {count}" for name, count in foot.overrides.items())
        terminal.say(f"overrides    values that lose to their owner, kept in the journal: {told}")
    for entity, why in foot.halted.items():
        terminal.say(f"[yellow]guard        {entity}: {why}; sync stops until somebody confirms it[/]")
    for write in samples:
        terminal.say(f"  {write.system} {write.action} [bold]{shown(write.name)}[/]")
        for name, one in list(write.fields.items())[:SAMPLES]:
            why = f"{one.owner}: {one.why}" if one.why else one.owner
            terminal.say(f"    {name:<18} {shown(one.shows)} → {shown(one.to)}  [dim]({why})[/]")
        if len(write.fields) > SAMPLES:
            terminal.say(f"    [dim]and {len(write.fields) - SAMPLES} more fields[/]")
