"""The state of the engine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def words(length: int) -> sa.types.TypeEngine[str]:
    """Ordered by code points on every database, and of any length."""
    return sa.String(length).with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "apart",
        sa.Column("a", sa.BigInteger(), nullable=False),
        sa.Column("b", sa.BigInteger(), nullable=False),
        sa.Column("by", words(128), nullable=False),
        sa.Column("at", words(32), nullable=False),
        sa.PrimaryKeyConstraint("a", "b"),
    )
    op.create_table(
        "approval",
        sa.Column("id", words(36), nullable=False),
        sa.Column("what", words(64), nullable=False),
        sa.Column("kind", words(32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("asked_by", words(128), nullable=False),
        sa.Column("asked_at", words(32), nullable=False),
        sa.Column("approved_by", words(128), nullable=False),
        sa.Column("approved_at", words(32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("approval", schema=None) as batch_op:
        batch_op.create_index("approval_state", ["state", "kind"], unique=False)
        batch_op.create_index("approval_what", ["what", "kind"], unique=False)

    op.create_table(
        "conflict",
        sa.Column("id", words(36), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("type", words(32), nullable=False),
        sa.Column("record", words(36), nullable=True),
        sa.Column("field", words(64), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("opened_at", words(32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.Column("resolved_by", words(128), nullable=False),
        sa.Column("resolved_at", words(32), nullable=True),
        sa.Column("queue", words(64), nullable=False),
        sa.Column("severity", words(16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("conflict", schema=None) as batch_op:
        batch_op.create_index("conflict_record", ["record", "state"], unique=False)
        batch_op.create_index("conflict_state", ["state", "entity"], unique=False)

    op.create_table(
        "cursor",
        sa.Column("system", words(64), nullable=False),
        sa.Column("object", words(128), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("moved_at", words(32), nullable=False),
        sa.Column("complete_at", words(32), nullable=True),
        sa.PrimaryKeyConstraint("system", "object", "entity"),
    )
    op.create_table(
        "decision",
        sa.Column("id", words(36), nullable=False),
        sa.Column("run", words(36), nullable=False),
        sa.Column("record", words(36), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("at", words(32), nullable=False),
        sa.Column("actor", words(128), nullable=False),
        sa.Column("kind", words(32), nullable=False),
        sa.Column("values_digest", sa.LargeBinary(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.create_index("decision_record", ["record"], unique=False)
        batch_op.create_index("decision_run", ["run", "id"], unique=False)

    op.create_table(
        "decision_value",
        sa.Column("decision", words(36), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("decision"),
    )
    op.create_table(
        "description",
        sa.Column("system", words(64), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("changed_at", words(32), nullable=False),
        sa.PrimaryKeyConstraint("system", "entity"),
    )
    op.create_table(
        "dirty",
        sa.Column("record", words(36), nullable=False),
        sa.Column("reason", words(16), nullable=False),
        sa.Column("system", words(64), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("due_at", words(32), nullable=False),
        sa.PrimaryKeyConstraint("entity", "reason", "system", "record"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fresh",
        sa.Column("link", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("rules", words(64), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("link"),
    )
    op.create_table(
        "held_back",
        sa.Column("record", words(36), nullable=False),
        sa.Column("system", words(64), nullable=False),
        sa.Column("parent", words(36), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.PrimaryKeyConstraint("record", "system", "parent"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("held_back", schema=None) as batch_op:
        batch_op.create_index("held_back_due", ["entity", "system"], unique=False)

    op.create_table(
        "intent",
        sa.Column("id", words(36), nullable=False),
        sa.Column("record", words(36), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("system", words(64), nullable=False),
        sa.Column("object", words(128), nullable=False),
        sa.Column("link", sa.BigInteger(), nullable=True),
        sa.Column("external_id", words(255), nullable=False),
        sa.Column("action", words(32), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("expected_version", sa.Text(), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("worker", words(64), nullable=False),
        sa.Column("lease_until", words(32), nullable=False),
        sa.Column("due_at", words(32), nullable=False),
        sa.Column("created_at", words(32), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("run", words(36), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("intent", schema=None) as batch_op:
        batch_op.create_index(
            "intent_open",
            ["record", "system", "object"],
            unique=True,
            sqlite_where=sa.text("state IN ('planned', 'sent', 'unknown')"),
            postgresql_where=sa.text("state IN ('planned', 'sent', 'unknown')"),
        )
        batch_op.create_index(
            "intent_written",
            ["link", "created_at"],
            unique=False,
            sqlite_where=sa.text("state = 'delivered' AND link IS NOT NULL"),
            postgresql_where=sa.text("state = 'delivered' AND link IS NOT NULL"),
        )

    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("link", sa.BigInteger(), nullable=False),
        sa.Column("run", words(36), nullable=False),
        sa.Column("at", words(32), nullable=False),
        sa.Column("changed_by", words(128), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.create_index("journal_link", ["link"], unique=False)

    op.create_table(
        "link",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("system", words(64), nullable=False),
        sa.Column("object", words(128), nullable=False),
        sa.Column("external_id", words(255), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("record", words(36), nullable=True),
        sa.Column("state", words(16), nullable=False),
        sa.Column("now", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("base_state", sa.SmallInteger(), nullable=False),
        sa.Column("sent", sa.Text(), nullable=True),
        sa.Column("holds", sa.Text(), nullable=True),
        sa.Column("blanked", sa.SmallInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("changed_at", words(32), nullable=True),
        sa.Column("changed_by", words(128), nullable=False),
        sa.Column("ours", sa.Boolean(), nullable=False),
        sa.Column("hub_key", words(64), nullable=False),
        sa.Column("method", words(32), nullable=False),
        sa.Column("merged_into", words(255), nullable=True),
        sa.Column("seen_at", words(32), nullable=False),
        sa.Column("run", words(36), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("system", "object", "external_id", "entity"),
    )
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.create_index(
            "link_ended",
            ["entity", "id"],
            unique=False,
            sqlite_where=sa.text("state = 'ended'"),
            postgresql_where=sa.text("state = 'ended'"),
        )
        batch_op.create_index("link_record", ["record"], unique=False)
        batch_op.create_index(
            "link_unplaced",
            ["entity", "id"],
            unique=False,
            sqlite_where=sa.text("record IS NULL AND state = 'live'"),
            postgresql_where=sa.text("record IS NULL AND state = 'live'"),
        )
        batch_op.create_index(
            "link_unsettled",
            ["entity", "system"],
            unique=False,
            sqlite_where=sa.text("base_state = 2"),
            postgresql_where=sa.text("base_state = 2"),
        )

    op.create_table(
        "match_key",
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "link"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "person",
        sa.Column("id", words(36), nullable=False),
        sa.Column("name", words(64), nullable=False),
        sa.Column("roles", words(128), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", words(32), nullable=True),
        sa.Column("created_at", words(32), nullable=False),
        sa.Column("changed_at", words(32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "pin",
        sa.Column("record", words(36), nullable=False),
        sa.Column("field", words(64), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("mode", words(32), nullable=False),
        sa.Column("by", words(128), nullable=False),
        sa.Column("at", words(32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record", "field"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "problem",
        sa.Column("id", words(36), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("system", words(64), nullable=False),
        sa.Column("object", words(128), nullable=False),
        sa.Column("external_id", words(255), nullable=False),
        sa.Column("record", words(36), nullable=True),
        sa.Column("field", words(64), nullable=False),
        sa.Column("cause", words(64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("first_at", words(32), nullable=False),
        sa.Column("last_at", words(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("system", "object", "external_id", "field", "cause"),
    )
    with op.batch_alter_table("problem", schema=None) as batch_op:
        batch_op.create_index("problem_state", ["state", "system"], unique=False)

    op.create_table(
        "proposal",
        sa.Column("id", words(36), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("record", words(36), nullable=False),
        sa.Column("field", words(64), nullable=False),
        sa.Column("system", words(64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("agreed", sa.Text(), nullable=False),
        sa.Column("by", words(128), nullable=False),
        sa.Column("opened_at", words(32), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("decided_by", words(128), nullable=False),
        sa.Column("decided_at", words(32), nullable=True),
        sa.Column("said_at", words(32), nullable=False),
        sa.Column("due_at", words(32), nullable=True),
        sa.Column("queue", words(64), nullable=False),
        sa.Column("severity", words(16), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.create_index("proposal_record", ["record", "state"], unique=False)

    op.create_table(
        "record",
        sa.Column("id", words(36), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("provenance", sa.Text(), nullable=True),
        sa.Column("link", sa.BigInteger(), nullable=True),
        sa.Column("births", words(36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("lifecycle", words(16), nullable=False),
        sa.Column("created_at", words(32), nullable=False),
        sa.Column("updated_at", words(32), nullable=False),
        sa.Column("merged_into", words(36), nullable=True),
        sa.Column("pinned", sa.Boolean(), nullable=True),
        sa.Column("handover", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "referring",
        sa.Column("parent", words(36), nullable=False),
        sa.Column("link", sa.BigInteger(), nullable=False),
        sa.Column("field", words(64), nullable=False),
        sa.Column("via", words(255), nullable=True),
        sa.PrimaryKeyConstraint("parent", "link", "field"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("referring", schema=None) as batch_op:
        batch_op.create_index("referring_link", ["link"], unique=False)

    op.create_table(
        "reverted",
        sa.Column("record", words(36), nullable=False),
        sa.Column("field", words(64), nullable=False),
        sa.Column("system", words(64), nullable=False),
        sa.Column("at", words(32), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("value", sa.LargeBinary(length=16), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("record", "field", "system", "at"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("reverted", schema=None) as batch_op:
        batch_op.create_index("reverted_at", ["at"], unique=False)

    op.create_table(
        "rule_version",
        sa.Column("version", words(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", words(16), nullable=False),
        sa.Column("author", words(128), nullable=False),
        sa.Column("created_at", words(32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("changed_by", words(128), nullable=False),
        sa.Column("changed_at", words(32), nullable=False),
        sa.Column("approved_by", words(128), nullable=False),
        sa.Column("activated_at", words(32), nullable=True),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "run",
        sa.Column("id", words(36), nullable=False),
        sa.Column("kind", words(32), nullable=False),
        sa.Column("started_at", words(32), nullable=False),
        sa.Column("ended_at", words(32), nullable=True),
        sa.Column("rules", words(64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("root", words(64), nullable=False),
        sa.Column("previous", words(64), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("number"),
    )
    op.create_table(
        "stop",
        sa.Column("system", words(64), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("way", words(8), nullable=False),
        sa.Column("by", words(128), nullable=False),
        sa.Column("at", words(32), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("system", "entity", "way"),
    )
    op.create_table(
        "system",
        sa.Column("name", words(64), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("first_seen", words(32), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "token",
        sa.Column("id", words(36), nullable=False),
        sa.Column("person", words(36), nullable=False),
        sa.Column("hash", words(64), nullable=False),
        sa.Column("label", words(64), nullable=False),
        sa.Column("created_at", words(32), nullable=False),
        sa.Column("expires_at", words(32), nullable=False),
        sa.Column("revoked_at", words(32), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.create_index("token_person", ["person"], unique=False)

    op.create_table(
        "view_definition",
        sa.Column("name", words(64), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "waiting",
        sa.Column("link", sa.BigInteger(), nullable=False),
        sa.Column("field", words(64), nullable=False),
        sa.Column("child", words(64), nullable=False),
        sa.Column("system", words(64), nullable=False),
        sa.Column("object", words(128), nullable=False),
        sa.Column("entity", words(64), nullable=False),
        sa.Column("external_id", words(255), nullable=False),
        sa.PrimaryKeyConstraint("link", "field"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("waiting", schema=None) as batch_op:
        batch_op.create_index("waiting_child", ["child", "link"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("waiting", schema=None) as batch_op:
        batch_op.drop_index("waiting_child")

    op.drop_table("waiting")
    op.drop_table("view_definition")
    with op.batch_alter_table("token", schema=None) as batch_op:
        batch_op.drop_index("token_person")

    op.drop_table("token")
    op.drop_table("system")
    op.drop_table("stop")
    op.drop_table("run")
    op.drop_table("rule_version")
    with op.batch_alter_table("reverted", schema=None) as batch_op:
        batch_op.drop_index("reverted_at")

    op.drop_table("reverted")
    with op.batch_alter_table("referring", schema=None) as batch_op:
        batch_op.drop_index("referring_link")

    op.drop_table("referring")
    op.drop_table("record")
    with op.batch_alter_table("proposal", schema=None) as batch_op:
        batch_op.drop_index("proposal_record")

    op.drop_table("proposal")
    with op.batch_alter_table("problem", schema=None) as batch_op:
        batch_op.drop_index("problem_state")

    op.drop_table("problem")
    op.drop_table("pin")
    op.drop_table("person")
    op.drop_table("match_key")
    with op.batch_alter_table("link", schema=None) as batch_op:
        batch_op.drop_index(
            "link_unsettled", sqlite_where=sa.text("base_state = 2"), postgresql_where=sa.text("base_state = 2")
        )
        batch_op.drop_index(
            "link_unplaced",
            sqlite_where=sa.text("record IS NULL AND state = 'live'"),
            postgresql_where=sa.text("record IS NULL AND state = 'live'"),
        )
        batch_op.drop_index("link_record")
        batch_op.drop_index(
            "link_ended", sqlite_where=sa.text("state = 'ended'"), postgresql_where=sa.text("state = 'ended'")
        )

    op.drop_table("link")
    with op.batch_alter_table("journal", schema=None) as batch_op:
        batch_op.drop_index("journal_link")

    op.drop_table("journal")
    with op.batch_alter_table("intent", schema=None) as batch_op:
        batch_op.drop_index(
            "intent_written",
            sqlite_where=sa.text("state = 'delivered' AND link IS NOT NULL"),
            postgresql_where=sa.text("state = 'delivered' AND link IS NOT NULL"),
        )
        batch_op.drop_index(
            "intent_open",
            sqlite_where=sa.text("state IN ('planned', 'sent', 'unknown')"),
            postgresql_where=sa.text("state IN ('planned', 'sent', 'unknown')"),
        )

    op.drop_table("intent")
    with op.batch_alter_table("held_back", schema=None) as batch_op:
        batch_op.drop_index("held_back_due")

    op.drop_table("held_back")
    op.drop_table("fresh")
    op.drop_table("dirty")
    op.drop_table("description")
    op.drop_table("decision_value")
    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.drop_index("decision_run")
        batch_op.drop_index("decision_record")

    op.drop_table("decision")
    op.drop_table("cursor")
    with op.batch_alter_table("conflict", schema=None) as batch_op:
        batch_op.drop_index("conflict_state")
        batch_op.drop_index("conflict_record")

    op.drop_table("conflict")
    with op.batch_alter_table("approval", schema=None) as batch_op:
        batch_op.drop_index("approval_what")
        batch_op.drop_index("approval_state")

    op.drop_table("approval")
    op.drop_table("apart")
