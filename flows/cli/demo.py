"""The demonstration: one company in two sandboxes, from the first look to a round that has nothing to say.

It uses the same calls as the other commands; the writes it reports are counted by the simulators.
Not here: the company and its people (`connectors.sandbox`), what single acts point at (`demo_scenes`).
"""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import AbstractContextManager
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import demo_scenes as scenes
from flows.cli.app import app, shown, terminal
from flows.cli.plans import Samples, show_plan
from flows.cli.run import show_rounds

if TYPE_CHECKING:
    from connectors.sandbox import Sandbox
    from connectors.sandbox.edits import Edit
    from flows.wiring import Opened
    from fsm_core.service.hub import Hub
    from fsm_core.service.sync import Round

PERSON = "the demo's admin"
AGE = attrgetter("opened_at", "id")
"""The demo shows the oldest question of each kind."""


class Demo:
    """Runs the acts on one sandbox and keeps the score."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.config = folder / "hub.toml"
        self.config.write_text(f'[hub]\ndatabase = "sqlite:///hub.db"\n\n{sandbox.hub_toml()}', encoding="utf8")
        self.sandbox = sandbox
        self.decided = ""
        """The record whose conflict was resolved."""
        self.edits: list[Edit] = []
        self.owners: dict[tuple[str, str], dict[str, str]] = {}
        """Who owned a field before people worked."""
        self.counts: dict[str, dict[str, Any]] = {}
        self.writes: list[int] = []
        """Record writes per round, as the simulators counted them."""

    def act(self, title: str) -> None:
        """A heading."""
        terminal.say(f"\n[bold]{title}[/]")

    def _opened(self, *, remote: bool = True) -> AbstractContextManager[Opened]:
        from flows.wiring import opened  # noqa: PLC0415 - commands start fast

        return opened(self.config, remote=remote)

    def entities(self) -> list[str]:
        """All of them, parents first."""
        from fsm_core.sync.order import parents_first  # noqa: PLC0415 - commands start fast

        with self._opened(remote=False) as found:
            return parents_first(found.hub.shapes, found.settings.hub.entities)

    def look(self, entity: str, *, samples: bool) -> None:
        """Preview the first match and load of one entity."""
        from fsm_core.service.plan import plan  # noqa: PLC0415 - commands start fast
        from fsm_core.service.planfile import foot_of  # noqa: PLC0415 - as above
        from fsm_core.service.pull import pull  # noqa: PLC0415 - as above

        before = self._counted()
        with self._opened() as found:
            with found.hub.running("observe"):
                for binding in found.hub.of_entity(entity):
                    read = pull(found.hub, binding)
                    terminal.say(f"{read.system:<12} {read.seen} read")
            seen = Samples()
            made = plan(found.hub, [entity], seen.keep)
            show_plan(foot_of(made), seen.writes if samples else ())
        terminal.say(f"writes by this look, as the systems count them: {self._counted() - before}")

    def load(self, entity: str) -> int:
        """The first load of one entity; returns the record writes that the simulators counted."""
        before = self._counted()
        with self._opened() as found:
            show_rounds([self._round(found.hub, entity)])
        terminal.say(f"[dim]the systems counted {self._counted() - before} record writes[/]")
        return self._counted() - before

    def sync(self) -> None:
        """One round of all entities."""
        before = self._counted()
        names = self.entities()
        with self._opened() as found:
            show_rounds([self._round(found.hub, name) for name in names])
        self.writes.append(self._counted() - before)
        terminal.say(f"[dim]the systems counted {self.writes[-1]} record writes in this round[/]")

    def _round(self, hub: Hub, entity: str) -> Round:
        from fsm_core.service.sync import synchronise  # noqa: PLC0415 - commands start fast

        with hub.running("sync") as run:
            done = synchronise(hub, entity)
            run.summary = done.summary()
        return done

    def _counted(self) -> int:
        return sum(simulator.writes() for simulator in self.sandbox.simulators.values())

    def first_loads(self) -> None:
        """Look and load, one entity after the other: who belongs to whom is known once the customers are."""
        first, *others = self.entities()
        self.act(f"2. Look before the first load of {first}s: nothing is written")
        self.look(first, samples=True)
        self.act(f"3. First load of {first}s")
        loaded = self.load(first)
        for number, name in enumerate(others, start=4):
            self.act(f"{number}. {name.capitalize()}s: the same look, the same load")
            self.look(name, samples=False)
            loaded += self.load(name)
        self.writes.append(loaded)

    def people_work(self) -> None:
        """Both systems' users edit their records."""
        from connectors.sandbox.players import play  # noqa: PLC0415 - commands start fast

        self.edits = play(self.sandbox.urls, self.sandbox.company)
        for edit in self.edits:
            terminal.say(f"  {edit.system:<11}{edit.sentence}")
        expected = Counter(edit.expect.value for edit in self.edits)
        terminal.say(
            f"{len(self.edits)} edits; to come of them: " + ", ".join(f"{n} {name}" for name, n in expected.items())
        )

    def note_owners(self) -> None:
        """Who owns what is about to pass into other hands."""
        lead, contact = self.sandbox.company.handed_over()
        with self._opened(remote=False) as found:
            for place in (("customer", lead), ("contact", contact)):
                self.owners[place] = scenes.owners(found, *place)[1]

    def passed_on(self) -> None:
        """What another system owns now: of the customer, and of its contact, which follows."""
        words = "handed over"
        with self._opened(remote=False) as found:
            for place, before in self.owners.items():
                name, now = scenes.owners(found, *place)
                passed = [field for field, owner in now.items() if owner != before[field]]
                for old, new in sorted({(before[field], now[field]) for field in passed}):
                    told = ", ".join(field for field in passed if (before[field], now[field]) == (old, new))
                    terminal.say(f"{words} from {old} to {new}: {told} of {place[0]} {shown(name)}")
                words = "its contact follows"

    def _waiting(self) -> Edit:
        return next(edit for edit in self.edits if edit.expect.value == "wait")

    def questions(self) -> None:
        """What waits for people, in words; then who waits for their answers."""
        from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

        with self._opened(remote=False) as found:
            with found.store.reading() as db:
                conflicts = sorted(queries.conflicts(db), key=AGE)
                proposals = sorted(queries.proposals(db), key=AGE)
                known = [row.record for row in conflicts if row.record] + [p.record for p in proposals]
                names = queries.names(db, known)
            scenes.questions(conflicts, proposals, names)
            scenes.waiting(found, self._waiting().known_as)

    def decide(self) -> None:
        """Two conflicts resolved, one proposal adopted."""
        from fsm_core.service.resolve import answer_proposal, resolve  # noqa: PLC0415 - commands start fast
        from fsm_core.store import queries  # noqa: PLC0415 - as above

        company = self._waiting().fields["BusinessPartnerCompany"]
        with self._opened(remote=False) as found:
            with found.store.reading() as db:
                rows = queries.conflicts(db)
                conflict = next(row for row in rows if row.field == "currency")
                same = next(r for r in rows if company in {side["id"] for side in r.snapshot["sides"]})
                proposal = next(row for row in queries.proposals(db) if row.field == "legal_name")
            resolve(found.hub, conflict, "sap", PERSON)
            resolve(found.hub, same, "same", PERSON)
            answer_proposal(found.hub, proposal, PERSON, adopt=True)
        terminal.say(f"$ fsm-hub conflicts resolve {conflict.id[-8:]} --take sap")
        terminal.say(f"$ fsm-hub conflicts resolve {same.id[-8:]} --take same")
        terminal.say(f"$ fsm-hub proposals adopt {proposal.id[-8:]}")
        self.decided = conflict.record or ""

    def released(self) -> None:
        """Who waited for one of the answers."""
        with self._opened(remote=False) as found:
            scenes.released(found, "contact", self._waiting().known_as)

    def story(self) -> None:
        """Why the resolved field says what it says."""
        from flows.cli.show import tell  # noqa: PLC0415 - commands start fast
        from fsm_core.store import queries  # noqa: PLC0415 - as above

        with self._opened(remote=False) as found:
            tell(found, "customer", self.decided, "currency")
            with found.store.reading() as db:
                self.counts = queries.status(db)

    def score(self) -> str:
        """The last line."""
        records = sum(sum(states.values()) for states in self.counts["records"].values())
        open_conflicts = sum(self.counts["conflicts"].values())
        return (
            f"{len(self.writes)} rounds, {records} records, {sum(self.writes)} writes, "
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
        run.first_loads()
        _a_day(run)
    terminal.say(f"\n{run.score()}")
    if run.writes[-1]:
        raise typer.Exit(1)


def _a_day(run: Demo) -> None:
    """The acts after the first load."""
    run.note_owners()
    run.act("6. People work in both systems")
    run.people_work()
    run.act("7. Second round")
    run.sync()
    run.passed_on()
    run.act("8. What the rules may not decide")
    run.questions()
    run.act("9. A person decides")
    run.decide()
    run.act("10. Third round")
    run.sync()
    run.released()
    run.act("11. Why does it say that?")
    run.story()
    run.act("12. Last round")
    run.sync()
