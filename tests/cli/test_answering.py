"""What a person is shown before consent, and why somebody answers."""

import json
from decimal import Decimal

import pytest

from isthmus.cli.answering import explain, what_leaves
from isthmus.handoff.hosted import Outgoing
from isthmus.messages import Decision, Evidence


def outgoing(body):
    return Outgoing("big", "api.example.com", "big-1", json.dumps(body).encode(), 1, Decimal("0.01"))


def test_all_of_the_body_is_shown_before_it_may_leave():
    tool = {"type": "function", "function": {"name": "add"}}
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    body = {
        "model": "big-1",
        "messages": [
            {"role": "user", "content": "hi there"},
            {"role": "user", "content": [{"type": "text", "text": "in parts"}]},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ],
        "max_tokens": 7,
        "tools": [tool],
    }
    lines = list(what_leaves(outgoing(body)))
    assert lines[0] == "[user] hi there"
    shown = "\n".join(lines)
    for piece in ("in parts", '"arguments":"{}"', "max_tokens: 7", 'model: "big-1"', '"name":"add"'):
        assert piece in shown


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("looks_hard", "the question looks hard, P(wrong at home) = 0.75"),
        ("consent_given", "you agreed"),
        ("mode_always", "every question goes there, as you set it"),
    ],
)
def test_why_somebody_answers(reason, says):
    assert explain(Decision("hosted", reason, evidence=Evidence(0.75, 0.5))) == says
