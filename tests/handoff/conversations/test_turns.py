"""Conversations known again by their beginnings."""

import json

from hypothesis import given
from hypothesis import strategies as st

from isthmus.handoff.conversations.turns import followed, texts_of, trail
from isthmus.messages import ImagePart, Message, TextPart, ToolCall

HI, HELLO = Message("user", "Hi"), Message("assistant", "Hello!")
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant", "tool"]), st.text(max_size=8)),
    max_size=8,
)


def digests(*messages):
    return [each.digest for each in trail(messages).boundaries]


@given(MESSAGES, MESSAGES)
def test_what_follows_changes_no_beginning(before, after):
    assert digests(*before, *after)[: len(digests(*before))] == digests(*before)


@given(MESSAGES)
def test_an_answer_leads_to_the_boundary_of_the_next_request(messages):
    answered = followed(trail(messages).end, HELLO)
    assert digests(*messages, HELLO, HI)[-1] == answered


def test_what_clients_change_on_the_way_does_not_count():
    call, again = ToolCall("a1", "f", '{"x": 1, "y": [2]}'), ToolCall("b2", "f", '{"y":[2],"x":1}')
    one = digests(Message("system", "Monday"), HI, Message("assistant", "So.\n", "Hm", (call,)))
    other = digests(Message("developer", "Tuesday"), HI, Message("assistant", "So.", tool_calls=(again,)))
    assert one == other


def test_what_is_said_shown_and_called_counts():
    def last(*messages):
        return digests(*messages, HELLO)[-1]

    picture = Message("user", (TextPart("Hi"), ImagePart("data:x")))
    calls = [
        Message("assistant", tool_calls=(ToolCall("c", "f", each),)) for each in ('{"x": 1}', '{"x": 2}', "x")
    ]
    told = [last(HI), last(Message("user", "Ho")), last(Message("tool", "Hi")), last(picture), last(HI, HI)]
    told += [last(HI, each) for each in calls]
    assert len(set(told)) == len(told)


def test_all_that_a_message_says():
    arguments = json.dumps({"a": ["one\ntwo", {"b": "three"}], "n": 1})
    message = Message(
        "assistant", "four", "five", (ToolCall("c", "f", arguments), ToolCall("d", "g", "six{"))
    )
    assert sorted(texts_of(message)) == ["five", "four", "one\ntwo", "six{", "three"]
