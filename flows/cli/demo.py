"""The demonstration: one company in two sandboxes, from the first look to a round that has nothing to say.

It uses the same calls as the other commands; the writes it reports are counted by the simulators.
Not here: the company and its people (`connectors.sandbox`).
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.app import app, shown, terminal
from flows.cli.people import in_words
from flows.cli.run import show_plan, show_round

if TYPE_CHECKING:
    from connectors.sandbox import Sandbox
    from fsm_core.service.sync import Round

ENTITY = "customer"


class Demo:
    """Runs the acts on one sandbox and keeps the score."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.config = folder / "hub.toml"
        self.config.write_text(f'[hub]\ndatabase = "sqlite:///hub.db"\n\n{sandbox.hub_toml()}', encoding="utf8")
        self.sandbox = sandbox
        self.rounds: list[Round] = []
        self.decided = ""
        """The record whose conflict was resolved."""
        self.counts: dict[str, dict[str, Any]] = {}
        self.writes: list[int] = []

    def act(self, title: str) -> None:
        """A heading."""
        terminal.say(f"\n[bold]{title}[/]")

    def look(self) -> None:
        """Preview the first match and load."""
        from flows.wiring import opened  # noqa: PLC0415 - commands start fast
        from fsm_core.service.plan import plan  # noqa: PLC0415 - as above
        from fsm_core.service.pull import pull  # noqa: PLC0415 - as above

        with opened(self.config) as found:
            with found.hub.running("observe"):
                for binding in found.hub.of_entity(ENTITY):
                    read = pull(found.hub, binding)
                    terminal.say(f"{read.system:<12} {read.seen} read")
            show_plan(plan(found.hub, ENTITY))
        terminal.say(f"writes so far, as the systems count them: {self._counted()}")

    def sync(self) -> int:
        """One round; returns the record writes that the simulators counted."""
        from flows.wiring import opened  # noqa: PLC0415 - commands start fast
        from fsm_core.service.sync import synchronise  # noqa: PLC0415 - as above

        before = self._counted()
        with opened(self.config) as found, found.hub.running("sync") as run:
            done = synchronise(found.hub, ENTITY)
            run.summary = done.summary()
        self.rounds.append(done)
        self.writes.append(self._counted() - before)
        show_round(done)
        terminal.say(f"[dim]the systems counted {self.writes[-1]} record writes in this round[/]")
        return self.writes[-1]

    def _counted(self) -> int:
        return sum(simulator.writes() for simulator in self.sandbox.simulators.values())

    def people_work(self) -> None:
        """Both systems' users edit their records."""
        from connectors.sandbox.players import play  # noqa: PLC0415 - commands start fast

        played = play(self.sandbox.urls, self.sandbox.company)
        for edit in played:
            terminal.say(f"  {edit.system:<11}{edit.sentence}")
        expected = Counter(edit.expect.value for edit in played)
        terminal.say(
            f"{len(played)} edits; to come of them: " + ", ".join(f"{n} {name}" for name, n in expected.items())
        )

    def questions(self) -> None:
        """What waits for people, in words."""
        from flows.wiring import opened  # noqa: PLC0415 - commands start fast
        from fsm_core.store import queries  # noqa: PLC0415 - as above

        with opened(self.config, remote=False) as found, found.store.reading() as db:
            conflicts, proposals = queries.conflicts(db), queries.proposals(db)
            known = [row.record for row in conflicts if row.record] + [p.record for p in proposals]
            names = queries.names(db, known)
        by_type = Counter(row.type for row in conflicts)
        terminal.say(f"{len(conflicts)} conflicts: " + ", ".join(f"{n} {name}" for name, n in by_type.items()))
        for row in [r for r in conflicts if r.type != "match"] + [r for r in conflicts if r.type == "match"][:3]:
            terminal.say(
                f"  {row.id[-8:]}  {in_words(row, names.get(row.record or '', ''))} [dim]({shown(row.note)})[/]"
            )
        terminal.say(f"{len(proposals)} proposals:")
        for p in proposals:
            terminal.say(f"  {p.id[-8:]}  {p.field} of {shown(names[p.record])}: {p.system} ({p.by}) proposes "
                         f"{shown(p.value)}; agreed is {shown(p.agreed)}")  # fmt: skip

    def decide(self) -> None:
        """One conflict resolved, one proposal adopted; then the story of the value."""
        from flows.wiring import opened  # noqa: PLC0415 - commands start fast
        from fsm_core.service.resolve import answer_proposal, resolve  # noqa: PLC0415 - as above
        from fsm_core.store import queries  # noqa: PLC0415 - as above

        with opened(self.config, remote=False) as found:
            with found.store.reading() as db:
                conflict = next(row for row in queries.conflicts(db) if row.field == "currency")
                proposal = next(row for row in queries.proposals(db) if row.field == "legal_name")
            with found.hub.running("decision"):
                resolve(found.hub, conflict, "sap", "the demo's admin")
                answer_proposal(found.hub, proposal, "the demo's admin", adopt=True)
        terminal.say(f"$ fsm-hub conflicts resolve {conflict.id[-8:]} --take sap")
        terminal.say(f"$ fsm-hub proposals adopt {proposal.id[-8:]}")
        self.decided = conflict.record or ""

    def story(self) -> None:
        """Why the resolved field says what it says."""
        from flows.cli.show import tell  # noqa: PLC0415 - commands start fast
        from flows.wiring import opened  # noqa: PLC0415 - as above
        from fsm_core.store import queries  # noqa: PLC0415 - as above

        with opened(self.config, remote=False) as found:
            tell(found, ENTITY, self.decided, "currency")
            with found.store.reading() as db:
                self.counts = queries.status(db)

    def score(self) -> str:
        """The last line."""
        records = sum(sum(states.values()) for states in self.counts["records"].values())
        open_conflicts = sum(self.counts["conflicts"].values())
        return (
            f"{len(self.rounds)} rounds, {records} records, {sum(self.writes)} writes, "
            f"{open_conflicts} open conflicts, final round: {self.writes[-1]} writes"
        )


@app.command()
def demo(folder: Annotated[Path, typer.Option(help="Working folder; emptied first.")] = Path("var/demo")) -> None:
    """Match and synchronise one company between a Salesforce and an S/4HANA sandbox."""
    from connectors.sandbox import Sandbox  # noqa: PLC0415 - commands start fast

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with Sandbox(folder) as sandbox:
        run = Demo(folder, sandbox)
        run.act("1. One company in two systems")
        for name, url in sandbox.urls.items():
            terminal.say(f"{name:<12} {url}")
        run.act("2. Look before the first load: nothing is written")
        run.look()
        run.act("3. First load")
        run.sync()
        run.act("4. People work in both systems")
        run.people_work()
        run.act("5. Second round")
        run.sync()
        run.act("6. What the rules may not decide")
        run.questions()
        run.act("7. A person decides")
        run.decide()
        run.act("8. Third round")
        run.sync()
        run.act("9. Why does it say that?")
        run.story()
        run.act("10. Last round")
        run.sync()
    terminal.say(f"\n{run.score()}")
    if run.writes[-1]:
        raise typer.Exit(1)
