import json
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam, completion_create_params
from pydantic import TypeAdapter

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
from isthmus.wire.chat_request import Dialect, parse_chat, render_chat

HELLO = [{"role": "user", "content": "Hello"}]
DIALECTS = get_args(Dialect)


def body(**parameters: Any) -> bytes:
    return json.dumps({"messages": HELLO, **parameters}).encode()


def request(**parameters: Any) -> GenerationRequest:
    return parse_chat(body(**parameters)).request


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


FUNCTION = {"name": "add", "description": "adds", "parameters": {"type": "object"}, "strict": True}
NAMED = {"type": "function", "function": {"name": "add"}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}


@pytest.mark.parametrize(
    ("parameters", "nouns"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 6}, {"max_tokens": 6}),
        ({"max_completion_tokens": 6, "max_tokens": 5}, {"max_tokens": 6}),
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
        ({"logprobs": False, "top_logprobs": 3}, {"top_logprobs": None}),
        ({"tools": [{"type": "function", "function": FUNCTION}]}, {"tools": (Tool(**FUNCTION),)}),
        ({"tools": [NAMED]}, {"tools": (Tool("add"),)}),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        ({"tool_choice": NAMED}, {"tool_choice": NAMED}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"response_format": SCHEMA}, {"response_format": SCHEMA}),
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
    assert message(role="user", content=None, name=None, tool_calls=None, tool_call_id=None) == Message(
        "user"
    )


def test_unknown_parameters_are_listed_and_known_ones_without_effect_are_not():
    call = parse_chat(body(top_k=40, mirostat=2, ж=1, user="me", metadata={}, store=False))
    assert call.ignored == ("mirostat", "top_k", "ж")
    assert call.request == request()


@pytest.mark.parametrize("role", get_args(Role))
def test_every_role_is_known(role):
    assert message(role=role, content="x") == Message(role, "x")


def test_parts_of_a_message():
    content = [
        {"type": "text", "text": "What is "},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}},
        {"type": "refusal", "refusal": "this?"},
    ]
    parsed = message(role="user", content=content)
    assert parsed.content == (
        TextPart("What is "),
        ImagePart("data:image/png;base64,AA==", "low"),
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


# ---------------------------------------------------------------- what doesn't fit

IMAGE = {"type": "image_url", "image_url": {"url": 1}}
CALL = {"id": "c", "function": {"name": "add"}}


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
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0]"),
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
        ({"presence_penalty": 2.1}, "presence_penalty"),
        ({"frequency_penalty": -2.1}, "frequency_penalty"),
        ({"logit_bias": {"1": "much"}}, "logit_bias"),
        ({"n": 0}, "n"),
        ({"n": 17}, "n"),
        ({"logprobs": 5}, "logprobs"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"tools": [{"type": "web_search", "function": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"parameters": {}}}]}, "tools[0].function.name"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"response_format": "json"}, "response_format"),
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
        body(response_format={"a": 1}).replace(b"1", b"[" * DEEP + b"]" * DEEP),
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

WHOLE = body(
    model="m",
    stream=True,
    stream_options={"include_usage": True},
    max_tokens=10,
    max_completion_tokens=10,
    temperature=0.5,
    top_p=0.5,
    seed=1,
    stop=["x"],
    presence_penalty=1,
    frequency_penalty=1,
    logit_bias={"1": 2},
    n=2,
    reasoning_effort="low",
    logprobs=True,
    top_logprobs=2,
    tools=[{"type": "function", "function": FUNCTION}],
    tool_choice="auto",
    parallel_tool_calls=True,
    response_format={"type": "text"},
    truncation="auto",
    isthmus={"handoff": "off"},
    user="u",
    metadata={},
    store=False,
)

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
        assert error.param.split("[")[0].split(".")[0] == place[0]


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=3))
@example(0, b"")
def test_a_whole_request_with_a_few_other_bytes(place, other):
    judged(WHOLE[:place] + other + WHOLE[place + 1 :])


# ---------------------------------------------------------------- and out again

TEXT = st.text(max_size=20)
SOME = st.none() | TEXT
PARTS = st.builds(TextPart, TEXT) | st.builds(ImagePart, TEXT, SOME)
SCHEMAS = st.dictionaries(
    TEXT, st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXT, max_size=3
)
MESSAGES = st.builds(
    Message,
    role=st.sampled_from(get_args(Role)),
    content=TEXT | st.lists(PARTS, max_size=3).map(tuple),
    reasoning=SOME,
    tool_calls=st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    tool_call_id=SOME,
    name=SOME,
)


