"""Commands on the versions of the rules: list, show, draft, shadow, activate, rollback, test.

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
from flows.cli.rule_approval import NotApproved, SecondWord
from flows.cli.rules import Json, rules
from flows.cli.who import acting, entered
from fsm_core.errors import Refused
from fsm_core.persons.rights import Act

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.ownership.rulebook import Rulebook
    from fsm_core.ownership.versions import RuleVersion
    from fsm_core.persons.rights import Actor
    from fsm_core.persons.state import PersonWork
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
    actor: Actor

    def known(self) -> list[RuleVersion]:
        """All versions, the newest first."""
        from fsm_core.store.rule_versions import RuleVersions  # noqa: PLC0415 - commands start fast

        with self.store.reading() as db:
            return RuleVersions(db).known()

    def change(self, become: Callable[[list[RuleVersion], PersonWork], list[RuleVersion]]) -> list[RuleVersion]:
        """Write what becomes of them, in one transaction: two people at once never make two versions active."""
        from fsm_core.store.rule_versions import RuleVersions  # noqa: PLC0415 - commands start fast
        from fsm_core.store.work import SqlWork  # noqa: PLC0415 - as above

        with self.store.engine.begin() as db:
            versions = RuleVersions(db)
            changed = become(versions.known(), SqlWork(db))
            versions.keep(changed)
        return changed


@contextmanager
def _kept(act: Act = Act.RULE) -> Iterator[Kept]:
    from flows.wiring import open_store  # noqa: PLC0415 - commands start fast
    from fsm_core import settings  # noqa: PLC0415 - as above

    config = settings.load(terminal.config)
    store = open_store(config)
    try:
        yield Kept(config, store, acting(store, _now(), act))
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
            one.created_at[:10],
            (one.activated_at or "")[:10],
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

    read = rules_in(file)
    state = keep_version(read.version, read.text, note, shadow=shadow)
    if not terminal.answer({"version": read.version, "state": state}):
        terminal.say(f"{read.version} kept as {state}")


def keep_version(version: str, text: str, note: str, *, shadow: bool) -> str:
    """Keep a text of the rules; returns its state."""
    from fsm_core.ownership.versions import RuleVersion, Stand, stored  # noqa: PLC0415 - commands start fast

    state = Stand.SHADOW if shadow else Stand.DRAFT
    with _kept() as kept:
        given = RuleVersion(version, text, state, kept.actor.name, _now(), note)
        kept.change(lambda known, _: stored(known, given, state))
    return str(state)


@rules.command("activate")
def rules_activate(what: What, note: Note = "") -> None:
    """Check a rule file or a kept version, have it approved by another person, and let it decide from then on."""
    with _kept() as kept:
        wanted = _wanted(kept.known(), what, note, kept.actor.name)
        _checked(wanted)
        word = SecondWord(kept.config, kept.store, kept.actor)
        try:
            _activate(kept, wanted, word)
        except NotApproved as error:
            raise _asked(kept, wanted, word, error) from None


@rules.command("rollback")
def rules_rollback() -> None:
    """Let the version decide again that was in force before; one person may, as it was in force already."""
    from fsm_core.ownership.versions import previous  # noqa: PLC0415 - commands start fast

    with _kept() as kept:
        _activate(kept, previous(kept.known()), None)


@rules.command("show")
def rules_show(version: Annotated[str, typer.Argument(help="The beginning of a version that is kept.")]) -> None:
    """The text of a kept version, as it was given: to read, to compare, to approve."""
    from fsm_core.ownership.versions import named  # noqa: PLC0415 - commands start fast

    with _kept(Act.SEE) as kept:
        found = named(kept.known(), version)
    if not terminal.answer(found):
        typer.echo(found.text, nl=False)


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


def _activate(kept: Kept, wanted: RuleVersion, word: SecondWord | None) -> None:
    """Bind it, which refuses what the engine does not know, and put it in force. Raises `NotApproved`."""
    from flows.wiring import bound_rules  # noqa: PLC0415 - commands start fast
    from fsm_core.ownership.versions import Stand, activated  # noqa: PLC0415 - as above

    bound_rules(kept.config, wanted.text, wanted.version)

    def become(known: list[RuleVersion], work: PersonWork) -> list[RuleVersion]:
        def approved(version: RuleVersion, _actor: str) -> str:
            return word.given(work, version) if word else version.approved_by

        return activated(known, wanted, kept.actor.name, _now(), approved)

    changed = kept.change(become)
    by = next((one.approved_by for one in changed if one.state == Stand.ACTIVE), "")
    told = {"version": wanted.version, "state": str(Stand.ACTIVE), "changed": bool(changed), "approved_by": by}
    if not terminal.answer(told):
        after = "the next 'fsm-hub sync' looks at every record again" if changed else "it was before"
        terminal.say(f"{wanted.version} is active; {after}")
        if changed:
            terminal.say(_approval(by, word))


def _approval(by: str, word: SecondWord | None) -> str:
    if word is None:
        return "nobody had to approve it: it was in force before"
    return f"approved by {escape(by)}" if by else word.waived


def _asked(kept: Kept, wanted: RuleVersion, word: SecondWord, error: NotApproved) -> NotApproved:
    """Keep the text for others to read, ask for their word, and say what to do next."""
    from fsm_core.ownership.versions import Stand, stored  # noqa: PLC0415 - commands start fast

    def become(known: list[RuleVersion], _work: PersonWork) -> list[RuleVersion]:
        there = any(one.version == wanted.version for one in known)
        return [] if there else stored(known, wanted, Stand.DRAFT)

    kept.change(become)
    approval, version = word.ask(wanted), wanted.version
    number = approval.id[-8:]
    remedy = (
        f"{approval.asked_by} asked for it as {number}. Another person reads it with 'fsm-hub rules show {version}' "
        f"and runs 'fsm-hub approvals approve {number}'; then run 'fsm-hub rules activate {version}'."
    )
    return NotApproved(error.message, remedy=remedy)


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
        told = replayed(found, book, days)
    summary = replay_summary(days, found.hub.rulebook.version, other.version, told)
    if not terminal.answer(summary):
        show_replayed(summary, told)


def replay_summary(days: int, old: str, new: str, told: Replayed) -> dict[str, Any]:
    """A replay in plain values."""
    return {
        "days": days,
        "old": old,
        "new": new,
        **{name: getattr(told, name) for name in ("records", "edits", "same")},
        "outcomes": {name: dict(counts) for name, counts in told.outcomes.items()},
        "differences": [plain(one) for one in told.changed],
    }


def _shadow(known: list[RuleVersion]) -> RuleVersion:
    from fsm_core.ownership.versions import Stand  # noqa: PLC0415 - commands start fast

    shadows = [one for one in known if one.state == Stand.SHADOW]
    if not shadows:
        raise Refused(
            "no version is kept as shadow", remedy="Name a rule file, or keep one with 'fsm-hub rules shadow'."
        )
    return shadows[0]


def replayed(found: Opened, other: Rulebook, days: int) -> Replayed:
    """The edits of the last days under the rules in force and under these."""
    from fsm_core.service.replay import Replayed, replay  # noqa: PLC0415 - commands start fast
    from fsm_core.store.history import histories  # noqa: PLC0415 - as above

    report, since = Replayed(), found.hub.later(-timedelta(days=days))
    with found.store.reading() as db:
        for entity in found.settings.hub.entities:
            replay(histories(db, entity, since), found.hub.book(entity), other.book(entity), report)
    return report


def show_replayed(summary: dict[str, Any], told: Replayed) -> None:
    """What would have come otherwise, in words."""
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
