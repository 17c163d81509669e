import json
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from isthmus.messages import (
    Confidence,
    Decision,
    Evidence,
    Finish,
    FinishReason,
    Notice,
    Progress,
    ReasoningDelta,
    Route,
    TextDelta,
    Timings,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from isthmus.wire import sse
from isthmus.wire.chat_reader import ChunkReader
from isthmus.wire.chat_writer import ChatChunkWriter, render_completion
from isthmus.wire.chunks import Stamp
from isthmus.wire.gathered import Completion

STAMP = Stamp("id", 1, "m")
HOME = Route(Decision("local", "mode_off"), "tiny")
AWAY = Route(
    Decision(
        "hosted",
        "looks_hard",
        "estimate",
        Evidence(0.73456, threshold=0.5, features={"numbers": 3.0}, detail="sums"),
    ),
    "large",
    "upstream",
)

# ---------------------------------------------------------------- there and back

TEXT = st.text(min_size=1, max_size=10) | st.sampled_from(
    ["\n", "\r\n\r\n", "data: [DONE]", "\0", "\u2028", "🦊"]
)
SCORE = st.floats(-100, 0)
CHOICE = st.integers(0, 2)
RIVALS = st.builds(TokenScore, TEXT, SCORE)
SCORES = st.builds(TokenScore, TEXT, SCORE, st.lists(RIVALS, max_size=2).map(tuple))


def _call_delta(position, named, name, arguments, index):
    """A piece of a call, whose id belongs to its position."""
    return ToolCallDelta(position, f"call{position}" if named else None, name, arguments, index)


DELTAS = (
    st.builds(TextDelta, TEXT, CHOICE)
    | st.builds(ReasoningDelta, TEXT, CHOICE)
    | st.builds(_call_delta, CHOICE, st.booleans(), st.none() | TEXT, st.text(max_size=5), CHOICE)
    | st.builds(TokenScores, st.lists(SCORES, min_size=1, max_size=2).map(tuple), CHOICE)
)
USAGES = st.builds(Usage, *[st.integers(0, 10_000)] * 4)
BESIDE = st.sampled_from([Notice("n", "look", None), Progress("loading", 1.0), Confidence(0.5, "x"), HOME])


@st.composite
def answers(draw):
    """A whole answer of three choices, as a generator gives it."""
    reasons = draw(st.lists(st.sampled_from(get_args(FinishReason)), min_size=3, max_size=3))
    finishes = [Finish(reason, index=index) for index, reason in enumerate(reasons)]
    finishes[-1] = Finish(reasons[-1], draw(USAGES), index=2)
    return [*draw(st.lists(DELTAS | BESIDE, max_size=12)), *finishes]


def written(events, **parameters):
    """The stream of an answer, as a server sends it."""
    include_usage = parameters.pop("include_usage", True)
    writer = ChatChunkWriter(STAMP, choices=3, include_usage=include_usage)
    route = parameters.pop("route", HOME)
    chunks = [writer.open(route), *map(writer.render, events), writer.close(events[-1], route)]
    return b"".join(sse.data(chunk) for chunk in (*chunks, sse.DONE) if chunk is not None)


def read_back(stream):
    payloads = sse.EventReader().feed(stream)
    assert payloads.pop() == sse.DONE
    reader = ChunkReader(3)
    events = [event for payload in payloads for event in reader.read(payload)]
    assert reader.whole
    return [*events, *reader.finish()]


def by_choice(events):
    """The events of each choice that the API has words for; scores that follow one another are one."""
    rows = {index: [] for index in range(3)}
    for event in events:
        if isinstance(event, Notice | Progress | Confidence | Route):
            continue
        row = rows[event.index]
        if isinstance(event, TokenScores) and row and isinstance(row[-1], TokenScores):
            row[-1] = TokenScores((*row[-1].tokens, *event.tokens), event.index)
        else:
            row.append(event)
    return rows


@given(answers())
def test_what_is_streamed_reads_the_same(events):
    assert by_choice(read_back(written(events))) == by_choice(events)


@given(answers(), st.booleans())
def test_what_is_streamed_is_what_the_openai_client_expects(events, include_usage):
    payloads = sse.EventReader().feed(written(events, include_usage=include_usage))
    chunks = [ChatCompletionChunk.model_validate_json(payload, strict=True) for payload in payloads[:-1]]
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert [bool(chunk.usage) for chunk in chunks].count(True) == include_usage
    texts = ["".join(e.text for e in events if isinstance(e, TextDelta) and e.index == i) for i in range(3)]
    rows = [row for chunk in chunks for row in chunk.choices]
    assert texts == ["".join(row.delta.content or "" for row in rows if row.index == i) for i in range(3)]


@given(answers(), st.booleans())
def test_what_is_gathered_is_what_the_openai_client_expects(events, logprobs):
    completion = gathered(*events)
    parsed = ChatCompletion.model_validate_json(
        render_completion(completion, STAMP, logprobs=logprobs), strict=True
    )
    assert [row.index for row in parsed.choices] == [0, 1, 2]
    for index, row in enumerate(parsed.choices):
        own = [event for event in events if getattr(event, "index", None) == index]
        text = "".join(event.text for event in own if isinstance(event, TextDelta))
        calls = {event.position: "" for event in own if isinstance(event, ToolCallDelta)}
        for event in own:
            if isinstance(event, ToolCallDelta):
                calls[event.position] += event.arguments
        scores = [each.token for event in own if isinstance(event, TokenScores) for each in event.tokens]
        assert row.message.content == (text if text or not calls else None)
        assert [call.function.arguments for call in row.message.tool_calls or ()] == [
            calls[position] for position in sorted(calls)
        ]
        assert row.finish_reason == own[-1].reason
        assert ([each.token for each in row.logprobs.content] if row.logprobs else None) == (
            scores if logprobs else None
        )
    assert parsed.usage.total_tokens == events[-1].usage.total_tokens


# ---------------------------------------------------------------- chunk by chunk


def chunk(event, **parameters) -> Any:
    payload = ChatChunkWriter(STAMP, include_usage=True).render(event, **parameters)
    return None if payload is None else json.loads(payload)


def test_the_first_chunk_says_who_answers():
    payload = json.loads(ChatChunkWriter(STAMP, choices=2, include_usage=False).open(AWAY))
    assert [row["delta"] for row in payload["choices"]] == [{"role": "assistant", "content": None}] * 2
    assert payload["isthmus"] == {
        "route": "hosted",
        "reason": "looks_hard",
        "stage": "estimate",
        "model": "large",
        "provider": "upstream",
        "p_local_wrong": 0.7346,
        "threshold": 0.5,
        "features": {"numbers": 3.0},
        "detail": "sums",
    }


@pytest.mark.parametrize("index", [0, 1])
def test_a_chunk_of_text(index):
    assert chunk(TextDelta('say "hé"\n', index)) == {
        "id": "id",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": index, "delta": {"content": 'say "hé"\n'}, "logprobs": None, "finish_reason": None}
        ],
    }


