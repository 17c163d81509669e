"""Caps under threads, processes and crashes: the sum never passes, and what fits is let through."""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine

from isthmus.errors import BudgetExceeded
from isthmus.ledger import Ledger, open_database
from isthmus.ledger.verify import verify

from .samples import SetClock, call, caps

SCRIPT = Path(__file__).with_name("reserve_many.py")


@contextmanager
def reserver(path: Path, attempts: int, amount: str, day_cap: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has opened the ledger and waits for a line to begin."""
    command = [sys.executable, str(SCRIPT), str(path), str(attempts), amount, day_cap]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def tell_to_begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def admitted_by(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_threads_and_processes_together_fill_a_cap_exactly(path: Path):
    """64 threads over 4 engines and 3 processes want 188 times $0.01 from a day of $1.00."""

    def try_once(ledger: Ledger) -> bool:
        try:
            ledger.reserve(call("0.01", caps=caps(day="1")))
        except BudgetExceeded:
            return False
        return True

    with ExitStack() as stack:
        engines = [open_database(path) for _ in range(4)]
        for engine in engines:
            stack.callback(engine.dispose)
        ledgers = [Ledger(engines[number % 4], now=SetClock()) for number in range(64)]
        processes = [stack.enter_context(reserver(path, 20, "0.01", "1")) for _ in range(3)]
        pool = stack.enter_context(ThreadPoolExecutor(64))
        for process in processes:
            tell_to_begin(process)
        by_threads = sum(pool.map(try_once, ledgers * 2))
        by_processes = [admitted_by(process) for process in processes]

        assert by_threads + sum(by_processes) == 100
        assert ledgers[0].spent("day") == ledgers[0].spent("month") == 1


def test_threads_that_reserve_and_settle_never_pass_the_cap(engine: Engine):
    """Each call settles at half of its worst case, so more calls fit than reservations; none too many."""
    ledger = Ledger(engine, now=SetClock())

    def one_call(_number: int) -> bool:
        try:
            reservation = ledger.reserve(call("0.02", caps=caps(day="0.5")))
        except BudgetExceeded:
            return False
        assert ledger.spent("day") <= Decimal("0.5")
        ledger.settle(reservation.id, Decimal("0.01"))
        ledger.settle(reservation.id, Decimal("0.01"))
        return True

    with ThreadPoolExecutor(16) as pool:
        admitted = sum(pool.map(one_call, range(100)))
    assert ledger.spent("day") == Decimal("0.01") * admitted
    # One after the other 49 fit: then 0.49 is spent, and 0.02 more would be past the cap.
    assert 25 <= admitted <= 49


def test_a_process_killed_between_reserving_and_settling_has_spent(path: Path):
    with reserver(path, 1, "0.75", "1") as process:
        tell_to_begin(process)
        assert admitted_by(process) == 1
        process.kill()
        process.wait()
    clock = SetClock()
    engine = open_database(path)
    try:
        ledger = Ledger(engine, now=clock)
        for _ in range(2):
            assert ledger.spent("day") == ledger.summary().unsettled_usd == Decimal("0.75")
            with pytest.raises(BudgetExceeded):
                ledger.reserve(call("0.26", caps=caps(day="1")))
            clock.moment += timedelta(hours=2)  # past the reservation's life
        ledger.reserve(call("0.25", caps=caps(day="1")))
    finally:
        engine.dispose()


HOLDS_THE_LOCK = """
import sys, pathlib, sqlalchemy
from isthmus.ledger.database import open_database, writing
engine = open_database(pathlib.Path(sys.argv[1]))
with writing(engine) as connection:
    connection.execute(sqlalchemy.text(
        "INSERT INTO reservations (question_id, provider, reserved_at, expires_at, reserved_nanousd)"
        " VALUES ('q', 'p', '2026-03-14 12:00:00.000000', '2026-03-14 12:10:00.000000', 1000000000)"))
    print("holding", flush=True)
    sys.stdin.readline()
"""


def test_a_process_killed_inside_a_transaction_leaves_no_lock_and_no_half_row(engine: Engine, path: Path):
    ledger = Ledger(engine, now=SetClock())
    command = [sys.executable, "-c", HOLDS_THE_LOCK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        process.kill()
        process.wait()
    ledger.reserve(call("0.25", caps=caps(day="0.25")))
    assert ledger.spent("day") == Decimal("0.25")


WORKS = """
import sys, pathlib
from decimal import Decimal
from isthmus.errors import BudgetExceeded
from isthmus.ledger import Caps, Ledger, open_database
from tests.ledger.samples import SetClock, call, question
ledger = Ledger(open_database(pathlib.Path(sys.argv[1])), now=SetClock())
print("works", flush=True)
while True:
    try:
        reservation = ledger.reserve(call("0.01", caps=Caps(day_usd=Decimal(1))))
    except BudgetExceeded:
        print("full", flush=True)
        sys.stdin.readline()
    ledger.add(question(id=f"{sys.argv[2]}-{reservation.id}", target="hosted"))
    ledger.settle(reservation.id, Decimal("0.0005"))
"""


def test_processes_killed_at_any_moment_leave_an_exact_cap_and_a_whole_chain(path: Path):
    """Two lives of two processes; what was cut between reserving and settling counts in full."""
    open_database(path).dispose()
    for life in range(2):
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", WORKS, str(path), f"{life}-{number}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=SCRIPT.parents[2],
            )
            for number in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "works\n"
        time.sleep(0.1)
        for process in processes:
            process.kill()
            process.communicate()
    engine = open_database(path)
    ledger = Ledger(engine, now=SetClock())
    assert 0 < ledger.spent("day") <= 1
    unsettled = ledger.summary().unsettled_usd
    assert unsettled <= Decimal("0.04")
    assert (ledger.spent("day") - unsettled) % Decimal("0.0005") == 0
    assert verify(engine).whole
    engine.dispose()
