"""Whatever is done to a ledger behind its back, a walk of the chain names the first place."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from isthmus.ledger import Ledger
from isthmus.ledger.chain import GENESIS
from isthmus.ledger.database import writing
from isthmus.ledger.verify import verify

from .samples import SetClock, call, question


@pytest.fixture
def written(ledger: Ledger) -> Ledger:
    """Seven links: questions are 1, 2, 5 and 7, reservations 3 and 6, the first one's settlement 4."""
    ledger.record([question(id="a"), question(id="b", target="hosted", cost_usd=Decimal("0.5"))])
    reservation = ledger.reserve(call("1", question_id="b"))
    ledger.settle(reservation.id, Decimal("0.5"))
    ledger.record([question(id="c")])
    ledger.reserve(call("2", question_id="d"))
    ledger.record([question(id="d")])
    return ledger


def tamper(engine: Engine, *statements: str) -> None:
    with writing(engine) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def broken(engine: Engine, **how: Any) -> tuple[str, int | None, str | None] | None:
    found = verify(engine, **how).broken
    return None if found is None else (found.problem, found.link, found.subject)


def test_what_nobody_touched_is_whole(written: Ledger, engine: Engine):
    found = verify(engine)
    assert (found.links, found.pruned_until, found.broken, found.whole) == (7, 0, None, True)


def test_an_empty_ledger_is_whole(engine: Engine):
    found = verify(engine)
    assert (found.links, found.head, found.broken) == (0, GENESIS, None)


@pytest.mark.parametrize(
    ("table", "change", "link"),
    [
        *(
            ("questions", f"{name} = {value} WHERE id = 'b'", 2)
            for name, value in {
                "id": "'z'",
                "at": "'2026-03-14 12:00:00.000001'",
                "source": "'api'",
                "key": "'team'",
                "mode": "'off'",
                "target": "'local'",
                "reason": "'looks_hard'",
                "stage": "'check'",
                "model": "'other'",
                "local_model": "'other'",
                "provider": "'other'",
                "prompt_tokens": "1",
                "completion_tokens": "1",
                "reasoning_tokens": "1",
                "cached_tokens": "1",
                "cost_nanousd": "499999999",
                "first_token_s": "0.5",
                "total_s": "0.5",
                "outcome": "'cut'",
                "error_code": "'busy'",
                "prompt_digest": "'b'",
                "answer_digest": "'b'",
                "sent_digest": "'b'",
                "sent_bytes": "1",
                "evidence": "'{\"p\":1}'",
                "redacted": "'{\"EMAIL\":1}'",
                "attempts": "'[1]'",
                "hash": "'v1:' || substr(hash, 4, 63) || 'g'",
                "previous_hash": "hash",
            }.items()
        ),
        *(
            ("reservations", f"{name} = {value} WHERE question_id = 'b'", 3)
            for name, value in {
                "question_id": "'c'",
                "provider": "'other'",
                "key": "'team'",
                "reserved_at": "'2026-03-13 12:00:00.000000'",
                "expires_at": "'2026-03-13 12:00:00.000000'",
                "reserved_nanousd": "1",
            }.items()
        ),
        ("reservations", "settled_nanousd = 1 WHERE question_id = 'b'", 4),
        ("reservations", "settled_nanousd = NULL WHERE question_id = 'b'", 4),
        ("reservations", "settled_at = '2026-03-13 12:00:00.000000' WHERE question_id = 'b'", 4),
        ("reservations", "id = 77 WHERE question_id = 'b'", 4),
    ],
)
def test_a_changed_column_is_found(written: Ledger, engine: Engine, table: str, change: str, link: int):
    tamper(engine, f"UPDATE {table} SET {change}")
    found = verify(engine).broken
    assert found is not None
    assert (found.problem, found.link) == ("changed", link)
    assert f"link {link} (" in found.message


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DELETE FROM questions WHERE id = 'a'", ("missing", 1, None)),
        ("DELETE FROM questions WHERE id = 'c'", ("missing", 5, None)),
        ("DELETE FROM questions WHERE id IN ('a', 'b')", ("missing", 1, None)),
        ("DELETE FROM questions WHERE id = 'd'", ("truncated", 7, None)),
        ("DELETE FROM reservations WHERE question_id = 'b'", ("missing", 3, None)),
        ("DELETE FROM reservations WHERE question_id = 'd'", ("missing", 6, None)),
        ("DELETE FROM questions", ("missing", 1, None)),
        ("UPDATE chain_head SET link = 6", ("truncated", 7, None)),
        ("UPDATE chain_head SET link = 9", ("truncated", 8, None)),
        ("UPDATE chain_head SET hash = 'v1:0'", ("truncated", 8, None)),
        ("DELETE FROM chain_head", ("truncated", 8, None)),
        ("UPDATE questions SET link = NULL WHERE id = 'd'", ("truncated", 7, None)),
    ],
)
def test_what_is_removed_is_missed(written: Ledger, engine: Engine, statement: str, expected: Any):
    tamper(engine, statement)
    assert broken(engine) == expected


