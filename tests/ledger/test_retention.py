"""What goes, what stays, and a chain that holds all the same."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from isthmus.errors import BudgetExceeded, NotFound, StorageError
from isthmus.ledger import Ledger, Retention
from isthmus.ledger.database import compact, reading, writing
from isthmus.ledger.labels import label
from isthmus.ledger.retention import Pruned, let_go
from isthmus.ledger.schema import checkpoints, labels
from isthmus.ledger.sealing import Sealer, copies_of, new_key
from isthmus.ledger.verify import verify

from .samples import NOON, SetClock, call, caps, question

ROWS = Retention(rows_days=30)


def filled(ledger: Ledger, clock: SetClock, days: int = 4) -> None:
    """Two questions and a settled call every 15 days, from noon of 14 March on."""
    for number in range(days):
        clock.moment = NOON + timedelta(days=15 * number)
        ledger.record([question(id=f"q{number}", at=clock.moment), question(at=clock.moment)])
        ledger.settle(ledger.reserve(call("1")).id, Decimal("0.25"))


def test_old_rows_go_into_a_checkpoint_and_the_chain_holds(ledger: Ledger, engine: Engine, clock: SetClock):
    filled(ledger, clock)  # 14 and 29 March, 13 and 28 April
    kept = verify(engine).head
    assert let_go(engine, ROWS, clock.moment) == Pruned(2, 1, 0, 4)
    found = verify(engine, head=kept)
    assert (found.links, found.pruned_until, found.broken) == (12 + 1, 4, None)
    with reading(engine) as connection:
        (row,) = connection.execute(select(checkpoints)).mappings()
    assert (row["questions"], row["calls"], row["spent_usd"]) == (2, 1, Decimal("0.25"))
    with pytest.raises(NotFound):
        ledger.find("q0")
    assert ledger.find("q1").link == 5


def test_it_goes_on_from_checkpoint_to_checkpoint(ledger: Ledger, engine: Engine, clock: SetClock):
    filled(ledger, clock)
    let_go(engine, ROWS, clock.moment)
    assert let_go(engine, ROWS, clock.moment) == Pruned()
    clock.advance(days=300)
    assert let_go(engine, ROWS, clock.moment) == Pruned(6, 3, 0, 17)
    found = verify(engine)
    assert (found.links, found.pruned_until, found.broken) == (1, 17, None)
    assert let_go(engine, ROWS, clock.moment) == Pruned()
    ledger.record([question(at=clock.moment)])
    assert verify(engine).whole


def test_this_month_stays_because_caps_count_it(ledger: Ledger, engine: Engine, clock: SetClock):
    filled(ledger, clock, days=2)  # 14 and 29 March
    assert let_go(engine, Retention(rows_days=1), clock.moment) == Pruned()
    with pytest.raises(BudgetExceeded):
        ledger.reserve(call("1", caps=caps(month="1")))
    clock.moment = datetime(2026, 4, 1, tzinfo=UTC)
    assert let_go(engine, Retention(rows_days=1), clock.moment).questions == 4


def test_a_call_goes_together_with_its_settlement(ledger: Ledger, engine: Engine, clock: SetClock):
    ledger.record([question(at=NOON)])
    slow = ledger.reserve(call("1"))
    clock.advance(days=40)
    ledger.record([question(at=clock.moment)])
    ledger.settle(slow.id, Decimal(1))
    assert let_go(engine, ROWS, clock.moment) == Pruned(1, 0, 0, 1)
    assert verify(engine).whole
    clock.advance(days=40)
    assert let_go(engine, ROWS, clock.moment) == Pruned(1, 1, 0, 5)
    assert verify(engine).whole


def test_a_call_whose_end_is_unknown_goes_as_spent(ledger: Ledger, engine: Engine, clock: SetClock):
    ledger.reserve(call("2"))
    clock.advance(days=60)
    assert let_go(engine, ROWS, clock.moment) == Pruned(0, 1, 0, 1)
    with reading(engine) as connection:
        assert connection.scalar(select(checkpoints.c.spent_usd)) == 2
    assert verify(engine).whole


@pytest.mark.parametrize(
    "change", ["until_hash = 'v1:00'", "questions = 0", "spent_nanousd = 0", "until_link = 5"]
)
def test_a_checkpoint_is_a_link_itself(ledger: Ledger, engine: Engine, clock: SetClock, change: str):
    filled(ledger, clock)
    let_go(engine, ROWS, clock.moment)
    with writing(engine) as connection:
        connection.exec_driver_sql(f"UPDATE checkpoints SET {change}")
    assert not verify(engine).whole


def test_a_forged_checkpoint_explains_nothing(ledger: Ledger, engine: Engine, clock: SetClock):
    filled(ledger, clock)
    with writing(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO checkpoints (at, until_link, until_hash, questions, calls, spent_nanousd) "
            "SELECT at, link, hash, 2, 1, 0 FROM questions WHERE link = 5"
        )
        connection.exec_driver_sql("DELETE FROM questions WHERE link <= 5")
    found = verify(engine).broken
    assert found is not None
    assert found.problem == "beside"


def test_only_what_would_go_is_said(ledger: Ledger, engine: Engine, clock: SetClock):
    filled(ledger, clock)
    assert let_go(engine, ROWS, clock.moment, dry_run=True) == Pruned(2, 1, 0, 4)
    assert verify(engine).links == 16


def test_labels_and_copies_go_with_their_questions_and_copies_earlier(engine: Engine, clock: SetClock):
    ledger = Ledger(engine, now=clock, sealer=Sealer(new_key()[1]))
    for name, at in (("old", NOON), ("young", NOON + timedelta(days=60))):
        ledger.add(question(id=name, at=at), [b"body"])
        ledger.close()
        label(engine, {name: True})
    clock.advance(days=61)
    assert let_go(engine, Retention(rows_days=30), clock.moment) == Pruned(1, 0, 0, 1)
    with pytest.raises(NotFound):
        copies_of(engine, "old")
    assert len(copies_of(engine, "young")) == 1
    with reading(engine) as connection:
        assert connection.scalars(select(labels.c.question_id)).all() == ["young"]
    clock.advance(days=10)
    assert let_go(engine, Retention(sealed_days=7), clock.moment) == Pruned(sealed=1)
    with pytest.raises(NotFound):
        copies_of(engine, "young")
    assert verify(engine).whole


def test_what_was_let_go_of_is_gone_from_the_file(engine: Engine, clock: SetClock, path: Path):
    ledger = Ledger(engine, now=clock, retention=ROWS)
    ledger.record([question(evidence={"detail": "remember-this" * 50}) for _ in range(50)])
    clock.advance(days=90)
    ledger.record([question(at=clock.moment)])  # a ledger with a retention lets go by itself
    engine.dispose()
    assert b"remember-this" not in path.read_bytes()
    size = path.stat().st_size
    compact(engine)
    engine.dispose()
    assert path.stat().st_size < size
    assert verify(engine).whole


def test_a_ledger_looks_now_and_then(engine: Engine, clock: SetClock, monkeypatch: pytest.MonkeyPatch):
    looked: list[datetime] = []
    monkeypatch.setattr("isthmus.ledger.ledger.let_go", lambda _engine, _days, now: looked.append(now))
    ledger = Ledger(engine, now=clock, retention=ROWS)
    for _ in range(5):
        ledger.record([question()])
        clock.advance(hours=2)
    assert looked == [NOON, NOON + timedelta(hours=6)]


def test_what_cannot_be_let_go_of_keeps_no_row_from_being_written(
    engine: Engine, clock: SetClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fails(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr("isthmus.ledger.ledger.let_go", fails)
    ledger = Ledger(engine, now=clock, retention=ROWS)
    ledger.add(question())
    ledger.close()
    assert ledger.summary().count == 1
    assert "could not be let go of: the disk is full" in caplog.text
