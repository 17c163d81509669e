import json
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.messages import (
    Effort,
    GenerationRequest,
    HandoffMode,
    ImagePart,
    Message,
    Role,
    TextPart,
    Tool,
    ToolCall,
)
from isthmus.wire.chat_body import render_chat
from isthmus.wire.chat_request import parse_chat
from tests.wire.chat_samples import (
    CALL,
    DIALECTS,
    FUNCTION,
    HELLO,
    NAMED,
    SCHEMA,
    WHOLE,
    body,
    request,
)
from tests.wire.pictures import image


def message(**fields: Any) -> Message:
    return request(messages=[fields]).messages[0]


def refusal(content: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        parse_chat(content)
    return caught.value


# ---------------------------------------------------------------- in


def test_a_bare_question_leaves_everything_to_the_model():
    call = parse_chat(body())
    assert call.request == GenerationRequest((Message("user", "Hello"),))
    assert (call.model, call.stream, call.include_usage, call.handoff, call.ignored) == (
        None,
        False,
        False,
        None,
        (),
    )


TOOLS = {"tools": [{"type": "function", "function": FUNCTION}]}


@pytest.mark.parametrize(
    ("parameters", "nouns"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 6}, {"max_tokens": 6, "max_total": 6}),
        ({"max_completion_tokens": 6, "max_tokens": 5}, {"max_tokens": 6, "max_total": 6}),
        ({"temperature": 0}, {"temperature": 0.0}),
        ({"temperature": 2}, {"temperature": 2.0}),
        ({"top_p": 0.9}, {"top_p": 0.9}),
        ({"seed": -1}, {"seed": -1}),
        ({"seed": 2**63 - 1}, {"seed": 2**63 - 1}),
        ({"stop": "END"}, {"stop": ("END",)}),
        ({"stop": ["a", "b"]}, {"stop": ("a", "b")}),
        ({"presence_penalty": -2}, {"presence_penalty": -2.0}),
        ({"frequency_penalty": 1.5}, {"frequency_penalty": 1.5}),
        ({"logit_bias": {"50256": -100}}, {"logit_bias": {"50256": -100.0}}),
        ({"n": 3}, {"n": 3}),
        ({"logprobs": True}, {"top_logprobs": 0}),
        ({"logprobs": True, "top_logprobs": 20}, {"top_logprobs": 20}),
        ({"logprobs": False}, {"top_logprobs": None}),
        ({"logprobs": True, "top_logprobs": None}, {"top_logprobs": 0}),
        ({"top_k": -1}, {"top_k": -1}),
        ({"min_p": 0.05}, {"min_p": 0.05}),
        ({"typical_p": 0.9}, {"typical_p": 0.9}),
        ({"repeat_penalty": 1.1}, {"repeat_penalty": 1.1}),
        ({"repeat_last_n": 64}, {"repeat_last_n": 64}),
        ({"thinking_budget_tokens": 0}, {"reasoning_budget": 0}),
        ({"tools": [{"type": "function", "function": FUNCTION}]}, {"tools": (Tool(**FUNCTION),)}),
        ({"tools": [NAMED]}, {"tools": (Tool("add"),)}),
        (TOOLS | {"tool_choice": "required"}, {"tools": (Tool(**FUNCTION),), "tool_choice": "required"}),
        (TOOLS | {"tool_choice": NAMED}, {"tools": (Tool(**FUNCTION),), "tool_choice": NAMED}),
        ({"tool_choice": "none"}, {"tool_choice": None}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"response_format": SCHEMA}, {"response_format": SCHEMA}),
        ({"response_format": {"type": "text"}}, {"response_format": None}),
        *[({"reasoning_effort": effort}, {"effort": effort}) for effort in get_args(Effort)],
    ],
    ids=str,
)
def test_each_parameter_becomes_its_noun(parameters, nouns):
    assert request(**parameters) == GenerationRequest((Message("user", "Hello"),), **nouns)


def test_what_concerns_the_answer_alone_stays_beside_the_request():
    call = parse_chat(
        body(model="m", stream=True, stream_options={"include_usage": True}, isthmus={"handoff": "ask"})
    )
    assert (call.model, call.stream, call.include_usage, call.handoff) == ("m", True, True, "ask")
    assert call.request == request()


def test_null_is_as_good_as_nothing():
    names = set(json.loads(WHOLE)) - {"messages"}
    assert parse_chat(body(**dict.fromkeys(names))) == parse_chat(body())
    assert message(role="assistant", content=None, name=None, tool_calls=None, tool_call_id=None) == Message(
        "assistant"
    )


def test_unknown_parameters_are_listed_and_known_ones_without_effect_are_not():
    silent = {"user": "me", "metadata": {}, "store": False, "service_tier": "flex", "prediction": {}}
    call = parse_chat(body(mirostat=2, ж=1, verbosity="low", modalities=["text"], **silent))
    assert call.ignored == ("mirostat", "ж", "verbosity")
    assert call.request == request()


