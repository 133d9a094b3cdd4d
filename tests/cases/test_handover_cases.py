"""Hand-over of ownership, rows H01-H10 in all three modes, played from data against the real engine.

Not here: children, crashes and what the rows do not say (`tests/scenarios/test_handovers.py`).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from fsm_core.ownership.words import Duration
from fsm_core.service.outlook import Waiting, outlook
from fsm_core.store import queries
from fsm_core.store.schema import metadata
from fsm_core.sync.types import OnSwitch
from tests.world import World, in_memory

TOLD = yaml.safe_load(Path(__file__).with_name("handover_cases.yaml").read_text(encoding="utf8"))
CASES = {case["id"]: case for case in TOLD["cases"]}
MODES = ("adopt_agreed", "adopt_new_owner", "conflict")
LONG = TypeAdapter(Duration)


class Play:
    """One case under one mode."""

    def __init__(self, case: dict[str, Any], mode: OnSwitch, **options: Any) -> None:
        self.case, self.mode = case, mode
        handover = {"on_switch": mode, **case.get("handover", {})}
        text = (
            TOLD["rules"]
            .replace("HANDOVER", str(handover).replace("'", ""))
            .replace("GRAB", case.get("grab", "revert"))
        )
        self.world = World(rules=text, **options)
        self.ids = {"crm": self.world.create("crm", **(TOLD["start"] | case.get("start", {})))}
        self.written = 0
        self.world.settle()

    def step(self, step: dict[str, Any]) -> None:
        ((what, told),) = step.items()
        match what:
            case "crm" | "erp":
                self.world.edit(what, self.id(what), **told)
            case "round":
                before = self.world.writes()
                self.world.sync(only=() if told == 1 else told)
                self.written = self.world.writes() - before
            case "wait":
                self.world.clock.advance(LONG.validate_python(told).total_seconds())
            case "expect":
                self.expect(told)
            case _:
                raise AssertionError(f"no such step: {what}")

    def id(self, system: str) -> str:
        return next(link.external_id for link in self.world.links() if link.system == system)

    def expect(self, told: dict[str, Any]) -> None:
        for what, wanted in told.items():
            match what:
                case "owner" | "agreed" | "next" | "crm" | "erp":
                    found = {name: value(name) for value in [getattr(self, f"_{what}")()] for name in wanted}
                case _:
                    found = getattr(self, f"_{what}")()
            assert found == wanted, (self.case["id"], self.mode, what)

    # -- what can be seen ----------------------------------------------------------------------

    def _loaded(self) -> Any:
        (one,) = self.world.loaded()
        return one

    def _agreed(self) -> Any:
        return self._loaded().record.document.get

    def _owner(self) -> Any:
        book = self.world.hub.book("customer")
        rules = book.rules(self._loaded().ruled(book))
        return lambda name: rules[name].owner

    def _crm(self) -> Any:
        return self.world.row("crm", self.id("crm")).get

    def _erp(self) -> Any:
        return self.world.row("erp", self.id("erp")).get

    def _next(self) -> Any:
        told = outlook(self.world.hub, Waiting(self._loaded()), list(self.world.hub.book("customer").shape.fields))
        return lambda name: next(one.words for one in told[name] if one.what == "handover")

    def _story(self) -> list[str]:
        record = self._loaded().record.id
        with self.world.store.reading() as db:
            told = queries.decisions(db, record)
        return [d["content"]["handover"]["event"] for d in told if "handover" in d["content"]]

    def _proposals(self) -> list[str]:
        return [proposal.field for proposal in self._loaded().proposals]

    def _conflicts(self) -> list[str]:
        return [conflict.field for conflict in self._loaded().conflicts]

    def _candidates(self) -> dict[str, Any]:
        (conflict,) = self._loaded().conflicts
        return {side["system"]: side["value"] for side in conflict.snapshot["sides"]}

    def _asked(self) -> str:
        (conflict,) = self._loaded().conflicts
        return conflict.note.partition(":")[0]

    def _problems(self) -> list[str]:
        with self.world.store.reading() as db:
            return [problem.message for problem in queries.problems(db)]

    def _writes(self) -> int:
        return self.written


def played(case: dict[str, Any], mode: OnSwitch, **options: Any) -> Play:
    play = Play(case, mode, **options)
    for step in case["steps"]:
        play.step(step)
    play.expect(case["outcome"][mode])
    return play


@pytest.fixture(scope="module")
def engine():
    """One state for all cases: what SQLAlchemy has compiled stays, which is what makes this fast."""
    made = in_memory()
    yield made
    made.dispose()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_case(engine, case, mode):
    with engine.begin() as connection:
        for table in metadata.tables.values():
            connection.execute(table.delete())
    play = played(case, mode, engine=engine)
    play.step({"round": 1})
    assert play.written == 0
    play.expect({name: wanted for name, wanted in case["outcome"][mode].items() if name != "writes"})


def test_every_row_is_there():
    assert {f"H{number:02}" for number in range(1, 11)} == {name.partition("-")[0] for name in CASES}
    assert all(set(case["outcome"]) == set(MODES) for case in CASES.values())
    assert timedelta(hours=1) == LONG.validate_python("1h")


@pytest.mark.usefixtures("each_database")
@pytest.mark.parametrize("row", ["H03", "H04", "H07-stays", "H09"])
def test_a_page_of_one_record_and_either_database_make_no_difference(row):
    play = played(CASES[row], "conflict", page_size=1)
    play.step({"round": 1})
    assert play.written == 0
