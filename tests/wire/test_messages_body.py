import json

import pytest

from isthmus.errors import RequestError
from isthmus.messages import GenerationRequest, ImagePart, Message, TextPart, Tool, ToolCall
from isthmus.wire.messages_body import render_messages
from tests.wire.pictures import image


def sent(*messages, **more):
    return json.loads(render_messages(GenerationRequest(messages, max_tokens=5, **more), "m"))


def test_instructions_stand_beside_the_conversation():
    body = sent(Message("system", "Be brief."), Message("developer", "Be kind."), Message("user", "Hi."))
    assert body["system"] == "Be brief.\n\nBe kind."
    assert [each["role"] for each in body["messages"]] == ["user"]


def test_results_are_the_persons_and_turns_of_one_side_are_one_turn():
    calls = (ToolCall("a", "f", '{"x": 1}'), ToolCall("b", "f", ""))
    body = sent(
        Message("user", "Do it."),
        Message("assistant", "Well.", tool_calls=calls, reasoning="mine"),
        Message("tool", "1", tool_call_id="a"),
        Message("tool", "", tool_call_id="b"),
        Message("user", "And?"),
    )
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Do it."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Well."},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "1"}]},
                {"type": "tool_result", "tool_use_id": "b", "content": []},
                {"type": "text", "text": "And?"},
            ],
        },
    ]


def test_images_lie_in_the_request_or_elsewhere():
    data = image(1, 2)
    parts = (TextPart("Look:"), ImagePart(data), ImagePart("https://example.org/x.png"))
    _, inline, remote = sent(Message("user", parts))["messages"][0]["content"]
    assert inline["source"]["type"] == "base64"
    assert data.endswith(inline["source"]["data"])
    assert remote["source"] == {"type": "url", "url": "https://example.org/x.png"}


@pytest.mark.parametrize(
    ("choice", "parallel", "rendered"),
    [
        (None, None, None),
        ("auto", None, {"type": "auto"}),
        ("none", True, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, None, {"type": "tool", "name": "f"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", True, {"type": "any", "disable_parallel_tool_use": False}),
    ],
)
def test_which_tool_is_to_be_called(choice, parallel, rendered):
    tools = (Tool("f", "Does.", {"properties": {}}),)
    body = sent(Message("user", "Hi."), tools=tools, tool_choice=choice, parallel_tool_calls=parallel)
    assert body.get("tool_choice") == rendered
    assert body["tools"] == [
        {"name": "f", "description": "Does.", "input_schema": {"type": "object", "properties": {}}}
    ]
    assert "tool_choice" not in sent(Message("user", "Hi."), tool_choice=choice, parallel_tool_calls=parallel)


def test_a_shape_and_an_effort_are_its_output():
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    body = sent(Message("user", "Hi."), response_format=form, effort="minimal", stop=("END",))
    assert body["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": {"type": "object"}},
    }
    assert body["stop_sequences"] == ["END"]


@pytest.mark.parametrize("arguments", ["{", "[]", "1", '{"x": ' + "[" * 100_000])
def test_arguments_that_are_no_object_can_not_be_passed_on(arguments):
    with pytest.raises(RequestError, match="the arguments of an earlier tool call are not a JSON object"):
        sent(Message("assistant", "", tool_calls=(ToolCall("a", "f", arguments),)))
