from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from isthmus.errors import LedgerError
from isthmus.ledger import database, open_database
from isthmus.ledger.database import reading, writing
from isthmus.ledger.migrate import migration_config, upgrade
from isthmus.ledger.schema import SCHEMA_VERSION, metadata


def test_migrations_end_in_the_schema_as_it_is_written(engine: Engine):
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_version_is_the_newest_migrations(engine: Engine):
    with reading(engine) as connection:
        config = migration_config(connection)
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_VERSION


def test_upgrading_what_is_up_to_date_changes_nothing(engine: Engine):
    with writing(engine) as connection:
        before = inspect(connection).get_table_names()
        upgrade(connection)
        assert inspect(connection).get_table_names() == before


def test_a_migration_that_fails_leaves_nothing_behind(path: Path, monkeypatch: pytest.MonkeyPatch):
    migrated = command.upgrade

    def fails_at_the_end(config: Config, revision: str) -> None:
        migrated(config, revision)
        raise LedgerError("the power went out")

    monkeypatch.setattr(command, "upgrade", fails_at_the_end)
    with pytest.raises(LedgerError, match="the power went out"):
        open_database(path)
    monkeypatch.undo()

    engine = database._engine(path)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    open_database(path).dispose()
