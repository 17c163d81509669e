import json

import pytest

from isthmus.cli import line_speed, outlook
from isthmus.cli.outlook import Line
from isthmus.store import find
from tests.fit.machines import GIB, machine


@pytest.fixture
def on(monkeypatch):
    def lay(*arguments, **options):
        monkeypatch.setattr(outlook, "survey", lambda home: machine(*arguments, **options))

    return lay


def test_the_few_that_fit_are_shown_with_what_the_numbers_rest_on(isthmus, on):
    on(8, 32)
    shown = isthmus("recommend")
    assert shown.code == 0
    header, first, *others = shown.out.splitlines()
    assert header.split() == ["NAME", "SIZE", "SPEED", "TO", "FETCH", "GOOD", "AT"]
    assert 1 <= len(others) <= 2
    name = first.split()[0]
    assert find(name) is not None
    assert "8 CPU cores, 34.4 GB of memory" in shown.err
    assert "Speeds are assumed from the machine's parts" in shown.err
    assert "an assumed 6.2 MB/s" in shown.err
    assert f"isthmus use {name}" in shown.err


def test_programs_get_bytes_and_seconds(isthmus, on):
    on(8, 32)
    found = json.loads(isthmus("recommend", "--json").out)
    assert found["line"] == {"bytes_per_s": 6250000.0, "measured": False}
    assert found["machine"]["memory_bytes"] == 32 * GIB
    first = found["models"][0]
    assert first["fetch_s"] == pytest.approx(first["size_bytes"] / 6250000, abs=0.1)
    assert first["memory_bytes"] > first["size_bytes"]
    assert first["max_context"] >= 8192
    assert first["speed"] in ("quick", "fluent")


def test_a_line_that_is_measured_is_said_to_be(isthmus, on, monkeypatch):
    async def measure(entry, settings):
        return Line(1e8, measured=True)

    monkeypatch.setattr(line_speed, "measure", measure)
    on(8, 32)
    assert "a measured 100.0 MB/s" in isthmus("recommend", "--measure").err


def test_where_nothing_fits_it_says_so(isthmus, on):
    on(1, 0.125)
    ended = isthmus("recommend")
    assert ended.code == 6
    assert "hint: isthmus search" in ended.err
    assert json.loads(isthmus("recommend", "--json").out)["models"] == []