def test_reasoning_goes_by_both_names():
    (row,) = chunk(ReasoningDelta("hm"))["choices"]
    assert row["delta"] == {"reasoning": "hm", "reasoning_content": "hm"}


def test_a_notice_stands_beside_the_answer():
    payload = chunk(Notice("provider_failed", "upstream is overloaded", "try later"))
    assert payload["choices"] == []
    assert payload["isthmus"]["notice"] == {
        "code": "provider_failed",
        "text": "upstream is overloaded",
        "hint": "try later",
    }


@pytest.mark.parametrize(
    "event", [Progress("loading", 1.0), Confidence(0.5, "x"), ToolResult("c", "2"), HOME]
)
def test_what_the_api_has_no_word_for_is_passed_over(event):
    assert chunk(event) is None


@pytest.mark.parametrize(
    "event", [TextDelta("x"), ReasoningDelta("x"), ToolCallDelta(0, "c", "add"), Finish("stop")]
)
def test_scores_go_with_whatever_follows_them_of_their_choice(event):
    writer = ChatChunkWriter(STAMP, include_usage=True)
    for token in "ab":
        assert writer.render(TokenScores((TokenScore(token, -1.0),))) is None
    assert json.loads(writer.render(TextDelta("other", 1)))["choices"][0]["logprobs"] is None
    logprobs = [json.loads(writer.render(event))["choices"][0]["logprobs"] for _ in range(2)]
    assert [each["token"] for each in logprobs[0]["content"]] == ["a", "b"]
    assert logprobs[1] is None


@pytest.mark.parametrize(("cost", "shown"), [(None, "0"), (Decimal("0.00125"), "0.00125")])
def test_the_last_chunk_says_what_it_took_if_that_was_asked(cost, shown):
    finish = Finish("stop", Usage(10, 5), cost_usd=cost)
    payload = json.loads(ChatChunkWriter(STAMP, include_usage=True).close(finish, AWAY))
    assert payload["choices"] == []
    assert payload["usage"]["total_tokens"] == 15
    assert payload["isthmus"]["cost_usd"] == shown
    assert ChatChunkWriter(STAMP, include_usage=False).close(finish, AWAY) is None
    assert ChatChunkWriter(STAMP, include_usage=True).close(Finish("stop"), AWAY) is None


