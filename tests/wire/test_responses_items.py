import pytest
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter

from isthmus.errors import RequestError
from isthmus.messages import ImagePart, Message, TextPart, ToolCall
from isthmus.wire.responses_items import as_messages, read_input, tools_in
from isthmus.wire.responses_summary import packed, recalled
from isthmus.wire.responses_tools import GivenTool, Toolbox

ITEM = TypeAdapter(ResponseItem)
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)
MAIL = GivenTool("namespace", "mail", tools=[GivenTool("function", "send")])


def messages(*items, tools=()):
    return as_messages(read_input(list(items)), Toolbox(tools))[0]


def user(text):
    return {"role": "user", "content": text}


def call(id_="c", **changes):
    return {"type": "function_call", "call_id": id_, "name": "add", "arguments": "{}", **changes}


def test_a_text_is_what_a_user_says():
    (item,) = read_input("hi")
    assert (item["type"], item["role"], item["status"]) == ("message", "user", "completed")
    assert item["content"] == [{"type": "input_text", "text": "hi"}]
    assert messages(user("hi")) == [Message("user", "hi")]
    assert read_input(None) == []


def test_every_item_is_kept_as_openai_gives_it_back():
    given = [
        user("hi"),
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "be brief"}]},
        {"role": "user", "content": [{"type": "input_image", "image_url": PIXEL}]},
        {"role": "assistant", "content": "Hello"},
        {
            "role": "assistant",
            "id": "msg_1",
            "content": [{"type": "refusal", "refusal": "no"}],
            "phase": "final_answer",
        },
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": None, "encrypted_content": "x"},
        call(),
        {"type": "function_call_output", "call_id": "c", "output": "3", "status": None},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "3"}]},
        {"type": "custom_tool_call", "call_id": "d", "name": "patch", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "done"},
        {"type": "compaction", "id": None, "encrypted_content": packed("We met.")},
    ]
    kept = read_input(given)
    for item in kept:
        ITEM.validate_python(item, strict=True)
    assert kept[4]["id"] == "msg_1"
    assert len({item["id"] for item in kept}) == len(kept)
    assert read_input(kept) == kept


def test_a_turn_of_the_models_is_one_message():
    assert messages(
        user("1 + 2?"),
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "easy"}]},
        {"role": "assistant", "content": "Let me see."},
        call("a"),
        call("b", arguments=""),
        {"type": "function_call_output", "call_id": "a", "output": "3"},
        {"type": "function_call_output", "call_id": "b", "output": [{"type": "output_text", "text": "4"}]},
        {"role": "assistant", "content": "3"},
    ) == [
        Message("user", "1 + 2?"),
        Message(
            "assistant",
            "Let me see.",
            reasoning="easy",
            tool_calls=(ToolCall("a", "add", "{}"), ToolCall("b", "add", "{}")),
        ),
        Message("tool", "3", tool_call_id="a"),
        Message("tool", "4", tool_call_id="b"),
        Message("assistant", "3"),
    ]


def test_two_turns_of_the_models_stay_two():
    said = [{"role": "assistant", "content": text} for text in ("one", "two")]
    assert messages(*said) == [Message("assistant", "one"), Message("assistant", "two")]
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    assert messages(call("a"), thought, call("b")) == [
        Message("assistant", tool_calls=(ToolCall("a", "add", "{}"),)),
        Message("assistant", reasoning="hm", tool_calls=(ToolCall("b", "add", "{}"),)),
    ]


def test_thinking_is_replayed_in_full_rather_than_in_summary():
    both = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "short"}],
        "content": [{"type": "reasoning_text", "text": "long"}],
    }
    assert messages(both, {"role": "assistant", "content": "x"}) == [
        Message("assistant", "x", reasoning="long")
    ]


def test_a_thought_without_words_is_not_lost():
    thought = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}
    assert messages(thought, user("go on")) == [
        Message("assistant", reasoning="hm"),
        Message("user", "go on"),
    ]


