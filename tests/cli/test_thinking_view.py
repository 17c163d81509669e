"""A vote while it forms, and how an answer's thinking is shown around it."""

import io
import sys
from contextlib import redirect_stderr

import pytest
from rich.cells import cell_len
from rich.console import Console

from isthmus.cli import console, thinking_view
from isthmus.cli.answering import AnswerView
from isthmus.cli.running import run
from isthmus.cli.thinking_view import Board, ThinkingView, last_lines, shortened
from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import (
    Confidence,
    Finish,
    GenerationRequest,
    Message,
    Progress,
    ReasoningDelta,
    SampleDelta,
    TextDelta,
)

VOTE = (
    Progress("up to 3 samples", 0, 3),
    SampleDelta(0, "Six times seven "),
    SampleDelta(1, "6 * 7 = "),
    SampleDelta(0, "is 42."),
    SampleDelta(0, "", ended=True, value="42"),
    ReasoningDelta("1 of 3 samples: 42 (1)\n"),
    SampleDelta(1, "41", ended=True, value="41"),
    SampleDelta(2, "It is 42", ended=True, value="42"),
    ReasoningDelta("3 of 3 samples: 42 (2), 41 (1)\n"),
    Confidence(2 / 3, "vote"),
    ReasoningDelta("Six times seven "),
    TextDelta("is 42."),
    Finish("stop"),
)


@pytest.fixture
def terminal(monkeypatch):
    """What a person sees on stderr, on a terminal of 80 columns."""
    screen = io.StringIO()
    screen.isatty = lambda: True
    drawn = Console(file=screen, width=80, force_terminal=True, highlight=False, legacy_windows=False)
    monkeypatch.setattr(console, "stderr", lambda: drawn)
    return screen


def board(*deltas, clock=lambda: 0.0):
    drawn = Board(clock)
    for delta in deltas:
        drawn.add(delta)
    return drawn


def lines(drawn, width=80):
    screen = io.StringIO()
    Console(file=screen, width=width).print(drawn)
    return screen.getvalue().splitlines()


def show(how, *events, on=None):
    """Show an answer; ``on`` a terminal, else where stderr is none."""
    request = GenerationRequest((Message("user", "What is 6 times 7?"),))
    with redirect_stderr(on or sys.stderr):
        view = AnswerView(how)
        run(view.show(ScriptedEngine(events).stream(request)))
    return view


# ---------------------------------------------------------------- the board


def test_samples_stand_side_by_side_with_what_each_came_to_and_the_votes_below():
    shown = lines(board(*(each for each in VOTE if isinstance(each, SampleDelta))), 100)
    assert shown[0].split() == ["1", "42", "2", "41", "3", "42"]
    assert "is 42." in shown[1]
    assert [line.split()[0] for line in shown[-3:-1]] == ["42", "41"]
    assert shown[-3].endswith(" 2")
    assert shown[-1] == "3 of 3 samples ended · 0.00 s"


def test_a_sample_that_goes_on_says_so_and_one_without_an_answer_has_no_vote():
    shown = lines(board(SampleDelta(0, "so far"), SampleDelta(1, "?", ended=True)))
    assert shown[0].split() == ["1", "…", "2", "no", "vote"]
    assert shown[-1].startswith("1 of 2 samples ended")


@pytest.mark.parametrize("width", [20, 26, 40, 80, 120, 200])
@pytest.mark.parametrize("samples", [1, 2, 8, 16])
def test_it_fits_every_terminal(width, samples):
    words = "Das Ergebnis ist 四十二 und nicht " * 20
    drawn = board(*(SampleDelta(place, words) for place in range(samples)))
    shown = lines(drawn, width)
    assert max(map(cell_len, shown)) <= width
    headings = [line for line in shown if "…" in line]
    assert sum(line.count("…") for line in headings) >= samples


def test_eight_samples_where_six_would_fit_are_two_rows_of_four():
    headings = [line for line in lines(board(*(SampleDelta(n, "x") for n in range(8))), 170) if "…" in line]
    assert [line.count("…") for line in headings] == [4, 4]


