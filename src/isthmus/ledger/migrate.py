"""Bringing the ledger's schema up to date; imported only when that is needed, because Alembic is slow to."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from isthmus.errors import LedgerError
from isthmus.ledger.schema import SCHEMA_VERSION


def upgrade(connection: Connection) -> None:
    """Bring the schema to `SCHEMA_VERSION`, inside the caller's transaction: all of it, or nothing.

    The caller holds the write lock, so of two processes that come at once the second finds the work done.

    Raises:
        LedgerError: A newer Isthmus wrote the database.
    """
    config = migration_config(connection)
    version = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise LedgerError(
            f"a newer Isthmus wrote the ledger {connection.engine.url.database}: "
            f"its schema is {version}, and this one knows {SCHEMA_VERSION}",
            hint="pip install --upgrade isthmus",
        )
    command.upgrade(config, SCHEMA_VERSION)


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration for the migrations that this package ships."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "isthmus.ledger:migrations")
    return config
