import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.messages import (
    Finish,
    ReasoningDelta,
    TextDelta,
    Timings,
    TokenScore,
    TokenScores,
    ToolCallDelta,
    Usage,
)
from isthmus.wire.chat_reader import ChunkReader, StreamError


def choice(delta: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, **more}]}


def read(*chunks: Any, choices: int = 1) -> list[Any]:
    reader = ChunkReader(choices)
    return [event for chunk in chunks for event in reader.read(json.dumps(chunk).encode())]


def finish(*chunks: Any, choices: int = 1) -> list[Finish]:
    reader = ChunkReader(choices)
    for chunk in chunks:
        list(reader.read(json.dumps(chunk).encode()))
    return list(reader.finish())


@pytest.mark.parametrize(
    ("chunk", "events"),
    [
        (choice({"content": "Grüße"}), [TextDelta("Grüße")]),
        (choice({"content": "", "role": "assistant"}), []),
        (choice({"content": None, "reasoning_content": "hm"}), [ReasoningDelta("hm")]),
        (choice({"reasoning": "hm"}), [ReasoningDelta("hm")]),
        (choice({"reasoning": "hm", "reasoning_content": "hm"}), [ReasoningDelta("hm")]),
        (choice({"reasoning_content": "hm", "content": "so"}), [ReasoningDelta("hm"), TextDelta("so")]),
        (choice({"refusal": "no"}), [TextDelta("no")]),
        ({"choices": [{"index": 2, "delta": {"content": "x"}}]}, [TextDelta("x", 2)]),
        ({"choices": [{"index": 2, "text": "x", "logprobs": None}]}, [TextDelta("x", 2)]),
        ({"choices": [{"index": 0, "text": ""}]}, []),
        (choice(None), []),
        (choice({}), []),
        ({"choices": []}, []),
        ({"choices": None}, []),
        ({}, []),
        ({"prompt_filter_results": [], "x": {"y": 1}}, []),
    ],
    ids=str,
)
def test_a_chunk_becomes_events(chunk, events):
    assert read(chunk) == events


def test_tool_calls_come_in_pieces():
    def call(**fields):
        return choice({"tool_calls": [fields]})

    assert read(
        call(index=1, id="c1", type="function", function={"name": "add", "arguments": ""}),
        call(index=1, function={"arguments": '{"a":'}),
        call(index=1, function={"arguments": None}),
        call(id="c2"),
    ) == [
        ToolCallDelta(1, "c1", "add", ""),
        ToolCallDelta(1, None, None, '{"a":'),
        ToolCallDelta(1, None, None, ""),
        ToolCallDelta(0, "c2", None, ""),
    ]


def test_scores_come_before_the_text_that_they_are_of():
    rivals = [{"token": "Paris", "logprob": -0.1, "bytes": [80]}, {"token": "Lyon", "logprob": -3}]
    content = [
        {"token": "Paris", "logprob": -0.1, "bytes": None, "top_logprobs": rivals},
        {"token": ".", "logprob": -1},
    ]
    assert read(choice({"content": "Paris."}, logprobs={"content": content})) == [
        TokenScores(
            (
                TokenScore("Paris", -0.1, (TokenScore("Paris", -0.1), TokenScore("Lyon", -3.0))),
                TokenScore(".", -1.0),
            )
        ),
        TextDelta("Paris."),
    ]
    assert read(choice({"content": "x"}, logprobs={"content": None})) == [TextDelta("x")]


def test_llama_cpp_says_the_numbers_of_tokens():
    rivals = [{"id": 8, "token": "b", "logprob": -2}]
    content = [{"id": 7, "token": "a", "logprob": -1, "top_logprobs": rivals}]
    scores, _ = read(choice({"content": "a"}, logprobs={"content": content}))
    assert scores.tokens == (TokenScore("a", -1.0, (TokenScore("b", -2.0, id=8),), id=7),)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("eos_token", "stop"),
    ],
)
def test_why_it_ended(said, reason):
    assert finish(choice({"content": "x"}), choice({}, finish_reason=said)) == [Finish(reason)]


