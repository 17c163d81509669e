"""Anthropic's turns, as the messages that templates know."""

import base64

import pytest
from msgspec import json

from isthmus.errors import RequestError
from isthmus.messages import ImagePart, Message, TextPart, ToolCall
from isthmus.wire.messages_blocks import TextBlock
from isthmus.wire.messages_turns import Conversation, Turn

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01").decode()
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
SEEN = ImagePart(f"data:image/png;base64,{PNG}")


def conversation(*turns, system=None):
    read = Conversation(system)
    for number, (role, content) in enumerate(turns):
        turn = json.decode(json.encode({"role": role, "content": content}), type=Turn)
        read.add(turn, f"messages[{number}]")
    return read


def messages(*turns, **more):
    return conversation(*turns, **more).messages


def text(said):
    return {"type": "text", "text": said}


def test_a_conversation_with_a_tool():
    read = messages(
        ("user", "What is 1 + 2?"),
        (
            "assistant",
            [
                {"type": "thinking", "thinking": "I'll add.", "signature": "s"},
                {"type": "redacted_thinking", "data": "x"},
                text("Let me see."),
                {"type": "tool_use", "id": "a", "name": "add", "input": {"of": [1, 2]}},
            ],
        ),
        ("user", [{"type": "tool_result", "tool_use_id": "a", "content": "3"}, text("And?")]),
    )
    assert read == (
        Message("user", "What is 1 + 2?"),
        Message(
            "assistant",
            "Let me see.",
            reasoning="I'll add.",
            tool_calls=(ToolCall("a", "add", '{"of":[1,2]}'),),
        ),
        Message("tool", "3", tool_call_id="a"),
        Message("user", "And?"),
    )


def test_results_stand_ahead_of_what_is_said_beside_them_and_pictures_behind():
    result = {"type": "tool_result", "tool_use_id": "a", "content": [text("a cat:"), IMAGE]}
    assert messages(("user", [text("Look."), result])) == (
        Message("tool", "a cat:", tool_call_id="a"),
        Message("user", (TextPart("Look."), SEEN)),
    )


@pytest.mark.parametrize("content", ["no such file", [text("no such file")]])
def test_a_result_that_is_an_error_says_so(content):
    result = {"type": "tool_result", "tool_use_id": "a", "content": content, "is_error": True}
    (message,) = messages(("user", [result]))
    assert message.content == "The tool failed: no such file"


def test_a_result_may_be_empty():
    (message,) = messages(("user", [{"type": "tool_result", "tool_use_id": "a"}]))
    assert message == Message("tool", "", tool_call_id="a")


def test_turns_of_one_side_are_one_turn():
    read = messages(
        ("user", "One."), ("user", [text("Two."), IMAGE]), ("assistant", "A."), ("assistant", "B.")
    )
    assert read == (
        Message("user", (TextPart("One."), TextPart("Two."), SEEN)),
        Message("assistant", "A.\n\nB."),
    )


def test_instructions_are_blocks_or_one_text():
    for system in ("Be brief.\n\nBe kind.", [TextBlock("Be brief."), TextBlock(""), TextBlock("Be kind.")]):
        assert messages(("user", "hi"), system=system)[0] == Message("system", "Be brief.\n\nBe kind.")
    assert messages(("user", "hi"), system=[]) == (Message("user", "hi"),)


def test_instructions_ahead_of_the_conversation_join_the_others():
    read = messages(("system", "Be kind."), ("user", "hi"), system="Be brief.")
    assert read == (Message("system", "Be brief.\n\nBe kind."), Message("user", "hi"))


@pytest.mark.parametrize(
    "turns",
    [
        [("user", "hi"), ("system", "Hurry.")],
        [("user", [text("hi"), {"type": "mid_conv_system", "content": [text("Hurry.")]}])],
        [("user", "hi"), ("system", [{"type": "mid_conv_system", "content": [text("Hurry.")]}])],
    ],
)
def test_instructions_in_the_middle_keep_their_place_in_a_persons_turn(turns):
    assert messages(*turns) == (Message("user", "hi\n\n<system-reminder>\nHurry.\n</system-reminder>"),)


def test_documents_and_what_was_found_are_read_as_text():
    document = {"type": "document", "title": "Notes", "source": {"type": "text", "data": "Buy milk."}}
    blocks = {"type": "document", "source": {"type": "content", "content": [text("Page 1."), IMAGE]}}
    found = {"type": "search_result", "source": "http://a", "title": "A", "content": [text("B.")]}
    (message,) = messages(("user", [document, blocks, found]))
    assert message.text == "NotesBuy milk.Page 1.A (http://a)\n\nB."
    assert message.images == 1


def test_a_tool_that_a_search_found_is_named():
    found = {
        "type": "tool_result",
        "tool_use_id": "a",
        "content": [{"type": "tool_reference", "tool_name": "add"}],
    }
    assert "add" in messages(("user", [found]))[0].text


def test_what_anthropics_own_tools_did_is_dropped_and_named():
    read = conversation(
        ("user", "Search."),
        (
            "assistant",
            [
                {"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}},
                {"type": "web_search_tool_result", "tool_use_id": "a", "content": []},
                text("Found."),
            ],
        ),
    )
    assert read.messages[1] == Message("assistant", "Found.")
    assert read.dropped == [
        "messages[1].content[0] (server_tool_use)",
        "messages[1].content[1] (web_search_tool_result)",
    ]


@pytest.mark.parametrize(
    ("role", "block", "param"),
    [
        ("user", {"type": "tool_use", "id": "a", "name": "b", "input": {}}, "messages[0].content[0]"),
        ("user", {"type": "thinking", "thinking": "hm"}, "messages[0].content[0]"),
        ("assistant", {"type": "tool_result", "tool_use_id": "a"}, "messages[0].content[0]"),
        ("system", IMAGE, "messages[0].content[0]"),
        (
            "assistant",
            {"type": "tool_use", "id": "a", "name": "b", "input": [1]},
            "messages[0].content[0].input",
        ),
        (
            "user",
            {"type": "image", "source": {"type": "file", "file_id": "f"}},
            "messages[0].content[0].source",
        ),
        (
            "user",
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}},
            "messages[0].content[0].source",
        ),
        (
            "user",
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": ""}},
            "messages[0].content[0].source",
        ),
    ],
)
def test_what_has_no_place_is_refused_by_its_place(role, block, param):
    with pytest.raises(RequestError) as refused:
        messages((role, [block]))
    assert refused.value.param == param


def test_more_pictures_than_can_be_looked_at_are_refused():
    with pytest.raises(RequestError, match="images"):
        messages(*[("user", [IMAGE] * 20)] * 6)
