"""Anthropic's events as its documentation describes them, and all that may go wrong."""

import json

import msgspec
import pytest

from isthmus.messages import Finish, ReasoningDelta, TextDelta, ToolCallDelta, Usage
from isthmus.wire.chat_reader import StreamError
from isthmus.wire.messages_reader import MessagesReader


def start(**usage):
    return {"type": "message_start", "message": {"id": "m", "usage": {"output_tokens": 1, **usage}}}


def block(kind, index=0, **more):
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **more}}


def delta(kind, index=0, **more):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **more}}


def end(reason="end_turn", usage=None, **more):
    told = {} if usage is None else {"usage": usage}
    return {"type": "message_delta", "delta": {"stop_reason": reason, **more}, **told}


STOP = {"type": "message_stop"}


def read(*payloads):
    reader = MessagesReader()
    events = [event for each in payloads for event in reader.read(json.dumps(each).encode())]
    return reader, events


def test_thinking_text_and_calls_each_in_its_place():
    reader, events = read(
        start(input_tokens=5, cache_read_input_tokens=20, cache_creation_input_tokens=3),
        block("thinking", thinking=""),
        delta("thinking_delta", thinking="Hm."),
        delta("signature_delta", signature="x"),
        {"type": "content_block_stop", "index": 0},
        block("text", 1, text=""),
        delta("text_delta", 1, text="Let me see."),
        block("tool_use", 2, id="a", name="f", input={}),
        delta("input_json_delta", 2, partial_json='{"x"'),
        delta("input_json_delta", 2, partial_json=": 1}"),
        block("tool_use", 3, id="b", name="g", input={}),
        delta("input_json_delta", 3, partial_json=""),
        end("tool_use", {"output_tokens": 40, "output_tokens_details": {"thinking_tokens": 9}}),
        STOP,
    )
    assert events == [
        ReasoningDelta("Hm."),
        TextDelta("Let me see."),
        ToolCallDelta(0, "a", "f"),
        ToolCallDelta(0, arguments='{"x"'),
        ToolCallDelta(0, arguments=": 1}"),
        ToolCallDelta(1, "b", "g"),
    ]
    assert reader.whole
    assert list(reader.finish()) == [
        Finish("tool_calls", Usage(28, 40, reasoning_tokens=9, cached_tokens=20)),
    ]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("of_tomorrow", "stop"),
    ],
)
def test_why_it_ended(reason, finish):
    reader, _ = read(start(), end(reason, {"output_tokens": 1}, stop_sequence="\n"), STOP)
    (last,) = reader.finish()
    assert (last.reason, last.stop_sequence) == (finish, "\n")


def test_a_count_that_is_never_finished_is_no_usage():
    reader, _ = read(start(input_tokens=5), end(), STOP)
    (last,) = reader.finish()
    assert last.usage is None


def test_later_counts_take_the_place_of_earlier_ones():
    reader, _ = read(start(input_tokens=5), end(usage={"input_tokens": 7, "output_tokens": 2}), STOP)
    (last,) = reader.finish()
    assert last.usage == Usage(7, 2)


@pytest.mark.parametrize("payloads", [(), (start(),), (start(), end()), (start(), STOP)], ids=range(4))
def test_an_answer_is_whole_with_a_reason_and_an_end(payloads):
    reader, _ = read(*payloads)
    assert not reader.whole


def test_what_is_new_is_passed_over():
    _, events = read({"type": "ping"}, {"type": "of_tomorrow", "x": 1}, block("server_tool_use", id="x"))
    assert events == []


def test_an_error_is_one():
    with pytest.raises(StreamError, match="Overloaded"):
        read({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    with pytest.raises(StreamError, match="overloaded_error"):
        read({"type": "error", "error": {"type": "overloaded_error", "message": ""}})


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"no": "type"}', b'{"type": 1}'])
def test_what_is_not_theirs_is_told(payload):
    with pytest.raises(msgspec.MsgspecError):
        MessagesReader().read(payload)
