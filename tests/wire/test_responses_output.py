import pytest

from isthmus.messages import TokenScore
from isthmus.wire.responses_output import CustomCallItem, FunctionCallItem, MessageItem, ReasoningItem
from isthmus.wire.responses_tools import Known

ADD = Known("function", "add")
PATCH = Known("custom", "patch", "files")


def kinds(told):
    return [kind.removeprefix("response.") for kind, _ in told]


def test_a_message_has_its_part_once_that_was_told_of():
    message = MessageItem(2)
    added, part = message.begin()
    assert added[1] == {
        "output_index": 2,
        "item": {**message.value, "content": []},
    }
    assert part[1]["part"] == {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    message.note("a")
    (delta,) = message.add("b", [TokenScore("b", -1.0)])
    assert (delta[1]["delta"], delta[1]["logprobs"][0]["token"]) == ("b", "b")
    assert kinds(message.end("completed")) == ["output_text.done", "content_part.done", "output_item.done"]
    assert (message.value["status"], message.value["content"][0]["text"]) == ("completed", "ab")


def test_thinking_is_its_own_summary_where_one_is_asked_for():
    thought = ReasoningItem(0, summary=True)
    assert (thought.value["summary"], thought.value["content"]) == ([], [])
    thought.begin()
    assert kinds(thought.add("hm")) == ["reasoning_summary_text.delta", "reasoning_text.delta"]
    assert thought.value["summary"] == [{"type": "summary_text", "text": "hm"}]


@pytest.mark.parametrize(
    ("arguments", "whole"),
    [
        ("", False),
        ("{}", True),
        ('{"a": 1', False),
        ('{"a": 1}', True),
        ("[]", False),
        ("1", False),
        ("{}{", False),
    ],
)
def test_arguments_are_whole_when_they_are_an_object(arguments, whole):
    call = FunctionCallItem(0, ADD, "c")
    call.add(arguments)
    assert call.whole is whole


def test_a_call_without_arguments_has_an_empty_object():
    call = FunctionCallItem(0, ADD, "c")
    assert kinds(call.end("completed")) == [
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ]
    assert (call.value["arguments"], call.value["name"]) == ("{}", "add")


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ('{"input": "a\\n"}', "a\n"),
        ('{"input": "cut o', "cut o"),
        ('{"why": "so", "input": "b"}', "b"),
        ('{"input": 1}', '{"input": 1}'),
        ("raw", "raw"),
        ('{"input": ""}', ""),
    ],
)
def test_a_custom_tools_input_is_what_was_wrapped(arguments, given):
    call = CustomCallItem(0, PATCH, "c")
    told = [*call.add(arguments), *call.end("completed")]
    assert told[-2][1]["input"] == call.value["input"] == given
    assert kinds(told).count("custom_tool_call_input.delta") == bool(given)
    assert call.value["namespace"] == "files"
