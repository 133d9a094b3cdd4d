"""The bookkeeping tables, once, in SQLAlchemy Core; the same on SQLite and PostgreSQL.

Documents are canonical JSON text. Not here: what is read and written when (`work`), versions (`migrations`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine

metadata = MetaData()


def words(length: int) -> TypeEngine[str]:
    """Text that is compared and ordered: by code points, and of any length, on every database.

    SQLite does both by itself; it takes the length for a remark, where PostgreSQL would refuse the whole page.
    """
    return String(length).with_variant(Text(collation="C"), "postgresql")


BASE_UNKNOWN, BASE_IS_NOW, BASE_OWN = 0, 1, 2
"""`link.base_state`: never settled; settled on exactly what it shows; settled on `link.base`."""

system = Table(
    "system",
    metadata,
    Column("name", words(64), primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("first_seen", words(32), nullable=False),
)

run = Table(
    "run",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("kind", words(32), nullable=False),
    Column("started_at", words(32), nullable=False),
    Column("ended_at", words(32)),
    Column("rules", words(64), nullable=False),
    Column("number", Integer, unique=True),  # its place in the chain of sealed runs, from 1 and without gaps
    Column("root", words(64), nullable=False, default=""),
    Column("previous", words(64), nullable=False, default=""),
    Column("summary", Text, nullable=False, default="{}"),
)

cursor = Table(
    "cursor",
    metadata,
    Column("system", words(64), nullable=False),
    Column("object", words(128), nullable=False),
    Column("entity", words(64), nullable=False),
    Column("value", Text),
    Column("moved_at", words(32), nullable=False),
    Column("complete_at", words(32)),
    PrimaryKeyConstraint("system", "object", "entity"),
)

link = Table(
    "link",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("system", words(64), nullable=False),
    Column("object", words(128), nullable=False),
    Column("external_id", words(255), nullable=False),
    Column("entity", words(64), nullable=False),
    Column("record", words(36)),  # of a fresh link the one it will found
    Column("state", words(16), nullable=False),
    Column("now", Text, nullable=False),
    Column("hash", LargeBinary(16), nullable=False),
    Column("base", Text),
    Column("base_state", SmallInteger, nullable=False),
    Column("sent", Text),
    Column("holds", Text),
    Column("blanked", SmallInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("changed_at", words(32)),
    Column("changed_by", words(128), nullable=False),
    Column("ours", Boolean, nullable=False),
    Column("hub_key", words(64), nullable=False),
    Column("method", words(32), nullable=False),
    Column("merged_into", words(255)),
    Column("seen_at", words(32), nullable=False),
    Column("run", words(36), nullable=False),
    UniqueConstraint("system", "object", "external_id", "entity"),
)
Index("link_record", link.c.record)
# Conditions of partial indexes are written out in queries too: a database cannot tell that a parameter implies them.
UNPLACED = text("record IS NULL AND state = 'live'")
Index("link_unplaced", link.c.entity, link.c.id, sqlite_where=UNPLACED, postgresql_where=UNPLACED)
UNSETTLED = text("base_state = 2")
Index("link_unsettled", link.c.entity, link.c.system, sqlite_where=UNSETTLED, postgresql_where=UNSETTLED)

fresh = Table(  # new links that each found the record they carry, settled on what they show, unless one is like another
    "fresh",
    metadata,
    Column("link", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("entity", words(64), nullable=False),
    Column("rules", words(64), nullable=False),
    Column("wanted", Text, nullable=False),
)

ENDED = text("state = 'ended'")
MERGED_AWAY = text("merged_into IS NOT NULL")
Index("link_ended", link.c.entity, link.c.id, sqlite_where=ENDED, postgresql_where=ENDED)

referring = Table(
    "referring",
    metadata,
    Column("parent", words(36), nullable=False),
    Column("link", BigInteger, nullable=False),
    Column("field", words(64), nullable=False),
    Column("via", words(255)),
    PrimaryKeyConstraint("parent", "link", "field"),
    sqlite_with_rowid=False,
)
Index("referring_link", referring.c.link)

waiting = Table(
    "waiting",
    metadata,
    Column("link", BigInteger, nullable=False),
    Column("field", words(64), nullable=False),
    Column("child", words(64), nullable=False),
    Column("system", words(64), nullable=False),
    Column("object", words(128), nullable=False),
    Column("entity", words(64), nullable=False),
    Column("external_id", words(255), nullable=False),
    PrimaryKeyConstraint("link", "field"),
    sqlite_with_rowid=False,
)
Index("waiting_child", waiting.c.child, waiting.c.link)

held_back = Table(
    "held_back",
    metadata,
    Column("record", words(36), nullable=False),
    Column("system", words(64), nullable=False),
    Column("parent", words(36), nullable=False),
    Column("entity", words(64), nullable=False),
    PrimaryKeyConstraint("record", "system", "parent"),
    sqlite_with_rowid=False,
)
Index("held_back_due", held_back.c.entity, held_back.c.system)

match_key = Table(  # a hash of entity, name and value: equal values of other names meet here too rarely to matter
    "match_key",
    metadata,
    Column("key", BigInteger, nullable=False),
    Column("link", BigInteger, nullable=False),
    PrimaryKeyConstraint("key", "link"),
    sqlite_with_rowid=False,
)

apart = Table(
    "apart",
    metadata,
    Column("a", BigInteger, nullable=False),
    Column("b", BigInteger, nullable=False),
    Column("by", words(128), nullable=False),
    Column("at", words(32), nullable=False),
    PrimaryKeyConstraint("a", "b"),
)

reverted = Table(  # what rules took back within a week
    "reverted",
    metadata,
    Column("record", words(36), nullable=False),
    Column("field", words(64), nullable=False),
    Column("system", words(64), nullable=False),
    Column("at", words(32), nullable=False),
    Column("entity", words(64), nullable=False),
    Column("value", LargeBinary(16), nullable=False),  # a hash
    Column("asked", Boolean, nullable=False),  # a person was asked: counting begins anew
    PrimaryKeyConstraint("record", "field", "system", "at"),
    sqlite_with_rowid=False,
)
Index("reverted_at", reverted.c.at)

journal = Table(
    "journal",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("link", BigInteger, nullable=False),
    Column("run", words(36), nullable=False),
    Column("at", words(32), nullable=False),
    Column("changed_by", words(128), nullable=False),
    Column("changes", Text, nullable=False),
)
Index("journal_link", journal.c.link)

record = Table(
    "record",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("entity", words(64), nullable=False),
    Column("document", Text),  # NULL: what `link` shows, as long as nothing of that link is changed
    Column("provenance", Text),
    Column("link", BigInteger),
    Column("births", words(36)),  # the decision that told of many plain births at once
    Column("version", Integer, nullable=False),
    Column("lifecycle", words(16), nullable=False),
    Column("created_at", words(32), nullable=False),
    Column("updated_at", words(32), nullable=False),
    Column("merged_into", words(36)),
    Column("pinned", Boolean),  # true where `pin` has a row of it, so that nobody has to look
    Column("handover", Text),  # since when ownership is about to pass, and what conditions go by until then
)

pin = Table(
    "pin",
    metadata,
    Column("record", words(36), nullable=False),
    Column("field", words(64), nullable=False),
    Column("entity", words(64), nullable=False),
    Column("value", Text, nullable=False),
    Column("mode", words(32), nullable=False),
    Column("by", words(128), nullable=False),
    Column("at", words(32), nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("record", "field"),
    sqlite_with_rowid=False,
)

dirty = Table(
    "dirty",
    metadata,
    Column("record", words(36), nullable=False),
    Column("reason", words(16), nullable=False),
    Column("system", words(64), nullable=False),
    Column("entity", words(64), nullable=False),
    Column("due_at", words(32), nullable=False),
    PrimaryKeyConstraint("entity", "reason", "system", "record"),
    sqlite_with_rowid=False,
)

intent = Table(
    "intent",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("record", words(36), nullable=False),
    Column("entity", words(64), nullable=False),
    Column("system", words(64), nullable=False),
    Column("object", words(128), nullable=False),
    Column("link", BigInteger),
    Column("external_id", words(255), nullable=False),
    Column("action", words(32), nullable=False),
    Column("payload", Text, nullable=False),
    Column("expected_version", Text, nullable=False),
    Column("state", words(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("worker", words(64), nullable=False),
    Column("lease_until", words(32), nullable=False),
    Column("due_at", words(32), nullable=False),
    Column("created_at", words(32), nullable=False),
    Column("error", Text, nullable=False),
    Column("run", words(36), nullable=False),
)
OPEN = text("state IN ('planned', 'sent', 'unknown')")
Index(
    "intent_open",
    intent.c.record,
    intent.c.system,
    intent.c.object,
    unique=True,
    sqlite_where=OPEN,
    postgresql_where=OPEN,
)

DELIVERED = text("state = 'delivered' AND link IS NOT NULL")
Index("intent_written", intent.c.link, intent.c.created_at, sqlite_where=DELIVERED, postgresql_where=DELIVERED)

decision = Table(
    "decision",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("run", words(36), nullable=False),
    Column("record", words(36), nullable=False),
    Column("entity", words(64), nullable=False),
    Column("at", words(32), nullable=False),
    Column("actor", words(128), nullable=False),
    Column("kind", words(32), nullable=False),
    Column("values_digest", LargeBinary(16), nullable=False),  # over salt and content; empty where there are none
    Column("digest", LargeBinary(16), nullable=False),  # over this row with `values_digest`
    sqlite_with_rowid=False,
)
Index("decision_record", decision.c.record)
Index("decision_run", decision.c.run, decision.c.id)  # sealing reads a run in this order; sorting would take memory

decision_value = Table(
    "decision_value",
    metadata,
    Column("decision", words(36), primary_key=True),
    Column("salt", LargeBinary(16), nullable=False),
    Column("content", Text),
)

conflict = Table(
    "conflict",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("entity", words(64), nullable=False),
    Column("type", words(32), nullable=False),
    Column("record", words(36)),
    Column("field", words(64), nullable=False),
    Column("state", words(16), nullable=False),
    Column("opened_at", words(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("resolution", Text, nullable=False),
    Column("resolved_by", words(128), nullable=False),
    Column("resolved_at", words(32)),
    Column("queue", words(64), nullable=False),
    Column("severity", words(16), nullable=False),
)
Index("conflict_record", conflict.c.record, conflict.c.state)
Index("conflict_state", conflict.c.state, conflict.c.entity)

proposal = Table(
    "proposal",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("entity", words(64), nullable=False),
    Column("record", words(36), nullable=False),
    Column("field", words(64), nullable=False),
    Column("system", words(64), nullable=False),
    Column("value", Text, nullable=False),
    Column("agreed", Text, nullable=False),
    Column("by", words(128), nullable=False),
    Column("opened_at", words(32), nullable=False),
    Column("state", words(16), nullable=False),
    Column("decided_by", words(128), nullable=False),
    Column("decided_at", words(32)),
    Column("said_at", words(32), nullable=False),
    Column("due_at", words(32)),
    Column("queue", words(64), nullable=False),
    Column("severity", words(16), nullable=False),
)
Index("proposal_record", proposal.c.record, proposal.c.state)

problem = Table(
    "problem",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("entity", words(64), nullable=False),
    Column("system", words(64), nullable=False),
    Column("object", words(128), nullable=False),
    Column("external_id", words(255), nullable=False),
    Column("record", words(36)),
    Column("field", words(64), nullable=False),
    Column("cause", words(64), nullable=False),
    Column("message", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("state", words(16), nullable=False),
    Column("first_at", words(32), nullable=False),
    Column("last_at", words(32), nullable=False),
    Column("attempts", Integer, nullable=False),
    UniqueConstraint("system", "object", "external_id", "field", "cause"),
)
Index("problem_state", problem.c.state, problem.c.system)

person = Table(
    "person",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("name", words(64), nullable=False, unique=True),
    Column("roles", words(128), nullable=False),
    Column("password", Text, nullable=False),  # an argon2 hash
    Column("state", words(16), nullable=False),
    Column("failures", Integer, nullable=False),
    Column("failed_at", words(32)),
    Column("created_at", words(32), nullable=False),
    Column("changed_at", words(32), nullable=False),
)

token = Table(
    "token",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("person", words(36), nullable=False),
    Column("hash", words(64), nullable=False, unique=True),
    Column("label", words(64), nullable=False),
    Column("created_at", words(32), nullable=False),
    Column("expires_at", words(32), nullable=False),
    Column("revoked_at", words(32)),
)
Index("token_person", token.c.person)

approval = Table(
    "approval",
    metadata,
    Column("id", words(36), primary_key=True),
    Column("what", words(64), nullable=False),  # a hash of exactly what is asked for
    Column("kind", words(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("state", words(16), nullable=False),
    Column("asked_by", words(128), nullable=False),
    Column("asked_at", words(32), nullable=False),
    Column("approved_by", words(128), nullable=False),  # or rejected by
    Column("approved_at", words(32)),
)
Index("approval_what", approval.c.what, approval.c.kind)
Index("approval_state", approval.c.state, approval.c.kind)

stop = Table(  # what people switched off; empty is all
    "stop",
    metadata,
    Column("system", words(64), nullable=False),
    Column("entity", words(64), nullable=False),
    Column("way", words(8), nullable=False),
    Column("by", words(128), nullable=False),
    Column("at", words(32), nullable=False),
    Column("note", Text, nullable=False),
    PrimaryKeyConstraint("system", "entity", "way"),
)

description = Table(
    "description",
    metadata,
    Column("system", words(64), primary_key=True),
    Column("entity", words(64), primary_key=True),
    Column("content", Text, nullable=False),  # what the account said of the mapped fields, as it is known
    Column("changed_at", words(32), nullable=False),
)

rule_version = Table(
    "rule_version",
    metadata,
    Column("version", words(64), primary_key=True),
    Column("text", Text, nullable=False),
    Column("state", words(16), nullable=False),
    Column("author", words(128), nullable=False),
    Column("created_at", words(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("changed_by", words(128), nullable=False),
    Column("changed_at", words(32), nullable=False),
    Column("approved_by", words(128), nullable=False),
    Column("activated_at", words(32)),
)

view = Table(
    "view_definition",
    metadata,
    Column("name", words(64), primary_key=True),
    Column("sql", Text, nullable=False),
)