@pytest.mark.parametrize("said", ["error", "abort", "insufficient_system_resource"])
def test_an_upstream_that_gave_up_did_not_finish(said):
    with pytest.raises(StreamError, match=said):
        read(choice({"content": "x"}), choice({}, finish_reason=said))


USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


@pytest.mark.parametrize(
    ("chunk", "usage"),
    [
        ({"usage": USAGE}, Usage(10, 5, 3, 4)),
        ({"usage": {"prompt_tokens": 10, "completion_tokens": 5}}, Usage(10, 5)),
        ({"usage": USAGE | {"prompt_tokens_details": None, "completion_tokens_details": {}}}, Usage(10, 5)),
        ({"usage": {"prompt_tokens": 10, "completion_tokens": None}}, Usage(10, 0)),
        ({"usage": None}, None),
        ({}, None),
    ],
    ids=str,
)
def test_usage_comes_last_or_not_at_all(chunk, usage):
    assert finish(choice({}, finish_reason="stop"), chunk) == [Finish("stop", usage)]


def test_timings_of_our_own_worker():
    timings = {"prompt_ms": 250, "predicted_ms": 500, "predicted_per_second": 40.5, "prompt_n": 7}
    assert finish(choice({}, finish_reason="stop"), {"timings": timings}) == [
        Finish("stop", timings=Timings(prompt_s=0.25, tokens_per_s=40.5, decode_s=0.5))
    ]


def test_each_choice_finishes_and_the_last_one_carries_the_usage():
    def ended(index, reason):
        return {"choices": [{"index": index, "delta": {}, "finish_reason": reason}]}

    chunks = [ended(1, "length"), ended(1, "length"), ended(0, "stop"), {"usage": USAGE}]
    assert read(*chunks, choices=2) == [Finish("length", index=1)]
    assert finish(*chunks, choices=2) == [Finish("stop", Usage(10, 5, 3, 4), index=0)]


def test_an_answer_is_whole_when_every_choice_has_ended():
    reader = ChunkReader(2)
    wholes = [reader.whole]
    for index in (1, 0):
        chunk = {"choices": [{"index": index, "delta": {"content": "x"}, "finish_reason": "stop"}]}
        list(reader.read(json.dumps(chunk).encode()))
        wholes.append(reader.whole)
    assert wholes == [False, False, True]


