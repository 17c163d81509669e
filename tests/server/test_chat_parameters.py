"""Every parameter of Chat Completions over real HTTP, and what the openai client makes of the answers."""

import json
from typing import Literal

import openai
import pytest
from pydantic import BaseModel

from isthmus.engines.scripted import ScriptedEngine
from isthmus.messages import Finish, ModelInfo, TextDelta, TokenScore, TokenScores, ToolCallDelta, Usage
from tests.server.test_chat import client, post
from tests.server.tiny import TinyLoader
from tests.wire.pictures import image

HI = [{"role": "user", "content": "hi"}]
HELLO = [TextDelta("Hello"), Finish("stop", Usage(10, 2))]
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
FORM = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
SILENT = {
    "user": "u",
    "metadata": {"a": "b"},
    "store": True,
    "service_tier": "auto",
    "prediction": {"type": "content", "content": "x"},
    "prompt_cache_key": "k",
    "safety_identifier": "s",
    "modalities": ["text"],
    "stream_options": {"include_usage": True, "include_obfuscation": True},
}


def test_parameters_of_the_client_reach_the_model(serving):
    engine = ScriptedEngine(HELLO)
    with serving(engine) as server:
        client(server).chat.completions.create(
            model="scripted",
            messages=HI,
            max_completion_tokens=9,
            temperature=0.1,
            top_p=0.9,
            seed=7,
            stop=["a", "b", "c", "d", "e"],
            presence_penalty=0.5,
            frequency_penalty=-0.5,
            logit_bias={"15": -100},
            tools=[ADD],
            tool_choice={"type": "function", "function": {"name": "add"}},
            parallel_tool_calls=False,
            response_format=FORM,
            reasoning_effort="none",
            extra_body={"top_k": 20, "min_p": 0.05, "repeat_penalty": 1.1},
        )
    (asked,) = engine.requests
    assert (asked.max_tokens, asked.temperature, asked.top_p, asked.seed) == (9, 0.1, 0.9, 7)
    assert (asked.stop, asked.presence_penalty, asked.frequency_penalty) == (tuple("abcde"), 0.5, -0.5)
    assert (asked.logit_bias, asked.effort) == ({"15": -100}, "none")
    assert (asked.top_k, asked.min_p, asked.repeat_penalty) == (20, 0.05, 1.1)
    assert (asked.tools[0].strict, asked.tool_choice, asked.parallel_tool_calls) == (
        True,
        {"type": "function", "function": {"name": "add"}},
        False,
    )
    assert asked.response_format == FORM


@pytest.mark.parametrize(("name", "value"), SILENT.items(), ids=SILENT)
def test_parameters_without_effect_are_taken_without_a_word(serving, name, value):
    with serving(ScriptedEngine(HELLO)) as server:
        status, headers, _ = post(server, {"messages": HI, name: value})
    assert status == 200
    assert "x-isthmus-ignored-parameters" not in headers


def test_one_that_would_change_an_answer_a_little_is_told(serving):
    with serving(ScriptedEngine(HELLO)) as server:
        status, headers, _ = post(server, {"messages": HI, "verbosity": "low"})
    assert (status, headers["x-isthmus-ignored-parameters"]) == (200, "verbosity")


