from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy import text as sql

from isthmus.errors import LedgerError
from isthmus.ledger import MarkTable
from isthmus.ledger.database import reading, writing
from isthmus.ledger.marks import Changes
from isthmus.ledger.schema import marks

from .samples import SetClock


@pytest.fixture
def table(engine: Engine, clock: SetClock) -> Iterator[MarkTable]:
    table = MarkTable(engine, now=clock)
    yield table
    table.close()


def test_numbers_come_once_whoever_added_them(table: MarkTable, engine: Engine, clock: SetClock):
    other = MarkTable(engine, now=clock)
    assert table.changes() == Changes()
    table.add({1, -(2**63)})
    assert sorted(table.changes().added) == sorted(other.changes().added) == [-(2**63), 1]
    other.add({1, 2**63 - 1})
    assert table.changes() == Changes(added=[2**63 - 1])
    assert table.changes() == Changes()
    assert table.count() == 3
    other.close()


def test_what_was_seen_again_is_kept_longer(table: MarkTable, engine: Engine, clock: SetClock):
    table.add({1, 2})
    clock.moment += timedelta(days=20)
    table.add({2})
    clock.moment += timedelta(days=20)
    assert table.forget(older_than=timedelta(days=30)) == 1
    with reading(engine) as connection:
        assert connection.scalars(select(marks.c.digest)).all() == [2]


def test_that_all_were_let_go_of_is_told_once_and_new_ones_after_it(table: MarkTable, engine: Engine):
    table.add({1, 2, 3})
    assert len(table.changes().added) == 3
    table.forget(older_than=timedelta(seconds=-1))
    assert table.changes() == Changes(emptied=True)
    table.add({2})
    assert table.changes() == Changes(added=[2])


def test_nothing_is_no_work(table: MarkTable, engine: Engine):
    table.add(set())
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(marks)) == 0


def test_many_at_once(table: MarkTable):
    table.add(range(20_000))
    assert table.changes().added == [*range(20_000)]


def test_a_database_that_fails_is_told(table: MarkTable, engine: Engine):
    with writing(engine) as connection:
        connection.execute(sql("DROP TABLE marks"))
    with pytest.raises(LedgerError):
        table.changes()
    with pytest.raises(LedgerError):
        table.add({1})
