"""The chain's links: what they cover, how they are written; one chain, however many write."""

import hashlib
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select
from sqlalchemy.dialects import postgresql

from isthmus.errors import LedgerError
from isthmus.ledger import HostedAttempt, Ledger, open_database
from isthmus.ledger.chain import _HEAD, FACTS, GENESIS, Link, canonical, chained, hash_of
from isthmus.ledger.database import reading, writing
from isthmus.ledger.schema import questions, reservations
from isthmus.ledger.verify import verify

from .samples import NOON, call, question

QUESTION = {
    **dict.fromkeys(FACTS["question"]),
    "id": "0a1b",
    "at": datetime(2026, 3, 14, 13, 30, 0, 5, tzinfo=timezone(timedelta(hours=1))),
    "cost_nanousd": 12346,
    "first_token_s": 0.1,
    "total_s": 1e-7,
    "model": 'naïve "model"\n\u2028',
    "evidence": '{"p_local_wrong":0.25}',
}


def test_a_links_hash_can_be_computed_by_anybody():
    """With nothing but what the module's docstring says, and Python's own libraries."""
    said = {
        **QUESTION,
        "at": "2026-03-14T12:30:00.000005+00:00",
        "first_token_s": "0.1",
        "total_s": "1e-07",
        "kind": "question",
        "previous_hash": GENESIS,
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hash_of("question", QUESTION, GENESIS) == "v1:" + hashlib.sha256(text.encode()).hexdigest()


def test_version_one_never_changes():
    """Ledgers out there hold these: a new encoding is a new version."""
    ends = {
        "question": "v1:5dc48717",
        "reservation": "v1:70d3957f",
        "settlement": "v1:ece02d5b",
        "checkpoint": "v1:5f4d71f9",
    }
    facts = {
        "question": QUESTION,
        "reservation": {
            "question_id": "0a1b",
            "provider": "openai",
            "key": None,
            "reserved_at": NOON,
            "expires_at": NOON,
            "reserved_nanousd": 5,
        },
        "settlement": {"id": 7, "settled_at": NOON, "settled_nanousd": 0},
        "checkpoint": {
            "at": NOON,
            "until_link": 9,
            "until_hash": GENESIS,
            "questions": 4,
            "calls": 2,
            "spent_nanousd": 1,
        },
    }
    assert {kind: hash_of(kind, facts[kind], GENESIS)[:11] for kind in ends} == ends


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
records = st.fixed_dictionaries(
    {
        "at": st.datetimes(
            min_value=datetime(1971, 1, 1), max_value=datetime(2999, 1, 1), timezones=st.timezones()
        ),
        "key": st.none() | texts,
        "model": texts,
        "cost_usd": st.decimals(0, 10**6, places=11),
        "first_token_s": st.none() | st.floats(0, 1e9) | st.integers(0, 100),
        "total_s": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "evidence": st.dictionaries(texts, json_values, max_size=3),
        "redacted": st.dictionaries(texts, st.integers(0, 100), max_size=3),
        "prompt_tokens": st.integers(0, 2**62),
        "attempts": st.lists(
            st.builds(HostedAttempt, provider=texts, model=texts, cost_usd=st.decimals(0, 9, places=3)),
            max_size=2,
        ).map(tuple),
    }
)


@pytest.mark.parametrize("seconds", [-0.0, 2, 5e-324, 1.7976931348623157e308, 2**53 + 2.0, 1 / 3])
def test_odd_numbers_read_back_as_they_were_hashed(ledger: Ledger, engine: Engine, seconds: float):
    ledger.record([question(total_s=seconds, cost_usd=Decimal("0.0000123451"))])
    assert verify(engine).broken is None


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, min_size=1, max_size=3))
def test_whatever_is_recorded_reads_back_as_it_was_hashed(empty_ledger: Path, tmp_path: Path, rows: Any):
    path = Path(shutil.copy(empty_ledger, tmp_path))
    engine = open_database(path)
    Ledger(engine).record([question(**row) for row in rows])
    assert verify(engine).broken is None
    engine.dispose()