@pytest.mark.parametrize(
    ("parameters", "param"),
    [
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logit_bias": {"the": 1}}, "logit_bias"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"n": 17}, "n"),
        ({"functions": [{"name": "add"}]}, "functions"),
        ({"function_call": "none"}, "function_call"),
        ({"modalities": ["text", "audio"], "audio": {"voice": "ash"}}, "audio"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"tools": [ADD | {"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [ADD, ADD]}, "tools[1].function.name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "sub"}}}, "tool_choice"),
        ({"response_format": {"type": "yaml"}}, "response_format.type"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "http://x/y"}}}},
            "response_format.json_schema.schema.$ref",
        ),
        ({"messages": [{"role": "tool", "content": "2"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
            "messages[0].content[0].type",
        ),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_not_done_is_refused_by_name(serving, parameters, param):
    with serving(ScriptedEngine(HELLO)) as server:
        status, _, answer = post(server, {"messages": HI} | parameters)
        assert (status, json.loads(answer)["error"]["param"]) == (400, param)
        assert post(server, {"messages": HI})[0] == 200


def test_streamed_calls_have_openais_shape(serving):
    script = [
        ToolCallDelta(0, "call_a", "add", ""),
        ToolCallDelta(0, arguments='{"a":'),
        ToolCallDelta(0, arguments="1}"),
        ToolCallDelta(1, "call_b", "add", ""),
        ToolCallDelta(1, arguments='{"a":2}'),
        Finish("tool_calls", Usage(1, 1)),
    ]
    with serving(ScriptedEngine(script)) as server:
        _, _, raw = post(server, {"messages": HI, "tools": [ADD], "stream": True})
        with client(server).chat.completions.stream(model="scripted", messages=HI, tools=[ADD]) as stream:
            for _ in stream:
                pass
            whole = stream.get_final_completion()
    chunks = [json.loads(line[6:]) for line in raw.splitlines() if line.startswith(b"data: {")]
    deltas = [
        call
        for chunk in chunks
        for choice in chunk["choices"]
        for call in choice["delta"].get("tool_calls", ())
    ]
    assert deltas == [
        {"index": 0, "id": "call_a", "type": "function", "function": {"name": "add", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a":'}},
        {"index": 0, "function": {"arguments": "1}"}},
        {"index": 1, "id": "call_b", "type": "function", "function": {"name": "add", "arguments": ""}},
        {"index": 1, "function": {"arguments": '{"a":2}'}},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    calls = whole.choices[0].message.tool_calls
    assert [(call.id, call.function.arguments) for call in calls] == [
        ("call_a", '{"a":1}'),
        ("call_b", '{"a":2}'),
    ]


def test_half_a_character_keeps_its_bytes(serving):
    scores = TokenScores((TokenScore("\ufffd", -1.0, (TokenScore("a", -2.0),), raw=b"\xf0\x9f"),))
    with serving(ScriptedEngine([scores, *HELLO])) as server:
        answer = client(server).chat.completions.create(
            model="scripted", messages=HI, logprobs=True, top_logprobs=1
        )
    (token,) = answer.choices[0].logprobs.content
    assert token.bytes == [240, 159]
    assert token.top_logprobs[0].bytes == [97]


def seen(url):
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    return {"messages": [{"role": "user", "content": content}]}


def test_an_image_reaches_a_model_that_sees_and_no_other(serving):
    engine = ScriptedEngine(HELLO, model=ModelInfo("sees", local=True, vision=True))
    with serving(engine) as server:
        assert post(server, {"messages": HI})[0] == 200  # what a model sees is known once it is loaded
        assert post(server, seen(image(2, 2)))[0] == 200
    assert engine.requests[1].messages[0].images == 1
    blind = ScriptedEngine(HELLO)
    with serving(blind) as server:
        status, _, answer = post(server, seen(image(2, 2)))
    assert status == 400
    assert "vision" in json.loads(answer)["error"]["message"]
    assert blind.requests == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:image/png;base64,AAAA", image(60_000, 60_000)])
def test_an_image_that_is_none_is_refused(serving, url):
    with serving(ScriptedEngine(HELLO)) as server:
        status, _, answer = post(server, seen(url))
    assert (status, json.loads(answer)["error"]["param"]) == (
        400,
        "messages[0].content[1].image_url.url",
    )


# ---------------------------------------------------------------- over real weights


class Weather(BaseModel):
    sky: Literal["blue", "grey"]
    warm: bool


def test_tools_and_structured_output_over_real_weights(serving, settings, tiny):
    with serving(TinyLoader(settings(engine__context_length=1024), tiny), mib=4000) as server:
        chat = client(server).chat.completions
        asked = [{"role": "user", "content": "How is the weather? Then add 1 and 2."}]
        terms = {"model": "default", "messages": asked, "max_tokens": 120, "temperature": 0}
        with chat.stream(**terms, tools=[ADD], tool_choice="required", parallel_tool_calls=False) as stream:
            for _ in stream:
                pass
            called = stream.get_final_completion().choices[0]
        parsed = chat.parse(**terms, response_format=Weather).choices[0].message.parsed
        with chat.stream(**terms, response_format=Weather) as stream:
            for _ in stream:
                pass
            streamed = stream.get_final_completion().choices[0].message.parsed
        assert called.finish_reason == "tool_calls"
        (call,) = called.message.tool_calls
        assert set(json.loads(call.function.arguments)) == {"a", "b"}
        assert called.message.content in (None, "")
        assert isinstance(parsed, Weather)
        assert isinstance(streamed, Weather)
        loose = {"type": "object", "properties": {"p": {"type": "number", "maximum": 1}}}
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": loose, "strict": True}}
        with pytest.raises(openai.BadRequestError) as caught:
            chat.create(**terms, response_format=form)
        assert caught.value.param == "response_format.json_schema.schema.properties.p.maximum"
        far = {"url": "https://example.org/x.png"}
        content = [{"type": "image_url", "image_url": far}]
        with pytest.raises(openai.BadRequestError):
            chat.create(model="default", messages=[{"role": "user", "content": content}])
