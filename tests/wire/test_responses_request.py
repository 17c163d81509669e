import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.errors import RequestError
from isthmus.messages import Message
from isthmus.wire.responses_request import parse_responses


def parsed(keeps=True, **body):
    return parse_responses(json.dumps(body).encode(), keeps=keeps)


def call_of(history=(), keeps=True, **body):
    asked = parsed(keeps, **{"input": "hi", **body})
    return asked.call(list(history), asked.items)


def echo_of(**body):
    return json.loads(call_of(**body).echo)


def test_what_is_asked_for_is_asked_of_the_model():
    schema = {"type": "object", "properties": {}}
    call = call_of(
        model="m",
        instructions="be brief",
        max_output_tokens=9,
        temperature=0.5,
        top_p=0.9,
        presence_penalty=1,
        frequency_penalty=-1,
        reasoning={"effort": "low"},
        top_logprobs=3,
        parallel_tool_calls=False,
        truncation="auto",
        text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}},
        tools=[{"type": "function", "name": "add"}],
        tool_choice="required",
        stream=True,
        isthmus={"handoff": "off"},
    )
    request = call.request
    assert request.messages == (Message("system", "be brief"), Message("user", "hi"))
    assert (request.max_tokens, request.temperature, request.top_p) == (9, 0.5, 0.9)
    assert (request.presence_penalty, request.frequency_penalty) == (1, -1)
    assert (request.effort, request.top_logprobs, request.truncation) == ("low", 3, "oldest")
    assert (request.parallel_tool_calls, request.tool_choice) == (False, "required")
    assert request.response_format == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": schema, "strict": True},
    }
    assert [tool.name for tool in request.tools] == ["add"]
    assert (call.model, call.stream, call.handoff, call.ignored) == ("m", True, "off", ())


def test_a_plain_question_asks_for_nothing_else():
    call = call_of()
    assert call.request.messages == (Message("user", "hi"),)
    assert (call.request.top_logprobs, call.request.response_format, call.request.truncation) == (
        None,
        None,
        "none",
    )
    assert (call.store, call.background, call.stream, call.summary) == (True, False, False, False)


def test_a_conversation_goes_on_without_its_old_instructions():
    earlier = parsed(input="one", instructions="old").items
    call = call_of(earlier, input="two", instructions="new", previous_response_id="resp_1")
    assert call.request.messages == (Message("system", "new"), Message("user", "one"), Message("user", "two"))
    assert [item["content"][0]["text"] for item in call.items] == ["two"]
    assert call.previous_id == "resp_1"


@pytest.mark.parametrize(
    ("include", "scores"),
    [([], None), (["message.output_text.logprobs"], 0), (["reasoning.encrypted_content"], None)],
)
def test_log_probabilities_can_be_included(include, scores):
    assert call_of(include=include).request.top_logprobs == scores
    assert call_of(include=include, top_logprobs=0).request.top_logprobs == scores


def test_the_response_says_what_was_asked():
    echo = echo_of(
        instructions="be brief",
        temperature=0.0,
        metadata={"a": "b"},
        reasoning={"summary": "auto"},
        store=False,
    )
    assert (echo["instructions"], echo["temperature"], echo["metadata"]) == ("be brief", 0.0, {"a": "b"})
    assert (echo["reasoning"], echo["store"]) == ({"effort": None, "summary": "auto"}, False)
    usual = echo_of()
    assert (usual["temperature"], usual["top_p"], usual["truncation"]) == (1.0, 1.0, "disabled")
    assert (usual["tool_choice"], usual["text"]["format"]) == ("auto", {"type": "text"})


@pytest.mark.parametrize("mode", [None, "auto", "none", "required"])
def test_a_choice_among_some_tools_says_its_mode(mode):
    tool = {"type": "function", "name": "add"}
    choice = {"type": "allowed_tools", "tools": [tool], **({"mode": mode} if mode else {})}
    assert echo_of(tools=[tool], tool_choice=choice)["tool_choice"] == {**choice, "mode": mode or "auto"}


def test_a_coding_agents_request_is_taken_as_it_is():
    call = call_of(
        model="gpt-oss",
        instructions="You are a coding agent.",
        input=[{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "fix it"}]}],
        tools=[
            {"type": "function", "name": "shell", "strict": False, "parameters": {"type": "object"}},
            {
                "type": "custom",
                "name": "apply_patch",
                "format": {"type": "grammar", "syntax": "lark", "definition": "x"},
            },
            {
                "type": "namespace",
                "name": "mcp__a",
                "description": "",
                "tools": [{"type": "function", "name": "b", "defer_loading": True}],
            },
            {"type": "web_search", "external_web_access": False},
            {"type": "image_generation", "output_format": "png"},
        ],
        tool_choice="auto",
        parallel_tool_calls=False,
        reasoning={"effort": "medium", "summary": "auto"},
        store=False,
        stream=True,
        include=["reasoning.encrypted_content"],
        prompt_cache_key="k",
        prompt_cache_options={"mode": "implicit"},
        client_metadata={"session": "x"},
        service_tier="priority",
        text={"verbosity": "medium"},
    )
    assert [tool.name for tool in call.request.tools] == ["shell", "apply_patch", "mcp__a__b"]
    assert call.ignored == ("tools.web_search", "tools.image_generation")


def test_what_has_no_effect_is_named():
    given = [{"type": "web_search_call", "id": "w"}, {"role": "user", "content": "hi"}]
    call = call_of(sparkle=1, text={"verbosity": "low"}, input=given)
    assert call.ignored == ("sparkle", "text.verbosity", "input.web_search_call")
    assert call_of(include=["web_search_call.results"]).ignored == ("include.web_search_call.results",)
    told = call_of(timings_per_token=True, return_progress=True)
    assert told.ignored == ("return_progress", "timings_per_token")
    assert call_of(keeps=False, store=True).ignored == ("store",)
    assert call_of(keeps=False).ignored == ()


def test_nothing_is_stored_where_nothing_is_kept():
    call = call_of(keeps=False)
    assert (call.store, json.loads(call.echo)["store"]) == (False, False)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"reasoning": {"effort": "colossal"}}, "reasoning.effort"),
        ({"truncation": "maybe"}, "truncation"),
        ({"tool_choice": "always"}, "tool_choice"),
        ({"temperature": 3}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"text": {"format": {"type": "yaml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"background": True, "store": False}, "background"),
        ({"input": []}, "input"),
        ({"input": None}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"tools": [{"name": "x"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"isthmus": {"handof": "off"}}, "isthmus.handof"),
    ],
)
def test_a_bad_request_names_its_parameter(body, param):
    with pytest.raises(RequestError) as raised:
        call_of(**body)
    assert raised.value.param == param


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"x"', b"[" * 100_000])
def test_what_is_no_request_is_refused(body):
    with pytest.raises(RequestError):
        parse_responses(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [
    "input",
    "tools",
    "tool_choice",
    "text",
    "reasoning",
    "include",
    "metadata",
    "instructions",
    "store",
]
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        name: st.sampled_from(["message", "reasoning", "function_call", "x_call", "x_output", "user", "c"])
        | JSON
        for name in (
            "type",
            "role",
            "content",
            "call_id",
            "output",
            "summary",
            "name",
            "arguments",
            "tools",
            "id",
        )
    },
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON | st.lists(ITEMS, max_size=3)))
def test_any_json_is_read_or_refused(body):
    with suppress(RequestError):
        asked = parse_responses(json.dumps(body).encode())
        if not asked.refers:
            assert json.loads(asked.call([], asked.items).echo)["object"] == "response"
