import pytest

from isthmus.cli import console
from isthmus.cli.progress import Bars, Lines, Meter, ProgressDisplay, describe
from isthmus.messages import Progress


class SetClock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return SetClock()


def test_the_rate_is_that_of_the_last_seconds(clock):
    meter = Meter(clock)
    rates = []
    for step in range(30):
        clock.now += 1
        meter.add(step * 10 if step < 15 else 150 + (step - 15) * 40)
        rates.append(meter.rate)
    assert rates[0] is None
    assert rates[1] == 10
    assert rates[-1] == 40


def test_a_resumed_download_is_not_taken_for_a_fast_one(clock):
    meter = Meter(clock)
    meter.add(400_000_000)
    clock.now += 1
    meter.add(401_000_000)
    assert meter.rate == 1_000_000


def test_work_that_begins_anew_has_no_rate_yet(clock):
    meter = Meter(clock)
    for done in (10, 20, 0):
        clock.now += 1
        meter.add(done)
    assert meter.rate is None


@pytest.mark.parametrize(
    ("progress", "rate", "shown"),
    [
        (Progress("", 120e6, 491.4e6), 12.3e6, "120.0 MB of 491.4 MB, 12.3 MB/s, 30.2 s left"),
        (Progress("", 120e6, 491.4e6), None, "120.0 MB of 491.4 MB"),
        (Progress("", 120e6), 1e6, "120.0 MB, 1.0 MB/s"),
        (Progress("", 5e6, 5e6), 1e6, "5.0 MB of 5.0 MB, 1.0 MB/s"),
        (Progress("", 0.5, 1), 0.1, "50%"),
    ],
)
def test_progress_in_words(progress, rate, shown):
    assert describe(progress, rate) == shown


def test_lines_come_at_once_then_every_few_seconds_then_at_the_end(clock, capsys):
    show = Lines(clock)
    for second in range(13):
        show(Progress("fetching", second * 1e6, 12e6))
        clock.now += 1
    show(Progress("fetching", 12e6, 12e6))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" of ")[0] for line in lines] == [
        "fetching: 0 B",
        "fetching: 5.0 MB",
        "fetching: 10.0 MB",
        "fetching: 12.0 MB",
    ]


def test_away_from_a_terminal_progress_is_lines_on_stderr(capsys):
    with ProgressDisplay() as show:
        show(Progress("fetching", 1e6, 2e6))
    assert capsys.readouterr() == ("", "fetching: 1.0 MB of 2.0 MB\n")


def test_on_a_terminal_bars_are_drawn_and_wiped_away(monkeypatch, clock, capsys):
    from rich.console import Console

    monkeypatch.setattr(console, "stderr", lambda: terminal)
    terminal = Console(stderr=True, force_terminal=True, width=100)
    bars = Bars(clock)
    bars(Progress("fetching [m]", 1e6, 2e6))
    clock.now += 1
    bars(Progress("fetching [m]", 2e6, 2e6))
    bars.close()
    drawn = capsys.readouterr().err
    assert "fetching [m]" in drawn
    assert "2.0 MB of 2.0 MB, 1.0 MB/s" in drawn
    assert drawn.endswith("\x1b[2K")


def test_a_display_can_be_opened_again(capsys):
    show = ProgressDisplay()
    show(Progress("fetching", 1e6, 2e6))
    show.close()
    show.close()
    show(Progress("loading", 0.1, 1))
    assert capsys.readouterr().err == "fetching: 1.0 MB of 2.0 MB\nloading: 10%\n"
