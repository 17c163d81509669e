import json
from itertools import pairwise
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam, completion_create_params
from pydantic import TypeAdapter

from isthmus.messages import Effort, GenerationRequest, ImagePart, Message, Role, TextPart, Tool, ToolCall
from isthmus.wire.chat_body import Dialect, Spelling, render_chat
from isthmus.wire.chat_request import parse_chat
from tests.wire.chat_samples import CALL, DIALECTS, HELLO, WHOLE, request
from tests.wire.pictures import image

TEXT = st.text(max_size=20)
SOME = st.none() | TEXT
PARTS = st.builds(TextPart, TEXT) | st.builds(
    ImagePart, st.sampled_from([image(1, 2), "https://example.org/x.png"]), SOME
)
SCHEMAS = st.fixed_dictionaries({"type": st.just("object"), "description": TEXT})
NAMES = st.text("abc_-/.", min_size=1, max_size=20)
TOOLS = st.lists(
    st.builds(Tool, NAMES, SOME, st.none() | SCHEMAS, st.none() | st.booleans()),
    max_size=2,
    unique_by=lambda tool: tool.name,
).map(tuple)
FORMATS = st.just({"type": "json_object"}) | SCHEMAS.map(
    lambda schema: {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
)
CALLS = st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=2).map(tuple)
CONTENT = TEXT | st.lists(PARTS, max_size=3).map(tuple)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    role = draw(st.sampled_from(get_args(Role)))
    return Message(
        role=role,
        content=draw(CONTENT),
        reasoning=draw(SOME),
        tool_calls=draw(CALLS) if role == "assistant" else (),
        tool_call_id=draw(st.text(min_size=1, max_size=20) if role == "tool" else SOME),
        name=draw(SOME),
    )


def between(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high)


REQUESTS = st.builds(
    GenerationRequest,
    # Two in a row of the model's may be one that came in pieces.
    messages=st.lists(messages(), min_size=1, max_size=4)
    .filter(lambda said: not any(a.role == b.role == "assistant" for a, b in pairwise(said)))
    .map(tuple),
    max_tokens=st.none() | st.integers(1, 2**31 - 1),
    temperature=between(0, 2),
    top_p=between(0, 1),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    stop=st.lists(st.text(min_size=1, max_size=20), max_size=4).map(tuple),
    presence_penalty=between(-2, 2),
    frequency_penalty=between(-2, 2),
    logit_bias=st.none()
    | st.dictionaries(st.integers(0, 10**9 - 1).map(str), st.floats(-100, 100), max_size=3),
    n=st.integers(1, 16),
    effort=st.none() | st.sampled_from(get_args(Effort)),
    top_logprobs=st.none() | st.integers(0, 20),
    tools=TOOLS,
    parallel_tool_calls=st.none() | st.booleans(),
    response_format=st.none() | FORMATS,
    top_k=st.none() | st.integers(-1, 2**31 - 1),
    min_p=between(0, 1),
    repeat_penalty=between(0.1, 10),
    reasoning_budget=st.none() | st.integers(0, 2**31 - 1),
)


def as_passed_on(request: GenerationRequest, dialect: Dialect) -> GenerationRequest:
    """What a dialect changes in a request, and no more."""
    messages = request.messages
    messages = tuple(
        msgspec.structs.replace(each, role="system") if each.role == "developer" else each
        for each in messages
    )
    if dialect == "hosted":
        messages = tuple(msgspec.structs.replace(each, reasoning=None) for each in messages)
    if dialect == "llama" and request.top_logprobs == 0:
        request = msgspec.structs.replace(request, top_logprobs=1)
    if dialect == "hosted":
        request = msgspec.structs.replace(request, top_k=None, min_p=None, repeat_penalty=None)
    if dialect == "llama" and request.effort is not None:
        template = {"reasoning_effort": request.effort, "enable_thinking": request.effort != "none"}
        request = msgspec.structs.replace(request, template=template)
    budget = request.reasoning_budget if dialect == "llama" else None
    return msgspec.structs.replace(request, messages=messages, reasoning_budget=budget)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(request=REQUESTS)
def test_what_is_passed_on_reads_the_same(dialect, request):
    call = parse_chat(render_chat(request, "m", dialect))
    assert call.request == as_passed_on(request, dialect)
    assert (call.model, call.stream, call.include_usage) == ("m", True, True)
    assert call.ignored == (("verbose",) if dialect == "llama" and request.stop else ())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_was_not_given_is_not_sent(dialect):
    assert json.loads(render_chat(request(), "m", dialect)) == {
        "model": "m",
        "messages": HELLO,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_an_address_may_have_names_of_its_own():
    spelling = Spelling(
        length="max_completion_tokens", seed="random_seed", usage=False, developer=True, call_extra={"x": 1}
    )
    asked = request(
        max_tokens=5, seed=3, messages=[{"role": "developer", "content": "Be brief."}, ANSWERED[2]]
    )
    sent = json.loads(render_chat(asked, "m", "hosted", spelling, {"thinking": {"type": "disabled"}}))
    assert sent.keys() == {
        "model",
        "messages",
        "stream",
        "max_completion_tokens",
        "random_seed",
        "thinking",
    }
    assert [each["role"] for each in sent["messages"]] == ["developer", "assistant"]
    assert sent["messages"][1]["tool_calls"][0]["x"] == 1


@pytest.mark.parametrize("effort", get_args(Effort))
def test_effort_reaches_the_template_of_our_own_worker(effort):
    sent = json.loads(render_chat(request(reasoning_effort=effort), "m", "llama"))
    assert sent["chat_template_kwargs"] == {
        "reasoning_effort": effort,
        "enable_thinking": effort != "none",
    }
    assert sent["reasoning_effort"] == effort


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        ("llama", {"add_generation_prompt": False, "continue_final_message": "content"}),
        ("runner", {"add_generation_prompt": False, "continue_final_message": True}),
    ],
)
def test_an_answer_that_has_begun_is_gone_on_with(dialect, told):
    begun = GenerationRequest((Message("user", "hi"), Message("assistant", reasoning="hm")), continues=True)
    sent = json.loads(render_chat(begun, "m", dialect))
    assert {name: sent[name] for name in told} == told
    assert sent["messages"][-1]["reasoning_content"] == "hm"


def test_our_own_worker_keeps_a_budget_of_thinking():
    asked = GenerationRequest((Message("user", "hi"),), reasoning_budget=9, reasoning_closing="So.")
    sent = json.loads(render_chat(asked, "m", "llama"))
    assert (sent["thinking_budget_tokens"], sent["reasoning_budget_message"]) == (9, "So.")


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        ("llama", {"reasoning_effort": "low", "enable_thinking": False, "x": 1}),
        ("runner", {"enable_thinking": False, "x": 1}),
        ("hosted", None),
    ],
)
def test_what_a_template_is_told_stays_with_open_models(dialect, told):
    asked = request(reasoning_effort="low", chat_template_kwargs={"enable_thinking": False, "x": 1})
    assert json.loads(render_chat(asked, "m", dialect)).get("chat_template_kwargs") == told


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


def test_what_leaves_is_what_openai_publishes():
    call = parse_chat(json.dumps({**json.loads(WHOLE), "messages": ANSWERED}).encode())
    sent = json.loads(render_chat(call.request, "m", "hosted"))
    PUBLISHED.validate_python(sent, strict=True, extra="forbid")
    for each in sent["messages"]:
        PUBLISHED_MESSAGE.validate_python(each, strict=True)
    for each in sent["tools"]:
        PUBLISHED_TOOL.validate_python(each, strict=True)
