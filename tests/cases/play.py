"""Plays the steps of a delivery case on a `World` and tells what is true afterwards.

Not here: the cases (`delivery_cases.yaml`) and their verdict (`test_delivery_cases`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from sqlalchemy import select

from fsm_core.ports import Creates, Write
from fsm_core.service.resolve import retry
from fsm_core.store import queries
from fsm_core.store import schema as t
from tests.world import TABLE, World, asking

RENDERINGS: dict[str, Callable[[Any], Any]] = {
    "upper": lambda value: value.upper() if value else value,
    "blanks": lambda value: value.replace(" ", "") if value else value,
}
PATIENT = asking().replace("min_rows: 50}", "min_rows: 50, max_reverts: 1000}")
"""Nobody is asked about an edit that a rule takes back again and again: that has cases of its own."""
CUSTOMER = {
    "billing_status": "active",
    "account_number": "1000",
    "tax_ids": ["VAT:DE1"],
    "payment_terms": "NT30",
    "currency": "EUR",
}


class Play:
    """A world, the customer both systems know, and everything the ERP was asked since the first step."""

    def __init__(self, case: dict[str, Any]) -> None:
        options = dict(case.get("world", {}))
        if "creates" in options:
            options["creates"] = Creates(options["creates"])
        self.world = World(rules=PATIENT, **options)
        self.crm = self.erp = ""
        if case.get("linked", True):
            self.crm = self.world.create("crm", tax_ids=["VAT:DE1"], phone="030 1234567")
            self.erp = self.world.create("erp", phone="030 1234567", **CUSTOMER)
            self.world.settle()
        self.asked: list[Write] = []
        self.calls = self.looked_for = 0
        self.absent: list[str] = []
        self._moments: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        self._began = self.world.erp.writes()
        self._listen()

    def _listen(self) -> None:
        """Note what reaches the ERP's connector, and let happen what waits for it."""
        connector = self.world.hub.bindings["erp", TABLE].connector
        real_write, real_read = connector.write, connector.read

        def tap(moment: str, request: Any) -> None:
            self.calls += moment == "before"
            if request.method == "POST":
                self._happens("at_write" if moment == "before" else "after_write")

        def write(obj: Any, writes: Any) -> Any:
            self.asked += writes
            return real_write(obj, writes)

        def read(obj: Any, refs: Any) -> Any:
            self.looked_for += any(not isinstance(ref, str) for ref in refs)
            self._happens("at_read")
            return real_read(obj, refs)

        connector._tap, connector.write, connector.read = tap, write, read

    def _happens(self, moment: str) -> None:
        times, steps = self._moments.get(moment, (0, []))
        if times:
            self._moments[moment] = times - 1, steps
            for step in steps:
                self.step(step)

    # -- steps ---------------------------------------------------------------------------------

    def step(self, step: dict[str, Any]) -> None:
        verb, given = next(iter(step.items()))
        if verb in ("at_write", "after_write", "at_read"):
            self._moments[verb] = step.get("times", 1), given
        else:
            getattr(self, f"_{verb}")(given)

    def _edit(self, given: dict[str, Any]) -> None:
        for system, fields in given.items():
            self.world.clock.advance(5)
            self.world.edit(system, getattr(self, system), **fields)

    def _touch(self, system: str) -> None:
        self._edit({system: {}})

    def _create(self, given: dict[str, Any]) -> None:
        for system, fields in given.items():
            self.world.create(system, **fields)

    def _rounds(self, count: int) -> None:
        for _ in range(count):
            self.calls = 0
            self.absent = sorted(self.world.sync().absent)

    def _wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)

    def _retry(self, _given: Any) -> None:
        for problem in self._open(queries.problems):
            retry(self.world.hub, problem, "ada")

    def _reopen(self, _given: Any) -> None:
        self.world.hub = self.world.open_hub()
        self._listen()

    def _erp(self, given: dict[str, Any]) -> None:
        store = self.world.erp
        for switch, value in given.items():
            match switch:
                case "lock" | "refuse_all" if value:
                    store.block(TABLE, self.erp, value, code={"lock": "LOCKED", "refuse_all": "INVALID"}[switch])
                case "lock" | "refuse_all":
                    store.unblock(TABLE, self.erp)
                case "remove":
                    store.remove(TABLE, self.erp)
                case "lose_row":
                    del store._tables[TABLE].records[self.erp]
                case "automate":
                    store.automate(TABLE, lambda _shown, value=value: value, user="robot")
                case "lose_answers" | "lose_writes" | "throttle":
                    getattr(store, switch)(value)
                case _:
                    self._rule(switch, value)

    def _rule(self, switch: str, value: Any) -> None:
        """What the ERP does with one field."""
        named = value if isinstance(value, dict) else {value: None}
        for name, how in named.items():
            rule = self.world.erp.rule(TABLE, name)
            match switch:
                case "hide" | "show":
                    rule.hidden = switch == "hide"
                case "length":
                    rule.length = how
                case "render":
                    rule.render = RENDERINGS[how]
                case _:
                    raise AssertionError(f"no such switch: {switch}")

    # -- what is true --------------------------------------------------------------------------

    def told(self, expected: dict[str, Any]) -> dict[str, Any]:
        """What is true of everything that is asked about."""
        return {name: getattr(self, f"_told_{name}")(wanted) for name, wanted in expected.items()}

    def _open(self, what: Callable[..., Any]) -> Any:
        with self.world.store.reading() as db:
            return what(db)

    def _link(self) -> Any:
        return next(link for link in self.world.links() if (link.system, link.external_id) == ("erp", self.erp))

    def _some(self, shown: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
        return {name: shown.get(name) for name in wanted}

    def _told_erp(self, wanted: dict[str, Any]) -> Any:
        return self._some(self.world.row("erp", self.erp), wanted)

    def _told_crm(self, wanted: dict[str, Any]) -> Any:
        return self._some(self.world.row("crm", self.crm), wanted)

    def _told_base(self, wanted: dict[str, Any]) -> Any:
        return self._some(self._link().base, wanted)

    def _told_sent(self, _wanted: Any) -> Any:
        return self._link().sent

    def _told_holds(self, _wanted: Any) -> Any:
        return self._link().holds

    def _told_version(self, _wanted: Any) -> str:
        shown = str(self.world.erp.get(TABLE, self.erp).version)
        return "as shown" if self._link().version == shown else "another one"

    def _told_rows(self, _wanted: Any) -> int:
        return len(self.world.erp.live(TABLE))

    def _told_asked(self, _wanted: Any) -> int:
        return self.world.erp.writes() - self._began

    def _told_keys(self, _wanted: Any) -> int:
        return len({write.idempotency_key for write in self.asked})

    def _told_values(self, wanted: dict[str, Any]) -> Any:
        """The values the ERP took of these fields, in order."""
        arrived = [row.payload for row in self._intents() if row.state == "delivered"]
        return {name: [payload[name] for payload in map(orjson.loads, arrived) if name in payload] for name in wanted}

    def _told_arrived(self, _wanted: Any) -> list[str]:
        return [row.state for row in self._intents()]

    def _told_attempts(self, _wanted: Any) -> int:
        return sum(row.attempts for row in self._intents())

    def _told_reason(self, wanted: str) -> str:
        """Why the last attempt did not arrive."""
        error = self._intents()[-1].error
        return wanted if wanted in error else error

    def _intents(self) -> list[Any]:
        mine = select(t.intent).where(t.intent.c.system == "erp").order_by(t.intent.c.created_at, t.intent.c.id)
        rows = self._open(lambda db: db.execute(mine).all())
        return [row for row in rows if not self.erp or row.action == "update"]

    def _told_owed(self, _wanted: Any) -> int:
        due = select(t.dirty.c.record).where(t.dirty.c.reason == "deliver", t.dirty.c.system == "erp")
        return len(self._open(lambda db: db.execute(due).all()))

    def _told_absent(self, _wanted: Any) -> list[str]:
        return self.absent

    def _told_calls(self, _wanted: Any) -> int:
        return self.calls

    def _told_looked_for(self, _wanted: Any) -> int:
        return self.looked_for

    def _told_problems(self, _wanted: Any) -> list[list[str]]:
        return [[problem.cause, problem.field] for problem in self._open(queries.problems)]

    def _told_message(self, wanted: str) -> Any:
        messages = [problem.message for problem in self._open(queries.problems)]
        return wanted if any(wanted in message for message in messages) else messages

    def _told_remedy(self, wanted: str) -> Any:
        remedies = [problem.remedy for problem in self._open(queries.problems)]
        return wanted if any(wanted in remedy for remedy in remedies) else remedies

    def _told_conflicts(self, _wanted: Any) -> list[list[str]]:
        return [[conflict.type, conflict.field] for conflict in self._open(queries.conflicts)]

    def _told_proposals(self, _wanted: Any) -> list[list[Any]]:
        return [[one.system, one.field, one.value] for one in self._open(queries.proposals)]

    def _told_was(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Per field the agreed value before its last decision."""
        record = self._link().record
        told = {name: self._open(partial(queries.explain, id=record, field=name)) for name in wanted}
        return {name: one["fields"][name]["decisions"][-1]["from"] for name, one in told.items()}