@pytest.mark.parametrize("role", get_args(Role))
def test_every_role_is_known(role):
    result = {"tool_call_id": "c"} if role == "tool" else {}
    assert message(role=role, content="x", **result) == Message(role, "x", **result)


PIXEL = image(1, 1)


def test_parts_of_a_message():
    content = [
        {"type": "text", "text": "What is "},
        {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}},
        {"type": "refusal", "refusal": "this?"},
    ]
    parsed = message(role="user", content=content)
    assert parsed.content == (
        TextPart("What is "),
        ImagePart(PIXEL, "low"),
        ImagePart("https://example.org/x.png"),
        TextPart("this?"),
    )
    assert (parsed.text, parsed.images) == ("What is this?", 2)


def test_a_call_and_its_result():
    calls = [{"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}]
    assert message(role="assistant", content=None, tool_calls=calls) == Message(
        "assistant", tool_calls=(ToolCall("c1", "add", '{"a": 1}'),)
    )
    assert message(role="tool", content="2", tool_call_id="c1") == Message("tool", "2", tool_call_id="c1")


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"reasoning": "hm"}, "hm"),
        ({"reasoning_content": "hm"}, "hm"),
        ({"reasoning": "a", "reasoning_content": "b"}, "a"),
        ({"reasoning": None, "reasoning_content": "b"}, "b"),
        ({}, None),
    ],
)
def test_reasoning_goes_by_two_names(fields, reasoning):
    assert message(role="assistant", content="x", **fields).reasoning == reasoning


ADD = ToolCall("c", "add", "{}")
THINKS, SAYS = {"reasoning": "hm", "content": None}, {"content": [{"type": "text", "text": "Let me see."}]}
CALLS = {"content": None, "tool_calls": [{"id": "c", "function": {"name": "add", "arguments": "{}"}}]}


@pytest.mark.parametrize(
    ("said", "turn"),
    [
        ([THINKS, CALLS], Message("assistant", reasoning="hm", tool_calls=(ADD,))),
        ([THINKS, SAYS], Message("assistant", (TextPart("Let me see."),), reasoning="hm")),
        ([SAYS, CALLS], Message("assistant", (TextPart("Let me see."),), tool_calls=(ADD,))),
        (
            [THINKS, SAYS, CALLS],
            Message("assistant", (TextPart("Let me see."),), reasoning="hm", tool_calls=(ADD,)),
        ),
    ],
)
def test_a_turn_that_comes_in_pieces_is_one_message(said, turn):
    pieces = [{"role": "assistant", **piece} for piece in said]
    result = {"role": "tool", "content": "2", "tool_call_id": "c"}
    assert request(messages=[*HELLO, *pieces, result]).messages == (
        Message("user", "Hello"),
        turn,
        Message("tool", "2", tool_call_id="c"),
    )


@pytest.mark.parametrize(
    "said",
    [
        [SAYS, SAYS],
        [CALLS, CALLS],
        [CALLS, SAYS],
        [THINKS, THINKS],
        [SAYS, THINKS],
        [SAYS, CALLS | SAYS],
        [SAYS, CALLS | THINKS],
        [SAYS | {"name": "Ann"}, CALLS | {"name": "Ben"}],
    ],
)
def test_two_turns_stay_two(said):
    assert len(request(messages=[{"role": "assistant", **each} for each in said]).messages) == 2


# ---------------------------------------------------------------- what doesn't fit

