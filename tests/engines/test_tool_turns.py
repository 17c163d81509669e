from isthmus.engines.tool_turns import with_object_arguments, without_tool_roles
from isthmus.messages import Message, ToolCall

ASK = Message("user", "1+1 and 2+2?")
CALLS = Message(
    "assistant", "Let me add.", tool_calls=(ToolCall("a", "add", '{"a": 1}'), ToolCall("b", "add", "oops"))
)
RESULTS = (Message("tool", "2", tool_call_id="a"), Message("tool", "4", tool_call_id="b"))


def test_calls_and_results_become_text_for_a_template_that_knows_none():
    ask, calls, results, last = without_tool_roles((ASK, CALLS, *RESULTS, Message("user", "Sure?")))
    assert (ask, last) == (ASK, Message("user", "Sure?"))
    assert calls == Message(
        "assistant",
        'Let me add.\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
        '\n<tool_call>\n{"name": "add", "arguments": {"text":"oops"}}\n</tool_call>',
    )
    assert results == Message(
        "user", "<tool_response>\n2\n</tool_response>\n<tool_response>\n4\n</tool_response>"
    )


def test_arguments_that_are_no_object_become_one():
    (called,) = with_object_arguments(
        (
            Message(
                "assistant",
                tool_calls=tuple(ToolCall("i", "f", each) for each in ('{"a":1}', "", "[1]", "{")),
            ),
        )
    )
    assert [call.arguments for call in called.tool_calls] == [
        '{"a":1}',
        "{}",
        '{"text":"[1]"}',
        '{"text":"{"}',
    ]
    assert with_object_arguments((ASK, *RESULTS)) == (ASK, *RESULTS)