def test_calls_go_by_the_names_that_the_model_knows():
    patch = {"type": "custom_tool_call", "call_id": "d", "name": "patch", "input": 'a "b"'}
    (turn,) = messages(call(name="send", namespace="mail"), patch, tools=[MAIL, GivenTool("custom", "patch")])
    assert turn.tool_calls == (
        ToolCall("c", "mail__send", "{}"),
        ToolCall("d", "patch", '{"input":"a \\"b\\""}'),
    )


def test_an_image_among_words():
    parts = [
        {"type": "input_text", "text": "what is this?"},
        {"type": "input_image", "image_url": PIXEL, "detail": "low"},
    ]
    assert messages({"role": "user", "content": parts}) == [
        Message("user", (TextPart("what is this?"), ImagePart(PIXEL, "low")))
    ]


def test_other_tools_calls_are_calls_too():
    shell = {
        "type": "local_shell_call",
        "id": "l",
        "call_id": "s",
        "status": "completed",
        "action": {"command": ["ls"]},
    }
    output = {"type": "local_shell_call_output", "call_id": "s", "output": "a.txt"}
    structured = {"type": "shell_call_output", "call_id": "t", "output": [{"stdout": "b"}]}
    assert messages(shell, output, structured) == [
        Message("assistant", tool_calls=(ToolCall("s", "local_shell", '{"action":{"command":["ls"]}}'),)),
        Message("tool", "a.txt", tool_call_id="s"),
        Message("tool", '[{"stdout":"b"}]', tool_call_id="t"),
    ]


def test_what_has_no_place_in_a_conversation_is_named():
    given = [
        {"type": "web_search_call", "id": "ws", "status": "completed"},
        {"type": "image_generation_call", "id": "ig", "status": "completed", "result": None},
        user("hi"),
    ]
    said, left_out = as_messages(read_input(given), Toolbox([]))
    assert (said, left_out) == ([Message("user", "hi")], ["web_search_call", "image_generation_call"])


def test_a_conversation_goes_on_from_its_summary():
    summary = {"type": "compaction", "encrypted_content": packed("Launch is on Tuesday.")}
    assert messages(summary, user("when?")) == [
        Message("user", recalled("Launch is on Tuesday.")),
        Message("user", "when?"),
    ]


def test_items_may_bring_tools():
    found = {"type": "tool_search_output", "call_id": "t", "tools": [{"type": "function", "name": "late"}]}
    more = {"type": "additional_tools", "role": "developer", "tools": [{"type": "custom", "name": "later"}]}
    items = read_input([found, more])
    assert [tool.name for tool in tools_in(items)] == ["late", "later"]
    assert as_messages(items, Toolbox([]))[1] == []


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"role": "wizard", "content": "hi"}, "input[0].role"),
        ({"role": "user", "content": 5}, "input[0].content"),
        ({"role": "user", "content": [{"text": "hi"}]}, "input[0].content[0]"),
        ({"role": "user", "content": [{"type": "input_text"}]}, "input[0].content[0]"),
        ({"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}, "input[0].content[0]"),
        (
            {"role": "user", "content": [{"type": "input_image", "file_id": "f"}]},
            "input[0].content[0].image_url",
        ),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": "file:///etc"}]},
            "input[0].content[0].image_url",
        ),
        ({"type": "message"}, "input[0]"),
        ({"type": 5}, "input[0].type"),
        ({"type": "function_call", "name": "add"}, "input[0]"),
        ({"type": "function_call_output", "call_id": "c"}, "input[0]"),
        ({"type": "function_call_output", "call_id": "c", "output": {}}, "input[0].output"),
        ({"type": "reasoning", "summary": "short"}, "input[0].summary"),
        ({"type": "compaction"}, "input[0]"),
        ({"type": "compaction", "encrypted_content": "gAAAAAB"}, "input[0].encrypted_content"),
        ({"type": "item_reference"}, "input[0].id"),
        ({}, "input[0].id"),
    ],
)
def test_a_malformed_item_is_named(item, param):
    with pytest.raises(RequestError) as raised:
        read_input([item])
    assert raised.value.param == param


def test_tools_that_are_none_are_refused():
    with pytest.raises(RequestError) as raised:
        tools_in(read_input([{"type": "additional_tools", "tools": [5]}]))
    assert raised.value.param == "additional_tools.tools[0]"