def test_a_choice_that_nobody_asked_for_makes_nothing_whole():
    reader = ChunkReader(1)
    list(reader.read(b'{"choices": [{"index": 1, "finish_reason": "stop"}]}'))
    assert not reader.whole


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"message": "overloaded", "type": "server_error", "code": None}, "overloaded"),
        ({"message": "overloaded", "code": 529, "metadata": {}}, "overloaded"),
        ("overloaded", "overloaded"),
        ({"code": "x"}, ""),
    ],
    ids=str,
)
def test_an_error_in_the_stream(error, text):
    with pytest.raises(StreamError) as caught:
        read({"error": error, "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}]})
    assert str(caught.value) == text


@given(
    st.binary(max_size=60)
    | st.builds(
        lambda value: json.dumps(value).encode(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["choices", "delta", "content", "usage", "error", "index"]), inner
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_what_is_no_chunk_is_told_apart(payload):
    with suppress(StreamError, msgspec.MsgspecError, UnicodeDecodeError):
        list(ChunkReader().read(payload))


@pytest.mark.parametrize(
    ("last", "sequence"),
    [
        ([{**choice({}, finish_reason="stop"), "__verbose": {"stopping_word": "END"}}], "END"),
        (
            [
                {**choice({"content": "x"}), "__verbose": {"stopping_word": "END"}},
                choice({}, finish_reason="stop"),
            ],
            "END",
        ),
        ([{**choice({}, finish_reason="stop"), "__verbose": {"stopping_word": "", "prompt": "x"}}], None),
        ([choice({}, finish_reason="stop", stop_reason="END")], "END"),
        ([choice({}, finish_reason="stop", stop_reason=128001)], None),
        ([choice({}, finish_reason="stop")], None),
    ],
)
def test_the_sequence_that_ended_an_answer_is_read_where_it_is_said(last, sequence):
    (ended,) = finish(choice({"content": "a"}), *last)
    assert (ended.reason, ended.stop_sequence) == ("stop", sequence)


def test_the_usage_of_choices_that_come_with_their_own_is_added_up():
    details = [{"cached_tokens": 4}, {"cached_tokens": 9}]
    chunks = [
        {
            "choices": [{"index": index, "text": "", "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 3, "prompt_tokens_details": details[index]},
        }
        for index in range(2)
    ]
    for each, expected in ((True, Usage(10, 6, 0, 4)), (False, Usage(10, 3, 0, 9))):
        reader = ChunkReader(2, usage_each=each)
        early = [event for chunk in chunks for event in reader.read(json.dumps(chunk).encode())]
        assert early == [Finish("stop", index=0)]
        assert [finish.usage for finish in reader.finish()] == [expected]


# ---------------------------------------------------------------- what vendors do otherwise


def test_content_may_come_in_parts_with_thinking_among_them():
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    assert read(choice({"content": [thought, {"type": "text", "text": "so"}]})) == [
        ReasoningDelta("hm"),
        TextDelta("so"),
    ]


@pytest.mark.parametrize(
    ("chunk", "usage"),
    [
        ({"x_groq": {"id": "r", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}}, Usage(3, 2)),
        (
            choice({}, usage={"prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 1}),
            Usage(3, 2, 0, 1),
        ),
        (
            {"usage": {"prompt_tokens": 3, "completion_tokens": 2, "prompt_cache_hit_tokens": 3}},
            Usage(3, 2, 0, 3),
        ),
        # Thinking that is left out of the completion is billed, and is in the total.
        (
            {
                "usage": {
                    "prompt_tokens": 3,
                    "completion_tokens": 2,
                    "total_tokens": 15,
                    "completion_tokens_details": {"reasoning_tokens": 10},
                }
            },
            Usage(3, 12, 10),
        ),
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}, Usage(3, 2)),
        ({"usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 0}}, Usage(3, 2)),
    ],
    ids=range(6),
)
def test_usage_is_found_where_it_is_told(chunk, usage):
    (last,) = finish(choice({}, finish_reason="stop"), {"choices": [], **chunk})
    assert last.usage == usage


@pytest.mark.parametrize(
    ("said", "reason"), [("eos", "stop"), ("model_length", "length"), ("tool_use", "tool_calls")]
)
def test_the_same_end_has_several_names(said, reason):
    (last,) = finish(choice({}, finish_reason=said))
    assert last.reason == reason


def call(index=None, id_=None, name=None, arguments=""):
    told = {"id": id_, "function": {"name": name, "arguments": arguments}}
    return told if index is None else told | {"index": index}


@pytest.mark.parametrize(
    ("calls", "positions"),
    [
        (
            [call(0, "a", "f"), call(0, arguments="{}"), call(1, "b", "g"), call(1, arguments="{}")],
            [0, 0, 1, 1],
        ),
        # Every call whole, and all of them under the first index, or none.
        ([call(0, "a", "f", "{}"), call(0, "b", "g", "{}"), call(0, "c", "h", "{}")], [0, 1, 2]),
        ([call(None, "a", "f", "{}"), call(None, "b", "g", "{}")], [0, 1]),
        # The id said again with each piece, or an empty one.
        ([call(0, "a", "f"), call(0, "a", arguments="{"), call(0, "", arguments="}")], [0, 0, 0]),
        ([call(0, "a", "f"), call(0, "b", "g"), call(1, "c", "h"), call(0, arguments="{}")], [0, 1, 2, 1]),
    ],
    ids=range(5),
)
def test_each_call_has_its_place(calls, positions):
    events = read(*(choice({"tool_calls": [each]}) for each in calls))
    assert [event.position for event in events] == positions
