"""Messages requests as Anthropic's clients send them."""

import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.messages import EFFORTS, Message
from isthmus.wire.messages_request import parse_count, parse_messages

HI = [{"role": "user", "content": "hi"}]
TOOL = {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}


def parse(**body):
    return parse_messages(json.dumps({"max_tokens": 64, "messages": HI, **body}).encode())


def refused(body):
    with pytest.raises(RequestError) as error:
        parse_messages(body if isinstance(body, bytes) else json.dumps(body).encode())
    return error.value


def test_all_that_a_request_may_ask_for():
    call = parse(
        model="m",
        stream=True,
        system="Be brief.",
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop_sequences=["END", "\n\n"],
        tools=[TOOL],
        metadata={"user_id": "me"},
        service_tier="auto",
        cache_control={"type": "ephemeral"},
    )
    request = call.request
    assert (call.model, call.stream, call.max_tokens, call.ignored) == ("m", True, 64, ())
    assert request.messages == (Message("system", "Be brief."), Message("user", "hi"))
    assert (request.temperature, request.top_p, request.top_k) == (0.5, 0.9, 40)
    assert (request.max_tokens, request.stop) == (64, ("END", "\n\n"))
    assert [tool.name for tool in request.tools] == ["add"]


@pytest.mark.parametrize(
    ("asked", "choice", "parallel"),
    [
        ({"type": "auto"}, "auto", None),
        ({"type": "any"}, "required", None),
        ({"type": "none"}, "none", None),
        ({"type": "tool", "name": "add"}, {"type": "function", "function": {"name": "add"}}, None),
        ({"type": "any", "disable_parallel_tool_use": True}, "required", False),
        ({"type": "auto", "disable_parallel_tool_use": False}, "auto", None),
    ],
)
def test_how_tools_may_be_used(asked, choice, parallel):
    request = parse(tools=[TOOL], tool_choice=asked).request
    assert (request.tool_choice, request.parallel_tool_calls) == (choice, parallel)


@pytest.mark.parametrize(
    ("more", "effort", "budget"),
    [
        ({}, None, None),
        ({"thinking": {"type": "disabled"}}, "none", None),
        ({"thinking": {"type": "adaptive"}}, None, None),
        ({"thinking": {"type": "between_tools"}}, None, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, "low", 2048),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium", 10_000),
        ({"thinking": {"type": "enabled", "budget_tokens": 31_999}}, "high", 31_999),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, "high", None),
        ({"output_config": {"effort": "max"}}, "xhigh", None),
        *[({"output_config": {"effort": each}}, each, None) for each in EFFORTS],
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}, "none", None),
    ],
)
def test_how_hard_to_think(more, effort, budget):
    request = parse(**more).request
    assert (request.effort, request.reasoning_budget) == (effort, budget)


@pytest.mark.parametrize("display", [None, "summarized", "omitted"])
@pytest.mark.parametrize("kind", [{"type": "adaptive"}, {"type": "enabled", "budget_tokens": 2048}])
def test_whether_thinking_is_shown(display, kind):
    assert parse(thinking={**kind, "display": display}).show_thinking == (display != "omitted")


@pytest.mark.parametrize("name", ["output_config", "output_format"])
def test_the_form_of_an_answer(name):
    form = {"type": "json_schema", "schema": {"type": "object"}}
    asked = parse(**{name: {"format": form} if name == "output_config" else form}).request.response_format
    assert asked["json_schema"]["schema"] == {"type": "object"}
    assert asked["json_schema"]["strict"] is True


def test_what_nobody_here_does_is_accepted_and_named():
    call = parse(
        sparkle=1,
        context_management={"edits": []},
        container="container_1",
        mcp_servers=[{"type": "url", "url": "https://example.com", "name": "x"}],
        tools=[{"type": "web_search_20250305", "name": "web_search"}, TOOL],
    )
    assert call.ignored == (
        "container",
        "context_management",
        "mcp_servers",
        "sparkle",
        "tools[0] (web_search_20250305)",
    )
    assert [tool.name for tool in call.request.tools] == ["add"]


def test_a_hand_off_mode_may_be_asked_for():
    assert parse(isthmus={"handoff": "off"}).handoff == "off"


def test_a_count_takes_a_prompt_and_lists_only_what_is_not_known():
    call = parse_count(json.dumps({"messages": HI, "max_tokens": 1, "tools": [TOOL], "sparkle": 1}).encode())
    assert call.request.messages == (Message("user", "hi"),)
    assert call.ignored == ("sparkle",)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        ({"messages": HI}, "max_tokens"),
        ({"max_tokens": 0, "messages": HI}, "max_tokens"),
        ({"max_tokens": 1}, "messages"),
        ({"max_tokens": 1, "messages": []}, "messages"),
        ({"max_tokens": 1, "messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
        ({"max_tokens": 1, "messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        (
            {"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "smell"}]}]},
            "messages[0].content[0].type",
        ),
        ({"max_tokens": 1, "messages": HI, "temperature": "hot"}, "temperature"),
        ({"max_tokens": 1, "messages": HI, "top_k": -1}, "top_k"),
        ({"max_tokens": 1, "messages": HI, "stop_sequences": [""]}, "stop_sequences[0]"),
        ({"max_tokens": 1, "messages": HI, "stop_sequences": ["x"] * 17}, "stop_sequences"),
        ({"max_tokens": 1, "messages": HI, "thinking": {"type": "deep"}}, "thinking.type"),
        ({"max_tokens": 1, "messages": HI, "thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"max_tokens": 1, "messages": HI, "output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"max_tokens": 1, "messages": HI, "tools": [{"name": "add"}]}, "tools[0].input_schema"),
        ({"max_tokens": 1, "messages": HI, "tools": [{"input_schema": {}}]}, "tools[0].name"),
        ({"max_tokens": 1, "messages": HI, "tools": [TOOL, TOOL]}, "tools[1].name"),
        ({"max_tokens": 1, "messages": HI, "tool_choice": {"type": "any"}}, "tool_choice"),
        ({"max_tokens": 1, "messages": HI, "tool_choice": {"type": "some"}}, "tool_choice.type"),
        (
            {"max_tokens": 1, "messages": HI, "tools": [TOOL], "tool_choice": {"type": "tool", "name": "b"}},
            "tool_choice",
        ),
        ({"max_tokens": 1, "messages": HI, "isthmus": {"handof": "off"}}, "isthmus.handof"),
    ],
)
def test_what_can_not_be_read_names_its_parameter(body, param):
    error = refused(body)
    assert (error.http_status, error.param) == (400, param)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["type", "text", "source", "content", "name", "input", "id", "thinking", "data"])
TYPES = st.sampled_from(["text", "image", "document", "tool_use", "tool_result", "thinking", "base64", "url"])
BLOCK = st.dictionaries(KEYS, TYPES | JSON, max_size=5)
TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(BLOCK)}
)


@given(st.lists(TURN, min_size=1, max_size=3), st.dictionaries(st.sampled_from(["system", "tools"]), JSON))
def test_whatever_comes_is_read_or_refused(turns, more):
    body = msgspec.json.encode({"max_tokens": 1, "messages": turns, **more})
    with suppress(RequestError):
        assert all(isinstance(message, Message) for message in parse_messages(body).request.messages)