TIMED = Finish("stop", Usage(10, 5, cached_tokens=4), Timings(prompt_s=0.5, decode_s=0.25))


def test_the_engines_timings_are_in_the_last_chunk_whichever_that_is():
    asked, unasked = (ChatChunkWriter(STAMP, include_usage=include) for include in (True, False))
    assert "timings" not in json.loads(asked.render(TIMED))
    assert json.loads(asked.close(TIMED, HOME))["timings"]["predicted_n"] == 5
    assert json.loads(unasked.render(TIMED))["timings"]["prompt_n"] == 6
    several = ChatChunkWriter(STAMP, choices=2, include_usage=False)
    assert "timings" not in json.loads(several.render(TIMED))  # one choice's, beside all choices' tokens


def test_what_made_an_answer_is_told_where_it_is_known():
    marked = Stamp("id", 1, "m", "b7-00")
    writer = ChatChunkWriter(marked, include_usage=True)
    for payload in (writer.open(HOME), writer.render(TextDelta("x")), writer.close(TIMED, HOME)):
        assert json.loads(payload)["system_fingerprint"] == "b7-00"
    whole = json.loads(render_completion(gathered(TextDelta("x"), TIMED), marked, logprobs=False))
    assert (whole["system_fingerprint"], whole["timings"]["prompt_n"]) == ("b7-00", 6)
    assert "system_fingerprint" not in body(TextDelta("x"), TIMED)


# ---------------------------------------------------------------- gathered


def gathered(*events) -> Completion:
    completion = Completion()
    for event in events:
        completion.add(event)
    return completion


def body(*events, logprobs=False) -> Any:
    return json.loads(render_completion(gathered(*events), STAMP, logprobs=logprobs))


def test_a_whole_answer():
    assert body(
        AWAY,
        Notice("n", "look"),
        ReasoningDelta("h"),
        ReasoningDelta("m"),
        TextDelta("Par"),
        TextDelta("is"),
        Finish("stop", Usage(10, 5, 2, 4), cost_usd=Decimal("0.002")),
    ) == {
        "id": "id",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Paris",
                    "refusal": None,
                    "reasoning": "hm",
                    "reasoning_content": "hm",
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
        "isthmus": {
            "route": "hosted",
            "reason": "looks_hard",
            "stage": "estimate",
            "model": "large",
            "provider": "upstream",
            "p_local_wrong": 0.7346,
            "threshold": 0.5,
            "features": {"numbers": 3.0},
            "detail": "sums",
            "cost_usd": "0.002",
            "notices": [{"type": "notice", "code": "n", "text": "look", "hint": None}],
        },
    }


def test_pieces_of_calls_are_put_together_in_their_places():
    payload = body(
        ToolCallDelta(1, "c2", "sub", '{"b"'),
        ToolCallDelta(0, "c1", "add"),
        ToolCallDelta(1, arguments=": 1}"),
        Finish("tool_calls"),
    )
    message = payload["choices"][0]["message"]
    assert message["content"] is None
    assert [
        (call["id"], call["type"], call["function"]["name"], call["function"]["arguments"])
        for call in message["tool_calls"]
    ] == [("c1", "function", "add", ""), ("c2", "function", "sub", '{"b": 1}')]


def test_an_answer_without_a_word_is_an_empty_one():
    payload = body(Finish("content_filter"))
    assert payload["choices"][0]["message"]["content"] == ""
    assert payload["usage"]["total_tokens"] == 0


def test_the_first_choice_by_itself():
    completion = gathered(TextDelta("b", 1), ReasoningDelta("hm"), TextDelta("a"))
    assert (completion.text, completion.reasoning) == ("a", "hm")


def test_an_answer_that_was_cut_does_not_look_whole():
    assert body(TextDelta("Par"))["choices"][0]["finish_reason"] is None


def test_the_bytes_of_a_token_are_told():
    payload = body(
        TokenScores((TokenScore("é", -0.5, (TokenScore("é", -0.5), TokenScore("e", -2.0))),)),
        TextDelta("é"),
        Finish("stop"),
        logprobs=True,
    )
    (row,) = payload["choices"][0]["logprobs"]["content"]
    assert row == {
        "token": "é",
        "logprob": -0.5,
        "bytes": [195, 169],
        "top_logprobs": [
            {"token": "é", "logprob": -0.5, "bytes": [195, 169]},
            {"token": "e", "logprob": -2.0, "bytes": [101]},
        ],
    }
