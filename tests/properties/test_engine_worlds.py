"""The promises of the whole engine under random rules: state, rounds, people's answers, two systems with habits.

Not here: the pure decision in many more worlds (`test_record_worlds`), and the shipped rules (`test_promises`).
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import yaml

from fsm_core.service.loaded import frozen_fields, live_links
from fsm_core.service.resolve import answer_proposal, choices, resolve
from fsm_core.store import queries
from tests.properties.test_promises import accounted_for, last_words
from tests.world import RULES, TABLE, World

SAID: dict[str, tuple[Any, ...]] = {
    "legal_name": ("Acme GmbH", "Beta AG"),
    "trade_name": (None, "Acme", "ACME", "Beta"),
    "phone": (None, "030 1234567", "+49 30 1234567", "+49 30 7654321"),
    "payment_terms": (None, "NT30", "NT60"),
    "currency": ("EUR", "USD", None),
    "do_not_contact": (True, False),
    "roles": ([], ["bill_to"], ["bill_to", "payer"], ["customer"]),
    "billing_status": ("none", "active"),
    "status": ("prospect", "active"),
    "service_notes": (None, "Hund", "Katze"),
    "credit_limit": (None, "100", "200.00"),
}
SETS, FLAGS, NUMBERS = ("roles",), ("do_not_contact",), ("credit_limit",)
SWITCHES = ("billing_status", "status")
ROUNDS = 3


def rules(rng: Random) -> str:
    """The shipped file with other rules for the fields that are edited here."""
    book = yaml.safe_load(RULES)
    book["defaults"]["blank_by_owner"] = rng.choice(("accept", "conflict"))
    book["defaults"]["fill_blank"] = rng.choice((True, False))
    customer = book["entities"][TABLE]
    customer["owner"] = {"default": rng.choice(("crm", "erp"))}
    if rng.random() < 0.7:
        customer["owner"]["when"] = [{"if": "billing_status == 'active'", "owner": rng.choice(("crm", "erp"))}]
    customer["fields"] |= {name: rule(rng, name) for name in SAID}
    return yaml.safe_dump(book, sort_keys=False)


def rule(rng: Random, name: str) -> dict[str, Any]:
    also = ("union",) * (name in SETS) + ("any_true",) * (name in FLAGS) + ("max", "min") * (name in NUMBERS)
    plain = ("newest", "prefer", "manual", "local") if name not in (*SWITCHES, "legal_name") else ()
    policy = rng.choice(("owner", "owner", "owner", *plain, *also, *also))
    order = rng.sample(("crm", "erp"), 2)
    match policy:
        case "newest" | "prefer":
            return {"policy": policy, "rank": order}
        case "owner":
            made: dict[str, Any] = {
                "owner": rng.choice(order),
                "non_owner_change": rng.choice(("revert", "propose", "conflict", "accept", "ignore")),
                "both_changed": rng.choice(("owner_wins", "conflict")),
            }
            if rng.random() < 0.2:
                made["fallback_owner"] = rng.choice(order)
            if name not in (*SWITCHES, "legal_name") and rng.random() < 0.3:
                made["when"] = [{"if": f"status == '{rng.choice(SAID['status'])}'", "owner": rng.choice(order)}]
            return made
        case _:
            return {"policy": policy}


class Story:
    """A world of its own for every seed, and what people do in it."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)  # noqa: S311 - a world of its own for every seed
        self.rules = rules(self.rng)
        self.world = World(rules=self.rules, page_size=self.rng.choice((1, 2000)))
        self.told: list[str] = []
        if self.rng.random() < 0.3:
            self.world.erp.rule(TABLE, "trade_name").render = lambda value: value.upper() if value else value
        if self.rng.random() < 0.2:
            self.world.crm.rule(TABLE, self.rng.choice(("payment_terms", "phone"))).writable = False
            self.world.hub = self.world.open_hub()
        for system in self.rng.sample(("crm", "erp"), self.rng.choice((1, 2, 2))):
            fields = {name: self.rng.choice(values) for name, values in SAID.items() if self.rng.random() < 0.6}
            self.world.create(system, **{"legal_name": "Acme GmbH", **fields, "tax_ids": ["VAT:DE1"]})
            self.told.append(f"{system} begins with {fields}")

    def edits(self) -> list[tuple[str, str, dict[str, Any]]]:
        """People edit; what was edited where."""
        done = []
        for _ in range(self.rng.randint(0, 3)):
            system, name = self.rng.choice(("crm", "erp")), self.rng.choice(sorted(SAID))
            fields = {name: self.rng.choice(SAID[name])}
            for id_ in self.world.stores[system].live(TABLE):
                self.world.clock.advance(5)
                self.world.edit(system, id_, **fields)
                done.append((system, id_, fields))
                self.told.append(f"{system}: {fields}")
        self.told.append("-- round")
        return done

    def answers(self) -> bool:
        """A person answers everything that is asked; whether anything was."""
        hub, store = self.world.hub, self.world.store
        with store.reading() as db:
            conflicts, proposals = queries.conflicts(db), queries.proposals(db)
        for conflict in conflicts:
            take = self.rng.choice([choice for choice in choices(conflict) if choice != "value"])
            resolve(hub, conflict, take, "ada")
            self.told.append(f"ada: {conflict.field}: {take}")
        for proposal in proposals:
            adopt = self.rng.random() < 0.5
            answer_proposal(hub, proposal, "ada", adopt=adopt)
            self.told.append(f"ada: {proposal.field} of {proposal.system}: {'yes' if adopt else 'no'}")
        return bool(conflicts or proposals)

    def play(self) -> None:
        self.world.settle()
        for _ in range(ROUNDS):
            ledger = last_words(self.world, self.edits())
            self.world.sync(confirmed=True)
            for (system, id_, name), (before, value) in ledger.items():
                assert accounted_for(self.world, system, id_, name, before, value) or self.kept(system, id_, name), (
                    f"{system}.{name}: {before!r} -> {value!r} is lost"
                )
        self.world.settle()
        for _ in range(4):
            if not self.answers():
                break
            self.world.settle()
        assert self.disagreements() == []
        self.told.append("-- quiet")
        before = self.world.writes()
        done = self.world.sync()
        assert self.world.writes() == before
        assert not [outcome for outcome in done.converged[0].outcomes if outcome != "CONFLICT"]

    def kept(self, system: str, id_: str, name: str) -> bool:
        """Whether the system keeps a value of its own there, as the rule lets it."""
        link = next(x for x in self.world.links() if (x.system, x.external_id) == (system, id_))
        return link.holds.get(name) in ("apart", "diverged")

    def disagreements(self) -> list[Any]:
        """What a system shows other than agreed, without a word for it."""
        found = []
        for one in self.world.loaded():
            closed = frozen_fields(one.conflicts) | self.world.hub.book(TABLE).local(one.record.document)
            for link in live_links(one.links):
                writable = self.world.hub.bindings[link.system, TABLE].writable
                for name in writable & link.now.keys() - closed - link.holds.keys() - link.sent.keys():
                    agreed, shape = one.record.document.get(name), self.world.hub.book(TABLE).shape.fields[name]
                    if not shape.same(link.now[name], agreed):
                        found.append((link.system, name, link.now[name], agreed))
        return found


def told(seed: int) -> str:
    """Why the world of this seed breaks a promise, or ""."""
    story = Story(seed)
    try:
        story.play()
    except AssertionError as error:
        fields = yaml.safe_load(story.rules)["entities"][TABLE]
        said = [f"owner: {fields['owner']}", *(f"{name}: {fields['fields'][name]}" for name in SAID)]
        return "\n".join([f"seed {seed}", *said, *story.told, str(error)])
    return ""


def worlds(first: int, amount: int) -> None:
    failed = [words for seed in range(first, first + amount) if (words := told(seed))]
    assert not failed, f"{len(failed)} of {amount} worlds; the shortest:\n{min(failed, key=len)}"


def test_the_promises_hold_under_thirty_rule_books():
    worlds(0, 30)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_promises_hold_under_many_more_rule_books():
    worlds(1_000, 2_000)