def test_rows_that_changed_places_are_found(written: Ledger, engine: Engine):
    tamper(
        engine,
        "UPDATE questions SET link = 99 WHERE id = 'a'",
        "UPDATE questions SET link = 1 WHERE id = 'b'",
        "UPDATE questions SET link = 2 WHERE id = 'a'",
    )
    assert broken(engine) == ("moved", 1, "b")


def test_a_gap_that_was_closed_is_found(written: Ledger, engine: Engine):
    tamper(engine, "DELETE FROM questions WHERE id = 'c'")
    for link in (6, 7):
        tamper(
            engine,
            f"UPDATE questions SET link = {link - 1} WHERE link = {link}",
            f"UPDATE reservations SET link = {link - 1} WHERE link = {link}",
        )
    tamper(engine, "UPDATE chain_head SET link = 6")
    assert broken(engine) == ("moved", 5, "d")


@pytest.mark.parametrize("link", ["NULL", "0", "99", "-1"])
def test_a_row_beside_the_chain_is_found(written: Ledger, engine: Engine, link: str):
    columns = (
        "at, source, key, mode, target, reason, stage, model, local_model, prompt_tokens, completion_tokens, "
        "reasoning_tokens, cached_tokens, cost_nanousd, outcome, prompt_digest, sent_bytes, evidence"
    )
    copied = f"SELECT 'evil', {link}, {columns} FROM questions WHERE id = 'a'"
    tamper(engine, f"INSERT INTO questions (id, link, {columns}) {copied}")
    assert broken(engine) == ("beside", None, "evil")


def test_a_settlement_beside_the_chain_is_found(written: Ledger, engine: Engine):
    tamper(engine, "UPDATE reservations SET settled_nanousd = 0 WHERE question_id = 'd'")
    assert broken(engine) == ("beside", None, "d")


def test_a_chain_that_was_forged_whole_lacks_the_head_that_was_kept(written: Ledger, engine: Engine):
    kept = verify(engine).head
    written.record([question(id="e")])
    assert verify(engine, head=kept).whole
    # Who can write the file can cut it, and write a head that fits.
    tamper(
        engine,
        "DELETE FROM questions WHERE id IN ('d', 'e')",
        "UPDATE chain_head SET link = 6, hash = (SELECT hash FROM reservations WHERE link = 6)",
    )
    assert verify(engine).whole
    assert broken(engine, head=kept) == ("unknown_head", None, None)


def test_a_long_ledger_is_read_in_batches_and_tells_how_far_it_is(
    engine: Engine, ledger: Ledger, clock: SetClock
):
    for _ in range(5):
        ledger.record([question() for _ in range(500)])
        ledger.reserve(call("1"))
    told: list[tuple[int, int]] = []
    found = verify(engine, on_progress=lambda done, all_: told.append((done, all_)))
    assert (found.links, found.broken) == (2505, None)
    assert told == [(1000, 2505), (2000, 2505)]
