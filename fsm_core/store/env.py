"""Alembic's entry: runs the versions on the connection it is given.

Not here: which database that is (`migrations`).
"""

from alembic import context

from fsm_core.store.migrations import VERSION_TABLE
from fsm_core.store.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
