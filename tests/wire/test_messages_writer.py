"""Messages answers: a stream comes to the very object that is given whole."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.messages import Decision, Finish, Notice, ReasoningDelta, Route, TextDelta, ToolCallDelta, Usage
from isthmus.wire.messages_request import parse_messages
from isthmus.wire.messages_writer import PING, MessageGatherer, MessageWriter
from isthmus.wire.sse import EventReader
from tests.wire.test_messages_sequence import EVENTS

HOME = Route(Decision("local", "mode_off"), "tiny")
AWAY = Route(Decision("hosted", "looks_hard"), "big", "someone")
FINISHES = st.builds(
    Finish,
    st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    st.none() | st.builds(Usage, *[st.integers(0, 99)] * 4),
    stop_sequence=st.none() | st.just("END"),
)


def call(max_tokens=64, **more):
    asked = {"max_tokens": max_tokens, "messages": [{"role": "user", "content": "hi"}], **more}
    return parse_messages(json.dumps(asked).encode())


def streamed(events, finish, asked, route=HOME):
    writer = MessageWriter("1", asked)
    pieces = [writer.open(route, []), *map(writer.render, events), writer.close(finish)]
    return [json.loads(payload) for payload in EventReader().feed(b"".join(pieces))]


def whole(events, finish, asked, route=HOME):
    gatherer = MessageGatherer("1", asked)
    for event in (route, *events, finish):
        gatherer.add(event)
    return json.loads(gatherer.render())


def summed(stream):
    """A stream's events put together, as clients do it."""
    start, *events, end, stop = stream
    assert (start["type"], end["type"], stop["type"]) == ("message_start", "message_delta", "message_stop")
    message, inputs = start["message"], {}
    for event in events:
        match event:
            case {"type": "content_block_start", "index": index, "content_block": block}:
                assert index == len(message["content"])
                message["content"].append(block)
                inputs[index] = ""
            case {"type": "content_block_delta", "index": index, "delta": {"type": kind, **piece}}:
                ((name, text),) = piece.items()
                if kind == "input_json_delta":
                    inputs[index] += text
                else:
                    message["content"][index][name] += text
            case {"type": "content_block_stop", "index": index}:
                if message["content"][index]["type"] == "tool_use":
                    message["content"][index]["input"] = inputs[index]
    message["isthmus"] |= end["isthmus"]
    return message | end["delta"] | {"usage": end["usage"]}


@given(EVENTS, FINISHES, st.sampled_from([HOME, AWAY]), st.sampled_from(["summarized", "omitted"]))
def test_a_stream_comes_to_the_whole_answer(events, finish, route, display):
    asked = call(thinking={"type": "adaptive", "display": display})
    one, other = summed(streamed(events, finish, asked, route)), whole(events, finish, asked, route)
    for block in one["content"]:
        if block["type"] == "tool_use":
            block["input"] = read(block["input"])
    assert one == other


def read(text):
    try:
        value = json.loads(text or "{}")
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"INVALID_JSON": text}


@pytest.mark.parametrize(
    ("finish", "route", "reason"),
    [
        (Finish("length", Usage(1, 64)), HOME, "max_tokens"),
        (Finish("length", Usage(1, 63)), HOME, "model_context_window_exceeded"),
        (Finish("length", Usage(1, 63)), AWAY, "max_tokens"),
        (Finish("length"), HOME, "max_tokens"),
        (Finish("stop"), HOME, "end_turn"),
        (Finish("tool_calls"), HOME, "end_turn"),
    ],
)
def test_an_answer_that_had_no_call_says_why_it_ended(finish, route, reason):
    assert whole([TextDelta("x")], finish, call(), route)["stop_reason"] == reason


@pytest.mark.parametrize("finish", [Finish("stop"), Finish("tool_calls")])
def test_one_with_a_call_wants_its_result(finish):
    assert whole([ToolCallDelta(0, "a", "look", "{}")], finish, call())["stop_reason"] == "tool_use"


def test_text_of_any_kind_survives():
    said = 'a"b\\c\n\u2028\U0001f600\x00'
    (block,) = summed(streamed([TextDelta(said)], Finish("stop"), call()))["content"]
    assert block["text"] == said


def test_who_answered_and_for_how_much():
    gatherer = MessageGatherer("1", call())
    for event in (
        AWAY,
        Notice("code", "text", "hint"),
        TextDelta("x"),
        Finish("stop", cost_usd=Decimal("0.01")),
    ):
        gatherer.add(event)
    answer = json.loads(gatherer.render())
    assert (answer["model"], answer["id"]) == ("big", "msg_1")
    told = answer["isthmus"]
    assert (told["route"], told["provider"], told["cost_usd"]) == ("hosted", "someone", "0.01")
    assert told["notices"] == [{"type": "notice", "code": "code", "text": "text", "hint": "hint"}]


def test_a_stream_that_is_cut_before_its_first_word_can_still_be_ended():
    assert summed(streamed([], None, call()))["content"] == []


def test_a_ping_is_an_event_of_its_own():
    assert EventReader().feed(PING) == [b'{"type":"ping"}']


def test_thinking_that_was_not_wanted_is_not_sent():
    stream = streamed(
        [ReasoningDelta("secret"), TextDelta("x")],
        Finish("stop"),
        call(thinking={"type": "adaptive", "display": "omitted"}),
    )
    assert "secret" not in json.dumps(stream)