def test_many_rows_show_a_line_of_each_sample():
    few, many = (lines(board(*(SampleDelta(n, "x") for n in range(count))), 30) for count in (2, 3))
    assert len(few) == 2 * 5 + 1
    assert len(many) == 3 * 2 + 1


def test_the_clock_stops_with_the_vote():
    times = iter([10.0, 14.0, 99.0])
    drawn = board(clock=lambda: next(times))
    drawn.close()
    assert drawn._footer().plain == "0 of 0 samples ended · 4.0 s"


def test_a_model_cannot_steer_the_terminal():
    drawn = board(SampleDelta(0, "\x1b[2J gone"), SampleDelta(1, "", ended=True, value="\x1b[31mred"))
    assert "\x1b" not in "".join(lines(drawn))


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("", ["", ""]),
        ("one two three", ["one two", "three"]),
        ("one two three four", ["three", "four"]),
        ("abcdefghijkl", ["", "abcdefgh"]),
        ("one\n\n\ttwo", ["one two", ""]),
    ],
)
def test_the_end_of_a_text_is_wrapped_to_so_many_lines(text, last):
    assert last_lines(text, 8, 2) == last


def test_a_long_value_is_cut_with_an_ellipsis():
    assert shortened("forty-two point zero", 10) == "forty-two…"
    assert shortened("a\nb", 10) == "a b"


# ---------------------------------------------------------------- around the answer


def test_live_draws_the_vote_and_then_the_thought_and_the_answer(terminal, capsys):
    view = show("live", *VOTE, on=terminal)
    drawn = terminal.getvalue()
    assert "3 of 3 samples ended" in drawn
    assert "3 of 3 samples: 42 (2)" not in drawn  # the board says it better
    assert drawn.index("samples ended") < drawn.rindex("Six times seven")
    assert capsys.readouterr().out == "is 42.\n"
    assert view.completion.text == "is 42."


def test_a_vote_that_breaks_off_leaves_the_terminal_as_it_was(terminal):
    with pytest.raises(RuntimeError, match="gone"):
        show("live", *VOTE[:4], RuntimeError("gone"), on=terminal)
    assert terminal.getvalue().endswith("\x1b[?25h\n")  # the cursor is back


def test_dim_shows_the_standings_as_thoughts(terminal):
    show("dim", *VOTE, on=terminal)
    assert "3 of 3 samples: 42 (2), 41 (1)" in terminal.getvalue()
    assert "samples ended" not in terminal.getvalue()


@pytest.mark.parametrize("thought", ["\n6 * 7", "6 * 7\n", "\n\n6 * 7\n"])
def test_an_empty_line_stands_between_thought_and_answer_and_none_before(thought, capsys):
    show("live", ReasoningDelta(thought), TextDelta("42"), Finish("stop"))
    assert capsys.readouterr().err == "6 * 7\n\n"


def test_without_a_terminal_live_writes_plain_lines(capsys):
    show("live", *VOTE)
    told = capsys.readouterr()
    assert told.err == "1 of 3 samples: 42 (1)\n3 of 3 samples: 42 (2), 41 (1)\nSix times seven \n\n"
    assert told.out == "is 42.\n"


@pytest.mark.parametrize("how", ["dim", "hide"])
def test_without_a_terminal_nothing_else_shows_thoughts(how, capsys):
    show(how, *VOTE)
    assert capsys.readouterr() == ("is 42.\n", "")


def test_a_view_is_opened_by_the_first_sample_and_can_be_used_again(terminal, monkeypatch):
    monkeypatch.setattr(thinking_view, "_FRAME_S", 0.0)
    view = ThinkingView()
    view.close()
    assert terminal.getvalue() == ""
    for _ in range(2):
        view.add(SampleDelta(0, "x"))
        assert view.open
        view.close()
        assert not view.open
    assert terminal.getvalue().count("\x1b[?25l") == 2
