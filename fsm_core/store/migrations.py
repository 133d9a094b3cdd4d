"""Brings a state database to the present schema with alembic; the versions lie in `versions/`.

Not here: the tables as they are now (`schema`).
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from fsm_core.model import SHAPES
from fsm_core.store import views

VERSION_TABLE = "fsm_hub_version"
HOME = Path(__file__).parent


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file."""
    made = Config()
    made.set_main_option("script_location", str(HOME))
    made.set_main_option("version_locations", str(HOME / "versions"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    return made


def current(connection: Connection) -> str | None:
    """The version a database is at; None for an empty one."""
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_revision()


def head() -> str | None:
    """The version the code expects."""
    return ScriptDirectory.from_config(config()).get_current_head()


def upgrade(engine: Engine) -> None:
    """Apply what is missing and refresh the views, in one transaction; does nothing on a present database."""
    with engine.begin() as connection:
        if current(connection) != head():
            command.upgrade(config(connection), "head")
        views.refresh(connection, SHAPES)
