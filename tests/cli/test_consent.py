"""What a person is shown before consent."""

from decimal import Decimal

import anyio
import pytest

from isthmus.cli import consent
from isthmus.cli.consent import Leaving, ask, offer, show, what_leaves

TOOL = {"type": "function", "function": {"name": "add"}}
CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}


def leaving(*texts, **changes):
    content = {"model": "big-1", "messages": [{"role": "user", "content": each} for each in texts]}
    plain = {"provider": "big", "model": "big-1", "host": "api.example.com", "worst_usd": Decimal("0.01")}
    return Leaving(**{**plain, "content": content, "size_bytes": 1234, **changes})


@pytest.fixture
def typed(monkeypatch):
    """Types these words when it is asked; gives what the choices were."""

    def type_(*words):
        offered, left = [], list(words)

        async def read(choices):
            offered.append(choices)
            return left.pop(0)

        monkeypatch.setattr(consent, "_typed", read)
        return offered

    return type_


def test_all_of_the_body_is_shown_before_it_may_leave():
    content = {
        "model": "big-1",
        "messages": [
            {"role": "user", "content": "hi there"},
            {"role": "user", "content": [{"type": "text", "text": "in parts"}]},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
        ],
        "max_tokens": 7,
        "tools": [TOOL],
    }
    lines = list(what_leaves(content))
    assert lines[0] == "[user] hi there"
    shown = "\n".join(lines)
    for piece in ("in parts", '"arguments":"{}"', "max_tokens: 7", 'model: "big-1"', '"name":"add"'):
        assert piece in shown


def test_it_says_who_for_how_much_and_who_else():
    said = offer(leaving("hi", alternatives=("other.example.com",)))
    for piece in ("big (big-1 at api.example.com)", "or other.example.com if that fails", "$0.01", "1,234"):
        assert piece in said


def test_what_was_replaced_is_shown_with_what_it_stands_for(capsys):
    show(leaving("Dear <PERSON_1>", placeholders={"<PERSON_1>": "Anna"}, redacted={"PERSON": 1}))
    err = capsys.readouterr().err
    assert "[user] Dear <PERSON_1>\n" in err
    assert "replaced, and put back in the answer: <PERSON_1> for Anna\n" in err


def test_a_long_conversation_shows_its_end_and_all_of_it_when_asked(typed, capsys):
    offered = typed("show", "yes")
    what = leaving(*(f"turn {number}" for number in range(40)), "word " * 1000 + "END")
    assert anyio.run(ask, what) == "yes"
    assert offered == [("yes", "no", "show"), ("yes", "no")]
    first, rest = capsys.readouterr().err.split("more characters", 1)
    assert "40 messages before it" in first
    assert "turn 39" not in first
    assert "turn 0" in rest
    assert "turn 39" in rest
    assert "END" in rest


def test_a_short_one_is_shown_whole_at_once(typed, capsys):
    offered = typed("no")
    assert anyio.run(ask, leaving("a question")) == "no"
    assert offered == [("yes", "no")]
    assert "a question" in capsys.readouterr().err


def test_what_leaves_can_not_steer_the_terminal(typed, capsys):
    typed("no")
    anyio.run(ask, leaving("\x1b[2Jgone"))
    assert "\x1b[2J" not in capsys.readouterr().err
