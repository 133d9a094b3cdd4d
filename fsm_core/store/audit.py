"""The audit: decisions with a digest each, runs sealed with the Merkle root over them, in the transaction of `work`.

Not here: what is decided.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update

from fsm_core.model.compare import digest
from fsm_core.state import Decision, Run
from fsm_core.store import schema as t
from fsm_core.store.plumbing import Plumbing
from fsm_core.store.rows import dump


class AuditWork(Plumbing):
    """Part of `fsm_core.state.Work`."""

    def write_decisions(self, run: str, at: str, rows: Sequence[Decision]) -> None:
        """Append to the audit: a salted digest each; the values lie apart, so that they can be erased."""
        heads, values = [], []
        for row in rows:
            salt = os.urandom(16) if row.content else b""
            content = dump(row.content) if row.content else ""
            head = seal(run, row.entity, at, row.actor, row.kind)(row.id, row.record)
            heads.append(
                {
                    "id": row.id, "run": run, "record": row.record, "entity": row.entity, "at": at,
                    "actor": row.actor, "kind": row.kind, "digest": digest(head + salt + content.encode()),
                }
            )  # fmt: skip
            if content:
                values.append({"decision": row.id, "salt": salt, "content": content})
        self._many(insert(t.decision), heads)
        self._many(insert(t.decision_value), values)

    def add_run(self, run: Run) -> None:
        """A run begins."""
        row = {"id": run.id, "kind": run.kind, "started_at": run.started_at, "rules": run.rules, "summary": "{}"}
        self._db.execute(insert(t.run).values(root="", previous="", **row))

    def seal_run(self, run: str, at: str, summary: Mapping[str, Any]) -> None:
        """A run ends: the Merkle root over its decisions, chained to the run sealed before it."""
        c = t.run.c
        last = select(c.root).where(c.ended_at.is_not(None), c.root != "").order_by(c.ended_at.desc(), c.id.desc())
        previous = self._db.execute(last.limit(1)).scalar_one_or_none() or ""
        leaves = self._db.execute(select(t.decision.c.digest).where(t.decision.c.run == run).order_by(t.decision.c.id))
        root = merkle_root((row[0] for row in leaves), previous)
        values = {"ended_at": at, "root": root, "previous": previous, "summary": dump(dict(summary))}
        self._db.execute(update(t.run).where(c.id == run).values(values))


def seal(run: str, entity: str, at: str, actor: str, kind: str) -> Callable[[str, str], bytes]:
    """What the digest of a decision covers beside its content, by id and record."""
    return lambda number, record: f"{number}|{run}|{record}|{entity}|{at}|{actor}|{kind}|".encode()


def merkle_root(leaves: Iterable[bytes], previous: str) -> str:
    """Root over the leaves in order, bound to the previous root; "" for an empty run.

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
    return hashlib.sha256(previous.encode() + (hashlib.sha256(root + rest).digest() if rest else root)).hexdigest()
