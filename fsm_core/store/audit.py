"""The audit: decisions with a digest each, runs sealed over them one after the other, in the transaction of `work`.

The hashes are made here and nowhere else. Not here: what is decided, and whether all of it still holds (`verify`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import insert, select, update

from fsm_core.model.compare import digest
from fsm_core.state import Decision, Doc, Run
from fsm_core.store import schema as t
from fsm_core.store.plumbing import Plumbing
from fsm_core.store.rows import dump


class AuditWork(Plumbing):
    """Part of `fsm_core.state.Work`."""

    def write_decisions(self, run: str, at: str, rows: Sequence[Decision]) -> None:
        """Append to the audit: a salted digest each; the values lie apart, so that they can be erased."""
        heads, values = [], []
        for row in rows:
            head: dict[str, Any] = {
                "id": row.id, "run": run, "record": row.record, "entity": row.entity, "at": at,
                "actor": row.actor, "kind": row.kind, "values_digest": b"",
            }  # fmt: skip
            if row.content:
                salt, content = os.urandom(16), dump(row.content)
                head["values_digest"] = digest_of_values(salt, content)
                values.append({"decision": row.id, "salt": salt, "content": content})
            heads.append({**head, "digest": digest_of(head)})
        self._many(insert(t.decision), heads)
        self._many(insert(t.decision_value), values)

    def told(self, record: str, kind: str) -> list[Doc]:
        """What the decisions of one kind on a record say, newest first; what was erased is left out."""
        d, v = t.decision.c, t.decision_value.c
        query = select(v.content).join(t.decision, d.id == v.decision).where(d.record == record, d.kind == kind)
        return [orjson.loads(row[0]) for row in self._db.execute(query.order_by(d.id.desc())) if row[0]]

    def add_run(self, run: Run) -> None:
        """A run begins."""
        row = {"id": run.id, "kind": run.kind, "started_at": run.started_at, "rules": run.rules, "summary": "{}"}
        self._db.execute(insert(t.run).values(root="", previous="", **row))

    def seal_run(self, run: str, at: str, summary: Mapping[str, Any]) -> None:
        """A run ends: the next link of the chain, over what the run says of itself and all its decisions."""
        c = t.run.c
        last = select(c.number, c.root).where(c.number.is_not(None)).order_by(c.number.desc()).limit(1)
        number, previous = self._db.execute(last).one_or_none() or (0, "")
        leaves = self._db.execute(select(t.decision.c.digest).where(t.decision.c.run == run).order_by(t.decision.c.id))
        (row,) = self._all(select(t.run).where(c.id == run))
        values = {"ended_at": at, "summary": dump(dict(summary)), "number": number + 1, "previous": previous}
        root = seal({**row, **values}, merkle_root(leaf[0] for leaf in leaves))
        self._db.execute(update(t.run).where(c.id == run).values({**values, "root": root}))


def digest_of_values(salt: bytes, content: str) -> bytes:
    """What stands for a decision's values in its digest: without the salt nobody can guess them back."""
    return digest(salt + content.encode())


def digest_of(row: Mapping[str, Any]) -> bytes:
    """The digest of a decision: over all its columns. It holds also when salt and content are erased."""
    told = [row[name] for name in ("id", "run", "record", "entity", "at", "actor", "kind")]
    return digest(dump(told).encode() + row["values_digest"])


def seal(row: Mapping[str, Any], tree: str) -> str:
    """The root of a run: over its columns, its decisions (`tree`) and the root of the run sealed before it."""
    names = ("number", "previous", "id", "kind", "started_at", "ended_at", "rules", "summary")
    return hashlib.sha256(dump([*(row[name] for name in names), tree]).encode()).hexdigest()


def merkle_root(leaves: Iterable[bytes]) -> str:
    """Root over the leaves in order; "" for none.

    Neighbours are hashed in pairs, level by level, a last one without neighbour alone. One node per level is kept.
    """
    waiting: list[bytes] = []
    """The node of each level that has no neighbour yet; b"" for none."""
    for leaf in leaves:
        node, level = leaf, 0
        while level < len(waiting) and waiting[level]:
            node, waiting[level] = hashlib.sha256(waiting[level] + node).digest(), b""
            level += 1
        waiting[level : level + 1] = [node]
    if not waiting:
        return ""
    *lower, root = waiting
    rest = b""
    for node in lower:
        rest = hashlib.sha256(node + rest).digest() if node or rest else b""
    return (hashlib.sha256(root + rest).digest() if rest else root).hex()
