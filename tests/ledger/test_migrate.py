from decimal import Decimal
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from isthmus.errors import LedgerError
from isthmus.ledger import Ledger, database, open_database
from isthmus.ledger.database import reading, writing
from isthmus.ledger.migrate import migration_config, upgrade
from isthmus.ledger.schema import SCHEMA_VERSION, metadata
from isthmus.ledger.verify import verify

from .samples import question


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


RECORDED_EARLIER = """
INSERT INTO reservations VALUES
    (1, 'b', 'openai', NULL, '2026-03-14 12:00:00.000000', '2026-03-14 13:00:00.000000', 1000000000,
     '2026-03-14 12:00:05.000001', 12346),
    (2, 'lost', 'openai', 'team', '2026-03-15 12:00:00.000000', '2026-03-15 13:00:00.000000', 7, NULL, NULL);
INSERT INTO questions VALUES
    (3, 'a', '2026-03-14 11:00:00.000000', 'ask', NULL, 'auto', 'local', 'looks_easy', 'estimate', 'm', 'm',
     NULL, 3, 4, 0, 0, 0, 0.25, 1.5, 'complete', NULL, 'aa', 'bb', NULL, 0,
     '{"p_local_wrong":0.1,"detail":"naïve ✓"}'),
    (5, 'b', '2026-03-14 12:00:00.000000', 'api', 'team', 'auto', 'hosted', 'looks_hard', 'estimate', 'm',
     'm', 'openai', 3, 4, 0, 0, 12346, NULL, NULL, 'complete', NULL, 'aa', NULL, 'cc', 9, '{}');
"""


def test_what_was_recorded_earlier_is_chained(path: Path):
    path.parent.mkdir()
    engine = database._engine(path)
    with writing(engine) as connection:
        command.upgrade(migration_config(connection), "0003")
        for statement in RECORDED_EARLIER.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
    engine = open_database(path)
    found = verify(engine)
    assert (found.links, found.broken) == (5, None)
    ledger = Ledger(engine)
    assert [(each.record.id, each.link) for each in ledger.each()] == [("a", 4), ("b", 5)]
    assert ledger.find("b").record.attempts == ()
    assert ledger.summary().unsettled_usd == Decimal("0.000000007")
    ledger.record([question()])
    assert verify(engine, head=found.head).whole
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE questions SET total_s = 1.25 WHERE id = 'a'")
    assert not verify(engine).whole
    engine.dispose()


def test_more_rows_than_one_batch_are_chained(path: Path, monkeypatch: pytest.MonkeyPatch):
    path.parent.mkdir()
    engine = database._engine(path)
    columns = "'2026-03-14 11:00:00.000000','ask',NULL,'auto','local','r','s','m','m',NULL,3,4,0,0,0,0.25,1.5"
    ends = "'complete',NULL,'a',NULL,NULL,0,'{}'"
    with writing(engine) as connection:
        command.upgrade(migration_config(connection), "0003")
        for number in range(2100):
            connection.exec_driver_sql(f"INSERT INTO questions VALUES (NULL,'q{number}',{columns},{ends})")
    engine.dispose()
    engine = open_database(path)
    found = verify(engine)
    assert (found.links, found.broken) == (2100, None)
    engine.dispose()


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
