import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from isthmus.cli import offers, outlook
from isthmus.cli.outlook import Line, look
from isthmus.configuration import load
from isthmus.fit.recommendation import Candidate
from isthmus.store import find

STARTER = find("qwen2.5-coder:0.5b")
LINE = Line(1e6, measured=True)


@pytest.fixture
def candidates():
    plan = look(load().settings).of(STARTER).plan

    return [Candidate(find(name), plan, 10.0) for name in ("qwen3:8b", "gpt-oss:20b", STARTER.name)]


@pytest.fixture
def typed(monkeypatch, candidates):
    """What is taken of three, the starter last, by typing keys."""

    def take(keys, found=candidates, line=LINE):
        async def measure(starter, settings):
            return line

        monkeypatch.setattr(offers, "measure", measure)
        monkeypatch.setattr(offers, "forget_typed_ahead", lambda source: None)
        monkeypatch.setattr(offers, "create_output", lambda **_: DummyOutput())
        monkeypatch.setattr(outlook.Outlook, "recommended", lambda outlook: found)
        with create_pipe_input() as source, create_app_session(input=source, output=DummyOutput()):
            source.send_text(keys)
            taken = offers.offer(STARTER, load().settings)
            return taken.name if taken else None

    return take


@pytest.mark.parametrize(
    ("keys", "taken"),
    [
        ("\r", "qwen3:8b"),
        ("1\r", "qwen3:8b"),
        (" 2 \r", "gpt-oss:20b"),
        ("3\r", None),  # the starter comes anyway
        ("9\rx\r2\r", "gpt-oss:20b"),
        ("s\r", None),
        ("S\r", None),
        ("no\r", None),
        ("\x1b", None),
        ("\x03", None),
        ("\x04", None),
    ],
)
def test_a_key_takes_one_or_none(typed, keys, taken):
    assert typed(keys) == taken


def test_all_are_shown_with_the_machine_and_the_basis_of_the_times(typed, capsys):
    typed("s\r")
    out, shown = capsys.readouterr()
    assert out == ""
    for part in (
        "qwen3:8b",
        "gpt-oss:20b",
        "about 10 tokens/s",
        "a measured 1.0 MB/s",
        "CPU cores",
        STARTER.name,
    ):
        assert part in shown
    assert "isthmus recommend" in shown


def test_where_the_hub_is_out_of_reach_nothing_is_asked(typed, capsys):
    assert typed("\r", line=None) is None
    assert capsys.readouterr().err == ""


def test_where_nothing_beyond_the_starter_fits_nothing_is_asked(typed, candidates, capsys):
    assert typed("\r", found=[]) is None
    assert typed("\r", found=candidates[2:]) is None
    assert capsys.readouterr().err == ""
