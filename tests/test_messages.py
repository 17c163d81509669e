import msgspec
import pytest

from isthmus.messages import (
    Event,
    GenerationRequest,
    ImagePart,
    Message,
    Notice,
    TextDelta,
    TextPart,
    ToolCallDelta,
    Usage,
    nearest_effort,
    with_system,
)

MIXED = (TextPart("What is "), ImagePart("data:,x"), TextPart("this?"))


@pytest.mark.parametrize(
    ("content", "text", "images"),
    [("", "", 0), ("plain", "plain", 0), ((), "", 0), (MIXED, "What is this?", 1), (MIXED[1:2] * 2, "", 2)],
    ids=str,
)
def test_the_text_of_a_message_and_its_images(content, text, images):
    message = Message("user", content)
    assert (message.text, message.images) == (text, images)


def test_more_is_said_in_the_system_message():
    ask = Message("user", "1+1?")
    assert with_system((ask,), "more") == (Message("system", "more"), ask)
    assert with_system((Message("system", "Be brief."), ask), "more")[0].text == "Be brief.\n\nmore"
    parts = Message("developer", (TextPart("Be brief."),))
    assert with_system((parts, ask), "more")[0].text == "Be brief.\n\nmore"


@pytest.mark.parametrize(
    ("effort", "known", "nearest"),
    [
        ("xhigh", ("low", "high"), "high"),
        ("medium", ("low", "high"), "low"),
        ("minimal", ("none", "high"), "high"),
        ("none", ("none", "high"), "none"),
        ("none", ("low", "high"), "low"),
    ],
)
def test_an_effort_that_is_not_known_becomes_its_nearest(effort, known, nearest):
    assert nearest_effort(effort, known) == nearest


def test_values_are_frozen():
    with pytest.raises(AttributeError):
        Message("user", "x").content = "y"
    with pytest.raises(AttributeError):
        GenerationRequest(()).n = 2


def test_tokens_in_total():
    assert Usage(10, 5, reasoning_tokens=3, cached_tokens=8).total_tokens == 15


@pytest.mark.parametrize(
    "event", [TextDelta("x", 1), ToolCallDelta(0, "c", "add", "{}"), Notice("n", "t")], ids=str
)
def test_events_survive_json(event):
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event


def test_a_saved_message_says_no_more_than_it_must():
    assert msgspec.json.encode(Message("user", "x")) == b'{"role":"user","content":"x"}'
    assert msgspec.json.decode(
        b'{"role":"user","content":[{"type":"text","text":"x"}]}', type=Message
    ) == Message("user", (TextPart("x"),))
