import json
from datetime import datetime

import pytest

from isthmus.messages import (
    Decision,
    Finish,
    Notice,
    ReasoningDelta,
    Route,
    TextDelta,
    Timings,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from isthmus.wire.gathered import Completion
from isthmus.wire.ollama_writer import LineWriter, moment, render_answer, render_empty

DONE = Finish("stop", Usage(10, 4, cached_tokens=3), Timings(1.5, 3.5, 0.5, 2.0, 1.0))
ROUTE = Route(Decision("local", "mode_off"), "tiny")


def streamed(api, *events, ignored=()):
    """The lines of a stream."""
    writer = LineWriter(api, "tiny")
    *rest, finish = events
    pieces = [piece for event in rest if (piece := writer.render(event))]
    pieces.append(writer.close(finish, ignored))
    assert all(piece.endswith(b"\n") for piece in pieces)
    return [json.loads(line) for line in b"".join(pieces).decode().splitlines()]


def whole(api, *events, ignored=()):
    completion = Completion()
    for event in events:
        completion.add(event)
    return json.loads(render_answer(api, "tiny", completion, ignored))


@pytest.mark.parametrize("text", ["hi", "", '"', "\n", "é\u2028\u2029\x85", "\U0001f600"])
def test_the_line_of_a_token_is_that_which_would_be_built(text):
    for api in ("chat", "generate"):
        plain, _ = streamed(api, TextDelta(text), DONE)
        scored, _ = streamed(api, TokenScores((TokenScore("x", -1.0),)), TextDelta(text), DONE)
        del scored["logprobs"], scored["created_at"], plain["created_at"]
        assert plain == scored
        assert list(plain) == list(scored)


def test_what_an_answer_took_is_said_in_nanoseconds():
    for said in (streamed("chat", TextDelta("hi"), DONE)[-1], whole("chat", TextDelta("hi"), DONE)):
        assert (said["total_duration"], said["load_duration"]) == (3_500_000_000, 1_000_000_000)
        assert (said["prompt_eval_count"], said["prompt_eval_duration"]) == (10, 500_000_000)
        assert (said["eval_count"], said["eval_duration"]) == (4, 2_000_000_000)
        assert said["prompt_eval_cached_count"] == 3


def test_what_an_engine_does_not_tell_is_made_of_what_was_seen():
    said = whole("chat", TextDelta("hi"), Finish("stop", Usage(1, 1), Timings(1.5, 3.5)))
    assert (said["prompt_eval_duration"], said["eval_duration"]) == (1_500_000_000, 2_000_000_000)
    assert whole("chat", Finish("stop"))["total_duration"] == 0


def test_reasons_are_ollamas():
    reasons = [whole("chat", Finish(reason))["done_reason"] for reason in ("stop", "length", "tool_calls")]
    assert reasons == ["stop", "length", "stop"]


def test_calls_come_whole_and_in_their_order():
    events = (
        TextDelta("so"),
        ToolCallDelta(0, "call_a", "add", '{"x":'),
        ToolCallDelta(1, "call_b", "add", '{"x": 2}'),
        ToolCallDelta(0, None, None, " 1}"),
        Finish("tool_calls"),
    )
    calls = [
        {"id": "call_a", "function": {"index": 0, "name": "add", "arguments": {"x": 1}}},
        {"id": "call_b", "function": {"index": 1, "name": "add", "arguments": {"x": 2}}},
    ]
    text, called, end = streamed("chat", *events)
    assert (called["message"]["tool_calls"], called["done"]) == (calls, False)
    assert "tool_calls" not in text["message"] | end["message"]
    assert whole("chat", *events)["message"]["tool_calls"] == calls


@pytest.mark.parametrize("arguments", ['{"x"', "[1]", "7", '"x"', "[" * 100_000])
def test_a_call_without_an_object_becomes_a_notice(arguments):
    events = (ToolCallDelta(0, "call_a", "add", arguments), Finish("tool_calls"))
    for said in (streamed("chat", *events)[-1], whole("chat", *events)):
        assert "tool_calls" not in said["message"]
        assert arguments in said["isthmus"]["notices"][0]["text"]


def test_who_answered_and_what_to_know_is_in_the_last_line():
    events = (
        ROUTE,
        Notice("shortened", "2 turns were left out"),
        ReasoningDelta("hm"),
        TextDelta("hi"),
        DONE,
    )
    first, _, last = streamed("generate", *events, ignored=("sparkle",))
    assert (first["thinking"], first["response"]) == ("hm", "")
    assert "isthmus" not in first
    assert last["isthmus"]["reason"] == "mode_off"
    assert last["isthmus"]["notices"][0]["code"] == "shortened"
    assert last["isthmus"]["ignored_parameters"] == ["sparkle"]
    assert last["isthmus"] == whole("generate", *events, ignored=("sparkle",))["isthmus"]


def test_scores_that_no_text_follows_come_with_the_end():
    scores = TokenScores((TokenScore("x", -1.0, raw=b"\xff"),))
    said = streamed("chat", scores, DONE)[-1]
    assert said["logprobs"] == [{"token": "x", "logprob": -1.0, "bytes": [255], "top_logprobs": []}]


def test_a_request_without_a_question_is_answered_with_what_was_done():
    said = json.loads(render_empty("generate", "tiny", "load"))
    assert (said["model"], said["response"], said["done"], said["done_reason"]) == ("tiny", "", True, "load")


def test_times_have_a_zone():
    assert datetime.fromisoformat(moment()).tzinfo is not None
    assert moment().endswith("Z")
