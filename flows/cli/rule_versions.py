"""Commands on the versions of the rules: list, draft, shadow, activate, rollback, test.

Not here: looking at a rule file (`rules`), and what may become of a version (`fsm_core.ownership.versions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from flows.cli.app import plain, shown, terminal
from flows.cli.rules import Json, rules
from flows.cli.who import acting, entered
from fsm_core.errors import Refused
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.ownership.rulebook import Rulebook
    from fsm_core.ownership.versions import RuleVersion
    from fsm_core.service.replay import Replayed
    from fsm_core.settings import Settings
    from fsm_core.store import SqlStore

What = Annotated[str, typer.Argument(help="A rule file, or the beginning of a version that is kept.")]
Note = Annotated[str, typer.Option("--note", help="Why.")]


@dataclass(frozen=True)
class Kept:
    """The state and the versions in it. It opens whatever the rules in force say, so that they can be replaced."""

    config: Settings
    store: SqlStore
    actor: str

    def known(self) -> list[RuleVersion]:
        """All versions, the newest first."""
        from fsm_core.store.rule_versions import RuleVersions  # noqa: PLC0415 - commands start fast

        with self.store.reading() as db:
            return RuleVersions(db).known()

    def change(self, become: Callable[[list[RuleVersion]], list[RuleVersion]]) -> list[RuleVersion]:
        """Write what becomes of them, in one transaction: two people at once never make two versions active."""
        from fsm_core.store.rule_versions import RuleVersions  # noqa: PLC0415 - commands start fast

        with self.store.engine.begin() as db:
            versions = RuleVersions(db)
            changed = become(versions.known())
            versions.keep(changed)
        return changed


@contextmanager
def _kept(act: Act = Act.RULE) -> Iterator[Kept]:
    from flows.wiring import open_store  # noqa: PLC0415 - commands start fast
    from fsm_core import settings  # noqa: PLC0415 - as above

    config = settings.load(terminal.config)
    store = open_store(config)
    try:
        yield Kept(config, store, acting(store, _now(), act).name)
    finally:
        store.engine.dispose()


def _now() -> str:
    from fsm_core.state import stamp  # noqa: PLC0415 - commands start fast

    return stamp(datetime.now(UTC)) or ""


@rules.command("list")
def rules_list() -> None:
    """Versions of the rules that are kept, the newest first."""
    from flows.rulefacts import rules_in  # noqa: PLC0415 - commands start fast
    from flows.wiring import rules_path  # noqa: PLC0415 - as above
    from fsm_core.ownership.versions import active  # noqa: PLC0415 - as above

    with _kept(Act.SEE) as kept:
        known, file = kept.known(), rules_in(rules_path(kept.config))
    chosen = active(known)
    in_force = chosen.version if chosen else file.version
    told = [{name: value for name, value in plain(one).items() if name != "text"} for one in known]
    if terminal.answer({"in_force": in_force, "file": file.version, "versions": told}):
        return
    rows = [
        (
            one.version,
            one.state,
            one.author,
            one.created_at[:19],
            (one.activated_at or "")[:19],
            one.approved_by,
            one.note,
        )
        for one in known
    ]
    columns = ("version", "state", "author", "kept", "activated", "approved by", "note")
    terminal.table(f"in force: {in_force}", columns, rows)
    if in_force != file.version:
        terminal.say(f"{escape(str(file.path))} is version {file.version}, and not in force")


@rules.command("draft")
def rules_draft(file: Annotated[Path, typer.Argument(help="Rule file.")], note: Note = "") -> None:
    """Keep a rule file as a draft, for others to look at."""
    _store(file, note, shadow=False)


@rules.command("shadow")
def rules_shadow(file: Annotated[Path, typer.Argument(help="Rule file.")], note: Note = "") -> None:
    """Keep a rule file as the one 'rules test' compares with; it decides nothing."""
    _store(file, note, shadow=True)


def _store(file: Path, note: str, *, shadow: bool) -> None:
    from flows.rulefacts import rules_in  # noqa: PLC0415 - commands start fast
    from fsm_core.ownership.versions import RuleVersion, Stand, stored  # noqa: PLC0415 - as above

    read, state = rules_in(file), Stand.SHADOW if shadow else Stand.DRAFT
    with _kept() as kept:
        given = RuleVersion(read.version, read.text, state, kept.actor, _now(), note)
        kept.change(lambda known: stored(known, given, state))
    if not terminal.answer({"version": read.version, "state": str(state)}):
        terminal.say(f"{read.version} kept as {state}")


@rules.command("activate")
def rules_activate(what: What, note: Note = "") -> None:
    """Check a rule file or a kept version, and let it decide from the next round on."""
    with _kept() as kept:
        wanted = _wanted(kept.known(), what, note, kept.actor)
        _checked(wanted)
        _activate(kept, wanted)


@rules.command("rollback")
def rules_rollback() -> None:
    """Let the version decide again that was in force before."""
    from fsm_core.ownership.versions import previous  # noqa: PLC0415 - commands start fast

    with _kept() as kept:
        _activate(kept, previous(kept.known()))


def _wanted(known: list[RuleVersion], what: str, note: str, by: str) -> RuleVersion:
    """A kept version, or a file that is kept from now on."""
    from flows.rulefacts import rules_in  # noqa: PLC0415 - commands start fast
    from fsm_core.ownership.versions import RuleVersion, Stand, named  # noqa: PLC0415 - as above

    if not Path(what).is_file():
        return named(known, what)
    read = rules_in(Path(what))
    old = next((one for one in known if one.version == read.version), None)
    new = RuleVersion(read.version, read.text, Stand.DRAFT, by, _now(), note)
    return replace(old, note=note or old.note) if old else new


def _checked(wanted: RuleVersion) -> None:
    """Refuse what the analyser calls an error."""
    from flows.rulefacts import gather_text  # noqa: PLC0415 - commands start fast
    from fsm_core.ownership.check import check  # noqa: PLC0415 - as above

    report = check(gather_text(terminal.config, wanted.text).subject)
    if report.errors:
        first = next(one for one in report.findings if one.level == "error")
        raise Refused(
            f"version {wanted.version} has {report.errors} errors, the first is {first.check} at {first.place}: "
            f"{first.sentence}",
            remedy="See all of them with 'fsm-hub rules check'.",
        )


def _activate(kept: Kept, wanted: RuleVersion) -> None:
    """Bind it, which refuses what the engine does not know, and put it in force."""
    from flows.wiring import bound_rules  # noqa: PLC0415 - commands start fast
    from fsm_core.ownership.versions import Stand, activated  # noqa: PLC0415 - as above

    bound_rules(kept.config, wanted.text, wanted.version)
    changed = kept.change(lambda known: activated(known, wanted, kept.actor, _now()))
    if not terminal.answer({"version": wanted.version, "state": str(Stand.ACTIVE), "changed": bool(changed)}):
        after = "the next 'fsm-hub sync' looks at every record again" if changed else "it was before"
        terminal.say(f"{wanted.version} is active; {after}")


# -- the last days under other rules -------------------------------------------------------------------------


@rules.command("test")
def rules_test(
    what: Annotated[str, typer.Argument(help="A rule file or a kept version; default: the shadow.")] = "",
    days: Annotated[int, typer.Option(min=1, help="How far to look back.")] = 30,
    json: Json = False,  # noqa: FBT002 - a switch
) -> None:
    """What the edits of the last days would have come to under other rules; changes nothing."""
    from flows.wiring import bound_rules  # noqa: PLC0415 - commands start fast
    from fsm_core.store.rule_versions import RuleVersions  # noqa: PLC0415 - as above

    terminal.json = terminal.json or json
    with entered(Act.SEE) as (found, actor):
        with found.store.reading() as db:
            known = RuleVersions(db).known()
        other = _wanted(known, what, "", actor.name) if what else _shadow(known)
        book = bound_rules(found.settings, other.text, other.version)
        told = _replayed(found, book, days)
    summary = {
        "days": days,
        "old": found.hub.rulebook.version,
        "new": other.version,
        **{name: getattr(told, name) for name in ("records", "edits", "same")},
        "outcomes": {name: dict(counts) for name, counts in told.outcomes.items()},
        "differences": [plain(one) for one in told.changed],
    }
    if not terminal.answer(summary):
        _show(summary, told)


def _shadow(known: list[RuleVersion]) -> RuleVersion:
    from fsm_core.ownership.versions import Stand  # noqa: PLC0415 - commands start fast

    shadows = [one for one in known if one.state == Stand.SHADOW]
    if not shadows:
        raise Refused(
            "no version is kept as shadow", remedy="Name a rule file, or keep one with 'fsm-hub rules shadow'."
        )
    return shadows[0]


def _replayed(found: Opened, other: Rulebook, days: int) -> Replayed:
    from fsm_core.service.replay import Replayed, replay  # noqa: PLC0415 - commands start fast
    from fsm_core.store.history import histories  # noqa: PLC0415 - as above

    report, since = Replayed(), found.hub.later(-timedelta(days=days))
    with found.store.reading() as db:
        for entity in found.settings.hub.entities:
            replay(histories(db, entity, since), found.hub.book(entity), other.book(entity), report)
    return report


def _show(summary: dict[str, Any], told: Replayed) -> None:
    terminal.say(
        f"{summary['edits']} edits of {summary['records']} records in {summary['days']} days: {summary['same']} would "
        f"have come to the same under {summary['new']} as under {summary['old']}"
    )
    rows = [(f"{one.entity}.{one.field}", one.count, one.old, one.new) for one in told.changed]
    if rows:
        terminal.table("would have been decided otherwise", ("field", "edits", "was", "would be"), rows)
    for one in told.changed:
        for sample in one.samples:
            edits = ", ".join(f"{name} {shown(a)} -> {shown(b)}" for name, (a, b) in sample.edits.items())
            terminal.say(f"  {one.field} of {sample.record[-8:]} at {sample.at[:19]}: {edits}")
            terminal.say(f"    was {escape(_became(sample.old))}; would be {escape(_became(sample.new))}")


def _became(told: Any) -> str:  # noqa: ANN401 - a verdict in plain values
    return f"{told['outcome']} {shown(told.get('agreed'))} ({told.get('note', '')})"