def between(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high)


REQUESTS = st.builds(
    GenerationRequest,
    messages=st.lists(MESSAGES, min_size=1, max_size=4).map(tuple),
    max_tokens=st.none() | st.integers(1, 2**31 - 1),
    temperature=between(0, 2),
    top_p=between(0, 1),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    stop=st.lists(TEXT, max_size=4).map(tuple),
    presence_penalty=between(-2, 2),
    frequency_penalty=between(-2, 2),
    logit_bias=st.none() | st.dictionaries(TEXT, st.floats(-100, 100), max_size=3),
    n=st.integers(1, 16),
    effort=st.none() | st.sampled_from(get_args(Effort)),
    top_logprobs=st.none() | st.integers(0, 20),
    tools=st.lists(
        st.builds(Tool, TEXT, SOME, st.none() | SCHEMAS, st.none() | st.booleans()), max_size=2
    ).map(tuple),
    tool_choice=st.none() | st.sampled_from(["auto", "none", "required"]) | SCHEMAS,
    parallel_tool_calls=st.none() | st.booleans(),
    response_format=st.none() | SCHEMAS,
)


def as_passed_on(request: GenerationRequest, dialect: Dialect) -> GenerationRequest:
    """What a dialect changes in a request, and no more."""
    messages = request.messages
    if dialect != "openai":
        messages = tuple(
            msgspec.structs.replace(each, role="system") if each.role == "developer" else each
            for each in messages
        )
    if dialect in ("hosted", "openai"):
        messages = tuple(msgspec.structs.replace(each, reasoning=None) for each in messages)
    if dialect == "llama" and request.top_logprobs == 0:
        request = msgspec.structs.replace(request, top_logprobs=1)
    return msgspec.structs.replace(request, messages=messages)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(request=REQUESTS)
def test_what_is_passed_on_reads_the_same(dialect, request):
    call = parse_chat(render_chat(request, "m", dialect))
    assert call.request == as_passed_on(request, dialect)
    assert (call.model, call.stream, call.include_usage) == ("m", True, True)
    assert call.ignored == (("chat_template_kwargs",) if dialect == "llama" and request.effort else ())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_was_not_given_is_not_sent(dialect):
    assert json.loads(render_chat(request(), "m", dialect)) == {
        "model": "m",
        "messages": HELLO,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_length_has_another_name_at_openai(dialect):
    sent = json.loads(render_chat(request(max_tokens=5), "m", dialect))
    assert sent.get("max_completion_tokens") == (5 if dialect == "openai" else None)
    assert sent.get("max_tokens") == (None if dialect == "openai" else 5)


@pytest.mark.parametrize("effort", get_args(Effort))
def test_effort_reaches_the_template_of_our_own_worker(effort):
    sent = json.loads(render_chat(request(reasoning_effort=effort), "m", "llama"))
    assert sent["chat_template_kwargs"] == {
        "reasoning_effort": effort,
        "enable_thinking": effort != "none",
    }
    assert sent["reasoning_effort"] == effort


# OpenAI's own types. The lists in the whole are validated lazily, so their members are again by themselves.
PUBLISHED = TypeAdapter[Any](completion_create_params.CompletionCreateParamsStreaming)
PUBLISHED_MESSAGE = TypeAdapter[Any](ChatCompletionMessageParam)
PUBLISHED_TOOL = TypeAdapter[Any](ChatCompletionToolParam)

ANSWERED = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "name": "Ann", "content": [{"type": "text", "text": "1+1?"}]},
    {"role": "assistant", "reasoning": "hm", "tool_calls": [CALL | {"type": "function"}]},
    {"role": "tool", "content": "2", "tool_call_id": "c"},
]


@pytest.mark.parametrize("dialect", ["hosted", "openai"])
def test_what_leaves_is_what_openai_publishes(dialect):
    call = parse_chat(json.dumps({**json.loads(WHOLE), "messages": ANSWERED}).encode())
    sent = json.loads(render_chat(call.request, "m", dialect))
    PUBLISHED.validate_python(sent, strict=True, extra="forbid")
    for each in sent["messages"]:
        PUBLISHED_MESSAGE.validate_python(each, strict=True)
    for each in sent["tools"]:
        PUBLISHED_TOOL.validate_python(each, strict=True)
