"""What the demonstration points at: who owns a value, who waits for whom, what waits for people.

Not here: the acts and their order (`demo`).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from flows.cli.app import shown, terminal
from flows.cli.people import in_words

if TYPE_CHECKING:
    from flows.wiring import Opened
    from fsm_core.state import Conflict, Proposal

SHOWN = 3
"""Questions of identity that are told in full."""


def owners(found: Opened, entity: str, wanted: str) -> tuple[str, dict[str, str]]:
    """The name of a record, and the system that owns each field of it now, as far as its owner decides it."""
    from fsm_core.model.naming import called  # noqa: PLC0415 - commands start fast
    from fsm_core.service.converge import load  # noqa: PLC0415 - as above
    from fsm_core.store import queries  # noqa: PLC0415 - as above
    from fsm_core.store.work import SqlWork  # noqa: PLC0415 - as above
    from fsm_core.sync.types import Policy  # noqa: PLC0415 - as above

    book = found.hub.book(entity)
    with found.store.reading() as db:
        (loaded,) = load(found.hub, SqlWork(db), [queries.find_record(db, entity, wanted)])
    rules = book.rules(loaded.ruled(book))
    owned = {name: str(rules[name].owner) for name in book.shape.fields if rules[name].policy is Policy.OWNER}
    return called(loaded.record.document, wanted), owned


def questions(conflicts: list[Conflict], proposals: list[Proposal], names: dict[str, str]) -> None:
    """What waits for people, in words; of the questions of identity a few."""
    by_type = Counter(row.type for row in conflicts)
    terminal.say(f"{len(conflicts)} conflicts: " + ", ".join(f"{n} {name}" for name, n in by_type.items()))
    identity = [row for row in conflicts if row.type == "match"]
    for row in [row for row in conflicts if row.type != "match"] + identity[:SHOWN]:
        terminal.say(f"  {row.id[-8:]}  {in_words(row, names.get(row.record or '', ''))} [dim]({shown(row.note)})[/]")
    if len(identity) > SHOWN:
        rest = Counter(row.entity for row in identity[SHOWN:])
        terminal.say("  and of the same kind: " + ", ".join(f"{n} of {name}s" for name, n in rest.items()))
    terminal.say(f"{len(proposals)} proposals:")
    for p in proposals:
        terminal.say(
            f"  {p.id[-8:]}  {p.field} of {shown(names[p.record])}: {p.system} ({p.by}) proposes {shown(p.value)}; "
            f"agreed is {shown(p.agreed)}"
        )


def waiting(found: Opened, wanted: str) -> None:
    """Who is no record yet, and why; how many wait with it."""
    from fsm_core.store import queries  # noqa: PLC0415 - commands start fast

    with found.store.reading() as db:
        told = next(row for row in queries.problems(db) if row.external_id == wanted)
        counts = queries.status(db)
    terminal.say(f"{told.system} {told.entity} {wanted}: {told.message}")
    terminal.say(
        "parked until the answer: "
        + ", ".join(f"{n} {name}s" for name, n in counts["waiting"].items())
        + "; not in SAP before their customer is: "
        + ", ".join(f"{n} {name}s" for name, n in counts["held_back"].items())
    )


def released(found: Opened, entity: str, wanted: str) -> None:
    """The same record after the answer: whose it is, and where it lives now."""
    from fsm_core.model.naming import called  # noqa: PLC0415 - commands start fast
    from fsm_core.store import queries  # noqa: PLC0415 - as above

    with found.store.reading() as db:
        told = queries.record(db, queries.find_record(db, entity, wanted))
        customer = queries.names(db, [told["document"]["customer_id"]])[told["document"]["customer_id"]]
    systems = " and ".join(link["system"] for link in told["links"])
    terminal.say(f"released: {shown(called(told['document'], wanted))} of {shown(customer)} is in {systems} now")
