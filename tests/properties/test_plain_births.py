"""A plain birth is what the general way would have made: the same state, whichever way a page was born.

Not here: how fast it is (`benchmarks`).
"""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from fsm_core.model import SHAPES
from fsm_core.service import pull
from fsm_core.service.telling import provenance
from fsm_core.store import schema as t
from fsm_core.store.audit import digest_of, digest_of_values
from tests.world import RULES, World

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "legal_name": st.sampled_from(["Acme GmbH", "Beta AG", "Gesellschaft für Öl", None]),
    "phone": st.sampled_from([None, "030 1234567", "+49 30 1234567"]),
    "email": st.sampled_from([None, "a@acme.example"]),
    "tax_ids": st.sampled_from([[], ["VAT:A"], ["VAT:B"], ["VAT:C", "VAT:D"], ["VAT:D"]]),
    "roles": st.sampled_from([[], ["bill_to"], ["bill_to", "payer"]]),
    "billing_address": st.sampled_from(
        [None, {"city": "Köln", "postcode": "50667", "country": "DE", "street": None}, {"city": None, "country": None}]
    ),
    "do_not_contact": st.booleans(),
    "currency": st.sampled_from([None, "EUR", "no currency"]),
    "status": st.sampled_from(["prospect", "active"]),
    "billing_status": st.sampled_from(["none", "active"]),
    "service_notes": st.sampled_from([None, "Hund"]),
}
ROWS = st.lists(st.tuples(st.sampled_from(["crm", "erp"]), st.fixed_dictionaries({}, optional=VALUES)), max_size=6)


def general_way(*_given: Any) -> Any:
    return lambda _shown: None


def played(rows: list[tuple[str, dict[str, Any]]], way: Any, rules: str) -> dict[str, Any]:
    """Everything the state holds after these rows were born, by what does not depend on random ids."""
    world = World(page_size=2, rules=rules)
    for system, fields in rows:
        world.create(system, **fields)
    world.hub.page = 3
    before, pull.plain = pull.plain, way
    try:
        done = world.sync(deliver=False)
    finally:
        pull.plain = before
    return {"born": [(c.born, c.records, c.questions) for c in done.converged], **told(world)}


def told(world: World) -> dict[str, Any]:
    with world.store.reading() as db:
        links = db.execute(select(t.link.c.record, t.link.c.system, t.link.c.external_id)).all()
        names = {
            record: sorted((s, e) for r, s, e in links if r == record) for record in {x[0] for x in links} if record
        }
        decisions = db.execute(
            select(t.decision, t.decision_value).outerjoin(
                t.decision_value, t.decision_value.c.decision == t.decision.c.id
            )
        ).all()
        dirty = [(names[d.record], d.reason, d.system, d.entity, d.due_at) for d in db.execute(select(t.dirty))]
        problems = [(p.system, p.external_id, p.cause, p.state) for p in db.execute(select(t.problem))]
    for d in decisions:
        assert d.values_digest == (digest_of_values(d.salt, d.content) if d.content else b"")
        assert digest_of(d._mapping) == d.digest
    return {
        "records": sorted((names[one.record.id], shown(one)) for one in world.loaded()),
        "links": sorted(
            (x.system, x.external_id, x.state, x.method, repr(x.base), repr(x.sent), repr(x.holds), repr(x.now))
            for x in world.links()
        ),
        "decisions": sorted((names[record], d.entity, d.at, d.actor) for d in decisions for record in told_of(d)),
        "dirty": sorted(dirty),
        "problems": sorted(problems),
    }


def told_of(decision: Any) -> list[str]:
    """The records a decision tells of."""
    if decision.record:
        return [decision.record]
    return [record for record, _, _ in orjson.loads(decision.content)["records"]]


def shown(one: Any) -> str:
    """A record. Who said a field may be told for each field or once for all; of a set the general way names nobody."""
    record, fields = one.record, SHAPES["customer"].fields
    document = record.document
    said = [
        (name, *(provenance(record, name).get(k) for k in ("system", "at", "by", "rules")))
        for name in sorted(document)
        if not fields[name].is_set
    ]
    return repr((sorted(document.items()), record.version, record.lifecycle, record.updated_at, said))


@given(rows=ROWS, may=st.sampled_from(["all", "crm only"]))
@settings(max_examples=40, deadline=None)
def test_a_plain_birth_is_what_the_general_way_makes(rows, may):
    rules = RULES if may == "all" else RULES.replace("{allowed: [crm, erp]", "{allowed: [crm]")
    assert played(rows, pull.plain, rules) == played(rows, general_way, rules)


def test_most_births_are_plain():
    rows = [("crm", {"legal_name": f"Company {n}", "tax_ids": [f"VAT:{n}"]}) for n in range(7)]
    world = World(page_size=2)
    for system, fields in rows:
        world.create(system, **fields)
    world.sync(deliver=False)
    with world.store.reading() as db:
        documents = db.execute(select(t.record.c.document)).scalars().all()
    assert documents == [None] * len(rows)
    assert sorted(one.record.document["legal_name"] for one in world.loaded()) == [f["legal_name"] for _, f in rows]
