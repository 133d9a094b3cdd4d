"""Random worlds in which everything meets: rules, clocks, hand-overs, pins, the hub's own store, deletions, merges.

What a world is drawn from and what people do in it. Not here: what must hold (`test_crossing_worlds`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from connectors.memory import MemoryStore
from fsm_core.errors import HubError
from fsm_core.model import SHAPES
from fsm_core.ownership import Rulebook, parse
from fsm_core.persons.rights import Actor
from fsm_core.ports import Creates
from fsm_core.service.apply import apply
from fsm_core.service.bulk import answer_all, answer_proposals, undo
from fsm_core.service.hub_store import edit, enter
from fsm_core.service.identity import merge, unmerge
from fsm_core.service.pins import release_pin, set_pin
from fsm_core.service.plan import plan
from fsm_core.service.planfile import Header, PlanFile, PlanWriter, foot_of
from fsm_core.service.resolve import answer_proposal, choices, resolve
from fsm_core.service.revert import reverted, take_back
from fsm_core.service.sync import Round, pull_into
from fsm_core.state import LinkState
from fsm_core.state_pins import PinMode
from fsm_core.store import queries
from fsm_core.store import runs as history
from tests.properties.test_engine_worlds import SAID, SWITCHES, rule
from tests.world import RULES, TABLE, World

HUB = "hub"
ADA = Actor("ada")
MINUTE = 60.0


def drawn_rules(rng: Random) -> dict[str, Any]:
    """The shipped file with other rules for all that is edited here, and for births, hand-overs and deletions."""
    book = yaml.safe_load(RULES)
    hub = rng.random() < 0.35
    roles = ("crm", "erp", "fsm") if hub else ("crm", "erp")
    if hub:
        book["bind"]["fsm"] = HUB
    _defaults(rng, book["defaults"])
    customer = book["entities"][TABLE]
    customer["owner"] = {"default": rng.choice(roles)}
    if rng.random() < 0.75:
        customer["owner"]["when"] = [{"if": "billing_status == 'active'", "owner": rng.choice(roles)}]
    customer["handover"] = _handover(rng)
    customer["delete"] = _delete(rng)
    customer["create"] = {
        "allowed": list(roles),
        "replicate_to": {"crm": "always", "erp": rng.choice(("always", "status == 'active'", "never"))},
    }
    if rng.random() < 0.12:
        customer["append_only"] = True
    elif rng.random() < 0.2:
        customer["immutable_after"] = rng.choice(("active", "inactive"))
    customer["fields"] |= {name: _rule(rng, name, hub=hub) for name in SAID}
    return book


def _defaults(rng: Random, defaults: dict[str, Any]) -> None:
    defaults["blank_by_owner"] = rng.choice(("accept", "conflict"))
    defaults["fill_blank"] = rng.choice((True, False))
    defaults["guard"] = {"max_writes_per_hour": 1000}
    if rng.random() < 0.6:
        defaults["proposal_ttl"] = rng.choice(("10m", "1h"))
        defaults["proposal_end"] = rng.choice(("revert", "keep"))
    if rng.random() < 0.4:
        defaults["stale_after"] = rng.choice(("30m", "2h"))


def _handover(rng: Random) -> dict[str, Any]:
    made: dict[str, Any] = {"on_switch": rng.choice(("adopt_agreed", "adopt_new_owner", "conflict"))}
    if rng.random() < 0.6:
        made["dwell"] = rng.choice(("5m", "1h"))
    if rng.random() < 0.25:
        made["require"] = [rng.choice(("payment_terms", "phone"))]
    return made


def _delete(rng: Random) -> dict[str, Any]:
    return {
        "by": rng.choice(("owner", ["crm"], ["crm", "erp"])),
        "on_owner_delete": rng.choice(("deactivate", "delete", "unlink", "conflict")),
        "on_non_owner_delete": rng.choice(("restore", "unlink", "conflict")),
    }


def _rule(rng: Random, name: str, *, hub: bool) -> dict[str, Any]:
    made = rule(rng, name)
    if hub and "owner" in made and rng.random() < 0.3:
        made["owner"] = "fsm"
    if "owner" in made and name not in SWITCHES and rng.random() < 0.1:
        made["immutable_after"] = "set"
    return made


class Crossing:
    """A world of its own for every seed, and what people do in it."""

    def __init__(self, seed: int, *, page: int = 0, swapped: bool = False) -> None:
        self.rng = rng = Random(seed)  # noqa: S311 - a world of its own for every seed
        self.told: list[str] = []
        self.book = drawn_rules(rng)
        size = rng.choice((1, 2000))
        creates = rng.choice((Creates.UPSERT_KEY, Creates.CLIENT_TOKEN, Creates.PROBE))
        self.world = World(page_size=page or size, creates=creates)
        self.world.hub.rulebook = self.rulebook()
        self.world.hub.page = page or size
        if rng.random() < 0.2:
            self.world.erp.rule(TABLE, "trade_name").render = lambda value: value.upper() if value else value
        if swapped:
            self.world.hub.bindings = dict(reversed(self.world.hub.bindings.items()))
            self.world.hub.of_entity = lambda entity: list(self.world.hub.bindings.values())  # type: ignore[method-assign]
        self.ledger: dict[tuple[str, str, str], tuple[Any, Any]] = {}
        self.removed: list[tuple[str, str]] = []
        self.undeleted: set[tuple[str, str]] = set()
        for number in range(rng.choice((1, 1, 2))):
            self._begin(number)

    def rulebook(self) -> Rulebook:
        """The drawn rules, bound."""
        return Rulebook(parse(yaml.safe_dump(self.book, sort_keys=False)), "drawn", SHAPES, ("crm", "erp"))

    def _begin(self, number: int) -> None:
        for system in self.rng.sample(("crm", "erp"), self.rng.choice((1, 2, 2))):
            fields = {name: self.rng.choice(values) for name, values in SAID.items() if self.rng.random() < 0.6}
            key = number if self.rng.random() < 0.85 else number + 10
            self.world.create(system, **{"legal_name": "Acme GmbH", **fields, "tax_ids": [f"VAT:DE{key}"]})
            self.say(f"{system} begins {number} with {fields}")

    def say(self, words: str) -> None:
        """Into the story."""
        self.told.append(words)

    # -- looking around --------------------------------------------------------------------------

    def ids(self, system: str) -> list[str]:
        """Live rows, in an order that does not go by who made them."""
        rows = self.world.stores[system].live(TABLE)
        return sorted(rows, key=lambda id_: (repr(sorted(rows[id_].items(), key=repr)), id_))

    def records(self) -> list[Any]:
        """Living records, in such an order."""
        found = [one for one in self.world.loaded() if one.record.lifecycle != "merged"]
        return sorted(found, key=lambda one: repr(sorted(one.record.document.items())))

    def reading(self, query: Callable[..., Any], *words: Any) -> Any:
        """A query on the state."""
        with self.world.store.reading() as db:
            return query(db, *words)

    # -- what people do --------------------------------------------------------------------------

    def act(self) -> None:
        """Something happens, a little later."""
        self.world.clock.advance(1)
        choice = self.rng.choice(
            ["edit"] * 8 + ["here"] * 3 + ["pin", "pin", "unpin", "remove", "undelete", "wait", "wait", "answer"]
            + ["answer", "bulk", "merge", "unmerge", "join", "enter", "lose", "revert"]
        )  # fmt: skip
        try:
            getattr(self, f"_{choice}")()
        except HubError as error:
            self.say(f"  refused: {error.message}")

    def _edit(self) -> None:
        system, name = self.rng.choice(("crm", "erp")), self.rng.choice(sorted(SAID))
        value, place = self.rng.choice(SAID[name]), self.rng.random()
        if ids := self.ids(system):
            id_ = ids[int(place * len(ids))]
            self.world.clock.advance(5)
            self.world.edit(system, id_, **{name: value})
            self.note(system, id_, name)
            self.say(f"{system} {id_}: {name}={value!r}")

    def note(self, system: str, id_: str, name: str) -> None:
        """Into the ledger: what the hub saw last, and what is shown now."""
        seen = next((x.now for x in self.world.links() if (x.system, x.external_id) == (system, id_)), {})
        self.ledger[system, id_, name] = (seen.get(name), self.world.row(system, id_).get(name))

    def _one(self) -> Any:
        records = self.records()
        return self.rng.choice(records) if records else None

    def _here(self) -> None:
        one, name = self._one(), self.rng.choice(sorted(SAID))
        value = self.rng.choice(SAID[name])
        if one is not None:
            self.say(f"hub {one.record.id}: {name}={value!r}")
            edit(self.world.hub, TABLE, one.record.id, {name: value}, "ada")

    def _enter(self) -> None:
        number = self.rng.randrange(3)
        self.say(f"hub enters VAT:DE{number}")
        enter(self.world.hub, TABLE, {"legal_name": "Acme GmbH", "status": "active", "kind": "organisation",
                                      "tax_ids": [f"VAT:DE{number}"]}, "ada")  # fmt: skip

    def _pin(self) -> None:
        one, name = self._one(), self.rng.choice(sorted(SAID))
        value, mode = self.rng.choice(SAID[name]), self.rng.choice(tuple(PinMode))
        if one is not None:
            self.say(f"pin {one.record.id}: {name}={value!r} {mode}")
            set_pin(self.world.hub, TABLE, one.record.id, name, "ada", note="x", value=value, mode=mode)

    def _unpin(self) -> None:
        pins = sorted(self.reading(queries.pins), key=lambda pin: (pin.field, repr(pin.value)))
        if pins:
            pin = self.rng.choice(pins)
            self.say(f"unpin {pin.record}: {pin.field}")
            release_pin(self.world.hub, TABLE, pin.record, pin.field, "ada")

    def _remove(self) -> None:
        system = self.rng.choice(("crm", "erp"))
        if ids := self.ids(system):
            id_ = self.rng.choice(ids)
            self.world.stores[system].remove(TABLE, id_)
            self.removed.append((system, id_))
            self.say(f"{system} removes {id_}")

    def _undelete(self) -> None:
        if self.removed:
            system, id_ = self.removed.pop(self.rng.randrange(len(self.removed)))
            row = self.world.stores[system]._tables[TABLE].records[id_]
            if row.deleted and not row.merged_into:
                object.__setattr__(row, "deleted", False)
                self.world.clock.advance(5)
                self.world.edit(system, id_, trade_name="Acme")
                self.undeleted.add((system, id_))
                self.say(f"{system} undeletes {id_}")

    def _wait(self) -> None:
        minutes = self.rng.choice((6, 15, 70, 200))
        self.world.clock.advance(minutes * MINUTE)
        self.say(f"{minutes} minutes pass")

    def _lose(self) -> None:
        system = self.rng.choice(("crm", "erp"))
        store: MemoryStore = self.world.stores[system]
        (store.lose_answers if self.rng.random() < 0.5 else store.lose_writes)(1)
        self.say(f"{system} loses an answer")

    # -- identity --------------------------------------------------------------------------------

    def _join(self) -> None:
        """Two rows of one system become one there."""
        system = self.rng.choice(("crm", "erp"))
        ids = self.ids(system)
        if len(ids) > 1:
            loser, survivor = self.rng.sample(ids, 2)
            self.world.stores[system].merge(TABLE, loser, survivor)
            self.say(f"{system} merges {loser} into {survivor}")

    def _merge(self) -> None:
        records = self.records()
        if len(records) > 1:
            old, into = self.rng.sample(records, 2)
            self.say(f"merge {old.record.id} into {into.record.id}")
            merge(self.world.hub, TABLE, into.record.id, old.record.id, "ada")

    def _unmerge(self) -> None:
        one = self._one()
        live = sorted((x for x in one.links if x.state == LinkState.LIVE), key=lambda x: x.system) if one else []
        if live:
            link = self.rng.choice(live)
            self.say(f"unmerge {link.system} {link.external_id} from {one.record.id}")
            unmerge(self.world.hub, TABLE, one.record.id, [link.id], "ada")

    # -- answers ---------------------------------------------------------------------------------

    def asked(self) -> tuple[list[Any], list[Any]]:
        """Open questions and proposals."""
        conflicts = sorted(self.reading(queries.conflicts), key=lambda c: (c.type, c.field, c.note))
        return conflicts, sorted(self.reading(queries.proposals), key=lambda p: (p.field, p.system, repr(p.value)))

    def _answer(self, *, all_: bool = False) -> bool:
        conflicts, proposals = self.asked()
        for conflict in conflicts:
            if not all_ and self.rng.random() < 0.5:
                continue
            take = self.rng.choice([choice for choice in choices(conflict) if choice != "value"])
            pin = conflict.type == "field" and self.rng.random() < 0.2
            self.say(f"ada: {conflict.type} {conflict.field}: {take}{' and keep it so' if pin else ''}")
            self._try(lambda one=conflict, take=take, pin=pin: resolve(self.world.hub, one, take, "ada", pin=pin))
        for proposal in proposals:
            if not all_ and self.rng.random() < 0.5:
                continue
            adopt, pin = self.rng.random() < 0.5, self.rng.random() < 0.2
            self.say(f"ada: {proposal.field} of {proposal.system}: {'yes' if adopt else 'no'}{' pin' if pin else ''}")
            self._try(lambda one=proposal, adopt=adopt, pin=pin: answer_proposal(
                self.world.hub, one, "ada", adopt=adopt, pin=pin))  # fmt: skip
        return bool(conflicts or proposals)

    def _try(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except HubError as error:
            self.say(f"  refused: {error.message}")

    def answer_all(self) -> bool:
        """A person answers everything that is asked; whether anything was."""
        return self._answer(all_=True)

    def _bulk(self) -> None:
        conflicts, proposals = self.asked()
        fields = [one for one in conflicts if one.type == "field"]
        if fields:
            done = answer_all(self.world.hub, fields, self.rng.choice(("agreed", "crm", "erp")), ADA)
        elif proposals:
            done = answer_proposals(self.world.hub, proposals, self.rng.choice(("adopt", "reject")), ADA)
        else:
            return
        self.say(f"ada answers {len(done.done)} at once")
        if self.rng.random() < 0.6:
            if self.rng.random() < 0.5:
                self.round()
            undone = undo(self.world.hub, self.reading(lambda db: list(history.rulings(db, done.run))), "ada")
            self.say(f"and takes it back: {len(undone.reopened)} open again")
            self._back(undone.back.takes, done.run)

    def _revert(self) -> None:
        runs = [one["id"] for one in self.reading(history.runs, 6) if one["kind"] == "test"]
        if runs:
            run = self.rng.choice(runs)
            rulings = self.reading(lambda db: list(history.rulings(db, run)))
            made = self.reading(history.creations, run)
            found = reverted(self.world.hub, rulings, made)
            self.say(f"run {run} is taken back: {[(t.field, t.now, t.to) for t in found.takes]}")
            self._back(found.takes, run)

    def _back(self, takes: Any, run: str) -> None:
        if takes:
            with self.world.hub.running("apply"):
                take_back(self.world.hub, takes, run, "ada")

    def round(self) -> Any:
        """One round, whatever changed."""
        self.say("-- round")
        return self.world.sync(confirmed=True)

    def apply(self, folder: Path) -> Any:
        """A plan that is kept and carried out, with something in between now and then, instead of a round."""
        self.say("-- plan, apply")
        hub, path = self.world.hub, folder / "plan.json"
        self.world.clock.advance(60)
        self.read_all()
        with PlanWriter(path, Header(hub.ids.text(), hub.at(), "ada", (TABLE,), hub.rulebook.version, {})) as writer:
            writer.seal(foot_of(plan(hub, [TABLE], writer.keep)))
        if self.rng.random() < 0.4:
            self.act()
        before, sure = self.world.writes(), self.hears_all()
        with hub.running("test"):
            done = apply(hub, PlanFile(path), {}, lambda _hub: None, confirmed=True)
        return before, sure, done

    def read_all(self) -> None:
        """Read every system, and decide nothing."""
        with self.world.hub.running("observe"):
            for binding in self.world.hub.of_entity(TABLE):
                pull_into(self.world.hub, binding, Round(TABLE), confirmed=True)

    def hears_all(self) -> bool:
        """Whether no answer of a system is missing or about to be lost."""
        lost = any(store._lost_answers or store._lost_writes for store in self.world.stores.values())
        return not lost and not any(one.attempts for one in self.world.loaded())

    def ruled(self) -> list[str]:
        """The rules of this world, for its story."""
        customer = self.book["entities"][TABLE]
        parts = ("owner", "handover", "delete", "create", "append_only", "immutable_after")
        words = [f"{name}: {customer[name]}" for name in parts if name in customer]
        return [str(self.book["defaults"]), *words, *(f"{name}: {customer['fields'][name]}" for name in SAID)]
