from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from msgspec.structs import fields
from sqlalchemy import Engine, inspect, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from isthmus.ledger import KeyInfo, Ledger, QuestionRecord
from isthmus.ledger.database import reading
from isthmus.ledger.schema import UtcTime, keys, metadata, questions

from .samples import question


def test_every_field_of_a_record_has_its_column():
    chain = {"link", "previous_hash", "hash"}
    assert set(questions.c.keys()) == {field.name for field in fields(QuestionRecord)} | chain | {"seq"}
    assert set(keys.c.keys()) == {field.name for field in fields(KeyInfo)} | {"sha256"}


def test_money_is_stored_in_whole_nano_dollars(engine: Engine):
    Ledger(engine).record([question(cost_usd=Decimal("0.0000123451"))])
    with reading(engine) as connection:
        stored = connection.exec_driver_sql("SELECT cost_nanousd, typeof(cost_nanousd) FROM questions").one()
    assert tuple(stored) == (12346, "integer")


def test_times_are_stored_in_utc_and_come_back_aware(engine: Engine):
    late_in_rome = datetime(2026, 3, 14, 0, 30, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    Ledger(engine).record([question(at=late_in_rome)])
    with reading(engine) as connection:
        stored = connection.exec_driver_sql("SELECT at FROM questions").scalar_one()
    assert stored == "2026-03-13 23:30:00.000005"
    [row] = Ledger(engine).questions(1)
    assert (row.at, row.at.tzinfo) == (late_in_rome, UTC)


def test_a_time_that_the_database_gives_with_its_zone_comes_back_in_utc():
    in_rome = datetime(2026, 3, 14, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    given = UtcTime().process_result_value(in_rome, postgresql.dialect())
    assert given is not None
    assert (given, given.tzinfo) == (in_rome, UTC)


def test_the_schema_can_be_said_in_postgresql():
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        said = str(CreateTable(table).compile(dialect=dialect))
        assert "DATETIME" not in said
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))
    assert "seq BIGSERIAL" in str(CreateTable(questions).compile(dialect=dialect))


def test_rows_are_numbered_without_reuse(engine: Engine):
    ledger = Ledger(engine)
    ledger.record([question(), question()])
    with engine.begin() as connection:
        first, second = connection.scalars(select(questions.c.seq).order_by(questions.c.seq))
        connection.execute(questions.delete())
    ledger.record([question()])
    with engine.begin() as connection:
        assert first < second < connection.scalars(select(questions.c.seq)).one()
    assert inspect(engine).get_pk_constraint("questions")["constrained_columns"] == ["seq"]
