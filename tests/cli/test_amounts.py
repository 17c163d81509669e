import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.cli.amounts import counted, duration, moment, size


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (491_400_064, "491.4 MB"),
        (1_117_320_768, "1.1 GB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_sizes(count, shown):
    assert size(count) == shown


@given(st.integers(0, 10**17))
def test_a_size_is_right_to_its_last_digit(count):
    number, unit = size(count).split()
    factor = 1000 ** ("B", "kB", "MB", "GB", "TB").index(unit)
    assert abs(float(number) * factor - count) <= 0.0500001 * factor


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.004, "0.00 s"),
        (0.42, "0.42 s"),
        (0.996, "1.0 s"),
        (12.34, "12.3 s"),
        (59.96, "1 min 00 s"),
        (245, "4 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7_625, "2 h 07 min"),
    ],
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown


def test_a_moment_is_told_in_local_time(monkeypatch):
    monkeypatch.setenv("TZ", "UTC-5")
    time.tzset()
    try:
        assert moment(datetime(2026, 3, 14, 23, 30, 5, tzinfo=UTC)) == "2026-03-15 04:30:05"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_one_is_no_plural():
    assert [counted(count, "question") for count in (0, 1, 2)] == ["0 questions", "1 question", "2 questions"]