IMAGE = {"type": "image_url", "image_url": {"url": 1}}


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": [*HELLO, 5]}, "messages[1]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, "messages[0].content[0].image_url.url"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages[0].content[0].type",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "tool", "content": "2"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "user", "content": "x", "tool_calls": [CALL]}]}, "messages[0].tool_calls"),
        ({"messages": HELLO * 10_001}, "messages"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [CALL | {"type": "custom"}]}]},
            "messages[0].tool_calls[0].type",
        ),
        ({"model": 5}, "model"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 10**40}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_completion_tokens": True}, "max_completion_tokens"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 1.1}, "top_p"),
        ({"seed": 2**63}, "seed"),
        ({"seed": -(2**63) - 1}, "seed"),
        ({"stop": [5]}, "stop[0]"),
        ({"stop": [""]}, "stop"),
        ({"stop": "x" * 257}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"presence_penalty": 2.1}, "presence_penalty"),
        ({"frequency_penalty": -2.1}, "frequency_penalty"),
        ({"logit_bias": {"1": "much"}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"logit_bias": {"1": -100.5}}, "logit_bias"),
        ({"logit_bias": {"hello": 1}}, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"²": 1}}, "logit_bias"),
        ({"logit_bias": {str(token): 1 for token in range(5_001)}}, "logit_bias"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"logprobs": 5}, "logprobs"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": False, "top_logprobs": 0}, "top_logprobs"),
        ({"top_k": -2}, "top_k"),
        ({"min_p": 1.1}, "min_p"),
        ({"repeat_penalty": 0}, "repeat_penalty"),
        ({"functions": []}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"audio": {"voice": "alloy"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"verbosity": "loud"}, "verbosity"),
        ({"tools": [{"type": "web_search", "function": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"parameters": {}}}]}, "tools[0].function.name"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": NAMED}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"reasoning_effort": "max"}, "reasoning_effort"),
        ({"truncation": "oldest"}, "truncation"),
        ({"isthmus": {"handoff": "yes"}}, "isthmus.handoff"),
        ({"isthmus": {"mode": "off"}}, "isthmus.mode"),
        ({"isthmus": {"a - at `$.b`": 1}}, "isthmus.a - at `$.b`"),
        ({"user": 5}, "user"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(parameters, param):
    error = refusal(body(**parameters))
    assert error.param == param
    assert error.message.startswith(param)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"messages": [{"role": "bot"}]}, get_args(Role)),
        ({"reasoning_effort": "max"}, get_args(Effort)),
        ({"isthmus": {"handoff": "x"}}, get_args(HandoffMode)),
        ({"truncation": "oldest"}, ("auto", "disabled")),
        ({"tool_choice": "any"}, ("auto", "none", "required")),
        ({"tools": [{"type": "x", "function": {"name": "x"}}]}, ("function",)),
    ],
    ids=str,
)
def test_a_closed_set_is_told(parameters, words):
    assert refusal(body(**parameters)).message.endswith(f" is not one of {', '.join(words)}")


@pytest.mark.parametrize(("word", "meant"), [("auto", "oldest"), ("disabled", "none"), (None, "none")])
def test_truncation_is_asked_for_in_the_words_of_the_responses_api(word, meant):
    call = parse_chat(body(truncation=word))
    assert (call.request.truncation, call.ignored) == (meant, ())
    for dialect in DIALECTS:
        assert "truncation" not in json.loads(render_chat(call.request, "m", dialect))


def test_a_body_without_messages_is_told_what_it_lacks():
    assert refusal(b"{}").message == "messages is required"


DEEP = 100_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b'"messages"',
        b"{",
        b"\xff",
        b"\xef\xbb\xbf" + body(),
        body() + b"x",
        body().replace(b"Hello", b"\xff"),
        body().replace(b"Hello", b"\\ud800"),
        body().replace(b"Hello", b"\n"),
        body().replace(b'"messages"', b'"messages\xff"'),
        b"[" * DEEP,
        b'{"a":' * DEEP,
        body(x=1).replace(b"1", b"[" * DEEP + b"]" * DEEP),
        body(response_format={"type": "text", "a": 1}).replace(b"1", b"[" * DEEP + b"]" * DEEP),
        body(messages=1).replace(b"1", b"[" * DEEP),
        body(temperature=1).replace(b"1", b"1e400"),
        body(response_format={"a": 1}).replace(b"1", b"1e400"),
        body(temperature=1).replace(b"1", b"NaN"),
    ],
    ids=range(20),
)
def test_what_is_not_a_request_is_refused(content):
    refusal(content)


def test_what_could_be_parsed_but_not_passed_on_is_refused_too():
    nested: dict[str, Any] = {}
    for _ in range(DEEP):
        nested = {"a": nested}
    with pytest.raises(RequestError, match="nested too deeply"):
        render_chat(GenerationRequest((Message("user", "x"),), response_format=nested), "m", "hosted")
    while nested:  # one by one: freed at once, they would exhaust the stack
        nested = nested["a"]


# ---------------------------------------------------------------- any bytes at all

NUMBERS = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


def judged(content: bytes) -> RequestError | None:
    """What is said against it; where there is nothing, it can be passed on to anyone."""
    try:
        call = parse_chat(content)
    except RequestError as error:
        return error
    for dialect in DIALECTS:
        json.loads(render_chat(call.request, "m", dialect))
    return None


@given(st.binary(max_size=100))
def test_any_bytes_at_all(content):
    judged(content)


@given(JSON)
def test_any_json_at_all(value):
    judged(json.dumps(value).encode())


def places(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [above, *(place for key, value in inner for place in places(value, (*above, key)))]


@given(st.sampled_from(places(json.loads(WHOLE))[1:]), JSON)
def test_a_whole_request_with_anything_anywhere(place, value):
    tree = json.loads(WHOLE)
    inner = tree
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    error = judged(json.dumps(tree).encode())
    if error is not None:
        assert error.param is not None
        # What is wrong with one parameter may only show beside another.
        pairs = {"logprobs": "top_logprobs", "tools": "tool_choice"}
        assert error.param.split("[")[0].split(".")[0] in (place[0], pairs.get(place[0]))


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3))
@example(0, b"")
def test_a_whole_request_with_a_few_other_bytes(place, other):
    judged(WHOLE[:place] + other + WHOLE[place + 1 :])