@settings(max_examples=100, deadline=None)
@given(texts, texts, st.integers(), st.none() | st.floats(allow_nan=False, allow_infinity=False))
def test_every_json_library_writes_the_same_bytes(one: str, other: str, number: int, seconds: float | None):
    number %= 2**63
    facts = {**QUESTION, "id": one, "model": other, "prompt_tokens": number, "total_s": seconds}
    written = canonical("question", facts, GENESIS)
    again = json.dumps(json.loads(written), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert again.encode() == written


def test_links_follow_each_other_across_tables(ledger: Ledger, engine: Engine):
    ledger.record([question(), question()])
    reservation = ledger.reserve(call("1"))
    ledger.record([question()])
    ledger.settle(reservation.id, Decimal("0.5"))
    with reading(engine) as connection:
        asked = connection.execute(
            select(questions.c.link, questions.c.previous_hash, questions.c.hash)
        ).all()
        (money,) = connection.execute(select(reservations)).mappings()
    links = sorted(
        [
            *(tuple(row) for row in asked),
            (money["link"], money["previous_hash"], money["hash"]),
            (money["settled_link"], money["settled_previous_hash"], money["settled_hash"]),
        ]
    )
    assert [link for link, _, _ in links] == [1, 2, 3, 4, 5]
    assert [previous for _, previous, _ in links] == [GENESIS, *(hash_ for _, _, hash_ in links[:-1])]
    assert verify(engine).head == links[-1][2]


def test_rows_that_are_written_together_move_the_head_once(ledger: Ledger, engine: Engine):
    said: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: said.append(args[2].split()[0]))
    ledger.record([question() for _ in range(50)])
    assert said == ["PRAGMA", "BEGIN", "SELECT", "UPDATE", "INSERT"]


def test_what_fails_moves_no_head(ledger: Ledger, engine: Engine):
    ledger.record([question(id="q")])
    with pytest.raises(LedgerError):
        ledger.record([question(), question(id="q")])
    with pytest.raises(LedgerError):
        ledger.record([question(evidence={"model": object()})])
    ledger.record([question()])
    assert verify(engine).links == 2
    assert verify(engine).whole


def test_nothing_follows_a_lost_head(ledger: Ledger, engine: Engine):
    with writing(engine) as connection:
        connection.exec_driver_sql("DELETE FROM chain_head")
    for attempt in (lambda: ledger.record([question()]), lambda: ledger.reserve(call("1"))):
        with pytest.raises(LedgerError, match="has lost its head") as caught:
            attempt()
        assert caught.value.hint == "isthmus handoff verify"


def test_on_postgresql_the_heads_row_is_the_lock():
    assert "FOR UPDATE" in str(_HEAD.compile(dialect=postgresql.dialect()))


def test_a_chain_goes_on_from_any_link():
    facts = [QUESTION, {**QUESTION, "id": "b"}, {**QUESTION, "id": "c"}]
    start = Link(0, "", GENESIS)
    first, *rest = chained("question", facts, start)
    assert chained("question", facts[1:], first) == rest


WRITES = """
import sys, pathlib
from decimal import Decimal
from isthmus.ledger import Ledger, open_database
from tests.ledger.samples import call, question
engine = open_database(pathlib.Path(sys.argv[1]))
ledger = Ledger(engine)
print("ready", flush=True); sys.stdin.readline()
for number in range(25):
    ledger.add(question(id=f"{sys.argv[2]}-{number}"))
    if number % 5 == 0:
        ledger.settle(ledger.reserve(call("0.01")).id, Decimal("0.005"))
ledger.close()
engine.dispose()
"""


def test_processes_and_threads_write_one_chain(path: Path):
    engine = open_database(path)
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITES, str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )
        for number in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    ledger = Ledger(engine)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: ledger.record([question(), question()]), range(40)))
    for process in processes:
        process.communicate(timeout=60)
    found = verify(engine)
    assert (found.links, found.broken) == (80 + 2 * (25 + 2 * 5), None)
    engine.dispose()
