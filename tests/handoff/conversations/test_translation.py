"""What one model said, in the history of another."""

from hypothesis import given
from hypothesis import strategies as st

from isthmus.handoff.conversations.translation import UNANSWERED, UNSEEN, for_home, for_hosted
from isthmus.messages import GenerationRequest, ImagePart, Message, ModelInfo, TextPart, ToolCall

CALL = ToolCall("c1", "f", '{"x": 1}')
SEES, BLIND = ModelInfo("m", local=True, vision=True), ModelInfo("m", local=True)


def hosted(*messages):
    return for_hosted(GenerationRequest(messages)).messages


def test_a_conversation_that_both_can_read_is_left_as_it_is():
    asked = GenerationRequest(
        (
            Message("system", "Be brief."),
            Message("user", "Hi"),
            Message("assistant", "", tool_calls=(CALL,)),
            Message("tool", "1", tool_call_id="c1"),
            Message("assistant", "One."),
            Message("user", "And?"),
        )
    )
    assert for_hosted(asked) is asked
    assert for_home(asked, BLIND, frozenset()) is asked


def test_thinking_stays_with_the_side_that_had_it():
    turns = [Message("assistant", "A", "mine"), Message("user", "x"), Message("assistant", "B", "theirs")]
    assert [m.reasoning for m in hosted(*turns)] == [None] * 3
    home = for_home(GenerationRequest(tuple(turns)), SEES, {2}).messages
    assert [m.reasoning for m in home] == ["mine", None, None]
    assert [m.text for m in home] == ["A", "x", "B"]


def test_a_turn_of_thinking_alone_is_dropped():
    assert hosted(Message("user", "x"), Message("assistant", "", "hm"), Message("user", "y")) == (
        Message("user", "x"),
        Message("user", "y"),
    )


def test_a_picture_that_home_can_not_see_becomes_a_note():
    shown = Message("user", (TextPart("What is this?"), ImagePart("data:x")), home_only=True)
    asked = GenerationRequest((shown, Message("assistant", "A cat.")))
    (told, _) = for_home(asked, BLIND, frozenset()).messages
    assert told == Message("user", f"What is this?\n{UNSEEN}", home_only=True)
    assert for_home(asked, SEES, frozenset()) is asked


def test_a_call_without_a_result_gets_one_that_says_so():
    told = hosted(
        Message("assistant", tool_calls=(CALL, ToolCall("c2", "g", "{}"))),
        Message("tool", "1", tool_call_id="c2"),
        Message("user", "x"),
    )
    assert [(m.role, m.tool_call_id, m.text) for m in told[1:]] == [
        ("tool", "c2", "1"),
        ("tool", "c1", UNANSWERED),
        ("user", None, "x"),
    ]


def test_a_result_without_a_call_becomes_words():
    told = hosted(Message("tool", "noon", tool_call_id="gone", name="clock", home_only=True))
    assert told == (Message("user", "The tool clock gave:\nnoon", home_only=True),)
    parts = (TextPart("a"), ImagePart("data:x"))
    assert hosted(Message("tool", parts)) == (Message("user", (TextPart("A tool gave:\n"), *parts)),)


def test_arguments_that_are_no_object_get_one():
    (turn, _) = hosted(Message("assistant", tool_calls=(ToolCall("c1", "f", "x = 1"),)))
    assert turn.tool_calls[0].arguments == '{"text":"x = 1"}'


IDS = st.sampled_from(["c1", "c2", "c3"])
TURNS = st.one_of(
    st.builds(Message, st.just("user"), st.just("x")),
    st.builds(Message, st.just("tool"), st.just("r"), tool_call_id=IDS),
    st.lists(IDS, unique=True, max_size=3).map(
        lambda ids: Message("assistant", "a", tool_calls=tuple(ToolCall(i, "f", "{}") for i in ids))
    ),
)


@given(st.lists(TURNS, max_size=12))
def test_whatever_comes_each_call_has_one_result_right_behind_it(turns):
    told = hosted(*turns)
    waiting: list[str] = []
    for message in told:
        if message.role == "tool":
            waiting.remove(message.tool_call_id)
        else:
            assert not waiting
        waiting += [call.id for call in message.tool_calls]
    assert not waiting
    assert hosted(*told) == told
